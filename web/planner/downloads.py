"""A plan as files: the problem and the plan in the exchange format."""

from __future__ import annotations

from typing import Any

from flask import Response, json

from fleet import planner
from web.db import read
from web.planner.door import blueprint, the_plan


@blueprint.get("/plans/<int:plan_id>/problem.json")
def problem_file(plan_id: int) -> Any:
    """The week as fleet-problem/1."""
    return _file(planner.export(read(), the_plan(plan_id))[0], f"problem-{plan_id}.json")


@blueprint.get("/plans/<int:plan_id>/plan.json")
def plan_file(plan_id: int) -> Any:
    """The plan as it stands, as fleet-plan/1."""
    return _file(planner.export(read(), the_plan(plan_id))[1], f"plan-{plan_id}.json")


def _file(value: dict[str, Any], name: str) -> Response:
    answer = Response(json.dumps(value, ensure_ascii=False), mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
