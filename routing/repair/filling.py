"""Putting lost visits into free time, without touching anything that was announced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from routing.problem import Center, Site
from routing.repair.around import Scores
from routing.repair.changes import visits_of
from routing.repair.rest import Rest
from routing.repair.timetable import timed, worth
from routing.solution import Route, Visit


def filled(rest: Rest, routes: Mapping[str, Route]) -> dict[str, Route]:
    """Return `routes` with lost visits put where they fit and gain most, the dearest first; all else stays to the
    minute."""
    result = dict(routes)
    lost = sorted(_lost(rest, routes), key=lambda v: (-_value(rest, v), v.site))
    sites = [site for visit in lost if (site := rest.problem.site_by_id.get(visit.site)) is not None]
    if not sites:
        return result
    scores = Scores(rest, sites)
    room = {center.id: scores.room(center, result.get(center.id)) for center in rest.problem.centers}
    for s, site in enumerate(sites):
        best: tuple[int, str, Route] | None = None
        for center in sorted(rest.problem.centers, key=lambda c: -room[c.id][s]):
            if room[center.id][s] <= (best[0] if best else 0):
                break  # no later one can gain more
            if _may(result, site, center.days[0]):
                found = _best(rest, center, result.get(center.id), site, best[0] if best else 0)
                if found is not None:
                    best = found[0], center.id, found[1]
        if best is not None:
            result[best[1]] = best[2]
            room[best[1]] = scores.room(rest.problem.center_by_id[best[1]], best[2])
    return result


def _lost(rest: Rest, routes: Mapping[str, Route]) -> list[Visit]:
    stands = Counter((visit.key, visit.site) for visit in visits_of(rest, routes))
    return [visit for visit in rest.announced if not stands[visit.key, visit.site]]


def _value(rest: Rest, visit: Visit) -> int:
    center = rest.original.center_by_id.get(visit.center)
    return (worth(rest.original, center, visit.day, visit.site, visit.stay) or 0) if center else 0


def _may(routes: Mapping[str, Route], site: Site, day: int) -> bool:
    """Say whether the site may have one more visit on `day`."""
    taken = [route.day for route in routes.values() for stop in route.stops if stop.site == site.id]
    return len(taken) < site.max_visits and all(abs(day - d) >= site.min_gap_days for d in taken)


def _best(
    rest: Rest, center: Center, route: Route | None, site: Site, floor: int
) -> tuple[int, Route] | None:
    """Return the most that one more visit gains here, and the route with it; None when it gains no more than
    `floor`."""
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
            if gain <= (best[0] if best else floor):
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
