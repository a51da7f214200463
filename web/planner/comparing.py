"""A draft beside what is published, and its publication."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from flask import abort, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import FleetError
from fleet.planner import Comparison, Placement, PublishReport
from fleet.store import Center, Governorate, Plan, Site
from web import clock
from web.db import read, write
from web.i18n import named, number, weekday
from web.planner import words
from web.planner.door import actor, blueprint, the_plan, wanted_date

LEAST_SAID = 0.5
"""Hours, people or km below which nothing is said: it would round to none."""


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
    wanted = {*(change.site_id for change in found.changes), *(moved.site_id for moved in found.moved)}
    sites = {site.id: site for site in session.scalars(select(Site).where(Site.id.in_(wanted)))}
    governorates = {g.id: g for g in session.scalars(select(Governorate))}
    codes = {row[0]: row[1] for row in session.execute(select(Center.id, Center.code))}
    ranked = sorted(found.governorates, key=lambda r: -abs(r.draft.hours_saved - r.published.hours_saved))
    rows = [(named(governorates[r.governorate_id]), r) for r in ranked if r.governorate_id in governorates]
    return render_template(
        "planner/compare.html",
        words=words,
        plan=plan,
        published=published,
        found=found,
        rows=[(name, r) for name, r in rows if r.draft != r.published],
        same=[(name, r) for name, r in rows if r.draft == r.published],
        names={g.id: named(g) for g in governorates.values()},
        losing=[(sites[c.site_id], c) for c in found.losing if c.site_id in sites],
        gaining=[(sites[c.site_id], c) for c in found.gaining if c.site_id in sites],
        account=account(found, governorates) if published else [],
        moved=[
            (sites[m.site_id], [_place(p, codes) for p in m.before], [_place(p, codes) for p in m.after])
            for m in found.moved
            if m.site_id in sites
        ],
        quality=words.quality(plan.objective, plan.bound),
        last_day=planner.days_of(plan)[-1],
        until=_wanted_until(plan),
    )


def account(found: Comparison, governorates: Mapping[int, Governorate]) -> list[str]:
    """What publishing means for people, in sentences: in all, for places, for governorates."""
    draft, before = found.draft, found.published
    said = [
        _more(draft.hours_saved - before.hours_saved, _("Saves %(n)s hours more than what is published."),
              _("Saves %(n)s hours fewer than what is published.")),
        _more(draft.people - before.people, _("Serves %(n)s people more."), _("Serves %(n)s people fewer.")),
        _more(draft.km - before.km, _("The centers drive %(n)s km more."), _("The centers drive %(n)s km less.")),
    ]  # fmt: skip
    gained, lost = (
        [c for c in found.changes if c.visits[0] == 0], [c for c in found.changes if c.visits[1] == 0],
    )  # fmt: skip
    if gained:
        count = ngettext("%(num)s place gains a visit", "%(num)s places gain a visit", len(gained))
        met = sum(c.people[1] for c in gained)
        said.append(
            _("%(count)s: about %(people)s people are served there.", count=count, people=number(met))
        )
    if lost:
        count = ngettext("%(num)s place loses its visit", "%(num)s places lose their visit", len(lost))
        missed = sum(c.people[0] for c in lost)
        said.append(
            _("%(count)s: about %(people)s people wait longer or travel.", count=count, people=number(missed))
        )
    rows = sorted(found.governorates, key=lambda r: r.draft.hours_saved - r.published.hours_saved)
    if rows:
        best, worst = rows[-1], rows[0]
        for row, text in (
            (best, _("%(governorate)s gains the most: %(hours)s hours.")),
            (worst, _("%(governorate)s loses the most: %(hours)s hours.")),
        ):
            change = row.draft.hours_saved - row.published.hours_saved
            if abs(change) >= 1 and (change > 0) == (row is best):
                said.append(
                    text
                    % {"governorate": named(governorates[row.governorate_id]), "hours": words.signed(change)}
                )
    return [str(one) for one in said if one] or [_("For people nothing changes.")]


def _more(change: float, more: str, fewer: str) -> str:
    """The sentence for a change up or down; none for one that rounds to nothing."""
    if abs(change) < LEAST_SAID:
        return ""
    return (more if change > 0 else fewer) % {"n": number(abs(change))}


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
    session = read()
    published = planner.published_plans(session, [plan.week]).get(plan.week) if plan.weeks == 1 else None
    governorates = {g.id: g for g in session.scalars(select(Governorate))}
    said = account(planner.compare(session, plan, published), governorates) if published else []
    return render_template(
        "planner/publish.html", plan=plan, words=words, would=would, until=until, account=said,
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
