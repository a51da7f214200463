"""The public figures for programs: what the page of figures shows, and every week of every governorate."""

from __future__ import annotations

from typing import Any

from flask import jsonify
from flask.typing import ResponseReturnValue

from fleet import figures
from web.api.operation import Answer, Operation, Refused
from web.api.schema import Schema
from web.api.shapes import COUNT, DAY, INSTANT, REAL, TEXT, obj, or_null
from web.db import read


def public_figures() -> ResponseReturnValue:
    """`GET /public-figures`."""
    found = figures.kept(read())
    if found is None:
        raise Refused(404, "not_found", "no figures have been counted yet: they are, every night")
    answer = jsonify(found)
    answer.headers["Cache-Control"] = "public, max-age=600"
    return answer


_SHARE = or_null(obj({"people": COUNT, "share": REAL, "low": REAL, "high": REAL}))
_CELL: dict[str, Schema] = {
    "served": or_null(COUNT),
    "served_vans": or_null(COUNT),
    "left_share": or_null(REAL),
    "visits": COUNT,
    "places": COUNT,
    "villages": COUNT,
    "districts": COUNT,
    "hours_saved": or_null(REAL),
    "wait": or_null(obj({"people": COUNT, "median_s": COUNT, "nine_of_ten_s": COUNT})),
    "kept": _SHARE,
    "satisfied": _SHARE,
}
_DISTRICT = obj(
    {
        "code": TEXT,
        "name_ar": TEXT,
        "name_en": TEXT,
        "governorate": TEXT,
        "population": COUNT,
        "last": or_null(DAY),
        "weeks": or_null(COUNT),
        "limit_weeks": COUNT,
        "next": or_null(DAY),
    }
)
_SAVED = obj(
    {
        "week": DAY,
        "planned": REAL,
        "so_far": REAL,
        "played": or_null(obj({"mean": REAL, "low": REAL, "high": REAL})),
        "towns_in_turn": or_null(REAL),
    }
)
_SCHEMA = obj(
    {
        "made_at": INSTANT,
        "first": DAY,
        "last": DAY,
        "least": COUNT,
        "governorates": {"type": "object", "additionalProperties": obj({"name_ar": TEXT, "name_en": TEXT})},
        "areas": {
            "type": "object",
            "description": "The whole country under the empty key, governorates under their ISO codes.",
            "additionalProperties": obj(
                {"total": obj(_CELL), "weeks": {"type": "array", "items": obj({"week": DAY, **_CELL})}},
                {"districts_over": COUNT},
            ),
        },
        "districts": obj(
            {"all": COUNT, "over": COUNT, "never": COUNT, "longest": {"type": "array", "items": _DISTRICT}}
        ),
        "saved": or_null(_SAVED),
    },
    words="Days that are over. Waits are seconds, hours person-hours, shares 0 to 1 with 95% intervals; null "
    "where nobody, or fewer than `least` people, are behind a number. `hours_saved` is reckoned by plans, "
    "`saved.played` by playing the week citizen by citizen.",
)
_EXAMPLE_CELL: dict[str, Any] = {
    "served": 48210,
    "served_vans": 6120,
    "left_share": 0.04,
    "visits": 512,
    "places": 371,
    "villages": 214,
    "districts": 168,
    "hours_saved": 21450.5,
    "wait": {"people": 47100, "median_s": 1020, "nine_of_ten_s": 2880},
    "kept": {"people": 45210, "share": 0.81, "low": 0.8064, "high": 0.8136},
    "satisfied": {"people": 5120, "share": 0.874, "low": 0.8646, "high": 0.8828},
}
_EXAMPLE = {
    "made_at": "2026-11-22T03:20:00+02:00",
    "first": "2026-11-14",
    "last": "2026-11-21",
    "least": 5,
    "governorates": {"EG-ASN": {"name_ar": "أسوان", "name_en": "Aswan"}},
    "areas": {
        "": {"total": _EXAMPLE_CELL, "weeks": [{"week": "2026-11-14", **_EXAMPLE_CELL}], "districts_over": 21}
    },
    "districts": {
        "all": 380,
        "over": 21,
        "never": 2,
        "longest": [
            {
                "code": "U-KOM",
                "name_ar": "كوم أمبو",
                "name_en": "Kom Ombo",
                "governorate": "EG-ASN",
                "population": 71596,
                "last": "2026-09-30",
                "weeks": 7,
                "limit_weeks": 4,
                "next": "2026-11-24",
            }
        ],
    },
    "saved": {
        "week": "2026-11-21",
        "planned": 21450.5,
        "so_far": 3210.0,
        "played": {"mean": 20870.1, "low": 20611.4, "high": 21128.8},
        "towns_in_turn": 12040.2,
    },
}

FIGURES: tuple[Operation, ...] = (
    Operation(
        "public_figures", "GET", "/public-figures", "What the service has done: people served, waits, ratings",
        public_figures, {200: Answer("Counted nightly, of days that are over.", _SCHEMA, _EXAMPLE)}, errors=(404,),
    ),
)  # fmt: skip
