"""The lines of fixed centers as a model needs them: desks by hour, pace, spread, leaving; measured where
they can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet import demand
from fleet.calendar import local_day
from fleet.relief import Floats
from fleet.store import Site, SiteQueue
from queueing.store import Desk, QueueHour, QueueService, Service

HISTORY_DAYS = 84
"""How far back measures are read."""
STAFF_DAYS = 28
"""Who sits at the desks is read from the last four weeks: rosters change faster than demand."""
SERVICE_PRIOR = 200.0
"""Pace and spread are drawn to the catalogue's as if from so many citizens."""
STAFF_PRIOR_DAYS = 5.0
"""Staffing of an hour is drawn to the national share of desks in that hour as if from so many days."""
CATALOGUE_CS2 = 0.35
"""Squared coefficient of variation of service where nothing is measured (a mix of triangular times)."""
LEAVE_PRIOR_H = 400.0
"""Leaving is drawn to the national rate as if from so many person-hours of waiting."""


@dataclass(frozen=True, slots=True)
class Queues:
    """The fixed queues in one order. Arrays are over queues; `desks` counts desks, `staffed` (queues x 24)
    says how many of them are staffed in each local hour of an open day; `service_h` is the desk time a
    person takes, walking included."""

    ids: tuple[int, ...]
    site_ids: tuple[int, ...]
    open_minute: tuple[int, ...]
    close_minute: tuple[int, ...]
    level_prior: Floats
    desks: Floats
    staffed: Floats
    service_h: Floats
    cs2: Floats
    leave_rate: Floats


def load_queues(session: Session, *, now: datetime) -> Queues:
    """Return the queues of active fixed centers and complexes, by site and queue, with all that is measured
    of them."""
    found = session.execute(
        select(SiteQueue.queue_id, Site.id, Site.open_minute, Site.close_minute, Site.population)
        .join(Site, Site.id == SiteQueue.site_id)
        .where(Site.active)
        .order_by(Site.id, SiteQueue.queue_id)
    ).all()
    index = {row[0]: i for i, row in enumerate(found)}
    lines_at: dict[int, int] = {}
    for row in found:
        lines_at[row[1]] = lines_at.get(row[1], 0) + 1
    prior = [demand.daily_requests(row[4]) / lines_at[row[1]] for row in found]
    desks = np.ones(len(found))
    for queue_id, count in session.execute(select(Desk.queue_id, func.count()).group_by(Desk.queue_id)):
        if queue_id in index:
            desks[index[queue_id]] = count
    service, cs2, leave = _pace(session, index, now)
    return Queues(
        tuple(row[0] for row in found),
        tuple(row[1] for row in found),
        tuple(row[2] for row in found),
        tuple(row[3] for row in found),
        np.array(prior, float),
        desks,
        _staffed(session, index, desks, [row[3] for row in found], now),
        service,
        cs2,
        leave,
    )


def services_of_sites(session: Session) -> dict[int, list[Service]]:
    """Return the services of every queue of a building, by queue id: not those of the thousands of past visits."""
    known = {service.id: service for service in session.scalars(select(Service))}
    mixes: dict[int, list[Service]] = {}
    for queue_id, service_id in session.execute(
        select(QueueService.queue_id, QueueService.service_id)
        .join(SiteQueue, SiteQueue.queue_id == QueueService.queue_id)
        .order_by(QueueService.queue_id, QueueService.service_id)
    ):
        mixes.setdefault(queue_id, []).append(known[service_id])
    return mixes


def _staffed(
    session: Session, index: Mapping[int, int], desks: Floats, closes: list[int], now: datetime
) -> Floats:
    """Mean staffed desks by hour. Where nothing is measured, and after closing (who is left is served by
    whoever is there): all desks by the national share of the hour before."""
    today = local_day(now)
    q = QueueHour
    staffed, days = np.zeros((len(desks), 24)), np.zeros((len(desks), 24))
    for queue_id, hour, seconds, count in session.execute(
        select(q.queue_id, q.hour, func.sum(q.desk_s), func.count())
        .where(q.day >= today - timedelta(days=STAFF_DAYS), q.day < today, q.desk_s > 0)
        .group_by(q.queue_id, q.hour)
    ):
        if queue_id in index:
            staffed[index[queue_id], hour], days[index[queue_id], hour] = seconds / 3600, count
    possible = (days * desks[:, None]).sum(axis=0)
    national = np.divide(staffed.sum(axis=0), possible, out=np.ones(24), where=possible > 0)
    full = staffed + STAFF_PRIOR_DAYS * desks[:, None] * national[None, :]
    result: Floats = full / (days + STAFF_PRIOR_DAYS)
    last = np.array([(minute - 1) // 60 for minute in closes], dtype=np.intp)
    after = np.arange(24)[None, :] > last[:, None]
    result = np.where(after, np.take_along_axis(result, last[:, None], axis=1), result)
    return np.clip(result, 0.0, desks[:, None])


def _pace(session: Session, index: Mapping[int, int], now: datetime) -> tuple[Floats, Floats, Floats]:
    """Desk hours a person, cs2 of service, and rate of leaving: measured, drawn to the catalogue and the
    nation."""
    size = len(index)
    mean = np.full(size, 0.2)
    for queue_id, services in services_of_sites(session).items():
        if queue_id in index:
            mean[index[queue_id]] = max(demand.mean_service_minutes(services), 1.0) / 60
    q = QueueHour
    today = local_day(now)
    held, called, total, square, served, left, waited = (np.zeros(size) for _ in range(7))
    columns = (q.held_s, q.called, q.service_s, q.service_sq, q.served, q.left_waiting, q.waiting_s)
    for row in session.execute(
        select(q.queue_id, *(func.sum(column) for column in columns))
        .where(q.day >= today - timedelta(days=HISTORY_DAYS), q.day < today)
        .where(q.queue_id.in_(select(SiteQueue.queue_id)))
        .group_by(q.queue_id)
    ):
        i = index.get(row[0])
        if i is not None:
            figures = [float(value or 0.0) for value in tuple(row)[1:]]
            held[i], called[i], total[i], square[i], served[i], left[i], waited[i] = figures
    pace = (held / 3600 + SERVICE_PRIOR * mean) / (called + SERVICE_PRIOR)
    first = (total / 3600 + SERVICE_PRIOR * mean) / (served + SERVICE_PRIOR)
    second = (square / 3600**2 + SERVICE_PRIOR * mean**2 * (1 + CATALOGUE_CS2)) / (served + SERVICE_PRIOR)
    cs2: Floats = np.clip(second / first**2 - 1, 0.05, 3.0)
    waited = waited / 3600
    national = left.sum() / waited.sum() if waited.sum() > 0 else 0.0
    return pace, cs2, (left + LEAVE_PRIOR_H * national) / (waited + LEAVE_PRIOR_H)
