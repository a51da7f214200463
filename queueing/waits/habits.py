"""What earlier days have taught about a queue: how long its services take, when its desks are open, how people give
up.

None of it changes within a day, so it is read once a day and kept by whoever asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from queueing.order import APPOINTMENT, ORDINARY
from queueing.pace import LEARNT_DAYS, Pace, mixture, pace_of
from queueing.store import Desk, DeskService, Queue, QueueHour, QueueService, Service, Ticket
from queueing.wait import shrunk
from queueing.waits.days import Day, Spells, read_shifts
from queueing.waits.forward import Leaving, Times
from queueing.waits.snapshots import Floats

ROSTER_DAYS = 15
"""Working days whose openings of desks are remembered."""
PATIENCE_MINUTES = 240.0
PATIENCE_WEIGHT = 20.0
"""People who gave up after `PATIENCE_MINUTES`, by whom little experience is filled up."""
LEAVE_EDGES = (0.0, 30.0, 60.0, 120.0)
"""Minutes waited at which the rate of giving up may change."""
COUNTED_DAYS = 7
"""Last working days on which people with priority are counted."""
SLOT = 15.0


@dataclass(frozen=True, slots=True)
class Habits:
    """Of one queue. `places`: service id to its place in `times`."""

    queue_id: int
    places: dict[int, int]
    times: tuple[Times, ...]
    weights: tuple[float, ...]
    pace: Pace
    serves: dict[int, frozenset[int]]
    """Desk id to the places of the services it serves."""
    leaving: Leaving
    overtake: dict[int, float]
    """People of a priority class who come, a minute."""
    rosters: tuple[dict[int, Spells], ...]
    """When each desk was open, on earlier days."""
    usual: Floats
    """Desks open at each quarter of an hour of a day, on average."""

    @property
    def special(self) -> bool:
        """Desks are limited to some services, so that a line is not one line."""
        return any(len(one) < len(self.places) for one in self.serves.values())

    def usual_at(self, minute: Floats) -> Floats:
        """Desks that are usually open then."""
        found: Floats = self.usual[np.clip(minute // SLOT, 0, len(self.usual) - 1).astype(int)]
        return found


def habits_of(session: Session, queue_id: int, day: date, *, leaving: Leaving = ()) -> Habits | None:
    """What was known of a queue on the morning of `day`; None where its services have no minutes. `leaving`: how
    people everywhere give up, by how long they have waited; here as fast in proportion as this queue's people
    do."""
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
    if not services:
        return None
    places = {row[0]: place for place, row in enumerate(services)}
    limits: dict[int, set[int]] = {}
    for desk, service in session.execute(
        select(DeskService.desk_id, DeskService.service_id)
        .join(Desk, Desk.id == DeskService.desk_id)
        .where(Desk.queue_id == queue_id)
    ):
        limits.setdefault(desk, set()).add(service)
    desks = session.scalars(select(Desk.id).where(Desk.queue_id == queue_id))
    pace = pace_of(session, queue)
    catalogue = [row[1:] for row in services]
    scale = pace.seconds / mixture(catalogue).seconds
    each = [mixture([(1.0, *minutes)]) for _, *minutes in catalogue]
    first, last = day - timedelta(days=LEARNT_DAYS), day - timedelta(days=1)
    shifts = read_shifts(session, [queue_id], first, last)
    rosters = tuple(shifts[one] for one in sorted(shifts))[-ROSTER_DAYS:]
    return Habits(
        queue_id,
        places,
        tuple(Times(one.seconds / 60 * scale, one.cv2) for one in each),
        tuple(max(1e-6, float(row[1])) for row in services),
        pace,
        {desk: frozenset(places[one] for one in limits.get(desk, places) if one in places) for desk in desks},
        _leaving(session, queue_id, first, last, leaving),
        _overtake(session, queue_id, shifts),
        rosters,
        _usual(rosters),
    )


def limited(session: Session, queue_ids: Sequence[int]) -> set[int]:
    """Which of these queues have a desk that is limited to some services."""
    return set(
        session.scalars(
            select(Desk.queue_id)
            .join(DeskService, DeskService.desk_id == Desk.id)
            .where(Desk.queue_id.in_(queue_ids))
        )
    )


def leaving_of(past: Sequence[Day]) -> Leaving:
    """How fast people give up, by how long they have waited: those who did, over all minutes waited in that span.
    Who was called had not left by then, and counts so (censored)."""
    gone, minutes = np.zeros(len(LEAVE_EDGES)), np.zeros(len(LEAVE_EDGES))
    ends = np.array([*LEAVE_EDGES[1:], np.inf])
    begins = np.array(LEAVE_EDGES)
    for one in past:
        plain = ~one.changed & np.isfinite(one.left)
        waited = np.maximum(0.0, (one.left - one.issued)[plain])
        minutes += np.clip(waited[:, None] - begins, 0.0, ends - begins).sum(axis=0)
        away = waited[(one.state == "left")[plain]]
        gone += np.histogram(away, bins=[*LEAVE_EDGES, np.inf])[0]
    prior = 1 / PATIENCE_MINUTES
    rates = (gone + PATIENCE_WEIGHT * prior * 60) / (minutes + PATIENCE_WEIGHT * 60)
    return tuple((float(edge), float(rate)) for edge, rate in zip(LEAVE_EDGES, rates, strict=True))


def _leaving(session: Session, queue_id: int, first: date, last: date, everywhere: Leaving) -> Leaving:
    left, waited = session.execute(
        select(func.sum(QueueHour.left_waiting), func.sum(QueueHour.waiting_s)).where(
            QueueHour.queue_id == queue_id, QueueHour.day >= first, QueueHour.day <= last
        )
    ).one()
    prior = 1 / PATIENCE_MINUTES
    rate = shrunk(
        float(left or 0), float(waited or 0.0) / 60, prior, weight=PATIENCE_WEIGHT * PATIENCE_MINUTES
    )
    if not everywhere:
        return ((0.0, rate),)
    # The rate of people who have waited up to an hour is what most of this queue's minutes are.
    usual = sum(one for _, one in everywhere[:2]) / 2
    return tuple((edge, one * rate / usual) for edge, one in everywhere)


def _overtake(
    session: Session, queue_id: int, shifts: dict[tuple[int, date], dict[int, Spells]]
) -> dict[int, float]:
    days = sorted(day for _, day in shifts)[-COUNTED_DAYS:]
    if not days:
        return {}
    open_minutes = 0.0
    for day in days:
        spells = [spell for some in shifts[queue_id, day].values() for spell in some]
        ends = [end for _, end in spells if np.isfinite(end)]
        open_minutes += max(ends, default=0.0) - min(begin for begin, _ in spells) if ends else 0.0
    counts = session.execute(
        select(Ticket.priority, func.count())
        .where(Ticket.queue_id == queue_id, Ticket.day >= days[0], Ticket.day <= days[-1])
        .group_by(Ticket.priority)
    )
    return {
        priority: count / max(60.0, open_minutes)
        for priority, count in counts
        if priority not in (ORDINARY, APPOINTMENT)
    }


def _usual(rosters: Sequence[dict[int, Spells]]) -> Floats:
    slots = np.arange(0.0, 24 * 60, SLOT) + SLOT / 2
    found = np.zeros(len(slots))
    for shifts in rosters:
        for spells in shifts.values():
            for begin, end in spells:
                found += (slots >= begin) & (slots < end)
    return found / max(1, len(rosters))
