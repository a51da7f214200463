"""Folding of typed place names, so that one place is found whatever its spelling. Pure.

Arabic: diacritics, tatweel and direction marks go; hamza forms become alef, waw, yaa; taa marbuta becomes
haa; alef maqsura becomes yaa; Persian and Urdu code points of the same letters become the Arabic ones; the
definite article goes.

Latin: accents, apostrophes (ayn, hamza) and case go; articles in all their assimilated forms (El, Al-, Ash-,
An ...) go; the spellings of one sound become one (Fayoum = Faiyum = Fayyum, Qena = Kena, Girga = Jirja,
Damanhour = Damanhur); figures that stand for Arabic letters are read as these (7elwan = Helwan).

Folding is lossy on purpose and applied to both sides of a comparison; it is never shown to anybody.
"""

from __future__ import annotations

import re
import unicodedata

_ARABIC = str.maketrans(
    {
        "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ؤ": "و", "ئ": "ي", "ء": "",
        "ة": "ه", "ۀ": "ه", "ہ": "ه", "ھ": "ه", "ە": "ه", "ى": "ي", "ی": "ي", "ې": "ي",
        "ک": "ك", "ڪ": "ك", "گ": "ج", "چ": "ج", "پ": "ب", "ڤ": "ف", "ۋ": "و", "ـ": "",
    }
)  # fmt: skip

_APOSTROPHES = re.compile("[’‘ʼʻʾʿ'`´′ʹ“”\"]")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\u061c]")
_WORD = re.compile(r"[^\W_]+")
_ARTICLES = frozenset(
    ("al", "el", "il", "l", "as", "es", "ash", "esh", "an", "en", "ar", "er", "at", "et", "ath", "ad", "ed")
) | {"adh", "az", "ez", "the"}
"""The article alone and assimilated to sun letters; never dropped when it is the only word."""


_CONSONANTS = (
    ("tsch", "sh"),
    ("ch", "sh"),
    ("kh", "k"),
    ("gh", "g"),
    ("dh", "d"),
    ("th", "t"),
    ("ph", "f"),
    ("ck", "k"),
    ("q", "k"),
    ("c", "k"),
    ("j", "g"),
    ("x", "ks"),
)
_FIGURES = str.maketrans({"2": "", "3": "", "5": "kh", "6": "t", "7": "h", "8": "gh", "9": "s"})
"""Figures that stand for Arabic letters where Arabic is typed with Latin ones: 7elwan, Isma3elia, 2ena."""
_TYPED = re.compile(r"(?=(?:[a-z]*[2356789]){1,3}[a-z]*$)(?=.*[a-z].*[a-z])[a-z2356789]{3,}")
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)")
_DOUBLE = re.compile(r"([^\W\d_])\1+")
_VOWELS = re.compile(r"(?<!^)[aeiouyw]+")
_FINAL_H = re.compile(r"[ae]h$")


def fold(text: str) -> str:
    """The text as space-separated folded words; the same for every usual spelling of a place. Idempotent for
    queries."""
    plain = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    plain = _APOSTROPHES.sub("", plain)
    plain = "".join(ch for ch in unicodedata.normalize("NFKD", plain.translate(_ARABIC)) if not _is_mark(ch))
    words = [_digits(word) for word in _WORD.findall(plain.casefold().translate(_ARABIC))]
    if len(words) > 1:
        kept = [word for word in words if word not in _ARTICLES and word != "ال"]
        words = kept or words
    return " ".join(_arabic_word(word) if _is_arabic(word) else _latin_word(word) for word in words)


def search_key(name_ar: str, name_en: str, *others: str, limit: int = 400) -> str:
    """What `Site.search_key` holds: each distinct folded name between bars, `|tnta|...|`, at most `limit`
    characters.

    `key LIKE '%|' || fold(q) || '%'` finds names that start with the typed words, `'% word%'` those with a
    later word.
    """
    seen: list[str] = []
    length = 1
    for name in (name_ar, name_en, *others):
        folded = fold(name)
        if folded and folded not in seen and length + len(folded) + 1 <= limit:
            seen.append(folded)
            length += len(folded) + 1
    return "|" + "|".join(seen) + "|" if seen else ""


def _is_mark(ch: str) -> bool:
    return unicodedata.combining(ch) != 0


def _is_arabic(word: str) -> bool:
    return any("\u0600" <= ch <= "\u06ff" for ch in word)


def _digits(word: str) -> str:
    return "".join(str(unicodedata.digit(ch)) if ch.isdigit() else ch for ch in word)


def _arabic_word(word: str) -> str:
    # "ال" off a word that stays a word; "الق" or "الي" would become a letter and is kept.
    return word[2:] if word.startswith("ال") and len(word) >= 5 else word


def _latin_word(word: str) -> str:
    if not word.isascii():
        return word
    if any(ch.isdigit() for ch in word):
        if not _TYPED.fullmatch(word) or _ORDINAL.fullmatch(word):
            return word
        word = ("q" + word[1:] if word[0] == "2" else word).translate(_FIGURES)
    word = _FINAL_H.sub("a", word)
    for spelling, sound in _CONSONANTS:
        word = word.replace(spelling, sound)
    # One run of vowels and semivowels sounds like its last letter: Fa-iyu-m, Fa-you-m.
    word = _VOWELS.sub(lambda run: _vowel(run.group()), word)
    word = _vowel(word[0]) + word[1:] if word and word[0] in "aeiou" else word
    return _DOUBLE.sub(r"\1", word)


def _vowel(run: str) -> str:
    return {"a": "a", "e": "i", "i": "i", "y": "i", "o": "u", "u": "u", "w": "u"}[run[-1]]


def edits(typed: str, name: str, limit: int) -> int:
    """Damerau-Levenshtein distance (a swap of neighbours counts one) of two folded texts; `limit` + 1 when it is
    more."""
    if abs(len(typed) - len(name)) > limit:
        return limit + 1
    before: list[int] = []
    previous = list(range(len(name) + 1))
    for i, a in enumerate(typed, 1):
        row = [i]
        for j, b in enumerate(name, 1):
            best = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (a != b))
            if i > 1 and j > 1 and a == name[j - 2] and typed[i - 2] == b:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        if min(row) > limit:
            return limit + 1
        before, previous = previous, row
    return min(previous[-1], limit + 1)
