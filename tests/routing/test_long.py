"""Long routes: plans feasible, bounds true, proofs right, and the same for the same seed."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing import Plan, Problem, Travel, check, load
from routing.engine.clock import Clock
from routing.engine.fleet import Fleet
from routing.engine.knapsack import knapsack_bound
from routing.engine.long.engine import Long
from routing.engine.long.usual import usual_routes
from routing.solution import describe
from routing.solve import MOST_ROUTES
from tests.routing.brute import optimum
from tests.routing.make import rich
from tests.routing.referee import SHARED, needs_instances

Json = dict[str, Any]
quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
seeds = st.integers(0, 10**6)


def run(problem: Problem, *, iterations: int = 3, seed: int = 1, start: Plan | None = None) -> Plan:
    """Solve by the long arm, whatever the length of the routes."""
    travel = Travel(problem)
    fleet = Fleet(problem, travel)
    engine = Long(fleet, Clock(None, iterations), seed, 1)
    engine.run(fleet.columns(start.routes) if start else [])
    routes = tuple(describe(problem, travel, route) for route in fleet.routes(engine.best))
    return Plan(problem.name, routes, engine.objective, engine.bound)


def tour(seed: int, *, sites: int = 40, vans: int = 2) -> Json:
    """Return an orienteering problem: prizes only, a stay of 10 minutes, windows, several vans of one depot."""
    rnd = random.Random(seed)
    spots = [(rnd.uniform(0, 60), rnd.uniform(0, 60)) for _ in range(sites + 1)]
    minutes = [[int(((a - c) ** 2 + (b - d) ** 2) ** 0.5) for c, d in spots] for a, b in spots]
    made = []
    for i in range(1, sites + 1):
        begin = rnd.randint(0, 150)
        window = [begin, begin + rnd.randint(30, 120)]
        made.append(
            {
                "id": f"S{i}",
                "place": str(i),
                "open": window,
                "offers": [{"stay": 10, "value": rnd.randint(1, 40)}],
            }
        )
    return {
        "name": f"tour-{seed}",
        "days": ["2026-11-22"],
        "places": [{"id": str(i)} for i in range(sites + 1)],
        "travel": {"minutes": minutes, "cost": [[0] * len(spots) for _ in spots]},
        "centers": [{"id": f"V{i}", "depot": "0", "days": [0], "shift": [0, 240]} for i in range(vans)],
        "sites": made,
    }


@quick
@given(seed=seeds, matrix=st.booleans())
def test_plans_keep_every_rule_and_claim_what_the_checker_finds(seed: int, matrix: bool) -> None:
    """Pins, groups, repeated visits, several stays and days, shared driving: nothing is broken or misjudged."""
    problem = Problem.from_json(rich(seed, sites=8, centers=3, days=3, matrix=matrix))
    plan = run(problem, iterations=1)
    verdict = check(problem, plan)
    assert verdict.faults == ()
    assert plan.bound is not None and plan.bound >= plan.objective == verdict.objective


@quick
@given(seed=seeds, matrix=st.booleans())
def test_the_optimum_lies_between_objective_and_bound(seed: int, matrix: bool) -> None:
    """Against trying every set of routes."""
    data = rich(seed, sites=3, centers=2, days=2, matrix=matrix)
    data.pop("pinned", None)
    problem = Problem.from_json(data)
    plan = run(problem, iterations=2)
    best = optimum(problem)
    assert best is not None and plan.bound is not None
    assert plan.objective <= best <= plan.bound
    assert plan.objective == best, "a tiny problem is solved"


@settings(quick, max_examples=8)
@given(seed=seeds)
def test_long_routes_are_proven_best_and_the_bound_beats_the_knapsack(seed: int) -> None:
    """The proof agrees with the short arm's independent column generation."""
    problem = Problem.from_json(tour(seed, sites=14, vans=2))
    plan = run(problem, iterations=6)
    rough = knapsack_bound(Fleet(problem, Travel(problem)))
    assert plan.bound is not None and rough is not None and plan.bound <= rough
    assert check(problem, plan).feasible
    assert plan.objective == plan.bound


@settings(quick, max_examples=6)
@given(seed=seeds)
def test_another_seed_never_beats_a_proven_plan(seed: int) -> None:
    """If the proof were wrong, some search would find more than is claimed to be possible."""
    problem = Problem.from_json(tour(seed, sites=30, vans=2))
    proven = run(problem, iterations=4)
    assert proven.bound is not None
    assert all(run(problem, iterations=3, seed=other).objective <= proven.bound for other in (2, 3))


def test_the_same_seed_and_iterations_give_the_same_plan() -> None:
    problem = Problem.from_json(tour(7))
    first, second = (run(problem, iterations=3, seed=5) for _ in range(2))
    assert (first.routes, first.objective, first.bound) == (second.routes, second.objective, second.bound)


def test_a_plan_given_to_start_from_is_never_made_worse() -> None:
    problem = Problem.from_json(tour(9, sites=60, vans=3))
    good = run(problem, iterations=5)
    assert run(problem, iterations=0, start=good).objective >= good.objective


def test_the_stop_button_ends_the_solve_at_once_and_keeps_the_best_plan() -> None:
    """Pressed while both the search and the exact side are at work, on a problem that they would not finish."""
    problem = Problem.from_json(tour(3, sites=150, vans=4))
    run(Problem.from_json(tour(1, sites=10)), iterations=1)  # compiled before the clock runs
    pressed_at: list[float] = []
    told: list[int] = []

    def progress(line: dict[str, Any]) -> None:
        told.append(line["objective"])
        if line["elapsed"] > 2.5 and not pressed_at:
            pressed_at.append(time.monotonic())

    travel = Travel(problem)
    fleet = Fleet(problem, travel)
    engine = Long(fleet, Clock(60, None, progress, lambda: bool(pressed_at)), 1, 2)
    engine.run([])
    ended = time.monotonic()
    assert pressed_at and ended - pressed_at[0] < 5, "at once, but for a busy machine"
    plan = Plan(problem.name, fleet.routes(engine.best), engine.objective, engine.bound)
    assert check(problem, plan).feasible
    assert told == sorted(told) and plan.objective >= told[-1] > 0


def fleet_of_short_stops(seed: int, *, sites: int, vans: int) -> Json:
    """Return a day of stops of half an hour: several depots, values less travel, driving limits, fixed costs."""
    rnd = random.Random(seed)
    spots = [(30 + rnd.gauss(0, 0.3), 31 + rnd.gauss(0, 0.3)) for _ in range(sites + 5)]
    return {
        "name": f"short-{seed}",
        "days": ["2026-11-22"],
        "places": [{"id": str(i), "lat": lat, "lon": lon} for i, (lat, lon) in enumerate(spots)],
        "travel": {"road": {"detour": 1.3, "speeds": [[5, 25], [None, 60]], "cost_per_km": 1}},
        "centers": [
            {
                "id": f"M{i}",
                "depot": str(i % 5),
                "days": [0],
                "shift": [480, 900],
                "setup": 10,
                "max_drive": 240,
                "fixed_cost": 20,
            }
            for i in range(vans)
        ],
        "sites": [
            {
                "id": f"S{i}",
                "place": str(i + 5),
                "open": rnd.choice([[480, 900], [480, 660], [660, 900]]),
                "offers": [{"stay": 30, "value": rnd.randint(20, 300)}, {"stay": 60, "value": 310}],
            }
            for i in range(sites)
        ],
    }


def test_a_fleet_with_half_hour_stops_comes_close_to_its_bound() -> None:
    """Eighteen vans, more than a move looks at together: within 4% of what is proven to be possible."""
    problem = Problem.from_json(fleet_of_short_stops(4, sites=70, vans=18))
    plan = run(problem, iterations=3)
    verdict = check(problem, plan)
    assert verdict.faults == () and verdict.objective == plan.objective
    assert plan.gap is not None and plan.gap < 0.04


def test_many_routes_go_to_the_long_arm_and_few_to_the_short_one() -> None:
    few, many = (
        usual_routes(Fleet(problem, Travel(problem)))
        for problem in (Problem.from_json(rich(1, sites=40)), Problem.from_json(tour(1, sites=100)))
    )
    assert few < MOST_ROUTES < many


def test_with_traffic_plans_and_bounds_hold() -> None:
    """Driving takes 70% to 160% of the table's time by the clock; the checker reckons minute by minute."""
    for seed in range(4):
        data = tour(seed, sites=30, vans=2)
        data["format"] = "fleet-problem/2"
        steps = [[30, 160], [90, 70], [150, 130]]
        data["travel"]["traffic"] = {
            "regions": {"city": [str(i) for i in range(1, 12)]},
            "percent": {"city": steps, "*": [[60, 120]]},
        }
        problem = Problem.from_json(data)
        plan = run(problem, iterations=3)
        assert check(problem, plan).faults == ()
        assert plan.bound is not None and plan.bound >= plan.objective > 0
        calm = tour(seed, sites=30, vans=2)
        swift = [
            [0 if a == b else -(-m * 7 // 10) for b, m in enumerate(row)]
            for a, row in enumerate(calm["travel"]["minutes"])
        ]
        calm["travel"]["minutes"] = swift
        assert plan.objective <= run(Problem.from_json(calm), iterations=4).bound  # type: ignore[operator]


@needs_instances
@pytest.mark.parametrize(("name", "best"), [("r101-m2", 349), ("c101-m1", 320), ("pr01-m1", 308)])
def test_files_of_the_literature_are_proven_best(name: str, best: int) -> None:
    problem = load(SHARED / "instances" / "toptw" / f"{name}.json.gz")
    plan = run(problem, iterations=8)
    assert (plan.objective, plan.bound) == (best, best)
