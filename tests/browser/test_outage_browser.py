"""Screens whose line fails: the last picture stays, it is said in words, and they are whole again without a reload."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Live
from tests.browser.test_board_browser import CONNECTED, board, call
from tests.browser.test_clerk_browser import give, seat

pytestmark = pytest.mark.browser
__all__ = ["board"]
SLOW_AR, LIVE_AR = "الاتصال بطيء", "متصل"


def without_socket(page: Any) -> None:
    """No websocket is let through, as in some closed networks."""
    page.add_init_script("window.WebSocket = function () { throw new Error('no websockets here'); };")


def test_a_board_without_any_socket_moves_and_says_that_it_is_slow(
    browser: Any, live: Live, board: str, sockets: None
) -> None:
    """It asks every few seconds: a call is there within five, and after a while it says that calls may come late."""
    context = browser.new_context(base_url=live.url, viewport={"width": 1366, "height": 768})
    page = context.new_page()
    without_socket(page)
    page.goto(board)
    expect(page.locator("li .label").first).to_have_text("A005")
    call(live)
    expect(page.locator("li .label").first).to_have_text("A006", timeout=6000)
    expect(page.locator("[data-slow]")).to_be_visible(timeout=15_000)
    expect(page.locator("[data-slow]")).to_contain_text(SLOW_AR)
    expect(page.locator("[data-lost]")).to_be_hidden()
    assert page.evaluate("document.body.dataset.chimes") == "1"
    context.close()


def test_a_board_says_that_the_live_line_is_slow_while_redis_is_gone(
    open_page: Callable[..., Any], live: Live, board: str, sockets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the server knows of Redis stands on the board within a few seconds, and goes when it is back."""
    page = open_page(board)
    assert page.evaluate(CONNECTED)
    expect(page.locator("[data-slow]")).to_be_hidden()
    bell = live.app.extensions["relay"].bell
    monkeypatch.setattr(type(bell), "slow", property(lambda _self: True))
    expect(page.locator("[data-slow]")).to_be_visible(timeout=6000)
    monkeypatch.undo()
    expect(page.locator("[data-slow]")).to_be_hidden(timeout=6000)


def test_a_desk_whose_server_answers_503_keeps_its_picture_says_so_and_mends(
    open_page: Callable[..., Any], live: Live, sockets: None
) -> None:
    """The database is away: sections are asked for less and less often, the page says since when; then it is whole."""
    give(live, 3)
    seat(live)
    page = open_page("/desk", user="clerk", language="en")
    tag = page.locator("[data-connection]")
    expect(tag).to_have_text("Connected", timeout=10_000)
    asked: list[float] = []

    def refuse(route: Any) -> None:
        asked.append(time.monotonic())
        route.fulfill(status=503, body="away", headers={"Retry-After": "5"})

    picture = page.locator("main").inner_text()
    page.route("**/desk/parts/*", refuse)
    page.evaluate("window.live.refresh('*')")
    expect(tag).to_contain_text("Not connected since", timeout=10_000)
    assert page.locator("main").inner_text() == picture
    began = len(asked)
    time.sleep(4)
    assert len(asked) - began <= 8, "a server in trouble is not asked again and again"
    page.unroute("**/desk/parts/*")
    expect(tag).to_have_text("Connected", timeout=20_000)


def test_a_desk_without_any_socket_is_renewed_by_asking(browser: Any, live: Live, sockets: None) -> None:
    """A ticket taken elsewhere changes the line on this page within seconds; the page says that its line is slow."""
    give(live, 2)
    seat(live)
    context = browser.new_context(base_url=live.url, viewport={"width": 1366, "height": 800})
    context.add_cookies([live.session_cookie("clerk")])
    page = context.new_page()
    without_socket(page)
    page.goto("/desk")
    before = page.locator("section.line").inner_text()
    tag = page.locator("[data-connection]")
    expect(tag).to_contain_text(SLOW_AR, timeout=25_000)
    give(live, 1)
    page.wait_for_function(
        "before => document.querySelector('section.line').innerText !== before", arg=before, timeout=12_000
    )
    context.close()
