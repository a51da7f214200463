"""Opening and closing of days by the calendar: fixed centers by their hours, visits by what was announced.

`run_day_transitions` is called every minute and may be called again at the same instant: a second call changes nothing.
Hours of buildings act once, when the clock passes them (remembered in the setting `days`), so that a queue which a
supervisor closed at eleven stays closed. Visits act by their status, which only ever goes forward.

At closing time the doors close, not the desks: while people are inside the queue is paused (no new tickets, the line is
still called); it closes when the line is empty, at the latest after `OVERTIME`. What is left then is ended as
forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, joinedload, selectinload

from fleet.calendar import Calendar, default_calendar, local_day, local_instant
from fleet.network.geo import km_between
from fleet.store import Center, Setting, Site, SiteQueue, Visit
from fleet.tracking import AT_SITE_KM, SILENT_AFTER, touch
from queueing import desks as counters
from queueing.store import Desk, Queue, Ticket
from queueing.ticket import AT_DESK

ACTOR = "schedule"
SETTING = "days"
"""Key of the setting that remembers up to which instant hours have been acted upon."""

OVERTIME = timedelta(minutes=75)
"""How long after closing time the people inside a building are still served."""

VAN_OVERTIME = timedelta(minutes=30)
"""The same at a visit: the van has a way to go."""

INSIDE = ("waiting", "called", "serving", "parked")
"""Ticket states of people who are inside."""


@dataclass
class Transitions:
    """What one run changed."""

    queues_opened: int = 0
    queues_closed: int = 0
    doors_closed: int = 0
    visits_opened: int = 0
    visits_closed: int = 0
    visits_waiting: int = 0
    """Visits whose time has come but whose van is not there yet (not a change)."""
    desks_closed: int = 0
    """Desks closed after their last citizen, later than their queue."""
    forgotten: int = 0
    complete: bool = True
    """False when `most` was reached: call again at the same `now` for the rest."""

    @property
    def work(self) -> int:
        """How many queues and visits this run dealt with."""
        return (
            self.queues_opened
            + self.queues_closed
            + self.doors_closed
            + self.visits_opened
            + self.visits_closed
        )

    def full(self, most: int | None) -> bool:
        """Whether `most` is reached; then more is left to do."""
        if most is not None and self.work >= most:
            self.complete = False
            return True
        return False

    @property
    def changed(self) -> bool:
        """Whether anything changed at all."""
        return any(
            (
                self.queues_opened, self.queues_closed, self.doors_closed, self.visits_opened,
                self.visits_closed, self.desks_closed, self.forgotten,
            )
        )  # fmt: skip


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
    _close_buildings(session, since, now, calendar, done, most)
    _close_visits(session, now, done, most)
    _open_visits(session, now, done, most)
    _open_buildings(session, since, now, calendar, done, most)
    if not done.complete:
        return done
    done.desks_closed = _close_free_desks(session, now)
    if done.queues_closed or done.visits_closed or local_day(since) != local_day(now):
        done.forgotten = counters.close_forgotten(session, now=now)
    _remember(session, now)
    return done


def open_day(session: Session, day: date, *, now: datetime, calendar: Calendar | None = None) -> Transitions:
    """Open what should be open at `now` on this day, also where a person closed it meanwhile (a fresh start)."""
    calendar = calendar or default_calendar()
    done = Transitions()
    if day == local_day(now):
        _open_buildings(session, local_instant(day, 0) - timedelta(seconds=1), now, calendar, done, None)
        _open_visits(session, now, done, None)
    return done


def close_day(session: Session, day: date, *, now: datetime) -> Transitions:
    """Close every building's queue and every visit up to this day at once, overtime or not, and end forgotten
    tickets."""
    done = Transitions()
    for queue in _building_queues(session, ("open", "paused")):
        _close(session, queue, now)
        done.queues_closed += 1
    query = select(Visit).where(Visit.day <= day, Visit.status.in_(("announced", "open"))).order_by(Visit.id)
    for visit in session.scalars(query):
        close_visit(session, visit, now=now)
        done.visits_closed += 1
    done.forgotten = counters.close_forgotten(session, now=now)
    return done


def open_visit(session: Session, visit: Visit, *, now: datetime) -> bool:
    """The van stands and its doors open: queue and desks too. False when the visit is not waiting to open."""
    if visit.status != "announced":
        return False
    visit.status, visit.opened_at = "open", now
    _open(session, visit.queue, now)
    late = max(0, int((now - visit.opens_at).total_seconds() // 60))
    touch(session, visit.center, part="visit", now=now, state="open", late_minutes=late)
    return True


def close_visit(session: Session, visit: Visit, *, now: datetime) -> bool:
    """The stop is over: desks and queue close, the van goes on or home. False when it was over or cancelled before."""
    if visit.status not in ("announced", "open"):
        return False
    was_open = visit.status == "open"
    visit.status, visit.closed_at = "closed", now
    _close(session, visit.queue, now)
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
            state="driving" if more else "returning",
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


def _open_visits(session: Session, now: datetime, done: Transitions, most: int | None) -> None:
    due = session.scalars(
        select(Visit)
        .join(Center)
        .where(
            Visit.status == "announced",
            Visit.opens_at <= now,
            Visit.closes_at > now,
            Center.status == "ready",
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


def _close_visits(session: Session, now: datetime, done: Transitions, most: int | None) -> None:
    over = session.scalars(
        select(Visit)
        .where(Visit.status.in_(("announced", "open")), Visit.closes_at <= now)
        .order_by(Visit.id)
        .options(joinedload(Visit.center), joinedload(Visit.queue))
    ).all()
    for visit in over:
        if done.full(most):
            return
        if visit.status == "open" and now < visit.closes_at + VAN_OVERTIME and _inside(session, visit.queue):
            done.doors_closed += _close_doors(session, visit.queue, now)
        else:
            done.visits_closed += close_visit(session, visit, now=now)


def _open_buildings(
    session: Session, since: datetime, now: datetime, calendar: Calendar, done: Transitions, most: int | None
) -> None:
    today = local_day(now)
    if not calendar.is_working_day(today):
        return
    for (open_minute, close_minute), sites in _sites_by_hours(session).items():
        first, last = calendar.hours(today, open_minute, close_minute)
        if since < local_instant(today, first) <= now < local_instant(today, last):
            for queue in _queues_of(session, sites, ("closed",)):
                if done.full(most):
                    return
                _open(session, queue, now)
                done.queues_opened += 1


def _close_buildings(
    session: Session, since: datetime, now: datetime, calendar: Calendar, done: Transitions, most: int | None
) -> None:
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
            if now < closing + OVERTIME and _inside(session, queue):
                done.doors_closed += _close_doors(session, queue, now)
            else:
                _close(session, queue, now)
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


def _building_queues(session: Session, states: tuple[str, ...]) -> list[Queue]:
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


def _inside(session: Session, queue: Queue) -> bool:
    return bool(session.scalar(select(exists().where(Ticket.queue_id == queue.id, Ticket.state.in_(INSIDE)))))


def _close_doors(session: Session, queue: Queue, now: datetime) -> int:
    """No new tickets any more; 1 when that changed something."""
    if queue.state != "open":
        return 0
    counters.pause_queue(session, queue, actor=ACTOR, now=now)
    return 1


def _open(session: Session, queue: Queue, now: datetime) -> None:
    if queue.state != "open":
        counters.open_queue(session, queue, actor=ACTOR, now=now)
    for desk in _desks(session, queue):
        if desk.state == "closed":
            counters.open_desk(session, desk, actor=ACTOR, now=now)


def _close(session: Session, queue: Queue, now: datetime) -> None:
    """The line ends and free desks close; who is at a desk is finished there, see `_close_free_desks`."""
    if queue.state != "closed":
        counters.close_queue(session, queue, actor=ACTOR, now=now)


def _close_free_desks(session: Session, now: datetime) -> int:
    """Desks of closed queues that were busy at closing and have finished since."""
    busy = exists().where(Ticket.desk_id == Desk.id, Ticket.state.in_(AT_DESK))
    left = session.scalars(
        select(Desk)
        .join(Queue, Queue.id == Desk.queue_id)
        .where(Queue.state == "closed", Desk.state != "closed", ~busy)
        .order_by(Desk.queue_id, Desk.id)
    ).all()
    for desk in left:
        counters.close_desk(session, desk, actor=ACTOR, now=now)
    return len(left)


def _desks(session: Session, queue: Queue) -> list[Desk]:
    return list(session.scalars(select(Desk).where(Desk.queue_id == queue.id).order_by(Desk.id)))


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
