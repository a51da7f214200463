"""The check: every rule is caught with its code and place, and the referee says the same of any plan."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import Plan, PlanError, Problem, check, solve
from tests.routing.make import rich, small
from tests.routing.referee import load_referee, needs_referee

PLAN: dict[str, Any] = {
    "problem": "small",
    "routes": [
        {
            "center": "M1",
            "day": 0,
            "depart": 480,
            "stops": [{"site": "SA", "start": 520, "stay": 120}, {"site": "SB", "start": 700, "stay": 120}],
        }
    ],
}


def verdict(plan: dict[str, Any], **changes: Any) -> Any:
    return check(Problem.from_json(small(**changes)), Plan.from_json(plan), claims="objective" in plan)


def test_a_good_plan_has_no_fault_and_its_costs_add_up() -> None:
    group = {"name": "g", "sites": ["SA", "SC"], "at_least": 3, "penalty": 7}
    found = verdict(PLAN, groups=[group])
    assert found.faults == ()
    assert (found.costs.value, found.costs.fixed, found.costs.penalties) == (200, 0, 14)
    assert found.objective == 200 - found.costs.travel - 14


def _changed(*changes: tuple[list[Any], Any]) -> dict[str, Any]:
    plan = copy.deepcopy(PLAN)
    for path, value in changes:
        spot: Any = plan
        for step in path[:-1]:
            spot = spot[step]
        spot[path[-1]] = value
    return plan


ROUTE = ["routes", 0]
STOP = [*ROUTE, "stops", 0]
BROKEN: list[tuple[str, dict[str, Any], dict[str, Any], tuple[Any, ...]]] = [
    ("unknown_center", _changed(([*ROUTE, "center"], "M9")), {}, ("M9", 0, None)),
    ("unknown_site", _changed(([*STOP, "site"], "S9")), {}, ("M1", 0, 0)),
    ("second_route", {"routes": PLAN["routes"] * 2}, {}, ("M1", 0, None)),
    ("day_off", _changed(([*ROUTE, "day"], 5)), {}, ("M1", 5, None)),
    ("early_departure", _changed(([*ROUTE, "depart"], 470)), {}, ("M1", 0, None)),
    ("early_start", _changed(([*STOP, "start"], 512)), {}, ("M1", 0, 0)),
    ("outside_hours", _changed(([*ROUTE, "stops", 1, "start"], 790)), {}, ("M1", 0, 1)),
    ("no_such_stay", _changed(([*STOP, "stay"], 121)), {}, ("M1", 0, 0)),
    ("late_return", _changed(([*ROUTE, "stops", 1, "start"], 900)), {}, ("M1", 0, None)),
]


@pytest.mark.parametrize(("code", "plan", "changes", "where"), BROKEN, ids=[case[0] for case in BROKEN])
def test_each_broken_rule_is_reported_with_its_code_and_place(
    code: str, plan: dict[str, Any], changes: dict[str, Any], where: tuple[Any, ...]
) -> None:
    found = {fault.code: (fault.center, fault.day, fault.stop) for fault in verdict(plan, **changes).faults}
    assert found[code] == where


def test_closed_days_allowed_centers_and_driving_limits_are_checked() -> None:
    sites = small()["sites"]
    sites[0]["open"] = {"1": [510, 900]}
    sites[1]["centers"] = ["M2"]
    centers = small()["centers"]
    centers[0]["max_drive"] = 10
    found = [fault.code for fault in verdict(PLAN, sites=sites, centers=centers).faults]
    assert found == ["closed", "not_allowed", "too_much_driving"]


def test_visits_too_many_too_close_and_missing_pins_are_reported() -> None:
    again = copy.deepcopy(PLAN["routes"][0]) | {"day": 1}
    sites = small()["sites"]
    sites[1] |= {"max_visits": 2, "min_gap_days": 2}
    pin = {"center": "M2", "day": 1, "site": "SC", "start": 600, "stay": 120}
    plan = {"routes": [PLAN["routes"][0], again]}
    found = [(fault.code, fault.site) for fault in verdict(plan, sites=sites, pinned=[pin]).faults]
    assert found == [("too_many_visits", "SA"), ("visits_too_close", "SB"), ("pin_missing", "SC")]


def test_a_wrong_objective_and_a_bound_below_it_are_reported() -> None:
    found = [fault.code for fault in verdict(PLAN | {"objective": 999, "bound": 1}).faults]
    assert found == ["wrong_objective", "bound_too_low"]


def test_a_star_opens_every_day_that_is_not_named() -> None:
    sites = small()["sites"]
    sites[0]["open"] = {"*": [510, 900], "1": [800, 900]}
    assert verdict(PLAN, sites=sites).feasible
    later = _changed(([*ROUTE, "day"], 1))
    assert [fault.code for fault in verdict(later, sites=sites).faults] == ["outside_hours"]


def test_a_plan_of_the_wrong_shape_lists_every_fault_by_its_path() -> None:
    with pytest.raises(PlanError) as caught:
        Plan.from_json(
            {"routes": [{"center": 1, "day": 0, "depart": "x", "stops": [{"site": "A", "start": 1}]}]}
        )
    assert caught.value.faults == (
        "routes[0].center: must be a text",
        "routes[0].depart: must be a whole number",
        "routes[0].stops[0].stay: must be a whole number",
    )


@needs_referee
@settings(max_examples=150, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_the_referee_agrees_on_plans_broken_at_random(seed: int) -> None:
    """Same objective, and faults where and only where the referee finds some."""
    rnd = random.Random(seed)
    data = rich(seed % 60, sites=8, centers=3, days=3)
    problem = Problem.from_json(data)
    plan = PLANS.setdefault(seed % 60, solve(problem, iterations=3).to_json())
    plan = copy.deepcopy(plan) | {"bound": None}
    for _ in range(rnd.randint(0, 3)):
        _break(rnd, plan, data)
    if rnd.random() < 0.5:
        del plan["objective"]
    theirs, objective = load_referee().check(data, plan)
    ours = check(problem, Plan.from_json(plan), claims="objective" in plan)
    assert ours.objective == objective
    assert len(ours.faults) == len(theirs)


PLANS: dict[int, Any] = {}


def _break(rnd: random.Random, plan: dict[str, Any], data: dict[str, Any]) -> None:
    """Change one thing about the plan."""
    routes = plan["routes"]
    if not routes:
        return
    route = rnd.choice(routes)
    action = rnd.randrange(7)
    if action == 0:
        route["depart"] += rnd.randint(-40, 40)
    elif action == 1:
        route["center"] = rnd.choice(data["centers"])["id"]
    elif action == 2:
        route["day"] = rnd.randrange(3)
    elif action == 3:
        routes.remove(route)
    elif action == 4 and route["stops"]:
        stop = rnd.choice(route["stops"])
        stop["start"] += rnd.randint(-90, 90)
    elif action == 5 and route["stops"]:
        rnd.choice(route["stops"])["site"] = rnd.choice([*(s["id"] for s in data["sites"]), "nobody"])
    else:
        routes.append(copy.deepcopy(route))
