"""Days of queues as columns of numbers: today's for what is told now, past ones for what is learned and judged.

Read once, a day says how the line stood at any moment of it: who had come, who was still there, who stood at which
desk. Times are minutes since the day's local midnight; NaN where something has not happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.daytime import day_bounds, local_day
from queueing.order import HEAD_START
from queueing.store import Desk, DeskShift, Queue, Ticket
from queueing.waits.snapshots import Floats, Ints

Spells = tuple[tuple[float, float], ...]
"""From and to, minutes since midnight; infinite while it lasts."""
HEAD_MINUTES = np.array([HEAD_START[number].total_seconds() / 60 for number in sorted(HEAD_START)])
GONE = ("left", "cancelled", "missed", "transferred")


@dataclass(frozen=True, slots=True)
class Day:
    """One queue's day; columns in the order of ticket numbers."""

    queue_id: int
    day: date
    midnight: datetime
    ticket: Ints
    service: Ints
    """Service ids."""
    priority: Ints
    issued: Floats
    aged: Floats
    called: Floats
    ended: Floats
    hold: Floats
    appointment: Floats
    desk: Ints
    """0: none."""
    changed: np.ndarray
    """People changed this wait (recalled, put aside, sent on): nothing is learned from it."""
    state: np.ndarray
    shifts: dict[int, Spells]
    """When each desk was open."""
    desks: dict[int, str] = field(default_factory=dict)
    """States of the desks now; of a past day: empty."""

    def __len__(self) -> int:
        return len(self.ticket)

    @property
    def came(self) -> Floats:
        """Since when each person stood in the line; a booked one from the appointment on."""
        found: Floats = np.where(np.isnan(self.appointment), self.issued, np.fmin(self.aged, self.called))
        return found

    @property
    def left(self) -> Floats:
        """When each person was taken from the line, or went; infinite while neither."""
        gone = np.where(np.isin(self.state, GONE), self.ended, np.nan)
        found: Floats = np.nan_to_num(np.fmin(self.called, gone), nan=np.inf)
        return found

    @property
    def key(self) -> Floats:
        """The order: the smallest is called first."""
        found: Floats = self.aged - HEAD_MINUTES[self.priority] + np.arange(len(self)) * 1e-6
        return found

    def minute(self, now: datetime) -> float:
        """An instant as a minute of this day."""
        return (now - self.midnight).total_seconds() / 60


def read_days(session: Session, queue_ids: Sequence[int], first: date, last: date) -> list[Day]:
    """Every queue-day on which tickets were given out, by queue and day."""
    if not queue_ids:
        return []
    zones = _zones(session, queue_ids)
    shifts = read_shifts(session, queue_ids, first, last)
    rows = session.execute(
        select(
            Ticket.queue_id, Ticket.day, Ticket.id, Ticket.service_id, Ticket.priority, Ticket.issued_at,
            Ticket.aged_from, Ticket.called_at, Ticket.ended_at, Ticket.hold_until, Ticket.appointment_at,
            Ticket.desk_id, Ticket.recalls, Ticket.parked_s, Ticket.state,
        )
        .where(Ticket.queue_id.in_(queue_ids), Ticket.day >= first, Ticket.day <= last)
        .order_by(Ticket.queue_id, Ticket.day, Ticket.number)
    )  # fmt: skip
    found = []
    for (queue, day), some in groupby(rows, key=lambda row: (row[0], row[1])):
        found.append(_day(queue, day, zones[queue], list(some), shifts.get((queue, day), {})))
    return found


def read_shifts(
    session: Session, queue_ids: Sequence[int], first: date, last: date
) -> dict[tuple[int, date], dict[int, Spells]]:
    """When the desks of queues were open, by queue and day."""
    zones = _zones(session, queue_ids)
    found: dict[tuple[int, date], dict[int, Spells]] = {}
    if not zones:
        return found
    begin = min(day_bounds(first, zone)[0] for zone in set(zones.values()))
    end = max(day_bounds(last, zone)[1] for zone in set(zones.values()))
    for desk, queue, opened, closed in session.execute(
        select(DeskShift.desk_id, DeskShift.queue_id, DeskShift.opened_at, DeskShift.closed_at)
        .where(DeskShift.queue_id.in_(queue_ids), DeskShift.opened_at >= begin, DeskShift.opened_at < end)
        .order_by(DeskShift.opened_at)
    ):
        day = local_day(opened, zones[queue])
        midnight = day_bounds(day, zones[queue])[0]
        until = np.inf if closed is None else (closed - midnight).total_seconds() / 60
        spell = ((opened - midnight).total_seconds() / 60, until)
        of_day = found.setdefault((queue, day), {})
        of_day[desk] = (*of_day.get(desk, ()), spell)
    return found


def _zones(session: Session, queue_ids: Sequence[int]) -> dict[int, str]:
    rows = session.execute(select(Queue.id, Queue.zone).where(Queue.id.in_(queue_ids)))
    return {row[0]: row[1] for row in rows}


def read_today(session: Session, queue_id: int, day: date) -> Day | None:
    """The day as it stands, with the states of the desks; None before the first ticket."""
    found = read_days(session, [queue_id], day, day)
    if not found:
        return None
    found[0].desks.update(
        (desk, state)
        for desk, state in session.execute(
            select(Desk.id, Desk.state).where(Desk.queue_id == queue_id).order_by(Desk.id)
        )
    )
    return found[0]


def _day(queue: int, day: date, zone: str, rows: Sequence[tuple], spells: dict[int, Spells]) -> Day:  # type: ignore[type-arg]
    midnight = day_bounds(day, zone)[0]

    def minutes(place: int) -> Floats:
        return np.array(
            [np.nan if row[place] is None else (row[place] - midnight).total_seconds() / 60 for row in rows]
        )

    def whole(place: int) -> Ints:
        return np.array([row[place] or 0 for row in rows], np.int64)

    issued, aged = minutes(5), minutes(6)
    appointment = minutes(10)
    recalls, parked = whole(12), whole(13)
    return Day(
        queue, day, midnight, whole(2), whole(3), whole(4), issued, aged, minutes(7), minutes(8), minutes(9),
        appointment, whole(11),
        (recalls > 0) | (parked > 0) | ~np.isnan(appointment) | (np.abs(aged - issued) > 1e-6),
        np.array([row[14] for row in rows]), spells,
    )  # fmt: skip
