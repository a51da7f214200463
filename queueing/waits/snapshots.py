"""Snapshots of real queues, and the waits that can be rebuilt from them. Pure.

A snapshot says, every five minutes or so and for each queue: how many people wait (L), which number was
called last (C), how many counters are open. Numbers are given out in order, so the last one given out is I
= C + L. Number n was given out when I reached n and called when C reached n; between two snapshots both are
taken to move evenly. From that follows the wait of every number that was called before the snapshots end.

Not every queue-day can be rebuilt. Left out are days on which numbers fall (a series begins anew, somebody
calls by hand) or jump by more than `MOST_CALLED_AT_ONCE` between two snapshots, and days on which more than
`MOST_NEGATIVE` of the arrivals are negative (numbers thrown away, people who went). A called number
vanishes from the screen now and then: the last one seen stands. Series that begin at a hundred (201, 601,
...) are taken to begin there.

What somebody who arrives knows: their number n, the time, and all snapshots until then. So the people ahead
are n - C - 1 with C from the last snapshot, never one interpolated with a snapshot that is still to come.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_CALLED_AT_ONCE = 20
MOST_NEGATIVE = 0.05
SERIES = 100
"""Series of numbers begin at multiples of this, plus one."""
LATE_START = 30
"""A first number above this tells of a series that does not begin at 1."""
NUMBER = re.compile(r"(\d+)\s*$")


@dataclass(frozen=True, slots=True)
class QueueDay:
    """One queue's snapshots of one day, in time's order. `t`: minutes since local midnight; `called`: C, carried over
    snapshots without one, counted from the beginning of the series (0 = nobody called yet)."""

    office: str
    queue: str
    day: date
    t: Floats
    waiting: Ints
    called: Ints
    desks: Ints
    nominal: Floats
    """Minutes a person that the office publishes."""
    fault: str | None
    """Why its waits cannot be rebuilt: silent, falling, jumping, negative; None when they can."""

    @property
    def issued(self) -> Ints:
        """I: how many numbers had been given out by each snapshot, as far as anybody could know then."""
        return np.maximum.accumulate(self.called + self.waiting)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The tickets of one queue-day, in the order of their numbers. NaN where not called in sight."""

    number: Ints
    arrived: Floats
    """Minutes since midnight."""
    called: Floats
    known: Ints
    """Index of the last snapshot before the arrival."""
    seen: Ints
    """Index of the first snapshot that shows the number called; the length of the day when none does."""

    @property
    def wait(self) -> Floats:
        """Minutes."""
        return self.called - self.arrived


def read(paths: Iterable[Path | str]) -> list[QueueDay]:
    """Read snapshot files (csv or csv.gz), ordered by day, office and queue. A queue-day that stands in several files
    is taken from all of them, each time once. Raises ValueError with file and line when a row cannot be read."""
    rows: dict[tuple[date, str, str], dict[float, tuple[int, int | None, int, float]]] = {}
    for path in paths:
        name = Path(path)
        with gzip.open(name, "rt", newline="") if name.suffix == ".gz" else name.open(newline="") as file:
            for row in csv.DictReader(file):
                try:
                    hour, minute = row["time"].split(":")[:2]
                    key = (date.fromisoformat(row["date"]), row["office"], row["queue_id"])
                    found = NUMBER.search(row["number_called"] or "")
                    rows.setdefault(key, {})[float(hour) * 60 + float(minute)] = (
                        int(row["waiting"]),
                        int(found[1]) if found else None,
                        int(row["open_counters"]),
                        float(row["published_service_min"] or 0),
                    )
                except (KeyError, TypeError, ValueError) as error:
                    raise ValueError(f"{name}: a row is not a snapshot of a queue: {row}") from error
    return [_queue_day(*key, rows[key]) for key in sorted(rows)]


def _queue_day(
    day: date, office: str, queue: str, snapshots: dict[float, tuple[int, int | None, int, float]]
) -> QueueDay:
    times = sorted(snapshots)
    numbers = [snapshots[time][1] for time in times]
    first = next((number for number in numbers if number is not None), None)
    start = 0 if first is None or first <= LATE_START else (first - 1) // SERIES * SERIES
    called, last = [], 0
    for number in numbers:
        last = last if number is None else number - start
        called.append(last)
    waiting = [snapshots[time][0] for time in times]
    return QueueDay(
        office,
        queue,
        day,
        np.array(times, float),
        np.array(waiting, np.int64),
        np.array(called, np.int64),
        np.array([snapshots[time][2] for time in times], np.int64),
        np.array([snapshots[time][3] for time in times], float),
        "silent" if first is None else _fault(called, waiting),
    )


def _fault(called: Sequence[int], waiting: Sequence[int]) -> str | None:
    calls = np.diff(called)
    arrivals = np.diff(np.add(called, waiting))
    if (calls < 0).any():
        return "falling"
    if (calls > MOST_CALLED_AT_ONCE).any():
        return "jumping"
    if -arrivals[arrivals < 0].sum() > MOST_NEGATIVE * max(1, arrivals[arrivals > 0].sum()):
        return "negative"
    return None


def rebuild(day: QueueDay) -> Rebuilt:
    """The tickets given out between the first snapshot and the last. Raises ValueError for a day with a fault."""
    if day.fault is not None:
        raise ValueError(f"{day.office} {day.queue} {day.day}: {day.fault}")
    issued = day.issued.astype(float)
    numbers = np.arange(issued[0] + 1, issued[-1] + 1)
    given, before = _reached(day.t, issued, numbers)
    called, seen = _reached(day.t, day.called.astype(float), numbers)
    return Rebuilt(numbers.astype(np.int64), given, called, before - 1, seen)


def _reached(t: Floats, counter: Floats, numbers: Floats) -> tuple[Floats, Ints]:
    """When a counter that never falls reached each number, and the first snapshot that shows it."""
    at = np.searchsorted(counter, numbers, side="left").astype(np.int64)
    when = np.full(len(numbers), np.nan)
    inside = (at > 0) & (at < len(counter))
    k = at[inside]
    part = (numbers[inside] - counter[k - 1]) / (counter[k] - counter[k - 1])
    when[inside] = t[k - 1] + part * (t[k] - t[k - 1])
    return when, at
