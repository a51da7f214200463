"""The week board: every center, every day, and what the week is worth."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import abort, make_response, render_template, request

from fleet import planner
from fleet.calendar import week_days
from fleet.store import Plan
from web.db import read
from web.planner import words
from web.planner.door import (
    HAS_VISITS,
    blueprint,
    plans_of,
    shown_week,
    the_plan,
    today,
    wanted_int,
    wanted_week,
)
from web.planner.grid import board, governorates, portion


@blueprint.get("", endpoint="home")
@blueprint.get("/", endpoint="home")
def home() -> Any:
    """The board of a week: the asked plan, else the published one, else the newest draft."""
    asked = wanted_int("plan")
    plan = the_plan(asked) if asked is not None else None
    week = shown_week(plan) if plan is not None else wanted_week()
    plans = plans_of(week)
    if plan is None:
        plan = next((p for p in plans if p.status in HAS_VISITS), None)
    weeks = planner.weeks_of(plan) if plan is not None else [week]
    governorate_id, text = wanted_int("governorate"), request.args.get("q", "").strip()[:80]
    first = wanted_int("from") or 0
    groups, later = portion(board(read(), week, plan, governorate_id=governorate_id, text=text), first)
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
        first=first,
        later=later,
        governorates=governorates(read()),
        governorate_id=governorate_id,
        text=text,
    )


@blueprint.get("/plans/<int:plan_id>/rows")
def rows(plan_id: int) -> Any:
    """Rows of some centers, after a change: `centers` is a list of ids with commas. Or, with `from`, those that the
    page left for later; the header X-Next says which come then."""
    plan = the_plan(plan_id)
    first = wanted_int("from")
    if first is not None:
        text = request.args.get("q", "").strip()[:80]
        every = board(read(), shown_week(plan), plan, governorate_id=wanted_int("governorate"), text=text)
        groups, later = portion(every, first)
        answer = make_response(render_template("planner/_rows.html", groups=groups, plan=plan, words=words))
        if later is not None:
            answer.headers["X-Next"] = str(later)
        return answer
    ids = [
        int(part)
        for part in request.args.get("centers", "").split(",")
        if part.isascii() and part.isdigit() and len(part) < 10
    ]
    if not ids:
        abort(400)
    groups = board(read(), shown_week(plan), plan, center_ids=ids)
    return render_template("planner/_rows.html", groups=groups, plan=plan, bare=True)


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
