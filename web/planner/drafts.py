"""Drafts: started, watched while they are planned, stopped, copied."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import abort, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import FleetError
from fleet.planning.shapes import TENTHS
from fleet.store import Plan
from web import clock, solving
from web.db import write
from web.planner import fairness, words
from web.planner.door import actor, blueprint, the_plan, wanted_date, wanted_int

DEFAULT_SEED = 1


@blueprint.post("/drafts")
def start() -> Any:
    """Start planning a week in the background."""
    week = wanted_date("week", date.min)
    if week == date.min:
        abort(400)
    seconds = wanted_int("seconds") or 60
    seed = wanted_int("seed") or DEFAULT_SEED
    source = wanted_int("from_plan")
    weeks = wanted_int("weeks") or 1
    try:
        plan_id = solving.start_draft(
            week, seconds=float(seconds), seed=seed, actor=actor(), from_plan_id=source, weeks=weeks
        )
    except FleetError as error:
        flash(words.error(error), "error")
        running = error.details.get("plan")
        if error.code == "solve_running" and isinstance(running, int):
            return redirect(url_for("planner.draft", plan_id=running))
        return redirect(url_for("planner.home", week=week))
    return redirect(url_for("planner.draft", plan_id=plan_id))


@blueprint.get("/plans/<int:plan_id>")
def draft(plan_id: int) -> Any:
    """How far the planning of a draft is."""
    return render_template("planner/draft.html", **_state(the_plan(plan_id)))


@blueprint.get("/plans/<int:plan_id>/progress")
def progress(plan_id: int) -> Any:
    """The section of that page that lives."""
    return render_template("planner/_progress.html", **_state(the_plan(plan_id)))


@blueprint.post("/plans/<int:plan_id>/stop")
def stop(plan_id: int) -> Any:
    """End the search and keep the best plan so far."""
    the_plan(plan_id)
    if not solving.stop(plan_id):
        flash(_("The search had ended already."), "info")
    return redirect(url_for("planner.draft", plan_id=plan_id))


@blueprint.post("/plans/<int:plan_id>/copy")
def copy(plan_id: int) -> Any:
    """Make a draft of a published plan, to change it."""
    the_plan(plan_id)
    name, now = actor(), clock.now()

    def work(session: Session) -> int:
        plan = session.get(Plan, plan_id)
        if plan is None:
            abort(404)
        made = planner.duplicate_as_draft(session, plan, actor=name, now=now)
        session.flush()
        return made.id

    try:
        made = write(work)
    except FleetError as error:
        flash(words.error(error), "error")
        return redirect(url_for("planner.home", plan=plan_id))
    flash(_("This is a draft of the plan. Citizens see nothing of it until you publish it."), "good")
    return redirect(url_for("planner.home", plan=made))


def _state(plan: Plan) -> dict[str, Any]:
    report = plan.progress or {}
    return {
        "plan": plan,
        "words": words,
        "phase": words.phase(report),
        "elapsed": float(report.get("elapsed") or 0.0),
        "hours": report["objective"] / TENTHS if isinstance(report.get("objective"), int) else None,
        "at_most": report["bound"] / TENTHS if isinstance(report.get("bound"), int) else None,
        "quality": words.quality(report.get("objective"), report.get("bound")),
        "fair": fairness.summary(plan) if plan.status in ("draft", "published", "superseded") else None,
        "last_day": planner.days_of(plan)[-1],
    }
