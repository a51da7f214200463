"""Scheduled work: due in the product's time, once, by one leader, clock changes included."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from tests.web.world import StillClock
from web import jobs
from web.jobs import CAIRO, Job, Scheduler, cron, due, next_run
from web.leader import FileLeadership


def cairo(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=CAIRO)  # type: ignore[arg-type, misc]


def job(name: str = "nightly", **fields: int | str) -> Job:
    return Job(name, "for a test", cron(**fields), lambda now: None)


def test_job_is_due_when_its_time_has_passed_since_its_last_run() -> None:
    """A nightly job last run yesterday is due after 02:10 and not before."""
    nightly = job(hour=2, minute=10)
    last = {"nightly": cairo(2026, 11, 21, 2, 10)}
    assert due((nightly,), last, cairo(2026, 11, 22, 2, 9, 59)) == []
    assert due((nightly,), last, cairo(2026, 11, 22, 2, 10)) == [nightly]


def test_runs_missed_while_the_server_was_down_are_one_run() -> None:
    """Five nights missed: due once, and not again after that run is noted."""
    nightly = job(hour=2, minute=10)
    now = cairo(2026, 11, 22, 9)
    assert due((nightly,), {"nightly": cairo(2026, 11, 17, 2, 10)}, now) == [nightly]
    assert due((nightly,), {"nightly": now}, now) == []


def test_a_job_in_the_hour_that_does_not_exist_still_runs_once() -> None:
    """Cairo leaps from 00:00 to 01:00 on 24 April 2026: a job at 00:30 runs once that day, after the leap."""
    early = job(hour=0, minute=30)
    at = next_run(early, cairo(2026, 4, 23, 0, 30))
    assert at is not None
    assert at.astimezone(UTC) <= datetime(2026, 4, 24, 21, 30, tzinfo=UTC)
    after = next_run(early, at)
    assert after is not None
    assert timedelta(hours=20) <= after - at <= timedelta(hours=26)


def test_a_job_in_the_hour_that_comes_twice_runs_once_a_day() -> None:
    """23:50 happens twice on 29 October 2026: forgotten tickets are closed that night and the next."""
    closing = job(hour=23, minute=50)
    runs = []
    last = cairo(2026, 10, 28, 23, 50)
    moment = datetime(2026, 10, 29, 12, tzinfo=UTC)
    while moment < datetime(2026, 10, 30, 22, 30, tzinfo=UTC):
        if due((closing,), {"nightly": last}, moment):
            runs.append(moment)
            last = moment
        moment += timedelta(minutes=1)
    nights = {run.astimezone(CAIRO).date() for run in runs}
    assert len(nights) == 2
    assert len(runs) <= 3  # a second closing in the repeated hour finds nothing left to close


def test_file_lock_has_one_holder_and_is_given_back_by_a_dead_process(tmp_path: Path) -> None:
    """Another process cannot lead while we do; when the holder dies, the next one can."""
    path = tmp_path / "leader.lock"
    program = (
        "import sys; from pathlib import Path; from web.leader import FileLeadership;"
        f"lock = FileLeadership(Path({str(path)!r})); print(lock.acquire(), flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "True"
    mine = FileLeadership(path)
    assert not mine.acquire()
    holder.kill()
    holder.wait()
    assert mine.acquire()
    assert mine.acquire()  # still the leader: asking again is harmless
    mine.release()


@pytest.fixture
def two_schedulers(app: Flask, tmp_path: Path) -> tuple[Scheduler, Scheduler, list[datetime]]:
    ran: list[datetime] = []
    minutely = (Job("minutely", "for a test", cron(minute="*"), ran.append),)
    path = tmp_path / "leader.lock"
    first = Scheduler(app, FileLeadership(path), minutely)
    second = Scheduler(app, FileLeadership(path), minutely)
    return first, second, ran


def test_of_two_schedulers_one_runs_each_job(
    two_schedulers: tuple[Scheduler, Scheduler, list[datetime]],
    clock: StillClock,
) -> None:
    """Both beat every second for three minutes: the job runs three times, not six; then the other takes over."""
    first, second, ran = two_schedulers
    first.beat()
    second.beat()
    for _second in range(180):
        clock.advance(seconds=1)
        first.beat()
        second.beat()
    assert len(ran) == 3
    first.stop()
    clock.advance(seconds=60)
    second.beat()
    assert len(ran) == 4, "the new leader knows the last runs and does what is due"
    second.stop()


def test_a_failing_job_does_not_stop_the_others(app: Flask, tmp_path: Path, clock: StillClock) -> None:
    """One job raises each time; its neighbour still runs."""
    ran: list[datetime] = []

    def fail(now: datetime) -> None:
        raise RuntimeError("on purpose")

    both = (Job("bad", "", cron(minute="*"), fail), Job("good", "", cron(minute="*"), ran.append))
    scheduler = Scheduler(app, FileLeadership(tmp_path / "l.lock"), both)
    scheduler._runs = {"bad": clock.now(), "good": clock.now()}
    with app.app_context():
        clock.advance(minutes=2)
        assert scheduler._round(clock.now()) == ["bad", "good"]
    assert len(ran) == 1
    scheduler.stop()


def test_every_job_of_the_table_has_a_next_run() -> None:
    """The table is well formed: names are unique and each trigger fires."""
    names = [job.name for job in jobs.DEMO_JOBS]
    assert len(names) == len(set(names))
    for entry in jobs.DEMO_JOBS:
        assert next_run(entry, datetime(2026, 11, 22, tzinfo=UTC)) is not None


def test_only_the_demonstration_publishes_by_itself(app: Flask) -> None:
    """An installation's own table holds no job that publishes: nothing is published by accident."""
    assert not app.extensions["settings"].demo_speed
    assert all("publish" not in entry.name for entry in jobs.jobs_of(app))
