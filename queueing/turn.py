"""The frame of every verb: take the queue's turn, answer a repeated request, write event and outbox row.

The first statement raises `queue.seq`. On PostgreSQL this row lock orders the verbs of a queue; everything
read after it is what the verb before left. A turn that ends without a record (a repeat, a refusal) gives the
number back, so `seq` rises by one per change and screens see no gap.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, cast

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.orm import Session, attributes

from queueing import lineup
from queueing.errors import Closed, Conflict, Invalid, NotFound, QueueingError
from queueing.events import announce, parts_of
from queueing.store import Desk, Queue, Ticket, TicketEvent, to_micros
from queueing.ticket import Change

MAX_REQUEST_ID = 64
SECOND = "#2"
"""Ending of the request id of a verb's second event (the finish within call next, the issue within a
transfer)."""


class OwnRequest(str):
    """A request id that the product itself makes, which may hold a `#`. No client's may: nobody can take the id of
    a closing or a cancellation beforehand, and so prevent it."""


_Q = cast(Table, Queue.__table__)
_MINE = _Q.c.id == bindparam("the_queue")
_TAKE = update(_Q).where(_MINE).values(seq=_Q.c.seq + 1).returning(*_Q.c)
_SET_SEQ = update(_Q).where(_MINE).values(seq=bindparam("the_seq"))
_E = cast(Table, TicketEvent.__table__)
_BY_REQUEST = select(_E.c.id, _E.c.request_id).where(
    _E.c.request_id.in_([bindparam("first"), bindparam("second")])
)


@dataclass(frozen=True, slots=True)
class Done:
    """The answer of a verb.

    `repeated`: this request had been carried out before (or nothing was left to do), and this is its answer
    again. `finished`: the ticket that call next finished first. `went_on`: the ticket in the other queue
    after a transfer.
    """

    ticket: Ticket
    event: TicketEvent
    repeated: bool = False
    finished: Ticket | None = None
    went_on: Ticket | None = None


class Turn:
    """One verb's turn at a queue, as a context manager. `queue` is the queue's row as locked (columns by
    name)."""

    __slots__ = (
        "_records",
        "_taken",
        "_waiting",
        "actor",
        "connection",
        "now",
        "queue",
        "request_id",
        "seq",
        "session",
        "since",
    )

    def __init__(
        self, session: Session, queue_id: int, *, request_id: str, actor: str, now: datetime
    ) -> None:
        check_request_id(request_id)
        self.session = session
        self.request_id = str(request_id)
        self.actor = actor
        self.now = now
        self._records = 0
        self._waiting: int | None = None
        session.flush()  # what the caller added is there; from here on plain statements are quicker
        self.connection = session.connection()
        row = self.connection.execute(_TAKE, {"the_queue": queue_id}).one_or_none()
        if row is None:
            raise NotFound("queue_not_found", f"there is no queue {queue_id}", queue=queue_id)
        if row.held_by is not None:
            # A van runs this queue without us: what is wanted here goes to it as a wish (queueing/journal).
            self.connection.execute(_SET_SEQ, {"the_queue": queue_id, "the_seq": row.seq - 1})
            raise Closed("queue_held", "this queue is run in the van just now", queue=queue_id)
        self.queue: Any = row
        self._taken: int = row.seq
        self.seq: int = row.seq
        self.since = lineup.since(now, self.queue.zone)

    def __enter__(self) -> Turn:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not issubclass(kind, QueueingError):
            return  # the transaction is lost anyway
        if self._records == 0:
            self.seq -= 1
        if self.seq != self._taken:
            self.connection.execute(_SET_SEQ, {"the_queue": self.queue.id, "the_seq": self.seq})
        known = self.session.identity_map.get(_identity(self.queue.id))
        if known is not None:
            attributes.set_committed_value(known, "seq", self.seq)

    def earlier(
        self, actions: Collection[str], *, ticket_id: int | None = None, desk_id: int | None = None
    ) -> tuple[TicketEvent | None, TicketEvent | None]:
        """The events that this request made before: (its own, its second), or Nones.

        Raises Conflict `request_id_reused` when the id belongs to another verb, ticket, desk or queue.
        """
        first = second = None
        values = {"first": self.request_id, "second": self.request_id + SECOND}
        for event_id, request_id in self.connection.execute(_BY_REQUEST, values):
            event = self.session.get_one(TicketEvent, event_id)
            if request_id == self.request_id:
                first = event
            else:
                second = event
        known = first or second
        if known is None:
            return None, None
        same = (
            (first is None or first.action in actions)
            and (ticket_id is None or known.ticket_id == ticket_id)
            and (desk_id is None or known.desk_id == desk_id)
            and known.queue_id == self.queue.id
        )
        if not same:
            raise Conflict(
                "request_id_reused",
                "this request id was already used for something else",
                request_id=self.request_id,
                action=known.action,
            )
        return first, second

    def record(
        self,
        ticket: Ticket,
        change: Change,
        *,
        desk: Desk | None = None,
        desk_id: int | None = None,
        second: bool = False,
        suffix: str = "",
        data: dict[str, Any] | None = None,
        waiting: int | None = None,
    ) -> TicketEvent:
        """Write one change: the event (with what undo needs) and the outbox row, and flush all three."""
        self._next()
        told = dict(data or {})
        if change.before:
            told["before"] = jsonable(change.before)
        event = TicketEvent(
            ticket_id=ticket.id,
            queue_id=self.queue.id,
            desk_id=desk.id if desk is not None else desk_id,
            action=change.action,
            state_from=change.state_from,
            state_to=change.state_to,
            actor=self.actor,
            happened_at=self.now,
            recorded_at=self.now,
            request_id=self.request_id + (SECOND if second else suffix),
            seq=self.seq,
            data=told,
        )
        self.session.add(event)
        self.session.flush()
        shown = "call" if change.state_to == "called" and change.action == "resume" else change.action
        parts = parts_of(shown, change.state_from, change.state_to)
        public = {
            "action": shown,
            "label": ticket.label,
            "waiting": self._count(change, waiting),
            "parts": parts,
        }
        if desk is not None:
            public["desk"] = desk.name
        announce(self.session, f"queue:{self.queue.id}", self.seq, parts[0], public, self.now)
        return event

    def say(self, part: str, data: dict[str, Any]) -> None:
        """Record a change that is no ticket's: a desk opened, the queue paused."""
        self._next()
        self.session.flush()
        announce(self.session, f"queue:{self.queue.id}", self.seq, part, {**data, "parts": [part]}, self.now)

    def _next(self) -> None:
        """The number of this turn's next change; the last one is stored when the turn ends."""
        if self._records:
            self.seq += 1
        self._records += 1

    def _count(self, change: Change, known: int | None) -> int:
        """How many wait after a change, counted once a turn."""
        if known is not None:
            self._waiting = known
        elif self._waiting is None:
            self._waiting = lineup.waiting_count(self.connection, self.queue.id, self.since)
        else:
            self._waiting += (change.state_to == "waiting") - (change.state_from == "waiting")
        return self._waiting


def fresh_ticket(session: Session, ticket: Ticket) -> Ticket:
    """The ticket as it is now, in this session. Call it within a turn; the object given may be stale or
    foreign."""
    found = session.get(Ticket, ticket.id, populate_existing=True)
    if found is None:
        raise NotFound("ticket_not_found", "there is no such ticket")
    return found


def fresh_desk(session: Session, desk: Desk) -> Desk:
    """The desk as it is now, in this session."""
    found = session.get(Desk, desk.id, populate_existing=True)
    if found is None:
        raise NotFound("desk_not_found", f"there is no desk {desk.id}", desk=desk.id)
    return found


def check_request_id(request_id: str) -> None:
    """Refuse request ids that are missing, too long, or that could be mistaken for a second event's."""
    if not request_id:
        raise Invalid("request_id_missing", "a request id is needed")
    own = isinstance(request_id, OwnRequest)
    if len(request_id) > MAX_REQUEST_ID or ("#" in request_id and not own):
        raise Invalid(
            "request_id_invalid",
            f"a request id has at most {MAX_REQUEST_ID} characters and no #",
            request_id=request_id[:80],
        )


def jsonable(values: dict[str, Any]) -> dict[str, Any]:
    """Field values for JSON: instants become whole microseconds since 1970."""
    return {k: to_micros(v) if isinstance(v, datetime) else v for k, v in values.items()}


def _identity(queue_id: int) -> Any:
    return Queue.__mapper__.identity_key_from_primary_key((queue_id,))
