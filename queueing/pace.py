"""How fast a queue's line moves: desk-seconds per person taken from it, learned from its hours, with a prior.

Pace = desk time held by calls (walking, serving, waiting for no-shows) / people who left the line (called or
gone). People who give up shorten the line without costing desk time, so they belong in the denominator: a
pace learned from the served alone promises too long. The mean is pulled to what the services' minutes say, as
if by `PRIOR_WEIGHT` people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from queueing.store import Queue, QueueHour, QueueService, Service
from queueing.wait import CV2_BOUNDS, shrunk

TURNOVER_S = 30.0
"""Seconds between a call and the start of the service, where nothing is known."""
PRIOR_WEIGHT = 30.0
LEARNT_DAYS = 28
RECENT_DAYS = 7
RECENT_WEIGHT = 3.0
"""The last week counts this many times: paces drift."""
FALLBACK_S, FALLBACK_CV2 = 600.0, 1.0


class Pace(NamedTuple):
    """Desk-seconds a person, and the squared coefficient of variation of the service times."""

    seconds: float
    cv2: float


def prior(session: Session, queue_ids: Sequence[int]) -> dict[int, Pace]:
    """What the catalogue's minutes say: a mixture of triangular service times, weighted by popularity."""
    rows = session.execute(
        select(
            QueueService.queue_id,
            Service.popularity,
            Service.minutes_low,
            Service.minutes_mode,
            Service.minutes_high,
        )
        .join(Service, Service.id == QueueService.service_id)
        .where(QueueService.queue_id.in_(queue_ids))
    )
    found: dict[int, list[Any]] = {queue_id: [] for queue_id in queue_ids}
    for queue_id, *minutes in rows:
        found[queue_id].append(minutes)
    return {queue_id: mixture(some) for queue_id, some in found.items()}


def mixture(services: Iterable[Sequence[float]]) -> Pace:
    """The pace of a queue whose services are (popularity, low, mode, high minutes)."""
    weight = first = second = 0.0
    for popularity, low, mode, high in services:
        mean = (low + mode + high) / 3
        variance = (low * low + mode * mode + high * high - low * mode - low * high - mode * high) / 18
        weight += popularity
        first += popularity * mean
        second += popularity * (variance + mean * mean)
    if weight <= 0 or first <= 0:
        return Pace(FALLBACK_S, FALLBACK_CV2)
    mean, square = first / weight, second / weight
    return Pace(mean * 60 + TURNOVER_S, _bounded((square - mean * mean) / (mean * mean)))


def learn(session: Session, queue_ids: Sequence[int], *, before: date) -> dict[int, Pace]:
    """Learn the pace of queues from their hours of the four weeks before `before`, and store it on the
    queues."""
    if not queue_ids:
        return {}
    known = prior(session, queue_ids)
    weight = case((QueueHour.day >= before - timedelta(days=RECENT_DAYS), RECENT_WEIGHT), else_=1.0)
    rows = session.execute(
        select(
            QueueHour.queue_id,
            func.sum(weight * QueueHour.held_s),
            func.sum(weight * (QueueHour.called + QueueHour.left_waiting)),
            func.sum(weight * QueueHour.served),
            func.sum(weight * QueueHour.service_s),
            func.sum(weight * QueueHour.service_sq),
        )
        .where(
            QueueHour.queue_id.in_(queue_ids),
            QueueHour.day >= before - timedelta(days=LEARNT_DAYS),
            QueueHour.day <= before,
        )
        .group_by(QueueHour.queue_id)
    )
    for queue_id, held, people, served, service, square in rows:
        base = known[queue_id]
        cv2 = base.cv2
        if served and service > 0:
            mean = service / served
            cv2 = shrunk(
                (square / served - mean * mean) / (mean * mean) * served, served, cv2, weight=PRIOR_WEIGHT
            )
        known[queue_id] = Pace(shrunk(held, people, base.seconds, weight=PRIOR_WEIGHT), _bounded(cv2))
    session.execute(
        update(Queue),
        [{"id": queue_id, "pace_s": pace.seconds, "pace_cv2": pace.cv2} for queue_id, pace in known.items()],
    )
    return known


def pace_of(session: Session, queue: Queue) -> Pace:
    """The pace of a queue (or of its locked row): what was learned, else the prior. Changes nothing."""
    if queue.pace_s is not None and queue.pace_cv2 is not None:
        return Pace(queue.pace_s, queue.pace_cv2)
    return prior(session, [queue.id])[queue.id]


def _bounded(cv2: float) -> float:
    lowest, highest = CV2_BOUNDS
    return min(highest, max(lowest, cv2))
