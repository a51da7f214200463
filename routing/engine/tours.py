"""The best tours with nights away: day by day backwards, each day's routes searched exactly.

What a day can earn depends on where it begins, how many nights away are left, and nothing else of the days
before, since every day begins at the start of the shift. So the value of beginning a day at a place is computed
from the last day on, and a night at a place is worth what the next day can earn from there. Within a day the ways to
go on from a site are kept by the latest minute and the most driving that allow them (backward labels with dominance,
after Feillet et al. 2004), so that value is exact for days of at most two stops. Only a site may come on two days
of it (never two in a row); it is the promise by which tours without such repeats are searched, best first.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from routing.engine.cuts import Fines
from routing.engine.fleet import Fleet
from routing.engine.kernel import fronts, sweep
from routing.engine.pricing import Board, Priced, Start, prizes
from routing.engine.terms import NEVER, Chain, Column, Floats, Gap, Ints, Visits

SHUT = 1e12  # the rent of a day that no route may use
LEAST = -1e9
WIDTH = 24  # routes of a day from one place that are tried at least
GRID = 60  # steps of a day's time in the bounds of the search for routes
SIZE = 48
HOME = -1  # the rank of driving straight home, among the ways to go on
FEW_STEPS = 500  # and before tours with repeats are let in
REPEATING = 8  # such tours that are kept
STEPS = 6000  # parts of tours looked at for the tours that begin on one day


@dataclass(frozen=True, slots=True)
class _Routes:
    """Routes of one day from one place, best first, with the best that can follow counted in; `rest` is the
    most that those left out are worth (None: nothing above the least was left out).
    """

    worth: list[float]
    path: Ints
    rest: float | None


@dataclass(frozen=True, slots=True)
class _Step:
    """Part of a tour: what its days earned so far, and the day and place from which it goes on (None: over)."""

    day: int
    left: int
    value: float
    parts: tuple[tuple[int, Visits], ...]
    place: int | None


@dataclass(frozen=True, slots=True)
class _Choice:
    """A way to go on from a step, ordered by what it promises, the most first, then as they came."""

    promise: float
    number: int
    step: _Step
    routes: _Routes
    rank: int
    after: _Step | None = None

    def __lt__(self, other: _Choice) -> bool:
        return (-self.promise, self.number) < (-other.promise, other.number)


@dataclass(slots=True)
class _Board(Board):
    """A day's sites at given prices and the ways to go on from each: see `kernel.fronts`."""

    worth: Floats = field(default_factory=lambda: np.zeros(0))
    limit: Ints = field(default_factory=lambda: np.zeros((0, 3), np.int32))
    start: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))

    def look_ahead(self, fleet: Fleet, fines: Fines) -> None:
        """Compute the ways to go on, for routes of as many stops as fit."""
        gap, act = self.gap, self.act
        nodes = gap.nodes[act]
        self.worth, self.limit, self.start, self.leave, self.come = fronts(
            fleet.minutes,
            fleet.cost,
            fleet.place[nodes],
            gap.setup,
            gap.menu.opens[nodes],
            gap.menu.closes[nodes],
            gap.home[act],
            gap.cost_out[act],
            gap.way_out[act],
            gap.deadline,
            self.night,
            gap.menu.stay[nodes],
            self.prize,
            max(1, gap.stops),
            gap.ready,
            gap.drive,
            self.begin,
            self.width,
            (gap.deadline - self.begin) // self.width + 1,
            nodes,
            fines.begin,
            fines.cuts,
            fines.fine,
            fleet.region_of[nodes],
            fleet.roads.pair[gap.day],
            fleet.roads.rate,
            SIZE,
        )

    def sweep(
        self, fleet: Fleet, origins: Ints, base: float, rent: float, but: NDArray[np.int64], homeward: Floats
    ) -> Floats:
        """Return what the day can earn at most from each of `origins` (places): see `kernel.sweep`."""
        gap, nodes = self.gap, self.gap.nodes[self.act]
        most: Floats = sweep(
            fleet.minutes,
            fleet.cost,
            fleet.place[nodes],
            self.worth,
            self.limit,
            self.start,
            gap.ready,
            gap.drive,
            base,
            rent,
            fleet.region_of[nodes],
            fleet.roads.pair[gap.day],
            fleet.roads.rate,
            origins,
            fleet.roads.region[origins],
            but,
            homeward,
        )
        return most


class _Tours:
    """One pricing of one chain."""

    def __init__(
        self,
        fleet: Fleet,
        chain: Chain,
        prices: Sequence[Floats],
        rents: Sequence[float],
        fines: Sequence[Fines],
        floor: float,
        cap: int | None,
        want: int,
        halt: Callable[[], bool] | None,
    ) -> None:
        self.halt = halt
        self.fleet, self.chain, self.fines, self.floor = fleet, chain, fines, floor
        self.width = max(WIDTH, want)
        self.exact = cap is None
        self._count = 0
        self._known: dict[tuple[int, int, int | None], float] = {}
        self._routes: dict[tuple[int, int, int], _Routes] = {}
        self.gaps: list[Gap] = [fleet.gaps[g] for g in chain.gaps]
        self.rents = rents
        self.prize = [prizes(gap, price) for gap, price in zip(self.gaps, prices, strict=True)]
        self.act = self._promising(cap)
        self._boards: dict[tuple[int, int], _Board | None] = {}
        self._days: dict[tuple[int, int], Floats] = {}

    def _promising(self, cap: int | None) -> list[NDArray[np.intp]]:
        """Return, by day, the positions of sites that can be part of a tour above the floor, best first.

        As `pricing.promising`: a tour of m visits costs at least the mean of its visits' trips from the depot.
        """
        tops = [prize.max(axis=1) for prize in self.prize]
        most = sum(max(1, gap.stops) for gap in self.gaps)
        homes = all(gap.origin == gap.target for gap in self.gaps)
        worth = []
        best = np.full(len(self.fleet.problem.sites), 0.0)
        for gap, top in zip(self.gaps, tops, strict=True):
            value = top - np.maximum(0.0, gap.trip) / most if homes else top
            worth.append(value)
            np.maximum.at(best, gap.nodes, value)
        spare = np.sort(best)[::-1][: most - 1].sum() + most + len(self.gaps) + 1.0
        base = max(-gap.fixed - rent for gap, rent in zip(self.gaps, self.rents, strict=True))
        made = []
        for top, value, rent in zip(tops, worth, self.rents, strict=True):
            keep = np.flatnonzero(top > NEVER / 2)
            if homes:
                keep = keep[value[keep] + spare + base > self.floor]
            order = np.argsort(-value[keep], kind="stable")
            keep = keep[order if cap is None else order[:cap]]
            made.append(keep if rent < SHUT / 2 else keep[:0])
        return made

    def board(self, d: int, left: int) -> _Board | None:
        """Return the board of day `d` with `left` nights left for the night after it and later ones."""
        gap = self.gaps[d]
        if gap.after < 0 or left < gap.apart:
            left = 0
        if (d, left) not in self._boards:
            self._boards[d, left] = self._make_board(d, left)
        return self._boards[d, left]

    def _make_board(self, d: int, left: int) -> _Board | None:
        gap, act = self.gaps[d], self.act[d]
        if not len(act):
            return None
        if self.halt is not None and self.halt():
            raise TimeoutError
        width = max(1, (gap.deadline - gap.ready) // GRID)
        board = _Board(gap, act, self.prize[d][act], 0.0, np.full(len(act), NEVER), gap.ready, width)
        if gap.after >= 0 and 0 < gap.apart <= left and self.rents[d + 1] < SHUT / 2:
            most = self.day(d + 1, left - gap.apart)
            board.night = np.where(most > NEVER / 2, most - self.chain.cost * gap.apart, NEVER)
        board.look_ahead(self.fleet, self.fines[gap.day])
        return board

    def day(self, d: int, left: int) -> Floats:
        """Return what day `d` can earn at most from each place where the day before may end (its `act`)."""
        gap = self.gaps[d]
        if gap.after < 0 or left < gap.apart:
            left = 0
        found = self._days.get((d, left))
        if found is None:
            found = self._days[d, left] = self._make_day(d, left)
        return found

    def _make_day(self, d: int, left: int) -> Floats:
        fleet, gap = self.fleet, self.gaps[d]
        origins = fleet.place[self.gaps[d - 1].nodes[self.act[d - 1]]]
        roads = fleet.roads
        in_time = roads.departures(origins, gap.target, gap.deadline, gap.day) >= self.gaps[d].ready
        in_time &= roads.minutes[origins, gap.target] <= gap.drive
        homeward = np.where(in_time, -roads.cost[origins, gap.target].astype(float), NEVER)
        rent = self.rents[d]
        board = self.board(d, left)
        if board is None:
            return np.where(in_time, homeward - rent, NEVER)
        base = float(-gap.fixed - rent)
        return board.sweep(fleet, origins, base, float(rent), self.apart(d, board.act), homeward)

    def routes(self, d: int, left: int, place: int | None) -> _Routes:
        """Return the best routes of day `d` from a place (None: where the day's gap begins), best first."""
        gap = self.gaps[d]
        key = (d, left, -1 if place is None else place)
        found = self._routes.get(key)
        if found is not None:
            return found
        board = self.board(d, left)
        base, start = float(-gap.fixed - self.rents[d]), self.start(gap, place)
        if place is None:
            base += gap.direct_cost
        if board is None:
            made = _Routes([], np.zeros((0, 2), np.int32), None)
        else:
            worths, paths, most, whole = board.search(
                self.fleet,
                start,
                base,
                self.floor if place is None else LEAST,
                self.width,
                self.fines[gap.day],
            )
            values = worths.tolist()
            rest = None if whole else max(most, values[-1]) if len(values) < self.width else values[-1]
            made = _Routes(values, paths, rest)
        self._routes[key] = made
        return made

    def start(self, gap: Gap, place: int | None) -> Start:
        if place is None:
            return Start(gap.ready, gap.way_in, gap.drive_in, gap.cost_in)
        roads, places = self.fleet.roads, self.fleet.place[gap.nodes]
        arrivals = roads.arrivals(place, places, gap.ready, gap.day)
        way_in = (arrivals - gap.ready).astype(np.int32)
        return Start(gap.ready, way_in, roads.minutes[place, places], roads.cost[place, places].astype(float))

    def apart(self, d: int, act: NDArray[np.intp]) -> NDArray[np.int64]:
        """Return, for each site that day `d - 1` may end at, where it stands among `act` of day `d` if it must not be
        visited on both days, else -1.
        """
        before, gap = self.gaps[d - 1], self.gaps[d]
        where = {site: k for k, site in enumerate(gap.nodes[act].tolist())}
        sites = before.nodes[self.act[d - 1]].tolist()
        apart = gap.day - before.day
        problem, left = self.fleet.problem, self.fleet.visits_left
        return np.array(
            [
                where.get(site, -1) if left[site] < 2 or problem.sites[site].min_gap_days > apart else -1
                for site in sites
            ],
            np.int64,
        )

    def starting(self, d: int, want: int) -> Priced:
        """Return the best tours (and day trips) that begin on day `d`: best first over days, whose promise is
        what the following days can earn at most.
        """
        gap = self.gaps[d]
        left = self.chain.nights - gap.slept
        found: list[tuple[float, Column]] = []
        if self.rents[d] > SHUT / 2 or self.board(d, left) is None:
            return Priced(found, self.floor)
        first = _Step(d, left, 0.0, (), None)
        if not self.exact:
            return Priced(self._dive(first, want), self.floor, False)
        found, best, whole, over = self._search(
            first, want, STEPS if self.floor < 0 else FEW_STEPS, repeats=False
        )
        if not over:
            known = {column for _, column in found}
            found.extend(one for one in self._dive(first, want) if one[1] not in known)
            if self.floor >= 0:
                # tours in which a site comes twice make no plan, but the linear program may hold them: its bound is
                # a little higher then, and proven without looking at all the ways round a repeat
                more, relaxed, _, _ = self._search(first, REPEATING, STEPS, repeats=True)
                found.extend(one for one in more if one[1] not in known)
                best = min(best, relaxed)
        return Priced(found, max(self.floor, best), whole and over)

    def _search(
        self, first: _Step, want: int, steps: int, *, repeats: bool
    ) -> tuple[list[tuple[float, Column]], float, bool, bool]:
        """Search the tours that go on from `first`, best first.

        Returns those found, an upper bound on all of them, whether no list of routes was cut short on the way, and
        whether the search came to its end within `steps`.
        """
        found: list[tuple[float, Column]] = []
        heap: list[_Choice] = []
        self._push(heap, first, self.routes(first.day, first.left, None), 0)
        best: float | None = None
        whole = True
        for count in range(steps):
            if not heap or len(found) >= want:
                break
            if count % 100 == 99 and self.halt is not None and self.halt():
                raise TimeoutError
            choice = heapq.heappop(heap)
            step, routes, rank, after = choice.step, choice.routes, choice.rank, choice.after
            if after is None:
                if rank != HOME and rank >= len(routes.worth):
                    best = choice.promise if best is None else best  # what was left out may be worth as much
                    whole = False
                    continue
                parts = self._take(step, routes, rank, repeats)
                if rank != HOME:
                    self._push(heap, step, routes, rank + 1)
                if parts is None:
                    continue
                after = self._after(step, routes, rank, parts)
                if after is None:
                    best = choice.promise if best is None else best
                    column = self.fleet.tour(parts)
                    assert column is not None, "a tour found keeps the rules"
                    found.append((choice.promise, column))
                    continue
                promise = after.value + self._most(after)
                if promise < choice.promise - 1e-7:  # the promise was too good: it waits for its true turn
                    if promise > self.floor:
                        self._count += 1
                        heapq.heappush(heap, _Choice(promise, self._count, step, routes, rank, after))
                    continue
            following = self.routes(after.day, after.left, after.place)
            self._push(heap, after, following, 0)
            self._push(heap, after, following, HOME)
        if heap and best is None:
            best = heap[0].promise
        return found, self.floor if best is None else best, whole, not heap

    def _dive(self, first: _Step, want: int) -> list[tuple[float, Column]]:
        """Return a tour for each of the best routes of the first day, going on each day by the best that repeats
        nothing.
        """
        found: dict[Column, float] = {}
        routes = self.routes(first.day, first.left, None)
        for rank in range(min(want, len(routes.worth))):
            step, here, choice = first, routes, rank
            while True:
                parts = self._take(step, here, choice)
                if parts is None:
                    break
                after = self._after(step, here, choice, parts)
                if after is None:
                    column = self.fleet.tour(parts)
                    worth = step.value + (
                        self.homeward(step.day, step.place) if choice == HOME else here.worth[choice]
                    )
                    if column is not None and worth > self.floor:
                        found[column] = worth
                    break
                step, here = after, self.routes(after.day, after.left, after.place)
                choice = self._best(step, here)
        return sorted(
            ((worth, column) for column, worth in found.items()),
            key=lambda one: (-one[0], one[1].gap, one[1].visits),
        )

    def _best(self, step: _Step, routes: _Routes) -> int:
        """Return the rank of the best way to go on that repeats nothing."""
        home = self.homeward(step.day, step.place)
        for rank, worth in enumerate(routes.worth):
            if worth <= home:
                return HOME
            if self._take(step, routes, rank) is not None:
                return rank
        return HOME if home > NEVER / 2 else len(routes.worth)

    def homeward(self, d: int, place: int | None) -> float:
        """Return what driving straight home earns after a night away, NEVER where it is too late."""
        if place is None or not self._home_in_time(d, place):
            return NEVER
        return -float(self.fleet.cost[place, self.gaps[d].target]) - self.rents[d]

    def _most(self, step: _Step) -> float:
        """Return what going on from `step` can earn at most, by its routes and what is known of the days after."""
        key = (step.day, step.left, step.place)
        found = self._known.get(key)
        if found is not None:
            return found
        routes, gap = self.routes(step.day, step.left, step.place), self.gaps[step.day]
        board = self.board(step.day, step.left)
        best = self.homeward(step.day, step.place)
        for worth, path in zip(routes.worth, routes.path, strict=True):
            if worth <= best:
                break
            if path[1] and board is not None:
                at = int(path[2 * int(path[0])])
                place = int(self.fleet.place[gap.nodes[board.act[at]]])
                after = self._known.get((step.day + 1, step.left - gap.apart, place))
                if after is not None:
                    worth += after - self.chain.cost * gap.apart - float(board.night[at])
            best = max(best, worth)
        if routes.rest is not None:
            best = max(best, routes.rest)
        self._known[key] = best
        return best

    def _push(self, heap: list[_Choice], step: _Step, routes: _Routes, rank: int) -> None:
        """Put one way to go on from `step` on the heap when its promise lies above the floor: the route of that
        rank, what was left out behind the last of them, or the drive home.
        """
        if rank == HOME:
            worth: float | None = self.homeward(step.day, step.place)
        else:
            worth = routes.worth[rank] if rank < len(routes.worth) else routes.rest
            if rank > len(routes.worth):
                return
        if worth is not None and step.value + worth > self.floor:
            self._count += 1
            heapq.heappush(heap, _Choice(step.value + worth, self._count, step, routes, rank))

    def _take(
        self, step: _Step, routes: _Routes, rank: int, repeats: bool = False
    ) -> tuple[tuple[int, Visits], ...] | None:
        """Return the tour so far with one more day, None when a site would come too often (unless `repeats`)."""
        gap = self.gaps[step.day]
        visits: Visits = ()
        if rank >= len(routes.worth):
            return None
        if rank != HOME:
            board = self.board(step.day, step.left)
            assert board is not None, "a path has sites"
            visits = board.visits(routes.path[rank])
            if (
                not repeats
                and step.parts
                and any(self._again(site, gap.day, step.parts) for site, _ in visits)
            ):
                return None
        return (*step.parts, (self.chain.gaps[step.day], visits))

    def _after(
        self, step: _Step, routes: _Routes, rank: int, parts: tuple[tuple[int, Visits], ...]
    ) -> _Step | None:
        """Return where a tour goes on after a day that ends away, None when it is over."""
        if rank == HOME or not routes.path[rank][1]:
            return None
        gap, board, path = self.gaps[step.day], self.board(step.day, step.left), routes.path[rank]
        assert board is not None, "a path has sites"
        value = step.value + routes.worth[rank] - float(board.night[int(path[2 * int(path[0])])])
        value -= self.chain.cost * gap.apart
        place = int(self.fleet.place[parts[-1][1][-1][0]])
        return _Step(step.day + 1, step.left - gap.apart, value, parts, place)

    def _home_in_time(self, d: int, place: int) -> bool:
        gap, roads = self.gaps[d], self.fleet.roads
        due = roads.arrive(place, gap.target, gap.ready, gap.day)
        return due <= gap.deadline and int(roads.minutes[place, gap.target]) <= gap.drive

    def _again(self, site: int, day: int, parts: Sequence[tuple[int, Visits]]) -> bool:
        """Say whether a visit comes too often, or too soon after the others of the tour."""
        days = [self.fleet.gaps[g].day for g, visits in parts for other, _ in visits if other == site]
        apart = self.fleet.problem.sites[site].min_gap_days
        return len(days) >= int(self.fleet.visits_left[site]) or any(day - other < apart for other in days)


def price_chain(
    fleet: Fleet,
    chain: Chain,
    prices: Sequence[Floats],
    rents: Sequence[float],
    *,
    floor: float = 1e-6,
    want: int = 10,
    cap: int | None = None,
    fines: Sequence[Fines],
    halt: Callable[[], bool] | None = None,
) -> list[Priced]:
    """Return, for each gap of `chain`, the best columns that begin in it with reduced cost above `floor`.

    `prices` [sites] and `rents` by gap; a rent of `SHUT` or more closes a day; `fines` by day of the problem.
    TimeoutError as soon as `halt` says so. `whole` is said of a gap only when no tour was among what was found.
    """
    tours = _Tours(fleet, chain, prices, rents, fines, floor, cap, want, halt)
    return [tours.starting(d, want) for d in range(len(chain.gaps))]


def columns_of(priced: Sequence[Priced]) -> list[tuple[float, Column]]:
    """Return all columns of several gaps' pricing, the best first."""
    found = [pair for one in priced for pair in one.columns]
    return sorted(found, key=lambda pair: (-pair[0], pair[1].gap, pair[1].visits))
