"""Finding visits near a point and places by name: what a citizen sees first, and what must not be shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from fleet.errors import Invalid
from fleet.nearby import BANDS_KM, find_places, governorates, local_units, visits_near
from fleet.network.geo import km_between
from tests.fleet.network_cast import DAY, TANTA, Country, at, country


@pytest.fixture
def cast(memory: Session) -> Iterator[Country]:
    yield country(memory)


def near(cast: Country, **given: object) -> list[str]:
    """Codes of the sites found from Tanta at 08:00, in order."""
    page = visits_near(cast.session, *TANTA, **{"now": at(480), **given})  # type: ignore[arg-type]
    return [found.visit.site.code for found in page.visits]


def test_the_nearer_band_comes_first_and_within_a_band_the_sooner_day(cast: Country) -> None:
    cast.visit("far")
    cast.visit("near", day=DAY + timedelta(days=2))
    cast.visit("mid", day=DAY + timedelta(days=1))
    cast.visit("remote")
    assert near(cast) == ["near", "mid", "far", "remote"]
    cast.visit("near", day=DAY + timedelta(days=1), van=1)
    page = visits_near(cast.session, *TANTA, now=at(480))
    assert [f.visit.day.day for f in page.visits[:2]] == [23, 24]


def test_from_aswan_the_visit_in_edfu_is_first(cast: Country) -> None:
    cast.visit("near")
    cast.visit("remote", day=DAY + timedelta(days=3))
    page = visits_near(cast.session, 24.09, 32.90, now=at(480))
    assert page.visits[0].visit.site.code == "remote" and 90 < page.visits[0].km < 110


def test_distance_is_great_circle_km_and_its_band_contains_it(cast: Country) -> None:
    cast.visit("mid")
    (found,) = visits_near(cast.session, *TANTA, now=at(480)).visits
    assert found.km == pytest.approx(km_between(*TANTA, 30.81, 30.80), abs=0.001)
    assert BANDS_KM[found.band] < found.km <= BANDS_KM[found.band + 1]


def test_a_visit_is_shown_until_it_ends_and_not_after(cast: Country) -> None:
    cast.visit("near", closes=780)
    assert near(cast, now=at(779)) == ["near"]
    assert near(cast, now=at(780)) == []


def test_a_cancelled_visit_stays_in_the_list_and_a_closed_one_does_not(cast: Country) -> None:
    cast.visit("near").status = "cancelled"
    cast.visit("mid", van=1).status = "closed"
    cast.session.flush()
    assert near(cast) == ["near"]


def test_dates_service_area_and_distance_filter(cast: Country) -> None:
    cast.visit("near", offered=1)
    cast.visit("mid", day=DAY + timedelta(days=1))
    assert near(cast, date_from=DAY + timedelta(days=1)) == ["mid"]
    assert near(cast, date_to=DAY) == ["near"]
    assert near(cast, service="CIV-02") == ["mid"]
    assert near(cast, within_km=5) == ["near"]
    assert near(cast, local_unit_id=cast.unit.id) == ["near", "mid"]
    assert near(cast, governorate_id=cast.governorate.id + 1) == []


def test_a_date_in_the_past_does_not_bring_past_visits(cast: Country) -> None:
    cast.visit("near", day=DAY - timedelta(days=2))
    assert near(cast, date_from=DAY - timedelta(days=5)) == []


def test_pages_give_everything_once_also_when_a_visit_is_added_between_them(cast: Country) -> None:
    for n in range(6):
        cast.visit("mid", day=DAY + timedelta(days=n))
    seen, after = [], None
    while True:
        page = visits_near(cast.session, *TANTA, now=at(480), limit=2, after=after)
        seen += [found.visit.id for found in page.visits]
        if page.after is None:
            break
        if after is None:
            cast.visit("near", van=1)  # sorts before what was shown: must not shift the pages
        after = page.after
    assert len(seen) == len(set(seen)) == 6


@pytest.mark.parametrize("cursor", ["x", "1.2.3", "1.2.3.x", "1.2.3.4.5", "-1.2.3.4", "٣.٣.٣.٣", "'; --"])
def test_a_foreign_cursor_is_refused(cast: Country, cursor: str) -> None:
    cast.visit("near")
    with pytest.raises(Invalid) as caught:
        near(cast, after=cursor)
    assert caught.value.code == "cursor_invalid"


def test_unknown_service_and_impossible_point_are_refused(cast: Country) -> None:
    with pytest.raises(Invalid, match="no service"):
        near(cast, service="NOPE")
    with pytest.raises(Invalid, match="Latitude"):
        visits_near(cast.session, 91, 0, now=at(480))
    with pytest.raises(Invalid):
        visits_near(cast.session, float("nan"), 0, now=at(480))


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("محله مرحوم", "mid"), ("مرحوم", "mid"), ("Mahalat Marhoum", "mid"), ("marhum", "mid"), ("ادفو", "remote"),
        ("Idfu", "remote"), ("كفر عصا", "near"), ("شبشبر", "far"), ("Shabsheer", "far"), ("Shabsihr", "far"),
    ],
)  # fmt: skip
def test_a_village_is_found_whatever_its_spelling_beginning_or_small_typo(
    cast: Country, typed: str, code: str
) -> None:
    found = find_places(cast.session, typed)
    assert found and found[0].id == cast.villages[code].id


def test_an_area_is_known_without_the_word_for_its_kind_and_comes_before_villages(cast: Country) -> None:
    found = find_places(cast.session, "طنطا")
    assert (found[0].kind, found[0].fit) == ("unit", 0)
    assert [p.kind for p in find_places(cast.session, "Gharbia")] == ["governorate"]


def test_buildings_are_only_found_when_asked_for(cast: Country) -> None:
    assert all(p.kind != "fixed" for p in find_places(cast.session, "طنطا"))
    assert any(p.kind == "fixed" for p in find_places(cast.session, "طنطا", kinds=("fixed",)))


@pytest.mark.parametrize("typed", ["", "   ", "%", "_", "|", "ال ", "qqqqxxxx"])
def test_nothing_and_wildcards_find_nothing(cast: Country, typed: str) -> None:
    assert find_places(cast.session, typed) == []


def test_a_governorate_limits_the_search(cast: Country) -> None:
    assert find_places(cast.session, "ادفو", governorate_id=cast.governorate.id)
    assert not find_places(cast.session, "ادفو", governorate_id=cast.governorate.id + 1)


def test_lists_of_areas_for_choosing_without_typing(cast: Country) -> None:
    assert governorates(cast.session) == [cast.governorate]
    assert local_units(cast.session, cast.governorate.id) == [cast.unit]
    assert local_units(cast.session, cast.governorate.id + 1) == []
