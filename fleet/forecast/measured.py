"""What was measured of the fixed queues, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.forecast.rhythm import Bools
from fleet.lines import HISTORY_DAYS
from queueing.store import QueueHour


@dataclass(frozen=True, slots=True)
class History:
    """Measured arrivals: queues x days x 24, and on which days each queue was open."""

    days: tuple[date, ...]
    counts: NDArray[np.uint16]
    seen: Bools

    def until(self, end: int) -> History:
        """The first `end` days."""
        return History(self.days[:end], self.counts[:, :end], self.seen[:, :end])


def load_history(session: Session, ids: Sequence[int], *, before: date) -> History:
    """Return measured arrivals of the HISTORY_DAYS before `before`, from the first day anybody measured."""
    q = QueueHour
    start = before - timedelta(days=HISTORY_DAYS)
    rows = session.execute(
        select(q.queue_id, q.day, q.hour, q.arrivals).where(q.day >= start, q.day < before)
    ).all()
    order = np.argsort(np.array(ids, dtype=np.int64), kind="stable")
    known = np.array(ids, dtype=np.int64)[order]
    queue = np.fromiter((row[0] for row in rows), np.int64, len(rows))
    place = np.clip(np.searchsorted(known, queue), 0, max(len(known) - 1, 0))
    ours = known[place] == queue if len(known) else np.zeros(len(rows), bool)
    number = np.fromiter((row[1].toordinal() for row in rows), np.int64, len(rows))
    first = int(number[ours].min()) if ours.any() else before.toordinal()
    days = tuple(date.fromordinal(n) for n in range(first, before.toordinal()))
    counts = np.zeros((len(ids), len(days), 24), np.uint16)
    seen = np.zeros((len(ids), len(days)), dtype=bool)
    if not ours.any():
        return History(days, counts, seen)
    hour = np.fromiter((row[2] for row in rows), np.int64, len(rows))[ours]
    came = np.fromiter((row[3] for row in rows), np.int64, len(rows))[ours]
    i, n = order[place[ours]], number[ours] - first
    np.add.at(counts, (i, n, hour), np.clip(came, 0, 60_000).astype(np.uint16))
    seen[i, n] = True
    return History(days, counts, seen)
