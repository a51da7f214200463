"""What is wrong with a `fleet-problem/1` or `/2` object: every fault, by its path in the file.

Works on plain JSON values so that one set of rules serves files and objects built in Python. What only `/2` can
say is in `validate_tours`. No number is so large that sums of it would leave the engine's 32 and 64 bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from routing import validate_tours as tours
from routing.notes import (
    FARTHEST_KM,
    FORMAT,
    FORMAT_2,
    MISSING,
    MOST_COUNT,
    MOST_MINUTES,
    MOST_PERCENT,
    MOST_WORTH,
    Notes,
    is_whole,
    show,
)


def faults_of(data: object) -> list[str]:
    """Return every fault of `data` as `path: what is wrong`, in file order; an empty list means valid."""
    return _Validator().run(data)


def _is_number(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return is_whole(value) and abs(value) <= 10**15  # type: ignore[arg-type]


def _date(value: object) -> date | None:
    """Return the day that YYYY-MM-DD names, or None."""
    try:
        day = date.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return day if day.isoformat() == value else None


class _Validator(Notes):
    """Walks one problem."""

    def run(self, data: object) -> list[str]:
        if not isinstance(data, Mapping):
            return ["problem: must be an object"]
        if data.get("format", FORMAT) not in (FORMAT, FORMAT_2):
            self.say("format", f"must be {FORMAT!r} or {FORMAT_2!r}, is {show(data.get('format'))}")
        for key in ("name", "unit"):
            self.label(key, data.get(key, ""))
        tours.too_new(self, data)
        self._days(data.get("days", MISSING))
        self._places(data)
        self._travel(data.get("travel", MISSING), len(self.items(data, "places", quiet=True)))
        tours.check_traffic(self, data.get("travel"))
        for path, center in self.objects(data, "centers"):
            self._center(path, center)
        for path, site in self.objects(data, "sites"):
            self._site(path, site)
        for path, group in self.objects(data, "groups", optional=True):
            self._group(path, group)
        seen: set[tuple[Any, ...]] = set()
        for path, pin in self.objects(data, "pinned", optional=True):
            self._pin(path, pin, seen)
        tours.check_nights(self, data)
        return self.faults

    # -- sections --

    def _unique(self, path: str, value: str | None, known: Iterable[str], what: str) -> bool:
        if value is None:
            return False
        if value in known:
            self.say(f"{path}.id", f"{what} {show(value)} appears twice")
            return False
        return True

    def _days(self, days: object) -> None:
        if not isinstance(days, list | tuple):
            self.say("days", "is missing" if days is MISSING else "must be a list")
            return
        self.days = [None] * len(days)
        self.indices = frozenset(map(str, range(len(days))))
        if not days:
            self.say("days", "must hold at least one day")
        before: date | None = None
        for i, day in enumerate(days):
            now = _date(day)
            self.days[i] = now
            if now is None:
                self.say(f"days[{i}]", f"must be an ISO date, is {show(day)}")
                continue
            if before is not None and now <= before:
                self.say(f"days[{i}]", f"must come after {before.isoformat()}, is {day}")
            before = now

    def _places(self, data: Mapping[str, Any]) -> None:
        travel = data.get("travel")
        by_road = isinstance(travel, Mapping) and "minutes" not in travel
        for path, place in self.objects(data, "places"):
            name = self.text(path, place, "id")
            if self._unique(path, name, self.places, "place") and name is not None:
                self.places.add(name)
            for key, limit in (("lat", 90), ("lon", 180)):
                value = place.get(key)
                if value is None:
                    if by_road:
                        self.say(f"{path}.{key}", "is missing")
                elif not _is_number(value):
                    self.say(f"{path}.{key}", "must be a number")
                elif abs(value) > limit:
                    self.say(f"{path}.{key}", f"must lie within {limit} degrees, is {show(value)}")

    def _travel(self, travel: object, size: int) -> None:
        if not isinstance(travel, Mapping):
            self.say("travel", "is missing" if travel is MISSING else "must be an object")
        elif "minutes" in travel or "cost" in travel:
            self._matrix("travel.minutes", travel.get("minutes"), size, least=0, most=MOST_MINUTES)
            self._matrix("travel.cost", travel.get("cost"), size, least=None, most=MOST_WORTH)
        elif isinstance(travel.get("road"), Mapping):
            self._road(travel["road"])
        else:
            self.say("travel", "must hold either minutes and cost, or road")

    def _matrix(self, path: str, rows: object, size: int, *, least: int | None, most: int) -> None:
        if not isinstance(rows, list | tuple):
            self.say(path, "must be a square matrix over places")
            return
        if len(rows) != size:
            self.say(path, f"must have {size} rows, has {len(rows)}")
        for i, row in enumerate(rows):
            if not isinstance(row, list | tuple) or len(row) != size:
                self.say(f"{path}[{i}]", f"must have {size} numbers")
            elif {*map(type, row)} != {int} and not all(map(is_whole, row)):  # types are compared much faster
                self.say(f"{path}[{i}]", "must hold whole numbers")
            elif least is not None and min(row) < least:
                self.say(f"{path}[{i}]", "must not be negative")
            elif max(row) > most or min(row) < -most:
                self.say(f"{path}[{i}]", f"must hold at most {most}")

    def _road(self, road: Mapping[str, Any]) -> None:
        before = len(self.faults)
        for key in ("detour", "cost_per_km"):
            value = road.get(key)
            if not _is_number(value):
                self.say(f"travel.road.{key}", "is missing" if value is None else "must be a number")
            elif value < 0 or (key == "detour" and value == 0):  # type: ignore[operator]
                self.say(
                    f"travel.road.{key}", "must be positive" if key == "detour" else "must not be negative"
                )
        self._speeds(road.get("speeds"))
        if len(self.faults) > before:
            return
        left = farthest = road["detour"] * FARTHEST_KM
        if not farthest * road["cost_per_km"] <= MOST_WORTH:
            self.say("travel.road.cost_per_km", f"must not make a leg cost more than {MOST_WORTH}")
        minutes = 0.0
        for length, kmh in road["speeds"]:
            part = left if length is None else min(left, length)
            minutes, left = minutes + 60 * part / kmh, left - part
        if not minutes <= 100 * MOST_MINUTES:
            self.say("travel.road.speeds", f"must not make a leg last more than {100 * MOST_MINUTES} minutes")

    def _speeds(self, speeds: object) -> None:
        if not isinstance(speeds, list | tuple) or not speeds:
            self.say("travel.road.speeds", "must be a list of [km, km/h], the last with km null")
            return
        for i, pair in enumerate(speeds):
            path = f"travel.road.speeds[{i}]"
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                self.say(path, "must be [km, km/h]")
                continue
            length, kmh = pair
            if length is None:
                if i < len(speeds) - 1:
                    self.say(path, "km may be null in the last pair only")
            elif not _is_number(length) or length <= 0:
                self.say(path, "km must be positive")
            elif i == len(speeds) - 1:
                self.say(path, "km must be null in the last pair")
            if not _is_number(kmh) or kmh <= 0:
                self.say(path, "km/h must be positive")

    def _center(self, path: str, center: Mapping[str, Any]) -> None:
        name = self.text(path, center, "id")
        if self._unique(path, name, self.centers, "center") and name is not None:
            self.centers[name] = center
        depot = self.text(path, center, "depot")
        if depot is not None and depot not in self.places:
            self.say(f"{path}.depot", f"no such place {show(depot)}")
        days = center.get("days", MISSING)
        if not isinstance(days, list | tuple):
            self.say(f"{path}.days", "is missing" if days is MISSING else "must be a list")
        else:
            for i, day in enumerate(days):
                self.day(f"{path}.days[{i}]", day)
            known = [day for day in days if is_whole(day)]
            if len(set(known)) < len(known):
                self.say(f"{path}.days", "names a day twice")
        if "shift" in center:
            self.window(f"{path}.shift", center["shift"])
        else:
            self.say(f"{path}.shift", "is missing")
        if "class" in center:
            self.text(path, center, "class")
        for key, most in (("setup", MOST_MINUTES), ("max_drive", MOST_MINUTES), ("fixed_cost", MOST_WORTH)):
            value = center.get(key)
            if value is not None:
                self.whole(f"{path}.{key}", value, least=0, most=most)
        tours.check_center(self, path, center)

    def _site(self, path: str, site: Mapping[str, Any]) -> None:
        name = self.text(path, site, "id")
        if self._unique(path, name, self.sites, "site") and name is not None:
            self.sites[name] = site
        place = self.text(path, site, "place")
        if place is not None and place not in self.places:
            self.say(f"{path}.place", f"no such place {show(place)}")
        self._open(f"{path}.open", site.get("open", MISSING))
        self._all_offers(f"{path}.offers", site.get("offers", MISSING))
        percent = site.get("day_percent")
        if percent is not None:
            if not isinstance(percent, list | tuple) or len(percent) != len(self.days):
                self.say(f"{path}.day_percent", f"must hold one number for each of the {len(self.days)} days")
            else:
                for i, value in enumerate(percent):
                    self.whole(f"{path}.day_percent[{i}]", value, least=0, most=MOST_PERCENT)
        for key in ("max_visits", "min_gap_days"):
            if site.get(key) is not None:
                self.whole(f"{path}.{key}", site[key], least=1)
        allowed = site.get("centers")
        if allowed is not None:
            if not isinstance(allowed, list | tuple):
                self.say(f"{path}.centers", "must be a list of center ids")
            else:
                for i, center in enumerate(allowed):
                    if not isinstance(center, str) or center not in self.centers:
                        self.say(f"{path}.centers[{i}]", f"no such center {show(center)}")

    def _open(self, path: str, value: object) -> None:
        if value is MISSING:
            self.say(path, "is missing")
        elif isinstance(value, Mapping):
            for key, window in value.items():
                if key != "*" and str(key) not in self.indices:
                    self.say(f"{path}.{key}", f"no such day {show(key)}, there are {len(self.days)}")
                if window is not None:
                    self.window(f"{path}.{key}", window)
        else:
            self.window(path, value)

    def _all_offers(self, path: str, value: object) -> None:
        if value is MISSING:
            self.say(path, "is missing")
        elif isinstance(value, Mapping):
            for key, offers in value.items():
                self._offers(f"{path}.{key}", offers)
        else:
            self._offers(path, value)

    def _offers(self, path: str, offers: object) -> None:
        if not isinstance(offers, list | tuple):
            self.say(path, "must be a list of {stay, value}")
            return
        stays: set[int] = set()
        for i, offer in enumerate(offers):
            if not isinstance(offer, Mapping):
                self.say(f"{path}[{i}]", "must be an object {stay, value}")
                continue
            stay = self.whole(f"{path}[{i}].stay", offer.get("stay", MISSING), least=1)
            self.whole(f"{path}[{i}].value", offer.get("value", MISSING), least=0, most=MOST_WORTH)
            if stay is not None and stay in stays:
                self.say(f"{path}[{i}].stay", f"{stay} is offered twice")
            elif stay is not None:
                stays.add(stay)

    def _group(self, path: str, group: Mapping[str, Any]) -> None:
        self.label(f"{path}.name", group.get("name", ""))
        members = group.get("sites", MISSING)
        if not isinstance(members, list | tuple):
            self.say(f"{path}.sites", "is missing" if members is MISSING else "must be a list of site ids")
        else:
            seen: set[str] = set()
            for i, site in enumerate(members):
                if not isinstance(site, str) or site not in self.sites:
                    self.say(f"{path}.sites[{i}]", f"no such site {show(site)}")
                elif site in seen:
                    self.say(f"{path}.sites[{i}]", f"{show(site)} appears twice")
                else:
                    seen.add(site)
        for key, most in (("at_least", MOST_COUNT), ("penalty", MOST_WORTH)):
            self.whole(f"{path}.{key}", group.get(key, MISSING), least=0, most=most)

    def _pin(self, path: str, pin: Mapping[str, Any], seen: set[tuple[Any, ...]]) -> None:
        before = len(self.faults)
        center, site = self.text(path, pin, "center"), self.text(path, pin, "site")
        if center is not None and center not in self.centers:
            self.say(f"{path}.center", f"no such center {show(center)}")
        if site is not None and site not in self.sites:
            self.say(f"{path}.site", f"no such site {show(site)}")
        day = pin.get("day", MISSING)
        if day is MISSING:
            self.say(f"{path}.day", "is missing")
        else:
            self.day(f"{path}.day", day)
        self.whole(f"{path}.start", pin.get("start", MISSING), least=0)
        self.whole(f"{path}.stay", pin.get("stay", MISSING), least=1)
        if pin.get("overnight") is not None and not isinstance(pin["overnight"], bool):
            self.say(f"{path}.overnight", "must be true or false")
        if len(self.faults) == before:
            key = (center, day, site, pin["start"], pin["stay"])
            if key in seen:
                self.say(path, "is pinned twice")
            seen.add(key)
