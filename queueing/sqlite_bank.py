"""Loads and stores of the ledger on SQLite, over the driver's own cursor: a prepared statement costs some microseconds.

The transaction has begun (BEGIN IMMEDIATE), so nothing can change between reading and writing.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from queueing.ledger import Held, Ledger, Needs, due_span, keys_of
from queueing.order import PRIORITIES
from queueing.pace import mixture
from queueing.rows import (
    CHANGING,
    Codec,
    CounterRow,
    DeskRow,
    EventRow,
    OutboxRow,
    QueueRow,
    TicketRow,
    from_micros,
)
from queueing.store import AT_DESK_SQL, LIVE_SQL, Outbox, Queue, QueueDay, Ticket, TicketEvent, to_micros

QUEUES = Codec(QueueRow, Queue, "sqlite")
TICKETS = Codec(TicketRow, Ticket, "sqlite")
EVENTS = Codec(EventRow, TicketEvent, "sqlite")
COUNTERS = Codec(CounterRow, QueueDay, "sqlite")
OUTBOX = Codec(OutboxRow, Outbox, "sqlite")

_QUEUE = f"SELECT {QUEUES.columns} FROM queue WHERE id = ?"
_WAITING = (
    f"SELECT count(*) FROM ticket WHERE {LIVE_SQL} AND queue_id = ? AND state = 'waiting' AND aged_from >= ?"
)
_REQUEST = f"SELECT {EVENTS.columns} FROM ticket_event WHERE request_id = ?"
_SERVICE = "SELECT s.id FROM service s JOIN queue_service q ON q.service_id = s.id WHERE s.code = ? AND q.queue_id = ?"
_COUNTER = f"SELECT {COUNTERS.columns} FROM queue_day WHERE queue_id = ? AND day = ?"
_DESKS = (
    "SELECT d.id, d.queue_id, d.name, d.state, d.operator,"
    " (SELECT group_concat(l.service_id) FROM desk_service l WHERE l.desk_id = d.id),"
    f" (SELECT o.id FROM ticket o WHERE o.{AT_DESK_SQL} AND o.desk_id = d.id)"
    " FROM desk d WHERE d.queue_id = ?"
)
_TICKET = f"SELECT {TICKETS.columns} FROM ticket WHERE id = ?"
_CODE = f"SELECT {TICKETS.columns} FROM ticket WHERE code = ?"
_BEHIND = (
    "SELECT "
    + " + ".join(
        f"(SELECT count(*) FROM ticket WHERE {LIVE_SQL} AND queue_id = ?1 AND state = 'waiting' AND priority = {n}"
        f" AND aged_from >= ?2 AND aged_from > ?{5 + n})"
        for n in PRIORITIES
    )
    + f", (SELECT count(*) FROM ticket WHERE {LIVE_SQL} AND queue_id = ?1 AND state = 'booked'"
    f" AND priority IN ({', '.join(map(str, PRIORITIES))}) AND aged_from BETWEEN ?3 AND ?4)"
)


def _offered(limit: str) -> str:
    firsts = " UNION ALL ".join(
        f"SELECT id FROM (SELECT id FROM ticket WHERE {LIVE_SQL} AND queue_id = ?1 AND state = 'waiting'"
        f" AND priority = {n} AND aged_from >= ?2 AND (hold_until IS NULL OR hold_until <= ?3){limit}"
        " ORDER BY aged_from, number LIMIT ?4)"
        for n in PRIORITIES
    )
    return f"SELECT {TICKETS.columns} FROM ticket WHERE id IN ({firsts})"


_OFFERED = _offered("")
_OFFERED_LIMITED = _offered(" AND service_id IN (SELECT service_id FROM desk_service WHERE desk_id = ?5)")
_HELD = (
    "SELECT h.ticket_id, d.desk_id, d.device, d.heard_at FROM hand h JOIN desk_device d ON d.id = h.holder_id"
    " WHERE h.queue_id = ? AND d.until > ?"
)
_PHONE = (
    f"SELECT {TICKETS.under('t')}, {EVENTS.under('e')} FROM ticket t JOIN ticket_event e ON e.ticket_id = t.id"
    f" WHERE t.{LIVE_SQL} AND t.queue_id = ? AND t.aged_from >= ? AND t.aged_from < ? AND t.phone = ?"
    " AND e.state_from IS NULL LIMIT 1"
)
_LAST = (
    f"SELECT {EVENTS.columns} FROM ticket_event WHERE ticket_id = ? AND state_to = ? ORDER BY id DESC LIMIT 1"
)
_MINUTES = (
    "SELECT s.popularity, s.minutes_low, s.minutes_mode, s.minutes_high FROM queue_service q"
    " JOIN service s ON s.id = q.service_id WHERE q.queue_id = ?"
)
_SET_QUEUE = "UPDATE queue SET seq = ?, line_waiting = ?, line_seq = ?, line_since = ?, pace_s = ?, pace_cv2 = ? WHERE id = ?"
_SET_COUNTER = (
    "INSERT INTO queue_day (queue_id, day, next_number, issued) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (queue_id, day) DO UPDATE SET next_number = excluded.next_number, issued = excluded.issued"
)
_SET_TICKET = f"UPDATE ticket SET {', '.join(f'{name} = ?' for name in CHANGING)} WHERE id = ?"


def _insert(codec: Codec, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {codec.table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


_OUTBOX_NAMES = tuple(name for name in OUTBOX.names if name != "id")
_NEW_TICKET = _insert(TICKETS, TICKETS.names)
_NEW_EVENT = _insert(EVENTS, EVENTS.names)
_NEW_OUTBOX = _insert(OUTBOX, _OUTBOX_NAMES)
_outbox_values = OUTBOX.values(_OUTBOX_NAMES)
_changing_values = TICKETS.values((*CHANGING, "id"))


class SqliteBank:
    """A `ledger.Bank` over a connection of `sqlite3`. `commits`: the store ends the transaction."""

    def __init__(self, connection: sqlite3.Connection, *, commits: bool = False) -> None:
        self._cursor = connection.cursor()
        self._commits = commits

    def load(self, ledger: Ledger, needs: Needs) -> None:
        """Read what is needed."""
        ledger.since.update({q: since for q, since in needs.queues.items() if q not in ledger.queues})
        self._queues(ledger, needs)
        one = self._one
        for request_id in needs.requests:
            if row := one(_REQUEST, (request_id,)):
                ledger.requests[request_id] = EVENTS.read(row)
                needs.tickets.add(ledger.requests[request_id].ticket_id)
        for queue_id, code in needs.services:
            if row := one(_SERVICE, (code, queue_id)):
                ledger.services[queue_id, code] = row[0]
        for queue_id, day in needs.counters:
            if (queue_id, day) not in ledger.counters and (row := one(_COUNTER, (queue_id, day.isoformat()))):
                ledger.counters[queue_id, day] = COUNTERS.read(row)
        for place in needs.places:
            keys = map(to_micros, keys_of(place))
            span = map(to_micros, due_span(place.now))
            since = to_micros(ledger.since[place.queue_id])
            ledger.behind[place] = one(_BEHIND, (place.queue_id, since, *span, *keys))
        for queue_id in needs.desks:
            self._desks(ledger, queue_id)
        for queue_id, now in needs.hands.items():
            for ticket_id, desk, device, heard_at in self._cursor.execute(_HELD, (queue_id, to_micros(now))):
                ledger.held[ticket_id] = Held(desk, device, from_micros(heard_at))
        for desk_id, (queue_id, now) in needs.calls.items():
            self._call(ledger, needs, desk_id, queue_id, to_micros(now))
        for code in needs.codes:
            if code not in ledger.codes and (row := one(_CODE, (code,))):
                ledger.keep(TICKETS.read(row))
        for ticket_id in needs.tickets:
            if ticket_id not in ledger.tickets and (row := one(_TICKET, (ticket_id,))):
                ledger.keep(TICKETS.read(row))
        for asked in needs.phones:
            values = (asked.queue_id, to_micros(asked.begin), to_micros(asked.end), asked.phone)
            if row := one(_PHONE, values):
                ticket = ledger.keep(TICKETS.read(row))
                ledger.phones[asked] = ticket, EVENTS.read(row[len(TICKETS.names) :])
        if needs.new_tickets:
            top = one("SELECT max(id) FROM ticket", ())[0] or 0
            ledger.ticket_ids = iter(range(top + 1, top + 1 + needs.new_tickets))
        if needs.new_events:
            top = one("SELECT max(id) FROM ticket_event", ())[0] or 0
            ledger.event_ids = iter(range(top + 1, top + 1 + needs.new_events))

    def _one(self, statement: str, values: tuple[Any, ...]) -> Any:
        return self._cursor.execute(statement, values).fetchone()

    def _queues(self, ledger: Ledger, needs: Needs) -> None:
        for queue_id, since in needs.queues.items():
            if queue_id in ledger.queues:
                continue
            found = self._one(_QUEUE, (queue_id,))
            if found is None:
                continue
            queue = ledger.queues[queue_id] = QUEUES.read(found)
            if queue.line_seq != queue.seq or queue.line_since != since:
                queue.line_waiting = self._one(_WAITING, (queue_id, to_micros(since)))[0]
            if queue.pace_s is None or queue.pace_cv2 is None:
                ledger.paces[queue_id] = mixture(self._cursor.execute(_MINUTES, (queue_id,)).fetchall())

    def _desks(self, ledger: Ledger, queue_id: int) -> None:
        here = ledger.desks[queue_id] = {}
        for number, owner, name, state, operator, limits, open_id in self._cursor.execute(
            _DESKS, (queue_id,)
        ):
            services = None if limits is None else frozenset(map(int, str(limits).split(",")))
            here[number] = DeskRow(
                id=number, queue_id=owner, name=name, state=state, operator=operator, services=services, open_id=open_id
            )  # fmt: skip

    def _call(self, ledger: Ledger, needs: Needs, desk_id: int, queue_id: int, now: int) -> None:
        desk = ledger.desks.get(queue_id, {}).get(desk_id)
        if desk is None:
            return
        if desk.open_id is not None:
            needs.tickets.add(desk.open_id)
        most = needs.verbs.get(queue_id, 1) + len(ledger.held)
        values: tuple[Any, ...] = (queue_id, to_micros(ledger.since[queue_id]), now, most)
        if desk.services is None:
            rows = self._cursor.execute(_OFFERED, values).fetchall()
        else:
            rows = self._cursor.execute(_OFFERED_LIMITED, (*values, desk_id)).fetchall()
        ledger.offered[desk_id] = [ledger.keep(TICKETS.read(row)) for row in rows]

    def last(self, ticket_id: int, state_to: str) -> EventRow:
        """The latest stored event that brought a ticket into a state."""
        found: EventRow = EVENTS.read(self._one(_LAST, (ticket_id, state_to)))
        return found

    def store(self, ledger: Ledger) -> None:
        """Write what has changed: rows that free a desk before rows that take one."""
        many = self._cursor.executemany
        if ledger.told:
            many(
                _SET_QUEUE,
                [
                    (q.seq, q.line_waiting, q.seq, to_micros(ledger.since[q.id]), q.pace_s, q.pace_cv2, q.id)
                    for q in (ledger.queues[number] for number in ledger.told)
                ],
            )
        if ledger.drawn:
            many(_SET_COUNTER, [_counter_values(ledger.counters[key]) for key in ledger.drawn])
        if ledger.made:
            many(_NEW_TICKET, [TICKETS.all(row) for row in ledger.made])
        if ledger.moved:
            rows = sorted(ledger.moved.values(), key=lambda t: t.state in ("called", "serving"))
            many(_SET_TICKET, [_changing_values(row) for row in rows])
        if ledger.events:
            many(_NEW_EVENT, [EVENTS.all(row) for row in ledger.events])
        if ledger.outbox:
            many(_NEW_OUTBOX, [_outbox_values(row) for row in ledger.outbox])
        if self._commits:
            self._cursor.execute("COMMIT")


_counter_values = COUNTERS.values(("queue_id", "day", "next_number", "issued"))
