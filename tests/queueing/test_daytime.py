"""Local days and hours of Cairo, across clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given

from queueing.daytime import callable_days, day_bounds, hour_slot, local_day, local_hour, next_hour
from tests.strategies import instants

CAIRO = "Africa/Cairo"


def test_half_past_eleven_at_night_belongs_to_the_local_day() -> None:
    """23:30 in Cairo on 5 June (20:30 UTC) is 5 June; 00:30 (21:30 UTC of the 5th) is 6 June."""
    assert local_day(datetime(2026, 6, 5, 20, 30, tzinfo=UTC), CAIRO) == date(2026, 6, 5)
    assert local_day(datetime(2026, 6, 5, 21, 30, tzinfo=UTC), CAIRO) == date(2026, 6, 6)


def test_the_day_without_a_midnight_has_23_hours() -> None:
    """On 24 April 2026 Cairo's clock leaps from 00:00 to 01:00."""
    begin, end = day_bounds(date(2026, 4, 24), CAIRO)
    assert (begin, end - begin) == (datetime(2026, 4, 23, 22, tzinfo=UTC), timedelta(hours=23))
    assert (local_day(begin, CAIRO), local_hour(begin, CAIRO)) == (date(2026, 4, 24), 1)
    assert local_day(begin - timedelta(microseconds=1), CAIRO) == date(2026, 4, 23)


def test_the_day_before_the_clock_goes_back_has_25_hours() -> None:
    """On 29 October 2026 the hour from 23:00 happens twice, both times on the 29th."""
    begin, end = day_bounds(date(2026, 10, 29), CAIRO)
    assert end - begin == timedelta(hours=25)
    twice = [datetime(2026, 10, 29, hour, 30, tzinfo=UTC) for hour in (20, 21)]
    assert [hour_slot(instant, CAIRO) for instant in twice] == [(date(2026, 10, 29), 23)] * 2


@given(instants)
def test_days_follow_each_other_without_gap(instant: datetime) -> None:
    """Every instant lies within the bounds of its own day, and the next day begins where it ends."""
    day = local_day(instant, CAIRO)
    begin, end = day_bounds(day, CAIRO)
    assert begin <= instant < end
    assert day_bounds(day + timedelta(days=1), CAIRO)[0] == end


@given(instants)
def test_the_quick_slot_is_the_local_hour_and_hours_end_where_they_say(instant: datetime) -> None:
    """The cached slot equals the wall clock; until the next hour it stays, then it changes (or happens
    twice)."""
    assert hour_slot(instant, CAIRO) == (local_day(instant, CAIRO), local_hour(instant, CAIRO))
    following = next_hour(instant, CAIRO)
    assert timedelta(0) < following - instant <= timedelta(hours=1)
    assert hour_slot(following - timedelta(microseconds=1), CAIRO) == hour_slot(instant, CAIRO)
    assert following.minute == following.second == 0


def test_naive_times_are_refused() -> None:
    """A time without a zone has no local day."""
    with pytest.raises(ValueError):
        local_day(datetime(2026, 1, 1, 12), CAIRO)  # noqa: DTZ001


def test_over_midnight_the_people_of_the_evening_may_still_be_called() -> None:
    """At 00:10 both days, at 04:00 only the new one."""
    assert callable_days(datetime(2026, 11, 22, 22, 10, tzinfo=UTC), CAIRO) == [
        date(2026, 11, 23),
        date(2026, 11, 22),
    ]
    assert callable_days(datetime(2026, 11, 23, 2, 0, tzinfo=UTC), CAIRO) == [date(2026, 11, 23)]
