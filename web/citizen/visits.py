"""The page of one visit of a mobile center, and its live piece."""

from __future__ import annotations

from typing import Any

from flask import abort, render_template
from sqlalchemy.orm import Session

from fleet.calendar import local_day
from fleet.store import Visit
from fleet.visit_news import next_visit
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
        later=_later(found),
        today=local_day(now),
    )


def _later(visit: Visit) -> Visit | None:
    """What comes in the place of a visit that does not take place, or is over."""
    return next_at(read(), visit) if visit.status in ("cancelled", "closed") else None


@blueprint.get("/visits/<int:visit_id>/status")
def visit_status(visit_id: int) -> Any:
    """The live piece of the visit's page, 304 while nothing has changed."""
    found = _visit(read(), visit_id)
    now = clock.now()
    status = _status(read(), found)

    later = _later(found)

    def html() -> str:
        return render_template(
            "citizen/_visit_top.html", visit=found, status=status, later=later, today=local_day(now)
        )

    marks = (
        found.status, found.opens_at, found.closes_at, found.changed_at, found.center.late_minutes, local_day(now),
        later.id if later else 0, *(status.mark() if status else ()),
    )  # fmt: skip
    return fragment(html, marks, status.as_of if status else now, shared=True)


def _visit(session: Session, visit_id: int) -> Visit:
    found = session.get(Visit, visit_id)
    if found is None:
        abort(404)
    return found


def _status(session: Session, visit: Visit) -> Situation | None:
    return situation(session, visit.queue, clock.now()) if visit.status == "open" else None


def next_at(session: Session, visit: Visit) -> Visit | None:
    """The next announced visit to the same place after this one, from now on."""
    return next_visit(session, visit, now=clock.now())


def grouped(services: list[Service]) -> list[tuple[str, list[Service]]]:
    """Services by agency in the page's language, the most asked for first."""
    found: dict[str, list[Service]] = {}
    for service in services:
        found.setdefault(named(service, "agency"), []).append(service)
    return list(found.items())
