"""What a batch of verbs knows and changes: loaded at once, decided on in Python, written at once.

    needs = Needs(); every command asks for what it will read     (no database)
    bank.load(ledger, needs)                                     (locks the queues, reads: one round trip)
    every command is carried out on the ledger                   (no database)
    bank.store(ledger)                                           (writes: one round trip with the commit)

So a verb costs the database the same few statements whether one is carried out or fifty, and the rules are the same
lines of Python on both databases (`sqlite_bank.py`, `postgres_bank.py`).

A command that refuses (raises a QueueingError) must not have changed anything on the ledger before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from queueing.daytime import callable_days, day_bounds
from queueing.engine import driver_errors
from queueing.errors import Closed, Conflict, NotFound
from queueing.events import parts_of
from queueing.order import HEAD_START, PRIORITIES
from queueing.pace import Pace
from queueing.rows import CounterRow, DeskRow, EventRow, OutboxRow, QueueRow, TicketRow
from queueing.store import to_micros
from queueing.ticket import APPOINTMENT_GRACE, AT_DESK, Change

SECOND = "#2"
"""Ending of the request id of a verb's second event (the finish within call next, the issue within a transfer)."""
BOOKED_AHEAD = timedelta(minutes=60)
"""Booked people who are due within this time count as standing before somebody who joins now."""
ZONE = "Africa/Cairo"
"""What a queue's zone is taken to be until its row has been seen."""


def since_of(now: datetime, zone: str) -> datetime:
    """The instant from which waiting people count: the start of today, in the small hours of yesterday.

    A ticket forgotten on an earlier day is neither called nor counted, even before the job has closed it.
    """
    return day_bounds(callable_days(now, zone)[-1], zone)[0]


class Place(NamedTuple):
    """A place in the order that is asked about: where somebody of this class and age would stand."""

    queue_id: int
    aged_from: datetime
    priority: int
    now: datetime


class Phone(NamedTuple):
    """A telephone number whose live ticket of a day is asked for."""

    queue_id: int
    phone: str
    begin: datetime
    end: datetime


@dataclass(slots=True)
class Needs:
    """What the commands of a batch will read."""

    queues: dict[int, datetime] = field(default_factory=dict)
    """Queues to lock -> since when their waiting people count."""
    verbs: dict[int, int] = field(default_factory=dict)
    """How many commands each queue has in this batch: so many of its waiting people may be taken."""
    requests: set[str] = field(default_factory=set)
    services: set[tuple[int, str]] = field(default_factory=set)
    counters: set[tuple[int, date]] = field(default_factory=set)
    places: set[Place] = field(default_factory=set)
    desks: set[int] = field(default_factory=set)
    """Queues whose desks are wanted."""
    calls: dict[int, tuple[int, datetime]] = field(default_factory=dict)
    """Desks that will call -> (their queue, now)."""
    hands: dict[int, datetime] = field(default_factory=dict)
    """Queues whose people may be in a tablet's hand -> now."""
    tickets: set[int] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    phones: set[Phone] = field(default_factory=set)
    new_tickets: int = 0
    new_events: int = 0

    def queue(self, queue_id: int, now: datetime, zone: str) -> bool:
        """Ask for a queue's row and its turn; False when another command of the batch lives on another day."""
        since = since_of(now, zone)
        self.verbs[queue_id] = self.verbs.get(queue_id, 0) + 1
        return self.queues.setdefault(queue_id, since) == since


Changed = tuple[tuple[str, ...], list[TicketRow]]
"""The id and the columns that have changed, and tickets of which just these have."""


class Bank(Protocol):
    """Loads and stores for one database, on one driver connection that has begun its transaction."""

    def load(self, ledger: Ledger, needs: Needs) -> None:
        """Lock the queues in the order of their ids, then read what is needed into the ledger."""

    def last(self, ticket_id: int, state_to: str) -> EventRow:
        """The latest stored event that brought a ticket into a state."""

    def store(self, ledger: Ledger) -> None:
        """Write what has changed."""


class Held(NamedTuple):
    """In whose hand a person is: only that browser at that desk may call them (queueing/hands.py)."""

    desk_id: int
    device: str
    heard_at: datetime

    def other(self, desk_id: int, device: str | None) -> bool:
        """Whether somebody else must leave this person alone. `device` None: whoever works at the desk."""
        return self.desk_id != desk_id or (device is not None and device != self.device)


class Standing(NamedTuple):
    """What a wait follows from."""

    ahead: int
    waiting: int
    desks: int
    free: int


class Ledger:
    """Facts and changes of one transaction. What was loaded is changed in place; what must be written is noted."""

    def __init__(self, bank: Bank, *, batch: bool = False) -> None:
        self.bank = bank
        self.batch = batch
        """Whether there is no session beside it, for what only a session can do."""
        self.queues: dict[int, QueueRow] = {}
        self.since: dict[int, datetime] = {}
        self.desks: dict[int, dict[int, DeskRow]] = {}
        """Queue -> desk id -> desk."""
        self.tickets: dict[int, TicketRow] = {}
        self.codes: dict[str, TicketRow] = {}
        self.requests: dict[str, EventRow] = {}
        self.services: dict[tuple[int, str], int] = {}
        self.counters: dict[tuple[int, date], CounterRow] = {}
        self.behind: dict[Place, tuple[int, int]] = {}
        """Place -> (waiting people who stand behind it, booked people who are due)."""
        self.offered: dict[int, list[TicketRow]] = {}
        """Desk -> the first waiting people of each class that it may call."""
        self.held: dict[int, Held] = {}
        """Ticket -> in whose hand it is, for the queues asked about."""
        self.paces: dict[int, Pace] = {}
        """What the catalogue says of queues that have learned no pace yet."""
        self.phones: dict[Phone, tuple[TicketRow, EventRow]] = {}
        self.ticket_ids: Iterator[int] = iter(())
        self.event_ids: Iterator[int] = iter(())
        # What must be written.
        self.told: set[int] = set()
        """Queues whose row has changed."""
        self.drawn: set[tuple[int, date]] = set()
        self.made: list[TicketRow] = []
        self.moved: dict[int, TicketRow] = {}
        self.fields: dict[int, set[str]] = {}
        """Changed ticket -> the columns that have changed: what is not named costs no index and no foreign key."""
        self.risen: set[int] = set()
        """Tickets that left a desk within this ledger: one that is at a desk again must be seen to leave the first."""
        self.events: list[EventRow] = []
        self.outbox: list[OutboxRow] = []
        self._new: set[int] = set()
        self._touched: dict[int, dict[int, tuple[tuple[Any, ...] | None, TicketRow]]] = {}
        """Queue -> ticket -> (what the database has of it, the ticket): what the facts that were counted leave out."""

    def load(self, needs: Needs) -> None:
        """Read more."""
        with driver_errors():
            self.bank.load(self, needs)

    def store(self) -> None:
        """Write what has changed since the last time."""
        with driver_errors():
            self.bank.store(self)
        self.told, self.drawn, self.made, self.moved = set(), set(), [], {}
        self.events, self.outbox = [], []
        self._new, self._touched, self.risen, self.fields = set(), {}, set(), {}

    # What verbs read.

    def queue(self, queue_id: int) -> QueueRow:
        """A queue that is ours to change. Raises NotFound `queue_not_found`, Closed `queue_held`."""
        row = self.queues.get(queue_id)
        if row is None:
            raise NotFound("queue_not_found", f"there is no queue {queue_id}", queue=queue_id)
        if row.held_by is not None:
            # A van runs this queue without us: what is wanted here goes to it as a wish (queueing/journal).
            raise Closed("queue_held", "this queue is run in the van just now", queue=queue_id)
        return row

    def desk(self, queue_id: int, desk_id: int) -> DeskRow:
        """A desk of a queue. Raises NotFound `desk_not_found`."""
        found = self.desks.get(queue_id, {}).get(desk_id)
        if found is None:
            raise NotFound("desk_not_found", f"there is no desk {desk_id}", desk=desk_id)
        return found

    def ticket(self, ticket_id: int) -> TicketRow:
        """A ticket that was asked for. Raises NotFound `ticket_not_found`."""
        found = self.tickets.get(ticket_id)
        if found is None:
            raise NotFound("ticket_not_found", "there is no such ticket")
        return found

    def keep(self, ticket: TicketRow) -> TicketRow:
        """Put a ticket that was read on the ledger; the one that is there already stays: it may have been changed."""
        known = self.tickets.setdefault(ticket.id, ticket)
        self.codes[known.code] = known
        return known

    def live_phone(self, asked: Phone) -> tuple[TicketRow, EventRow] | None:
        """The live ticket of a phone, with the event that issued it."""
        for _before, ticket in self._touched.get(asked.queue_id, {}).values():
            if ticket.phone == asked.phone and asked.begin <= ticket.aged_from < asked.end and _live(ticket):
                event = next(
                    (e for e in self.events if e.ticket_id == ticket.id and e.state_from is None), None
                )
                if event is not None:
                    return ticket, event
        found = self.phones.get(asked)
        return found if found is not None and _live(found[0]) else None

    def standing(self, place: Place, service_id: int) -> Standing:
        """How somebody who joins at this place stands (not counted themself), and the desks for their service."""
        queue = self.queues[place.queue_id]
        behind, due = self.behind[place]
        keys = keys_of(place)
        since = self.since[place.queue_id]
        for before, ticket in self._touched.get(place.queue_id, {}).values():
            if before is not None:
                behind -= _behind(before, keys, since)
                due -= _due(before, place.now)
            after = (ticket.state, ticket.priority, ticket.aged_from)
            behind += _behind(after, keys, since)
            due += _due(after, place.now)
        desks = free = 0
        for desk in self.desks[place.queue_id].values():
            if desk.state == "open" and (desk.services is None or service_id in desk.services):
                desks += 1
                free += desk.open_id is None
        return Standing(queue.line_waiting - behind + due, queue.line_waiting, desks, free)

    def candidates(self, queue_id: int, desk_id: int, device: str | None = None) -> list[TicketRow]:
        """Waiting people among whom is who is next at a desk; who is in another's hand is not."""
        found = {t.id: t for t in self.offered[desk_id]}
        since = self.since[queue_id]
        for number, (_before, ticket) in self._touched.get(queue_id, {}).items():
            if ticket.aged_from >= since:
                found[number] = ticket
        if not self.held:
            return list(found.values())
        return [
            t for t in found.values() if t.id not in self.held or not self.held[t.id].other(desk_id, device)
        ]

    def refuse_held(self, ticket: Any, desk_id: int, device: str | None) -> None:
        """Raise Conflict `in_hand` for a person whom another desk may be calling this moment."""
        held = self.held.get(ticket.id)
        if held is not None and held.other(desk_id, device):
            raise Conflict(
                "in_hand",
                f"{ticket.label} is in the hand of another desk, which may be working without a line",
                label=ticket.label,
                desk=held.desk_id,
                heard_at=held.heard_at.isoformat(),
            )

    def earlier(
        self,
        request_id: str,
        actions: Sequence[str],
        queue_id: int,
        *,
        ticket_id: int | None = None,
        desk_id: int | None = None,
    ) -> tuple[EventRow | None, EventRow | None]:
        """The events that this request made before: (its own, its second), or Nones.

        Raises Conflict `request_id_reused` when the id belongs to another verb, ticket, desk or queue.
        """
        first, second = self.requests.get(request_id), self.requests.get(request_id + SECOND)
        known = first or second
        if known is None:
            return None, None
        same = (
            (first is None or first.action in actions)
            and (ticket_id is None or known.ticket_id == ticket_id)
            and (desk_id is None or known.desk_id == desk_id)
            and known.queue_id == queue_id
        )
        if not same:
            raise Conflict(
                "request_id_reused",
                "this request id was already used for something else",
                request_id=request_id,
                action=known.action,
            )
        return first, second

    def last(self, ticket_id: int, state_to: str) -> EventRow:
        """The latest event that brought a ticket into a state."""
        mine = [e for e in self.events if e.ticket_id == ticket_id and e.state_to == state_to]
        return mine[-1] if mine else self.bank.last(ticket_id, state_to)

    def moving(self) -> tuple[list[int], list[Changed], list[Changed]]:
        """Changed tickets in the order in which they can be written: those (ids) that went from desk to desk must leave
        first, then those that are at no desk now, then those that are: the database allows one a desk at any moment."""
        taking = [t for t in self.moved.values() if t.state in AT_DESK]
        freeing = [t for t in self.moved.values() if t.state not in AT_DESK]
        return [t.id for t in taking if t.id in self.risen], self._alike(freeing), self._alike(taking)

    def _alike(self, tickets: Sequence[TicketRow]) -> list[Changed]:
        groups: dict[tuple[str, ...], list[TicketRow]] = {}
        for ticket in tickets:
            groups.setdefault(("id", *sorted(self.fields[ticket.id])), []).append(ticket)
        return list(groups.items())

    # What verbs change.

    def add(self, ticket: TicketRow) -> None:
        """A new ticket; its first event follows."""
        self.made.append(ticket)
        self._new.add(ticket.id)
        self.tickets[ticket.id] = ticket
        self.codes[ticket.code] = ticket

    def record(
        self,
        ticket: Any,
        change: Change,
        *,
        request_id: str,
        actor: str,
        now: datetime,
        desk: Any = None,
        desk_id: int | None = None,
        data: dict[str, Any] | None = None,
        queue_id: int | None = None,
    ) -> EventRow:
        """Note one change of a ticket (light, or one that the ORM writes): the queue's next `seq`, the event with what
        undo needs, and the outbox row."""
        queue = self.queues[ticket.queue_id if queue_id is None else queue_id]
        queue.seq += 1
        self.told.add(queue.id)
        self._count(queue, ticket, change)
        told = dict(data or {})
        if change.before:
            told["before"] = jsonable(change.before)
        event = EventRow(
            id=next(self.event_ids),
            ticket_id=ticket.id,
            queue_id=queue.id,
            desk_id=desk.id if desk is not None else desk_id,
            action=change.action,
            state_from=change.state_from,
            state_to=change.state_to,
            actor=actor,
            happened_at=now,
            recorded_at=now,
            request_id=request_id,
            seq=queue.seq,
            data=told,
        )
        self.events.append(event)
        self.requests[request_id] = event
        shown = "call" if change.state_to == "called" and change.action == "resume" else change.action
        parts = parts_of(shown, change.state_from, change.state_to)
        public = {"action": shown, "label": ticket.label, "waiting": queue.line_waiting, "parts": parts}
        if desk is not None:
            public["desk"] = desk.name
        self.say(queue, parts[0], public, now)
        return event

    def say(self, queue: QueueRow, part: str, data: dict[str, Any], now: datetime) -> None:
        """Note what screens must hear under the queue's present `seq`."""
        self.outbox.append(
            OutboxRow(topic=f"queue:{queue.id}", seq=queue.seq, part=part, data=data, created_at=now)
        )

    def _count(self, queue: QueueRow, ticket: Any, change: Change) -> None:
        """Keep the number of waiting people, and what the places of this batch and its desks are reckoned from."""
        before = None
        if change.state_from is not None:
            old = change.before
            before = (
                change.state_from,
                old.get("priority", ticket.priority),
                old.get("aged_from", ticket.aged_from),
            )
        since = self.since[queue.id]
        after = (ticket.state, ticket.priority, ticket.aged_from)
        queue.line_waiting += _waits(after, since) - (before is not None and _waits(before, since))
        if not isinstance(ticket, TicketRow):
            return
        if ticket.id not in self._new:
            self.moved[ticket.id] = ticket
            self.fields.setdefault(ticket.id, {"state"}).update(change.before)
        if change.state_from in AT_DESK and ticket.state not in AT_DESK:
            self.risen.add(ticket.id)
        touched = self._touched.setdefault(queue.id, {})
        touched.setdefault(ticket.id, (before, ticket))
        for desk in self.desks.get(queue.id, {}).values():
            if desk.open_id == ticket.id:
                desk.open_id = None
            if ticket.state in AT_DESK and ticket.desk_id == desk.id:
                desk.open_id = ticket.id


def keys_of(place: Place) -> list[datetime]:
    """For each class the age from which its people stand behind a place."""
    start = place.aged_from - HEAD_START[place.priority]
    return [start + HEAD_START[number] for number in PRIORITIES]


def due_span(now: datetime) -> tuple[datetime, datetime]:
    """Booked people whose time is within this span count as standing before somebody who joins now."""
    return now - APPOINTMENT_GRACE, now + BOOKED_AHEAD


def jsonable(values: dict[str, Any]) -> dict[str, Any]:
    """Field values for JSON: instants become whole microseconds since 1970."""
    return {k: to_micros(v) if isinstance(v, datetime) else v for k, v in values.items()}


def _waits(facts: tuple[Any, ...], since: datetime) -> bool:
    return bool(facts[0] == "waiting" and facts[2] >= since)


def _behind(facts: tuple[Any, ...], keys: Sequence[datetime], since: datetime) -> bool:
    return _waits(facts, since) and bool(facts[2] > keys[facts[1]])


def _due(facts: tuple[Any, ...], now: datetime) -> bool:
    begin, end = due_span(now)
    return bool(facts[0] == "booked" and begin <= facts[2] <= end)


def _live(ticket: TicketRow) -> bool:
    return ticket.ended_at is None
