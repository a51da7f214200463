"""A citizen's phone: fewest taps with scripts, every journey without them, honest when the line is cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import counter, desks
from queueing.store import Desk, Queue, Ticket
from tests.browser.conftest import Live
from web.accounts import new_token

pytestmark = pytest.mark.browser
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
AT_THE_VILLAGE = {"geolocation": {"latitude": 24.5, "longitude": 32.92}}


def serve(live: Live, ahead: int = 2) -> None:
    """People in the van's line and one open desk."""

    def work(session: Session) -> None:
        queue = session.get_one(Queue, live.world.queue_visit_a)
        desk = session.get_one(Desk, live.world.desks_visit_a[0])
        desks.open_desk(session, desk, actor="t", now=live.clock.now())
        for n in range(ahead):
            counter.issue(
                session, queue, "NID-01", request_id=f"ahead-{n:03d}", actor="t", now=live.clock.now()
            )

    live.write(work)


def call(live: Live, times: int = 1) -> None:
    """The van's desk calls the next ones."""
    for _ in range(times):
        now = live.clock.advance(seconds=30)
        live.write(
            lambda s, now=now: counter.call_next(
                s,
                s.get_one(Desk, live.world.desks_visit_a[0]),
                request_id=f"call-{now:%H%M%S}",
                actor="t",
                now=now,
            )
        )


def test_with_location_allowed_the_list_needs_no_tap(open_page: Callable[..., Any]) -> None:
    """Opening the first page is enough: the visits near are there, today's on top."""
    page = open_page("/", width=360, permissions=["geolocation"], **AT_THE_VILLAGE)
    page.wait_for_url("**/?near=24.500,32.920")
    expect(page.locator(".card h3").first).to_have_text("قرية الرغامة")


def test_with_location_not_yet_allowed_it_is_one_tap(open_page: Callable[..., Any]) -> None:
    """Refused: said in words, the other ways stay. Allowed: one tap on the button."""
    page = open_page("/", language="en", width=360, **AT_THE_VILLAGE)
    button = page.get_by_role("button", name="Use my location")
    button.click()
    expect(page.get_by_text("Your phone did not give a location")).to_be_visible()
    page.context.grant_permissions(["geolocation"])
    button.click()
    page.wait_for_url("**/en/?near=*")
    expect(page.locator(".card h3").first).to_have_text("El Raghama")


@pytest.mark.parametrize("language", ["ar", "en"])
def test_the_whole_journey_without_scripts_on_the_smallest_phone(
    open_page: Callable[..., Any], live: Live, language: str
) -> None:
    """Type the village, open the visit, take a ticket, give it up; 320 pixels wide, nothing sideways."""
    serve(live)
    page = open_page("/", language=language, width=320, scripts=False)
    as_wide_as_the_screen(page)
    page.locator("input[name=q]").fill("الرغامه")
    page.locator("form[role=search] button").click()
    as_wide_as_the_screen(page)
    page.locator(".card h3 a").first.click()
    as_wide_as_the_screen(page)
    page.locator("section a.main").click()
    as_wide_as_the_screen(page)
    page.locator("select[name=service]").select_option("NID-01")
    page.locator("input[value=senior]").check()
    page.locator("input[name=phone]").fill("12")
    page.locator("form button.main").click()
    expect(page.locator("#phone")).to_have_value("12")
    page.locator("#phone").fill("")
    page.locator("form button.main").click()
    expect(page.locator(".ticket .label")).to_have_text("M003")
    as_wide_as_the_screen(page)
    page.locator(".actions a").click()
    page.locator("form button.bad").click()
    expect(page.locator(".ticket.over")).to_be_visible()


def as_wide_as_the_screen(page: Any) -> None:
    """For pages without scripts, where nothing can be evaluated: the picture of the full page is 320 wide."""
    picture = page.screenshot(full_page=True)
    width = int.from_bytes(picture[16:20], "big")  # PNG: the header's width
    assert width == page.viewport_size["width"], f"{page.url} is {width} px wide"


def take_ticket(page: Any, live: Live) -> None:
    """Take a ticket at the van's queue in the page's language."""
    page.goto(f"{live.url}/en/queues/{live.world.queue_visit_a}/take")
    page.locator("select[name=service]").select_option("NID-01")
    page.get_by_role("button", name="Take a ticket").click()
    expect(page.locator(".ticket .label")).to_be_visible()


def test_the_ticket_page_changes_by_itself_when_called(open_page: Callable[..., Any], live: Live) -> None:
    """Ahead goes down, then the big change with the desk, in the tab's title too: no reload by the person."""
    serve(live, ahead=2)
    page = open_page("/", width=360)
    take_ticket(page, live)
    expect(page.locator(".say")).to_have_text("2 people ahead of you")
    call(live)
    page.evaluate("dispatchEvent(new Event('online'))")  # asks at once instead of within ten seconds
    expect(page.locator(".say")).to_have_text("1 person ahead of you")
    call(live, times=2)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator(".ticket.called .desk")).to_have_text("Desk 1")
    assert "M003" in page.title() and "Desk 1" in page.title()
    size = page.locator(".ticket .label").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
    assert size >= 64, "the number is huge"


def test_polling_happens_without_being_pushed(open_page: Callable[..., Any], live: Live) -> None:
    """Within ten seconds of its own clock the page asks again."""
    serve(live, ahead=1)
    page = open_page("/", width=360)
    page.clock.install()
    take_ticket(page, live)
    call(live)
    page.clock.fast_forward(10_500)
    expect(page.locator(".say")).to_have_text("You are next. Stay close by.")


def test_without_a_line_the_last_state_stays_and_says_its_time(
    open_page: Callable[..., Any], live: Live
) -> None:
    """Offline: number and people ahead stay, with the time they are from; back online the notice goes."""
    serve(live, ahead=2)
    page = open_page("/", width=360)
    take_ticket(page, live)
    page.context.set_offline(True)
    notice = page.locator("[data-stale]")
    expect(notice).to_be_visible()
    expect(notice).to_contain_text("10:00")
    expect(page.locator(".say")).to_have_text("2 people ahead of you")
    page.context.set_offline(False)
    expect(notice).to_be_hidden()


def test_arabic_mirrors_english(open_page: Callable[..., Any], live: Live) -> None:
    """The boxes of the list in Arabic stand where those in English stand, seen in a mirror, within a pixel."""
    serve(live)
    boxes = {}
    for language in ("ar", "en"):
        page = open_page("/?near=24.5,32.92", language=language, width=360)
        boxes[language] = page.evaluate(
            """() => ['.bar', 'main', '.card', '.card:nth-child(1) .tag', 'form.row', 'form.row button']
                .map(s => document.querySelector(s).getBoundingClientRect())
                .map(r => [r.left, innerWidth - r.right])"""
        )
    for number, (arabic, english) in enumerate(zip(boxes["ar"], boxes["en"], strict=True)):
        start = (arabic[1], english[0])  # the distance at the start of the line
        assert abs(start[0] - start[1]) <= 1 or number == 5, (number, arabic, english)
    # The button stands at the end of its row in both: its end, not its width, is the same.
    assert abs(boxes["ar"][5][0] - boxes["en"][5][1]) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("language", ["ar", "en"])
def test_axe_finds_nothing_on_any_public_page(
    open_page: Callable[..., Any], live: Live, language: str
) -> None:
    """WCAG by axe-core, no rule switched off: every page of citizen, kiosk and board, at 320, 768 and 1366 pixels, with
    all that folds opened. (In the fast run test_every_screen_browser.py looks at each page as it opens.)"""
    if not AXE.exists():
        pytest.skip(f"no axe-core: {AXE} is missing (make setup fetches it)")
    serve(live, ahead=4)
    call(live, times=2)
    world, now = live.world, live.clock.now()
    queue = world.queue_visit_a
    kiosk, board = (
        live.write(lambda s, k=k: new_token(s, k, now=now, queue_id=queue)) for k in ("kiosk", "board")
    )
    with Session(live.app.extensions["writer"].engine) as session:
        codes = {ticket.state: ticket.code for ticket in session.scalars(select(Ticket))}
    page = open_page("/", language=language)
    faults = []
    prefix = live.url + ("" if language == "ar" else f"/{language}")
    for path in (
        "/", "/?near=24.5,32.92", "/?q=xqzqx", f"/?gov={world.governorate_a}", f"/visits/{world.visit_a}",
        f"/visits/{world.visit_b}", f"/centers/{world.site_b}", f"/queues/{queue}/take",
        *(f"/tickets/{code}" for code in codes.values()), f"/tickets/{codes['waiting']}/leave", f"/kiosk/{kiosk}",
        f"/kiosk/{kiosk}/priority?service=NID-01", f"/kiosk/{kiosk}/tickets/{codes['waiting']}", f"/board/{board}",
    ):  # fmt: skip
        page.goto(prefix + path)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        page.evaluate(AXE.read_text())
        for width in (320, 768, 1366):
            page.set_viewport_size({"width": width, "height": 768})
            found = page.evaluate("axe.run().then(r => r.violations.map(v => v.id + ' ' + v.nodes[0].html))")
            faults += [f"{path} at {width}: {fault}" for fault in found]
    assert not faults, "\n".join(faults)


def test_targets_are_large_enough(open_page: Callable[..., Any], live: Live) -> None:
    """Every button, field and link that stands alone is at least 44 pixels high."""
    serve(live)
    for path in (
        "/",
        "/?near=24.5,32.92",
        f"/visits/{live.world.visit_a}",
        f"/queues/{live.world.queue_a}/take",
    ):
        page = open_page(path, width=360)
        small = page.evaluate(
            """() => [...document.querySelectorAll('button,.button,select,input:not([type=hidden]):not([type=radio]),'
                + '.radio,.choices a,.foot a,.bar a,summary')]
                .filter(e => e.offsetParent && e.getBoundingClientRect().height < 44)
                .map(e => e.outerHTML.slice(0, 80))"""
        )
        assert not small, (path, small)


def test_the_ticket_is_one_even_when_the_button_is_hammered(
    open_page: Callable[..., Any], live: Live
) -> None:
    """Three quick presses: one ticket."""
    page = open_page(f"/queues/{live.world.queue_a}/take", width=360)
    page.locator("select[name=service]").select_option("NID-01")
    page.locator("form button.main").click(click_count=3, no_wait_after=True)
    expect(page.locator(".ticket .label")).to_have_text("A001")
    with Session(live.app.extensions["writer"].engine) as session:
        assert len(session.scalars(select(Ticket)).all()) == 1
