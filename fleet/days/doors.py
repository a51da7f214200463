"""One line by the schedule: its queue, its desks, the people inside. Shared by buildings and visits."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, select, text
from sqlalchemy.orm import Session

from queueing import desks as counters
from queueing.store import AT_DESK_SQL, LIVE_SQL, Desk, Queue, Ticket

ACTOR = "schedule"

INSIDE = ("waiting", "called", "serving", "parked")
"""Ticket states of people who are inside."""


def open_line(session: Session, queue: Queue, now: datetime) -> None:
    """Open the queue and every desk that is closed; desks on a break stay so."""
    if queue.state != "open":
        counters.open_queue(session, queue, actor=ACTOR, now=now)
    for desk in _desks(session, queue):
        if desk.state == "closed":
            counters.open_desk(session, desk, actor=ACTOR, now=now)


def close_doors(session: Session, queue: Queue, now: datetime) -> int:
    """No new tickets any more; 1 when that changed something."""
    if queue.state != "open":
        return 0
    counters.pause_queue(session, queue, actor=ACTOR, now=now)
    return 1


def close_line(session: Session, queue: Queue, now: datetime) -> None:
    """The line ends and free desks close; who is at a desk is finished there, see `close_free_desks`."""
    if queue.state != "closed":
        counters.close_queue(session, queue, actor=ACTOR, now=now)


def close_free_desks(session: Session, now: datetime) -> int:
    """Desks of closed queues that were busy at closing and have finished since."""
    busy = exists().where(Ticket.desk_id == Desk.id, text(f"ticket.{AT_DESK_SQL}"))
    left = session.scalars(
        select(Desk)
        .join(Queue, Queue.id == Desk.queue_id)
        .where(Queue.state == "closed", Queue.held_by.is_(None), Desk.state != "closed", ~busy)
        .order_by(Desk.queue_id, Desk.id)
    ).all()
    for desk in left:
        counters.close_desk(session, desk, actor=ACTOR, now=now)
    return len(left)


def anyone_inside(session: Session, queue: Queue) -> bool:
    """Whether people wait, are served or have stepped aside. Repeats the words of the partial index, to use it."""
    inside = exists().where(Ticket.queue_id == queue.id, Ticket.state.in_(INSIDE), text(f"ticket.{LIVE_SQL}"))
    return bool(session.scalar(select(inside)))


def _desks(session: Session, queue: Queue) -> list[Desk]:
    return list(session.scalars(select(Desk).where(Desk.queue_id == queue.id).order_by(Desk.id)))
