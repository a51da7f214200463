"""Reading as fast on the busiest day of a long history as on the first: board, status, line, a ticket's page, call
next and issue at 400 tickets a day without history, beside 200,000 a day behind 10 million rows.

    python -m tests.bench.bench_history [--quick] [--database sqlite|postgresql]

Both databases have 107 queues where as many people wait; what differs is who has been served, today and before. Rounds
of the two take turns; figures are medians of one run, the ratio must stay within 1.3. --quick: 1 million rows.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import fleet.store  # noqa: F401  (its tables belong to the metadata that is created)
from queueing import desks, status
from queueing.counter import Act, CallNext, Issue
from queueing.engine import begin_write, make_engine
from queueing.store import Base, Desk, Queue, QueueDay, QueueService, Service, Ticket, to_micros
from queueing.turn import on_session
from tests.databases import NoPostgres, running_postgres

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
QUEUES, WAITING = 107, 3
MOST = 1.3
DAYS = 200
"""Over how many earlier days the history is spread."""


def build(engine: Engine, *, today: int, history: int) -> list[tuple[int, int]]:
    """Queues with desks; `today` tickets of today, all served but WAITING a queue, and `history` rows of earlier
    days, half of them tickets and half their calls. Returns (queue, desk) pairs."""
    Base.metadata.create_all(engine)
    pairs = []
    with Session(engine, expire_on_commit=False) as session:
        begin_write(session)
        service = Service(
            code="id", group_code="papers", name_ar="خدمة", name_en="Service", agency_code="civil", agency_ar="أ",
            agency_en="A", minutes_low=3.0, minutes_mode=6.0, minutes_high=12.0,
        )  # fmt: skip
        session.add(service)
        session.flush()
        for number in range(QUEUES):
            queue = Queue(name_ar=f"طابور {number}", name_en=f"Queue {number}", last_number=10_000_000)
            session.add(queue)
            session.flush()
            session.add(QueueService(queue_id=queue.id, service_id=service.id))
            desk = Desk(queue_id=queue.id, name="1")
            session.add(desk)
            session.flush()
            desks.open_queue(session, queue, actor="bench", now=NOW - timedelta(hours=2))
            desks.open_desk(session, desk, actor="bench", now=NOW - timedelta(hours=2))
            pairs.append((queue.id, desk.id))
        session.commit()
    day = NOW.date()
    _bulk(engine, today // QUEUES - WAITING, day, day, served=True)
    _bulk(engine, WAITING, day, day, served=False, after=today // QUEUES - WAITING)
    each = history // 2 // QUEUES // DAYS
    if each:
        _bulk(
            engine,
            each * DAYS,
            day - timedelta(days=DAYS),
            day - timedelta(days=1),
            served=True,
            per_day=each,
        )
    with engine.begin() as connection:
        # What the counter row of today knows of the tickets that were made in bulk.
        values = {"day": day, "next_number": today // QUEUES + 1, "issued": today // QUEUES}
        connection.execute(sa.insert(QueueDay), [{"queue_id": q, **values} for q, _desk in pairs])
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))
    return pairs


def _bulk(
    engine: Engine, each: int, first: date, last: date, *, served: bool, after: int = 0, per_day: int = 0
) -> None:
    """`each` tickets for every queue, `per_day` a day from `first` on (0: all on that day), with the call of each
    that was served: two statements in the database itself."""
    if each <= 0:
        return
    lite = engine.dialect.name == "sqlite"
    per_day = per_day or each
    if lite:
        start = to_micros(datetime(first.year, first.month, first.day, 6, tzinfo=UTC))
        at = f"({start} + ((i - 1) / {per_day}) * 86400000000 + ((i - 1) % {per_day}) * 7000000)"
        day = f"date('{first}', '+' || ((i - 1) / {per_day}) || ' days')"
        rows = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {each})"
        code, source = "'b' || hex(randomblob(9))", "n CROSS JOIN queue q"
        later = f"{at} + 600000000"
    else:
        start_at = f"timestamptz '{first} 06:00:00+00'"
        at = f"({start_at} + ((i - 1) / {per_day}) * interval '1 day' + ((i - 1) % {per_day}) * interval '7 second')"
        day = f"(date '{first}' + ((i - 1) / {per_day})::int)"
        rows, code = "", "'b' || substr(md5(q.id::text || '-' || i::text || random()::text), 1, 20)"
        source = f"generate_series(1, {each}) AS n(i) CROSS JOIN queue q"
        later = f"({at} + interval '10 minute')"
    number = f"{after} + ((i - 1) % {per_day}) + 1"
    ended = "called_at, started_at, ended_at, desk_id," if served else ""
    ending = f"{at}, {at}, {later}, (SELECT min(id) FROM desk d WHERE d.queue_id = q.id)," if served else ""
    with engine.begin() as connection:
        before = connection.scalar(sa.text("SELECT coalesce(max(id), 0) FROM ticket"))
        connection.execute(
            sa.text(
                f"{rows} INSERT INTO ticket (code, queue_id, day, number, label, service_id, priority, channel, state,"
                f" issued_at, aged_from, {ended} recalls, parked_s, note)"
                f" SELECT {code}, q.id, {day}, {number}, 'A' || ({number}), 1, 0, 'kiosk',"
                f" '{'served' if served else 'waiting'}', {at}, {at}, {ending} 0, 0, '' FROM {source}"
            )
        )
        if served:
            connection.execute(
                sa.text(
                    "INSERT INTO ticket_event (ticket_id, queue_id, desk_id, action, state_from, state_to, actor,"
                    " happened_at, recorded_at, request_id, seq, data) SELECT id, queue_id, desk_id, 'call', 'waiting',"
                    " 'called', 'bench', called_at, called_at, 'h' || id, 0, '{}' FROM ticket WHERE id > :before"
                ),
                {"before": before},
            )


def reads(engine: Engine, pairs: list[tuple[int, int]]) -> dict[str, Callable[[int], object]]:
    """What is timed, each for the n-th queue. What writes is rolled back."""

    def reading(work: Callable[[Session, Queue], object]) -> Callable[[int], object]:
        def run(n: int) -> object:
            with Session(engine) as session:
                return work(session, session.get_one(Queue, pairs[n % QUEUES][0]))

        return run

    def writing(command: Callable[[int, int, str], Any]) -> Callable[[int], object]:
        def run(n: int) -> object:
            with Session(engine) as session:
                begin_write(session)
                done = on_session(session, command(*pairs[n % QUEUES], f"bench-{n}"))
                session.rollback()
                assert done is not None
                return done

        return run

    def ticket(session: Session, queue: Queue) -> object:
        chosen = sa.select(Ticket).where(Ticket.queue_id == queue.id, Ticket.state == "waiting")
        found = session.scalars(chosen.where(sa.text("ticket." + _LIVE)).limit(1)).one()
        return status.ticket_status(session, found, NOW)

    return {
        "status of a queue": reading(lambda session, queue: status.public_status(session, queue, NOW)),
        "line of a clerk": reading(lambda session, queue: status.line(session, queue, NOW)),
        "a ticket's page": reading(ticket),
        "call next": writing(lambda queue, desk, request: CallNext(queue, desk, request, "bench", NOW)),
        "issue": writing(lambda queue, _desk, request: Issue(queue, "id", request, "bench", NOW)),
        "leave": writing(
            lambda queue, _desk, request: Act(
                queue, "leave", request, "x", NOW, ticket_id=_waits(engine, queue)
            )
        ),
    }


_LIVE = "state IN ('booked', 'waiting', 'called', 'serving', 'parked', 'missed')"
_known: dict[tuple[str, int], int] = {}


def _waits(engine: Engine, queue: int) -> int:
    """The id of somebody who waits, looked up once."""
    key = (str(engine.url), queue)
    if key not in _known:
        with engine.connect() as connection:
            chosen = sa.select(sa.func.min(Ticket.id)).where(
                Ticket.queue_id == queue, Ticket.state == "waiting", sa.text("ticket." + _LIVE)
            )
            _known[key] = connection.scalar(chosen) or 0
    return _known[key]


def compare(
    small: Engine, large: Engine, *, today: int, history: int, times: int
) -> list[tuple[str, float, float]]:
    """(what, milliseconds on the small, milliseconds on the large) for each read; the two take turns."""
    few = reads(small, build(small, today=400 + QUEUES, history=0))
    began = time.perf_counter()
    many = reads(large, build(large, today=today, history=history))
    print(f"{history:,} rows of history made in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    rows = []
    for name in few:
        took: dict[str, list[float]] = {"few": [], "many": []}
        for n in range(times + QUEUES):
            for side, work in (("few", few[name]), ("many", many[name])):
                start = time.perf_counter()
                work(n)
                if n >= QUEUES:  # every queue once to warm up
                    took[side].append(1000 * (time.perf_counter() - start))
        rows.append((name, statistics.median(took["few"]), statistics.median(took["many"])))
    return rows


@contextlib.contextmanager
def databases(kind: str) -> Iterator[tuple[Engine, Engine]]:
    """Two empty databases."""
    with contextlib.ExitStack() as stack:
        if kind == "sqlite":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-history-")))
            engines = [make_engine(f"sqlite:///{folder / name}.db") for name in ("small", "large")]
        else:
            server = stack.enter_context(running_postgres())
            for name in ("small", "large"):
                server.run(f"CREATE DATABASE {name}")
            engines = [make_engine(server.url(name)) for name in ("small", "large")]
        yield engines[0], engines[1]
        for engine in engines:
            engine.dispose()


def main() -> int:
    """Measure; exit code 1 when a read has become slower than it may."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="1 million rows of history, fewer rounds")
    parser.add_argument("--database", choices=("sqlite", "postgresql"))
    options = parser.parse_args()
    history, times = (1_000_000, 100) if options.quick else (10_000_000, 400)
    slow = []
    print(
        "| database | what | 400 a day, ms | 200,000 a day and history, ms | ratio |\n|---|---|---:|---:|---:|"
    )
    for kind in [options.database] if options.database else ["sqlite", "postgresql"]:
        try:
            with databases(kind) as (small, large):
                for name, few, many in compare(small, large, today=200_000, history=history, times=times):
                    print(f"| {kind} | {name} | {few:.2f} | {many:.2f} | {many / few:.2f} |", flush=True)
                    if many / few > MOST:
                        slow.append(f"{kind} {name}: {many / few:.2f} times")
        except NoPostgres as reason:
            print(f"postgresql left out: {reason}", file=sys.stderr)
    for line in slow:
        print(line, file=sys.stderr)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
