"""Loads and stores of the ledger on PostgreSQL: one round trip each, whatever the size of the batch.

READ COMMITTED. The first statement locks the queues' rows in the order of their ids (batches never wait for each
other in a circle); those behind it in the same pipeline each begin when the locks are held, so they see what the verb
before left. Rows are written by one statement a table, out of arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import JSON, Table
from sqlalchemy.dialects import postgresql

from queueing.ledger import Held, Ledger, Needs, due_span, keys_of
from queueing.order import PRIORITIES
from queueing.pace import mixture
from queueing.rows import (
    Codec,
    CounterRow,
    DeskRow,
    EventRow,
    OutboxRow,
    QueueRow,
    TicketRow,
)
from queueing.store import AT_DESK_SQL, LIVE_SQL, Outbox, Queue, QueueDay, Ticket, TicketEvent

QUEUES = Codec(QueueRow, Queue, "postgresql")
TICKETS = Codec(TicketRow, Ticket, "postgresql")
EVENTS = Codec(EventRow, TicketEvent, "postgresql")
COUNTERS = Codec(CounterRow, QueueDay, "postgresql")
OUTBOX = Codec(OutboxRow, Outbox, "postgresql")

_T = TICKETS.under("t")
_LOCK = f"SELECT {QUEUES.columns} FROM queue WHERE id = ANY(%s::int[]) ORDER BY id FOR NO KEY UPDATE"
_WAITING = (
    "SELECT q.id, CASE WHEN q.line_seq = q.seq AND q.line_since = n.since THEN q.line_waiting ELSE"
    f" (SELECT count(*) FROM ticket t WHERE t.{LIVE_SQL} AND t.queue_id = q.id AND t.state = 'waiting'"
    " AND t.aged_from >= n.since) END"
    " FROM unnest(%s::int[], %s::timestamptz[]) AS n(id, since) JOIN queue q ON q.id = n.id"
)
_REQUESTS = f"SELECT {EVENTS.columns} FROM ticket_event WHERE request_id = ANY(%s::text[])"
_SERVICES = (
    "SELECT n.queue_id, n.code, s.id FROM unnest(%s::int[], %s::text[]) AS n(queue_id, code)"
    " JOIN service s ON s.code = n.code JOIN queue_service q ON q.queue_id = n.queue_id AND q.service_id = s.id"
)
_COUNTERS = (
    f"SELECT {COUNTERS.under('d')} FROM unnest(%s::int[], %s::date[]) AS n(queue_id, day)"
    " JOIN queue_day d ON d.queue_id = n.queue_id AND d.day = n.day"
)
_BEHIND = (
    "SELECT n.place, "
    + " + ".join(
        f"(SELECT count(*) FROM ticket t WHERE t.{LIVE_SQL} AND t.queue_id = n.queue_id AND t.state = 'waiting'"
        f" AND t.priority = {c} AND t.aged_from >= n.since AND t.aged_from > n.k{c})"
        for c in PRIORITIES
    )
    + ", "
    + " + ".join(
        f"(SELECT count(*) FROM ticket t WHERE t.{LIVE_SQL} AND t.queue_id = n.queue_id AND t.state = 'booked'"
        f" AND t.priority = {c} AND t.aged_from BETWEEN n.due_from AND n.due_to)"
        for c in PRIORITIES
    )
    + " FROM unnest(%s::int[], %s::int[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[]"
    + ", %s::timestamptz[]" * len(PRIORITIES)
    + ") AS n(place, queue_id, since, due_from, due_to, "
    + ", ".join(f"k{c}" for c in PRIORITIES)
    + ")"
)
_DESKS = (
    "SELECT d.id, d.queue_id, d.name, d.state, d.operator,"
    " (SELECT array_agg(l.service_id) FROM desk_service l WHERE l.desk_id = d.id),"
    f" (SELECT o.id FROM ticket o WHERE o.{AT_DESK_SQL} AND o.desk_id = d.id)"
    " FROM desk d WHERE d.queue_id = ANY(%s::int[]) ORDER BY d.id"
)
_OPEN = f"SELECT {TICKETS.columns} FROM ticket WHERE {AT_DESK_SQL} AND desk_id = ANY(%s::int[])"
_OFFERED = (
    f"SELECT n.desk_id, {_T} FROM unnest(%s::int[], %s::int[], %s::timestamptz[], %s::timestamptz[], %s::int[])"
    " AS n(desk_id, queue_id, since, now, most) CROSS JOIN LATERAL ("
    + " UNION ALL ".join(
        f"(SELECT * FROM ticket c WHERE c.{LIVE_SQL} AND c.queue_id = n.queue_id AND c.state = 'waiting'"
        f" AND c.priority = {c} AND c.aged_from >= n.since AND (c.hold_until IS NULL OR c.hold_until <= n.now)"
        " AND (NOT EXISTS (SELECT 1 FROM desk_service l WHERE l.desk_id = n.desk_id) OR c.service_id IN"
        " (SELECT l.service_id FROM desk_service l WHERE l.desk_id = n.desk_id))"
        " ORDER BY c.aged_from, c.number"
        " LIMIT n.most + (SELECT count(*) FROM hand h WHERE h.queue_id = n.queue_id))"
        for c in PRIORITIES
    )
    + ") AS t"
)
_HELD = (
    "SELECT h.ticket_id, d.desk_id, d.device, d.heard_at"
    " FROM unnest(%s::int[], %s::timestamptz[]) AS n(queue_id, now)"
    " JOIN hand h ON h.queue_id = n.queue_id JOIN desk_device d ON d.id = h.holder_id AND d.until > n.now"
)
_TICKETS = f"SELECT {TICKETS.columns} FROM ticket WHERE id = ANY(%s::bigint[])"
_CODES = f"SELECT {TICKETS.columns} FROM ticket WHERE code = ANY(%s::text[])"
_PHONE = (
    f"SELECT {_T}, {EVENTS.under('e')} FROM ticket t JOIN ticket_event e ON e.ticket_id = t.id"
    f" WHERE t.{LIVE_SQL} AND t.queue_id = %s AND t.aged_from >= %s AND t.aged_from < %s AND t.phone = %s"
    " AND e.state_from IS NULL LIMIT 1"
)
_LEFT = "UPDATE ticket SET desk_id = NULL WHERE id = ANY(%s::bigint[])"
_LAST = f"SELECT {EVENTS.columns} FROM ticket_event WHERE ticket_id = %s AND state_to = %s ORDER BY id DESC LIMIT 1"
_MINUTES = (
    "SELECT s.popularity, s.minutes_low, s.minutes_mode, s.minutes_high FROM queue_service q"
    " JOIN service s ON s.id = q.service_id WHERE q.queue_id = %s"
)
_TICKET_IDS = "SELECT nextval('ticket_id_seq') FROM generate_series(1, %s::int)"
_EVENT_IDS = "SELECT nextval('ticket_event_id_seq') FROM generate_series(1, %s::int)"

HOT = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off"
"""For a connection that runs these statements all day: planned once, and never as a scan because the tables were empty
when the day began."""


class _Arrays:
    """A statement over the columns of rows as arrays."""

    def __init__(self, codec: Codec, model: Any, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._values = codec.values(self.names)
        kinds = [cast(Table, model.__table__).columns[name].type for name in self.names]
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        shown = ["TEXT" if isinstance(kind, JSON) else kind.compile(dialect=dialect) for kind in kinds]
        self.arrays = ", ".join(f"%s::{kind}[]" for kind in shown)
        self.selected = ", ".join(
            f"n.{name}::json" if isinstance(kind, JSON) else f"n.{name}"
            for name, kind in zip(self.names, kinds, strict=True)
        )
        self.listed = ", ".join(self.names)

    def of(self, rows: Sequence[Any]) -> list[list[Any]]:
        """One array a column."""
        return [list(column) for column in zip(*map(self._values, rows), strict=True)]

    def insert(self, table: str, more: str = "") -> str:
        """INSERT of all rows."""
        return (
            f"INSERT INTO {table} ({self.listed}) SELECT {self.selected}"
            f" FROM unnest({self.arrays}) AS n({self.listed}){more}"
        )

    def update(self, table: str) -> str:
        """UPDATE of all rows by their id."""
        assigned = ", ".join(f"{name} = n.{name}" for name in self.names if name != "id")
        return f"UPDATE {table} AS t SET {assigned} FROM unnest({self.arrays}) AS n({self.listed}) WHERE t.id = n.id"


_queue = _Arrays(QUEUES, Queue, ("id", "seq", "line_waiting", "line_seq", "line_since", "pace_s", "pace_cv2"))
_counter = _Arrays(COUNTERS, QueueDay, COUNTERS.names)
_ticket = _Arrays(TICKETS, Ticket, TICKETS.names)
_event = _Arrays(EVENTS, TicketEvent, EVENTS.names)
_outbox = _Arrays(OUTBOX, Outbox, tuple(name for name in OUTBOX.names if name != "id"))
_SET_QUEUE = _queue.update("queue")
_SET_COUNTER = _counter.insert(
    "queue_day",
    " ON CONFLICT (queue_id, day) DO UPDATE SET next_number = excluded.next_number, issued = excluded.issued",
)
_NEW_TICKET = _ticket.insert("ticket")
_NEW_EVENT = _event.insert("ticket_event")
_NEW_OUTBOX = _outbox.insert("outbox")


@lru_cache(maxsize=64)
def _moved(names: tuple[str, ...]) -> _Arrays:
    return _Arrays(TICKETS, Ticket, names)


class PostgresBank:
    """A `ledger.Bank` over a connection of `psycopg`. `commits`: the store ends the transaction in its own trip."""

    def __init__(self, connection: Any, *, commits: bool = False) -> None:
        self._connection = connection
        self._commits = commits

    def load(self, ledger: Ledger, needs: Needs) -> None:
        """Lock and read, in one round trip; what a repeated request was answered with takes another."""
        wanted = {q: since for q, since in needs.queues.items() if q not in ledger.queues}
        ledger.since.update(wanted)
        counters = [key for key in needs.counters if key not in ledger.counters]
        places, calls = list(needs.places), needs.calls
        with self._connection.pipeline():
            ask = self._ask
            locked = ask(_LOCK, sorted(wanted)) if wanted else None
            waiting = ask(_WAITING, list(wanted), list(wanted.values())) if wanted else None
            requests = ask(_REQUESTS, list(needs.requests)) if needs.requests else None
            services = ask(_SERVICES, *_columns(needs.services)) if needs.services else None
            counted = ask(_COUNTERS, *_columns(counters)) if counters else None
            behind = ask(_BEHIND, *self._places(ledger, places)) if places else None
            desks = ask(_DESKS, list(needs.desks)) if needs.desks else None
            held = ask(_HELD, *_columns(needs.hands.items())) if needs.hands else None
            opened = ask(_OPEN, list(calls)) if calls else None
            offered = ask(_OFFERED, *self._calls(ledger, needs)) if calls else None
            tickets = ask(_TICKETS, list(needs.tickets)) if needs.tickets else None
            codes = ask(_CODES, list(needs.codes)) if needs.codes else None
            phones = {
                asked: ask(_PHONE, asked.queue_id, asked.begin, asked.end, asked.phone)
                for asked in needs.phones
            }
            ticket_ids = ask(_TICKET_IDS, needs.new_tickets) if needs.new_tickets else None
            event_ids = ask(_EVENT_IDS, needs.new_events) if needs.new_events else None
        for row in _rows(locked):
            queue = QUEUES.read(row)
            ledger.queues[queue.id] = queue
        for number, count in _rows(waiting):
            if number in ledger.queues:
                ledger.queues[number].line_waiting = count
        for queue_id, code, number in _rows(services):
            ledger.services[queue_id, code] = number
        for row in _rows(counted):
            counter = COUNTERS.read(row)
            ledger.counters[counter.queue_id, counter.day] = counter
        for place, standing_behind, due in _rows(behind):
            ledger.behind[places[place]] = standing_behind, due
        self._read_desks(ledger, needs, _rows(desks))
        for row in (*_rows(opened), *_rows(tickets), *_rows(codes)):
            ledger.keep(TICKETS.read(row))
        for ticket_id, desk, device, heard_at in _rows(held):
            ledger.held[ticket_id] = Held(desk, device, heard_at.astimezone(UTC))
        for desk_id in calls:
            ledger.offered[desk_id] = []
        for row in _rows(offered):
            ledger.offered[row[0]].append(ledger.keep(TICKETS.read(row[1:])))
        for asked, cursor in phones.items():
            for row in _rows(cursor):
                ticket = ledger.keep(TICKETS.read(row))
                ledger.phones[asked] = ticket, EVENTS.read(row[len(TICKETS.names) :])
        if ticket_ids is not None:
            ledger.ticket_ids = iter([row[0] for row in ticket_ids.fetchall()])
        if event_ids is not None:
            ledger.event_ids = iter([row[0] for row in event_ids.fetchall()])
        self._read_requests(ledger, _rows(requests))
        for number in wanted:
            found = ledger.queues.get(number)
            if found is not None and (found.pace_s is None or found.pace_cv2 is None):
                ledger.paces[number] = mixture(self._ask(_MINUTES, number).fetchall())

    def _ask(self, statement: str, *values: Any) -> Any:
        given = [_literal(value) if isinstance(value, list) else value for value in values]
        return self._connection.cursor().execute(statement, given, prepare=True)

    def _places(self, ledger: Ledger, places: Sequence[Any]) -> list[list[Any]]:
        rows = [
            (n, p.queue_id, ledger.since[p.queue_id], *due_span(p.now), *keys_of(p))
            for n, p in enumerate(places)
        ]
        return _columns(rows)

    def _calls(self, ledger: Ledger, needs: Needs) -> list[list[Any]]:
        return _columns(
            [
                (desk_id, queue_id, ledger.since[queue_id], now, needs.verbs.get(queue_id, 1))
                for desk_id, (queue_id, now) in needs.calls.items()
            ]
        )

    def _read_desks(self, ledger: Ledger, needs: Needs, rows: Sequence[Any]) -> None:
        for queue_id in needs.desks:
            ledger.desks[queue_id] = {}
        for number, queue_id, name, state, operator, limits, open_id in rows:
            services = None if limits is None else frozenset(limits)
            ledger.desks[queue_id][number] = DeskRow(
                id=number, queue_id=queue_id, name=name, state=state, operator=operator, services=services,
                open_id=open_id,
            )  # fmt: skip

    def _read_requests(self, ledger: Ledger, rows: Sequence[Any]) -> None:
        for row in rows:
            event = EVENTS.read(row)
            ledger.requests[event.request_id] = event
        missing = [e.ticket_id for e in ledger.requests.values() if e.ticket_id not in ledger.tickets]
        if missing:
            for row in self._ask(_TICKETS, missing).fetchall():
                ledger.keep(TICKETS.read(row))

    def last(self, ticket_id: int, state_to: str) -> EventRow:
        """The latest stored event that brought a ticket into a state."""
        found: EventRow = EVENTS.read(self._ask(_LAST, ticket_id, state_to).fetchone())
        return found

    def store(self, ledger: Ledger) -> None:
        """Write what has changed, and commit where that is this bank's: one round trip. Rows that free a desk come
        before rows that take one."""
        with self._connection.pipeline():
            if ledger.told:
                rows: list[Any] = [ledger.queues[number] for number in ledger.told]
                for row in rows:
                    row.line_seq, row.line_since = row.seq, ledger.since[row.id]
                self._ask(_SET_QUEUE, *_queue.of(rows))
            if ledger.drawn:
                self._ask(_SET_COUNTER, *_counter.of([ledger.counters[key] for key in ledger.drawn]))
            left, freeing, taking = ledger.moving()
            if left:
                self._ask(_LEFT, left)
            for names, rows in freeing:
                self._ask(_moved(names).update("ticket"), *_moved(names).of(rows))
            if ledger.made:
                self._ask(_NEW_TICKET, *_ticket.of(ledger.made))
            for names, rows in taking:
                self._ask(_moved(names).update("ticket"), *_moved(names).of(rows))
            if ledger.events:
                self._ask(_NEW_EVENT, *_event.of(ledger.events))
            if ledger.outbox:
                self._ask(_NEW_OUTBOX, *_outbox.of(ledger.outbox))
            if self._commits:
                self._connection.commit()


def _literal(values: Sequence[Any]) -> str:
    """An array as PostgreSQL writes it. The driver's own way of it, element by element, costs more than the rest of a
    verb."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, (int, float)):
        return str(value)
    return str(value.isoformat())


def _columns(rows: Any) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _rows(cursor: Any) -> list[Any]:
    return [] if cursor is None else cursor.fetchall()
