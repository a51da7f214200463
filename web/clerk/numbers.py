"""An agency's days in numbers, from its tickets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from fleet.store import Site, SiteQueue, Visit
from queueing.store import Service, Ticket


@dataclass(frozen=True)
class AgencyRow:
    """An agency's services at one site in a span of days. `wait_s`: mean seconds from ticket to call of the called."""

    site: Site
    issued: int
    waiting: int
    served: int
    left: int
    wait_s: float | None


def agency_rows(session: Session, agency_code: str, first: date, last: date) -> list[AgencyRow]:
    """Tickets for the agency's services from `first` to `last` (local days, inclusive), by site, most tickets first."""
    at = (
        select(SiteQueue.queue_id, SiteQueue.site_id)
        .union_all(select(Visit.queue_id, Visit.site_id))
        .subquery()
    )
    rows = session.execute(
        select(
            at.c.site_id,
            func.count(),
            func.sum(case((Ticket.state == "waiting", 1), else_=0)),
            func.sum(case((Ticket.state == "served", 1), else_=0)),
            func.sum(case((Ticket.state.in_(("left", "cancelled")), 1), else_=0)),
        )
        .select_from(Ticket)
        .join(Service, Service.id == Ticket.service_id)
        .join(at, at.c.queue_id == Ticket.queue_id)
        .where(Service.agency_code == agency_code, Ticket.day.between(first, last))
        .group_by(at.c.site_id)
    ).all()
    waits: dict[int, list[float]] = {}
    called = (
        select(at.c.site_id, Ticket.called_at, Ticket.issued_at)
        .select_from(Ticket)
        .join(Service, Service.id == Ticket.service_id)
        .join(at, at.c.queue_id == Ticket.queue_id)
        .where(
            Service.agency_code == agency_code, Ticket.day.between(first, last), Ticket.called_at.is_not(None)
        )
    )
    for site_id, called_at, issued_at in session.execute(called):
        waits.setdefault(site_id, []).append((called_at - issued_at).total_seconds())
    sites = {
        site.id: site for site in session.scalars(select(Site).where(Site.id.in_([row[0] for row in rows])))
    }
    made = [
        AgencyRow(
            sites[site_id],
            issued,
            int(waiting or 0),
            int(served or 0),
            int(left or 0),
            sum(waits[site_id]) / len(waits[site_id]) if site_id in waits else None,
        )
        for site_id, issued, waiting, served, left in rows
    ]
    return sorted(made, key=lambda row: (-row.issued, row.site.id))


def week_of(day: date) -> date:
    """The Saturday on which the working week of `day` begins."""
    return day - timedelta(days=(day.weekday() - 5) % 7)
