"""Opening and closing of days by the calendar: fixed centers by their hours, visits by what was announced.

`run_day_transitions` is called every minute and may be called again at the same instant: a second call changes nothing.
Hours of buildings act once, when the clock passes them (remembered in the setting `days`), so that a queue which a
supervisor closed at eleven stays closed. Visits act by their status, which only ever goes forward.

At closing time the doors close, not the desks: while people are inside the queue is paused (no new tickets, the line is
still called); it closes when the line is empty, at the latest after `OVERTIME`. What is left then is ended as
forgotten.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import Calendar, default_calendar, local_day, local_instant
from fleet.days.buildings import OVERTIME, building_queues, close_buildings, open_buildings
from fleet.days.doors import close_free_desks, close_line
from fleet.days.transitions import Transitions
from fleet.days.visits import (
    VAN_OVERTIME,
    arrived,
    close_due_visits,
    close_visit,
    open_due_visits,
    open_visit,
)
from fleet.store import Setting, Visit
from queueing.desks import close_forgotten

__all__ = [
    "AT_ONCE",
    "OVERTIME",
    "VAN_OVERTIME",
    "Transitions",
    "arrived",
    "close_day",
    "close_visit",
    "open_day",
    "open_visit",
    "run_day_transitions",
]

AT_ONCE = 25
"""Queues and visits opened or closed in one transaction: a clerk's press never waits behind the whole country's
morning."""
SETTING = "days"
"""Key of the setting that remembers up to which instant hours have been acted upon."""


def run_day_transitions(
    session: Session, *, now: datetime, calendar: Calendar | None = None, most: int | None = None
) -> Transitions:
    """Do whatever the clock asks for at `now`: close, then open, then forget. Idempotent.

    Opening a country takes a second. A caller that must not hold the database that long gives `most`, the number
    of queues and visits to deal with in this transaction, and calls again while the answer is not `complete`.
    """
    calendar = calendar or default_calendar()
    done = Transitions()
    since = _last_run(session, now)
    close_buildings(session, since, now, calendar, done, most)
    close_due_visits(session, now, done, most)
    open_due_visits(session, now, done, most)
    open_buildings(session, since, now, calendar, done, most)
    if not done.complete:
        return done
    done.desks_closed = close_free_desks(session, now)
    if done.queues_closed or done.visits_closed or local_day(since) != local_day(now):
        done.forgotten = close_forgotten(session, now=now)
    _remember(session, now)
    return done


def open_day(session: Session, day: date, *, now: datetime, calendar: Calendar | None = None) -> Transitions:
    """Open what should be open at `now` on this day, also where a person closed it meanwhile (a fresh start)."""
    calendar = calendar or default_calendar()
    done = Transitions()
    if day == local_day(now):
        open_buildings(session, local_instant(day, 0) - timedelta(seconds=1), now, calendar, done, None)
        open_due_visits(session, now, done, None)
    return done


def close_day(session: Session, day: date, *, now: datetime) -> Transitions:
    """Close every building's queue and every visit up to this day at once, overtime or not, and end forgotten
    tickets."""
    done = Transitions()
    for queue in building_queues(session, ("open", "paused")):
        close_line(session, queue, now)
        done.queues_closed += 1
    query = select(Visit).where(Visit.day <= day, Visit.status.in_(("announced", "open"))).order_by(Visit.id)
    for visit in session.scalars(query):
        close_visit(session, visit, now=now)
        done.visits_closed += 1
    done.forgotten = close_forgotten(session, now=now)
    return done


def _last_run(session: Session, now: datetime) -> datetime:
    """Up to when hours were acted upon; the start of today at first, and when the (demonstration's) clock went back."""
    start = local_instant(local_day(now), 0) - timedelta(seconds=1)
    setting = session.get(Setting, SETTING)
    if setting is None:
        return start
    last = datetime.fromisoformat(setting.value["until"])
    return last if last <= now else start


def _remember(session: Session, now: datetime) -> None:
    setting = session.get(Setting, SETTING)
    if setting is None:
        session.add(Setting(key=SETTING, value={"until": now.isoformat()}))
    else:
        setting.value = {"until": now.isoformat()}
    session.flush()
