"""Opening, pausing and closing of queues and desks, and the night's closing of what was forgotten.

Doing again what is already so changes nothing: these need no request id.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, func, select, text, update
from sqlalchemy.orm import Session

from queueing import lineup
from queueing.daytime import day_bounds, local_day
from queueing.errors import Closed, Conflict
from queueing.notices import tell
from queueing.store import LIVE_SQL, Desk, DeskShift, Queue, Ticket, TicketEvent
from queueing.store_life import HandOver
from queueing.ticket import AT_DESK, move
from queueing.turn import Turn, fresh_desk

CLOSE = "close"
"""Request id of a closing: `close#:<ticket id>`, because a ticket is closed at most once; with a # (see OwnRequest)."""


def open_queue(session: Session, queue: Queue, *, actor: str, now: datetime) -> Queue:
    """Tickets are given out from now on. People forgotten on an earlier day are closed first."""
    _close_old(session, queue.id, actor=actor, now=now)
    return _set_queue(session, queue, "open", actor, now)


def pause_queue(
    session: Session, queue: Queue, *, actor: str, now: datetime, until: datetime | None = None
) -> Queue:
    """No tickets for now; who waits keeps the place and is called. What to do before closing time, too. `until`: when
    the queue opens again by itself (queueing/closing.py); until somebody opens it, if None."""
    here = _set_queue(session, queue, "paused", actor, now)
    if here.resumes_at != until:
        with Turn(session, queue.id, request_id="queue", actor=actor, now=now) as turn:
            here.resumes_at = until
            turn.say("queue", {"action": "queue_paused", "state": "paused"})
    return here


def close_queue(session: Session, queue: Queue, *, actor: str, now: datetime) -> Queue:
    """The day is over: who still waits is closed, flagged and told; who is at a desk is finished there. Desks
    without a ticket are closed. Appointments of coming days stay."""
    end = day_bounds(local_day(now, queue.zone), queue.zone)[1]
    with Turn(session, queue.id, request_id=CLOSE, actor=actor, now=now) as turn:
        tickets = session.scalars(_live(queue.id).where(Ticket.aged_from < end))
        for ticket in tickets.all():
            if ticket.state not in AT_DESK:
                _close(turn, ticket)
                if ticket.channel != "simulated":  # nobody holds those
                    tell(session, ticket, "closed", now=now, reason="")
    for desk in session.scalars(select(Desk).where(Desk.queue_id == queue.id, Desk.state != "closed")).all():
        if lineup.open_ticket(session, desk.id) is None:
            close_desk(session, desk, actor=actor, now=now)
    return _set_queue(session, queue, "closed", actor, now)


def open_desk(
    session: Session, desk: Desk, *, actor: str, now: datetime, operator: str | None = None
) -> Desk:
    """`operator` (an account's name) works at the desk from now on. Raises Closed `queue_closed`."""
    with Turn(session, desk.queue_id, request_id="desk", actor=actor, now=now) as turn:
        here = fresh_desk(session, desk)
        if turn.queue.state == "closed":
            raise Closed("queue_closed", "this queue is closed", queue=turn.queue.id)
        if here.state == "open" and (operator is None or operator == here.operator):
            return here
        if operator is not None:
            here.operator = operator
        if here.state != "open":
            here.state = "open"
            session.add(DeskShift(desk_id=here.id, queue_id=here.queue_id, opened_at=now))
        turn.say("desks", {"action": "desk_open", "desk": here.name}, private={"operator": here.operator})
        return here


def pause_desk(session: Session, desk: Desk, *, actor: str, now: datetime) -> Desk:
    """A break: the present ticket can be finished, nobody new is called."""
    with Turn(session, desk.queue_id, request_id="desk", actor=actor, now=now) as turn:
        here = fresh_desk(session, desk)
        if here.state == "closed":
            raise Closed("desk_closed", f"desk {here.name} is closed", desk=here.id)
        if here.state == "open":
            here.state = "paused"
            _end_shift(session, here.id, now)
            turn.say("desks", {"action": "desk_pause", "desk": here.name})
        return here


def close_desk(session: Session, desk: Desk, *, actor: str, now: datetime) -> Desk:
    """The desk ends its day. Raises Conflict `desk_busy` while it has a ticket."""
    with Turn(session, desk.queue_id, request_id="desk", actor=actor, now=now) as turn:
        here = fresh_desk(session, desk)
        current = lineup.open_ticket(session, here.id)
        if current is not None:
            raise Conflict("desk_busy", f"{current.label} is still at desk {here.name}", label=current.label)
        if here.state != "closed":
            if here.state == "open":
                _end_shift(session, here.id, now)
            here.state = "closed"
            here.operator = None
            turn.say("desks", {"action": "desk_close", "desk": here.name})
        return here


def close_forgotten(session: Session, *, now: datetime, actor: str = "scheduler") -> int:
    """Close tickets of earlier days that are still live, flagged as forgotten, and end shifts left running.
    Returns how many tickets. Running it again changes nothing."""
    closed = 0
    queues = session.execute(
        select(Queue.id, Queue.zone)
        .where(
            Queue.id.in_(select(Ticket.queue_id).where(text(f"ticket.{LIVE_SQL}"))), Queue.held_by.is_(None)
        )
        .order_by(Queue.id)
    ).all()
    for queue_id, _zone in queues:
        closed += _close_old(session, queue_id, actor=actor, now=now)
    running = select(DeskShift, Queue.zone).join(Queue, Queue.id == DeskShift.queue_id)
    for shift, zone in session.execute(
        running.where(DeskShift.closed_at.is_(None), Queue.held_by.is_(None))
    ).all():
        if shift.opened_at < lineup.since(now, zone):
            _end_forgotten_shift(session, shift, actor=actor, now=now)
    return closed


def _close_old(session: Session, queue_id: int, *, actor: str, now: datetime) -> int:
    with Turn(session, queue_id, request_id=CLOSE, actor=actor, now=now) as turn:
        # By age, not by `day`: SQLite would take the index of (queue, day, number) and read the whole
        # history.
        tickets = session.scalars(_live(queue_id).where(Ticket.aged_from < turn.since)).all()
        for ticket in tickets:
            _close(turn, ticket)
        return len(tickets)


def _live(queue_id: int) -> Select[Ticket]:
    return (
        select(Ticket)
        .where(text(f"ticket.{LIVE_SQL}"), Ticket.queue_id == queue_id)
        .order_by(Ticket.id)
        .execution_options(populate_existing=True)
    )


def _close(turn: Turn, ticket: Ticket) -> None:
    at = ticket.desk_id if ticket.state in AT_DESK else None
    change = move(ticket, "close", now=turn.now)
    turn.record(ticket, change, desk_id=at, suffix=f"#:{ticket.id}", data={"flag": "forgotten"})


def _set_queue(session: Session, queue: Queue, state: str, actor: str, now: datetime) -> Queue:
    with Turn(session, queue.id, request_id="queue", actor=actor, now=now) as turn:
        here = session.get_one(Queue, queue.id)
        session.refresh(here)
        if here.state != state:
            here.state = state
            here.closing, here.resumes_at = False, None
            if state == "open" and here.moved_to_id is not None:
                # It works again: who was handed over stays there, and it can be handed over anew.
                here.moved_to_id = None
                stands = (HandOver.from_queue_id == here.id) & HandOver.undone_at.is_(None)
                session.execute(update(HandOver).where(stands).values(undone_at=now))
            turn.say("queue", {"action": f"queue_{state}", "state": state})
        return here


def _end_shift(session: Session, desk_id: int, at: datetime) -> None:
    running = (DeskShift.desk_id == desk_id) & DeskShift.closed_at.is_(None)
    session.execute(update(DeskShift).where(running).values(closed_at=at))


def _end_forgotten_shift(session: Session, shift: DeskShift, *, actor: str, now: datetime) -> None:
    """The clerk went home without closing: the shift ended with the last thing done at the desk."""
    with Turn(session, shift.queue_id, request_id="desk", actor=actor, now=now) as turn:
        last = session.scalar(
            select(func.max(TicketEvent.happened_at)).where(
                TicketEvent.queue_id == shift.queue_id,
                TicketEvent.happened_at >= shift.opened_at,
                TicketEvent.desk_id == shift.desk_id,
                TicketEvent.action != "close",
            )
        )
        shift.closed_at = last or shift.opened_at
        desk = session.get_one(Desk, shift.desk_id)
        desk.state = "closed"
        desk.operator = None
        turn.say("desks", {"action": "desk_close", "desk": desk.name})
