"""What a manual change of a plan does: every rule looked at again, and the objective's difference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from routing.check import Fault, check
from routing.problem import Problem
from routing.solution import Costs, Plan, Route
from routing.travel import Travel


@dataclass(frozen=True, slots=True)
class Move:
    """What a change to a plan does.

    `plan` is the changed plan with its true objective (and no bound), `difference` its objective less the
    old one, `faults` all it breaks, `fresh` those of them that the old plan did not have.
    """

    plan: Plan
    difference: int
    costs: Costs
    faults: tuple[Fault, ...]
    fresh: tuple[Fault, ...]


def move_cost(problem: Problem, plan: Plan, edited: Iterable[Route], *, travel: Travel | None = None) -> Move:
    """Return what replacing the routes of the same center and day by `edited` does; no stops means: stay in.

    Every rule is looked at again (some 10 ms for a national week). Keep one `Travel` for many calls.
    """
    travel = travel or Travel(problem)
    routes = {route.key: route for route in plan.routes}
    for route in edited:
        routes[route.key] = route
    kept = tuple(route for route in routes.values() if route.stops)
    before = check(problem, plan, travel=travel, claims=False)
    after = check(problem, replace(plan, routes=kept), travel=travel, claims=False)
    changed = Plan(plan.problem, kept, after.objective, None, after.costs)
    old = set(before.faults)
    fresh = tuple(fault for fault in after.faults if fault not in old)
    return Move(changed, after.objective - before.objective, after.costs, after.faults, fresh)
