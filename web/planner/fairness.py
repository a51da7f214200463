"""Nobody forgotten: every local unit beside its limit, why it is over it, and what the planner can do."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import FleetError
from fleet.names import fold
from fleet.planner import UnitCoverage
from fleet.store import Governorate, LocalUnit, Plan, Site
from web.db import read, write
from web.i18n import named, short_date
from web.planner import words
from web.planner.door import blueprint, the_plan, wanted_int

SHOWN = 8
"""How many districts the draft's page names."""


@blueprint.get("/plans/<int:plan_id>/fairness")
def fairness(plan_id: int) -> Any:
    """The districts over their limit with their reasons, then all; limits to change below."""
    plan = the_plan(plan_id)
    if plan.status not in ("draft", "published", "superseded"):
        return redirect(url_for("planner.draft", plan_id=plan_id))
    session = read()
    rows = planner.coverage_of(session, plan)
    governorate_id, text = wanted_int("governorate"), request.args.get("q", "").strip()[:80]
    wanted = fold(text).split()
    chosen = [
        row
        for row in rows
        if (governorate_id is None or row.unit.governorate_id == governorate_id)
        and all(word in fold(f"{row.unit.name_ar} {row.unit.name_en}") for word in wanted)
    ]
    over = [row for row in chosen if row.over and row.word is None]
    promised = [row for row in chosen if row.word is not None]
    return render_template(
        "planner/fairness.html",
        words=words,
        plan=plan,
        over=over,
        promised=sorted(promised, key=lambda row: row.word is not None and not row.word.open),
        served=[row for row in chosen if not row.over and row.word is None],
        everything=sum(1 for row in rows if row.over),
        broken=sum(1 for row in rows if row.word is not None and row.word.open),
        of=len(rows),
        sites=sites_of(session, [*over, *promised]),
        limits=planner.limits(session),
        governorates=sorted((g.id, named(g)) for g in session.scalars(select(Governorate))),
        governorate_id=governorate_id,
        text=text,
    )


def summary(plan: Plan) -> dict[str, Any]:
    """What the draft's page says: how many districts are over their limit, and the latest of them."""
    rows = planner.coverage_of(read(), plan)
    over = [row for row in rows if row.over or (row.word is not None and row.word.open)]
    over.sort(key=lambda row: row.word is None or not row.word.open)  # what was promised first
    return {
        "over": over[:SHOWN],
        "count": sum(1 for row in rows if row.over),
        "broken": sum(1 for row in rows if row.word is not None and row.word.open),
        "of": len(rows),
        "sites": sites_of(read(), over[:SHOWN]),
    }


def sites_of(session: Session, rows: list[UnitCoverage]) -> dict[int, Site]:
    """The places that the reasons are about."""
    ids = [row.site_id for row in rows if row.site_id is not None]
    return {site.id: site for site in session.scalars(select(Site).where(Site.id.in_(ids)))}


@blueprint.post("/plans/<int:plan_id>/promises")
def promise(plan_id: int) -> Any:
    """Promise a visit of a district within some weeks: drafts made from now on keep to it."""
    plan = the_plan(plan_id)
    first, weeks, unit_id = plan.week, wanted_int("weeks") or plan.weeks, wanted_int("unit")
    if unit_id is None:
        abort(400)

    def work(session: Session) -> tuple[LocalUnit, date]:
        unit = _unit(session, unit_id)
        planner.promise(session, unit, first, weeks)
        assert unit.promised_until is not None  # just set
        return unit, unit.promised_until

    try:
        unit, until = write(work)
    except FleetError as error:
        flash(words.error(error), "error")
        return _back(plan_id, unit_id)
    said = _(
        "Promised: %(district)s is visited by %(day)s. Drafts made from now on keep to it; this one stays as it is.",
        district=named(unit), day=short_date(until),
    )  # fmt: skip
    flash(said, "good")
    return _back(plan_id, unit_id)


@blueprint.post("/plans/<int:plan_id>/promises/<int:unit_id>/back")
def take_back(plan_id: int, unit_id: int) -> Any:
    """Give a promise up."""
    write(lambda session: planner.take_back(session, _unit(session, unit_id)))
    flash(_("The promise is taken back. Later drafts weigh this district as usual."), "good")
    return _back(plan_id, unit_id)


@blueprint.post("/plans/<int:plan_id>/limits")
def set_limit(plan_id: int) -> Any:
    """Change the limit of one district, or of all of a kind."""
    weeks, unit_id = wanted_int("weeks") or 0, wanted_int("unit")
    kind = request.form.get("kind") or None
    if unit_id is None and kind is None:
        abort(400)

    def work(session: Session) -> int:
        unit = _unit(session, unit_id) if unit_id is not None else None
        return planner.set_limit(session, weeks, kind=kind, unit=unit)

    try:
        changed = write(work)
    except FleetError as error:
        flash(words.error(error), "error")
    else:
        said = ngettext(
            "The limit of %(num)s district changed.", "The limits of %(num)s districts changed.", changed
        )
        flash(said, "good")
    return _back(plan_id, unit_id)


def _unit(session: Session, unit_id: int) -> LocalUnit:
    unit = session.get(LocalUnit, unit_id)
    if unit is None:
        abort(404)
    return unit


def _back(plan_id: int, unit_id: int | None) -> Any:
    anchor = f"u{unit_id}" if unit_id is not None else "limits"
    return redirect(url_for("planner.fairness", plan_id=plan_id, _anchor=anchor))
