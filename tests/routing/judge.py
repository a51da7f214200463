"""The rules of the exchange format once more, read off docs/routing.md: plain, slow, sharing no code with routing.

Works on JSON objects of either version.
"""

from __future__ import annotations

import itertools
import math
from datetime import date
from typing import Any

Json = dict[str, Any]


class World:
    """What a problem says, looked up by name."""

    def __init__(self, problem: Json) -> None:
        self.problem = problem
        self.centers = {c["id"]: c for c in problem["centers"]}
        self.sites = {s["id"]: s for s in problem["sites"]}
        self.places = {p["id"]: i for i, p in enumerate(problem["places"])}
        self.arrivals: dict[tuple[str, str, int, int], int] = {}
        self.dates = [date.fromisoformat(day) for day in problem["days"]]

    def leg(self, a: str, b: str) -> tuple[int, int]:
        """Return minutes of the table and cost."""
        i, j = self.places[a], self.places[b]
        travel = self.problem["travel"]
        if "minutes" in travel:
            return travel["minutes"][i][j], travel["cost"][i][j]
        if i == j:
            return 0, 0
        road, p, q = travel["road"], self.problem["places"][i], self.problem["places"][j]
        lat, lon = math.radians(q["lat"] - p["lat"]), math.radians(q["lon"] - p["lon"])
        h = math.sin(lat / 2) ** 2 + math.sin(lon / 2) ** 2 * math.cos(math.radians(p["lat"])) * math.cos(
            math.radians(q["lat"])
        )
        km = left = road["detour"] * 2 * 6371 * math.asin(math.sqrt(h))
        hours = 0.0
        for length, kmh in road["speeds"]:
            part = left if length is None else min(left, length)
            hours, left = hours + part / kmh, left - part
        return math.ceil(round(60 * hours, 9)), round(road["cost_per_km"] * km)

    def percent(self, place: str, day: int, minute: int) -> int:
        """Return what driving near a place takes at a minute, in percent of the table."""
        traffic = self.problem["travel"].get("traffic")
        if traffic is None:
            return 100
        region = next((name for name, some in traffic.get("regions", {}).items() if place in some), "*")
        steps = traffic["percent"].get(region, traffic["percent"].get("*", []))
        if isinstance(steps, dict):
            steps = steps.get(str(day), steps.get("*", []))
        return [100, *(percent for begin, percent in steps if begin <= minute)][-1]

    def arrive(self, a: str, b: str, depart: int, day: int) -> int:
        """Return the minute of arrival, adding up the units of way minute by minute."""
        if "traffic" not in self.problem["travel"]:
            return depart + self.leg(a, b)[0]
        known = self.arrivals.get((a, b, depart, day))
        if known is not None:
            return known
        clock, left = depart, 100 * self.leg(a, b)[0]
        while left > 0:
            left -= 10000 // max(self.percent(a, day, clock), self.percent(b, day, clock))
            clock += 1
        self.arrivals[a, b, depart, day] = clock
        return clock

    def begin(self, center: Json, day: int, slept: str | None) -> tuple[str, int]:
        """Return the place and minute where a day starts; `slept` is where the last night away was spent."""
        start = (center.get("starts") or {}).get(str(day))
        if start is not None:
            return start[0], start[1]
        return slept or center["depot"], center["shift"][0]

    def window(self, site: Json, day: int) -> Any:
        """Return the opening window of a day, or None."""
        hours = site["open"]
        return hours.get(str(day), hours.get("*")) if isinstance(hours, dict) else hours

    def offers(self, site: Json, center: Json) -> list[Json]:
        """Return what a center may offer at a site."""
        offers: Any = site["offers"]
        if not isinstance(offers, dict):
            return list(offers)
        return list(offers.get(center.get("class", "*"), offers.get("*", [])))

    def value(self, site: Json, center: Json, day: int, stay: int) -> int:
        """Return what a visit is worth; 0 where no such stay is offered."""
        percent = (site.get("day_percent") or [100] * len(self.dates))[day]
        return sum(o["value"] * percent // 100 for o in self.offers(site, center) if o["stay"] == stay)

    def pins(self, center: str, day: int) -> list[Json]:
        """Return a day's pinned visits in order."""
        found = [p for p in self.problem.get("pinned", []) if (p["center"], p["day"]) == (center, day)]
        return sorted(found, key=lambda p: p["start"])


def judge(problem: Json, plan: Json) -> tuple[int, int]:
    """Return how many rules a plan breaks, counted as the checker does, and its objective."""
    world = World(problem)
    broken = objective = 0
    visits: dict[str, list[int]] = {}
    made = set()
    for name, center in world.centers.items():
        first: dict[int, Json] = {}
        for route in plan["routes"]:
            if route["center"] == name:
                broken += route["day"] in first
                first.setdefault(route["day"], route)
        slept: str | None = None
        tour = 0
        days = sorted(center["days"])
        begins: dict[int, tuple[str, int]] = {}
        for n, day in enumerate(days):
            begins[day] = world.begin(center, day, slept)
            if slept is None:
                tour = 0
            today = first.get(day)
            last_day = n + 1 == len(days)
            stops = today["stops"] if today else []
            away = bool(today and today.get("overnight") and stops)
            slept = None
            if away:
                broken += last_day
                spot = world.sites.get(stops[-1]["site"])
                slept = spot["place"] if spot else None
            if away and not last_day:
                nights = (world.dates[days[n + 1]] - world.dates[day]).days
                objective -= nights * (center.get("night_cost") or 0)
                broken += tour <= (center.get("nights") or 0) < tour + nights
                tour += nights
            else:
                tour = 0
            pins = world.pins(name, day)
            if stops and pins:
                told = bool(pins[-1].get("overnight"))
                same = all(stops[-1][key] == pins[-1][key] for key in ("site", "start", "stay"))
                broken += told != away or (away and not same)
            elif away and not last_day:
                after = days[n + 1]
                broken += bool(world.pins(name, after)) or str(after) in (center.get("starts") or {})
        everything = [r for r in plan["routes"] if r["center"] == name]
        idle = [d for d in days if d not in first and begins[d][0] != center["depot"]]
        everything += [{"day": d, "depart": begins[d][1], "stops": []} for d in idle]
        for route in everything:
            day = route["day"]
            begin = begins.get(day, world.begin(center, day, None))
            faults, worth = _walk(world, center, route, begin, visits, made)
            broken, objective = broken + faults, objective + worth
    broken += sum(r["center"] not in world.centers for r in plan["routes"])
    for name, on in visits.items():
        site = world.sites[name]
        on.sort()
        broken += len(on) > (site.get("max_visits") or 1)
        gap = site.get("min_gap_days") or 1
        broken += any(b - a < gap for a, b in itertools.pairwise(on))
    keys = ("center", "day", "site", "start", "stay")
    broken += sum(tuple(pin[k] for k in keys) not in made for pin in problem.get("pinned", []))
    for group in problem.get("groups", []):
        met = sum(len(visits.get(name, [])) for name in group["sites"])
        objective -= max(0, group["at_least"] - met) * group["penalty"]
    return broken, objective


def _walk(
    world: World,
    center: Json,
    route: Json,
    begin: tuple[str, int],
    visits: dict[str, list[int]],
    made: set[tuple[Any, ...]],
) -> tuple[int, int]:
    """Drive one day; return broken rules and worth, and note its visits."""
    day, stops = route["day"], route["stops"]
    broken = int(day not in center["days"])
    broken += bool(route.get("overnight") and not stops)
    here, clock, driven, worth = begin[0], route["depart"], 0, 0
    if not stops and here == center["depot"]:
        return broken, 0
    broken += clock < begin[1]
    worth -= (center.get("fixed_cost") or 0) if stops else 0
    for stop in stops:
        site = world.sites.get(stop["site"])
        if site is None:
            broken += 1
            break
        minutes, cost = world.leg(here, site["place"])
        clock = world.arrive(here, site["place"], clock, day)
        driven, worth = driven + minutes, worth - cost
        broken += stop["start"] < clock + (center.get("setup") or 0)
        window = world.window(site, day)
        broken += window is None or stop["start"] < window[0] or stop["start"] + stop["stay"] > window[1]
        broken += site.get("centers") is not None and center["id"] not in site["centers"]
        broken += stop["stay"] not in [o["stay"] for o in world.offers(site, center)]
        if 0 <= day < len(world.dates):
            worth += world.value(site, center, day, stop["stay"])
        visits.setdefault(stop["site"], []).append(day)
        made.add((center["id"], day, stop["site"], stop["start"], stop["stay"]))
        here, clock = site["place"], stop["start"] + stop["stay"]
    if not route.get("overnight"):
        minutes, cost = world.leg(here, center["depot"])
        clock = world.arrive(here, center["depot"], clock, day)
        driven, worth = driven + minutes, worth - cost
    broken += clock > center["shift"][1]
    broken += center.get("max_drive") is not None and driven > center["max_drive"]
    return broken, worth
