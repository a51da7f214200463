"""Telling who held a ticket for a visit that is cancelled, ended early or has other hours; and where they can go."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.alternatives import Alternative, alternatives
from fleet.appointments import patterns
from fleet.store import Visit
from queueing import appointments
from queueing.notices import tell
from queueing.store import Queue, Ticket


def tell_called_off(session: Session, visits: Iterable[Visit], *, now: datetime) -> int:
    """Tell everybody whose ticket ended at `now` with one of these visits why, and the nearest place to go instead; how
    many. Call it when what takes their place is announced, so that it can be offered. Again it tells nobody twice."""
    told = 0
    by_queue = {visit.queue_id: visit for visit in visits}
    ended = session.scalars(
        select(Ticket)
        .where(
            Ticket.queue_id.in_(by_queue), Ticket.day.in_({visit.day for visit in by_queue.values()}),
            Ticket.state.in_(("cancelled", "left")), Ticket.ended_at == now,
        )
        .order_by(Ticket.id)
    ).all()  # fmt: skip
    nearest: dict[tuple[int, int], Alternative | None] = {}
    for ticket in ended:
        key = ticket.queue_id, ticket.service_id
        if key not in nearest:
            nearest[key] = next(iter(alternatives(session, *key, now=now, most=1)), None)
        visit, offer = by_queue[ticket.queue_id], nearest[key]
        facts: dict[str, Any] = {"reason_ar": visit.reason_ar, "reason_en": visit.reason_en}
        if offer is not None:
            at = offer.at or offer.opens_at
            facts |= {"offer": offer.queue.id, "offer_at": at.isoformat() if at is not None else None}
        told += tell(session, ticket, "called_off", now=now, **facts)
    return told


def fit_bookings(session: Session, queue_ids: Iterable[int], *, actor: str, now: datetime) -> int:
    """Bookings of visits whose hours changed come to lie within them; how many were moved and told. A queue that is
    out with its van is left to the van."""
    wanted = list(queue_ids)
    moved = 0
    rows = session.execute(
        select(Visit, Queue)
        .join(Queue, Queue.id == Visit.queue_id)
        .where(
            Queue.id.in_(wanted), Queue.held_by.is_(None), Visit.status.in_(("announced", "open")),
            select(Ticket.id).where(Ticket.queue_id == Queue.id, appointments.BOOKED).exists(),
        )
        .order_by(Queue.id)
        .execution_options(populate_existing=True)
    ).all()  # fmt: skip
    for visit, queue in rows:
        default = patterns(session, queue, visit.day)
        moved += appointments.fit(session, queue, visit.day, actor=actor, now=now, default=default)
    return moved
