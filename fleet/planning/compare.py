"""Two plans side by side, in figures and by place."""

from __future__ import annotations

from sqlalchemy.orm import Session

from fleet.planning.shapes import Comparison, Totals
from fleet.store import Plan


def totals(session: Session, plan: Plan) -> Totals:
    """Return the plan in figures."""
    raise NotImplementedError


def compare(session: Session, draft: Plan, published: Plan | None) -> Comparison:
    """Return the draft beside the published plan of its week (None: nothing is published)."""
    raise NotImplementedError
