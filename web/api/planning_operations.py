"""The planner's rows of the table of operations."""

from __future__ import annotations

from typing import Any

from web.api import planning, planning_shapes
from web.api.operation import Answer, Operation, Param
from web.api.schema import Schema
from web.api.shapes import COMPONENTS, INT, obj, ref

COMPONENTS.update(planning_shapes.COMPONENTS)

ROLES = ("planner",)
ID: Schema = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
_VISIT = {"center": 3, "site": 40, "day": "2026-11-23", "start": "09:30", "stay_minutes": 240}
_OPTION = {
    "kind": "instead", "visit": _VISIT, "gain": -4.2, "hours": 1.3, "drive_minutes": 25, "km": 18.4,
    "dropped": [{**_VISIT, "site": 41}], "moved": [],
}  # fmt: skip
_WHY_NOT = {
    "code": "displaced", "numbers": {"center": "MC-28-01", "day": 2, "loss": 42, "instead_of": ["V-0413"]},
    "obstacles": [{"code": "too_far", "days": 620, "centers": 104}, {"code": "full", "days": 22, "centers": 4}],
    "options": [_OPTION], "nearest": [{"visit": {**_VISIT, "site": 41}, "minutes": 12, "km": 9.8}], "price": 31.5,
    "revision": 4,
}  # fmt: skip
_WHY_VISIT = {
    "visit": _VISIT, "hours": 61.2, "worth": 55.0, "detour_minutes": 34, "margin": 8.1, "otherwise": [_OPTION],
    "elsewhere": [], "pin": {"at_least": 0.0, "option": None}, "revision": 4,
}  # fmt: skip
_FIGURES = {"hours": 4120.5, "stops": 96, "places": 91, "drive_minutes": 5120, "km": 3811.2}
_RECKONING = {
    "state": "done", "seconds": 0,
    "answer": {
        "gain": 212.4, "low": 208.9, "high": 214.0, "exact": False, "searched": 1.1, "centers": 14, "of": 107,
        "before": _FIGURES, "after": {**_FIGURES, "hours": 4334.0, "stops": 102},
    },
}  # fmt: skip
_ESTIMATE = {"governorate": 1, "kind": "van", "centers": ["MC-28-01"], "at_least": 140.2, "priced": 231.0}
_REPAIR = {
    "id": 5, "plan": 12, "status": "proposed",
    "happened": {"kind": "center_out", "until": "2026-11-22", "center_id": 3, "site_id": None},
    "created_at": "2026-11-22T10:02:00+02:00", "moment": "2026-11-22T10:02:01+02:00", "choice": None, "result": None,
    "alternatives": [
        {
            "name": "fewest", "gain": 48.1, "loss": 13.0, "kept": 640, "sites": 1, "tickets": 22,
            "changes": [
                {
                    "kind": "other_center", "before": _VISIT, "after": {**_VISIT, "center": 4}, "hours_before": 61.2,
                    "hours_after": 58.0, "tickets": 22, "phones": 17,
                }
            ],
            "crews": [{"center": 4, "day": "2026-11-23"}],
        }
    ],
}  # fmt: skip


def _path(name: str, words: str) -> Param:
    return Param(name, INT, words, "path", True, example=7)


def _reckoning(words: str, example: Any) -> Answer:
    return Answer(words, ref("Reckoning"), example)


PLANNING: tuple[Operation, ...] = (
    Operation(
        "why_site", "GET", "/plans/{id}/sites/{site}/why",
        "Why a place has no further visit in a plan: everything that binds, and the best ways to serve it",
        planning.why_site, {200: Answer("Worked out on the plan as it stands.", ref("WhyNot"), _WHY_NOT)},
        params=(_path("id", "The plan."), _path("site", "The place.")), roles=ROLES, errors=(404,),
    ),
    Operation(
        "why_visit", "GET", "/plans/{id}/visits/{visit}/why",
        "What a visit of a plan brings, what else its center could do, what its pin costs",
        planning.why_visit, {200: Answer("Worked out on the plan as it stands.", ref("WhyVisit"), _WHY_VISIT)},
        params=(_path("id", "The plan."), _path("visit", "The plan's visit.")), roles=ROLES, errors=(404,),
    ),
    Operation(
        "list_estimates", "GET", "/plans/{id}/whatif",
        "What one more van, a longer shift or a second crew would bring, by governorate",
        planning.estimates,
        {
            200: Answer("Worked out, or failed.", ref("Estimates"), {"state": "done", "estimates": [_ESTIMATE]}),
            202: Answer("Being worked out: ask again.", ref("Estimates"), {"state": "working", "estimates": []}),
        },
        params=(_path("id", "The plan."),), roles=ROLES, errors=(404,),
    ),
    Operation(
        "ask_whatif", "POST", "/plans/{id}/whatif",
        "One question by planning anew: a van, shift or crew of a governorate, a pin, a visit left out, a place served",
        planning.ask,
        {
            200: _reckoning("Worked out, or failed.", _RECKONING),
            202: _reckoning(
                "Being worked out: send it again.", {"state": "working", "seconds": 4, "answer": None}
            ),
        },
        params=(_path("id", "The plan."),),
        body=obj(
            {"kind": {"type": "string", "enum": ["van", "shift", "crew", "pin", "visit", "site"]}},
            {
                "governorate": {**ID, "description": "With van, shift and crew."},
                "visit": {**ID, "description": "With pin and visit: a visit of the plan."},
                "site": {**ID, "description": "With site."},
            },
        ),
        body_example={"kind": "van", "governorate": 1}, roles=ROLES, errors=(404, 409),
    ),
    Operation(
        "get_repair", "GET", "/repairs/{id}", "A disruption and the ways to go on, each with its price",
        planning.show_repair, {200: Answer("As it is now.", ref("Repair"), _REPAIR)},
        params=(_path("id", "The repair."),), roles=ROLES, errors=(404,),
    ),
)  # fmt: skip
