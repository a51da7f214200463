"""What a scenario may change: each kind of change with its fields, and the reading of one from plain data.

A change is a JSON object {"kind": ..., field: value, ...}. What it names is checked here; what it does stands in
effects.py, rules.py and demand.py. Minutes count from local midnight, percentages are of what the week has,
hours are person-hours, days are indices into the week.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fleet.errors import Invalid
from fleet.planning.scenarios.book import Book

Type = Literal[
    "whole", "number", "minute", "days", "centers", "governorate", "site", "site_kind", "klass", "each"
]

SITE_KINDS = ("village", "fixed", "complex")
EACH = ("district", "governorate")
DAY_END = 1440


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a change; `low` and `high` bound numbers and minutes."""

    name: str
    type: Type
    required: bool = False
    low: float = 0
    high: float = 0
    default: Any = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of change: its fields, of which at least one of `some_of` must be given.

    `decision` tells a planner's own decision (a van stays at home, another rule of coverage) from a supposition
    about the world (more vans, other demand): only decisions can be taken over into a draft.
    """

    name: str
    topic: str
    fields: tuple[Field, ...]
    some_of: tuple[str, ...] = ()
    decision: bool = False


GOVERNORATE = Field("governorate", "governorate")
CENTERS = Field("centers", "centers")
SITE_KIND = Field("site_kind", "site_kind")
SITE = Field("site", "site")
DAYS = Field("days", "days")

ALL: tuple[Kind, ...] = (
    Kind(
        "add_vans",
        "fleet",
        (
            Field("like", "centers", required=True),
            Field("count", "whole", True, 1, 50, 1),
            Field("site", "site"),
            Field("klass", "klass"),
        ),
    ),
    Kind(
        "remove_vans",
        "fleet",
        (GOVERNORATE, CENTERS, Field("count", "whole", False, 1, 500)),
        ("governorate", "centers", "count"),
        decision=True,
    ),
    Kind("days_off", "fleet", (GOVERNORATE, CENTERS, Field("days", "days", required=True)), decision=True),
    Kind("depot", "fleet", (Field("centers", "centers", True), Field("site", "site", True))),
    Kind("klass", "fleet", (GOVERNORATE, CENTERS, Field("klass", "klass", True))),
    Kind(
        "nights",
        "fleet",
        (
            GOVERNORATE,
            CENTERS,
            Field("nights", "whole", True, 0, 13, 2),
            Field("night_cost", "number", False, 0, 10_000, 0),
        ),
    ),
    Kind(
        "shift",
        "shifts",
        (
            GOVERNORATE,
            CENTERS,
            Field("start", "minute", False, 0, DAY_END),
            Field("end", "minute", False, 0, DAY_END),
            Field("max_drive", "whole", False, 0, DAY_END),
        ),
        ("start", "end", "max_drive"),
    ),
    Kind(
        "second_crew",
        "shifts",
        (
            GOVERNORATE,
            CENTERS,
            Field("until", "minute", True, 0, DAY_END, 1320),
            Field("open_until", "minute", True, 0, DAY_END, 1260),
        ),
    ),
    Kind(
        "opening",
        "shifts",
        (
            GOVERNORATE,
            SITE_KIND,
            SITE,
            Field("start", "minute", False, 0, DAY_END),
            Field("end", "minute", False, 0, DAY_END),
        ),
        ("start", "end"),
    ),
    Kind(
        "demand",
        "demand",
        (GOVERNORATE, SITE_KIND, SITE, DAYS, Field("percent", "whole", True, 0, 1000, 120)),
    ),
    Kind(
        "surge",
        "demand",
        (Field("site", "site", True), DAYS, Field("people", "whole", True, 1, 100_000, 200)),
    ),
    Kind(
        "coverage",
        "coverage",
        (
            Field("each", "each", True, default="district"),
            GOVERNORATE,
            Field("at_least", "whole", True, 0, 100, 1),
            Field("penalty", "number", True, 0, 10_000, 30),
        ),
        decision=True,
    ),
    Kind(
        "penalties",
        "coverage",
        (Field("each", "each"), GOVERNORATE, Field("percent", "whole", True, 0, 10_000, 200)),
        decision=True,
    ),
    Kind(
        "unvisited",
        "coverage",
        (GOVERNORATE, Field("weeks", "whole", True, 1, 52, 3)),
        decision=True,
    ),
    Kind("speed", "travel", (Field("percent", "whole", True, 10, 1000, 80),)),
    Kind(
        "traffic",
        "travel",
        (
            GOVERNORATE,
            Field("start", "minute", True, 0, DAY_END, 420),
            Field("end", "minute", True, 0, DAY_END, 600),
            Field("percent", "whole", True, 10, 1000, 150),
            DAYS,
        ),
    ),
    Kind("unpin", "pins", (GOVERNORATE, CENTERS)),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in ALL}
TOPICS = ("fleet", "shifts", "demand", "coverage", "travel", "pins")


def refuse(number: int, kind: str, reason: str, words: str, **details: Any) -> Invalid:
    """Return the error of change `number` (from 1): `bad_change` with the reason's code, for people to name it."""
    return Invalid(
        "bad_change",
        f"Change {number} ({kind}): {words}.",
        change=number,
        kind=kind,
        reason=reason,
        **details,
    )


def read(data: object, number: int, book: Book) -> dict[str, Any]:
    """Return the change with its values checked and defaults filled in; fields that are not given stay out.

    Raises Invalid `bad_change` naming the change, the field and the reason: unknown_kind, unknown_field,
    missing, not_a_number, out_of_range, not_days, unknown_center, unknown_governorate, unknown_site,
    unknown_class, unknown_choice, start_after_end.
    """
    if not isinstance(data, Mapping) or data.get("kind") not in KINDS:
        name = str(data.get("kind")) if isinstance(data, Mapping) else "?"
        raise refuse(number, name, "unknown_kind", "there is no such kind of change")
    kind = KINDS[data["kind"]]
    known = {field.name for field in kind.fields}
    for name in data:
        if name != "kind" and name not in known:
            raise refuse(number, kind.name, "unknown_field", f"has no field {name}", field=str(name))
    change: dict[str, Any] = {"kind": kind.name}
    for field in kind.fields:
        value = data.get(field.name)
        if value is None or value == "" or value == []:
            if field.required and field.default is None:
                raise refuse(number, kind.name, "missing", f"{field.name} is missing", field=field.name)
            value = field.default if field.required else None
        if value is not None:
            change[field.name] = _value(field, value, number, kind.name, book)
    if kind.some_of and not any(name in change for name in kind.some_of):
        names = " or ".join(kind.some_of)
        raise refuse(number, kind.name, "missing", f"{names} is missing", field=kind.some_of[0])
    if "start" in change and "end" in change and change["start"] >= change["end"]:
        raise refuse(number, kind.name, "start_after_end", "the end must be after the start", field="end")
    return change


def _value(field: Field, value: object, number: int, kind: str, book: Book) -> Any:
    def no(reason: str, words: str, **more: Any) -> Invalid:
        return refuse(number, kind, reason, f"{field.name} {words}", field=field.name, **more)

    if field.type in ("whole", "minute", "number"):
        if isinstance(value, bool) or not isinstance(value, int if field.type != "number" else int | float):
            raise no(
                "not_a_number", "must be a number" if field.type == "number" else "must be a whole number"
            )
        if not field.low <= value <= field.high:  # type: ignore[operator]
            words = f"must be between {field.low:g} and {field.high:g}"
            raise no("out_of_range", words, low=field.low, high=field.high)
        return value
    if field.type == "days":
        found = sorted(set(value)) if isinstance(value, list | tuple) and all(map(_whole, value)) else []
        if not found or found[0] < 0 or found[-1] >= book.days:
            raise no("not_days", f"must be a list of day numbers from 0 to {book.days - 1}")
        return found
    if field.type == "centers":
        codes = [value] if isinstance(value, str) else value
        if not isinstance(codes, list | tuple) or not all(isinstance(code, str) for code in codes):
            raise no("unknown_center", "must be a list of centers' codes")
        return list(dict.fromkeys(codes))  # which of them exist is known when the changes before are made
    allowed, reason = {
        "governorate": (book.governorates, "unknown_governorate"),
        "site": (book.site_governorate, "unknown_site"),
        "klass": (book.klasses, "unknown_class"),
        "site_kind": (SITE_KINDS, "unknown_choice"),
        "each": (EACH, "unknown_choice"),
    }[field.type]
    if not isinstance(value, str) or value not in allowed:
        raise no(reason, f"names what is not there: {value!r}"[:120], value=str(value)[:80])
    return value


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
