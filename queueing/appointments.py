"""Appointments: booking into a slot, confirming, moving, giving back, and what happens by itself around them.

The day of an appointment, for who keeps it and who does not:

- early: the person waits until the time, or is called before it when nobody who is due waits (queueing/order.py);
- up to `APPOINTMENT_GRACE` late: the appointment counts from its time;
- not there by then: marked by `mark_no_shows`, and welcome as somebody who walks in (`counter.arrive`). The clock of a
  no-show runs only while the queue works: nobody misses an appointment with a van that has not come.

`ask_and_remind` asks to confirm a day before (and `free_unconfirmed` frees what nobody confirmed), reminds a day and
two hours before: each once, through queueing/notices.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import date, datetime, timedelta

from sqlalchemy import and_, bindparam, func, select, text
from sqlalchemy.orm import Session

from queueing.daytime import day_bounds, local_day
from queueing.errors import Closed, Conflict, Exhausted, Invalid
from queueing.issuing import admit, clean_phone, give_back, random_code, same_phone, service_of
from queueing.notices import ENDED_BY_US, tell
from queueing.order import APPOINTMENT
from queueing.slots import Pattern, Slot, slot_at, slots
from queueing.store import LIVE_SQL, DeskShift, Queue, Service, Ticket, TicketEvent
from queueing.store_life import Booking, Notice
from queueing.ticket import APPOINTMENT_GRACE, ENDED, move
from queueing.turn import Done, OwnRequest, Turn, fresh_ticket

BOOKED = and_(text(f"ticket.{LIVE_SQL}"), Ticket.state == "booked")
"""Who has an appointment and has not come yet, through the index of live tickets."""
HORIZON_DAYS = 60
"""How far ahead appointments can be booked."""
ASK_BEFORE = timedelta(hours=24)
CONFIRM_UNTIL = timedelta(hours=4)
"""An unconfirmed booking is freed this long before its time: others can still come."""
LEAST_TO_ANSWER = timedelta(hours=2)
"""Nobody is asked to confirm with less time than this to do it."""
REMIND_BEFORE = timedelta(hours=2)
REMIND_MARGIN = timedelta(minutes=30)
"""Who books shortly before a reminder would be due has just read the time."""


def book(
    session: Session,
    queue: Queue,
    service_code: str,
    *,
    at: datetime,
    request_id: str,
    actor: str,
    now: datetime,
    phone: str | None = None,
    default: Sequence[Pattern] = (),
    channel: str = "booking",
    new_code: Callable[[], str] = random_code,
) -> Done:
    """Book the slot that begins at `at`. A phone that holds an appointment here on that day gets it back
    (`repeated`).

    Raises Invalid `unknown_service`, `slot_unknown`, `slot_past`; Exhausted `slot_full`, `capacity_reached`,
    `numbers_exhausted`; Closed `queue_moved`. `default`: the patterns of a day without rules (queueing/slots.py).
    """
    with Turn(session, queue.id, request_id=request_id, actor=actor, now=now) as turn:
        earlier, _ = turn.earlier(("book",))
        if earlier is not None:
            made = session.get_one(Ticket, earlier.ticket_id)
            if earlier.data.get("at") != at.isoformat():
                raise Conflict("request_id_reused", "this request id was used for another appointment")
            return Done(made, earlier, repeated=True)
        service_id = service_of(session, turn.queue.id, service_code)
        day = local_day(at, turn.queue.zone)
        phone = clean_phone(phone)
        if phone is not None and (mine := same_phone(turn, day, phone)) is not None:
            return Done(mine[0], mine[1], repeated=True)
        slot = _free_slot(turn, at, day, service_id, default)
        ticket, event = _seat(
            turn, at, slot, service_id, service_code, phone=phone, channel=channel, code=new_code()
        )
        tell(session, ticket, "booked", now=now, at=at.isoformat())
        return Done(ticket, event)


def confirm(session: Session, ticket: Ticket, *, request_id: str, actor: str, now: datetime) -> Done:
    """The citizen says that they will come. Twice is harmless (`repeated`)."""
    with Turn(session, ticket.queue_id, request_id=request_id, actor=actor, now=now) as turn:
        earlier, _ = turn.earlier(("confirm",), ticket_id=ticket.id)
        ticket = fresh_ticket(session, ticket)
        if earlier is not None:
            return Done(ticket, earlier, repeated=True)
        booking = session.get(Booking, ticket.id, populate_existing=True)
        if ticket.state == "booked" and booking is not None and booking.confirmed_at is not None:
            return Done(ticket, _first(session, ticket), repeated=True)
        change = move(ticket, "confirm", now=now)
        if booking is not None:
            booking.confirmed_at = now
        return Done(ticket, turn.record(ticket, change))


def move_to(
    session: Session,
    ticket: Ticket,
    at: datetime,
    *,
    request_id: str,
    actor: str,
    now: datetime,
    default: Sequence[Pattern] = (),
    new_code: Callable[[], str] = random_code,
) -> Done:
    """Another time for a booking. On the same day the ticket keeps its number; on another day it gets one of that
    day's, as a new ticket that the old link leads to (`Done.went_on`). Errors as `book`."""
    with Turn(session, ticket.queue_id, request_id=request_id, actor=actor, now=now) as turn:
        before, after = turn.earlier(("move", "hand_over"), ticket_id=ticket.id)
        ticket = fresh_ticket(session, ticket)
        if before is not None:
            went_on = session.get_one(Ticket, after.ticket_id) if after is not None else None
            return Done(ticket, before, repeated=True, went_on=went_on)
        if ticket.state != "booked":
            move(ticket, "move", now=now)  # raises with the right words
        day = local_day(at, turn.queue.zone)
        slot = _free_slot(turn, at, day, ticket.service_id, default, without=ticket.id)
        code = session.scalar(select(Service.code).where(Service.id == ticket.service_id)) or ""
        told = {"from": _iso(ticket.appointment_at), "to": at.isoformat()}
        if day == ticket.day:
            return Done(ticket, _retime(turn, ticket, slot))
        change = move(ticket, "hand_over", now=now)
        give_back(turn, ticket.day)
        went_on, _ = _seat(
            turn,
            at,
            slot,
            ticket.service_id,
            code,
            phone=ticket.phone,
            channel=ticket.channel,
            code=new_code(),
            second=True,
            data={"from": ticket.id},
        )
        ticket.next_ticket_id = went_on.id
        event = turn.record(ticket, change, data={**told, "went_to": went_on.id})
        tell(session, went_on, "moved", key=_key(at), now=now, at=at.isoformat())
        return Done(ticket, event, went_on=went_on)


def rebook(
    session: Session,
    ticket: Ticket,
    to_queue: Queue,
    *,
    at: datetime,
    request_id: str,
    actor: str,
    now: datetime,
    default: Sequence[Pattern] = (),
    new_code: Callable[[], str] = random_code,
) -> Done:
    """An appointment elsewhere for somebody whose ticket was ended through no fault of theirs (`owed`): the old link
    leads on to it. They have come, or would have come, for nothing: nobody asks them to confirm, a full day has room
    for them, and nobody gets two (the second request answers with the first's).

    Raises Conflict `nothing_owed`; else as `book`.
    """
    ids = sorted({ticket.queue_id, to_queue.id})
    with ExitStack() as locked:
        # Always locked in one order; the old queue's turn keeps two presses from booking twice.
        turns = {
            number: locked.enter_context(Turn(session, number, request_id=request_id, actor=actor, now=now))
            for number in ids
        }
        turn = turns[to_queue.id]
        old = fresh_ticket(session, ticket)
        if old.next_ticket_id is not None:
            went_on = session.get_one(Ticket, old.next_ticket_id)
            return Done(went_on, _first(session, went_on), repeated=True)
        if not owed(session, old):
            raise Conflict("nothing_owed", "this ticket was not ended by us")
        earlier, _ = turn.earlier(("book",))
        if earlier is not None:
            raise Conflict("request_id_reused", "this request id was used for another appointment")
        code = session.scalars(select(Service.code).where(Service.id == old.service_id)).one()
        service_id = service_of(session, turn.queue.id, code)
        slot = _free_slot(turn, at, local_day(at, turn.queue.zone), service_id, default)
        new, event = _seat(
            turn, at, slot, service_id, code, phone=old.phone, channel=old.channel, code=new_code(),
            over_capacity=True, data={"from": old.id},
        )  # fmt: skip
        session.get_one(Booking, new.id).confirmed_at = now
        new.note, old.next_ticket_id = old.note, new.id
        session.flush()
        tell(session, new, "booked", now=now, at=at.isoformat())
        return Done(new, event)


def owed(session: Session, ticket: Ticket) -> bool:
    """Whether a ticket was ended by us, and nothing has been given in its place."""
    if ticket.state not in ENDED or ticket.next_ticket_id is not None:
        return False
    told = select(Notice.id).where(Notice.ticket_id == ticket.id, Notice.kind.in_(ENDED_BY_US))
    return session.scalar(told.limit(1)) is not None


def fit(
    session: Session, queue: Queue, day: date, *, actor: str, now: datetime, default: Sequence[Pattern] = ()
) -> int:
    """The hours of `day` are others now: who is booked outside of them gets the free slot nearest to their time (where
    all are taken, the nearest at all), keeps the number, and is told; how many. Again it changes nobody."""
    moved = 0
    begin, end = day_bounds(day, queue.zone)
    booked = session.scalars(
        select(Ticket)
        .where(
            BOOKED, Ticket.queue_id == queue.id, Ticket.appointment_at >= begin, Ticket.appointment_at < end
        )
        .order_by(Ticket.appointment_at, Ticket.number)
    ).all()  # fmt: skip
    for ticket in booked:
        was = ticket.appointment_at
        cut = slots(session, queue, day, service_id=ticket.service_id, default=default, without=ticket.id)
        assert was is not None
        if not cut or any(one.at <= was < one.at + timedelta(minutes=one.minutes) for one in cut):
            continue
        free = (
            [one for one in cut if one.free > 0 and one.at > now]
            or [one for one in cut if one.at > now]
            or cut
        )
        slot = min(free, key=lambda one: (abs(one.at - was), one.at))
        request = OwnRequest(f"fit#:{ticket.id}:{_key(slot.at)}:{_key(now)}")
        with Turn(session, queue.id, request_id=request, actor=actor, now=now) as turn:
            _retime(turn, fresh_ticket(session, ticket), slot)
            moved += 1
    return moved


def ask_and_remind(session: Session, *, now: datetime, most: int = 200) -> int:
    """Ask to confirm and remind who is booked within the next day; how many messages were written. For a job every
    few minutes: running it again writes nothing twice."""
    written = 0
    rows = session.execute(_DUE, {"now": now, "until": now + ASK_BEFORE}).all()
    for ticket, booking in rows:
        at = ticket.appointment_at
        assert at is not None
        told = {"at": at.isoformat()}
        waits = booking is not None and booking.confirmed_at is None
        answer_by = at - CONFIRM_UNTIL
        if waits and booking.confirm_by is None and ticket.phone and answer_by - now >= LEAST_TO_ANSWER:
            booking.confirm_by = answer_by
            written += tell(
                session, ticket, "confirm", key=_key(at), now=now, by=answer_by.isoformat(), **told
            )
        elif ticket.issued_at <= at - ASK_BEFORE - REMIND_MARGIN and not waits and at - now > REMIND_BEFORE:
            written += tell(session, ticket, "reminder_24h", key=_key(at), now=now, **told)
        if at - now <= REMIND_BEFORE and ticket.issued_at <= at - REMIND_BEFORE - REMIND_MARGIN:
            written += tell(session, ticket, "reminder_2h", key=_key(at), now=now, **told)
        if written >= most:
            break
    session.flush()
    return written


def free_unconfirmed(session: Session, *, now: datetime, actor: str = "scheduler") -> int:
    """Free the bookings that were asked to be confirmed and were not; how many."""
    freed = 0
    found = session.scalars(
        select(Ticket)
        .join(Booking, Booking.ticket_id == Ticket.id)
        .join(Queue, Queue.id == Ticket.queue_id)
        .where(
            BOOKED,
            Queue.held_by.is_(None),
            Booking.confirmed_at.is_(None),
            Booking.confirm_by <= now,
        )
        .order_by(Ticket.queue_id, Ticket.id)
    ).all()
    for ticket in found:
        request = OwnRequest(f"unconfirmed#:{ticket.id}")
        with Turn(session, ticket.queue_id, request_id=request, actor=actor, now=now) as turn:
            here = fresh_ticket(session, ticket)
            booking = session.get_one(Booking, here.id, populate_existing=True)
            if here.state != "booked" or booking.confirmed_at is not None:
                continue  # the citizen was quicker
            change = move(here, "cancel", now=now)
            give_back(turn, here.day)
            turn.record(here, change, data={"flag": "unconfirmed"})
            tell(session, here, "freed", now=now, at=_iso(here.appointment_at))
            freed += 1
    return freed


def mark_no_shows(session: Session, *, now: datetime, actor: str = "scheduler") -> int:
    """Mark booked people whose slot is over and who have not come; how many. Only where the queue has worked since."""
    marked = 0
    found = session.execute(_LATE, {"before": now - APPOINTMENT_GRACE}).all()
    began: dict[tuple[int, date], datetime | None] = {}
    for ticket, slot_minutes, state in found:
        at = ticket.appointment_at
        assert at is not None
        if state == "closed" or ticket.day != local_day(now, "Africa/Cairo"):
            continue  # what was forgotten on an earlier day is the night's to close
        key = (ticket.queue_id, ticket.day)
        if key not in began:
            began[key] = _worked_since(session, ticket.queue_id, at - timedelta(hours=12))
        grace = max(APPOINTMENT_GRACE, timedelta(minutes=slot_minutes or 0))
        since = began[key]
        if since is None or now < max(since, at) + grace:
            continue
        request = OwnRequest(f"no-show#:{ticket.id}:{_key(at)}")
        with Turn(session, ticket.queue_id, request_id=request, actor=actor, now=now) as turn:
            here = fresh_ticket(session, ticket)
            if here.state != "booked" or here.appointment_at != at:
                continue
            turn.record(here, move(here, "no_show", now=now), data={"flag": "no_show"})
            marked += 1
    return marked


def booking_of(session: Session, ticket_id: int) -> Booking | None:
    """What is kept of a booking beside its ticket."""
    return session.get(Booking, ticket_id)


def _free_slot(
    turn: Turn,
    at: datetime,
    day: date,
    service_id: int,
    default: Sequence[Pattern],
    without: int | None = None,
) -> Slot:
    queue = turn.queue
    if queue.moved_to_id is not None:
        raise Closed("queue_moved", "another queue has taken over from this one", queue=queue.moved_to_id)
    if at <= turn.now:
        raise Invalid("slot_past", "this time is over", at=at.isoformat())
    if day > local_day(turn.now, queue.zone) + timedelta(days=HORIZON_DAYS):
        raise Invalid("slot_unknown", f"appointments are given {HORIZON_DAYS} days ahead", at=at.isoformat())
    slot = slot_at(turn.session, queue, at, day, service_id=service_id, default=default, without=without)
    if slot is None:
        raise Invalid("slot_unknown", "there is no appointment at this time", at=at.isoformat())
    if not slot.free:
        raise Exhausted("slot_full", "all appointments at this time have been taken", at=at.isoformat())
    return slot


def _retime(turn: Turn, ticket: Ticket, slot: Slot) -> TicketEvent:
    """Another time on the same day: the ticket keeps its number, its holder is told."""
    was, ticket.appointment_at = ticket.appointment_at, slot.at
    change = move(ticket, "move", now=turn.now)
    change.before["appointment_at"] = was
    booking = turn.session.get(Booking, ticket.id, populate_existing=True)
    if booking is not None:
        booking.slot_minutes = slot.minutes
        booking.confirm_by, booking.confirmed_at = None, _confirmed(slot.at, turn.now)
    tell(turn.session, ticket, "moved", key=_key(slot.at), now=turn.now, at=slot.at.isoformat())
    return turn.record(ticket, change, data={"from": _iso(was), "to": slot.at.isoformat()})


def _seat(
    turn: Turn,
    at: datetime,
    slot: Slot,
    service_id: int,
    service_code: str,
    *,
    phone: str | None,
    channel: str,
    code: str,
    second: bool = False,
    over_capacity: bool = False,
    data: dict[str, object] | None = None,
) -> tuple[Ticket, TicketEvent]:
    ticket, event = admit(
        turn,
        "book",
        service_id,
        day=local_day(at, turn.queue.zone),
        service_code=service_code,
        priority=APPOINTMENT,
        channel=channel,
        phone=phone,
        appointment_at=at,
        aged_from=at,
        code=code,
        over_capacity=over_capacity or channel == "staff",
        second=second,
        data={"at": at.isoformat(), **(data or {})},
    )
    kept = Booking(ticket_id=ticket.id, slot_minutes=slot.minutes, confirmed_at=_confirmed(at, turn.now))
    turn.session.add(kept)
    turn.session.flush()
    return ticket, event


def _confirmed(at: datetime, now: datetime) -> datetime | None:
    """Booked for the next hours: there is nothing to confirm."""
    return now if at - now < ASK_BEFORE + REMIND_MARGIN else None


def _worked_since(session: Session, queue_id: int, after: datetime) -> datetime | None:
    """Since when a desk of the queue has worked, looking back to `after`."""
    return session.scalar(
        select(func.min(DeskShift.opened_at)).where(
            DeskShift.queue_id == queue_id, DeskShift.opened_at >= after
        )
    )


def _first(session: Session, ticket: Ticket) -> TicketEvent:
    return session.scalars(
        select(TicketEvent).where(TicketEvent.ticket_id == ticket.id).order_by(TicketEvent.id).limit(1)
    ).one()


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _key(at: datetime) -> str:
    """An appointment as part of a key: whole minutes since 1970."""
    return str(int(at.timestamp()) // 60)


_DUE = (
    select(Ticket, Booking)
    .outerjoin(Booking, Booking.ticket_id == Ticket.id)
    .where(
        BOOKED,
        Ticket.appointment_at > bindparam("now", type_=Ticket.aged_from.type),
        Ticket.appointment_at <= bindparam("until", type_=Ticket.aged_from.type),
    )
    .order_by(Ticket.appointment_at, Ticket.id)
)
_LATE = (
    select(Ticket, Booking.slot_minutes, Queue.state)
    .join(Queue, Queue.id == Ticket.queue_id)
    .outerjoin(Booking, Booking.ticket_id == Ticket.id)
    .where(
        BOOKED,
        Queue.held_by.is_(None),
        Ticket.appointment_at <= bindparam("before", type_=Ticket.aged_from.type),
    )
    .order_by(Ticket.queue_id, Ticket.appointment_at, Ticket.id)
)
