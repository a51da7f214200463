"""Why a place has no visit and how it could have one; why a visit stands where it does, and where else it could go."""

from __future__ import annotations

from typing import Any

from flask import abort, redirect, render_template, url_for

from fleet import planner
from fleet.errors import FleetError
from fleet.store import Site
from fleet.visited import told_by_visits
from web import clock
from web.db import read
from web.planner import words
from web.planner.door import blueprint, the_plan, the_stop, today, wants_part
from web.planner.options import Names, packed, placements_of


@blueprint.get("/plans/<int:plan_id>/places/<int:site_id>")
def why_none(plan_id: int, site_id: int) -> Any:
    """Everything that keeps a place without a visit, what is near, and every good way to serve it."""
    plan = the_plan(plan_id)
    if plan.status not in ("draft", "published", "superseded"):
        return redirect(url_for("planner.draft", plan_id=plan_id))
    session = read()
    site = session.get(Site, site_id)
    if site is None:
        abort(404)
    try:
        why = planner.why_none(session, plan, site_id, now=clock.now())
    except FleetError:
        why = None
    names = None
    if why is not None:
        names = Names.of(session, [*placements_of(why.options), *(n.placed for n in why.nearest)])
    return render_template(
        "planner/why_none.html", plan=plan, site=site, why=why, names=names, words=words, packed=packed
    )


@blueprint.get("/visits/<int:visit_id>/why")
def why_visit(visit_id: int) -> Any:
    """What a visit brings, what its center could do otherwise, where it could go. A part of the drawer, or a page."""
    stop = the_stop(visit_id)
    the_plan(stop.plan_id)
    session, now = read(), clock.now()
    why = planner.why_this(session, stop, now=now)
    pin = planner.pin_price(session, stop, now=now) if stop.pinned else None
    options = [*why.otherwise, *why.elsewhere, *([pin.option] if pin and pin.option else [])]
    return render_template(
        "planner/_why_visit.html" if wants_part() else "planner/why_visit.html",
        stop=stop, plan=stop.plan, why=why, pin=pin, names=Names.of(session, placements_of(options)),
        words=words, packed=packed,
        told=told_by_visits(session, stop.site_id, before=today()) if stop.site.kind == "village" else None,
    )  # fmt: skip
