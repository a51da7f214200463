"""What boards say: every number a queue can call has its clips, and they say that number."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.speech import make, pack, words

ALONE = {
    "صفر": 0, "واحد": 1, "اثنان": 2, "ثلاثة": 3, "أربعة": 4, "خمسة": 5, "ستة": 6, "سبعة": 7, "ثمانية": 8, "تسعة": 9,
    "عشرة": 10, "أحد عشر": 11, "اثنا عشر": 12, "ثلاثة عشر": 13, "أربعة عشر": 14, "خمسة عشر": 15, "ستة عشر": 16,
    "سبعة عشر": 17, "ثمانية عشر": 18, "تسعة عشر": 19, "عشرون": 20, "ثلاثون": 30, "أربعون": 40, "خمسون": 50,
    "ستون": 60, "سبعون": 70, "ثمانون": 80, "تسعون": 90, "مئة": 100, "مئتان": 200, "ثلاثمئة": 300, "أربعمئة": 400,
    "خمسمئة": 500, "ستمئة": 600, "سبعمئة": 700, "ثمانمئة": 800, "تسعمئة": 900, "ألف": 1000, "ألفان": 2000,
    "ثلاثة آلاف": 3000, "أربعة آلاف": 4000, "خمسة آلاف": 5000, "ستة آلاف": 6000, "سبعة آلاف": 7000,
    "ثمانية آلاف": 8000, "تسعة آلاف": 9000,
}  # fmt: skip
"""Arabic numerals as they are written without vowels: the test's own list, not the product's."""
ENGLISH = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip


def bare(text: str) -> str:
    """Arabic without vowels; the alif that is not spoken after "and" is an ordinary one."""
    plain = "".join(letter for letter in text if not unicodedata.combining(letter))
    return plain.replace("اث", "اث").replace("إ", "ا")


def said(language: str, n: int) -> str:
    return " ".join(words.table(language)[clip] for clip in words.number(language, n))


def arabic_value(text: str) -> int:
    """The number that an Arabic reader hears: parts joined by "and", the unit before its ten."""
    parts = re.split(r" و(?=\S)", bare(text))
    assert all(part in ALONE for part in parts), (text, parts)
    return sum(ALONE[part] for part in parts)


def english_value(text: str) -> int:
    whole = 0
    part = 0
    for word in text.split():
        if word == "and":
            continue
        if word in ("hundred", "thousand"):
            whole += part * (100 if word == "hundred" else 1000)
            part = 0
        else:
            part += ENGLISH[word]
    return whole + part


def test_every_number_is_said_in_arabic_as_itself() -> None:
    """0 to 9999: read back by a list of numerals written down here, each is the number that was meant."""
    for n in range(words.MOST + 1):
        assert arabic_value(said("ar", n)) == n


def test_every_number_is_said_in_english_as_itself() -> None:
    """0 to 9999."""
    for n in range(words.MOST + 1):
        assert english_value(said("en", n)) == n


@given(st.integers(0, words.MOST))
def test_arabic_grammar_of_numbers(n: int) -> None:
    """Each part but the first is joined by one "and"; only what another part follows has the ending it has before an
    "and"; counting alone takes the nominative (never عشرين, مئتين)."""
    clips = words.number("ar", n)
    assert 1 <= len(clips) <= 3
    assert [clip.startswith("and") for clip in clips] == [at > 0 for at in range(len(clips))]
    assert [clip.endswith("+") for clip in clips] == [at < len(clips) - 1 for at in range(len(clips))]
    assert not re.search(r"(?<!ا)ين\b|تين\b|فين\b", bare(said("ar", n)))


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (1, "وَاحِد"),
        (12, "اِثْنَا عَشَر"),
        (22, "اِثْنَانِ وَعِشْرُون"),
        (100, "مِئَة"),
        (101, "مِئَةٌ وَوَاحِد"),
        (102, "مِئَةٌ وَاثْنَان"),
        (123, "مِئَةٌ وَثَلَاثَةٌ وَعِشْرُون"),
        (200, "مِئَتَان"),
        (211, "مِئَتَانِ وَأَحَدَ عَشَر"),
        (312, "ثَلَاثُمِئَةٍ وَاثْنَا عَشَر"),
        (999, "تِسْعُمِئَةٍ وَتِسْعَةٌ وَتِسْعُون"),
        (1000, "أَلْف"),
        (1207, "أَلْفٌ وَمِئَتَانِ وَسَبْعَة"),
        (2008, "أَلْفَانِ وَثَمَانِيَة"),
        (3300, "ثَلَاثَةُ آلَافٍ وَثَلَاثُمِئَة"),
    ],
)
def test_arabic_numbers_as_a_grammarian_vowels_them(n: int, text: str) -> None:
    """Written out by hand, with their endings."""
    assert unicodedata.normalize("NFC", said("ar", n)) == unicodedata.normalize("NFC", text)


def test_a_call_says_number_then_desk() -> None:
    """Letter and number, a breath, the desk; zeros in front are not said."""
    assert words.announcement("ar", "A123", "5") == (
        "number", "letter-A", "h1+", "andn23", words.PAUSE, "desk", "n5",
    )  # fmt: skip
    assert words.announcement("en", "B007", "12") == ("number", "letter-B", "n7", words.PAUSE, "desk", "n12")
    assert words.announcement("ar", "ب007", "1")[1] == "letter-ب"


def test_a_desk_with_a_name_is_read_on_the_screen() -> None:
    """What there is no sound for is not said wrong."""
    assert words.announcement("ar", "A001", "الاستقبال")[-1] == "look"
    assert words.announcement("en", "ب001", "1") == (), (
        "English has no sound for an Arabic letter: nothing is said"
    )
    assert words.announcement("ar", "007", "1") == () == words.announcement("ar", "", "1")
    assert words.number("ar", 10_000) == () == words.number("ar", -1)


@given(
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=4),
    st.integers(1, words.MOST),
    st.integers(1, 99),
)
def test_every_call_has_its_clips(letters: str, n: int, desk: int) -> None:
    """Whatever is called, each clip is in the table, in both languages."""
    for language in words.LANGUAGES:
        row = words.announcement(language, f"{letters}{n:03d}", str(desk))
        assert row and all(clip == words.PAUSE or clip in words.table(language) for clip in row)


def test_a_pack_gives_back_what_was_put_in(tmp_path: Path) -> None:
    """Names in any script, sounds of any length."""
    clips = {"n1": b"one", "letter-ب": b"", "h1+": bytes(range(256))}
    size = pack.write(tmp_path / "ar.pack", clips)
    assert pack.read(tmp_path / "ar.pack") == clips
    assert (tmp_path / "ar.pack").stat().st_size == size
    assert [path.name for path in tmp_path.iterdir()] == ["ar.pack"]


def test_the_recorded_clips_are_those_of_the_table() -> None:
    """What `make setup` recorded is what can be called, each of a length that can be heard."""
    if not pack.spoken_here():
        pytest.skip("the spoken calls are not recorded (make setup does it)")
    for language in pack.spoken_here():
        clips = pack.read(pack.FOLDER / f"{language}.pack")
        assert clips.keys() == words.table(language).keys()
        seconds = {key: len(sound) * 8 / 1000 / make.KBIT_S for key, sound in clips.items()}
        assert all(0.2 < length < 5 for length in seconds.values()), seconds


def test_no_two_numbers_sound_the_same() -> None:
    """The voice reads each number of the table its own way (a wrong vowel made six and sixty vanish)."""
    try:
        speaker = make.Speaker()
    except make.NoVoice as missing:
        pytest.skip(str(missing))
    table = words.table("ar")
    heard = {
        key: speaker.say(make.VOICES["ar"], make.spelled(table[key])).tobytes()
        for key in (
            "n2",
            "n3",
            "n6",
            "n7",
            "n9",
            "n16",
            "n60",
            "n70",
            "n90",
            "andn1",
            "andn2",
            "h6",
            "h7",
            "t1",
        )
    }
    assert all(heard.values()) and len(set(heard.values())) == len(heard)
