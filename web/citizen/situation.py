"""A queue as anybody may see it, in words for people: what the citizen's pages, kiosks and boards show of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.store import Site, SiteQueue, Visit
from queueing.status import public_status
from queueing.store import Queue, QueueService, Service
from queueing.wait import WaitRange
from web.foresight import told_joining

FRESH_FOR = timedelta(seconds=5)
"""Many phones ask for one queue: an answer is used again for this long while nothing has changed in the queue."""
OLD_AFTER = timedelta(minutes=2)
"""Figures older than this say so."""
KEPT = 500
"""How many queues' last pictures are kept."""


@dataclass(frozen=True)
class Situation:
    """The public picture of a queue at one moment. Minutes are whole; None where there is nothing to promise."""

    queue_id: int
    state: str
    """closed | open | paused."""
    waiting: int
    desks: int
    low: int | None
    high: int | None
    as_of: datetime
    seq: int
    back_at: datetime | None = None
    """When a pause ends by itself, as staff said."""

    @property
    def open(self) -> bool:
        """Whether tickets are given now."""
        return self.state == "open"

    @property
    def wait_words(self) -> str:
        """The wait as a range in words; empty where no range can be promised."""
        return range_words(self.low, self.high)

    @property
    def level(self) -> str:
        """How full it is, in words that need no figures: by the upper end of the wait."""
        if not self.open or self.high is None:
            return ""
        if self.high <= 15:
            return str(_("Calm"))
        return str(_("Busy") if self.high <= 60 else _("Very busy"))

    def old(self, now: datetime) -> bool:
        """Whether the picture is older than people should trust without being told."""
        return now - self.as_of > OLD_AFTER

    def mark(self) -> tuple[object, ...]:
        """What the ETag stands for: everything shown but the time."""
        return (self.state, self.waiting, self.desks, self.low, self.high, self.back_at)


def situation(session: Session, queue: Queue, now: datetime, *, quick: bool = False) -> Situation:
    """The picture of `queue`, at most FRESH_FOR old and never older than its last change. `quick`, for lists of
    many: the line is not played for it; what somebody has reckoned already is used."""
    kept: dict[int, Situation] = current_app.extensions.setdefault("queue_situations", {})
    last = kept.get(queue.id)
    state = _shown_state(session, queue, now)
    if last is not None and last.seq == queue.seq and timedelta(0) <= now - last.as_of < FRESH_FOR:
        return last if last.state == state else replace(last, state=state)
    status = public_status(session, queue, now)
    wait = told_joining(session, status, now, quick=quick).wait
    low, high = minutes_of(wait)
    picture = Situation(
        queue_id=queue.id,
        state=state,
        waiting=status.waiting,
        desks=status.open_desks,
        low=low,
        high=high,
        as_of=wait.as_of if wait else now,
        seq=queue.seq,
        back_at=back_at(queue, now),
    )
    if len(kept) >= KEPT:
        kept.clear()
    kept[queue.id] = picture
    return picture


def back_at(queue: Queue, now: datetime) -> datetime | None:
    """When a paused queue opens again by itself; None where nobody has said, or where that time is over."""
    at = queue.resumes_at if queue.state == "paused" else None
    return at if at is not None and at > now else None


def _shown_state(session: Session, queue: Queue, now: datetime) -> str:
    """The queue's state; one that is out with a van that was not heard yet is taken to be open in its visit's
    hours."""
    if queue.held_by is None or queue.state != "closed":
        return queue.state
    due = select(Visit.id).where(
        Visit.queue_id == queue.id, Visit.status == "announced", Visit.opens_at <= now, Visit.closes_at > now
    )
    return queue.state if session.scalar(due) is None else "open"


def minutes_of(wait: WaitRange | None) -> tuple[int | None, int | None]:
    """The range in whole minutes, rounded outwards; (None, None) where nobody can say."""
    if wait is None or wait.low_s is None or wait.high_s is None:
        return None, None
    return minutes_down(wait.low_s), minutes_up(wait.high_s)


def minutes_down(seconds: float) -> int:
    """Lower end of a promised range in minutes, rounded towards honesty: down, to fives above a quarter of an
    hour."""
    whole = math.floor(max(0.0, seconds) / 60)
    return whole if whole < 15 else whole // 5 * 5


def minutes_up(seconds: float) -> int:
    """Upper end of a promised range in minutes, rounded up, to fives above a quarter of an hour."""
    whole = math.ceil(max(0.0, seconds) / 60)
    return whole if whole <= 15 else -(-whole // 5) * 5


def range_words(low: int | None, high: int | None) -> str:
    """`10 to 25 minutes`, `less than 5 minutes`, `2 to 3 hours`; empty for None."""
    if low is None or high is None:
        return ""
    if high <= 1:
        return str(_("less than a minute"))
    if high >= 120:
        hours = -(-high // 60)
        if low < 15:
            return str(ngettext("less than %(num)s hour", "less than %(num)s hours", hours))
        if low < 60:
            words = ngettext(
                "%(low)s minutes to %(num)s hour", "%(low)s minutes to %(num)s hours", hours, low=low
            )
            return str(words)
        if low // 60 == hours:
            hours += 1
        return str(ngettext("%(low)s to %(num)s hour", "%(low)s to %(num)s hours", hours, low=low // 60))
    if low == high:
        return str(ngettext("about %(num)s minute", "about %(num)s minutes", high))
    if low == 0:
        return str(ngettext("less than %(num)s minute", "less than %(num)s minutes", high))
    return str(ngettext("%(low)s to %(num)s minute", "%(low)s to %(num)s minutes", high, low=low))


def services_of(session: Session, queue_id: int) -> list[Service]:
    """What tickets can be taken for, most asked for first."""
    return list(
        session.scalars(
            select(Service)
            .join(QueueService, QueueService.service_id == Service.id)
            .where(QueueService.queue_id == queue_id)
            .order_by(Service.popularity.desc(), Service.id)
        )
    )


@dataclass(frozen=True)
class Place:
    """Where a queue stands: the site, and the visit when it is a mobile center's."""

    site: Site | None
    visit: Visit | None

    def url_parts(self) -> tuple[str, dict[str, Any]] | None:
        """Endpoint and arguments of the page of this place."""
        if self.visit is not None:
            return "citizen.visit", {"visit_id": self.visit.id}
        if self.site is not None:
            return "citizen.center", {"site_id": self.site.id}
        return None


def place_of(session: Session, queue_id: int) -> Place:
    """The place of a queue."""
    visit = session.scalar(select(Visit).where(Visit.queue_id == queue_id))
    if visit is not None:
        return Place(visit.site, visit)
    site = session.scalar(
        select(Site).join(SiteQueue, SiteQueue.site_id == Site.id).where(SiteQueue.queue_id == queue_id)
    )
    return Place(site, None)
