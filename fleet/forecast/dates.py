"""What dates do to demand: Ramadan, paydays, the days after a holiday, school registration. Pure.

Each is a dated effect: a factor known beforehand (1 where nothing is), learned from all sites as its days come by,
and each site's own drawn to that. Weekends and holidays themselves are days off, not effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from fleet import demand
from fleet.calendar import Calendar, in_season
from fleet.forecast.rhythm import Days

PAYDAYS = range(24, 28)
"""Days of the month after the state pays salaries (the 24th)."""
EFFECTS = ("ramadan", "payday", "after_holiday", "school")
EFFECT_PRIOR = (demand.RAMADAN_FACTOR, 1.0, 1.0, 1.0)
"""As known beforehand; the busier months of school files are in `demand.MONTH_FACTORS` already."""


def effects_of(day: date, calendar: Calendar) -> tuple[bool, ...]:
    """Which of EFFECTS hold on the day."""
    return (
        calendar.is_ramadan(day),
        day.day in PAYDAYS,
        calendar.is_after_holiday(day),
        in_season("school_registration", day),
    )


def day_facts(days: Sequence[date], calendar: Calendar) -> Days:
    """Weekday, effects, hours and known season of each day."""
    held = [effects_of(day, calendar) for day in days]
    return Days.of(
        [day.weekday() for day in days],
        [[row[e] for row in held] for e in range(len(EFFECTS))],
        [row[0] for row in held],
        [demand.MONTH_FACTORS[day.month] for day in days],
    )
