"""Through the day: waits that have ended beside what was said of them, queue by queue; bands learn from it.

What somebody was told when they came is reckoned again from what was known then (numbers, calls and desks carry their
times), so that nothing has to be written while a number is given out. A queue's turn comes round; of its waits
since the last turn so many are taken as there is time for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from queueing.daytime import local_day
from queueing.store import Queue, QueueDay
from queueing.store_waits import WaitScore, WaitSteering
from queueing.waits.bands import MEDIAN
from queueing.waits.days import Day, read_days
from queueing.waits.forward import Leaving
from queueing.waits.habits import Habits, habits_of
from queueing.waits.live import LEARNED, Ladder
from queueing.waits.refit import played_for
from queueing.waits.snapshots import Floats
from queueing.waits.steering import Steering
from queueing.waits.today import columns_of, corrected, judged

QUEUES_AT_ONCE = 12
TICKETS_A_QUEUE = 40
"""Waits of one queue that are judged at its turn; more are drawn from, evenly."""


@dataclass(slots=True)
class Turned:
    """What one queue's turn has found."""

    queue_id: int
    day: date
    method: str
    judged_to: datetime
    steering: Steering
    score: WaitScore | None


def judge_queues(
    session: Session,
    ladders: dict[int, Ladder],
    *,
    now: datetime,
    leaving: Leaving = (),
    most: int = TICKETS_A_QUEUE,
) -> list[Turned]:
    """Judge the waits of some queues (those in `ladders`) that have ended today since their last turn. Writes
    nothing."""
    found = []
    for queue_id, ladder in ladders.items():
        queue = session.get(Queue, queue_id)
        if queue is None:
            continue
        today = local_day(now, queue.zone)
        days = read_days(session, [queue_id], today, today)
        habits = habits_of(session, queue_id, today, leaving=leaving)
        if not days or habits is None:
            continue
        last = session.get(WaitSteering, queue_id)
        since = last.judged_to if last is not None else now - timedelta(days=1)
        found.append(_turn(days[0], habits, ladder, since, now, most))
    return found


def whose_turn(session: Session, day: date, *, most: int = QUEUES_AT_ONCE) -> list[int]:
    """Queues that gave out tickets on `day`, those longest not looked at first."""
    rows = session.scalars(
        select(QueueDay.queue_id)
        .outerjoin(WaitSteering, WaitSteering.queue_id == QueueDay.queue_id)
        .where(QueueDay.day == day, QueueDay.issued > 0)
        .order_by(WaitSteering.judged_to.is_not(None), WaitSteering.judged_to, QueueDay.queue_id)
        .limit(most)
    )
    return list(rows)


def keep_turns(session: Session, turned: Sequence[Turned]) -> int:
    """Store what was found, adding to the day's scores; returns how many waits were judged."""
    count = 0
    for one in turned:
        session.merge(
            WaitSteering(
                queue_id=one.queue_id,
                method=one.method,
                judged_to=one.judged_to,
                state=one.steering.to_json(),
            )
        )
        if one.score is None:
            continue
        count += one.score.judged
        stored = session.get(WaitScore, (one.queue_id, one.day, one.method))
        if stored is None:
            session.add(one.score)
            continue
        for name in SUMS:
            setattr(stored, name, getattr(stored, name) + getattr(one.score, name))
    return count


SUMS = (
    "judged", "error_s", "bias_s", "formula_error_s", "in_half", "in_most", "half_width_s", "most_width_s",
    "middle_s", )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """How good what people were told has been: sums of `WaitScore` over queues and days, made means. Seconds."""

    judged: int
    error_s: float
    bias_s: float
    formula_error_s: float
    half: float
    """Share of waits inside the narrow range; it means to hold a half."""
    most: float
    """Share inside the wide range; nine in ten."""
    half_width_s: float
    most_width_s: float


def how_told(session: Session, queue_ids: Sequence[int], first: date, last: date) -> Told | None:
    """The figures of some queues on some days; None where nothing was judged."""
    if not queue_ids:
        return None
    total = session.execute(
        select(*(func.sum(getattr(WaitScore, name)) for name in SUMS)).where(
            WaitScore.queue_id.in_(queue_ids), WaitScore.day >= first, WaitScore.day <= last
        )
    ).one()
    sums = dict(zip(SUMS, (float(one or 0.0) for one in total), strict=True))
    number = sums["judged"]
    if not number:
        return None
    return Told(
        int(number), sums["error_s"] / number, sums["bias_s"] / number, sums["formula_error_s"] / number,
        sums["in_half"] / number, sums["in_most"] / number, sums["half_width_s"] / number,
        sums["most_width_s"] / number,
    )  # fmt: skip


def _turn(day: Day, habits: Habits, ladder: Ladder, since: datetime, now: datetime, most: int) -> Turned:
    begin, end = day.minute(since), day.minute(now)
    who = judged(day, habits)
    who = who[(day.called[who] > begin) & (day.called[who] <= end)]
    if len(who) > most:
        who = who[np.linspace(0, len(who) - 1, most).astype(int)]
    who = who[np.argsort(day.called[who], kind="stable")]
    steering = Steering.from_json(ladder.steering.to_json())
    score = WaitScore(
        queue_id=day.queue_id, day=day.day, method=ladder.method, **dict.fromkeys(SUMS, 0)
    ) if len(who) else None  # fmt: skip
    columns = columns_of(day, habits, who, day.issued[who]) if len(who) else {}
    said = said_of(day, habits, ladder, who, columns)
    for place, row in enumerate(who):
        quantiles = said[place]
        if quantiles is None or score is None:
            continue
        wait = float(day.called[row] - day.issued[row])
        middle = float(quantiles[MEDIAN]) * steering.level.factor
        low, high, least, widest = steering.learn(quantiles, float(columns["ahead"][place]), wait)
        score.judged += 1
        score.error_s += 60 * abs(middle - wait)
        score.bias_s += 60 * (middle - wait)
        score.formula_error_s += 60 * abs(float(columns["ql"][place]) - wait)
        score.in_half += low <= wait <= high
        score.in_most += least <= wait <= widest
        score.half_width_s += 60 * (high - low)
        score.most_width_s += 60 * (widest - least)
        score.middle_s += 30 * (widest + least)
    return Turned(
        day.queue_id,
        day.day,
        ladder.method,
        now,
        steering,
        score if score is not None and score.judged else None,
    )


def said_of(
    day: Day, habits: Habits, ladder: Ladder, who: np.ndarray, columns: dict[str, Floats]
) -> list[Floats | None]:
    """What the ladder said to each of `who` at their arrival; None where it said nothing."""
    past = replace(day, desks={})
    found: list[Floats | None] = [
        played_for(past, habits, int(row), float(day.issued[row])) if columns["desks"][place] > 0 else None
        for place, row in enumerate(who)
    ]
    if ladder.method != LEARNED or ladder.model is None:
        return found
    sure = [
        place
        for place, one in enumerate(found)
        if one is not None and columns["ahead"][place] <= ladder.most_ahead
    ]
    if sure:
        some = {name: column[sure] for name, column in columns.items()}
        learned = ladder.model.distribution(corrected(some, np.array([found[place] for place in sure])))
        for place, row in zip(sure, learned, strict=True):
            found[place] = row
    return found
