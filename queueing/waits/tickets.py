"""What was known at each arrival of many queue-days: the state of the queue, its last hours, its office.
Pure.

One row a ticket. Everything comes from snapshots that lie before the arrival (`rebuild` says which was the
last), so that a row can never know what came after it. Counts of the last minutes are differences of
counters between two snapshots. Times are minutes since local midnight, waits are minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from queueing.waits.snapshots import Floats, Ints, QueueDay, Rebuilt, rebuild

BACK = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180)
"""Calls and arrivals are counted over this many minutes back."""
DESKS_BACK = (15, 30, 60, 120)
LINE_BACK = (10, 30, 60)
NEVER = 9999.0


@dataclass(slots=True)
class Tickets:
    """Rows of many queue-days. `queue`, `office`, `day`: places in the lists of names."""

    queues: list[tuple[str, str]]
    offices: list[str]
    days: list[date]
    queue: Ints
    office: Ints
    day: Ints
    wait: Floats
    """Minutes; NaN where the call was never seen."""
    arrived: Floats
    called: Floats
    known_at: Floats
    """When the last snapshot before the arrival was taken."""
    seen_at: Floats
    """When the first snapshot showed the number called; `NEVER` when none did."""
    ahead: Floats
    state: dict[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.wait)

    def only(self, chosen: np.ndarray) -> Tickets:
        """The chosen rows (a mask or places)."""
        return Tickets(
            self.queues, self.offices, self.days,
            self.queue[chosen], self.office[chosen], self.day[chosen],
            self.wait[chosen], self.arrived[chosen], self.called[chosen],
            self.known_at[chosen], self.seen_at[chosen], self.ahead[chosen],
            {name: column[chosen] for name, column in self.state.items()},
        )  # fmt: skip


def collect(queue_days: Sequence[QueueDay], *, asked: Callable[[QueueDay], Rebuilt] = rebuild) -> Tickets:
    """The rows of all queue-days that can be rebuilt. Raises ValueError when there is none. `asked`: whose rows; by
    default those of everybody who came."""
    offices = sorted({one.office for one in queue_days})
    queues = sorted({(one.office, one.queue) for one in queue_days})
    days = sorted({one.day for one in queue_days})
    parts: list[dict[str, Floats]] = []
    whole: dict[tuple[str, date], list[QueueDay]] = {}
    for one in queue_days:
        whole.setdefault((one.office, one.day), []).append(one)
    for (office, day), together in whole.items():
        calls = [(one.t, _risen(one.called)) for one in together]
        for one in together:
            if one.fault is not None or one.issued[-1] <= one.issued[0]:
                continue
            rows = _rows(one, asked(one))
            at = rows["known_at"]
            rows["office_line"] = np.sum([_at(other.waiting, other.t, at) for other in together], axis=0)
            rows["office_desks"] = np.sum([_at(other.desks, other.t, at) for other in together], axis=0)
            for minutes in (30, 60):
                rows[f"office_calls{minutes}"] = np.sum(
                    [_at(risen, t, at) - _at(risen, t, at - minutes) for t, risen in calls], axis=0
                )
            rows["queue"] = np.full(len(at), queues.index((office, one.queue)), float)
            rows["office"] = np.full(len(at), offices.index(office), float)
            rows["day"] = np.full(len(at), days.index(day), float)
            parts.append(rows)
    if not parts:
        raise ValueError("no queue-day of these snapshots can be rebuilt")
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    whole_number = {name: joined.pop(name).astype(np.int64) for name in ("queue", "office", "day")}
    found = {name: joined.pop(name) for name in ("wait", "arrived", "called", "known_at", "seen_at")}
    return Tickets(
        queues,
        offices,
        days,
        queue=whole_number["queue"],
        office=whole_number["office"],
        day=whole_number["day"],
        wait=found["wait"],
        arrived=found["arrived"],
        called=found["called"],
        known_at=found["known_at"],
        seen_at=found["seen_at"],
        ahead=joined["ahead"],
        state=joined,
    )


def _rows(one: QueueDay, made: Rebuilt) -> dict[str, Floats]:
    """The columns that one queue's own snapshots give to the people `made`."""
    t, called, issued, line, desks = one.t, one.called, one.issued, one.waiting, one.desks
    k = made.known
    at = t[k]
    number = made.number.astype(float)
    found: dict[str, Floats] = {
        "wait": made.wait,
        "arrived": made.arrived,
        "called": made.called,
        "known_at": at,
        "seen_at": np.where(made.seen < len(t), t[np.minimum(made.seen, len(t) - 1)], NEVER),
        "ahead": np.asarray(number - called[k] - 1.0, np.float64),
        "line": line[k].astype(float),
        "since": np.asarray(made.arrived - at, np.float64),
        "fresh": number - issued[k],
        "desks": desks[k].astype(float),
        "calls": called[k].astype(float),
        "nominal": one.nominal[k].astype(np.float64),
        "minute": made.arrived,
        "weekday": np.full(len(k), float(one.day.weekday())),
    }
    for minutes in BACK:
        found[f"calls{minutes}"] = called[k] - _at(called, t, at - minutes)
        found[f"arrivals{minutes}"] = issued[k] - _at(issued, t, at - minutes)
    for minutes in DESKS_BACK:
        found[f"desks{minutes}"] = _at(desks, t, at - minutes)
    for minutes in LINE_BACK:
        found[f"line{minutes}"] = _at(line, t, at - minutes)
    steps = np.diff(called, prepend=0)
    moved = np.maximum.accumulate(np.where(steps > 0, np.arange(len(t)), -1))[k]
    found["idle"] = np.where(moved >= 0, at - t[np.maximum(moved, 0)], 999.0)
    # Time with somebody in line at the snapshot before, and the calls in that time: how fast the line moves today.
    stood = np.r_[0, line[:-1]] > 0
    busy = np.cumsum(np.where(stood, np.diff(t, prepend=t[0]), 0.0))
    taken = np.cumsum(np.where(stood, np.diff(called, prepend=called[0]), 0)).astype(float)
    found["busy"], found["taken"] = busy[k], taken[k]
    found["busy60"], found["taken60"] = busy[k] - _at(busy, t, at - 60), taken[k] - _at(taken, t, at - 60)
    found["busy30"] = busy[k] - _at(busy, t, at - 30)
    came = rebuild(one)
    found.update(_delays(called[k], at, came.number, came.arrived, came.wait))
    return found


def _delays(last: Ints, at: Floats, numbers: Ints, arrived: Floats, waits: Floats) -> dict[str, Floats]:
    """Delays that can be seen: of the last person called, the mean of the last five, of who is next now. NaN where
    there is none."""
    first = int(numbers[0])
    place = last - first  # of the number called last
    inside = (place >= 0) & (place < len(numbers))
    served = np.where(inside, waits[np.clip(place, 0, len(numbers) - 1)], np.nan)
    known = np.nan_to_num(waits)
    sums = np.r_[0.0, np.cumsum(known)]
    count = np.r_[0.0, np.cumsum(~np.isnan(waits))]
    end = np.clip(place + 1, 0, len(numbers))
    begin = np.clip(place - 4, 0, len(numbers))
    many = count[end] - count[begin]
    five = np.where(many > 0, (sums[end] - sums[begin]) / np.maximum(many, 1), np.nan)
    after = place + 1
    waiting = (after >= 0) & (after < len(numbers))
    head = np.where(waiting, at - arrived[np.clip(after, 0, len(numbers) - 1)], np.nan)
    return {"served_last": served, "served_five": five, "head": head}


def _at(counter: np.ndarray, t: Floats, when: Floats) -> Floats:
    """A counter's value at the last snapshot until `when`; the first one's before all."""
    place = np.searchsorted(t, when, side="right") - 1
    return counter[np.maximum(place, 0)].astype(float)


def _risen(called: Ints) -> Ints:
    """Calls so far of a queue whose numbers may fall or jump: only steps that can be believed count."""
    return np.cumsum(np.clip(np.diff(called, prepend=called[0]), 0, 20))
