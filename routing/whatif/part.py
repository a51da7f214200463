"""A part of a planned problem: some centers are planned anew, the others do what the plan says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace

from routing.check import check
from routing.problem import Group, Problem, Site
from routing.solution import Plan, Route
from routing.travel import Travel
from routing.whatif.questions import kept_pins


@dataclass(frozen=True, slots=True)
class Part:
    """The problem of the free centers, their routes as they are, and what the others and their visits are worth.

    Whatever the free centers do, the whole plan's objective is that of the part plus `constant`.
    """

    problem: Problem
    start: Plan
    constant: int


def part_of(problem: Problem, plan: Plan, free: Collection[str], *, travel: Travel | None = None) -> Part:
    """Return the part of `plan` in which the centers `free` are planned anew, on all their days."""
    chosen = set(free)
    kept = tuple(route for route in plan.routes if route.center not in chosen and route.stops)
    mine = tuple(route for route in plan.routes if route.center in chosen and route.stops)
    days: dict[str, list[int]] = defaultdict(list)
    for route in kept:
        for stop in route.stops:
            days[stop.site].append(route.day)
    sites = tuple(made for site in problem.sites if (made := _left(problem, site, days.get(site.id, []))))
    known = {site.id for site in sites}
    groups, lacking = _groups(problem, days, known)
    small = replace(
        problem,
        name=f"{problem.name} (part)",
        centers=tuple(center for center in problem.centers if center.id in chosen),
        sites=sites,
        groups=groups,
        pinned=kept_pins(problem, chosen),
        checked=True,
    )
    fixed = _worth(problem, kept, chosen, travel)
    return Part(small, Plan(small.name, mine, 0), fixed - lacking)


def _left(problem: Problem, site: Site, days: list[int]) -> Site | None:
    """Return what the fixed visits leave of a site; None for nothing."""
    if not days:
        return site
    if len(days) >= site.max_visits:
        return None
    windows = {
        str(day): window
        for day in range(len(problem.days))
        if (window := site.window(day)) is not None
        and all(abs(day - other) >= site.min_gap_days for other in days)
    }
    return replace(site, open=windows, max_visits=site.max_visits - len(days)) if windows else None


def _groups(
    problem: Problem, days: dict[str, list[int]], known: Collection[str]
) -> tuple[tuple[Group, ...], int]:
    """Return the groups with what the fixed visits leave to do, and the penalties that nothing can avert."""
    made: list[Group] = []
    lacking = 0
    for group in problem.groups:
        short = group.at_least - sum(len(days.get(site, ())) for site in group.sites)
        members = tuple(site for site in group.sites if site in known)
        if short <= 0:
            continue
        if members:
            made.append(replace(group, sites=members, at_least=short))
        else:
            lacking += short * group.penalty
    return tuple(made), lacking


def _worth(problem: Problem, kept: tuple[Route, ...], chosen: set[str], travel: Travel | None) -> int:
    """Return what the fixed routes earn, the groups apart."""
    rest = replace(
        problem,
        centers=tuple(center for center in problem.centers if center.id not in chosen),
        groups=(),
        pinned=(),
        checked=True,
    )
    return check(rest, Plan("", kept, 0), travel=travel, claims=False).objective


def nearby(problem: Problem, places: Collection[str], most: int, travel: Travel) -> tuple[str, ...]:
    """Return the centers whose depots are nearest to any of `places`, by minutes of the table, `most` of them."""

    def minutes(depot: str) -> int:
        return min((travel.leg(depot, place)[0] for place in places), default=0)

    ranked = sorted(problem.centers, key=lambda center: (minutes(center.depot), center.id))
    return tuple(center.id for center in ranked[:most])
