"""Reads `fleet-plan/1` and `/2` objects: every fault of their shape is listed by its path."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from routing.errors import PlanError
from routing.notes import is_text, is_whole, show
from routing.solution import FORMAT, FORMAT_2, Costs, Plan, Prices, Route, Stop, Unserved

_COSTS = ("value", "travel", "fixed", "penalties", "nights")


def plan_of(data: object) -> Plan:
    """Return the plan that `data` describes; raise `PlanError` listing every fault of its shape."""
    reader = _Reader()
    plan = reader.plan(data)
    if reader.faults:
        raise PlanError(reader.faults)
    return plan


class _Reader:
    """Collects faults while it reads; what is faulty is replaced by something empty."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def say(self, path: str, what: str) -> None:
        self.faults.append(f"{path}: {what}")

    def plan(self, data: object) -> Plan:
        if not isinstance(data, Mapping):
            self.say("plan", "must be an object")
            return Plan("", (), 0)
        form = data.get("format")
        if form is not None and form not in (FORMAT, FORMAT_2):
            self.say("format", f"must be {FORMAT!r} or {FORMAT_2!r}, is {show(form)}")
        for key in ("objective", "bound"):
            self.whole("", data, key, optional=True)
        routes = tuple(self.route(path, route) for path, route in self.objects("", data, "routes"))
        if form == FORMAT:
            for i, route in enumerate(routes):
                if route.overnight:
                    self.say(f"routes[{i}].overnight", f"is of {FORMAT_2!r}, the plan says {FORMAT!r}")
        return Plan(
            problem=self.text("", data, "problem", optional=True),
            routes=routes,
            objective=self.whole("", data, "objective", optional=True, quiet=True) or 0,
            bound=self.whole("", data, "bound", optional=True, quiet=True),
            costs=self.costs(data.get("costs")),
            unserved=tuple(
                self.unserved(path, item) for path, item in self.objects("", data, "unserved", True)
            ),
            facts=self.mapping("", data, "facts"),
            prices=self.prices(data.get("prices")),
        )

    # -- small readers --

    def text(self, path: str, item: Mapping[str, Any], key: str, *, optional: bool = False) -> str:
        value = item.get(key)
        if optional and (value is None or value == ""):
            return ""
        if is_text(value):
            return str(value)
        self.say(f"{path}{key}", "must be a text")
        return ""

    def whole(
        self, path: str, item: Mapping[str, Any], key: str, *, optional: bool = False, quiet: bool = False
    ) -> int | None:
        value = item.get(key)
        if is_whole(value):
            return value  # type: ignore[no-any-return]
        if not quiet and not (value is None and optional):
            self.say(f"{path}{key}", "must be a whole number")
        return None

    def number(self, path: str, value: object, *, optional: bool = True) -> float | None:
        if value is None and optional:
            return None
        if isinstance(value, float) and math.isfinite(value):
            return value
        if is_whole(value):
            return value  # type: ignore[return-value]
        self.say(path, "must be a number")
        return None

    def mapping(self, path: str, item: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
        value = item.get(key)
        if value is None or isinstance(value, Mapping):
            return value
        self.say(f"{path}{key}", "must be an object")
        return None

    def objects(
        self, path: str, item: Mapping[str, Any], key: str, optional: bool = False
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        value = item.get(key)
        if value is None and optional:
            return
        if not isinstance(value, list | tuple):
            self.say(f"{path}{key}", "must be a list")
            return
        for i, one in enumerate(value):
            if isinstance(one, Mapping):
                yield f"{path}{key}[{i}].", one
            else:
                self.say(f"{path}{key}[{i}]", "must be an object")

    # -- parts --

    def route(self, path: str, data: Mapping[str, Any]) -> Route:
        center = self.text(path, data, "center")
        day, depart = self.whole(path, data, "day"), self.whole(path, data, "depart")
        overnight = data.get("overnight")
        if overnight is not None and not isinstance(overnight, bool):
            self.say(f"{path}overnight", "must be true or false")
        stops = tuple(self.stop(spot, stop) for spot, stop in self.objects(path, data, "stops"))
        return Route(
            center,
            day or 0,
            depart or 0,
            stops,
            self.whole(path, data, "back", optional=True),
            self.whole(path, data, "drive", optional=True),
            self.number(f"{path}km", data.get("km")),
            overnight is True,
            self.text(path, data, "origin", optional=True) or None,
        )

    def stop(self, path: str, data: Mapping[str, Any]) -> Stop:
        site = self.text(path, data, "site")
        start, stay = self.whole(path, data, "start"), self.whole(path, data, "stay")
        return Stop(
            site,
            start or 0,
            stay or 0,
            self.whole(path, data, "arrival", optional=True),
            self.whole(path, data, "drive", optional=True),
            self.number(f"{path}km", data.get("km")),
            self.whole(path, data, "value", optional=True),
        )

    def costs(self, data: object) -> Costs | None:
        if data is None:
            return None
        if not isinstance(data, Mapping):
            self.say("costs", "must be an object")
            return None
        return Costs(**{key: self.whole("costs.", data, key, optional=True) or 0 for key in _COSTS})

    def unserved(self, path: str, data: Mapping[str, Any]) -> Unserved:
        site, code, reason = (self.text(path, data, key) for key in ("site", "code", "reason"))
        return Unserved(site, code, reason, self.mapping(path, data, "numbers") or {})

    def prices(self, data: object) -> Prices | None:
        if data is None:
            return None
        if not isinstance(data, Mapping):
            self.say("prices", "must be an object")
            return None
        return Prices(dict(self.price_list(data, "days")), dict(self.price_list(data, "visits")))

    def price_list(self, data: Mapping[str, Any], key: str) -> Iterator[tuple[tuple[str, int], float]]:
        rows = data.get(key)
        if not isinstance(rows, list | tuple):
            self.say(f"prices.{key}", "must be a list of [id, day, price]")
            return
        for i, row in enumerate(rows):
            path = f"prices.{key}[{i}]"
            if (
                not isinstance(row, list | tuple)
                or len(row) != 3
                or not (is_text(row[0]) and is_whole(row[1]))
            ):
                self.say(path, "must be [id, day, price]")
            elif (price := self.number(path, row[2], optional=False)) is not None:
                yield (row[0], row[1]), price
