"""From a draft to announced visits with their queues."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from fleet.planning.shapes import PublishReport
from fleet.store import Plan, Visit


def publish(session: Session, plan: Plan, *, actor: str, now: datetime) -> PublishReport:
    """Announce the plan's visits; raises FleetError not_a_draft or infeasible. Idempotent."""
    raise NotImplementedError


def cancel_visit(
    session: Session, visit: Visit, reason_ar: str, reason_en: str, *, actor: str, now: datetime
) -> int:
    """Cancel an announced visit; it stays visible with its reason. Returns the number of tickets closed."""
    raise NotImplementedError
