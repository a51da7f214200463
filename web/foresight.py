"""What a line's people are told to expect, played forward once for each state of a queue and shared by all who look.

Nothing of this stands in the way of a verb: it is reckoned when a page or the API asks, outside any lock. Where it has
nothing to say (no desk open, a very long line) the formula of `queueing.wait` stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy.orm import Session

from queueing.status import TicketStatus
from queueing.wait import WaitRange
from queueing.waits.live import Foreseen, foresee

FRESH_FOR = timedelta(seconds=20)
"""A wait that nothing changes shrinks by itself: it is reckoned anew after this long."""
KEPT = 500


@dataclass(frozen=True, slots=True)
class Picture:
    """What was foreseen of one state of a queue."""

    seq: int
    at: datetime
    found: dict[int, Foreseen]


@dataclass(frozen=True, slots=True)
class Told:
    """The wait somebody is told: nine of ten lie in `wait`, half in `likely` (None: not known so exactly)."""

    wait: WaitRange | None
    likely: WaitRange | None


def told(session: Session, status: TicketStatus, now: datetime) -> Told:
    """What the holder of a ticket is told, `status` being its present one."""
    if status.wait is None or not status.wait.known:
        return Told(status.wait, None)
    one = _picture(session, status.queue_id, status.seq, now).get(status.ticket_id)
    if one is None:
        return Told(status.wait, None)
    ahead = status.wait.ahead
    return Told(
        WaitRange(one.low_s, max(60, one.high_s), ahead, one.as_of),
        WaitRange(one.likely_low_s, max(60, one.likely_high_s), ahead, one.as_of),
    )


def _picture(session: Session, queue_id: int, seq: int, now: datetime) -> dict[int, Foreseen]:
    kept: dict[int, Picture] = current_app.extensions.setdefault("queue_foresight", {})
    last = kept.get(queue_id)
    if last is not None and last.seq == seq and timedelta(0) <= now - last.at < FRESH_FOR:
        return last.found
    found = foresee(session, queue_id, now=now)
    if len(kept) >= KEPT:
        kept.clear()
    kept[queue_id] = Picture(seq, now, found)
    return found
