"""A queue whose people another queue takes over: a broken van's by the next van or by a building.

Everybody who is live moves: number shown, age, class, appointment and telephone stay; who was at a desk or waiting
waits, who was set aside or missed stays so, who is booked stays booked. Each is told. The old queue closes and says
where it went (`Queue.moved_to_id`); links of tickets lead on. One transaction, one `request_id`: pressing again answers
the same. It can be taken back until the first of them is called, or changed in any way, at the new place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from queueing import journeys
from queueing.errors import Conflict, Invalid, NotFound
from queueing.issuing import admit, random_code
from queueing.lineup import since
from queueing.notices import tell
from queueing.store import LIVE_SQL, Queue, QueueService, Service, Ticket, TicketEvent
from queueing.store_life import Booking, HandOver
from queueing.ticket import AT_DESK, Change, move, restore
from queueing.turn import OwnRequest, Turn, check_request_id, fresh_ticket
from queueing.undoing import from_json

BECOMES = {"booked": "book", "parked": "take_parked", "missed": "take_missed"}
"""State -> how the new ticket begins; all others wait ("issue")."""
REASON_LENGTH = 200


def hand_over(
    session: Session,
    queue: Queue,
    to_queue: Queue,
    *,
    request_id: str,
    actor: str,
    now: datetime,
    reason: str = "",
    take_all: bool = False,
    new_code: Callable[[], str] = random_code,
) -> HandOver:
    """Give everybody in `queue` to `to_queue`. The answer's `tickets` says how many.

    Raises Invalid `same_queue`; Conflict `services_missing` when somebody comes for a service that the other queue does
    not offer (`details["services"]`: code -> people) unless `take_all`, `already_handed_over`, `handed_over_in_turn`
    (the other queue has itself been given away). Nothing has changed then.
    """
    check_request_id(request_id)
    known = session.scalar(select(HandOver).where(HandOver.request_id == request_id))
    if known is not None:
        if (known.from_queue_id, known.to_queue_id) != (queue.id, to_queue.id):
            raise Conflict("request_id_reused", "this request id was used for another hand-over")
        return known
    if queue.id == to_queue.id:
        raise Invalid("same_queue", "a queue is not handed over to itself")
    whole = _own_request(request_id)
    low, high = sorted((queue.id, to_queue.id))
    with (
        Turn(session, low, request_id=whole, actor=actor, now=now) as first,
        Turn(session, high, request_id=whole, actor=actor, now=now) as second,
    ):
        own, other = (first, second) if low == queue.id else (second, first)
        if own.queue.moved_to_id is not None:
            raise Conflict(
                "already_handed_over", "this queue has been handed over", queue=own.queue.moved_to_id
            )
        if other.queue.moved_to_id is not None:
            raise Conflict("handed_over_in_turn", "that queue has itself been handed over", queue=to_queue.id)
        tickets = _live(session, queue.id, own.since)
        codes = _codes(session, tickets)
        if not take_all:
            _check_services(session, to_queue.id, tickets, codes)
        # Whoever is at a desk of the broken van waits again, with the age kept.
        for ticket in tickets:
            _send(own, other, ticket, codes[ticket.service_id], new_code())
        here = session.get_one(Queue, queue.id, populate_existing=True)
        made = HandOver(
            request_id=request_id,
            from_queue_id=queue.id,
            to_queue_id=to_queue.id,
            actor=actor,
            happened_at=now,
            reason=reason[:REASON_LENGTH],
            state_before=here.state,
            tickets=len(tickets),
        )
        session.add(made)
        here.moved_to_id, here.state, here.closing, here.resumes_at = to_queue.id, "closed", False, None
        session.flush()
        own.say("queue", {"action": "handed_over", "state": "closed", "to": to_queue.id})
        other.say("queue", {"action": "took_over", "state": other.queue.state, "people": len(tickets)})
        return made


def take_back(session: Session, queue: Queue, *, actor: str, now: datetime) -> HandOver:
    """Undo the hand-over of `queue`: everybody stands where they stood. Taking back what was taken back changes
    nothing. Raises NotFound `no_hand_over`; Conflict `undo_refused` as soon as anybody was called or changed there."""
    latest = session.scalars(
        select(HandOver).where(HandOver.from_queue_id == queue.id).order_by(HandOver.id.desc()).limit(1)
    ).first()
    if latest is None:
        raise NotFound("no_hand_over", "this queue has not been handed over", queue=queue.id)
    whole = OwnRequest(f"hand-back#:{latest.id}")
    low, high = sorted((latest.from_queue_id, latest.to_queue_id))
    with (
        Turn(session, low, request_id=whole, actor=actor, now=now) as first,
        Turn(session, high, request_id=whole, actor=actor, now=now) as second,
    ):
        own, other = (first, second) if low == queue.id else (second, first)
        session.refresh(latest)
        if latest.undone_at is not None:
            return latest
        moved = _moved(session, latest)
        for old, new, count in moved:
            if count != 1 or new.state not in ("waiting", "booked", "parked", "missed"):
                raise Conflict(
                    "undo_refused", f"{new.label} has already been dealt with there", label=new.label
                )
            if old.next_ticket_id != new.id:
                raise Conflict("undo_refused", "something has changed since", label=old.label)
        for old, new, _count in moved:
            _return(own, other, old, new)
        here = session.get_one(Queue, queue.id, populate_existing=True)
        here.moved_to_id, here.state = None, latest.state_before
        latest.undone_at = now
        session.flush()
        own.say("queue", {"action": "hand_over_undone", "state": latest.state_before})
        other.say("queue", {"action": "hand_over_undone", "state": other.queue.state})
        return latest


def standing(session: Session, queue_id: int) -> HandOver | None:
    """The hand-over of a queue that stands now, if any."""
    return session.scalar(
        select(HandOver).where(HandOver.from_queue_id == queue_id, HandOver.undone_at.is_(None))
    )


def can_take_back(session: Session, latest: HandOver) -> bool:
    """Whether nobody has been dealt with at the new place yet."""
    return latest.undone_at is None and all(
        count == 1 and old.next_ticket_id == new.id for old, new, count in _moved(session, latest)
    )


def missing_services(session: Session, queue: Queue, to_queue_id: int, *, now: datetime) -> dict[str, int]:
    """People in a queue by services that another does not offer: what a hand-over would refuse for."""
    tickets = _live(session, queue.id, since(now, queue.zone))
    return _missing(session, to_queue_id, tickets, _codes(session, tickets))


def _send(own: Turn, other: Turn, ticket: Ticket, service_code: str, code: str) -> None:
    """One person: the old ticket ends, the new one begins, the notice says so."""
    session = own.session
    state, desk_id = ticket.state, ticket.desk_id if ticket.state in AT_DESK else None
    change = move(ticket, "hand_over", now=own.now)
    journey, step = journeys.pass_on(
        session, ticket, to_queue_id=other.queue.id, service_id=ticket.service_id, now=own.now
    )
    session.flush()
    new, _ = admit(
        other,
        BECOMES.get(state, "issue"),
        ticket.service_id,
        day=ticket.day,
        service_code=service_code,
        priority=ticket.priority,
        channel=ticket.channel,
        phone=ticket.phone,
        appointment_at=ticket.appointment_at,
        aged_from=ticket.aged_from,
        code=code,
        over_capacity=True,
        note=ticket.note,
        suffix=f":{ticket.id}",
        data={"from": ticket.id, "handed_over": True},
        label=journeys.label_in(other, journey, day=ticket.day),
        journey_id=journey.id,
    )
    journeys.attach(session, step, new)
    ticket.next_ticket_id = new.id
    booking = session.get(Booking, ticket.id)
    if booking is not None:
        session.add(
            Booking(
                ticket_id=new.id,
                slot_minutes=booking.slot_minutes,
                confirm_by=booking.confirm_by,
                confirmed_at=booking.confirmed_at,
            )
        )
    data = {"to_queue": other.queue.id, "to": new.id}
    own.record(ticket, change, desk_id=desk_id, suffix=f":{ticket.id}-", data=data)
    tell(session, new, "handed_over", now=own.now, queue=other.queue.id, label=new.label)


def _return(own: Turn, other: Turn, old: Ticket, new: Ticket) -> None:
    """One person back: the new ticket is cancelled, the old one is as it was."""
    session = own.session
    new = fresh_ticket(session, new)
    other.record(new, move(new, "cancel", now=other.now), suffix=f":{new.id}", data={"flag": "taken_back"})
    old = fresh_ticket(session, old)
    last = session.scalars(
        select(TicketEvent).where(TicketEvent.ticket_id == old.id).order_by(TicketEvent.id.desc()).limit(1)
    ).one()
    before = from_json(last.data.get("before", {}))
    restore(old, Change(last.action, last.state_from, last.state_to, before))
    old.next_ticket_id = None
    for step in journeys.steps_of(session, old.journey_id):
        if step.ticket_id == new.id:
            step.ticket_id, step.queue_id, step.done_at = old.id, old.queue_id, None
    own.record(
        old,
        Change("undo", last.state_to, old.state, {}),
        desk_id=last.desk_id,
        suffix=f":{old.id}",
        data={"undoes": last.id, "action": last.action},
    )
    tell(session, old, "taken_back", now=own.now, key=str(last.id))


def _own_request(request_id: str) -> OwnRequest:
    """The request id of a hand-over's many events, made of the client's and as long whatever that is."""
    return OwnRequest("hand-over#:" + hashlib.blake2s(request_id.encode(), digest_size=12).hexdigest())


def _moved(session: Session, latest: HandOver) -> list[tuple[Ticket, Ticket, int]]:
    """(old ticket, new ticket, events of the new one) of everybody whom a hand-over moved."""
    sent = session.scalars(
        select(TicketEvent)
        .where(
            TicketEvent.queue_id == latest.from_queue_id,
            TicketEvent.happened_at == latest.happened_at,
            TicketEvent.action == "hand_over",
            TicketEvent.request_id.startswith(_own_request(latest.request_id) + ":", autoescape=True),
        )
        .order_by(TicketEvent.id)
    ).all()
    found = []
    for event in sent:
        old = session.get_one(Ticket, event.ticket_id, populate_existing=True)
        new = session.get_one(Ticket, event.data["to"], populate_existing=True)
        count = session.scalar(
            select(func.count()).select_from(TicketEvent).where(TicketEvent.ticket_id == new.id)
        )
        found.append((old, new, count or 0))
    return found


def _live(session: Session, queue_id: int, since_: datetime) -> list[Ticket]:
    """Everybody who stands in a queue today or is booked for later; not who was forgotten on an earlier day."""
    chosen = (
        select(Ticket)
        .where(text(f"ticket.{LIVE_SQL}"), Ticket.queue_id == queue_id, Ticket.aged_from >= since_)
        .order_by(Ticket.day, Ticket.number)
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(chosen))


def _codes(session: Session, tickets: list[Ticket]) -> dict[int, str]:
    ids = {ticket.service_id for ticket in tickets}
    return dict(session.execute(select(Service.id, Service.code).where(Service.id.in_(ids))).all())  # type: ignore[arg-type]


def _check_services(session: Session, to_queue_id: int, tickets: list[Ticket], codes: dict[int, str]) -> None:
    missing = _missing(session, to_queue_id, tickets, codes)
    if missing:
        raise Conflict(
            "services_missing",
            "the other queue does not offer what everybody came for",
            services=missing,
        )


def _missing(
    session: Session, to_queue_id: int, tickets: list[Ticket], codes: dict[int, str]
) -> dict[str, int]:
    offered = set(
        session.scalars(select(QueueService.service_id).where(QueueService.queue_id == to_queue_id))
    )
    missing: dict[str, int] = {}
    for ticket in tickets:
        if ticket.service_id not in offered:
            code = codes[ticket.service_id]
            missing[code] = missing.get(code, 0) + 1
    return missing
