"""What a line's people are told to expect, reckoned once for each state of a queue and shared by all who look.

Nothing of this stands in the way of a verb: it is reckoned when a page or the API asks, outside any lock. Where it
has nothing to say (no desk open, a very long line) the formula of `queueing.wait` stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from flask import current_app
from sqlalchemy.orm import Session

from queueing.daytime import local_day
from queueing.status import QueueStatus, TicketStatus
from queueing.wait import WaitRange
from queueing.waits.habits import Habits, habits_of
from queueing.waits.ladder import Shelf
from queueing.waits.live import FORMULA, Foreseen, Outlook, foresee
from web.i18n import CAIRO

FRESH_FOR = timedelta(seconds=20)
"""A wait that nothing changes shrinks by itself: it is reckoned anew after this long."""
KEPT = 500


@dataclass(frozen=True, slots=True)
class Picture:
    """What was foreseen of one state of a queue."""

    seq: int
    at: datetime
    found: Outlook


@dataclass(frozen=True, slots=True)
class Told:
    """The wait somebody is told: nine of ten lie in `wait` (eight of ten where the formula says it), half in `likely`
    (None: not known so exactly). `method`: the rung of the ladder that says it."""

    wait: WaitRange | None
    likely: WaitRange | None
    method: str = FORMULA


def told(session: Session, status: TicketStatus, now: datetime) -> Told:
    """What the holder of a ticket is told, `status` being its present one."""
    if status.wait is None or not status.wait.known:
        return Told(status.wait, None)
    one = _picture(session, status.queue_id, status.seq, now).people.get(status.ticket_id)
    return _told(one, status.wait)


def told_joining(session: Session, status: QueueStatus, now: datetime, *, quick: bool = False) -> Told:
    """What somebody is told who would come now, `status` being the present one of the queue. `quick`: only what has
    been reckoned already, else the formula."""
    if not status.wait.known or status.state != "open":
        return Told(status.wait, None)
    if quick and _kept(status.queue_id, status.seq, now) is None:
        return Told(status.wait, None)
    return _told(_picture(session, status.queue_id, status.seq, now).joining, status.wait)


def _told(one: Foreseen | None, plain: WaitRange) -> Told:
    if one is None:
        return Told(plain, None)
    return Told(
        WaitRange(one.low_s, max(60, one.high_s), plain.ahead, one.as_of),
        WaitRange(one.likely_low_s, max(60, one.likely_high_s), plain.ahead, one.as_of),
        one.method,
    )


def _kept(queue_id: int, seq: int, now: datetime) -> Picture | None:
    last = _pictures().get(queue_id)
    fresh = last is not None and last.seq == seq and timedelta(0) <= now - last.at < FRESH_FOR
    return last if fresh else None


def _pictures() -> dict[int, Picture]:
    found: dict[int, Picture] = current_app.extensions.setdefault("queue_foresight", {})
    return found


def _picture(session: Session, queue_id: int, seq: int, now: datetime) -> Outlook:
    last = _kept(queue_id, seq, now)
    if last is not None:
        return last.found
    kept = _pictures()
    habits = _habits(session, queue_id, local_day(now, CAIRO.key))
    if habits is None:
        found = Outlook()
    else:
        ladder = shelf().ladder(session, queue_id, special=habits.special)
        found = foresee(session, queue_id, now=now, habits=habits, ladder=ladder)
    if len(kept) >= KEPT:
        kept.clear()
    kept[queue_id] = Picture(seq, now, found)
    return found


def shelf() -> Shelf:
    """What was learned, kept in this process."""
    made: Shelf = current_app.extensions.setdefault("queue_waits_shelf", Shelf())
    return made


def _habits(session: Session, queue_id: int, day: date) -> Habits | None:
    """What earlier days have taught of a queue: read once a day."""
    kept: dict[tuple[int, date], Habits | None] = current_app.extensions.setdefault("queue_habits", {})
    if (queue_id, day) not in kept:
        if len(kept) >= KEPT:
            kept.clear()
        kept[queue_id, day] = habits_of(session, queue_id, day, leaving=shelf().leaving(session))
    return kept[queue_id, day]
