"""What a board says, as a row of clips: one table of clips and their texts for each language. Pure.

A number is at most three clips: thousands, hundreds, and the rest under a hundred as one piece, said in one
breath. Arabic joins them with "and": a clip that is not the first carries its own و ("and23"), and a clip that is not
the last is said with the ending that it has before an "and" ("h1+": مِئَةٌ, not مِئَة). Numbers are counted as names of
themselves, in the nominative, with the forms for a masculine thing (ثَلَاثَة): the rule for numerals that stand alone.
Arabic texts carry their vowels, because a machine reads unvowelled words badly.
"""

from __future__ import annotations

import re
import string
from functools import cache

LANGUAGES = ("ar", "en")
MOST = 9999
"""The largest number there are clips for: a queue's labels start again before it (A9999)."""
PAUSE = "~"
"""A breath in a row of clips: no clip, a moment of silence."""
_LABEL = re.compile(r"(\w{1,4}?)(\d{1,4})")

_ONES = (
    "صِفْر", "وَاحِد", "اِثْنَان", "ثَلَاثَة", "أَرْبَعَة", "خَمْسَة", "سِتَّة", "سَبْعَة", "ثَمَانِيَة", "تِسْعَة",
    "عَشَرَة", "أَحَدَ عَشَر", "اِثْنَا عَشَر", "ثَلَاثَةَ عَشَر", "أَرْبَعَةَ عَشَر", "خَمْسَةَ عَشَر",
    "سِتَّةَ عَشَر", "سَبْعَةَ عَشَر", "ثَمَانِيَةَ عَشَر", "تِسْعَةَ عَشَر",
)  # fmt: skip
_BEFORE_TENS = (
    "", "وَاحِدٌ", "اِثْنَانِ", "ثَلَاثَةٌ", "أَرْبَعَةٌ", "خَمْسَةٌ", "سِتَّةٌ", "سَبْعَةٌ", "ثَمَانِيَةٌ", "تِسْعَةٌ",
)  # fmt: skip
_TENS = (
    "", "", "عِشْرُون", "ثَلَاثُون", "أَرْبَعُون", "خَمْسُون", "سِتُّون", "سَبْعُون", "ثَمَانُون", "تِسْعُون",
)  # fmt: skip
_HUNDREDS = (
    "مِئَة", "مِئَتَان", "ثَلَاثُمِئَة", "أَرْبَعُمِئَة", "خَمْسُمِئَة", "سِتُّمِئَة", "سَبْعُمِئَة", "ثَمَانِمِئَة", "تِسْعُمِئَة",
)  # fmt: skip
_HUNDREDS_AND = (
    "مِئَةٌ", "مِئَتَانِ", "ثَلَاثُمِئَةٍ", "أَرْبَعُمِئَةٍ", "خَمْسُمِئَةٍ", "سِتُّمِئَةٍ", "سَبْعُمِئَةٍ", "ثَمَانِمِئَةٍ", "تِسْعُمِئَةٍ",
)  # fmt: skip
_THOUSANDS = (
    "أَلْف", "أَلْفَان", "ثَلَاثَةُ آلَاف", "أَرْبَعَةُ آلَاف", "خَمْسَةُ آلَاف", "سِتَّةُ آلَاف", "سَبْعَةُ آلَاف",
    "ثَمَانِيَةُ آلَاف", "تِسْعَةُ آلَاف",
)  # fmt: skip
_THOUSANDS_AND = (
    "أَلْفٌ", "أَلْفَانِ", "ثَلَاثَةُ آلَافٍ", "أَرْبَعَةُ آلَافٍ", "خَمْسَةُ آلَافٍ", "سِتَّةُ آلَافٍ", "سَبْعَةُ آلَافٍ",
    "ثَمَانِيَةُ آلَافٍ", "تِسْعَةُ آلَافٍ",
)  # fmt: skip
_ARABIC_LETTERS = {
    "أ": "أَلِف", "ا": "أَلِف", "ب": "بَاء", "ت": "تَاء", "ث": "ثَاء", "ج": "جِيم", "ح": "حَاء", "خ": "خَاء",
    "د": "دَال", "ذ": "ذَال", "ر": "رَاء", "ز": "زَاي", "س": "سِين", "ش": "شِين", "ص": "صَاد", "ض": "ضَاد",
    "ط": "طَاء", "ظ": "ظَاء", "ع": "عَيْن", "غ": "غَيْن", "ف": "فَاء", "ق": "قَاف", "ك": "كَاف", "ل": "لَام",
    "م": "مِيم", "ن": "نُون", "ه": "هَاء", "و": "وَاو", "ي": "يَاء",
}  # fmt: skip
_ENGLISH_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_ENGLISH_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


@cache
def table(language: str) -> dict[str, str]:
    """Every clip of a language with the text it is spoken from. Raises KeyError for a language that is not spoken."""
    return {"ar": _arabic, "en": _english}[language]()


def number(language: str, n: int) -> tuple[str, ...]:
    """The clips of a number from 0 to MOST; empty for any other."""
    if not 0 <= n <= MOST:
        return ()
    thousands, hundreds, rest = n // 1000, n // 100 % 10, n % 100
    names = [(f"t{thousands}", thousands), (f"h{hundreds}", hundreds), (f"n{rest}", rest or n == 0)]
    said = [name for name, there in names if there]
    if language == "en":  # "one thousand two hundred and seven": one "and", before what is under a hundred
        return tuple(f"and{name}" if at and name[0] == "n" else name for at, name in enumerate(said))
    last = len(said) - 1
    return tuple(("and" if at else "") + name + ("+" if at < last else "") for at, name in enumerate(said))


def announcement(language: str, label: str, desk: str) -> tuple[str, ...]:
    """What is said for a call: number, a breath, desk. Empty where the language has no sound for the label: the
    chime alone is better than half a number."""
    parts = _LABEL.fullmatch(label.strip())
    if parts is None:
        return ()
    clips = table(language)
    letters = tuple(f"letter-{letter.upper()}" for letter in parts[1])
    if not all(letter in clips for letter in letters):
        return ()
    place: tuple[str, ...] = ("look",)
    if desk.isascii() and desk.isdigit() and int(desk) <= MOST:
        place = ("desk", *number(language, int(desk)))
    return ("number", *letters, *number(language, int(parts[2])), PAUSE, *place)


def _arabic() -> dict[str, str]:
    clips = {"number": "رَقْم", "desk": "شُبَّاكْ رَقْم", "look": "اُنْظُرُوا المَكَانَ عَلَى الشَّاشَة"}
    # Latin letters as Egyptians say them, by their English names; Arabic ones are called letters, because "alif" alone
    # is too near to "a thousand".
    clips |= {f"letter-{letter}": letter for letter in string.ascii_uppercase}
    clips |= {f"letter-{letter}": f"حَرْف {name}" for letter, name in _ARABIC_LETTERS.items()}
    for n in range(100):
        ten, one = divmod(n, 10)
        small = n < 20 or not one
        text = (_ONES[n] if n < 20 else _TENS[ten]) if small else f"{_BEFORE_TENS[one]} وَ{_TENS[ten]}"
        clips |= {f"n{n}": text, f"andn{n}": _and(text)}
    for mark, alone, before in (("h", _HUNDREDS, _HUNDREDS_AND), ("t", _THOUSANDS, _THOUSANDS_AND)):
        for n, (text, joined) in enumerate(zip(alone, before, strict=True), start=1):
            clips |= {f"{mark}{n}": text, f"{mark}{n}+": joined}
            if mark == "h":
                clips |= {f"and{mark}{n}": _and(text), f"and{mark}{n}+": _and(joined)}
    return clips


def _and(text: str) -> str:
    """With "and" before it: the hamza of two and twelve is not spoken then."""
    return "وَ" + text.replace("اِثْ", "اثْ", 1) if text.startswith("اِثْ") else "وَ" + text


def _english() -> dict[str, str]:
    clips = {"number": "number", "desk": "desk", "look": "please look at the screen for the place"}
    clips |= {f"letter-{letter}": letter for letter in string.ascii_uppercase}
    for n in range(100):
        ten, one = divmod(n, 10)
        text = _ENGLISH_ONES[n] if n < 20 else _ENGLISH_TENS[ten] + (f" {_ENGLISH_ONES[one]}" if one else "")
        clips |= {f"n{n}": text, f"andn{n}": f"and {text}"}
    for n in range(1, 10):
        clips |= {f"h{n}": f"{_ENGLISH_ONES[n]} hundred", f"t{n}": f"{_ENGLISH_ONES[n]} thousand"}
    return clips
