"""Reasons and moves: each unserved site gets the reason that holds, and a move's cost is the objective's change."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from routing import Plan, Problem, Route, Travel, check, explain, load, move_cost, solve
from routing.solution import earliest
from tests.routing.make import rich, small
from tests.routing.referee import SHARED, needs_instances


def reasons(data: dict[str, Any], plan: Plan | None = None) -> dict[str, Any]:
    problem = Problem.from_json(data)
    found = explain(problem, plan or Plan(problem.name, (), 0))
    return {u.site: u for u in found}


def test_rules_that_exclude_a_site_are_named_with_their_numbers() -> None:
    data = small()
    a, b, c, e = data["sites"]
    a["open"] = {}
    b["centers"] = []
    c["offers"] = [{"stay": 120, "value": 0}]
    e["open"] = [600, 660]
    found = reasons(data)
    assert {name: u.code for name, u in found.items()} == {
        "SA": "closed", "SB": "no_center", "SC": "no_value", "SE": "hours_too_short",
    }  # fmt: skip
    assert found["SE"].numbers == {"shortest": 120, "open": 60}


def test_a_site_out_of_reach_tells_what_the_nearest_center_would_need() -> None:
    data = small()
    data["places"][1] |= {"lat": 24.0, "lon": 33.0}
    far = reasons(data)["SA"]
    assert (far.code, far.numbers["of"], far.numbers["available"]) == ("too_far", "shift", 480)
    assert far.numbers["needed"] > 480
    for center in data["centers"]:
        center["max_drive"] = 100
    far = reasons(data)["SA"]
    assert (far.numbers["of"], far.numbers["available"]) == ("driving", 100)


def test_a_site_that_could_still_be_served_says_what_it_would_gain() -> None:
    """Nothing is planned, so every village is left over; the gain is that of the best single visit."""
    data = small()
    problem = Problem.from_json(data)
    travel = Travel(problem)
    for name, found in reasons(data).items():
        assert found.code == "left_over"
        options = [
            move_cost(
                problem,
                Plan("", (), 0),
                [earliest(problem, travel, c.id, d, [(name, o.stay)])],
                travel=travel,
            )
            for c in problem.centers
            for d in c.days
            for o in problem.site_by_id[name].offers_for(c.kind)
        ]
        assert found.numbers["gain"] == max(move.difference for move in options if not move.faults)


def test_a_displaced_site_names_who_stands_in_its_place_and_the_nearest_visit() -> None:
    data = small(days=["2026-11-22"], centers=[small()["centers"][0] | {"days": [0]}])
    for site in data["sites"]:
        site["offers"] = [{"stay": 300, "value": 100 if site["id"] == "SA" else 60}]
    problem = Problem.from_json(data)
    plan = solve(problem, iterations=10)
    (route,) = plan.routes
    assert [stop.site for stop in route.stops] == ["SA"]
    for u in plan.unserved:
        assert (u.code, u.numbers["instead_of"], u.numbers["center"]) == ("displaced", ["SA"], "M1")
        assert u.numbers["nearest"]["site"] == "SA"
        swapped = earliest(problem, Travel(problem), "M1", 0, [(u.site, 300)])
        assert move_cost(problem, plan, [swapped]).difference == -u.numbers["loss"]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_a_promised_gain_or_loss_is_what_carrying_it_out_gives(seed: int) -> None:
    """Whatever insertion the reason describes can be made without a fault, at exactly the price it states."""
    data = rich(seed, sites=8, centers=3, days=2)
    problem = Problem.from_json(data)
    plan = solve(problem, iterations=1)
    travel = Travel(problem)
    routes = {route.key: route for route in plan.routes}
    for u in plan.unserved:
        if "gain" not in u.numbers and "loss" not in u.numbers:
            continue
        n = u.numbers
        key = (n["center"], n["day"])
        out = n.get("instead_of", [])
        kept = [(s.site, s.stay) for s in routes[key].stops if s.site not in out] if key in routes else []
        prices = set()
        for i in range(len(kept) + 1):
            visits = [*kept[:i], (u.site, n["stay"]), *kept[i:]]
            move = move_cost(problem, plan, [earliest(problem, travel, *key, visits)], travel=travel)
            if not move.faults:
                prices.add(move.difference)
        assert max(prices) == n.get("gain", -n.get("loss", 0))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_a_moves_difference_and_faults_are_those_of_the_whole_plan(seed: int) -> None:
    rnd = random.Random(seed)
    problem = Problem.from_json(rich(seed % 50, sites=8, centers=3, days=3))
    plan = solve(problem, iterations=2)
    if not plan.routes:
        return
    route = rnd.choice(plan.routes)
    stops = list(route.stops)
    rnd.shuffle(stops)
    edited = replace(route, stops=tuple(stops[: rnd.randint(0, len(stops))]))
    move = move_cost(problem, plan, [edited])
    whole = check(problem, move.plan)
    assert (move.faults, move.plan.objective) == (whole.faults, whole.objective)
    assert move.difference == whole.objective - plan.objective
    assert set(move.fresh) == set(move.faults), "the plan before had no fault"


def test_keeping_a_center_at_home_costs_what_its_route_was_worth() -> None:
    problem = Problem.from_json(small())
    plan = solve(problem, iterations=20)
    route = plan.routes[0]
    move = move_cost(problem, plan, [Route(route.center, route.day, 0, ())])
    assert move.difference < 0 and not move.faults
    assert route.key not in {r.key for r in move.plan.routes}


@needs_instances
def test_a_national_week_is_explained_and_a_move_judged() -> None:
    """1,000 sites: a reason for each unserved one; cutting a route short gives up what its last stops were worth."""
    problem = load(SHARED / "instances" / "national" / "EG1000d6r-s7.json.gz")
    plan = solve(problem, seconds=3)
    travel = Travel(problem)
    found = explain(problem, plan, travel=travel)
    assert {each.site for each in found} == {each.site for each in plan.unserved}
    route = max(plan.routes, key=lambda each: len(each.stops))
    move = move_cost(problem, plan, [replace(route, stops=route.stops[:1])], travel=travel)
    assert move.difference == move.plan.objective - plan.objective
