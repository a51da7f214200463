"""The television: readable from far away, in order, and honest about its line."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import counter, desks
from queueing.replay import Press, replay
from queueing.store import Desk, Queue, Ticket
from tests.browser.conftest import Live
from web.accounts import new_token

pytestmark = pytest.mark.browser


@pytest.fixture
def board(live: Live) -> str:
    """The board of queue_a, where ten people wait, three desks are open and five calls were made."""

    def work(session: Session) -> str:
        queue = session.get_one(Queue, live.world.queue_a)
        for desk_id in live.world.desks_a:
            desks.open_desk(session, session.get_one(Desk, desk_id), actor="t", now=live.clock.now())
        for n in range(15):
            counter.issue(
                session, queue, "NID-01", request_id=f"line-{n:04d}", actor="t", now=live.clock.now()
            )
        return new_token(session, "board", now=live.clock.now(), queue_id=queue.id)

    token = live.write(work)
    call(live, 5)
    return f"/board/{token}"


def call(live: Live, times: int = 1) -> None:
    """Call the next ones, desk after desk."""
    for n in range(times):
        now = live.clock.advance(seconds=1)
        desk = live.world.desks_a[n % 3]
        live.write(
            lambda s, now=now, desk=desk: counter.call_next(
                s, s.get_one(Desk, desk), request_id=f"call-{now:%H%M%S}", actor="t", now=now
            )
        )


WATCH = """() => { window.shown = []; const look = () => {
    const now = document.querySelector('li .label').textContent, last = window.shown.at(-1);
    if (!last || last[0] !== now) window.shown.push([now, performance.now()]); };
    new MutationObserver(look).observe(document.getElementById('now'), {childList: true, subtree: true}); look(); }"""


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1366, 768), (1080, 1920)])
def test_the_number_is_read_from_ten_metres(
    open_page: Callable[..., Any],
    board: str,
    width: int,
    height: int,
    no_sideways_scroll: Callable[[Any], None],
) -> None:
    """The digits are at least 18% of the height on a television; nothing is cut or covered; contrast at least 7:1."""
    for language in ("ar", "en"):
        page = open_page(board, language=language, width=width, height=height)
        no_sideways_scroll(page)
        ink = page.evaluate(
            """() => { const e = document.querySelector('li .label'), s = getComputedStyle(e);
                const c = document.createElement('canvas').getContext('2d');
                c.font = `${s.fontWeight} ${s.fontSize} ${s.fontFamily}`;
                const m = c.measureText(e.textContent);
                return m.actualBoundingBoxAscent + m.actualBoundingBoxDescent; }"""
        )
        if width > height:
            assert ink >= 0.18 * height
        assert page.locator("li:visible").count() == 5, "the last call and four before it"
        cut = page.evaluate(
            """() => [...document.querySelectorAll('.label,.desk,.foot b,h1,.head')].filter(e => e.offsetParent)
                .map(e => [e.getBoundingClientRect(), e.textContent])
                .filter(([r]) => r.top < -1 || r.bottom > innerHeight + 1).map(([r, t]) => t)"""
        )
        assert not cut
        low = page.evaluate(CONTRAST)
        assert not low, f"contrast below 7:1: {low}"


CONTRAST = """() => { const lum = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => { x /= 255;
        return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; });
        return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
    const ground = e => { for (; e; e = e.parentElement) { const b = getComputedStyle(e).backgroundColor;
        if (!/, 0\\)$/.test(b)) return b; } return 'rgb(255,255,255)'; };
    return [...document.querySelectorAll('body *')].filter(e => e.offsetParent && [...e.childNodes].some(n =>
        n.nodeType === 3 && n.data.trim())).map(e => { const a = lum(getComputedStyle(e).color), b = lum(ground(e));
        return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.trim().slice(0, 20)]; })
        .filter(([ratio]) => ratio < 7); }"""


CONNECTED = """() => new Promise(done => { const look = () =>
    window.live && window.live.socket.connected ? done(true) : setTimeout(look, 30); look(); })"""


def test_a_call_appears_over_the_socket_without_a_reload(
    open_page: Callable[..., Any], board: str, live: Live, sockets: None
) -> None:
    """Pushed, not polled: shown before the next poll could see it; one flash, one chime, the line one shorter."""
    page = open_page(board)
    assert page.evaluate(CONNECTED)
    expect(page.locator("li .label").first).to_have_text("A005")
    # The state that a new socket hears is fetched at once: a 304 after it is the poll of every three seconds.
    with page.expect_response(lambda answer: answer.url.endswith("/now") and answer.status == 304):
        pass
    call(live)
    expect(page.locator("li .label").first).to_have_text("A006", timeout=2500)
    expect(page.locator("#now.flash")).to_be_visible()
    assert page.evaluate("document.body.dataset.chimes") == "1"
    expect(page.locator(".foot b").first).to_have_text("9")


def test_two_calls_within_a_second_are_shown_in_order_each_for_its_time(
    open_page: Callable[..., Any], board: str, live: Live
) -> None:
    """Neither is swallowed nor cut off: the first stays its time, then the second comes, with a chime each."""
    page = open_page(board)
    expect(page.locator("li .label").first).to_have_text("A005")
    page.evaluate(WATCH)
    call(live, 2)
    expect(page.locator("li .label").first).to_have_text("A007", timeout=15_000)
    shown = page.evaluate("window.shown")
    assert [label for label, _at in shown] == ["A005", "A006", "A007"]
    assert shown[2][1] - shown[1][1] >= 1450, "the first call stays for its minimum time"
    assert page.evaluate("document.body.dataset.chimes") == "2"


def test_a_cut_line_is_said_within_ten_seconds_and_mended_without_a_chime(
    open_page: Callable[..., Any], board: str, live: Live
) -> None:
    """The last good picture stays and says since when; back again, it is whole without a reload and without noise."""
    page = open_page(board)
    expect(page.locator("li .label").first).to_have_text("A005")
    page.context.set_offline(True)
    cut = time.monotonic()
    lost = page.locator("[data-lost]")
    expect(lost).to_be_visible(timeout=10_000)
    assert time.monotonic() - cut <= 10
    expect(lost).to_contain_text("10:00")
    expect(page.locator("li .label").first).to_have_text("A005")
    call(live, 2)
    page.context.set_offline(False)
    expect(lost).to_be_hidden(timeout=10_000)
    expect(page.locator("li .label").first).to_have_text("A007")
    assert page.evaluate("document.body.dataset.chimes || '0'") == "0"


def test_without_scripts_the_board_still_moves(open_page: Callable[..., Any], board: str) -> None:
    """An old television without scripts reloads itself."""
    page = open_page(board, scripts=False)
    expect(page.locator("li .label").first).to_have_text("A005")
    assert 'http-equiv="refresh"' in page.content()


def test_a_call_that_was_told_late_is_shown_without_a_chime(
    open_page: Callable[..., Any], board: str, live: Live
) -> None:
    """A tablet that worked without a line tells its calls afterwards: they stand on the board, in silence, for screen
    readers too; a call of now is chimed and said, it alone."""
    page = open_page(board)
    expect(page.locator("li .label").first).to_have_text("A005")
    spoken = page.locator("[data-announce]")
    assert page.locator("[aria-live]").count() == 1

    def late(session: Session) -> None:
        now = live.clock.advance(seconds=1)
        desk = session.get_one(Desk, live.world.desks_a[2])
        codes = {
            label: session.scalars(select(Ticket.code).where(Ticket.label == label)).one()
            for label in ("A003", "A006")
        }
        press = Press("next", "late-call", now, ticket=codes["A006"], finish=codes["A003"])
        replay(session, desk, press, device="t", actor="t", now=live.clock.advance(seconds=60))

    live.write(late)
    expect(page.locator("li .label").first).to_have_text("A006", timeout=8000)
    assert page.evaluate("document.body.dataset.chimes") is None
    expect(spoken).to_have_text("")
    call(live)
    expect(page.locator("li .label").first).to_have_text("A007", timeout=8000)
    assert page.evaluate("document.body.dataset.chimes") == "1", "a call of now is still chimed"
    expect(spoken).to_contain_text("A007")
    assert "A006" not in spoken.inner_text()
