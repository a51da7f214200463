"""A plan as the exchange format, as it stands now."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from fleet.store import Plan


def export(session: Session, plan: Plan) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (fleet-problem/1, fleet-plan/1) of the plan as it stands, manual changes included."""
    raise NotImplementedError
