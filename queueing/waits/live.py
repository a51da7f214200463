"""The live state of one queue, read for `forward` and played on: what everybody in the line will wait.

Desks limited to some services, priorities, appointments still to come, who is at which desk and since when
stand in the rows. What is learned: the queue's pace (queueing/pace.py) scales its services' catalogued
minutes; today's ended services scale them again; four weeks of hours say how fast people give up; today's
tickets how many overtake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from queueing.daytime import local_day
from queueing.ledger import since_of
from queueing.order import APPOINTMENT, HEAD_START, ORDINARY
from queueing.pace import LEARNT_DAYS, Pace, mixture, pace_of
from queueing.store import (
    AT_DESK_SQL,
    LIVE_SQL,
    Desk,
    DeskService,
    Queue,
    QueueHour,
    QueueService,
    Service,
    Ticket,
)  # fmt: skip
from queueing.ticket import APPOINTMENT_GRACE, AT_DESK
from queueing.wait import shrunk
from queueing.waits.bands import shortest
from queueing.waits.forward import Center, Counter, Overtakers, Person, Times, distribution, waits

MOST_PEOPLE = 60
"""With a longer line the formula of `queueing.wait` stands: far back it is good enough, and quick."""
AWAY_MINUTES = 20.0
"""A pause of a desk of which nobody has said how long it takes."""
SHOWS = 0.85
TODAY_WEIGHT = 150.0
"""Minutes of service as usual that today's pace begins with."""
PATIENCE_MINUTES = 240.0
PATIENCE_WEIGHT = 20.0
LIKELY, NEARLY_SURE = 0.5, 0.9


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Seconds until the call of one person, from `as_of`: half of the waits lie in the likely band, nine of
    ten in the wide one."""

    likely_low_s: int
    likely_high_s: int
    low_s: int
    high_s: int
    as_of: datetime


def foresee(session: Session, queue_id: int, *, now: datetime) -> dict[int, Foreseen]:
    """What everybody who waits will wait, by ticket id. Empty where nothing can be said so: no desk open, a
    long line, services without minutes."""
    found = center_of(session, queue_id, now=now)
    if found is None:
        return {}
    center, tickets, pace = found
    # The seed follows from the state, so that two people who look at one state are told the same.
    quantiles = distribution(waits(center, seed=queue_id * 1009 + len(tickets), day_pace=pace))
    answers = {}
    for ticket_id, row in zip(tickets, quantiles, strict=False):
        if not row[-1] < 24 * 60:
            continue
        four = [
            float(end[0]) * 60 for share in (LIKELY, NEARLY_SURE) for end in shortest(row[None, :], share)
        ]
        likely_low, likely_high, low, high = (round(seconds) for seconds in four)
        answers[ticket_id] = Foreseen(
            likely_low, likely_high, min(low, likely_low), max(high, likely_high), now
        )
    return answers


def center_of(session: Session, queue_id: int, *, now: datetime) -> tuple[Center, list[int], float] | None:
    """The center as it stands, the ids of the tickets that wait (first in `people`), today's pace."""
    queue = session.get(Queue, queue_id)
    if queue is None:
        return None
    services = session.execute(
        select(
            Service.id, Service.popularity, Service.minutes_low, Service.minutes_mode, Service.minutes_high
        )
        .join(QueueService, QueueService.service_id == Service.id)
        .where(QueueService.queue_id == queue_id)
        .order_by(Service.id)
    ).all()
    places = {row[0]: place for place, row in enumerate(services)}
    counters = _counters(session, queue_id, places, now)
    if not any(counter.away == 0 for counter in counters):
        return None
    day = local_day(now, queue.zone)
    live = session.execute(
        select(
            Ticket.id, Ticket.state, Ticket.service_id, Ticket.priority, Ticket.aged_from, Ticket.number,
            Ticket.hold_until, Ticket.appointment_at,
        )
        .where(
            text(f"ticket.{LIVE_SQL}"), Ticket.queue_id == queue_id, Ticket.state.in_(("waiting", "booked")),
            Ticket.aged_from >= since_of(now, queue.zone),
        )
        .order_by(Ticket.number)
    ).all()  # fmt: skip
    line = [row for row in live if row.state == "waiting" and row.service_id in places]
    if not line or len(line) > MOST_PEOPLE:
        return None
    people = [_person(row, places, now) for row in line]
    soon = now + HEAD_START[APPOINTMENT]
    people += [
        _booked(row, places, now)
        for row in live
        if row.state == "booked"
        and row.service_id in places
        and row.appointment_at is not None
        and now - APPOINTMENT_GRACE < row.appointment_at < soon
    ]
    times = _times([row[1:] for row in services], pace_of(session, queue))
    today = session.execute(
        select(
            Ticket.priority, Ticket.state, Ticket.service_id, Ticket.called_at, Ticket.ended_at,
            Ticket.parked_s, Ticket.issued_at,
        ).where(Ticket.queue_id == queue_id, Ticket.day == day)
    ).all()  # fmt: skip
    weights = tuple(max(1e-6, float(row[1])) for row in services)
    center = Center(
        times,
        tuple(counters),
        tuple(people),
        _overtakers(today, weights, now),
        _leave_rate(session, queue_id, day),
    )
    return center, [row.id for row in line], _pace_today(today, places, times)


def _counters(session: Session, queue_id: int, places: dict[int, int], now: datetime) -> list[Counter]:
    limits: dict[int, set[int]] = {}
    for desk_id, service_id in session.execute(
        select(DeskService.desk_id, DeskService.service_id)
        .join(Desk, Desk.id == DeskService.desk_id)
        .where(Desk.queue_id == queue_id)
    ):
        limits.setdefault(desk_id, set()).add(service_id)
    busy = {
        row.desk_id: row
        for row in session.execute(
            select(Ticket.desk_id, Ticket.service_id, Ticket.called_at).where(
                text(f"ticket.{AT_DESK_SQL}"), Ticket.queue_id == queue_id, Ticket.state.in_(AT_DESK)
            )
        )
    }
    found = []
    for desk_id, state in session.execute(
        select(Desk.id, Desk.state).where(Desk.queue_id == queue_id, Desk.state != "closed").order_by(Desk.id)
    ):
        serves = frozenset(places[one] for one in limits.get(desk_id, places) if one in places)
        at = busy.get(desk_id)
        if at is not None and at.service_id in places and at.called_at is not None:
            elapsed = max(0.0, (now - at.called_at).total_seconds() / 60)
            found.append(Counter(serves, places[at.service_id], elapsed))
        else:
            found.append(Counter(serves, away=AWAY_MINUTES if state == "paused" else 0.0))
    return found


def _person(row: Any, places: dict[int, int], now: datetime) -> Person:
    key = _minutes(row.aged_from - HEAD_START[row.priority] - now) + row.number * 1e-6
    held = 0.0 if row.hold_until is None else max(0.0, _minutes(row.hold_until - now))
    return Person(key, places[row.service_id], held)


def _booked(row: Any, places: dict[int, int], now: datetime) -> Person:
    at = max(0.0, _minutes(row.appointment_at - now))
    return Person(at - _minutes(HEAD_START[APPOINTMENT]), places[row.service_id], at, SHOWS)


def _times(services: Sequence[Any], pace: Pace) -> tuple[Times, ...]:
    """Minutes by service: the catalogue's, all scaled so that their mixture is the pace this queue has shown."""
    scale = pace.seconds / mixture(services).seconds
    each = [mixture([(1.0, *minutes)]) for _, *minutes in services]
    return tuple(Times(one.seconds / 60 * scale, one.cv2) for one in each)


def _overtakers(today: Sequence[Any], weights: tuple[float, ...], now: datetime) -> tuple[Overtakers, ...]:
    """People with priority, as many a minute as came today."""
    if not today:
        return ()
    minutes = max(30.0, _minutes(now - min(row.issued_at for row in today)))
    return tuple(
        Overtakers(
            _minutes(HEAD_START[priority]), sum(row.priority == priority for row in today) / minutes, weights
        )
        for priority in HEAD_START
        if priority not in (ORDINARY, APPOINTMENT)
    )


def _pace_today(today: Sequence[Any], places: dict[int, int], times: tuple[Times, ...]) -> float:
    """How much longer today's ended services took than usual."""
    took = hoped = TODAY_WEIGHT
    for row in today:
        if row.state == "served" and row.called_at and row.ended_at and row.service_id in places:
            took += max(0.0, _minutes(row.ended_at - row.called_at) - row.parked_s / 60)
            hoped += times[places[row.service_id]].mean
    return took / hoped


def _leave_rate(session: Session, queue_id: int, day: date) -> float:
    """People who give up, a minute of waiting: those who did over all minutes waited, who stayed included."""
    left, waited = session.execute(
        select(func.sum(QueueHour.left_waiting), func.sum(QueueHour.waiting_s)).where(
            QueueHour.queue_id == queue_id, QueueHour.day >= day - timedelta(days=LEARNT_DAYS)
        )
    ).one()
    minutes = float(waited or 0.0) / 60
    prior = 1 / PATIENCE_MINUTES
    return shrunk(float(left or 0), minutes, prior, weight=PATIENCE_WEIGHT * PATIENCE_MINUTES)


def _minutes(span: timedelta) -> float:
    return span.total_seconds() / 60
