"""Languages: Arabic at /..., English at /en/..., French at /fr/...; catalogues, digits, dates, durations.

A language is a line in `LANGUAGES`, one in `NAMES` and a folder of catalogues (docs/languages.md).

Locale is `ar_EG`, never bare `ar` (wrong weekend, wrong start of the week). One function decides on digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, dates, support
from babel.messages import mofile, pofile
from flask import Flask, g, has_request_context, request
from flask_babel import Babel, Domain, get_locale, gettext, ngettext
from markupsafe import Markup, escape

CAIRO = ZoneInfo("Africa/Cairo")
LANGUAGES = {"ar": "ar_EG", "en": "en_GB", "fr": "fr_FR"}
"""URL language -> locale. The first is the default and has no prefix."""
NAMES = {"ar": "العربية", "en": "English", "fr": "Français"}
"""What a language calls itself: the words of the switch."""
SEPARATORS = {"fr": ("\u202f", ",")}
"""Between thousands and before decimals, where it is not 1,234.5."""
CATALOGUES = Path(__file__).parent / "translations"
ARABIC_DIGITS = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


class LanguagePrefix:
    """WSGI middleware: `/en/...` becomes `...` with SCRIPT_NAME `/en`, so that url_for keeps the language."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        environ["product.language"] = "ar"
        environ["product.root"] = environ.get("SCRIPT_NAME", "")
        for language in list(LANGUAGES)[1:]:
            if path == f"/{language}" or path.startswith(f"/{language}/"):
                environ["product.language"] = language
                environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + f"/{language}"
                environ["PATH_INFO"] = path[len(language) + 1 :] or "/"
        return self.app(environ, start_response)  # type: ignore[no-any-return]


@cache
def load_catalogue(language: str) -> support.Translations:
    """Messages of `language`: every `translations/<language>/*.po`, read as they are (nothing to compile or forget)."""
    merged = support.Translations()
    for path in sorted((CATALOGUES / language).glob("*.po")):
        with path.open("rb") as stream:
            catalogue = pofile.read_po(stream, locale=LANGUAGES[language])
        compiled = BytesIO()
        mofile.write_mo(compiled, catalogue)
        compiled.seek(0)
        part = support.Translations(compiled, domain="messages")
        # The first merge must bring the plural rule along, not only the texts.
        merged = part if not merged._catalog else merged.merge(part)
    return merged


class _Catalogues(Domain):  # type: ignore[misc]
    def get_translations(self) -> support.Translations:
        return load_catalogue(language())


class _Babel(Babel):  # type: ignore[misc]
    domain_instance = _Catalogues()


def language() -> str:
    """Language of the page, a key of `LANGUAGES`."""
    if has_request_context():
        forced = getattr(g, "language", None)
        return str(forced or request.environ.get("product.language", "ar"))
    return "ar"


def direction() -> str:
    """Writing direction of the page, for `dir`."""
    return str(Locale.parse(LANGUAGES[language()]).text_direction)


def named(thing: Any, field: str = "name") -> str:
    """The name (or another `<field>_ar`/`<field>_en` pair) of a thing in the page's language; names are kept in Arabic
    and English, so every other language shows the English one."""
    return str(getattr(thing, f"{field}_{language()}", "") or getattr(thing, f"{field}_en") or "")


def digits(text: object) -> str:
    """One policy: Western digits in every language, as on Egyptian counters, tickets and phones."""
    return str(text)


def number(value: float, decimals: int = 0) -> str:
    """A number for people: grouped thousands, in the language's own separators."""
    plain = f"{value:,.{decimals}f}"
    if language() in SEPARATORS:
        thousands, point = SEPARATORS[language()]
        plain = plain.translate({ord(","): thousands, ord("."): point})
    return digits(plain)


def code(text: object) -> Markup:
    """A ticket label, time, plate or phone, kept from reordering inside Arabic text."""
    return Markup('<bdi dir="ltr">{}</bdi>').format(escape(digits(text)))


RUN = re.compile(r"(?<![\w./:-])(?:[A-Z]{1,3}-?\d{2,}[\w-]*|\d{1,2}:\d{2}|\+?\d{9,})(?![\w:])")
"""A ticket's or van's code, a time of day, a telephone number, inside a sentence."""


def isolated(text: str) -> Markup:
    """A plain sentence (a message as it was sent) with its codes, times and phones kept from reordering."""
    return Markup(RUN.sub(lambda found: str(code(found.group())), str(escape(text))))


def local(instant: datetime) -> datetime:
    """An instant in Cairo's local time."""
    return instant.astimezone(CAIRO)


def clock_time(instant: datetime) -> str:
    """Local time of day, 24 hours: `10:42`."""
    return digits(f"{local(instant):%H:%M}")


def minute_time(minute: int) -> str:
    """Minutes from midnight as a time of day: 510 -> `08:30`."""
    return digits(f"{minute // 60:02d}:{minute % 60:02d}")


def long_date(day: date) -> str:
    """`Sunday 22 November` in the page's language (the year only when it is not this one would mislead: left out)."""
    pattern = "EEEE، d MMMM" if language() == "ar" else "EEEE d MMMM"
    return digits(dates.format_date(day, pattern, locale=LANGUAGES[language()]))


def short_date(day: date) -> str:
    """`22 Nov` in the page's language."""
    return digits(dates.format_date(day, "d MMM", locale=LANGUAGES[language()]))


def weekday(day: date) -> str:
    """Name of the weekday in the page's language."""
    return str(dates.format_date(day, "EEEE", locale=LANGUAGES[language()]))


def relative_day(day: date, today: date) -> str:
    """Today, Tomorrow, else the long date."""
    if day == today:
        return str(gettext("Today"))
    if day == today + timedelta(days=1):
        return str(gettext("Tomorrow"))
    return long_date(day)


def minutes_text(minutes: float) -> str:
    """A duration in whole minutes, with the language's plural: `12 minutes`."""
    whole = max(0, round(minutes))
    if whole >= 120:
        hours = round(whole / 60)
        return str(ngettext("%(num)s hour", "%(num)s hours", hours))
    return str(ngettext("%(num)s minute", "%(num)s minutes", whole))


def distance_text(km: float) -> str:
    """A distance for people: metres below one kilometre."""
    if km < 1:
        return str(gettext("%(m)s m", m=max(50, round(km * 20) * 50)))
    return str(gettext("%(km)s km", km=number(km, 1 if km < 10 else 0)))


@dataclass(frozen=True, slots=True)
class Choice:
    """A language that the page can be read in: its code, what it calls itself, where the page is then."""

    code: str
    name: str
    url: str


def other_languages(path: str | None = None) -> list[Choice]:
    """The same page, or that at `path` (without a language), in the other languages, in the order of `LANGUAGES`."""
    root = request.environ.get("product.root", "")
    query = f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
    if (
        path is not None or request.method != "GET"
    ):  # the answer to a form: its page is where it was sent from
        query = ""
    first = next(iter(LANGUAGES))
    return [
        Choice(
            code,
            NAMES[code],
            f"{root}{'' if code == first else f'/{code}'}{path or request.path}{query}" or "/",
        )
        for code in LANGUAGES
        if code != language()
    ]


def init_app(app: Flask) -> None:
    """Set up the catalogues and give templates what they need to speak to people."""
    app.wsgi_app = LanguagePrefix(app.wsgi_app)  # type: ignore[method-assign]
    _Babel(
        app,
        default_locale="ar_EG",
        default_timezone="Africa/Cairo",
        locale_selector=lambda: LANGUAGES[language()],
        timezone_selector=lambda: "Africa/Cairo",
    )
    for function in (
        named, digits, number, code, clock_time, minute_time, long_date, short_date, weekday, relative_day,
        minutes_text, distance_text, local, isolated,
    ):  # fmt: skip
        app.jinja_env.filters[function.__name__] = function
    app.jinja_env.globals.update(
        language=language, direction=direction, other_languages=other_languages, get_locale=get_locale
    )
