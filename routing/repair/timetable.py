"""Times of a route: announced starts are kept wherever the route allows it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from routing.problem import Center, Problem
from routing.solution import Route, Stop
from routing.travel import Travel

Wanted = tuple[str, int, int | None]
"""Site id, stay, and the start that was announced (None for a new visit)."""


def timed(
    problem: Problem, travel: Travel, center: Center, day: int, visits: Sequence[Wanted]
) -> Route | None:
    """Return the route that makes `visits` in order, or None when it cannot.

    Each starts at its announced minute if that is possible, else as near to it as possible; new visits as early as
    possible. Looks at shift, windows, stays, setup and driving limit; whether the site may be served is not asked.
    """
    begin, ready = center.begins(day)
    latest = _latest(problem, travel, center, day, visits)
    if latest is None:
        return None
    clock, here, driven = ready, begin, 0
    stops: list[Stop] = []
    depart = ready
    for (name, stay, wanted), most in zip(visits, latest, strict=True):
        site = problem.site_by_id[name]
        window = site.window(day)
        opens = window[0] if window else 0
        least = max(travel.arrive(here, site.place, clock, day) + center.setup, opens)
        if least > most:
            return None
        start = least if wanted is None else max(least, min(wanted, most))
        if not stops:
            depart = max(ready, travel.leave(here, site.place, start - center.setup, day))
        stops.append(Stop(name, start, stay))
        driven += travel.leg(here, site.place)[0]
        clock, here = start + stay, site.place
    driven += travel.leg(here, center.depot)[0]
    if center.max_drive is not None and driven > center.max_drive and (stops or begin == center.depot):
        return None
    return Route(center.id, day, depart, tuple(stops), origin=None if begin == center.depot else begin)


def _latest(
    problem: Problem, travel: Travel, center: Center, day: int, visits: Sequence[Wanted]
) -> list[int] | None:
    """Return the latest start of each visit so that all after it can be made; None when a site is closed."""
    latest: list[int] = []
    target, by = center.depot, center.shift[1]
    for name, stay, _ in reversed(visits):
        site = problem.site_by_id.get(name)
        window = site.window(day) if site is not None else None
        if site is None or window is None:
            return None
        latest.append(min(window[1], travel.leave(site.place, target, by, day)) - stay)
        target, by = site.place, latest[-1] - center.setup
    return latest[::-1]


def worth(problem: Problem, center: Center, day: int, name: str, stay: int) -> int | None:
    """Return what a visit is worth, or None when the rules know no such visit."""
    site = problem.site_by_id.get(name)
    if site is None or site.window(day) is None or not site.allows(center.id):
        return None
    value = next((offer.value for offer in site.offers_for(center.kind) if offer.stay == stay), None)
    return None if value is None else site.worth(value, day)


def best_part(
    problem: Problem, travel: Travel, center: Center, day: int, visits: Sequence[Wanted]
) -> Route | None:
    """Return the route of those announced visits that can still be made, in their order: all, else what is worth most
    after driving, one of them shorter or some left out. None when none can."""
    possible = [v for v in visits if worth(problem, center, day, v[0], v[1]) is not None]
    whole = timed(problem, travel, center, day, possible)
    if whole is not None:
        return whole if possible else None
    if len(possible) > 8:
        return _shed(problem, travel, center, day, possible)
    best: tuple[int, Route] | None = None
    fewer = (
        part for size in range(len(possible) - 1, 0, -1) for part in itertools.combinations(possible, size)
    )
    for part in (*_shortened(problem, center, day, possible), *fewer):
        route = timed(problem, travel, center, day, part)
        if route is not None:
            gain = gain_of(problem, travel, center, route)
            if best is None or gain > best[0]:
                best = gain, route
    return best[1] if best else None


def _shortened(
    problem: Problem, center: Center, day: int, visits: Sequence[Wanted]
) -> Iterator[tuple[Wanted, ...]]:
    """Go through the visits with one of them shorter: the crew opens late and closes in time."""
    for i, (name, stay, start) in enumerate(visits):
        site = problem.site_by_id[name]
        for offer in site.offers_for(center.kind):
            if offer.stay < stay and site.worth(offer.value, day) > 0:
                yield (*visits[:i], (name, offer.stay, start), *visits[i + 1 :])


def _shed(
    problem: Problem, travel: Travel, center: Center, day: int, visits: Sequence[Wanted]
) -> Route | None:
    """Leave out the least visit until the others can be made: for routes too long to try every part."""
    left = list(visits)
    while left:
        route = timed(problem, travel, center, day, left)
        if route is not None:
            return route
        left.remove(min(left, key=lambda v: worth(problem, center, day, v[0], v[1]) or 0))
    return None


def gain_of(problem: Problem, travel: Travel, center: Center, route: Route) -> int:
    """Return value less driving and fixed cost of a route."""
    total, here = -center.fixed_cost if route.stops else 0, center.begins(route.day)[0]
    for stop in route.stops:
        place = problem.site_by_id[stop.site].place
        total += (worth(problem, center, route.day, stop.site, stop.stay) or 0) - travel.leg(here, place)[1]
        here = place
    return total - travel.leg(here, center.depot)[1]
