"""What is understood of a question in people's own words, over the built-in catalogue of services."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.asked import Finder, Named
from fleet.network.catalogue import GROUP_WEIGHT, WEIGHT
from fleet.network.towns import read_table

ROWS = list(read_table("services_catalogue.csv"))
FINDER = Finder(
    [
        Named(r["code"], r["name_ar"], r["name_en"], WEIGHT.get(r["code"], GROUP_WEIGHT[r["group"]]))
        for r in ROWS
    ]
)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("where can I renew a birth certificate near me this week?", "CIV-05"),
        ("شهادة ميلاد", "CIV-05"), ("شهاده ميلاد كمبيوتر", "CIV-05"), ("birth certficate", "CIV-05"),
        ("عايز اجدد الرقم القومي", "CIV-02"), ("national id renewal", "CIV-02"), ("lost ID", "CIV-03"),
        ("فيش وتشبيه", "WRK-01"), ("criminal record", "WRK-01"), ("باسبور تجديد", "PAS-02"),
        ("اجدد رخصة السواقة", "TRF-02"), ("إعلام الوراثة", "FAM-05"), ("كارت الفلاح", "AGR-01"),
        ("ادفع فاتورة الكهربا", "UTL-01"), ("قيد عائلي", "CIV-09"), ("marriage certificate", "CIV-07"),
        ("شهادة وفاة", "CIV-06"), ("برنت تأمينات", "INS-01"), ("work abroad permit", "WRK-02"),
    ],
)  # fmt: skip
def test_the_service_is_known_by_what_people_call_it(typed: str, code: str) -> None:
    """In either language, as people say it, with a wrong letter: the first that is offered is the one meant."""
    assert FINDER.ask(typed).services[:1] == (code,)


@pytest.mark.parametrize(
    ("typed", "place", "days"),
    [
        ("where can I renew a birth certificate near me this week?", "", 6),
        ("عايز اجدد البطاقة النهاردة في بنها", "بنها", 0),
        ("شهادة وفاة طنطا", "طنطا", None),
        ("national id renewal in Tanta tomorrow", "Tanta", 1),
        ("بطاقة في مدينة نصر", "مدينة نصر", None),
        ("توكيل في كفر الشيخ هذا الأسبوع", "كفر الشيخ", 6),
    ],
)
def test_what_names_a_place_and_a_time_is_told_from_the_service(
    typed: str, place: str, days: int | None
) -> None:
    """The rest of the words names the place; words of time become days; `near me` is no place."""
    found = FINDER.ask(typed)
    assert found.services and (found.place, found.within_days) == (place, days)


@pytest.mark.parametrize(
    "typed", ["بنها", "كوم أمبو", "Kom Ombo", "المنصورة", "New Cairo", "شبين القناطر", "الحامول"]
)
def test_a_name_of_a_place_is_no_service(typed: str) -> None:
    """Places are not taken for services: the search for places goes on with them."""
    assert FINDER.ask(typed).services == ()


def test_where_several_may_be_meant_the_most_wanted_comes_first_and_few_are_offered() -> None:
    """`Card` alone: identity and ration cards, six at most, the identity card on top."""
    found = FINDER.ask("بطاقة").services
    assert 2 <= len(found) <= 6 and found[0].startswith("CIV") and any(c.startswith("SUP") for c in found)


def test_every_service_is_found_by_its_own_name() -> None:
    """Whatever its name in the catalogue, in both languages."""
    lost = [
        r["code"]
        for r in ROWS
        for name in (r["name_ar"], r["name_en"])
        if FINDER.ask(name).services != (r["code"],)
    ]
    twice = [r["code"] for r in ROWS if sum(o["name_en"] == r["name_en"] for o in ROWS) > 1]
    assert set(lost) <= set(twice)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_answered_with_services_that_there_are(text: str) -> None:
    """Nothing that can be typed fails, and nothing is offered twice."""
    found = FINDER.ask(text).services
    assert len(set(found)) == len(found) <= 6
