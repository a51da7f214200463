"""Wishes: what is asked at headquarters of a queue that is out with a van, and done there when it is heard.

A citizen who joins by phone gets the code of the ticket at once and the number when the van has been heard; the page
says so. Leaving goes the same way. On the van wishes become ordinary verbs, with the wish's id as request id.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import counter
from queueing.errors import Closed, QueueingError
from queueing.issuing import clean_phone, random_code, service_of
from queueing.order import HIGHEST, ORDINARY
from queueing.store import Queue, Ticket
from queueing.store_journal import Lease, Wish
from queueing.ticket import LIVE

NOT_YET = ("queue_closed", "queue_paused", "queue_held")
"""Refusals that may be over soon: the wish stays open."""


def join(
    session: Session,
    queue: Queue,
    service_code: str,
    *,
    request_id: str,
    now: datetime,
    priority: int = 0,
    phone: str | None = None,
    new_code: Callable[[], str] = random_code,
) -> Wish:
    """Ask for a ticket in a queue that a van runs. The same request, or the same phone again, is the same wish.
    Raises Closed `queue_closed` when the queue is not out with a van, Invalid `unknown_service`."""
    known = session.get(Wish, request_id)
    if known is not None:
        return known
    held = session.scalar(
        select(Lease).where(
            Lease.queue_id == queue.id, Lease.device == queue.held_by, Lease.ended_at.is_(None)
        )
    )
    if held is None:
        raise Closed("queue_closed", "this queue is closed", queue=queue.id)
    service_of(session, queue.id, service_code)
    phone = clean_phone(phone)
    if phone is not None:
        mine = session.scalar(
            select(Wish).where(
                Wish.queue_id == queue.id, Wish.phone == phone, Wish.kind == "join", Wish.state == "open"
            )
        )
        if mine is not None:
            return mine
    wish = Wish(
        request_id=request_id, kind="join", queue_id=queue.id, day=held.day, code=new_code(),
        service_code=service_code, priority=min(max(priority, ORDINARY), HIGHEST), phone=phone, made_at=now,
    )  # fmt: skip
    session.add(wish)
    session.flush()
    return wish


def leave(session: Session, code: str, queue_id: int, day: date, *, request_id: str, now: datetime) -> Wish:
    """Ask the van to take somebody out of its line; a joining that nobody has carried there yet is withdrawn."""
    known = session.get(Wish, request_id)
    if known is not None:
        return known
    mine = session.scalar(select(Wish).where(Wish.code == code, Wish.kind == "join", Wish.state == "open"))
    if mine is not None and not session.scalar(select(Ticket.id).where(Ticket.code == code)):
        mine.state = "withdrawn"  # the van may have it: it hears of that, too
    wish = Wish(
        request_id=request_id, kind="leave", queue_id=queue_id, day=day, code=code, made_at=now, state="open"
    )
    session.add(wish)
    session.flush()
    return wish


def waiting_join(session: Session, code: str) -> Wish | None:
    """The joining with this code, while no ticket with a number has come of it."""
    return session.scalar(select(Wish).where(Wish.code == code, Wish.kind == "join"))


def carry_out(session: Session, *, now: datetime) -> int:
    """On the van: do what can be done now; returns how many wishes were answered."""
    answered = 0
    for wish in session.scalars(select(Wish).where(Wish.state == "open").order_by(Wish.made_at)).all():
        try:
            with session.begin_nested():
                _do(session, wish, now)
        except QueueingError as error:
            if error.code in NOT_YET and wish.kind == "join":
                continue
            wish.state, wish.reason = "refused", error.code[:40]
        else:
            wish.state = "done"
        answered += 1
    session.flush()
    return answered


def _do(session: Session, wish: Wish, now: datetime) -> None:
    ticket = session.scalar(select(Ticket).where(Ticket.code == wish.code))
    if wish.kind == "leave":
        if ticket is not None and ticket.state in LIVE:
            counter.leave(session, ticket, request_id=wish.request_id, actor="phone", now=now)
    elif ticket is None:
        counter.issue(
            session, session.get_one(Queue, wish.queue_id), wish.service_code, request_id=wish.request_id,
            actor="phone", now=now, priority=wish.priority, channel="phone", phone=wish.phone,
            new_code=lambda: wish.code,
        )  # fmt: skip
