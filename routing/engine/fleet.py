"""The problem in the engine's terms: menus of stays, and gaps of working time to fill.

A gap is a stretch of a center's day between two fixed points: a whole shift from depot to depot or, on a day
with pinned visits, the time before, between and after them. Identical gaps (same depot, class, rules, and the
same menus on all days concerned) are pooled, because the solver does not care which of them a route fills.
What is pinned becomes a constant.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from routing.errors import PinError
from routing.problem import Center, Pin, Problem
from routing.solution import Route, Stop, earliest
from routing.travel import Travel

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
NEVER = -1e15
FAR = 10**9


@dataclass(frozen=True)
class Menu:
    """What a class of centers may offer on one day: arrays over sites, stays ascending, only those that pay
    more.

    `stay` [sites, options] int32 (FAR where none), `value` [sites, options] float (NEVER where none),
    `opens`/`closes` [sites] (closed: opens FAR, closes -1).
    """

    stay: Ints
    value: Floats
    opens: Ints
    closes: Ints


@dataclass
class Gap:
    """Working time to fill: leave place `origin` at `ready` or later, stand at `target` by `deadline`.

    `direct_*` is the leg driven when nothing is filled in. `members` are the (center id, day, place in the
    day's order of pins) that the gap stands for. `rule` numbers the shared driving allowance of a pinned day,
    -1 for none. Over `nodes` (site indices): `first`/`last` minutes at each, `way_in` clock minutes of the leg
    to it begun at `ready`, `drive_in`/`way_out` table minutes of the legs to it and from it, `home` the latest
    minute to leave for the target.
    """

    members: list[tuple[str, int, int]]
    day: int
    menu: Menu
    origin: int
    target: int
    ready: int
    deadline: int
    setup: int
    drive: int
    direct_minutes: int
    direct_cost: int
    fixed: int
    nodes: Ints
    rule: int = -1
    stops: int = 0
    first: Ints = field(default_factory=lambda: np.zeros(0, np.int32))
    last: Ints = field(default_factory=lambda: np.zeros(0, np.int32))
    way_in: Ints = field(default_factory=lambda: np.zeros(0, np.int32))
    way_out: Ints = field(default_factory=lambda: np.zeros(0, np.int32))
    drive_in: Ints = field(default_factory=lambda: np.zeros(0, np.int32))
    home: Ints = field(default_factory=lambda: np.zeros(0, np.int32))
    cost_in: Floats = field(default_factory=lambda: np.zeros(0))
    cost_out: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True)
class Column:
    """One way to fill a gap: visits (site index, stay) in order, profit over leaving it empty, minutes
    driven more. A tour fills gaps of later days too (`more`), each begun where the day before ended.
    """

    gap: int
    visits: tuple[tuple[int, int], ...]
    profit: int
    drive: int
    more: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = ()

    @property
    def parts(self) -> tuple[tuple[int, tuple[tuple[int, int], ...]], ...]:
        """The gaps filled, a day each, with their visits: one, or several for a tour with nights away."""
        return ((self.gap, self.visits), *self.more)


class Fleet:
    """A problem prepared for the engine. Raises `PinError` when the pins cannot be kept."""

    def __init__(self, problem: Problem, travel: Travel) -> None:
        self.problem = problem
        self.travel = travel
        self.minutes, self.cost = travel.tables
        self.days = len(problem.days)
        self.site_index = {site.id: i for i, site in enumerate(problem.sites)}
        self.place = np.array([problem.place_index[site.place] for site in problem.sites], dtype=np.int32)
        self.pins: dict[tuple[str, int], list[Pin]] = defaultdict(list)
        for pin in sorted(problem.pinned, key=lambda pin: (pin.center, pin.day, pin.start)):
            self.pins[pin.center, pin.day].append(pin)
        self.constant = self._pinned_worth()
        self.visits_left, self.blocked = self._after_pins()
        self.group_left = self._groups_after_pins()
        self.rules: list[int] = []
        self.pace = 100
        self.region_of = np.zeros(len(problem.sites), np.int64)
        self.pair = np.full((1, 1), -1, np.int64)
        self.rate = np.zeros((0, 1), np.int64)
        self._menus: dict[tuple[str, int], Menu] = {}
        self.gaps: list[Gap] = []
        self._make_gaps()

    # -- what the pins leave --

    def _pinned_worth(self) -> int:
        """Check the pinned visits by the rules of plans and return what they are worth (group penalties
        aside).
        """
        from routing.check import check_route, repeat_faults

        index = {pin: i for i, pin in enumerate(self.problem.pinned)}
        faults: list[str] = []
        worth = 0
        days: dict[str, list[int]] = defaultdict(list)
        for key in self.pins:
            route = self.pinned_route(key, {})
            one = check_route(self.problem, self.travel, route)
            names = ", ".join(f"pinned[{index[pin]}]" for pin in self.pins[key])
            faults.extend(f"{names}: {fault.text}" for fault in one.faults)
            worth += one.value - one.travel - one.fixed
            for pin in self.pins[key]:
                days[pin.site].append(pin.day)
        for fault in repeat_faults(self.problem, days):
            names = ", ".join(f"pinned[{i}]" for pin, i in index.items() if pin.site == fault.site)
            faults.append(f"{names}: {fault.text}")
        if faults:
            raise PinError(faults)
        return worth

    def _after_pins(self) -> tuple[Ints, NDArray[np.bool_]]:
        """Return visits left per site, and [day, site] marks of days too close to a pinned visit."""
        left = np.array([site.max_visits for site in self.problem.sites], dtype=np.int32)
        blocked = np.zeros((self.days, len(self.problem.sites)), dtype=bool)
        for pin in self.problem.pinned:
            i = self.site_index[pin.site]
            left[i] -= 1
            gap = self.problem.sites[i].min_gap_days
            blocked[max(0, pin.day - gap + 1) : pin.day + gap, i] = True
        blocked[:, left <= 0] = True
        return left, blocked

    def _groups_after_pins(self) -> list[int]:
        pinned: dict[str, int] = defaultdict(int)
        for pin in self.problem.pinned:
            pinned[pin.site] += 1
        return [max(0, g.at_least - sum(pinned[site] for site in g.sites)) for g in self.problem.groups]

    # -- menus --

    def menu(self, kind: str, day: int) -> Menu:
        """Return the menu of class `kind` on `day`, what pins forbid left out."""
        found = self._menus.get((kind, day))
        if found is None:
            found = self._menus[kind, day] = self._make_menu(kind, day)
        return found

    def _make_menu(self, kind: str, day: int) -> Menu:
        sites = self.problem.sites
        width = max((len(site.offers_for(kind)) for site in sites), default=0) or 1
        stay = np.full((len(sites), width), FAR, dtype=np.int32)
        value = np.full((len(sites), width), NEVER)
        opens = np.full(len(sites), FAR, dtype=np.int32)
        closes = np.full(len(sites), -1, dtype=np.int32)
        for i, site in enumerate(sites):
            window = site.window(day)
            if window is None or self.blocked[day, i]:
                continue
            opens[i], closes[i] = window
            best, k = -1, 0
            for offer in sorted(site.offers_for(kind), key=lambda offer: offer.stay):
                worth = site.worth(offer.value, day)
                if worth > best:
                    best = worth
                    stay[i, k], value[i, k] = offer.stay, worth
                    k += 1
        return Menu(stay, value, opens, closes)

    # -- gaps --

    def _make_gaps(self) -> None:
        restricted = [i for i, site in enumerate(self.problem.sites) if site.centers is not None]
        pools: dict[Any, Gap] = {}
        for center in self.problem.centers:
            forbidden = frozenset(i for i in restricted if not self.problem.sites[i].allows(center.id))
            for day in sorted(set(center.days)):
                if (center.id, day) in self.pins:
                    self._pinned_gaps(center, day, forbidden)
                else:
                    self._pool(pools, center, day, forbidden)

    def _pool(self, pools: dict[Any, Gap], center: Center, day: int, forbidden: frozenset[int]) -> None:
        depot = self.problem.place_index[center.depot]
        rules = (
            depot,
            center.shift,
            center.kind,
            center.setup,
            center.max_drive,
            center.fixed_cost,
            forbidden,
        )
        same = pools.get((rules, day))
        if same is None:
            gap = Gap(
                members=[],
                day=day,
                menu=self.menu(center.kind, day),
                origin=depot,
                target=depot,
                ready=center.shift[0],
                deadline=center.shift[1],
                setup=center.setup,
                drive=FAR if center.max_drive is None else center.max_drive,
                direct_minutes=0,
                direct_cost=0,
                fixed=center.fixed_cost,
                nodes=np.zeros(0, np.int32),
            )
            self._reach(gap, forbidden)
            signature = (rules, self._menu_signature(gap, day))
            same = pools.get(signature)
            if same is None:
                same = pools[signature] = gap
                if len(gap.nodes):
                    self.gaps.append(gap)
            pools[rules, day] = same
        same.members.append((center.id, day, 0))

    def _menu_signature(self, gap: Gap, day: int) -> Any:
        """What tells two days apart for this gap; days differ by themselves where a site may be visited
        again.
        """
        nodes, menu = gap.nodes, gap.menu
        again = bool((self.visits_left[nodes] > 1).any())
        arrays = (nodes, menu.stay[nodes], menu.value[nodes], menu.opens[nodes], menu.closes[nodes])
        return (day if again else -1, *(array.tobytes() for array in arrays))

    def _pinned_gaps(self, center: Center, day: int, forbidden: frozenset[int]) -> None:
        """Make the gaps before, between and after the pinned visits of one center's day."""
        index = self.problem.place_index
        pins = self.pins[center.id, day]
        depot = index[center.depot]
        spots = [depot, *(index[self.problem.site_by_id[pin.site].place] for pin in pins), depot]
        ready = [center.shift[0], *(pin.start + pin.stay for pin in pins)]
        deadline = [*(pin.start - center.setup for pin in pins), center.shift[1]]
        driven = sum(int(self.minutes[a, b]) for a, b in itertools.pairwise(spots))
        spare = FAR if center.max_drive is None else center.max_drive - driven
        made: list[Gap] = []
        taken = forbidden | {self.site_index[pin.site] for pin in pins}
        for k, (origin, target) in enumerate(itertools.pairwise(spots)):
            direct = int(self.minutes[origin, target])
            gap = Gap(
                members=[(center.id, day, k)],
                day=day,
                menu=self.menu(center.kind, day),
                origin=origin,
                target=target,
                ready=ready[k],
                deadline=deadline[k],
                setup=center.setup,
                drive=min(FAR, spare + direct),
                direct_minutes=direct,
                direct_cost=int(self.cost[origin, target]),
                fixed=0,
                nodes=np.zeros(0, np.int32),
            )
            self._reach(gap, taken)
            if len(gap.nodes):
                made.append(gap)
        if len(made) > 1 and center.max_drive is not None:
            self.rules.append(spare)
            for gap in made:
                gap.rule = len(self.rules) - 1
        self.gaps.extend(made)

    def _reach(self, gap: Gap, forbidden: Iterable[int]) -> None:
        """Find the sites that fit the gap at all, and the first and last minutes at each."""
        menu = gap.menu
        way_in, way_out = self.minutes[gap.origin, self.place], self.minutes[self.place, gap.target]
        least = int(menu.stay.min(initial=FAR)) + gap.setup
        early, late = way_in, way_out
        if not self.travel.metric:
            early, late = self._shortest(way_in, least), self._shortest(way_out, least, backwards=True)
        first = np.maximum(gap.ready + early + gap.setup, menu.opens)
        last = np.minimum(menu.closes, gap.deadline - late)
        fits = first + menu.stay[:, 0].astype(np.int64) <= last
        if self.travel.metric:
            fits &= way_in + way_out <= gap.drive
        for site in forbidden:
            fits[site] = False
        nodes = np.flatnonzero(fits).astype(np.int32)
        gap.nodes = nodes
        gap.first, gap.last = first[nodes].astype(np.int32), last[nodes].astype(np.int32)
        gap.way_in, gap.way_out = way_in[nodes], way_out[nodes]
        gap.drive_in = way_in[nodes]
        gap.home = (gap.deadline - way_out[nodes]).astype(np.int32)
        gap.cost_in = self.cost[gap.origin, self.place[nodes]].astype(float)
        gap.cost_out = self.cost[self.place[nodes], gap.target].astype(float)
        gap.stops = self._most_stops(gap)

    def _shortest(self, direct: Ints, dwell: int, *, backwards: bool = False) -> Ints:
        """Return the least minutes to reach each site when other visits (of `dwell` minutes at least) may
        lie between.
        """
        table = self.minutes[np.ix_(self.place, self.place)]
        if backwards:
            table = table.T
        best = direct.astype(np.int64)
        for _ in range(len(best)):
            better = np.minimum(best, (best[:, None] + table + dwell).min(axis=0, initial=FAR))
            if (better == best).all():
                break
            best = better
        return np.minimum(best, FAR).astype(np.int32)

    def _most_stops(self, gap: Gap) -> int:
        """Return a number of stops that no route in the gap can exceed."""
        if not len(gap.nodes):
            return 0
        stays = np.sort(gap.menu.stay[gap.nodes, 0])
        places = self.place[gap.nodes]
        between = 0
        if 1 < len(places) <= 2000:
            legs = self.minutes[np.ix_(places, places)].copy()
            np.fill_diagonal(legs, FAR)
            between = int(legs.min())
        span = int(gap.last.max() - gap.first.min())
        count, used = 0, 0
        for stay in stays.tolist():
            used += stay + (between + gap.setup if count else 0)
            if used > span:
                break
            count += 1
        return count

    # -- back to routes --

    def column(self, gap: int, visits: Sequence[tuple[int, int]]) -> Column | None:
        """Return the column that fills `gap` with `visits`, or None when that breaks a rule."""
        g = self.gaps[gap]
        clock, here, drive, profit = g.ready, g.origin, 0, -g.fixed + g.direct_cost
        for site, stay in visits:
            place = int(self.place[site])
            minutes = int(self.minutes[here, place])
            drive += minutes
            profit -= int(self.cost[here, place])
            clock = max(clock + minutes + g.setup, int(g.menu.opens[site])) + stay
            if clock > g.menu.closes[site]:
                return None
            options = np.flatnonzero(g.menu.stay[site] == stay)
            if not len(options):
                return None
            profit += int(g.menu.value[site, options[0]])
            here = place
        minutes = int(self.minutes[here, g.target])
        drive += minutes
        profit -= int(self.cost[here, g.target])
        if clock + minutes > g.deadline or drive > g.drive:
            return None
        return Column(gap, tuple(visits), profit, drive - g.direct_minutes)

    def pinned_route(self, key: tuple[str, int], filled: dict[int, tuple[tuple[int, int], ...]]) -> Route:
        """Return the route of a pinned day with `filled` (by the gap's place in the order of pins) driven
        between.
        """
        center_id, day = key
        center = self.problem.center_by_id[center_id]
        pins = self.pins[key]
        stops: list[Stop] = []
        clock, here = center.shift[0], center.depot
        depart = clock
        for k in range(len(pins) + 1):
            for site_index, stay in filled.get(k, ()):
                site = self.problem.sites[site_index]
                window = site.window(day)
                minutes, _ = self.travel.leg(here, site.place)
                start = max(clock + minutes + center.setup, window[0] if window else 0)
                if not stops:
                    depart = start - center.setup - minutes
                stops.append(Stop(site.id, start, stay))
                clock, here = start + stay, site.place
            if k < len(pins):
                place = self.problem.site_by_id[pins[k].site].place
                if not stops:
                    depart = pins[k].start - center.setup - self.travel.leg(here, place)[0]
                stops.append(Stop(pins[k].site, pins[k].start, pins[k].stay))
                clock, here = pins[k].start + pins[k].stay, place
        return Route(center_id, day, depart, tuple(stops))

    def routes(self, columns: Iterable[Column]) -> tuple[Route, ...]:
        """Return the routes that `columns` stand for, the pinned days among them, by center and day."""
        used: dict[int, int] = defaultdict(int)
        filled: dict[tuple[str, int], dict[int, tuple[tuple[int, int], ...]]] = defaultdict(dict)
        for column in columns:
            center, day, order = self.gaps[column.gap].members[used[column.gap]]
            used[column.gap] += 1
            filled[center, day][order] = column.visits
        made = [self.pinned_route(key, filled.get(key, {})) for key in self.pins]
        for (center, day), parts in filled.items():
            if (center, day) not in self.pins:
                visits = [(self.problem.sites[i].id, stay) for i, stay in parts[0]]
                made.append(earliest(self.problem, self.travel, center, day, visits))
        return tuple(sorted(made, key=lambda route: (route.day, route.center)))

    def columns(self, routes: Iterable[Route]) -> list[Column]:
        """Return columns for `routes` (of an earlier plan, say), leaving out what no longer holds."""
        where = {member: i for i, gap in enumerate(self.gaps) for member in gap.members}
        made = []
        for route in routes:
            pins = {(pin.site, pin.start, pin.stay) for pin in self.pins.get(route.key, ())}
            order, parts = 0, defaultdict(list)
            for stop in route.stops:
                if (stop.site, stop.start, stop.stay) in pins:
                    order += 1
                elif stop.site in self.site_index:
                    parts[order].append((self.site_index[stop.site], stop.stay))
            for k, visits in parts.items():
                gap = where.get((route.center, route.day, k))
                nodes = set() if gap is None else set(self.gaps[gap].nodes.tolist())
                if gap is not None and all(site in nodes for site, _ in visits):
                    column = self.column(gap, visits)
                    if column is not None:
                        made.append(column)
        return made
