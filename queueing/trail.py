"""What happened with one ticket: every step as it was written, and how long each state lasted.

A step that was taken back stays on the trail, marked; the time since then counts for the state it had interrupted, as
everywhere in the statistics (queueing/hours.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.daytime import local_day
from queueing.store import Desk, Queue, Service, Ticket, TicketEvent
from queueing.ticket import LIVE, REMARKS

PERIODS = ("booked", "waiting", "called", "serving", "parked", "missed")
"""States whose time is told, in this order: a call is the walk to the desk."""
MOST = 20
"""Tickets found by one label: a day has one a queue, and with visitors from other queues a few."""


@dataclass(frozen=True, slots=True)
class Step:
    """One event. `lasted_s`: how long the state lasted that it led to, to the end or until now; None where it led to
    no new one. `undone`: it was taken back later."""

    event: TicketEvent
    desk: str
    lasted_s: float | None
    running: bool
    undone: bool


@dataclass(frozen=True, slots=True)
class Trail:
    """A ticket with all that happened. `spent`: seconds in each state it was in."""

    ticket: Ticket
    queue: Queue
    service: Service
    steps: tuple[Step, ...]
    spent: dict[str, float]
    came_from: Ticket | None
    went_to: Ticket | None

    @property
    def forgotten(self) -> bool:
        """Closed by the night, because nobody had."""
        return any(s.event.data.get("flag") == "forgotten" and not s.undone for s in self.steps)


def find(
    session: Session, queue_ids: Sequence[int], *, days: Sequence[date] = (), label: str = "", code: str = ""
) -> list[Ticket]:
    """Tickets of these queues by what is shown on them on some days, or by the code of their link."""
    if code:
        chosen = select(Ticket).where(Ticket.code == code, Ticket.queue_id.in_(queue_ids))
    else:
        chosen = select(Ticket).where(
            Ticket.queue_id.in_(queue_ids), Ticket.day.in_(days), Ticket.label == label.strip().upper()
        )
    return list(session.scalars(chosen.order_by(Ticket.id).limit(MOST)))


def trail(session: Session, ticket: Ticket, *, now: datetime) -> Trail:
    """Everything that happened with `ticket`."""
    rows = session.execute(
        select(TicketEvent, Desk.name)
        .outerjoin(Desk, Desk.id == TicketEvent.desk_id)
        .where(TicketEvent.ticket_id == ticket.id)
        .order_by(TicketEvent.id)
    ).all()
    events = [event for event, _desk in rows]
    lasted, spent = periods(events, now)
    gone = taken_back(events)
    steps = tuple(
        Step(event, desk or "", *lasted.get(event.id, (None, False)), event.id in gone)
        for event, desk in rows
    )
    came = session.scalar(select(Ticket).where(Ticket.next_ticket_id == ticket.id)) or _from(session, events)
    return Trail(
        ticket,
        session.get_one(Queue, ticket.queue_id),
        session.get_one(Service, ticket.service_id),
        steps,
        spent,
        came,
        session.get(Ticket, ticket.next_ticket_id) if ticket.next_ticket_id is not None else None,
    )


def periods(
    events: Sequence[Any], now: datetime
) -> tuple[dict[int, tuple[float | None, bool]], dict[str, float]]:
    """How long each state lasted, by the id of the event that led to it: (seconds, still running); and in all by
    state. Steps that were taken back never happened."""
    gone = taken_back(events)
    standing = [e for e in events if e.action not in ("undo", *REMARKS) and e.id not in gone]
    entered = [e for n, e in enumerate(standing) if n == 0 or standing[n - 1].state_to != e.state_to]
    lasted: dict[int, tuple[float | None, bool]] = {}
    spent: dict[str, float] = {}
    for number, event in enumerate(entered):
        last = number + 1 == len(entered)
        if last and event.state_to not in LIVE:
            continue
        until = now if last else entered[number + 1].happened_at
        seconds = max(0.0, (until - event.happened_at).total_seconds())
        lasted[event.id] = (seconds, last)
        spent[event.state_to] = spent.get(event.state_to, 0.0) + seconds
    return lasted, {state: spent[state] for state in PERIODS if state in spent}


def taken_back(events: Sequence[Any]) -> set[int]:
    """Ids of the events that an undo took back: each time the step before it, remarks aside."""
    gone: set[int] = set()
    standing: list[int] = []
    for event in events:
        if event.action == "undo":
            if standing:
                gone.add(standing.pop())
        elif event.action not in REMARKS:
            standing.append(event.id)
    return gone


def forgotten(session: Session, queue_ids: Sequence[int], days: Sequence[date]) -> list[Ticket]:
    """Tickets of some business days that nobody had closed before their day was over: the night did, or the morning."""
    rows = session.execute(
        select(Ticket, TicketEvent.actor, TicketEvent.happened_at, Queue.zone)
        .join(TicketEvent, TicketEvent.ticket_id == Ticket.id)
        .join(Queue, Queue.id == Ticket.queue_id)
        .where(Ticket.queue_id.in_(queue_ids), Ticket.day.in_(days), TicketEvent.action == "close")
        .order_by(Ticket.id)
    )
    return [
        ticket for ticket, actor, at, zone in rows if actor == "scheduler" or local_day(at, zone) > ticket.day
    ]


def _from(session: Session, events: Sequence[TicketEvent]) -> Ticket | None:
    number = events[0].data.get("from") if events else None
    return session.get(Ticket, number) if isinstance(number, int) else None
