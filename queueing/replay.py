"""Presses of a clerk that reach us late: done in their order, once, at the times at which they happened.

A tablet that hears nothing goes on with the people of its hand (queueing/hands.py) and writes each press down before
anything else. When we are back it tells all of them. Every press is a verb of the counter with its own `request_id`, so
telling it again changes nothing; one that can no longer be done is refused like any verb, changes nothing, and does not
stop the others.

A press whose answer was lost is the delicate one: call next may have called somebody else here than the tablet then did
by itself. What happened in the hall counts: our call is taken back (place and age kept) and theirs is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from queueing import counter, lineup
from queueing.errors import Conflict, Invalid, NotFound
from queueing.store import Desk, Outbox, Ticket, TicketEvent
from queueing.turn import SECOND, Done

VERBS = ("next", "start", "finish", "recall", "miss", "requeue", "park", "resume")
OWN, BACK, END = ".own", ".back", ".end"
"""Endings of request ids made here: the tablet's call after another one had been made; that one taken back; what a
refused call ended."""


@dataclass(frozen=True, slots=True)
class Press:
    """One press. `ticket` and `finish` are codes: on whom, and whom call next ended by it ("" for nobody)."""

    verb: str
    request_id: str
    happened_at: datetime | None = None
    """By the tablet's clock, corrected; None: just now."""
    ticket: str = ""
    finish: str = ""
    note: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a press. `done` None: call next found nobody. `back`: the label of a call taken back for it."""

    done: Done | None
    back: str = ""


def replay(
    session: Session,
    desk: Desk,
    press: Press,
    *,
    device: str,
    actor: str,
    now: datetime,
    may_choose: bool = False,
) -> Answer:
    """Carry one press out. `may_choose`: the account may call from the middle of the line (a late press names whom it
    called out of its hand, which needs no permission).

    Raises what the verb raises, then nothing has changed; Invalid `verb_unknown`; Conflict `desk_busy` when the desk
    has somebody whom the tablet did not know of.
    """
    if press.verb not in VERBS:
        raise Invalid("verb_unknown", f"there is no press {press.verb!r}")
    ticket = _ticket(session, press.ticket) if press.ticket or press.verb != "next" else None
    at = now if press.happened_at is None else _instant(session, desk, ticket, press.happened_at, now)
    common: dict[str, Any] = {"actor": actor, "now": at}
    seq = desk.queue.seq if press.happened_at is not None else 0
    if press.verb == "next":
        answer = _next(session, desk, press, ticket, device, may_choose, common)
    else:
        assert ticket is not None
        if press.verb == "resume":
            common["device"] = device
        elif press.verb == "park":
            common["note"] = press.note
        elif press.verb == "finish":
            common["outcome"] = press.outcome
        done = getattr(counter, press.verb)(session, ticket, request_id=press.request_id, desk=desk, **common)
        answer = Answer(done)
    if press.happened_at is not None:
        _mark(session, desk.queue_id, press.request_id, seq, device, now)
    return answer


def end_before(session: Session, desk: Desk, press: Press, *, device: str, actor: str, now: datetime) -> None:
    """After a call that was refused: the ticket that it ended was ended all the same, for the clerk went on. Nothing
    happens where that ticket is not at the desk any more."""
    if press.verb != "next" or press.happened_at is None or not press.finish:
        return
    current = lineup.open_ticket(session, desk.id)
    if current is not None and current.code == press.finish:
        ending = Press(
            "finish", press.request_id + END, press.happened_at, press.finish, outcome=press.outcome
        )
        replay(session, desk, ending, device=device, actor=actor, now=now)


def _next(
    session: Session,
    desk: Desk,
    press: Press,
    ticket: Ticket | None,
    device: str,
    may_choose: bool,
    common: dict[str, Any],
) -> Answer:
    rid, back = press.request_id, ""
    late = press.happened_at is not None
    if ticket is None:
        return Answer(
            counter.call_next(session, desk, request_id=rid, device=device, outcome=press.outcome, **common)
        )
    if late:
        first, second = _event(session, rid), _event(session, rid + SECOND)
        if first is not None and first.action == "call" and first.ticket_id != ticket.id:
            other = session.get_one(Ticket, first.ticket_id)
            if other.state == "called" and other.desk_id == desk.id:
                counter.requeue(session, other, request_id=rid + BACK, desk=desk, **common)
            back, rid = other.label, rid + OWN
        elif first is None and second is not None:  # it had ended the desk's ticket and found nobody
            rid += OWN
        if _event(session, rid) is None:
            current = lineup.open_ticket(session, desk.id)
            if current is not None and current.code not in (press.finish, ticket.code):
                raise Conflict("desk_busy", f"{current.label} is still at this desk", label=current.label)
    done = counter.call_next(
        session,
        desk,
        ticket=ticket,
        request_id=rid,
        device=device,
        may_choose=may_choose or late,
        outcome=press.outcome,
        **common,
    )
    return Answer(done, back)


def _ticket(session: Session, code: str) -> Ticket:
    found = session.scalar(select(Ticket).where(Ticket.code == code))
    if found is None:
        raise NotFound("ticket_not_found", "there is no such ticket")
    return found


def _event(session: Session, request_id: str) -> TicketEvent | None:
    return session.scalar(select(TicketEvent).where(TicketEvent.request_id == request_id))


def _instant(session: Session, desk: Desk, ticket: Ticket | None, said: datetime, now: datetime) -> datetime:
    """When it happened: never in the future, never before what we know of the ticket and of the desk."""
    mine = TicketEvent.desk_id == desk.id
    if ticket is not None:
        known = session.scalar(
            select(func.max(TicketEvent.happened_at)).where(TicketEvent.ticket_id == ticket.id)
        )
        said = max(said, known or said)
    # What others do at the ticket's queue meanwhile does not matter; what this desk did comes before.
    latest = session.scalar(
        select(func.max(TicketEvent.happened_at)).where(
            TicketEvent.queue_id == desk.queue_id, TicketEvent.happened_at > said, mine
        )
    )
    return min(max(said, latest or said), now)


def _mark(session: Session, queue_id: int, request_id: str, seq: int, device: str, now: datetime) -> None:
    """The events say when they were recorded and by which tablet; the boards do not announce what is long past."""
    ids = (request_id, request_id + SECOND, request_id + OWN, request_id + OWN + SECOND, request_id + BACK)
    events: Sequence[TicketEvent] = session.scalars(
        select(TicketEvent).where(TicketEvent.request_id.in_(ids), TicketEvent.queue_id == queue_id)
    ).all()
    new = [event for event in events if "offline" not in event.data and event.seq > seq]
    for event in new:
        told = {name: value for name, value in event.data.items() if name != "out_of_order"}
        event.data = told | {"offline": device}
        event.recorded_at = now
    late = session.scalars(
        select(Outbox).where(
            Outbox.topic == f"queue:{queue_id}", Outbox.seq.in_([event.seq for event in new])
        )
    )
    for row in late:
        row.data = row.data | {"late": True}
    session.flush()
