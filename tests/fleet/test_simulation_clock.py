"""The demonstration's time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.calendar import local_instant
from fleet.simulation.clock import DemoClock, leap
from fleet.simulation.drive import along, great_circle_km
from fleet.simulation.truth import shocks, site_truth

CAIRO = ZoneInfo("Africa/Cairo")
REAL = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SIM = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def working(day: date) -> bool:
    """Sunday to Thursday."""
    return day.weekday() not in (4, 5)


def test_a_simulated_minute_passes_each_real_second_and_the_stored_form_keeps_the_clock() -> None:
    clock = DemoClock(REAL, SIM, 60.0)
    assert clock.at(REAL + timedelta(seconds=90)) == SIM + timedelta(minutes=90)
    assert DemoClock.from_dict(clock.to_dict()) == clock


def test_before_its_anchor_the_clock_stands_and_it_never_goes_back() -> None:
    clock = DemoClock(REAL, SIM, 60.0)
    assert clock.at(REAL - timedelta(hours=1)) == SIM
    with pytest.raises(ValueError, match="cannot go back"):
        clock.leapt(REAL + timedelta(hours=1), SIM)
    with pytest.raises(ValueError, match="backwards"):
        DemoClock(REAL, SIM, -1.0)


@given(st.integers(0, 10**6), st.floats(0, 3600), st.floats(0, 3600))
def test_a_change_of_speed_does_not_move_the_present(seconds: int, before: float, after: float) -> None:
    clock = DemoClock(REAL, SIM, before)
    then = REAL + timedelta(seconds=seconds)
    assert clock.with_speed(then, after).at(then) == clock.at(then)


def test_while_nobody_ran_the_day_time_stood_still() -> None:
    clock = DemoClock(REAL, SIM, 60.0)
    stopped_at = SIM + timedelta(hours=2)
    again = clock.resumed(REAL + timedelta(days=3), stopped_at)
    assert again.at(REAL + timedelta(days=3)) == stopped_at


def test_the_night_is_leapt_over_to_seven_of_the_next_working_day() -> None:
    thursday_evening = local_instant(date(2026, 11, 19), 1051)
    assert leap(thursday_evening, working) == local_instant(date(2026, 11, 22), 420)
    before_dawn = local_instant(date(2026, 11, 22), 180)
    assert leap(before_dawn, working) == local_instant(date(2026, 11, 22), 420)
    noon = local_instant(date(2026, 11, 22), 720)
    assert leap(noon, working) is None
    assert leap(noon, lambda day: False) is None


@pytest.mark.parametrize(
    "day", [date(2026, 4, 23), date(2026, 4, 24), date(2026, 10, 29), date(2026, 10, 30)]
)
def test_the_morning_is_seven_on_the_wall_also_after_cairos_clock_change(day: date) -> None:
    evening = local_instant(day, 1080)
    there = leap(evening, lambda _: True)
    assert there is not None
    assert there.astimezone(CAIRO).hour == 7 and there.astimezone(CAIRO).date() == day + timedelta(days=1)


@given(st.floats(0, 1))
def test_a_van_stays_on_the_way_between_its_two_places(share: float) -> None:
    cairo, aswan = (30.06, 31.25), (24.09, 32.90)
    point = along(cairo, aswan, share)
    whole = great_circle_km(cairo, aswan)
    assert great_circle_km(cairo, point) == pytest.approx(share * whole, abs=0.05)
    assert great_circle_km(point, aswan) == pytest.approx((1 - share) * whole, abs=0.05)


def test_the_hidden_truth_differs_by_site_and_is_the_same_again_by_seed() -> None:
    day = date(2026, 11, 3)
    once = [site_truth(7, f"FC-{i}").factor(day) for i in range(200)]
    assert once == [site_truth(7, f"FC-{i}").factor(day) for i in reversed(range(200))][::-1]
    assert once != [site_truth(8, f"FC-{i}").factor(day) for i in range(200)]
    assert 0.8 < sum(once) / len(once) < 1.35
    assert max(once) > 1.8 * min(once)


def test_each_site_has_one_or_two_dated_shocks_in_eight_weeks() -> None:
    block = date(2026, 11, 3).toordinal() // 56
    counts = {len(shocks(7, f"FC-{i}", block)) for i in range(60)}
    assert counts == {1, 2}
    for shock in shocks(7, "FC-1", block):
        assert block * 56 <= shock.first <= shock.last < (block + 1) * 56
        assert shock.factor > 1.1
