"""What screens must hear of a change, written beside the change and sent after the commit.

Each change of a queue raises its `seq` by one and writes one outbox row on topic `queue:<id>`. A change can
touch several sections of a screen: `part` names the first of them, `data["parts"]` all of them.

- `line`   who waits, is parked, missed or booked
- `calls`  who is called where: boards and "now serving"
- `desks`  desks and the ticket at each
- `queue`  open, paused or closed

`data` holds public facts only: action, label, desk (its name), waiting (how many), parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Table, insert
from sqlalchemy.orm import Session

from queueing.store import Outbox
from queueing.ticket import AT_DESK

CALLING = ("call", "recall")
"""Actions a board announces with a sound (and `resume` of a missed person, which is written as `call`)."""


_INSERT = insert(cast(Table, Outbox.__table__))


@dataclass(frozen=True, slots=True)
class Change:
    """One change to be told. `seq` is the topic's, raised in the same transaction."""

    topic: str
    seq: int
    part: str
    data: dict[str, Any]


def announce(session: Session, topic: str, seq: int, part: str, data: dict[str, Any], now: datetime) -> None:
    """Write the outbox row of one change."""
    announce_all(session, [Change(topic, seq, part, data)], now)


def announce_all(session: Session, changes: Sequence[Change], now: datetime) -> None:
    """Write the outbox rows of many changes in one statement."""
    rows = [
        {"topic": c.topic, "seq": c.seq, "part": c.part, "data": c.data, "created_at": now} for c in changes
    ]
    if rows:
        session.connection().execute(_INSERT, rows)


@lru_cache(maxsize=256)
def parts_of(action: str, state_from: str | None, state_to: str) -> list[str]:
    """Which sections a ticket's change touches, the most telling first; not to be changed by the caller."""
    states = (state_from, state_to)
    parts = []
    if action in CALLING:
        parts.append("calls")
    if any(state in ("waiting", "booked", "parked", "missed") for state in states):
        parts.append("line")
    if any(state in AT_DESK for state in states):
        parts.append("desks")
        if "calls" not in parts:
            parts.append("calls")
    return parts or ["line"]
