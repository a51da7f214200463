"""The page of a fixed center or complex: its queues as they are now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import abort, render_template
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import local_day
from fleet.network.geo import km_matrix
from fleet.openings import hours_on, next_opening
from fleet.store import Site, SiteQueue
from queueing.slots import with_rules
from queueing.store import QueueService
from web import clock
from web.citizen import blueprint
from web.citizen.fragments import fragment
from web.citizen.situation import situation
from web.db import read

__all__ = ["hours_on", "next_opening"]
KINDS = ("fixed", "complex")


@blueprint.get("/centers/<int:site_id>")
def center(site_id: int) -> Any:
    """Hours, place, and each queue with a link to take a ticket."""
    site = _site(read(), site_id)
    now = clock.now()
    return render_template(
        "citizen/center.html",
        site=site,
        today=local_day(now),
        hours=hours_on(site, local_day(now)),
        **_live(site),
    )


@blueprint.get("/centers/<int:site_id>/status")
def center_status(site_id: int) -> Any:
    """The live piece of the center's page."""
    site = _site(read(), site_id)
    live = _live(site)

    def html() -> str:
        return render_template("citizen/_center_status.html", site=site, **live)

    return fragment(
        html, tuple(status.mark() for _queue, status in live["queues"]), live["as_of"], shared=True
    )


def _site(session: Session, site_id: int) -> Site:
    site = session.get(Site, site_id)
    if site is None or site.kind not in KINDS:
        abort(404)
    return site


def _live(site: Site) -> dict[str, Any]:
    now = clock.now()
    queues = [(queue, situation(read(), queue, now)) for queue in site.queues]
    return {
        "queues": queues,
        "bookable": with_rules(read(), [queue.id for queue, _status in queues]),
        "as_of": min((status.as_of for _queue, status in queues), default=now),
        "opens": next_opening(site, now) if not any(status.open for _queue, status in queues) else None,
    }


@dataclass(frozen=True)
class NearCenter:
    """A fixed center and how far it is (km, great circle)."""

    site: Site
    km: float


def nearest_centers(
    session: Session, lat: float, lon: float, *, limit: int, service_id: int | None = None
) -> list[NearCenter]:
    """The nearest working fixed centers and complexes, nearest first; with a service, those that offer it."""
    wanted = select(Site.id, Site.lat, Site.lon).where(Site.kind.in_(KINDS), Site.active).order_by(Site.id)
    if service_id is not None:
        offers = (
            select(SiteQueue.site_id)
            .join(QueueService, QueueService.queue_id == SiteQueue.queue_id)
            .where(QueueService.service_id == service_id)
        )
        wanted = wanted.where(Site.id.in_(offers))
    rows = session.execute(wanted).all()
    if not rows:
        return []
    away = km_matrix([lat], [lon], [row.lat for row in rows], [row.lon for row in rows])[0]
    order = sorted(zip(away.tolist(), (row.id for row in rows), strict=True))[:limit]
    return [NearCenter(session.get_one(Site, site_id), km) for km, site_id in order]
