"""A clerk's work in a real browser: by keys alone, live, on small screens, and without a connection."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import counter, desks
from queueing.store import Desk, Queue, Ticket, TicketEvent
from web.accounts import new_token

pytestmark = pytest.mark.browser
CODES = ("NID-01", "BIR-01", "FAM-01", "BLD-01")


def seat(live: Any, name: str = "clerk", desk: int = 0) -> None:
    """Open a desk of Aswan for an account."""
    number = live.world.desks_a[desk]

    def work(session: Session) -> None:
        desks.open_desk(
            session, session.get_one(Desk, number), actor=name, now=live.clock.now(), operator=name
        )

    live.write(work)


def give(live: Any, count: int = 1, **more: Any) -> list[str]:
    """Tickets at Aswan; returns their codes."""

    def work(session: Session) -> list[str]:
        queue = session.get_one(Queue, live.world.queue_a)
        made = [
            counter.issue(
                session,
                queue,
                CODES[n % 4],
                request_id=f"b{next(NUMBERS)}",
                actor="x",
                now=live.clock.now(),
                **more,
            )
            for n in range(count)
        ]
        return [done.ticket.code for done in made]

    return list(live.write(work))


NUMBERS = iter(range(100_000))


def states(live: Any) -> dict[str, str]:
    with Session(live.app.extensions["writer"].engine) as session:
        return dict(session.execute(select(Ticket.label, Ticket.state)).all())


def label_shown(page: Any, label: str) -> None:
    page.wait_for_function("l => document.querySelector('.now-label')?.textContent === l", arg=label)


def nobody_shown(page: Any) -> None:
    page.wait_for_selector(".now-none")


def state_shown(page: Any, state: str) -> None:
    page.wait_for_selector(f".now-{state}")
    page.wait_for_function("() => document.getElementById('work').getAttribute('aria-busy') !== 'true'")


def quiet(page: Any) -> None:
    page.wait_for_function("() => document.getElementById('work').getAttribute('aria-busy') === 'false'")


NO_MOUSE = """() => { window.moused = 0; for (const kind of ['pointerdown', 'mousedown', 'touchstart'])
    addEventListener(kind, () => { window.moused += 1; }, true); }"""
SEEN = """() => { const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
    if (!e.matches(':focus-visible')) return 'not marked as focused by keyboard: ' + e.outerHTML.slice(0, 80);
    if (s.outlineStyle === 'none' || parseFloat(s.outlineWidth) < 2) return 'no outline: ' + e.outerHTML.slice(0, 80);
    const out = r.top < 0 || r.bottom > innerHeight || r.left < 0 || r.right > innerWidth;
    if (out) return 'outside the window: ' + e.outerHTML.slice(0, 80);
    const top = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
    return e === top || e.contains(top) ? '' : 'covered: ' + e.outerHTML.slice(0, 80); }"""
"""Empty where the element with the focus is on the screen, uncovered, with an outline of 2 px or more."""


@pytest.mark.parametrize("language", ["ar"])
def test_a_shift_of_twenty_tickets_by_keyboard_alone(
    live: Any, open_page: Any, sockets: None, language: str
) -> None:
    """Twenty people with recall, no-show, parking, transfer and undo: no mouse, and focus is never lost."""
    seat(live)
    give(live, 20)
    page = open_page("/desk", user="clerk", language=language)
    page.evaluate(NO_MOUSE)
    for n in range(1, 21):
        page.keyboard.press("n")
        label_shown(page, f"A{n:03d}")
        quiet(page)
        focused = page.evaluate("document.activeElement.closest('#work') && document.activeElement.tagName")
        assert focused == "BUTTON", f"focus was lost at ticket {n}"
        assert page.evaluate(SEEN) == "", f"at ticket {n} nobody sees where the focus is"
        if n == 3:
            page.keyboard.press("r")
            page.wait_for_selector("[data-said]")
            quiet(page)
        if n == 5:
            page.keyboard.press("m")
            nobody_shown(page)
        elif n == 7:
            page.keyboard.press("p")
            nobody_shown(page)
        elif n == 9:
            page.keyboard.press("m")
            nobody_shown(page)
            quiet(page)
            page.keyboard.press("u")
            label_shown(page, "A009")
        elif n == 11:
            page.keyboard.press("t")
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Tab")
            assert page.evaluate(SEEN) == ""
            page.keyboard.type("bring the stamped form")
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            nobody_shown(page)
            quiet(page)
        elif n == 13:
            page.keyboard.press("s")
            state_shown(page, "serving")
            page.keyboard.press("f")
            nobody_shown(page)
            quiet(page)
        if n == 11:
            # Sent on within the queue, it keeps its age: it comes back first.
            page.keyboard.press("n")
            label_shown(page, "A011")
            assert "bring the stamped form" in page.locator(".note").inner_text()
            quiet(page)
    page.keyboard.press("f")
    nobody_shown(page)
    found = states(live)
    assert {label for label, state in found.items() if state != "served"} == {"A005", "A007"}
    assert (found["A005"], found["A007"]) == ("missed", "parked")
    assert page.evaluate("window.moused") == 0


def test_a_call_is_on_the_board_and_on_the_phone_at_once(live: Any, open_page: Any, sockets: None) -> None:
    """The clerk presses N; the board in the hall shows the number, and the citizen's ticket says where to go."""
    seat(live)
    (code,) = give(live)
    token = live.write(
        lambda session: new_token(session, "board", now=live.clock.now(), queue_id=live.world.queue_a)
    )
    board = open_page(f"/board/{token}")
    phone = open_page(f"/tickets/{code}", language="en", width=360)
    assert "A001" in phone.inner_text("main")
    desk = open_page("/desk", user="clerk")
    desk.wait_for_selector("[data-connection].tag-good")
    desk.keyboard.press("n")
    label_shown(desk, "A001")
    board.wait_for_function("() => document.body.innerText.includes('A001')", timeout=5_000)
    phone.wait_for_function("() => /desk 1/i.test(document.body.innerText)", timeout=20_000)


def test_what_others_do_appears_without_pressing_anything(live: Any, open_page: Any, sockets: None) -> None:
    seat(live)
    page = open_page("/desk", user="clerk", language="en")
    page.wait_for_selector("[data-connection].tag-good")
    assert page.inner_text("[data-connection]") == "Connected"
    give(live, 2)
    page.wait_for_selector('[data-waiting="2"]')
    page.locator(
        ".current", has_text="2 people are waiting."
    ).wait_for()  # the sections are drawn one after the other
    assert page.locator(".next-button").is_visible()


def test_typed_words_outlive_a_refreshed_section(live: Any, open_page: Any, sockets: None) -> None:
    """A note half typed stays while people arrive and the section is drawn again."""
    seat(live)
    give(live)
    page = open_page("/desk", user="clerk", language="en")
    page.wait_for_selector("[data-connection].tag-good")
    page.keyboard.press("n")
    label_shown(page, "A001")
    quiet(page)
    page.keyboard.press("t")
    page.locator("textarea[name=note]").fill("half a sent")
    page.locator("h1").click()  # the field is left: the section may be drawn again
    page.evaluate("document.activeElement.blur()")
    give(live, 3)
    page.wait_for_selector('[data-waiting="3"]')
    page.evaluate("window.live.refresh('*')")
    page.wait_for_function("() => document.querySelector('.next-button').textContent.includes('call next')")
    assert page.locator("textarea[name=note]").input_value() == "half a sent"
    assert page.locator("details[data-keep^='transfer-']").get_attribute("open") is not None


def test_what_a_press_brought_stays_when_the_section_is_drawn_again(
    live: Any, open_page: Any, sockets: None
) -> None:
    """The call tells every screen of the queue, this one too: its own refresh must not take the answer away."""
    seat(live)
    give(live)
    page = open_page("/desk", user="clerk", language="en")
    page.keyboard.press("n")
    label_shown(page, "A001")
    quiet(page)
    page.keyboard.press("r")
    page.wait_for_selector("[data-said]")
    said = page.inner_text("[data-said]")
    give(live)
    page.wait_for_selector('[data-waiting="1"]')
    page.locator(".next-button", has_text="call next").wait_for()
    assert page.inner_text("[data-said]") == said


def test_a_section_on_its_way_does_not_break_into_typing(live: Any, open_page: Any, sockets: None) -> None:
    """The answer was asked for before the clerk began to type, and comes while they do."""
    seat(live)
    give(live)
    page = open_page("/desk", user="clerk", language="en")
    page.wait_for_selector("[data-connection].tag-good")
    page.keyboard.press("n")
    label_shown(page, "A001")
    quiet(page)
    page.wait_for_function("() => !document.querySelector('.current').dataset.busy")
    held: list[Any] = []
    page.route("**/desk/parts/current", lambda route: route.continue_() if held else held.append(route))
    with page.expect_request("**/desk/parts/current"):
        give(live)
    page.wait_for_function("() => document.querySelector('.current').dataset.busy")
    page.keyboard.press("t")
    page.keyboard.press("Tab")
    page.keyboard.type("bring the ")
    with page.expect_response("**/desk/parts/current"):
        held[0].continue_()
    page.wait_for_function("() => !document.querySelector('.current').dataset.busy")
    page.keyboard.type("form")
    assert page.evaluate("document.activeElement.value") == "bring the form"
    page.keyboard.press("Tab")
    page.locator(".next-button", has_text="call next").wait_for()  # left: now it is drawn
    assert page.evaluate("document.activeElement.dataset.focus") == "send-on"
    assert page.locator("textarea[name=note]").input_value() == "bring the form"


def test_without_a_connection_the_page_says_so_and_a_second_press_counts_once(
    live: Any, open_page: Any, sockets: None
) -> None:
    seat(live)
    give(live, 2)
    page = open_page("/desk", user="clerk", language="en")
    page.wait_for_selector("[data-connection].tag-good")
    page.wait_for_function("() => document.body.dataset.hand === '2'")
    page.evaluate("window.live.socket.disconnect()")
    page.wait_for_selector("[data-connection].tag-bad")
    assert "Not connected since" in page.inner_text("[data-connection]")
    lost: list[str] = []

    def answer_lost(route: Any) -> None:
        """The press arrives and is done, but its answer never comes back."""
        if lost or '"verb":"next"' not in (route.request.post_data or ""):
            route.continue_()
        else:
            lost.append(route.fetch().text())
            route.abort()

    page.route("**/desk/*/contact", answer_lost)
    page.keyboard.press("n")
    label_shown(page, "A001")
    # The page goes on by itself and tells the press again, with the same id.
    page.wait_for_function(
        "() => document.body.dataset.mode === 'live' && document.body.dataset.unsent === '0'"
    )
    label_shown(page, "A001")
    with Session(live.app.extensions["writer"].engine) as session:
        calls = session.scalars(select(TicketEvent).where(TicketEvent.action == "call")).all()
    assert len(calls) == 1


def test_the_keys_can_be_switched_off(live: Any, open_page: Any) -> None:
    """Single letters must not press anything for people who speak to their computer."""
    seat(live)
    give(live)
    page = open_page("/desk", user="clerk", language="en")
    page.locator("#keys-on").uncheck()
    page.locator("h1").click()
    page.keyboard.press("n")
    assert not page.locator("kbd").first.is_visible()
    assert states(live) == {"A001": "waiting"}


def test_a_shift_without_scripts(live: Any, open_page: Any) -> None:
    """Sit down, call, start, finish by plain forms."""
    give(live)
    page = open_page("/desk", user="clerk", language="en", scripts=False)
    page.locator("button.desk-tile").first.click()
    page.get_by_role("button", name="Call next").click()
    assert page.inner_text(".now-label") == "A001"
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Finish", exact=False).last.click()
    assert states(live) == {"A001": "served"}


@pytest.mark.parametrize("language", ["ar", "en"])
@pytest.mark.parametrize("width", [320, 1366])
def test_nothing_sticks_out_and_buttons_are_big_enough(
    live: Any, open_page: Any, no_sideways_scroll: Any, language: str, width: int
) -> None:
    """The desk, the supervisor's page and the agency's fit their screens; every target measures 44 px."""
    seat(live)
    give(live, 6, priority=2)
    live.write(
        lambda s: counter.call_next(
            s, s.get_one(Desk, live.world.desks_a[0]), request_id="c", actor="clerk", now=live.clock.now()
        )
    )
    for path, user in (
        ("/desk", "clerk"),
        ("/supervisor", "supervisor"),
        ("/agency", "agency"),
        ("/desk", "clerk2"),
    ):
        page = open_page(path, user=user, language=language, width=width)
        no_sideways_scroll(page)
        small = page.evaluate(
            """() => [...document.querySelectorAll('main button, main input:not([type=hidden]), main select, summary')]
                .filter(e => e.offsetParent && e.getBoundingClientRect().height < (e.type === 'checkbox' ? 20 : 43.5))
                .map(e => e.outerHTML.slice(0, 90))"""
        )
        assert small == [], path


def test_a_change_during_a_press_reaches_the_section_that_the_answer_drew(
    live: Any, open_page: Any, sockets: None
) -> None:
    """A refresh that was due for a section which the answer replaced is done for its successor."""
    seat(live)
    give(live, 2)
    page = open_page("/desk", user="clerk", language="en")
    page.wait_for_selector("[data-connection].tag-good")
    page.wait_for_selector('[data-waiting="2"]')
    settled = (
        "() => [...document.querySelectorAll('[data-part]')].every(s => s.dataset.at && !s.dataset.busy)"
    )
    page.wait_for_function(settled)
    # A refresh is due in a moment; before it comes, the whole work area is drawn anew as the answer to a press does.
    page.evaluate(
        """() => {
            window.live.refresh('line');
            const work = document.getElementById('work');
            work.innerHTML = work.innerHTML.replace('data-waiting="2"', 'data-waiting="99"');
        }"""
    )
    page.wait_for_selector('[data-waiting="2"]')


@pytest.mark.parametrize("language", ["ar", "en"])
def test_every_state_says_what_happens_next(live: Any, open_page: Any, language: str) -> None:
    """Nobody waits, people wait, called, being served, on a break: one sentence each, and no two the same; what it
    tells to press is there to be pressed."""
    seat(live)
    page = open_page("/desk", user="clerk", language=language)
    heard = [page.inner_text(".what-next")]
    assert page.locator(".next-button").count() == 0, "nobody can be called: no button says so"
    give(live, 2)
    page.reload()
    heard.append(page.inner_text(".what-next"))
    for key, state in (("n", "called"), ("s", "serving")):
        page.keyboard.press(key)
        state_shown(page, state)
        heard.append(page.inner_text(".what-next"))
    page.keyboard.press("f")
    nobody_shown(page)
    quiet(page)
    page.locator('[data-focus="pause"]').focus()
    page.keyboard.press("Enter")
    page.wait_for_selector('[data-focus="open"]')
    heard.append(page.inner_text(".what-next"))
    assert page.locator(".next-button").count() == 0
    assert len(set(heard)) == 5, heard
    assert all(30 < len(sentence) < 130 for sentence in heard)


def test_a_refused_form_keeps_what_was_typed(live: Any, open_page: Any) -> None:
    """A telephone number that cannot be: the refusal is said, and every field stands as it was left."""
    seat(live)
    page = open_page("/desk", user="clerk", language="en")
    page.select_option(".walkin select[name=service]", "BIR-01")
    page.select_option(".walkin select[name=priority]", "senior")
    page.fill(".walkin input[name=phone]", "12 34")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-said].flash-error")
    fields = [page.input_value(f".walkin [name={name}]") for name in ("service", "priority", "phone")]
    assert fields == ["BIR-01", "senior", "12 34"]
    assert page.evaluate("document.activeElement.name") == "phone"
