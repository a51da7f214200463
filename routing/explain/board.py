"""A plan prepared for questions: what each day holds, what stands where, and every slot one more visit could take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np

from routing.check import check_route
from routing.explain.slots import FAR, NEVER, Ints, Part, Slot, Table, part_of
from routing.nights import Nights
from routing.problem import Center, Problem, Site
from routing.solution import Key, Plan, Route, Stop, Visit, earliest
from routing.travel import IntMatrix, Travel


@dataclass(frozen=True, slots=True)
class Roads:
    """Minutes and cost between all places [from, to], the same by target, and minutes at their shortest."""

    minutes: IntMatrix
    cost: IntMatrix
    least: IntMatrix
    minutes_to: IntMatrix
    cost_to: IntMatrix
    least_to: IntMatrix


@lru_cache(maxsize=4)
def roads_of(travel: Travel, percent: int) -> Roads:
    """Return the tables that all boards of one `travel` share: some 10 MB each for a country."""
    minutes, cost = travel.tables
    least = minutes if percent >= 100 else (minutes.astype(np.int64) * percent // 100).astype(np.int32)
    to = [
        table if np.array_equal(table, table.T) else np.ascontiguousarray(table.T)
        for table in (minutes, cost)
    ]
    least_to = to[0] if least is minutes else np.ascontiguousarray(least.T)
    return Roads(minutes, cost, least, to[0], to[1], least_to)


class Board:
    """A plan without faults and what questions about it share. Making one takes some 0.2 s for a national week,
    each question after that milliseconds: keep it as long as the plan stands.
    """

    def __init__(self, problem: Problem, plan: Plan, *, travel: Travel | None = None) -> None:
        self.problem, self.plan = problem, plan
        self.travel = travel or Travel(problem)
        self.roads = roads_of(self.travel, least_percent(problem))
        self.minutes, self.cost, self.least = self.roads.minutes, self.roads.cost, self.roads.least
        self.pins = {(p.center, p.day, p.site, p.start, p.stay) for p in problem.pinned}
        self.routes: dict[Key, Route] = {route.key: route for route in plan.routes if route.stops}
        self.center_index = {center.id: i for i, center in enumerate(problem.centers)}
        self._number_menus()
        self._number_groups()
        self.may = _allowed(problem)
        self._nights = Nights(problem, plan.routes)
        self.parts: dict[Key, Part] = {
            (center.id, day): part_of(self, center, day) for center in problem.centers for day in center.days
        }

    def _number_menus(self) -> None:
        kinds = sorted({center.kind for center in self.problem.centers})
        pairs = [(kind, day) for kind in kinds for day in range(len(self.problem.days))]
        self.menu_index = {pair: i for i, pair in enumerate(pairs)}
        self._offers: dict[str, tuple[Ints, Ints]] = {}
        self._windows: dict[str, tuple[Ints, Ints]] = {}

    def _number_groups(self) -> None:
        groups = self.problem.groups
        self.groups_of: dict[str, list[int]] = defaultdict(list)
        for g, group in enumerate(groups):
            for name in set(group.sites):
                self.groups_of[name].append(g)
        self.days_of: dict[str, list[int]] = defaultdict(list)
        for route in self.routes.values():
            for stop in route.stops:
                self.days_of[stop.site].append(route.day)
        self.short: Ints = np.array(
            [g.at_least - sum(len(self.days_of.get(s, ())) for s in g.sites) for g in groups], dtype=np.int64
        )
        self.prices: Ints = np.array([g.penalty for g in groups], dtype=np.int64)

    @cached_property
    def table(self) -> Table:
        """Every slot of the plan."""
        return Table(self, self.parts.values())

    @cached_property
    def free(self) -> Table:
        """The slots in which nobody gives way."""
        return Table(self, (part.without_loss() for part in self.parts.values()))

    # -- what the slots are made of --

    def is_pinned(self, key: Key, stop: Stop) -> bool:
        """Whether the stop is a pinned visit."""
        return (*key, stop.site, stop.start, stop.stay) in self.pins

    def start_of(self, key: Key) -> tuple[str, int]:
        """Return the place and the earliest minute from which the center starts that day."""
        place, minute = self.problem.center_by_id[key[0]].begins(key[1])
        return self._nights.origin(key) or place, minute

    def cost_of(self, key: Key) -> int:
        """Return the travel cost of the day as it stands, also of a mere drive home."""
        center, route, index = (
            self.problem.center_by_id[key[0]],
            self.routes.get(key),
            self.problem.place_index,
        )
        origin = self.start_of(key)[0]
        if route is None:
            return int(self.cost[index[origin], index[center.depot]]) if origin != center.depot else 0
        places = [origin, *(self.problem.site_by_id[stop.site].place for stop in route.stops)]
        if not route.overnight:
            places.append(center.depot)
        numbers = [index[place] for place in places]
        return sum(int(self.cost[a, b]) for a, b in pairwise(numbers))

    def value(self, center: Center, day: int, site: str, stay: int) -> int:
        """Return what a visit earns."""
        at = self.problem.site_by_id[site]
        return next((at.worth(o.value, day) for o in at.offers_for(center.kind) if o.stay == stay), 0)

    def offers(self, site: Site) -> tuple[Ints, Ints]:
        """Return stays and values [class and day, options] of a site; FAR and NEVER where there is none."""
        found = self._offers.get(site.id)
        if found is None:
            width = max((len(site.offers_for(kind)) for kind, _ in self.menu_index), default=0) or 1
            stays = np.full((len(self.menu_index), width), FAR, dtype=np.int64)
            values = np.full((len(self.menu_index), width), NEVER, dtype=np.int64)
            for (kind, day), i in self.menu_index.items():
                for k, offer in enumerate(site.offers_for(kind)):
                    stays[i, k], values[i, k] = offer.stay, site.worth(offer.value, day)
            found = self._offers[site.id] = (stays, values)
        return found

    def windows(self, site: Site) -> tuple[Ints, Ints]:
        """Return opening and closing minutes of a site by day (FAR, -1 where it is closed)."""
        found = self._windows.get(site.id)
        if found is None:
            some = [site.window(day) or (FAR, -1) for day in range(len(self.problem.days))]
            found = (
                np.array([w[0] for w in some], dtype=np.int64),
                np.array([w[1] for w in some], dtype=np.int64),
            )
            self._windows[site.id] = found
        return found

    def full_days(self, site: Site, *, less: int | None = None) -> set[int]:
        """Return the days on which the site can have no further visit because of those it has (`less`: but for one
        on that day).
        """
        have = list(self.days_of.get(site.id, ()))
        if less is not None:
            have.remove(less)
        if len(have) >= site.max_visits:
            return set(range(len(self.problem.days)))
        return {d for d in range(len(self.problem.days)) if any(abs(d - e) < site.min_gap_days for e in have)}

    # -- driving a day --

    def drive(self, key: Key, visits: Sequence[tuple[str, int, int | None]]) -> Route | None:
        """Return the day with `visits` (site, stay, minute it begins now) in that order, None when no rule allows
        it. Who can keep a minute keeps it; else all begin as early as they can.
        """
        center = self.problem.center_by_id[key[0]]
        origin, begin = self.start_of(key)
        route = self.routes.get(key)
        overnight = route is not None and route.overnight
        if not visits:
            return None if overnight else Route(*key, begin, (), origin=_other(origin, center))
        for kept in (True, False):
            made = self._timed(center, key, visits, kept=kept)
            made = Route(*key, made.depart, made.stops, overnight=overnight, origin=_other(origin, center))
            if not check_route(self.problem, self.travel, made).faults:
                return made
        return None

    def _timed(
        self, center: Center, key: Key, visits: Sequence[tuple[str, int, int | None]], *, kept: bool
    ) -> Route:
        (here, clock), day = self.start_of(key), key[1]
        if not kept:
            order = [(site, stay) for site, stay, _ in visits]
            away = None if str(day) in center.starts else self._nights.origin(key)
            return earliest(self.problem, self.travel, center.id, day, order, origin=away)
        stops: list[Stop] = []
        depart = clock
        for name, stay, now in visits:
            site = self.problem.site_by_id[name]
            ready = self.travel.arrive(here, site.place, clock, day) + center.setup
            window = site.window(day)
            start = max(ready, now if now is not None else window[0] if window else 0)
            if not stops:
                depart = max(clock, self.travel.leave(here, site.place, start - center.setup, day))
            stops.append(Stop(name, start, stay))
            clock, here = start + stay, site.place
        return Route(center.id, day, depart, tuple(stops))

    def takes(self, slot: Slot, site: str, stay: int) -> Route | None:
        """Return the slot's day with `site` in it, None when no rule allows it."""
        kept = [visit for k, visit in enumerate(self.visits_on(slot.key)) if k not in slot.out]
        return self.drive(slot.key, [*kept[: slot.position], (site, stay, None), *kept[slot.position :]])

    def visits_on(self, key: Key) -> list[tuple[str, int, int | None]]:
        """Return the day's visits in the order `drive` takes them."""
        route = self.routes.get(key)
        return [(stop.site, stop.stay, stop.start) for stop in route.stops] if route else []

    def changed(self, routes: Iterable[Route]) -> Board:
        """Return the plan with some days replaced (by routes that no rule forbids), sharing all that stays."""
        other = object.__new__(Board)
        other.__dict__.update({k: v for k, v in self.__dict__.items() if k not in ("table", "free")})
        new = {route.key: route for route in routes}
        other.routes = {key: route for key, route in {**self.routes, **new}.items() if route.stops}
        other._number_groups()
        other.parts = dict(self.parts)
        for key in new:
            other.parts[key] = part_of(other, self.problem.center_by_id[key[0]], key[1])
        return other

    def without(self, visit: Visit) -> Board | None:
        """Return the plan without that visit; None when the rest of its day cannot stand without it, or the night
        after it is spent there.
        """
        now = self.routes[visit.key]
        if now.overnight and now.stops[-1].start == visit.start:
            return None
        rest = [v for v in self.visits_on(visit.key) if (v[0], v[2]) != (visit.site, visit.start)]
        route = self.drive(visit.key, rest)
        return None if route is None else self.changed([route])

    def objective(self) -> int:
        """Return the objective without the costs of nights, which nothing here changes."""
        total = -int((np.maximum(0, self.short) * self.prices).sum()) if len(self.short) else 0
        return total + sum(self.worth_of(key) for key in self.parts)

    def worth_of(self, key: Key) -> int:
        """Return what one day earns less its travel and fixed cost; the groups apart."""
        route, center = self.routes.get(key), self.problem.center_by_id[key[0]]
        if route is None:
            return -self.cost_of(key)
        earned = sum(self.value(center, key[1], stop.site, stop.stay) for stop in route.stops)
        return earned - center.fixed_cost - self.cost_of(key)

    def difference(self, other: Board, keys: Iterable[Key]) -> int:
        """Return `other`'s objective less this one's, when only the days `keys` differ."""
        days = sum(other.worth_of(key) - self.worth_of(key) for key in keys)
        before = int((np.maximum(0, self.short) * self.prices).sum())
        return days + before - int((np.maximum(0, other.short) * self.prices).sum())


def _other(origin: str, center: Center) -> str | None:
    return origin if origin != center.depot else None


def least_percent(problem: Problem) -> int:
    """Return the smallest percentage of the table's time that traffic ever lets a leg take (100 without any)."""
    if problem.traffic is None:
        return 100
    found = [100]
    for given in problem.traffic.percent.values():
        for steps in given.values() if isinstance(given, Mapping) else (given,):
            found.extend(percent for _, percent in steps)
    return min(found)


def _allowed(problem: Problem) -> dict[str, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Return by site which centers may serve it."""
    everyone = np.ones(len(problem.centers), dtype=bool)
    found = {}
    for site in problem.sites:
        if site.centers is None:
            found[site.id] = everyone
        else:
            found[site.id] = np.array([center.id in site.centers for center in problem.centers], dtype=bool)
    return found
