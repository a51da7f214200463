"""A ticket out of its log: the facts it began with, its moves replayed by the rules, and what the rules do not explain.

Both sides compute the same columns from the same entries: columns = facts, over them the replay, over them the
corrections. Instants are whole microseconds since 1970 here, as in the entries.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from queueing.errors import QueueingError
from queueing.store import EPOCH, Ticket, UtcDateTime, to_micros
from queueing.ticket import CREATING, REMARKS, Change, LightTicket, move, restore
from queueing.turn import jsonable

RULED = (
    "aged_from", "called_at", "desk_id", "ended_at", "hold_until", "parked_at", "parked_s", "recalls",
    "started_at", "state",
)  # fmt: skip
"""Columns that the rules of moves decide."""
_SHARED_KEYS = ("queue_id", "service_id", "desk_id")
"""Foreign keys whose rows are the same on both sides; others (a next ticket, a journey) are each side's own."""
COLUMNS = tuple(
    column.name
    for column in Ticket.__table__.columns
    if column.name != "id" and (not column.foreign_keys or column.name in _SHARED_KEYS)
)
"""What of a ticket travels, columns that are added to the table later included."""
INSTANTS = frozenset(c.name for c in Ticket.__table__.columns if isinstance(c.type, UtcDateTime))
DAYS = frozenset({"day"})


@dataclass(frozen=True, slots=True)
class Happening:
    """One event as the rules need it."""

    action: str
    state_from: str | None
    state_to: str
    at: datetime
    desk_id: int | None


def instant(micros: int) -> datetime:
    """An instant out of whole microseconds since 1970."""
    return EPOCH + timedelta(microseconds=micros)


def plain(value: Any) -> Any:
    """A column's value as an entry holds it."""
    if isinstance(value, datetime):
        return to_micros(value)
    return value.isoformat() if isinstance(value, date) else value


def column_value(name: str, value: Any) -> Any:
    """A column's value out of an entry."""
    if value is None:
        return None
    if name in INSTANTS:
        return instant(value)
    return date.fromisoformat(value) if name in DAYS else value


def columns_of(ticket: Ticket) -> dict[str, Any]:
    """All that travels of a ticket, as entries hold it."""
    return {name: plain(getattr(ticket, name)) for name in COLUMNS}


def facts_of(ticket: Ticket) -> dict[str, Any]:
    """What a ticket is from its first entry on: everything but what the rules decide (and `aged_from`, from which they
    start)."""
    return {
        name: value
        for name, value in columns_of(ticket).items()
        if (name not in RULED or name == "aged_from") and value is not None and value != ""
    }


def replay(
    facts: dict[str, Any], happenings: Iterable[Happening], *, hold_s: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The columns that moves lead to from `facts`, and for each happening what undo would need (`before`).

    A happening that the rules do not know (one side may be newer) only sets the state it led to.
    """
    due = column_value("appointment_at", facts.get("appointment_at"))
    made = LightTicket(facts["number"], facts["service_id"], instant(facts["issued_at"]), appointment_at=due)
    made.aged_from = instant(facts["aged_from"])
    done: list[Change] = []
    befores: list[dict[str, Any]] = []
    for event in happenings:
        change = Change(event.action, event.state_from, event.state_to, {})
        if event.action in CREATING or event.action in REMARKS:
            pass
        elif event.action == "undo":
            if done:
                restore(made, done.pop())
        else:
            with contextlib.suppress(QueueingError, KeyError, ValueError):
                change = move(made, event.action, now=event.at, desk_id=event.desk_id, hold_s=hold_s)
            done.append(change)
        made.state = event.state_to
        befores.append(jsonable(change.before))
    return {name: plain(getattr(made, name)) for name in RULED}, befores


def shifted(values: dict[str, Any], by_us: int) -> dict[str, Any]:
    """Values of a ticket with their instants moved: a device's clock corrected. A planned time stays."""
    if not by_us:
        return dict(values)
    moved = INSTANTS - {"appointment_at"}
    return {k: v + by_us if k in moved and isinstance(v, int) else v for k, v in values.items()}
