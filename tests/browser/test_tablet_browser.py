"""A clerk's tablet that loses the server goes on by itself, in a real browser: nothing lost, nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import counter, rebuild
from queueing.store import Ticket, TicketEvent
from queueing.store_tablet import Hand
from tests.browser.test_clerk_browser import give, label_shown, nobody_shown, quiet, seat, state_shown, states

pytestmark = pytest.mark.browser


class Line:
    """The line between a browser and the server, to be cut: every request fails, sockets too."""

    def __init__(self, page: Any) -> None:
        self.context = page.context

    def cut(self) -> None:
        self.context.set_offline(True)

    def mend(self) -> None:
        self.context.set_offline(False)


def ready(page: Any, people: int) -> None:
    """The tablet keeps a picture with a hand of so many."""
    page.wait_for_function("n => document.body.dataset.hand === String(n)", arg=people)


def holds(page: Any) -> list[str]:
    """Labels of the hand, in order."""
    return list(
        page.evaluate("() => window.ClerkStore.get('picture').then(p => p ? p.people.map(t => t.label) : [])")
    )


def told(page: Any) -> None:
    """Everything has reached the server."""
    page.wait_for_function(
        "() => document.body.dataset.mode === 'live' && document.body.dataset.unsent === '0'", timeout=20_000
    )


def kept(page: Any) -> None:
    """The browser keeps the pages that it needs without a line."""
    for _ in range(100):
        if page.evaluate("() => caches.match('/en/desk/alone').then(p => !!p)"):
            return
        page.wait_for_timeout(100)
    raise AssertionError("the page was not kept")


def tablet_says(page: Any, words: str) -> None:
    """Times in it are isolated by signs that nobody sees."""
    page.wait_for_function(
        """w => { const t = document.querySelector('[data-tablet]');
            return !t.hidden && t.textContent.replace(/[\\u2066\\u2069]/g, '').includes(w); }""",
        arg=words,
    )


def history(live: Any) -> list[tuple[str, str]]:
    """(label, action) of all events but the issues, in the order of their recording."""
    with Session(live.app.extensions["writer"].engine) as session:
        return [
            (label, action)
            for label, action in session.execute(
                select(Ticket.label, TicketEvent.action)
                .join(Ticket, Ticket.id == TicketEvent.ticket_id)
                .where(TicketEvent.action != "issue")
                .order_by(TicketEvent.id)
            )
        ]


def sound(live: Any) -> None:
    """Tickets stand where their events say."""
    with Session(live.app.extensions["writer"].engine) as session:
        assert rebuild.check(session) == []


def test_ten_calls_without_a_line_a_reload_and_all_is_told_once(
    live: Any, open_page: Callable[..., Any], sockets: None
) -> None:
    """Ten people served, the page loaded anew in between; then each press is there once, at its time."""
    seat(live)
    give(live, 12)
    page = open_page("/desk", user="clerk", language="en")
    ready(page, 12)
    kept(page)
    line = Line(page)
    line.cut()
    for n in range(1, 6):
        page.keyboard.press("n")
        label_shown(page, f"A{n:03d}")
        quiet(page)
    tablet_says(page, "Working alone since 10:00")
    tablet_says(page, "5 actions are waiting")
    page.keyboard.press("s")
    state_shown(page, "serving")
    quiet(page)
    page.reload()
    label_shown(page, "A005")
    state_shown(page, "serving")
    assert "Working alone since" in page.inner_text("[data-tablet]")
    for n in range(6, 11):
        page.keyboard.press("n")
        label_shown(page, f"A{n:03d}")
        quiet(page)
    page.keyboard.press("m")
    nobody_shown(page)
    quiet(page)
    assert set(states(live).values()) == {"waiting"}, "something reached the server without a line"
    live.clock.advance(minutes=30)
    line.mend()
    page.wait_for_url("**/en/desk")
    told(page)
    page.wait_for_selector("[data-connection].tag-good")
    calls = [label for label, action in history(live) if action == "call"]
    assert calls == [f"A{n:03d}" for n in range(1, 11)]
    found = states(live)
    assert [found[f"A{n:03d}"] for n in (1, 5, 9, 10, 11)] == [
        "served",
        "served",
        "served",
        "missed",
        "waiting",
    ]
    with Session(live.app.extensions["writer"].engine) as session:
        events = session.scalars(select(TicketEvent).where(TicketEvent.action != "issue")).all()
    begin = live.clock.now() - timedelta(minutes=30)
    assert all(e.data["offline"] for e in events)
    assert all(e.recorded_at == live.clock.now() for e in events)
    assert all(begin <= e.happened_at < begin + timedelta(minutes=2) for e in events), "not at their times"
    sound(live)


def test_two_desks_alone_call_different_people_and_a_cancelled_one_is_named(
    live: Any, open_page: Callable[..., Any], sockets: None
) -> None:
    """Both desks lose the line at once and call five people each; one person cancels by telephone meanwhile."""
    seat(live)
    seat(live, "clerk2", 1)
    codes = give(live, 10)
    one = open_page("/desk", user="clerk", language="en")
    two = open_page("/desk", user="clerk2", language="en")
    ready(one, 5)
    ready(two, 5)
    assert not set(holds(one)) & set(holds(two))
    mine = holds(one)
    Line(one).cut()
    Line(two).cut()
    called: dict[Any, list[str]] = {one: [], two: []}
    for page in (one, two):
        for label in holds(page):
            page.keyboard.press("n")
            label_shown(page, label)
            quiet(page)
            called[page].append(label)
        page.keyboard.press("n")
        nobody_shown(page)
        quiet(page)
    assert sorted(called[one] + called[two]) == [f"A{n:03d}" for n in range(1, 11)]
    gone = mine[2]

    def cancel(session: Session) -> None:
        ticket = session.scalars(select(Ticket).where(Ticket.label == gone)).one()
        counter.cancel(session, ticket, request_id="phone", actor="phone", now=live.clock.now())

    live.write(cancel)
    live.clock.advance(minutes=20)
    Line(one).mend()
    Line(two).mend()
    told(two)
    tablet_says(one, "1 action needs you")
    found = states(live)
    assert {label for label, state in found.items() if state != "served"} == {gone}
    assert found[gone] == "cancelled"
    calls = [label for label, action in history(live) if action == "call"]
    assert sorted(calls) == sorted(set(called[one] + called[two]) - {gone})
    one.locator("[data-tablet]").click()
    row = one.locator("[data-unsent-refused] li")
    row.wait_for()
    assert gone in row.inner_text() and "cannot be done" in row.inner_text()
    one.once("dialog", lambda dialog: dialog.accept())
    row.get_by_role("button", name="Forget it").click()
    one.get_by_text("Everything has been sent.").wait_for()
    assert len(codes) == 10
    sound(live)


def test_a_press_of_the_wrong_ticket_is_sent_for_the_right_one(
    live: Any, open_page: Callable[..., Any], sockets: None
) -> None:
    """The person served was not the one who had cancelled: the clerk says whose ticket it was, by keyboard."""
    seat(live)
    give(live, 2)
    page = open_page("/desk", user="clerk", language="en")
    ready(page, 2)
    Line(page).cut()
    page.keyboard.press("n")
    label_shown(page, "A001")
    quiet(page)
    page.keyboard.press("f")
    nobody_shown(page)
    quiet(page)

    def cancel(session: Session) -> None:
        ticket = session.scalars(select(Ticket).where(Ticket.label == "A001")).one()
        counter.cancel(session, ticket, request_id="phone", actor="phone", now=live.clock.now())

    live.write(cancel)
    live.clock.advance(minutes=5)
    Line(page).mend()
    tablet_says(page, "2 actions need you")
    page.goto("/en/desk/unsent")
    page.wait_for_selector("[data-unsent-refused] li select")
    page.locator("[data-unsent-refused] li select").first.select_option(label="A002")
    page.get_by_text("Everything has been sent.").wait_for()
    assert states(live) == {"A001": "cancelled", "A002": "served"}
    sound(live)


def test_signing_out_keeps_nothing_but_what_was_not_sent(
    live: Any, open_page: Callable[..., Any], sockets: None
) -> None:
    """No picture, no kept pages; the people of the hand are free at once."""
    seat(live)
    give(live, 2)
    page = open_page("/desk", user="clerk", language="en")
    ready(page, 2)
    kept(page)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login**")
    assert page.evaluate("() => caches.keys()") == []
    with Session(live.app.extensions["writer"].engine) as session:
        assert session.scalars(select(Hand)).all() == []
