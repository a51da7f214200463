"""Early warnings: which lines are about to be crowded, why, what help would bring, and how often that came true."""

from __future__ import annotations

from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select

from fleet import warnings as early
from fleet.calendar import local_day
from fleet.errors import FleetError
from fleet.planning.repair_shapes import LEAST_PERCENT, MOST_PERCENT
from fleet.store import Site, Visit
from fleet.store_warning import SiteWarning
from queueing.alarms.chance import LONG_MIN, wait_at
from queueing.store import Queue
from web import clock
from web.db import read, write
from web.errors import status_of
from web.planner.door import actor, blueprint

SHOWN = 60
"""Past warnings in the list."""


@blueprint.get("/warnings")
def warnings() -> Any:
    """What is warned of now, the setting with its rates, and what came of earlier warnings."""
    session, now = read(), clock.now()
    past = early.record(session, now=now)
    judged = [one for one in past if one.judged_at is not None]
    right = sum(early.came_true(one) is True for one in judged)
    earlier = [one for one in past if one.judged_at is not None or local_day(one.raised_at) != local_day(now)]
    return render_template(
        "planner/warnings.html",
        **_open(),
        past=earlier[:SHOWN],
        past_names=_names(earlier[:SHOWN]),
        judged=len(judged),
        right=right,
        came_true=early.came_true,
        rates=[(rate, wait_at(rate.threshold)) for rate in early.RATES],
        threshold=early.threshold_of(session),
    )


@blueprint.get("/warnings/open")
def warnings_open() -> Any:
    """The section that lives."""
    return render_template("planner/_warnings.html", **_open())


@blueprint.get("/warnings/tray")
def warnings_tray() -> Any:
    """The line above other pages; nothing where there is nothing to say."""
    return render_template("planner/_warnings_tray.html")


@blueprint.post("/warnings/<int:warning_id>/seen")
def warning_seen(warning_id: int) -> Any:
    """It leaves the tray."""
    name, now = actor(), clock.now()
    try:
        write(lambda session: early.seen(session, warning_id, actor=name, now=now).id)
    except FleetError as error:
        abort(status_of(error.code, error.status_hint))
    return redirect(url_for("planner.warnings"))


@blueprint.post("/warnings/threshold")
def warnings_threshold() -> Any:
    """Warn earlier or with fewer false alarms."""
    name, now = actor(), clock.now()
    try:
        chosen = float(request.form.get("threshold", ""))
        write(lambda session: early.set_threshold(session, chosen, actor=name, now=now))
    except (ValueError, FleetError):
        abort(400)
    flash(_("From the next look on, in five minutes at most, warnings follow this setting."), "good")
    return redirect(url_for("planner.warnings"))


@blueprint.app_template_global()
def unseen_warnings() -> list[tuple[SiteWarning, Any]]:
    """What the tray says: open warnings that no planner has seen, each with its place."""
    session = read()
    found = [one for one in early.open_warnings(session, now=clock.now()) if one.seen_at is None]
    return [(one, place[0]) for one in found if (place := _names(found).get(one.id))]


def percent_of(one: SiteWarning) -> int:
    """How many percent of the expected people come, for the report of an overflow: by the forecast where there is one,
    else by how much longer than 45 minutes the wait is; in steps of ten."""
    usual = one.usual_hour
    share = (one.came_hour + 5.0) / (usual + 5.0) if usual is not None else one.wait_min / LONG_MIN
    return int(min(MOST_PERCENT, max(LEAST_PERCENT, round(share * 10) * 10, 150)))


def _open() -> dict[str, Any]:
    session, now = read(), clock.now()
    found = early.open_warnings(session, now=now)
    return {
        "found": found,
        "names": _names(found),
        "as_of": now,
        "percent_of": percent_of,
        "until": local_day(now),
        "van_desks": early.VAN_DESKS,
    }


def _names(found: list[SiteWarning]) -> dict[int, tuple[Site, Queue, bool]]:
    """For each warning its place, its queue, and whether it is a van's visit."""
    session = read()
    sites = {
        site.id: site for site in session.scalars(select(Site).where(Site.id.in_({w.site_id for w in found})))
    }
    ids = {one.queue_id for one in found}
    queues = {queue.id: queue for queue in session.scalars(select(Queue).where(Queue.id.in_(ids)))}
    visits = set(session.scalars(select(Visit.queue_id).where(Visit.queue_id.in_(ids))))
    return {
        one.id: (sites[one.site_id], queues[one.queue_id], one.queue_id in visits)
        for one in found
        if one.site_id in sites and one.queue_id in queues
    }
