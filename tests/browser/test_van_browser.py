"""A van's day with real browsers: pull, no line, forty people by kiosk and desk, a sync; headquarters shows them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from queueing.journal.choices import ask
from queueing.rebuild import check
from queueing.store import Base, Ticket
from tests.browser.conftest import Live
from tests.van.proxy import Proxy
from tests.web import world as cast
from web.accounts import new_token
from web.app import create_app

pytestmark = pytest.mark.browser
PEOPLE = 40


@dataclass
class VanServer:
    """The laptop's own server, and the line to headquarters."""

    live: Live
    proxy: Proxy


@pytest.fixture
def van(live: Live, tmp_path: Path) -> Iterator[VanServer]:
    """A new laptop of MC-ASN-01, served; `proxy.fate` is its line."""
    proxy = Proxy(int(live.url.rsplit(":", 1)[1]))
    token = live.write(lambda s: new_token(s, "van", now=live.clock.now(), center_id=live.world.center_a))
    folder = tmp_path / "van"
    folder.mkdir()
    settings = replace(
        cast.settings_for(folder), van_center="MC-ASN-01", van_office=proxy.url, van_token=token
    )
    app = create_app(settings, time_source=live.clock)
    Base.metadata.create_all(app.extensions["writer"].engine)
    app.extensions["laptop"].start()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    app.extensions["relay"].start()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield VanServer(Live(f"http://127.0.0.1:{server.server_port}", app, live.clock, live.world), proxy)
    app.extensions["relay"].stop()
    server.shutdown()
    thread.join(5)
    proxy.close()


def _context(browser: Any, url: str, **options: Any) -> Any:
    context = browser.new_context(base_url=url, viewport={"width": 1280, "height": 800}, **options)
    context.set_default_timeout(20_000)
    return context


@pytest.mark.timeout(900)
def test_a_day_without_a_line(browser: Any, live: Live, van: VanServer) -> None:
    """Pull on the van's page, open kiosk and desk, forty people without a line, then sync: headquarters counts forty
    served, and its page says that nothing is missing."""
    from fleet.days import run_day_transitions

    laptop = _context(browser, van.live.url, locale="en")
    page = laptop.new_page()
    page.goto("/en/van")
    expect(page.get_by_text("not yet today")).to_be_visible()
    page.get_by_role("button", name="Pull the day from headquarters").click()
    expect(page.get_by_text("done today")).to_be_visible()
    van.live.write(lambda s: run_day_transitions(s, now=live.clock.now()))
    van.proxy.fate = lambda _n: "down"

    page.goto("/en/login")
    page.fill("input[name=name]", "van_clerk")
    page.fill("input[name=password]", cast.PASSWORD)
    page.locator("main form button").first.click()
    page.goto("/en/van")
    page.get_by_role("button", name="Kiosk on this screen").click()
    kiosk = page.url
    numbers = set()
    for _ in range(PEOPLE):
        page.goto(kiosk)
        page.locator(".tiles a").first.click()
        page.locator("button[value=none]").click()
        numbers.add(page.locator("h1 bdi").inner_text())
    assert len(numbers) == PEOPLE

    desk = laptop.new_page()
    desk.goto("/en/desk")
    desk.locator("button.desk-tile").first.click()
    for n in range(PEOPLE + 1):  # each press finishes the last person and calls the next
        live.clock.advance(minutes=2)
        desk.locator(".next-button").click()
        if n < PEOPLE:
            expect(desk.locator(".now")).to_contain_text(sorted(numbers)[n])
            live.clock.advance(minutes=1)
    expect(desk.locator(".now-none")).to_be_visible()

    queue = live.world.queue_visit_a
    served = (
        select(func.count()).select_from(Ticket).where(Ticket.queue_id == queue, Ticket.state == "served")
    )

    def count(of: Live) -> int:
        with Session(of.app.extensions["writer"].engine) as session:
            return session.scalar(served) or 0

    assert count(van.live) == PEOPLE
    assert count(live) == 0
    page.goto("/en/van")
    expect(page.locator("#status")).to_contain_text("kept here until there is a line")
    van.proxy.fate = lambda _n: "ok"
    page.get_by_role("button", name="Try headquarters now").click()
    expect(page.locator("#status")).to_contain_text("everything sent")
    assert count(live) == PEOPLE
    with Session(live.app.extensions["writer"].engine) as session:
        assert check(session, [queue]) == []

    office = _context(browser, live.url)
    office.add_cookies([live.session_cookie("planner")])
    seen = office.new_page()
    seen.goto("/en/planner/vans")
    expect(seen.locator("tbody tr")).to_have_count(1)
    expect(seen.locator("tbody")).to_contain_text("just now")
    expect(seen.locator("tbody")).to_contain_text("knows everything")
    laptop.close()
    office.close()


@pytest.mark.parametrize("language", ["ar", "en"])
def test_the_page_of_laptops_asks_and_notes_the_answer(
    open_page: Callable[..., Any],
    live: Live,
    van: VanServer,
    language: str,
    no_sideways_scroll: Callable[[Any], None],
) -> None:
    """What only a person can decide stands first; a press notes it. Wide and narrow, without scripts."""
    van.live.app.extensions["laptop"].sync(pull=1)
    device = van.live.app.extensions["laptop"].witness.device
    live.write(
        lambda s: ask(
            s, "clock", f"{device}:s", device=device, center_id=live.world.center_a,
            facts={"segment": "s", "offset_us": None, "from_us": 0, "to_us": 0}, now=live.clock.now(),
        )
    )  # fmt: skip
    live.clock.advance(minutes=1)
    live.write(
        lambda s: ask(
            s, "copy", f"{device}:e", device=device, center_id=live.world.center_a,
            facts={"epoch": "e", "known": 9, "claimed": 7, "verdict": "behind"}, now=live.clock.now(),
        )
    )  # fmt: skip
    for width in (1366, 360):
        page = open_page("/planner/vans", user="planner", language=language, width=width, scripts=False)
        no_sideways_scroll(page)
    first = page.locator("section.question").first
    expect(first.locator(".tag-bad")).to_be_visible()  # the younger one, but two lines may be growing
    first.locator("button[name=decision][value=two]").click()
    page.locator("button[name=decision][value=measured]").click()
    expect(page.locator("section.question")).to_have_count(0)
    expect(page.locator(".flash-good")).to_be_visible()
