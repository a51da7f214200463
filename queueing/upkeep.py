"""What a supervisor sets up of a queue, and how a queue goes out of use: never while somebody stands in it or is booked
for it, and never taking its history along."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from queueing import audit
from queueing.desks import close_queue
from queueing.errors import Conflict, Invalid
from queueing.store import LIVE_SQL, Queue, QueueService, Service, Ticket
from queueing.turn import Turn

MOST_A_DAY = 9999
MOST_RECALLS = 20
LONGEST_COOL_DOWN_S = 3600
LONGEST_REASON = 200


def set_limits(
    session: Session,
    queue: Queue,
    *,
    daily_capacity: int | None,
    recall_limit: int,
    cool_down_s: int,
    actor: str,
    now: datetime,
) -> Queue:
    """How many tickets a day gives out (None: as many as there are numbers), how often one call is announced again,
    and how long who did not come is not offered by call next, seconds. Raises Invalid `limits`."""
    if daily_capacity is not None and not 0 <= daily_capacity <= MOST_A_DAY:
        raise Invalid("limits", f"tickets a day: 0 to {MOST_A_DAY}", field="daily_capacity")
    if not 0 <= recall_limit <= MOST_RECALLS:
        raise Invalid("limits", f"announced again: 0 to {MOST_RECALLS} times", field="recall_limit")
    if not 0 <= cool_down_s <= LONGEST_COOL_DOWN_S:
        raise Invalid(
            "limits", f"held after a no-show: 0 to {LONGEST_COOL_DOWN_S} seconds", field="cool_down_s"
        )
    wanted = {"daily_capacity": daily_capacity, "recall_limit": recall_limit, "cool_down_s": cool_down_s}
    with Turn(session, queue.id, request_id="limits", actor=actor, now=now) as turn:
        here = session.get_one(Queue, queue.id, populate_existing=True)
        before = {name: getattr(here, name) for name in wanted}
        if before != wanted:
            for name, value in wanted.items():
                setattr(here, name, value)
            changed = {name: [before[name], wanted[name]] for name in wanted if before[name] != wanted[name]}
            turn.say("queue", {"action": "limits"}, private=changed)
        return here


def take_out(session: Session, queue: Queue, *, reason: str, actor: str, now: datetime) -> list[int]:
    """Take a queue out of use: it is closed, and offers nothing any more; the ids of the services that it offered, for
    `put_back`. Its tickets, events, desks and figures stay. Where it stood is the caller's to change, in the same
    transaction.

    Raises Invalid `reason_missing`; Conflict `queue_in_use` while anybody is live in it, people booked for coming days
    too (`details`: how many are `here`, how many `booked`).
    """
    reason = reason.strip()[:LONGEST_REASON]
    if not reason:
        raise Invalid("reason_missing", "say why the queue goes out of use", field="reason")
    # Whoever wants to join or book waits for this turn, and then finds a closed queue without services.
    with Turn(session, queue.id, request_id="out", actor=actor, now=now):
        states = list(
            session.scalars(
                select(Ticket.state).where(text(f"ticket.{LIVE_SQL}"), Ticket.queue_id == queue.id)
            )
        )
        if states:
            booked = states.count("booked")
            words = f"{len(states)} people still stand in this queue or are booked for it"
            raise Conflict("queue_in_use", words, here=len(states) - booked, booked=booked)
    close_queue(session, queue, actor=actor, now=now)
    offered = select(QueueService.service_id).where(QueueService.queue_id == queue.id)
    services = list(session.scalars(offered.order_by(QueueService.service_id)))
    session.execute(delete(QueueService).where(QueueService.queue_id == queue.id))
    _note(session, queue, "queue_retired", actor, now, {"reason": reason})
    session.flush()
    return services


def put_back(session: Session, queue: Queue, services: Sequence[int], *, actor: str, now: datetime) -> None:
    """Let a queue that was taken out offer its services again. It stays closed until somebody opens it."""
    with Turn(session, queue.id, request_id="back", actor=actor, now=now):
        there = set(session.scalars(select(QueueService.service_id).where(QueueService.queue_id == queue.id)))
        known = set(session.scalars(select(Service.id).where(Service.id.in_(services))))
        for service in sorted(known - there):
            session.add(QueueService(queue_id=queue.id, service_id=service))
    _note(session, queue, "queue_back", actor, now, {})
    session.flush()


def _note(
    session: Session, queue: Queue, action: str, actor: str, now: datetime, data: dict[str, str]
) -> None:
    name = f"{queue.name_ar} / {queue.name_en}"
    audit.note(session, f"queue:{queue.id}", action, actor=actor, now=now, subject=name, data=data)
