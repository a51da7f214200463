"""Why sites stay unserved: one reason for each, all sites at once."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from routing.problem import Center, Problem, Site
from routing.solution import Plan, Route, Unserved
from routing.travel import Travel

Ints = NDArray[np.int64]
_NEVER = -(10**15)
_FAR = 10**9


def explain(problem: Problem, plan: Plan, *, travel: Travel | None = None) -> tuple[Unserved, ...]:
    """Return a reason for every site that `plan` does not visit, in the problem's order.

    Codes and their numbers: `no_value`, `closed`, `no_center`, `hours_too_short` (shortest, open), `too_far`
    (center, needed, available, of: "shift" or "driving"), `not_worth` (center, day, loss), `displaced`
    (center, day, stay, loss, instead_of: site ids), `no_room` (beside the pinned visits) and `left_over`
    (center, day, stay, gain: the search ended before it was used). The last three also name the `nearest`
    visit: site, center, day, minutes to drive.
    """
    travel = travel or Travel(problem)
    served = {stop.site for route in plan.routes for stop in route.stops}
    missing = [site for site in problem.sites if site.id not in served]
    found: dict[str, Unserved] = {}
    open_question: list[Site] = []
    for site in missing:
        reason = _impossible(problem, travel, site)
        if reason is None:
            open_question.append(site)
        else:
            found[site.id] = reason
    if open_question:
        found.update(_Insertion(problem, travel, plan, open_question).reasons())
    return tuple(found[site.id] for site in missing)


# -- what rules alone exclude --


def _unserved(site: Site, code: str, reason: str, **numbers: Any) -> Unserved:
    return Unserved(site.id, code, reason, numbers)


def _impossible(problem: Problem, travel: Travel, site: Site) -> Unserved | None:
    """Return why no plan at all can serve the site, or None when one could."""
    allowed = [center for center in problem.centers if site.allows(center.id)]
    kinds = {center.kind for center in allowed if site.offers_for(center.kind)}
    worth = max((o.value for kind in kinds for o in site.offers_for(kind)), default=0)
    if kinds and worth <= 0:
        return _unserved(site, "no_value", "a visit here is worth nothing")
    days = [day for day in range(len(problem.days)) if site.window(day) is not None]
    if not days:
        return _unserved(site, "closed", "closed on every day of the plan")
    able = [center for center in allowed if center.kind in kinds and set(center.days) & set(days)]
    if not able:
        return _unserved(site, "no_center", "no center that may serve it works on a day it is open")
    shortest = min(o.stay for kind in kinds for o in site.offers_for(kind))
    longest = max(w[1] - w[0] for day in days if (w := site.window(day)) is not None)
    if shortest > longest:
        reason = f"the shortest stay is {shortest} minutes, it is open for {longest}"
        return _unserved(site, "hours_too_short", reason, shortest=shortest, open=longest)
    return _too_far(travel, site, able)


def _too_far(travel: Travel, site: Site, able: Sequence[Center]) -> Unserved | None:
    """Return `too_far` when no able center gets there and back within its shift and driving limit."""
    nearest: tuple[int, Unserved] | None = None
    tried: dict[tuple[Any, ...], None] = {}
    for center in able:
        days = tuple(day for day in center.days if site.window(day) is not None)
        key = (center.depot, center.shift, center.kind, center.setup, center.max_drive, days)
        if key in tried:
            continue
        tried[key] = None
        there, _ = travel.leg(center.depot, site.place)
        home, _ = travel.leg(site.place, center.depot)
        stay = min(offer.stay for offer in site.offers_for(center.kind))
        opens, closes = center.shift
        lack = _FAR
        for window in {w for day in days if (w := site.window(day)) is not None}:
            start = max(opens + there + center.setup, window[0])
            lack = min(lack, max(start + stay - window[1], start + stay + home - closes))
        driving = 0 if center.max_drive is None else there + home - center.max_drive
        if lack <= 0 and driving <= 0:
            return None
        if nearest is None or there + home < nearest[0]:
            nearest = there + home, _distance(site, center, there + home, stay, lack, driving)
    return nearest[1] if nearest else None


def _distance(site: Site, center: Center, drive: int, stay: int, lack: int, driving: int) -> Unserved:
    if driving > 0 and center.max_drive is not None:
        needed, available, of = drive, center.max_drive, "driving"
        reason = f"too far: the nearest center, {center.id}, would drive {needed} of {available} minutes"
    else:
        available = center.shift[1] - center.shift[0]
        needed, of = available + lack, "shift"
        reason = (
            f"too far: the nearest center, {center.id}, needs {needed} minutes for the way, setting up and the "
            f"shortest stay of {stay}, and has {available}"
        )
    return _unserved(site, "too_far", reason, center=center.id, needed=needed, available=available, of=of)


# -- what the plan gives up --


@dataclass(slots=True)
class _Best:
    """The best way found to visit each site: what the objective would gain, and how."""

    gain: Ints
    how: list[tuple[str, int, int, tuple[str, ...]]]


class _Insertion:
    """Tries every site at every place of every route, alone or instead of one stop or all, over all sites at
    once.
    """

    def __init__(self, problem: Problem, travel: Travel, plan: Plan, sites: Sequence[Site]) -> None:
        self.problem, self.travel, self.plan, self.sites = problem, travel, plan, sites
        self.minutes, self.cost = travel.tables
        self.place = np.array([problem.place_index[site.place] for site in sites])
        self.best = _Best(np.full(len(sites), _NEVER, dtype=np.int64), [("", 0, 0, ())] * len(sites))
        self.pins = {(p.center, p.day, p.site, p.start, p.stay) for p in problem.pinned}
        done: dict[str, int] = defaultdict(int)
        for route in plan.routes:
            for stop in route.stops:
                done[stop.site] += 1
        self.short = [g.at_least - sum(done[name] for name in g.sites) for g in problem.groups]
        self.groups_of: dict[str, list[int]] = defaultdict(list)
        for g, group in enumerate(problem.groups):
            for name in group.sites:
                self.groups_of[name].append(g)
        self.inside = np.zeros((len(problem.groups), len(sites)), dtype=bool)
        for i, site in enumerate(sites):
            self.inside[self.groups_of[site.id], i] = True
        self._menus: dict[tuple[str, int], tuple[Ints, Ints, Ints, Ints]] = {}

    def reasons(self) -> Mapping[str, Unserved]:
        """Return the reason of every site in question."""
        busy = {route.key: route for route in self.plan.routes if route.stops}
        idle: dict[tuple[Any, ...], None] = {}
        for center in self.problem.centers:
            restricted = tuple(i for i, site in enumerate(self.sites) if not site.allows(center.id))
            forbidden = np.array(restricted, dtype=np.int64)
            for day in center.days:
                route = busy.get((center.id, day))
                if route is None:
                    rules = (center.depot, center.shift, center.kind, center.setup, center.max_drive)
                    key = (*rules, center.fixed_cost, restricted, day)
                    if key in idle:
                        continue
                    idle[key] = None
                    route = Route(center.id, day, center.shift[0], ())
                self._try_route(center, route, forbidden)
        nearest = self._nearest()
        return {site.id: self._reason(i, site, nearest[i]) for i, site in enumerate(self.sites)}

    def _menu(self, kind: str, day: int) -> tuple[Ints, Ints, Ints, Ints]:
        """Return stays and values [options, sites], opening and closing minutes of a class and day."""
        found = self._menus.get((kind, day))
        if found is None:
            width = max((len(site.offers_for(kind)) for site in self.sites), default=0)
            stay = np.full((width, len(self.sites)), _FAR, dtype=np.int64)
            value = np.full((width, len(self.sites)), _NEVER, dtype=np.int64)
            opens = np.full(len(self.sites), _FAR, dtype=np.int64)
            closes = np.full(len(self.sites), -1, dtype=np.int64)
            for i, site in enumerate(self.sites):
                window = site.window(day)
                if window is not None:
                    opens[i], closes[i] = window
                    for k, offer in enumerate(site.offers_for(kind)):
                        stay[k, i], value[k, i] = offer.stay, site.worth(offer.value, day)
            found = self._menus[kind, day] = (stay, value, opens, closes)
        return found

    def _try_route(self, center: Center, route: Route, forbidden: Ints) -> None:
        """Try the sites between any two stops, keeping all, without one stop, and without all that may go."""
        stops = range(len(route.stops))
        loose = [k for k in stops if (*route.key, *self._visit(route, k)) not in self.pins]
        choices: list[tuple[int, ...]] = [(), *((k,) for k in loose)]
        if len(loose) > 1:
            choices.append(tuple(loose))
        for out in choices:
            kept = [k for k in stops if k not in out]
            for position in range(len(kept) + 1):
                self._try(center, route, kept, out, position, forbidden)

    @staticmethod
    def _visit(route: Route, k: int) -> tuple[str, int, int]:
        stop = route.stops[k]
        return stop.site, stop.start, stop.stay

    def _try(
        self,
        center: Center,
        route: Route,
        kept: list[int],
        out: tuple[int, ...],
        position: int,
        forbidden: Ints,
    ) -> None:
        stay, value, opens, closes = self._menu(center.kind, route.day)
        index, depot = self.problem.place_index, self.problem.place_index[center.depot]
        spots = [index[self.problem.site_by_id[route.stops[k].site].place] for k in kept]
        clock, here, drive, cost = center.shift[0], depot, 0, 0
        for n, k in enumerate(kept[:position]):
            drive, cost = drive + int(self.minutes[here, spots[n]]), cost + int(self.cost[here, spots[n]])
            clock = self._served(center, route, k, clock + int(self.minutes[here, spots[n]]))
            here = spots[n]
        after = spots[position] if position < len(spots) else depot
        drives = drive + self.minutes[here, self.place].astype(np.int64) + self.minutes[self.place, after]
        costs = cost + self.cost[here, self.place].astype(np.int64) + self.cost[self.place, after]
        start = np.maximum(clock + self.minutes[here, self.place] + center.setup, opens)
        tail = [*spots[position:], depot]
        drives += sum(int(self.minutes[a, b]) for a, b in itertools.pairwise(tail))
        costs += sum(int(self.cost[a, b]) for a, b in itertools.pairwise(tail))
        latest = np.minimum(
            closes, self._latest(center, route, kept[position:], tail) - self.minutes[self.place, after]
        )
        fine = np.ones(len(self.sites), dtype=bool)
        if center.max_drive is not None:
            fine = drives <= center.max_drive
        fine[forbidden] = False
        change = self._kept_change(center, route, out) - costs
        for option in range(len(stay)):
            gain = np.where(fine & (start + stay[option] <= latest), value[option] + change, _NEVER)
            for i in np.flatnonzero(gain > self.best.gain).tolist():
                self.best.gain[i] = gain[i]
                names = tuple(route.stops[k].site for k in out)
                self.best.how[i] = (center.id, route.day, int(stay[option, i]), names)

    def _served(self, center: Center, route: Route, k: int, arrival: int) -> int:
        """Return the minute stop `k` ends when the van arrives at `arrival`."""
        stop = route.stops[k]
        if (*route.key, *self._visit(route, k)) in self.pins:
            return stop.start + stop.stay
        window = self.problem.site_by_id[stop.site].window(route.day)
        return max(arrival + center.setup, window[0] if window else 0) + stop.stay

    def _latest(self, center: Center, route: Route, rest: list[int], tail: list[int]) -> int:
        """Return the latest minute to be at the first of `tail` so that the `rest` of the route still holds."""
        latest = center.shift[1]
        for n in range(len(rest) - 1, -1, -1):
            stop = route.stops[rest[n]]
            latest -= int(self.minutes[tail[n], tail[n + 1]])
            if (*route.key, *self._visit(route, rest[n])) in self.pins:
                latest = stop.start - center.setup if stop.start + stop.stay <= latest else -_FAR
                continue
            window = self.problem.site_by_id[stop.site].window(route.day)
            latest = min(latest, window[1] if window else -_FAR) - stop.stay - center.setup
        return latest

    def _kept_change(self, center: Center, route: Route, out: tuple[int, ...]) -> Ints:
        """Return what dropping `out` changes before new driving, relief of the groups included, per site."""
        change = -center.fixed_cost if not route.stops else 0
        here = self.problem.place_index[center.depot]
        for stop in route.stops:
            place = self.problem.place_index[self.problem.site_by_id[stop.site].place]
            change += int(self.cost[here, place])
            here = place
        if route.stops:
            change += int(self.cost[here, self.problem.place_index[center.depot]])
        lost = [0] * len(self.problem.groups)
        for k in out:
            stop = route.stops[k]
            site = self.problem.site_by_id[stop.site]
            offers = site.offers_for(center.kind)
            change -= next((site.worth(o.value, route.day) for o in offers if o.stay == stop.stay), 0)
            for g in self.groups_of[stop.site]:
                lost[g] += 1
        result = np.full(len(self.sites), change, dtype=np.int64)
        for g, group in enumerate(self.problem.groups):
            if lost[g] or self.short[g] > 0:
                then = np.maximum(0, self.short[g] + lost[g] - self.inside[g].astype(np.int64))
                result -= (then - max(0, self.short[g])) * group.penalty
        return result

    def _nearest(self) -> list[dict[str, Any] | None]:
        """Return the nearest visit of the plan to each site."""
        visits = [(stop.site, route.center, route.day) for route in self.plan.routes for stop in route.stops]
        if not visits:
            return [None] * len(self.sites)
        places = np.array(
            [self.problem.place_index[self.problem.site_by_id[name].place] for name, _, _ in visits]
        )
        minutes = self.minutes[np.ix_(self.place, places)]
        picks = minutes.argmin(axis=1)
        return [
            {"site": visits[k][0], "center": visits[k][1], "day": visits[k][2], "minutes": int(minutes[i, k])}
            for i, k in enumerate(picks.tolist())
        ]

    def _reason(self, i: int, site: Site, nearest: dict[str, Any] | None) -> Unserved:
        gain = int(self.best.gain[i])
        center, day, stay, out = self.best.how[i]
        facts: dict[str, Any] = {"center": center, "day": day, "stay": stay}
        if nearest is not None:
            facts["nearest"] = nearest
        if gain <= _NEVER // 2:
            return _unserved(site, "no_room", "no center has time for it beside its pinned visits", **facts)
        if out:
            facts["instead_of"] = list(out)
        swap = f" instead of {', '.join(out)}" if out else ""
        if gain > 0:
            reason = f"{center} could serve it on day {day}{swap} and gain {gain}: the search ended before"
            return _unserved(site, "left_over", reason, gain=gain, **facts)
        if not out:
            reason = f"the way costs more than it is worth: {center} would lose {-gain} on day {day}"
            return _unserved(site, "not_worth", reason, loss=-gain, **facts)
        reason = f"{center} would lose {-gain} by visiting it on day {day}{swap}"
        return _unserved(site, "displaced", reason, loss=-gain, **facts)
