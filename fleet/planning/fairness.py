"""Is anybody forgotten? Every local unit beside its limit: when it was visited, when the plan comes, and why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from fleet.calendar import week_of
from fleet.errors import Invalid
from fleet.planning import coverage, promises
from fleet.planning.blobs import decode
from fleet.planning.horizon import settled_weeks, weeks_of
from fleet.planning.ledger import visits_of
from fleet.planning.reasons import unserved
from fleet.planning.shapes import TENTHS, UnservedSite
from fleet.store import LocalUnit, Plan, Site

LIMITS = range(1, 53)
"""Weeks that a limit may be."""
TELLING = (
    "left_over", "displaced", "not_worth", "no_room", "needs_night", "too_far", "hours_too_short", "no_center",
    "closed", "no_value",
)  # fmt: skip
"""Of a unit's places the one that comes nearest to a visit tells why there is none: codes of
`routing.explain.explain`, the nearest first."""


@dataclass(frozen=True, slots=True)
class Word:
    """How a plan stands to the promise that a unit is visited from `first` to `last`."""

    first: date
    last: date
    state: str
    """kept | later (there is time after the plan) | before (the plan was made before the promise) | broken (nothing
    could keep it, or the search ended before it found how: the unit's `code` says which)."""
    days: tuple[date, ...] = ()
    """The visits that keep it."""

    @property
    def open(self) -> bool:
        """Whether the plan should keep it and does not."""
        return self.state in ("before", "broken")


@dataclass(frozen=True, slots=True)
class UnitCoverage:
    """A local unit in a plan.

    `over` says that it passes its limit within the plan's weeks; then, and where a promise is not kept, `code` and
    `words` say why: a code of `routing.explain`, about the place `site_id`, or no_place (it has none where a center
    could stop), late (its visit comes on the day in `numbers`), due_again (visited in the plan, and due once more
    before it ends).
    """

    unit: LocalUnit
    last: date | None
    """Its last visit before the plan; None: never."""
    visits: tuple[date, ...]
    """The days on which the plan comes."""
    over: bool
    weeks_over: int
    next_due: date | None
    """The Saturday of the week in which it must be visited next; None where it never was."""
    code: str = ""
    words: str = ""
    site_id: int | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)
    penalty_hours: float = 0.0
    """What the plan pays for leaving it out, in person-hours."""
    word: Word | None = None
    """The promise of a visit, where one was made."""


def coverage_of(session: Session, plan: Plan) -> list[UnitCoverage]:
    """Return every local unit in the plan, those over their limit first, the latest of them at the top."""
    sites = list(session.scalars(select(Site).order_by(Site.id)))
    unit_of = {site.id: site.local_unit_id for site in sites}
    usable = {site.local_unit_id for site in sites if site.active}
    days: dict[int, list[date]] = {}
    for visit in visits_of(session, plan):
        days.setdefault(unit_of[visit.site_id], []).append(visit.day)
    reasons: dict[int, list[UnservedSite]] = {}
    for one in unserved(session, plan):
        reasons.setdefault(unit_of[one.site_id], []).append(one)
    last = coverage.last_visits(session, plan.week)
    weeks = weeks_of(plan)
    settled = settled_weeks(session, plan)
    first = next((week for week in weeks if week not in settled), weeks[-1])
    given = _words(session, plan, days)
    chosen = select(LocalUnit).order_by(LocalUnit.id).options(joinedload(LocalUnit.governorate))
    found = [
        _judge(
            unit,
            last.get(unit.id),
            sorted(days.get(unit.id, ())),
            first,
            weeks[-1],
            reasons.get(unit.id, ()),
            unit.id in usable,
            given.get(unit.id),
        )
        for unit in session.scalars(chosen)
    ]
    # Who has no place at all comes last among them: no plan can help there.
    return sorted(found, key=lambda row: (not row.over, row.code == "no_place", -row.weeks_over, row.unit.id))


def _judge(
    unit: LocalUnit,
    last: date | None,
    visits: Sequence[date],
    first: date,
    end: date,
    reasons: Sequence[UnservedSite],
    usable: bool,
    word: Word | None,
) -> UnitCoverage:
    limit = max(1, unit.max_weeks_unvisited)
    seen, late, late_day = last, 0, None
    for day in visits:
        if seen is not None:
            by = max(coverage.deadline(seen, limit), first)
            if week_of(day) > by and (behind := (week_of(day) - by).days // 7) > late:
                late, late_day = behind, day
        seen = day
    due = coverage.deadline(seen, limit) if seen is not None else None
    missing = seen is None or (due is not None and due <= end)
    weeks_over = late
    if missing:
        weeks_over = (end - due).days // 7 + 1 if due is not None else 1
    row = UnitCoverage(
        unit,
        last,
        tuple(visits),
        missing or late > 0,
        weeks_over,
        due,
        penalty_hours=coverage.overdue_penalty(max(0, weeks_over - 1)) / TENTHS,
        word=word,
    )
    if not row.over and not (word is not None and word.open):
        return row
    return _explain(row, reasons, usable, missing, late_day)


def _words(session: Session, plan: Plan, days: Mapping[int, Sequence[date]]) -> dict[int, Word]:
    """The promises that touch the plan's weeks, by local unit id."""
    end = last_day(plan)
    found = promises.promised(session, plan.week, end, days)
    asked = {group.name for group in decode(plan.problem).problem.groups} if found else set()
    words: dict[int, Word] = {}
    for one in found:
        state = "kept" if one.kept else "later"
        if one.binds(end):
            state = "broken" if promises.name_of(one.unit) in asked else "before"
        words[one.unit.id] = Word(one.first, one.last, state, one.kept)
    return words


def _explain(
    row: UnitCoverage, reasons: Sequence[UnservedSite], usable: bool, missing: bool, late_day: date | None
) -> UnitCoverage:
    def told(code: str, words: str, site_id: int | None = None, **numbers: Any) -> UnitCoverage:
        return replace(row, code=code, words=words, site_id=site_id, numbers=numbers)

    if row.visits and not missing:
        day = late_day or row.visits[0]
        return told("late", f"It is visited on {day.isoformat()}, after its limit.", day=day.isoformat())
    if row.visits:
        last = row.visits[-1].isoformat()
        return told("due_again", f"It is visited on {last} and due again before the plan ends.", day=last)
    if not usable:
        return told("no_place", "It has no place where a center can stop.")
    rank = {code: n for n, code in enumerate(TELLING)}
    best = min(reasons, key=lambda one: (rank.get(one.code, len(TELLING)), -one.hours), default=None)
    if best is None:
        return told("no_candidate", "None of its places is among the candidates of this plan.")
    return told(best.code, best.words, best.site_id, hours=best.hours, **dict(best.numbers))


def set_limit(session: Session, weeks: int, *, kind: str | None = None, unit: LocalUnit | None = None) -> int:
    """Set the limit, in weeks, of one unit or of every unit of a kind; returns how many units it changed.

    Raises Invalid `limit`.
    """
    if weeks not in LIMITS:
        raise Invalid("limit", f"A limit is {LIMITS[0]} to {LIMITS[-1]} weeks.", weeks=weeks)
    wanted = update(LocalUnit).where(LocalUnit.max_weeks_unvisited != weeks).values(max_weeks_unvisited=weeks)
    wanted = wanted.where(LocalUnit.kind == kind) if kind is not None else wanted
    wanted = wanted.where(LocalUnit.id == unit.id) if unit is not None else wanted
    changed = session.execute(wanted.returning(LocalUnit.id)).all()
    session.expire_all()
    return len(changed)


def limits(session: Session) -> dict[str, tuple[int, int, int]]:
    """Return for every kind of unit (how many there are, lowest limit, highest limit)."""
    found: dict[str, tuple[int, int, int]] = {}
    for kind, limit in session.execute(select(LocalUnit.kind, LocalUnit.max_weeks_unvisited)):
        count, low, high = found.get(kind, (0, limit, limit))
        found[kind] = (count + 1, min(low, limit), max(high, limit))
    return dict(sorted(found.items()))


def last_day(plan: Plan) -> date:
    """Return the plan's last day."""
    return plan.week + timedelta(days=7 * plan.weeks - 1)
