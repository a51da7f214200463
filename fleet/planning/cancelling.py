"""Cancelling announced visits: they stay visible, struck through, with their reason, and their tickets are closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fleet.errors import Conflict
from fleet.planning.blobs import decode
from fleet.planning.frame import load_frame, marks_of
from fleet.planning.informing import tell_called_off
from fleet.planning.ledger import judge, tell, visits_of
from fleet.planning.tours import LONGEST_AWAY
from fleet.store import Plan, Visit
from fleet.tracking import touch_all
from queueing import counter
from queueing.events import Change, announce_all
from queueing.store import Queue, Ticket
from queueing.ticket import LIVE
from queueing.turn import OwnRequest


def cancel_visit(
    session: Session, visit: Visit, reason_ar: str, reason_en: str, *, actor: str, now: datetime
) -> int:
    """Cancel an announced visit and tell all its screens. Returns the tickets closed.

    A visit that is open or over cannot be cancelled (Conflict `visit_begun`); a second time does nothing. A van that
    was to stay the night there still does where the rest of its tour needs it.
    """
    return cancel_visits(session, [visit], reason_ar, reason_en, actor=actor, now=now)


def cancel_visits(
    session: Session,
    visits: Sequence[Visit],
    reason_ar: str,
    reason_en: str,
    *,
    actor: str,
    now: datetime,
    inform: bool = True,
) -> int:
    """Cancel announced visits for the same reason, as `cancel_visit` does one. Without `inform` the caller tells who
    held a ticket, once it has announced what takes the visits' place (fleet/planning/informing.py)."""
    chosen = [visit for visit in visits if visit.status != "cancelled"]
    for visit in chosen:
        if visit.status != "announced":
            raise Conflict("visit_begun", "A visit that has begun cannot be cancelled.", visit=visit.id)
    closed = cancel_all(session, chosen, reason_ar, reason_en, actor=actor, now=now)
    for visit in chosen:
        if visit.overnight and not _night_needed(session, visit):
            visit.overnight = False
    touch_all(session, {visit.center_id for visit in chosen}, part="visit", now=now)
    told: dict[int, list[int]] = {}
    for visit in chosen:
        if visit.plan_id is not None:
            told.setdefault(visit.plan_id, []).append(visit.id)
    for plan_id, some in sorted(told.items()):
        for visit_id in some:
            tell(session, session.get_one(Plan, plan_id), "visits", {"cancelled": visit_id}, now)
    session.flush()
    if inform:
        tell_called_off(session, chosen, now=now)
    return closed


def cancel_all(
    session: Session, visits: Sequence[Visit], reason_ar: str, reason_en: str, *, actor: str, now: datetime
) -> int:
    """Strike visits through, close their tickets and queues; their centers' screens, and who held a ticket, are told by
    the caller. Returns the tickets closed."""
    if not visits:
        return 0
    by_queue = {visit.queue_id: visit for visit in visits}
    for visit in visits:
        visit.status, visit.changed_at = "cancelled", now
        visit.reason_ar, visit.reason_en = reason_ar[:200], reason_en[:200]
    here = select(Queue.id).where(
        Queue.id.in_(by_queue), Queue.held_by.is_(None)
    )  # a van closes its line itself
    wanted = select(Ticket).where(Ticket.queue_id.in_(here), Ticket.state.in_(LIVE)).order_by(Ticket.id)
    tickets = session.scalars(wanted).all()
    for ticket in tickets:
        request = OwnRequest(f"cancelled#:{by_queue[ticket.queue_id].id}:{ticket.id}")
        counter.cancel(session, ticket, request_id=request, actor=actor, now=now)
    session.flush()
    session.execute(
        update(Queue)
        .where(Queue.id.in_(by_queue))
        .values(state="closed", seq=Queue.seq + 1)
        .execution_options(synchronize_session=False)
    )
    fresh = select(Queue).where(Queue.id.in_(by_queue)).order_by(Queue.id)
    changes = []
    for queue in session.scalars(fresh.execution_options(populate_existing=True)):
        visit = by_queue[queue.id]
        data = {
            "state": "closed",
            "parts": ["queue"],
            "reason_ar": visit.reason_ar,
            "reason_en": visit.reason_en,
        }
        changes.append(Change(f"queue:{queue.id}", queue.seq, "queue", data))
    announce_all(session, changes, now)
    return len(tickets)


def _night_needed(session: Session, visit: Visit) -> bool:
    """Whether a cancelled visit's van must sleep there all the same: it goes on from there, or what stands of its day
    ends too far out to come home, as the checker says."""
    goes_on = select(Visit.id).where(
        Visit.center_id == visit.center_id,
        Visit.day > visit.day,
        Visit.origin_site_id == visit.site_id,
        Visit.status != "cancelled",
        Visit.day <= visit.day + timedelta(days=LONGEST_AWAY),
    )
    if session.scalar(goes_on.limit(1)) is not None:
        return True
    plan = session.get(Plan, visit.plan_id) if visit.plan_id is not None else None
    if plan is None:
        return False
    stands = {
        (v.site_id, v.day)
        for v in session.scalars(
            select(Visit).where(
                Visit.plan_id == plan.id, Visit.center_id == visit.center_id, Visit.status != "cancelled"
            )
        )
    }
    rows = [
        v for v in visits_of(session, plan) if v.center_id == visit.center_id and (v.site_id, v.day) in stands
    ]
    frame, decoded = load_frame(session, plan.week), decode(plan.problem)
    day = frame.day_index(visit.day)
    marks = [
        replace(m, overnight=False) if m.day == day else m for m in marks_of(rows, frame) if m.day <= day
    ]
    return any(f.day == day for f in judge(marks, decoded).faults)
