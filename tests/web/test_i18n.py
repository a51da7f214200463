"""Catalogues: no text of a page is missing in Arabic, plurals have all six forms, styles mirror by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from babel.messages import pofile
from babel.messages.extract import extract_from_dir

WEB = Path(__file__).parents[2] / "web"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
OPTIONS = {"templates/**.html": {"trimmed": "false"}}
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "lazy_gettext": None}
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


def test_a_missing_text_is_noticed() -> None:
    """The check itself can fail: a text taken out of the catalogue is listed with its places."""
    known = catalogue("ar")
    before = without(known)
    del known["Skip to the content"]
    found = set(without(known)) - set(before)
    assert len(found) >= 2 and all(line.endswith("'Skip to the content'") for line in found)


def test_a_text_means_one_thing_wherever_it_stands() -> None:
    """Parts are merged: a text with two Arabic words in two parts would show the wrong one on one of the screens."""
    seen: dict[str, tuple[str, object]] = {}
    clashes = []
    for path in sorted((WEB / "translations" / "ar").glob("*.po")):
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


@pytest.mark.parametrize("language", ["ar", "en"])
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
