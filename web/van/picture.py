"""At headquarters: what the laptop of a mobile center should know. Rows by table, in the order to store them in.

What changes on the van (states of queues and desks, whether a visit is open) is not in it. Tickets given out here
before the lease come once, as they were then, with their events; from the lease on they are the van's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session, joinedload

from fleet.calendar import local_day
from fleet.store import Center, Crew, Governorate, LocalUnit, Site, Visit
from queueing.journal.facts import columns_of, facts_of
from queueing.store import (
    LIVE_SQL,
    Desk,
    DeskService,
    QueueService,
    Service,
    Ticket,
    TicketEvent,
    to_micros,
)
from queueing.store_journal import Feed, JournalEntry, JournalTicket, Lease, Wish
from web.accounts import Account
from web.van.rows import as_json

DAYS_AHEAD = 8
OWN_QUEUE = ("state", "seq", "pace_s", "pace_cv2", "held_by", "closing", "resumes_at", "moved_to_id")
OWN_DESK = ("state", "operator")
OWN_VISIT = ("status", "opened_at", "closed_at", "plan_id", "hours_saved")
OWN_CENTER = ("state", "seq", "last_heard_at", "silent", "lat", "lon", "late_minutes")
KEPT = {"queue": OWN_QUEUE, "desk": OWN_DESK, "visit": OWN_VISIT, "center": OWN_CENTER}
"""Columns that live on the van once the row is there."""
Rows = dict[str, dict[str, dict[str, Any]]]


def picture(session: Session, center_id: int, device: str, now: datetime) -> Rows:
    """table -> key -> row."""
    today = local_day(now)
    center = session.get_one(Center, center_id)
    # What belongs together is asked for together: a round trip for each table is most of what an empty exchange costs.
    visits = _visits(session, center_id, today)
    queues = {visit.queue.id: visit.queue for visit in visits}
    queue_ids = list(queues)
    sites, units = _places(session, [v.site_id for v in visits] + [v.origin_site_id for v in visits])
    within: list[Center | Site | LocalUnit] = [center, *sites.values(), *units.values()]
    lie_in = [row.governorate_id for row in within]
    areas = _by_id(session, Governorate, lie_in)
    offers = session.execute(
        select(QueueService, Service)
        .join(Service, Service.id == QueueService.service_id)
        .where(QueueService.queue_id.in_(queue_ids))
        .order_by(Service.id)
    ).all()
    offered, services = [row[0] for row in offers], {row[1].id: row[1] for row in offers}
    at_desks = session.execute(
        select(Desk, DeskService)
        .outerjoin(DeskService, DeskService.desk_id == Desk.id)
        .where(Desk.queue_id.in_(queue_ids))
        .order_by(Desk.id)
    ).all()
    desks = list({row[0].id: row[0] for row in at_desks}.values())
    limits = [row[1] for row in at_desks if row[1] is not None]
    # A site's nearest one must be stored before it.
    in_order = sorted(sites.values(), key=lambda s: (s.nearest_fixed_id in sites, s.id))
    crews = session.scalars(select(Crew).where(Crew.center_id == center_id)).all()
    staff = session.scalars(
        select(Account).where(Account.center_id == center_id, Account.active.is_(True)).order_by(Account.id)
    ).all()
    wishes = session.scalars(select(Wish).where(Wish.queue_id.in_(queue_ids), Wish.day >= today)).all()
    return {
        "governorate": _rows(areas.values()),
        "local_unit": _rows(units.values()),
        "site": _rows(in_order, without=("search_key",)),
        "center": _rows([center], without=OWN_CENTER),
        "crew": _rows(crews),
        "service": _rows(services.values()),
        "queue": _rows(queues.values(), without=OWN_QUEUE),
        "queue_service": {f"{r.queue_id}:{r.service_id}": as_json(r) for r in offered},
        "desk": _rows(desks, without=OWN_DESK),
        "desk_service": {f"{r.desk_id}:{r.service_id}": as_json(r) for r in limits},
        "visit": {
            str(v.id): {**as_json(v, OWN_VISIT), "cancelled": v.status == "cancelled"} for v in visits
        },
        "account": _rows(staff),
        "ticket": _tickets(session, device, queue_ids, today),
        "wish": {w.request_id: as_json(w, ("state", "reason")) | {"withdrawn": w.state == "withdrawn"} for w in wishes},
    }  # fmt: skip


def _visits(session: Session, center_id: int, today: date) -> Sequence[Visit]:
    return session.scalars(
        select(Visit)
        .where(Visit.center_id == center_id, Visit.day.between(today, today + timedelta(days=DAYS_AHEAD)))
        .order_by(Visit.opens_at)
        .options(joinedload(Visit.queue))
    ).all()


def _places(session: Session, ids: Sequence[int | None]) -> tuple[dict[int, Site], dict[int, LocalUnit]]:
    """Sites, those nearest to them, and the local units of all."""
    wanted = {number for number in ids if number is not None}
    nearest = select(Site.nearest_fixed_id).where(Site.id.in_(wanted))
    rows = session.execute(
        select(Site, LocalUnit)
        .join(LocalUnit, LocalUnit.id == Site.local_unit_id)
        .where(or_(Site.id.in_(wanted), Site.id.in_(nearest)))
        .order_by(Site.id)
    ).all()
    return {row[0].id: row[0] for row in rows}, {row[1].id: row[1] for row in rows}


def _by_id(session: Session, model: Any, ids: Sequence[int | None]) -> dict[int, Any]:
    wanted = {number for number in ids if number is not None}
    rows = (
        session.scalars(select(model).where(model.id.in_(wanted)).order_by(model.id)).all() if wanted else []
    )
    return {row.id: row for row in rows}


def _rows(rows: Any, without: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    return {str(row.id): as_json(row, without) for row in rows}


def _tickets(
    session: Session, device: str, queue_ids: Sequence[int], today: date
) -> dict[str, dict[str, Any]]:
    """Tickets given out here, of the days that are leased to the device: those who still stood there when it was told
    first, and their histories up to then."""
    told = set(session.scalars(select(Feed.key).where(Feed.device == device, Feed.name == "ticket")))
    leased = select(Lease.queue_id).where(
        Lease.device == device, Lease.ended_at.is_(None), Lease.day >= today, Lease.queue_id.in_(queue_ids)
    )
    # Whom a laptop has in its own log is not given to another; whom one had that does not run this queue any more, is.
    gone = select(Lease.device).where(Lease.queue_id == Ticket.queue_id, Lease.ended_at.is_not(None))
    of_logs = select(JournalEntry.ticket_code).where(
        JournalEntry.ticket_code == Ticket.code,
        or_(JournalEntry.device == device, JournalEntry.device.not_in(gone)),
    )
    stands = text(f"ticket.{LIVE_SQL}")
    chosen = select(Ticket).where(
        Ticket.queue_id.in_(leased), Ticket.day >= today,
        or_(Ticket.code.in_(told), stands & ~of_logs.exists()),
    )  # fmt: skip
    found = {}
    for ticket in session.scalars(chosen.order_by(Ticket.id)).all():
        # The digest is of the code alone: what the van does with the ticket must not come back to it as news.
        found[ticket.code] = {"_as": ticket.code, "id": ticket.id}
    return found


def ticket_row(session: Session, ticket_id: int) -> dict[str, Any]:
    """A ticket given out here, whole, for a device that will go on with it. What it is replayed upon is kept."""
    ticket = session.get_one(Ticket, ticket_id)
    known = session.get(JournalTicket, ticket.code)
    if known is None:
        known = JournalTicket(code=ticket.code, facts=facts_of(ticket), corrections={})
        session.add(known)
    events = session.scalars(
        select(TicketEvent).where(TicketEvent.ticket_id == ticket.id).order_by(TicketEvent.id)
    ).all()
    return {
        "facts": known.facts,
        "columns": {name: value for name, value in columns_of(ticket).items() if value not in (None, "")},
        "events": [
            {
                "a": e.action, "f": e.state_from, "t": e.state_to, "w": e.actor, "h": to_micros(e.happened_at),
                "r": e.request_id, "d": e.desk_id,
            }
            | ({"b": e.data["before"]} if e is events[-1] and e.data.get("before") else {})
            | ({"o": e.data["from"]} if e.data.get("from") is not None else {})
            for e in events
        ],
    }  # fmt: skip
