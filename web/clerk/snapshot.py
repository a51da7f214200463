"""What a tablet needs to work on by itself: the ticket at its desk, its hand, and the rules. One source: the table of
moves and the head starts are those of the domain, sent as they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import lineup
from queueing.order import HEAD_START, PRIORITIES
from queueing.status import line
from queueing.store import Desk, Service, Ticket
from queueing.ticket import AT_DESK, MOVES
from web.clerk.words import clock_speed

KNOWN = 80
"""People of the line who are named, so that a press can be told of another of them."""


def rules(desk: Desk) -> dict[str, Any]:
    """The rules of a queue as its tablets apply them. Times are milliseconds."""
    return {
        "moves": [[state, action, to] for (state, action), to in MOVES.items() if state is not None],
        "at_desk": list(AT_DESK),
        "head_start": [HEAD_START[number].total_seconds() * 1000 for number in PRIORITIES],
        "recall_limit": desk.queue.recall_limit,
        "cool_down": desk.queue.cool_down_s * 1000,
    }


def snapshot(
    session: Session, desk: Desk, hand: Sequence[Ticket], *, account: str, now: datetime
) -> dict[str, Any]:
    """The desk as its tablet keeps it until the next contact. Holds no telephone number."""
    current = lineup.open_ticket(session, desk.id)
    tickets = [*hand, *([current] if current is not None else [])]
    ids = {ticket.service_id for ticket in tickets}
    names = {
        s.id: (s.name_ar, s.name_en) for s in session.scalars(select(Service).where(Service.id.in_(ids)))
    }
    rows = line(session, desk.queue, now)
    return {
        "desk": desk.id,
        "account": account,
        "name": desk.name,
        "queue": {"ar": desk.queue.name_ar, "en": desk.queue.name_en},
        "working": desk.state == "open" and desk.queue.state != "closed",
        "now": millis(now),
        "speed": clock_speed(),
        "rules": rules(desk),
        "current": _row(current, names) if current is not None else None,
        "people": [_row(ticket, names) for ticket in hand],
        "waiting": sum(row.state == "waiting" for row in rows),
        "line": [{"code": row.code, "label": row.label} for row in rows[:KNOWN]],
    }


def _row(ticket: Ticket, names: dict[int, tuple[str, str]]) -> dict[str, Any]:
    arabic, english = names[ticket.service_id]
    return {
        "code": ticket.code,
        "label": ticket.label,
        "number": ticket.number,
        "state": ticket.state,
        "priority": ticket.priority,
        "service": {"ar": arabic, "en": english},
        "note": ticket.note,
        "issued": millis(ticket.issued_at),
        "aged": millis(ticket.aged_from),
        "called": _maybe(ticket.called_at),
        "started": _maybe(ticket.started_at),
        "ended": _maybe(ticket.ended_at),
        "hold": _maybe(ticket.hold_until),
        "recalls": ticket.recalls,
        "parked_s": ticket.parked_s,
        "parked": _maybe(ticket.parked_at),
    }


def millis(instant: datetime) -> int:
    """Whole milliseconds since 1970."""
    return round(instant.timestamp() * 1000)


def _maybe(instant: datetime | None) -> int | None:
    return None if instant is None else millis(instant)
