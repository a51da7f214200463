"""Expected arrivals, load and congestion of every fixed queue in the coming days, from its own measured hours.

`rhythm` and `training` hold the method, `cold` what a queue without a record stands on, `events` what planners
entered, `reconcile` how units agree with their governorates. Reads QueueHour and writes ForecastHour (replaced every
night, for days to come only: a day that has begun keeps what was said of it) and ForecastDay (said once, kept).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from fleet import demand, relief
from fleet.calendar import RAMADAN_HOURS, Calendar, default_calendar, local_day, week_days, week_of
from fleet.forecast import cold, events, reconcile
from fleet.forecast.dates import EFFECT_PRIOR, EFFECTS, day_facts
from fleet.forecast.measured import History, load_history
from fleet.forecast.rhythm import Floats, Record
from fleet.forecast.training import QUANTILES, WEEK, Trained, train
from fleet.lines import Queues, load_queues
from fleet.store import ForecastHour, Site
from fleet.store_forecast import ForecastDay
from queueing.congestion import level_of

SCORES = tuple(NormalDist().inv_cdf(q) for q in QUANTILES)
LOW, INNER_LOW, INNER_HIGH, HIGH = (QUANTILES.index(q) for q in (0.1, 0.25, 0.75, 0.9))
LEAST_SPREAD, MOST_SPREAD = 0.02, 0.5
"""Between these the spread of a day is kept: what follows from it (`fleet.relief.NODES`) must stay above nobody."""
KEPT_LEADS = (1, 4)
KEPT_DAYS = 84
"""How long what was said of a day is kept."""


@dataclass(frozen=True, slots=True)
class ForecastReport:
    """What was made: queues and hours, queues that stand on population alone, and what all sites share: the nation's
    factor of the first week (1 is usual) and the dated effects as learned."""

    week: date
    queues: int
    hours: int
    cold: int
    days_of_history: int
    nation: float = 1.0
    effects: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Forecast:
    """A week's forecast: rows of ForecastHour from day `first` on and of ForecastDay (to be stored by
    `keep_forecast`), and what to tell of it."""

    rows: list[dict[str, object]]
    report: ForecastReport
    first: date
    said: list[dict[str, object]] = field(default_factory=list)


@dataclass(frozen=True)
class Ahead:
    """What is expected: `expected` arrivals, queues x days x 24; bands of hours and of whole days, QUANTILES first."""

    expected: Floats
    hours: Floats
    days: Floats

    def spread(self) -> Floats:
        """How far whole days may stray beyond chance (standard deviation / mean): queues x days, from the 80% band."""
        totals = self.expected.sum(axis=2)
        deviation = (self.days[HIGH] - self.days[LOW]) / (SCORES[HIGH] - SCORES[LOW])
        beyond = np.sqrt(np.maximum(deviation**2 - totals, 0.0))
        share = np.divide(beyond, totals, out=np.zeros_like(totals), where=totals > 0)
        result: Floats = np.clip(share, LEAST_SPREAD, MOST_SPREAD)
        return result


@dataclass(frozen=True)
class Learned:
    """A forecaster of all fixed queues from what was known before day `before`."""

    queues: Queues
    history: History
    before: date
    trained: Trained
    governorates: Trained | None
    governorate_ids: tuple[int, ...]
    group: NDArray[np.intp]
    beforehand: cold.Beforehand
    cold: NDArray[np.bool_]
    calendar: Calendar

    def days(self, days: Sequence[date], known: Floats | None) -> tuple[Floats, Floats]:
        """Expected day totals (queues x days) that agree with the governorates, and the same before they were made
        to agree; zero on days off."""
        plain = np.zeros((len(self.queues.ids), len(days)))
        agreed = np.zeros_like(plain)
        works = np.array([self.calendar.is_working_day(day) for day in days], dtype=bool)
        for lead, on in self._by_lead(days):
            facts = day_facts([days[i] for i in on], self.calendar)
            units = self.trained.days(facts, lead, None if known is None else known[:, on]) * works[on]
            plain[:, on] = units
            agreed[:, on] = self._agreed(units, facts, lead, known is None, works[on])
        return agreed, plain

    def _agreed(
        self, units: Floats, facts: object, lead: int, undisturbed: bool, works: NDArray[np.bool_]
    ) -> Floats:
        # With an event somewhere a governorate's own line would not know of it: the units speak alone.
        if self.governorates is None or not undisturbed:
            return units
        totals = self.governorates.days(facts, lead) * works  # type: ignore[arg-type]
        return reconcile.reconcile(
            units,
            self.group,
            totals,
            self.trained.day_variance(units, lead),
            self.governorates.day_variance(totals, lead),
        )

    def ahead(self, days: Sequence[date], known: Floats | None) -> Ahead:
        """What is expected on these days, with its bands."""
        totals, _ = self.days(days, known)
        shape = (*totals.shape, 24)
        expected, of_hours = np.zeros(shape), np.zeros((len(QUANTILES), *shape))
        of_days = np.zeros((len(QUANTILES), *totals.shape))
        for lead, on in self._by_lead(days):
            shares = self.trained.rhythm.shares(day_facts([days[i] for i in on], self.calendar))
            expected[:, on] = totals[:, on, None] * shares
            of_hours[:, :, on] = self.trained.hour_band(expected[:, on], lead)
            of_days[:, :, on] = self.trained.day_band(totals[:, on], lead)
        for k, score in enumerate(
            SCORES
        ):  # without a record of its own: the spread of places around population
            of_days[k, self.cold] = self.beforehand.band(totals[self.cold], score)
            of_hours[k, self.cold] = self.beforehand.band(expected[self.cold], score)
        of_hours[:, expected <= 0] = 0.0
        of_days[:, totals <= 0] = 0.0
        return Ahead(expected, of_hours, of_days)

    def _by_lead(self, days: Sequence[date]) -> list[tuple[int, list[int]]]:
        """Days by how many weeks ahead they are (1 to 4 and on)."""
        found: dict[int, list[int]] = {}
        for i, day in enumerate(days):
            found.setdefault(max(1, 1 + (day - self.before).days // WEEK), []).append(i)
        return sorted(found.items())


def learn(session: Session, queues: Queues, history: History, *, before: date, calendar: Calendar) -> Learned:
    """Train on a history: the queues, and beside them each governorate as one line."""
    where = dict(session.execute(select(Site.id, Site.governorate_id)).all())
    at = [where[site_id] for site_id in queues.site_ids]
    governorate_ids = tuple(sorted(set(at)))
    group = np.array([governorate_ids.index(g) for g in at], dtype=np.intp)
    seen = history.seen
    if history.days:
        entered = events.events_between(session, history.days[0], history.days[-1])
        factor = events.factors_known(entered, history.days, queues.site_ids, at)
        if factor is not None:
            seen = seen & (factor == 1.0)
    facts = day_facts(history.days, calendar)
    record = Record(history.counts, seen, facts)
    prior = hours_beforehand(queues)
    days_seen = seen.sum(axis=1).astype(float)
    by_population = queues.level_prior
    totals = np.where(seen, history.counts.sum(axis=2, dtype=np.float64), 0.0)
    usual = np.divide(
        totals.sum(axis=1), (seen * facts.season).sum(axis=1), out=np.zeros(len(at)), where=days_seen > 0
    )
    beforehand = cold.learn_beforehand(usual, by_population, days_seen)
    trained = train(
        record,
        effect_prior=EFFECT_PRIOR,
        level_prior=beforehand.level(by_population),
        profile_prior=prior,
    )
    return Learned(
        queues,
        history,
        before,
        trained,
        _governorates(history, seen, group, len(governorate_ids), facts),
        governorate_ids,
        group,
        beforehand,
        days_seen == 0,
        calendar,
    )


def _governorates(
    history: History, seen: NDArray[np.bool_], group: NDArray[np.intp], many: int, facts: object
) -> Trained | None:
    """Each governorate as one line, on days on which all its queues with a record were measured; None with too
    little of a record."""
    counts = np.zeros((many, len(history.days), 1), np.float32)
    open_queues, usual = np.zeros(counts.shape[:2]), np.zeros(many)
    np.add.at(counts[:, :, 0], group, np.where(seen, history.counts.sum(axis=2, dtype=np.float32), 0))
    np.add.at(open_queues, group, seen)
    np.maximum.at(usual, np.arange(many), open_queues.max(axis=1, initial=0))
    whole = (open_queues >= usual[:, None]) & (usual > 0)[:, None]
    with_record = np.zeros(many)
    np.add.at(with_record, group, seen.any(axis=1))
    total = np.bincount(group, minlength=many)
    if not history.days or len(history.days) < 6 * WEEK or (with_record < total).any():
        return None
    return train(Record(counts, whole, facts), effect_prior=EFFECT_PRIOR)  # type: ignore[arg-type]


def hours_beforehand(queues: Queues) -> Floats:
    """Shares of the hours as known beforehand: queues x 2 (ordinary, Ramadan's hours) x 24."""
    prior = np.zeros((len(queues.ids), 2, 24), np.float32)
    known: dict[tuple[int, int], Floats] = {}
    for i, (opens, closes) in enumerate(zip(queues.open_minute, queues.close_minute, strict=True)):
        short = (max(opens, RAMADAN_HOURS[0]), min(closes, RAMADAN_HOURS[1]))
        for which, window in enumerate(((opens, closes), short)):
            if window not in known:
                known[window] = np.zeros(24, np.float32)
                for hour, share in demand.hour_shares(*window).items():
                    known[window][hour] = share
            prior[i, which] = known[window]
    return prior


def make_forecast(
    session: Session, week_start: date, *, now: datetime, calendar: Calendar | None = None
) -> ForecastReport:
    """Forecast the week of `week_start` from all complete days before `now`; replaces what was forecast for its
    days to come."""
    forecast = compute_forecast(session, week_start, now=now, calendar=calendar)
    keep_forecast(session, forecast)
    return forecast.report


def compute_forecast(
    session: Session, week_start: date, *, now: datetime, calendar: Calendar | None = None
) -> Forecast:
    """As `make_forecast`, without writing: for callers that must not hold the write lock for seconds."""
    return compute_forecasts(session, [week_start], now=now, calendar=calendar)[0]


def compute_forecasts(
    session: Session, weeks: Sequence[date], *, now: datetime, calendar: Calendar | None = None
) -> list[Forecast]:
    """Forecasts of several weeks out of one training.

    A week under way of which nothing was ever forecast is forecast whole, from what was known before it.
    """
    calendar = calendar or default_calendar()
    queues = load_queues(session, now=now)
    today = local_day(now)
    late = [week for week in weeks if week_of(week) < today and not is_forecast(session, week)]
    result: dict[date, Forecast] = {}
    rest = [week for week in weeks if week not in late]
    for before, some in [(week_of(week), [week]) for week in late] + ([(today, rest)] if rest else []):
        history = load_history(session, queues.ids, before=before)
        learned = learn(session, queues, history, before=before, calendar=calendar)
        for week in some:
            result[week] = week_ahead(session, learned, week, now=now, first=before)
    return [result[week] for week in weeks]


def week_ahead(
    session: Session, learned: Learned, week: date, *, now: datetime, first: date, hours: bool = True
) -> Forecast:
    """The days of a week from `first` on, as rows; without `hours` only what is kept of whole days."""
    days = [day for day in week_days(week) if day >= first]
    queues = learned.queues
    at = [learned.governorate_ids[g] for g in learned.group]
    known = (
        events.factors_known(events.events_between(session, days[0], days[-1]), days, queues.site_ids, at)
        if days
        else None
    )
    ahead = learned.ahead(days, known)
    rows = _rows(queues, days, ahead, now) if hours else []
    said = _said(learned, week, days, ahead, now)
    lead = max(1, 1 + (days[0] - learned.before).days // WEEK) if days else 1
    report = ForecastReport(
        week_of(week),
        len(queues.ids),
        len(rows),
        int(learned.cold.sum()),
        len(learned.history.days),
        round(learned.trained.nation(lead), 4),
        {
            name: round(float(factor), 4)
            for name, factor in zip(EFFECTS, learned.trained.rhythm.pooled_effects, strict=True)
        },
    )
    return Forecast(rows, report, days[0] if days else first, said)


def _said(
    learned: Learned,
    week: date,
    days: Sequence[date],
    ahead: Ahead,
    now: datetime,
) -> list[dict[str, object]]:
    """What is kept of this week's forecast to be held against what comes: only what begins a lead anew."""
    lead = (week_of(week) - week_of(learned.before)).days // WEEK + 1
    if lead not in KEPT_LEADS or not days:
        return []
    totals = ahead.expected.sum(axis=2)
    whole, lower, upper = (np.round(part, 2) for part in (totals, ahead.days[LOW], ahead.days[HIGH]))
    return [
        {
            "queue_id": learned.queues.ids[i],
            "day": day,
            "lead": lead,
            "arrivals": float(whole[i, d]),
            "low": float(lower[i, d]),
            "high": float(upper[i, d]),
            "known_until": learned.before,
            "made_at": now,
        }
        for d, day in enumerate(days)
        for i in np.flatnonzero(totals[:, d] > 0).tolist()
    ]


def keep_forecast(session: Session, forecast: Forecast) -> None:
    """Store a computed forecast in place of what was forecast for its days; what was said of them before stays."""
    last = week_days(forecast.report.week)[-1]
    session.execute(delete(ForecastHour).where(ForecastHour.day >= forecast.first, ForecastHour.day <= last))
    for i in range(0, len(forecast.rows), 5000):
        session.execute(insert(ForecastHour), forecast.rows[i : i + 5000])
    keep_said(session, forecast)


def keep_said(session: Session, forecast: Forecast) -> None:
    """Store what was said of days of which nothing was said yet at this lead; forget what is old."""
    if not forecast.said:
        return
    f, lead = ForecastDay, forecast.said[0]["lead"]
    last = week_days(forecast.report.week)[-1]
    has = set(
        session.scalars(
            select(f.day).where(f.lead == lead, f.day >= forecast.first, f.day <= last).distinct()
        )
    )
    rows = [row for row in forecast.said if row["day"] not in has]
    for i in range(0, len(rows), 5000):
        session.execute(insert(ForecastDay), rows[i : i + 5000])
    session.execute(delete(f).where(f.day < forecast.report.week - timedelta(days=KEPT_DAYS)))


def is_forecast(session: Session, week_start: date) -> bool:
    """Whether anything is forecast for the week of `week_start`."""
    days = week_days(week_start)
    found = select(ForecastHour.queue_id).where(ForecastHour.day.between(days[0], days[-1])).limit(1)
    return session.scalar(found) is not None


def _rows(queues: Queues, days: Sequence[date], ahead: Ahead, now: datetime) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    bands = {"low": LOW, "high": HIGH, "inner_low": INNER_LOW, "inner_high": INNER_HIGH}
    spread = ahead.spread()
    for d, day in enumerate(days):
        arrivals = ahead.expected[:, d]
        if not arrivals.any():
            continue
        long_share = np.zeros_like(arrivals)
        for node, weight in relief.NODES:
            line = _station(queues, arrivals * (1 + spread[:, d, None] * node))
            long_share += weight * relief.waiting(line).long_share
        load = arrivals * queues.service_h[:, None]
        edges = {name: np.round(ahead.hours[k, :, d], 3) for name, k in bands.items()}
        for i, hour in np.argwhere(arrivals > 0).tolist():
            desks = float(queues.staffed[i, hour])
            rows.append(
                {
                    "queue_id": queues.ids[i],
                    "day": day,
                    "hour": hour,
                    "arrivals": round(float(arrivals[i, hour]), 3),
                    **{name: float(edge[i, hour]) for name, edge in edges.items()},
                    "spread": round(float(spread[i, d]), 4),
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
    return relief.Station(
        arrivals.astype(np.float64), queues.staffed, queues.service_h, queues.cs2, queues.leave_rate
    )
