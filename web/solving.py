"""The solver's child process: started, watched, stopped and cleaned up after, one at a time.

A solve holds Python's lock for seconds at a stretch, so it never runs in a process that serves pages. The child says
how far it is on its standard output; a thread here (or the caller, on the command line) stores that on the plan, from
where every screen of every process hears of it. `stop` only marks the plan: who watches the child sees the mark.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import queue
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import Conflict, FleetError, Invalid, NotFound
from fleet.forecast import compute_forecast, is_forecast, keep_forecast
from fleet.store import Plan
from queueing.events import announce
from web import clock, roads
from web.db import write

LOG = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parent.parent
WRITE_S = 0.5
"""At most one progress report in this many seconds: two writes a second."""
BEAT_S = 4.0
"""A silent child's plan is still touched this often, so that other processes know that somebody watches it."""
LOST_S = 30.0
"""A plan of another machine not touched for this long has lost its watcher."""
STOP_GRACE_S = 60.0
"""How long a child that was asked to stop may take to write its best plan."""
NICE = "5"
MIN_SECONDS, MAX_SECONDS = 1.0, 3600.0
ONE_SOLVE_KEY = 7_107_002
"""Key of the PostgreSQL advisory lock under which a solve is begun."""

Progress = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class _Run:
    """A child that this process watches."""

    child: subprocess.Popen[str] | None = None
    stop: bool = False


_runs: dict[int, _Run] = {}
_runs_lock = threading.Lock()


def new_draft(
    week: date, *, seconds: float, seed: int, actor: str, from_plan_id: int | None = None, weeks: int = 1
) -> int:
    """Reserve a draft to be solved and return its id; `from_plan_id` is the plan whose pins are kept.

    Takes moments: what the plan answers is built by `solve_now`. Raises FleetError `solve_running` while another plan
    is being solved, `solve_seconds` for a limit out of range, and what `reserve_draft` raises.
    """
    _check_seconds(seconds)
    now = clock.now()

    def work(session: Session) -> int:
        _one_at_a_time(session)
        source = session.get(Plan, from_plan_id) if from_plan_id is not None else None
        if from_plan_id is not None and source is None:
            raise NotFound("plan_not_found", f"there is no plan {from_plan_id}")
        plan = planner.reserve_draft(
            session, week, seconds=seconds, seed=seed, actor=actor, now=now, from_plan=source, weeks=weeks
        )
        plan.progress = {"phase": "waiting", "from_plan": from_plan_id, **_mark()}
        session.flush()
        return plan.id

    return write(work)


def start_draft(
    week: date, *, seconds: float, seed: int, actor: str, from_plan_id: int | None = None, weeks: int = 1
) -> int:
    """Create a draft and solve it in the background; returns its id at once. Raises as `new_draft`."""
    plan_id = new_draft(week, seconds=seconds, seed=seed, actor=actor, from_plan_id=from_plan_id, weeks=weeks)
    _in_background(plan_id)
    return plan_id


def new_scenario_run(plan_id: int, *, seconds: float, seed: int) -> None:
    """Let a scenario wait for `solve_now`. Raises as `new_draft` does, and what `reserve_scenario` raises."""
    _check_seconds(seconds)

    def work(session: Session) -> None:
        _one_at_a_time(session)
        plan = session.get(Plan, plan_id)
        if plan is None:
            raise NotFound("plan_not_found", f"there is no plan {plan_id}")
        planner.reserve_scenario(session, plan, seconds=seconds, seed=seed)
        plan.progress = {"phase": "waiting", **_mark()}
        _announce(session, plan)

    write(work)


def start_scenario(plan_id: int, *, seconds: float, seed: int) -> None:
    """Solve a scenario in the background. Raises as `new_scenario_run`."""
    new_scenario_run(plan_id, seconds=seconds, seed=seed)
    _in_background(plan_id)


def _check_seconds(seconds: float) -> None:
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        words = f"the time must be between {MIN_SECONDS:g} and {MAX_SECONDS:g} seconds"
        raise Invalid("solve_seconds", words)


def _in_background(plan_id: int) -> None:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def run() -> None:
        with app.app_context():
            solve_now(plan_id)

    with _runs_lock:
        _runs[plan_id] = _Run()  # known before the thread starts, or the plan could pass for an orphan
    threading.Thread(target=run, name=f"solve-{plan_id}", daemon=True).start()


def solve_now(plan_id: int, *, progress: Progress | None = None) -> str:
    """Solve a reserved draft or scenario here and return its status: `draft`, `solved` or `failed`.

    `progress` hears each report.

    Never leaves the plan `solving`: whatever goes wrong is noted on it in words.
    """
    with _runs_lock:
        run = _runs.setdefault(plan_id, _Run())
    folder: Path = current_app.extensions["settings"].data_dir / "solving" / f"plan-{plan_id}"
    try:
        _solve(plan_id, run, folder, progress)
    except _Discarded:
        LOG.info("plan %s was discarded while it was solved", plan_id)
    except FleetError as error:
        _fail(plan_id, f"{error.code}: {error.message}")
    except _Failed as error:
        _fail(plan_id, str(error))
    except BaseException as error:
        LOG.exception("solving plan %s failed", plan_id)
        _fail(plan_id, f"internal: {type(error).__name__}")
        if not isinstance(error, Exception):
            raise
    finally:
        _end(run.child)
        with _runs_lock:
            _runs.pop(plan_id, None)
        shutil.rmtree(folder, ignore_errors=True)
    return _status(plan_id)[0]


def stop(plan_id: int) -> bool:
    """Ask the solve of a plan to end and keep its best; False when it is not being solved. Works from any process."""

    def work(session: Session) -> bool:
        plan = session.get(Plan, plan_id)
        if plan is None or plan.status != "solving":
            return False
        if not plan.stop_requested:
            plan.stop_requested = True
            _announce(session, plan)
        return True

    asked = write(work)
    with _runs_lock:
        run = _runs.get(plan_id)
    if asked and run is not None:
        run.stop = True
    return asked


def fail_orphans() -> list[int]:
    """Mark plans as failed whose watcher is gone (a stopped server); returns their ids. Called by a new leader."""
    return write(lambda session: _orphans(session))


class _Failed(Exception):
    """The child did not give a plan; the text is `code: detail`."""


class _Discarded(Exception):
    """Somebody threw the plan away meanwhile."""


def _one_at_a_time(session: Session) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_SOLVE_KEY})
    _orphans(session)
    other = session.scalar(sa.select(Plan).where(Plan.status == "solving").limit(1))
    if other is not None:
        raise Conflict("solve_running", "another week is being planned just now", plan=other.id)


def _orphans(session: Session) -> list[int]:
    found = [
        plan
        for plan in session.scalars(sa.select(Plan).where(Plan.status == "solving"))
        if not _watched(plan.id, plan.progress or {})
    ]
    for plan in found:
        planner.fail_draft(
            session, plan, "interrupted: the server was stopped while it planned", now=clock.now()
        )
        _announce(session, plan)
    return [plan.id for plan in found]


def _watched(plan_id: int, progress: Mapping[str, Any]) -> bool:
    host, pid = progress.get("host"), progress.get("pid")
    fresh = time.time() - float(progress.get("beat", 0.0)) < LOST_S
    if host != socket.gethostname() or not isinstance(pid, int):
        return fresh
    if pid == os.getpid():
        with _runs_lock:
            return plan_id in _runs or (fresh and progress.get("phase") == "waiting")
    # A number may have been given to another program since: alive is not enough.
    return fresh and _alive(pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _mark() -> dict[str, Any]:
    return {"beat": round(time.time(), 1), "host": socket.gethostname(), "pid": os.getpid()}


def _solve(plan_id: int, run: _Run, folder: Path, progress: Progress | None) -> None:
    now = clock.now()
    _forecast_missing(plan_id, now)
    # Seconds of arithmetic for a country: from a snapshot, without the write lock that clerks need.
    with Session(current_app.extensions["writer"].engine) as session:
        plan = session.get(Plan, plan_id)
        if plan is None:
            raise NotFound("plan_not_found", f"there is no plan {plan_id}")
        source_id = plan.progress.get("from_plan")
        source = session.get(Plan, source_id) if source_id is not None else None
        prepared = planner.prepare(session, plan, now=now, from_plan=source, driving=roads.installed())
        seconds, seed = plan.seconds, plan.seed
    write(lambda session: planner.fill_draft(session, _still_solving(session, plan_id), prepared))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "problem.json.gz").write_bytes(prepared.problem)
    if prepared.start:
        (folder / "start.json.gz").write_bytes(prepared.start)
    with (folder / "errors.txt").open("w+") as errors:
        run.child = _spawn(folder, seconds, seed, errors)
        code = _watch(plan_id, run, run.child, seconds, progress)
        errors.seek(0)
        said = errors.read().strip()
    if code != 0:
        raise _Failed(f"solver_ended: code {code}. {said[-400:]}".strip())
    try:
        answer = json.loads((folder / "plan.json").read_bytes())
    except (OSError, ValueError) as error:
        raise _Failed(f"no_plan: {type(error).__name__}") from error
    now = clock.now()

    with Session(current_app.extensions["writer"].engine) as session:
        solved = planner.prepare_solution(session, _still_solving(session, plan_id), answer)

    def accept(session: Session) -> None:
        plan = _still_solving(session, plan_id)
        planner.accept_solution(session, plan, answer, now=now, solved=solved)
        _announce(session, plan)

    write(accept)


def _forecast_missing(plan_id: int, now: datetime) -> None:
    """Forecast the weeks of the plan that the nightly job has not come to yet: a horizon reaches further."""
    with Session(current_app.extensions["writer"].engine) as session:
        plan = session.get(Plan, plan_id)
        weeks = planner.weeks_of(plan) if plan is not None else []
        missing = [week for week in weeks if not is_forecast(session, week)]
        made = [compute_forecast(session, week, now=now) for week in missing]
    for forecast in made:
        write(lambda session, forecast=forecast: keep_forecast(session, forecast))  # type: ignore[misc]


def _spawn(folder: Path, seconds: float, seed: int, errors: IO[str]) -> subprocess.Popen[str]:
    threads = current_app.extensions["settings"].solver_threads
    start = folder / "start.json.gz"
    argv = planner.solver_command(
        folder / "problem.json.gz",
        folder / "plan.json",
        seconds=seconds,
        seed=seed,
        threads=threads,
        start_path=start if start.exists() else None,
    )
    if nice := shutil.which("nice"):
        argv = [nice, "-n", NICE, *argv]
    # Only what Python needs: no database address, no key of sessions.
    kept = {
        k: v
        for k, v in os.environ.items()
        if k in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
    }
    return subprocess.Popen(
        argv, cwd=ROOT, env=kept, text=True, bufsize=1,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
    )  # fmt: skip


def _watch(
    plan_id: int, run: _Run, child: subprocess.Popen[str], seconds: float, progress: Progress | None
) -> int:
    """Store the child's reports until it ends; returns its exit code."""
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read_lines, args=(child.stdout, lines), daemon=True).start()
    deadline = time.monotonic() + seconds * 1.5 + 120.0
    latest: dict[str, Any] = {"phase": "starting"}
    fresh, stored, asked = True, 0.0, False
    ended = False
    while not ended:
        with contextlib.suppress(queue.Empty):
            line = lines.get(timeout=0.2)
            ended = line is None
            if line and (report := _parse(line)) is not None:
                latest, fresh = report, True
                if progress is not None:
                    progress(report)
        moment = time.monotonic()
        if not ended and moment - stored >= (WRITE_S if fresh else BEAT_S):
            _store(plan_id, latest)
            fresh, stored = False, moment
        if not asked and (run.stop or _status(plan_id)[1]):
            asked, deadline = True, min(deadline, moment + STOP_GRACE_S)
            child.terminate()
        if moment > deadline:
            child.kill()
            raise _Failed("too_long: the solver did not end in time")
    return child.wait(timeout=30)


def _read_lines(stream: IO[str] | None, lines: queue.Queue[str | None]) -> None:
    if stream is not None:
        for line in stream:
            lines.put(line)
    lines.put(None)


def _parse(line: str) -> dict[str, Any] | None:
    try:
        report = json.loads(line)
    except ValueError:
        return None
    wanted = ("elapsed", "phase", "objective", "bound", "gap")
    return {key: report.get(key) for key in wanted} if isinstance(report, dict) else None


def _store(plan_id: int, report: Mapping[str, Any]) -> None:
    def work(session: Session) -> None:
        plan = _still_solving(session, plan_id)
        plan.progress = {**report, **_mark()}
        _announce(session, plan)

    write(work)


def _still_solving(session: Session, plan_id: int) -> Plan:
    plan = session.get(Plan, plan_id)
    if plan is None or plan.status != "solving":
        raise _Discarded
    return plan


def _status(plan_id: int) -> tuple[str, bool]:
    with Session(current_app.extensions["writer"].engine) as session:
        row = session.execute(
            sa.select(Plan.status, Plan.stop_requested).where(Plan.id == plan_id)
        ).one_or_none()
        return (row[0], bool(row[1])) if row else ("discarded", True)


def _announce(session: Session, plan: Plan) -> None:
    plan.seq += 1
    shown = {
        k: v
        for k, v in (plan.progress or {}).items()
        if k in ("elapsed", "phase", "objective", "bound", "gap")
    }
    data = {"status": plan.status, "progress": shown}
    announce(session, f"plan:{plan.id}", plan.seq, "progress", data, clock.now())


def _fail(plan_id: int, message: str) -> None:
    def work(session: Session) -> None:
        plan = session.get(Plan, plan_id)
        if plan is not None and plan.status == "solving":
            planner.fail_draft(session, plan, message, now=clock.now())
            _announce(session, plan)

    write(work)


def _end(child: subprocess.Popen[str] | None) -> None:
    if child is None:
        return
    if child.poll() is None:
        child.kill()
        child.wait()
    if child.stdout is not None:
        child.stdout.close()


@atexit.register
def _end_all() -> None:
    """A server that ends takes its solver with it."""
    with _runs_lock:
        children = [run.child for run in _runs.values()]
    for child in children:
        if child is not None and child.poll() is None:
            child.kill()
