"""Appointments of visits and sites: a visit's opening hours are slots of themselves; and which days can be booked."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet.store import Visit
from queueing.daytime import local, local_day
from queueing.pace import pace_of
from queueing.slots import SLOT_MINUTES, Pattern, Slot, default_capacity, rules_of, slots
from queueing.store import Desk, Queue

DAYS_SHOWN = 14
"""How far ahead a page of a queue with weekly rules looks for days with appointments."""


def patterns(session: Session, queue: Queue, day: date) -> list[Pattern]:
    """What holds on a day without rules: a visit's own hours, half of its desks' time; nothing at a building."""
    visit = session.scalar(select(Visit).where(Visit.queue_id == queue.id))
    if visit is None or visit.status not in ("announced", "open") or visit.day != day:
        return []
    first, last = _minute(visit.opens_at, queue.zone), _minute(visit.closes_at, queue.zone)
    if last - first < SLOT_MINUTES:
        return []
    desks = session.scalar(select(func.count()).select_from(Desk).where(Desk.queue_id == queue.id)) or 1
    return [Pattern(first, last, SLOT_MINUTES, default_capacity(desks, pace_of(session, queue).seconds))]


def slots_on(
    session: Session, queue: Queue, day: date, *, service_id: int | None, now: datetime
) -> list[Slot]:
    """The slots of a day that are still to come, full ones too."""
    found = slots(session, queue, day, service_id=service_id, default=patterns(session, queue, day))
    return [slot for slot in found if slot.at > now]


def bookable_days(session: Session, queue: Queue, *, now: datetime, count: int = DAYS_SHOWN) -> list[date]:
    """The coming days on which appointments are given, today first; a visit has its one day."""
    today = local_day(now, queue.zone)
    visit = session.scalar(select(Visit).where(Visit.queue_id == queue.id))
    if visit is not None:
        days = [visit.day] if visit.day >= today else []
    elif rules_of(session, queue.id):
        days = [today + timedelta(days=n) for n in range(count)]
    else:
        days = []
    return [day for day in days if slots_on(session, queue, day, service_id=None, now=now)]


def _minute(at: datetime, zone: str) -> int:
    here = local(at, zone)
    return here.hour * 60 + here.minute
