"""Who is nearly next and left a telephone number is told once: come to the queue now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from queueing.lineup import since
from queueing.notices import tell
from queueing.order import rank
from queueing.store import LIVE_SQL, Queue, Ticket

PLACES = 3
"""Told when at most this many are called before or with them."""


def tell_near(session: Session, *, now: datetime, places: int = PLACES) -> int:
    """Write the message to everybody who stands at one of the first `places` places of a line and has a telephone
    number; how many. For a job: nobody is told twice, also when they fall back and come up again."""
    with_phone = (
        select(Ticket.queue_id)
        .where(text(f"ticket.{LIVE_SQL}"), Ticket.state == "waiting", Ticket.phone.is_not(None))
        .distinct()
    )
    queues = session.execute(
        select(Queue.id, Queue.zone).where(
            Queue.id.in_(with_phone), Queue.state != "closed", Queue.held_by.is_(None)
        )
    ).all()
    told = 0
    for queue_id, zone in queues:
        first = first_in_line(session, queue_id, zone, now=now, places=places)
        told += sum(tell(session, ticket, "near", now=now) for ticket in first if ticket.phone is not None)
    return told


def first_in_line(
    session: Session, queue_id: int, zone: str, *, now: datetime, places: int = PLACES
) -> list[Ticket]:
    """Who stands at the first `places` places of a line."""
    line = session.scalars(
        select(Ticket).where(
            text(f"ticket.{LIVE_SQL}"),
            Ticket.queue_id == queue_id,
            Ticket.state == "waiting",
            Ticket.aged_from >= since(now, zone),
        )
    ).all()
    return sorted(line, key=lambda ticket: rank(ticket, now))[:places]
