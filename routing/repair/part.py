"""A part of the rest as a problem of its own, in which keeping what was announced is worth something.

Each opened unit gets a class of its own, so that offers by class can carry a bonus for the visit that was announced
for that center and day. The rest of the routes stand and use up visits, days and coverage.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from routing.problem import Center, Group, Matrix, Offer, Problem, Site, Window
from routing.repair.around import Around
from routing.repair.rest import Rest
from routing.repair.timetable import timed
from routing.solution import Plan, Route, Visit
from routing.traffic import Traffic

OTHER_STAY = 0.5
"""The share of the bonus left when a visit is made, but shorter or longer than announced."""
SAME_DAY = 0.25
"""The share left when another center makes it on the announced day."""


def part_of(rest: Rest, routes: Mapping[str, Route], near: Around, bonus: int) -> tuple[Problem, Plan]:
    """Return the problem of planning `near` anew, all other routes standing, and the present routes as a plan to start
    from. `bonus` is what keeping one announced visit as it is counts, in the problem's unit.
    """
    whole, units = rest.problem, near.units
    open_units = set(units)
    used: dict[str, list[int]] = defaultdict(list)
    for unit, route in routes.items():
        if unit not in open_units:
            for stop in route.stops:
                used[stop.site].append(route.day)
    announced: dict[str, list[Visit]] = defaultdict(list)
    for visit in rest.announced:
        announced[visit.site].append(visit)
    centers = [whole.center_by_id[unit] for unit in units]
    made = [
        site
        for name in near.sites
        if (
            site := _site(
                rest, whole.site_by_id[name], centers, near, used.get(name, ()), announced[name], bonus
            )
        )
    ]
    names = {site.id for site in made}
    groups = tuple(
        Group(g.name, tuple(s for s in g.sites if s in names), lack, g.penalty)
        for g in whole.groups
        if (lack := g.at_least - sum(len(used.get(s, ())) for s in g.sites)) > 0
        and any(s in names for s in g.sites)
    )
    fleet = tuple(replace(center, kind=center.id) for center in centers)
    part = over_places(rest, fleet, tuple(made), groups)
    start = Plan(whole.name, tuple(routes[unit] for unit in units if unit in routes), 0)
    return part, start


def merged(rest: Rest, routes: Mapping[str, Route], units: Iterable[str], found: Plan) -> dict[str, Route]:
    """Return `routes` with those of `units` replaced by the plan found for the part, announced starts kept."""
    result = {unit: route for unit, route in routes.items() if unit not in set(units)}
    starts = {(*visit.key, visit.site): visit.start for visit in rest.announced}
    for route in found.routes:
        if not route.stops:
            continue
        key = rest.key_of[route.center]
        wanted = [(stop.site, stop.stay, starts.get((*key, stop.site))) for stop in route.stops]
        center = rest.problem.center_by_id[route.center]
        result[route.center] = timed(rest.problem, rest.travel, center, route.day, wanted) or route
    return result


def _site(
    rest: Rest,
    site: Site,
    centers: Sequence[Center],
    near: Around,
    used: Sequence[int],
    announced: Sequence[Visit],
    bonus: int,
) -> Site | None:
    left = site.max_visits - len(used)
    if left <= 0:
        return None
    windows: dict[str, Window] = {}
    for d in {center.days[0] for center in centers}:
        window = site.window(d)
        if window is not None and all(abs(d - u) >= site.min_gap_days for u in used):
            windows[str(d)] = window
    owners = {visit.key for visit in announced}
    made: dict[tuple[str, int, tuple[str, int] | None], tuple[Offer, ...]] = {}
    offers: dict[str, tuple[Offer, ...]] = {}
    for center in centers:
        d = center.days[0]
        if str(d) in windows and site.id in near.reach[center.id] and site.allows(center.id):
            key = rest.key_of[center.id]
            alike = (
                center.kind,
                d,
                key if key in owners else None,
            )  # others of the class and day offer the same
            if alike not in made:
                some = (
                    Offer(o.stay, site.worth(o.value, d) + _bonus(announced, key, o.stay, bonus))
                    for o in site.offers_for(center.kind)
                )
                made[alike] = tuple(o for o in some if o.value > 0)
            offers[center.id] = made[alike]
    if not any(offers.values()):
        return None
    return replace(site, open=windows, offers=offers, day_percent=None, max_visits=left, centers=None)


def _bonus(announced: Sequence[Visit], key: tuple[str, int], stay: int, bonus: int) -> int:
    share = 0.0
    for visit in announced:
        if visit.key == key:
            return bonus if visit.stay == stay else round(OTHER_STAY * bonus)
        if visit.day == key[1]:
            share = SAME_DAY
    return round(share * bonus)


def over_places(
    rest: Rest, centers: tuple[Center, ...], sites: tuple[Site, ...], groups: tuple[Group, ...]
) -> Problem:
    """Return the problem over the places that it needs."""
    whole = rest.problem
    needed = {site.place for site in sites} | {center.depot for center in centers}
    needed |= {center.begins(d)[0] for center in centers for d in center.days}
    rows = [i for i, place in enumerate(whole.places) if place.id in needed]
    travel = whole.travel
    if isinstance(travel, Matrix):
        minutes, cost = (np.asarray(table)[np.ix_(rows, rows)].tolist() for table in rest.travel.tables)
        travel = Matrix(tuple(map(tuple, minutes)), tuple(map(tuple, cost)))
    traffic = whole.traffic
    if traffic is not None:
        regions = {name: tuple(p for p in some if p in needed) for name, some in traffic.regions.items()}
        traffic = Traffic(regions, traffic.percent)
    return replace(
        whole, places=tuple(whole.places[i] for i in rows), travel=travel, traffic=traffic, centers=centers,
        sites=sites, groups=groups, pinned=(), checked=True,
    )  # fmt: skip
