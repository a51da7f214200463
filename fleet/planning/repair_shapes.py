"""What day repair takes and gives: what happened, alternatives, who must be told. Plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

Happening = Literal["center_out", "site_closed", "road_slowed", "demand_changed"]
KINDS: tuple[Happening, ...] = ("center_out", "site_closed", "road_slowed", "demand_changed")
LEAST_PERCENT, MOST_PERCENT = 10, 1000
MOST_KM = 200.0
Line = tuple[tuple[float, float], tuple[float, float]]
"""Two points, each latitude and longitude in degrees."""


@dataclass(frozen=True, slots=True)
class Disrupted:
    """What happened, through the day `until`. `center_out` names a center; the others a site: closed, or where demand
    is `percent` of what was expected. Roads (`percent` of the usual driving time, None: no way through): within
    `radius_km` of the site, or of the stretch from it to the site `other_id`, or of the `line` between two points."""

    kind: Happening
    until: date
    center_id: int | None = None
    site_id: int | None = None
    percent: int | None = None
    radius_km: float = 0.0
    other_id: int | None = None
    line: Line | None = None

    @property
    def stretch(self) -> bool:
        """Whether it is a stretch of road, not all roads around a place."""
        return self.other_id is not None or self.line is not None

    def to_json(self) -> dict[str, Any]:
        """Return it as stored."""
        return {
            "kind": self.kind,
            "until": self.until.isoformat(),
            "center_id": self.center_id,
            "site_id": self.site_id,
            "percent": self.percent,
            "radius_km": self.radius_km,
            "other_id": self.other_id,
            "line": self.line,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Disrupted:
        """Read what `to_json` wrote."""
        line = data.get("line")
        return cls(
            data["kind"], date.fromisoformat(data["until"]), data.get("center_id"), data.get("site_id"),
            data.get("percent"), float(data.get("radius_km") or 0.0), data.get("other_id"),
            None if line is None else ((line[0][0], line[0][1]), (line[1][0], line[1][1])),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class VisitAt:
    """A visit as announced or proposed. Minutes from local midnight."""

    center_id: int
    site_id: int
    day: date
    start: int
    stay: int
    overnight: bool = False
    """The van stays the night there."""

    def to_json(self) -> dict[str, Any]:
        """Return it as stored."""
        return {
            "center_id": self.center_id, "site_id": self.site_id, "day": self.day.isoformat(),
            "start": self.start, "stay": self.stay,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> VisitAt | None:
        """Read what `to_json` wrote; None stays None."""
        if data is None:
            return None
        day = date.fromisoformat(data["day"])
        return cls(data["center_id"], data["site_id"], day, data["start"], data["stay"])


@dataclass(frozen=True, slots=True)
class VisitChange:
    """One visit that would not be as announced. Hours are person-hours; `tickets` are held for the visit now, `phones`
    of them with a telephone number."""

    kind: str
    """dropped | added | other_day | other_center | other_time | shorter | longer."""
    before: VisitAt | None
    after: VisitAt | None
    hours_before: float
    hours_after: float
    tickets: int = 0
    phones: int = 0

    @property
    def site_id(self) -> int:
        """The place."""
        one = self.before or self.after
        assert one is not None  # a change has at least one side
        return one.site_id


@dataclass(frozen=True, slots=True)
class NightAt:
    """A night that would not be spent as planned: where (None: at home) before and after."""

    center_id: int
    day: date
    before_site_id: int | None
    after_site_id: int | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """One way to go on. `gain` and `loss` in person-hours: more than when crews just leave out what they cannot make,
    and less than without the disruption (below 0: more than the plan as it was), driving taken off."""

    name: str
    """nothing | fewest | balanced | best (routing/repair)."""
    gain: float
    loss: float
    kept: int
    counts: Mapping[str, int]
    changes: tuple[VisitChange, ...]
    crews: tuple[tuple[int, date], ...]
    """Centers and days whose crews must be told."""
    visits: tuple[VisitAt, ...]
    """The whole week as it would be."""
    nights: tuple[NightAt, ...] = ()
    """Nights that are not spent as planned."""
    cut: bool = False
    """The search for something better ended for want of time."""
    stranded: tuple[VisitAt, ...] = ()
    """Announced visits that nobody makes when nobody decides anything."""

    @property
    def lost(self) -> float:
        """Person-hours that the disruption costs when nobody decides anything; below 0 when it makes the plan worth
        more, as a crowd does."""
        return self.gain + self.loss

    @property
    def sites(self) -> int:
        """How many places must be told."""
        return len({change.site_id for change in self.changes})

    @property
    def tickets(self) -> int:
        """How many people hold a ticket for a visit that would not be as announced."""
        return sum(change.tickets for change in self.changes)

    @property
    def phones(self) -> int:
        """How many of them have left a telephone number."""
        return sum(change.phones for change in self.changes)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What accepting did: the plan that is published now, visits by what became of them, and tickets closed."""

    repair_id: int
    plan_id: int
    created: int
    changed: int
    cancelled: int
    tickets_closed: int
    at: datetime
    repeated: bool = False
