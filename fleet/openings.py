"""When a building is open, by the calendar; and how a day ends."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import default_calendar, is_working_day, local_day, local_instant
from fleet.days.buildings import OVERTIME
from fleet.days.visits import VAN_OVERTIME
from fleet.store import Site, SiteQueue, Visit
from queueing.store import Queue

SEARCH_DAYS = 21
"""How far ahead a next opening is looked for: longer than any run of holidays."""


def hours_on(site: Site, day: date) -> tuple[int, int]:
    """Opening hours of the site on a day, minutes from midnight (Ramadan has its own)."""
    return default_calendar().hours(day, site.open_minute, site.close_minute)


def evening(session: Session, queue: Queue, now: datetime) -> tuple[datetime, datetime] | None:
    """When a queue's doors close today, and until when those inside are served after that; None on a day off."""
    visit = session.scalar(select(Visit).where(Visit.queue_id == queue.id))
    if visit is not None:
        return visit.closes_at, visit.closes_at + VAN_OVERTIME
    site = session.scalar(
        select(Site).join(SiteQueue, SiteQueue.site_id == Site.id).where(SiteQueue.queue_id == queue.id)
    )
    today = local_day(now)
    if site is None or not is_working_day(today):
        return None
    closes = local_instant(today, hours_on(site, today)[1])
    return closes, closes + OVERTIME


def next_opening(site: Site, now: datetime) -> datetime | None:
    """When the site opens next by the calendar; None when it is inside today's hours or nothing is found."""
    for ahead in range(SEARCH_DAYS):
        day = local_day(now) + timedelta(days=ahead)
        if not is_working_day(day):
            continue
        first, last = hours_on(site, day)
        if ahead == 0 and now >= local_instant(day, first):
            if now < local_instant(day, last):
                return None
            continue
        return local_instant(day, first)
    return None
