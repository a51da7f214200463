"""A queue is closed while people wait, at a building or at a visit: what a supervisor chose is done, and the visit is
over when nobody is left."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.appointments import patterns
from fleet.days import close_visit
from fleet.store import Visit
from queueing.closing import Closing, close_with, require_told
from queueing.daytime import local_day
from queueing.errors import Invalid
from queueing.store import Queue


def end_queue(
    session: Session,
    queue: Queue,
    choice: str | None,
    *,
    request_id: str,
    actor: str,
    now: datetime,
    to_queue: Queue | None = None,
    day: date | None = None,
    reason: str = "",
    told: int | None = None,
) -> Closing:
    """Close a queue. `choice`: `serve`, `move` (to `to_queue`, this one if None, on `day`, tomorrow if None), `cancel`
    (with a `reason`, and no more people than `told`); None: only when nobody would lose anything.

    Raises Invalid `reason_missing`, and what `queueing.closing.close_with` raises: `people_waiting` above all.
    """
    if choice is None:
        require_told(session, queue, 0, now=now)
        choice = "serve"  # whoever is at a desk is finished there
    if choice == "cancel" and not reason.strip():
        raise Invalid("reason_missing", "say why: they read it", field="reason")
    day = day or local_day(now, queue.zone) + timedelta(days=1)
    default = patterns(session, to_queue or queue, day) if choice == "move" else ()
    done = close_with(
        session, queue, choice, actor=actor, now=now, to_queue=to_queue, day=day, default=default,
        reason=reason.strip(), told=told, request_id=request_id,
    )  # fmt: skip
    visit = session.scalar(select(Visit).where(Visit.queue_id == queue.id))
    if not done.repeated and not done.inside and visit is not None and visit.status == "open":
        close_visit(session, visit, now=now)
    return done
