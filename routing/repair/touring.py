"""A center's days and nights planned anew together, as a problem of its own: to stay out or to come home."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from routing.nights import nights_between
from routing.problem import Center, Group, Offer, Problem, Site
from routing.repair.around import Scores
from routing.repair.changes import State, visits_of
from routing.repair.part import over_places
from routing.repair.rest import Rest
from routing.repair.timetable import timed
from routing.solution import Key, Plan, Route, Visit

REACH = 30
"""Places that a tour may choose from, beside its own and the lost ones."""


@dataclass(frozen=True)
class Tour:
    """One center's rest of the time. `problem` knows it by its true id and days."""

    problem: Problem
    center: Center
    rest: Rest
    announced: Mapping[tuple[int, str], Visit]


def may_travel(rest: Rest) -> dict[str, list[Key]]:
    """Return the days of each center whose nights may be chosen: two or more, up to the horizon, none of which hangs
    together with a day beyond it."""
    days: dict[str, list[Key]] = defaultdict(list)
    for key in rest.begins:
        days[key[0]].append(key)
    found = {}
    for name, keys in days.items():
        center = rest.original.center_by_id.get(name)
        keys.sort(key=lambda key: key[1])
        if center is None or center.nights == 0 or len(keys) < 2:
            continue
        chain = [d for d in center.days if keys[0][1] <= d <= keys[-1][1]]
        if len(chain) == len(keys) and keys[-1] not in rest.nights:
            found[name] = keys
    return found


def tour_of(
    home: Rest,
    now: State,
    keys: Sequence[Key],
    plan: Plan,
    wanted: Sequence[str],
    bonus: int,
    *,
    tight: bool,
) -> Tour | None:
    """Return the problem of planning days and nights of one center anew, all other routes standing. `home` is the rest
    in which it spends none of these nights away, `bonus` what keeping an announced visit counts. With `tight` every day
    keeps the limits that today has left: of driving, and of nights in a row. None when it has nowhere to go.
    """
    name = keys[0][0]
    center = home.original.center_by_id[name]
    units = {unit for key in keys if (unit := now.rest.unit_of.get(key)) is not None}
    used: dict[str, list[int]] = defaultdict(list)
    for unit, route in now.routes.items():
        if unit not in units:
            for stop in route.stops:
                used[stop.site].append(route.day)
    announced = {(visit.day, visit.site): visit for visit in home.announced if visit.center == name}
    made = [visit.site for visit in visits_of(*now) if visit.center == name]
    names = [*made, *(site for _, site in announced), *wanted]
    names += _promising(home, keys, used)
    sites = []
    for one in dict.fromkeys(names):
        given = home.problem.site_by_id.get(one)
        site = _site(given, center, keys, used.get(one, ()), announced, bonus) if given is not None else None
        if site is not None:
            sites.append(site)
    if not sites:
        return None
    fleet = (_center(home, center, keys, plan, tight=tight),)
    kept = {site.id for site in sites}
    groups = tuple(
        Group(g.name, tuple(s for s in g.sites if s in kept), lack, g.penalty)
        for g in home.problem.groups
        if (lack := g.at_least - sum(len(used.get(s, ())) for s in g.sites)) > 0 and kept & {*g.sites}
    )
    return Tour(over_places(home, fleet, tuple(sites), groups), center, home, announced)


def timed_days(tour: Tour, answer: Plan) -> dict[Key, tuple[Route, bool]] | None:
    """Return the days of an answer with announced starts kept where they can be, and whether each ends away; None when
    today cannot be made like that."""
    rest, center = tour.rest, tour.center
    found: dict[Key, tuple[Route, bool]] = {}
    slept: str | None = None
    routes = {route.day: route for route in answer.routes if route.stops}
    for day in tour.problem.centers[0].days:
        begin = rest.begins[center.id, day]
        route = routes.get(day)
        start = (begin.place, begin.minute) if slept is None else (slept, center.shift[0])
        slept = None
        if route is None:
            continue
        visits = [(stop.site, stop.stay, _announced(tour, day, stop.site)) for stop in route.stops]
        if route.overnight:
            slept = rest.original.site_by_id[route.stops[-1].site].place
        limit = center.max_drive if center.max_drive is None else max(0, center.max_drive - begin.driven)
        driver = replace(
            center, depot=center.depot if slept is None else slept, max_drive=limit, starts={str(day): start}
        )
        made = timed(rest.problem, rest.travel, driver, day, visits)
        if made is None:
            return None
        found[center.id, day] = made, route.overnight
    return found


def nights_after(days: Mapping[Key, tuple[Route, bool]]) -> dict[Key, Visit | None]:
    """Return where the nights are spent, by day."""
    return {
        key: Visit(*key, route.stops[-1].site, route.stops[-1].start, route.stops[-1].stay) if away else None
        for key, (route, away) in days.items()
    }


def joined(
    before: State, after: Rest, keys: Sequence[Key], days: Mapping[Key, tuple[Route, bool]]
) -> dict[str, Route]:
    """Return the routes with those days replaced, on the units of `after`."""
    replaced = {*keys}
    made = {unit: route for unit, route in before.routes.items() if before.rest.key_of[unit] not in replaced}
    for key, (route, away) in days.items():
        stops = route.stops[:-1] if away else route.stops
        unit = after.unit_of.get(key)
        if stops and unit is not None:
            made[unit] = replace(route, center=unit, stops=stops, origin=None)
    return made


def _center(rest: Rest, center: Center, keys: Sequence[Key], plan: Plan, *, tight: bool) -> Center:
    first = rest.begins[keys[0]]
    drive, nights = center.max_drive, center.nights
    if tight:
        drive = None if drive is None else max(0, drive - first.driven)
        nights = max(0, nights - _before(rest, center, keys[0][1], plan))
    starts = {} if (first.place, first.minute) == (center.depot, center.shift[0]) else {
        str(keys[0][1]): (first.place, first.minute)
    }  # fmt: skip
    later = {str(d): center.starts[str(d)] for _, d in keys[1:] if str(d) in center.starts}
    fixed = 0 if first.left and len(keys) == 1 else center.fixed_cost
    return replace(
        center, days=tuple(d for _, d in keys), max_drive=drive, nights=nights, fixed_cost=fixed,
        starts=starts | later,
    )  # fmt: skip


def _before(rest: Rest, center: Center, day: int, plan: Plan) -> int:
    """Return the nights in a row that it has been away when `day` begins."""
    away = {route.day for route in plan.routes if route.center == center.id and route.overnight}
    total, after = 0, day
    for before in sorted((d for d in center.days if d < day), reverse=True):
        if before not in away:
            break
        total += nights_between(rest.original, before, after)
        after = before
    return total


def _site(
    site: Site,
    center: Center,
    keys: Sequence[Key],
    used: Sequence[int],
    announced: Mapping[tuple[int, str], Visit],
    bonus: int,
) -> Site | None:
    """Return the site as this center may serve it; None when it may not."""
    left = site.max_visits - len(used)
    offers = site.offers_for(center.kind)
    windows = {
        str(d): window
        for _, d in keys
        if (window := site.window(d)) is not None and all(abs(d - u) >= site.min_gap_days for u in used)
    }
    units = {f"{center.id}@{d}" for _, d in keys}
    if left <= 0 or not offers or not windows:
        return None
    if site.centers is not None and not units & {*site.centers}:
        return None
    stays = {visit.stay for (_, name), visit in announced.items() if name == site.id}
    more = bonus if stays else 0
    made = tuple(Offer(o.stay, o.value + (more if o.stay in stays else more // 2)) for o in offers)
    return replace(site, open=windows, offers=made, max_visits=left, centers=None)


def _promising(rest: Rest, keys: Sequence[Key], used: Mapping[str, Sequence[int]]) -> list[str]:
    """Return the sites that nobody serves and that would bring these days most."""
    idle = [site for site in rest.problem.sites if len(used.get(site.id, ())) < site.max_visits]
    units = [rest.problem.center_by_id[unit] for key in keys if (unit := rest.unit_of.get(key)) is not None]
    if not idle or not units:
        return []
    scores = Scores(rest, idle)
    best = np.max([scores.of(unit, None) for unit in units], axis=0)
    return [idle[i].id for i in np.argsort(-best, kind="stable")[:REACH].tolist() if best[i] > 0]


def _announced(tour: Tour, day: int, site: str) -> int | None:
    found = tour.announced.get((day, site))
    return None if found is None else found.start
