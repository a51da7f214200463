"""Eight past weeks of every queue: the last ones ticket by ticket, the older as hourly measures.

Simulated by `day.play` (the clerks' own rules) in a few processes, written in bulk in chunks that hold
the database's write lock only briefly. Every queue-day is drawn from (seed, queue, day) alone, so the
result does not depend on the order of the work, and a load that was cut short goes on where it stopped:
what has measures is left alone.
"""

from __future__ import annotations

import multiprocessing
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fleet.calendar import Calendar, default_calendar, local_instant, week_of
from fleet.errors import Invalid
from fleet.simulation import sites
from fleet.simulation.bulk import insert_rows, reserve_ids
from fleet.simulation.day import play
from fleet.simulation.hours import HOUR_COLUMNS, hour_rows
from fleet.simulation.past_visits import CLOSE_MINUTE, OPEN_MINUTE, Write, past_stops, write_stops
from fleet.simulation.rows import (
    DAY_COLUMNS,
    EVENT_COLUMNS,
    SHIFT_COLUMNS,
    TICKET_COLUMNS,
    QueueRows,
    add_day,
)
from fleet.simulation.scenario import (
    VAN_ANNOUNCED_BY_PAPER,
    LineFacts,
    Scenario,
    arrivals,
    fixed_day,
    van_day,
)
from fleet.simulation.seed import keep_seed
from fleet.simulation.truth import site_truth
from fleet.store import Center, Visit
from queueing.store import DeskShift, Queue, QueueDay, QueueHour, Ticket, TicketEvent

Progress = Callable[[str], object]
"""Is told in words how far the load is."""
DAY_ENDS = 18 * 60
"""Local minute by which a past day is over."""
CHUNK_EVENTS = 8_000
"""Events written in one transaction: some 0.2 s of the write lock."""


@dataclass(frozen=True, slots=True)
class Job:
    """One queue's days: (day, keep the tickets). `van` is the center's code when the queue is a visit's."""

    line: LineFacts
    days: tuple[tuple[date, bool], ...]
    van: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryReport:
    """What a load added."""

    first_day: date
    last_day: date
    queues: int
    visits: int
    tickets: int
    events: int
    hours: int


def load_history(
    write: Write[Any],
    *,
    seed: int,
    until: date,
    now: datetime,
    weeks: int = 8,
    detailed_weeks: int = 2,
    progress: Progress | None = None,
    processes: int = 2,
    calendar: Calendar | None = None,
) -> HistoryReport:
    """Give every queue `weeks` weeks of history that end on the day before `until`.

    `write(fn)` runs fn(session) in one transaction of its own and commits. `now` is the instant the data
    are to be seen from: nothing later is made. Vans have past stops up to the week of `until`, which
    belongs to its plan. `processes=1` simulates in this process (and is the only way to use a `calendar`
    other than the product's).
    """
    tell = progress or (lambda _words: None)
    known = calendar or default_calendar()
    days = [until - timedelta(days=n) for n in range(weeks * 7, 0, -1)]
    days = [day for day in days if local_instant(day, DAY_ENDS) <= now]
    if not days:
        raise Invalid(
            "no_history", "A history needs at least one whole day before now.", until=until.isoformat()
        )
    detailed_from = until - timedelta(days=detailed_weeks * 7)
    past = [day for day in days if day < week_of(until)]
    write(lambda session: keep_seed(session, seed))
    stops = write(lambda session: past_stops(session, past, seed=seed, calendar=known))
    visits = write_stops(write, stops, detailed_from=detailed_from)
    tell(f"{visits:,} past stops of the vans")
    jobs: list[Job] = write(lambda session: _jobs(session, days, detailed_from))
    total = sum(len(job.days) for job in jobs)
    done = tickets = events = hours = tenths = 0
    waiting: list[QueueRows] = []
    for job, rows in zip(jobs, _simulated(jobs, seed, processes, known), strict=True):
        waiting.append(rows)
        done += len(job.days)
        tickets, events, hours = (
            tickets + len(rows.tickets),
            events + len(rows.events),
            hours + len(rows.hours),
        )
        if sum(len(each.events) + len(each.hours) for each in waiting) >= CHUNK_EVENTS:
            write(partial(write_rows, results=tuple(waiting)))
            waiting.clear()
            if done * 10 // total > tenths:
                tenths = done * 10 // total
                tell(f"{tenths * 10}%: {tickets:,} tickets, {hours:,} measured hours")
    if waiting:
        write(partial(write_rows, results=tuple(waiting)))
    tell(f"{tickets:,} tickets with {events:,} events kept, {hours:,} hours measured")
    return HistoryReport(days[0], days[-1], len(jobs), visits, tickets, events, hours)


def simulate(job: Job, seed: int, calendar: Calendar | None = None) -> QueueRows:
    """Play all days of a job, in order; the days that are not kept leave their hourly measures only."""
    rows = QueueRows(job.line.queue_id, seq=0)
    for day, keep in job.days:
        scenario = scenario_of(job, day, seed, calendar or default_calendar())
        if scenario is None:
            continue
        played = play(scenario, arrivals(scenario, seed))
        if keep:
            add_day(rows, played)
        rows.hours.extend(hour_rows(played))
    return rows


def scenario_of(job: Job, day: date, seed: int, calendar: Calendar) -> Scenario | None:
    """The day of a fixed center (None when closed), or of a van whose stop was told in newspapers."""
    if job.van is None:
        return fixed_day(job.line, day, seed=seed, calendar=calendar)
    expected = VAN_ANNOUNCED_BY_PAPER * site_truth(seed, job.van).factor(day)
    return van_day(job.line, day, expected, seed=seed)


def write_rows(session: Session, results: Sequence[QueueRows]) -> None:
    """Insert what some queues' days left, with ids, and raise the queues' `seq`."""
    tickets = reserve_ids(session, _table(Ticket), sum(len(r.tickets) for r in results))
    events = reserve_ids(session, _table(TicketEvent), sum(len(r.events) for r in results))
    shifts = reserve_ids(session, _table(DeskShift), sum(len(r.shifts) for r in results))
    insert_rows(session, _table(Ticket), TICKET_COLUMNS, _ticket_rows(results, tickets))
    insert_rows(session, _table(TicketEvent), EVENT_COLUMNS, _event_rows(results, tickets, events))
    every_shift = (row for result in results for row in result.shifts)
    insert_rows(
        session,
        _table(DeskShift),
        SHIFT_COLUMNS,
        ((i, *row) for i, row in zip(shifts, every_shift, strict=True)),
    )
    insert_rows(
        session,
        _table(QueueDay),
        DAY_COLUMNS,
        ((q, day.isoformat(), n, issued) for r in results for q, day, n, issued in r.days),
    )
    hours = (row for result in results for row in result.hours)
    insert_rows(session, _table(QueueHour), HOUR_COLUMNS, hours)
    risen = [{"id": r.queue_id, "seq": r.seq} for r in results if r.events]
    if risen:
        session.execute(update(Queue), risen)


def _ticket_rows(results: Sequence[QueueRows], ids: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    every = (row for result in results for row in result.tickets)
    for ticket_id, row in zip(ids, every, strict=True):
        yield (ticket_id, secrets.token_urlsafe(16), *row)


def _event_rows(
    results: Sequence[QueueRows], tickets: Sequence[int], ids: Sequence[int]
) -> Iterator[tuple[Any, ...]]:
    first = place = 0
    for result in results:
        for n, *row in result.events:
            yield (ids[place], tickets[first + n], *row)
            place += 1
        first += len(result.tickets)


def _jobs(session: Session, days: Sequence[date], detailed_from: date) -> list[Job]:
    """Fixed queues and past visits that have no measures in these days yet."""
    measured = set(
        session.scalars(select(QueueHour.queue_id).where(QueueHour.day.between(days[0], days[-1])).distinct())
    )
    jobs = [
        Job(fixed.line, tuple((day, day >= detailed_from) for day in days))
        for fixed in sites.fixed_lines(session)
        if fixed.line.queue_id not in measured
    ]
    stops = session.execute(
        select(Visit.day, Center.code, Center.desks, Queue)
        .join(Center, Center.id == Visit.center_id)
        .join(Queue, Queue.id == Visit.queue_id)
        .where(Visit.plan_id.is_(None), Visit.status == "closed", Visit.day.between(days[0], days[-1]))
        .order_by(Queue.id)
    ).all()
    desks = sites.desks_of(session, [queue.id for *_, queue in stops])
    services = sites.mobile_services(session)
    for day, center, count, queue in stops:
        if queue.id in measured:
            continue
        line = sites.line_facts(
            queue,
            key=f"{center}/{day:%y%m%d}",
            population=0.0,
            hours=(OPEN_MINUTE, CLOSE_MINUTE),
            desks=desks.get(queue.id) or sites.unnamed_desks(count),
            services=services,
        )
        jobs.append(Job(line, ((day, day >= detailed_from),), van=center))
    return jobs


def _simulated(jobs: Sequence[Job], seed: int, processes: int, calendar: Calendar) -> Iterator[QueueRows]:
    """Results in the order of the jobs; at most a few are held in memory."""
    if processes <= 1:
        for job in jobs:
            yield simulate(job, seed, calendar)
        return
    # Spawned, not forked: the caller has threads and open connections that a fork would carry along.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        ahead: list[Any] = []
        batches = [jobs[i : i + _BATCH] for i in range(0, len(jobs), _BATCH)]
        for batch in batches:
            ahead.append(pool.submit(_simulate_batch, tuple(batch), seed))
            if len(ahead) > 2 * processes:
                yield from ahead.pop(0).result()
        for future in ahead:
            yield from future.result()


_BATCH = 8


def _simulate_batch(jobs: tuple[Job, ...], seed: int) -> list[QueueRows]:
    return [simulate(job, seed) for job in jobs]


def _table(entity: type) -> Any:
    return entity.__table__  # type: ignore[attr-defined]
