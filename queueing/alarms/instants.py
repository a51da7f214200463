"""States of real lines at each snapshot, and what came: the wait of those who arrived 30 to 60 minutes later. Pure.

The truth at a snapshot is the mean wait of the people who came to the same line between 30 and 60 minutes after it.
Who was never called in sight counts with the wait so far when that is over 45 minutes already (it can only get longer)
and not at all otherwise. A snapshot after which nobody came, or nobody whose wait is known, has no truth: it is not
ranked, yet an alarm raised there counts as false.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from queueing.alarms.chance import FROM_MIN, LONG_MIN, TO_MIN
from queueing.waits.snapshots import Floats, QueueDay, Rebuilt, rebuild
from queueing.waits.tickets import Tickets, collect

HALF_HOUR = 30.0


@dataclass(frozen=True, slots=True)
class Instants:
    """Rows at snapshots, as somebody who joined then (`states`), and what came."""

    states: Tickets
    mean: Floats
    """Minutes waited by those who came 30 to 60 minutes later, on average; NaN without truth."""
    over: Floats
    """Share of them that waited over 45 minutes; NaN without truth."""
    soon: Floats
    """Minutes waited by those who came in the next half hour, on average; NaN without truth."""

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def long(self) -> np.ndarray:
        """Whether those who came 30 to 60 minutes later waited over 45 minutes on average (False without truth)."""
        return np.nan_to_num(self.mean) > LONG_MIN

    @property
    def known(self) -> np.ndarray:
        """Which rows have a truth."""
        return ~np.isnan(self.mean)


def everybody(day: QueueDay) -> Rebuilt:
    """Somebody who joins the line at each snapshot, and of whom nothing more is known."""
    k = np.arange(len(day.t))
    return Rebuilt(day.issued + 1, day.t.copy(), np.full(len(k), np.nan), k, np.full(len(k), len(k)))


def instants(queue_days: Sequence[QueueDay]) -> Instants:
    """Rows of every snapshot with somebody in line or with a truth, of all queue-days that can be rebuilt."""
    states = collect(queue_days, asked=everybody)
    places = {name: place for place, name in enumerate(states.queues)}
    when = {day: place for place, day in enumerate(states.days)}
    mean, over, soon = (np.full(len(states), np.nan) for _ in range(3))
    key = states.queue * len(states.days) + states.day
    order = np.argsort(key, kind="stable")
    begin = {int(key[rows[0]]): rows for rows in np.split(order, np.flatnonzero(np.diff(key[order])) + 1)}
    for one in queue_days:
        rows = begin.get(places[one.office, one.queue] * len(states.days) + when[one.day])
        if rows is None:
            continue
        came = rebuild(one)
        mean[rows], over[rows] = _waits(came, one.t, FROM_MIN, TO_MIN)
        soon[rows] = _waits(came, one.t, 0.0, HALF_HOUR)[0]
    kept = ~np.isnan(mean) | (states.state["line"] > 0)
    return Instants(states.only(kept), mean[kept], over[kept], soon[kept])


def _waits(came: Rebuilt, t: Floats, since: float, until: float) -> tuple[Floats, Floats]:
    """Mean wait, and share over 45 minutes, of who came from `since` to `until` minutes after each snapshot."""
    inside = ~np.isnan(came.arrived)
    arrived, wait = came.arrived[inside], came.wait[inside]
    least = np.where(np.isnan(wait), t[-1] - arrived, wait)
    certain = ~np.isnan(wait) | (least > LONG_MIN)
    first = np.searchsorted(arrived, t + since, side="right")
    last = np.searchsorted(arrived, t + until, side="right")

    def summed(values: Floats) -> Floats:
        running = np.r_[0.0, np.cumsum(values)]
        found: Floats = running[last] - running[first]
        return found

    number = summed(certain.astype(float))
    total = summed(np.where(certain, least, 0.0))
    high = summed((certain & (least > LONG_MIN)).astype(float))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(number > 0, total / number, np.nan), np.where(number > 0, high / number, np.nan)
