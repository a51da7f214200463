"""The live day: tickets flow through the real verbs, beside real people, whatever is stopped and started
again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from fleet.calendar import local_instant
from fleet.simulation.conductor import Conductor, prime
from fleet.store import Center, Position, Visit
from queueing import counter, desks, measure, rebuild
from queueing.store import Desk, Queue, Ticket, TicketEvent
from tests.databases import sqlite_file
from tests.fleet.simulation_cast import DAY, make_country, tables, writer

STEP = timedelta(seconds=30)
STORY = (
    "queue_id",
    "number",
    "state",
    "desk_id",
    "service_id",
    "issued_at",
    "called_at",
    "started_at",
    "ended_at",
)


def instant(minute: int) -> datetime:
    return local_instant(DAY, minute)


def run(conductor: Conductor, begin: datetime, end: datetime, step: timedelta = STEP) -> None:
    now = begin
    while now <= end:
        conductor.tick(now)
        now += step


def test_a_whole_day_runs_and_ends_with_nobody_left(engine: Engine) -> None:
    """Doors open and close, people come and are served, the van drives, opens, closes and comes home; all by
    the rules."""
    write = writer(engine)
    country = write(make_country)
    conductor = Conductor(write, seed=3)
    run(conductor, instant(420), instant(17 * 60 + 30), timedelta(minutes=2))
    with Session(engine) as session:
        assert rebuild.check(session) == []
        states = dict(session.execute(select(Ticket.state, func.count()).group_by(Ticket.state)).all())
        assert set(states) <= {"served", "left"} and states["served"] > 40
        assert set(session.scalars(select(Queue.state))) == {"closed"}
        assert set(session.scalars(select(Desk.state))) == {"closed"}
        visit = session.get_one(Visit, country.visit)
        assert visit.status == "closed" and visit.opened_at is not None
        assert visit.opens_at <= visit.opened_at < visit.opens_at + timedelta(minutes=40)
        assert session.get_one(Center, country.center).state == "depot"
        came = select(func.count()).select_from(Ticket).where(Ticket.queue_id == country.visit_queue)
        assert (session.scalar(came) or 0) >= 5
        speeds = set(session.scalars(select(Position.speed_kmh)))
        assert speeds == {0.0, 55.0}
        for queue in session.scalars(select(Queue)):
            assert measure.measure_day(session, [queue.id], DAY, now=instant(1200)) >= 0
            assert measure.differences(session, [queue.id], DAY, now=instant(1200)) == []


def test_the_morning_opens_a_few_queues_in_one_transaction(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many open at one minute: each transaction opens no more than its share, and the tick opens them all."""
    monkeypatch.setattr("fleet.simulation.conductor.AT_ONCE", 1)
    write, opened = writer(engine), []
    country = write(make_country)

    def counted(work: Callable[[Session], Any]) -> Any:
        answer = write(work)
        with Session(engine) as session:
            opened.append(session.scalar(select(func.count()).where(Queue.state == "open")) or 0)
        return answer

    Conductor(counted, seed=3).tick(instant(570))
    assert max(after - before for before, after in pairwise([0, *opened])) == 1
    assert opened[-1] >= len(country.queues) > 1


def test_the_van_tells_its_way_every_two_minutes_and_ends_where_the_visit_is(engine: Engine) -> None:
    write = writer(engine)
    country = write(make_country)
    conductor = Conductor(write, seed=3)
    run(conductor, instant(500), instant(640))
    with Session(engine) as session:
        center = session.get_one(Center, country.center)
        visit = session.get_one(Visit, country.visit)
        assert center.state == "open" and visit.status == "open"
        assert (center.lat, center.lon) == pytest.approx((30.25, 31.1), abs=1e-6)
        at = session.scalars(select(Position.at).where(Position.speed_kmh > 0).order_by(Position.at)).all()
        gaps = {round((b - a).total_seconds()) for a, b in pairwise(at)}
        assert len(at) >= 10 and max(gaps) <= 120


def test_a_desk_with_a_person_is_left_alone_and_the_others_go_on(engine: Engine) -> None:
    write = writer(engine)
    country = write(make_country)
    conductor = Conductor(write, seed=3)
    run(conductor, instant(505), instant(580))
    at = instant(580) + STEP

    def sit(session: Session) -> tuple[int, int]:
        desk = session.scalars(
            select(Desk).where(Desk.queue_id == country.queues[0]).order_by(Desk.id)
        ).first()
        assert desk is not None
        desks.open_desk(session, desk, actor="clerk", now=at, operator="clerk")
        counter.issue(
            session, session.get_one(Queue, desk.queue_id), _code(session, desk.queue_id), request_id="kiosk-1",
            actor="kiosk", now=at, channel="kiosk", priority=3,
        )  # fmt: skip
        done = counter.call_next(session, desk, request_id="clerk-1", actor="clerk", now=at)
        assert done is not None
        return desk.id, done.ticket.id

    desk_id, ticket_id = write(sit)
    run(conductor, at + STEP, instant(700))
    with Session(engine) as session:
        ticket = session.get_one(Ticket, ticket_id)
        assert (ticket.state, ticket.desk_id) == ("called", desk_id)
        later = select(TicketEvent).where(TicketEvent.desk_id == desk_id, TicketEvent.happened_at > at)
        assert session.scalars(later).all() == []
        others = select(func.count()).select_from(TicketEvent).where(
            TicketEvent.queue_id == country.queues[0], TicketEvent.happened_at > at, TicketEvent.action == "finish"
        )  # fmt: skip
        assert (session.scalar(others) or 0) > 5
        assert rebuild.check(session) == []


def test_a_real_persons_ticket_is_served_at_a_simulated_desk(engine: Engine) -> None:
    write = writer(engine)
    country = write(make_country)
    conductor = Conductor(write, seed=3)
    run(conductor, instant(505), instant(600))

    def take(session: Session) -> int:
        queue = session.get_one(Queue, country.queues[1])
        done = counter.issue(
            session, queue, _code(session, queue.id), request_id="phone-1", actor="citizen", now=instant(600) + STEP,
            channel="phone", phone="01000000000",
        )  # fmt: skip
        return done.ticket.id

    ticket_id = write(take)
    run(conductor, instant(601), instant(840), timedelta(minutes=1))
    with Session(engine) as session:
        ticket = session.get_one(Ticket, ticket_id)
        assert ticket.state == "served"
        assert ticket.issued_at <= ticket.called_at <= ticket.started_at < ticket.ended_at  # type: ignore[operator]


def test_people_who_act_between_two_ticks_win_and_nothing_breaks(engine: Engine) -> None:
    """A clerk calls out of turn, a supervisor pauses desks and the queue, people leave: the picture is taken
    anew."""
    write = writer(engine)
    country = write(make_country)
    conductor = Conductor(write, seed=3)
    now = instant(505)
    meddled = 0
    while now < instant(720):
        conductor.tick(now)

        def meddle(session: Session, at: datetime = now + STEP / 2) -> int:
            queue_id = country.queues[0]
            waiting = session.scalars(
                select(Ticket)
                .where(Ticket.queue_id == queue_id, Ticket.state == "waiting")
                .order_by(Ticket.id)
            ).all()
            if len(waiting) > 1:
                counter.leave(session, waiting[-1], request_id=f"m-{at:%H%M%S}", actor="citizen", now=at)
            desk = session.scalars(select(Desk).where(Desk.queue_id == queue_id).order_by(Desk.id)).all()[-1]
            if at.minute % 20 == 7 and desk.state == "open":
                desks.pause_desk(session, desk, actor="supervisor", now=at)
            return len(waiting) > 1

        meddled += write(meddle)
        now += STEP * 4
    assert meddled > 3
    with Session(engine) as session:
        assert rebuild.check(session) == []
        seqs = session.scalars(
            select(TicketEvent.seq).where(TicketEvent.queue_id == country.queues[0]).order_by(TicketEvent.id)
        ).all()
        assert len(set(seqs)) == len(seqs)
        early = select(func.count()).select_from(Ticket).where(Ticket.called_at < Ticket.issued_at)
        assert session.scalar(early) == 0


def _day_of(
    folder: Path, drive: Callable[[Any], None], columns: tuple[str, ...] = STORY
) -> list[tuple[Any, ...]]:
    folder.mkdir()
    engine = sqlite_file(folder)
    write = writer(engine)
    write(make_country)
    drive(write)
    with Session(engine) as session:
        assert rebuild.check(session) == []
        story = tables(session, Ticket, *columns)
    engine.dispose()
    return story


def test_a_conductor_that_starts_again_goes_on_as_the_one_before_would_have(tmp_path: Path) -> None:
    def straight(write: Any) -> None:
        run(Conductor(write, seed=3), instant(505), instant(640))

    def broken(write: Any) -> None:
        now = instant(505)
        while now <= instant(640):
            one = Conductor(write, seed=3)
            for _ in range(7):
                if now <= instant(640):
                    one.tick(now)
                now += STEP

    whole, pieces = _day_of(tmp_path / "whole", straight), _day_of(tmp_path / "pieces", broken)
    assert len(whole) > 30
    assert pieces == whole


def test_a_locked_database_costs_a_retry_and_neither_loses_nor_doubles_anything(tmp_path: Path) -> None:
    def straight(write: Any) -> None:
        run(Conductor(write, seed=3), instant(505), instant(585))

    def rough(write: Any) -> None:
        calls = 0

        def failing(work: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls % 3 == 0:

                def lost(session: Session) -> None:
                    work(session)
                    raise OperationalError("COMMIT", {}, Exception("database is locked"))

                return write(lost)
            return write(work)

        run(Conductor(failing, seed=3, pause=lambda _: None), instant(505), instant(585))

    assert _day_of(tmp_path / "rough", rough) == _day_of(tmp_path / "straight", straight)


def test_the_same_instant_again_changes_nothing(engine: Engine) -> None:
    write = writer(engine)
    write(make_country)
    conductor = Conductor(write, seed=3)
    run(conductor, instant(505), instant(560))
    assert conductor.tick(instant(560)) == 0
    with Session(engine) as session:
        before = tables(session, TicketEvent, "request_id"), session.scalar(select(func.sum(Queue.seq)))
    Conductor(write, seed=3).tick(instant(560))
    with Session(engine) as session:
        assert (
            tables(session, TicketEvent, "request_id"),
            session.scalar(select(func.sum(Queue.seq))),
        ) == before
        assert len(before[0]) > 10


def test_a_primed_morning_stands_as_the_verbs_would_have_left_it(engine: Engine) -> None:
    write = writer(engine)
    country = write(make_country)
    now = instant(630)
    made = prime(write, DAY, now=now, seed=3)
    assert made.tickets > 10 and made.inside > 0 and made.visits_open == 1
    assert prime(write, DAY, now=now, seed=3).tickets == 0, "a second time changes nothing"
    with Session(engine) as session:
        assert rebuild.check(session) == []
        assert measure.differences(session, list(session.scalars(select(Queue.id))), DAY, now=now) == []
        assert session.get_one(Visit, country.visit).status == "open"
        assert session.get_one(Center, country.center).state == "open"
        assert session.scalar(select(func.count()).select_from(Position)) or 0 > 5
    conductor = Conductor(write, seed=3)
    run(conductor, now, instant(780), timedelta(minutes=1))
    with Session(engine) as session:
        assert rebuild.check(session) == []
        again = select(func.count()).select_from(TicketEvent).where(TicketEvent.action == "finish")
        finished = select(func.count()).select_from(TicketEvent).where(
            TicketEvent.action == "finish", TicketEvent.happened_at > now
        )  # fmt: skip
        assert 0 < (session.scalar(finished) or 0) < (session.scalar(again) or 0)


def test_the_visits_of_earlier_days_of_the_week_are_played_to_their_end(engine: Engine) -> None:
    write = writer(engine)
    country = write(lambda session: make_country(session, day=DAY - timedelta(days=1)))
    prime(write, DAY, now=instant(600), seed=3)
    with Session(engine) as session:
        visit = session.get_one(Visit, country.visit)
        assert visit.status == "closed" and visit.closed_at is not None
        tickets = session.scalars(select(Ticket).where(Ticket.queue_id == country.visit_queue)).all()
        assert len(tickets) > 5 and all(ticket.ended_at is not None for ticket in tickets)


def test_a_cancelled_visit_is_not_driven_to(engine: Engine) -> None:
    write = writer(engine)
    country = write(make_country)

    def cancel(session: Session) -> None:
        session.get_one(Visit, country.visit).status = "cancelled"

    write(cancel)
    run(Conductor(write, seed=3), instant(500), instant(640), timedelta(minutes=2))
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(Position)) == 0
        came = select(func.count()).select_from(Ticket).where(Ticket.queue_id == country.visit_queue)
        assert session.scalar(came) == 0


def _code(session: Session, queue_id: int) -> str:
    from queueing.store import QueueService, Service

    found = session.scalar(
        select(Service.code)
        .join(QueueService, QueueService.service_id == Service.id)
        .where(QueueService.queue_id == queue_id)
        .order_by(Service.code)
        .limit(1)
    )
    assert found is not None
    return found
