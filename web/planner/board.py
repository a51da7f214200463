"""The week board: every center, every day, and what the week is worth."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import abort, render_template, request

from fleet import planner
from fleet.calendar import week_days
from fleet.store import Plan
from web.db import read
from web.planner import words
from web.planner.door import blueprint, plans_of, the_plan, today, wanted_int, wanted_week
from web.planner.grid import board, governorates

HAS_VISITS = ("draft", "published", "superseded")


@blueprint.get("", endpoint="home")
@blueprint.get("/", endpoint="home")
def home() -> Any:
    """The board of a week: the asked plan, else the published one, else the newest draft."""
    asked = wanted_int("plan")
    plan = the_plan(asked) if asked is not None else None
    week = _week_of(plan) if plan is not None else wanted_week()
    plans = plans_of(week)
    if plan is None:
        plan = next((p for p in plans if p.status in HAS_VISITS), None)
    weeks = planner.weeks_of(plan) if plan is not None else [week]
    governorate_id, text = wanted_int("governorate"), request.args.get("q", "").strip()[:80]
    groups = board(read(), week, plan, governorate_id=governorate_id, text=text)
    return render_template(
        "planner/board.html",
        words=words,
        week=week,
        days=week_days(week),
        today=today(),
        before=week - timedelta(days=7),
        after=week + timedelta(days=7),
        plan=plan,
        plans=plans,
        weeks=weeks,
        settled=planner.settled_weeks(read(), plan) if plan is not None else set(),
        stale=planner.stale(read(), plan) if plan is not None else None,
        most_weeks=planner.MOST_WEEKS,
        solving=next((p for p in plans if p.status == "solving"), None),
        figures=figures(plan),
        groups=groups,
        governorates=governorates(read()),
        governorate_id=governorate_id,
        text=text,
    )


@blueprint.get("/plans/<int:plan_id>/rows")
def rows(plan_id: int) -> Any:
    """Rows of some centers, after a change: `centers` is a list of ids with commas."""
    plan = the_plan(plan_id)
    ids = [
        int(part)
        for part in request.args.get("centers", "").split(",")
        if part.isascii() and part.isdigit() and len(part) < 10
    ]
    if not ids:
        abort(400)
    groups = board(read(), _week_of(plan), plan, center_ids=ids)
    return render_template("planner/_rows.html", groups=groups, plan=plan, bare=True)


def _week_of(plan: Plan) -> date:
    """The week of the plan that the address asks for, else its first."""
    asked = wanted_week() if request.args.get("week") else plan.week
    return asked if asked in planner.weeks_of(plan) else plan.week


@blueprint.get("/plans/<int:plan_id>/totals")
def totals(plan_id: int) -> Any:
    """The figures above the board."""
    plan = the_plan(plan_id)
    return render_template("planner/_totals.html", plan=plan, figures=figures(plan), words=words)


def figures(plan: Plan | None) -> dict[str, Any] | None:
    """What the week is worth: totals, the baseline, and how near the best possible it is."""
    if plan is None or plan.status not in HAS_VISITS:
        return None
    return {
        "totals": planner.totals(read(), plan),
        "baseline": plan.baseline_hours,
        "quality": words.quality(plan.objective, plan.bound),
        "revision": plan.revision,
    }
