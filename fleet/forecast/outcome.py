"""The forecast beside what came: what it got wrong, by site, against repeating the week before.

What was said of a day stands in ForecastDay as it was said. Where nothing was said (a new installation), it is worked
out afterwards from what was known before the week, and marked as such by when it was made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet.calendar import Calendar, default_calendar, local_day, week_days, week_of
from fleet.forecast.making import HIGH, KEPT_LEADS, LOW, Forecast, learn, week_ahead
from fleet.forecast.measured import load_history
from fleet.forecast.training import WEEK
from fleet.lines import load_queues
from fleet.store import Site, SiteQueue
from fleet.store_forecast import DatedEvent, ForecastDay
from queueing.store import QueueHour

LEAST_HISTORY = 28
"""Days of measures from which a past week is worked out afterwards."""


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
    ahead = learned.ahead(history.days[cut:], None)
    expected, low, high = ahead.expected, ahead.hours[LOW], ahead.hours[HIGH]
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


@dataclass(slots=True)
class SiteOutcome:
    """One site's days that were forecast and measured. `expected`, `low`, `high` and `came` are people in all; `error`
    and `naive` are sums over days of what the forecast, and repeating the same day a week before, were off by;
    `days` were compared, on `inside` of them the 80% band held."""

    site_id: int
    governorate_id: int
    name_ar: str
    name_en: str
    expected: float = 0.0
    came: int = 0
    error: float = 0.0
    naive: float = 0.0
    days: int = 0
    inside: int = 0

    @property
    def relative(self) -> float | None:
        """Error in units of the naive one; under 1 is better."""
        return self.error / self.naive if self.naive > 0 else None


@dataclass(frozen=True, slots=True)
class WeekOutcome:
    """A week at one lead: its sites, the worst first (by people off), and when it was said."""

    week: date
    lead: int
    sites: list[SiteOutcome] = field(default_factory=list)
    made_at: datetime | None = None
    afterwards: bool = False
    """It was worked out afterwards, from what was known before the week."""

    @property
    def total(self) -> SiteOutcome:
        """All sites together (errors add up, they do not cancel)."""
        whole = SiteOutcome(0, 0, "", "")
        for site in self.sites:
            whole.expected += site.expected
            whole.came += site.came
            whole.error += site.error
            whole.naive += site.naive
            whole.days += site.days
            whole.inside += site.inside
        return whole


def week_outcome(session: Session, week: date, *, lead: int, now: datetime) -> WeekOutcome:
    """What was said of the days of a week at this lead, beside what was measured on those that are over."""
    days = week_days(week)
    last = min(days[-1], local_day(now) - timedelta(days=1))
    f = ForecastDay
    said = session.execute(
        select(f.queue_id, f.day, f.arrivals, f.low, f.high, f.known_until, f.made_at).where(
            f.lead == lead, f.day >= days[0], f.day <= last
        )
    ).all()
    if not said:
        return WeekOutcome(days[0], lead)
    came = _came(session, days[0] - timedelta(days=WEEK), last)
    sites = {
        row.queue_id: row
        for row in session.execute(
            select(SiteQueue.queue_id, Site.id, Site.governorate_id, Site.name_ar, Site.name_en).join(
                Site, Site.id == SiteQueue.site_id
            )
        )
    }
    found: dict[int, SiteOutcome] = {}
    for queue_id, day, expected, low, high, _, _ in said:
        real, before = came.get((queue_id, day)), came.get((queue_id, day - timedelta(days=WEEK)))
        site = sites.get(queue_id)
        if real is None or before is None or site is None:
            continue
        row = found.setdefault(site.id, SiteOutcome(site.id, site.governorate_id, site.name_ar, site.name_en))
        row.expected += expected
        row.came += real
        row.error += abs(expected - real)
        row.naive += abs(before - real)
        row.days += 1
        row.inside += low <= real <= high
    worst = sorted(found.values(), key=lambda site: (-site.error, site.site_id))
    known_until, made_at = max(row.known_until for row in said), max(row.made_at for row in said)
    return WeekOutcome(days[0], lead, worst, made_at, local_day(made_at) > max(known_until, days[0]))


def _came(session: Session, first: date, last: date) -> dict[tuple[int, date], int]:
    """Measured arrivals by queue and day."""
    q = QueueHour
    rows = session.execute(
        select(q.queue_id, q.day, func.sum(q.arrivals))
        .where(q.day >= first, q.day <= last)
        .group_by(q.queue_id, q.day)
    )
    return {(queue_id, day): int(arrivals) for queue_id, day, arrivals in rows}


def weeks_said(session: Session) -> list[date]:
    """The weeks of which something was said, the newest first."""
    days = session.scalars(select(ForecastDay.day).distinct())
    return sorted({week_of(day) for day in days}, reverse=True)


def recall(
    session: Session, week: date, *, now: datetime, calendar: Calendar | None = None
) -> list[Forecast]:
    """Work out what would have been said of a week that is over, at each lead at which nothing was: from what was
    measured before it. To be stored by `keep_said`."""
    calendar = calendar or default_calendar()
    start = week_of(week)
    f = ForecastDay
    has = set(
        session.scalars(
            select(f.lead).where(f.day >= start, f.day <= start + timedelta(days=WEEK - 1)).distinct()
        )
    )
    missing = [lead for lead in KEPT_LEADS if lead not in has]
    queues = load_queues(session, now=now) if missing else None
    made = []
    for lead in missing:
        assert queues is not None
        before = start - timedelta(days=WEEK * (lead - 1))
        history = load_history(session, queues.ids, before=before)
        if len(history.days) >= LEAST_HISTORY:
            learned = learn(session, queues, history, before=before, calendar=calendar)
            made.append(week_ahead(session, learned, start, now=now, first=start, hours=False))
    return made


def event_outcome(session: Session, event: DatedEvent, *, now: datetime) -> tuple[float, int] | None:
    """How many times the usual number came under an event that has begun, and on how many days that stands; None
    before, and where it was expected to bring nobody."""
    last = min(event.last_day, local_day(now) - timedelta(days=1))
    if event.factor <= 0 or event.first_day > last:
        return None
    f, q = ForecastDay, QueueHour
    at = select(SiteQueue.queue_id)
    if event.site_id is not None:
        at = at.where(SiteQueue.site_id == event.site_id)
    if event.governorate_id is not None:
        at = at.join(Site, Site.id == SiteQueue.site_id).where(Site.governorate_id == event.governorate_id)
    real: dict[date, int] = dict(
        session.execute(
            select(q.day, func.sum(q.arrivals))
            .where(q.day >= event.first_day, q.day <= last, q.queue_id.in_(at))
            .group_by(q.day)
        ).all()
    )
    usual, came, days = 0.0, 0, 0
    said = session.execute(
        select(f.day, func.sum(f.arrivals), func.max(f.made_at))
        .where(f.day.in_(list(real)), f.lead == 1, f.queue_id.in_(at))
        .group_by(f.day)
    )
    for day, arrivals, made_at in said:  # what was said before the event was entered does not know of it
        usual += arrivals / event.factor if made_at > event.created_at else arrivals
        came += real[day]
        days += 1
    return (came / usual, days) if usual > 0 else None
