"""One visit of a plan: its drawer, the verdict on a change, and the change."""

from __future__ import annotations

import math
from typing import Any

from flask import abort, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import FleetError
from fleet.planner import Change
from fleet.store import Center, Plan, PlanVisit, Site, Visit
from fleet.value import STAYS
from fleet.visited import told_by_visits
from web import clock
from web.db import read, write
from web.errors import status_of
from web.planner import words
from web.planner.changing import Shown, faults_of, press, refusal, told
from web.planner.door import actor, blueprint, the_stop, today, wanted_date, wanted_int, wants_part

NEARBY = 15
"""How many other places the drawer offers."""


@blueprint.get("/visits/<int:visit_id>")
def visit(visit_id: int) -> Any:
    """The drawer of a stop: what it is, and forms to change it. A page of its own without JavaScript."""
    stop = the_stop(visit_id)
    return render_template("planner/_drawer.html" if wants_part() else "planner/visit.html", **drawer(stop))


@blueprint.get("/visits/<int:visit_id>/try")
def try_move(visit_id: int) -> Any:
    """The verdict on a move, without making it: JSON for a page's script, else the drawer with the verdict in it."""
    stop = the_stop(visit_id)
    change = wanted_change(stop)
    verdict = planner.try_change(read(), stop.plan, change, now=clock.now())
    shown = Shown.of(read(), verdict)
    if wants_part():
        html = render_template("planner/_verdict.html", verdict=verdict, shown=shown, words=words)
        return jsonify(feasible=verdict.feasible, html=html, revision=stop.plan.revision)
    return render_template("planner/visit.html", **drawer(stop, change), verdict=verdict, shown=shown)


@blueprint.post("/visits/<int:visit_id>/move")
def move(visit_id: int) -> Any:
    """Make the move; refused with its faults when it breaks a rule or the plan was changed meanwhile."""
    stop = the_stop(visit_id)
    change, plan_id, centers = wanted_change(stop), stop.plan_id, {stop.center_id}
    return _apply(plan_id, change, centers | ({change.center_id} if change.center_id else set()), stop)


@blueprint.post("/visits/<int:visit_id>/remove")
def remove(visit_id: int) -> Any:
    """Take the stop out of the draft."""
    stop = the_stop(visit_id)
    return _apply(stop.plan_id, Change("remove", visit_id=stop.id), {stop.center_id}, stop)


@blueprint.post("/visits/<int:visit_id>/pin")
def pin(visit_id: int) -> Any:
    """Keep the stop as it is in later drafts."""
    return _pin(visit_id, True)


@blueprint.post("/visits/<int:visit_id>/unpin")
def unpin(visit_id: int) -> Any:
    """Let the stop be moved again."""
    return _pin(visit_id, False)


def wanted_change(stop: PlanVisit) -> Change:
    """The move that the address or form asks for; what is not given stays. A move to another center, day or place
    without a start lets the plan find the best one."""
    center_id, site_id = wanted_int("center"), wanted_int("site")
    day = wanted_date("day", stop.day)
    stay = wanted_int("stay")
    start = wanted_minute("start")
    if (
        start is None
        and (center_id in (None, stop.center_id))
        and day == stop.day
        and site_id in (None, stop.site_id)
    ):
        start = stop.start_minute
    return Change(
        "move",
        visit_id=stop.id,
        center_id=center_id,
        site_id=site_id,
        day=day,
        start_minute=start,
        stay_minutes=stay,
        overnight=_wanted_night(),
    )


def _wanted_night() -> bool | None:
    """What the form asks of the night; None where it leaves it as it was."""
    night = request.values.get("night", "")
    return None if night == request.values.get("night_was") else {"1": True, "0": False}.get(night)


def wanted_minute(name: str) -> int | None:
    """A time of day `HH:MM` of the form, as minutes from midnight; 400 when it is none."""
    text = request.values.get(name, "").strip()
    if not text:
        return None
    hour, colon, minute = text.partition(":")
    if not (colon and hour.isascii() and hour.isdigit() and minute[:2].isascii() and minute[:2].isdigit()):
        abort(400)
    if int(hour) > 23 or int(minute[:2]) > 59:
        abort(400)
    return int(hour) * 60 + int(minute[:2])


def drawer(stop: PlanVisit, change: Change | None = None) -> dict[str, Any]:
    """What the drawer shows. `change` is what was tried: the form keeps it."""
    session = read()
    plan = stop.plan
    editable = plan.status == "draft"
    kept = change or Change("move")
    stays = sorted({*STAYS, stop.stay_minutes})
    return {
        "stop": stop,
        "plan": plan,
        "words": words,
        "editable": editable,
        "announced": announced_of(session, stop),
        "told": told_by_visits(session, stop.site_id, before=today())
        if stop.site.kind == "village"
        else None,
        "days": planner.days_of(plan),
        "nights": bool(stop.center.nights) or stop.overnight,
        "ends_away": planner.ends_away(session, stop),
        "stays": stays,
        "centers": session.scalars(select(Center).order_by(Center.governorate_id, Center.code)).all()
        if editable
        else [],
        "others": nearby(session, stop) if editable else [],
        "chosen_center": kept.center_id or stop.center_id,
        "chosen_site": kept.site_id or stop.site_id,
        "chosen_day": kept.day or stop.day,
        "chosen_start": stop.start_minute if change is None else kept.start_minute,
        "chosen_stay": kept.stay_minutes or stop.stay_minutes,
        "end_minute": stop.start_minute + stop.stay_minutes,
    }


def announced_of(session: Session, stop: PlanVisit) -> Visit | None:
    """The announced visit that this stop of a published plan became, the standing one before a cancelled one."""
    if stop.plan.status != "published":
        return None
    found = session.scalars(
        select(Visit).where(
            Visit.center_id == stop.center_id, Visit.site_id == stop.site_id, Visit.day == stop.day
        )
    ).all()
    return min(found, key=lambda v: (v.status == "cancelled", -v.id), default=None)


def nearby(session: Session, stop: PlanVisit) -> list[tuple[Site, float]]:
    """The nearest places without a visit in this plan, with their distance in km (straight)."""
    here = stop.site
    taken = select(PlanVisit.site_id).where(PlanVisit.plan_id == stop.plan_id)
    span = 1.5
    close = session.scalars(
        select(Site).where(
            Site.active, Site.id.not_in(taken),
            Site.lat.between(here.lat - span, here.lat + span), Site.lon.between(here.lon - span, here.lon + span),
        )
    )  # fmt: skip
    shrink = math.cos(math.radians(here.lat))
    ranked = sorted(
        ((site, 111.2 * math.hypot(site.lat - here.lat, (site.lon - here.lon) * shrink)) for site in close),
        key=lambda pair: pair[1],
    )
    return ranked[:NEARBY]


def _apply(plan_id: int, change: Change, centers: set[int], stop: PlanVisit) -> Any:
    try:
        verdict = press(plan_id, change)
    except FleetError as error:
        return _refused(error, change, stop.id)
    if wants_part():
        shown = Shown.of(read(), verdict)
        return jsonify(
            ok=True,
            centers=sorted(centers),
            revision=_revision(plan_id),
            html=render_template(
                "planner/_verdict.html", verdict=verdict, shown=shown, words=words, done=True
            ),
        )
    for line in told(change, verdict):
        flash(line, "good")
    return redirect(url_for("planner.home", plan=plan_id, _anchor=f"r{min(centers)}"))


def _refused(error: FleetError, change: Change, visit_id: int) -> Any:
    """The refusal in place, with what was asked for kept in the form."""
    if wants_part():
        text = words.error(error)
        html = render_template("planner/_refused.html", text=text, faults=faults_of(error))
        return jsonify(ok=False, code=error.code, html=html), status_of(error.code)
    stop = read().get(PlanVisit, visit_id)
    if stop is None:
        raise error
    for line in refusal(error):
        flash(line, "error")
    return render_template("planner/visit.html", **drawer(stop, change)), status_of(error.code)


def _revision(plan_id: int) -> int:
    return read().scalar(select(Plan.revision).where(Plan.id == plan_id)) or 0


def _pin(visit_id: int, keep: bool) -> Any:
    the_stop(visit_id)
    name, now = actor(), clock.now()

    def work(session: Session) -> tuple[int, int]:
        stop = the_stop(visit_id, session)
        (planner.pin if keep else planner.unpin)(session, stop, actor=name, now=now)
        return stop.plan_id, stop.center_id

    try:
        plan_id, center_id = write(work)
    except FleetError as error:
        if wants_part():
            return jsonify(ok=False, code=error.code, html=words.error(error)), status_of(error.code)
        flash(words.error(error), "error")
        return redirect(url_for("planner.visit", visit_id=visit_id))
    text = _("Pinned: later drafts keep this visit as it is.") if keep else _("No longer pinned.")
    if wants_part():
        html = render_template("planner/_said.html", text=text)
        return jsonify(ok=True, centers=[center_id], revision=_revision(plan_id), html=html)
    flash(text, "good")
    return redirect(url_for("planner.visit", visit_id=visit_id))
