"""A draft beside what is published, and its publication."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import abort, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import FleetError
from fleet.planner import Placement, PublishReport
from fleet.store import Center, Governorate, Plan, Site
from web import clock
from web.db import read, write
from web.i18n import named, weekday
from web.planner import words
from web.planner.door import actor, blueprint, the_plan, wanted_date


@blueprint.get("/plans/<int:plan_id>/compare")
def compare(plan_id: int) -> Any:
    """Totals, governorates, who gains and who loses, what moves."""
    plan = the_plan(plan_id)
    if plan.status not in ("draft", "published", "superseded"):
        return redirect(url_for("planner.draft", plan_id=plan_id))
    session = read()
    # A longer draft holds what is published of its weeks as it is: there is nothing beside it.
    published = planner.published_plans(session, [plan.week]).get(plan.week) if plan.weeks == 1 else None
    published = None if published is plan else published
    found = planner.compare(session, plan, published)
    wanted = {*found.gained, *found.lost, *(moved.site_id for moved in found.moved)}
    sites = {site.id: site for site in session.scalars(select(Site).where(Site.id.in_(wanted)))}
    governorates = {g.id: g for g in session.scalars(select(Governorate))}
    codes = {row[0]: row[1] for row in session.execute(select(Center.id, Center.code))}
    rows = sorted(
        found.governorates, key=lambda r: r.draft.hours_saved - r.published.hours_saved, reverse=True
    )
    return render_template(
        "planner/compare.html",
        words=words,
        plan=plan,
        published=published,
        found=found,
        rows=[(named(governorates[r.governorate_id]), r) for r in rows if r.governorate_id in governorates],
        gained=[sites[i] for i in found.gained if i in sites],
        lost=[sites[i] for i in found.lost if i in sites],
        moved=[
            (sites[m.site_id], [_place(p, codes) for p in m.before], [_place(p, codes) for p in m.after])
            for m in found.moved
            if m.site_id in sites
        ],
        quality=words.quality(plan.objective, plan.bound),
        last_day=planner.days_of(plan)[-1],
        until=_wanted_until(plan),
    )


@blueprint.get("/plans/<int:plan_id>/publish")
def confirm(plan_id: int) -> Any:
    """Say in words what publishing would do."""
    plan = the_plan(plan_id)
    if plan.status == "published":
        return redirect(url_for("planner.home", plan=plan_id))
    try:
        until = _wanted_until(plan)
        would = planner.preview(read(), plan, now=clock.now(), until=until)
    except FleetError as error:
        flash(words.error(error), "error")
        return redirect(url_for("planner.home", plan=plan_id))
    return render_template(
        "planner/publish.html", plan=plan, words=words, would=would, until=until,
        open_weeks=planner.open_weeks(read(), plan), last_day=would.weeks[-1] + timedelta(days=6),
    )  # fmt: skip


@blueprint.post("/plans/<int:plan_id>/publish")
def publish(plan_id: int) -> Any:
    """Announce the plan's visits. Pressing twice is once."""
    until = _wanted_until(the_plan(plan_id))
    name, now = actor(), clock.now()

    def work(session: Session) -> PublishReport:
        plan = session.get(Plan, plan_id)
        if plan is None:
            abort(404)
        return planner.publish(session, plan, actor=name, now=now, until=until, prepared=prepared)

    try:
        prepared = planner.prepare_publish(read(), the_plan(plan_id), until=until)
        report = write(work)
    except FleetError as error:
        flash(words.error(error), "error")
        return redirect(url_for("planner.home", plan=plan_id))
    if report.repeated:
        flash(_("This plan was published already."), "info")
    else:
        flash(_("The plan is published. Citizens see it now."), "good")
    return redirect(url_for("planner.home", plan=plan_id, week=until))


def _wanted_until(plan: Plan) -> date | None:
    """The last week to publish of a longer draft: the next open one unless the address says otherwise."""
    if plan.weeks == 1 or plan.status != "draft":
        return None
    weeks = planner.open_weeks(read(), plan)
    return wanted_date("until", weeks[0]) if weeks else None


def _place(placed: Placement, codes: dict[int, str]) -> tuple[str, str, str]:
    """(weekday, times, center's code)."""
    return (
        weekday(placed.day), words.span(placed.start_minute, placed.stay_minutes), codes.get(placed.center_id, ""),
    )  # fmt: skip
