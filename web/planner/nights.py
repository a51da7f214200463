"""Nights away: how many each van may spend from home, and what one costs."""

from __future__ import annotations

from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from fleet import planner
from fleet.errors import FleetError
from fleet.store import Center
from web.db import read, write
from web.planner import words
from web.planner.door import blueprint, wanted_int


@blueprint.get("/nights")
def nights() -> Any:
    """Every van, those that may stay away first."""
    chosen = (
        select(Center).options(joinedload(Center.governorate)).order_by(Center.governorate_id, Center.code)
    )
    centers = list(read().scalars(chosen))
    return render_template(
        "planner/nights.html",
        words=words,
        away=[c for c in centers if c.nights],
        home=[c for c in centers if not c.nights],
        most=planner.MOST_NIGHTS,
    )


@blueprint.post("/nights")
def set_nights() -> Any:
    """Change one van's."""
    center_id, count = wanted_int("center"), wanted_int("nights")
    try:
        cost = float(request.form.get("night_cost", "").strip() or "nan")
    except ValueError:
        abort(400)
    if center_id is None or count is None:
        abort(400)

    def work(session: Session) -> str:
        center = session.get(Center, center_id)
        if center is None:
            abort(404)
        planner.set_nights(session, center, nights=count, night_cost=None if cost != cost else cost)
        return center.code

    try:
        code = write(work)
    except FleetError as error:
        flash(words.error(error), "error")
    else:
        flash(_("Changed for %(center)s, from the next draft on.", center=f"\u2066{code}\u2069"), "good")
    return redirect(url_for("planner.nights", _anchor=f"c{center_id}"))
