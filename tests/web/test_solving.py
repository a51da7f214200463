"""The solver's child process: it is watched, stopped, failed and cleaned up after, whatever happens to it."""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import FleetError
from fleet.forecast import make_forecast
from fleet.planning.blobs import decode
from fleet.store import Plan
from queueing.store import Outbox
from routing.problem import Matrix, Road
from tests.routing.routers.osrmserver import serving
from tests.web import world as cast
from tests.web.planned import WEEK
from web import roads, solving

WAITS_FOR_STOP = """
import json, signal, sys, threading
asked = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: asked.set())
print(json.dumps({"elapsed": 0.1, "phase": "columns", "objective": 5, "bound": 9, "gap": 0.5}), flush=True)
assert asked.wait(60), "nobody asked to stop"
from routing.problem import load
from routing.solution import save
from routing.solve import solve
save(solve(load(sys.argv[1]), iterations=2, seed=1, threads=1), sys.argv[2])
"""
"""A solver that improves for ever and keeps its best when it is told to stop."""
BREAKS_DOWN = "import sys; print('no memory left', file=sys.stderr); sys.exit(3)"
WRITES_NONSENSE = "import sys; open(sys.argv[2], 'w').write('{\"routes\": 7}')"
WRITES_NOTHING = ""


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    """The application with its context and a forecast, ready to draft."""
    with app.app_context():
        app.extensions["writer"](lambda session: make_forecast(session, WEEK, now=cast.NOW))
        yield app


@pytest.fixture
def solver(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`solver(code)` puts a Python program in the solver's place; it gets the problem's and the plan's paths."""

    def replace(code: str) -> None:
        def command(problem_path: Path, out_path: Path, **_: Any) -> list[str]:
            return [sys.executable, "-c", code, str(problem_path), str(out_path)]

        monkeypatch.setattr(planner, "solver_command", command)

    return replace


def plan_of(app: Flask, plan_id: int) -> Plan:
    with Session(app.extensions["writer"].engine) as session:
        plan = session.get(Plan, plan_id)
        assert plan is not None
        return plan


def travel_of(app: Flask, plan_id: int) -> tuple[Any, str]:
    """Return how the plan's problem travels, and what its page says of that."""
    with Session(app.extensions["writer"].engine) as session, app.test_request_context():
        plan = session.get_one(Plan, plan_id)
        return decode(plan.problem).problem.travel, roads.said(plan)


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for a condition of another thread; fails when it does not come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def draft(actor: str = "planner", seconds: float = 5) -> int:
    return solving.new_draft(WEEK, seconds=seconds, seed=1, actor=actor)


def test_the_real_solver_makes_a_draft_with_visits(context: Flask) -> None:
    """The whole way: problem file, child process, progress, checked plan, visits; and no file is left."""
    heard: list[dict[str, Any]] = []
    plan_id = draft()
    assert solving.solve_now(plan_id, progress=heard.append) == "draft"
    plan = plan_of(context, plan_id)
    assert plan.hours_saved is not None and plan.hours_saved > 0
    assert plan.objective is not None and heard and heard[-1]["objective"] == plan.objective
    folder: Path = context.extensions["settings"].data_dir / "solving"
    assert list(folder.iterdir()) == []


def test_driving_times_of_a_router_reach_the_plan_and_the_planner(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ROUTER_URL the draft is solved on the server's table, kept in the data folder, and the page says so."""
    with serving() as server:
        settings = dataclasses.replace(context.extensions["settings"], router_url=server.url)
        monkeypatch.setitem(context.extensions, "settings", settings)
        plan_id = draft()
        assert solving.solve_now(plan_id) == "draft"
        asked = len(server.asked)
        travel, told = travel_of(context, plan_id)
        assert isinstance(travel, Matrix) and "OSRM" in told
        assert list((settings.data_dir / "roads").glob("*.npz")) and asked
        assert solving.solve_now(draft()) == "draft"
        assert len(server.asked) == asked, "the second draft asks nothing"


def test_a_router_that_is_away_does_not_stop_planning(
    context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as server:
        url = server.url
    settings = dataclasses.replace(context.extensions["settings"], router_url=url)
    monkeypatch.setitem(context.extensions, "settings", settings)
    plan_id = draft()
    assert solving.solve_now(plan_id) == "draft"
    travel, told = travel_of(context, plan_id)
    assert isinstance(travel, Road) and ("formula" in told or "معادلة" in told)


def test_progress_is_announced_on_the_plans_topic(context: Flask) -> None:
    """Screens that watch the plan hear `progress` with rising seq, the last one saying that the draft is there."""
    plan_id = draft()
    solving.solve_now(plan_id)
    with Session(context.extensions["writer"].engine) as session:
        rows = session.scalars(
            select(Outbox).where(Outbox.topic == f"plan:{plan_id}").order_by(Outbox.id)
        ).all()
    assert [row.seq for row in rows] == sorted({row.seq for row in rows})
    assert rows[-1].part == "progress" and rows[-1].data["status"] == "draft"
    assert all("pid" not in row.data.get("progress", {}) for row in rows)


def test_a_stop_in_another_process_ends_the_search_and_keeps_the_best(
    context: Flask, solver: Callable[[str], None]
) -> None:
    """Only the mark on the plan is set, as another process would; the watcher sees it and the best plan is taken."""
    solver(WAITS_FOR_STOP)
    plan_id = solving.start_draft(WEEK, seconds=600, seed=1, actor="planner")
    until(lambda: plan_of(context, plan_id).progress.get("bound") == 9)

    def mark(session: Session) -> None:
        plan = session.get(Plan, plan_id)
        assert plan is not None
        plan.stop_requested = True

    context.extensions["writer"](mark)
    until(lambda: plan_of(context, plan_id).status != "solving")
    assert plan_of(context, plan_id).status == "draft"


def test_stop_says_whether_there_was_anything_to_stop(context: Flask, solver: Callable[[str], None]) -> None:
    """A running solve is stopped; a finished one is not."""
    solver(WAITS_FOR_STOP)
    plan_id = solving.start_draft(WEEK, seconds=600, seed=1, actor="planner")
    assert solving.stop(plan_id) is True
    until(lambda: plan_of(context, plan_id).status == "draft")
    assert solving.stop(plan_id) is False


def test_one_solve_at_a_time(context: Flask, solver: Callable[[str], None]) -> None:
    """A second draft is refused with the running one named, and nothing of it remains."""
    solver(WAITS_FOR_STOP)
    first = solving.start_draft(WEEK, seconds=600, seed=1, actor="planner")
    with pytest.raises(FleetError) as refused:
        draft()
    assert refused.value.code == "solve_running" and refused.value.details["plan"] == first
    solving.stop(first)
    until(lambda: plan_of(context, first).status == "draft")
    with Session(context.extensions["writer"].engine) as session:
        assert session.scalars(select(Plan.id)).all() == [first]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (BREAKS_DOWN, "solver_ended: code 3. no memory left"),
        (WRITES_NOTHING, "no_plan"),
        (WRITES_NONSENSE, "bad_solution"),
    ],
)
def test_a_failing_solver_fails_the_draft_in_words(
    context: Flask, solver: Callable[[str], None], code: str, message: str
) -> None:
    """Whatever the child does, the plan ends as failed with the reason, never half done."""
    solver(code)
    plan_id = draft()
    assert solving.solve_now(plan_id) == "failed"
    assert plan_of(context, plan_id).message.startswith(message)


def test_the_child_gets_no_secrets(
    context: Flask, solver: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the key of sessions nor the database's address is in the child's environment."""
    monkeypatch.setenv("SECRET_KEY", "s3cret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@h/d")
    solver("import os, sys; sys.exit(4 if {'SECRET_KEY', 'DATABASE_URL'} & set(os.environ) else 5)")
    plan_id = draft()
    solving.solve_now(plan_id)
    assert plan_of(context, plan_id).message.startswith("solver_ended: code 5")


def test_the_solver_yields_to_pages(context: Flask, solver: Callable[[str], None]) -> None:
    """The child runs at a lower priority than the server, so that pages stay quick."""
    solver("import os, sys; sys.exit(10 + os.nice(0))")
    plan_id = draft()
    solving.solve_now(plan_id)
    wanted = min(19, os.nice(0) + int(solving.NICE))
    assert plan_of(context, plan_id).message.startswith(f"solver_ended: code {10 + wanted}")


def test_orphans_are_failed_and_watched_plans_are_not(context: Flask, solver: Callable[[str], None]) -> None:
    """A plan whose server died is marked; the one that a thread here solves goes on."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    orphan = draft()

    def left_by_a_dead_server(session: Session) -> None:
        plan = session.get(Plan, orphan)
        assert plan is not None
        plan.progress = {
            "phase": "columns",
            "beat": time.time(),
            "host": socket.gethostname(),
            "pid": gone.pid,
        }

    context.extensions["writer"](left_by_a_dead_server)
    assert solving.fail_orphans() == [orphan]
    assert plan_of(context, orphan).status == "failed"
    assert plan_of(context, orphan).message.startswith("interrupted")
    solver(WAITS_FOR_STOP)
    running = solving.start_draft(WEEK, seconds=600, seed=1, actor="planner")
    assert solving.fail_orphans() == []
    solving.stop(running)
    until(lambda: plan_of(context, running).status == "draft")


@pytest.mark.parametrize("seconds", [0.5, 3601])
def test_the_time_has_limits(context: Flask, seconds: float) -> None:
    """A search of no time or of hours is refused before anything is created."""
    with pytest.raises(FleetError) as refused:
        draft(seconds=seconds)
    assert refused.value.code == "solve_seconds"


def test_two_planners_pressing_at_once_start_one_solve(context: Flask, solver: Callable[[str], None]) -> None:
    """Two threads ask at the same instant: one draft begins, the other is told to wait."""
    solver(WAITS_FOR_STOP)
    gate, codes, made = threading.Barrier(2), [], []

    def press() -> None:
        with context.app_context():
            gate.wait()
            try:
                made.append(solving.start_draft(WEEK, seconds=600, seed=1, actor="planner"))
            except FleetError as error:
                codes.append(error.code)

    threads = [threading.Thread(target=press) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and codes == ["solve_running"]
    solving.stop(made[0])
    until(lambda: plan_of(context, made[0]).status == "draft")
