"""Loads and stores of the ledger on PostgreSQL: one round trip each, whatever the size of the batch.

READ COMMITTED. The first statement locks the queues' rows in the order of their ids (batches never wait for each
other in a circle); those behind it in the same pipeline each begin when the locks are held, so they see what the verb
before left. Rows are written by one statement a table, out of arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Date, Float, Integer, SmallInteger, String

from queueing.ledger import Held, Ledger, Needs, due_span, keys_of
from queueing.order import PRIORITIES
from queueing.pace import mixture
from queueing.pipeline import Answer, CursorPipe, Pipe, Statement
from queueing.rows import (
    Codec,
    CounterRow,
    DeskRow,
    EventRow,
    OutboxRow,
    QueueRow,
    TicketRow,
)
from queueing.store import (
    AT_DESK_SQL,
    LIVE_SQL,
    Outbox,
    Queue,
    QueueDay,
    Ticket,
    TicketEvent,
    UtcDateTime,
)

QUEUES = Codec(QueueRow, Queue, "postgresql")
TICKETS = Codec(TicketRow, Ticket, "postgresql")
EVENTS = Codec(EventRow, TicketEvent, "postgresql")
COUNTERS = Codec(CounterRow, QueueDay, "postgresql")
OUTBOX = Codec(OutboxRow, Outbox, "postgresql")

_T = TICKETS.under("t")
_CLASSES = ", ".join(map(str, PRIORITIES))
_LOCK = Statement(
    f"SELECT {QUEUES.columns} FROM queue WHERE id = ANY($1::int4[]) ORDER BY id FOR NO KEY UPDATE"
)
_WAITING = Statement(
    f"SELECT n.id, (SELECT count(*) FROM ticket t WHERE t.{LIVE_SQL} AND t.queue_id = n.id AND t.state = 'waiting'"
    " AND t.aged_from >= n.since) FROM unnest($1::int4[], $2::timestamptz[]) AS n(id, since)"
)
_REQUESTS = Statement(f"SELECT {EVENTS.columns} FROM ticket_event WHERE request_id = ANY($1::text[])")
_SERVICES = Statement(
    "SELECT n.queue_id, n.code, s.id FROM unnest($1::int4[], $2::text[]) AS n(queue_id, code)"
    " JOIN service s ON s.code = n.code JOIN queue_service q ON q.queue_id = n.queue_id AND q.service_id = s.id"
)
_COUNTERS = Statement(
    f"SELECT {COUNTERS.under('d')} FROM unnest($1::int4[], $2::date[]) AS n(queue_id, day)"
    " JOIN queue_day d ON d.queue_id = n.queue_id AND d.day = n.day"
)
_BEHIND = Statement(
    # One scan for all classes: `low` is the least of their ages, the exact one is looked at row by row.
    "SELECT n.place,"
    f" (SELECT count(*) FROM ticket t WHERE t.{LIVE_SQL} AND t.queue_id = n.queue_id AND t.state = 'waiting'"
    f" AND t.priority IN ({_CLASSES}) AND t.aged_from > n.low AND t.aged_from > CASE t.priority"
    + "".join(f" WHEN {c} THEN n.k{c}" for c in PRIORITIES)
    + " END),"
    f" (SELECT count(*) FROM ticket t WHERE t.{LIVE_SQL} AND t.queue_id = n.queue_id AND t.state = 'booked'"
    f" AND t.priority IN ({_CLASSES}) AND t.aged_from BETWEEN n.due_from AND n.due_to)"
    " FROM unnest($1::int4[], $2::int4[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[]"
    + "".join(f", ${6 + n}::timestamptz[]" for n in range(len(PRIORITIES)))
    + ") AS n(place, queue_id, low, due_from, due_to, "
    + ", ".join(f"k{c}" for c in PRIORITIES)
    + ")"
)
_DESKS = Statement(
    "SELECT d.id, d.queue_id, d.name, d.state, d.operator,"
    " (SELECT array_agg(l.service_id) FROM desk_service l WHERE l.desk_id = d.id),"
    f" (SELECT o.id FROM ticket o WHERE o.{AT_DESK_SQL} AND o.desk_id = d.id)"
    " FROM desk d WHERE d.queue_id = ANY($1::int4[]) ORDER BY d.id"
)
_OPEN = Statement(f"SELECT {TICKETS.columns} FROM ticket WHERE {AT_DESK_SQL} AND desk_id = ANY($1::int4[])")
_OFFERED = Statement(
    f"SELECT n.desk_id, {_T} FROM ("
    "SELECT m.*, (SELECT array_agg(l.service_id) FROM desk_service l WHERE l.desk_id = m.desk_id) AS services,"
    " m.most + (SELECT count(*) FROM hand h WHERE h.queue_id = m.queue_id) AS upto"
    " FROM unnest($1::int4[], $2::int4[], $3::timestamptz[], $4::timestamptz[], $5::int4[])"
    " AS m(desk_id, queue_id, since, now, most) OFFSET 0) AS n"  # OFFSET: reckoned once a desk, not once a ticket
    f" CROSS JOIN (VALUES {', '.join(f'({c})' for c in PRIORITIES)}) AS p(class) CROSS JOIN LATERAL ("
    f"SELECT * FROM ticket c WHERE c.{LIVE_SQL} AND c.queue_id = n.queue_id AND c.state = 'waiting'"
    " AND c.priority = p.class AND c.aged_from >= n.since AND (c.hold_until IS NULL OR c.hold_until <= n.now)"
    " AND (n.services IS NULL OR c.service_id = ANY(n.services))"
    " ORDER BY c.aged_from, c.number LIMIT n.upto) AS t"
)
_HELD = Statement(
    "SELECT h.ticket_id, d.desk_id, d.device, d.heard_at"
    " FROM unnest($1::int4[], $2::timestamptz[]) AS n(queue_id, now)"
    " JOIN hand h ON h.queue_id = n.queue_id JOIN desk_device d ON d.id = h.holder_id AND d.until > n.now"
)
_TICKETS = Statement(f"SELECT {TICKETS.columns} FROM ticket WHERE id = ANY($1::int8[])")
_CODES = Statement(f"SELECT {TICKETS.columns} FROM ticket WHERE code = ANY($1::text[])")
_PHONE = Statement(
    f"SELECT {_T}, {EVENTS.under('e')} FROM ticket t JOIN ticket_event e ON e.ticket_id = t.id"
    f" WHERE t.{LIVE_SQL} AND t.queue_id = $1::int4 AND t.aged_from >= $2::timestamptz"
    " AND t.aged_from < $3::timestamptz AND t.phone = $4::text AND e.state_from IS NULL LIMIT 1"
)
_LEFT = Statement("UPDATE ticket SET desk_id = NULL WHERE id = ANY($1::int8[])")
_LAST = Statement(
    f"SELECT {EVENTS.columns} FROM ticket_event WHERE ticket_id = $1::int8 AND state_to = $2::text"
    " ORDER BY id DESC LIMIT 1"
)
_MINUTES = Statement(
    "SELECT s.popularity, s.minutes_low, s.minutes_mode, s.minutes_high FROM queue_service q"
    " JOIN service s ON s.id = q.service_id WHERE q.queue_id = $1::int4"
)
_IDS = Statement(
    # After the lock, never kept for later: the events of a queue are numbered in their order.
    "SELECT nextval('ticket_event_id_seq'), CASE WHEN n <= $1::int4 THEN nextval('ticket_id_seq') END"
    " FROM generate_series(1, $2::int4) AS n"
)

HOT = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off"
"""For a connection that runs these statements all day: planned once, and never as a scan because the tables were empty
when the day began."""
_SHIFT = timedelta(microseconds=1)


class _Arrays:
    """A statement over the columns of rows as arrays."""

    def __init__(self, codec: Codec, names: Sequence[str]) -> None:
        self.codec, self.names = codec, tuple(names)
        self._values = codec.values(self.names)
        columns = codec.types(self.names)
        self._arrays = ", ".join(f"${n}::{_type(kind)}[]" for n, kind in enumerate(columns, 1))
        self._listed = ", ".join(self.names)

    def of(self, rows: Sequence[Any]) -> list[Sequence[Any]]:
        """One array a column."""
        return list(zip(*map(self._values, rows), strict=True))

    def insert(self, more: str = "") -> Statement:
        """INSERT of all rows."""
        return Statement(
            f"INSERT INTO {self.codec.table} ({self._listed}) SELECT * FROM unnest({self._arrays}){more}"
        )

    def update(self) -> Statement:
        """UPDATE of all rows by their id."""
        assigned = ", ".join(f"{name} = n.{name}" for name in self.names if name != "id")
        return Statement(
            f"UPDATE {self.codec.table} AS t SET {assigned}"
            f" FROM unnest({self._arrays}) AS n({self._listed}) WHERE t.id = n.id"
        )


def _type(kind: Any) -> str:
    """What PostgreSQL calls a column's type."""
    if isinstance(kind, UtcDateTime):
        return "timestamptz"
    for known, name in _TYPES:
        if isinstance(kind, known):
            return name
    raise TypeError(f"no array is written for {kind!r}")


_TYPES: tuple[tuple[type[Any], str], ...] = (
    (BigInteger, "int8"),
    (SmallInteger, "int2"),
    (Integer, "int4"),
    (Float, "float8"),
    (Boolean, "bool"),
    (Date, "date"),
    (String, "text"),
    (JSON, "json"),
)
_queue = _Arrays(QUEUES, ("id", "seq", "line_waiting", "line_seq", "line_since", "pace_s", "pace_cv2"))
_counter = _Arrays(COUNTERS, COUNTERS.names)
_event = _Arrays(EVENTS, EVENTS.names)
_outbox = _Arrays(OUTBOX, tuple(name for name in OUTBOX.names if name != "id"))
_LATER = ("desk_id", "called_at", "started_at", "ended_at", "hold_until", "parked_at", "next_ticket_id")
"""What a new ticket has not got, unless more was done with it in its own batch."""
_ticket = _Arrays(TICKETS, TICKETS.names)
_plain_ticket = _Arrays(TICKETS, tuple(name for name in TICKETS.names if name not in _LATER))
_later = attrgetter(*_LATER)
_NOTHING = (None,) * len(_LATER)
_SET_QUEUE = _queue.update()
_SET_COUNTER = _counter.insert(
    " ON CONFLICT (queue_id, day) DO UPDATE SET next_number = excluded.next_number, issued = excluded.issued",
)
_NEW_TICKET = _ticket.insert()
_NEW_PLAIN_TICKET = _plain_ticket.insert()
_NEW_EVENT = _event.insert()
_NEW_OUTBOX = _outbox.insert()


@lru_cache(maxsize=64)
def _moved(names: tuple[str, ...]) -> tuple[_Arrays, Statement]:
    arrays = _Arrays(TICKETS, names)
    return arrays, arrays.update()


class PostgresBank:
    """A `ledger.Bank` over a connection of `psycopg`. `commits`: the store ends the transaction in its own trip, and
    the connection is for batches alone: one bank stays with it, because it knows what is prepared there."""

    def __init__(self, connection: Any, *, commits: bool = False) -> None:
        self._pipe: Pipe | CursorPipe = Pipe(connection) if commits else CursorPipe(connection)
        self._commits = commits

    def load(self, ledger: Ledger, needs: Needs) -> None:
        """Lock and read, in one round trip. What is rare takes another: a repeated request's ticket, a line that was
        changed by somebody who does not keep its count, a queue without a pace."""
        wanted = {q: since for q, since in needs.queues.items() if q not in ledger.queues}
        ledger.since.update(wanted)
        counters = [key for key in needs.counters if key not in ledger.counters]
        places, calls = list(needs.places), needs.calls
        with self._pipe as ask:
            locked = ask(_LOCK, sorted(wanted)) if wanted else None
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
            ids = ask(_IDS, needs.new_tickets, needs.new_events) if needs.new_events else None
        for row in _rows(locked):
            queue = QUEUES.read(row)
            ledger.queues[queue.id] = queue
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
        for asked, answer in phones.items():
            for row in answer.rows():
                ticket = ledger.keep(TICKETS.read(row))
                ledger.phones[asked] = ticket, EVENTS.read(row[len(TICKETS.names) :])
        if ids is not None:
            given = ids.rows()
            ledger.event_ids = iter([row[0] for row in given])
            ledger.ticket_ids = iter([row[1] for row in given[: needs.new_tickets]])
        for row in _rows(requests):
            event = EVENTS.read(row)
            ledger.requests[event.request_id] = event
        self._read_more(ledger, wanted)

    def _read_more(self, ledger: Ledger, wanted: dict[int, datetime]) -> None:
        """What the rows that were read ask for in turn."""
        queues = [ledger.queues[number] for number in wanted if number in ledger.queues]
        lines = [(q.id, wanted[q.id]) for q in queues if q.line_seq != q.seq or q.line_since != wanted[q.id]]
        unknown = [q.id for q in queues if q.pace_s is None or q.pace_cv2 is None]
        tickets = [e.ticket_id for e in ledger.requests.values() if e.ticket_id not in ledger.tickets]
        if not (lines or unknown or tickets):
            return
        with self._pipe as ask:
            waiting = ask(_WAITING, *_columns(lines)) if lines else None
            minutes = {number: ask(_MINUTES, number) for number in unknown}
            repeated = ask(_TICKETS, tickets) if tickets else None
        for number, count in _rows(waiting):
            ledger.queues[number].line_waiting = count
        for number, answer in minutes.items():
            ledger.paces[number] = mixture(answer.rows())
        for row in _rows(repeated):
            ledger.keep(TICKETS.read(row))

    def _places(self, ledger: Ledger, places: Sequence[Any]) -> list[Sequence[Any]]:
        rows = []
        for n, place in enumerate(places):
            before = ledger.since[place.queue_id] - _SHIFT
            keys = [max(key, before) for key in keys_of(place)]
            rows.append((n, place.queue_id, min(keys), *due_span(place.now), *keys))
        return _columns(rows)

    def _calls(self, ledger: Ledger, needs: Needs) -> list[Sequence[Any]]:
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

    def last(self, ticket_id: int, state_to: str) -> EventRow:
        """The latest stored event that brought a ticket into a state."""
        with self._pipe as ask:
            answer = ask(_LAST, ticket_id, state_to)
        found: EventRow = EVENTS.read(answer.rows()[0])
        return found

    def rollback(self) -> None:
        """Nothing of the transaction remains. Raises psycopg.Error on a connection that is beyond use."""
        self._pipe.rollback()

    def store(self, ledger: Ledger) -> None:
        """Write what has changed, and commit where that is this bank's: one round trip. Rows that free a desk come
        before rows that take one."""
        with self._pipe as ask:
            if ledger.told:
                rows: list[Any] = [ledger.queues[number] for number in ledger.told]
                for row in rows:
                    row.line_seq, row.line_since = row.seq, ledger.since[row.id]
                ask(_SET_QUEUE, *_queue.of(rows))
            if ledger.drawn:
                ask(_SET_COUNTER, *_counter.of([ledger.counters[key] for key in ledger.drawn]))
            left, freeing, taking = ledger.moving()
            if left:
                ask(_LEFT, left)
            for names, rows in freeing:
                arrays, update = _moved(names)
                ask(update, *arrays.of(rows))
            if made := ledger.made:
                if all(_later(ticket) == _NOTHING for ticket in made):
                    ask(_NEW_PLAIN_TICKET, *_plain_ticket.of(made))
                else:
                    ask(_NEW_TICKET, *_ticket.of(made))
            for names, rows in taking:
                arrays, update = _moved(names)
                ask(update, *arrays.of(rows))
            if ledger.events:
                ask(_NEW_EVENT, *_event.of(ledger.events))
            if ledger.outbox:
                ask(_NEW_OUTBOX, *_outbox.of(ledger.outbox))
            if self._commits:
                self._pipe.commit()


def _columns(rows: Any) -> list[Sequence[Any]]:
    return list(zip(*rows, strict=True))


def _rows(answer: Answer | None) -> list[Any]:
    return [] if answer is None else answer.rows()
