"""The optimum of a tiny problem by trying every set of routes: slow, simple, and independent of the engine."""

from __future__ import annotations

import itertools

from routing import Plan, Problem, Route, Travel, check
from routing.check import check_route
from routing.solution import earliest


def optimum(problem: Problem, most_stops: int = 3) -> int | None:
    """Return the best objective of any feasible plan of at most `most_stops` a route; None when there is none.

    Holds for problems without pins (a pinned start would have to be tried at every minute).
    """
    travel = Travel(problem)
    choices: list[list[Route | None]] = []
    for center in problem.centers:
        for day in center.days:
            routes: list[Route | None] = [None]
            visits = [
                (site.id, offer.stay)
                for site in problem.sites
                if site.allows(center.id) and site.window(day)
                for offer in site.offers_for(center.kind)
            ]
            for count in range(1, most_stops + 1):
                for order in itertools.permutations(visits, count):
                    if len({name for name, _ in order}) == count:
                        route = earliest(problem, travel, center.id, day, order)
                        if not check_route(problem, travel, route).faults:
                            routes.append(route)
            choices.append(routes)
    best: int | None = None
    for combination in itertools.product(*choices):
        made = tuple(route for route in combination if route is not None)
        verdict = check(problem, Plan("", made, 0), travel=travel, claims=False)
        if verdict.feasible and (best is None or verdict.objective > best):
            best = verdict.objective
    return best
