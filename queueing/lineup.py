"""Questions to the live line in SQL: who can be called, how many stand before whom, which desks are free.

Every query repeats the condition of a partial index (`store.LIVE_SQL`), so that none ever reads history.
Statements are built once: SQLAlchemy then only binds values.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from queueing.daytime import callable_days, day_bounds
from queueing.order import HEAD_START, PRIORITIES
from queueing.store import AT_DESK_SQL, LIVE_SQL, Desk, DeskService, Ticket
from queueing.ticket import APPOINTMENT_GRACE

BOOKED_AHEAD = timedelta(minutes=60)
"""Booked people who are due within this time count as standing before somebody who joins now."""


def since(now: datetime, zone: str) -> datetime:
    """The instant from which waiting people count: the start of today, in the small hours of yesterday.

    A ticket forgotten on an earlier day is neither called nor counted, even before the job has closed it.
    """
    return day_bounds(callable_days(now, zone)[-1], zone)[0]


def _offered_by_class(limited: bool) -> Select[Any]:
    """The first of each priority class that may be offered: within a class the order is by age alone."""
    firsts = []
    for number in PRIORITIES:
        one = aliased(Ticket, name=f"t{number}")
        first = (
            select(one.id)
            .where(
                text(f"t{number}.{LIVE_SQL}"),
                one.queue_id == bindparam("the_queue"),
                one.state == "waiting",
                one.priority == number,
                one.aged_from >= bindparam("since", type_=Ticket.aged_from.type),
                or_(
                    one.hold_until.is_(None), one.hold_until <= bindparam("now", type_=Ticket.aged_from.type)
                ),
            )
            .order_by(one.aged_from, one.number)
            .limit(1)
        )
        if limited:
            first = first.where(one.service_id.in_(bindparam("services", expanding=True)))
        firsts.append(select(first.subquery(f"f{number}").c.id))
    # Appointments that have not come yet sort after the due of their class, so the first of the class is
    # enough.
    return select(Ticket).where(Ticket.id.in_(union_all(*firsts).scalar_subquery()))


_OFFERED, _OFFERED_LIMITED = _offered_by_class(False), _offered_by_class(True)


def candidates(
    session: Session, queue_id: int, *, now: datetime, since: datetime, services: Sequence[int] | None
) -> Sequence[Ticket]:
    """At most one waiting ticket per priority class, among which `order.choose` finds who is next in the
    whole line."""
    values: dict[str, Any] = {"the_queue": queue_id, "now": now, "since": since}
    if services is not None:
        values["services"] = list(services)
    statement = _OFFERED if services is None else _OFFERED_LIMITED
    return session.scalars(statement, values, execution_options={"populate_existing": True}).all()


ANY_SERVICE = 0
"""In place of a service id: desks are counted whatever they serve."""


class Standing(NamedTuple):
    """What a wait follows from."""

    ahead: int
    waiting: int
    desks: int
    free: int


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
    since: datetime,
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
        "since": since,
        "number": number,
        "due_from": now - APPOINTMENT_GRACE,
        "due_to": now + BOOKED_AHEAD,
    }
    values |= {f"key{c}": place + HEAD_START[c] for c in PRIORITIES}
    before, waiting, due, desks, free = session.connection().execute(_STANDING, values).one()
    return Standing(before + due, waiting, desks, free)


_ONE = aliased(Ticket, name="one")
_WAITING = (
    select(func.count())
    .select_from(_ONE)
    .where(
        text(f"one.{LIVE_SQL}"),
        _ONE.queue_id == bindparam("the_queue"),
        _ONE.state == "waiting",
        _ONE.aged_from >= bindparam("since", type_=Ticket.aged_from.type),
    )
)
_OPEN_TICKET = select(Ticket).where(text(f"ticket.{AT_DESK_SQL}"), Ticket.desk_id == bindparam("the_desk"))


def waiting_count(connection: Connection, queue_id: int, since: datetime) -> int:
    """How many wait."""
    return connection.scalar(_WAITING, {"the_queue": queue_id, "since": since}) or 0


def open_ticket(session: Session, desk_id: int) -> Ticket | None:
    """The ticket a desk has open now, if any."""
    return session.scalar(_OPEN_TICKET, {"the_desk": desk_id}, execution_options={"populate_existing": True})
