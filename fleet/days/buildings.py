"""Buildings by their hours: each opening and closing is acted upon once, when the clock passes it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from fleet.calendar import Calendar, local_day, local_instant
from fleet.days.doors import anyone_inside, close_doors, close_line, open_line
from fleet.days.transitions import Transitions
from fleet.store import Site, SiteQueue
from queueing.store import Queue

OVERTIME = timedelta(minutes=75)
"""How long after closing time the people inside a building are still served."""


def open_buildings(
    session: Session, since: datetime, now: datetime, calendar: Calendar, done: Transitions, most: int | None
) -> None:
    """Open what opened its doors in (since, now] and has not closed them again."""
    today = local_day(now)
    if not calendar.is_working_day(today):
        return
    for (open_minute, close_minute), sites in _sites_by_hours(session).items():
        first, last = calendar.hours(today, open_minute, close_minute)
        if since < local_instant(today, first) <= now < local_instant(today, last):
            for queue in _queues_of(session, sites, ("closed",)):
                if done.full(most):
                    return
                open_line(session, queue, now)
                done.queues_opened += 1


def close_buildings(
    session: Session, since: datetime, now: datetime, calendar: Calendar, done: Transitions, most: int | None
) -> None:
    """Close what closed its doors in (since, now], and lines that were served out since."""
    for (open_minute, close_minute), sites in _sites_by_hours(session).items():
        closing = _latest_closing(now, open_minute, close_minute, calendar)
        passed_now = since < closing <= now
        queues = _queues_of(session, sites, ("open", "paused") if passed_now else ("paused",))
        # By day a paused queue is a supervisor's pause; after closing it is a line being served out.
        opening = _opening_after(closing, open_minute, close_minute, calendar)
        if not passed_now and not closing <= now < opening:
            continue
        for queue in queues:
            if done.full(most):
                return
            if now < closing + OVERTIME and anyone_inside(session, queue):
                done.doors_closed += close_doors(session, queue, now)
            else:
                close_line(session, queue, now)
                done.queues_closed += 1


def _latest_closing(now: datetime, open_minute: int, close_minute: int, calendar: Calendar) -> datetime:
    """The last closing instant not after `now` (a working day's; four weeks back at most)."""
    day = local_day(now)
    for back in range(28):
        candidate = day - timedelta(days=back)
        if calendar.is_working_day(candidate):
            instant = local_instant(candidate, calendar.hours(candidate, open_minute, close_minute)[1])
            if instant <= now:
                return instant
    return local_instant(day - timedelta(days=28), close_minute)


def _opening_after(closing: datetime, open_minute: int, close_minute: int, calendar: Calendar) -> datetime:
    day = local_day(closing)
    for ahead in range(1, 28):
        candidate = day + timedelta(days=ahead)
        if calendar.is_working_day(candidate):
            return local_instant(candidate, calendar.hours(candidate, open_minute, close_minute)[0])
    return closing + timedelta(days=28)


def _sites_by_hours(session: Session) -> dict[tuple[int, int], list[int]]:
    rows = session.execute(
        select(Site.id, Site.open_minute, Site.close_minute).where(
            Site.kind.in_(("fixed", "complex")), Site.active
        )
    )
    groups: dict[tuple[int, int], list[int]] = {}
    for site_id, open_minute, close_minute in rows:
        groups.setdefault((open_minute, close_minute), []).append(site_id)
    return groups


def _queues_of(session: Session, sites: Iterable[int], states: tuple[str, ...]) -> list[Queue]:
    wanted = set(sites)
    return [queue for site_id, queue in _with_sites(session, states) if site_id in wanted]


def building_queues(session: Session, states: tuple[str, ...]) -> list[Queue]:
    """All queues of buildings in one of the states."""
    return [queue for _, queue in _with_sites(session, states)]


def _with_sites(session: Session, states: tuple[str, ...]) -> list[tuple[int, Queue]]:
    query = (
        select(SiteQueue.site_id, Queue)
        .join(Queue, Queue.id == SiteQueue.queue_id)
        .where(Queue.state.in_(states))
        .order_by(Queue.id)
        .options(selectinload(Queue.desks))
    )
    return [(site_id, queue) for site_id, queue in session.execute(query)]
