"""A plan: routes with their stops, what it is worth and why, and what stays unserved.

`fleet-plan/1` in and out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from routing.errors import PlanError
from routing.problem import Problem
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
        """Return the plan as a `fleet-plan/1` object with what people need beside."""
        data: dict[str, Any] = {
            "format": FORMAT,
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
        if self.facts:
            data["facts"] = dict(self.facts)
        return data

    @classmethod
    def from_json(cls, data: object) -> Plan:
        """Build a plan from a `fleet-plan/1` object; raise `PlanError` listing every fault of its shape."""
        faults: list[str] = []
        if not isinstance(data, Mapping):
            raise PlanError(["plan: must be an object"])
        if data.get("format", FORMAT) != FORMAT:
            faults.append(f"format: must be {FORMAT!r}, is {data.get('format')!r}")
        for key in ("objective", "bound"):
            if data.get(key) is not None and not _is_int(data[key]):
                faults.append(f"{key}: must be a whole number")
        routes = data.get("routes")
        if not isinstance(routes, list | tuple):
            faults.append("routes: must be a list")
            routes = []
        made = tuple(_route(f"routes[{i}]", route, faults) for i, route in enumerate(routes))
        if faults:
            raise PlanError(faults)
        costs = data.get("costs")
        return cls(
            problem=str(data.get("problem", "")),
            routes=made,
            objective=data.get("objective") or 0,
            bound=data.get("bound"),
            costs=Costs(**{k: costs[k] for k in ("value", "travel", "fixed", "penalties")})
            if costs
            else None,
            unserved=tuple(
                Unserved(u["site"], u["code"], u["reason"], u.get("numbers", {}))
                for u in data.get("unserved", ())
            ),
            facts=data.get("facts"),
        )


def save(plan: Plan, path: str | Path) -> None:
    """Write the plan as JSON, whole or not at all (a neighbour file is renamed over `path`)."""
    target = Path(path)
    draft = target.with_name(f".{target.name}.part")
    draft.write_text(json.dumps(plan.to_json(), ensure_ascii=False), encoding="utf-8")
    draft.replace(target)


def earliest(
    problem: Problem, travel: Travel, center: str, day: int, visits: Iterable[tuple[str, int]]
) -> Route:
    """Return the route that makes `visits` (site id, stay) in order, each as early as the rules let it.

    Pinned visits start when they are pinned; the departure is as late as the first start allows. No rule
    is checked: see `routing.check`.
    """
    c = problem.center_by_id[center]
    pinned = {(p.site, p.stay): p.start for p in problem.pinned if p.center == center and p.day == day}
    clock, here = c.shift[0], c.depot
    stops: list[Stop] = []
    depart = clock
    for name, stay in visits:
        site = problem.site_by_id[name]
        minutes, _ = travel.leg(here, site.place)
        window = site.window(day)
        start = max(clock + minutes + c.setup, window[0] if window else 0)
        start = pinned.get((name, stay), start)
        if not stops:
            depart = start - c.setup - minutes
        stops.append(Stop(name, start, stay))
        clock, here = start + stay, site.place
    return Route(center, day, depart, tuple(stops))


def describe(problem: Problem, travel: Travel, route: Route) -> Route:
    """Return `route` with arrivals, drive minutes, km and values filled in. Its ids must exist."""
    center = problem.center_by_id[route.center]
    clock, here, drive = route.depart, center.depot, 0
    km: float | None = 0.0
    stops: list[Stop] = []
    for stop in route.stops:
        site = problem.site_by_id[stop.site]
        minutes, _ = travel.leg(here, site.place)
        length = travel.km(here, site.place)
        offers = site.offers_for(center.kind)
        value = next((site.worth(o.value, route.day) for o in offers if o.stay == stop.stay), 0)
        arrival = clock + minutes
        stops.append(Stop(stop.site, stop.start, stop.stay, arrival, minutes, _rounded(length), value))
        drive += minutes
        km = None if km is None or length is None else km + length
        clock, here = stop.start + stop.stay, site.place
    if stops:
        minutes, _ = travel.leg(here, center.depot)
        length = travel.km(here, center.depot)
        clock, drive = clock + minutes, drive + minutes
        km = None if km is None or length is None else km + length
    return Route(route.center, route.day, route.depart, tuple(stops), clock, drive, _rounded(km))


def _rounded(km: float | None) -> float | None:
    return None if km is None else round(km, 1)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _route(path: str, data: object, faults: list[str]) -> Route:
    if not isinstance(data, Mapping):
        faults.append(f"{path}: must be an object")
        return Route("", 0, 0, ())
    if not isinstance(data.get("center"), str):
        faults.append(f"{path}.center: must be a text")
    for key in ("day", "depart"):
        if not _is_int(data.get(key)):
            faults.append(f"{path}.{key}: must be a whole number")
    stops = data.get("stops")
    if not isinstance(stops, list | tuple):
        faults.append(f"{path}.stops: must be a list")
        stops = []
    made: list[Stop] = []
    for i, stop in enumerate(stops):
        if not isinstance(stop, Mapping):
            faults.append(f"{path}.stops[{i}]: must be an object")
            continue
        if not isinstance(stop.get("site"), str):
            faults.append(f"{path}.stops[{i}].site: must be a text")
        faults.extend(
            f"{path}.stops[{i}].{key}: must be a whole number"
            for key in ("start", "stay")
            if not _is_int(stop.get(key))
        )
        made.append(
            Stop(
                str(stop.get("site")),
                stop.get("start", 0),
                stop.get("stay", 0),
                stop.get("arrival"),
                stop.get("drive"),
                stop.get("km"),
                stop.get("value"),
            )
        )
    return Route(
        str(data.get("center")),
        data.get("day", 0),
        data.get("depart", 0),
        tuple(made),
        data.get("back"),
        data.get("drive"),
        data.get("km"),
    )


def _route_json(route: Route) -> dict[str, Any]:
    data: dict[str, Any] = {"center": route.center, "day": route.day, "depart": route.depart}
    data.update({k: v for k in ("back", "drive", "km") if (v := getattr(route, k)) is not None})
    data["stops"] = [
        {
            k: v
            for k in ("site", "start", "stay", "arrival", "drive", "km", "value")
            if (v := getattr(stop, k)) is not None
        }
        for stop in route.stops
    ]
    return data
