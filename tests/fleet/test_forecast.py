"""The forecast: factors recovered from made histories, cold starts, better than last week, rows that screens
read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from fleet import demand
from fleet.calendar import week_days
from fleet.forecast import EFFECT_PRIOR, backtest, day_facts, make_forecast, rhythm
from fleet.lines import load_queues
from fleet.store import ForecastHour, SiteQueue
from queueing.store import QueueHour
from tests.fleet.planning_cast import CALENDAR, FRIDAY, WEEK, country

WEEKDAY = {6: 1.3, 0: 1.1, 1: 1.0, 2: 0.8, 3: 0.8}
"""Sunday to Thursday, mean 1: a first day far fuller than the rest."""


@pytest.fixture
def session() -> Iterator[Session]:
    with country() as s:
        yield s


def write_history(
    session: Session, *, weeks: int, level: float, seed: int = 1, until: date = date(2026, 11, 20)
) -> None:
    """Poisson arrivals at every fixed queue on its working days before `until`: `level` a day x weekday x
    profile."""
    rng = np.random.default_rng(seed)
    shares = demand.hour_shares(510, 900)
    rows = []
    for queue_id in session.scalars(select(SiteQueue.queue_id)):
        for n in range(1, 7 * weeks + 1):
            day = until - timedelta(days=n)
            if not CALENDAR.is_working_day(day):
                continue
            season = demand.MONTH_FACTORS[day.month]
            for hour, share in shares.items():
                mean = level * WEEKDAY[day.weekday()] * share * season
                rows.append(
                    {
                        "queue_id": queue_id,
                        "day": day,
                        "hour": hour,
                        "arrivals": int(rng.poisson(mean)),
                        "served": 10,
                        "called": 10,
                        "held_s": 10 * 600.0,
                        "service_s": 10 * 600.0,
                        "service_sq": 10 * 600.0**2 * 1.5,
                    }
                )
    session.execute(insert(QueueHour), rows)


def day_total(session: Session, queue_id: int, day: date) -> float:
    """Forecast arrivals of a queue on a day."""
    found = session.scalars(
        select(ForecastHour.arrivals).where(ForecastHour.queue_id == queue_id, ForecastHour.day == day)
    )
    return sum(found)


def test_a_learned_forecast_has_the_level_and_the_weekdays_of_the_history(session: Session) -> None:
    """Eight weeks at 200 a day with a full Sunday: Sunday and Wednesday come out within 6%."""
    write_history(session, weeks=8, level=200)
    report = make_forecast(session, WEEK, now=FRIDAY)
    assert report.cold == 0 and report.days_of_history >= 50
    season = demand.MONTH_FACTORS[11]
    queue_id = session.scalars(select(SiteQueue.queue_id)).first()
    assert queue_id is not None
    assert day_total(session, queue_id, date(2026, 11, 22)) == pytest.approx(260 * season, rel=0.06)
    assert day_total(session, queue_id, date(2026, 11, 25)) == pytest.approx(160 * season, rel=0.06)


def test_a_cold_start_stands_on_population(session: Session) -> None:
    """Without history an average day is population x published requests, and the report says how many are
    cold."""
    report = make_forecast(session, WEEK, now=FRIDAY)
    assert report.cold == report.queues == 4 and report.days_of_history == 0
    queues = load_queues(session, now=FRIDAY)
    expected = demand.daily_requests(450_000) * demand.MONTH_FACTORS[11]
    assert day_total(session, queues.ids[0], date(2026, 11, 23)) == pytest.approx(expected, rel=0.02)


def test_days_off_are_not_forecast_and_a_second_run_replaces_the_first(session: Session) -> None:
    """Friday and Saturday have no rows; running twice leaves the same number of them."""
    count = make_forecast(session, WEEK, now=FRIDAY).hours
    assert make_forecast(session, WEEK, now=FRIDAY).hours == count
    rows = session.scalars(select(ForecastHour)).all()
    assert len(rows) == count
    assert {r.day for r in rows} == {d for d in week_days(WEEK) if d.weekday() not in (4, 5)}


def test_rows_carry_load_desks_and_a_level_that_rises_with_crowding(session: Session) -> None:
    """Offered load is arrivals x mean service; twelve times the people at the same desks are at least
    crowded."""
    write_history(session, weeks=4, level=25)
    make_forecast(session, WEEK, now=FRIDAY)
    calm = session.scalars(select(ForecastHour)).all()
    queues = load_queues(session, now=FRIDAY)
    for row in calm:
        service = queues.service_h[queues.ids.index(row.queue_id)]
        assert row.offered_load == pytest.approx(row.arrivals * service, rel=0.02, abs=1e-3)
        assert row.desks in (2, 3)
    quiet = max(r.level for r in calm)
    session.query(QueueHour).delete()
    write_history(session, weeks=4, level=300)
    session.expire_all()
    make_forecast(session, WEEK, now=FRIDAY)
    assert max(session.scalars(select(ForecastHour.level))) >= 3 > quiet


def test_measured_service_times_replace_the_catalogues(session: Session) -> None:
    """Ten minutes on average and a cs2 of 0.5 were measured on hundreds of citizens: both are found."""
    write_history(session, weeks=8, level=200)
    queues = load_queues(session, now=FRIDAY)
    assert queues.service_h == pytest.approx(10 / 60, rel=0.03)
    assert queues.cs2 == pytest.approx(0.5, abs=0.08)


def test_the_forecast_beats_the_same_hour_a_week_before(session: Session) -> None:
    """On noisy counts the naive forecast carries last week's noise: MASE is clearly under 1, near the ideal
    0.72."""
    write_history(session, weeks=8, level=120)
    result = backtest(session, now=FRIDAY, weeks=2)
    assert result.hours > 200
    assert result.mase < 0.85
    assert abs(result.bias) < 0.1 * result.mae + 0.2


def test_nothing_of_the_tested_weeks_leaks_into_the_backtest(session: Session) -> None:
    """Doubling the last week's counts must make the errors far larger, not the forecast cleverer."""
    write_history(session, weeks=8, level=120)
    honest = backtest(session, now=FRIDAY)
    last = date(2026, 11, 13)
    for row in session.scalars(select(QueueHour).where(QueueHour.day >= last)):
        row.arrivals *= 2
    session.flush()
    assert backtest(session, now=FRIDAY).mae > 3 * honest.mae


def test_too_little_history_for_a_backtest_is_said(session: Session) -> None:
    """A backtest of nothing raises instead of returning a flattering zero."""
    with pytest.raises(ValueError, match="14 days"):
        backtest(session, now=FRIDAY)


def test_today_counts_for_nothing_yet(session: Session) -> None:
    """A day that is not over would look like a quiet one: only complete days are learned from."""
    write_history(session, weeks=4, level=200)
    noon = datetime.combine(date(2026, 11, 19), datetime.min.time(), tzinfo=FRIDAY.tzinfo) + timedelta(
        hours=10
    )
    make_forecast(session, WEEK, now=noon)
    queue_id = session.scalars(select(SiteQueue.queue_id)).first()
    assert queue_id is not None
    before = day_total(session, queue_id, date(2026, 11, 26))
    for row in session.scalars(select(QueueHour).where(QueueHour.day == date(2026, 11, 19))):
        row.arrivals = 0
    session.flush()
    make_forecast(session, WEEK, now=noon)
    assert day_total(session, queue_id, date(2026, 11, 26)) == before


def test_a_short_record_is_drawn_to_what_all_share() -> None:
    """One queue with a single wild Sunday among fifty ordinary ones keeps nearly the others' weekday
    factor."""
    days = [WEEK - timedelta(days=n) for n in range(56, 0, -1)]
    facts = day_facts(days, CALENDAR)
    shares = np.zeros(24)
    for hour, share in demand.hour_shares(510, 900).items():
        shares[hour] = share
    works = np.array([CALENDAR.is_working_day(d) for d in days])
    totals = np.array([100 * WEEKDAY.get(d.weekday(), 0) * demand.MONTH_FACTORS[d.month] for d in days])
    counts = np.tile((totals * works)[None, :, None] * shares[None, None, :], (51, 1, 1))
    seen = np.tile(works, (51, 1))
    seen[50] = False
    sunday = max(i for i, d in enumerate(days) if d.weekday() == 6)
    seen[50, sunday] = True
    counts[50] = 0
    counts[50, sunday] = 3 * 100 * shares
    fitted = rhythm.fit(
        rhythm.Record(counts, seen, facts),
        effect_prior=EFFECT_PRIOR,
        level_prior=np.full(51, 100.0),
        profile_prior=np.tile(shares, (51, 2, 1)),
    )
    assert fitted.weekday[0, 6] == pytest.approx(1.3, rel=0.05)
    assert fitted.weekday[50, 6] < 1.75, "three times the usual on one day is mostly chance"
    assert fitted.levels[1, 0] * fitted.nation[-1] == pytest.approx(100, rel=0.05)


def test_thousands_of_queues_are_fitted_in_seconds() -> None:
    """5,000 series of eight weeks take a few seconds of processor time on a busy machine."""
    days = [WEEK - timedelta(days=n) for n in range(56, 0, -1)]
    facts = day_facts(days, CALENDAR)
    rng = np.random.default_rng(1)
    counts = rng.poisson(10.0, (5000, 56, 24)).astype(float)
    prior = np.full((5000, 2, 24), 1 / 24)
    began = time.process_time()
    record = rhythm.Record(counts, np.ones((5000, 56), dtype=bool), facts)
    fitted = rhythm.fit(
        record, effect_prior=EFFECT_PRIOR, level_prior=np.full(5000, 240.0), profile_prior=prior
    )
    fitted.shares(facts)
    assert time.process_time() - began < 5


def test_desks_are_counted_as_they_were_staffed(session: Session) -> None:
    """At noon only half of the desks were staffed: the forecast's load meets those; unmeasured hours stay
    full."""
    write_history(session, weeks=4, level=100)
    for row in session.scalars(select(QueueHour)):
        row.desk_s = 3600.0 if row.hour == 12 else 0.0
    session.flush()
    queues = load_queues(session, now=FRIDAY)
    three = [i for i, desks in enumerate(queues.desks) if desks == 3]
    assert three and all(queues.staffed[i, 12] < 1.6 for i in three)
    assert all(queues.staffed[i, 10] == 3 for i in three)
