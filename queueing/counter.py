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
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import journeys
from queueing.calling import CallNext, call_next, require_free, require_sitting, require_working
from queueing.daytime import local_day
from queueing.errors import Conflict, MoveNotPossible, NotFound
from queueing.issuing import (
    Issue,
    admit,
    arrive,
    give_back_on,
    issue,
    random_code,
    require_open,
    service_of,
    unknown_service,
)
from queueing.ledger import Ledger, Needs
from queueing.rows import TicketRow
from queueing.store import Desk, Queue, Service, Ticket
from queueing.ticket import AT_DESK, ENDED, check_outcome, move
from queueing.turn import Done, NeedsSession, Turn, check_request_id, fresh_ticket, light, on_session
from queueing.undoing import undo

__all__ = [
    "Act",
    "CallNext",
    "Done",
    "Issue",
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
    session: Session,
    ticket: Ticket,
    *,
    request_id: str,
    actor: str,
    now: datetime,
    desk: Desk | None = None,
    outcome: str = "",
) -> Done:
    """The person has been served; when nobody pressed start, the service counts from the call. Who has more to do here
    stands in the next line (`Done.went_on`). `outcome`: what came of it, one of `ticket.OUTCOMES`, or nothing said."""
    return _act(session, ticket, "finish", request_id, actor, now, desk, outcome=outcome)


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
    session: Session,
    ticket: Ticket,
    *,
    request_id: str,
    actor: str,
    now: datetime,
    desk: Desk,
    device: str | None = None,
) -> Done:
    """A parked person goes on being served at `desk`; a missed one is called to it and shown again. Who is in another
    tablet's hand is refused (`in_hand`)."""
    return _act(session, ticket, "resume", request_id, actor, now, desk, device=device)


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
    to another queue, where a new ticket of the same journey and label follows this one (`Done.went_on`)."""
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
        if desk is not None and desk.queue_id != own.queue.id:
            raise Conflict("other_queue", f"desk {desk.name} belongs to another queue", desk=desk.id)
        check_desk(ticket, "transfer", desk.id if desk is not None else None)
        require_open(other.queue)
        code = (
            service_code or session.scalar(select(Service.code).where(Service.id == ticket.service_id)) or ""
        )
        service_id = service_of(session, other.queue.id, code)
        was_waiting = ticket.state == "waiting"
        at = ticket.desk_id if ticket.state in AT_DESK else None
        change = move(ticket, "transfer", now=now)
        journey, step = journeys.pass_on(
            session, ticket, to_queue_id=other.queue.id, service_id=service_id, now=now
        )
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
            label=journeys.label_in(other, journey),
            journey_id=journey.id,
        )
        ticket.next_ticket_id = went_on.id
        journeys.attach(session, step, went_on)
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
    outcome: str = "",
    device: str | None = None,
) -> Done:
    """Any verb that moves one ticket within its queue."""
    if desk is not None and desk.queue_id != ticket.queue_id:
        raise Conflict("other_queue", f"desk {desk.name} belongs to another queue", desk=desk.id)
    command = Act(
        ticket.queue_id,
        action,
        request_id,
        actor,
        now,
        ticket_id=ticket.id,
        desk_id=desk.id if desk is not None else None,
        service_code=service_code,
        note=note,
        outcome=outcome,
        device=device,
    )
    return command.alone(session)


@dataclass(frozen=True, slots=True)
class Act:
    """A verb that moves one ticket, named by its id or its code, within its queue."""

    queue_id: int
    action: str
    request_id: str
    actor: str
    now: datetime
    ticket_id: int | None = None
    code: str | None = None
    desk_id: int | None = None
    service_code: str | None = None
    note: str = ""
    outcome: str = ""
    device: str | None = None
    operator: str | None = None
    """The account that presses, where it must be the one who sits at the desk."""

    def __post_init__(self) -> None:
        check_request_id(self.request_id)
        check_outcome(self.outcome)

    def ask(self, needs: Needs, zone: str) -> bool:
        """The queue, the ticket and the desk."""
        if not needs.queue(self.queue_id, self.now, zone):
            return False
        needs.requests.add(self.request_id)
        if self.ticket_id is not None:
            needs.tickets.add(self.ticket_id)
        if self.code is not None:
            needs.codes.add(self.code)
        if self.desk_id is not None:
            needs.desks.add(self.queue_id)
        if self.service_code is not None:
            needs.services.add((self.queue_id, self.service_code))
        if self.action == "resume":
            needs.hands[self.queue_id] = self.now
        needs.new_events += 1
        return True

    def carry_out(self, ledger: Ledger) -> Done:
        """Check, move, record."""
        queue = ledger.queue(self.queue_id)
        ticket = self._ticket(ledger)
        earlier, _ = ledger.earlier(self.request_id, (self.action,), self.queue_id, ticket_id=ticket.id)
        if earlier is not None:
            return light(ticket, earlier, repeated=True)
        if ticket.queue_id != self.queue_id:
            raise Conflict("other_queue", f"{ticket.label} stands in another queue", label=ticket.label)
        check_desk(ticket, self.action, self.desk_id)
        desk = ledger.desk(self.queue_id, self.desk_id) if self.desk_id is not None else None
        if desk is not None:
            require_sitting(desk, self.operator)
        if self.action == "start" and ticket.state == "serving":
            return light(ticket, ledger.last(ticket.id, "serving"), repeated=True)
        if self.action == "resume" and desk is not None and ticket.state in ("parked", "missed"):
            require_working(queue, desk)
            require_free(ledger, desk)
            ledger.refuse_held(ticket, desk.id, self.device)
        if ledger.batch and self.action == "finish" and ticket.journey_id is not None:
            raise NeedsSession
        data: dict[str, Any] = {}
        fields: dict[str, Any] = {}
        if self.service_code is not None:
            fields["service_id"] = ledger.services.get((self.queue_id, self.service_code))
            if fields["service_id"] is None:
                raise unknown_service(self.service_code)
            data["service"] = self.service_code
        if self.note:
            fields["note"] = data["note"] = self.note[:NOTE_LENGTH]
        if self.outcome:
            data["outcome"] = self.outcome
        at = ticket.desk_id if ticket.state in AT_DESK else None
        change = move(
            ticket,
            self.action,
            now=self.now,
            desk_id=self.desk_id,
            hold_s=queue.cool_down_s,
            recall_limit=queue.recall_limit,
        )
        for name, value in fields.items():
            change.before[name] = getattr(ticket, name)
            setattr(ticket, name, value)
        if change.state_from == "booked" and change.state_to in ENDED:
            give_back_on(ledger, self.queue_id, ticket.day)
        event = ledger.record(
            ticket,
            change,
            request_id=self.request_id,
            actor=self.actor,
            now=self.now,
            desk=desk,
            desk_id=at,
            data=data,
        )
        return light(ticket, event)

    def alone(self, session: Session) -> Done:
        """Within a session; who is finished here and has more to do stands in the next line."""
        done = on_session(session, self)
        assert done is not None
        if self.action != "finish":
            return done
        return replace(done, went_on=journeys.follow(session, done.ticket, actor=self.actor, now=self.now))

    def _ticket(self, ledger: Ledger) -> TicketRow:
        if self.ticket_id is not None:
            return ledger.ticket(self.ticket_id)
        found = ledger.codes.get(self.code or "")
        if found is None:
            raise NotFound("ticket_not_found", "there is no such ticket")
        return found


def check_desk(ticket: Any, action: str, desk_id: int | None) -> None:
    """A ticket at a desk is moved by that desk only."""
    if ticket.state not in AT_DESK:
        return
    if desk_id is None and action in ("leave", "cancel"):
        raise MoveNotPossible(
            "already_called",
            "the ticket has been called: the desk decides now",
            state=ticket.state,
            action=action,
        )
    if desk_id is not None and ticket.desk_id != desk_id:
        raise Conflict(
            "other_desk", f"{ticket.label} is at another desk", state=ticket.state, desk=ticket.desk_id
        )
