"""The heavy scheduled work: measures, forecasts, values, the weekly draft. Runs in child processes."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from flask import current_app
from sqlalchemy.orm import Session

from fleet.calendar import local_day, week_of
from fleet.forecast import (
    ForecastReport,
    compute_forecast,
    compute_forecasts,
    keep_forecast,
    keep_said,
    recall,
)
from fleet.planner import MOST_WEEKS, plans_holding, publish
from fleet.store import Plan, Setting
from fleet.value import compute_values, keep_values
from fleet.visited import keep_common, learn_villages
from queueing.measure import changed, keep_hours, measures_of_day
from queueing.statistics_check import Checked, check_day, keep
from queueing.store import QueueDay
from queueing.waits.habits import limited
from queueing.waits.judging import judge_queues, keep_turns, whose_turn
from queueing.waits.ladder import Shelf
from queueing.waits.refit import Refit, keep_refit, refit
from web.clerk.scope import ZONE
from web.db import read, write

LOG = logging.getLogger(__name__)
DRAFT_SECONDS = 60.0
MEASURED_EVERY = timedelta(minutes=30)
"""The job comes each quarter of an hour; a run that was missed is made up for."""
NIGHT_LOOKS_BACK = timedelta(hours=26)
CHUNK = 40
"""Queues measured in one transaction: a clerk's call next never waits long behind it."""


def measure_today(now: datetime) -> int:
    """Bring today's QueueHour rows up to date, and those of earlier days of which something was told since the last
    time (a tablet, a paper); returns how many queues were measured."""
    today = local_day(now)
    measured = _measure_all(today, now, learn=False) + _measure_late(today, now, MEASURED_EVERY)
    judge_waits(now)
    return measured


def _measure_late(before: date, now: datetime, since: timedelta) -> int:
    """Measure the queues of days earlier than `before` of which something was stored in the time `since`."""
    days = changed(read(), since=now - since)
    return sum(_measure(ids, day, now, learn=False) for day, ids in days.items() if day < before)


def _measure_all(day: date, now: datetime, *, learn: bool) -> int:
    ids = read().scalars(sa.select(QueueDay.queue_id).where(QueueDay.day == day).order_by(QueueDay.queue_id))
    return _measure(list(ids), day, now, learn=learn)


def _measure(ids: list[int], day: date, now: datetime, *, learn: bool) -> int:
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        with Session(current_app.extensions["writer"].engine) as session:
            hours = measures_of_day(session, some, day, now)
        write(lambda session, hours=hours: keep_hours(session, hours, day, learn=learn))  # type: ignore[misc]
    return len(ids)


def forecast_week(week: date, now: datetime) -> str:
    """Forecast the week that starts on the Saturday `week` and value a visit at every candidate."""
    # Seconds of arithmetic, read from one snapshot; only the results are written, in moments.
    with Session(current_app.extensions["writer"].engine) as session:
        forecast = compute_forecast(session, week, now=now)
    write(lambda session: keep_forecast(session, forecast))
    _tell(forecast.report, now)
    _value_week(week, now)
    return str(forecast.report)


def _value_week(week: date, now: datetime) -> None:
    with Session(current_app.extensions["writer"].engine) as session:
        values = compute_values(session, week, now=now)
        villages = learn_villages(session, before=local_day(now))

    def work(session: Session) -> None:
        keep_values(session, values, now=now)
        keep_common(session, villages)

    write(work)


def _tell(report: ForecastReport, now: datetime) -> None:
    """Keep what the forecast reckons with, for the planner's page."""
    told = {**asdict(report), "week": report.week.isoformat(), "made_at": now.isoformat()}
    write(lambda session: session.merge(Setting(key="forecast", value=told)))


def make_forecasts(now: datetime) -> str:
    """Nightly: finish yesterday's measures, then forecast this week and the next, and the weeks that a draft may span
    beyond it without valuing visits there; and hold last week's forecast against what came."""
    today = local_day(now)
    yesterday = today - timedelta(days=1)
    _measure_all(yesterday, now, learn=True)
    _measure_late(yesterday, now, NIGHT_LOOKS_BACK)
    this_week = week_of(today)
    weeks = [this_week + timedelta(days=7 * ahead) for ahead in range(MOST_WEEKS + 1)]
    with Session(current_app.extensions["writer"].engine) as session:
        made = compute_forecasts(session, weeks, now=now)
    for forecast in made:
        write(lambda session, forecast=forecast: keep_forecast(session, forecast))  # type: ignore[misc]
    _tell(made[0].report, now)
    for week in weeks[:2]:
        _value_week(week, now)
    recall_week(this_week - timedelta(days=7), now)
    return "; ".join(str(forecast.report) for forecast in made)


def refit_waits(now: datetime) -> str:
    """Nightly: learn waits from the last weeks, try what was learned on the last days, keep what errs least."""
    with Session(current_app.extensions["writer"].engine) as session:
        made = refit(session, now=now, zone=ZONE)
    if made is None:
        return "too few days are known to learn waits from"
    write(lambda session: keep_refit(session, made, now=now) and None)
    if made.refused is not None:
        LOG.warning("what was learned of waits is not used (%s): %s", made.refused, _in_short(made))
    return f"people are told waits by: {made.method}; {_in_short(made)}"


def _in_short(made: Refit) -> str:
    """The trial's mean errors, in minutes."""
    return ", ".join(f"{method} {found['mae_common']} min" for method, found in made.figures.items())


def judge_waits(now: datetime) -> int:
    """Hold waits that have ended against what was said of them, of those queues whose turn it is; returns how many."""
    with Session(current_app.extensions["writer"].engine) as session:
        ids = whose_turn(session, local_day(now))
        shelf = Shelf()
        special = limited(session, ids)
        ladders = {one: shelf.ladder(session, one, special=one in special) for one in ids}
        turned = judge_queues(session, ladders, now=now, leaving=shelf.leaving(session))
    return write(lambda session: keep_turns(session, turned))


def recall_week(week: date, now: datetime) -> None:
    """See to it that a week that is over has a forecast to be held against what came."""
    with Session(current_app.extensions["writer"].engine) as session:
        forecasts = recall(session, week, now=now)
    for forecast in forecasts:
        write(lambda session, forecast=forecast: keep_said(session, forecast))  # type: ignore[misc]


def check_yesterday(now: datetime) -> str:
    """Compare yesterday's statistics with its events and keep what was found."""
    return str(check_statistics(local_day(now) - timedelta(days=1), now))


def check_statistics(day: date, now: datetime) -> Checked:
    """Compare a day's statistics with its events, from one snapshot, and keep what was found."""
    with Session(current_app.extensions["writer"].engine) as session:
        checked = check_day(session, day, now=now)
    write(lambda session: keep(session, checked, now=now))
    return checked


def draft_next_week(now: datetime, *, actor: str = "weekly draft") -> str:
    """Draft the coming week unless somebody has drafted or published it already."""
    from web.solving import new_draft, solve_now

    week = week_of(local_day(now)) + timedelta(days=7)
    holding = plans_holding(read(), week)
    taken = next((plan.id for plan in holding if plan.status in ("solving", "draft", "published")), None)
    if taken is not None:
        return f"the week of {week} has plan {taken} already"
    forecast_week(week, now)
    plan_id = new_draft(week, seconds=DRAFT_SECONDS, seed=1, actor=actor)
    solve_now(plan_id)
    made = read().get(Plan, plan_id, populate_existing=True)
    return f"plan {plan_id} for the week of {week}: {made.status if made else 'gone'}"


def publish_next_week(now: datetime) -> str:
    """In the demonstration alone, where no planner may be looking: publish the coming week's newest draft."""
    week = week_of(local_day(now) + timedelta(days=1))
    if read().scalar(sa.select(Plan.id).where(Plan.week == week, Plan.status == "published")) is not None:
        return f"the week of {week} is published already"
    drafts = [plan for plan in plans_holding(read(), week) if plan.status == "draft"]
    draft = max((plan.id for plan in drafts), default=None)
    if draft is None:
        return f"the week of {week} has no draft"
    write(
        lambda session: publish(
            session, session.get_one(Plan, draft), actor="demonstration", now=now, until=week
        )
    )
    return f"plan {draft} published for the week of {week}"
