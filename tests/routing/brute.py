"""The optimum of a tiny problem by trying everything: slow, simple, independent of the engine and the checker."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from routing import Problem
from tests.routing.judge import Json, World

Visits = frozenset[tuple[str, int]]
Weeks = dict[Visits, tuple[int, tuple[Json, ...]]]


def optimum(problem: Problem | Json, most_stops: int = 3) -> int | None:
    """Return the best objective of any feasible plan of at most `most_stops` a route; None when there is none."""
    found = best_plan(problem, most_stops)
    return None if found is None else found["objective"]


def best_plan(problem: Problem | Json, most_stops: int = 3) -> Json | None:
    """Return a plan of that objective.

    Every center's week is tried in full: each day each order of each stay, as early as can be (nobody gains by being
    late, also in traffic), at home or away for the night. Of the weeks that make the same visits on the same days the
    best one is kept, and every combination of them is tried that keeps the rules of repeated visits.
    """
    world = World(problem.to_json() if isinstance(problem, Problem) else problem)
    weeks = [_weeks(world, center, most_stops) for center in world.problem["centers"]]
    best: tuple[int, tuple[Json, ...]] | None = None
    for combination in itertools.product(*(some.items() for some in weeks)):
        made = [visit for visits, _ in combination for visit in visits]
        if not _repeats(world, made):
            continue
        objective = sum(worth for _, (worth, _) in combination) - _penalties(world, made)
        if best is None or objective > best[0]:
            best = objective, tuple(route for _, (_, routes) in combination for route in routes)
    return None if best is None else {"objective": best[0], "routes": list(best[1])}


def _weeks(world: World, center: Json, most_stops: int) -> Weeks:
    """Return the best week of a center for every set of (site, day) that it can visit."""
    days = sorted(center["days"])
    weeks: Weeks = {}
    _days(world, center, days, most_stops, None, 0, (frozenset(), 0, ()), weeks)
    return weeks


def _days(
    world: World,
    center: Json,
    days: list[int],
    most_stops: int,
    slept: str | None,
    tour: int,
    so_far: tuple[Visits, int, tuple[Json, ...]],
    weeks: Weeks,
) -> None:
    visits, worth, routes = so_far
    if not days:
        if visits not in weeks or weeks[visits][0] < worth:
            weeks[visits] = worth, routes
        return
    day, later = days[0], days[1:]
    for route, gain, end in _routes(world, center, day, slept, most_stops):
        more = frozenset((stop["site"], day) for stop in route["stops"])
        made = (*routes, route) if route["stops"] else routes
        known = _pinned_nights(world, center, day, later)
        last = route["stops"][-1] if route["stops"] else None
        if known is not True and end is None:
            _days(world, center, later, most_stops, None, 0, (visits | more, worth + gain, made), weeks)
        if known is not False and end is not None and later and last is not None:
            nights = (world.dates[later[0]] - world.dates[day]).days
            pins = world.pins(center["id"], day)
            if tour + nights > (center.get("nights") or 0):
                continue
            if pins and any(pins[-1][key] != last[key] for key in ("site", "start", "stay")):
                continue
            price = nights * (center.get("night_cost") or 0)
            rest = (visits | more, worth + gain - price, made)
            _days(world, center, later, most_stops, end, tour + nights, rest, weeks)


def _pinned_nights(world: World, center: Json, day: int, later: list[int]) -> bool | None:
    """Return whether the night after `day` has to be spent away, or None when that is free."""
    pins = world.pins(center["id"], day)
    if pins:
        return bool(pins[-1].get("overnight"))
    if not later or world.pins(center["id"], later[0]) or str(later[0]) in (center.get("starts") or {}):
        return False
    return None


def _routes(
    world: World, center: Json, day: int, slept: str | None, most_stops: int
) -> Iterator[tuple[Json, int, str | None]]:
    """Yield the feasible routes of a day with their worth: home again (None), and away at the last stop's place."""
    begin, opens = world.begin(center, day, slept)
    pins = world.pins(center["id"], day)
    choices = [
        (name, offer["stay"])
        for name, site in world.sites.items()
        if world.window(site, day) and (site.get("centers") is None or center["id"] in site["centers"])
        for offer in world.offers(site, center)
    ]
    for count in range(len(pins), max(most_stops, len(pins)) + 1):
        for order in itertools.permutations(choices, count):
            if len({name for name, _ in order}) < count:
                continue
            if not {(pin["site"], pin["stay"]) for pin in pins} <= set(order):
                continue
            yield from _drive(world, center, day, (begin, opens), order, pins)


def _drive(
    world: World,
    center: Json,
    day: int,
    begin: tuple[str, int],
    order: tuple[tuple[str, int], ...],
    pins: list[Json],
) -> Iterator[tuple[Json, int, str | None]]:
    fixed = {(pin["site"], pin["stay"]): pin["start"] for pin in pins}
    (here, clock), driven, gain, stops = begin, 0, 0, []
    for name, stay in order:
        site = world.sites[name]
        minutes, cost = world.leg(here, site["place"])
        ready = world.arrive(here, site["place"], clock, day) + (center.get("setup") or 0)
        opens, closes = world.window(site, day)
        start = fixed.get((name, stay), max(ready, opens))
        if start < max(ready, opens) or start + stay > closes:
            return
        stops.append({"site": name, "start": start, "stay": stay})
        driven, gain = driven + minutes, gain - cost + world.value(site, center, day, stay)
        here, clock = site["place"], start + stay
    route = {"center": center["id"], "day": day, "depart": begin[1], "stops": stops}
    gain -= (center.get("fixed_cost") or 0) if stops else 0
    limit = center.get("max_drive")
    if stops and clock <= center["shift"][1] and (limit is None or driven <= limit):
        yield route | {"overnight": True}, gain, here
    if stops or here != center["depot"]:
        minutes, cost = world.leg(here, center["depot"])
        clock = world.arrive(here, center["depot"], clock, day)
        driven, gain = driven + minutes, gain - cost
        if clock > center["shift"][1] or (limit is not None and driven > limit):
            return
    yield route, gain, None


def _repeats(world: World, made: list[tuple[str, int]]) -> bool:
    """Say whether no site is visited too often or too soon again."""
    on: dict[str, list[int]] = {}
    for name, day in made:
        on.setdefault(name, []).append(day)
    for name, days in on.items():
        site = world.sites[name]
        days.sort()
        gap = site.get("min_gap_days") or 1
        if len(days) > (site.get("max_visits") or 1):
            return False
        if any(b - a < gap for a, b in itertools.pairwise(days)):
            return False
    return True


def _penalties(world: World, made: list[tuple[str, int]]) -> int:
    return sum(
        max(0, group["at_least"] - sum(name in group["sites"] for name, _ in made)) * group["penalty"]
        for group in world.problem.get("groups", [])
    )
