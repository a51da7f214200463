"""Drafts: made, solved, failed, copied."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from fleet.store import Plan


def create_draft(
    session: Session,
    week: date,
    *,
    seconds: float,
    seed: int,
    actor: str,
    now: datetime,
    from_plan: Plan | None = None,
) -> Plan:
    """Return a new plan (status solving) holding its problem; pins come from `from_plan` and from days already begun."""
    raise NotImplementedError


def accept_solution(session: Session, plan: Plan, plan_json: Mapping[str, Any], *, now: datetime) -> None:
    """Take the solver's fleet-plan/1: checked without the solver, then kept as visits. Raises FleetError bad_solution."""
    raise NotImplementedError


def fail_draft(session: Session, plan: Plan, message: str, *, now: datetime) -> None:
    """Note that the draft could not be solved, and why."""
    raise NotImplementedError


def duplicate_as_draft(session: Session, plan: Plan, *, actor: str, now: datetime) -> Plan:
    """Return a draft with the same visits: how a published plan is edited."""
    raise NotImplementedError


def solver_command(
    problem_path: Path,
    out_path: Path,
    *,
    seconds: float,
    seed: int,
    threads: int,
    start_path: Path | None = None,
) -> list[str]:
    """Return the argv that solves `problem_path` in a process of its own."""
    raise NotImplementedError
