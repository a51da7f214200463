"""Putting lost visits into free time, without touching anything that was announced."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from routing.problem import Center, Site
from routing.repair.rest import Rest, Visit
from routing.repair.timetable import timed, worth
from routing.solution import Route


def filled(rest: Rest, routes: Mapping[str, Route]) -> dict[str, Route]:
    """Return `routes` with lost visits put where they fit and gain most, the dearest first; all else stays to the
    minute."""
    result = dict(routes)
    for visit in sorted(_lost(rest, routes), key=lambda v: (-_value(rest, v), v.site)):
        site = rest.problem.site_by_id.get(visit.site)
        if site is None:
            continue
        best: tuple[int, str, Route] | None = None
        for center in rest.problem.centers:
            route = result.get(center.id)
            if _room(rest, center, route, site) and _may(rest, result, site, center.days[0]):
                found = _best(rest, center, route, site)
                if found is not None and (best is None or found[0] > best[0]):
                    best = found[0], center.id, found[1]
        if best is not None:
            result[best[1]] = best[2]
    return result


def _lost(rest: Rest, routes: Mapping[str, Route]) -> list[Visit]:
    stands = Counter((rest.key_of[unit], stop.site) for unit, route in routes.items() for stop in route.stops)
    return [visit for visit in rest.announced if not stands[visit.key, visit.site]]


def _value(rest: Rest, visit: Visit) -> int:
    center = rest.original.center_by_id.get(visit.center)
    return (worth(rest.original, center, visit.day, visit.site, visit.stay) or 0) if center else 0


def _may(rest: Rest, routes: Mapping[str, Route], site: Site, day: int) -> bool:
    """Say whether the site may have one more visit on `day`."""
    days: dict[str, list[int]] = defaultdict(list)
    for route in routes.values():
        for stop in route.stops:
            if stop.site == site.id:
                days[site.id].append(route.day)
    taken = days[site.id]
    return len(taken) < site.max_visits and all(abs(day - d) >= site.min_gap_days for d in taken)


def _room(rest: Rest, center: Center, route: Route | None, site: Site) -> bool:
    """Say whether the shortest stay could fit at all: most days are full, and fall out here."""
    day = center.days[0]
    offers = site.offers_for(center.kind)
    if not offers or site.window(day) is None or not site.allows(center.id):
        return False
    stops = route.stops if route is not None else ()
    busy = sum(stop.stay + center.setup for stop in stops)
    needed = min(offer.stay for offer in offers) + center.setup
    return center.begins(day)[1] + busy + needed <= center.shift[1]


def _best(rest: Rest, center: Center, route: Route | None, site: Site) -> tuple[int, Route] | None:
    """Return the most that one more visit gains here, and the route with it; None when nothing gains."""
    day = center.days[0]
    stops = route.stops if route is not None else ()
    starts = {stop.site: stop.start for stop in stops}
    way = [center.begins(day)[0], *(rest.problem.site_by_id[s.site].place for s in stops), center.depot]
    best: tuple[int, Route] | None = None
    for offer in site.offers_for(center.kind):
        value = site.worth(offer.value, day) - (0 if stops else center.fixed_cost)
        for k in range(len(stops) + 1):
            detour = (
                rest.travel.leg(way[k], site.place)[1]
                + rest.travel.leg(site.place, way[k + 1])[1]
                - rest.travel.leg(way[k], way[k + 1])[1]
            )
            gain = value - detour
            if gain <= (best[0] if best else 0):
                continue
            visits = [(s.site, s.stay, s.start) for s in stops]
            tried = timed(
                rest.problem,
                rest.travel,
                center,
                day,
                [*visits[:k], (site.id, offer.stay, None), *visits[k:]],
            )
            if tried and all(starts.get(s.site, s.start) == s.start for s in tried.stops):
                best = gain, tried
    return best
