"""A press at a desk, in a real browser: `python -m tests.bench.bench_desk [--quick]`. Prints a markdown table.

The product is served as shipped (gunicorn, one process, SQLite); Chromium has the clerk's page and the board of the
hall open, each in a window of its own, on one clock. A press is the key N. Answered: the next number stands on the
clerk's page. On the board: it stands there as the one that is called now (each press waits until the board is free, for
a board shows every call for its time). The busy hall: other desks and kiosks press beside it, as often as 60 desks that
each call every twelve seconds. Yardstick: the bare health check fetched by the same page at the same time.
"""

from __future__ import annotations

import contextlib
import math
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from sqlalchemy.orm import Session

from fleet.store import Governorate, LocalUnit, Site, SiteQueue
from queueing import counter, desks
from queueing.engine import begin_write, make_engine
from queueing.store import Desk, Queue
from tests.bench.bench_tickets_world import Counter, build, server
from web.accounts import add_account, new_token
from web.app import create_app
from web.settings import from_environment

CHROMIUM = "/usr/bin/chromium"
PASSWORD = "a bench of desks 7"
ANSWERED, ON_BOARD, QUICK = 150, 25, 8
"""Presses of each kind, and in a taste."""
BESIDE_S = 0.2
"""Seconds between presses of the others in a busy hall: 60 desks, each once in 12 seconds."""
GOALS = {"answered": 150, "on the board": 500}
"""Milliseconds at the 95th percentile."""

WATCH = """([selector, section]) => {
    const at = () => performance.timeOrigin + performance.now();
    window.pressed = 0; window.shown = {};
    addEventListener('keydown', () => { window.pressed = at(); }, true);
    const look = () => { const now = document.querySelector(selector);
        if (now && !(now.textContent in window.shown)) window.shown[now.textContent] = at(); };
    new MutationObserver(look).observe(document.getElementById(section), {childList: true, subtree: true}); look(); }"""
PING = """async () => { const from = performance.now(); await fetch('/health/live', {cache: 'no-store'});
    return performance.now() - from; }"""
FREE = 4.2
"""Seconds after which a board is free for the next call."""


def place(url: str, seat: Counter, people: int) -> str:
    """A site for the first queue, its clerk at the first desk, people in its line; returns the board's token."""
    engine = make_engine(url)
    now = datetime.now(UTC)
    names = {"name_ar": "أ", "name_en": "A"}
    with Session(engine) as session:
        begin_write(session)
        home = Governorate(
            iso="EG-X", capital_ar="أ", capital_en="A", region_ar="أ", region_en="A", lat=30, lon=31,
            population=1, **names,
        )  # fmt: skip
        session.add(home)
        session.flush()
        unit = LocalUnit(
            code="U", governorate_id=home.id, kind="city", lat=30, lon=31, population=1,
            population_method="synthetic", source="bench", **names,
        )  # fmt: skip
        session.add(unit)
        session.flush()
        site = Site(
            code="S", kind="fixed", governorate_id=home.id, local_unit_id=unit.id, landmark_ar="", landmark_en="",
            search_key="a", lat=30, lon=31, population=1, synthetic=True, source="bench", **names,
        )  # fmt: skip
        session.add(site)
        session.flush()
        session.add(SiteQueue(queue_id=seat.queue, site_id=site.id))
        add_account(session, "clerk", PASSWORD, "clerk", now=now, site_id=site.id)
        queue, desk = session.get_one(Queue, seat.queue), session.get_one(Desk, seat.desks[0][0])
        desks.open_desk(session, desk, actor="clerk", now=now, operator="clerk")
        for n in range(people):
            counter.issue(session, queue, "id", request_id=f"bench-{n:06d}", actor="b", now=now)
        token = new_token(session, "board", now=now, queue_id=seat.queue)
        session.commit()
    engine.dispose()
    return token


@contextlib.contextmanager
def hall(port: int, others: list[Counter]) -> Iterator[None]:
    """Other queues at work: a ticket and a call every BESIDE_S, until the end."""
    import http.client
    import json

    stop = threading.Event()

    def work() -> None:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

        def press(path: str, token: str, body: dict[str, Any]) -> None:
            head = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
            line.request("POST", path, json.dumps(body), head)
            answer = line.getresponse()
            answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{path} answered {answer.status}")

        n = 0
        while not stop.wait(BESIDE_S):
            n += 1
            seat = others[n % len(others)]
            desk, token = seat.desks[n % len(seat.desks)]
            press(
                f"/api/v1/queues/{seat.queue}/tickets",
                seat.kiosk,
                {"service": "id", "request_id": f"hall-i{n:07d}"},
            )
            press(f"/api/v1/desks/{desk}/next", token, {"request_id": f"hall-n{n:07d}"})

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(10)


def presses(desk: Any, board: Any, count: int, *, wait_for_board: bool) -> dict[str, list[float]]:
    """Press N so often; milliseconds until answered, until on the board (where waited for), and of the yardstick."""
    found: dict[str, list[float]] = {"answered": [], "on the board": [], "yardstick": []}
    if (
        wait_for_board and desk.locator(".now-label").count()
    ):  # the calls before this may still be shown one by one
        board.wait_for_function("l => l in window.shown", arg=desk.locator(".now-label").inner_text())
        time.sleep(FREE)
    for _press in range(count):
        before = desk.locator(".now-label").inner_text() if desk.locator(".now-label").count() else ""
        desk.keyboard.press("n")
        desk.wait_for_function(
            "l => { const now = document.querySelector('.now-label'); return now && now.textContent !== l; }",
            arg=before,
        )
        label = desk.locator(".now-label").inner_text()
        pressed, shown = desk.evaluate("l => [window.pressed, window.shown[l]]", label)
        found["answered"].append(shown - pressed)
        if wait_for_board:
            board.wait_for_function("l => l in window.shown", arg=label)
            found["on the board"].append(board.evaluate("l => window.shown[l]", label) - pressed)
            time.sleep(FREE)
        desk.wait_for_function("() => document.getElementById('work').getAttribute('aria-busy') !== 'true'")
        found["yardstick"].append(desk.evaluate(PING))
    return found


def p(values: list[float], share: float) -> float:
    """The value that so large a share does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def row(name: str, what: str, values: list[float], yardstick: list[float]) -> bool:
    """Print one row; whether its goal is reached."""
    goal = GOALS[what]
    ok = p(values, 0.95) <= goal
    print(
        f"| {name} | {what} | {len(values)} | {p(values, 0.5):.0f} | {p(values, 0.95):.0f} | {max(values):.0f} |"
        f" {goal} | {p(yardstick, 0.5):.1f} |",
        flush=True,
    )
    return ok


def main(quick: bool) -> int:
    """Measure the quiet hall and the busy one; 1 when a goal was missed."""
    answered, on_board = (QUICK, QUICK // 2) if quick else (ANSWERED, ON_BOARD)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        env = {"DATABASE_URL": url, "DATA_DIR": folder}
        create_app(
            from_environment({**env, "DEMO": "0"})
        )  # so that every table is known, and made by `build`
        seats = build(url, queues=13, desks_each=5)
        token = place(url, seats[0], 2 * (answered + on_board) + 20)
        print("| hall | what | presses | p50 ms | p95 ms | most ms | goal p95 | yardstick p50 ms |")
        print("|---|---|---:|---:|---:|---:|---:|---:|")
        whole = True
        with server("ours", workers=1, env=env, name="the product") as port:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            base = f"http://127.0.0.1:{port}"
            desk, board = (
                browser.new_context(base_url=base).new_page(),
                browser.new_context(base_url=base).new_page(),
            )
            desk.goto("/login")
            desk.locator("input[name=name]").fill("clerk")
            desk.locator("input[name=password]").fill(PASSWORD)
            desk.locator("button[type=submit], main button").first.click()
            desk.goto("/desk")
            board.goto(f"/board/{token}")
            desk.wait_for_selector("[data-connection].tag-good")
            board.wait_for_function("() => window.live && window.live.socket.connected")
            desk.evaluate(WATCH, [".now-label", "work"])
            board.evaluate(WATCH, ["li .label", "now"])
            presses(desk, board, 3, wait_for_board=True)  # what is loaded and compiled once
            for name, beside in (("quiet", contextlib.nullcontext()), ("busy", hall(port, seats[1:]))):
                with beside:
                    slow = presses(desk, board, on_board, wait_for_board=True)
                    quick_ones = presses(desk, board, answered, wait_for_board=False)
                pings = slow["yardstick"] + quick_ones["yardstick"]
                whole &= row(name, "answered", slow["answered"] + quick_ones["answered"], pings)
                whole &= row(name, "on the board", slow["on the board"], pings)
            browser.close()
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main("--quick" in sys.argv[1:]))
