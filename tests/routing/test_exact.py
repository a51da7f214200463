"""Solver, checker and exhaustive search agree on the optimum of tiny problems, and on those that have none."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing import Plan, Problem, ProblemError, check, solve
from tests.routing.brute import best_plan
from tests.routing.make import rich, touring

exact = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
seeds = st.integers(0, 10**6)


def same_optimum(data: dict[str, Any]) -> None:
    """Solver and search find the same best objective, the bound proves it, the checker accepts both plans."""
    problem = Problem.from_json(data)
    best = best_plan(data)
    try:
        plan = solve(problem, iterations=80, threads=1)
    except ProblemError:
        assert best is None, "a problem that has a plan was refused"
        return
    assert best is not None, "a plan was made of a problem that has none"
    assert check(problem, plan).feasible
    assert check(problem, Plan.from_json(best)).feasible
    assert (plan.objective, plan.bound) == (best["objective"], best["objective"])


@exact
@given(seed=seeds, matrix=st.booleans())
def test_the_optimum_of_a_tiny_problem_is_found_and_proven(seed: int, matrix: bool) -> None:
    same_optimum(rich(seed, sites=3, centers=2, days=2, matrix=matrix))


@settings(exact, max_examples=15)
@given(seed=seeds, matrix=st.booleans())
def test_the_optimum_of_a_larger_one_too(seed: int, matrix: bool) -> None:
    same_optimum(rich(seed, sites=4, centers=3, days=2, matrix=matrix))


@settings(exact, max_examples=60)
@given(seed=seeds, matrix=st.booleans())
def test_the_optimum_with_nights_starts_pins_and_traffic_is_found_and_proven(seed: int, matrix: bool) -> None:
    same_optimum(touring(seed, sites=3, matrix=matrix))


@settings(exact, max_examples=12)
@given(seed=seeds, matrix=st.booleans())
def test_the_optimum_of_a_larger_one_with_nights_too(seed: int, matrix: bool) -> None:
    same_optimum(touring(seed, sites=4, centers=2, days=2, matrix=matrix))
