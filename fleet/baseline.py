"""What plain practice would do with the same vans: to the biggest towns in turn.

Every van has the towns of its own governorate in order of population. Each day it goes to the biggest that
has been visited least so far, alone, for the longest stay that its shift, the place's hours and its driving
limit allow; where no town is open (Saturdays), to the biggest village in the same way. The plan obeys the
same rules, earns by the same offers and is checked by the same code as the optimised one: only the choice
differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.planning.shapes import TENTHS
from fleet.store import Center, Site
from routing.check import check, check_route
from routing.problem import Problem
from routing.solution import Plan, Route, earliest
from routing.travel import Travel

Tiers = Sequence[Sequence[str]]
"""Site ids, biggest first, in lists of which a later one counts only where nothing of an earlier one is
allowed."""


def rankings(session: Session, problem: Problem) -> dict[str, Tiers]:
    """Return each center's tiers: towns (fixed centers' forecourts), then villages, of its governorate, by
    population."""
    towns: dict[int, list[str]] = {}
    villages: dict[int, list[str]] = {}
    for code, kind, governorate in session.execute(
        select(Site.code, Site.kind, Site.governorate_id).order_by(Site.population.desc(), Site.id)
    ):
        if code in problem.site_by_id:
            (villages if kind == "village" else towns).setdefault(governorate, []).append(code)
    return {
        code: (towns.get(governorate, []), villages.get(governorate, []))
        for code, governorate in session.execute(select(Center.code, Center.governorate_id))
    }


def hours(problem: Problem, ranking: Mapping[str, Tiers], travel: Travel | None = None) -> float:
    """Return the person-hours the baseline saves citizens (before driving), in the problem's own values."""
    plan = baseline(problem, ranking, travel)
    assert plan.costs is not None
    return plan.costs.value / TENTHS


def baseline(problem: Problem, ranking: Mapping[str, Tiers], travel: Travel | None = None) -> Plan:
    """Return the baseline's plan; it keeps every rule but pins, which belong to the plan it is compared
    with."""
    travel = travel or Travel(problem)
    problem = replace(problem, pinned=(), checked=True)
    visits: dict[str, list[int]] = {}
    routes: list[Route] = []
    for day in range(len(problem.days)):
        for center in problem.centers:
            if day not in center.days:
                continue
            route = _first(problem, travel, center.id, day, ranking.get(center.id, ()), visits)
            if route is not None:
                routes.append(route)
                visits.setdefault(route.stops[0].site, []).append(day)
    plan = Plan(problem.name, tuple(routes), 0)
    verdict = check(problem, plan, travel=travel, claims=False)
    return replace(plan, objective=verdict.objective, costs=verdict.costs)


def _first(
    problem: Problem,
    travel: Travel,
    center: str,
    day: int,
    tiers: Tiers,
    visits: Mapping[str, Sequence[int]],
) -> Route | None:
    for tier in tiers:
        # A stable sort: the biggest of the least visited comes first.
        for site in sorted(tier, key=lambda name: len(visits.get(name, ()))):
            route = _visit(problem, travel, center, day, site, visits)
            if route is not None:
                return route
    return None


def _visit(
    problem: Problem, travel: Travel, center: str, day: int, site: str, visits: Mapping[str, Sequence[int]]
) -> Route | None:
    """Return the longest allowed stay at `site` alone, or None."""
    there = problem.site_by_id.get(site)
    if there is None or there.window(day) is None:
        return None
    done = visits.get(site, ())
    if len(done) >= there.max_visits or any(abs(day - d) < there.min_gap_days for d in done):
        return None
    offers = there.offers_for(problem.center_by_id[center].kind)
    for offer in sorted(offers, key=lambda o: -o.stay):
        route = earliest(problem, travel, center, day, [(site, offer.stay)])
        if not check_route(problem, travel, route).faults:
            return route
    return None
