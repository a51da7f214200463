"""Pages to come back to: one of a village with the visits to it, one of a van with its week."""

from __future__ import annotations

from datetime import date
from itertools import groupby
from typing import Any

from flask import abort, render_template
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from fleet.calendar import local_day
from fleet.nearby import NearVisit
from fleet.store import Center, Site, Visit
from web import clock
from web.citizen import blueprint
from web.citizen.centers import nearest_centers
from web.citizen.find import Card, card_of
from web.db import read

SHOWN = 12


@blueprint.get("/places/<int:site_id>")
def place(site_id: int) -> Any:
    """A village: its coming visits, when the last one was, how to hear of the next."""
    site = read().get(Site, site_id)
    if site is None:
        abort(404)
    today = local_day(clock.now())
    return render_template(
        "citizen/place.html",
        site=site,
        days=_days(Visit.site_id == site.id),
        last=read().scalar(
            select(Visit.day)
            .where(Visit.site_id == site.id, Visit.status == "closed", Visit.day < today)
            .order_by(Visit.day.desc())
            .limit(1)
        ),
        centers=nearest_centers(read(), site.lat, site.lon, limit=1),
        today=today,
    )


@blueprint.get("/vans/<int:center_id>")
def van(center_id: int) -> Any:
    """A mobile center: where it is and where it comes next."""
    center = read().get(Center, center_id)
    if center is None:
        abort(404)
    return render_template(
        "citizen/van.html",
        center=center,
        days=_days(Visit.center_id == center.id),
        today=local_day(clock.now()),
    )


def _days(which: Any) -> list[tuple[date, list[Card]]]:
    now = clock.now()
    found = read().scalars(
        select(Visit)
        .where(
            which,
            Visit.day >= local_day(now),
            Visit.status.in_(("announced", "open", "cancelled")),
            Visit.closes_at > now,
        )
        .order_by(Visit.opens_at, Visit.id)
        .limit(SHOWN)
        .options(joinedload(Visit.site), joinedload(Visit.center), joinedload(Visit.queue))
    )
    cards = [card_of(read(), NearVisit(visit, 0.0, 0), now) for visit in found]
    return [(day, list(group)) for day, group in groupby(cards, key=lambda card: card.visit.day)]
