"""What can go wrong with a plan that is under way, as data. Days are indices into `Problem.days`, minutes count
from local midnight; JSON in and out has the field names of the classes and a `kind`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from routing.errors import ProblemError
from routing.problem import Center

Line = tuple[tuple[float, float], tuple[float, float]]
"""A straight stretch between two points, each latitude and longitude in degrees."""


@dataclass(frozen=True, slots=True)
class CenterOut:
    """A center stands still from `minute` of `day` on, through `last` (a day); `back` is the minute of `last` at which
    it can leave its depot again, None when that day is lost too.

    What it has begun to serve by then is over: whoever is inside goes home or on.
    """

    center: str
    day: int
    minute: int
    last: int
    back: int | None = None


@dataclass(frozen=True, slots=True)
class SiteClosed:
    """Nobody can be served at `site` on the days `first` to `last`; on `first` from `minute` on."""

    site: str
    first: int
    last: int
    minute: int = 0


@dataclass(frozen=True, slots=True)
class RoadSlowed:
    """Driving takes `percent` of its time (None: the road is closed, one drives around) on days `first` to `last`.

    Which roads: the legs between the pairs of place ids in `legs`, both ways, and those whose straight line passes
    within `radius_km` of the point (`lat`, `lon`), or of the stretch `line` between two points (latitude, longitude).
    Who drives around such ground takes the shortest way around its edge, at the leg's own speed; around a leg of
    `legs`, by way of another place. `ways` are legs that somebody knows better, by a map of the roads: (from, to,
    minutes, cost).
    """

    first: int
    last: int
    percent: int | None = None
    legs: tuple[tuple[str, str], ...] = ()
    lat: float | None = None
    lon: float | None = None
    radius_km: float = 0.0
    line: Line | None = None
    ways: tuple[tuple[str, str, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class DemandChanged:
    """A visit at `site` is worth `percent` of what it was on the days `first` to `last`: a center overflows."""

    site: str
    percent: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class CenterAdded:
    """One more center helps out, from `minute` of `day` on (its `days` say until when)."""

    center: Center
    day: int
    minute: int


Disruption = CenterOut | SiteClosed | RoadSlowed | DemandChanged | CenterAdded
KINDS: Mapping[str, type[CenterOut | SiteClosed | RoadSlowed | DemandChanged]] = {
    "center_out": CenterOut,
    "site_closed": SiteClosed,
    "road_slowed": RoadSlowed,
    "demand_changed": DemandChanged,
}
ADDED = "center_added"


def to_json(disruption: Disruption) -> dict[str, Any]:
    """Return the disruption as a JSON object."""
    if isinstance(disruption, CenterAdded):
        center = disruption.center.to_json()
        return {"kind": ADDED, "center": center, "day": disruption.day, "minute": disruption.minute}
    kind = next(name for name, made in KINDS.items() if isinstance(disruption, made))
    data = {"kind": kind, **asdict(disruption)}
    if isinstance(disruption, RoadSlowed):
        data["legs"] = [list(leg) for leg in disruption.legs]
        data["line"] = disruption.line and [list(point) for point in disruption.line]
        data["ways"] = [list(way) for way in disruption.ways]
    return data


def from_json(data: Mapping[str, Any]) -> Disruption:
    """Return the disruption that a JSON object says. Raises `ProblemError` when it says none."""
    kind = data.get("kind")
    try:
        if kind == ADDED:
            given = data["center"]
            center = Center(
                given["id"], given["depot"], tuple(given["days"]), (given["shift"][0], given["shift"][1]),
                given.get("class", "*"), given.get("setup") or 0, given.get("max_drive"), given.get("fixed_cost") or 0,
            )  # fmt: skip
            return CenterAdded(center, int(data["day"]), int(data["minute"]))
        made = KINDS[str(kind)]
        known = {field.name for field in fields(made)}
        values = {key: value for key, value in data.items() if key in known}
        if made is RoadSlowed:
            values["legs"] = tuple((str(a), str(b)) for a, b in values.get("legs") or ())
            values["ways"] = tuple(
                (str(a), str(b), int(minutes), int(cost)) for a, b, minutes, cost in values.get("ways") or ()
            )
            if values.get("line") is not None:
                (lat, lon), (lat2, lon2) = values["line"]
                values["line"] = (float(lat), float(lon)), (float(lat2), float(lon2))
        return made(**values)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ProblemError([f"disruption {kind!r}: {type(error).__name__} {error}"]) from error


def known_or_refused(
    disruption: Disruption, centers: set[str], sites: set[str], places: set[str]
) -> list[str]:
    """Return what in the disruption is not known in the problem."""
    if isinstance(disruption, CenterOut) and disruption.center not in centers:
        return [f"center_out: no such center {disruption.center}"]
    if isinstance(disruption, SiteClosed | DemandChanged) and disruption.site not in sites:
        return [f"{type(disruption).__name__}: no such site {disruption.site}"]
    if isinstance(disruption, RoadSlowed):
        return [
            f"road_slowed: no such place {name}"
            for leg in (*disruption.legs, *((a, b) for a, b, _, _ in disruption.ways))
            for name in leg
            if name not in places
        ]
    if isinstance(disruption, CenterAdded) and disruption.center.depot not in places:
        return [f"center_added: no such place {disruption.center.depot}"]
    return []
