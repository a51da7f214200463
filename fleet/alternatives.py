"""Where somebody can go instead, when what they hold a ticket for does not take place: the nearest visits and buildings
that offer the service, soonest first among the near ones (the order of fleet/nearby.py)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.appointments import slots_on
from fleet.calendar import local_day
from fleet.nearby import BANDS_KM, visits_near
from fleet.network.geo import km_between
from fleet.openings import next_opening
from fleet.retiring import site_of
from fleet.store import Site, SiteQueue, Visit
from queueing.slots import Slot, rules_of
from queueing.store import Queue, QueueService, Service

DAYS_AHEAD = 21
"""Visits are announced a week or two ahead."""
BOOKED_AHEAD = 7
"""Days in which a building's free appointment is looked for."""
LOOKED_AT = 12
"""Visits around, cancelled and full ones too, that are looked at."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A place to go to. `at`: a free appointment there, or None: come without one. `opens_at`: None when open now."""

    queue: Queue
    site: Site
    visit: Visit | None
    km: float
    """Great circle from where the ticket was for."""
    at: datetime | None
    opens_at: datetime | None
    day: date

    @property
    def order(self) -> tuple[int, date, float, int]:
        """The nearer band, then the sooner day, then the nearer place."""
        return bisect_left(BANDS_KM[1:-1], self.km), self.day, self.km, self.queue.id


def place_of_queue(session: Session, queue_id: int) -> Site | None:
    """Where a queue stands: its visit's site, or its building (of one that is out of use, where it stood)."""
    at_visit = select(Site).join(Visit, Visit.site_id == Site.id).where(Visit.queue_id == queue_id)
    return session.scalar(at_visit) or site_of(session, queue_id)


def alternatives(
    session: Session, queue_id: int, service_id: int, *, now: datetime, most: int = 3
) -> list[Alternative]:
    """Up to `most` places for a service, around where the queue stands. The queue itself may be one of them (a building
    on another day), a cancelled visit never is. Reads only; nothing is kept for anybody."""
    here = place_of_queue(session, queue_id)
    if here is None:
        return []
    service = session.get_one(Service, service_id)
    found: list[Alternative] = []
    for one in _visits(session, here, service, now):
        if len(found) == most:
            break
        found.append(one)
    found += _buildings(session, here, service, now, most)
    return sorted(found, key=lambda one: one.order)[:most]


def _visits(session: Session, here: Site, service: Service, now: datetime) -> Iterator[Alternative]:
    until = local_day(now) + timedelta(days=DAYS_AHEAD)
    page = visits_near(
        session, here.lat, here.lon, now=now, service=service.code, date_to=until, limit=LOOKED_AT
    )
    for near in page.visits:
        visit = near.visit
        queue = visit.queue
        if visit.status == "cancelled" or queue.moved_to_id is not None or queue.closing:
            continue
        free = None if queue.held_by else _first_free(session, queue, visit.day, service.id, now)
        is_open = visit.status == "open" and queue.state == "open"
        if free is not None or is_open:
            opens = None if visit.opens_at <= now else visit.opens_at
            yield Alternative(
                queue, visit.site, visit, near.km, free.at if free is not None else None, opens, visit.day
            )


def _buildings(
    session: Session, here: Site, service: Service, now: datetime, most: int
) -> Iterator[Alternative]:
    rows = session.execute(
        select(Site, Queue)
        .join(SiteQueue, SiteQueue.site_id == Site.id)
        .join(Queue, Queue.id == SiteQueue.queue_id)
        .join(QueueService, QueueService.queue_id == Queue.id)
        .where(
            Site.active, QueueService.service_id == service.id, Queue.moved_to_id.is_(None),
            Queue.held_by.is_(None), Site.kind.in_(("fixed", "complex")),
        )
    ).all()  # fmt: skip
    near = sorted(
        ((km_between(here.lat, here.lon, site.lat, site.lon), queue.id, site, queue) for site, queue in rows),
        key=lambda row: row[:2],
    )
    today = local_day(now)
    for km, _number, site, queue in near[:most]:
        opens = next_opening(site, now)
        if opens is None and queue.state != "open":  # closed early today: not before another day
            opens = next_opening(site, now + timedelta(days=1)) or now + timedelta(days=1)
        free = _booked_ahead(session, queue, service.id, now) if rules_of(session, queue.id) else None
        day = local_day(free.at) if free is not None else local_day(opens) if opens is not None else today
        yield Alternative(queue, site, None, round(km, 3), free.at if free is not None else None, opens, day)


def _booked_ahead(session: Session, queue: Queue, service_id: int, now: datetime) -> Slot | None:
    today = local_day(now)
    first = 0 if queue.state == "open" else 1
    for ahead in range(first, BOOKED_AHEAD + 1):
        free = _first_free(session, queue, today + timedelta(days=ahead), service_id, now)
        if free is not None:
            return free
    return None


def _first_free(session: Session, queue: Queue, day: date, service_id: int, now: datetime) -> Slot | None:
    found = slots_on(session, queue, day, service_id=service_id, now=now)
    return next((slot for slot in found if slot.free > 0), None)
