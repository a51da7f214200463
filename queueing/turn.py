"""The frame of every verb: take the queue's turn, answer a repeated request, write event and outbox row.

There are two ways in, over one ledger (queueing/ledger.py):

- a *command* (`Issue`, `CallNext`, `Act`) says what it will read and is then carried out on the ledger. `carry_out`
  does so for many at once, which is what makes tickets cheap; `on_session` for one, within a session's transaction.
- a `Turn` is for the verbs that are rare: they work on a session, with the ORM, and record on the same ledger.

The turn is the lock of the queue's row (SQLite: of the database): everything read after it is what the verb before
left. Only a record raises `seq`, so it rises by one per change and screens see no gap.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, cast

from sqlalchemy import Connection
from sqlalchemy.orm import Session, attributes

from queueing import audit
from queueing.errors import Invalid, NotFound, QueueingError
from queueing.ledger import SECOND, ZONE, Bank, Ledger, Needs, jsonable
from queueing.postgres_bank import PostgresBank
from queueing.rows import EventRow, TicketRow
from queueing.sqlite_bank import SqliteBank
from queueing.store import Desk, Queue, QueueDay, Ticket, TicketEvent
from queueing.ticket import Change
from queueing.wait import WaitRange

__all__ = [
    "LATER",
    "SECOND",
    "Command",
    "Done",
    "NeedsSession",
    "OwnRequest",
    "Turn",
    "carry_out",
    "check_request_id",
    "decide",
    "fresh_desk",
    "fresh_ticket",
    "jsonable",
    "on_session",
    "prepare",
]
MAX_REQUEST_ID = 64


class OwnRequest(str):
    """A request id that the product itself makes, which may hold a `#`. No client's may: nobody can take the id of
    a closing or a cancellation beforehand, and so prevent it."""


@dataclass(frozen=True, slots=True)
class Done:
    """The answer of a verb.

    `repeated`: this request had been carried out before (or nothing was left to do), and this is its answer
    again. `finished`: the ticket that call next finished first. `went_on`: the ticket in the other queue
    after a transfer. From a batch, tickets and events are light rows with the same attributes (queueing/rows.py).
    """

    ticket: Ticket
    event: TicketEvent
    repeated: bool = False
    finished: Ticket | None = None
    went_on: Ticket | None = None
    wait: WaitRange | None = None
    """What was promised with a ticket given out now."""


class Command(Protocol):
    """One verb with its arguments."""

    def ask(self, needs: Needs, zone: str) -> bool:
        """Say what it will read; False when it cannot stand in a batch with those before it."""

    def carry_out(self, ledger: Ledger) -> Done | None:
        """Do it on the ledger. Raises QueueingError, and then has changed nothing."""

    def alone(self, session: Session) -> Done | None:
        """Do it within a session's transaction, with all that hangs on it."""

    @property
    def queue_id(self) -> int:
        """The queue whose turn it takes."""


LATER = object()
"""In place of an answer: this command could not stand in the batch, and nothing of it was done."""


class NeedsSession(Exception):
    """More hangs on this than a batch can do (the next step of a journey): nothing was done, `Command.alone` does
    it."""


_zones: dict[int, str] = {}


def carry_out(bank: Bank, commands: Sequence[Command]) -> list[Any]:
    """Carry out commands in their order, in a transaction that has begun; the caller commits it. Answers: `decide`."""
    ledger, asked = prepare(bank, commands)
    answers = decide(ledger, commands, asked)
    ledger.store()
    return answers


def prepare(bank: Bank, commands: Sequence[Command]) -> tuple[Ledger, list[bool]]:
    """Read what commands want to know; which of them can stand in one batch."""
    return _loaded(bank, commands, batch=True)


def decide(ledger: Ledger, commands: Sequence[Command], asked: Sequence[bool]) -> list[Any]:
    """Carry out commands on what was read. One answer each: Done, None (nobody to call), the QueueingError or
    NeedsSession that it raised, or LATER."""
    answers: list[Any] = []
    for command, there in zip(commands, asked, strict=True):
        if not there:
            answers.append(LATER)
            continue
        try:
            answers.append(command.carry_out(ledger))
        except (QueueingError, NeedsSession) as error:
            answers.append(error)
    return answers


def _loaded(bank: Bank, commands: Sequence[Any], *, batch: bool = False) -> tuple[Ledger, list[bool]]:
    while True:
        needs = Needs()
        asked = [command.ask(needs, _zones.get(command.queue_id, ZONE)) for command in commands]
        ledger = Ledger(bank, batch=batch)
        ledger.load(needs)
        wrong = {q.id: q.zone for q in ledger.queues.values() if q.zone != _zones.get(q.id, ZONE)}
        if not wrong:
            return ledger, asked
        _zones.update(wrong)  # seen for the first time: its day may be another, so look again


def on_session(session: Session, command: Command) -> Done | None:
    """Carry out one command within a session's transaction; tickets and events of the answer are the ORM's."""
    session.flush()  # what the caller added is there; from here on plain statements are quicker
    ledger, _asked = _loaded(bank_of(session.connection()), [command])
    try:
        done = command.carry_out(ledger)
    finally:
        moved = list(ledger.moved)
        ledger.store()
        _tell(session, ledger)
        for number in moved:
            if _ticket_identity(number) in session.identity_map:
                session.get(Ticket, number, populate_existing=True)
    if done is None:
        return None
    return replace(
        done,
        ticket=_orm(session, done.ticket),
        event=session.get_one(TicketEvent, done.event.id),
        finished=_orm(session, done.finished) if done.finished is not None else None,
    )


def _orm(session: Session, ticket: Any) -> Ticket:
    return session.get_one(Ticket, ticket.id, populate_existing=True)


def bank_of(connection: Connection) -> Bank:
    """Loads and stores on the driver's connection below SQLAlchemy's, in its transaction."""
    return bank_on(connection.dialect.name, connection.connection.driver_connection)


def bank_on(dialect: str, driver: Any, *, commits: bool = False) -> Bank:
    """Loads and stores on a driver's connection; `commits`: with the store the transaction ends."""
    return (SqliteBank if dialect == "sqlite" else PostgresBank)(driver, commits=commits)


class Turn:
    """One verb's turn at a queue, as a context manager, for verbs that work on a session. `queue` is the queue's row as
    locked (columns by name)."""

    __slots__ = ("actor", "connection", "ledger", "now", "queue", "request_id", "session", "since")

    def __init__(
        self, session: Session, queue_id: int, *, request_id: str, actor: str, now: datetime
    ) -> None:
        check_request_id(request_id)
        self.session = session
        self.request_id = str(request_id)
        self.actor = actor
        self.now = now
        session.flush()
        self.connection = session.connection()
        self.ledger, _asked = _loaded(bank_of(self.connection), [_Taken(queue_id, now)])
        self.queue: Any = self.ledger.queue(queue_id)
        self.since = self.ledger.since[queue_id]

    def __enter__(self) -> Turn:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, QueueingError):
            _tell(self.session, self.ledger)

    @property
    def seq(self) -> int:
        """The queue's sequence number after the last record."""
        return self.queue.seq  # type: ignore[no-any-return]

    def earlier(
        self, actions: Collection[str], *, ticket_id: int | None = None, desk_id: int | None = None
    ) -> tuple[TicketEvent | None, TicketEvent | None]:
        """The events that this request made before: (its own, its second), or Nones.

        Raises Conflict `request_id_reused` when the id belongs to another verb, ticket, desk or queue.
        """
        self.ledger.load(Needs(requests={self.request_id, self.request_id + SECOND}))
        found = self.ledger.earlier(
            self.request_id, tuple(actions), self.queue.id, ticket_id=ticket_id, desk_id=desk_id
        )
        first, second = (self.session.get_one(TicketEvent, e.id) if e is not None else None for e in found)
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
    ) -> TicketEvent:
        """Write one change: the event (with what undo needs) and the outbox row, and flush all three."""
        self.session.flush()
        self.ledger.load(Needs(new_events=1))
        event = self.ledger.record(
            ticket,
            change,
            request_id=self.request_id + (SECOND if second else suffix),
            actor=self.actor,
            now=self.now,
            desk=desk,
            desk_id=desk_id,
            data=data,
            queue_id=self.queue.id,
        )
        self.ledger.store()
        return self.session.get_one(TicketEvent, event.id)

    def say(self, part: str, data: dict[str, Any], *, private: dict[str, Any] | None = None) -> None:
        """Record a change that is no ticket's: a desk opened, the queue paused. `private` facts (who sits there) stand
        in the audit alone, `data` goes out to screens too."""
        subject = str(data.get("desk", ""))
        facts = {name: value for name, value in data.items() if name not in ("action", "desk", "parts")}
        audit.note(
            self.session,
            f"queue:{self.queue.id}",
            str(data.get("action", part)),
            actor=self.actor,
            now=self.now,
            subject=subject,
            data=facts | (private or {}),
        )
        self.session.flush()
        self.queue.seq += 1
        self.ledger.told.add(self.queue.id)
        self.ledger.say(self.queue, part, {**data, "parts": [part]}, self.now)
        self.ledger.store()


@dataclass(frozen=True, slots=True)
class _Taken:
    """Asks for a queue's turn and nothing else."""

    queue_id: int
    now: datetime

    def ask(self, needs: Needs, zone: str) -> bool:
        return needs.queue(self.queue_id, self.now, zone)

    def carry_out(self, ledger: Ledger) -> None:
        return None


def _tell(session: Session, ledger: Ledger) -> None:
    """Bring what the session holds of the queue up to what was written beside it."""
    for queue in ledger.queues.values():
        known = session.identity_map.get(_identity(queue.id))
        if known is not None:
            attributes.set_committed_value(known, "seq", queue.seq)
    for queue_id, day in ledger.counters:
        counter = session.identity_map.get(QueueDay.__mapper__.identity_key_from_primary_key((queue_id, day)))
        if counter is not None:
            session.expire(counter)


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


def light(ticket: TicketRow, event: EventRow, *, finished: TicketRow | None = None, **more: Any) -> Done:
    """An answer out of light rows, as they are now: commands behind this one in the batch may change them."""
    ended = finished.copy() if finished is not None else None
    return Done(cast(Ticket, ticket.copy()), cast(TicketEvent, event), finished=cast(Ticket, ended), **more)


def _ticket_identity(ticket_id: int) -> Any:
    return Ticket.__mapper__.identity_key_from_primary_key((ticket_id,))


def _identity(queue_id: int) -> Any:
    return Queue.__mapper__.identity_key_from_primary_key((queue_id,))
