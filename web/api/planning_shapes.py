"""The JSON of planning's explanations: schemas of what goes out, beside what makes it. For planners alone."""

from __future__ import annotations

from typing import Any

from fleet.planning.repair_shapes import Proposal, VisitAt, VisitChange
from fleet.planning.shapes import Placement
from fleet.planning.whatif import Answer, Estimate, Figures
from fleet.planning.why_shapes import NearVisit, Option, PinPrice, WhyNone, WhyVisit
from web.api.schema import Schema
from web.api.shapes import COUNT, DAY, INSTANT, INT, REAL, TEXT, obj, or_null, ref
from web.i18n import minute_time

HOURS: Schema = {
    "type": "number",
    "description": "Person-hours of citizens; after driving and coverage where it is a gain.",
}
_MANY: dict[str, Schema] = {
    name: {"type": "array", "items": ref(name)}
    for name in ("Placement", "Option", "Obstacle", "NearVisit", "Estimate", "Alternative", "VisitChange")
}

COMPONENTS: dict[str, Schema] = {
    "Placement": obj(
        {"center": INT, "site": INT, "day": DAY, "start": TEXT, "stay_minutes": COUNT},
        words="A visit of a plan: ids of center and site, local day and time.",
    ),
    "Option": obj(
        {
            "kind": {"type": "string", "enum": ["free", "instead", "chain"]}, "visit": ref("Placement"), "gain": HOURS,
            "hours": HOURS, "drive_minutes": INT, "km": REAL, "dropped": _MANY["Placement"],
            "moved": {"type": "array", "items": obj({"before": ref("Placement"), "after": ref("Placement")})},
        },
        words="One way to make a visit, and its price: `gain` is what the whole plan gains (negative: loses), `hours` "
        "the part that is citizens' hours, `dropped` lose their visit, `moved` go elsewhere.",
    ),
    "Obstacle": obj(
        {"code": TEXT, "days": COUNT, "centers": COUNT},
        words="What keeps centers away: on how many of their days it binds, of how many centers. The days of all "
        "obstacles add up to every center on every day of the plan.",
    ),
    "NearVisit": obj({"visit": ref("Placement"), "minutes": COUNT, "km": or_null(REAL)}),
    "WhyNot": obj(
        {
            "code": TEXT, "numbers": {"type": "object"}, "obstacles": _MANY["Obstacle"], "options": _MANY["Option"],
            "nearest": _MANY["NearVisit"], "price": or_null(HOURS), "revision": COUNT,
        },
        words="Why a place has no further visit: the reason in one code (empty when it has a visit), everything that "
        "binds, the best ways to serve it with their price (the first is the nearest alternative), visits near by. "
        "`price`: what the plan gives up elsewhere for a visit here, by the prices of its search; null when unknown.",
    ),
    "PinPrice": obj(
        {"at_least": HOURS, "option": or_null(ref("Option"))},
        words="What keeping a visit pinned costs at least: the best single change that it forbids.",
    ),
    "WhyVisit": obj(
        {
            "visit": ref("Placement"), "hours": HOURS, "worth": or_null(HOURS), "detour_minutes": INT,
            "margin": or_null(HOURS), "otherwise": _MANY["Option"], "elsewhere": _MANY["Option"],
            "pin": or_null(ref("PinPrice")), "revision": COUNT,
        },
        words="What a visit brings: `hours` of citizens, `worth` what the plan loses without it, `margin` the same "
        "when the best other use is made of its time; other uses of the time, other places in the week. `pin`: null "
        "unless pinned.",
    ),
    "Estimate": obj(
        {
            "governorate": INT, "kind": {"type": "string", "enum": ["van", "shift", "crew"]},
            "centers": {"type": "array", "items": TEXT}, "at_least": HOURS, "priced": or_null(HOURS),
        },
        words="What one more van, a longer shift or a second crew would bring there: `at_least` can be driven and "
        "changes nothing else; `priced` by the prices (duals) of the search's bound, null when it left none.",
    ),
    "Estimates": obj(
        {"state": {"type": "string", "enum": ["working", "done", "failed"]}, "estimates": _MANY["Estimate"]}
    ),
    "PlanFigures": obj({"hours": HOURS, "stops": COUNT, "places": COUNT, "drive_minutes": COUNT, "km": REAL}),
    "Gain": obj(
        {
            "gain": HOURS, "low": or_null(HOURS), "high": or_null(HOURS), "exact": {"type": "boolean"},
            "searched": HOURS, "centers": COUNT, "of": COUNT, "before": ref("PlanFigures"), "after": ref("PlanFigures"),
        },
        words="What a change brings by planning the centers around it anew, twice: with it and without. The truth lies "
        "between `low` and `high` (null: not proven). `searched` is what planning anew brings without the change.",
    ),
    "Reckoning": obj(
        {
            "state": {"type": "string", "enum": ["working", "done", "failed"]}, "seconds": COUNT,
            "answer": or_null(ref("Gain")),
        },
        words="How far a question is. Send it again to hear of its answer: it is worked out once.",
    ),
    "VisitChange": obj(
        {
            "kind": TEXT, "before": or_null(ref("Placement")), "after": or_null(ref("Placement")),
            "hours_before": HOURS, "hours_after": HOURS, "tickets": COUNT, "phones": COUNT,
        },
        words="An announced visit that would not stay as it is. `tickets` are held for it now, `phones` of them with a "
        "telephone number.",
    ),
    "Alternative": obj(
        {
            "name": {"type": "string", "enum": ["nothing", "fewest", "balanced", "best"]}, "gain": HOURS, "loss": HOURS,
            "kept": COUNT, "sites": COUNT, "tickets": COUNT, "changes": _MANY["VisitChange"],
            "crews": {"type": "array", "items": obj({"center": INT, "day": DAY})},
        },
        words="One way to go on: `gain` over leaving out what cannot be made, `loss` against the week without the "
        "disruption, announced visits `kept`, places and ticket holders to be told, every change.",
    ),
    "Repair": obj(
        {
            "id": INT, "plan": INT, "status": TEXT, "happened": {"type": "object"}, "created_at": INSTANT,
            "moment": or_null(INSTANT), "choice": or_null(TEXT), "result": or_null(INT),
            "alternatives": _MANY["Alternative"],
        },
        words="A disruption and the ways to go on. `moment`: the live state that they start from; they are given until "
        "one is accepted.",
    ),
}  # fmt: skip


def placement(one: Placement) -> dict[str, Any]:
    """Placement."""
    return {
        "center": one.center_id,
        "site": one.site_id,
        "day": one.day.isoformat(),
        "start": minute_time(one.start_minute),
        "stay_minutes": one.stay_minutes,
    }


def option(one: Option) -> dict[str, Any]:
    """Option."""
    return {
        "kind": one.kind,
        "visit": placement(one.placed),
        "gain": one.gain,
        "hours": one.hours,
        "drive_minutes": one.drive_minutes,
        "km": one.km,
        "dropped": [placement(p) for p in one.dropped],
        "moved": [{"before": placement(a), "after": placement(b)} for a, b in one.moved],
    }


def why_not(one: WhyNone, revision: int) -> dict[str, Any]:
    """WhyNot."""
    return {
        "code": one.code,
        "numbers": dict(one.numbers),
        "obstacles": [{"code": o.code, "days": o.days, "centers": o.centers} for o in one.obstacles],
        "options": [option(o) for o in one.options],
        "nearest": [near(n) for n in one.nearest],
        "price": one.price,
        "revision": revision,
    }


def near(one: NearVisit) -> dict[str, Any]:
    """NearVisit."""
    return {"visit": placement(one.placed), "minutes": one.minutes, "km": one.km}


def why_visit(one: WhyVisit, here: Placement, pin: PinPrice | None, revision: int) -> dict[str, Any]:
    """WhyVisit."""
    price = None
    if pin is not None:
        price = {"at_least": pin.at_least, "option": None if pin.option is None else option(pin.option)}
    return {
        "visit": placement(here),
        "hours": one.hours,
        "worth": one.worth,
        "detour_minutes": one.detour_minutes,
        "margin": one.margin,
        "otherwise": [option(o) for o in one.otherwise],
        "elsewhere": [option(o) for o in one.elsewhere],
        "pin": price,
        "revision": revision,
    }


def estimate(one: Estimate) -> dict[str, Any]:
    """Estimate."""
    return {
        "governorate": one.governorate_id, "kind": one.kind, "centers": list(one.centers), "at_least": one.at_least,
        "priced": one.priced,
    }  # fmt: skip


def gain(one: Answer) -> dict[str, Any]:
    """Gain."""
    return {
        "gain": one.gain, "low": one.low, "high": one.high, "exact": one.exact, "searched": one.searched,
        "centers": one.centers, "of": one.of, "before": figures(one.before), "after": figures(one.after),
    }  # fmt: skip


def figures(one: Figures) -> dict[str, Any]:
    """PlanFigures."""
    return {
        "hours": one.hours, "stops": one.stops, "places": one.places, "drive_minutes": one.drive_minutes, "km": one.km,
    }  # fmt: skip


def alternative(one: Proposal) -> dict[str, Any]:
    """Alternative."""
    return {
        "name": one.name,
        "gain": one.gain,
        "loss": one.loss,
        "kept": one.kept,
        "sites": one.sites,
        "tickets": one.tickets,
        "changes": [change(c) for c in one.changes],
        "crews": [{"center": center, "day": day.isoformat()} for center, day in one.crews],
    }


def change(one: VisitChange) -> dict[str, Any]:
    """VisitChange."""
    return {
        "kind": one.kind,
        "before": _at(one.before),
        "after": _at(one.after),
        "hours_before": one.hours_before,
        "hours_after": one.hours_after,
        "tickets": one.tickets,
        "phones": one.phones,
    }


def _at(one: VisitAt | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return placement(Placement(one.center_id, one.site_id, one.day, one.start, one.stay))
