"""A day that is already under way: everything from opening to now played in bulk, and left as the verbs
would have left it.

A demonstration that starts at ten shows full screens from its first second: people waiting, called and
served, vans at their first stop or on the road. The conductor goes on from there with the same people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fleet.calendar import MOBILE_WEEK, Calendar, default_calendar, local_instant, week_of
from fleet.simulation.behaviour import Person
from fleet.simulation.bulk import insert_rows, reserve_ids
from fleet.simulation.day import Played, play
from fleet.simulation.demand_today import Today, scenarios
from fleet.simulation.history import write_rows
from fleet.simulation.hours import hour_rows
from fleet.simulation.past_visits import Write
from fleet.simulation.rows import QueueRows, add_day
from fleet.simulation.scenario import Scenario, arrivals
from fleet.simulation.seed import kept_seed
from fleet.simulation.vans import STATES, Van, load_vans
from fleet.store import Center, Position, Visit
from queueing.store import Desk, Queue, QueueDay, to_micros

CHUNK = 40
"""Queues written in one transaction."""
FIRST_DRIVE = 6 * 60 + 30
"""Local minute from which the vans' positions are told."""
POSITION_COLUMNS = ("id", "center_id", "device", "at", "received_at", "lat", "lon", "speed_kmh")


@dataclass(frozen=True, slots=True)
class Morning:
    """What was played: tickets and events made, people still inside, visits open, vans on the road."""

    tickets: int = 0
    events: int = 0
    inside: int = 0
    visits_open: int = 0
    vans_moving: int = 0


def prime(
    write: Write[Any],
    day: date,
    *,
    now: datetime,
    seed: int | None = None,
    calendar: Calendar | None = None,
) -> Morning:
    """Play `day` up to `now`, and the visits of the days before it in its week to their end.

    In chunks of their own transactions; a queue that has given out numbers on a day is left alone, so
    that a second call changes nothing.
    """
    known = calendar or default_calendar()
    drawn = write(lambda session: kept_seed(session, seed))
    for back in range((day - week_of(day)).days, 0, -1):
        earlier = day - timedelta(days=back)
        if known.is_working_day(earlier, weekdays=MOBILE_WEEK):
            late = write(partial(load_vans, day=earlier, seed=drawn))
            todays = write(partial(_todays, day=earlier, seed=drawn, calendar=known, visits_only=True))
            _play_all(write, todays, late, drawn, until=local_instant(earlier, 24 * 60 - 1))
    vans: dict[int, Van] = write(lambda session: load_vans(session, day, drawn))
    todays = write(lambda session: _todays(session, day, drawn, known, visits_only=False))
    done = _play_all(write, todays, vans, drawn, until=now)
    moving = write(lambda session: _place_vans(session, day, drawn, now))
    return replace(done, vans_moving=moving)


def _todays(session: Session, day: date, seed: int, calendar: Calendar, *, visits_only: bool) -> list[Today]:
    """The lines of the day in which nobody has taken a number yet."""
    begun = set(session.scalars(select(QueueDay.queue_id).where(QueueDay.day == day)))
    return [
        today
        for today in scenarios(session, day, seed=seed, calendar=calendar)
        if today.scenario.line.queue_id not in begun and (today.visit_id is not None or not visits_only)
    ]


def _play_all(
    write: Write[Any], todays: Sequence[Today], vans: dict[int, Van], seed: int, *, until: datetime
) -> Morning:
    done = Morning()
    for start in range(0, len(todays), CHUNK):
        part = todays[start : start + CHUNK]
        played = [one for today in part if (one := _play(today, vans, seed, until)) is not None]
        made = write(partial(_store, played=tuple(played), until=until))
        done = Morning(
            done.tickets + made.tickets,
            done.events + made.events,
            done.inside + made.inside,
            done.visits_open + made.visits_open,
        )
    return done


def _play(today: Today, vans: dict[int, Van], seed: int, until: datetime) -> tuple[Today, Played] | None:
    """Play one line up to `until`; None while its doors are shut (too early, or the van is not there)."""
    scenario, people = today.scenario, arrivals(today.scenario, seed)
    if today.visit_id is not None and today.center_id is not None:
        opened = _opened_at(today, vans)
        if opened > until or opened >= scenario.at(scenario.closes_s):
            return None
        scenario, people = _from(scenario, people, scenario.second(opened))
    if until < scenario.opens:
        return None
    return replace(today, scenario=scenario), play(scenario, people, until=until)


def _opened_at(today: Today, vans: dict[int, Van]) -> datetime:
    """When a visit's doors opened: as announced, or when the van had come."""
    van = vans.get(today.center_id or 0)
    arrived = van.arrivals().get(today.visit_id or 0) if van is not None else None
    return today.scenario.opens if arrived is None else max(today.scenario.opens, arrived)


def _from(
    scenario: Scenario, people: list[tuple[float, Person]], second: float
) -> tuple[Scenario, list[tuple[float, Person]]]:
    """The same day with doors that open `second` seconds late: who came before stands at the door until
    then."""
    if second <= 0:
        return scenario, people
    waited = sorted((max(at, second), n, person) for n, (at, person) in enumerate(people))
    desks = tuple(
        replace(desk, spells=tuple((max(a, second), b) for a, b in desk.spells if b > second))
        for desk in scenario.desks
    )
    return replace(scenario, desks=desks), [(at, person) for at, _, person in waited]


def _store(session: Session, played: Sequence[tuple[Today, Played]], until: datetime) -> Morning:
    """Write the rows, and leave queues, desks and visits in the state of `until`."""
    ids = [today.scenario.line.queue_id for today, _ in played]
    seqs = dict(session.execute(select(Queue.id, Queue.seq).where(Queue.id.in_(ids))).all())
    results, inside, visits_open = [], 0, 0
    for today, one in played:
        scenario = today.scenario
        queue_id = scenario.line.queue_id
        rows = QueueRows(queue_id, seqs[queue_id])
        add_day(rows, one, undoable=True)
        rows.hours.extend(hour_rows(one, until=until))
        results.append(rows)
        inside += sum(slip.ended_at is None for slip in one.slips)
        over = until >= scenario.at(scenario.end_s) or (
            until >= scenario.at(scenario.closes_s) and all(slip.ended_at is not None for slip in one.slips)
        )
        _leave_queue(session, scenario, one, until, over)
        if today.visit_id is not None:
            visits_open += not over
            _leave_visit(session, today.visit_id, scenario, one, over)
    write_rows(session, results)
    return Morning(
        sum(len(r.tickets) for r in results), sum(len(r.events) for r in results), inside, visits_open
    )


def _leave_queue(session: Session, scenario: Scenario, one: Played, until: datetime, over: bool) -> None:
    staffed = {spell.desk_id for spell in one.staffed if spell.until is None}
    rostered = {desk.desk_id for desk in scenario.desks}
    closing = until >= scenario.at(scenario.closes_s)
    state = "closed" if over else "paused" if closing else "open"
    session.execute(update(Queue).where(Queue.id == scenario.line.queue_id).values(state=state))
    for desk in scenario.line.desks:
        on = "open" if desk.desk_id in staffed else "paused" if desk.desk_id in rostered else "closed"
        session.execute(update(Desk).where(Desk.id == desk.desk_id).values(state="closed" if over else on))


def _leave_visit(session: Session, visit_id: int, scenario: Scenario, one: Played, over: bool) -> None:
    visit = session.get_one(Visit, visit_id)
    opened = min((spell.since for spell in one.staffed), default=scenario.opens)
    visit.status, visit.opened_at = ("closed" if over else "open"), opened
    if over:
        visit.closed_at = max([visit.closes_at, *(s.ended_at for s in one.slips if s.ended_at)])


def _place_vans(session: Session, day: date, seed: int, now: datetime) -> int:
    """Put every van where it is at `now`, with its way since the morning. Returns how many are on the road."""
    begin = local_instant(day, FIRST_DRIVE)
    moving = 0
    track: list[tuple[Any, ...]] = []
    vans = load_vans(session, day, seed)
    heard = dict(session.execute(select(Center.id, Center.last_heard_at)).all())
    for van in vans.values():
        last = heard.get(van.center_id)
        if begin > now or (last is not None and last >= begin):
            continue
        at: datetime | None = begin
        while at is not None and at < now:
            doing, point, again = van.where(at)
            track.append(_position(van, at, doing, point))
            at = None if again is None else max(again, at + timedelta(seconds=30))
        doing, point, _ = van.where(now)
        track.append(_position(van, now, doing, point))
        moving += doing in ("driving", "returning")
        opened = session.scalar(
            select(Visit.id).where(Visit.center_id == van.center_id, Visit.status == "open").limit(1)
        )
        values: dict[str, Any] = {"lat": point[0], "lon": point[1], "last_heard_at": now, "silent": False}
        values["state"] = "open" if opened is not None else STATES.get(doing, "driving")
        session.execute(update(Center).where(Center.id == van.center_id).values(seq=Center.seq + 1, **values))
    table: Any = Position.__table__
    insert_rows(
        session,
        table,
        POSITION_COLUMNS,
        ((i, *row) for i, row in zip(reserve_ids(session, table, len(track)), track, strict=True)),
    )
    return moving


def _position(van: Van, at: datetime, doing: str, point: tuple[float, float]) -> tuple[Any, ...]:
    speed = 55.0 if doing in ("driving", "returning") else 0.0
    return (
        van.center_id,
        f"sim-{van.code}",
        to_micros(at),
        to_micros(at),
        round(point[0], 6),
        round(point[1], 6),
        speed,
    )
