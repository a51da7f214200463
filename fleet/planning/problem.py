"""The week as a routing problem."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from fleet.store import PlanVisit


def build_problem(
    session: Session, week: date, *, now: datetime, pins: Sequence[PlanVisit] = (), name: str = ""
) -> dict[str, Any]:
    """Return the week as fleet-problem/1. `week` is a Saturday; ids are the codes of centers and sites."""
    raise NotImplementedError
