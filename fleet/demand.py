"""How many people come, when, and for what: the prior that forecasts and simulations start from. Pure.

Level: 377,221 requests a year in Sharqia (7,163,824 inhabitants), 2025, over 248 working days: 52.7 requests
per 1,000 people and year (Shorouk, 8 January 2026). Shapes of the day and week are our own round values,
shaped by what published logs of municipal offices show (a late-morning peak, a fuller first day), stretched
over Egyptian hours; seasons by the June to August peak of school, military and ration-card files (press,
2015) and a 40% swing between months (2025).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Protocol

from fleet.calendar import Calendar, DayClass, default_calendar

REQUESTS_PER_1000 = 52.7
"""Requests per 1,000 people and year (Sharqia 2025)."""

WORKING_DAYS = 248
"""Working days a year of a fixed center, as in the published figure."""

DAY_PROFILE = (0.55, 0.95, 1.20, 1.30, 1.25, 1.10, 0.95, 0.55)
"""Relative arrival rate in eighths of the opening time: people come late in the morning, few in the last
minutes."""

WEEKDAY_FACTORS = {5: 0.90, 6: 1.09, 0: 1.02, 1: 0.98, 2: 0.95, 3: 0.96, 4: 0.0}
"""By `date.weekday()`; Sunday opens the week of fixed centers (their five days average 1), Saturday is for
vans only."""

MONTH_FACTORS = {
    1: 1.05,
    2: 0.88,
    3: 0.92,
    4: 0.95,
    5: 0.98,
    6: 1.08,
    7: 1.14,
    8: 1.12,
    9: 1.04,
    10: 0.98,
    11: 0.95,
    12: 0.91,
}
"""By month, mean 1."""

RAMADAN_FACTOR = 0.72
"""Fewer hours and fewer visits in Ramadan, against an ordinary day of the same month."""


class Mixed(Protocol):
    """A service as far as its share and its minutes go (`queueing.store.Service` is one)."""

    code: str
    popularity: float
    minutes_low: float
    minutes_mode: float
    minutes_high: float


def daily_requests(
    population: float, *, per_1000: float = REQUESTS_PER_1000, working_days: int = WORKING_DAYS
) -> float:
    """Requests on an average working day of a place that serves `population` people."""
    return population * per_1000 / 1000 / working_days


def expected_requests(population: float, day: date, *, calendar: Calendar | None = None) -> float:
    """Requests expected on this very day at a fixed center: 0 on its days off, else level x weekday x month
    x Ramadan."""
    kind = (calendar or default_calendar()).day_class(day)
    if kind not in (DayClass.ORDINARY, DayClass.RAMADAN):
        return 0.0
    return daily_requests(population) * day_factor(day, kind)


def day_factor(day: date, kind: DayClass) -> float:
    """Weekday x month x Ramadan, around 1, without regard to whether anything is open."""
    factor = WEEKDAY_FACTORS[day.weekday()] * MONTH_FACTORS[day.month]
    return factor * RAMADAN_FACTOR if kind is DayClass.RAMADAN else factor


def hour_shares(open_minute: int, close_minute: int) -> dict[int, float]:
    """Share of a day's arrivals in each local hour (0-23), from opening to closing in minutes from midnight;
    sums to 1."""
    if close_minute <= open_minute:
        return {}
    step = (close_minute - open_minute) / len(DAY_PROFILE)
    total = sum(DAY_PROFILE)
    shares: dict[int, float] = {}
    for part, weight in enumerate(DAY_PROFILE):
        start, end = open_minute + part * step, open_minute + (part + 1) * step
        for hour in range(int(start // 60), int(-(-end // 60))):
            overlap = min(end, (hour + 1) * 60) - max(start, hour * 60)
            if overlap > 0:
                shares[hour] = shares.get(hour, 0.0) + weight / total * overlap / step
    return shares


def rate_at(minute: float, open_minute: int, close_minute: int) -> float:
    """Share of the day's arrivals per minute at a minute of the day (piecewise constant; integrates to 1)."""
    if not open_minute <= minute < close_minute:
        return 0.0
    step = (close_minute - open_minute) / len(DAY_PROFILE)
    return (
        DAY_PROFILE[min(len(DAY_PROFILE) - 1, int((minute - open_minute) / step))] / sum(DAY_PROFILE) / step
    )


def service_shares(services: Iterable[Mixed]) -> dict[str, float]:
    """Share of each service code among the services a place offers, from their popularity; sums to 1 (or is
    empty)."""
    weights = {service.code: service.popularity for service in services}
    total = sum(weights.values())
    return {code: weight / total for code, weight in weights.items()} if total > 0 else {}


def mean_service_minutes(services: Iterable[Mixed], shares: Mapping[str, float] | None = None) -> float:
    """Mean minutes at the counter over a mix: each service is triangular (low, mode, high), mean (l + m + h)
    / 3."""
    services = list(services)
    shares = shares if shares is not None else service_shares(services)
    return sum(shares[s.code] * (s.minutes_low + s.minutes_mode + s.minutes_high) / 3 for s in services)
