"""A plan as the exchange format, as it stands now."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from fleet.planning.blobs import decode, unpack
from fleet.planning.frame import load_frame, marks_of, routes_of
from fleet.planning.ledger import judge, visits_of
from fleet.planning.problem import pinned_json
from fleet.planning.reasons import explained
from fleet.store import Plan
from routing.solution import Plan as Routes
from routing.solution import describe


def problem_now(session: Session, plan: Plan) -> dict[str, Any]:
    """Return the plan's problem with the visits that are pinned now."""
    frame = load_frame(session, plan.week)
    problem = {key: value for key, value in decode(plan.problem).raw.items() if key != "pinned"}
    pins = [visit for visit in visits_of(session, plan) if visit.pinned]
    if pins:
        problem["pinned"] = pinned_json(pins, plan.week, frame.center_code, frame.site_code)
    return problem


def export(session: Session, plan: Plan) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (fleet-problem/1, fleet-plan/1) of the plan as it stands, manual changes included.

    The problem carries the visits pinned now. The solver's bound is kept only while it is true: it was
    proven under the pins of then, so it goes when one of those has been given up.
    """
    decoded = decode(plan.problem)
    frame = load_frame(session, plan.week)
    visits = visits_of(session, plan)
    problem = problem_now(session, plan)
    then = {tuple(sorted(p.items())) for p in decoded.raw.get("pinned", [])}
    now = problem.get("pinned", [])
    marks = marks_of(visits, frame)
    verdict = judge(marks, decoded)
    routes = tuple(
        describe(decoded.problem, decoded.travel, r)
        for r in routes_of(marks, decoded.problem, decoded.travel)
    )
    held = then <= {tuple(sorted(p.items())) for p in now}
    bound = plan.bound if held and plan.bound is not None and plan.bound >= verdict.objective else None
    answer = Routes(
        decoded.problem.name,
        routes,
        verdict.objective,
        bound,
        verdict.costs,
        explained(session, plan),
        unpack(plan.solution).get("facts") or None,
    )
    return problem, answer.to_json()
