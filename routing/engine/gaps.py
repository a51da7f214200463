"""Making the gaps: every stretch of working time that the pins leave open, pooled where centers are alike."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from routing.engine.menus import Menus
from routing.engine.roads import Roads
from routing.engine.terms import FAR, Chain, Floats, Gap, Ints
from routing.nights import nights_between
from routing.problem import Center, Pin, Problem
from routing.travel import Travel

Key = tuple[str, int]


class Gaps:
    """`made`: the gaps; `rules`: shared driving allowances of pinned days; `chains`: gaps joined by nights."""

    def __init__(
        self,
        problem: Problem,
        travel: Travel,
        roads: Roads,
        menus: Menus,
        place: Ints,
        pins: Mapping[Key, Sequence[Pin]],
        origins: Mapping[Key, str],
    ) -> None:
        self.problem, self.travel, self.roads, self.menus = problem, travel, roads, menus
        self.place, self.pins, self.origins = place, pins, origins
        self.made: list[Gap] = []
        self.rules: list[int] = []
        self.chains: list[Chain] = []
        self._restricted = [i for i, site in enumerate(problem.sites) if site.centers is not None]
        self._site = {site.id: i for i, site in enumerate(problem.sites)}
        self._pools: dict[Any, Gap] = {}
        self._cheapest = int(roads.cost.min(initial=0))
        self._known: dict[tuple[int, bool], Ints] = {}
        self._soonest: dict[tuple[int, int, bool], Ints] = {}
        chains: dict[Any, list[Center]] = defaultdict(list)
        for center in problem.centers:
            forbidden = frozenset(i for i in self._restricted if not problem.sites[i].allows(center.id))
            days = sorted(set(center.days))
            for day in days:
                if (center.id, day) in pins:
                    self._pinned(center, day, forbidden)
                elif not center.nights:
                    self._pool(center, day, forbidden)
            if center.nights:
                alone = center.starts or any((center.id, day) in pins for day in days)
                name = center.id if alone else ""
                chains[
                    (*self._rules(center, forbidden), center.nights, center.night_cost, tuple(days), name)
                ].append(center)
        for rules, centers in chains.items():
            self._chain(centers, rules[6])

    @staticmethod
    def _rules(center: Center, forbidden: frozenset[int]) -> tuple[Any, ...]:
        return (
            center.depot,
            center.shift,
            center.kind,
            center.setup,
            center.max_drive,
            center.fixed_cost,
            forbidden,
        )

    def _begins(self, center: Center, day: int) -> tuple[int, int]:
        """Return the place and minute from which a center starts a day, pinned nights considered."""
        place, minute = center.begins(day)
        if str(day) not in center.starts:
            place = self.origins.get((center.id, day), place)
        return self.problem.place_index[place], minute

    def _open_day(self, center: Center, day: int) -> Gap:
        """Return the gap of a whole day without pins."""
        origin, ready = self._begins(center, day)
        depot = self.problem.place_index[center.depot]
        minutes, cost = int(self.roads.minutes[origin, depot]), int(self.roads.cost[origin, depot])
        return Gap(
            members=[],
            day=day,
            menu=self.menus.of(center.kind, day),
            origin=origin,
            target=depot,
            ready=ready,
            deadline=center.shift[1],
            setup=center.setup,
            drive=FAR if center.max_drive is None else center.max_drive,
            direct_minutes=0 if origin == depot else minutes,
            direct_cost=0 if origin == depot else cost,
            fixed=center.fixed_cost,
            nodes=np.zeros(0, np.int32),
        )

    def _pool(self, center: Center, day: int, forbidden: frozenset[int]) -> None:
        rules = (*self._rules(center, forbidden), self._begins(center, day))
        same = self._pools.get((rules, day))
        if same is None:
            gap = self._open_day(center, day)
            self._reach(gap, forbidden)
            signature = (rules, self._menu_signature(gap, day))
            same = self._pools.get(signature)
            if same is None:
                same = self._pools[signature] = gap
                if len(gap.nodes):
                    self.made.append(gap)
            self._pools[rules, day] = same
        same.members.append((center.id, day, 0))

    def _menu_signature(self, gap: Gap, day: int) -> Any:
        """What tells two days apart for this gap; days differ by themselves where a site may be visited
        again, and where traffic is by the day.
        """
        nodes, menu = gap.nodes, gap.menu
        again = bool((self.menus.visits_left[nodes] > 1).any()) or self.roads.timed
        arrays = (nodes, menu.stay[nodes], menu.value[nodes], menu.opens[nodes], menu.closes[nodes])
        return (day if again else -1, *(array.tobytes() for array in arrays))

    def _pinned(self, center: Center, day: int, forbidden: frozenset[int]) -> None:
        """Make the gaps before, between and after the pinned visits of one center's day."""
        index, minutes = self.problem.place_index, self.roads.minutes
        pins = self.pins[center.id, day]
        origin, start = self._begins(center, day)
        spots = [origin, *(index[self.problem.site_by_id[pin.site].place] for pin in pins)]
        ready = [start, *(pin.start + pin.stay for pin in pins)]
        deadline = [pin.start - center.setup for pin in pins]
        if not pins[-1].overnight:
            spots.append(index[center.depot])
            deadline.append(center.shift[1])
        driven = sum(int(minutes[a, b]) for a, b in itertools.pairwise(spots))
        spare = FAR if center.max_drive is None else center.max_drive - driven
        made: list[Gap] = []
        taken = forbidden | {self._site[pin.site] for pin in pins}
        for k, (here, there) in enumerate(itertools.pairwise(spots)):
            direct = int(minutes[here, there])
            gap = Gap(
                members=[(center.id, day, k)],
                day=day,
                menu=self.menus.of(center.kind, day),
                origin=here,
                target=there,
                ready=ready[k],
                deadline=deadline[k],
                setup=center.setup,
                drive=min(FAR, spare + direct),
                direct_minutes=direct,
                direct_cost=int(self.roads.cost[here, there]),
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
        self.made.extend(made)

    def _chain(self, centers: Sequence[Center], forbidden: frozenset[int]) -> None:
        """Make the gaps of centers that may stay away and are alike, and join them where a night may be away."""
        first = centers[0]
        days = sorted(set(first.days))
        numbers: list[int] = []
        slept = 0
        for day, after in itertools.zip_longest(days, days[1:]):
            pinned = (first.id, day) in self.pins
            apart = 0 if after is None else nights_between(self.problem, day, after)
            if pinned:
                slept = slept + apart if self.pins[first.id, day][-1].overnight else 0
                self._close(first, numbers)
                continue
            gap = self._open_day(first, day)
            gap.members = [(center.id, day, 0) for center in centers]
            gap.slept = slept
            slept = 0
            away = (
                after is not None
                and (first.id, after) not in self.pins
                and str(after) not in first.starts
                and gap.slept + apart <= first.nights
            )
            if not away:
                apart = 0
            self._reach(gap, forbidden, slept_before=bool(numbers), sleeps=away)
            numbers.append(len(self.made))
            self.made.append(gap)
            if away:
                gap.after, gap.apart = len(self.made), apart
            else:
                self._close(first, numbers)
        self._close(first, numbers)

    def _close(self, center: Center, numbers: list[int]) -> None:
        if len(numbers) > 1:
            self.chains.append(Chain(tuple(numbers), center.nights, center.night_cost))
        numbers.clear()

    # -- what fits a gap --

    def _reach(
        self, gap: Gap, forbidden: Iterable[int], *, slept_before: bool = False, sleeps: bool = False
    ) -> None:
        """Find the sites that fit the gap at all, and the first and last minutes at each.

        Where the night before or after may be spent away the way from or to the depot limits nothing.
        """
        menu, minutes, place = gap.menu, self.roads.minutes, self.place
        way_in, way_out = minutes[gap.origin, place], minutes[place, gap.target]
        least = int(menu.stay.min(initial=FAR)) + gap.setup
        early, late = self.roads.least(way_in), self.roads.least(way_out)
        if not self.travel.metric:
            early = self._shortest(gap.origin, least)
            late = self._shortest(gap.target, least, backwards=True)
        if slept_before:
            early = np.zeros_like(early)
        if sleeps:
            late = np.zeros_like(late)
        first = np.maximum(gap.ready + early.astype(np.int64) + gap.setup, menu.opens)
        last = np.minimum(menu.closes, gap.deadline - late.astype(np.int64))
        fits = first + menu.stay[:, 0].astype(np.int64) <= last
        if self.travel.metric and not slept_before and not sleeps:
            fits &= way_in + way_out <= gap.drive
        for site in forbidden:
            fits[site] = False
        nodes = np.flatnonzero(fits).astype(np.int32)
        gap.nodes = nodes
        gap.first, gap.last = first[nodes].astype(np.int32), last[nodes].astype(np.int32)
        gap.drive_in, gap.way_out = way_in[nodes], way_out[nodes]
        arrivals = self.roads.arrivals(gap.origin, place[nodes], gap.ready, gap.day)
        gap.way_in = (arrivals - gap.ready).astype(np.int32)
        gap.home = self.roads.departures(place[nodes], gap.target, gap.deadline, gap.day)
        gap.cost_in = self.roads.cost[gap.origin, place[nodes]].astype(float)
        gap.cost_out = self.roads.cost[place[nodes], gap.target].astype(float)
        gap.trip = self._trip(gap)
        gap.stops = self._most_stops(gap)

    def _trip(self, gap: Gap) -> Floats:
        """Return the least cost of any way through each node; one unit a leg is allowed for rounding."""
        if self.travel.metric:
            return gap.cost_in + gap.cost_out
        if self._cheapest < 0:
            return np.full(len(gap.nodes), -float(FAR))
        there, back = self._ways(gap.origin, False), self._ways(gap.target, True)
        return (there[gap.nodes] + back[gap.nodes]).astype(float)

    def _ways(self, place: int, backwards: bool) -> Ints:
        """Return the least cost of any way from a place to each site, or from each site to it."""
        found = self._known.get((place, backwards))
        if found is None:
            cost = self.roads.cost
            direct = cost[self.place, place] if backwards else cost[place, self.place]
            table = cost[np.ix_(self.place, self.place)]
            found = self._known[place, backwards] = _least(direct, table.T if backwards else table, 0)
        return found

    def _shortest(self, place: int, dwell: int, *, backwards: bool = False) -> Ints:
        """Return the least minutes from a place to each site (or back) when other visits, of `dwell` minutes at
        least, may lie between.
        """
        found = self._soonest.get((place, dwell, backwards))
        if found is None:
            minutes = self.roads.least(self.roads.minutes)
            direct = minutes[self.place, place] if backwards else minutes[place, self.place]
            table = minutes[np.ix_(self.place, self.place)]
            found = _least(direct, table.T if backwards else table, dwell)
            self._soonest[place, dwell, backwards] = found
        return found

    def _most_stops(self, gap: Gap) -> int:
        """Return a number of stops that no route in the gap can exceed."""
        if not len(gap.nodes):
            return 0
        stays = np.sort(gap.menu.stay[gap.nodes, 0])
        places = self.place[gap.nodes]
        between = 0
        if 1 < len(places) <= 2000:
            legs = self.roads.minutes[np.ix_(places, places)].copy()
            np.fill_diagonal(legs, FAR)
            between = int(self.roads.least(legs.min(initial=FAR, keepdims=True)).min())
        span = int(gap.last.max() - gap.first.min())
        count, used = 0, 0
        for stay in stays.tolist():
            used += stay + (between + gap.setup if count else 0)
            if used > span:
                break
            count += 1
        return count


def _least(direct: Ints, table: Ints, dwell: int) -> Ints:
    """Return the least sums to each site, directly or over others, with `dwell` added at each of those."""
    best = direct.astype(np.int64)
    for _ in range(len(best)):
        better = np.minimum(best, (best[:, None] + table + dwell).min(axis=0, initial=FAR))
        if (better == best).all():
            break
        best = better
    return np.minimum(best, FAR).astype(np.int32)
