"""Giving out tickets: numbers without gap or duplicate, capacity, appointments, and the wait that is
promised."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import bindparam, select, text
from sqlalchemy.orm import Session

from queueing.daytime import callable_days, day_bounds, local_day
from queueing.errors import Closed, Conflict, Exhausted, Invalid, MoveNotPossible
from queueing.ledger import Ledger, Needs, Phone, Place
from queueing.order import APPOINTMENT, HIGHEST, ORDINARY
from queueing.rows import CounterRow, TicketRow, defaults
from queueing.store import LIVE_SQL, Queue, QueueService, Service, Ticket, TicketEvent
from queueing.ticket import CREATING, MOVES, Change, move
from queueing.turn import SECOND, Done, Turn, check_request_id, fresh_ticket, light, on_session
from queueing.wait import estimate

CHANNELS = ("kiosk", "phone", "staff", "booking", "simulated")
STAFF = "staff"
"""The channel that may go over the daily capacity."""
PHONE_LENGTH = 20
_LATER = {
    name: value
    for name, value in defaults(Ticket).items()
    if name
    not in (
        "id", "code", "queue_id", "day", "number", "label", "service_id", "priority", "channel", "phone", "state",
        "issued_at", "aged_from", "appointment_at", "note", "promised_low_s", "promised_high_s", "journey_id",
    )
}  # fmt: skip
"""What a new ticket has not got yet."""


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
    command = Issue(
        queue.id, service_code, request_id, actor, now, priority, channel, phone, appointment_at, new_code
    )
    done = on_session(session, command)
    assert done is not None
    return done


@dataclass(frozen=True, slots=True)
class Issue:
    """`issue` as a command."""

    queue_id: int
    service_code: str
    request_id: str
    actor: str
    now: datetime
    priority: int = 0
    channel: str = STAFF
    phone: str | None = None
    appointment_at: datetime | None = None
    new_code: Callable[[], str] = random_code

    def __post_init__(self) -> None:
        if not ORDINARY <= self.priority <= HIGHEST:
            raise Invalid("priority_invalid", f"priority is {ORDINARY} to {HIGHEST}", priority=self.priority)
        if self.channel not in CHANNELS:
            raise Invalid("channel_invalid", f"channel is one of {', '.join(CHANNELS)}", channel=self.channel)
        check_request_id(self.request_id)

    def ask(self, needs: Needs, zone: str) -> bool:
        """The queue, the counter of its day, its desks and the place in the order."""
        if not needs.queue(self.queue_id, self.now, zone):
            return False
        needs.requests.add(self.request_id)
        needs.services.add((self.queue_id, self.service_code))
        day = local_day(self.appointment_at or self.now, zone)
        ask_to_admit(needs, self._place(), day)
        if phone := clean_phone(self.phone):
            needs.phones.add(Phone(self.queue_id, phone, *day_bounds(day, zone)))
        return True

    def carry_out(self, ledger: Ledger) -> Done:
        """See `issue`."""
        action = "issue" if self.appointment_at is None else "book"
        queue = ledger.queue(self.queue_id)
        earlier, _ = ledger.earlier(self.request_id, (action,), self.queue_id)
        if earlier is not None:
            if earlier.data.get("service") != self.service_code:
                raise Conflict("request_id_reused", "this request id was used for another service")
            return light(ledger.ticket(earlier.ticket_id), earlier, repeated=True)
        if self.appointment_at is None:
            require_open(queue)
        service_id = ledger.services.get((self.queue_id, self.service_code))
        if service_id is None:
            raise unknown_service(self.service_code)
        day = local_day(self.appointment_at or self.now, queue.zone)
        phone = clean_phone(self.phone)
        if phone and (mine := ledger.live_phone(Phone(self.queue_id, phone, *day_bounds(day, queue.zone)))):
            return light(*mine, repeated=True)
        return admit_on(
            ledger,
            action,
            service_id,
            self._place(),
            day=day,
            request_id=self.request_id,
            actor=self.actor,
            service_code=self.service_code,
            channel=self.channel,
            phone=phone,
            appointment_at=self.appointment_at,
            code=self.new_code(),
            over_capacity=self.channel == STAFF,
        )

    def alone(self, session: Session) -> Done | None:
        """See `issue`."""
        return on_session(session, self)

    def _place(self) -> Place:
        at = self.appointment_at
        return Place(
            self.queue_id, at or self.now, APPOINTMENT if at is not None else self.priority, self.now
        )


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
        require_today(ticket, turn.queue, now)
        if ticket.state == "missed" and ticket.called_at is not None:
            raise MoveNotPossible(
                "move_not_possible", "this person was called and did not come", state="missed"
            )
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
    place = Place(turn.queue.id, aged_from, priority, turn.now)
    needs = Needs()
    ask_to_admit(needs, place, day)
    turn.ledger.load(needs)
    done = admit_on(
        turn.ledger,
        action,
        service_id,
        place,
        day=day,
        request_id=turn.request_id + (SECOND if second else suffix),
        actor=turn.actor,
        service_code=service_code,
        channel=channel,
        phone=phone,
        appointment_at=appointment_at,
        code=code,
        over_capacity=over_capacity,
        note=note,
        data=data,
        label=label,
        journey_id=journey_id,
    )
    turn.ledger.store()
    session = turn.session
    return session.get_one(Ticket, done.ticket.id), session.get_one(TicketEvent, done.event.id)


def ask_to_admit(needs: Needs, place: Place, day: date) -> None:
    """What a new ticket follows from, beside its queue's row."""
    needs.counters.add((place.queue_id, day))
    needs.places.add(place)
    needs.desks.add(place.queue_id)
    needs.new_tickets += 1
    needs.new_events += 1


def admit_on(
    ledger: Ledger,
    action: str,
    service_id: int,
    place: Place,
    *,
    day: date,
    request_id: str,
    actor: str,
    service_code: str,
    channel: str,
    phone: str | None,
    appointment_at: datetime | None,
    code: str,
    over_capacity: bool,
    note: str = "",
    data: dict[str, Any] | None = None,
    label: str | None = None,
    journey_id: int | None = None,
) -> Done:
    """`admit` on the ledger, which `ask_to_admit` has prepared. Draws before it changes anything else."""
    queue, now = ledger.queue(place.queue_id), place.now
    stands = ledger.standing(place, service_id)
    number = draw_number(ledger, queue, day, over_capacity=over_capacity)
    if queue.pace_s is None or queue.pace_cv2 is None:
        queue.pace_s, queue.pace_cv2 = ledger.paces[queue.id]
    promise = estimate(
        stands.ahead, stands.desks, queue.pace_s, as_of=now, free=stands.free, cv2=queue.pace_cv2
    )
    state = MOVES[None, action]
    waits = state == "waiting"
    ticket = TicketRow(
        id=next(ledger.ticket_ids),
        code=code,
        queue_id=queue.id,
        day=day,
        number=number,
        label=label or label_of(queue.letter, number),
        service_id=service_id,
        priority=place.priority,
        channel=channel,
        phone=phone,
        state=state,
        issued_at=now,
        aged_from=place.aged_from,
        appointment_at=appointment_at,
        note=note,
        promised_low_s=promise.low_s if waits else None,
        promised_high_s=promise.high_s if waits else None,
        journey_id=journey_id,
        **_LATER,
    )
    ledger.add(ticket)
    event = ledger.record(
        ticket,
        Change(action, None, state, {}),
        request_id=request_id,
        actor=actor,
        now=now,
        data={"service": service_code, "ahead": stands.ahead, **(data or {})},
    )
    return light(ticket, event, wait=promise)


def draw_number(ledger: Ledger, queue: Any, day: date, *, over_capacity: bool) -> int:
    """The next number of the queue's day from its counter row, in the same transaction as the ticket."""
    counter = ledger.counters.get((queue.id, day))
    if counter is None:
        counter = CounterRow(queue_id=queue.id, day=day, next_number=queue.first_number, issued=0)
    if not over_capacity and queue.daily_capacity is not None and counter.issued >= queue.daily_capacity:
        capacity = queue.daily_capacity
        raise Exhausted("capacity_reached", "all tickets for this day have been taken", capacity=capacity)
    number: int = counter.next_number
    if number > queue.last_number:
        raise Exhausted(
            "numbers_exhausted", f"the numbers up to {queue.last_number} are used up for this day"
        )
    counter.next_number += 1
    counter.issued += 1
    ledger.counters[queue.id, day] = counter
    ledger.drawn.add((queue.id, day))
    return number


def give_back(turn: Turn, day: date, *, again: bool = False) -> None:
    """A booking of this day that nobody will come for: its share of the day's capacity is free (`again`: taken
    once more, by an undo). Numbers never go back."""
    give_back_on(turn.ledger, turn.queue.id, day, again=again)
    turn.ledger.store()


def give_back_on(ledger: Ledger, queue_id: int, day: date, *, again: bool = False) -> None:
    """`give_back` on the ledger."""
    ledger.load(Needs(counters={(queue_id, day)}))
    counter = ledger.counters.get((queue_id, day))
    if counter is not None:
        counter.issued += 1 if again else -1
        ledger.drawn.add((queue_id, day))


def service_of(session: Session, queue_id: int, code: str) -> int:
    """The id of a service that this queue gives tickets for. Raises Invalid `unknown_service`."""
    found: int | None = session.connection().scalar(_SERVICE, {"the_queue": queue_id, "the_code": code})
    if found is None:
        raise unknown_service(code)
    return found


def unknown_service(code: str) -> Invalid:
    """What is wrong with a service that the queue does not give tickets for."""
    return Invalid("unknown_service", f"this queue does not offer the service {code}", service=code)


def require_open(queue: Any) -> None:
    """Refuse while the queue takes nobody in."""
    if queue.state == "closed":
        raise Closed("queue_closed", "this queue is closed", queue=queue.id)
    if queue.state == "paused":
        raise Closed("queue_paused", "this queue is paused and gives no tickets", queue=queue.id)


def require_today(ticket: Any, queue: Any, now: datetime) -> None:
    """Refuse tickets of another business day."""
    if ticket.day not in callable_days(now, queue.zone):
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
