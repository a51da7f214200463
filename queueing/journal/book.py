"""What a stretch of a log touches, loaded with a handful of statements however long it is.

The entries are then decided upon in Python (project.py) and written back with a handful more: headquarters hears vans
over bad lines, and an answer that takes long is an answer that is lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from queueing.store import Desk, Queue, QueueDay, Ticket, TicketEvent
from queueing.store_journal import JournalEntry, JournalTicket

Item = tuple[JournalEntry, dict[str, Any]]
"""An entry and its body."""


@dataclass
class Book:
    """Tickets by code with their facts and events (in order), and all that decides what becomes of an entry."""

    tickets: dict[str, Ticket] = field(default_factory=dict)
    basis: dict[str, JournalTicket] = field(default_factory=dict)
    events: dict[str, list[TicketEvent]] = field(default_factory=dict)
    queues: dict[int, Queue] = field(default_factory=dict)
    desks: set[int] = field(default_factory=set)
    requests: set[str] = field(default_factory=set)
    """Request ids that some event has already."""
    held: set[tuple[str, str, str]] = field(default_factory=set)
    """(device, epoch, ticket code) of which something is kept aside: the rest waits with it."""
    numbers: dict[tuple[int, date], dict[int, str]] = field(default_factory=dict)
    """(queue, day) -> number -> code of the ticket that has it; of the numbers that were asked for."""
    counters: dict[tuple[int, date], QueueDay] = field(default_factory=dict)


def of_tickets(session: Session, codes: Collection[str]) -> Book:
    """Tickets with what they are replayed from."""
    book = Book()
    chosen = select(Ticket).where(Ticket.code.in_(codes)).execution_options(populate_existing=True)
    book.tickets = {ticket.code: ticket for ticket in session.scalars(chosen)}
    basis = select(JournalTicket).where(JournalTicket.code.in_(codes))
    book.basis = {row.code: row for row in session.scalars(basis)}
    by_id = {ticket.id: ticket.code for ticket in book.tickets.values()}
    book.events = {code: [] for code in book.tickets}
    events = select(TicketEvent).where(TicketEvent.ticket_id.in_(by_id)).order_by(TicketEvent.id)
    for event in session.scalars(events) if by_id else ():
        book.events[by_id[event.ticket_id]].append(event)
    load_queues(session, book, {ticket.queue_id for ticket in book.tickets.values()})
    return book


def load_queues(session: Session, book: Book, ids: Collection[int]) -> None:
    """The queues with their desks. Their rows are locked, in one order: whoever writes there waits for his turn."""
    chosen = (
        select(Queue)
        .where(Queue.id.in_(ids))
        .order_by(Queue.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    book.queues = {queue.id: queue for queue in session.scalars(chosen)}


def of_entries(session: Session, items: Sequence[Item], requests: Iterable[str]) -> Book:
    """All that `items` may need, except their numbers (`load_numbers`)."""
    codes = {body["c"] for _entry, body in items}
    book = of_tickets(session, codes)
    told = {body["n"]["queue_id"] for _entry, body in items if "n" in body}
    load_queues(session, book, told | set(book.queues))
    moved = [body for _entry, body in items]
    moved += [before for body in moved for before in body.get("e", ())]
    desks = {body["d"] for body in moved if body.get("d") is not None}
    book.desks = set(session.scalars(select(Desk.id).where(Desk.id.in_(desks)))) if desks else set()
    names = {*requests, *(body["r"] for body in moved)}
    known = select(TicketEvent.request_id).where(TicketEvent.request_id.in_(names))
    book.requests = set(session.scalars(known))
    held = select(JournalEntry.device, JournalEntry.epoch, JournalEntry.ticket_code).where(
        JournalEntry.ticket_code.in_(codes), JournalEntry.status == "held"
    )
    book.held = {(row.device, row.epoch, row.ticket_code or "") for row in session.execute(held)}
    return book


def load_numbers(session: Session, book: Book, wanted: Collection[tuple[int, date, int]]) -> None:
    """Who has these numbers (queue, day, number), and the counters of their days."""
    places = {(queue, day) for queue, day, _number in wanted}
    book.numbers = {place: {} for place in places}
    if not wanted:
        return
    chosen = select(Ticket.queue_id, Ticket.day, Ticket.number, Ticket.code).where(
        Ticket.queue_id.in_({queue for queue, _day in places}),
        Ticket.day.in_({day for _queue, day in places}),
        Ticket.number.in_({number for _queue, _day, number in wanted}),
    )
    for queue, day, number, code in session.execute(chosen):
        book.numbers.setdefault((queue, day), {})[number] = code
    counters = select(QueueDay).where(tuple_(QueueDay.queue_id, QueueDay.day).in_(places))
    counters = counters.execution_options(populate_existing=True)
    book.counters = {(row.queue_id, row.day): row for row in session.scalars(counters)}
