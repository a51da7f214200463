"""Call next: one atomic step that ends what the desk had and brings it the next person, or says that nobody
waits."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from queueing import lineup
from queueing.errors import Closed, Conflict, NotAllowed, NotFound
from queueing.issuing import require_today
from queueing.order import choose
from queueing.store import Desk, DeskService, Ticket, TicketEvent
from queueing.ticket import MOVES, move
from queueing.turn import Done, Turn, fresh_desk, fresh_ticket


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
) -> Done | None:
    """Call the next person to a desk, or the chosen `ticket`; None when nobody can be called.

    The desk's open ticket is finished first (also when nobody follows), and stands in `Done.finished`. With
    `finish_open=False` an open ticket refuses the call instead (`desk_busy`), so that a screen can ask. A
    chosen ticket that is not the next one is recorded as out of order; without `may_choose` it is refused.

    Raises Closed `queue_closed`, `desk_closed`, `desk_paused`; Conflict `already_called`, `other_queue`,
    `not_today`, `desk_busy`; MoveNotPossible; NotAllowed `out_of_order`. Nothing has changed then.
    """
    with Turn(session, desk.queue_id, request_id=request_id, actor=actor, now=now) as turn:
        called, finished = turn.earlier(("call",), desk_id=desk.id)
        if called is not None:
            if ticket is not None and ticket.id != called.ticket_id:
                raise Conflict("request_id_reused", "this request id was used to call another ticket")
            return Done(_of(session, called), called, True, _of(session, finished) if finished else None)
        if finished is not None:
            return None  # this request ended the desk's ticket and found nobody waiting
        here, services = _desk_with_services(session, desk)
        _require_working(turn, here)
        current = lineup.open_ticket(session, here.id)
        if current is not None and not finish_open:
            raise Conflict("desk_busy", f"{current.label} is still at this desk", label=current.label)
        natural = _next(turn, services)
        chosen, told = natural, {}
        if ticket is not None:
            chosen = fresh_ticket(session, ticket)
            _check_choice(turn, chosen)
            if natural is None or chosen.id != natural.id:
                if not may_choose:
                    raise NotAllowed("out_of_order", f"{chosen.label} is not next", label=chosen.label)
                told = {"out_of_order": True}
        if current is not None:
            # Flushed before the call: the database allows one open ticket a desk at any moment.
            current = _finish(turn, current, here)
        if chosen is None:
            return None
        change = move(chosen, "call", now=now, desk_id=here.id)
        return Done(chosen, turn.record(chosen, change, desk=here, data=told), finished=current)


def require_working(turn: Turn, desk: Desk) -> Desk:
    """The desk as it is now; refuses while it or its queue is closed, or it is paused."""
    here = fresh_desk(turn.session, desk)
    _require_working(turn, here)
    return here


def _require_working(turn: Turn, here: Desk) -> None:
    if turn.queue.state == "closed":
        raise Closed("queue_closed", "this queue is closed", queue=turn.queue.id)
    if here.state == "closed":
        raise Closed("desk_closed", f"desk {here.name} is closed", desk=here.id)
    if here.state == "paused":
        raise Closed("desk_paused", f"desk {here.name} is paused", desk=here.id)


def require_free(turn: Turn, desk: Desk) -> None:
    """Refuse when the desk has a ticket open."""
    current = lineup.open_ticket(turn.session, desk.id)
    if current is not None:
        raise Conflict("desk_busy", f"{current.label} is still at desk {desk.name}", label=current.label)


def _desk_with_services(session: Session, desk: Desk) -> tuple[Desk, list[int] | None]:
    """The desk as it is now, and the services it is limited to (None: all of its queue's)."""
    rows = session.execute(_DESK, {"the_desk": desk.id}, execution_options={"populate_existing": True}).all()
    if not rows:
        raise NotFound("desk_not_found", f"there is no desk {desk.id}", desk=desk.id)
    return rows[0][0], [service for _desk, service in rows if service is not None] or None


def _next(turn: Turn, services: list[int] | None) -> Ticket | None:
    found = lineup.candidates(turn.session, turn.queue.id, now=turn.now, since=turn.since, services=services)
    return choose(found, now=turn.now, services=services)


def _check_choice(turn: Turn, ticket: Ticket) -> None:
    if ticket.queue_id != turn.queue.id:
        raise Conflict("other_queue", f"{ticket.label} stands in another queue", label=ticket.label)
    if (ticket.state, "call") in MOVES:
        require_today(turn, ticket)
    else:
        move(ticket, "call", now=turn.now, desk_id=0)  # raises with the right words, changing nothing


def _finish(turn: Turn, ticket: Ticket, desk: Desk) -> Ticket:
    change = move(ticket, "finish", now=turn.now)
    turn.record(ticket, change, desk=desk, second=True)
    return ticket


def _of(session: Session, event: TicketEvent) -> Ticket:
    return session.get_one(Ticket, event.ticket_id)


_DESK = (
    select(Desk, DeskService.service_id)
    .outerjoin(DeskService, DeskService.desk_id == Desk.id)
    .where(Desk.id == bindparam("the_desk"))
)
