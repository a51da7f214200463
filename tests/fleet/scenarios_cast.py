"""Scenarios on the small country's solved week."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from fleet import planner
from fleet.planning.blobs import decode
from fleet.planning.export import problem_now
from fleet.planning.scenarios.applying import apply
from fleet.store import Plan
from routing.problem import Problem
from routing.solve import solve
from tests.fleet.planning_cast import FRIDAY


def changed(session: Session, plan: Plan, *changes: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the week's problem, the problem under these changes)."""
    base = problem_now(session, plan)
    return base, apply(session, base, changes, plan.week, now=FRIDAY).problem


def by_id(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Centers or sites of a problem by id."""
    return {item["id"]: item for item in items}


def solved_scenario(session: Session, source: Plan, *changes: dict[str, Any], name: str = "What if") -> Plan:
    """A scenario of `source` under these changes, solved in this process and accepted."""
    plan = planner.create_scenario(session, source, name=name, actor="planner", now=FRIDAY, changes=changes)
    planner.reserve_scenario(session, plan, seconds=5, seed=1)
    planner.fill_draft(session, plan, planner.prepare(session, plan, now=FRIDAY))
    answer = solve(Problem.from_json(decode(plan.problem).raw), iterations=4, seed=1, threads=1)
    planner.accept_solution(session, plan, answer.to_json(), now=FRIDAY)
    return plan
