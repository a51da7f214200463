"""Solve a problem: the one door to the engine."""

from __future__ import annotations

from collections.abc import Callable

from routing.check import check
from routing.engine.clock import Clock, Progress, Stop
from routing.engine.columns import Generation
from routing.engine.fleet import Fleet
from routing.engine.long.engine import Long
from routing.engine.long.usual import usual_routes
from routing.engine.master import Duals
from routing.errors import RoutingError
from routing.explain import explain
from routing.problem import Problem
from routing.solution import Plan, Prices, describe
from routing.travel import Travel

DEFAULT_SECONDS = 60.0
MOST_STOPS = 5  # routes of no more stops than this are always few enough to look at one by one
MOST_ROUTES = 11.0  # decimal logarithm of the routes of one gap, beyond which they are too many


def _closing(seconds: float, problem: Problem) -> float:
    """Return the seconds to keep for what follows the search: checking, explaining, describing."""
    return min(0.2 * seconds, 0.4 + 0.001 * len(problem.sites))


def solve(
    problem: Problem,
    *,
    seconds: float | None = None,
    iterations: int | None = None,
    seed: int = 1,
    threads: int = 2,
    start: Plan | None = None,
    progress: Progress | None = None,
    stop: Stop | None = None,
    log: Callable[[str], None] | None = None,
    reasons: bool = True,
) -> Plan:
    """Return the best plan found, with its objective and a proven upper bound, and why sites stay unserved (unless
    the caller does without the `reasons`)."""
    if seconds is None and iterations is None:
        seconds = DEFAULT_SECONDS
    limit = None if seconds is None else seconds - (_closing(seconds, problem) if reasons else 0.05 * seconds)
    clock = Clock(limit, iterations, progress, stop)
    travel = Travel(problem)
    fleet = Fleet(problem, travel)
    engine: Generation | Long
    stops = max((gap.stops for gap in fleet.gaps), default=0)
    if stops > MOST_STOPS and not fleet.chains and usual_routes(fleet) > MOST_ROUTES:
        engine = Long(fleet, clock, seed, threads, log)
    else:
        engine = Generation(fleet, clock, seed, threads, log)
    engine.run(fleet.columns(start.routes) if start else [])
    routes = tuple(describe(problem, travel, route) for route in fleet.routes(engine.best))
    plan = Plan(problem.name, routes, engine.objective, engine.bound)
    verdict = check(problem, plan, travel=travel)
    if not verdict.feasible:
        raise RoutingError("the engine made a faulty plan: " + "; ".join(f.text for f in verdict.faults))
    unserved = explain(problem, plan, travel=travel) if reasons else ()
    facts = {"seed": seed, "seconds": round(clock.elapsed, 2), "iterations": clock.iteration}
    prices = _prices(fleet, engine.prices)
    return Plan(problem.name, routes, engine.objective, engine.bound, verdict.costs, unserved, facts, prices)


def _prices(fleet: Fleet, duals: Duals | None) -> Prices | None:
    """Return the engine's prices by center, site and day of the problem, those of nothing left out."""
    if duals is None:
        return None
    days = {
        (center, day): round(rent, 1)
        for gap, rent in zip(fleet.gaps, duals.rent.tolist(), strict=True)
        for center, day, part in gap.members
        if part == 0 and (center, day) not in fleet.pins and rent >= 0.05
    }
    sites = fleet.problem.sites
    visits = {
        (sites[i].id, day): round(price, 1)
        for day in range(fleet.days)
        for i, price in enumerate(duals.visit[day].tolist())
        if abs(price) >= 0.05 and sites[i].window(day) is not None
    }
    return Prices(days, visits)
