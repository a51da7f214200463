"""Where the centers would go in a scenario: its week, to look at, with what is new beside the plan it copies."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from flask import flash, redirect, render_template, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import FleetError
from fleet.planning.blobs import decode, unpack
from fleet.planning.scenarios.applying import Applied
from fleet.planning.shapes import TENTHS
from fleet.store import Center, Governorate, Plan, Site
from routing.solution import Plan as Routes
from routing.solution import describe
from web import clock
from web.db import read
from web.i18n import named
from web.planner import scenarios_words as said
from web.planner import words
from web.planner.door import blueprint, wanted_int
from web.planner.scenarios import the_scenario

WEEK = 7


@dataclass(slots=True)
class Cell:
    """A visit: `new` when the copied plan does not visit the place."""

    site: Site
    start: int
    stay: int
    hours: float
    new: bool
    overnight: bool


@dataclass(slots=True)
class Row:
    """A center's days; `added` when only the scenario has it."""

    code: str
    name: str
    added: bool
    works: list[bool]
    days: list[list[Cell]] = field(default_factory=lambda: [[] for _ in range(WEEK)])


@blueprint.get("/scenarios/<int:plan_id>/week")
def scenario_week(plan_id: int) -> Any:
    """The week's table; a governorate and, of several weeks, one can be chosen."""
    plan, session = the_scenario(plan_id), read()
    if not planner.answered(plan):
        return redirect(url_for("planner.scenario", plan_id=plan_id))
    number = min(plan.weeks - 1, wanted_int("number") or 0)
    iso = governorate.iso if (governorate := _governorate(session)) is not None else None
    try:
        applied = planner.preview_scenario(session, plan, now=clock.now())
    except FleetError as error:  # the plan that it copies has changed so that a change is none any more
        flash(said.error(error), "error")
        return redirect(url_for("planner.scenario", plan_id=plan_id))
    groups = _groups(session, plan, applied, number * WEEK, iso)
    days: list[date] = [plan.week + timedelta(days=number * WEEK + day) for day in range(WEEK)]
    return render_template(
        "planner/scenario_week.html", plan=plan, words=words, groups=groups, days=days, number=number,
        governorates=sorted((g.id, named(g)) for g in session.scalars(select(Governorate))),
        governorate_id=governorate.id if governorate is not None else None,
    )  # fmt: skip


def _governorate(session: Session) -> Governorate | None:
    wanted = wanted_int("governorate")
    return session.get(Governorate, wanted) if wanted is not None else None


def _groups(
    session: Session, plan: Plan, applied: Applied, first: int, iso: str | None
) -> list[tuple[str, list[Row]]]:
    """(governorate's name, its centers' rows) of the week that starts on day `first`."""
    decoded = decode(plan.problem)
    source = session.get(Plan, plan.source_id) if plan.source_id is not None else None
    before = {mark.site for mark in planner.marks_now(session, source)} if source is not None else set()
    names = {c.code: named(c) for c in session.scalars(select(Center))}
    routes = [
        describe(decoded.problem, decoded.travel, route)
        for route in Routes.from_json(unpack(plan.solution)).routes
        if first <= route.day < first + WEEK
    ]
    codes = {stop.site for route in routes for stop in route.stops}
    sites = {site.code: site for site in session.scalars(select(Site).where(Site.code.in_(codes)))}
    rows: dict[str, Row] = {}
    for center in decoded.problem.centers:
        works = [first + day in center.days for day in range(WEEK)]
        rows[center.id] = Row(center.id, names.get(center.id, ""), center.id not in names, works)
    for route in routes:
        for n, stop in enumerate(route.stops):
            away = route.overnight and n == len(route.stops) - 1
            worth = (stop.value or 0) / TENTHS
            rows[route.center].days[route.day - first].append(
                Cell(sites[stop.site], stop.start, stop.stay, worth, stop.site not in before, away)
            )
    where = applied.book.center_governorate
    called = {g.iso: named(g) for g in session.scalars(select(Governorate).order_by(Governorate.id))}
    found: list[tuple[str, list[Row]]] = []
    for code, name in called.items():
        some = [row for row in rows.values() if where.get(row.code) == code and iso in (None, code)]
        if some:
            found.append((name, some))
    return found
