"""The planning problem: what may be served, by whom, when. Frozen, and checked as a whole when it is made.

`fleet-problem/1` and `/2` (docs/routing.md describes them). Minutes count from local midnight of the day; values and
costs are whole numbers in the problem's unit; days are indices into `Problem.days`.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from routing.errors import ProblemError
from routing.notes import FORMAT, FORMAT_2
from routing.traffic import Traffic
from routing.validate import faults_of

Window = tuple[int, int]
"""Opening minute and closing minute of one day."""


@dataclass(frozen=True, slots=True)
class Place:
    """A point. `lat` and `lon` in degrees; both may be None when travel comes as a matrix."""

    id: str
    lat: float | None = None
    lon: float | None = None


@dataclass(frozen=True, slots=True)
class Road:
    """Travel by formula: km = detour x great circle; `speeds` holds (km, km/h) pieces, the last with km
    None.
    """

    detour: float
    speeds: tuple[tuple[float | None, float], ...]
    cost_per_km: float


@dataclass(frozen=True, slots=True)
class Matrix:
    """Travel by table, over `Problem.places` in order: whole minutes and whole cost, row = from, column =
    to.
    """

    minutes: tuple[tuple[int, ...], ...]
    cost: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """A stay of so many minutes is worth `value` (before the day's percentage)."""

    stay: int
    value: int


@dataclass(frozen=True, slots=True)
class Center:
    """A mobile service center.

    `setup` minutes pass at each stop before it opens; `max_drive` minutes a day. `nights` in a row it may stay away
    from its depot, each at `night_cost`. `starts` {day index as text: (place id, minute)} replaces depot and shift
    start on days that are under way, or to which a tour was carried in.
    """

    id: str
    depot: str
    days: tuple[int, ...]
    shift: Window
    kind: str = "*"
    setup: int = 0
    max_drive: int | None = None
    fixed_cost: int = 0
    nights: int = 0
    night_cost: int = 0
    starts: Mapping[str, tuple[str, int]] = field(default_factory=dict, hash=False)

    def begins(self, day: int) -> tuple[str, int]:
        """Return the place and the earliest minute from which it starts `day`, unless the night before was away."""
        return self.starts.get(str(day), (self.depot, self.shift[0]))

    def next_day(self, day: int) -> int | None:
        """Return its first working day after `day`, or None."""
        return min((d for d in self.days if d > day), default=None)

    @property
    def tours(self) -> bool:
        """Whether it uses what only `fleet-problem/2` can say."""
        return bool(self.nights or self.night_cost or self.starts)

    def to_json(self) -> dict[str, Any]:
        """Return the center as the format writes it (`kind` is called `class` there)."""
        data: dict[str, Any] = {
            "id": self.id,
            "depot": self.depot,
            "days": list(self.days),
            "shift": list(self.shift),
            "class": self.kind,
        }
        if self.setup:
            data["setup"] = self.setup
        if self.max_drive is not None:
            data["max_drive"] = self.max_drive
        if self.fixed_cost:
            data["fixed_cost"] = self.fixed_cost
        if self.nights:
            data["nights"] = self.nights
        if self.night_cost:
            data["night_cost"] = self.night_cost
        if self.starts:
            data["starts"] = {day: list(start) for day, start in self.starts.items()}
        return data


@dataclass(frozen=True, slots=True)
class Site:
    """A village or forecourt.

    `open` is one window for all days or {day index as text, or "*": window}; a missing day, or None, is closed.
    `offers` is one tuple for all classes or {class, or "*": tuple}.
    """

    id: str
    place: str
    open: Window | Mapping[str, Window | None]
    offers: tuple[Offer, ...] | Mapping[str, tuple[Offer, ...]]
    day_percent: tuple[int, ...] | None = None
    max_visits: int = 1
    min_gap_days: int = 1
    centers: tuple[str, ...] | None = None

    def window(self, day: int) -> Window | None:
        """Return the opening window of `day`, or None when closed."""
        if isinstance(self.open, Mapping):
            return self.open.get(str(day), self.open.get("*"))
        return self.open

    def offers_for(self, kind: str) -> tuple[Offer, ...]:
        """Return what a center of class `kind` may offer here."""
        if isinstance(self.offers, Mapping):
            return self.offers.get(kind, self.offers.get("*", ()))
        return self.offers

    def worth(self, value: int, day: int) -> int:
        """Return `value` on `day`, after the day's percentage, rounded down."""
        return value * (100 if self.day_percent is None else self.day_percent[day]) // 100

    def allows(self, center: str) -> bool:
        """Say whether the center of that id may serve here."""
        return self.centers is None or center in self.centers

    def to_json(self) -> dict[str, Any]:
        """Return the site as `fleet-problem/1` writes it."""
        data: dict[str, Any] = {
            "id": self.id,
            "place": self.place,
            "open": {day: None if w is None else list(w) for day, w in self.open.items()}
            if isinstance(self.open, Mapping)
            else list(self.open),
            "offers": {kind: _offers_json(offers) for kind, offers in self.offers.items()}
            if isinstance(self.offers, Mapping)
            else _offers_json(self.offers),
        }
        if self.day_percent is not None:
            data["day_percent"] = list(self.day_percent)
        if self.max_visits != 1:
            data["max_visits"] = self.max_visits
        if self.min_gap_days != 1:
            data["min_gap_days"] = self.min_gap_days
        if self.centers is not None:
            data["centers"] = list(self.centers)
        return data


@dataclass(frozen=True, slots=True)
class Group:
    """Coverage: `penalty` is due for each visit by which the visits to `sites` fall short of `at_least`."""

    name: str
    sites: tuple[str, ...]
    at_least: int
    penalty: int


@dataclass(frozen=True, slots=True)
class Pin:
    """A visit that every plan must hold exactly as it stands.

    `overnight`: it is the last of its day, and the night after it is spent at its place. Pins settle the nights
    around their day: without an overnight pin the center comes home.
    """

    center: str
    day: int
    site: str
    start: int
    stay: int
    overnight: bool = False


@dataclass(frozen=True)
class Problem:
    """A whole planning problem. Raises `ProblemError` with every fault when it is made from faulty parts."""

    name: str
    days: tuple[str, ...]
    places: tuple[Place, ...]
    travel: Road | Matrix
    centers: tuple[Center, ...]
    sites: tuple[Site, ...]
    groups: tuple[Group, ...] = ()
    pinned: tuple[Pin, ...] = ()
    unit: str = ""
    traffic: Traffic | None = None
    checked: InitVar[bool] = field(default=False, kw_only=True)

    def __post_init__(self, checked: bool) -> None:
        if not checked:
            faults = faults_of(self.to_json())
            if faults:
                raise ProblemError(faults)

    @property
    def format(self) -> str:
        """The oldest format that can say all of it."""
        newer = self.traffic is not None or any(c.tours for c in self.centers)
        return FORMAT_2 if newer or any(pin.overnight for pin in self.pinned) else FORMAT

    @cached_property
    def place_index(self) -> dict[str, int]:
        """Index of each place id in `places`."""
        return {place.id: i for i, place in enumerate(self.places)}

    @cached_property
    def center_by_id(self) -> dict[str, Center]:
        """Centers by id."""
        return {center.id: center for center in self.centers}

    @cached_property
    def site_by_id(self) -> dict[str, Site]:
        """Sites by id."""
        return {site.id: site for site in self.sites}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Problem:
        """Build a problem from a `fleet-problem/1` or `/2` object; raise `ProblemError` listing every fault."""
        faults = faults_of(data)
        if faults:
            raise ProblemError(faults)
        return cls(
            name=data.get("name", ""),
            days=tuple(data["days"]),
            places=tuple(Place(p["id"], p.get("lat"), p.get("lon")) for p in data["places"]),
            travel=_travel(data["travel"]),
            centers=tuple(map(_center, data["centers"])),
            sites=tuple(map(_site, data["sites"])),
            groups=tuple(
                Group(g.get("name", ""), tuple(g["sites"]), g["at_least"], g["penalty"])
                for g in data.get("groups", ())
            ),
            pinned=tuple(
                Pin(p["center"], p["day"], p["site"], p["start"], p["stay"], bool(p.get("overnight")))
                for p in data.get("pinned", ())
            ),
            unit=data.get("unit", ""),
            traffic=Traffic.from_json(t) if (t := data["travel"].get("traffic")) is not None else None,
            checked=True,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the problem as a `fleet-problem/1` object, or `/2` where it says what only that can."""
        data: dict[str, Any] = {
            "format": self.format,
            "name": self.name,
            "unit": self.unit,
            "days": list(self.days),
            "places": [
                {"id": p.id} if p.lat is None and p.lon is None else {"id": p.id, "lat": p.lat, "lon": p.lon}
                for p in self.places
            ],
            "travel": _travel_json(self.travel)
            | ({} if self.traffic is None else {"traffic": self.traffic.to_json()}),
            "centers": [center.to_json() for center in self.centers],
            "sites": [site.to_json() for site in self.sites],
        }
        if self.groups:
            data["groups"] = [
                {"name": g.name, "sites": list(g.sites), "at_least": g.at_least, "penalty": g.penalty}
                for g in self.groups
            ]
        if self.pinned:
            data["pinned"] = [
                {"center": p.center, "day": p.day, "site": p.site, "start": p.start, "stay": p.stay}
                | ({"overnight": True} if p.overnight else {})
                for p in self.pinned
            ]
        return data


def load(path: str | Path) -> Problem:
    """Read a problem from a JSON file, gzipped when its name ends in `.gz`.

    Raises OSError when the file cannot be read, `ProblemError` when it is not JSON or not a valid problem.
    """
    try:
        data = read_json(path)
    except ValueError as error:
        raise ProblemError([f"problem: not a JSON file ({error})"]) from error
    return Problem.from_json(data)


def read_json(path: str | Path) -> Any:
    """Return the JSON value in `path`, gunzipped when its name ends in `.gz`; ValueError when it is not
    JSON.
    """
    raw = Path(path).read_bytes()
    try:
        return json.loads(gzip.decompress(raw) if str(path).endswith(".gz") else raw)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def write_json(data: object, path: str | Path) -> None:
    """Write a JSON value, whole or not at all: a neighbour file is renamed over `path`. Gzipped if it ends in `.gz`."""
    target = Path(path)
    draft = target.with_name(f".{target.name}.part")
    raw = json.dumps(data, ensure_ascii=False).encode()
    draft.write_bytes(gzip.compress(raw, mtime=0) if target.name.endswith(".gz") else raw)
    draft.replace(target)


def _offers_json(offers: tuple[Offer, ...]) -> list[dict[str, int]]:
    return [{"stay": offer.stay, "value": offer.value} for offer in offers]


def _travel(data: Mapping[str, Any]) -> Road | Matrix:
    if "minutes" in data:
        return Matrix(tuple(map(tuple, data["minutes"])), tuple(map(tuple, data["cost"])))
    road = data["road"]
    return Road(road["detour"], tuple((km, kmh) for km, kmh in road["speeds"]), road["cost_per_km"])


def _travel_json(travel: Road | Matrix) -> dict[str, Any]:
    if isinstance(travel, Matrix):
        return {"minutes": [list(row) for row in travel.minutes], "cost": [list(row) for row in travel.cost]}
    speeds = [list(piece) for piece in travel.speeds]
    return {"road": {"detour": travel.detour, "speeds": speeds, "cost_per_km": travel.cost_per_km}}


def _center(data: Mapping[str, Any]) -> Center:
    return Center(
        id=data["id"],
        depot=data["depot"],
        days=tuple(data["days"]),
        shift=(data["shift"][0], data["shift"][1]),
        kind=data.get("class", "*"),
        setup=data.get("setup") or 0,
        max_drive=data.get("max_drive"),
        fixed_cost=data.get("fixed_cost") or 0,
        nights=data.get("nights") or 0,
        night_cost=data.get("night_cost") or 0,
        starts={day: (place, minute) for day, (place, minute) in (data.get("starts") or {}).items()},
    )


def _offer_tuple(data: Any) -> tuple[Offer, ...]:
    return tuple(Offer(offer["stay"], offer["value"]) for offer in data)


def _site(data: Mapping[str, Any]) -> Site:
    hours, offers = data["open"], data["offers"]
    return Site(
        id=data["id"],
        place=data["place"],
        open={str(day): None if w is None else (w[0], w[1]) for day, w in hours.items()}
        if isinstance(hours, Mapping)
        else (hours[0], hours[1]),
        offers={kind: _offer_tuple(some) for kind, some in offers.items()}
        if isinstance(offers, Mapping)
        else _offer_tuple(offers),
        day_percent=None if data.get("day_percent") is None else tuple(data["day_percent"]),
        max_visits=data.get("max_visits") or 1,
        min_gap_days=data.get("min_gap_days") or 1,
        centers=None if data.get("centers") is None else tuple(data["centers"]),
    )
