"""A plan: routes with their stops, what it is worth and why, and what stays unserved.

`fleet-plan/1` and `/2` in and out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from routing.problem import Center, Problem, write_json
from routing.travel import Travel

FORMAT = "fleet-plan/1"
FORMAT_2 = "fleet-plan/2"


@dataclass(frozen=True, slots=True)
class Stop:
    """One visit: opens at minute `start` for `stay` minutes.

    Filled in by `describe`: `arrival` (minute), `drive` (minutes of the leg to it), `km` of that leg, and
    `value` earned.
    """

    site: str
    start: int
    stay: int
    arrival: int | None = None
    drive: int | None = None
    km: float | None = None
    value: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One center's day: leaves at minute `depart`, makes `stops` in order, and comes back to its depot.

    With `overnight` the day ends at its last stop, and the center's next working day starts there. Filled in:
    `origin`, the place id it starts from when that is not the depot; `back` (minute at the depot, or of the end of
    the last stop), `drive` (minutes of the table in all), `km` in all.
    """

    center: str
    day: int
    depart: int
    stops: tuple[Stop, ...]
    back: int | None = None
    drive: int | None = None
    km: float | None = None
    overnight: bool = False
    origin: str | None = None

    @property
    def key(self) -> tuple[str, int]:
        """What names the route: its center and day."""
        return self.center, self.day


Key = tuple[str, int]
"""Center id and day index: what names a route."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit of a plan: who, which day (index), where, from which minute, for how many."""

    center: str
    day: int
    site: str
    start: int
    stay: int

    @property
    def key(self) -> Key:
        """The route it is part of."""
        return self.center, self.day


@dataclass(frozen=True, slots=True)
class Costs:
    """The objective taken apart, in the problem's unit: value - travel - fixed - penalties - nights."""

    value: int = 0
    travel: int = 0
    fixed: int = 0
    penalties: int = 0
    nights: int = 0

    @property
    def objective(self) -> int:
        """Value less everything that is paid for it."""
        return self.value - self.travel - self.fixed - self.penalties - self.nights


@dataclass(frozen=True, slots=True)
class Unserved:
    """A site without a visit: a stable `code`, the `reason` in words, and the numbers behind it."""

    site: str
    code: str
    reason: str
    numbers: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prices:
    """What scarce things are worth at the margin, in the problem's unit, from the duals of the plan's bound.

    `days`: one more day of such a center, by (center id, day). `visits`: what the plan gives up elsewhere for one
    visit, by (site id, day).
    """

    days: Mapping[tuple[str, int], float]
    visits: Mapping[tuple[str, int], float]

    def to_json(self) -> dict[str, Any]:
        """Return the prices as lists of [center or site id, day, price]."""
        return {
            "days": [[name, day, price] for (name, day), price in self.days.items()],
            "visits": [[name, day, price] for (name, day), price in self.visits.items()],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Routes, their objective, and `bound`: what no plan can exceed (None when nothing is proven)."""

    problem: str
    routes: tuple[Route, ...]
    objective: int
    bound: int | None = None
    costs: Costs | None = None
    unserved: tuple[Unserved, ...] = ()
    facts: Mapping[str, Any] | None = None
    """How the plan came about: seed, seconds, iterations, method. No part of the plan itself."""
    prices: Prices | None = None

    @property
    def gap(self) -> float | None:
        """(bound - objective) / |bound|, or None without a bound."""
        if self.bound is None:
            return None
        return (self.bound - self.objective) / max(1, abs(self.bound))

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a `fleet-plan/1` object (`/2` when a night is spent away) with what people need."""
        data: dict[str, Any] = {
            "format": FORMAT_2 if any(route.overnight for route in self.routes) else FORMAT,
            "problem": self.problem,
            "objective": self.objective,
            "bound": self.bound,
            "gap": None if self.gap is None else round(self.gap, 6),
            "routes": [_route_json(route) for route in self.routes],
            "unserved": [
                {
                    "site": u.site,
                    "code": u.code,
                    "reason": u.reason,
                    **({"numbers": dict(u.numbers)} if u.numbers else {}),
                }
                for u in self.unserved
            ],
        }
        if self.costs is not None:
            c = self.costs
            data["costs"] = {"value": c.value, "travel": c.travel, "fixed": c.fixed, "penalties": c.penalties}
            if c.nights:
                data["costs"]["nights"] = c.nights
        if self.prices is not None:
            data["prices"] = self.prices.to_json()
        if self.facts:
            data["facts"] = dict(self.facts)
        return data

    @classmethod
    def from_json(cls, data: object) -> Plan:
        """Build a plan from a `fleet-plan/1` or `/2` object; raise `PlanError` listing every fault of its shape."""
        from routing.reading import plan_of

        return plan_of(data)


def save(plan: Plan, path: str | Path) -> None:
    """Write the plan as JSON, whole or not at all (a neighbour file is renamed over `path`)."""
    write_json(plan.to_json(), path)


def earliest(
    problem: Problem,
    travel: Travel,
    center: str,
    day: int,
    visits: Iterable[tuple[str, int]],
    *,
    origin: str | None = None,
    overnight: bool = False,
) -> Route:
    """Return the route that makes `visits` (site id, stay) in order, each as early as the rules let it.

    `origin` is the place id where the night before was spent (None: where the center begins that day); `overnight`
    leaves it at its last stop. Pinned visits start when they are pinned; the departure is as late as the first start
    allows. No rule is checked: see `routing.check`.
    """
    c = problem.center_by_id[center]
    pinned = {(p.site, p.stay): p.start for p in problem.pinned if p.center == center and p.day == day}
    here, clock = c.begins(day) if origin is None else (origin, c.shift[0])
    begin, depart = here, clock
    stops: list[Stop] = []
    for name, stay in visits:
        site = problem.site_by_id[name]
        window = site.window(day)
        start = max(travel.arrive(here, site.place, clock, day) + c.setup, window[0] if window else 0)
        start = pinned.get((name, stay), start)
        if not stops:
            depart = travel.leave(here, site.place, start - c.setup, day)
        stops.append(Stop(name, start, stay))
        clock, here = start + stay, site.place
    return Route(
        center, day, depart, tuple(stops), overnight=overnight, origin=None if begin == c.depot else begin
    )


def describe(problem: Problem, travel: Travel, route: Route) -> Route:
    """Return `route` with arrivals, drive minutes, km and values filled in. Its ids must exist.

    It starts from its `origin`, or where the center begins that day when it has none.
    """
    center = problem.center_by_id[route.center]
    begin = center.begins(route.day)[0] if route.origin is None else route.origin
    clock, here, drive = route.depart, begin, 0
    km: float | None = 0.0
    stops: list[Stop] = []
    for stop in route.stops:
        site = problem.site_by_id[stop.site]
        minutes, _ = travel.leg(here, site.place)
        length = travel.km(here, site.place)
        offers = site.offers_for(center.kind)
        value = next((site.worth(o.value, route.day) for o in offers if o.stay == stop.stay), 0)
        arrival = travel.arrive(here, site.place, clock, route.day)
        stops.append(Stop(stop.site, stop.start, stop.stay, arrival, minutes, _rounded(length), value))
        drive += minutes
        km = None if km is None or length is None else km + length
        clock, here = stop.start + stop.stay, site.place
    if not route.overnight and (stops or begin != center.depot):
        minutes, _ = travel.leg(here, center.depot)
        length = travel.km(here, center.depot)
        clock, drive = travel.arrive(here, center.depot, clock, route.day), drive + minutes
        km = None if km is None or length is None else km + length
    return replace(
        route,
        stops=tuple(stops),
        back=clock,
        drive=drive,
        km=_rounded(km),
        origin=None if begin == center.depot else begin,
    )


def with_origins(problem: Problem, routes: Iterable[Route]) -> tuple[Route, ...]:
    """Return the routes in the order given, each with the `origin` that the night before gives it.

    Of two routes of one center and day the first one counts.
    """
    routes = tuple(routes)
    first: dict[tuple[str, int], Route] = {}
    for route in routes:
        first.setdefault(route.key, route)
    away: dict[tuple[str, int], str] = {}
    for name in dict.fromkeys(route.center for route in routes):
        center = problem.center_by_id.get(name)
        for day, place in mornings(problem, center, first).items() if center else ():
            if center and place != center.depot:
                away[name, day] = place
    return tuple(replace(route, origin=away.get(route.key)) for route in routes)


def mornings(problem: Problem, center: Center, routes: Mapping[tuple[str, int], Route]) -> dict[int, str]:
    """Return the place id where `center` starts each of its working days, given the routes by (center, day).

    A day's `starts` go before the place where the center spent the night.
    """
    places: dict[int, str] = {}
    slept: str | None = None
    for day in sorted(set(center.days)):
        places[day] = center.begins(day)[0] if slept is None or str(day) in center.starts else slept
        route = routes.get((center.id, day))
        last = problem.site_by_id.get(route.stops[-1].site) if route and route.stops else None
        slept = last.place if route and route.overnight and last else None
    return places


def _rounded(km: float | None) -> float | None:
    return None if km is None else round(km, 1)


def _route_json(route: Route) -> dict[str, Any]:
    data: dict[str, Any] = {"center": route.center, "day": route.day, "depart": route.depart}
    data.update({k: v for k in ("back", "drive", "km") if (v := getattr(route, k)) is not None})
    if route.overnight:
        data["overnight"] = True
    if route.origin is not None:
        data["origin"] = route.origin
    data["stops"] = [
        {
            k: v
            for k in ("site", "start", "stay", "arrival", "drive", "km", "value")
            if (v := getattr(stop, k)) is not None
        }
        for stop in route.stops
    ]
    return data
