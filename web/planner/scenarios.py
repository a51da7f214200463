"""Scenarios: what if the week had other vans, hours, demand or rules. Made, changed, solved, taken over."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.calendar import week_days
from fleet.errors import FleetError
from fleet.planning.blobs import unpack
from fleet.planning.scenarios.kinds import ALL, KINDS, TOPICS
from fleet.planning.scenarios.verbs import SOURCES
from fleet.planning.shapes import TENTHS
from fleet.store import Plan
from web import clock, roads, solving
from web.db import read, write
from web.planner import scenarios_words as said
from web.planner import words
from web.planner.door import actor, blueprint, wanted_date, wanted_int
from web.planner.scenarios_form import Choices, change_of_form, form_of_change, listed

DEFAULT_SECONDS = 60
MOST = 5
"""Plans side by side."""
WEEK = timedelta(days=7)


@blueprint.get("/scenarios")
def scenarios() -> Any:
    """Every scenario with what it changes, and what it can be compared with."""
    session = read()
    wanted = request.args.get("week")
    week = wanted_date("week", clock.now().date()) if wanted else None
    found = planner.scenarios(session, week)
    sources = _sources(session)
    by_id = {plan.id: plan for plan in sources}
    rows = []
    for plan in found:
        source = by_id.get(plan.source_id or 0) or (
            session.get(Plan, plan.source_id) if plan.source_id else None
        )
        names = said.Names.load(session, plan.changes, plan.week)
        rows.append((plan, source, [said.sentence(change, names) for change in plan.changes]))
    weeks = sorted({plan.week for plan in found}, reverse=True)
    return render_template(
        "planner/scenarios.html", words=words, said=said, weeks=weeks, rows=rows, sources=sources,
        wanted=wanted_int("plan"), answered=planner.answered, ticked=_ticked(found, weeks),
    )  # fmt: skip


def _ticked(found: list[Plan], weeks: list[date]) -> set[int]:
    """What is ticked for comparison at first: the newest scenarios of the newest week, and the plan they copy."""
    solved = [plan for plan in found if planner.answered(plan) and plan.week == weeks[0]][: MOST - 1]
    return {plan.id for plan in solved} | {
        plan.source_id for plan in solved[:1] if plan.source_id is not None
    }


@blueprint.post("/scenarios")
def make_scenario() -> Any:
    """A new scenario on the week of a plan, or a copy of another scenario."""
    source_id, name, who, now = wanted_int("plan"), request.form.get("name", ""), actor(), clock.now()

    def work(session: Session) -> int:
        source = session.get(Plan, source_id) if source_id is not None else None
        if source is None or source.status == "discarded":
            abort(404)
        return planner.create_scenario(session, source, name=name, actor=who, now=now).id

    try:
        made = write(work)
    except FleetError as error:
        flash(said.error(error), "error")
        return redirect(url_for("planner.scenarios", plan=source_id))
    return redirect(url_for("planner.scenario", plan_id=made))


@blueprint.get("/scenarios/<int:plan_id>")
def scenario(plan_id: int) -> Any:
    """What it changes, the forms to change that, and what came out."""
    return render_template("planner/scenario.html", **_page(the_scenario(plan_id)))


@blueprint.get("/scenarios/<int:plan_id>/answer")
def scenario_answer(plan_id: int) -> Any:
    """The part of that page that lives: the search, then what came out."""
    return render_template("planner/_scenario_answer.html", **_answer(the_scenario(plan_id)))


@blueprint.post("/scenarios/<int:plan_id>/changes")
def change_scenario(plan_id: int) -> Any:
    """Add a change, put another in its place, take it out or make it earlier; what the form held stays when it is
    refused."""
    plan = the_scenario(plan_id)
    verb, index, name = request.form.get("verb", "add"), wanted_int("index"), request.form.get("kind", "")
    revision, who, now = wanted_int("revision"), actor(), clock.now()
    if (
        revision is None
        or verb not in ("add", "replace", "drop", "raise")
        or (verb == "add") == (index is not None)
    ):
        abort(400)
    if verb in ("add", "replace") and name not in KINDS:
        abort(400)

    def work(session: Session) -> None:
        target = _fresh(session, plan_id)
        if name in KINDS and verb in ("add", "replace"):
            change = change_of_form(
                session, KINDS[name], len(target.changes) + 1 if index is None else index + 1
            )
            if index is None:
                planner.add_change(session, target, change, revision=revision, actor=who, now=now)
            else:
                planner.replace_change(session, target, index, change, revision=revision, actor=who, now=now)
        elif index is not None:
            edit = planner.drop_change if verb == "drop" else planner.raise_change
            edit(session, target, index, revision=revision, actor=who, now=now)

    try:
        write(work)
    except FleetError as error:
        page = _page(plan, name if verb in ("add", "replace") else None, said.error(error))
        return render_template("planner/scenario.html", **page), 422
    return redirect(url_for("planner.scenario", plan_id=plan_id, _anchor="changes"))


@blueprint.post("/scenarios/<int:plan_id>/name")
def rename_scenario(plan_id: int) -> Any:
    """Call it otherwise."""
    name = request.form.get("name", "")
    return _do(plan_id, lambda session, plan: planner.rename(session, plan, name))


@blueprint.post("/scenarios/<int:plan_id>/solve")
def solve_scenario(plan_id: int) -> Any:
    """Search in the background, as for a draft."""
    the_scenario(plan_id)
    seconds, seed = wanted_int("seconds") or DEFAULT_SECONDS, wanted_int("seed") or 1
    try:
        solving.start_scenario(plan_id, seconds=float(seconds), seed=seed)
    except FleetError as error:
        flash(said.error(error), "error")
    return redirect(url_for("planner.scenario", plan_id=plan_id, _anchor="answer"))


@blueprint.post("/scenarios/<int:plan_id>/stop")
def stop_scenario(plan_id: int) -> Any:
    """End the search and keep the best so far."""
    the_scenario(plan_id)
    if not solving.stop(plan_id):
        flash(_("The search had ended already."), "info")
    return redirect(url_for("planner.scenario", plan_id=plan_id, _anchor="answer"))


@blueprint.post("/scenarios/<int:plan_id>/discard")
def discard_scenario(plan_id: int) -> Any:
    """Throw it away."""
    plan, now = the_scenario(plan_id), clock.now()
    write(lambda session: planner.discard_scenario(session, _fresh(session, plan_id), now=now))
    flash(_("The scenario “%(name)s” is gone.", name=plan.name), "good")
    return redirect(url_for("planner.scenarios"))


@blueprint.get("/scenarios/<int:plan_id>/take-over")
def confirm_take_over(plan_id: int) -> Any:
    """Say what a draft made of it would hold, and what not."""
    plan, session = the_scenario(plan_id), read()
    try:
        would = planner.prepare_takeover(session, plan, now=clock.now(), driving=roads.installed())
    except FleetError as error:
        flash(said.error(error), "error")
        return redirect(url_for("planner.scenario", plan_id=plan_id))
    names = said.Names.load(session, plan.changes, plan.week)
    told = [said.sentence(change, names) for change in plan.changes]
    return render_template(
        "planner/scenario_take_over.html", plan=plan, words=words, visits=len(would.visits),
        left_out=len(would.left_out), taken=[told[i] for i in would.taken],
        not_taken=[told[i] for i in would.not_taken],
    )  # fmt: skip


@blueprint.post("/scenarios/<int:plan_id>/take-over")
def take_over(plan_id: int) -> Any:
    """Make an ordinary draft of it. Nothing is published."""
    plan, who, now = the_scenario(plan_id), actor(), clock.now()
    try:
        # Seconds of arithmetic, outside of the writer.
        ready = planner.prepare_takeover(read(), plan, now=now, driving=roads.installed())
        made = write(lambda session: planner.fill_takeover(session, ready, actor=who, now=now).id)
    except FleetError as error:
        flash(said.error(error), "error")
        return redirect(url_for("planner.scenario", plan_id=plan_id))
    flash(_("This is a draft of the scenario. Citizens see nothing of it until you publish it."), "good")
    return redirect(url_for("planner.home", plan=made))


@blueprint.get("/scenarios/<int:plan_id>/problem.json")
def scenario_problem(plan_id: int) -> Any:
    """The changed week in the exchange format."""
    return _file(the_scenario(plan_id).problem, f"scenario-{plan_id}-problem.json")


@blueprint.get("/scenarios/<int:plan_id>/plan.json")
def scenario_plan(plan_id: int) -> Any:
    """The answer in the exchange format."""
    plan = the_scenario(plan_id)
    return _file(plan.solution if planner.answered(plan) else b"", f"scenario-{plan_id}-plan.json")


@blueprint.get("/scenarios/<int:plan_id>/changes.json")
def scenario_changes(plan_id: int) -> Any:
    """What it changes, as `plan scenario new --changes` reads it."""
    plan = the_scenario(plan_id)
    return _json(plan.changes, f"scenario-{plan_id}-changes.json")


def the_scenario(plan_id: int) -> Plan:
    """The scenario, or 404."""
    plan = read().get(Plan, plan_id)
    if plan is None or plan.kind != "scenario" or plan.status == "discarded":
        abort(404)
    return plan


def _fresh(session: Session, plan_id: int) -> Plan:
    plan = session.get(Plan, plan_id)
    if plan is None:
        abort(404)
    return plan


def _sources(session: Session) -> list[Plan]:
    """Plans that a scenario can start from, the newest week first, what is published first in it."""
    chosen = select(Plan).where(Plan.kind == "plan", Plan.status.in_(SOURCES))
    plans = session.scalars(chosen.order_by(Plan.week.desc(), Plan.id.desc()).limit(40)).all()
    return sorted(plans, key=lambda p: (-p.week.toordinal(), p.status != "published", -p.id))


def _do(plan_id: int, verb: Callable[[Session, Plan], None]) -> Any:
    the_scenario(plan_id)
    try:
        write(lambda session: verb(session, _fresh(session, plan_id)))
    except FleetError as error:
        flash(said.error(error), "error")
    return redirect(url_for("planner.scenario", plan_id=plan_id))


def _page(plan: Plan, asked: str | None = None, refused: str = "") -> dict[str, Any]:
    session = read()
    edited = wanted_int("edit") if request.method == "GET" else wanted_int("index")
    if edited is not None and not (
        edited < len(plan.changes) and request.form.get("verb", "replace") == "replace"
    ):
        edited = None
    kept = None if edited is None or asked else plan.changes[edited]
    asked = asked or (kept["kind"] if kept is not None else request.args.get("kind", ""))
    names = said.Names.load(session, plan.changes, plan.week)
    counts: tuple[int, ...] = ()
    choices = None
    try:
        applied = planner.preview_scenario(session, plan, now=clock.now())
        counts = applied.touched
        if asked in KINDS:
            choices = Choices.load(session, applied)
    except FleetError as error:
        refused = refused or said.error(error)
    told = [
        (said.sentence(change, names), said.touched(change["kind"], counts[i]) if counts else "")
        for i, change in enumerate(plan.changes)
    ]
    return {
        **_answer(plan),
        "told": told,
        "kinds": [(topic, [kind for kind in ALL if kind.topic == topic]) for topic in TOPICS],
        "asked": KINDS.get(asked) if choices is not None else None,
        "choices": choices,
        "days": list(enumerate(day for w in range(plan.weeks) for day in week_days(plan.week + w * WEEK))),
        "refused": refused,
        "edited": edited,
        "form": request.form if request.method == "POST" else form_of_change(kept),
        "chosen": request.form.getlist if request.method == "POST" else lambda name: listed(kept, name),
    }


def _answer(plan: Plan) -> dict[str, Any]:
    session, report = read(), plan.progress or {}
    source = session.get(Plan, plan.source_id) if plan.source_id is not None else None
    figures = None
    if planner.answered(plan) and source is not None and planner.answered(source):
        figures = (planner.measure(session, source).total, planner.measure(session, plan).total)
    return {
        "plan": plan,
        "source": source,
        "words": words,
        "said": said,
        "figures": figures,
        "phase": words.phase(report),
        "elapsed": float(report.get("elapsed") or 0.0),
        "hours": report["objective"] / TENTHS if isinstance(report.get("objective"), int) else None,
        "at_most": report["bound"] / TENTHS if isinstance(report.get("bound"), int) else None,
        "quality": words.quality(report.get("objective"), report.get("bound"))
        if plan.status == "solving"
        else words.quality(plan.objective, plan.bound),
    }


def _file(blob: bytes, name: str) -> Response:
    if not blob:
        abort(404)
    return _json(unpack(blob), name)


def _json(value: Any, name: str) -> Response:
    answer = Response(json.dumps(value, ensure_ascii=False), mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
