"""A place: its day in a chart, what a visit would save there, its visits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import abort, render_template
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from fleet.calendar import local_minute, week_days, week_of
from fleet.congestion import congestion_table
from fleet.store import Site, Visit, VisitValue
from fleet.visited import told_by_visits
from web import clock
from web.db import read
from web.planner import words
from web.planner.congestion import levels
from web.planner.door import blueprint, today, wanted_date


@blueprint.get("/sites/<int:site_id>")
def site(site_id: int) -> Any:
    """The page of a fixed site or a village."""
    session = read()
    place = session.get(Site, site_id)
    if place is None:
        abort(404)
    day = wanted_date("day", today())
    rows = (
        congestion_table(session, day, now=clock.now(), site_ids=[site_id]) if place.kind != "village" else []
    )
    week = week_days(week_of(day))
    values: dict[str, dict[Any, VisitValue]] = {}
    for value in session.scalars(
        select(VisitValue)
        .where(VisitValue.site_id == site_id, VisitValue.day.in_(week))
        .order_by(VisitValue.klass)
    ):
        values.setdefault(value.klass, {})[value.day] = value
    visits = session.scalars(
        select(Visit)
        .where(
            Visit.site_id == site_id,
            Visit.day >= day - timedelta(days=56),
            Visit.day <= day + timedelta(days=28),
        )
        .order_by(Visit.opens_at.desc())
        .limit(20)
        .options(joinedload(Visit.center))
    ).all()
    cells = list(rows[0].cells.values()) if rows else []
    over = [c for c in cells if day < today() or c.hour < local_minute(clock.now()) // 60]
    judged = [c.within for c in over if c.within is not None]
    return render_template(
        "planner/site.html", site=place, day=day, today=today(), before=day - timedelta(days=1),
        after=day + timedelta(days=1), cells=cells, levels=levels(), judged=len(judged),
        told=told_by_visits(session, site_id, before=today()) if place.kind == "village" else None,
        inside=sum(judged), ranged=any(c.high is not None for c in cells),
        week=week, values=values, visits=visits, words=words,
    )  # fmt: skip
