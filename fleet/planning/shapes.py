"""What planning says to its callers: changes, verdicts, totals. Plain frozen data, no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

Kind = Literal["add", "move", "remove", "days"]

TENTHS = 10
"""The problem's unit is a tenth of a person-hour: whole numbers without losing the small."""


@dataclass(frozen=True, slots=True)
class DayStops:
    """A center's whole day as it shall be: its stops as (site id, starting minute, stay in minutes)."""

    center_id: int
    day: date
    stops: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A manual change of a plan.

    `move` changes whatever is given of a visit (center, site, day, start, stay) and keeps the rest; a moved
    visit without a start gets the best one. `add` needs center, site and day; `remove` only the visit.
    `days` puts whole days in the place of those that are there, all at once: `visit_id` then only says which visit it
    is about.
    """

    kind: Kind
    visit_id: int | None = None
    center_id: int | None = None
    site_id: int | None = None
    day: date | None = None
    start_minute: int | None = None
    stay_minutes: int | None = None
    days: tuple[DayStops, ...] = ()
    overnight: bool | None = None
    """Whether the van spends the night at the end of that day where it is then; None: as it was."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a change (or a plan) cannot be: a stable `code`, English `words`, and the numbers to translate
    with.

    Codes are those of `routing.check.Fault` and: visit_pinned, visit_started, day_frozen, not_in_plan,
    missing_field, center_out_of_service, outside_week, week_published.
    """

    code: str
    words: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and when a visit would stand. Minutes from local midnight."""

    center_id: int
    site_id: int
    day: date
    start_minute: int
    stay_minutes: int


@dataclass(frozen=True, slots=True)
class Shift:
    """Another visit of the same route that the change would let begin at another minute."""

    visit_id: int
    start_before: int
    start_after: int


@dataclass(frozen=True, slots=True)
class Totals:
    """A plan in figures. Hours are person-hours of citizens; people is the expected number served."""

    hours_saved: float = 0.0
    people: float = 0.0
    drive_minutes: int = 0
    km: float = 0.0
    stops: int = 0
    places: int = 0
    centers: int = 0
    objective: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a change does to the plan. When `faults` is not empty, the plan would break a rule and nothing is
    applied."""

    faults: tuple[Fault, ...]
    hours_before: float
    hours_after: float
    drive_before: int
    drive_after: int
    km_before: float
    km_after: float
    objective_before: int
    objective_after: int
    placed: Placement | None = None
    shifted: tuple[Shift, ...] = ()
    loses: tuple[int, ...] = ()
    """Site ids that had a visit this week and would have none."""
    gains: tuple[int, ...] = ()
    """Site ids that had none and would have one."""
    groups_short: tuple[str, ...] = ()
    """Coverage rules that the change newly leaves short, by name."""

    @property
    def feasible(self) -> bool:
        """Whether the change breaks no rule."""
        return not self.faults

    @property
    def delta_hours(self) -> float:
        """Change in person-hours saved (positive is better)."""
        return self.hours_after - self.hours_before

    @property
    def delta_drive(self) -> int:
        """Change in driving, minutes."""
        return self.drive_after - self.drive_before

    @property
    def delta_km(self) -> float:
        """Change in driving, km."""
        return self.km_after - self.km_before

    @property
    def delta_objective(self) -> int:
        """Change of the objective, tenths of a person-hour."""
        return self.objective_after - self.objective_before


@dataclass(frozen=True, slots=True)
class UnservedSite:
    """A candidate without a visit: why, and what the best visit there would save (person-hours)."""

    site_id: int
    code: str
    words: str
    hours: float
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MovedSite:
    """A site visited in both plans, at other times or by another center."""

    site_id: int
    before: tuple[Placement, ...]
    after: tuple[Placement, ...]


@dataclass(frozen=True, slots=True)
class PlaceChange:
    """A place for which two plans differ: person-hours saved, people expected, how many visits, before and after."""

    site_id: int
    hours: tuple[float, float]
    people: tuple[float, float]
    visits: tuple[int, int]

    @property
    def more_hours(self) -> float:
        """Hours more than before; negative: fewer."""
        return self.hours[1] - self.hours[0]

    @property
    def more_people(self) -> float:
        """People more than before; negative: fewer."""
        return self.people[1] - self.people[0]


@dataclass(frozen=True, slots=True)
class GovernorateRow:
    """Both plans' totals for the sites of one governorate."""

    governorate_id: int
    draft: Totals
    published: Totals


@dataclass(frozen=True, slots=True)
class Comparison:
    """A draft beside what is published (zeros where nothing is)."""

    draft: Totals
    published: Totals
    baseline_hours: float | None
    governorates: tuple[GovernorateRow, ...]
    gained: tuple[int, ...]
    lost: tuple[int, ...]
    moved: tuple[MovedSite, ...]
    changes: tuple[PlaceChange, ...] = ()
    """Places that gain or lose a visit, or hours of one, the largest change first."""

    @property
    def losing(self) -> tuple[PlaceChange, ...]:
        """Places for which this plan saves fewer hours, the largest loss first."""
        return tuple(c for c in self.changes if c.more_hours < 0 or c.visits[1] < c.visits[0])

    @property
    def gaining(self) -> tuple[PlaceChange, ...]:
        """Places for which it saves more, the largest gain first."""
        losing = {c.site_id for c in self.losing}
        return tuple(c for c in self.changes if c.site_id not in losing)


@dataclass(frozen=True, slots=True)
class PublishPreview:
    """What publishing would do: visits by what becomes of them, and people who hold a ticket that it touches."""

    created: int
    kept: int
    changed: int
    cancelled: int
    left_alone: int
    """Visits that have begun or are over."""
    tickets_closed: int
    """Tickets of visits that would be cancelled."""
    tickets_changed: int
    """Tickets of visits whose time or center would change."""
    weeks: tuple[date, ...] = ()
    """The Saturdays of the weeks that would be published."""


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What publishing did, as visit ids; `tickets_closed` counts tickets of cancelled visits."""

    plan_id: int
    created: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()
    cancelled: tuple[int, ...] = ()
    left_alone: tuple[int, ...] = ()
    """Visits that had begun or were over: never altered."""
    tickets_closed: int = 0
    repeated: bool = False
    """The plan was published already; nothing was done."""
    parts: tuple[int, ...] = ()
    """The plans that took the weeks of a longer draft."""
