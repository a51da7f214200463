"""Closing a queue while people wait: a supervisor chooses what becomes of them, each is told, nobody vanishes.

- `serve`: nobody new comes in, who is inside is served, then the queue closes by itself (`finish_closing`);
- `move`: everybody not at a desk gets an appointment on another day, or at another queue, in the order of the line;
- `cancel`: everybody not at a desk is sent home with a reason.

With all three who is at a desk is finished there, and who is booked for later today is told too: moved by `move`, given
back their booking by the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import exists, select, text
from sqlalchemy.orm import Session

from queueing import audit
from queueing.daytime import day_bounds, local_day
from queueing.desks import close_queue, open_queue, pause_queue
from queueing.errors import Conflict, Exhausted, Invalid
from queueing.issuing import admit, give_back, random_code
from queueing.notices import tell
from queueing.order import APPOINTMENT, rank
from queueing.slots import Pattern, Slot, slots
from queueing.store import LIVE_SQL, Queue, QueueService, Service, Ticket
from queueing.store_life import Booking
from queueing.store_office import AuditEntry
from queueing.ticket import AT_DESK, move
from queueing.turn import OwnRequest, Turn

CHOICES = ("serve", "move", "cancel")
INSIDE = ("waiting", "called", "serving", "parked")
ACT = "queue_closing"
"""In the audit."""
REMEMBERED = timedelta(days=2)
"""How long a closing's request id is known."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What a closing did: people still to be served here, moved, cancelled. `repeated`: it had been done before."""

    inside: int
    moved: int
    cancelled: int
    repeated: bool = False


def close_with(
    session: Session,
    queue: Queue,
    choice: str,
    *,
    actor: str,
    now: datetime,
    to_queue: Queue | None = None,
    day: date | None = None,
    default: Sequence[Pattern] = (),
    reason: str = "",
    told: int | None = None,
    request_id: str = "",
    new_code: Callable[[], str] = random_code,
) -> Closing:
    """Begin to close a queue. `to_queue` (this one, if None) and `day` say where `move` moves to, `default` are that
    queue's patterns. `told`: how many people would lose something, as whoever decides was told: more are not sent home
    unseen. The same `request_id` again is answered as the first time; without one, doing it again finds nobody left to
    move or cancel, and changes nothing.

    Raises Invalid `choice`, `no_slots` (that day has no appointments), `same_day`; Exhausted `slot_full` when there are
    not enough; Conflict `services_missing` when the other queue does not offer what somebody came for, `people_waiting`
    (see `require_told`), `request_id_reused`.
    """
    if choice not in CHOICES:
        raise Invalid("choice", f"choose one of {', '.join(CHOICES)}")
    # Whoever joins, or closes in the same moment, waits for this turn.
    with Turn(session, queue.id, request_id="closing", actor=actor, now=now):
        earlier = _earlier(session, queue, request_id, choice, now) if request_id else None
    if earlier is not None:
        return earlier
    if told is not None and choice == "cancel":
        require_told(session, queue, told, now=now)
    people = _people(session, queue, now)
    leaving = [t for t in people if t.state not in AT_DESK and (choice != "serve" or t.state == "booked")]
    moved = cancelled = 0
    if choice == "move":
        moved = _move_all(session, queue, leaving, to_queue or queue, day, default, actor, now, new_code)
    else:
        cancelled = _cancel_all(session, queue, leaving, reason, actor, now)
    inside = len(people) - moved - cancelled
    if choice == "serve":
        inside = sum(t.state in INSIDE for t in people)
    here = session.get_one(Queue, queue.id, populate_existing=True)
    if here.state != "closed":
        here = pause_queue(session, queue, actor=actor, now=now)
    if here.state == "paused" and not here.closing:
        here.closing = True
        session.flush()
    if inside == 0 and here.state != "closed":
        close_queue(session, queue, actor=actor, now=now)
    made = Closing(inside, moved, cancelled)
    facts = {
        "choice": choice,
        "inside": inside,
        "moved": moved,
        "cancelled": cancelled,
        "reason": reason[:200],
    }
    audit.note(session, f"queue:{queue.id}", ACT, actor=actor, now=now, data={**facts, "request": request_id})
    session.flush()
    return made


def require_told(session: Session, queue: Queue, told: int, *, now: datetime) -> None:
    """Refuse to close while more people would lose something than whoever closes knows of: Conflict `people_waiting`,
    with how many are `inside` and `booked`."""
    inside, booked = would_lose(session, queue, now=now)
    if inside + booked > told:
        words = (
            f"{inside} people are inside and {booked} are booked for later today: say what becomes of them"
        )
        told_of = {"queue": queue.id, "inside": inside, "booked": booked, "choices": list(CHOICES)}
        raise Conflict("people_waiting", words, **told_of)


def _earlier(session: Session, queue: Queue, request_id: str, choice: str, now: datetime) -> Closing | None:
    """What this request did before."""
    acts = session.scalars(
        select(AuditEntry).where(
            AuditEntry.topic == f"queue:{queue.id}",
            AuditEntry.action == ACT,
            AuditEntry.happened_at > now - REMEMBERED,
        )
    )
    for act in acts:
        if act.data.get("request") == request_id:
            if act.data["choice"] != choice:
                raise Conflict("request_id_reused", "this request id was already used for something else")
            return Closing(act.data["inside"], act.data["moved"], act.data["cancelled"], repeated=True)
    return None


def would_lose(session: Session, queue: Queue, *, now: datetime) -> tuple[int, int]:
    """Who would lose something if the queue were closed now: (people inside and not at a desk, booked for later today).
    Who decides to close is told so first."""
    people = _people(session, queue, now)
    inside = sum(t.state in ("waiting", "parked") for t in people)
    return inside, sum(t.state == "booked" for t in people)


def finish_closing(session: Session, *, now: datetime, actor: str = "scheduler") -> int:
    """Close the queues that were to be served out and are; how many. For a job every minute."""
    inside = exists().where(Ticket.queue_id == Queue.id, Ticket.state.in_(INSIDE), text(f"ticket.{LIVE_SQL}"))
    done = session.scalars(
        select(Queue).where(Queue.closing, Queue.state == "paused", Queue.held_by.is_(None), ~inside)
    ).all()
    for queue in done:
        close_queue(session, queue, actor=actor, now=now)
    return len(done)


def resume_paused(session: Session, *, now: datetime, actor: str = "scheduler") -> int:
    """Open the queues whose pause is over; how many. For a job every minute."""
    due = session.scalars(
        select(Queue).where(
            Queue.state == "paused", Queue.resumes_at <= now, ~Queue.closing, Queue.held_by.is_(None)
        )
    ).all()
    for queue in due:
        open_queue(session, queue, actor=actor, now=now)
    return len(due)


def _people(session: Session, queue: Queue, now: datetime) -> list[Ticket]:
    """Everybody live today: the waiting in the order of the line, then who is set aside, then the booked."""
    begin, end = day_bounds(local_day(now, queue.zone), queue.zone)
    found = session.scalars(
        select(Ticket)
        .where(
            text(f"ticket.{LIVE_SQL}"),
            Ticket.queue_id == queue.id,
            Ticket.aged_from >= begin,
            Ticket.aged_from < end,
        )
        .execution_options(populate_existing=True)
    ).all()
    group = {"called": 0, "serving": 0, "waiting": 1, "parked": 2, "missed": 3, "booked": 4}
    return sorted(found, key=lambda t: (group[t.state], *rank(t, now)))


def send_home(session: Session, queue: Queue, *, flag: str, actor: str, now: datetime) -> list[Ticket]:
    """End the ticket of everybody live today who is not at a desk, for a reason that the caller tells them. `flag` says
    in the events why."""
    people = [t for t in _people(session, queue, now) if t.state not in AT_DESK]
    _end_all(session, queue, people, {"flag": flag}, actor, now)
    return people


def _cancel_all(
    session: Session, queue: Queue, people: Sequence[Ticket], reason: str, actor: str, now: datetime
) -> int:
    _end_all(session, queue, people, {"flag": "closing", "reason": reason[:200]}, actor, now)
    for ticket in people:
        tell(session, ticket, "closed", now=now, reason=reason[:200])
    return len(people)


def _end_all(
    session: Session, queue: Queue, people: Sequence[Ticket], data: dict[str, str], actor: str, now: datetime
) -> None:
    for ticket in people:
        request = OwnRequest(f"closing#:{ticket.id}")
        with Turn(session, queue.id, request_id=request, actor=actor, now=now) as turn:
            booked = ticket.state == "booked"
            change = move(ticket, "cancel", now=now)
            if booked:
                give_back(turn, ticket.day)
            turn.record(ticket, change, data=dict(data))


def _move_all(
    session: Session,
    queue: Queue,
    people: Sequence[Ticket],
    to_queue: Queue,
    day: date | None,
    default: Sequence[Pattern],
    actor: str,
    now: datetime,
    new_code: Callable[[], str],
) -> int:
    if not people:
        return 0
    day = day or local_day(now, to_queue.zone)
    if to_queue.id == queue.id and day == local_day(now, queue.zone):
        raise Invalid("same_day", "choose another day or another queue")
    offered = set(
        session.scalars(select(QueueService.service_id).where(QueueService.queue_id == to_queue.id))
    )
    codes = {
        s.id: s.code
        for s in session.scalars(select(Service).where(Service.id.in_({t.service_id for t in people})))
    }
    missing = sorted({codes[t.service_id] for t in people if t.service_id not in offered})
    if missing:
        raise Conflict(
            "services_missing", "the other queue does not offer what everybody came for", services=missing
        )
    low, high = sorted((queue.id, to_queue.id))
    request = OwnRequest(f"moving#:{queue.id}:{people[0].id}")
    with Turn(session, low, request_id=request, actor=actor, now=now) as first:
        if low == high:
            _seat_all(first, first, people, day, default, codes, new_code)
        else:
            with Turn(session, high, request_id=request, actor=actor, now=now) as second:
                own, other = (first, second) if low == queue.id else (second, first)
                _seat_all(own, other, people, day, default, codes, new_code)
    return len(people)


def _seat_all(
    own: Turn,
    other: Turn,
    people: Sequence[Ticket],
    day: date,
    default: Sequence[Pattern],
    codes: dict[int, str],
    new_code: Callable[[], str],
) -> None:
    """Appointments for all, the first in the line first; all are found before anything is changed."""
    session, now = own.session, own.now
    seats = _seats(other, people, day, default)
    for ticket, slot in zip(people, seats, strict=True):
        booked = ticket.state == "booked"
        change = move(ticket, "hand_over", now=now)
        if booked:
            give_back(own, ticket.day)
        session.flush()
        new, _ = admit(
            other,
            "book",
            ticket.service_id,
            day=day,
            service_code=codes[ticket.service_id],
            priority=APPOINTMENT,
            channel=ticket.channel,
            phone=ticket.phone,
            appointment_at=slot.at,
            aged_from=slot.at,
            code=new_code(),
            over_capacity=True,
            note=ticket.note,
            suffix=f":{ticket.id}",
            data={"from": ticket.id, "at": slot.at.isoformat()},
        )
        # They have come once for nothing: nobody asks them to confirm.
        session.add(Booking(ticket_id=new.id, slot_minutes=slot.minutes, confirmed_at=now))
        ticket.next_ticket_id = new.id
        own.record(ticket, change, suffix=f":{ticket.id}-", data={"to_queue": other.queue.id, "to": new.id})
        tell(session, new, "moved", now=now, at=slot.at.isoformat(), closed=True)


def _seats(other: Turn, people: Sequence[Ticket], day: date, default: Sequence[Pattern]) -> list[Slot]:
    """The next free slot for each, by service."""
    left: dict[int, list[Slot]] = {}
    taken: dict[datetime, int] = {}
    found = []
    for ticket in people:
        of_service = left.get(ticket.service_id)
        if of_service is None:
            cut = slots(other.session, other.queue, day, service_id=ticket.service_id, default=default)
            of_service = left[ticket.service_id] = [slot for slot in cut if slot.at > other.now]
        if not of_service:
            raise Invalid("no_slots", "there are no appointments on this day", day=day.isoformat())
        chosen = next((slot for slot in of_service if slot.free > taken.get(slot.at, 0)), None)
        if chosen is None:
            raise Exhausted("slot_full", "there are not enough appointments on this day", people=len(people))
        taken[chosen.at] = taken.get(chosen.at, 0) + 1
        found.append(chosen)
    return found
