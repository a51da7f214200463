"""Fixtures of the browser tests: the application served on a free loopback port, and real Chromium."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from tests.web import world as cast
from web.accounts import Account
from web.app import create_app

SHELL = Path("/usr/bin/chromium-headless-shell")
CHROMIUM = SHELL if SHELL.exists() else Path("/usr/bin/chromium")
"""The same browser without a window's furniture starts and draws quicker."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
SOCKET_CLIENT = Path(__file__).parents[2] / "web" / "static" / "vendor" / "socket.io.min.js"


@dataclass
class Live:
    """A running application of this test alone: change its clock and its database freely."""

    url: str
    app: Flask
    clock: cast.StillClock
    world: cast.World
    server: Any = None
    """The web server itself; None where a test makes its own."""

    def write(self, work: Callable[[Session], Any]) -> Any:
        """Commit `work(session)` and let the screens hear of it."""
        return self.app.extensions["writer"](work)

    def session_cookie(self, name: str) -> dict[str, str]:
        """The signed-in cookie of account `name`, for `context.add_cookies`."""
        with Session(self.app.extensions["writer"].engine) as session:
            identity = session.scalars(select(Account).where(Account.name == name)).one().get_id()
        serializer = self.app.session_interface.get_signing_serializer(self.app)  # type: ignore[attr-defined]
        value = serializer.dumps({"_user_id": identity, "_fresh": True, "_permanent": True})
        return {"name": "session", "value": value, "url": self.url}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, cast.World]:
    """The cast's database, made once."""
    return cast.make_template(tmp_path_factory.mktemp("template"))


@contextmanager
def serving(folder: Path, world: cast.World) -> Iterator[Live]:
    """The application with sockets and relay on a free loopback port, over the database `test.db` in `folder`."""
    clock = cast.StillClock()
    app = create_app(cast.settings_for(folder), time_source=clock)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    relay = app.extensions["relay"]
    relay.start()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield Live(f"http://127.0.0.1:{server.server_port}", app, clock, world, server)
    relay.stop()
    server.shutdown()
    thread.join(5)


@pytest.fixture
def live(template: tuple[Path, cast.World], tmp_path: Path) -> Iterator[Live]:
    """The application over a fresh copy of the cast."""
    cast.copy_database(template[0], tmp_path / "test.db")
    with serving(tmp_path, template[1]) as made:
        yield made


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium. Skipped with the reason where it, or the Playwright package, is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the playwright package is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is missing (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any, live: Live) -> Iterator[Callable[..., Any]]:
    """`open_page("/desk", user="clerk", language="en", width=1366)` -> a Playwright page in its own context.

    `path` is given without the language prefix. `scripts=False` switches JavaScript off. An error
    that a page's script throws fails the test.
    """
    contexts: list[Any] = []
    faults: list[str] = []

    def make(
        path: str = "/",
        *,
        user: str | None = None,
        language: str = "ar",
        width: int = 1366,
        height: int = 800,
        scripts: bool = True,
        **options: Any,
    ) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            java_script_enabled=scripts,
            base_url=live.url,
            **options,
        )
        context.set_default_timeout(10_000)
        # A desk takes three seconds without an answer for a lost line. Two browsers on a busy machine are no lost line:
        # tests that want one cut it.
        context.add_init_script("window.ClerkPatience = 9500")
        contexts.append(context)
        if user:
            context.add_cookies([live.session_cookie(user)])
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(f"{path}: {error}"))
        page.goto(("" if language == "ar" else f"/{language}") + path)
        return page

    yield make
    for context in contexts:
        context.close()
    assert not faults, f"scripts failed: {faults}"


@pytest.fixture
def page(open_page: Callable[..., Any]) -> Any:
    """The citizen's first page in Arabic at 1366 pixels; `open_page` opens any other."""
    return open_page("/")


@pytest.fixture
def sockets() -> None:
    """Skip where the Socket.IO client has not been fetched (`make setup` does it)."""
    if not SOCKET_CLIENT.exists():
        pytest.skip(f"no Socket.IO client: {SOCKET_CLIENT} is missing (make setup fetches it)")


@pytest.fixture
def no_sideways_scroll() -> Callable[[Any], None]:
    """`no_sideways_scroll(page)` fails when the page is wider than its window."""

    def check(page: Any) -> None:
        wide = page.evaluate(
            """() => [...document.querySelectorAll('body *')].filter(e => {
                if (e.closest('.scroll,.visually-hidden,.skip')) return false;
                const r = e.getBoundingClientRect();
                return r.width && (r.right > innerWidth + 1 || r.left < -1);
            }).slice(0, 5).map(e => e.outerHTML.slice(0, 120))"""
        )
        width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0, f"{page.url} is {width} px too wide; outside: {wide}"

    return check
