"""Long routes: plans feasible, bounds true, proofs right, and the same for the same seed."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing import Plan, Problem, Travel, check, load, solve
from routing.engine.clock import Clock
from routing.engine.fleet import Fleet
from routing.engine.knapsack import knapsack_bound
from routing.engine.long.engine import Long
from routing.solution import describe
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
    """Pressed while both the search and the exact side are at work."""
    problem = Problem.from_json(tour(3, sites=120, vans=3))
    run(Problem.from_json(tour(1, sites=10)), iterations=1)  # compiled before the clock runs
    pressed = threading.Event()
    told: list[tuple[float, int]] = []

    def progress(line: dict[str, Any]) -> None:
        told.append((time.monotonic(), line["objective"]))
        if line["elapsed"] > 2.5:
            pressed.set()

    plan = solve(problem, seconds=60, progress=progress, stop=pressed.is_set)
    pressed_at = next(at for at, _ in told if at >= told[-1][0] - 60)
    assert time.monotonic() - pressed_at < 30
    assert check(problem, plan).feasible
    assert plan.objective >= max(value for _, value in told) > 0


@needs_instances
@pytest.mark.parametrize(("name", "best"), [("r101-m2", 349), ("c101-m1", 320), ("pr01-m1", 308)])
def test_files_of_the_literature_are_proven_best(name: str, best: int) -> None:
    problem = load(SHARED / "instances" / "toptw" / f"{name}.json.gz")
    plan = run(problem, iterations=8)
    assert (plan.objective, plan.bound) == (best, best)
