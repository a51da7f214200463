"""Positions, lateness and silence of vans, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet.errors import Invalid
from fleet.store import Center, Position
from fleet.tracking import (
    drive_minutes,
    lateness,
    mark_silent,
    on_duty,
    prune_positions,
    record_position,
    track,
)
from queueing.store import Outbox
from tests.fleet.network_cast import DAY, TANTA, VILLAGES, Country, at, country, minutes

NEAR, MID = VILLAGES["near"][2:], VILLAGES["mid"][2:]


@pytest.fixture
def cast(session: Session) -> Iterator[Country]:
    yield country(session)


def hear(
    cast: Country, minute: float, point: tuple[float, float], *, sent: float | None = None, device: str = "d1"
):
    """A position taken at a minute, received at `sent`."""
    instant = at(0) + minutes(minute)
    return record_position(
        cast.session, cast.centers[0], device=device, at=instant, lat=point[0], lon=point[1],
        now=at(0) + minutes(sent if sent is not None else minute),
    )  # fmt: skip


def announced(cast: Country) -> list[Outbox]:
    cast.session.flush()
    return list(cast.session.scalars(select(Outbox).where(Outbox.topic.like("center:%")).order_by(Outbox.id)))


def test_a_position_moves_the_center_and_is_announced_once_with_a_rising_seq(cast: Country) -> None:
    hear(cast, 550, NEAR)
    hear(cast, 551, MID)
    rows = announced(cast)
    assert [row.seq for row in rows] == [1, 2] and rows[1].data["lat"] == MID[0]
    assert rows[0].topic == f"center:{cast.centers[0].id}"
    assert (cast.centers[0].lat, cast.centers[0].last_heard_at) == (MID[0], at(551))


def test_the_same_position_sent_again_is_one_position_and_no_news(cast: Country) -> None:
    first, again = hear(cast, 550, NEAR), hear(cast, 550, NEAR, sent=552)
    assert (first.repeated, again.repeated) == (False, True)
    assert cast.session.scalar(select(func.count()).select_from(Position)) == 1
    assert len(announced(cast)) == 1 and cast.centers[0].seq == 1


def test_two_devices_may_tell_the_same_instant(cast: Country) -> None:
    hear(cast, 550, NEAR)
    assert not hear(cast, 550, NEAR, device="d2").repeated


def test_an_old_position_that_comes_late_is_kept_but_moves_nothing(cast: Country) -> None:
    hear(cast, 560, MID)
    late = hear(cast, 550, NEAR, sent=561)
    assert not late.moved and cast.centers[0].lat == MID[0] and len(announced(cast)) == 1
    assert [p.lat for p in track(cast.session, cast.centers[0], since=at(0))] == [NEAR[0], MID[0]]


@pytest.mark.parametrize(
    "point", [(91.0, 0.0), (30.0, 181.0), (0.0, 0.0), (float("nan"), 31.0), (30.0, float("inf"))]
)
def test_impossible_points_are_refused_and_change_nothing(cast: Country, point: tuple[float, float]) -> None:
    with pytest.raises(Invalid) as caught:
        hear(cast, 550, point)
    assert caught.value.code == "position_invalid" and cast.centers[0].seq == 0


def test_a_position_from_the_future_is_refused(cast: Country) -> None:
    with pytest.raises(Invalid) as caught:
        hear(cast, 560, NEAR, sent=550)
    assert caught.value.code == "position_from_future"
    assert hear(cast, 554, NEAR, sent=550).moved, "a clock a little ahead is no reason to lose a van"


def test_a_van_in_its_depot_before_departure_is_in_time(cast: Country) -> None:
    cast.visit("mid", opens=600, depart=570)
    hear(cast, 565, TANTA)
    assert cast.centers[0].late_minutes == 0


def test_a_van_still_in_its_depot_after_departure_is_as_late_as_it_will_arrive(cast: Country) -> None:
    """Driving and setting up from now: 595 + drive + 20 minutes against an opening at 600."""
    cast.visit("mid", opens=600, depart=540)
    hear(cast, 595, TANTA)
    km = 19.4
    assert cast.centers[0].late_minutes == pytest.approx(595 + drive_minutes(km) + 20 - 600, abs=2)


def test_a_van_at_its_stop_is_late_only_by_the_clock(cast: Country) -> None:
    visit = cast.visit("mid", opens=600)
    hear(cast, 590, MID)
    assert cast.centers[0].late_minutes == 0
    assert lateness(cast.session, cast.centers[0], now=at(612)) == 12
    visit.status, visit.opened_at = "open", at(615)
    cast.session.flush()
    assert lateness(cast.session, cast.centers[0], now=at(700)) == 15, "an open visit is as late as it opened"


def test_a_van_without_visits_is_never_late(cast: Country) -> None:
    cast.visit("mid").status = "cancelled"
    assert lateness(cast.session, cast.centers[0], now=at(700)) == 0


def test_duty_lasts_from_the_first_departure_to_the_last_closing(cast: Country) -> None:
    cast.visit("near", opens=600, closes=700, depart=570)
    cast.visit("mid", opens=760, closes=900, depart=710)
    cast.visit("far", van=1).status = "cancelled"
    cast.session.flush()
    first = cast.centers[0].id
    assert on_duty(cast.session, now=at(569)) == {}
    assert on_duty(cast.session, now=at(730)) == {first: at(570)}
    assert on_duty(cast.session, now=at(900)) == {}


def test_a_van_on_duty_that_says_nothing_for_ten_minutes_is_silent_until_heard_again(cast: Country) -> None:
    cast.visit("near", depart=540)
    assert mark_silent(cast.session, now=at(549)) == []
    assert mark_silent(cast.session, now=at(551)) == [cast.centers[0]]
    assert cast.centers[0].silent and not cast.centers[1].silent
    assert mark_silent(cast.session, now=at(552)) == [], "a mark is set once"
    hear(cast, 553, NEAR)
    assert not cast.centers[0].silent
    assert mark_silent(cast.session, now=at(560)) == []
    assert mark_silent(cast.session, now=at(564)) == [cast.centers[0]]


def test_the_mark_goes_when_duty_ends_and_off_duty_vans_are_not_marked(cast: Country) -> None:
    cast.visit("near", depart=540, closes=700)
    mark_silent(cast.session, now=at(600))
    assert mark_silent(cast.session, now=at(701)) == [cast.centers[0]] and not cast.centers[0].silent


def test_a_van_out_of_service_is_not_silent(cast: Country) -> None:
    cast.visit("near", depart=540)
    cast.centers[0].status = "out_of_service"
    cast.session.flush()
    assert mark_silent(cast.session, now=at(600)) == []


def test_driving_takes_longer_the_farther_and_is_quicker_per_km(cast: Country) -> None:
    assert drive_minutes(0) == 0
    assert drive_minutes(10) < drive_minutes(20) and drive_minutes(200) / 200 < drive_minutes(10) / 10
    assert drive_minutes(5) == pytest.approx(6.5 / 30 * 60)


def test_old_positions_are_deleted_and_young_ones_stay(cast: Country) -> None:
    hear(cast, 550, NEAR)
    assert prune_positions(cast.session, now=at(550) + minutes(29 * 1440)) == 0
    assert prune_positions(cast.session, now=at(550) + minutes(31 * 1440)) == 1
    assert cast.session.scalar(select(func.count()).select_from(Center)) == 2 and DAY.weekday() == 6
