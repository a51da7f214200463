"""Expected arrivals, load and congestion of every fixed queue in the coming days, from its own measured
hours.

`fleet.rhythm` holds the method. A queue without history stands on its site's population; how much that can
err is said by `ForecastReport.cold`. Reads QueueHour and writes ForecastHour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from fleet import demand, relief, rhythm
from fleet.calendar import Calendar, DayClass, default_calendar, local_day, week_days
from fleet.lines import HISTORY_DAYS, Queues, load_queues
from fleet.relief import Floats
from fleet.store import ForecastHour
from queueing.congestion import level_of
from queueing.store import QueueHour

PAYDAYS = range(24, 28)
"""Days of the month after the state pays salaries (the 24th): learned if they differ, 1.0 beforehand."""
ORDINARY, RAMADAN, PAYDAY = 0, 1, 2
KIND_PRIOR = (1.0, demand.RAMADAN_FACTOR, 1.0)


@dataclass(frozen=True, slots=True)
class ForecastReport:
    """What was made: queues and hours, and queues that stand on population alone."""

    week: date
    queues: int
    hours: int
    cold: int
    days_of_history: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """A forecast made without the last `weeks` against what came, beside repeating the hour a week earlier.

    Errors are people an hour; `mase` = mae / mae of the naive forecast (under 1 is better than naive).
    """

    hours: int
    mae: float
    naive_mae: float
    bias: float

    @property
    def mase(self) -> float:
        """Error in units of the naive forecast's."""
        return self.mae / self.naive_mae if self.naive_mae else 1.0


@dataclass(frozen=True, slots=True)
class History:
    """Measured arrivals: queues x days x 24, and on which days each queue was open."""

    days: tuple[date, ...]
    counts: Floats
    seen: np.ndarray[tuple[int, int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Forecast:
    """A week's forecast: rows of ForecastHour (to be stored by `keep_forecast`) and what to tell of it."""

    rows: list[dict[str, object]]
    report: ForecastReport


def make_forecast(
    session: Session, week_start: date, *, now: datetime, calendar: Calendar | None = None
) -> ForecastReport:
    """Forecast the week of `week_start` from all complete days before `now`; replaces what was forecast for
    it."""
    forecast = compute_forecast(session, week_start, now=now, calendar=calendar)
    keep_forecast(session, forecast)
    return forecast.report


def keep_forecast(session: Session, forecast: Forecast) -> None:
    """Store a computed forecast in place of what was forecast for its week."""
    week = forecast.report.week
    session.execute(
        delete(ForecastHour).where(ForecastHour.day >= week, ForecastHour.day <= week + timedelta(days=6))
    )
    for i in range(0, len(forecast.rows), 5000):
        session.execute(insert(ForecastHour), forecast.rows[i : i + 5000])


def compute_forecast(
    session: Session, week_start: date, *, now: datetime, calendar: Calendar | None = None
) -> Forecast:
    """As `make_forecast`, without writing: for callers that must not hold the write lock for seconds."""
    calendar = calendar or default_calendar()
    queues = load_queues(session, now=now)
    history = load_history(session, queues.ids, before=min(local_day(now), week_start))
    days = week_days(week_start)
    expected = predict(queues, history, days, calendar)
    rows = _rows(queues, days, expected, now)
    cold = int((~history.seen.any(axis=1)).sum()) if history.days else len(queues.ids)
    return Forecast(rows, ForecastReport(days[0], len(queues.ids), len(rows), cold, len(history.days)))


def is_forecast(session: Session, week_start: date) -> bool:
    """Whether anything is forecast for the week of `week_start`."""
    days = week_days(week_start)
    found = select(ForecastHour.queue_id).where(ForecastHour.day.between(days[0], days[-1])).limit(1)
    return session.scalar(found) is not None


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
    past = History(history.days[:cut], history.counts[:, :cut], history.seen[:, :cut])
    expected = predict(queues, past, history.days[cut:], calendar)
    real, naive = history.counts[:, cut:], history.counts[:, cut - 7 : cut]
    naive = np.tile(naive, (1, weeks, 1))
    # Compare where both weeks were open: a holiday would only flatter the forecast.
    both = history.seen[:, cut:] & np.tile(history.seen[:, cut - 7 : cut], (1, weeks))
    hours = both[:, :, None] & ((real + naive + expected) > 0)
    error = (expected - real)[hours]
    return Backtest(
        int(hours.sum()),
        float(np.abs(error).mean()) if error.size else 0.0,
        float(np.abs(naive - real)[hours].mean()) if error.size else 0.0,
        float(error.mean()) if error.size else 0.0,
    )


def predict(queues: Queues, history: History, days: Sequence[date], calendar: Calendar) -> Floats:
    """Return expected arrivals, queues x `days` x 24; zero on days off."""
    prior = np.zeros((len(queues.ids), 2, 24))
    for i, (opens, closes) in enumerate(zip(queues.open_minute, queues.close_minute, strict=True)):
        short = (max(opens, 540), min(closes, 840))  # Ramadan's hours, as in fleet.calendar
        for which, window in enumerate(((opens, closes), short)):
            for hour, share in demand.hour_shares(*window).items():
                prior[i, which, hour] = share
    fitted = rhythm.fit(
        history.counts,
        history.seen,
        day_facts(history.days, calendar),
        kind_prior=KIND_PRIOR,
        level_prior=queues.level_prior,
        profile_prior=prior,
        short_kind=RAMADAN,
    )
    expected = fitted.predict(day_facts(days, calendar), short_kind=RAMADAN)
    works = np.array([calendar.is_working_day(day) for day in days], dtype=bool)
    result: Floats = expected * works[None, :, None]
    return result


def day_facts(days: Sequence[date], calendar: Calendar) -> rhythm.Days:
    """Weekday, kind and known season of each day."""
    kinds = []
    for day in days:
        ramadan = calendar.day_class(day) is DayClass.RAMADAN
        kinds.append(RAMADAN if ramadan else PAYDAY if day.day in PAYDAYS else ORDINARY)
    return rhythm.Days.of([d.weekday() for d in days], kinds, [demand.MONTH_FACTORS[d.month] for d in days])


def load_history(session: Session, ids: Sequence[int], *, before: date) -> History:
    """Return measured arrivals of the HISTORY_DAYS before `before`, from the first day anybody measured."""
    index = {queue_id: i for i, queue_id in enumerate(ids)}
    start = before - timedelta(days=HISTORY_DAYS)
    rows = session.execute(
        select(QueueHour.queue_id, QueueHour.day, QueueHour.hour, QueueHour.arrivals).where(
            QueueHour.day >= start, QueueHour.day < before
        )
    ).all()
    first = min((row[1] for row in rows if row[0] in index), default=before)
    days = tuple(first + timedelta(days=n) for n in range((before - first).days))
    counts = np.zeros((len(ids), len(days), 24))
    seen = np.zeros((len(ids), len(days)), dtype=bool)
    for queue_id, day, hour, arrivals in rows:
        i = index.get(queue_id)
        if i is not None:
            n = (day - first).days
            counts[i, n, hour] += arrivals
            seen[i, n] = True
    return History(days, counts, seen)


def _rows(queues: Queues, days: Sequence[date], expected: Floats, now: datetime) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for d, day in enumerate(days):
        arrivals = expected[:, d]
        if not arrivals.any():
            continue
        long_share: Floats = sum(  # type: ignore[assignment]
            weight * relief.waiting(_station(queues, arrivals * (1 + relief.DEMAND_CV * node))).long_share
            for node, weight in relief.NODES
        )
        load = arrivals * queues.service_h[:, None]
        for i, hour in np.argwhere(arrivals > 0).tolist():
            desks = float(queues.staffed[i, hour])
            rows.append(
                {
                    "queue_id": queues.ids[i],
                    "day": day,
                    "hour": hour,
                    "arrivals": round(float(arrivals[i, hour]), 3),
                    "offered_load": round(float(load[i, hour]), 4),
                    "desks": round(desks, 2),
                    "level": level_of(
                        float(long_share[i, hour] * arrivals[i, hour]),
                        float(arrivals[i, hour]),
                        float(load[i, hour]),
                        desks,
                    ),
                    "made_at": now,
                }
            )
    return rows


def _station(queues: Queues, arrivals: Floats) -> relief.Station:
    return relief.Station(arrivals, queues.staffed, queues.service_h, queues.cs2, queues.leave_rate)
