"""What is wrong with a `fleet-problem/1` object: every fault, by its path in the file.

Works on plain JSON values so that one set of rules serves files and objects built in Python.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

FORMAT = "fleet-problem/1"
FORMAT_2 = "fleet-problem/2"
_MISSING = object()


def faults_of(data: object) -> list[str]:
    """Return every fault of `data` as `path: what is wrong`, in file order; an empty list means valid."""
    return _Validator().run(data)


def is_whole(value: object) -> bool:
    """Say whether `value` is a whole number (JSON's true and false are none)."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_text(value: object) -> bool:
    """Say whether `value` is a non-empty text that UTF-8 can write (JSON can hold half a surrogate pair)."""
    if not isinstance(value, str) or not value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def show(value: object) -> str:
    """Return `value` for a message: short, whatever it is."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deep; a whole number of more digits than Python prints
        return f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_number(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return is_whole(value)


class _Validator:
    """Collects faults while it walks one problem."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.days = 0
        self.places: set[str] = set()
        self.centers: dict[str, Mapping[str, Any]] = {}
        self.sites: dict[str, Mapping[str, Any]] = {}

    def say(self, path: str, what: str) -> None:
        self.faults.append(f"{path}: {what}")

    def run(self, data: object) -> list[str]:
        if not isinstance(data, Mapping):
            return ["problem: must be an object"]
        if data.get("format", FORMAT) not in (FORMAT, FORMAT_2):
            self.say("format", f"must be {FORMAT!r} or {FORMAT_2!r}, is {show(data.get('format'))}")
        for key in ("name", "unit"):
            if not isinstance(data.get(key, ""), str):
                self.say(key, "must be a text")
        self._days(data.get("days", _MISSING))
        self._places(data)
        self._travel(data.get("travel", _MISSING), len(self._list(data, "places", quiet=True)))
        for path, center in self._objects(data, "centers"):
            self._center(path, center)
        for path, site in self._objects(data, "sites"):
            self._site(path, site)
        for path, group in self._objects(data, "groups", optional=True):
            self._group(path, group)
        seen: set[tuple[Any, ...]] = set()
        for path, pin in self._objects(data, "pinned", optional=True):
            self._pin(path, pin, seen)
        return self.faults

    # -- small readers --

    def _list(
        self, data: Mapping[str, Any], key: str, *, optional: bool = False, quiet: bool = False
    ) -> list[Any]:
        value = data.get(key, _MISSING)
        if value is _MISSING and optional:
            return []
        if not isinstance(value, list | tuple):
            if not quiet:
                self.say(key, "is missing" if value is _MISSING else "must be a list")
            return []
        return list(value)

    def _objects(
        self, data: Mapping[str, Any], key: str, *, optional: bool = False
    ) -> Iterable[tuple[str, Mapping[str, Any]]]:
        for i, item in enumerate(self._list(data, key, optional=optional)):
            if isinstance(item, Mapping):
                yield f"{key}[{i}]", item
            else:
                self.say(f"{key}[{i}]", "must be an object")

    def _text(self, path: str, item: Mapping[str, Any], key: str) -> str | None:
        value = item.get(key, _MISSING)
        if isinstance(value, str) and value:
            return value
        self.say(f"{path}.{key}", "is missing" if value is _MISSING else "must be a non-empty text")
        return None

    def _int(
        self, path: str, value: object, *, least: int | None = None, positive: bool = False
    ) -> int | None:
        if value is _MISSING:
            self.say(path, "is missing")
        elif not is_whole(value):
            self.say(path, "must be a whole number")
        elif positive and value <= 0:  # type: ignore[operator]
            self.say(path, "must be positive")
        elif least is not None and value < least:  # type: ignore[operator]
            self.say(path, "must not be negative" if least == 0 else f"must be at least {least}")
        else:
            return value  # type: ignore[return-value]
        return None

    def _window(self, path: str, value: object) -> tuple[int, int] | None:
        if not isinstance(value, list | tuple) or len(value) != 2 or not all(map(is_whole, value)):
            self.say(path, "must be [start, end] in whole minutes")
            return None
        if value[0] < 0:
            self.say(path, "must not start before midnight")
        elif value[0] >= value[1]:
            self.say(path, f"must start before it ends, is {list(value)}")
        else:
            return value[0], value[1]
        return None

    def _unique(self, path: str, value: str | None, known: Iterable[str], what: str) -> bool:
        if value is None:
            return False
        if value in known:
            self.say(f"{path}.id", f"{what} {value!r} appears twice")
            return False
        return True

    # -- sections --

    def _days(self, days: object) -> None:
        if not isinstance(days, list | tuple):
            self.say("days", "is missing" if days is _MISSING else "must be a list")
            return
        self.days = len(days)
        if not days:
            self.say("days", "must hold at least one day")
        before: date | None = None
        for i, day in enumerate(days):
            try:
                now = date.fromisoformat(day)
            except (TypeError, ValueError):
                self.say(f"days[{i}]", f"must be an ISO date, is {day!r}")
                continue
            if before is not None and now <= before:
                self.say(f"days[{i}]", f"must come after {before.isoformat()}, is {day}")
            before = now

    def _places(self, data: Mapping[str, Any]) -> None:
        travel = data.get("travel")
        by_road = isinstance(travel, Mapping) and "minutes" not in travel
        for path, place in self._objects(data, "places"):
            name = self._text(path, place, "id")
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
                    self.say(f"{path}.{key}", f"must lie within {limit} degrees, is {value}")

    def _travel(self, travel: object, size: int) -> None:
        if not isinstance(travel, Mapping):
            self.say("travel", "is missing" if travel is _MISSING else "must be an object")
        elif "minutes" in travel or "cost" in travel:
            for key in ("minutes", "cost"):
                self._matrix(f"travel.{key}", travel.get(key), size, least=0 if key == "minutes" else None)
        elif isinstance(travel.get("road"), Mapping):
            self._road(travel["road"])
        else:
            self.say("travel", "must hold either minutes and cost, or road")

    def _matrix(self, path: str, rows: object, size: int, *, least: int | None) -> None:
        if not isinstance(rows, list | tuple):
            self.say(path, "must be a square matrix over places")
            return
        if len(rows) != size:
            self.say(path, f"must have {size} rows, has {len(rows)}")
        for i, row in enumerate(rows):
            if not isinstance(row, list | tuple) or len(row) != size:
                self.say(f"{path}[{i}]", f"must have {size} numbers")
            elif not all(map(is_whole, row)):
                self.say(f"{path}[{i}]", "must hold whole numbers")
            elif least is not None and any(value < least for value in row):
                self.say(f"{path}[{i}]", "must not be negative")

    def _road(self, road: Mapping[str, Any]) -> None:
        for key in ("detour", "cost_per_km"):
            value = road.get(key)
            if not _is_number(value):
                self.say(f"travel.road.{key}", "is missing" if value is None else "must be a number")
            elif value < 0 or (key == "detour" and value == 0):  # type: ignore[operator]
                self.say(
                    f"travel.road.{key}", "must be positive" if key == "detour" else "must not be negative"
                )
        speeds = road.get("speeds")
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
        name = self._text(path, center, "id")
        if self._unique(path, name, self.centers, "center") and name is not None:
            self.centers[name] = center
        depot = self._text(path, center, "depot")
        if depot is not None and depot not in self.places:
            self.say(f"{path}.depot", f"no such place {depot!r}")
        days = center.get("days", _MISSING)
        if not isinstance(days, list | tuple):
            self.say(f"{path}.days", "is missing" if days is _MISSING else "must be a list")
        else:
            for i, day in enumerate(days):
                self._day(f"{path}.days[{i}]", day)
            if len({repr(day) for day in days}) < len(days):
                self.say(f"{path}.days", "names a day twice")
        if "shift" in center:
            self._window(f"{path}.shift", center["shift"])
        else:
            self.say(f"{path}.shift", "is missing")
        if "class" in center:
            self._text(path, center, "class")
        for key in ("setup", "max_drive", "fixed_cost"):
            value = center.get(key)
            if value is not None:
                self._int(f"{path}.{key}", value, least=0)

    def _day(self, path: str, day: object) -> None:
        if not is_whole(day):
            self.say(path, "must be a day index")
        elif not 0 <= day < self.days:  # type: ignore[operator]
            self.say(path, f"no such day {day}, there are {self.days}")

    def _site(self, path: str, site: Mapping[str, Any]) -> None:
        name = self._text(path, site, "id")
        if self._unique(path, name, self.sites, "site") and name is not None:
            self.sites[name] = site
        place = self._text(path, site, "place")
        if place is not None and place not in self.places:
            self.say(f"{path}.place", f"no such place {place!r}")
        self._open(f"{path}.open", site.get("open", _MISSING))
        self._all_offers(f"{path}.offers", site.get("offers", _MISSING))
        percent = site.get("day_percent")
        if percent is not None:
            if not isinstance(percent, list | tuple) or len(percent) != self.days:
                self.say(f"{path}.day_percent", f"must hold one number for each of the {self.days} days")
            else:
                for i, value in enumerate(percent):
                    self._int(f"{path}.day_percent[{i}]", value, least=0)
        for key in ("max_visits", "min_gap_days"):
            if site.get(key) is not None:
                self._int(f"{path}.{key}", site[key], positive=True)
        allowed = site.get("centers")
        if allowed is not None:
            if not isinstance(allowed, list | tuple):
                self.say(f"{path}.centers", "must be a list of center ids")
            else:
                for i, center in enumerate(allowed):
                    if not isinstance(center, str) or center not in self.centers:
                        self.say(f"{path}.centers[{i}]", f"no such center {center!r}")

    def _open(self, path: str, value: object) -> None:
        if value is _MISSING:
            self.say(path, "is missing")
        elif isinstance(value, Mapping):
            for key, window in value.items():
                if key != "*" and (not str(key).isdecimal() or not 0 <= int(key) < self.days):
                    self.say(f"{path}.{key}", f"no such day {key!r}, there are {self.days}")
                if window is not None:
                    self._window(f"{path}.{key}", window)
        else:
            self._window(path, value)

    def _all_offers(self, path: str, value: object) -> None:
        if value is _MISSING:
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
            stay = self._int(f"{path}[{i}].stay", offer.get("stay", _MISSING), positive=True)
            self._int(f"{path}[{i}].value", offer.get("value", _MISSING), least=0)
            if stay is not None and stay in stays:
                self.say(f"{path}[{i}].stay", f"{stay} is offered twice")
            elif stay is not None:
                stays.add(stay)

    def _group(self, path: str, group: Mapping[str, Any]) -> None:
        if not isinstance(group.get("name", ""), str):
            self.say(f"{path}.name", "must be a text")
        members = group.get("sites", _MISSING)
        if not isinstance(members, list | tuple):
            self.say(f"{path}.sites", "is missing" if members is _MISSING else "must be a list of site ids")
        else:
            seen: set[str] = set()
            for i, site in enumerate(members):
                if not isinstance(site, str) or site not in self.sites:
                    self.say(f"{path}.sites[{i}]", f"no such site {site!r}")
                elif site in seen:
                    self.say(f"{path}.sites[{i}]", f"{site!r} appears twice")
                else:
                    seen.add(site)
        for key in ("at_least", "penalty"):
            self._int(f"{path}.{key}", group.get(key, _MISSING), least=0)

    def _pin(self, path: str, pin: Mapping[str, Any], seen: set[tuple[Any, ...]]) -> None:
        before = len(self.faults)
        center, site = self._text(path, pin, "center"), self._text(path, pin, "site")
        if center is not None and center not in self.centers:
            self.say(f"{path}.center", f"no such center {center!r}")
        if site is not None and site not in self.sites:
            self.say(f"{path}.site", f"no such site {site!r}")
        day = pin.get("day", _MISSING)
        if day is _MISSING:
            self.say(f"{path}.day", "is missing")
        else:
            self._day(f"{path}.day", day)
        self._int(f"{path}.start", pin.get("start", _MISSING), least=0)
        self._int(f"{path}.stay", pin.get("stay", _MISSING), positive=True)
        if len(self.faults) == before:
            key = (center, day, site, pin["start"], pin["stay"])
            if key in seen:
                self.say(path, "is pinned twice")
            seen.add(key)
