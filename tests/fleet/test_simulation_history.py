"""Eight past weeks: what stands in the tables equals what happened, and nobody can look into the cards."""

from __future__ import annotations

import ast
import statistics
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

import fleet
from fleet import network
from fleet.calendar import default_calendar, local_instant
from fleet.errors import FleetError
from fleet.simulation import sites
from fleet.simulation.day import play
from fleet.simulation.history import Job, load_history, simulate
from fleet.simulation.scenario import arrivals, fixed_day
from fleet.store import Visit
from queueing import measure, rebuild
from queueing.store import DeskShift, Queue, QueueDay, QueueHour, Ticket, TicketEvent
from tests.fleet.simulation_cast import DAY, make_country, tables, writer

NOW = local_instant(DAY, 0)


def load(engine: Engine, **options: object) -> object:
    return load_history(
        writer(engine),
        seed=3,
        until=DAY,
        now=NOW,
        weeks=3,
        detailed_weeks=1,
        processes=1,
        **options,  # type: ignore[arg-type]
    )


def test_tickets_equal_their_events_and_statistics_equal_events(engine: Engine) -> None:
    write = writer(engine)
    write(make_country)
    report = load(engine)
    with Session(engine) as session:
        assert rebuild.check(session) == []
        queues = list(session.scalars(select(Queue.id)))
        for back in range(1, 8):
            assert measure.differences(session, queues, DAY - timedelta(days=back), now=NOW) == []
        assert session.scalar(select(func.count()).select_from(Ticket)) == report.tickets > 300  # type: ignore[attr-defined]
        first = session.scalar(select(func.min(Ticket.day)))
        assert first is not None and first >= DAY - timedelta(days=7), "older weeks keep their measures only"
        oldest = session.scalar(select(func.min(QueueHour.day)))
        assert oldest is not None and oldest <= DAY - timedelta(days=20)
        running = select(func.count()).select_from(DeskShift).where(DeskShift.closed_at.is_(None))
        assert session.scalar(running) == 0


def test_counters_and_sequences_fit_the_rows(engine: Engine) -> None:
    write = writer(engine)
    write(make_country)
    load(engine)
    with Session(engine) as session:
        for queue in session.scalars(select(Queue)):
            seqs = session.scalars(
                select(TicketEvent.seq).where(TicketEvent.queue_id == queue.id).order_by(TicketEvent.id)
            ).all()
            assert list(seqs) == list(range(1, queue.seq + 1))
        rows = session.execute(
            select(Ticket.queue_id, Ticket.day, func.count(), func.max(Ticket.number)).group_by(
                Ticket.queue_id, Ticket.day
            )
        )
        for queue_id, day, count, last in rows:
            counter = session.get_one(QueueDay, (queue_id, day))
            assert (counter.issued, counter.next_number) == (count, last + 1)


def test_vans_had_one_stop_a_working_day_in_town_and_few_people_came(engine: Engine) -> None:
    write = writer(engine)
    write(lambda session: make_country(session, visit=False))
    load(engine)
    with Session(engine) as session:
        visits = session.scalars(select(Visit)).all()
        assert len({visit.day for visit in visits}) == len(visits) >= 16
        assert all(visit.status == "closed" and visit.plan_id is None for visit in visits)
        ids = [visit.queue_id for visit in visits]
        came = session.scalar(select(func.sum(QueueHour.arrivals)).where(QueueHour.queue_id.in_(ids))) or 0
        assert 3.0 < came / len(visits) < 16.0


def test_a_second_load_changes_nothing_and_one_cut_short_goes_on(engine: Engine) -> None:
    write = writer(engine)
    write(make_country)

    class Cut(RuntimeError):
        pass

    calls = 0

    def failing(work):  # type: ignore[no-untyped-def]
        nonlocal calls
        calls += 1
        if calls == 6:
            raise Cut
        return write(work)

    import fleet.simulation.history as history

    whole_chunk, history.CHUNK_EVENTS = history.CHUNK_EVENTS, 500
    try:
        with pytest.raises(Cut):
            load_history(failing, seed=3, until=DAY, now=NOW, weeks=3, detailed_weeks=1, processes=1)
        with Session(engine) as session:
            part = session.scalar(select(func.count()).select_from(Ticket)) or 0
        load(engine)
        with Session(engine) as session:
            done = tables(session, QueueHour, "queue_id", "day", "hour", "arrivals", "served", "wait_s")
            whole = session.scalar(select(func.count()).select_from(Ticket)) or 0
            assert rebuild.check(session) == []
        again = load(engine)
        assert (again.tickets, again.visits) == (0, 0)  # type: ignore[attr-defined]
        with Session(engine) as session:
            assert (
                tables(session, QueueHour, "queue_id", "day", "hour", "arrivals", "served", "wait_s") == done
            )
        assert 0 <= part < whole
    finally:
        history.CHUNK_EVENTS = whole_chunk


def test_nothing_is_made_that_would_be_later_than_now(memory: Session) -> None:
    with pytest.raises(FleetError, match="whole day"):
        load_history(
            lambda work: work(memory),
            seed=1,
            until=DAY,
            now=local_instant(DAY, 0) - timedelta(days=60),
            weeks=2,
        )


def test_two_processes_make_what_one_makes_in_any_order(tmp_path: Path) -> None:
    from tests.databases import sqlite_file

    stories = []
    for name, processes in (("one", 1), ("two", 2)):
        folder = tmp_path / name
        folder.mkdir()
        engine = sqlite_file(folder)
        writer(engine)(make_country)
        load_history(
            writer(engine), seed=3, until=DAY, now=NOW, weeks=2, detailed_weeks=1, processes=processes
        )
        with Session(engine) as session:
            columns = ("queue_id", "day", "number", "state", "service_id", "issued_at", "priority", "recalls")
            stories.append(tables(session, Ticket, *columns))
        engine.dispose()
    assert stories[0] == stories[1] and len(stories[0]) > 200


def test_a_queues_days_do_not_depend_on_each_other(memory: Session) -> None:
    make_country(memory)
    line = sites.fixed_lines(memory)[0].line
    days = [DAY - timedelta(days=n) for n in (4, 5, 6)]
    together = simulate(Job(line, tuple((day, True) for day in days)), 3)
    alone = simulate(Job(line, ((days[2], True),)), 3)
    assert [row[2:] for row in together.tickets if row[1] == days[2].isoformat()] == [
        row[2:] for row in alone.tickets
    ]


def test_the_nations_volume_is_the_published_one_and_some_centers_are_clearly_crowded(
    memory: Session,
) -> None:
    """52.7 requests per 1,000 people a year over 248 days (Sharqia, 2025); 90% completed; long waits at
    some, not most."""
    network.build(memory, seed=1, now=datetime(2026, 11, 1, tzinfo=UTC))
    lines = sites.fixed_lines(memory)
    people = sum(fixed.line.population for fixed in lines)
    calendar = default_calendar()
    requests = served = days = 0
    means: dict[int, list[float]] = defaultdict(list)
    for day in (date(2026, 10, 6), date(2026, 11, 4)):
        days += 1
        for fixed in lines:
            scenario = fixed_day(fixed.line, day, seed=1, calendar=calendar)
            assert scenario is not None
            played = play(scenario, arrivals(scenario, 1))
            requests += len(played.slips)
            served += sum(slip.state == "served" for slip in played.slips)
            waits = [(s.called_at - s.issued_at).total_seconds() / 60 for s in played.slips if s.called_at]
            if waits:
                means[fixed.line.queue_id].append(statistics.fmean(waits))
    yearly = requests / days * 248 / people * 1000
    assert 0.85 * 52.7 < yearly < 1.15 * 52.7
    assert 0.80 < served / requests < 0.97
    typical = sorted(statistics.fmean(values) for values in means.values())
    assert statistics.median(typical) < 15 < 30 < typical[int(len(typical) * 0.93)]


def test_the_past_can_be_learned_from_sites_keep_their_level(memory: Session) -> None:
    """A site that was busier than its population says stays so: else no forecast could do better than the
    prior."""
    network.build(memory, seed=1, now=datetime(2026, 11, 1, tzinfo=UTC))
    calendar = default_calendar()
    ratios: list[tuple[float, float]] = []
    for fixed in sites.fixed_lines(memory)[::4]:
        both = []
        for begin in (date(2026, 9, 6), date(2026, 11, 1)):
            days = [begin + timedelta(days=n) for n in range(5)]
            made = [fixed_day(fixed.line, day, seed=1, calendar=calendar) for day in days]
            both.append(statistics.fmean(s.expected for s in made if s is not None) / fixed.line.population)
        ratios.append((both[0], both[1]))
    assert statistics.correlation([a for a, _ in ratios], [b for _, b in ratios]) > 0.6


def test_the_hidden_truth_is_known_to_the_simulation_alone() -> None:
    root = Path(fleet.__file__).parent.parent
    for path in [p for top in ("fleet", "queueing", "routing", "web") for p in (root / top).rglob("*.py")]:
        if "simulation" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names] + [str(node.module)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                hidden = ("truth", "scenario", "demand_today", "behaviour")
                assert not any(name.startswith(f"fleet.simulation.{part}") for part in hidden), (
                    f"{path}: {name}"
                )
