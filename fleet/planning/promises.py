"""A planner's word: this district is visited within these weeks, whatever else has to give way.

Drafts that are made afterwards keep to it wherever any center can come at all. It is kept by any visit of the district
within its span, announced or held by the draft; while there is time left after a draft's last week, it need not be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import week_of
from fleet.errors import Invalid
from fleet.store import LocalUnit, Site, Visit

MOST_WEEKS = 8
"""A promise is about the weeks ahead; for what comes round again there are limits."""
LEAST_PENALTY = 10_000
VISITS_GIVEN_UP = 20
"""A promise broken costs as much as so many of the dearest visits: more than all that a center does on a tour of four
days, so that the search breaks none that can be kept."""


def promise(session: Session, unit: LocalUnit, first: date, weeks: int) -> None:
    """Promise a visit of the unit within `weeks` weeks from that of `first` on; a promise made before is replaced.

    Raises Invalid `promise_span`.
    """
    if not 1 <= weeks <= MOST_WEEKS:
        raise Invalid("promise_span", f"A promise spans 1 to {MOST_WEEKS} weeks.", weeks=weeks)
    unit.promised_from = week_of(first)
    unit.promised_until = week_of(first) + timedelta(days=7 * weeks - 1)
    session.flush()


def take_back(session: Session, unit: LocalUnit) -> None:
    """Give the promise up. A plan that is there stays as it is."""
    unit.promised_from = unit.promised_until = None
    session.flush()


def name_of(unit: LocalUnit) -> str:
    """Return the name of the promise's group in a problem."""
    return f"promised:{unit.code}"


def penalty(dearest: int) -> int:
    """Return what a broken promise costs a plan whose dearest visit is worth `dearest`, tenths of a person-hour."""
    return max(LEAST_PENALTY, VISITS_GIVEN_UP * dearest)


@dataclass(frozen=True, slots=True)
class Promised:
    """A unit with a promise that touches a span."""

    unit: LocalUnit
    first: date
    last: date
    kept: tuple[date, ...]
    """The days of visits within it, announced before the span or held by the plan."""

    def binds(self, end: date) -> bool:
        """Whether a plan whose last day is `end` must keep it: it is not kept yet, and no later week can."""
        return not self.kept and self.last <= end


def promised(session: Session, week: date, end: date, held: Mapping[int, Sequence[date]]) -> list[Promised]:
    """Return the promises that touch the days from `week` to `end`; `held` are the plan's visits by local unit id."""
    chosen = select(LocalUnit).where(LocalUnit.promised_until >= week, LocalUnit.promised_from <= end)
    units = session.scalars(chosen.order_by(LocalUnit.id)).all()
    before = _announced(session, [unit.id for unit in units], week)
    found = []
    for unit in units:
        first, last = unit.promised_from, unit.promised_until
        assert first is not None and last is not None  # the query asked for both
        days = (*before.get(unit.id, ()), *held.get(unit.id, ()))
        found.append(Promised(unit, first, last, tuple(sorted(d for d in days if first <= d <= last))))
    return found


def _announced(session: Session, units: Iterable[int], before: date) -> dict[int, list[date]]:
    """The days before `before` on which each unit was visited."""
    found: dict[int, list[date]] = {}
    chosen = (
        select(Site.local_unit_id, Visit.day)
        .join(Visit, Visit.site_id == Site.id)
        .where(Site.local_unit_id.in_(list(units)), Visit.day < before, Visit.status != "cancelled")
    )
    for unit_id, day in session.execute(chosen):
        found.setdefault(unit_id, []).append(day)
    return found
