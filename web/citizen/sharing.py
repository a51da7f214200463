"""A visit as plain text that fits a text message, and its short link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import current_app, redirect, request, url_for
from flask_babel import gettext as _

from fleet.store import Visit
from web.citizen import blueprint
from web.i18n import LANGUAGES, clock_time, language, long_date, named

ONE, PART = 70, 67
"""Characters of a text message in Arabic (UCS-2): alone, and in each part of a longer one (3GPP 23.038, 23.040)."""
LATIN_ONE, LATIN_PART = 160, 153
MOST_PARTS = 2
_GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)


@dataclass(frozen=True)
class Message:
    """A text, and how many messages a telephone company counts it as."""

    text: str
    parts: int


def parts_of(text: str) -> int:
    """How many messages a text is: 7-bit letters fit 160, everything else 70."""
    plain = all(letter in _GSM for letter in text)
    one, part = (LATIN_ONE, LATIN_PART) if plain else (ONE, PART)
    length = len(text) if plain else len(text.encode("utf-16-le")) // 2
    return 1 if length <= one else -(-length // part)


@blueprint.get("/v/<int:visit_id>")
def short(visit_id: int) -> Any:
    """The short link of a visit."""
    return redirect(url_for("citizen.visit", visit_id=visit_id), 302)


@blueprint.app_template_global()
def visit_message(visit: Visit) -> Message:
    """Where, when and the link; the landmark too where it still fits two parts, a long name cut where nothing else
    helps. A visit called off says so first."""
    root = current_app.extensions["settings"].public_url or request.host_url.rstrip("/")
    prefix = "" if language() == next(iter(LANGUAGES)) else f"/{language()}"
    link = f"{root}{prefix}/v/{visit.id}"
    when = f"{long_date(visit.day)} {clock_time(visit.opens_at)}-{clock_time(visit.closes_at)}"
    name, mark = named(visit.site), named(visit.site, "landmark")
    text = ""
    for place in (*([_(", ").join((name, mark))] if mark else []), name, name[:30]):
        if visit.status == "cancelled":
            text = _("Called off: mobile center, %(place)s, %(when)s.", place=place, when=when)
        else:
            text = _("Mobile center: %(place)s, %(when)s.", place=place, when=when)
        text = f"{text} {link}"
        if parts_of(text) <= MOST_PARTS:
            break
    return Message(text, parts_of(text))
