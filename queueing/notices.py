"""What people are told: one row for each message, once, whoever asks for it and however often.

A notice is written in the transaction of what it tells of. One to the holder of a ticket shows on the ticket's page at
once; where a telephone number was left, and for followers (queueing/following.py), it is also to be sent. `claim`
hands out what is due and asks for it again after LEASE, so that a message outlives the process that was sending it;
`sent` ends that. A message that could not be sent comes up again, later each time, until it would say what is over.
So none is lost, and one may go out twice where a process died between the gateway's word and ours: it carries its
number (`Notice.id`), by which a gateway that can tells the second from the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from queueing.store import Ticket
from queueing.store_life import Follower, Notice

KINDS = (
    "booked",
    "confirm",
    "reminder_24h",
    "reminder_2h",
    "freed",
    "moved",
    "near",
    "called",
    "next_desk",
    "handed_over",
    "taken_back",
    "cancelled",
    "closed",
    "called_off",
    "question",
    "coming",
    "visit_moved",
    "visit_off",
)
ENDED_BY_US = ("closed", "called_off")
"""Messages that a ticket ended through no fault of its holder: something is owed in its place."""
WORTH = {
    "called": timedelta(minutes=5),
    "near": timedelta(minutes=20),
    "next_desk": timedelta(minutes=20),
    "reminder_2h": timedelta(hours=2),
}
"""How long a message is worth sending, where it is less than a day."""
A_DAY = timedelta(days=1)
LEASE = timedelta(minutes=2)
"""Longer than any try to send takes: who has not said by then how it went has died."""
PAUSES = tuple(timedelta(seconds=s) for s in (30, 120, 600, 1800, 7200))
"""Between a try that failed and the next; the last one again and again."""
DUE_SQL = "due_at IS NOT NULL"
"""Condition of the partial index, word for word."""
_TABLE = cast(Table, Notice.__table__)
_INSERT = {
    (name, whose): insert(_TABLE).on_conflict_do_nothing(index_elements=[whose, "key"]).returning(_TABLE.c.id)
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
    for whose in ("ticket_id", "follower_id")
}


def tell(session: Session, ticket: Ticket, kind: str, *, now: datetime, key: str = "", **data: Any) -> bool:
    """Write a notice to the holder of `ticket`; False when this one was written before. `key` tells two of one kind
    apart. `data` is JSON and holds what the sentence needs."""
    session.flush()
    values = {"ticket_id": ticket.id, "queue_id": ticket.queue_id, "phone": ticket.phone}
    return _write(session, "ticket_id", values, kind, now, key, data, send=ticket.phone is not None)


def tell_follower(
    session: Session, follower: Follower, kind: str, *, now: datetime, key: str = "", **data: Any
) -> bool:
    """Write a message to `follower`, as `tell` does to the holder of a ticket."""
    values = {"follower_id": follower.id}
    return _write(session, "follower_id", values, kind, now, key, data, send=True)


def _write(
    session: Session,
    whose: str,
    values: dict[str, Any],
    kind: str,
    now: datetime,
    key: str,
    data: dict[str, Any],
    *,
    send: bool,
) -> bool:
    if kind not in KINDS:
        raise ValueError(f"no such notice: {kind}")
    values |= {
        "key": f"{kind}:{key}" if key else kind,
        "kind": kind,
        "data": data,
        "created_at": now,
        "due_at": now if send else None,
        "expires_at": now + WORTH.get(kind, A_DAY),
        "failed": False,
    }
    connection = session.connection()
    return connection.scalar(_INSERT[connection.dialect.name, whose], values) is not None


def waiting(session: Session, *, now: datetime) -> bool:
    """Whether anything is due to be sent: cheap, for whoever looks often."""
    due = select(Notice.id).where(text(DUE_SQL), Notice.due_at <= now).limit(1)
    return session.scalar(due) is not None


def claim(session: Session, *, now: datetime, most: int = 100) -> list[Notice]:
    """Take up to `most` messages that are to be sent, longest due first. Nobody else gets them before LEASE is over.
    What would say what is over is given up here."""
    found = session.scalars(
        select(Notice)
        .where(text(DUE_SQL), Notice.due_at <= now)
        .order_by(Notice.due_at, Notice.id)
        .limit(most)
    ).all()
    mine = []
    for notice in found:
        late = notice.expires_at is not None and notice.expires_at <= now
        values: dict[str, Any] = {"due_at": None, "failed": True} if late else {
            "due_at": now + LEASE, "attempts": Notice.attempts + 1
        }  # fmt: skip
        taken = update(Notice).where(Notice.id == notice.id, Notice.due_at == notice.due_at).values(**values)
        if session.connection().execute(taken).rowcount == 1:
            session.refresh(notice)
            if not late:
                mine.append(notice)
    return mine


def sent(session: Session, notice_ids: Sequence[int], *, now: datetime) -> None:
    """Note that these messages were taken by the gateway."""
    if notice_ids:
        session.execute(
            update(Notice)
            .where(Notice.id.in_(notice_ids))
            .values(sent_at=now, due_at=None, failed=False)
            .execution_options(synchronize_session=False)
        )


def put_off(session: Session, notice_ids: Sequence[int], *, now: datetime) -> None:
    """Note that these could not be sent just now: they come up again, later each time they fail."""
    for notice in session.scalars(select(Notice).where(Notice.id.in_(notice_ids))):
        notice.due_at = now + PAUSES[min(max(notice.attempts, 1), len(PAUSES)) - 1]


def failed(session: Session, notice_ids: Sequence[int]) -> None:
    """Note messages that nobody will ever take (no such number): they are shown to staff, and stand in nobody's way."""
    if notice_ids:
        session.execute(
            update(Notice)
            .where(Notice.id.in_(notice_ids))
            .values(failed=True, due_at=None)
            .execution_options(synchronize_session=False)
        )


def notices_of(session: Session, ticket_ids: Sequence[int]) -> list[Notice]:
    """What the holders of these tickets have been told, newest first."""
    chosen = select(Notice).where(Notice.ticket_id.in_(ticket_ids)).order_by(Notice.id.desc())
    return list(session.scalars(chosen))
