"""The prior of demand: the published level, shapes that sum to one, nothing on days off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet import demand


@dataclass
class Offered:
    code: str
    popularity: float
    minutes_low: float
    minutes_mode: float
    minutes_high: float


def test_sharqias_people_make_sharqias_published_requests() -> None:
    """1,521 a working day were published for 7,163,824 people."""
    assert demand.daily_requests(7_163_824) == pytest.approx(1521, rel=0.002)


def test_an_ordinary_year_of_days_adds_up_to_the_yearly_rate() -> None:
    days = [date(2025, 1, 1) + timedelta(days=n) for n in range(365)]
    total = sum(demand.expected_requests(100_000, day) for day in days)
    assert total == pytest.approx(5270, rel=0.06)


def test_no_requests_are_expected_on_fridays_saturdays_and_holidays() -> None:
    for day in (date(2026, 11, 20), date(2026, 11, 21), date(2026, 10, 8)):
        assert demand.expected_requests(1_000_000, day) == 0
    assert demand.expected_requests(1_000_000, date(2026, 11, 22)) > 0


def test_sunday_is_fuller_than_wednesday_and_ramadan_calmer_than_the_weeks_before() -> None:
    assert demand.expected_requests(1, date(2026, 11, 22)) > demand.expected_requests(1, date(2026, 11, 25))
    assert (
        demand.expected_requests(1, date(2026, 3, 1))
        < 0.85 * demand.expected_requests(1, date(2026, 2, 15)) * 1.05
    )


@given(st.integers(0, 1300), st.integers(30, 600))
def test_hour_shares_sum_to_one_and_stay_inside_the_opening_hours(opens: int, length: int) -> None:
    closes = min(1440, opens + length)
    shares = demand.hour_shares(opens, closes)
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares) == opens // 60 and max(shares) == (closes - 1) // 60


def test_people_come_most_before_noon() -> None:
    shares = demand.hour_shares(510, 900)
    assert max(shares, key=lambda hour: shares[hour]) in (10, 11)
    assert sum(demand.rate_at(minute, 510, 900) for minute in range(510, 900)) == pytest.approx(1, rel=0.01)
    assert demand.rate_at(509, 510, 900) == demand.rate_at(900, 510, 900) == 0


def test_the_mix_weighs_minutes_by_popularity() -> None:
    services = [Offered("A", 3, 1, 2, 3), Offered("B", 1, 10, 20, 30)]
    assert demand.service_shares(services) == {"A": 0.75, "B": 0.25}
    assert demand.mean_service_minutes(services) == pytest.approx(0.75 * 2 + 0.25 * 20)
    assert demand.service_shares([]) == {}
