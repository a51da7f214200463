"""What planning says when asked why: plain frozen data with ids, dates and person-hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.planning.shapes import DayStops, Placement


@dataclass(frozen=True, slots=True)
class Option:
    """One way to give a place a visit, or to put a visit elsewhere, and its price.

    `gain` is in person-hours after driving and coverage, exact (negative: the plan loses); `hours` the part of it that
    is citizens' hours alone. `dropped` lose their visit, `moved` go from one place and time to another. `days` carries
    it out: a `Change("days", days=...)`.
    """

    kind: str
    """free | instead | chain, as in `routing.explain.ways`."""
    placed: Placement
    gain: float
    hours: float
    drive_minutes: int
    km: float
    dropped: tuple[Placement, ...]
    moved: tuple[tuple[Placement, Placement], ...]
    days: tuple[DayStops, ...]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What binds (`code` as in `routing.explain.why.BLOCKS`), on how many centers' days, of how many centers."""

    code: str
    days: int
    centers: int


@dataclass(frozen=True, slots=True)
class NearVisit:
    """A visit of the plan near a place: minutes and km (None: unknown) of driving between the two."""

    placed: Placement
    minutes: int
    km: float | None


@dataclass(frozen=True, slots=True)
class WhyNone:
    """Why a place has no further visit in a plan, and how it could have one."""

    code: str
    """The reason in one code, as in `routing.explain.explain`; empty when it is visited."""
    numbers: Mapping[str, Any]
    """The numbers behind that reason."""
    obstacles: tuple[Obstacle, ...]
    options: tuple[Option, ...]
    nearest: tuple[NearVisit, ...]
    price: float | None
    """What the plan gives up elsewhere for a visit here, by the prices of its last search (None: unknown)."""


@dataclass(frozen=True, slots=True)
class WhyVisit:
    """What a visit brings and what else its center could do.

    `hours` citizens' hours, `worth` what the plan would lose without it (after the driving it spares), `margin` what it
    would lose when the best other use is made of the time, all person-hours.
    """

    hours: float
    worth: float | None
    detour_minutes: int
    margin: float | None
    otherwise: tuple[Option, ...]
    elsewhere: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class PinPrice:
    """What keeping a visit pinned costs at least: the best change that it forbids (None: none would gain)."""

    at_least: float
    option: Option | None
