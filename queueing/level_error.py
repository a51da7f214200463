"""How often the level of an hour, said while people of it still wait, is the level it turns out to be. Pure.

On real logs (`queueing.waits.snapshots`): the level by who came in an hour, judged when the hour is over by the waits
of those who have been called and by the wait so far of those who have not, as the product judges it; again a quarter
of an hour later; and when everybody's wait is known. Such a level can only rise, and half an hour after its hour it is
final: whoever came has waited over half an hour by then or never will. Loads are left out on both sides: snapshots do
not say how long a service took.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from queueing.congestion import BUSY, LONG_WAIT_S, level_of
from queueing.waits.snapshots import Floats, Ints, read
from queueing.waits.tickets import Tickets, collect

LONG_MIN = LONG_WAIT_S / 60
HOUR = 60.0
LATER = (0.0, 15.0)
"""Minutes after the end of the hour at which it is judged."""


def evaluate(paths: Sequence[Path | str]) -> dict[str, Any]:
    """Figures of all queue-days of snapshot files that can be rebuilt. Raises ValueError when there is none."""
    return figures(collect(read(paths)))


def figures(people: Tickets) -> dict[str, Any]:
    """Shares of hours (of a line, with anybody in them) whose level was right, and within one, at each of `LATER`;
    `busy`: of those that turn out busy or worse, how many were called so by then."""
    final, judged = levels(people)
    found: dict[str, Any] = {"hours": len(final), "busy_hours": int((final >= BUSY).sum())}
    for after, said in zip(LATER, judged, strict=True):
        off = np.abs(said - final)
        found[f"after_{after:g}_min"] = {
            "same": _share(off == 0),
            "within_one": _share(off <= 1),
            "too_low": _share(said < final),
            "busy": _share(said[final >= BUSY] >= BUSY),
        }
    return found


def levels(people: Tickets, *, later: Sequence[float] = LATER) -> tuple[Ints, list[Ints]]:
    """The level of each hour of each line when all is known, and as judged `later` minutes after its end. People whose
    call was never seen count as long waits when they waited that long in sight, and are left out otherwise."""
    inside = ~np.isnan(people.arrived)
    arrived, wait = people.arrived[inside], people.wait[inside]
    day_key = people.queue[inside] * len(people.days) + people.day[inside]
    end_of_day = np.zeros(int(day_key.max()) + 1)
    np.maximum.at(end_of_day, day_key, people.known_at[inside])
    least = np.where(np.isnan(wait), end_of_day[day_key] - arrived, wait)
    counts = ~np.isnan(wait) | (least > LONG_MIN)
    arrived, least, day_key = arrived[counts], least[counts], day_key[counts]
    hour = (arrived // HOUR).astype(np.int64)
    keys, place = np.unique(day_key * 24 + hour, return_inverse=True)
    number = np.bincount(place, minlength=len(keys))

    def level(waited: Floats) -> Ints:
        long = np.bincount(place, waited > LONG_MIN, minlength=len(keys))
        return np.array([level_of(float(a), float(b), 0.0, 1.0) for a, b in zip(long, number, strict=True)])

    ends = (hour + 1) * HOUR
    return level(least), [level(np.minimum(least, ends + after - arrived)) for after in later]


def _share(hits: np.ndarray) -> float | None:
    return round(float(hits.mean()), 3) if len(hits) else None
