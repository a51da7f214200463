"""Where mobile centers will be, for somebody who stands at a point: nearest and soonest first.

The order is: how far one has to go, in bands (10, 25, 60, 120 ... km), then the day, then the
distance. A visit in the next village on Thursday so comes before one 60 km away today, and among the visits within a
short ride the soonest comes first. Cancelled visits stay in the list until their day is over, so that nobody waits in
vain.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from fleet.calendar import local_day
from fleet.errors import Invalid
from fleet.network.geo import km_matrix
from fleet.places import KINDS, Place, find_places, governorates, local_units
from fleet.store import Site, Visit
from queueing.store import QueueService, Service

__all__ = [
    "BANDS_KM",
    "KINDS",
    "NearVisit",
    "Page",
    "Place",
    "find_places",
    "governorates",
    "local_units",
    "visits_near",
]

BANDS_KM = (0.0, 10.0, 25.0, 60.0, 120.0, 250.0, 500.0, float("inf"))
"""Edges of the distance bands, km."""


@dataclass(frozen=True)
class NearVisit:
    """A visit with its great-circle distance from the asker (km) and the index of its band."""

    visit: Visit
    km: float
    band: int


@dataclass(frozen=True)
class Page:
    """Some visits in order; `after` is the cursor of the next page, or None when this is the last."""

    visits: list[NearVisit]
    after: str | None


def visits_near(
    session: Session,
    lat: float,
    lon: float,
    *,
    now: datetime,
    date_from: date | None = None,
    date_to: date | None = None,
    service: str | None = None,
    governorate_id: int | None = None,
    local_unit_id: int | None = None,
    within_km: float | None = None,
    limit: int = 20,
    after: str | None = None,
) -> Page:
    """Announced and open visits (and cancelled ones, until their day is over) that have not ended at `now`.

    `service` is a service's code that the visit must offer; dates are local and inclusive; `after` is `Page.after` of
    the page before and stays right when visits are added or removed. Raises Invalid: `position_invalid`,
    `unknown_service`, `cursor_invalid`.
    """
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        raise Invalid(
            "position_invalid", "Latitude is -90 to 90 and longitude -180 to 180.", lat=lat, lon=lon
        )
    today = local_day(now)
    first = max(date_from, today) if date_from is not None else today
    query = (
        select(Visit.id, Visit.day, Visit.opens_at, Site.lat, Site.lon)
        .join(Site, Site.id == Visit.site_id)
        .where(
            Visit.day >= first, Visit.status.in_(("announced", "open", "cancelled")), Visit.closes_at > now
        )
    )
    if date_to is not None:
        query = query.where(Visit.day <= date_to)
    if governorate_id is not None:
        query = query.where(Site.governorate_id == governorate_id)
    if local_unit_id is not None:
        query = query.where(Site.local_unit_id == local_unit_id)
    if service is not None:
        service_id = session.scalar(select(Service.id).where(Service.code == service))
        if service_id is None:
            raise Invalid("unknown_service", f"There is no service {service!r}.", service=service)
        query = query.join(QueueService, QueueService.queue_id == Visit.queue_id).where(
            QueueService.service_id == service_id
        )
    rows = session.execute(query).all()
    if not rows:
        return Page([], None)
    km = km_matrix([lat], [lon], [row.lat for row in rows], [row.lon for row in rows])[0].round(3)
    bands = np.searchsorted(np.array(BANDS_KM[1:-1]), km, side="left")
    keys = sorted(
        (int(band), row.day.toordinal(), round(float(away) * 1000), int(row.id))
        for row, away, band in zip(rows, km, bands, strict=True)
        if within_km is None or away <= within_km
    )
    if after is not None:
        start = _cursor(after)
        keys = [key for key in keys if key > start]
    page = keys[: max(1, limit)]
    loaded = {
        visit.id: visit
        for visit in session.scalars(
            select(Visit)
            .where(Visit.id.in_([key[3] for key in page]))
            .options(
                joinedload(Visit.site).joinedload(Site.governorate),
                joinedload(Visit.center),
                joinedload(Visit.queue),
            )
        )
    }
    found = [NearVisit(loaded[key[3]], key[2] / 1000, key[0]) for key in page]
    return Page(found, ".".join(map(str, page[-1])) if len(keys) > len(page) else None)


def band_names() -> list[tuple[float, float]]:
    """The bands as (from km, to km)."""
    return list(pairwise(BANDS_KM))


def _cursor(text: str) -> tuple[int, int, int, int]:
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in parts):
        raise Invalid("cursor_invalid", "This page cursor was not made here.", after=text[:80])
    band, day, metres, visit = map(int, parts)
    return band, day, metres, visit
