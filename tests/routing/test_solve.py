"""Plans: feasible, honest about their bound, and the same for the same seed."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing import PinError, Plan, Problem, check, load, solve
from tests.routing.make import rich, small
from tests.routing.referee import SHARED, load_referee, needs_instances, needs_referee

quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
seeds = st.integers(0, 10**6)


@quick
@given(seed=seeds, matrix=st.booleans())
def test_every_plan_is_feasible_and_its_bound_is_no_lower_than_its_objective(seed: int, matrix: bool) -> None:
    problem = Problem.from_json(rich(seed, sites=8, centers=3, days=3, matrix=matrix))
    plan = solve(problem, iterations=40)
    verdict = check(problem, plan)
    assert verdict.faults == ()
    assert plan.bound is not None and plan.bound >= plan.objective == verdict.objective


@needs_referee
@quick
@given(seed=seeds, matrix=st.booleans())
def test_the_referee_accepts_every_plan_and_its_claims(seed: int, matrix: bool) -> None:
    data = rich(seed, sites=8, centers=3, days=3, matrix=matrix)
    plan = solve(Problem.from_json(data), iterations=20)
    assert load_referee().check(data, plan.to_json()) == ([], plan.objective)


@quick
@given(seed=seeds)
def test_pinned_visits_are_kept_to_the_minute(seed: int) -> None:
    problem = Problem.from_json(rich(seed, sites=6, centers=2, days=2))
    plan = solve(problem, iterations=20)
    made = {(r.center, r.day, s.site, s.start, s.stay) for r in plan.routes for s in r.stops}
    assert {(p.center, p.day, p.site, p.start, p.stay) for p in problem.pinned} <= made


@quick
@given(seed=seeds)
def test_every_unserved_site_has_a_reason_and_no_served_site_has(seed: int) -> None:
    problem = Problem.from_json(rich(seed, sites=8, centers=2, days=2))
    plan = solve(problem, iterations=20)
    served = {stop.site for route in plan.routes for stop in route.stops}
    assert [u.site for u in plan.unserved] == [s.id for s in problem.sites if s.id not in served]
    assert all(u.code and u.reason for u in plan.unserved)


def test_visits_are_filled_in_around_a_pinned_visit() -> None:
    """A pin late in the morning leaves time for a visit before it, which is used."""
    pin = {"center": "M1", "day": 0, "site": "SA", "start": 690, "stay": 120}
    one = [small()["centers"][0] | {"days": [0]}]
    plan = solve(Problem.from_json(small(pinned=[pin], centers=one)), iterations=20)
    (route,) = plan.routes
    assert len(route.stops) >= 2
    assert ("SA", 690, 120) in {(s.site, s.start, s.stay) for s in route.stops}


def test_pins_that_contradict_each_other_are_named() -> None:
    pins = [
        {"center": "M1", "day": 0, "site": "SA", "start": 600, "stay": 120},
        {"center": "M1", "day": 0, "site": "SB", "start": 650, "stay": 120},
    ]
    with pytest.raises(PinError) as caught:
        solve(Problem.from_json(small(pinned=pins)), iterations=1)
    assert all("pinned[0]" in fault and "pinned[1]" in fault for fault in caught.value.faults)


def test_pins_that_visit_a_site_too_often_are_named() -> None:
    pins = [{"center": "M1", "day": day, "site": "SA", "start": 600, "stay": 120} for day in (0, 1)]
    with pytest.raises(PinError, match=r"pinned\[0\], pinned\[1\]: SA gets 2 visits"):
        solve(Problem.from_json(small(pinned=pins)), iterations=1)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_and_iterations_give_the_same_plan(seed: int) -> None:
    problem = Problem.from_json(rich(5, sites=30, centers=6, days=3))
    first, second = (solve(problem, iterations=15, seed=seed) for _ in range(2))
    assert (first.routes, first.objective, first.bound) == (second.routes, second.objective, second.bound)


def test_long_routes_are_planned_too_and_repeat_under_an_iterations_limit() -> None:
    """Short stays make routes of a dozen stops, which are not enumerated."""
    data = small(centers=small()["centers"][:1])
    data["places"] += [{"id": f"X{i}", "lat": 30 + i / 500, "lon": 31 + i / 700} for i in range(30)]
    data["sites"] = [
        {"id": f"T{i}", "place": f"X{i}", "open": [480, 960], "offers": [{"stay": 10, "value": 10 + i}]}
        for i in range(30)
    ]
    problem = Problem.from_json(data)
    first, second = (solve(problem, iterations=2) for _ in range(2))
    assert check(problem, first).feasible
    assert max(len(route.stops) for route in first.routes) > 6
    assert first.bound is not None and first.bound >= first.objective
    assert first.routes == second.routes


def test_a_plan_given_to_start_from_is_never_made_worse() -> None:
    problem = Problem.from_json(rich(11, sites=25, centers=5, days=3))
    good = solve(problem, iterations=40)
    again = solve(problem, iterations=0, start=good)
    assert again.objective >= good.objective


def test_a_start_for_other_centers_and_sites_is_used_as_far_as_it_goes() -> None:
    problem = Problem.from_json(small())
    old = solve(Problem.from_json(rich(3)), iterations=5)
    assert check(problem, solve(problem, iterations=5, start=old)).feasible


def test_a_problem_without_centers_gives_the_empty_plan_and_proves_it() -> None:
    plan = solve(Problem.from_json(small(centers=[])), iterations=1)
    assert (plan.routes, plan.objective, plan.bound) == ((), 0, 0)
    assert {u.code for u in plan.unserved} == {"no_center"}


@needs_instances
def test_a_national_day_is_nearly_closed_within_seconds() -> None:
    """300 sites, 107 centers: at most half a percent between plan and bound."""
    problem = load(SHARED / "instances" / "national" / "EG300d1-s7.json.gz")
    plan = solve(problem, iterations=40)
    assert plan.gap is not None and plan.gap <= 0.005
    assert plan.objective <= 288804 <= 289000 and plan.objective >= 287500


@needs_instances
def test_progress_tells_of_ever_better_plans_and_the_stop_button_keeps_the_best() -> None:
    """Stopped at the third report, the solve ends at once with a feasible plan at least as good as reported."""
    problem = load(SHARED / "instances" / "national" / "EG300d6r-s7.json.gz")
    told: list[dict[str, object]] = []
    pressed = threading.Event()

    def progress(line: dict[str, object]) -> None:
        told.append(line)
        if len(told) >= 3:
            pressed.set()

    began = time.monotonic()
    plan = solve(problem, seconds=50, progress=progress, stop=pressed.is_set)
    assert time.monotonic() - began < 12
    assert check(problem, plan).feasible
    values = [line["objective"] for line in told]
    assert values == sorted(values, key=lambda v: int(str(v)))
    assert plan.objective >= int(str(values[-1]))
    assert set(told[0]) == {"elapsed", "phase", "objective", "bound", "gap"}


@needs_instances
@needs_referee
def test_the_seconds_are_kept_and_the_plan_passes_the_referee() -> None:
    """Two seconds on a rich national week: a feasible plan, not after the minute that is the default."""
    path = SHARED / "instances" / "national" / "EG300d6r-s7.json.gz"
    problem = load(path)
    began = time.monotonic()
    plan = solve(problem, seconds=2)
    assert time.monotonic() - began < 20
    referee = load_referee()
    assert referee.check(referee.load(path), Plan.from_json(plan.to_json()).to_json())[0] == []
