"""Day repair at the screen: say what happened, choose among ways to go on, tell those concerned."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import week_days, week_of
from fleet.errors import FleetError
from fleet.importing.replace import RETIRED
from fleet.names import fold
from fleet.planning import repair
from fleet.planning.repair_apply import accept_repair, prepare_accept
from fleet.planning.repair_calls import tick
from fleet.planning.repair_proposals import stranded_visits
from fleet.planning.repair_shapes import KINDS, Accepted, Disrupted
from fleet.store import Center, Repair, Site
from web import clock, repairing, roads
from web.db import read, write
from web.errors import status_of
from web.planner import repair_words
from web.planner.door import actor, blueprint, today, wanted_int
from web.planner.repair_view import view_of

SHAPES = ("stretch", "points")
"""How else a road is named than by a place that it is near to."""
OFF_THE_MAP = (999.0, 999.0)
PLACES = 12
"""Places offered for what was typed."""


@blueprint.get("/repairs")
def repairs() -> Any:
    """What happened this week, calls still to be made, centers out of service."""
    session = read()
    found = repair.repairs_of(session, week_of(today()))
    return render_template(
        "planner/repairs.html",
        rows=[(made, repair_words.happened(session, Disrupted.from_json(made.disruption))) for made in found],
        left={made.id: sum(call.told_at is None for call in made.calls) for made in found},
        words=repair_words,
        out=session.scalars(
            select(Center)
            .where(Center.status != "ready", Center.status_reason != RETIRED)
            .order_by(Center.governorate_id, Center.code)
        ).all(),
    )


@blueprint.route("/repair", methods=["GET", "POST"])
def report() -> Any:
    """Say what happened. With `kind` and `center` or `site` in the address, one press is left."""
    session = read()
    kind = request.values.get("kind", "")
    faults: list[str] = []
    if request.method == "POST":
        try:
            repair_id = repairing.start(_wanted(session), actor=actor(), reason=_reason())
            return redirect(url_for("planner.repair", repair_id=repair_id))
        except FleetError as error:
            faults.append(repair_words.error(error))
    site_id, center_id, other_id = wanted_int("site"), wanted_int("center"), wanted_int("other")
    text = request.values.get("place", "").strip()[:80]
    shape = request.values.get("shape", "")
    shape = shape if kind == "road_slowed" and shape in SHAPES else ""
    page = render_template(
        "planner/report.html",
        kind=kind if kind in KINDS else "",
        kinds=KINDS,
        words=repair_words,
        centers=session.scalars(
            select(Center).where(Center.status == "ready").order_by(Center.governorate_id, Center.code)
        ).all(),
        center=session.get(Center, center_id) if center_id is not None else None,
        site=session.get(Site, site_id) if site_id is not None else None,
        other=session.get(Site, other_id) if other_id is not None else None,
        shape=shape,
        text=text,
        places=_places(session, text) if text else [],
        by_map=roads.avoids_closed(),
        days=[day for day in week_days(week_of(today())) if day >= today()],
        today=today(),
        faults=faults,
    )
    return (page, 422) if faults else page


@blueprint.get("/repairs/<int:repair_id>", endpoint="repair")
def repair_page(repair_id: int) -> Any:
    """The ways to go on, or what was decided and who must be told."""
    made = the_repair(repair_id)
    return render_template("planner/repair.html", **view_of(read(), made, clock.now()))


@blueprint.get("/repairs/<int:repair_id>/part")
def repair_part(repair_id: int) -> Any:
    """The section of that page that lives."""
    made = the_repair(repair_id)
    return render_template("planner/_repair.html", **view_of(read(), made, clock.now()))


@blueprint.post("/repairs/<int:repair_id>/accept")
def accept(repair_id: int) -> Any:
    """Announce one of the proposals."""
    name, now, choice = actor(), clock.now(), request.form.get("choice", "")
    prepared = prepare_accept(read(), the_repair(repair_id), choice, now=now)

    def work(session: Session) -> Accepted:
        made = session.get_one(Repair, repair_id)
        return accept_repair(session, made, choice, actor=name, now=now, prepared=prepared)

    try:
        done = write(work)
    except FleetError as error:
        flash(repair_words.error(error), "error")
        return redirect(url_for("planner.repair", repair_id=repair_id))
    if not done.repeated and not (done.created or done.changed or done.cancelled):
        flash(_("Nothing was changed."), "info")
    elif not done.repeated:
        flash(_("Announced. Citizens see the changed visits now."), "good")
        if done.tickets_closed:
            flash(
                ngettext("%(num)s ticket was closed.", "%(num)s tickets were closed.", done.tickets_closed),
                "good",
            )
    return redirect(url_for("planner.repair", repair_id=repair_id, _anchor="calls"))


@blueprint.post("/repairs/<int:repair_id>/dismiss")
def dismiss(repair_id: int) -> Any:
    """Leave everything as announced; what nobody can hold is named before and after."""
    the_repair(repair_id)
    write(lambda session: repair.dismiss_repair(session, session.get_one(Repair, repair_id)))
    session = read()
    if stranded_visits(session, session.get_one(Repair, repair_id), now=clock.now()):
        return redirect(url_for("planner.repair", repair_id=repair_id))
    flash(_("Nothing was changed."), "info")
    return redirect(url_for("planner.repairs"))


@blueprint.post("/repairs/<int:repair_id>/again")
def again(repair_id: int) -> Any:
    """Work it out anew from where the centers are now."""
    made = the_repair(repair_id)
    disrupted = Disrupted.from_json(made.disruption)
    try:
        fresh = repairing.start(disrupted, actor=actor())
    except FleetError as error:
        flash(repair_words.error(error), "error")
        return redirect(url_for("planner.repair", repair_id=repair_id))
    write(lambda session: repair.dismiss_repair(session, session.get_one(Repair, repair_id)))
    return redirect(url_for("planner.repair", repair_id=fresh))


@blueprint.post("/calls/<int:call_id>")
def call(call_id: int) -> Any:
    """Tick off that somebody was told, or take the tick back."""
    told, name, now = request.form.get("told") == "1", actor(), clock.now()

    def work(session: Session) -> int:
        return tick(session, call_id, told=told, actor=name, now=now).repair_id

    try:
        repair_id = write(work)
    except FleetError as error:
        abort(status_of(error.code, error.status_hint))
    return redirect(url_for("planner.repair", repair_id=repair_id, _anchor=f"call{call_id}"))


@blueprint.post("/centers/<int:center_id>/ready")
def ready(center_id: int) -> Any:
    """A center works again."""

    def work(session: Session) -> None:
        center = session.get(Center, center_id)
        if center is None:
            abort(404)
        repair.ready_again(session, center, now=clock.now())

    write(work)
    flash(_("The center is in service again."), "good")
    return redirect(url_for("planner.repairs"))


def the_repair(repair_id: int) -> Repair:
    """The repair, or 404."""
    made = read().get(Repair, repair_id)
    if made is None:
        abort(404)
    return made


def _wanted(session: Session) -> Disrupted:
    """What the form says. Wrong words are refused by `report_disruption`, with reasons."""
    kind = request.form.get("kind", "")
    whole = request.form.get("way") == "closed"
    shape = request.form.get("shape", "") if kind == "road_slowed" else ""
    return Disrupted(
        kind,  # type: ignore[arg-type]
        _until(),
        center_id=wanted_int("center") if kind == "center_out" else None,
        site_id=wanted_int("site") if kind != "center_out" and shape != "points" else None,
        percent=None if whole or kind in ("center_out", "site_closed") else wanted_int("percent"),
        radius_km=(_km("width") / 2 if shape else _km("radius")) if kind == "road_slowed" else 0.0,
        other_id=wanted_int("other") if shape == "stretch" else None,
        line=(_point("from"), _point("to")) if shape == "points" else None,
    )


def _km(name: str) -> float:
    """Kilometres of the form, 0 where they are none."""
    try:
        found = float(request.form.get(name, "").strip())
    except ValueError:
        return 0.0
    return found if math.isfinite(found) else 0.0


def _point(name: str) -> tuple[float, float]:
    """`30.05, 31.23` as latitude and longitude; a point off every map where it is none, which is refused."""
    parts = request.form.get(name, "").replace("\u060c", ",").replace("\u066b", ".").split(",")
    try:
        lat, lon = (float(part) for part in parts)
    except ValueError:
        return OFF_THE_MAP
    return (lat, lon) if math.isfinite(lat) and math.isfinite(lon) else OFF_THE_MAP


def _until() -> date:
    try:
        return date.fromisoformat(request.form.get("until", ""))
    except ValueError:
        abort(400)


def _reason() -> str:
    return request.form.get("reason", "").strip()[:200]


def _places(session: Session, text: str) -> list[Site]:
    """Places whose names hold every word that was typed, fixed ones first."""
    chosen = select(Site).where(Site.active)
    for word in fold(text).split():
        chosen = chosen.where(Site.search_key.contains(word, autoescape=True))
    return list(session.scalars(chosen.order_by(Site.kind, Site.population.desc(), Site.id).limit(PLACES)))
