"""Does every ticket stand where its events say? The tickets are rebuilt from their events by the same
rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.errors import QueueingError
from queueing.store import EPOCH, Queue, Ticket, TicketEvent
from queueing.store_journal import NumberBand
from queueing.store_tablet import PaperStrip
from queueing.ticket import CREATING, ENDED, MOVES, REMARKS, Change, LightTicket, move, restore

HUNDRED, ASIDE = 100, 100_000
"""Logs of vans begin their numbers after a full hundred; from ASIDE on numbers are kept that two people held."""
FIELDS = (
    "state",
    "desk_id",
    "aged_from",
    "called_at",
    "started_at",
    "ended_at",
    "recalls",
    "parked_s",
    "parked_at",
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing about a ticket that its events do not say."""

    ticket_id: int
    label: str
    what: str
    stored: Any
    rebuilt: Any

    def __str__(self) -> str:
        return (
            f"ticket {self.ticket_id} ({self.label}): {self.what} is {self.stored}, events say {self.rebuilt}"
        )


def check(session: Session, queue_ids: Sequence[int] | None = None) -> list[Difference]:
    """Rebuild the tickets of these queues (None: of all) from their events and list every difference.

    Also looks at the numbers: within a queue and day they run without gap or duplicate.
    """
    found: list[Difference] = []
    ids = queue_ids if queue_ids is not None else session.scalars(select(Queue.id).order_by(Queue.id)).all()
    for queue_id in ids:
        found.extend(_check_queue(session, queue_id))
    return found


def rebuild(ticket: Ticket, events: Iterable[TicketEvent], *, cool_down_s: int) -> LightTicket:
    """The ticket that a list of events makes. Raises QueueingError or ValueError where they contradict the
    rules."""
    made: LightTicket | None = None
    done: list[Change] = []
    for event in events:
        if event.action in CREATING:
            made = LightTicket(
                ticket.number,
                ticket.service_id,
                event.happened_at,
                priority=ticket.priority,
                state=MOVES[(None, event.action)],
                appointment_at=ticket.appointment_at,
            )
            if event.data.get("from") is not None:
                made.aged_from = ticket.aged_from
            continue
        if made is None:
            raise ValueError("the first event is not the ticket's issue")
        if event.action in REMARKS:
            continue
        if event.state_from != made.state:
            raise ValueError(
                f"{event.action} happened in {event.state_from}, but the ticket was {made.state}"
            )
        if event.action == "undo":
            if not done:
                raise ValueError("an undo without a step before it")
            restore(made, done.pop())
        else:
            done.append(
                move(made, event.action, now=event.happened_at, desk_id=event.desk_id, hold_s=cool_down_s)
            )
        if event.state_to != made.state:
            raise ValueError(f"{event.action} led to {event.state_to}, by the rules it is {made.state}")
    if made is None:
        raise ValueError("there are no events")
    return made


def _check_queue(session: Session, queue_id: int) -> list[Difference]:
    cool_down = session.get_one(Queue, queue_id).cool_down_s
    events: dict[int, list[TicketEvent]] = {}
    for event in session.scalars(
        select(TicketEvent).where(TicketEvent.queue_id == queue_id).order_by(TicketEvent.id)
    ):
        events.setdefault(event.ticket_id, []).append(event)
    found: list[Difference] = []
    on_paper = {
        (strip.day, number)
        for strip in session.scalars(select(PaperStrip).where(PaperStrip.queue_id == queue_id))
        for number in range(strip.first, strip.last + 1)
    }
    banded = set(session.scalars(select(NumberBand.day).where(NumberBand.queue_id == queue_id)))
    tickets = session.scalars(
        select(Ticket).where(Ticket.queue_id == queue_id).order_by(Ticket.day, Ticket.number)
    ).all()
    before: tuple[Any, int] | None = None
    for ticket in tickets:
        if (
            before is not None
            and before[0] == ticket.day
            and not (ticket.day in banded and _begins_band(ticket.number))
            and not _follows(before, ticket.number, on_paper)
        ):
            found.append(Difference(ticket.id, ticket.label, "number", ticket.number, before[1] + 1))
        before = (ticket.day, ticket.number)
        try:
            made = rebuild(ticket, events.get(ticket.id, []), cool_down_s=cool_down)
        except (QueueingError, ValueError) as error:
            found.append(Difference(ticket.id, ticket.label, "history", ticket.state, str(error)))
            continue
        for name in FIELDS:
            stored, rebuilt = getattr(ticket, name), getattr(made, name)
            if stored != rebuilt:
                found.append(Difference(ticket.id, ticket.label, name, _plain(stored), _plain(rebuilt)))
        if (ticket.state in ENDED) != (ticket.ended_at is not None):
            found.append(
                Difference(ticket.id, ticket.label, "ended_at", _plain(ticket.ended_at), ticket.state)
            )
    return found


def _follows(before: tuple[Any, int], number: int, on_paper: set[tuple[Any, int]]) -> bool:
    """Whether a number is the one after the last, but for those given out on paper (or never given out there)."""
    day, last = before
    return number > last and all((day, n) in on_paper for n in range(last + 1, number))


def _begins_band(number: int) -> bool:
    """Whether a log of its own may begin here, or the number stands aside because somebody else holds it."""
    return number % HUNDRED == 1 or number > ASIDE


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) and value >= EPOCH else value
