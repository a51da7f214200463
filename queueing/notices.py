"""What the holder of a ticket is told: one row for each message, once, whoever asks for it and however often.

A notice is written in the transaction of what it tells of. It shows on the ticket's page at once; where a telephone
number was left, `claim` hands it to whoever sends messages. Claiming comes before sending: a message may be lost with
the process that sends it, but nobody ever gets it twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from queueing.store import Ticket
from queueing.store_life import Notice

KINDS = (
    "booked",
    "confirm",
    "reminder_24h",
    "reminder_2h",
    "freed",
    "moved",
    "near",
    "next_desk",
    "handed_over",
    "taken_back",
    "cancelled",
    "closed",
    "called_off",
)
ENDED_BY_US = ("closed", "called_off")
"""Messages that a ticket ended through no fault of its holder: something is owed in its place."""
UNSENT_SQL = "sent_at IS NULL AND phone IS NOT NULL"
"""Condition of the partial index, word for word."""
_TABLE = cast(Table, Notice.__table__)
_INSERT = {
    name: insert(_TABLE).on_conflict_do_nothing(index_elements=["ticket_id", "key"]).returning(_TABLE.c.id)
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}


def tell(session: Session, ticket: Ticket, kind: str, *, now: datetime, key: str = "", **data: Any) -> bool:
    """Write a notice to the holder of `ticket`; False when this one was written before. `key` tells two of one kind
    apart. `data` is JSON and holds what the sentence needs."""
    if kind not in KINDS:
        raise ValueError(f"no such notice: {kind}")
    session.flush()
    values = {
        "ticket_id": ticket.id,
        "key": f"{kind}:{key}" if key else kind,
        "kind": kind,
        "queue_id": ticket.queue_id,
        "phone": ticket.phone,
        "data": data,
        "created_at": now,
        "sent_at": None,
        "failed": False,
    }
    connection = session.connection()
    return connection.scalar(_INSERT[connection.dialect.name], values) is not None


def claim(session: Session, *, now: datetime, most: int = 100) -> list[Notice]:
    """Take up to `most` messages that are to be sent, oldest first; each is given out once."""
    found = session.scalars(select(Notice).where(text(UNSENT_SQL)).order_by(Notice.id).limit(most)).all()
    mine = []
    for notice in found:
        taken = update(Notice).where(Notice.id == notice.id, Notice.sent_at.is_(None)).values(sent_at=now)
        if session.connection().execute(taken).rowcount == 1:
            session.refresh(notice)
            mine.append(notice)
    return mine


def failed(session: Session, notice_ids: Sequence[int]) -> None:
    """Note messages that could not be sent: they are shown to staff, and stand in nobody's way."""
    if notice_ids:
        session.execute(update(Notice).where(Notice.id.in_(notice_ids)).values(failed=True))


def notices_of(session: Session, ticket_ids: Sequence[int]) -> list[Notice]:
    """What the holders of these tickets have been told, newest first."""
    chosen = select(Notice).where(Notice.ticket_id.in_(ticket_ids)).order_by(Notice.id.desc())
    return list(session.scalars(chosen))
