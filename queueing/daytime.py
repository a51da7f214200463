"""Local business days and hours of a zone (Africa/Cairo), right across clock changes. Pure.

Where the clock is put forward at midnight (Egypt, last Friday of April) the day begins at 01:00 and has 23
hours; where it is put back at midnight (last Thursday of October) the hour 23 happens twice and the day has
25.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

EARLY_HOURS = 4
"""Until this local hour the people of the evening before may still be called (a line that was open over
midnight)."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local(now: datetime, zone: str) -> datetime:
    """An instant on the wall clock of `zone`. Refuses naive times."""
    if now.tzinfo is None:
        raise ValueError(f"a naive time has no local day: {now!r}")
    return now.astimezone(_zone(zone))


def local_day(now: datetime, zone: str) -> date:
    """The local business day of an instant: from local midnight to local midnight."""
    if now.tzinfo is None:
        raise ValueError(f"a naive time has no local day: {now!r}")
    return hour_slot(now, zone)[0]


def at_minute(day: date, minute: int, zone: str) -> datetime:
    """The UTC instant at which the wall clock of a day shows `minute` minutes after midnight (510: half past
    eight)."""
    return (
        (datetime.combine(day, time(0)) + timedelta(minutes=minute))
        .replace(tzinfo=_zone(zone))
        .astimezone(UTC)
    )


def local_hour(now: datetime, zone: str) -> int:
    """The local hour (0-23) of an instant."""
    return local(now, zone).hour


def day_bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    """The UTC instants at which a local day begins and ends."""
    return _midnight(day, zone), _midnight(day + timedelta(days=1), zone)


@lru_cache(maxsize=4096)
def _midnight(day: date, zone: str) -> datetime:
    # A midnight that the clock leaps over maps to the instant of the leap; of two equal ones fold=0 is the
    # first.
    return datetime.combine(day, time(0), _zone(zone)).astimezone(UTC)


def callable_days(now: datetime, zone: str) -> list[date]:
    """The business days whose waiting people may be called now: today, and in the small hours also
    yesterday."""
    if now.tzinfo is None:
        raise ValueError(f"a naive time has no local day: {now!r}")
    day, hour = hour_slot(now, zone)
    return [day, day - timedelta(days=1)] if hour < EARLY_HOURS else [day]


def hour_slot(now: datetime, zone: str) -> tuple[date, int]:
    """(local day, local hour) of an instant, cached by quarter of an hour: for millions of instants."""
    return _slot((now - _EPOCH) // _QUARTER, zone)


def next_hour(now: datetime, zone: str) -> datetime:
    """The UTC instant at which the next local hour begins, strictly after `now`."""
    here = local(now, zone)
    return (
        now
        + timedelta(hours=1)
        - timedelta(minutes=here.minute, seconds=here.second, microseconds=here.microsecond)
    )


_QUARTER = timedelta(minutes=15)


@lru_cache(maxsize=65_536)
def _slot(quarter: int, zone: str) -> tuple[date, int]:
    here = (_EPOCH + quarter * _QUARTER).astimezone(_zone(zone))
    return here.date(), here.hour
