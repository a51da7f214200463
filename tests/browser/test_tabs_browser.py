"""One clerk's browser with two windows, a browser that is shut during an outage, a laptop that is switched off: nothing
is lost and nothing happens twice."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from tests.browser.conftest import ARGUMENTS, CHROMIUM, Live
from tests.browser.test_clerk_browser import give, label_shown, quiet, seat, state_shown, states
from tests.browser.test_tablet_browser import Line, history, kept, ready, sound, told
from tests.web import world as cast
from web.app import create_app

pytestmark = pytest.mark.browser
NO_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { get: function () { return undefined; } });"
"""As a browser is that came over plain HTTP: the tabs agree by a lease in their storage."""
ELSEWHERE = "used in another window"


class Refused:
    """A line on which the server's answers to presses do not come, for every window of a browser."""

    def __init__(self, page: Any) -> None:
        self.context = page.context

    def cut(self) -> None:
        self.context.route("**/contact", lambda route: route.abort("connectionrefused"))

    def mend(self) -> None:
        self.context.unroute("**/contact")


def calls(live: Any) -> list[str]:
    """Who was called, in order."""
    return [label for label, action in history(live) if action == "call"]


@pytest.fixture(params=["locks", "lease"])
def two_tabs(
    request: pytest.FixtureRequest, live: Live, open_page: Callable[..., Any], sockets: None
) -> tuple[Any, Any]:
    """A desk of eight people in two windows of one browser."""
    seat(live)
    give(live, 8)
    first = open_page("/login", language="en")
    if request.param == "lease":
        first.context.add_init_script(NO_LOCKS)
    first.context.add_cookies([live.session_cookie("clerk")])
    second = first.context.new_page()
    for page in (first, second):
        page.goto("/en/desk")
        ready(page, 8)
    return first, second


def test_two_windows_without_a_line_go_on_from_one_log(two_tabs: tuple[Any, Any], live: Live) -> None:
    """Each shows at once what the other did and goes on from there; one is shut; all is told once by the other."""
    first, second = two_tabs
    line = Refused(first)
    line.cut()
    for number, page in ((1, first), (2, second), (3, second), (4, first)):
        page.keyboard.press("n")
        for each in (first, second):
            label_shown(each, f"A{number:03d}")
        quiet(page)
        # Who presses next has seen this: their window says so itself, as a person would look.
        for each in (first, second):
            each.wait_for_function("n => document.body.dataset.unsent === String(n)", arg=number)
    first.close()
    second.keyboard.press("s")
    state_shown(second, "serving")
    quiet(second)
    assert calls(live) == [], "something reached the server without a line"
    live.clock.advance(minutes=20)
    line.mend()
    told(second)
    assert calls(live) == ["A001", "A002", "A003", "A004"]
    assert [label for label, action in history(live) if action == "start"] == ["A004"]
    sound(live)


def test_both_windows_pressed_at_once_call_one_person(two_tabs: tuple[Any, Any], live: Live) -> None:
    """The second press was meant for the same person: it is not carried out, its window says so and shows who came."""
    first, second = two_tabs
    for page in (first, second):
        page.evaluate(
            """() => { window.starter = new BroadcastChannel('test');
                window.starter.onmessage = () => document.querySelector('[data-key=N]').click(); }"""
        )
    # One message reaches both windows: they press as nearly together as two windows can.
    third = first.context.new_page()
    third.goto("/en/login")
    third.evaluate("() => new BroadcastChannel('test').postMessage('go')")
    for page in (first, second):
        label_shown(page, "A001")
    late = [first, second]
    for _ in range(100):  # which of them comes second is for them to say
        late = [page for page in (first, second) if ELSEWHERE in page.locator("#work").inner_text()]
        if late:
            break
        first.wait_for_timeout(100)
    assert len(late) == 1
    page = late[0]
    assert calls(live) == ["A001"]
    quiet(page)
    page.keyboard.press("n")
    label_shown(page, "A002")
    quiet(page)
    assert calls(live) == ["A001", "A002"]
    sound(live)


def test_what_a_window_was_telling_when_it_was_shut_is_told_by_the_other(
    two_tabs: tuple[Any, Any], live: Live
) -> None:
    """The press had reached nobody yet. No reload: the other window finds it in the log."""
    first, second = two_tabs
    first.keyboard.press("n")
    for page in (first, second):
        label_shown(page, "A001")
    quiet(first)
    asked = threading.Event()

    def hold(route: Any) -> None:
        if '"verb":"start"' in (route.request.post_data or ""):
            asked.set()  # and never answered
        else:
            route.continue_()

    first.route("**/contact", hold)
    first.evaluate("() => { document.querySelector('[data-key=S]').click(); }")
    for _ in range(500):
        first.wait_for_timeout(20)
        if asked.is_set():
            break
    assert asked.is_set() and states(live)["A001"] == "called"
    first.close()
    live.clock.advance(minutes=5)  # the browser's clock went on while the server's stood still
    second.evaluate("() => { window.ClerkSync.contact(); }")  # as every few seconds
    second.wait_for_selector(".now-serving", timeout=30_000)
    told(second)
    assert [label for label, action in history(live) if action == "start"] == ["A001"]
    sound(live)


def test_signing_out_in_one_window_ends_the_other(two_tabs: tuple[Any, Any], live: Live) -> None:
    """Nothing of this person stays in the browser, and nobody else's work is done in their name."""
    first, second = two_tabs
    first.get_by_role("button", name="Sign out").click()
    first.wait_for_url("**/login**")
    second.wait_for_url("**/login**", timeout=15_000)
    assert second.evaluate("() => window.indexedDB.databases().then(all => all.length)") >= 0
    first.context.add_cookies([live.session_cookie("clerk2")])
    refused = second.evaluate(
        """async desk => { const page = await (await fetch('/en/desk')).text();
            const csrf = /"csrf": "([^"]+)"/.exec(page)[1];
            const body = JSON.stringify({ account: 'clerk', device: 'd'.repeat(20), presses: [] });
            const headers = { 'Content-Type': 'application/json', 'X-CSRFToken': csrf };
            return (await fetch(`/en/desk/${desk}/contact`, { method: 'POST', body, headers })).status; }""",
        live.world.desks_a[0],
    )
    assert refused == 409


# ---- a browser that is shut, and a server that is switched off


@pytest.fixture
def own_browser(browser: Any, live: Live, tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """`own_browser()` starts a browser with a profile on the disk, signed in as the clerk; again: the same profile.
    `.process` of its context is its process."""
    driver = browser.browser_type
    started: list[Any] = []

    def start() -> Any:
        context = driver.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path=str(CHROMIUM),
            args=ARGUMENTS,
            base_url=live.url,
            viewport={"width": 1366, "height": 800},
        )
        context.set_default_timeout(15_000)
        context.add_init_script("window.ClerkPatience = 9500")
        started.append(context)
        return context

    yield start
    for context in started:
        context.close()


def _killed(profile: Path) -> None:
    """SIGKILL for every process of the browser with this profile: nothing is put in order."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(profile).encode() in words and b"chrom" in words.split(b"\0")[0]:
            os.kill(int(entry.name), signal.SIGKILL)


def test_a_browser_killed_during_an_outage_goes_on_where_it_was(
    own_browser: Callable[[], Any], live: Live, tmp_path: Path, sockets: None
) -> None:
    """Three called and one begun without a line; the browser is killed and started again, still without a line: the
    desk stands there as it was, two more are called, and when the line is back everything is told once."""
    seat(live)
    give(live, 8)
    context = own_browser()
    cookie = live.session_cookie("clerk") | {"expires": datetime.now(UTC).timestamp() + 86_400}
    context.add_cookies([cookie])
    page = context.pages[0]
    page.goto("/en/desk")
    ready(page, 8)
    kept(page)
    Line(page).cut()
    for number in (1, 2, 3):
        page.keyboard.press("n")
        label_shown(page, f"A{number:03d}")
        quiet(page)
    page.keyboard.press("s")
    state_shown(page, "serving")
    quiet(page)
    page.wait_for_function("() => document.body.dataset.unsent === '4'")
    _killed(tmp_path / "profile")
    context = own_browser()
    context.add_cookies(
        [cookie]
    )  # a browser writes them to its disk within half a minute; this one had no time
    page = context.pages[0]
    Line(page).cut()
    page.goto("/en/desk")
    label_shown(page, "A003")
    state_shown(page, "serving")
    for number in (4, 5):
        page.keyboard.press("n")
        label_shown(page, f"A{number:03d}")
        quiet(page)
    assert set(states(live).values()) == {"waiting"}
    live.clock.advance(minutes=30)
    Line(page).mend()
    page.wait_for_url("**/en/desk")
    told(page)
    assert calls(live) == [f"A{n:03d}" for n in range(1, 6)]
    assert [label for label, action in history(live) if action == "start"] == ["A003"]
    found = states(live)
    assert [found[f"A{n:03d}"] for n in (1, 2, 3, 4, 5, 6)] == ["served"] * 4 + ["called", "waiting"]
    sound(live)


def test_a_laptop_switched_off_and_on_finds_everything_that_was_pressed_meanwhile(
    live: Live, open_page: Callable[..., Any], tmp_path: Path, sockets: None
) -> None:
    """The server goes, with what it had in memory; two are called at the desk without it; another process over the same
    database is told once, and the desk is live again without a reload."""
    seat(live)
    give(live, 6)
    page = open_page("/desk", user="clerk", language="en")
    ready(page, 6)
    page.keyboard.press("n")
    label_shown(page, "A001")
    quiet(page)
    live.server.shutdown()
    live.server.server_close()
    live.app.extensions["relay"].stop()
    # The process has gone, and with it every socket that it held.
    page.route("**/socket.io/**", lambda route: route.abort())
    page.evaluate("() => window.ClerkSync.contact()")
    page.wait_for_function("() => document.body.dataset.mode === 'alone'")
    for number in (2, 3):
        page.keyboard.press("n")
        label_shown(page, f"A{number:03d}")
        quiet(page)
    assert calls(live) == ["A001"]
    live.clock.advance(minutes=10)
    app = create_app(cast.settings_for(tmp_path), time_source=live.clock)
    server = make_server("127.0.0.1", live.server.server_port, app, threaded=True)
    server.daemon_threads = True
    app.extensions["relay"].start()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        told(page)
        assert calls(live) == ["A001", "A002", "A003"]
        page.keyboard.press("n")
        label_shown(page, "A004")
        quiet(page)
        assert calls(live)[-1] == "A004"
        sound(live)
    finally:
        app.extensions["relay"].stop()
        server.shutdown()
        thread.join(5)


def test_the_log_outlives_a_sign_in_that_ran_out(
    live: Live, open_page: Callable[..., Any], sockets: None
) -> None:
    """Signed out by time while alone: the presses stay, and are told after the same person has signed in again."""
    seat(live)
    give(live, 4)
    page = open_page("/desk", user="clerk", language="en")
    ready(page, 4)
    line = Line(page)
    line.cut()
    for number in (1, 2):
        page.keyboard.press("n")
        label_shown(page, f"A{number:03d}")
        quiet(page)
    page.context.clear_cookies()
    live.clock.advance(minutes=5)
    line.mend()
    page.wait_for_function("() => document.body.dataset.mode === 'out'")
    assert calls(live) == []
    page.context.add_cookies([live.session_cookie("clerk")])
    page.goto("/en/desk")
    told(page)
    assert calls(live) == ["A001", "A002"]
    with Session(live.app.extensions["writer"].engine) as session:
        from queueing.store import TicketEvent

        actors = set(session.scalars(select(TicketEvent.actor).where(TicketEvent.action == "call")))
    assert actors == {"clerk"}
    sound(live)
