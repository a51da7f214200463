"""Questions of screens to the live line in SQL: how many stand before whom, which desks are free.

Every query repeats the condition of a partial index (`store.LIVE_SQL`), so that none ever reads history.
Statements are built once: SQLAlchemy then only binds values.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Select, and_, bindparam, exists, func, or_, select, text
from sqlalchemy.orm import Session, aliased

from queueing.ledger import BOOKED_AHEAD, Standing, since_of
from queueing.order import HEAD_START, PRIORITIES
from queueing.store import AT_DESK_SQL, LIVE_SQL, Desk, DeskService, Ticket
from queueing.ticket import APPOINTMENT_GRACE

since = since_of


ANY_SERVICE = 0
"""In place of a service id: desks are counted whatever they serve."""


def _serves_it(desk: Any) -> Any:
    limits = aliased(DeskService, name="limits")
    mine = select(limits.service_id).where(limits.desk_id == desk.id)
    wanted = bindparam("service", type_=Integer())
    return or_(wanted == ANY_SERVICE, ~exists(mine), exists(mine.where(limits.service_id == wanted)))


def _standing() -> Select[Any]:
    when = Ticket.aged_from.type
    w, b = aliased(Ticket, name="w"), aliased(Ticket, name="b")
    d, f, o = aliased(Desk, name="d"), aliased(Desk, name="f"), aliased(Ticket, name="o")
    waiting: list[Any] = [
        text(f"w.{LIVE_SQL}"),
        w.queue_id == bindparam("the_queue"),
        w.state == "waiting",
        w.aged_from >= bindparam("since", type_=when),
    ]
    before = or_(
        *(
            and_(
                w.priority == number,
                or_(
                    w.aged_from < bindparam(f"key{number}", type_=when),
                    and_(
                        w.aged_from == bindparam(f"key{number}", type_=when), w.number < bindparam("number")
                    ),
                ),
            )
            for number in PRIORITIES
        )
    )
    due: list[Any] = [
        text(f"b.{LIVE_SQL}"),
        b.queue_id == bindparam("the_queue"),
        b.state == "booked",
        b.aged_from.between(bindparam("due_from", type_=when), bindparam("due_to", type_=when)),
    ]
    busy = select(o.id).where(text(f"o.{AT_DESK_SQL}"), o.desk_id == f.id)
    return select(
        select(func.count()).select_from(w).where(*waiting, before).scalar_subquery(),
        select(func.count()).select_from(w).where(*waiting).scalar_subquery(),
        select(func.count()).select_from(b).where(*due).scalar_subquery(),
        select(func.count())
        .select_from(d)
        .where(d.queue_id == bindparam("the_queue"), d.state == "open", _serves_it(d))
        .scalar_subquery(),
        select(func.count())
        .select_from(f)
        .where(f.queue_id == bindparam("the_queue"), f.state == "open", _serves_it(f), ~exists(busy))
        .scalar_subquery(),
    )


_STANDING = _standing()
_LAST_NUMBER = 2**31 - 1


def standing(
    session: Session,
    queue_id: int,
    service_id: int,
    *,
    now: datetime,
    zone: str,
    aged_from: datetime,
    priority: int,
    number: int = _LAST_NUMBER,
) -> Standing:
    """How somebody of this class, age and number stands (not counted themself), and the desks for their
    service."""
    place = aged_from - HEAD_START[priority]
    values: dict[str, Any] = {
        "the_queue": queue_id,
        "service": service_id,
        "since": since(now, zone),
        "number": number,
        "due_from": now - APPOINTMENT_GRACE,
        "due_to": now + BOOKED_AHEAD,
    }
    values |= {f"key{c}": place + HEAD_START[c] for c in PRIORITIES}
    before, waiting, due, desks, free = session.connection().execute(_STANDING, values).one()
    return Standing(before + due, waiting, desks, free)


def standing_of(session: Session, ticket: Ticket, *, now: datetime, zone: str) -> Standing:
    """How the holder of a waiting ticket stands in its queue of `zone`."""
    return standing(
        session,
        ticket.queue_id,
        ticket.service_id,
        now=now,
        zone=zone,
        aged_from=ticket.aged_from,
        priority=ticket.priority,
        number=ticket.number,
    )


_OPEN_TICKET = select(Ticket).where(text(f"ticket.{AT_DESK_SQL}"), Ticket.desk_id == bindparam("the_desk"))


def open_ticket(session: Session, desk_id: int) -> Ticket | None:
    """The ticket a desk has open now, if any."""
    return session.scalar(_OPEN_TICKET, {"the_desk": desk_id}, execution_options={"populate_existing": True})
