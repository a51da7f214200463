"""Where the centers are now: a list by lateness, and on request a map."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import jsonify, render_template, url_for
from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from fleet.congestion import congestion_table
from fleet.store import Center, Governorate, Visit
from queueing.store import Ticket
from web import clock
from web.db import read
from web.i18n import clock_time, local, named
from web.layers import governorate_names, tiles_file
from web.planner.congestion import levels, shown_level
from web.planner.door import blueprint, today, wanted_int

WAITING = ("waiting", "called", "parked", "missed")


@dataclass(slots=True)
class OnRoad:
    """A center today."""

    center: Center
    visits: list[Visit] = field(default_factory=list)
    waiting: int = 0

    @property
    def state(self) -> str:
        """What the list says: its own state, or that it does not work."""
        return "out_of_service" if self.center.status != "ready" else self.center.state

    def next_visit(self, now: datetime) -> Visit | None:
        """The stop it is at or goes to."""
        return next((v for v in self.visits if v.status in ("open", "announced") and v.closes_at > now), None)


@blueprint.get("/live")
def live() -> Any:
    """The list, with the map behind a button."""
    return render_template("planner/live.html", tiles=tiles_file() is not None, **_state())


@blueprint.get("/live/list")
def live_list() -> Any:
    """The list alone, fetched again every few seconds."""
    return render_template("planner/_live.html", **_state())


@blueprint.get("/live/positions.json")
def positions() -> Any:
    """Every center with a known position."""
    now = clock.now()
    found = []
    for one in on_road(read(), now):
        center, ahead = one.center, one.next_visit(now)
        if center.lat is None or center.lon is None:
            continue
        found.append(
            {
                "id": center.id,
                "code": center.code,
                "name": named(center),
                "lat": round(center.lat, 5),
                "lon": round(center.lon, 5),
                "state": one.state,
                "words": state_words(one.state),
                "late": center.late_minutes,
                "silent": center.silent,
                "heard": clock_time(center.last_heard_at) if center.last_heard_at else None,
                "next": named(ahead.site) if ahead else None,
                "opens": clock_time(ahead.opens_at) if ahead else None,
                "waiting": one.waiting,
            }
        )
    answer = jsonify(as_of=clock_time(now), centers=found)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/live/sites.json")
def site_levels() -> Any:
    """Fixed sites with their congestion in this hour."""
    now = clock.now()
    hour = local(now).hour
    found = [
        {
            "id": row.site_id,
            "name": named(row),
            "lat": round(row.lat, 4),
            "lon": round(row.lon, 4),
            "level": shown_level(row.cells[hour]) if hour in row.cells else None,
            "url": url_for("planner.site", site_id=row.site_id),
        }
        for row in congestion_table(read(), today(), now=now)
    ]
    answer = jsonify(as_of=clock_time(now), sites=found, names=governorate_names(read()))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def on_road(session: Session, now: datetime, governorate_id: int | None = None) -> list[OnRoad]:
    """Every center with its day's visits, the latest and the silent first."""
    chosen = select(Center).options(joinedload(Center.governorate))
    if governorate_id is not None:
        chosen = chosen.where(Center.governorate_id == governorate_id)
    found = {center.id: OnRoad(center) for center in session.scalars(chosen)}
    queues: dict[int, OnRoad] = {}
    for visit in session.scalars(
        select(Visit)
        .where(Visit.day == today(), Visit.status != "cancelled")
        .order_by(Visit.opens_at)
        .options(joinedload(Visit.site))
    ):
        if visit.center_id in found:
            found[visit.center_id].visits.append(visit)
            if visit.status == "open":
                queues[visit.queue_id] = found[visit.center_id]
    if queues:
        for queue_id, waiting in session.execute(
            select(Ticket.queue_id, func.count())
            .where(Ticket.queue_id.in_(queues), Ticket.day == today(), Ticket.state.in_(WAITING))
            .group_by(Ticket.queue_id)
        ):
            queues[queue_id].waiting += waiting
    return sorted(
        found.values(),
        key=lambda one: (
            one.next_visit(now) is None,
            -(one.center.late_minutes + (30 if one.center.silent else 0)),
            one.center.code,
        ),
    )


def state_words(state: str) -> str:
    """What a center does now."""
    texts = {
        "depot": _("at its depot"),
        "driving": _("on the way"),
        "open": _("open"),
        "returning": _("on the way back"),
        "away": _("away for the night"),
        "out_of_service": _("out of service"),
    }
    return str(texts.get(state, state))


def _state() -> dict[str, Any]:
    session, now = read(), clock.now()
    governorate_id = wanted_int("governorate")
    found = on_road(session, now, governorate_id)
    return {
        "rows": found,
        "now": now,
        "as_of": now,
        "state_words": state_words,
        "levels": levels(),
        "late": sum(1 for one in found if one.center.late_minutes >= 15 and one.next_visit(now)),
        "silent": sum(1 for one in found if one.center.silent),
        "open_now": sum(1 for one in found if one.state == "open"),
        "waiting": sum(one.waiting for one in found),
        "governorate_id": governorate_id,
        "governorates": [
            (g.id, named(g))
            for g in session.scalars(
                select(Governorate)
                .where(Governorate.id.in_(select(Center.governorate_id)))
                .order_by(Governorate.id)
            )
        ],
    }
