"""Every place without a visit: why, what a visit would save, and adding one."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import FleetError
from fleet.names import fold
from fleet.planner import Change, Verdict
from fleet.store import Center, Governorate, Site
from fleet.value import STAYS
from web import clock
from web.db import read
from web.i18n import named
from web.planner import words
from web.planner.changing import Shown, press, refusal, told
from web.planner.door import blueprint, the_plan, wanted_date, wanted_int
from web.planner.visits import wanted_minute

PAGE = 100
NEAREST = 12
"""How many centers the form offers, by distance from their depot."""


@blueprint.get("/plans/<int:plan_id>/unserved")
def unserved(plan_id: int) -> Any:
    """The tray, most valuable first, a hundred a page."""
    plan = the_plan(plan_id)
    if plan.status not in ("draft", "published", "superseded"):
        return redirect(url_for("planner.draft", plan_id=plan_id))
    session = read()
    governorate_id, text, code = (
        wanted_int("governorate"),
        request.args.get("q", "").strip()[:80],
        request.args.get("reason", ""),
    )
    page = max(1, wanted_int("page") or 1)
    found = planner.unserved(session, plan)
    reasons = Counter(one.code for one in found)
    words_for_code = {one.code: words.reason(one.code, one.words, one.numbers) for one in found}
    query = (
        select(Site).where(Site.id.in_([one.site_id for one in found])) if len(found) < 500 else select(Site)
    )
    sites = {site.id: site for site in session.scalars(query)}
    names = {g.id: named(g) for g in session.scalars(select(Governorate))}
    wanted = fold(text).split()
    rows = [
        (one, sites[one.site_id])
        for one in found
        if one.site_id in sites
        and (governorate_id is None or sites[one.site_id].governorate_id == governorate_id)
        and (not code or one.code == code)
        and all(
            word in f"{sites[one.site_id].search_key} {fold(named(sites[one.site_id]))}" for word in wanted
        )
    ]
    shown = rows[(page - 1) * PAGE : page * PAGE]
    giving_way = {code for one, _site in shown for code in one.numbers.get("instead_of", ())}
    place_names = {
        site.code: named(site) for site in session.scalars(select(Site).where(Site.code.in_(giving_way)))
    }
    return render_template(
        "planner/unserved.html", plan=plan, words=words, rows=shown, place_names=place_names,
        total=len(rows), everything=len(found), page=page, pages=max(1, math.ceil(len(rows) / PAGE)),
        reasons=reasons.most_common(), reason_words=words_for_code, code=code, text=text,
        governorate_id=governorate_id, governorates=sorted(names.items()), names=names,
    )  # fmt: skip


@blueprint.route("/plans/<int:plan_id>/add", methods=["GET", "POST"])
def add(plan_id: int) -> Any:
    """Add a visit to a draft: choose center and day, see the verdict, add."""
    plan = the_plan(plan_id)
    session = read()
    site = session.get(Site, wanted_int("site") or 0)
    if site is None:
        abort(404)
    center_id = wanted_int("center")
    day = wanted_date("day", plan.week)
    change = Change(
        "add", center_id=center_id, site_id=site.id, day=day, start_minute=wanted_minute("start"),
        stay_minutes=wanted_int("stay"),
    )  # fmt: skip
    refused: list[str] = []
    if request.method == "POST":
        try:
            done = press(plan_id, change)
        except FleetError as error:
            refused = refusal(error)
        else:
            for line in told(change, done):
                flash(line, "good")
            return redirect(url_for("planner.home", plan=plan_id, _anchor=f"r{center_id}"))
    verdict: Verdict | None = None
    if center_id is not None and not refused and plan.status == "draft":
        verdict = planner.try_change(session, plan, change, now=clock.now())
    page = render_template(
        "planner/add.html", plan=plan, words=words, site=site, days=planner.days_of(plan), stays=STAYS,
        centers=nearest_centers(session, site), change=change, verdict=verdict, refused=refused,
        shown=Shown.of(session, verdict) if verdict is not None else None,
    )  # fmt: skip
    return (page, 409) if refused else page


def nearest_centers(session: Session, site: Site) -> list[tuple[Center, float]]:
    """The nearest centers, with the straight km from their depot."""
    shrink = math.cos(math.radians(site.lat))
    ranked = sorted(
        (
            (c, 111.2 * math.hypot(c.depot_lat - site.lat, (c.depot_lon - site.lon) * shrink))
            for c in session.scalars(select(Center).where(Center.status == "ready"))
        ),
        key=lambda pair: pair[1],
    )
    return ranked[:NEAREST]
