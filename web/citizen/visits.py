"""The page of one visit of a mobile center, and its live piece."""

from __future__ import annotations

from typing import Any

from flask import abort, render_template
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import local_day
from fleet.store import Visit
from queueing.store import Service
from web import clock
from web.citizen import blueprint
from web.citizen.fragments import fragment
from web.citizen.situation import Situation, services_of, situation
from web.db import read
from web.i18n import named


@blueprint.get("/visits/<int:visit_id>")
def visit(visit_id: int) -> Any:
    """When and where, what to bring, how full it is now."""
    found = _visit(read(), visit_id)
    now = clock.now()
    return render_template(
        "citizen/visit.html",
        visit=found,
        status=_status(read(), found),
        groups=grouped(services_of(read(), found.queue_id)),
        later=next_at(read(), found) if found.status in ("cancelled", "closed") else None,
        today=local_day(now),
    )


@blueprint.get("/visits/<int:visit_id>/status")
def visit_status(visit_id: int) -> Any:
    """The live piece of the visit's page, 304 while nothing has changed."""
    found = _visit(read(), visit_id)
    now = clock.now()
    status = _status(read(), found)

    def html() -> str:
        return render_template("citizen/_visit_status.html", visit=found, status=status)

    marks = (found.status, found.opens_at, found.center.late_minutes, *(status.mark() if status else ()))
    return fragment(html, marks, status.as_of if status else now, shared=True)


def _visit(session: Session, visit_id: int) -> Visit:
    found = session.get(Visit, visit_id)
    if found is None:
        abort(404)
    return found


def _status(session: Session, visit: Visit) -> Situation | None:
    return situation(session, visit.queue, clock.now()) if visit.status == "open" else None


def next_at(session: Session, visit: Visit) -> Visit | None:
    """The next announced visit to the same place after this one."""
    return session.scalar(
        select(Visit)
        .where(
            Visit.site_id == visit.site_id,
            Visit.status.in_(("announced", "open")),
            Visit.opens_at >= max(visit.opens_at, clock.now()),
            Visit.id != visit.id,
        )
        .order_by(Visit.opens_at)
        .limit(1)
    )


def grouped(services: list[Service]) -> list[tuple[str, list[Service]]]:
    """Services by agency in the page's language, the most asked for first."""
    found: dict[str, list[Service]] = {}
    for service in services:
        found.setdefault(named(service, "agency"), []).append(service)
    return list(found.items())
