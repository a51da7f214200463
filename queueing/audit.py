"""Who did what: every act of staff at some queues and places, tickets' events and all else in one list.

What is done with a ticket is a `TicketEvent`; everything else is an `AuditEntry`, written by `note` in the transaction
that does it (queues and desks: by `Turn.say`). Neither is ever changed or deleted.

Reading goes from the newest backwards, a page at a time, by a key and never by counting: a busy year costs no more
than a quiet morning. Both tables are indexed by what a place is and time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Text, and_, cast, or_, select
from sqlalchemy.orm import Session

from queueing.store import Desk, Ticket, TicketEvent
from queueing.store_office import AuditEntry

MACHINES = ("kiosk", "phone", "scheduler", "schedule", "simulation")
"""Actors that are no member of staff."""
OUT_OF_ORDER = "out_of_order"
"""What a chosen call is found by: an event `call` whose data say that it was not the next one."""
ACTIONS = (
    "queue_open",
    "queue_paused",
    "queue_closed",
    "queue_closing",
    "handed_over",
    "took_over",
    "hand_over_undone",
    "desk_open",
    "desk_pause",
    "desk_close",
    "limits",
    "link",
    "printer",
    "queue_retired",
    "queue_back",
    "service_order",
    "login",
    "login_failed",
    "logout",
    "account",
    "password",
    "token",
    "token_revoked",
)
"""Actions of audit entries. Those of tickets are `queueing.ticket.MOVES`, `undo` and the remarks."""
PAGE = 100


class Cursor(NamedTuple):
    """Where a page begins: after this row, newest first."""

    at: datetime
    kind: int
    """0 a ticket's event, 1 an audit entry."""
    number: int


@dataclass(frozen=True, slots=True)
class Act:
    """One line of the list. `desk` is a name; `label` that of the ticket, for events of tickets."""

    at: datetime
    actor: str
    action: str
    topic: str
    subject: str
    label: str
    code: str
    desk: str
    data: dict[str, Any]
    key: Cursor


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list. `begin` to before `end`; `actor` and `action` empty: all. `action` may be OUT_OF_ORDER."""

    queue_ids: Sequence[int]
    topics: Sequence[str]
    """Beside the queues' own: `site:3`."""
    begin: datetime
    end: datetime
    actor: str = ""
    action: str = ""
    staff_only: bool = False
    """Leave out what kiosks, phones and the clock did."""


def note(
    session: Session,
    topic: str,
    action: str,
    *,
    actor: str,
    now: datetime,
    subject: str = "",
    data: dict[str, Any] | None = None,
) -> AuditEntry:
    """Write one entry in the caller's transaction."""
    entry = AuditEntry(
        topic=topic, actor=actor[:80], action=action, subject=subject[:80], happened_at=now, data=data or {}
    )
    session.add(entry)
    return entry


def acts(
    session: Session, wanted: Wanted, *, after: Cursor | None = None, count: int = PAGE
) -> tuple[list[Act], Cursor | None]:
    """One page of the list, newest first, and where the next begins (None: that was all)."""
    found = _of_tickets(session, wanted, after, count + 1) + _of_entries(session, wanted, after, count + 1)
    found.sort(key=lambda act: act.key, reverse=True)
    page = found[:count]
    return page, (page[-1].key if len(found) > count else None)


def actors(session: Session, wanted: Wanted) -> list[str]:
    """Everybody who stands in a list, for choosing one."""
    events = select(TicketEvent.actor).where(
        *_when(TicketEvent, wanted), TicketEvent.queue_id.in_(wanted.queue_ids)
    )
    entries = select(AuditEntry.actor).where(
        *_when(AuditEntry, wanted), AuditEntry.topic.in_(_topics(wanted))
    )
    names = set(session.scalars(events.distinct())) | set(session.scalars(entries.distinct()))
    return sorted(name for name in names if not (wanted.staff_only and name in MACHINES))


def _of_tickets(session: Session, wanted: Wanted, after: Cursor | None, count: int) -> list[Act]:
    if wanted.action in ACTIONS:
        return []
    chosen = (
        select(TicketEvent, Ticket.label, Ticket.code, Desk.name)
        .join(Ticket, Ticket.id == TicketEvent.ticket_id)
        .outerjoin(Desk, Desk.id == TicketEvent.desk_id)
        .where(TicketEvent.queue_id.in_(wanted.queue_ids), *_when(TicketEvent, wanted))
        .order_by(TicketEvent.happened_at.desc(), TicketEvent.id.desc())
        .limit(count)
    )
    if wanted.action == OUT_OF_ORDER:
        # JSON as text: both databases write the key so, and only calls are looked at.
        chosen = chosen.where(
            TicketEvent.action == "call", cast(TicketEvent.data, Text).like('%"out_of_order"%')
        )
    elif wanted.action:
        chosen = chosen.where(TicketEvent.action == wanted.action)
    if after is not None:
        chosen = chosen.where(_before(TicketEvent, after, 0))
    return [
        _act(event, 0, f"queue:{event.queue_id}", label=label, code=code, desk=desk or "")
        for event, label, code, desk in session.execute(_of_staff(chosen, TicketEvent, wanted))
    ]


def _of_entries(session: Session, wanted: Wanted, after: Cursor | None, count: int) -> list[Act]:
    if wanted.action and wanted.action not in ACTIONS:
        return []
    chosen = (
        select(AuditEntry)
        .where(AuditEntry.topic.in_(_topics(wanted)), *_when(AuditEntry, wanted))
        .order_by(AuditEntry.happened_at.desc(), AuditEntry.id.desc())
        .limit(count)
    )
    if wanted.action:
        chosen = chosen.where(AuditEntry.action == wanted.action)
    if after is not None:
        chosen = chosen.where(_before(AuditEntry, after, 1))
    return [
        _act(entry, 1, entry.topic, subject=entry.subject)
        for entry in session.scalars(_of_staff(chosen, AuditEntry, wanted))
    ]


def _act(
    row: TicketEvent | AuditEntry,
    kind: int,
    topic: str,
    *,
    subject: str = "",
    label: str = "",
    code: str = "",
    desk: str = "",
) -> Act:
    key = Cursor(row.happened_at, kind, row.id)
    return Act(row.happened_at, row.actor, row.action, topic, subject, label, code, desk, row.data, key)


def _when(table: Any, wanted: Wanted) -> tuple[ColumnElement[bool], ...]:
    span = (table.happened_at >= wanted.begin, table.happened_at < wanted.end)
    return (*span, table.actor == wanted.actor) if wanted.actor else span


def _of_staff(chosen: Any, table: Any, wanted: Wanted) -> Any:
    return chosen.where(table.actor.not_in(MACHINES)) if wanted.staff_only and not wanted.actor else chosen


def _before(table: Any, after: Cursor, kind: int) -> ColumnElement[bool]:
    """Rows that come after the cursor in the order (time, kind, id), all falling."""
    earlier = table.happened_at < after.at
    if kind > after.kind:
        return earlier  # type: ignore[no-any-return]
    if kind < after.kind:
        return table.happened_at <= after.at  # type: ignore[no-any-return]
    return or_(earlier, and_(table.happened_at == after.at, table.id < after.number))


def _topics(wanted: Wanted) -> list[str]:
    return [*(f"queue:{number}" for number in wanted.queue_ids), *wanted.topics]
