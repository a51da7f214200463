"""The forecast beside what came: what it got wrong, by site, against repeating the week before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy.orm import Session

from fleet.calendar import Calendar, default_calendar, local_day
from fleet.forecast.making import learn
from fleet.forecast.measured import load_history
from fleet.lines import load_queues


@dataclass(frozen=True, slots=True)
class Backtest:
    """A forecast made without the last `weeks` against what came, beside repeating the hour a week earlier.

    Errors are people an hour; `mase` = mae / mae of the naive forecast (under 1 is better than naive); `cover80` is
    the share of hours within the 80% band.
    """

    hours: int
    mae: float
    naive_mae: float
    bias: float
    cover80: float

    @property
    def mase(self) -> float:
        """Error in units of the naive forecast's."""
        return self.mae / self.naive_mae if self.naive_mae else 1.0


def backtest(
    session: Session, *, now: datetime, weeks: int = 1, calendar: Calendar | None = None
) -> Backtest:
    """Forecast the last `weeks` of complete history from the days before them and compare with what came."""
    calendar = calendar or default_calendar()
    queues = load_queues(session, now=now)
    history = load_history(session, queues.ids, before=local_day(now))
    cut = len(history.days) - 7 * weeks
    if cut < 7:
        raise ValueError(f"a backtest of {weeks} weeks needs at least {7 * weeks + 7} days of history")
    learned = learn(session, queues, history.until(cut), before=history.days[cut], calendar=calendar)
    expected, low, high, _, _ = learned.hours(history.days[cut:], None)
    counts = history.counts.astype(float)
    real, naive = counts[:, cut:], np.tile(counts[:, cut - 7 : cut], (1, weeks, 1))
    # Compare where both weeks were open: a holiday would only flatter the forecast.
    both = history.seen[:, cut:] & np.tile(history.seen[:, cut - 7 : cut], (1, weeks))
    hours = both[:, :, None] & ((real + naive + expected) > 0)
    error = (expected - real)[hours]
    inside = ((real >= np.floor(low)) & (real <= np.ceil(high)))[hours]
    return Backtest(
        int(hours.sum()),
        float(np.abs(error).mean()) if error.size else 0.0,
        float(np.abs(naive - real)[hours].mean()) if error.size else 0.0,
        float(error.mean()) if error.size else 0.0,
        float(inside.mean()) if error.size else 0.0,
    )
