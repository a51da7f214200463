"""A building's queue goes out of use, with a reason, and comes back.

While it is out, nothing that asks where queues stand finds it: no page, no kiosk, no opening in the morning, no
forecast. Whoever looks back does (`queues_in_use_on`, `site_of`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from fleet.errors import Conflict, NotFound
from fleet.store import Site, SiteQueue
from fleet.store_retired import RetiredQueue
from queueing.daytime import day_bounds
from queueing.store import Queue
from queueing.upkeep import put_back, take_out

ZONE = "Africa/Cairo"


def retire(session: Session, queue: Queue, *, reason: str, actor: str, now: datetime) -> RetiredQueue:
    """Take a queue out of use. Doing it again changes nothing.

    Raises NotFound `queue_not_found` for one that stands at no building (a visit's goes with its visit), Conflict
    `last_queue` for the only one of its place, and what `queueing.upkeep.take_out` raises.
    """
    known = session.get(RetiredQueue, queue.id)
    if known is not None:
        return known
    stands = session.get(SiteQueue, queue.id, with_for_update=True)
    if stands is None:
        raise NotFound("queue_not_found", "this queue stands at no building", queue=queue.id)
    # Two that go at once must not both be the last but one: the place is locked, not only the queue.
    session.scalars(select(Site.id).where(Site.id == stands.site_id).with_for_update()).one()
    left = session.scalar(select(func.count()).where(SiteQueue.site_id == stands.site_id)) or 0
    if left < 2:
        raise Conflict("last_queue", "a place keeps at least one queue", site=stands.site_id)
    services = take_out(session, queue, reason=reason, actor=actor, now=now)
    made = RetiredQueue(
        queue_id=queue.id, site_id=stands.site_id, services=services, retired_at=now, retired_by=actor[:80],
        reason=reason.strip()[:200],
    )  # fmt: skip
    session.delete(stands)
    session.add(made)
    session.flush()
    session.expire_all()
    return made


def bring_back(session: Session, queue: Queue, *, actor: str, now: datetime) -> bool:
    """Let a queue stand again where it stood, closed, with the services that it offered; False when it does."""
    out = session.get(RetiredQueue, queue.id, with_for_update=True)
    if out is None:
        return False
    put_back(session, queue, out.services, actor=actor, now=now)
    session.add(SiteQueue(queue_id=queue.id, site_id=out.site_id))
    session.delete(out)
    session.flush()
    session.expire_all()
    return True


def out_of_use(session: Session, site_id: int) -> Sequence[tuple[RetiredQueue, Queue]]:
    """The queues of a place that are out of use, the latest first."""
    rows = session.execute(
        select(RetiredQueue, Queue)
        .join(Queue, Queue.id == RetiredQueue.queue_id)
        .where(RetiredQueue.site_id == site_id)
        .order_by(RetiredQueue.retired_at.desc(), RetiredQueue.queue_id)
    ).all()
    return [(row[0], row[1]) for row in rows]


def queues_in_use_on(session: Session, site_id: int, day: date) -> list[Queue]:
    """The queues of a place on a local day: those that stand there, and those that still did on that day."""
    begin, _end = day_bounds(day, ZONE)
    here = select(SiteQueue.queue_id).where(SiteQueue.site_id == site_id)
    then = select(RetiredQueue.queue_id).where(
        RetiredQueue.site_id == site_id, RetiredQueue.retired_at >= begin
    )
    chosen = select(Queue).where(or_(Queue.id.in_(here), Queue.id.in_(then)))
    return list(session.scalars(chosen.order_by(Queue.id)))


def site_of(session: Session, queue_id: int) -> Site | None:
    """The building at which a queue stands, or stood until it went out of use."""
    for table in (SiteQueue, RetiredQueue):
        found = session.scalar(
            select(Site).join(table, table.site_id == Site.id).where(table.queue_id == queue_id)
        )
        if found is not None:
            return found
    return None
