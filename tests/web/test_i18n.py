"""Catalogues: no text of a page is missing in Arabic, plurals have all six forms, styles mirror by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from string import Formatter

import pytest
from babel import Locale
from babel.messages import pofile
from babel.messages.extract import extract_from_dir
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import gettext

from fleet.calendar import is_working_day, week_of
from web import i18n

WEB = Path(__file__).parents[2] / "web"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
OPTIONS = {"templates/**.html": {"trimmed": "false"}}
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "lazy_gettext": None}
LANGUAGES = tuple(i18n.LANGUAGES)
ARABIC = re.compile(r"[\u0600-\u06ff]")


def messages() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """(where, message) of every translatable text in the sources; plural texts as a pair."""
    for name, line, message, _comments, _context in extract_from_dir(
        WEB, METHODS, OPTIONS, keywords=KEYWORDS, comment_tags=()
    ):
        yield f"web/{name}:{line}", message


Texts = dict[str, tuple[str, str | tuple[str, ...]]]


def catalogue(language: str) -> Texts:
    """id -> (file, translation) over all parts of a language."""
    found: Texts = {}
    for path in sorted((WEB / "translations" / language).glob("*.po")):
        with path.open("rb") as stream:
            for message in pofile.read_po(stream):
                if message.id and not message.fuzzy:
                    key = message.id if isinstance(message.id, str) else message.id[0]
                    found[key] = (path.name, message.string)
    return found


def test_extraction_sees_templates_and_sources() -> None:
    """The check below would be worthless if extraction found nothing: both kinds of sources are read."""
    where = [place for place, _message in messages()]
    assert sum(place.endswith(".py") or ".py:" in place for place in where) > 30
    assert sum(".html:" in place for place in where) > 80


def without(known: Texts) -> list[str]:
    """The texts of the sources that `known` does not translate."""
    missing = set()
    for where, message in messages():
        key = message if isinstance(message, str) else message[0]
        text = known.get(key, ("", ""))[1]
        if key and not (text if isinstance(text, str) else all(text)):
            missing.add(f"{where}: {key!r}")
    return sorted(missing)


def test_no_text_is_missing_in_arabic() -> None:
    """Every `_()` and `ngettext()` of templates and Python has an Arabic translation, in whichever part."""
    missing = without(catalogue("ar"))
    assert not missing, "no Arabic for:\n" + "\n".join(missing)


PUBLIC = re.compile(r"web/(templates/)?(citizen|kiosk|board|shared|figures|printing|notices|errors|i18n)")
"""Sources of what citizens read."""
MOST_MISSING = 0.05


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code not in ("ar", "en")])
def test_further_languages_are_complete_for_citizens_and_nearly_so_for_staff(language: str) -> None:
    """Nothing that a citizen reads falls back to English; of what staff read at most one text in twenty does."""
    missing = without(catalogue(language))
    public = [line for line in missing if PUBLIC.match(line)]
    assert not public, f"no {language} for:\n" + "\n".join(public)
    assert len(missing) <= MOST_MISSING * len(set(messages())), f"no {language} for:\n" + "\n".join(missing)


def test_a_missing_text_is_noticed() -> None:
    """The check itself can fail: a text taken out of the catalogue is listed with its places."""
    known = catalogue("ar")
    before = without(known)
    del known["Skip to the content"]
    found = set(without(known)) - set(before)
    assert len(found) >= 2 and all(line.endswith("'Skip to the content'") for line in found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_means_one_thing_wherever_it_stands(language: str) -> None:
    """Parts are merged: a text with two translations in two parts would show the wrong one on one of the screens."""
    seen: dict[str, tuple[str, object]] = {}
    clashes = []
    for path in sorted((WEB / "translations" / language).glob("*.po")):
        with path.open("rb") as stream:
            for message in pofile.read_po(stream):
                key = message.id if isinstance(message.id, str) else message.id[0]
                file, text = seen.setdefault(key, (path.name, message.string))
                if key and text != message.string:
                    clashes.append(f"{key!r}: {text!r} in {file}, {message.string!r} in {path.name}")
    assert not clashes, "\n".join(clashes)


def test_plural_texts_have_six_forms_in_arabic() -> None:
    """Arabic has six plural forms; a text that counts has all of them, none empty."""
    known = catalogue("ar")
    wrong = []
    for where, message in messages():
        if isinstance(message, tuple):
            file, forms = known.get(message[0], ("", ()))
            if not isinstance(forms, tuple) or len(forms) != 6 or not all(forms):
                wrong.append(f"{where}: {message[0]!r} has {forms!r} in {file or 'no file'}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", sorted((WEB / "translations" / "ar").glob("*.po")), ids=lambda p: p.name)
def test_arabic_catalogues_count_in_arabic(path: Path) -> None:
    """Each part carries the Arabic plural rule, is valid, and says its texts in Arabic letters."""
    with path.open("rb") as stream:
        read = pofile.read_po(stream, locale="ar")
    assert read.num_plurals == 6
    source = path.read_text(encoding="utf-8")
    assert "nplurals=6" in source
    latin = [
        message.id
        for message in read
        if message.id and isinstance(message.string, str) and message.string and not ARABIC.search(message.string)
        and re.search(r"[A-Za-z]{3}", re.sub(r"%\(\w+\)s|\{\w+\}", "", message.string))
    ]  # fmt: skip
    assert not latin, f"untranslated in {path.name}: {latin}"


def _names(text: str) -> set[str]:
    percent = set(re.findall(r"%\((\w+)\)", text))
    braces = (
        {name for _lit, name, _spec, _conv in Formatter().parse(text.replace("%", "")) if name}
        if "{" in text
        else set()
    )
    return percent | braces


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_their_places_for_values(language: str) -> None:
    """A translation never names a value that the source does not give, nor loses one (the count may be a word)."""
    wrong = []
    for key, (file, text) in catalogue(language).items():
        forms = (text,) if isinstance(text, str) else text
        for number, form in enumerate(forms):
            # None, one and two are words in Arabic: those three forms may leave the count out.
            lost = _names(key) - _names(form) if len(forms) == 1 or number > 2 else set()
            if form and (_names(form) - _names(key) - {"num"} or lost):
                wrong.append(f"{file}: {key!r} -> {form!r}")
    assert not wrong, "\n".join(wrong)


# --- counting, digits and days


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "أقل من دقيقة"), (1, "دقيقة واحدة"), (2, "دقيقتان"), (3, "3 دقائق"), (10, "10 دقائق"), (11, "11 دقيقة"),
     (99, "99 دقيقة"), (100, "100 دقيقة"), (103, "103 دقائق"), (111, "111 دقيقة")],
)  # fmt: skip
def test_arabic_counts_with_six_forms(app: Flask, count: int, words: str) -> None:
    """None, one, two, three to ten, eleven to ninety-nine, and again after a hundred: as in the language's own rule."""
    with app.test_request_context("/"):
        assert i18n.minutes_text(count) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 minute"), (1, "1 minute"), (2, "2 minutes"), (45, "45 minutes")]
)
def test_french_counts_none_like_one(app: Flask, count: int, words: str) -> None:
    with app.test_request_context("/", environ_overrides={"product.language": "fr"}):
        assert i18n.minutes_text(count) == words


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_policy_of_digits(app: Flask, language: str) -> None:
    """Western digits whatever is written: numbers, dates, times, durations, distances, codes."""
    with app.test_request_context("/", environ_overrides={"product.language": language}):
        day = date(2026, 11, 22)
        shown = [
            i18n.number(1234567.8, 1), i18n.long_date(day), i18n.short_date(day), i18n.minute_time(510),
            i18n.minutes_text(37), i18n.distance_text(12.4), i18n.distance_text(2.45), str(i18n.code("A107")),
            i18n.clock_time(datetime(2026, 11, 22, 8, 42, tzinfo=UTC)),
        ]  # fmt: skip
        assert not re.search(r"[\u0660-\u0669\u06f0-\u06f9]", " ".join(shown)), shown
        assert re.sub(r"\D", "", shown[0]) == "12345678" and "22" in shown[1] and shown[8] == "10:42"
        grouped = {"fr": "1\u202f234\u202f567,8"}.get(language, "1,234,567.8")
        assert shown[0] == grouped


def test_the_week_of_egypt_begins_on_saturday_and_rests_on_friday() -> None:
    """The locale with its country decides; plain `ar` would begin on Monday and rest on Sunday."""
    egypt = Locale.parse(i18n.LANGUAGES["ar"])
    assert (egypt.first_week_day, egypt.weekend_start, egypt.weekend_end) == (5, 4, 5)  # Monday is 0
    assert (
        week_of(date(2026, 11, 22)) == date(2026, 11, 21)
        and date(2026, 11, 21).weekday() == egypt.first_week_day
    )
    assert not is_working_day(date(2026, 11, 27)) and not is_working_day(date(2026, 11, 28))


def test_days_are_named_in_the_language_of_the_page(app: Flask) -> None:
    names = {}
    for language in LANGUAGES:
        with app.test_request_context("/", environ_overrides={"product.language": language}):
            names[language] = (
                i18n.long_date(date(2026, 11, 22)),
                i18n.relative_day(date(2026, 11, 23), date(2026, 11, 22)),
            )
    assert names == {
        "ar": ("الأحد، 22 نوفمبر", "غدًا"),
        "en": ("Sunday 22 November", "Tomorrow"),
        "fr": ("dimanche 22 novembre", "Demain"),
    }


# --- the choice of a language


@pytest.mark.parametrize("path", ["/", "/figures?governorate=EG-ASN", "/login"])
def test_every_page_leads_to_itself_in_every_other_language(client: FlaskClient, path: str) -> None:
    """Named in its own words and marked as that language; the links of the page stay in the language."""
    for language in LANGUAGES:
        here = ("" if language == "ar" else f"/{language}") + path
        text = client.get(here).text
        found = dict(re.findall(r'<a class="lang" href="([^"]*)" hreflang="(\w+)"', text))
        there = {("" if code == "ar" else f"/{code}") + path: code for code in LANGUAGES if code != language}
        assert found == there, here
        assert f'<html lang="{language}"' in text and all(i18n.NAMES[code] in text for code in there.values())
        prefix = "" if language == "ar" else f"/{language}"
        assert f'href="{prefix}/login"' in text or path == "/login"


def test_a_text_without_a_translation_appears_in_english(app: Flask) -> None:
    """A new language need not be whole to be used."""
    with app.test_request_context("/", environ_overrides={"product.language": "fr"}):
        assert gettext("A sentence that nobody has translated.") == "A sentence that nobody has translated."


# --- styles

PHYSICAL = re.compile(
    r"(?<![-\w])(?:(?:margin|padding|border|scroll-margin|scroll-padding)-(?:left|right|top|bottom)(?:-\w+)*"
    r"|border-(?:top|bottom)-(?:left|right)-radius|left|right|top|bottom|width|height"
    r"|min-(?:width|height)|max-(?:width|height))\s*:"
    r"|(?:text-align|float|clear)\s*:\s*(?:left|right)"
)
"""Properties that do not turn with the direction of writing."""
DRAWN = re.compile(r"<svg.*?</svg>", re.S)


def _declarations(css: str) -> str:
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    return re.sub(
        r"@(?:media|container|supports)[^{]*\{", "{", css
    )  # their conditions may speak of width and height


@pytest.mark.parametrize("path", sorted((WEB / "static").glob("*.css")), ids=lambda p: p.name)
def test_stylesheets_use_logical_properties_only(path: Path) -> None:
    """No left, right, top, bottom, width or height: Arabic mirrors English by itself."""
    assert PHYSICAL.findall(_declarations(path.read_text())) == []


def test_style_attributes_use_logical_properties_only() -> None:
    """The same for `style="..."` in templates."""
    wrong = []
    for path in sorted((WEB / "templates").rglob("*.html")):
        for style in re.findall(r'style="([^"]*)"', DRAWN.sub("", path.read_text())):
            wrong += [f"{path.relative_to(WEB)}: {hit}" for hit in PHYSICAL.findall(style)]
    assert not wrong, "\n".join(wrong)


def test_the_style_check_sees_physical_properties() -> None:
    """The pattern finds what it is for and lets logical properties through."""
    for bad in (
        "a{left:0}",
        "a{margin-left: 1px}",
        "a { border-top-left-radius:2px }",
        "a{text-align:right}",
    ):
        assert PHYSICAL.search(_declarations(bad)), bad
    for good in ("a{margin-inline-start:0}", "a{text-align:start}", "@media (max-width: 3em){a{inset:0}}"):
        assert not PHYSICAL.search(_declarations(good)), good
