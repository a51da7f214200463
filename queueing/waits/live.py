"""What everybody in a line is told now: the rung of the ladder that holds for their queue, its bands steered by the
waits that came.

Rungs: learned (where it has beaten the others on the last days, queueing/waits/refit.py), played forward (from the
first day on), and the formula of `queueing.wait` where neither can say anything (a very long line, no desk open): then
the answer is empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from queueing.daytime import local_day
from queueing.store import LIVE_SQL, Queue, QueueDay, Ticket
from queueing.waits.days import Day, read_today
from queueing.waits.forward import distribution, waits
from queueing.waits.habits import Habits, habits_of
from queueing.waits.model import Model
from queueing.waits.snapshots import Floats
from queueing.waits.standing import center_at, line_at
from queueing.waits.steering import Steering
from queueing.waits.today import columns_of, corrected

MOST_PEOPLE = 60
"""With a longer line the formula of `queueing.wait` stands: far back it is good enough, and quick."""
MOST_A_DAY = 2000
"""With more numbers on one day reading them all would take longer than a page may."""
PLAYED, LEARNED, FORMULA = "played", "learned", "formula"


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Seconds until the call of one person, from `as_of`: half of the waits lie in the likely band, nine of
    ten in the wide one."""

    likely_low_s: int
    likely_high_s: int
    low_s: int
    high_s: int
    as_of: datetime
    method: str = PLAYED


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is foreseen for who waits, by ticket id, and for somebody who would come now."""

    people: dict[int, Foreseen] = field(default_factory=dict)
    joining: Foreseen | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """What a queue is told by. `model`: only where it is trusted; `most_ahead`: the most people ahead it has learned
    from, beyond which trees know nothing."""

    method: str = PLAYED
    model: Model | None = None
    most_ahead: float = 0.0
    steering: Steering = field(default_factory=Steering)


def foresee(
    session: Session,
    queue_id: int,
    *,
    now: datetime,
    habits: Habits | None = None,
    ladder: Ladder | None = None,
) -> Outlook:
    """What everybody who waits will wait, and who would join. `habits`: what was read of the queue today already."""
    queue = session.get(Queue, queue_id)
    if queue is None:
        return Outlook()
    day = local_day(now, queue.zone)
    if _too_many(session, queue_id, day):
        return Outlook()
    habits = habits or habits_of(session, queue_id, day)
    today = read_today(session, queue_id, day)
    if habits is None or today is None:
        return Outlook()
    ladder = ladder or Ladder()
    return _outlook(today, habits, ladder, now)


def _too_many(session: Session, queue_id: int, day: date) -> bool:
    waiting = session.scalar(
        select(func.count())
        .select_from(Ticket)
        .where(text(f"ticket.{LIVE_SQL}"), Ticket.queue_id == queue_id, Ticket.state == "waiting")
    )
    issued = session.scalar(select(QueueDay.issued).where(QueueDay.queue_id == queue_id, QueueDay.day == day))
    return (waiting or 0) > MOST_PEOPLE or (issued or 0) > MOST_A_DAY


def _outlook(today: Day, habits: Habits, ladder: Ladder, now: datetime) -> Outlook:
    minute = today.minute(now)
    line = line_at(today, habits, minute)
    if len(line) > MOST_PEOPLE:
        return Outlook()
    # Somebody who would join wants what most people come for.
    found = center_at(today, habits, minute, joins=int(np.argmax(habits.weights)))
    if found is None:
        return Outlook()
    center, line, pace = found
    # The seed follows from the state, so that two people who look at one state are told the same.
    whole = distribution(waits(center, seed=today.queue_id * 1009 + len(line), day_pace=pace))
    quantiles = np.vstack([whole[: len(line)], whole[-1:]])
    before = _before(today, line)
    methods = [PLAYED] * len(quantiles)
    if ladder.method == LEARNED and ladder.model is not None and len(line):
        at = np.full(len(line), minute)
        columns = columns_of(today, habits, line, at)
        sure = np.isfinite(quantiles[: len(line), -1])
        played = np.where(sure[:, None], quantiles[: len(line)], 0.0)
        learned = ladder.model.distribution(corrected(columns, played))
        for place in np.flatnonzero(sure & (before <= ladder.most_ahead) & (columns["desks"] > 0)):
            quantiles[place], methods[place] = learned[place], LEARNED
    answers = [
        _banded(row, float(ahead), ladder, method, now)
        for row, ahead, method in zip(quantiles, [*before, len(line)], methods, strict=True)
    ]
    people = {
        int(ticket): one
        for ticket, one in zip(today.ticket[line], answers[:-1], strict=True)
        if one is not None
    }
    return Outlook(people, answers[-1])


def _before(today: Day, line: np.ndarray) -> Floats:
    """How many stand before each."""
    key = today.key[line]
    found: Floats = (key[None, :] < key[:, None]).sum(axis=1).astype(float)
    return found


def _banded(row: Floats, ahead: float, ladder: Ladder, method: str, now: datetime) -> Foreseen | None:
    if not row[-1] < 24 * 60:
        return None
    four = ladder.steering.bands(row, ahead) if method == ladder.method else Steering().bands(row, ahead)
    likely_low, likely_high, low, high = (round(minutes * 60) for minutes in four)
    return Foreseen(likely_low, likely_high, min(low, likely_low), max(high, likely_high), now, method)
