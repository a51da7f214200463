"""Estimates at once: what one more van, an hour more or a second crew would bring in each region.

`at_least` is a promise: the places that have no visit are served so, nothing else changes, and the referee's code finds
no fault. `priced` is what the prices of the plan's bound say a plan made anew would gain, rarely more (one more day of
such a center, summed over its days; for longer shifts and second crews the best days found against the prices of
visits); None where the plan has no prices.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from routing.explain.board import Board
from routing.explain.slots import FAR, NEVER, Table
from routing.problem import Center, Problem
from routing.solution import Prices, Route
from routing.whatif.questions import Question, changed, joined, second_crew, twin
from routing.whatif.routes import Day, Market
from routing.whatif.tariff import Tariff

HOUR = 60


@dataclass(frozen=True, slots=True)
class Estimate:
    """One region and kind of change. `question` is what to ask for a real answer; values in the problem's unit."""

    region: str
    question: Question
    at_least: int
    priced: float | None
    edited: tuple[Route, ...]
    """The days that make the promise true, in the problem as the question changes it."""


def estimates(
    board: Board,
    regions: Mapping[str, Sequence[str]],
    prices: Prices | None = None,
    *,
    closed_days: Collection[int] = (),
    crew_sites: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Estimate, ...]:
    """Return for each region (name: center ids) the estimates of one more van, shifts an hour longer, a second crew.

    `crew_sites` names by region the places that would stay open for the second crew.
    """
    problem = board.problem
    market = Market(board, _left_over(board, closed_days))
    tariff = None if prices is None else Tariff(board, prices, closed_days)
    longer = _longer(board, regions, closed_days)
    found: list[Estimate] = []
    for region, names in regions.items():
        centers = [problem.center_by_id[name] for name in names if name in problem.center_by_id]
        if not centers:
            continue
        found.append(_van(board, market, region, centers, prices, closed_days))
        more = longer[region]
        found.append(more if tariff is None else replace(more, priced=tariff.longer(centers, HOUR)))
        late = tuple(crew_sites.get(region, ())) if crew_sites else ()
        found.append(_crew(board, region, centers, late, tariff, closed_days))
    return tuple(found)


def _left_over(
    board: Board, closed_days: Collection[int]
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Prices at which only visits that nobody makes are for sale, for what coverage charges without them."""
    prices = np.zeros((len(board.problem.days), len(board.problem.sites)))
    for i, site in enumerate(board.problem.sites):
        relief = sum(int(board.prices[g]) for g in board.groups_of.get(site.id, ()) if board.short[g] > 0)
        prices[:, i] -= relief
        for day in board.full_days(site):
            prices[day, i] = FAR
    for day in closed_days:
        prices[day] = FAR
    return prices


def _kinds(centers: Sequence[Center]) -> list[Center]:
    """One center for each depot and class, the most frequent kinds first, few."""
    count: dict[tuple[str, str, tuple[int, int]], list[Center]] = {}
    for center in centers:
        count.setdefault((center.depot, center.kind, center.shift), []).append(center)
    ranked = sorted(count.values(), key=lambda some: (-len(some), some[0].id))
    return [some[0] for some in ranked[:3]]


def _van(
    board: Board,
    market: Market,
    region: str,
    centers: Sequence[Center],
    prices: Prices | None,
    closed_days: Collection[int],
) -> Estimate:
    """One more van like the one of the region that promises most."""
    best: tuple[float, int, Center, tuple[Route, ...]] | None = None
    for like in _kinds(centers):
        more = twin(board.problem, like)
        gain, routes = _week(board, market, more, like, closed_days)
        priced = _priced(prices, like, closed_days)
        rank = priced if priced is not None else float(gain)
        if best is None or rank > best[0]:
            best = rank, gain, like, routes
    assert best is not None
    question = Question("van", (best[2].id,))
    return Estimate(region, question, best[1], _priced(prices, best[2], closed_days), best[3])


def _priced(prices: Prices | None, like: Center, closed_days: Collection[int]) -> float | None:
    if prices is None:
        return None
    return sum(prices.days.get((like.id, day), 0.0) for day in like.days if day not in closed_days)


def _week(
    board: Board, market: Market, center: Center, like: Center, closed_days: Collection[int]
) -> tuple[int, tuple[Route, ...]]:
    """Fill the week of an idle center, one like `like`, with visits that nobody makes; return the gain and the routes,
    both as driven.
    """
    problem = joined(market.board.problem, {like.id: center})
    taken: dict[int, int] = {}
    number = {site.id: i for i, site in enumerate(problem.sites)}
    routes: list[Route] = []
    counted = dict.fromkeys(range(len(problem.groups)), 0)
    gain = 0
    for day in center.days:
        if day in closed_days:
            continue
        found: Day = market.best(center, day, taken=taken, like=like.id)
        if not found.visits:
            continue
        route = _driven(board, problem, center, day, found)
        if route is None:
            continue
        worth = _worth(board, problem, center, route, counted)
        if worth <= 0:
            continue
        routes.append(route)
        gain += worth
        for stop in route.stops:
            taken[number[stop.site]] = 1
            for g in board.groups_of.get(stop.site, ()):
                counted[g] += 1
    return gain, tuple(routes)


def _driven(board: Board, problem: Problem, center: Center, day: int, found: Day) -> Route | None:
    """Drive the day by the referee's rules; leave out the last stops that traffic does not let it reach."""
    from routing.check import check_route
    from routing.solution import earliest

    visits = list(found.visits)
    while visits:
        route = earliest(problem, board.travel, center.id, day, visits)
        if not check_route(problem, board.travel, route).faults:
            return route
        visits.pop()
    return None


def _worth(board: Board, problem: Problem, center: Center, route: Route, counted: Mapping[int, int]) -> int:
    """Return what the route adds to the objective, coverage included (`counted`: visits added to groups so far)."""
    from routing.check import check_route

    verdict = check_route(problem, board.travel, route)
    worth = verdict.value - verdict.travel - verdict.fixed
    new = dict(counted)
    for stop in route.stops:
        for g in board.groups_of.get(stop.site, ()):
            if int(board.short[g]) - new[g] > 0:
                worth += int(board.prices[g])
            new[g] += 1
    return worth


def _crew(
    board: Board,
    region: str,
    centers: Sequence[Center],
    late: tuple[str, ...],
    tariff: Tariff | None,
    closed_days: Collection[int],
) -> Estimate:
    """A second crew for the van of the region that promises most."""
    best: tuple[float, int, Question, tuple[Route, ...], float | None] | None = None
    for like in _kinds(centers):
        crew = second_crew(like)
        until = crew.shift[1] if late else None
        question = Question("crew", (like.id,), sites=late, open_until=until)
        then = changed(board.problem, question)
        later = _with_sites(board, then)
        market = Market(later, _left_over(board, closed_days))
        gain, routes = _week(board, market, crew, like, closed_days)
        priced = None if tariff is None else tariff.crew(crew, like.id, later)
        rank = float(gain) if priced is None else priced
        if best is None or rank > best[0]:
            best = rank, gain, question, routes, priced
    assert best is not None
    return Estimate(region, best[2], best[1], best[4], best[3])


def _with_sites(board: Board, problem: Problem) -> Board:
    """Return the board with other opening hours, for looking at places alone."""
    other = object.__new__(Board)
    other.__dict__.update(board.__dict__)
    other.problem = replace(problem, centers=board.problem.centers, checked=True)
    return other


def _longer(
    board: Board, regions: Mapping[str, Sequence[str]], closed_days: Collection[int]
) -> dict[str, Estimate]:
    """Shifts an hour longer: each day takes the best visit that nobody makes, or a longer stay, if it gains."""
    everyone = tuple(
        name for names in regions.values() for name in names if name in board.problem.center_by_id
    )
    if not everyone:
        return {}
    then = changed(board.problem, Question("shift", everyone, HOUR))
    later = Board(then, board.plan, travel=board.travel)
    offers = _insertions(later, closed_days)
    found: dict[str, Estimate] = {}
    for region, names in regions.items():
        mine = [name for name in names if name in board.problem.center_by_id]
        question = Question("shift", tuple(mine), HOUR)
        routes, gain = _pick(later, [o for o in offers if o[1].center in set(mine)], board)
        priced = None
        found[region] = Estimate(region, question, gain, priced, routes)
    return found


def _insertions(later: Board, closed_days: Collection[int]) -> list[tuple[int, Route, str]]:
    """Return (gain, day as it would be, site) of every useful insertion or lengthening, the best first."""
    found: list[tuple[int, Route, str]] = []
    table: Table = later.free
    for site in later.problem.sites:
        shut = set(closed_days) | later.full_days(site)
        if len(shut) >= len(later.problem.days):
            continue
        tries = table.tries(site, closed=shut)
        for row in np.flatnonzero(tries.gain > max(0, NEVER // 2)).tolist():
            slot = table.slots[row]
            route = later.takes(slot, site.id, int(tries.stay[row]))
            if route is not None:
                found.append((int(tries.gain[row]), route, site.id))
    for key, route in later.routes.items():
        if key[1] in closed_days:
            continue
        center = later.problem.center_by_id[key[0]]
        for k, stop in enumerate(route.stops):
            if later.is_pinned(key, stop):
                continue
            now = later.value(center, key[1], stop.site, stop.stay)
            for offer in later.problem.site_by_id[stop.site].offers_for(center.kind):
                more = later.problem.site_by_id[stop.site].worth(offer.value, key[1]) - now
                if offer.stay <= stop.stay or more <= 0:
                    continue
                visits = later.visits_on(key)
                visits[k] = (stop.site, offer.stay, stop.start)
                longer = later.drive(key, visits)
                if longer is not None:
                    found.append((more, longer, ""))
    return sorted(found, key=lambda o: (-o[0], o[1].key))


def _pick(
    later: Board, offers: Sequence[tuple[int, Route, str]], board: Board
) -> tuple[tuple[Route, ...], int]:
    """Take the best offers, one a day and place; the gain is that of all of them together."""
    days: set[tuple[str, int]] = set()
    places: set[str] = set()
    routes: list[Route] = []
    for _gain, route, site in offers:
        if route.key in days or site in places:
            continue
        days.add(route.key)
        if site:
            places.add(site)
        routes.append(route)
    if not routes:
        return (), 0
    after = later.changed(routes)
    return tuple(routes), later.difference(after, days)
