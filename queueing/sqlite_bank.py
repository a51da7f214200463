"""Loads and stores of the ledger on SQLite: one statement reads everything, one a table writes.

The transaction is a writer's (BEGIN IMMEDIATE), so nothing can change between reading and writing. What is asked for
and what is written goes in as JSON arrays and what is found comes back as JSON arrays, because Python's driver gives up
the interpreter's lock at every step of every statement: where others are at work, getting it back costs more than the
statement. So a batch takes few steps, and whoever makes the bank may have them taken elsewhere (`Way`): in a native
thread, beside the greenlets, while all Python runs in one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import lru_cache
from hashlib import blake2s
from typing import Any, Protocol

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
    from_micros,
)
from queueing.store import AT_DESK_SQL, LIVE_SQL, Outbox, Queue, QueueDay, Ticket, TicketEvent, to_micros

QUEUES = Codec(QueueRow, Queue, "sqlite")
TICKETS = Codec(TicketRow, Ticket, "sqlite")
EVENTS = Codec(EventRow, TicketEvent, "sqlite")
COUNTERS = Codec(CounterRow, QueueDay, "sqlite")
OUTBOX = Codec(OutboxRow, Outbox, "sqlite")


def _all(columns: str, rest: str, first: str = "") -> str:
    """All rows of a query as one JSON array of arrays. `first`: what stands before its SELECT."""
    return f"({first} SELECT json_group_array(json_array({columns})) FROM {rest})"


def _n(place: int) -> str:
    """An element of the array that was asked with."""
    return f"json_extract(n.value, '$[{place}]')"


def _given(parameter: str, *names: str) -> str:
    """A part of a statement: the arrays that were asked with as rows `n` of these columns (and `place`). Twice
    materialized: else each look at a column writes the text of its row anew."""
    columns = ", ".join(f"json_extract(v, '$[{place}]') AS {name}" for place, name in enumerate(names))
    return (
        f"WITH v AS MATERIALIZED (SELECT key AS place, value AS v FROM json_each({parameter})),"
        f" n AS MATERIALIZED (SELECT place, {columns} FROM v)"
    )


_WAITS = f"t.{LIVE_SQL} AND t.state = 'waiting'"
_LIMITED = "SELECT l.service_id FROM desk_service l WHERE l.desk_id = n.desk_id"
_FIRSTS = " UNION ALL ".join(
    f"SELECT id FROM (SELECT t.id FROM ticket t WHERE {_WAITS} AND t.queue_id = n.queue_id AND t.priority = {c}"
    " AND t.aged_from >= n.since AND (t.hold_until IS NULL OR t.hold_until <= n.now)"
    f" AND (NOT n.limited OR t.service_id IN ({_LIMITED})) ORDER BY t.aged_from, t.number"
    # How many is the same for all: what a LIMIT says cannot depend on the row.
    " LIMIT ?1 + (SELECT count(*) FROM hand h WHERE h.queue_id IN"
    " (SELECT json_extract(m.value, '$[0]') FROM json_each(?11) m)))"
    for c in PRIORITIES
)
_CALLS = (
    _given("?8", "desk_id", "queue_id", "since", "now")
    + f", d AS MATERIALIZED (SELECT n.*, EXISTS ({_LIMITED}) AS limited FROM n)"
)
_BEHIND = " + ".join(
    f"(SELECT count(*) FROM ticket t WHERE {_WAITS} AND t.queue_id = n.queue_id AND t.priority = {c}"
    f" AND t.aged_from > n.k{c})"
    for c in PRIORITIES
)
_DUE = (
    f"(SELECT count(*) FROM ticket t WHERE t.{LIVE_SQL} AND t.queue_id = n.queue_id AND t.state = 'booked'"
    f" AND t.priority IN ({', '.join(map(str, PRIORITIES))}) AND t.aged_from BETWEEN n.due_from AND n.due_to)"
)
_COUNT = (
    f"CASE WHEN q.line_seq = q.seq AND q.line_since = {_n(1)} THEN q.line_waiting ELSE (SELECT count(*) FROM ticket t"
    f" WHERE {_WAITS} AND t.queue_id = q.id AND t.aged_from >= {_n(1)}) END"
)
_PARTS = {
    "queues": _all(f"{QUEUES.under('q')}, {_COUNT}", f"json_each(?2) n JOIN queue q ON q.id = {_n(0)}"),
    "requests": _all(EVENTS.under("e"), "json_each(?3) n JOIN ticket_event e ON e.request_id = n.value"),
    "services": _all(
        f"{_n(0)}, {_n(1)}, s.id",
        f"json_each(?4) n JOIN service s ON s.code = {_n(1)}"
        f" JOIN queue_service q ON q.queue_id = {_n(0)} AND q.service_id = s.id",
    ),
    "counters": _all(
        COUNTERS.under("d"), f"json_each(?5) n JOIN queue_day d ON d.queue_id = {_n(0)} AND d.day = {_n(1)}"
    ),
    "behind": _all(
        f"n.place, {_BEHIND}, {_DUE}",
        "n",
        _given("?6", "queue_id", "due_from", "due_to", *(f"k{c}" for c in PRIORITIES)),
    ),
    "desks": _all(
        "d.id, d.queue_id, d.name, d.state, d.operator,"
        " (SELECT group_concat(l.service_id) FROM desk_service l WHERE l.desk_id = d.id),"
        f" (SELECT o.id FROM ticket o WHERE o.{AT_DESK_SQL} AND o.desk_id = d.id)",
        "json_each(?7) n JOIN desk d ON d.queue_id = n.value",
    ),
    "opened": _all(
        TICKETS.under("o"), f"json_each(?8) n JOIN ticket o ON o.{AT_DESK_SQL} AND o.desk_id = {_n(0)}"
    ),
    "offered": _all(
        f"n.desk_id, (SELECT json_group_array(json_array({TICKETS.under('c')}))"
        f" FROM ticket c WHERE c.id IN ({_FIRSTS}))",
        "d AS n",
        _CALLS,
    ),
    "tickets": _all(TICKETS.under("t"), "json_each(?9) n JOIN ticket t ON t.id = n.value"),
    "codes": _all(TICKETS.under("t"), "json_each(?10) n JOIN ticket t ON t.code = n.value"),
    "held": _all(
        "h.ticket_id, d.desk_id, d.device, d.heard_at",
        f"json_each(?11) n JOIN hand h ON h.queue_id = {_n(0)}"
        f" JOIN desk_device d ON d.id = h.holder_id AND d.until > {_n(1)}",
    ),
    "top": "(SELECT max(id) FROM ticket)",
    "last": "(SELECT max(id) FROM ticket_event)",
    "version": "(SELECT data_version FROM pragma_data_version)",
}
_TICKETS = f"SELECT {TICKETS.columns} FROM ticket WHERE id = ?"
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
_SHIFT = timedelta(microseconds=1)
SHAPES = 64
"""Of so many kinds of batches a connection learns to carry out each by one statement."""
Step = tuple[str, Sequence[Any]]
"""A statement and its parameters."""


class Way(Protocol):
    """Takes the steps of a bank: `steps()` gives the rows of each."""

    def __call__(self, steps: Callable[[], list[list[Any]]]) -> list[list[Any]]: ...


def straight(steps: Callable[[], list[list[Any]]]) -> list[list[Any]]:
    """Here and now."""
    return steps()


class _Written:
    """The statement that writes rows of a table, however many: they come as one JSON array of arrays."""

    def __init__(self, codec: Codec, names: Sequence[str], *, update: bool = False, more: str = "") -> None:
        self._values = codec.values(names)
        # Materialized: else the text of a row is made anew for each of its columns. Where it stands follows from what a
        # trigger takes (`_joined`).
        rows = "WITH n AS MATERIALIZED (SELECT value AS v FROM json_each(?))"
        table, columns = codec.table, ", ".join(names)
        value = {name: f"json_extract(n.v, '$[{place}]')" for place, name in enumerate(names)}
        if update:
            assigned = ", ".join(f"{name} = {value[name]}" for name in names if name != "id")
            found = f"({rows} SELECT v FROM n) AS n"
            self._statement = f"UPDATE {table} SET {assigned} FROM {found} WHERE {table}.id = {value['id']}"
        else:
            # WHERE: what follows is a conflict's clause, not a join's.
            found = ", ".join(value[name] for name in names)
            self._statement = f"INSERT INTO {table} ({columns}) {rows} SELECT {found} FROM n WHERE true{more}"

    def steps(self, rows: Iterable[Any]) -> list[Step]:
        """What writes all rows, in their order: one step, or none where there are no rows."""
        values = [self._values(row) for row in rows]
        return [(self._statement, (_json(values),))] if values else []


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_queues = _Written(QUEUES, ("id", "seq", "line_waiting", "line_seq", "line_since"), update=True)
_paces = _Written(QUEUES, ("id", "pace_s", "pace_cv2"), update=True)
_LEFT = "UPDATE ticket SET desk_id = NULL WHERE id IN (SELECT value FROM json_each(?))"
_counters = _Written(
    COUNTERS,
    COUNTERS.names,
    more=" ON CONFLICT (queue_id, day) DO UPDATE SET next_number = excluded.next_number, issued = excluded.issued",
)
_made = _Written(TICKETS, TICKETS.names)
_events = _Written(EVENTS, EVENTS.names)
_outbox = _Written(OUTBOX, tuple(name for name in OUTBOX.names if name != "id"))


@lru_cache(maxsize=64)
def _moved(names: tuple[str, ...]) -> _Written:
    return _Written(TICKETS, names, update=True)


class SqliteBank:
    """A `ledger.Bank` over a connection of `sqlite3`. `commits`: the store ends the transaction. `known`: what the
    connection has been taught (`_joined`), for one that does this all day; it is emptied when a transaction breaks.
    With it a batch may read before its transaction begins: its store is refused (an error of the driver's) when another
    connection has written since."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        commits: bool = False,
        way: Way = straight,
        known: set[str] | None = None,
    ) -> None:
        self._cursor = connection.cursor()
        self._commits = commits
        self.way = way
        self._known = known
        self._version: int | None = None

    def _rows(self, *steps: Step) -> list[list[Any]]:
        """The rows of each step."""
        execute = self._cursor.execute

        def taken() -> list[list[Any]]:
            return [execute(*step).fetchall() for step in steps]

        return self.way(taken)

    def load(self, ledger: Ledger, needs: Needs) -> None:
        """Read what is needed: one statement, but for what is rare."""
        wanted = {q: since for q, since in needs.queues.items() if q not in ledger.queues}
        ledger.since.update(wanted)
        places = list(needs.places)
        asked: dict[str, list[Any]] = {
            "queues": [(q, to_micros(since)) for q, since in wanted.items()],
            "requests": list(needs.requests),
            "services": list(needs.services),
            "counters": [
                (q, day.isoformat()) for q, day in needs.counters if (q, day) not in ledger.counters
            ],
            "behind": [self._place(ledger, place) for place in places],
            "desks": list(needs.desks),
            "offered": [
                (desk_id, queue_id, to_micros(ledger.since[queue_id]), to_micros(now))
                for desk_id, (queue_id, now) in needs.calls.items()
            ],
            "tickets": [number for number in needs.tickets if number not in ledger.tickets],
            "codes": [code for code in needs.codes if code not in ledger.codes],
            "held": [(queue_id, to_micros(now)) for queue_id, now in needs.hands.items()],
        }
        parts = tuple(name for name, values in asked.items() if values)
        if "offered" in parts:
            parts += ("opened",)
        if needs.new_tickets:
            parts += ("top",)
        if needs.new_events:
            parts += ("last",)
        if self._known is not None and self._version is None:
            parts += ("version",)
        if parts:
            most = max(needs.verbs.values(), default=1)
            [[row]] = self._rows((_statement(parts), (most, *map(_json, asked.values()))))
            self._read(ledger, needs, places, dict(zip(parts, row, strict=True)))
        for phone in needs.phones:
            values = (phone.queue_id, to_micros(phone.begin), to_micros(phone.end), phone.phone)
            [found] = self._rows((_PHONE, values))
            for row in found:
                ticket = ledger.keep(TICKETS.read(row))
                ledger.phones[phone] = ticket, EVENTS.read(row[len(TICKETS.names) :])

    def _place(self, ledger: Ledger, place: Any) -> list[int]:
        before = ledger.since[place.queue_id] - _SHIFT
        keys = [max(key, before) for key in keys_of(place)]
        return [place.queue_id, *map(to_micros, (*due_span(place.now), *keys))]

    def _read(self, ledger: Ledger, needs: Needs, places: Sequence[Any], row: dict[str, Any]) -> None:
        def rows(name: str) -> list[Any]:
            return json.loads(row[name]) if name in row else []

        for values in rows("queues"):
            queue = ledger.queues[values[0]] = QUEUES.read(values)
            queue.line_waiting = values[-1]
            if queue.pace_s is None or queue.pace_cv2 is None:
                [minutes] = self._rows((_MINUTES, (queue.id,)))
                ledger.paces[queue.id] = mixture(minutes)
        for queue_id, code, number in rows("services"):
            ledger.services[queue_id, code] = number
        for values in rows("counters"):
            counter = COUNTERS.read(values)
            ledger.counters[counter.queue_id, counter.day] = counter
        for place, behind, due in rows("behind"):
            ledger.behind[places[place]] = behind, due
        for queue_id in needs.desks:
            ledger.desks[queue_id] = {}
        for number, queue_id, name, state, operator, limits, open_id in rows("desks"):
            services = None if limits is None else frozenset(map(int, str(limits).split(",")))
            ledger.desks[queue_id][number] = DeskRow(
                id=number, queue_id=queue_id, name=name, state=state, operator=operator, services=services,
                open_id=open_id,
            )  # fmt: skip
        for values in (*rows("opened"), *rows("tickets"), *rows("codes")):
            ledger.keep(TICKETS.read(values))
        for ticket_id, desk_id, device, heard_at in rows("held"):
            ledger.held[ticket_id] = Held(desk_id, device, from_micros(heard_at))
        for desk_id, found in rows("offered"):
            found = json.loads(found) if isinstance(found, str) else found
            ledger.offered[desk_id] = [ledger.keep(TICKETS.read(values)) for values in found]
        for values in rows("requests"):
            event = ledger.requests[values[EVENTS.names.index("request_id")]] = EVENTS.read(values)
            if event.ticket_id not in ledger.tickets:
                [[found]] = self._rows((_TICKETS, (event.ticket_id,)))
                ledger.keep(TICKETS.read(found))
        if "version" in row:
            self._version = row["version"]
        if "top" in row:
            top = (row["top"] or 0) + 1
            ledger.ticket_ids = iter(range(top, top + needs.new_tickets))
        if "last" in row:
            last = (row["last"] or 0) + 1
            ledger.event_ids = iter(range(last, last + needs.new_events))

    def last(self, ticket_id: int, state_to: str) -> EventRow:
        """The latest stored event that brought a ticket into a state."""
        [[found]] = self._rows((_LAST, (ticket_id, state_to)))
        event: EventRow = EVENTS.read(found)
        return event

    def store(self, ledger: Ledger) -> None:
        """Write what has changed: rows that free a desk before rows that take one."""
        told = [ledger.queues[number] for number in ledger.told]
        for queue in told:
            queue.line_seq, queue.line_since = queue.seq, ledger.since[queue.id]
        left, freeing, taking = ledger.moving()
        steps = _queues.steps(told)
        steps += _paces.steps(q for q in told if q.id in ledger.paces and q.pace_s is not None)
        steps += _counters.steps(ledger.counters[key] for key in ledger.drawn)
        if left:
            steps.append((_LEFT, (_json(left),)))
        for names, rows in freeing:
            steps += _moved(names).steps(rows)
        steps += _made.steps(ledger.made)
        for names, rows in taking:
            steps += _moved(names).steps(rows)
        steps += _events.steps(ledger.events)
        steps += _outbox.steps(ledger.outbox)
        if self._known is not None and steps:
            steps = self._as_one(steps, self._known)
        if self._commits:
            steps.append(("COMMIT", ()))
        if steps:
            self._rows(*steps)

    def _as_one(self, steps: Sequence[Step], known: set[str]) -> list[Step]:
        """The same done by one statement, if nobody else has written since the first load. Each step has one value: an
        array of rows."""
        name, makes = _joined(tuple(text for text, _values in steps))
        rest: list[Step] = []
        if name not in known and len(known) >= SHAPES:
            (name, makes), rest, steps = _joined(()), list(steps), ()
        made: list[Step] = [] if name in known else [(text, ()) for text in makes]
        known.add(name)
        values = [self._version, *(value for _text, [value] in steps)]
        return [*made, (f"INSERT INTO temp.{name} VALUES ({', '.join('?' * len(values))})", values), *rest]


@lru_cache(maxsize=256)
def _joined(statements: tuple[str, ...]) -> tuple[str, list[str]]:
    """A name that takes the version which was read and the values of these statements, one each, and carries them all
    out, and what makes it known to a connection: a view of the connection's own and a trigger on it."""
    name = "batch_" + blake2s("".join(statements).encode(), digest_size=8).hexdigest()
    columns = "".join(f", NULL AS c{place}" for place in range(len(statements)))
    body = "".join(f" {text.replace('?', f'NEW.c{place}')};" for place, text in enumerate(statements))
    check = "SELECT RAISE(ABORT, 'overtaken') FROM pragma_data_version WHERE data_version <> NEW.version;"
    return name, [
        f"CREATE TEMP VIEW IF NOT EXISTS {name} AS SELECT NULL AS version{columns}",
        f"CREATE TEMP TRIGGER IF NOT EXISTS {name}_in INSTEAD OF INSERT ON {name} BEGIN {check}{body} END",
    ]


@lru_cache(maxsize=64)
def _statement(parts: tuple[str, ...]) -> str:
    # The parameters are numbered, so all are given whichever are read; the last is named so that their count holds.
    return "SELECT " + ", ".join(_PARTS[part] for part in parts) + " WHERE ?11 IS NOT NULL"
