"""Hourly measures of queues, kept up to date from ticket events, and the check that they equal the events.

The counting itself is `queueing/hours.py`; the congestion level and its definition are
`queueing/congestion.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Select, delete, insert, select
from sqlalchemy.orm import Session

from queueing import pace
from queueing.congestion import LONG_WAIT_S, expected_level, level_of, offered_load
from queueing.daytime import day_bounds
from queueing.hours import EventRow, HourMeasure, Key, ShiftRow, Tally, as_columns, measures_from_rows
from queueing.store import DeskShift, Queue, QueueHour, Ticket, TicketEvent

__all__ = [
    "LONG_WAIT_S",
    "EventRow",
    "HourMeasure",
    "ShiftRow",
    "as_columns",
    "changed",
    "differences",
    "expected_level",
    "keep_hours",
    "level_of",
    "measure_day",
    "measures_from_rows",
    "measures_of_day",
    "offered_load",
]
CHUNK = 200
"""Queues measured at a time: keeps memory and parameter lists small on a national day."""


def measure_day(
    session: Session, queue_ids: Sequence[int], day: date, *, now: datetime, learn: bool = True
) -> int:
    """Compute the hours of `day` of these queues anew from their events; returns how many rows were written.

    Hours of queues without any ticket that day are left as they are: old weeks are kept without their
    tickets. With `learn` the queues' pace follows.
    """
    written = 0
    for begin in range(0, len(queue_ids), CHUNK):
        ids = list(queue_ids[begin : begin + CHUNK])
        written += keep_hours(session, measures_of_day(session, ids, day, now), day, learn=learn)
    return written


def keep_hours(session: Session, measured: dict[Key, HourMeasure], day: date, *, learn: bool = True) -> int:
    """Store hours of `day` that `measures_of_day` computed, in place of those that were there; returns how many.

    For callers that compute from a snapshot first: arithmetic is not done while others wait to write.
    """
    rows = as_columns(measured)
    touched = {row["queue_id"] for row in rows}
    if rows:
        session.execute(delete(QueueHour).where(QueueHour.queue_id.in_(touched), QueueHour.day == day))
        session.execute(insert(QueueHour), rows)
        session.expire_all()
    if learn and touched:
        pace.learn(session, sorted(touched), before=day + timedelta(days=1))
    return len(rows)


def changed(session: Session, *, since: datetime) -> dict[date, list[int]]:
    """The queues of which something was stored since `since`, by the day of the tickets, today's and earlier ones.

    By the time of storing and not of happening: a tablet or a paper tells of this morning in the evening. Ids rise with
    the time of storing, so this reads back from the newest event to the first that is older, whatever the history.
    """
    newest = select(TicketEvent.id).order_by(TicketEvent.id.desc()).limit(1)
    last_before = session.scalar(newest.where(TicketEvent.recorded_at < since))
    fresh = TicketEvent.id > (last_before or 0)
    # Days loaded in bulk carry old times and new ids: they end the way back, not the list.
    found = (
        select(Ticket.day, TicketEvent.queue_id)
        .join(Ticket, Ticket.id == TicketEvent.ticket_id)
        .where(fresh, TicketEvent.recorded_at >= since)
        .distinct()
        .order_by(Ticket.day, TicketEvent.queue_id)
    )
    days: dict[date, list[int]] = {}
    for day, queue_id in session.execute(found):
        days.setdefault(day, []).append(queue_id)
    return days


def differences(session: Session, queue_ids: Sequence[int], day: date, *, now: datetime) -> list[str]:
    """Where stored hours and events disagree, one line each; empty when statistics equal events."""
    expected = measures_of_day(session, queue_ids, day, now)
    stored = {
        (row.queue_id, row.day, row.hour): row
        for row in session.scalars(
            select(QueueHour).where(QueueHour.queue_id.in_(queue_ids), QueueHour.day == day)
        )
    }
    found = []
    for key in sorted(expected.keys() | stored.keys()):
        for name in HourMeasure.COLUMNS:
            should = getattr(expected.get(key), name, 0)
            has = getattr(stored.get(key), name, 0)
            if abs(should - has) > 0.01:
                found.append(
                    f"queue {key[0]} {key[1]} {key[2]:02d}h {name}: stored {has}, events say {should}"
                )
    return found


def measures_of_day(
    session: Session, queue_ids: Sequence[int], day: date, now: datetime, tally: Tally | None = None
) -> dict[Key, HourMeasure]:
    """The hours of `day` of these queues by (queue, day, hour), computed from their events up to `now`; nothing
    is stored. `tally`: see queueing/hours.py; the tickets it hears of are ids."""
    zones: dict[str, list[int]] = {}
    for queue_id, zone in session.execute(select(Queue.id, Queue.zone).where(Queue.id.in_(queue_ids))):
        zones.setdefault(zone, []).append(queue_id)
    found: dict[Key, HourMeasure] = {}
    for zone, ids in zones.items():
        begin, end = day_bounds(day, zone)
        events = (EventRow(*row) for row in session.execute(_events(ids, day)))
        shifts = [
            ShiftRow(queue_id, since, until)
            for queue_id, since, until in session.execute(
                select(DeskShift.queue_id, DeskShift.opened_at, DeskShift.closed_at).where(
                    DeskShift.queue_id.in_(ids), DeskShift.opened_at >= begin, DeskShift.opened_at < end
                )
            )
        ]
        measured = measures_from_rows(events, shifts, zone=zone, until=min(now, end), tally=tally)
        found |= {key: value for key, value in measured.items() if key[1] == day}
    return found


def _events(ids: Sequence[int], day: date) -> Select[int, int, str, str | None, str, datetime]:
    return (
        select(
            TicketEvent.queue_id,
            TicketEvent.ticket_id,
            TicketEvent.action,
            TicketEvent.state_from,
            TicketEvent.state_to,
            TicketEvent.happened_at,
        )
        .join(Ticket, Ticket.id == TicketEvent.ticket_id)
        .where(Ticket.queue_id.in_(ids), Ticket.day == day)
        .order_by(TicketEvent.id)
    )
