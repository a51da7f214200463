"""Taking back the last thing done with a ticket: for the misclick, not for history."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import journeys, lineup
from queueing.errors import Conflict
from queueing.issuing import give_back
from queueing.store import EPOCH, Desk, Ticket, TicketEvent
from queueing.ticket import AT_DESK, CREATING, ENDED, REMARKS, Change, restore
from queueing.turn import Done, Turn, fresh_desk, fresh_ticket

NEVER_UNDONE = (*CREATING, *REMARKS, "transfer", "hand_over", "close", "confirm", "move")
"""A given number stays given (cancel it); another queue has gone on with a transferred person; closing is the
night's; an appointment and a rating are the citizen's."""
INSTANTS = ("aged_from", "appointment_at", "called_at", "started_at", "ended_at", "hold_until", "parked_at")


def undo(
    session: Session,
    ticket: Ticket,
    *,
    request_id: str,
    actor: str,
    now: datetime,
    desk: Desk | None = None,
    event_id: int | None = None,
) -> Done:
    """Put the ticket back to before its last event: state, times, place in the line, all as they were.

    Only one's own last step, and only while nothing came after it: refused (`undo_refused`) when the last
    event is another desk's (or, without `desk`, another actor's), is not `event_id` where the screen showed
    that one, or when the desk has meanwhile called somebody else. `nothing_to_undo` for a fresh ticket and
    after an undo.
    """
    with Turn(session, ticket.queue_id, request_id=request_id, actor=actor, now=now) as turn:
        earlier, _ = turn.earlier(("undo",), ticket_id=ticket.id)
        ticket = fresh_ticket(session, ticket)
        if earlier is not None:
            return Done(ticket, earlier, repeated=True)
        last = session.scalars(
            select(TicketEvent)
            .where(TicketEvent.ticket_id == ticket.id)
            .order_by(TicketEvent.id.desc())
            .limit(1)
        ).first()
        if last is None or last.action in (*CREATING, "undo"):
            raise Conflict("nothing_to_undo", "there is nothing to undo", state=ticket.state)
        if last.action in NEVER_UNDONE:
            raise Conflict("undo_refused", f"{last.action} cannot be undone", state=ticket.state)
        mine = last.desk_id == desk.id if desk is not None else last.actor == actor
        if not mine or last.state_to != ticket.state or (event_id is not None and event_id != last.id):
            raise Conflict(
                "undo_refused", "something has changed since", state=ticket.state, action=last.action
            )
        before = from_json(last.data.get("before", {}))
        at = before.get("desk_id", ticket.desk_id)
        if at is not None and last.state_from in AT_DESK and ticket.state not in AT_DESK:
            current = lineup.open_ticket(session, at)
            if current is not None:
                raise Conflict("undo_refused", f"the desk has {current.label} now", label=current.label)
        change = Change(last.action, last.state_from, last.state_to, before)
        if last.action == "finish":
            journeys.require_untouched(session, ticket)
        restore(ticket, change)
        if last.state_from == "booked" and last.state_to in ENDED:
            give_back(turn, ticket.day, again=True)
        event = turn.record(
            ticket,
            Change("undo", last.state_to, ticket.state, {}),
            desk=fresh_desk(session, desk) if desk is not None else None,
            desk_id=last.desk_id,
            data={"undoes": last.id, "action": last.action},
        )
    if last.action == "finish" and ticket.journey_id is not None:
        journeys.take_back(session, ticket, actor=actor, now=now)
    return Done(ticket, event)


def from_json(values: dict[str, Any]) -> dict[str, Any]:
    """Field values out of an event's `before`: the instants are instants again."""
    return {
        name: EPOCH + timedelta(microseconds=value) if name in INSTANTS and value is not None else value
        for name, value in values.items()
    }
