"""What a supervisor sets up of a queue, and how a queue goes out of use: never while somebody stands in it, and never
taking its history along."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from queueing import audit
from queueing.desks import close_queue
from queueing.errors import Conflict, Invalid
from queueing.status import people_live
from queueing.store import Desk, Queue, QueueDay, QueueHour, QueueService, Ticket
from queueing.turn import Turn

MOST_A_DAY = 9999
MOST_RECALLS = 20
LONGEST_COOL_DOWN_S = 3600


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


def delete_queue(session: Session, queue: Queue, *, actor: str, now: datetime) -> bool:
    """Take a queue out of use. True when nothing is left of it; False when its tickets keep it in history: it is then
    closed and offers no service any more.

    Raises Conflict `queue_in_use` while anybody is live in it, booked people of coming days too.
    """
    with Turn(session, queue.id, request_id="delete", actor=actor, now=now):
        live = people_live(session, [queue.id]).get(queue.id, 0)
        if live:
            raise Conflict(
                "queue_in_use", f"{live} people still stand in this queue or are booked for it", people=live
            )
    used = session.scalar(select(Ticket.id).where(Ticket.queue_id == queue.id).limit(1)) is not None
    close_queue(session, queue, actor=actor, now=now)
    session.execute(delete(QueueService).where(QueueService.queue_id == queue.id))
    name = f"{queue.name_ar} / {queue.name_en}"[:80]
    audit.note(
        session, f"queue:{queue.id}", "queue_deleted", actor=actor, now=now, subject=name, data={"kept": used}
    )
    if used:
        session.flush()
        return False
    session.flush()
    for table in (QueueHour, QueueDay, Desk):
        session.execute(delete(table).where(table.queue_id == queue.id))
    session.expire_all()
    session.delete(session.get_one(Queue, queue.id))
    session.flush()
    return True
