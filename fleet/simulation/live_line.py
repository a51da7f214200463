"""A line of the live day in memory: a picture of the database, taken anew whenever somebody else has changed
it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from fleet.simulation.behaviour import Mix, Person, draw_person
from fleet.simulation.demand_today import Today
from fleet.simulation.rows import ACTOR, serial_of
from fleet.simulation.scenario import DeskDay, Scenario, arrivals
from fleet.simulation.steps import Held
from fleet.simulation.truth import stream
from queueing.store import LIVE_SQL, Desk, Queue, Ticket, TicketEvent

PART = 400
"""Ids in one IN list."""


@dataclass(slots=True)
class LiveDesk:
    """A desk of a live line. `human`: a person sits there, so the simulation keeps its hands off."""

    ref: Desk
    plan: DeskDay | None
    state: str = "closed"
    human: bool = False
    ticket_id: int | None = None

    def staffed(self, second: float, closes_s: float) -> bool:
        """Whether a simulated clerk should sit here at this second of the day."""
        if self.plan is None:
            return False
        if second >= closes_s:
            return True  # whoever is left stays until the people inside are served
        return any(begin <= second < end for begin, end in self.plan.spells)


@dataclass(slots=True)
class LiveLine:
    """One queue's live day."""

    today: Today
    people: list[tuple[float, Person]]
    ref: Queue
    desks: dict[int, LiveDesk] = field(default_factory=dict)
    held: dict[int, Held] = field(default_factory=dict)
    came: int = 0
    """The next serial to arrive."""
    seq: int = -1
    state: str = "closed"
    floor: datetime | None = None
    """Nothing may be recorded before this instant: somebody has acted at it."""

    @property
    def scenario(self) -> Scenario:
        """The plan of the day."""
        return self.today.scenario

    @property
    def queue_id(self) -> int:
        """The queue's id."""
        return self.today.scenario.line.queue_id

    def waiting(self) -> bool:
        """Whether anybody stands in the line."""
        return any(held.state == "waiting" for held in self.held.values())


def make_line(today: Today, seed: int) -> LiveLine:
    """A line before the database was looked at. Its queue and desks are stand-ins that carry only their ids."""
    line = today.scenario.line
    plans = {desk.desk_id: desk for desk in today.scenario.desks}
    made = LiveLine(today, arrivals(today.scenario, seed), Queue(id=line.queue_id))
    for desk in line.desks:
        ref = Desk(id=desk.desk_id, queue_id=line.queue_id)
        made.desks[desk.desk_id] = LiveDesk(ref, plans.get(desk.desk_id))
    return made


def refresh(session: Session, lines: Sequence[LiveLine], *, seed: int, day: date) -> None:
    """Take the picture of these lines anew: state, seq, desks, live tickets with what happened to them, who
    has come."""
    by_id = {line.queue_id: line for line in lines}
    for part in _parts(sorted(by_id)):
        for queue_id, seq, state in session.execute(
            select(Queue.id, Queue.seq, Queue.state).where(Queue.id.in_(part))
        ):
            by_id[queue_id].seq, by_id[queue_id].state = seq, state
        for desk_id, queue_id, state, operator in session.execute(
            select(Desk.id, Desk.queue_id, Desk.state, Desk.operator).where(Desk.queue_id.in_(part))
        ):
            line = by_id[queue_id]
            if desk_id not in line.desks:
                line.desks[desk_id] = LiveDesk(Desk(id=desk_id, queue_id=queue_id), None)
            desk = line.desks[desk_id]
            desk.state, desk.human, desk.ticket_id = state, operator is not None, None
        _refresh_tickets(session, by_id, part, seed, day)
        rows = session.execute(
            select(TicketEvent.queue_id, func.max(TicketEvent.happened_at))
            .where(
                TicketEvent.queue_id.in_(part),
                TicketEvent.happened_at >= min(by_id[q].scenario.opens for q in part),
            )
            .group_by(TicketEvent.queue_id)
        )
        for queue_id, last in rows:
            by_id[queue_id].floor = last


def find_who_came(session: Session, lines: Sequence[LiveLine]) -> None:
    """Set each line's next serial: one after the last of its people who took a ticket."""
    by_id = {line.queue_id: line for line in lines}
    for part in _parts(sorted(by_id)):
        since = min(by_id[queue_id].scenario.opens for queue_id in part)
        rows = session.execute(
            select(TicketEvent.queue_id, TicketEvent.request_id).where(
                TicketEvent.queue_id.in_(part),
                TicketEvent.happened_at >= since,
                TicketEvent.action == "issue",
                TicketEvent.actor == ACTOR,
            )
        )
        for queue_id, request in rows:
            serial = serial_of(request)
            if serial is not None:
                by_id[queue_id].came = max(by_id[queue_id].came, serial + 1)


def _refresh_tickets(
    session: Session, by_id: dict[int, LiveLine], part: Sequence[int], seed: int, day: date
) -> None:
    tickets = session.scalars(
        select(Ticket)
        .where(text(f"ticket.{LIVE_SQL}"), Ticket.queue_id.in_(part), Ticket.day == day)
        .execution_options(populate_existing=True)
    ).all()
    past: dict[int, set[str]] = {ticket.id: set() for ticket in tickets}
    serials: dict[int, int] = {}
    for ids in _parts(sorted(past)):
        rows = session.execute(
            select(TicketEvent.ticket_id, TicketEvent.action, TicketEvent.request_id).where(
                TicketEvent.ticket_id.in_(ids), TicketEvent.action.in_(("issue", "miss", "park", "redirect"))
            )
        )
        for ticket_id, action, request in rows:
            past[ticket_id].add(action)
            if action == "issue" and (serial := serial_of(request)) is not None:
                serials[ticket_id] = serial
    kept = {queue_id: by_id[queue_id].held for queue_id in part}
    for queue_id in part:
        by_id[queue_id].held = {}
    for ticket in tickets:
        line = by_id[ticket.queue_id]
        held = kept[ticket.queue_id].get(ticket.id) or new_held(line, ticket, serials.get(ticket.id), seed)
        held.missed, held.parked, held.redirected = (
            x in past[ticket.id] for x in ("miss", "park", "redirect")
        )
        held.take(ticket)
        line.held[ticket.id] = held
        if ticket.state in ("called", "serving") and ticket.desk_id in line.desks:
            line.desks[ticket.desk_id].ticket_id = ticket.id


def new_held(line: LiveLine, ticket: Ticket, serial: int | None, seed: int) -> Held:
    """Remember a ticket: with its person where the simulation issued it, else with the draws of a real
    guest."""
    if serial is not None and serial < len(line.people):
        return Held(ticket.id, line.people[serial][1], True)
    return Held(ticket.id, guest(line.scenario.mix, ticket, seed), False)


def guest(mix: Mix, ticket: Ticket, seed: int) -> Person:
    """How a real person's ticket goes on at a simulated desk: comes when called, is served as long as others
    are."""
    wanted = tuple(service for service in mix.services if service.service_id == ticket.service_id)
    draw = stream(seed, "guest", ticket.queue_id, ticket.number, ticket.day.toordinal())
    drawn = draw_person(draw, Mix.of(wanted) if wanted else mix)
    return Person(drawn.service, ticket.priority, math.inf, drawn.walk_s, 1, drawn.service_s, 0.0, 0.0, 0.0)


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), PART):
        yield ids[start : start + PART]
