"""The demonstration: a national week from nothing to a live day, prepared once and resumed afterwards.

Each step leaves a mark in the settings table, so that a run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from flask_migrate import upgrade

from fleet import importing
from fleet import network as national
from fleet.calendar import is_working_day, local_day, local_instant, week_of
from fleet.planner import publish
from fleet.simulation.clock import DemoClock
from fleet.store import ForecastHour, Plan, Setting, Site, SiteQueue
from queueing.pace import learn
from queueing.store import Desk, Queue
from web import clock
from web.accounts import Account, add_account, check_password, new_token, set_password
from web.db import read, write
from web.simulated import resume

MARKS = "demo"
WEEKS = 8
DETAILED_WEEKS = 2
START_MINUTE = 10 * 60
"""Local minute at which the first simulated day begins: queues have formed, vans stand at their first stop."""

Say = Callable[[str], object]


@dataclass
class Preparation:
    """One run of `prepare`: what it must know, and its progress on the terminal."""

    app: Flask
    seconds: float
    seed: int
    say: Say
    started: float

    def step(self, words: str) -> None:
        """Print a line with the time since the start."""
        self.say(f"[{time.monotonic() - self.started:5.0f} s] {words}")


class _Eve:
    """A clock that stands at the beginning of the demonstrated week."""

    def __init__(self, instant: datetime) -> None:
        self._instant = instant

    def now(self) -> datetime:
        return self._instant


def prepare(app: Flask, *, seconds: float, seed: int, say: Say) -> None:
    """Bring the demonstration up: schema, network, history, forecast, published week, accounts, a day under way.

    `seconds` is the solving time of the week, `seed` draws everything that is drawn. Steps that were done before
    are not repeated.
    """
    run = Preparation(app, seconds, seed, say, time.monotonic())
    run.step("database ...")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    upgrade()
    marks = _marks()
    if marks.get("ready"):
        write(lambda session: resume(session, app.extensions["settings"].demo_speed or 60.0))
        run.step("the demonstration is there already; it goes on where it stopped")
    else:
        first_day = date.fromisoformat(str(marks["day"])) if "day" in marks else demo_day(datetime.now(UTC))
        _mark(day=first_day.isoformat())
        # Prepared as somebody would have on the eve of the week: nothing of it has begun yet.
        usual, app.extensions["clock"] = app.extensions["clock"], _Eve(local_instant(week_of(first_day), 0))
        _network(run)
        _history(run, first_day)
        _week(run, first_day)
        _live_day(run, first_day)
        app.extensions["clock"] = usual
        _mark(ready=True)
        _say_outlook(run)
    _figures(run)
    _accounts(run)


def demo_day(real: datetime) -> date:
    """The first simulated day: the next day from `real` on which offices and vans both work.

    Late in the week the next week is shown, so that there is always most of a week ahead.
    """
    day = local_day(real)
    while not is_working_day(day) or (day - week_of(day)).days > 3:
        day += timedelta(days=1)
    return day


def _network(run: Preparation) -> None:
    if _marks().get("network"):
        return
    files = os.environ.get("NETWORK", "").split()
    now = datetime.now(UTC)
    if files:
        run.step(f"network from {', '.join(files)} ...")
        report = write(lambda session: importing.import_files(session, [Path(f) for f in files], now=now))
        for fault in report.faults:
            run.say(f"         {fault.file}, line {fault.line}, {fault.column}: {fault.reason}")
        run.step(str(report))
    else:
        run.step("national network ...")
        run.step(str(write(lambda session: national.build(session, seed=run.seed, now=now))))
    _mark(network=True)


def _history(run: Preparation, first_day: date) -> None:
    from fleet.simulation.history import load_history

    if _marks().get("history"):
        return
    run.step(f"{WEEKS} past weeks of tickets ...")
    load_history(
        run.app.extensions["writer"],
        seed=run.seed,
        until=week_of(first_day) - timedelta(days=1),
        now=local_instant(week_of(first_day), 0),
        weeks=WEEKS,
        detailed_weeks=DETAILED_WEEKS,
        progress=lambda words: run.step(f"  {words}"),
    )
    write(
        lambda session: learn(session, list(session.scalars(sa.select(Queue.id))), before=week_of(first_day))
    )
    _mark(history=True)


def _week(run: Preparation, first_day: date) -> None:
    from web.nightly import forecast_week, recall_week
    from web.solving import new_draft, solve_now

    if _marks().get("plan"):
        return
    week = week_of(first_day)
    before = local_instant(week, 0)
    run.step("congestion measured; forecasting the week and valuing every possible visit ...")
    run.step("  " + forecast_week(week, before))
    recall_week(week - timedelta(days=7), before)
    run.step(f"planning a week for the whole fleet, {run.seconds:.0f} s of solving ...")
    plan_id = new_draft(week, seconds=run.seconds, seed=run.seed, actor="demonstration")
    solve_now(plan_id, progress=_Solving(run))
    made = read().get(Plan, plan_id, populate_existing=True)
    if made is None or made.status != "draft":
        raise RuntimeError(f"the week could not be planned: {made.message if made else 'the plan is gone'}")
    run.step(
        f"  {made.hours_saved or 0:,.0f} person-hours saved in the week; the biggest towns in turn would save "
        f"{made.baseline_hours or 0:,.0f}"
    )
    report = write(
        lambda session: publish(session, session.get_one(Plan, plan_id), actor="demonstration", now=before)
    )
    run.step(f"published: {len(report.created)} visits, each with its queue")
    _mark(plan=plan_id)
    _played(run, plan_id, before)


def _played(run: Preparation, plan_id: int, now: datetime) -> None:
    """Begin to play the week against its baselines in a process of its own; what it brings is said once it is known."""
    from web.planner import outlook

    plan = read().get_one(Plan, plan_id, populate_existing=True)
    outlook.played(read(), plan, now=now)
    run.step(
        "playing the week citizen by citizen beside it, against no centers and against the biggest towns ..."
    )


def _say_outlook(run: Preparation) -> None:
    """What the playing of the week has found, when it is done by now."""
    from web.planner import outlook

    plan = read().get(Plan, int(str(_marks().get("plan", 0))))
    answer = outlook.known(read(), plan) if plan is not None else None
    if answer is not None:
        ours, more = answer["saved_against_no_vans"], answer["saved_against_towns"]
        run.step(
            f"the week played {answer['runs']} times: {ours['mean']:,.0f} person-hours saved ({ours['low']:,.0f} to "
            f"{ours['high']:,.0f}), {more['mean']:,.0f} ({more['low']:,.0f} to {more['high']:,.0f}) more than the towns"
        )


def _figures(run: Preparation) -> None:
    """The public figures of the days that are over, unless a night has counted them."""
    from fleet import figures
    from web.figures import renew

    if figures.kept(read()) is None:
        run.step(renew(clock.now(), play=False))


class _Solving:
    """The solver's progress on the terminal: a line every few seconds, not one for each of its own."""

    EVERY_S = 5.0

    def __init__(self, run: Preparation) -> None:
        self._run, self._told = run, 0.0

    def __call__(self, progress: dict[str, object]) -> None:
        if time.monotonic() - self._told < self.EVERY_S and progress.get("phase") != "done":
            return
        self._told = time.monotonic()
        words, objective, gap = "", progress.get("objective"), progress.get("gap")
        if isinstance(objective, int | float):
            words = f"  {objective / 10:,.0f} person-hours after driving"
        if isinstance(gap, int | float):
            words += f", proven to be at most {100 * gap:.2f}% below the best possible"
        self._run.step(words)


def _live_day(run: Preparation, first_day: date) -> None:
    from fleet.simulation.conductor import prime

    start = local_instant(first_day, START_MINUTE)
    run.step("the morning of the first day ...")
    day = week_of(first_day)
    while day <= first_day:  # days of the week before the one that is shown are played to their end
        until = start if day == first_day else local_instant(day, 18 * 60)
        prime(run.app.extensions["writer"], day, now=until, seed=run.seed)
        day += timedelta(days=1)
    anchor = DemoClock(datetime.now(UTC), start, run.app.extensions["settings"].demo_speed or 60.0)
    write(lambda session: session.merge(Setting(key=clock.KEY, value=anchor.to_dict())))


def _accounts(run: Preparation) -> None:
    """The four accounts, a kiosk and a board at the clerk's site."""
    settings = run.app.extensions["settings"]
    now = clock.now()
    session = read()
    known = {account.name: account for account in session.scalars(sa.select(Account))}
    site = _site_for_clerk()
    password = settings.demo_password or secrets.token_urlsafe(9)
    if "planner" not in known:
        queue_id = session.scalar(sa.select(SiteQueue.queue_id).where(SiteQueue.site_id == site.id))
        agency = "CSO"

        def make(session: sa.orm.Session) -> tuple[str, str]:
            add_account(session, "planner", password, "planner", now=now)
            add_account(session, "supervisor", password, "supervisor", now=now, site_id=site.id)
            add_account(session, "clerk", password, "clerk", now=now, site_id=site.id)
            add_account(session, "agency", password, "agency", now=now, agency_code=agency)
            return (
                new_token(session, "kiosk", now=now, queue_id=queue_id, label="demonstration"),
                new_token(session, "board", now=now, queue_id=queue_id, label="demonstration"),
            )

        kiosk, board = write(make)
        _mark(kiosk=kiosk, board=board, site=site.id)
        shown = password
    else:
        shown = "as printed the first time (set DEMO_PASSWORD to change it)"
        if settings.demo_password:
            shown = settings.demo_password
            stale = [a.id for a in known.values() if not check_password(a, settings.demo_password)]

            def change(session: sa.orm.Session) -> None:
                for number in stale:
                    set_password(session.get_one(Account, number), settings.demo_password)

            write(change)
    marks = _marks()
    site = read().get_one(Site, int(str(marks["site"])))
    base = f"http://localhost:{settings.port}"
    run.say("")
    run.say(f"  Citizens    {base}/            (English: {base}/en/)")
    run.say(f"  Staff       {base}/login       planner, supervisor, clerk, agency; password: {shown}")
    run.say(f"              the clerk and the supervisor work at: {site.name_en} · {site.name_ar}")
    run.say(f"  Kiosk       {base}/kiosk/{marks['kiosk']}")
    run.say(f"  TV board    {base}/board/{marks['board']}")
    run.say("")


def _site_for_clerk() -> Site:
    """A lively place to try the clerk's screen: a fixed center with three desks or more and the heaviest forecast."""
    marks = _marks()
    if "site" in marks:
        return read().get_one(Site, int(str(marks["site"])))
    day = date.fromisoformat(str(marks["day"]))
    desks = sa.select(sa.func.count()).where(Desk.queue_id == Queue.id).scalar_subquery()
    chosen = read().scalar(
        sa.select(Site)
        .join(SiteQueue, SiteQueue.site_id == Site.id)
        .join(Queue, Queue.id == SiteQueue.queue_id)
        .join(ForecastHour, ForecastHour.queue_id == Queue.id)
        .where(Site.kind == "fixed", ForecastHour.day == day, desks >= 3)
        .group_by(Site.id)
        .order_by(sa.func.sum(ForecastHour.level).desc(), sa.func.sum(ForecastHour.arrivals).desc(), Site.id)
        .limit(1)
    )
    if chosen is None:
        chosen = read().scalars(sa.select(Site).where(Site.kind == "fixed").order_by(Site.id).limit(1)).one()
    return chosen


def _marks() -> dict[str, object]:
    row = read().get(Setting, MARKS, populate_existing=True)
    return dict(row.value) if row else {}


def _mark(**news: object) -> None:
    value = {**_marks(), **news}
    write(lambda session: session.merge(Setting(key=MARKS, value=value)))
