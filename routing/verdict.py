"""What the checker says about a plan: faults with stable codes, and the objective taken apart."""

from __future__ import annotations

from dataclasses import dataclass

from routing.solution import Costs


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken rule.

    `code` is one of: unknown_center, unknown_site, second_route, day_off, early_departure, early_start,
    closed, outside_hours, not_allowed, no_such_stay, late_return, late_finish (before a night away), too_much_driving,
    too_many_visits, visits_too_close, pin_missing, overnight_empty, overnight_last_day, too_many_nights, night_pinned,
    wrong_objective, bound_too_low. `center` and `day` name the route, `stop`
    the index in it (from 0).
    """

    code: str
    text: str
    center: str | None = None
    day: int | None = None
    stop: int | None = None
    site: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """All faults of a plan and its objective, taken apart."""

    faults: tuple[Fault, ...]
    costs: Costs

    @property
    def feasible(self) -> bool:
        """Whether no rule is broken."""
        return not self.faults

    @property
    def objective(self) -> int:
        """The objective that the rules give, whatever the plan says."""
        return self.costs.objective


@dataclass(frozen=True, slots=True)
class RouteVerdict:
    """What one route alone breaks, earns and costs, and the visits it makes as (site, start, stay)."""

    faults: tuple[Fault, ...]
    value: int
    travel: int
    fixed: int
    visits: tuple[tuple[str, int, int], ...]
