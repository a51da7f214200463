"""Whose queue, whose desk: what of a site or a center a member of staff works with today."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from fleet.store import SiteQueue, Visit
from queueing.daytime import callable_days
from queueing.store import Desk, Queue
from web.accounts import Account

ZONE = "Africa/Cairo"


def todays_visit(session: Session, account: Account, now: datetime) -> Visit | None:
    """The visit of the account's mobile center that is open, else its next one today, else its last one today."""
    if account.center_id is None:
        return None
    visits = session.scalars(
        select(Visit)
        .where(
            Visit.center_id == account.center_id,
            Visit.day.in_(callable_days(now, ZONE)),
            Visit.status != "cancelled",
        )
        .order_by(Visit.opens_at)
        .options(joinedload(Visit.site), joinedload(Visit.center), joinedload(Visit.queue))
    ).all()
    for visit in visits:
        if visit.status == "open":
            return visit
    return next((visit for visit in visits if visit.closes_at > now), visits[-1] if visits else None)


def todays_queues(session: Session, account: Account, now: datetime) -> list[Queue]:
    """The queues the account works with today: its site's, or that of its center's visit."""
    if account.site_id is not None:
        chosen = select(Queue).join(SiteQueue).where(SiteQueue.site_id == account.site_id).order_by(Queue.id)
        return list(session.scalars(chosen))
    visit = todays_visit(session, account, now)
    return [visit.queue] if visit is not None else []


def desks_of(session: Session, queues: Sequence[Queue]) -> list[Desk]:
    """The desks of some queues, by queue and in the order they were set up."""
    ids = [queue.id for queue in queues]
    return list(session.scalars(select(Desk).where(Desk.queue_id.in_(ids)).order_by(Desk.queue_id, Desk.id)))


def own_desk(session: Session, account: Account, now: datetime) -> Desk | None:
    """Where the account sits: the desk it opened or took over, until it is closed or taken over."""
    ids = [queue.id for queue in todays_queues(session, account, now)]
    return session.scalars(
        select(Desk)
        .where(Desk.queue_id.in_(ids), Desk.operator == account.name, Desk.state != "closed")
        .order_by(Desk.id)
        .limit(1)
    ).first()


def sister_queues(session: Session, queue_id: int) -> list[Queue]:
    """The other queues of the same site, where a ticket can be sent on to."""
    site = select(SiteQueue.site_id).where(SiteQueue.queue_id == queue_id).scalar_subquery()
    return list(
        session.scalars(
            select(Queue)
            .join(SiteQueue)
            .where(SiteQueue.site_id == site, Queue.id != queue_id)
            .order_by(Queue.id)
        )
    )
