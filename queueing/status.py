"""What screens show of a queue and of a ticket, from live rows alone: reading never scans history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.orm import Session

from queueing import lineup
from queueing.daytime import day_bounds, local_day
from queueing.errors import NotFound
from queueing.order import rank
from queueing.pace import pace_of
from queueing.store import LIVE_SQL, Desk, Queue, Service, Ticket, TicketEvent
from queueing.ticket import AT_DESK
from queueing.wait import WaitRange, estimate

LAST_CALLED = 5
_LOOK_BACK = 60
"""Calls read at most to find the last that stand: some were taken back, some repeat one ticket."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call as a board shows it: no personal datum."""

    label: str
    desk: str
    at: datetime
    state: str
    late: bool = False
    """Heard of only afterwards, from a tablet without a line or from paper: shown, but neither chimed nor announced."""


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """What anybody may know of a queue. `wait` is that of an ordinary person who joins now."""

    queue_id: int
    state: str
    waiting: int
    open_desks: int
    last_called: tuple[Call, ...]
    wait: WaitRange
    seq: int


@dataclass(frozen=True, slots=True)
class LineRow:
    """One live ticket on the clerk's screen. `place` counts the waiting from 1 in the order they would be
    called."""

    ticket_id: int
    code: str
    label: str
    service_ar: str
    service_en: str
    priority: int
    state: str
    desk: str | None
    issued_at: datetime
    waited_s: int
    called_at: datetime | None
    started_at: datetime | None
    parked_at: datetime | None
    appointment_at: datetime | None
    hold_until: datetime | None
    note: str
    channel: str
    place: int | None


@dataclass(frozen=True, slots=True)
class TicketStatus:
    """What the holder of a ticket sees. `wait` is None once there is nothing to wait for."""

    ticket_id: int
    queue_id: int
    label: str
    state: str
    ahead: int | None
    wait: WaitRange | None
    desk: str | None
    called_at: datetime | None
    next_code: str | None
    queue_state: str
    seq: int


def public_status(session: Session, queue: Queue, now: datetime) -> QueueStatus:
    """The public state of a queue. `queue` may be stale: state and seq are read anew."""
    row = queue_row(session, queue.id)
    stands = lineup.standing(
        session, row.id, lineup.ANY_SERVICE, now=now, zone=row.zone, aged_from=now, priority=0
    )
    pace = pace_of(session, row)
    wait = estimate(stands.ahead, stands.desks, pace.seconds, as_of=now, free=stands.free, cv2=pace.cv2)
    calls = last_called(session, row.id, lineup.since(now, row.zone))
    return QueueStatus(row.id, row.state, stands.waiting, stands.desks, calls, wait, row.seq)


def last_called(
    session: Session, queue_id: int, since: datetime, count: int = LAST_CALLED
) -> tuple[Call, ...]:
    """The latest calls that still stand, newest first; a call taken back is not among them.

    Nearly always they are among the first few read; only where many were taken back or repeated are more read, so that
    a screen of a busy day costs what one of a quiet day costs."""
    for look in (count + 3, _LOOK_BACK):
        calls, read = _calls_among(session, queue_id, since, count, look)
        if len(calls) == count or read < look:
            break
    return calls


def _calls_among(
    session: Session, queue_id: int, since: datetime, count: int, look: int
) -> tuple[tuple[Call, ...], int]:
    """The latest calls among the newest `look` presses, and how many presses there were."""
    rows = session.execute(_CALLS, {"the_queue": queue_id, "since": since, "look": look}).all()
    calls: list[Call] = []
    seen: set[int] = set()
    undone: set[int] = set()
    for event_id, action, data, ticket_id, label, desk, at, state, called_at in rows:
        if action == "undo":
            undone.add(data.get("undoes", 0))  # what it took back comes later: the newest stand first
            continue
        if ticket_id in seen or event_id in undone:
            continue
        seen.add(ticket_id)
        if called_at is not None and state not in ("waiting", "booked"):
            calls.append(Call(label, desk or "", at, state, "offline" in data or "paper" in data))
        if len(calls) == count:
            break
    return tuple(calls), len(rows)


def line(session: Session, queue: Queue, now: datetime) -> list[LineRow]:
    """Everybody live in a queue today: at desks first, then the waiting in order, then parked, missed,
    booked."""
    begin = lineup.since(now, queue.zone)
    end = day_bounds(local_day(now, queue.zone), queue.zone)[1]
    values = {"the_queue": queue.id, "since": begin, "end": end}
    rows = session.execute(_LINE, values).all()
    group = {"called": 0, "serving": 0, "waiting": 1, "parked": 2, "missed": 3, "booked": 4}
    in_order = sorted(rows, key=lambda row: (group[row[0].state], *_within(row[0], now)))
    found: list[LineRow] = []
    place = 0
    for ticket, desk, service_ar, service_en in in_order:
        waiting = ticket.state == "waiting"
        place += waiting
        until = ticket.called_at if ticket.state in AT_DESK and ticket.called_at else now
        found.append(
            LineRow(
                ticket.id,
                ticket.code,
                ticket.label,
                service_ar,
                service_en,
                ticket.priority,
                ticket.state,
                desk,
                ticket.issued_at,
                max(0, round((until - ticket.issued_at).total_seconds())),
                ticket.called_at,
                ticket.started_at,
                ticket.parked_at,
                ticket.appointment_at,
                ticket.hold_until,
                ticket.note,
                ticket.channel,
                place if waiting else None,
            )
        )
    return found


def ticket_status(session: Session, ticket: Ticket, now: datetime) -> TicketStatus:
    """One ticket as its holder sees it: people ahead and the range while waiting, the desk once called."""
    row = queue_row(session, ticket.queue_id)
    ahead: int | None = None
    wait: WaitRange | None = None
    if ticket.state == "waiting":
        stands = lineup.standing_of(session, ticket, now=now, zone=row.zone)
        pace = pace_of(session, row)
        ahead = stands.ahead
        wait = estimate(ahead, stands.desks, pace.seconds, as_of=now, free=stands.free, cv2=pace.cv2)
    desk = next_code = None
    if ticket.desk_id is not None and ticket.state in AT_DESK:
        desk = session.scalar(select(Desk.name).where(Desk.id == ticket.desk_id))
    if ticket.next_ticket_id is not None:
        next_code = session.scalar(select(Ticket.code).where(Ticket.id == ticket.next_ticket_id))
    return TicketStatus(
        ticket.id,
        ticket.queue_id,
        ticket.label,
        ticket.state,
        ahead,
        wait,
        desk,
        ticket.called_at,
        next_code,
        row.state,
        row.seq,
    )


def people_live(session: Session, queue_ids: Sequence[int]) -> dict[int, int]:
    """How many live tickets each of several queues has (what forbids deleting a site), one query."""
    counts = session.execute(
        select(Ticket.queue_id, func.count())
        .where(text(f"ticket.{LIVE_SQL}"), Ticket.queue_id.in_(queue_ids))
        .group_by(Ticket.queue_id)
    )
    return {row[0]: row[1] for row in counts}


def queue_row(session: Session, queue_id: int) -> Any:
    """The present columns of a queue that a status needs, past any stale object in the session."""
    row = session.execute(_QUEUE, {"the_queue": queue_id}).one_or_none()
    if row is None:
        raise NotFound("queue_not_found", f"there is no queue {queue_id}", queue=queue_id)
    return row


def _within(ticket: Ticket, now: datetime) -> tuple[Any, ...]:
    if ticket.state == "waiting":
        held = ticket.hold_until is not None and ticket.hold_until > now
        return (held, *rank(ticket, now))
    return (ticket.called_at or ticket.issued_at, ticket.number)


_QUEUE = select(Queue.id, Queue.state, Queue.zone, Queue.seq, Queue.pace_s, Queue.pace_cv2).where(
    Queue.id == bindparam("the_queue")
)
_LINE = (
    select(Ticket, Desk.name, Service.name_ar, Service.name_en)
    .join(Service, Service.id == Ticket.service_id)
    .outerjoin(Desk, Desk.id == Ticket.desk_id)
    .where(
        text(f"ticket.{LIVE_SQL}"),
        Ticket.queue_id == bindparam("the_queue"),
        Ticket.aged_from >= bindparam("since", type_=Ticket.aged_from.type),
        # Not by `day`: SQLite would take the index of (queue, day, number) and read the whole history.
        Ticket.aged_from < bindparam("end", type_=Ticket.aged_from.type),
    )
)
_RECENT = (
    select(
        TicketEvent.ticket_id,
        TicketEvent.desk_id,
        TicketEvent.happened_at,
        TicketEvent.id,
        TicketEvent.action,
        TicketEvent.data,
    )
    .where(
        TicketEvent.queue_id == bindparam("the_queue"),
        TicketEvent.happened_at >= bindparam("since", type_=Ticket.aged_from.type),
        TicketEvent.action.in_(("call", "recall", "resume", "undo")),
    )
    .order_by(TicketEvent.happened_at.desc(), TicketEvent.id.desc())
    .limit(bindparam("look"))
    .subquery()
)
_CALLS = (
    select(
        _RECENT.c.id,
        _RECENT.c.action,
        _RECENT.c.data,
        Ticket.id,
        Ticket.label,
        Desk.name,
        _RECENT.c.happened_at,
        Ticket.state,
        Ticket.called_at,
    )
    .join(_RECENT, _RECENT.c.ticket_id == Ticket.id)
    .outerjoin(Desk, Desk.id == _RECENT.c.desk_id)
    .order_by(_RECENT.c.happened_at.desc(), _RECENT.c.id.desc())
)
