"""Giving out tickets: numbers without gap or duplicate, capacity, appointments, and the wait that is
promised."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from queueing import lineup
from queueing.daytime import callable_days, day_bounds, local_day
from queueing.errors import Closed, Conflict, Exhausted, Invalid, MoveNotPossible
from queueing.order import APPOINTMENT, HIGHEST, ORDINARY
from queueing.pace import pace_of
from queueing.store import LIVE_SQL, Queue, QueueDay, QueueService, Service, Ticket, TicketEvent
from queueing.ticket import CREATING, MOVES, Change, move
from queueing.turn import Done, Turn, fresh_ticket
from queueing.wait import estimate

CHANNELS = ("kiosk", "phone", "staff", "booking", "simulated")
STAFF = "staff"
"""The channel that may go over the daily capacity."""
NO_LIMIT = 2**31 - 1
PHONE_LENGTH = 20


def random_code() -> str:
    """An unguessable ticket code: 96 random bits in 16 characters that are safe in links."""
    return secrets.token_urlsafe(12)


def label_of(letter: str, number: int) -> str:
    """What is shown and called out: A007, A107, A1207. Letter and digits touch, so it reads the same in both
    directions of writing."""
    return f"{letter}{number:03d}"


def issue(
    session: Session,
    queue: Queue,
    service_code: str,
    *,
    request_id: str,
    actor: str,
    now: datetime,
    priority: int = 0,
    channel: str = STAFF,
    phone: str | None = None,
    appointment_at: datetime | None = None,
    new_code: Callable[[], str] = random_code,
) -> Done:
    """Give out a ticket for a service, or book one for `appointment_at` (then also while the queue is
    closed).

    A live ticket of the same phone in this queue today is given back instead of a second one (`repeated`).
    Raises Invalid `unknown_service`, `priority_invalid`, `channel_invalid`; Closed `queue_closed`,
    `queue_paused`; Exhausted `capacity_reached` (not for staff), `numbers_exhausted`; nothing is issued then.
    """
    if not ORDINARY <= priority <= HIGHEST:
        raise Invalid("priority_invalid", f"priority is {ORDINARY} to {HIGHEST}", priority=priority)
    if channel not in CHANNELS:
        raise Invalid("channel_invalid", f"channel is one of {', '.join(CHANNELS)}", channel=channel)
    action = "issue" if appointment_at is None else "book"
    with Turn(session, queue.id, request_id=request_id, actor=actor, now=now) as turn:
        earlier, _ = turn.earlier((action,))
        if earlier is not None:
            if earlier.data.get("service") != service_code:
                raise Conflict("request_id_reused", "this request id was used for another service")
            return Done(session.get_one(Ticket, earlier.ticket_id), earlier, repeated=True)
        if appointment_at is None:
            require_open(turn.queue)
        service_id = service_of(session, turn.queue.id, service_code)
        phone = clean_phone(phone)
        day = local_day(appointment_at or now, turn.queue.zone)
        if phone is not None and (mine := same_phone(turn, day, phone)) is not None:
            return Done(mine[0], mine[1], repeated=True)
        ticket, event = admit(
            turn,
            action,
            service_id,
            day=day,
            service_code=service_code,
            priority=APPOINTMENT if appointment_at is not None else priority,
            channel=channel,
            phone=phone,
            appointment_at=appointment_at,
            aged_from=appointment_at or now,
            code=new_code(),
            over_capacity=channel == STAFF,
        )
        return Done(ticket, event)


def arrive(
    session: Session, ticket: Ticket, *, request_id: str, actor: str, now: datetime, priority: int = 0
) -> Done:
    """Check in a booked person. In time (up to 15 minutes late) the appointment counts from its time; later
    (also when marked as not having come), the person stands in the line as from now, in the class `priority`.
    Only on the day of the appointment."""
    with Turn(session, ticket.queue_id, request_id=request_id, actor=actor, now=now) as turn:
        earlier, _ = turn.earlier(("arrive",), ticket_id=ticket.id)
        ticket = fresh_ticket(session, ticket)
        if earlier is not None:
            return Done(ticket, earlier, repeated=True)
        require_open(turn.queue)
        require_today(turn, ticket)
        if ticket.state == "missed" and ticket.called_at is not None:
            raise MoveNotPossible("move_not_possible", "this person was called and did not come", state="missed")
        change = move(ticket, "arrive", now=now)
        data: dict[str, Any] = {}
        if ticket.aged_from == now and ticket.appointment_at != now:
            change.before["priority"] = ticket.priority
            ticket.priority = data["priority"] = priority
        return Done(ticket, turn.record(ticket, change, data=data))


def admit(
    turn: Turn,
    action: str,
    service_id: int,
    *,
    day: date,
    service_code: str,
    priority: int,
    channel: str,
    phone: str | None,
    appointment_at: datetime | None,
    aged_from: datetime,
    code: str,
    over_capacity: bool,
    note: str = "",
    second: bool = False,
    suffix: str = "",
    data: dict[str, Any] | None = None,
    label: str | None = None,
    journey_id: int | None = None,
) -> tuple[Ticket, TicketEvent]:
    """Draw the next number, promise a wait, write the ticket and its first event. For verbs that hold the
    turn. `label`: what a person from another queue goes on showing, in place of this queue's own."""
    session, queue, now = turn.session, turn.queue, turn.now
    pace = pace_of(session, queue)
    if queue.pace_s is None:
        values = {"pace_s": pace.seconds, "pace_cv2": pace.cv2}
        session.execute(update(Queue.__table__).where(Queue.__table__.c.id == queue.id).values(values))  # type: ignore[arg-type]
    stands = lineup.standing(
        session,
        queue.id,
        service_id,
        now=now,
        since=turn.since,
        aged_from=aged_from,
        priority=priority,
    )
    state = MOVES[None, action]
    waits = state == "waiting"
    promise = estimate(stands.ahead, stands.desks, pace.seconds, as_of=now, free=stands.free, cv2=pace.cv2)
    number = draw_number(turn, day, over_capacity=over_capacity)
    ticket = Ticket(
        code=code,
        queue_id=queue.id,
        day=day,
        number=number,
        label=label or label_of(queue.letter, number),
        service_id=service_id,
        priority=priority,
        channel=channel,
        phone=phone,
        state=state,
        issued_at=now,
        aged_from=aged_from,
        appointment_at=appointment_at,
        note=note,
        promised_low_s=promise.low_s if waits else None,
        promised_high_s=promise.high_s if waits else None,
        journey_id=journey_id,
    )
    session.add(ticket)
    session.flush()
    event = turn.record(
        ticket,
        Change(action, None, ticket.state, {}),
        second=second,
        suffix=suffix,
        data={"service": service_code, "ahead": stands.ahead, **(data or {})},
        waiting=stands.waiting + waits,
    )
    return ticket, event


def draw_number(turn: Turn, day: date, *, over_capacity: bool) -> int:
    """The next number of the queue's day from its counter row, in the same transaction as the ticket."""
    queue, session = turn.queue, turn.session
    capacity = NO_LIMIT if over_capacity or queue.daily_capacity is None else queue.daily_capacity
    values = {
        "the_queue": queue.id,
        "the_day": day,
        "first": queue.first_number,
        "last": queue.last_number,
        "capacity": capacity,
    }
    number: int | None = None
    if capacity > 0 and queue.first_number <= queue.last_number:
        number = turn.connection.scalar(_DRAW[turn.connection.dialect.name], values)
    if number is not None:
        return number
    counter = session.get(QueueDay, (queue.id, day), populate_existing=True)
    if (counter.issued if counter else 0) >= capacity:
        raise Exhausted("capacity_reached", "all tickets for this day have been taken", capacity=capacity)
    raise Exhausted("numbers_exhausted", f"the numbers up to {queue.last_number} are used up for this day")


def give_back(turn: Turn, day: date, *, again: bool = False) -> None:
    """A booking of this day that nobody will come for: its share of the day's capacity is free (`again`: taken
    once more, by an undo). Numbers never go back."""
    counted = QueueDay.issued + 1 if again else QueueDay.issued - 1
    of_day = (QueueDay.queue_id == turn.queue.id) & (QueueDay.day == day)
    turn.session.execute(update(QueueDay).where(of_day).values(issued=counted))


def service_of(session: Session, queue_id: int, code: str) -> int:
    """The id of a service that this queue gives tickets for. Raises Invalid `unknown_service`."""
    found: int | None = session.connection().scalar(_SERVICE, {"the_queue": queue_id, "the_code": code})
    if found is None:
        raise Invalid("unknown_service", f"this queue does not offer the service {code}", service=code)
    return found


def require_open(queue: Any) -> None:
    """Refuse while the queue takes nobody in."""
    if queue.state == "closed":
        raise Closed("queue_closed", "this queue is closed", queue=queue.id)
    if queue.state == "paused":
        raise Closed("queue_paused", "this queue is paused and gives no tickets", queue=queue.id)


def require_today(turn: Turn, ticket: Ticket) -> None:
    """Refuse tickets of another business day."""
    if ticket.day not in callable_days(turn.now, turn.queue.zone):
        raise Conflict("not_today", f"this ticket is for {ticket.day:%Y-%m-%d}", day=ticket.day.isoformat())


def clean_phone(phone: str | None) -> str | None:
    """A number fit to be stored, or None: a bad one never stands in the way of a ticket."""
    kept = "".join(c for c in phone or "" if c.isdecimal() or c == "+")
    return kept if 5 <= len(kept) <= PHONE_LENGTH else None


def same_phone(turn: Turn, day: date, phone: str) -> tuple[Ticket, TicketEvent] | None:
    """The live ticket of a phone in this queue on a day, with the event that issued it."""
    begin, end = day_bounds(day, turn.queue.zone)
    values = {"the_queue": turn.queue.id, "begin": begin, "end": end, "the_phone": phone}
    row = turn.session.execute(_SAME_PHONE, values).first()
    return None if row is None else (row[0], row[1])


def _draw(insert: Any) -> Any:
    """Raise the counter row, made with the day's first ticket; nothing comes back when the day is used up."""
    made = insert(QueueDay).values(
        queue_id=bindparam("the_queue"),
        day=bindparam("the_day"),
        next_number=bindparam("first") + 1,
        issued=1,
    )
    return made.on_conflict_do_update(
        index_elements=["queue_id", "day"],
        set_={"next_number": QueueDay.next_number + 1, "issued": QueueDay.issued + 1},
        where=(QueueDay.next_number <= bindparam("last")) & (QueueDay.issued < bindparam("capacity")),
    ).returning(QueueDay.next_number - 1)


_DRAW = {"sqlite": _draw(sqlite.insert), "postgresql": _draw(postgresql.insert)}
_SERVICE = (
    select(Service.id)
    .join(QueueService, QueueService.service_id == Service.id)
    .where(QueueService.queue_id == bindparam("the_queue"), Service.code == bindparam("the_code"))
)
_SAME_PHONE = (
    select(Ticket, TicketEvent)
    .join(TicketEvent, TicketEvent.ticket_id == Ticket.id)
    .where(
        Ticket.queue_id == bindparam("the_queue"),
        text(f"ticket.{LIVE_SQL}"),
        # Not by `day`: the index of live tickets holds far fewer rows.
        Ticket.aged_from >= bindparam("begin", type_=Ticket.aged_from.type),
        Ticket.aged_from < bindparam("end", type_=Ticket.aged_from.type),
        Ticket.phone == bindparam("the_phone"),
        TicketEvent.action.in_(CREATING),
    )
    .limit(1)
)
