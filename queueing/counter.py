"""What is done with a ticket: the verbs. Each is one atomic step of one transaction that the caller commits.

Every verb takes a client-made `request_id`: the same one again changes nothing and returns the first answer
(`Done.repeated`), also when the ticket has moved on since; used for something else it is refused. `ticket`
and `desk` may be stale or come from another session: the verb reads them anew once it has the queue's turn. A
ticket at a desk is moved by that desk only (`other_desk`); without `desk` the actor is trusted, except to
leave or cancel.

All raise errors of queueing/errors.py, and then nothing has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.calling import call_next, require_free, require_working
from queueing.daytime import local_day
from queueing.errors import Conflict, MoveNotPossible
from queueing.issuing import admit, arrive, give_back, issue, random_code, require_open, service_of
from queueing.store import Desk, Queue, Service, Ticket, TicketEvent
from queueing.ticket import AT_DESK, ENDED, move
from queueing.turn import Done, Turn, fresh_ticket
from queueing.undoing import undo

__all__ = [
    "Done",
    "arrive",
    "call_next",
    "cancel",
    "change_service",
    "finish",
    "issue",
    "leave",
    "miss",
    "park",
    "recall",
    "requeue",
    "resume",
    "start",
    "transfer",
    "undo",
]
NOTE_LENGTH = 400


def start(
    session: Session, ticket: Ticket, *, request_id: str, actor: str, now: datetime, desk: Desk | None = None
) -> Done:
    """The person is at the desk: the service begins. Starting twice is harmless (`repeated`)."""
    return _act(session, ticket, "start", request_id, actor, now, desk)


def finish(
    session: Session, ticket: Ticket, *, request_id: str, actor: str, now: datetime, desk: Desk | None = None
) -> Done:
    """The person has been served; when nobody pressed start, the service counts from the call."""
    return _act(session, ticket, "finish", request_id, actor, now, desk)


def miss(
    session: Session, ticket: Ticket, *, request_id: str, actor: str, now: datetime, desk: Desk | None = None
) -> Done:
    """Called and did not come. Comes back by requeue (held for the queue's cool-down) or resume, never
    unasked."""
    return _act(session, ticket, "miss", request_id, actor, now, desk)


def recall(
    session: Session, ticket: Ticket, *, request_id: str, actor: str, now: datetime, desk: Desk | None = None
) -> Done:
    """Announce the call again, at most `queue.recall_limit` times a call (`recall_limit`)."""
    return _act(session, ticket, "recall", request_id, actor, now, desk)


def park(
    session: Session,
    ticket: Ticket,
    *,
    request_id: str,
    actor: str,
    now: datetime,
    desk: Desk | None = None,
    note: str = "",
) -> Done:
    """Set aside (a missing paper): the desk is free, the time does not count as service, call next passes
    over."""
    return _act(session, ticket, "park", request_id, actor, now, desk, note=note)


def resume(
    session: Session, ticket: Ticket, *, request_id: str, actor: str, now: datetime, desk: Desk
) -> Done:
    """A parked person goes on being served at `desk`; a missed one is called to it and shown again."""
    return _act(session, ticket, "resume", request_id, actor, now, desk)


def requeue(
    session: Session, ticket: Ticket, *, request_id: str, actor: str, now: datetime, desk: Desk | None = None
) -> Done:
    """Back to the line with place and age kept: a call taken back, a parked or missed person who waits
    again."""
    return _act(session, ticket, "requeue", request_id, actor, now, desk)


def leave(
    session: Session, ticket: Ticket, *, request_id: str, actor: str, now: datetime, desk: Desk | None = None
) -> Done:
    """The person goes. A citizen (no `desk`) can while waiting, not once called (`already_called`)."""
    return _act(session, ticket, "leave", request_id, actor, now, desk)


def cancel(
    session: Session, ticket: Ticket, *, request_id: str, actor: str, now: datetime, desk: Desk | None = None
) -> Done:
    """The ticket is taken out of the line and stays in history; same rule as `leave` once called."""
    return _act(session, ticket, "cancel", request_id, actor, now, desk)


def change_service(
    session: Session,
    ticket: Ticket,
    service_code: str,
    *,
    request_id: str,
    actor: str,
    now: datetime,
    desk: Desk | None = None,
) -> Done:
    """The person came for something else: the ticket stays where it is, reports use the new service."""
    return _act(session, ticket, "change", request_id, actor, now, desk, service_code=service_code)


def transfer(
    session: Session,
    ticket: Ticket,
    *,
    request_id: str,
    actor: str,
    now: datetime,
    desk: Desk | None = None,
    to_queue: Queue | None = None,
    service_code: str | None = None,
    note: str = "",
    new_code: Callable[[], str] = random_code,
) -> Done:
    """Send a person on with a note: to another service of this queue (same ticket, same number, age kept), or
    to another queue, where a new ticket follows this one (`Done.went_on`, `ticket.next_ticket_id`)."""
    if to_queue is None or to_queue.id == ticket.queue_id:
        return _act(
            session,
            ticket,
            "redirect",
            request_id,
            actor,
            now,
            desk,
            service_code=service_code,
            note=note,
        )
    ids = sorted((ticket.queue_id, to_queue.id))  # always locked in one order: no deadlock
    with (
        Turn(session, ids[0], request_id=request_id, actor=actor, now=now) as low,
        Turn(session, ids[1], request_id=request_id, actor=actor, now=now) as high,
    ):
        own, other = (low, high) if low.queue.id == ticket.queue_id else (high, low)
        before, after = own.earlier(("transfer",), ticket_id=ticket.id)
        ticket = fresh_ticket(session, ticket)
        if before is not None:
            went_on = session.get_one(Ticket, after.ticket_id) if after else None
            if went_on is None or went_on.queue_id != to_queue.id:
                raise Conflict("request_id_reused", "this request id was used for another transfer")
            return Done(ticket, before, repeated=True, went_on=went_on)
        _check_desk(ticket, "transfer", desk, own)
        require_open(other.queue)
        code = (
            service_code or session.scalar(select(Service.code).where(Service.id == ticket.service_id)) or ""
        )
        service_id = service_of(session, other.queue.id, code)
        was_waiting = ticket.state == "waiting"
        at = ticket.desk_id if ticket.state in AT_DESK else None
        change = move(ticket, "transfer", now=now)
        went_on, _ = admit(
            other,
            "issue",
            service_id,
            day=local_day(now, other.queue.zone),
            service_code=code,
            priority=ticket.priority,
            channel=ticket.channel,
            phone=ticket.phone,
            appointment_at=None,
            # Who stood in the wrong line has not been served yet: the wait counts on.
            aged_from=ticket.aged_from if was_waiting else now,
            code=new_code(),
            over_capacity=True,
            note=note[:NOTE_LENGTH],
            second=True,
            data={"from": ticket.id},
        )
        ticket.next_ticket_id = went_on.id
        data = {"note": note[:NOTE_LENGTH], "to_queue": to_queue.id, "to": went_on.id}
        event = own.record(ticket, change, desk=desk, desk_id=at, data=data)
        return Done(ticket, event, went_on=went_on)


def _act(
    session: Session,
    ticket: Ticket,
    action: str,
    request_id: str,
    actor: str,
    now: datetime,
    desk: Desk | None,
    *,
    service_code: str | None = None,
    note: str = "",
) -> Done:
    """Any verb that moves one ticket within its queue."""
    with Turn(session, ticket.queue_id, request_id=request_id, actor=actor, now=now) as turn:
        earlier, _ = turn.earlier((action,), ticket_id=ticket.id)
        ticket = fresh_ticket(session, ticket)
        if earlier is not None:
            return Done(ticket, earlier, repeated=True)
        _check_desk(ticket, action, desk, turn)
        if action == "start" and ticket.state == "serving":
            return Done(ticket, _last(session, ticket, "serving"), repeated=True)
        if action == "resume" and desk is not None and ticket.state in ("parked", "missed"):
            require_free(turn, require_working(turn, desk))
        data: dict[str, Any] = {}
        fields: dict[str, Any] = {}
        if service_code is not None:
            fields["service_id"] = service_of(session, turn.queue.id, service_code)
            data["service"] = service_code
        if note:
            fields["note"] = data["note"] = note[:NOTE_LENGTH]
        at = ticket.desk_id if ticket.state in AT_DESK else None
        change = move(
            ticket,
            action,
            now=now,
            desk_id=desk.id if desk is not None else None,
            hold_s=turn.queue.cool_down_s,
            recall_limit=turn.queue.recall_limit,
        )
        for name, value in fields.items():
            change.before[name] = getattr(ticket, name)
            setattr(ticket, name, value)
        if change.state_from == "booked" and change.state_to in ENDED:
            give_back(turn, ticket.day)
        return Done(ticket, turn.record(ticket, change, desk=desk, desk_id=at, data=data))


def _check_desk(ticket: Ticket, action: str, desk: Desk | None, turn: Turn) -> None:
    if desk is not None and desk.queue_id != turn.queue.id:
        raise Conflict("other_queue", f"desk {desk.name} belongs to another queue", desk=desk.id)
    if ticket.state not in AT_DESK:
        return
    if desk is None and action in ("leave", "cancel"):
        raise MoveNotPossible(
            "already_called",
            "the ticket has been called: the desk decides now",
            state=ticket.state,
            action=action,
        )
    if desk is not None and ticket.desk_id != desk.id:
        raise Conflict(
            "other_desk", f"{ticket.label} is at another desk", state=ticket.state, desk=ticket.desk_id
        )


def _last(session: Session, ticket: Ticket, state_to: str) -> TicketEvent:
    """The latest event that brought a ticket into a state."""
    return session.scalars(
        select(TicketEvent)
        .where(TicketEvent.ticket_id == ticket.id, TicketEvent.state_to == state_to)
        .order_by(TicketEvent.id.desc())
        .limit(1)
    ).one()
