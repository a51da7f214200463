"""Visits as they happen: a van's doors open when it stands, and close when its time is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, joinedload

from fleet.days.doors import anyone_inside, close_doors, close_line, open_line
from fleet.days.transitions import Transitions
from fleet.network.geo import km_between
from fleet.store import Center, Site, Visit
from fleet.tracking import AT_SITE_KM, SILENT_AFTER, touch
from queueing.store import Queue

VAN_OVERTIME = timedelta(minutes=30)
"""How long after a visit's end the people inside are still served: the van has a way to go."""


def open_visit(session: Session, visit: Visit, *, now: datetime) -> bool:
    """The van stands and its doors open: queue and desks too. False when the visit is not waiting to open."""
    if visit.status != "announced":
        return False
    visit.status, visit.opened_at = "open", now
    open_line(session, visit.queue, now)
    late = max(0, int((now - visit.opens_at).total_seconds() // 60))
    touch(session, visit.center, part="visit", now=now, state="open", late_minutes=late)
    return True


def close_visit(session: Session, visit: Visit, *, now: datetime) -> bool:
    """The stop is over: desks and queue close, the van goes on or home. False when it was over or cancelled before."""
    if visit.status not in ("announced", "open"):
        return False
    was_open = visit.status == "open"
    visit.status, visit.closed_at = "closed", now
    close_line(session, visit.queue, now)
    if was_open:
        more = session.scalar(
            select(
                exists().where(
                    Visit.center_id == visit.center_id, Visit.day == visit.day, Visit.status == "announced",
                    Visit.closes_at > now,
                )
            )
        )  # fmt: skip
        touch(
            session,
            visit.center,
            part="visit",
            now=now,
            state="driving" if more else "away" if visit.overnight else "returning",
            late_minutes=0,
        )
    else:
        touch(session, visit.center, part="visit", now=now)
    return True


def arrived(center: Center, site: Site, now: datetime) -> bool:
    """Whether the van is at its stop; one that was not heard from lately is taken to be where the timetable says."""
    if center.last_heard_at is None or now - center.last_heard_at > SILENT_AFTER:
        return True
    if center.lat is None or center.lon is None:
        return True
    return km_between(center.lat, center.lon, site.lat, site.lon) <= AT_SITE_KM


def open_due_visits(session: Session, now: datetime, done: Transitions, most: int | None) -> None:
    """Open what is due and whose van stands at its stop."""
    due = session.scalars(
        select(Visit)
        .join(Center)
        .join(Queue, Queue.id == Visit.queue_id)
        .where(
            Visit.status == "announced",
            Visit.opens_at <= now,
            Visit.closes_at > now,
            Center.status == "ready",
            Queue.held_by.is_(None),  # else its van opens it, and says so when it is heard
        )
        .order_by(Visit.id)
        .options(joinedload(Visit.center), joinedload(Visit.site), joinedload(Visit.queue))
    ).all()
    for visit in due:
        if done.full(most):
            return
        if arrived(visit.center, visit.site, now):
            done.visits_opened += open_visit(session, visit, now=now)
        else:
            done.visits_waiting += 1


def close_due_visits(session: Session, now: datetime, done: Transitions, most: int | None) -> None:
    """Close what is over; while people are inside only the doors, for `VAN_OVERTIME`."""
    over = session.scalars(
        select(Visit)
        .join(Queue, Queue.id == Visit.queue_id)
        .where(Visit.status.in_(("announced", "open")), Visit.closes_at <= now, Queue.held_by.is_(None))
        .order_by(Visit.id)
        .options(joinedload(Visit.center), joinedload(Visit.queue))
    ).all()
    for visit in over:
        if done.full(most):
            return
        if (
            visit.status == "open"
            and now < visit.closes_at + VAN_OVERTIME
            and anyone_inside(session, visit.queue)
        ):
            done.doors_closed += close_doors(session, visit.queue, now)
        else:
            done.visits_closed += close_visit(session, visit, now=now)
