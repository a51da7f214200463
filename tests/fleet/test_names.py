"""Folding of place names: every usual spelling of one place becomes one text, and different places stay apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.names import edits, fold, search_key

ARABIC = "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي"


@pytest.mark.parametrize(
    "spellings",
    [
        ("الإسكندرية", "الاسكندريه", "إسكندرية", "اسکندریہ", "الإسْكَنْدَرِيَّة", "الإسكـــندرية"),
        ("نجع حمادي", "نجع حمادى", "نجع  حمادي\u200e"),
        ("منشأة أبو عمر", "منشاة ابو عمر", "منشأه أبو عمر"),
        ("قرية ٥٣", "قريه 53", "قرية ۵۳"),
        ("رؤوف", "رووف"),
        ("Faiyum", "Al Fayyum", "El-Fayoum", "Fayoum", "al-Fayyūm"),
        ("Qena", "Qina", "Kena", "Qinā"),
        ("Asyut", "Assiut", "Asyūţ", "ASSIUT"),
        ("Minya", "El Minia", "Al-Minyā"),
        ("Al Maḩallah al Kubrá", "El Mahalla El Kubra"),
        ("Sharm el-Sheikh", "Sharm ash Shaykh", "Charm el-Cheikh"),
        ("Kafr ash Shaykh", "Kafr El Sheikh"),
        ("‘Izbat ‘Awaḑ", "Izbat Awad", "`Izbat `Awad"),
        ("Girga", "Jirja"),
        ("Helwan", "7elwan", "Hilwan"),
        ("Ismailia", "Isma3elia", "El Esma3elia"),
        ("Qena", "2ena"),
        ("El Mahalla", "el ma7alla"),
        ("Ezbet El Haggana", "3ezbet el haggana"),
    ],
)
def test_spellings_of_one_place_fold_to_one_text(spellings: tuple[str, ...]) -> None:
    assert len({fold(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("طنطا", "طهطا"),
        ("بني سويف", "بني مزار"),
        ("Tanta", "Tahta"),
        ("Luxor", "Aswan"),
        ("Banha", "Biba"),
        ("6", "10"),
        ("6th October", "October"),
        ("Village 53", "Village 35"),
    ],
)
def test_different_places_stay_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_the_article_alone_is_a_name_and_short_words_keep_their_letters() -> None:
    """Stripping must not eat a whole name: "At" (a village) and the like."""
    assert fold("At") == "at"
    assert fold("الي") == "الي"
    assert fold("") == fold(" - ") == ""


@given(st.text(max_size=60))
def test_folding_never_fails_and_leaves_no_mark_case_or_double_space(text: str) -> None:
    folded = fold(text)
    assert folded == folded.casefold().strip()
    assert "  " not in folded and "|" not in folded


@given(st.text(alphabet=ARABIC + " ", max_size=40))
def test_folding_arabic_ignores_hamza_taa_marbuta_maqsura_and_tatweel(text: str) -> None:
    varied = text.replace("أ", "ا").replace("إ", "ا").replace("ة", "ه").replace("ى", "ي")
    stretched = "".join(ch + "ـ" if ch != " " else ch for ch in varied)
    assert fold(text) == fold(stretched)


def test_a_key_holds_each_name_once_and_within_its_limit() -> None:
    assert search_key("طنطا", "Tanta", "Ţanţā", "طنطا") == "|طنطا|tanta|"
    assert len(search_key("أ" * 300, "b" * 300)) <= 400
    assert search_key("", "") == ""


@pytest.mark.parametrize(
    ("typed", "name", "distance"),
    [
        ("tanta", "tanta", 0),
        ("tatna", "tanta", 1),
        ("tnta", "tanta", 1),
        ("tanza", "tanta", 1),
        ("tan", "tanta", 2),
    ],
)
def test_a_swap_a_loss_or_a_wrong_letter_is_one_edit(typed: str, name: str, distance: int) -> None:
    assert edits(typed, name, 3) == distance


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_edits_is_symmetric_and_zero_only_for_equal_texts(one: str, other: str) -> None:
    assert edits(one, other, 9) == edits(other, one, 9)
    assert (edits(one, other, 9) == 0) == (one == other)
    assert edits(one, other, 1) == min(2, edits(one, other, 9))
