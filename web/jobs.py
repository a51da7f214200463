"""Scheduled work: what runs when, in the product's own time, by one leader.

APScheduler beats once a second in every process; only the leader's beat does anything. Each job has a cron trigger in
Africa/Cairo, where clock changes are APScheduler's business, and remembers its last run in the settings table. So a job
missed while the server was down runs once when it comes back, and the same table serves the accelerated clock of the
demonstration. Heavy work goes to a child process, so that pages stay quick.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from flask import Flask, current_app

from fleet import visit_news, warnings
from fleet.calendar import local_day
from fleet.days import AT_ONCE, run_day_transitions
from fleet.planning.repair import return_centers
from fleet.store import Setting
from fleet.tracking import mark_silent
from queueing import following
from queueing.appointments import ask_and_remind, free_unconfirmed, mark_no_shows
from queueing.closing import finish_closing, resume_paused
from queueing.desks import close_forgotten
from queueing.journal import leases
from queueing.journeys import follow_all
from queueing.near import tell_near
from web import carriers, clock, live, solving
from web.db import read, write
from web.leader import Leadership, leadership
from web.printing.jobs import settle

LOG = logging.getLogger(__name__)
CAIRO = ZoneInfo("Africa/Cairo")
NEWS_AGAIN = timedelta(minutes=10)
"""Coming visits are looked through again after this time also when nothing seems to have changed."""


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of scheduled work. `child` jobs run as `flask jobs run NAME` in a process of their own."""

    name: str
    words: str
    trigger: CronTrigger
    run: Callable[[datetime], object]
    child: bool = False


def cron(**fields: str | int) -> CronTrigger:
    """A cron trigger in Cairo's local time."""
    return CronTrigger(timezone=CAIRO, **fields)


def open_and_close(now: datetime) -> object:
    """Open and close queues, desks and visits that are due."""
    changed = 0
    while True:
        done = write(lambda session: run_day_transitions(session, now=now, most=AT_ONCE))
        changed += done.work
        if done.complete:
            return changed


def forgotten(now: datetime) -> object:
    """Close tickets left open from earlier days, and end what vans held of days that are wholly known."""
    write(lambda session: leases.end_old(session, now=now))
    return write(lambda session: close_forgotten(session, now=now))


def silent(now: datetime) -> object:
    """Mark mobile centers on duty that have not been heard from."""
    return write(lambda session: mark_silent(session, now=now))


def returned(now: datetime) -> object:
    """Take centers into service again that were said to be out of action until yesterday."""
    return write(lambda session: return_centers(session, now=now))


def prune(now: datetime) -> object:
    """Delete announcements that no screen will ask for again."""
    return write(lambda session: live.prune(session, now=now))


def life(now: datetime) -> object:
    """What happens to tickets by itself: pauses and closings that are due, appointments, journeys, messages."""
    for work in (resume_paused, finish_closing, free_unconfirmed, mark_no_shows, follow_all):
        write(lambda session, work=work: work(session, now=now))  # type: ignore[misc]
    write(lambda session: ask_and_remind(session, now=now))
    return write(lambda session: tell_near(session, now=now))


def messages(now: datetime) -> object:
    """Write what followers of places and tickets have not heard, and send what waits to be sent."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    stands = (visit_news.signature(read(), now=now), local_day(now))
    told_at: datetime | None = app.extensions.get("visits_told_at")
    if (
        app.extensions.get("visits_told") != stands
        or told_at is None
        or not timedelta(0) <= now - told_at < NEWS_AGAIN
    ):
        while write(lambda session: visit_news.tell_followers(session, now=now)) >= visit_news.AT_ONCE:
            pass
        app.extensions["visits_told"], app.extensions["visits_told_at"] = stands, now
    if news := following.news_of_tickets(read(), now=now):
        write(lambda session: following.tell_news(session, news, now=now))
    return carriers.send_due(now)


def forget(now: datetime) -> object:
    """Forget followers whose time is over, and telephone numbers of tickets that ended long ago."""
    write(lambda session: following.forget_ended(session, now=now))
    while write(lambda session: following.forget_phones(session, now=now)):
        pass
    return None


def warn(now: datetime) -> object:
    """Look at every open line for crowds to come, and hold earlier warnings against what came."""
    write(lambda session: warnings.judge(session, now=now))
    return len(write(lambda session: warnings.look(session, now=now)))


def measure(now: datetime) -> object:
    """Bring the measures of the day up to date."""
    from web.nightly import measure_today

    return measure_today(now)


def forecast(now: datetime) -> object:
    """Nightly: measure yesterday, forecast the coming days, value visits."""
    from web.nightly import make_forecasts

    return make_forecasts(now)


def learn_waits(now: datetime) -> object:
    """Nightly: learn waits anew, and keep what errs least."""
    from web.nightly import refit_waits

    return refit_waits(now)


def check_statistics(now: datetime) -> object:
    """Nightly: count yesterday a second time and compare with what is shown and stored."""
    from web.nightly import check_yesterday

    return check_yesterday(now)


def count_figures(now: datetime) -> object:
    """Nightly: the public figures of the days that are over."""
    from web.figures import renew

    return renew(now)


def end_slips(now: datetime) -> object:
    """Say of slips whose printing was cut off that nobody knows."""
    return write(lambda session: settle(session, now=now))


def weekly_draft(now: datetime) -> object:
    """Draft next week, for a planner to look at and publish."""
    from web.nightly import draft_next_week

    return draft_next_week(now)


def demo_publish(now: datetime) -> object:
    """In the demonstration, publish next week's draft where no planner has."""
    from web.nightly import publish_next_week

    return publish_next_week(now)


JOBS: tuple[Job, ...] = (
    Job("days", "open and close queues and visits", cron(minute="*"), open_and_close),
    Job("life", "appointments, journeys, pauses and messages", cron(minute="*"), life),
    Job("messages", "news for followers; messages on their way", cron(second="*/5"), messages),
    Job("forget", "forget numbers that are no longer needed", cron(hour="*/6", minute=35), forget),
    Job("silent", "mark vans that have gone silent", cron(minute="*/2"), silent),
    Job("warn", "warn of crowds to come", cron(minute="*/5"), warn),
    Job("returned", "take repaired vans into service again", cron(hour=4, minute=30), returned),
    Job("measure", "measure the day's queues", cron(minute="*/15", hour="7-18"), measure, child=True),
    Job("prune", "delete old announcements", cron(minute=20), prune),
    Job("forgotten", "close tickets left open overnight", cron(hour=23, minute=50), forgotten),
    Job("forecast", "nightly forecast and values", cron(hour=2, minute=10), forecast, child=True),
    Job(
        "statistics", "compare statistics with events", cron(hour=2, minute=50), check_statistics, child=True
    ),
    Job("figures", "count the public figures", cron(hour=3, minute=20), count_figures, child=True),
    Job("waits", "learn waits from the last weeks", cron(hour=3, minute=40), learn_waits, child=True),
    Job("slips", "end slips whose printing was cut off", cron(minute="*/5"), end_slips),
    Job(
        "weekly_draft",
        "draft next week",
        cron(day_of_week="wed", hour=20, minute=0),
        weekly_draft,
        child=True,
    ),
)


DEMO_JOBS = (
    *JOBS,
    Job(
        "demo_publish",
        "publish next week's draft (demonstration)",
        cron(day_of_week="fri", hour=12),
        demo_publish,
        child=True,
    ),
)
"""The demonstration goes on from week to week also while nobody looks; an installation never publishes by itself."""


VAN_JOBS = tuple(job for job in JOBS if job.name in ("days", "life", "messages", "prune", "forgotten"))
"""A van's laptop opens and closes its visits; forecasts, plans and measures are headquarters'."""


def jobs_of(app: Flask) -> tuple[Job, ...]:
    """The table that holds for this installation."""
    if app.extensions["settings"].van:
        return VAN_JOBS
    return DEMO_JOBS if app.extensions["settings"].demo_speed else JOBS


def next_run(job: Job, last: datetime) -> datetime | None:
    """When `job` is due after its last run at `last`."""
    return job.trigger.get_next_fire_time(None, last + timedelta(microseconds=1))  # type: ignore[no-any-return]


def due(jobs: tuple[Job, ...], last_runs: dict[str, datetime], now: datetime) -> list[Job]:
    """Jobs whose time has come between their last run and `now`; several missed runs are one."""
    chosen = []
    for job in jobs:
        at = next_run(job, last_runs[job.name]) if job.name in last_runs else None
        if at is not None and at <= now:
            chosen.append(job)
    return chosen


def last_runs(jobs: tuple[Job, ...], now: datetime) -> dict[str, datetime]:
    """Last run of each of `jobs`, from the settings; a job never run counts from `now`."""
    stored = read().get(Setting, "jobs", populate_existing=True)
    value = stored.value if stored else {}
    # A last run later than now was noted before somebody set the clock back: it must not hold the job up.
    return {
        job.name: min(now, datetime.fromisoformat(value[job.name])) if job.name in value else now
        for job in jobs
    }


def remember(runs: dict[str, datetime]) -> None:
    """Keep the last runs."""
    value = {name: at.isoformat() for name, at in runs.items()}

    def store(session: object) -> None:
        session.merge(Setting(key="jobs", value=value))  # type: ignore[attr-defined]

    write(store)


class Scheduler:
    """Beats once a second and runs what is due, in the leader only."""

    def __init__(self, app: Flask, lock: Leadership, jobs: tuple[Job, ...] | None = None) -> None:
        self.app = app
        self.jobs = jobs_of(app) if jobs is None else jobs
        self._lock = lock
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._runs: dict[str, datetime] | None = None
        self._background = BackgroundScheduler(
            timezone=CAIRO, executors={"default": {"type": "threadpool", "max_workers": 1}}
        )

    def start(self) -> None:
        """Begin to beat."""
        self._background.add_job(
            self.beat, "interval", seconds=1, max_instances=1, coalesce=True, misfire_grace_time=None
        )
        self._background.start()

    def stop(self) -> None:
        """End the beat, the children and the leadership."""
        if self._background.running:
            self._background.shutdown(wait=False)
        for child in self._children.values():
            if child.poll() is None:
                child.terminate()
        self._lock.release()

    def beat(self) -> list[str]:
        """One round. Returns the names of the jobs that ran or were started."""
        with self.app.app_context():
            try:
                if not self._lock.acquire():
                    self._runs = None
                    return []
                self._keep_simulated_day()
                return self._round(clock.now())
            except Exception:
                # A job that fails must not end the beat of the others.
                LOG.exception("scheduler: this round failed")
                return []

    def _round(self, now: datetime) -> list[str]:
        if self._runs is None:
            self._runs = last_runs(self.jobs, now)
            remember(self._runs)
            solving.fail_orphans()
        started = []
        for job in due(self.jobs, self._runs, now):
            if job.child and (child := self._children.get(job.name)) is not None and child.poll() is None:
                continue  # the last one is still at work: due again at the next beat
            self._runs[job.name] = now
            started.append(job.name)
            try:
                if job.child:
                    self._children[job.name] = self._spawn("jobs", "run", job.name, nice=10)
                else:
                    job.run(now)
            except Exception:
                LOG.exception("job %s failed", job.name)
        if any(
            job.name in started for job in self.jobs if job.name not in ("days", "life", "messages", "silent")
        ):
            remember(self._runs)
        return started

    def _keep_simulated_day(self) -> None:
        if not self.app.extensions["settings"].demo_speed:
            return
        child = self._children.get("day")
        if child is None or child.poll() is not None:
            if child is not None:
                LOG.warning("the simulated day ended with code %s; starting it again", child.returncode)
            self._children["day"] = self._spawn("day", "run", nice=5)

    def _spawn(self, *words: str, nice: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", *words],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "SCHEDULER": "0"},
            preexec_fn=lambda: os.nice(nice) and None,
        )


def start(app: Flask) -> Scheduler | None:
    """Start the scheduler of this process, unless settings say no."""
    settings = app.extensions["settings"]
    # A beat that is still at work when the next is due is nothing to report: the next one does what is left.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    if not settings.scheduler:
        return None
    with app.app_context():
        lock = leadership(app.extensions["writer"].engine, settings.data_dir)
    scheduler = Scheduler(app, lock)
    scheduler.start()
    return scheduler
