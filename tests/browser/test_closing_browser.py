"""A line that is closed while people wait, and a visit that is called off: who decides is asked, who waits is told why
and where to go instead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from fleet import planner
from fleet.store import Visit
from queueing import closing, desks
from queueing.slots import Pattern, set_rules
from queueing.store import Queue
from tests.browser.conftest import Live
from tests.browser.test_clerk_browser import give, states
from tests.web.world import NOW, TODAY
from web.accounts import new_token

pytestmark = pytest.mark.browser
PHONE = {"width": 360, "height": 740}
TOMORROW = TODAY + timedelta(days=1)


def test_a_supervisor_is_asked_and_the_holder_reads_why_and_where_to_go(
    live: Live, open_page: Callable[..., Any], no_sideways_scroll: Any, sockets: None
) -> None:
    """Closing with two waiting asks first, with how many; left open nothing happens; closed all the same, the phone
    that stands open on its ticket says why and names the nearest center, without a reload."""
    code = give(live, 2)[0]
    phone = open_page(f"/tickets/{code}", language="en", **PHONE)
    expect(phone.locator(".ticket .label")).to_have_text("A001")
    page = open_page("/supervisor", user="supervisor", language="en")
    page.get_by_role("button", name="Close the queue").click()
    question = page.get_by_role("alertdialog")
    expect(question).to_contain_text("2 people are still inside")
    question.get_by_role("link", name="Leave it open").click()
    assert set(states(live).values()) == {"waiting"}
    page.get_by_role("button", name="Close the queue").click()
    no_sideways_scroll(page)
    question.get_by_label("Why (they read it)").fill("The power is out")
    question.get_by_role("button", name="Close it all the same").click()
    page.get_by_text("Open the queue").wait_for()
    assert set(states(live).values()) == {"cancelled"}
    expect(phone.locator("main")).to_contain_text("The power is out", timeout=15_000)
    expect(phone.get_by_role("heading", name="Where you can go instead")).to_be_visible()
    expect(phone.locator(".cards .card").first).to_contain_text("Aswan")
    expect(phone.locator(".cards")).to_contain_text("Kom Ombo technology center")
    no_sideways_scroll(phone)


def test_served_out_the_line_empties_and_closes_by_itself(
    live: Live, open_page: Callable[..., Any], sockets: None
) -> None:
    """The other answer to the question: nobody new comes in, who is inside keeps the place, the board says so."""
    codes = give(live, 2)
    phone = open_page(f"/tickets/{codes[1]}", scripts=False, **PHONE)
    page = open_page("/supervisor", user="supervisor")
    page.get_by_role("button", name="أغلق الصف").click()
    page.get_by_role("alertdialog").get_by_role("button", name="اخدم من في الداخل ثم أغلق").click()
    page.wait_for_url("**/change")
    assert set(states(live).values()) == {"waiting"}
    phone.reload()
    assert phone.locator(".ticket").get_attribute("data-state") == "waiting"
    taking = open_page(f"/queues/{live.world.queue_a}/take", scripts=False, **PHONE)
    assert taking.locator("main form button").count() == 0, "nobody new comes in"

    def served(session: Any) -> int:
        queue = session.get_one(Queue, live.world.queue_a)
        closing.send_home(session, queue, flag="test", actor="x", now=NOW)
        return closing.finish_closing(session, now=NOW)

    assert live.write(served) == 1


def test_a_visit_called_off_is_said_on_the_phone_and_another_time_kept_with_one_tap(
    live: Live, open_page: Callable[..., Any], no_sideways_scroll: Any
) -> None:
    """In Arabic, without scripts: booked, called off by the planner, the reason read, the nearest free time kept."""
    world = live.world
    live.write(
        lambda db: set_rules(
            db, db.get_one(Queue, world.queue_b), [Pattern(600, 660, 30, 1)], days=[TOMORROW]
        )
    )
    phone = open_page(f"/queues/{world.queue_visit_b}/book", scripts=False, **PHONE)
    phone.get_by_role("link", name="بطاقة الرقم القومي").click()
    phone.get_by_role("button", name="10:00").click()
    address = phone.url
    live.write(
        lambda db: planner.cancel_visit(
            db,
            db.get_one(Visit, world.visit_b),
            "عطل في المركبة",
            "The van broke down",
            actor="planner",
            now=NOW,
        )
    )
    phone.goto(address)
    main = phone.locator("main")
    expect(main).to_contain_text("عطل في المركبة")
    no_sideways_scroll(phone)
    main.locator(".cards button").first.click()
    assert phone.url != address
    expect(phone.locator(".ticket")).to_have_attribute("data-state", "booked")
    phone.goto(address)
    expect(phone.locator(".ticket")).to_have_attribute("data-state", "booked")


def test_a_paused_line_says_until_when_on_board_phone_and_desk(
    live: Live, open_page: Callable[..., Any], no_sideways_scroll: Any, sockets: None
) -> None:
    """A pause of twenty minutes: the board, a ticket's page and whoever wants a number read until when."""
    code = give(live, 1)[0]
    token = live.write(lambda db: new_token(db, "board", now=NOW, queue_id=live.world.queue_a))
    board = open_page(f"/board/{token}", language="en")
    phone = open_page(f"/tickets/{code}", language="en", **PHONE)

    def pause(db: Any) -> None:
        queue = db.get_one(Queue, live.world.queue_a)
        desks.pause_queue(db, queue, actor="x", now=NOW, until=NOW + timedelta(minutes=20))

    live.write(pause)
    expect(board.locator("body")).to_contain_text("10:20", timeout=10_000)
    assert "<bdi" not in board.locator("body").inner_text(), "a tag stands on the board as text"
    expect(phone.locator(".ticket")).to_contain_text("paused until 10:20", timeout=15_000)
    taking = open_page(f"/queues/{live.world.queue_a}/take", language="en", scripts=False, **PHONE)
    expect(taking.locator("main")).to_contain_text("10:20")
    for page in (board, phone, taking):
        no_sideways_scroll(page)


@pytest.mark.parametrize("language", ["ar", "en"])
def test_a_supervisors_pages_are_one_line_on_a_telephone(
    live: Live, open_page: Callable[..., Any], no_sideways_scroll: Any, language: str
) -> None:
    """At 360 px the names of six pages do not push the page itself away: one line that opens, without scripts."""
    page = open_page("/supervisor/place", user="supervisor", language=language, scripts=False, **PHONE)
    menu = page.locator(".pages-small")
    assert menu.bounding_box()["height"] < 60
    assert not page.locator(".pages").is_visible()
    menu.locator("summary").click()
    assert menu.locator("nav a").count() == 5
    no_sideways_scroll(page)
    menu.locator("nav a").first.click()
    page.wait_for_url("**/supervisor")
    page.set_viewport_size({"width": 1366, "height": 768})
    assert page.locator(".pages").is_visible() and not menu.is_visible()
