"""Manual changes: the verdict first, then the change."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from fleet.planning.shapes import Change, Verdict
from fleet.store import Plan, PlanVisit


def try_change(session: Session, plan: Plan, change: Change, *, now: datetime) -> Verdict:
    """Return what `change` would do to `plan`, without doing it. Under 300 ms for the national week."""
    raise NotImplementedError


def apply_change(
    session: Session, plan: Plan, change: Change, *, revision: int, actor: str, now: datetime
) -> Verdict:
    """Make `change` on a draft when it breaks no rule; raises FleetError stale_revision, not_a_draft, change_refused."""
    raise NotImplementedError


def pin(session: Session, visit: PlanVisit, *, actor: str, now: datetime) -> None:
    """Keep the visit exactly as it stands in every later draft and change."""
    raise NotImplementedError


def unpin(session: Session, visit: PlanVisit, *, actor: str, now: datetime) -> None:
    """Let the visit be moved again."""
    raise NotImplementedError
