"""The problem in the engine's terms: menus of stays, and gaps of working time to fill.

A gap is a stretch of a center's day between two fixed points: a whole shift from depot to depot or, on a day
with pinned visits, the time before, between and after them. Identical gaps (same depot, class, rules, and the
same menus on all days concerned) are pooled, because the solver does not care which of them a route fills.
Gaps of centers that may stay away are joined in chains, a day each. What is pinned becomes a constant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from routing.engine.gaps import Gaps
from routing.engine.menus import Menus
from routing.engine.roads import Roads
from routing.engine.terms import FAR, NEVER, Chain, Column, Floats, Gap, Ints, Menu, Visits
from routing.errors import PinError
from routing.problem import Pin, Problem
from routing.solution import Plan, Route, earliest
from routing.travel import Travel

__all__ = ["FAR", "NEVER", "Chain", "Column", "Fleet", "Floats", "Gap", "Ints", "Menu", "Visits"]


class Fleet:
    """A problem prepared for the engine. Raises `PinError` when the pins cannot be kept."""

    def __init__(self, problem: Problem, travel: Travel) -> None:
        self.problem = problem
        self.travel = travel
        self.roads = Roads(problem, travel)
        self.minutes, self.cost = self.roads.minutes, self.roads.cost
        self.days = len(problem.days)
        self.site_index = {site.id: i for i, site in enumerate(problem.sites)}
        self.place = np.array([problem.place_index[site.place] for site in problem.sites], dtype=np.int32)
        self.region_of = self.roads.region[self.place]
        self.pins: dict[tuple[str, int], list[Pin]] = defaultdict(list)
        for pin in sorted(problem.pinned, key=lambda pin: (pin.center, pin.day, pin.start)):
            self.pins[pin.center, pin.day].append(pin)
        self.origins = self._pinned_nights()
        self.constant = self._pinned_worth()
        self.menus = Menus(problem)
        self.visits_left, self.group_left = self.menus.visits_left, self.menus.group_left
        gaps = Gaps(problem, travel, self.roads, self.menus, self.place, self.pins, self.origins)
        self.gaps, self.rules, self.chains = gaps.made, gaps.rules, gaps.chains
        self.chain_of = {g: chain for chain in self.chains for g in chain.gaps}

    # -- what the pins fix --

    def _pinned_nights(self) -> dict[tuple[str, int], str]:
        """Return the place where a center starts a day because the pin before spends the night there."""
        origins: dict[tuple[str, int], str] = {}
        for (center, day), pins in self.pins.items():
            after = self.problem.center_by_id[center].next_day(day)
            if pins[-1].overnight and after is not None:
                origins[center, after] = self.problem.site_by_id[pins[-1].site].place
        return origins

    def _pinned_worth(self) -> int:
        """Check the pinned visits by the rules of plans and return what they are worth (group penalties
        aside), drives home that cannot be avoided included.
        """
        from routing.check import check

        index = {pin: i for i, pin in enumerate(self.problem.pinned)}
        routes = tuple(self.pinned_route(key, {}) for key in self.pins)
        verdict = check(self.problem, Plan(self.problem.name, routes, 0), travel=self.travel, claims=False)
        faults = []
        for fault in verdict.faults:
            if fault.center is None:
                about = [pin for pin in index if pin.site == fault.site]
            else:
                about = self.pins.get((fault.center, fault.day or 0), [])
            names = ", ".join(f"pinned[{index[pin]}]" for pin in about)
            faults.append(f"{names}: {fault.text}" if names else fault.text)
        if faults:
            raise PinError(faults)
        return verdict.costs.objective + verdict.costs.penalties

    # -- columns --

    def column(self, gap: int, visits: Sequence[tuple[int, int]]) -> Column | None:
        """Return the column that fills `gap` with `visits` and ends at its target, or None when that breaks
        a rule.
        """
        return self.tour([(gap, tuple(visits))])

    def tour(self, parts: Sequence[tuple[int, Visits]]) -> Column | None:
        """Return the column that fills the gaps of `parts`, a night away between each two; None when that
        breaks a rule.
        """
        profit, more_drive = 0, 0
        slept_at = -1
        nights = self.gaps[parts[0][0]].slept
        for k, (number, visits) in enumerate(parts):
            g = self.gaps[number]
            away = k + 1 < len(parts)
            if not visits and (away or slept_at < 0):
                return None
            here = g.origin if slept_at < 0 else slept_at
            clock, drive = g.ready, 0
            profit += g.direct_cost if slept_at < 0 else 0
            profit -= g.fixed if visits else 0
            for site, stay in visits:
                place = int(self.place[site])
                drive += int(self.minutes[here, place])
                profit -= int(self.cost[here, place])
                arrival = self.roads.arrive(here, place, clock, g.day) if self.roads.timed else None
                clock = clock + int(self.minutes[here, place]) if arrival is None else arrival
                clock = max(clock + g.setup, int(g.menu.opens[site])) + stay
                if clock > g.menu.closes[site]:
                    return None
                options = np.flatnonzero(g.menu.stay[site] == stay)
                if not len(options):
                    return None
                profit += int(g.menu.value[site, options[0]])
                here = place
            if away:
                chain = self.chain_of.get(number)
                nights += g.apart
                if chain is None or g.after != parts[k + 1][0] or nights > chain.nights:
                    return None
                profit -= chain.cost * g.apart
                slept_at = here
            else:
                drive += int(self.minutes[here, g.target])
                profit -= int(self.cost[here, g.target])
                arrival = self.roads.arrive(here, g.target, clock, g.day) if self.roads.timed else None
                clock = clock + int(self.minutes[here, g.target]) if arrival is None else arrival
            if clock > g.deadline or drive > g.drive:
                return None
            more_drive += drive - (g.direct_minutes if k == 0 else 0)
        return Column(parts[0][0], parts[0][1], profit, more_drive, tuple(parts[1:]))

    # -- back to routes --

    def pinned_route(self, key: tuple[str, int], filled: dict[int, Visits]) -> Route:
        """Return the route of a pinned day with `filled` (by the gap's place in the order of pins) driven
        between.
        """
        pins = self.pins[key]
        visits: list[tuple[str, int]] = []
        for k in range(len(pins) + 1):
            visits.extend((self.problem.sites[i].id, stay) for i, stay in filled.get(k, ()))
            if k < len(pins):
                visits.append((pins[k].site, pins[k].stay))
        return self._route(key, visits, self.origins.get(key), pins[-1].overnight)

    def _route(
        self, key: tuple[str, int], visits: Iterable[tuple[str, int]], slept: str | None, overnight: bool
    ) -> Route:
        center, day = key
        if str(day) in self.problem.center_by_id[center].starts:
            slept = None
        return earliest(self.problem, self.travel, center, day, visits, origin=slept, overnight=overnight)

    def routes(self, columns: Iterable[Column]) -> tuple[Route, ...]:
        """Return the routes that `columns` stand for, the pinned days among them, by center and day."""
        free: dict[int, list[int]] = {
            g: list(range(len(gap.members) - 1, -1, -1)) for g, gap in enumerate(self.gaps)
        }
        filled: dict[tuple[str, int], dict[int, Visits]] = defaultdict(dict)
        made: list[Route] = []
        # tours by their first day: each takes the first center that is free on all its days, which exists
        # because on no day more are under way than there are centers
        for column in sorted(columns, key=lambda column: self.gaps[column.gap].day):
            parts = column.parts
            member = next(m for m in reversed(free[column.gap]) if all(m in free[g] for g, _ in parts))
            slept: str | None = None
            for k, (g, visits) in enumerate(parts):
                free[g].remove(member)
                center, day, order = self.gaps[g].members[member]
                if (center, day) in self.pins:
                    filled[center, day][order] = visits
                    continue
                named = [(self.problem.sites[i].id, stay) for i, stay in visits]
                away = k + 1 < len(parts)
                begin = self.origins.get((center, day)) if slept is None else slept
                if named:
                    made.append(self._route((center, day), named, begin, away))
                slept = self.problem.sites[visits[-1][0]].place if away else None
        made.extend(self.pinned_route(key, filled.get(key, {})) for key in self.pins)
        return tuple(sorted(made, key=lambda route: (route.day, route.center)))

    def columns(self, routes: Iterable[Route]) -> list[Column]:
        """Return columns for `routes` (of an earlier plan, say), leaving out what no longer holds."""
        where = {member: i for i, gap in enumerate(self.gaps) for member in gap.members}
        made: list[Column | None] = []
        tour: dict[str, list[tuple[int, Visits]]] = {}
        for route in sorted(routes, key=lambda route: (route.day, route.center)):
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
                if gap is None or not all(site in nodes for site, _ in visits):
                    tour.pop(route.center, None)
                    continue
                before = tour.pop(route.center, [])
                if before and self.gaps[before[-1][0]].after != gap:
                    made.append(self._home(before))
                    before = []
                before.append((gap, tuple(visits)))
                if route.overnight and self.gaps[gap].after >= 0:
                    tour[route.center] = before
                else:
                    made.append(self.tour(before))
        made.extend(self._home(before) for before in tour.values())
        return [column for column in made if column is not None]

    def _home(self, parts: list[tuple[int, Visits]]) -> Column | None:
        """Return the tour that drives home on the day after `parts`."""
        return self.tour([*parts, (self.gaps[parts[-1][0]].after, ())])
