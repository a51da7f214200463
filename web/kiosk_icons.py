"""Kinds of services as a word and a drawing: line icons on a 24 x 24 grid, made for this project."""

from __future__ import annotations

from flask_babel import gettext as _
from markupsafe import Markup

_PATHS = {
    "civil status": "M3 5h18v14H3zM7 15a3 3 0 0 1 6 0M10 8.5a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3M15.5 10h3M15.5 14h3",
    "building": "M5 21V4h9v17M14 9h5v12M3 21h18M8 8h3M8 12h3M8 16h3M16.5 13v.01M16.5 17v.01",
    "shops and street": "M4 10v10h16V10M3 10l2-6h14l2 6a3 3 0 0 1-6 0 3 3 0 0 1-6 0 3 3 0 0 1-6 0M10 20v-5h4v5",
    "housing, revenue and property": "M3 11 12 4l9 7M5 9.5V20h14V9.5M10 20v-6h4v6",
    "new cities": "M3 21h18M5 21V9h5v12M10 21V3h6v18M16 21v-9h4v9M12.5 7h1M12.5 11h1M12.5 15h1",
    "traffic": "M4 15v-3l2-5h12l2 5v3zM4 15v3h3v-3M17 15v3h3v-3M7.5 12h9",
    "passports": "M6 3h12v18H6zM12 7a3.2 3.2 0 1 1 0 6.4A3.2 3.2 0 0 1 12 7M9 17h6M8.8 10.2h6.4",
    "security documents": "M12 3l7 3v6c0 4.5-3 7.600-7 9-4-1.400-7-4.500-7-9V6zM9 12l2.200 2.200L15.500 10",
    "notarisation": "M5 20h14M8 16.500h8L14.500 11V6.500a2.500 2.500 0 0 0-5 0V11z",
    "family justice": "M12 4v16M7 20h10M5 7h14M5 7l-2.500 6h5zM19 7l-2.500 6h5z",
    "industry": "M3 20V10l5 3v-3l5 3v-3l5 3V5h3v15zM7 17h2M12 17h2",
    "internal trade": "M4 8h16l-1.500 12h-13zM8.500 8a3.500 3.500 0 0 1 7 0",
    "health office": "M4 4h16v16H4zM12 8v8M8 12h8",
    "other agencies": "M4 6h16M4 12h16M4 18h16",
}


def group_words(group: str) -> str:
    """The kind of service in the page's language; an unknown kind says its own name."""
    words = {
        "civil status": _("Identity and civil records"),
        "building": _("Building"),
        "shops and street": _("Shops and streets"),
        "housing, revenue and property": _("Housing and property"),
        "new cities": _("New cities"),
        "traffic": _("Driving and vehicles"),
        "passports": _("Passports"),
        "security documents": _("Criminal record and work papers"),
        "notarisation": _("Notary"),
        "family justice": _("Family"),
        "industry": _("Industry"),
        "internal trade": _("Trade"),
        "health office": _("Health office"),
        "other agencies": _("Supply, pensions and other offices"),
    }
    return str(words.get(group, group))


def group_icon(group: str) -> Markup:
    """The drawing of a kind of service, hidden from screen readers (the word stands beside it)."""
    path = _PATHS.get(group, _PATHS["other agencies"])
    return Markup(
        '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="{}"/></svg>'
    ).format(path)
