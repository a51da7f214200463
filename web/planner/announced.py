"""Cancelling an announced visit, with the reason that citizens read."""

from __future__ import annotations

from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import FleetError
from fleet.store import Visit
from queueing.store import Ticket
from web import clock
from web.db import read, write
from web.errors import status_of
from web.planner import words
from web.planner.door import actor, blueprint

LIVE = ("booked", "waiting", "called", "serving", "parked", "missed")
MAX_REASON = 200


@blueprint.route("/announced/<int:visit_id>/cancel", methods=["GET", "POST"])
def cancel(visit_id: int) -> Any:
    """Ask for the reason, say who is affected, cancel."""
    visit = read().get(Visit, visit_id)
    if visit is None:
        abort(404)
    reason_ar = request.form.get("reason_ar", "").strip()[:MAX_REASON]
    reason_en = request.form.get("reason_en", "").strip()[:MAX_REASON]
    faults: list[str] = []
    if request.method == "POST":
        if not reason_ar:
            faults.append(_("Give a reason in Arabic: citizens will read it."))
        if not reason_en:
            faults.append(_("Give a reason in English too."))
        if not faults:
            try:
                closed = _cancel(visit_id, reason_ar, reason_en)
            except FleetError as error:
                faults.append(words.error(error))
            else:
                flash(_("The visit is cancelled. Citizens see it struck through with your reason."), "good")
                if closed:
                    flash(
                        ngettext("%(num)s ticket was closed.", "%(num)s tickets were closed.", closed), "good"
                    )
                return redirect(url_for("planner.home", week=visit.day))
    html = render_template(
        "planner/cancel.html", visit=visit, tickets=live_tickets(read(), [visit.queue_id]), faults=faults,
        reason_ar=reason_ar, reason_en=reason_en, limit=MAX_REASON,
    )  # fmt: skip
    return (html, status_of("invalid")) if faults else html


def _cancel(visit_id: int, reason_ar: str, reason_en: str) -> int:
    name, now = actor(), clock.now()

    def work(session: Session) -> int:
        visit = session.get(Visit, visit_id)
        if visit is None:
            abort(404)
        return planner.cancel_visit(session, visit, reason_ar, reason_en, actor=name, now=now)

    return write(work)


def live_tickets(session: Session, queue_ids: list[int]) -> int:
    """How many people hold a ticket that is not over in these queues."""
    if not queue_ids:
        return 0
    return (
        session.scalar(
            select(func.count())
            .select_from(Ticket)
            .where(Ticket.queue_id.in_(queue_ids), Ticket.state.in_(LIVE))
        )
        or 0
    )
