"""The state of every open line now, in a handful of statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from queueing import pace
from queueing.alarms.chance import FROM_MIN, TO_MIN, expected_wait
from queueing.store import LIVE_SQL, Desk, Queue, Ticket

HOUR = timedelta(hours=1)
DAY = timedelta(hours=16)
"""Nobody waits longer: who does was forgotten yesterday."""


@dataclass(frozen=True, slots=True)
class LineNow:
    """An open line in which somebody waits. `pace_s`: desk-seconds a person; `wait_min`: minutes expected for who joins
    now, None without an open desk."""

    queue_id: int
    waiting: int
    desks: int
    pace_s: float
    wait_min: float | None


def lines_now(session: Session, *, now: datetime) -> list[LineNow]:
    """Every line that is open or paused, runs here (a van without a connection tells of itself later), and has somebody
    in it."""
    waiting = session.execute(
        select(Ticket.queue_id, func.count(), Queue.pace_s)
        .join(Queue, Queue.id == Ticket.queue_id)
        .where(
            text(f"ticket.{LIVE_SQL}"), Ticket.state == "waiting", Ticket.aged_from.between(now - DAY, now)
        )
        .where(Ticket.day.between(*_days(now)), Queue.state != "closed", Queue.held_by.is_(None))
        .group_by(Ticket.queue_id, Queue.pace_s)
    ).all()
    ids = [row[0] for row in waiting]
    open_desks = select(Desk.queue_id, func.count()).where(Desk.state == "open").group_by(Desk.queue_id)
    desks = {queue_id: int(number) for queue_id, number in session.execute(open_desks)}
    unknown = (
        pace.prior(session, [queue_id for queue_id, _, learnt in waiting if learnt is None]) if ids else {}
    )
    found = []
    for queue_id, number, learnt in sorted(waiting, key=lambda row: row[0]):
        seconds = learnt if learnt is not None else unknown[queue_id].seconds
        staffed = desks.get(queue_id, 0)
        found.append(LineNow(queue_id, number, staffed, seconds, expected_wait(number, staffed, seconds)))
    return found


def came_between(
    session: Session, queue_ids: Sequence[int], *, since: datetime, until: datetime
) -> dict[int, int]:
    """How many took a ticket of each line from `since` until `until`."""
    rows = session.execute(
        select(Ticket.queue_id, func.count())
        .where(Ticket.queue_id.in_(queue_ids), Ticket.issued_at > since, Ticket.issued_at <= until)
        .where(Ticket.day.between(*_days(until)))
        .group_by(Ticket.queue_id)
    )
    return {queue_id: int(number) for queue_id, number in rows}


def waited_after(
    session: Session, queue_id: int, raised: datetime, *, now: datetime
) -> tuple[int, float | None]:
    """Of those who came 30 to 60 minutes after `raised`: how many, and how many minutes they waited on average until
    their first call (who was not called: until they went, or until now)."""
    since, until = raised + timedelta(minutes=FROM_MIN), raised + timedelta(minutes=TO_MIN)
    rows = session.execute(
        select(Ticket.issued_at, Ticket.called_at, Ticket.ended_at).where(
            Ticket.queue_id == queue_id, Ticket.issued_at > since, Ticket.issued_at <= until,
            Ticket.day.between(*_days(until)), Ticket.appointment_at.is_(None),
        )
    ).all()  # fmt: skip
    waits = [((called or ended or now) - issued).total_seconds() / 60 for issued, called, ended in rows]
    return len(waits), sum(waits) / len(waits) if waits else None


def _days(now: datetime) -> tuple[date, date]:
    """Business days that an instant can belong to, whatever the zone: for an index; the instants themselves decide."""
    return now.date() - timedelta(days=1), now.date() + timedelta(days=1)
