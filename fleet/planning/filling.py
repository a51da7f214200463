"""Giving a plan its visits: worked out first, from reading alone, then written in one statement.

Every plan that gets visits at once gets them here: a solver's answer, a copy, a week of a longer draft, what a scenario
hands over, a repair that is accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, insert
from sqlalchemy.orm import Session

from fleet.planning.blobs import Decoded
from fleet.planning.frame import Frame, Mark
from fleet.planning.ledger import Share, judge, shares
from fleet.store import Plan, PlanVisit


@dataclass(frozen=True, slots=True)
class Filling:
    """The visits of a plan and what they come to."""

    marks: tuple[Mark, ...]
    shares: tuple[Share, ...]
    """Of each mark."""
    objective: int

    @property
    def hours(self) -> tuple[float, ...]:
        """Person-hours of each mark, as they are stored."""
        return tuple(round(share.hours, 2) for share in self.shares)

    @property
    def hours_saved(self) -> float:
        """The plan's person-hours."""
        return round(sum(share.hours for share in self.shares), 1)


def worked_out(marks: Iterable[Mark], decoded: Decoded) -> Filling:
    """Return the visits with their shares and the plan's objective. Some 0.1 s for a national week."""
    some = tuple(marks)
    parts = shares(some, decoded)
    return Filling(some, tuple(parts[i] for i in range(len(some))), judge(some, decoded).objective)


def fill(session: Session, plan: Plan, filling: Filling, frame: Frame) -> None:
    """Write the visits of a plan that has none, and its figures."""
    session.flush()
    rows = [
        {
            "plan_id": plan.id,
            "center_id": frame.center_id[mark.center],
            "site_id": frame.site_id[mark.site],
            "day": frame.day(mark.day),
            "start_minute": mark.start,
            "stay_minutes": mark.stay,
            "pinned": mark.pinned,
            "overnight": mark.overnight,
            "hours_saved": hours,
            "drive_minutes": share.drive_minutes,
            "drive_km": round(share.km, 2),
        }
        for mark, share, hours in zip(filling.marks, filling.shares, filling.hours, strict=True)
    ]
    if rows:
        session.connection().execute(insert(cast(Table, PlanVisit.__table__)), rows)
    plan.hours_saved, plan.objective = filling.hours_saved, filling.objective
    session.flush()
    session.expire(plan, ["visits"])


def draft_like(
    session: Session, plan: Plan, problem: bytes, *, actor: str, now: datetime, **more: Any
) -> Plan:
    """Return a new draft of the plan's weeks, searched as the plan was, still without visits; `more` are columns that
    differ."""
    given: dict[str, Any] = {
        "week": plan.week, "weeks": plan.weeks, "seed": plan.seed, "seconds": plan.seconds,
        "baseline_hours": plan.baseline_hours, "progress": {},
    }  # fmt: skip
    draft = Plan(**{**given, **more}, status="draft", created_at=now, created_by=actor, problem=problem)
    session.add(draft)
    session.flush()
    return draft
