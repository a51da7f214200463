"""When a building is open, by the calendar."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from fleet.calendar import default_calendar, is_working_day, local_day, local_instant
from fleet.store import Site

SEARCH_DAYS = 21
"""How far ahead a next opening is looked for: longer than any run of holidays."""


def hours_on(site: Site, day: date) -> tuple[int, int]:
    """Opening hours of the site on a day, minutes from midnight (Ramadan has its own)."""
    return default_calendar().hours(day, site.open_minute, site.close_minute)


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
