"""What a node-routing solver must be told of a problem, and a plan made of the sequences it answers.

Such a solver knows nodes with a prize, a stay and a window, and vehicles. A site becomes one *slot* per visit that
it may get; a slot holds alternatives (stay, days, classes), at most one of which is served.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from routing import Center, Plan, Problem, Route, Site, Travel, check
from routing.problem import Window
from routing.solution import earliest

PRIZE = 10  # mean legs that a mean prize outweighs
DRIVE = 30  # minutes of driving that a stay is taken to cost, where stays are compared


class Unstatable(Exception):
    """The solver's model cannot say this problem; the message says what is in the way."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Center-days that are the same to the solver: `members` are (center id, day)."""

    depot: str
    shift: Window
    kind: str
    day: int | None
    fixed_cost: int
    max_drive: int | None
    members: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to serve a slot: on any of `days`, by any center of `kinds`, for `stay` minutes worth `value`.

    `bonus` is the coverage penalty that a visit averts for certain.
    """

    site: int
    stay: int
    value: int
    bonus: int
    window: Window
    days: frozenset[int]
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Statement:
    """A problem as slots and pools; `setup` minutes are the same for every center.

    `minutes` and `cost` are tables over `problem.places`; prizes count `scale` fold against `cost`. Where driving
    costs nothing (orienteering files) local search would not know near from far: then minutes stand in for the cost,
    and a mean prize outweighs `PRIZE` mean legs.
    """

    problem: Problem
    travel: Travel
    minutes: NDArray[np.int64]
    cost: NDArray[np.int64]
    scale: int
    setup: int
    days: frozenset[int]
    kinds: frozenset[str]
    slots: tuple[tuple[Choice, ...], ...]
    pools: tuple[Pool, ...]
    remarks: tuple[str, ...]
    """What the solver is not told; the referee charges it afterwards."""


def state(problem: Problem) -> Statement:
    """Return the problem as slots and pools; raise `Unstatable` where that would say something else."""
    if problem.pinned:
        raise Unstatable("pinned visits")
    if any(site.centers is not None for site in problem.sites):
        raise Unstatable("sites that only some centers may serve")
    if getattr(problem, "traffic", None) is not None:
        raise Unstatable("driving that depends on the hour")
    if any(getattr(center, "nights", 0) or getattr(center, "starts", None) for center in problem.centers):
        raise Unstatable("nights away, or days under way")
    setups = {center.setup for center in problem.centers}
    if len(setups) > 1:
        raise Unstatable("setup times that differ by center")
    days = frozenset(day for center in problem.centers for day in center.days)
    kinds = frozenset(center.kind for center in problem.centers)
    bonus = _bonus(problem)
    slots = tuple(
        tuple(slot)
        for i, site in enumerate(problem.sites)
        for slot in _slots(i, site, days, kinds, bonus.get(site.id, 0))
    )
    by_day = any(choice.days != days for slot in slots for choice in slot)
    travel = Travel(problem)
    minutes, cost = (table.astype(np.int64) for table in travel.tables)
    scale = 1
    if not cost.any():
        prizes = [choice.value for slot in slots for choice in slot]
        cost, scale = minutes, max(1, round(PRIZE * float(minutes.mean()) / max(1.0, float(np.mean(prizes)))))
    remarks = []
    if problem.groups:
        remarks.append("coverage is told only where a group cannot be filled")
    return Statement(
        problem,
        travel,
        minutes,
        cost,
        scale,
        max(setups, default=0),
        days,
        kinds,
        tuple(slot for slot in slots if slot),
        tuple(_pools(problem.centers, by_day)),
        tuple(remarks),
    )


def thinned(statement: Statement, fits: Callable[[Statement], bool]) -> Statement:
    """Return the statement with as many stays a choice as fit, at least one: those worth most a minute, `DRIVE`
    included. Copies drown a node-routing solver; `plan_of` lengthens the stays afterwards."""
    for stays in range(max((len({c.stay for c in slot}) for slot in statement.slots), default=1), 0, -1):
        found = _with_stays(statement, stays)
        if fits(found):
            break
    return found


def _with_stays(statement: Statement, stays: int) -> Statement:

    def rate(choice: Choice) -> float:
        return (choice.value + choice.bonus) / (choice.stay + statement.setup + DRIVE)

    slots = []
    for slot in statement.slots:
        alike: dict[object, list[Choice]] = defaultdict(list)
        for choice in slot:
            alike[choice.days, choice.kinds, choice.window].append(choice)
        slots.append(tuple(c for some in alike.values() for c in sorted(some, key=rate)[-stays:]))
    return replace(statement, slots=tuple(slots))


def _bonus(problem: Problem) -> dict[str, int]:
    """Return by site the penalties that any visit to it averts: of the groups that fall short even when every site
    has all its visits, where the penalty is linear. Elsewhere it is not, and a node's prize cannot say it."""
    bonus: dict[str, int] = defaultdict(int)
    for group in problem.groups:
        if sum(problem.site_by_id[site].max_visits for site in group.sites) <= group.at_least:
            for site in group.sites:
                bonus[site] += group.penalty
    return bonus


def _slots(
    index: int, site: Site, days: frozenset[int], kinds: frozenset[str], bonus: int
) -> Iterable[list[Choice]]:
    """Yield the choices of each slot. A site with several visits gets its days dealt out, the best ones apart, so
    that two visits never fall on one day; a longer gap cannot be promised, so such a site keeps one visit."""
    for some in deal(site, sorted(days)):
        alike: dict[tuple[Window, int], set[int]] = defaultdict(set)
        for day in some:
            window = site.window(day)
            if window is not None:
                alike[window, site.worth(100, day)].add(day)
        offers: dict[tuple[tuple[int, int], ...], set[str]] = defaultdict(set)
        for kind in kinds:
            offers[tuple((offer.stay, offer.value) for offer in site.offers_for(kind))].add(kind)
        yield [
            Choice(index, stay, site.worth(value, min(same)), bonus, window, frozenset(same), frozenset(who))
            for (window, _), same in alike.items()
            for choices, who in offers.items()
            for stay, value in choices
            if window[0] + stay <= window[1]
        ]


def deal(site: Site, days: Sequence[int]) -> list[list[int]]:
    """Return the days of each visit slot of a site: the best days fall into different slots."""
    count = min(site.max_visits, len(days))
    if count <= 1 or site.min_gap_days > 1:
        return [list(days)]
    ranked = sorted(days, key=lambda day: -site.worth(100, day))
    slots: list[list[int]] = [[] for _ in range(count)]
    for rank, day in enumerate(ranked):
        lap, seat = divmod(rank, count)
        slots[seat if lap % 2 == 0 else count - 1 - seat].append(day)
    return slots


def _pools(centers: Sequence[Center], by_day: bool) -> Iterable[Pool]:
    members: dict[tuple[object, ...], list[tuple[str, int]]] = defaultdict(list)
    for center in centers:
        for day in center.days:
            key = (center.depot, center.shift, center.kind, center.fixed_cost, center.max_drive)
            members[(*key, day if by_day else None)].append((center.id, day))
    for (depot, shift, kind, fixed, drive, day), some in members.items():
        yield Pool(depot, shift, kind, day, fixed, drive, tuple(some))  # type: ignore[arg-type]


Visits = Sequence[tuple[int, int]]
"""What a route makes in order: (index of the site, stay)."""


def plan_of(statement: Statement, routes: Iterable[tuple[int, Visits]]) -> Plan:
    """Return the plan of `routes`, (index of a pool, visits): dealt to the pool's center-days in turn, cut where a
    driving limit asks for it, and with stays lengthened into the slack that is left."""
    problem, travel = statement.problem, statement.travel
    free = [iter(pool.members) for pool in statement.pools]
    made: list[Route] = []
    for pool, visits in routes:
        center, day = next(free[pool])
        if route := _within(
            problem, travel, center, day, [(problem.sites[i].id, stay) for i, stay in visits]
        ):
            made.append(lengthened(problem, travel, route))
    plan = Plan(problem.name, tuple(made), 0)
    return replace(plan, objective=check(problem, plan, travel=travel, claims=False).objective)


def penalties(problem: Problem, visits: Iterable[int]) -> int:
    """Return what the coverage groups charge for visits to the sites of these indices."""
    if not problem.groups:
        return 0
    made = Counter(problem.sites[i].id for i in visits)
    return sum(
        group.penalty * max(0, group.at_least - sum(made[site] for site in group.sites))
        for group in problem.groups
    )


def _within(
    problem: Problem, travel: Travel, center: str, day: int, visits: list[tuple[str, int]]
) -> Route | None:
    """Return the route, without the least valuable stops that break the center's driving limit."""
    most = problem.center_by_id[center].max_drive
    while visits and most is not None and _drive(problem, travel, center, [v[0] for v in visits]) > most:
        visits = max(
            (visits[:i] + visits[i + 1 :] for i in range(len(visits))),
            key=lambda rest: sum(_value(problem, center, day, *visit) for visit in rest),
        )
    return earliest(problem, travel, center, day, visits) if visits else None


def _drive(problem: Problem, travel: Travel, center: str, sites: Sequence[str]) -> int:
    depot = problem.center_by_id[center].depot
    places = [depot, *(problem.site_by_id[site].place for site in sites), depot]
    return sum(travel.leg(a, b)[0] for a, b in itertools.pairwise(places))


def _value(problem: Problem, center: str, day: int, name: str, stay: int) -> int:
    site = problem.site_by_id[name]
    offers = site.offers_for(problem.center_by_id[center].kind)
    return next((site.worth(offer.value, day) for offer in offers if offer.stay == stay), 0)


def lengthened(problem: Problem, travel: Travel, route: Route) -> Route:
    """Return the route with the stays that are worth most and still fit: same sites, same order."""
    center = problem.center_by_id[route.center]
    stays = [
        [offer.stay for offer in problem.site_by_id[stop.site].offers_for(center.kind)]
        for stop in route.stops
    ]
    if all(len(some) == 1 for some in stays) or len(route.stops) > 6:
        return route
    best, worth = route, sum(_value(problem, center.id, route.day, s.site, s.stay) for s in route.stops)
    for some in itertools.product(*stays):
        visits = [(stop.site, stay) for stop, stay in zip(route.stops, some, strict=True)]
        value = sum(_value(problem, center.id, route.day, *visit) for visit in visits)
        if value > worth:
            tried = earliest(problem, travel, center.id, route.day, visits)
            if fits(problem, travel, tried):
                best, worth = tried, value
    return best


def fits(problem: Problem, travel: Travel, route: Route) -> bool:
    """Say whether the route keeps every window and is back by the shift's end."""
    center = problem.center_by_id[route.center]
    here, clock = center.depot, route.depart
    for stop in route.stops:
        site = problem.site_by_id[stop.site]
        window = site.window(route.day)
        if window is None or stop.start + stop.stay > window[1]:
            return False
        here, clock = site.place, stop.start + stop.stay
    return clock + travel.leg(here, center.depot)[0] <= center.shift[1]
