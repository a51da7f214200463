"""Call next: one atomic step that ends what the desk had and brings it the next person, or says that nobody
waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import journeys
from queueing.errors import Closed, Conflict, NotAllowed
from queueing.issuing import require_today
from queueing.ledger import SECOND, Ledger, Needs
from queueing.order import choose
from queueing.rows import DeskRow, TicketRow
from queueing.store import Desk, Ticket, TicketEvent
from queueing.ticket import MOVES, check_outcome, move
from queueing.turn import Done, NeedsSession, check_request_id, light, on_session


def call_next(
    session: Session,
    desk: Desk,
    *,
    request_id: str,
    actor: str,
    now: datetime,
    ticket: Ticket | None = None,
    finish_open: bool = True,
    may_choose: bool = True,
    outcome: str = "",
    device: str | None = None,
) -> Done | None:
    """Call the next person to a desk, or the chosen `ticket`; None when nobody can be called.

    The desk's open ticket is finished first (also when nobody follows), and stands in `Done.finished`. With
    `finish_open=False` an open ticket refuses the call instead (`desk_busy`), so that a screen can ask. A
    chosen ticket that is not the next one is recorded as out of order; without `may_choose` it is refused.
    `outcome`: what came of the ticket finished here (`counter.finish`). Who is in another tablet's hand
    (queueing/hands.py) is passed over; `device`: the browser that calls.

    Raises Closed `queue_closed`, `desk_closed`, `desk_paused`; Conflict `already_called`, `other_queue`,
    `not_today`, `desk_busy`, `in_hand`; MoveNotPossible; NotAllowed `out_of_order`. Nothing has changed then.
    """
    command = CallNext(
        desk.queue_id,
        desk.id,
        request_id,
        actor,
        now,
        None if ticket is None else ticket.id,
        finish_open,
        may_choose,
        outcome,
        device,
    )
    return command.alone(session)


def _ended_by(session: Session, request_id: str) -> Ticket | None:
    """The ticket that a call ended which found nobody to call."""
    return session.scalar(
        select(Ticket)
        .join(TicketEvent, TicketEvent.ticket_id == Ticket.id)
        .where(TicketEvent.request_id == request_id + SECOND)
    )


@dataclass(frozen=True, slots=True)
class CallNext:
    """`call_next` as a command."""

    queue_id: int
    desk_id: int
    request_id: str
    actor: str
    now: datetime
    ticket_id: int | None = None
    finish_open: bool = True
    may_choose: bool = True
    outcome: str = ""
    device: str | None = None
    operator: str | None = None
    """The account that presses, where it must be the one who sits there."""

    def __post_init__(self) -> None:
        check_request_id(self.request_id)
        check_outcome(self.outcome)

    def ask(self, needs: Needs, zone: str) -> bool:
        """The queue, the desk with its ticket, and the first people of each class."""
        if self.desk_id in needs.calls or not needs.queue(self.queue_id, self.now, zone):
            return False  # a desk that calls twice at once does so one after the other
        needs.requests |= {self.request_id, self.request_id + SECOND}
        needs.desks.add(self.queue_id)
        needs.calls[self.desk_id] = (self.queue_id, self.now)
        needs.hands[self.queue_id] = self.now
        if self.ticket_id is not None:
            needs.tickets.add(self.ticket_id)
        needs.new_events += 2
        return True

    def carry_out(self, ledger: Ledger) -> Done | None:
        """See `call_next`."""
        queue = ledger.queue(self.queue_id)
        called, finished = ledger.earlier(self.request_id, ("call",), self.queue_id, desk_id=self.desk_id)
        if called is not None:
            if self.ticket_id is not None and self.ticket_id != called.ticket_id:
                raise Conflict("request_id_reused", "this request id was used to call another ticket")
            before = ledger.ticket(finished.ticket_id) if finished is not None else None
            return light(ledger.ticket(called.ticket_id), called, repeated=True, finished=before)
        if finished is not None:
            return None  # this request ended the desk's ticket and found nobody waiting
        here = ledger.desk(self.queue_id, self.desk_id)
        require_sitting(here, self.operator)
        require_working(queue, here)
        current = ledger.ticket(here.open_id) if here.open_id is not None else None
        if current is not None and not self.finish_open:
            raise Conflict("desk_busy", f"{current.label} is still at this desk", label=current.label)
        line = ledger.candidates(self.queue_id, self.desk_id, self.device)
        natural = chosen = choose(line, now=self.now, services=here.services)
        told = {}
        if self.ticket_id is not None:
            chosen = ledger.ticket(self.ticket_id)
            self._check(chosen, queue)
            ledger.refuse_held(chosen, self.desk_id, self.device)
            if natural is None or chosen.id != natural.id:
                if not self.may_choose:
                    raise NotAllowed("out_of_order", f"{chosen.label} is not next", label=chosen.label)
                told = {"out_of_order": True}
        if ledger.batch and current is not None and current.journey_id is not None:
            raise NeedsSession
        # Nothing can refuse any more: from here on things change.
        common: dict[str, Any] = {"actor": self.actor, "now": self.now, "desk": here}
        if current is not None:
            ended = move(current, "finish", now=self.now)
            said = {"outcome": self.outcome} if self.outcome else None
            ledger.record(current, ended, request_id=self.request_id + SECOND, data=said, **common)
        if chosen is None:
            return None
        change = move(chosen, "call", now=self.now, desk_id=self.desk_id)
        event = ledger.record(chosen, change, request_id=self.request_id, data=told, **common)
        return light(chosen, event, finished=current)

    def alone(self, session: Session) -> Done | None:
        """See `call_next`."""
        done = on_session(session, self)
        ended = done.finished if done is not None else _ended_by(session, self.request_id)
        if ended is not None:  # who has more to do here stands in the next line
            journeys.follow(session, ended, actor=self.actor, now=self.now)
        return done

    def _check(self, ticket: TicketRow, queue: Any) -> None:
        if ticket.queue_id != self.queue_id:
            raise Conflict("other_queue", f"{ticket.label} stands in another queue", label=ticket.label)
        if (ticket.state, "call") in MOVES:
            require_today(ticket, queue, self.now)
        else:
            move(ticket, "call", now=self.now, desk_id=0)  # raises with the right words, changing nothing


def require_sitting(here: DeskRow, operator: str | None) -> None:
    """Refuse a press of somebody who does not sit at the desk any more."""
    if operator is not None and here.operator != operator:
        raise Conflict(
            "desk_taken", f"{here.operator or 'nobody'} sits at this desk now", operator=here.operator
        )


def require_working(queue: Any, here: Any) -> None:
    """Refuse while a desk or its queue is closed, or the desk is paused."""
    if queue.state == "closed":
        raise Closed("queue_closed", "this queue is closed", queue=queue.id)
    if here.state == "closed":
        raise Closed("desk_closed", f"desk {here.name} is closed", desk=here.id)
    if here.state == "paused":
        raise Closed("desk_paused", f"desk {here.name} is paused", desk=here.id)


def require_free(ledger: Ledger, desk: DeskRow) -> None:
    """Refuse when the desk has a ticket open."""
    if desk.open_id is not None:
        ledger.load(Needs(tickets={desk.open_id}))
        label = ledger.ticket(desk.open_id).label
        raise Conflict("desk_busy", f"{label} is still at desk {desk.name}", label=label)
