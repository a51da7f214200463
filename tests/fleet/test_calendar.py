"""Egypt's days: weeks from Saturday, holidays and decrees, Ramadan hours, and clock changes at midnight."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.calendar import (
    CAIRO,
    FIXED_WEEK,
    MOBILE_WEEK,
    Calendar,
    DayClass,
    Decrees,
    default_calendar,
    is_working_day,
    local_day,
    local_instant,
    local_minute,
    week_days,
    week_of,
    weekday_index,
)
from fleet.errors import Invalid

DAYS = st.dates(date(2024, 1, 1), date(2030, 12, 31))


@given(DAYS)
def test_a_week_starts_on_saturday_and_holds_its_day(day: date) -> None:
    week = week_of(day)
    assert week.weekday() == 5
    assert day in week_days(day) and len(week_days(day)) == 7
    assert week_days(day)[weekday_index(day)] == day


def test_vans_work_on_saturday_and_fixed_centers_do_not() -> None:
    saturday, friday, sunday = date(2026, 11, 21), date(2026, 11, 20), date(2026, 11, 22)
    assert is_working_day(saturday, weekdays=MOBILE_WEEK) and not is_working_day(
        saturday, weekdays=FIXED_WEEK
    )
    assert not is_working_day(friday, weekdays=MOBILE_WEEK)
    assert is_working_day(sunday) and is_working_day(sunday, weekdays=MOBILE_WEEK)


def test_nobody_works_on_a_holiday_and_it_has_names_in_both_languages() -> None:
    """6 October 2026, a Tuesday, is observed on Thursday the 8th."""
    calendar = default_calendar()
    assert calendar.is_working_day(date(2026, 10, 6))
    assert calendar.day_class(date(2026, 10, 8)) is DayClass.HOLIDAY
    holiday = calendar.holiday(date(2026, 10, 8))
    assert holiday is not None and "Armed Forces" in holiday.name_en and "القوات المسلحة" in holiday.name_ar


def test_the_cabinets_decree_of_eid_2025_is_in_the_table() -> None:
    """The packages know two days; 29 March to 2 April 2025 were decreed."""
    calendar = default_calendar()
    decreed = [date(2025, 3, 29) + timedelta(days=n) for n in range(5)]
    assert all(calendar.day_class(day) is DayClass.HOLIDAY for day in decreed)
    assert not Calendar().holiday(date(2025, 4, 2)), "without the table the fifth day would be worked"


def test_a_decree_can_also_make_a_holiday_worked_and_move_ramadan() -> None:
    rows = [
        {"day": "2026-10-08", "kind": "worked", "name_ar": "", "name_en": "", "status": "declared"},
        {"day": "2026-02-19", "kind": "ramadan_first", "name_ar": "", "name_en": "", "status": "declared"},
    ]
    calendar = Calendar(Decrees.from_rows(rows))
    assert calendar.is_working_day(date(2026, 10, 8))
    assert default_calendar().is_ramadan(date(2026, 2, 18)) and not calendar.is_ramadan(date(2026, 2, 18))
    assert calendar.is_ramadan(date(2026, 2, 19))


def test_a_decree_of_unknown_kind_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        Decrees.from_rows([{"day": "2026-01-01", "kind": "of", "name_ar": "", "name_en": "", "status": ""}])
    assert caught.value.code == "decree_kind"


def test_ramadan_shortens_the_day() -> None:
    calendar = default_calendar()
    assert calendar.day_class(date(2026, 3, 1)) is DayClass.RAMADAN
    assert calendar.hours(date(2026, 3, 1), 510, 900) == (540, 840)
    assert calendar.hours(date(2026, 5, 3), 510, 900) == (510, 900)
    assert calendar.hours(date(2026, 3, 1), 600, 780) == (600, 780), (
        "a place that opens later stays with its hours"
    )


def test_a_year_with_two_ramadans_knows_both() -> None:
    calendar = default_calendar()
    assert calendar.is_ramadan(date(2030, 1, 10)) and calendar.is_ramadan(date(2030, 12, 30))
    assert calendar.is_ramadan(date(2031, 1, 5)) and not calendar.is_ramadan(date(2030, 6, 1))


def test_a_midnight_that_does_not_exist_is_the_instant_of_the_jump() -> None:
    """24 April 2026: 00:00 becomes 01:00 in Cairo."""
    jump = datetime(2026, 4, 23, 22, 0, tzinfo=UTC)
    assert {local_instant(date(2026, 4, 24), minute) for minute in (0, 1, 30, 59, 60)} == {jump}
    assert local_instant(date(2026, 4, 24), 510) == datetime(2026, 4, 24, 5, 30, tzinfo=UTC)
    assert local_day(jump) == date(2026, 4, 24) and local_minute(jump) == 60


def test_a_repeated_minute_is_its_first_time_and_the_day_has_25_hours() -> None:
    """29 October 2026: 24:00 becomes 23:00."""
    assert local_instant(date(2026, 10, 29), 23 * 60 + 30) == datetime(2026, 10, 29, 20, 30, tzinfo=UTC)
    start, end = local_instant(date(2026, 10, 29), 0), local_instant(date(2026, 10, 30), 0)
    assert end - start == timedelta(hours=25)


@given(DAYS, st.integers(0, 1440), st.integers(0, 1440))
def test_later_minutes_are_never_earlier_instants(day: date, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert local_instant(day, low) <= local_instant(day, high)


@given(DAYS, st.integers(0, 1439))
def test_wall_clock_and_instant_agree_wherever_the_minute_exists(day: date, minute: int) -> None:
    instant = local_instant(day, minute)
    local = instant.astimezone(CAIRO)
    shown = local.hour * 60 + local.minute
    skipped = shown == 60 and minute < 60
    assert local.date() == day and (shown == minute or skipped)
