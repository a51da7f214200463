"""Which days of which centers to open again around what was lost, and which places may be served there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from routing.problem import Center, Site
from routing.repair.rest import Rest
from routing.solution import Route

Floats = NDArray[np.float64]
EACH = 4
"""Days opened for each wanted place at least."""
UNSERVED = 3
"""Places without a visit that are looked at, for each day opened."""
REACH = 60
"""Places that each opened day may choose from, beside its own: the most promising by the same rough score."""


@dataclass(frozen=True)
class Around:
    """Units to plan anew, and the sites that they may serve."""

    units: tuple[str, ...]
    sites: tuple[str, ...]
    reach: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The sites that each unit may choose from."""


def around(
    rest: Rest, routes: Mapping[str, Route], wanted: Iterable[str], *, most: int, also: Iterable[str] = ()
) -> Around:
    """Return up to `most` units: `also`, and those that would gain most by serving the `wanted` sites, by inserting one
    or by giving up their least stop for it. Timing is left to the solver: this only ranks.
    """
    problem = rest.problem
    sites = [problem.site_by_id[name] for name in dict.fromkeys(wanted) if name in problem.site_by_id]
    scores = Scores(rest, sites)
    units = [center for center in problem.centers if not _useless(center, rest)]
    chosen: dict[str, None] = dict.fromkeys(also)
    if not units or not (sites or chosen):
        return Around((), ())
    table = np.full((len(units), max(1, len(sites))), -np.inf)
    if sites:
        table[:, :] = [scores.of(center, routes.get(center.id)) for center in units]
    for s in range(len(sites)):
        for i in np.argsort(-table[:, s], kind="stable")[:EACH].tolist():
            if table[i, s] > -np.inf:
                chosen[units[i].id] = None
    for i in np.argsort(-table.max(axis=1), kind="stable").tolist():
        if len(chosen) >= most or table[i].max() == -np.inf:
            break
        chosen[units[i].id] = None
    names = tuple(list(chosen)[: max(most, 1)])
    chosen_sites = _candidates(rest, routes, names, [site.id for site in sites])
    return Around(names, chosen_sites, _reach(rest, routes, names, chosen_sites))


def _reach(
    rest: Rest, routes: Mapping[str, Route], units: tuple[str, ...], names: tuple[str, ...]
) -> dict[str, frozenset[str]]:
    """Return the sites that each unit may choose from: what it serves now, and the most promising."""
    scores = Scores(rest, [rest.problem.site_by_id[name] for name in names])
    found = {}
    for unit in units:
        gain = scores.of(rest.problem.center_by_id[unit], routes.get(unit))
        best = [i for i in np.argsort(-gain, kind="stable")[:REACH].tolist() if gain[i] > -np.inf]
        own = [stop.site for stop in routes[unit].stops] if unit in routes else []
        found[unit] = frozenset([*own, *(names[i] for i in best)])
    return found


def _useless(center: Center, rest: Rest) -> bool:
    return center.days[0] not in range(len(rest.problem.days))


class Scores:
    """What each unit would gain by each site, roughly."""

    def __init__(self, rest: Rest, sites: list[Site]) -> None:
        self.rest, self.sites = rest, sites
        self.minutes, self.cost = rest.travel.tables
        self.index = rest.problem.place_index
        self.places = np.array([self.index[site.place] for site in sites], dtype=int)
        self.restricted = [i for i, site in enumerate(sites) if site.centers is not None]
        self._menus: dict[tuple[str, int], tuple[Floats, Floats]] = {}

    def of(self, center: Center, route: Route | None) -> Floats:
        """Return the gain of each site for one unit, which gives up its least stop where time is short; -inf where it
        may not."""
        stops = route.stops if route is not None else ()
        gain, fits = self._inserted(center, route)
        least = min((self._stop_worth(center, stop.site, stop.stay) for stop in stops), default=0.0)
        return np.where(fits, gain, gain - least)

    def room(self, center: Center, route: Route | None) -> Floats:
        """Return the most that each site could gain beside all that the unit does; -inf where there is no time."""
        gain, fits = self._inserted(center, route)
        return np.where(fits, gain, -np.inf)

    def _inserted(self, center: Center, route: Route | None) -> tuple[Floats, NDArray[np.bool_]]:
        day = center.days[0]
        place, ready = center.begins(day)
        stops = route.stops if route is not None else ()
        way = [place, *(self.rest.problem.site_by_id[stop.site].place for stop in stops), center.depot]
        at = np.array([self.index[name] for name in way])
        a, b = at[:-1, None], at[1:, None]
        more = (self.cost[a, self.places] + self.cost[self.places, b] - self.cost[a, b]).min(axis=0)
        longer = (self.minutes[a, self.places] + self.minutes[self.places, b] - self.minutes[a, b]).min(
            axis=0
        )
        busy = int(self.minutes[at[:-1], at[1:]].sum()) + sum(stop.stay + center.setup for stop in stops)
        value, stay = self._menu(center.kind, day)
        spare = center.shift[1] - ready - busy - center.setup
        gain = value - more - (0 if stops else center.fixed_cost)
        for i in self.restricted:
            if not self.sites[i].allows(center.id):
                gain[i] = -np.inf
        return np.asarray(gain, dtype=float), longer + stay <= spare

    def _menu(self, kind: str, day: int) -> tuple[Floats, Floats]:
        found = self._menus.get((kind, day))
        if found is None:
            value, stay = np.full(len(self.sites), -np.inf), np.zeros(len(self.sites))
            for i, site in enumerate(self.sites):
                offers = site.offers_for(kind)
                if site.window(day) is not None and offers:
                    value[i] = max(site.worth(offer.value, day) for offer in offers)
                    stay[i] = min(offer.stay for offer in offers)
            found = self._menus[kind, day] = value, stay
        return found

    def _stop_worth(self, center: Center, name: str, stay: int) -> float:
        site = self.rest.problem.site_by_id[name]
        value = next((offer.value for offer in site.offers_for(center.kind) if offer.stay == stay), 0)
        return float(site.worth(value, center.days[0]))


def _candidates(
    rest: Rest, routes: Mapping[str, Route], units: tuple[str, ...], wanted: list[str]
) -> tuple[str, ...]:
    """Return the wanted sites, those that the units serve now, and the best of those that nobody serves."""
    problem = rest.problem
    chosen = dict.fromkeys(wanted)
    for unit in units:
        if unit in routes:
            chosen.update(dict.fromkeys(stop.site for stop in routes[unit].stops))
    visits: dict[str, int] = {}
    for route in routes.values():
        for stop in route.stops:
            visits[stop.site] = visits.get(stop.site, 0) + 1
    free = [s for s in problem.sites if s.id not in chosen and visits.get(s.id, 0) < s.max_visits]
    if free:
        scores = Scores(rest, free)
        best = np.full(len(free), -np.inf)
        for unit in units:
            best = np.maximum(best, scores.of(problem.center_by_id[unit], routes.get(unit)))
        for i in np.argsort(-best, kind="stable")[: UNSERVED * len(units)].tolist():
            if best[i] > -np.inf:
                chosen[free[i].id] = None
    return tuple(chosen)
