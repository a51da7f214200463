"""The planner's board with a country's week: bytes, answers, verdicts, files, and when a browser can use it.

    python -m tests.bench.bench_board [--centers 107 276] [--seconds 30] [--keep FOLDER]

For each size the built-in network is made with so many mobile centers, a week is forecast and planned for so many
seconds, and the pages are asked for as a planner's browser does. Times are medians of several answers. The browser's
figure is from the press of Enter until every row is drawn and a visit can be picked up, server included.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import func, select
from werkzeug.serving import make_server

from fleet import network as national
from fleet.calendar import local_instant
from fleet.store import Center, Plan, PlanVisit
from queueing.store import Base
from tests.bench.bench_week import WEEK, Eve
from tests.web import world as cast
from web.accounts import add_account
from web.app import create_app
from web.db import read, write
from web.nightly import forecast_week
from web.solving import new_draft, solve_now

MOVES, ANSWERS = 40, 5
CHROMIUM = Path("/usr/bin/chromium")


@dataclass(frozen=True)
class World:
    """A planned week ready for questions."""

    app: Flask
    centers: int
    visits: int
    plan_id: int


def planned(folder: Path, centers: int, seconds: float) -> World:
    """Build the network with so many mobile centers and plan a week; what `folder` has of it is used again."""
    name, ready = f"board-{centers}.db", folder / f"board-{centers}.ready"
    fresh = not ready.exists()
    app = create_app(cast.settings_for(folder, name), time_source=Eve())
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context():
        if fresh:
            now = local_instant(WEEK, 0)
            Base.metadata.create_all(app.extensions["writer"].engine)
            write(lambda s: national.build(s, seed=7, now=now, size=national.Size(mobile=centers)))
            write(lambda s: add_account(s, "planner", cast.PASSWORD, "planner", now=now))
            forecast_week(WEEK, now)
            solve_now(new_draft(WEEK, seconds=seconds, seed=7, actor="bench"))
            ready.touch()
        plan = read().scalars(select(Plan).where(Plan.status == "draft")).one()
        count = (
            read().scalar(select(func.count()).select_from(PlanVisit).where(PlanVisit.plan_id == plan.id))
            or 0
        )
        found = read().scalar(select(func.count()).select_from(Center)) or 0
        return World(app, found, count, plan.id)


@dataclass(frozen=True)
class Spent:
    """Times of answers, ms: on the wall, and of processor time, which a busy machine does not stretch."""

    wall: float
    busy: float


def timed(ask: Callable[[], Any]) -> tuple[Spent, Any]:
    """Return what an answer takes, and the answer. Processor time counts that of processes it waited for."""
    wall, busy, children = time.perf_counter(), time.process_time(), children_s()
    answer = ask()
    busy = time.process_time() - busy + children_s() - children
    return Spent(1000 * (time.perf_counter() - wall), 1000 * busy), answer


def children_s() -> float:
    """Processor seconds of the processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def middle(some: list[Spent]) -> str:
    """The medians in words."""
    wall, busy = statistics.median(one.wall for one in some), statistics.median(one.busy for one in some)
    return f"{wall:.0f} ms, {busy:.0f} of computing"


def pages(world: World) -> Iterator[tuple[str, str]]:
    """Ask for the pages and files; (what, figure)."""
    client = world.app.test_client()
    cast.sign_in(client, "planner")
    base = f"/planner/plans/{world.plan_id}"
    day = WEEK + timedelta(days=1)
    for name, path in (("week board", f"/planner?plan={world.plan_id}"), ("day", f"{base}/day?day={day}")):
        answers = [timed(lambda path=path: client.get(path)) for _n in range(ANSWERS + 1)]  # type: ignore[misc]
        size = len(gzip.compress(answers[-1][1].data, 5))
        yield name, f"{size / 1000:.1f} kB gzipped, {middle([spent for spent, _answer in answers[1:]])}"
    for name in ("week.xlsx", "week.pdf?only=governorates", "week.pdf?only=crews"):
        spent, answer = timed(lambda name=name: client.get(f"{base}/{name}"))  # type: ignore[misc]
        made = f"{len(answer.data) / 1000:.0f} kB" if answer.status_code == 200 else "not made in time"
        yield name, f"{made}, {spent.wall / 1000:.1f} s, {spent.busy / 1000:.1f} of computing"
    found = list(verdicts(world, client))
    late = sorted(one.wall for one in found)[int(0.95 * len(found))]
    worst = sorted(one.busy for one in found)[int(0.95 * len(found))]
    yield "verdict on a move", f"{middle(found)}; at p95 {late:.0f} ms, {worst:.0f} of computing"


def verdicts(world: World, client: Any) -> Iterator[Spent]:
    """Try moves to other days and other centers as a drag does. Nothing is made."""
    with world.app.app_context():
        stops = (
            read()
            .scalars(select(PlanVisit).where(PlanVisit.plan_id == world.plan_id).order_by(PlanVisit.id))
            .all()
        )
        others = [c for (c,) in read().execute(select(Center.id).order_by(Center.id))]
    step = max(1, len(stops) // MOVES)
    for n, stop in enumerate(stops[::step][: MOVES + 1]):
        to = {"day": WEEK + timedelta(days=(stop.day - WEEK).days * 2 % 6), "center": stop.center_id}
        if n % 2:
            to["center"] = others[(others.index(stop.center_id) + 1) % len(others)]
        path = f"/planner/visits/{stop.id}/try"
        spent, answer = timed(
            lambda path=path, to=to: client.get(path, query_string=to, headers={"X-Part": "1"})
        )  # type: ignore[misc]
        assert answer.status_code == 200
        if n:
            yield spent
        else:  # it decodes the plan; what stays is set aside then, as web.serve does
            gc.collect()
            gc.freeze()


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The application on a free port of this machine."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(5)


def in_browser(world: World) -> Iterator[tuple[str, str]]:
    """Open board and day in Chromium; until the last row is drawn and, on the board, a visit reacts to a key."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGUMENTS

    ready = "() => document.querySelectorAll('#grid td a[tabindex]').length > 1"
    drawn = "() => document.querySelectorAll('.tl li').length > 1 && document.readyState === 'complete'"
    with served(world.app) as url, sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        context = chromium.new_context(viewport={"width": 1366, "height": 768}, base_url=url)
        page = context.new_page()
        page.goto("/login")
        page.fill("[name=name]", "planner")
        page.fill("[name=password]", cast.PASSWORD)
        page.click("main button")
        page.wait_for_load_state()
        for name, path, usable in (
            ("week board in a browser", f"/planner?plan={world.plan_id}", ready),
            ("day in a browser", f"/planner/plans/{world.plan_id}/day", drawn),
        ):
            spent = []
            for _n in range(ANSWERS + 1):
                started = time.perf_counter()
                page.goto(path, wait_until="commit")
                page.wait_for_function(usable)
                page.evaluate(
                    "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
                )
                spent.append(1000 * (time.perf_counter() - started))
            yield name, f"usable after {statistics.median(spent[1:]):.0f} ms"
        chromium.close()


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--centers", type=int, nargs="+", default=[107, 276])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--keep", type=Path, help="keep the planned weeks in this folder for the next time")
    chosen = parser.parse_args()
    print("| centers | visits | what | figure |\n|---:|---:|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for centers in chosen.centers:
            world = planned(folder, centers, chosen.seconds)
            for what, figure in pages(world):
                print(f"| {world.centers} | {world.visits} | {what} | {figure} |", flush=True)
            if CHROMIUM.exists():
                for what, figure in in_browser(world):
                    print(f"| {world.centers} | {world.visits} | {what} | {figure} |", flush=True)


if __name__ == "__main__":
    main()
