"""The kiosk on its touch screen and on paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Live
from web.accounts import new_token

pytestmark = pytest.mark.browser


@pytest.fixture
def kiosk(live: Live) -> str:
    """The address of the kiosk of queue_a."""
    queue = live.world.queue_a
    return "/kiosk/" + live.write(lambda s: new_token(s, "kiosk", now=live.clock.now(), queue_id=queue))


@pytest.mark.parametrize("language", ["ar", "en"])
@pytest.mark.parametrize("scripts", [True, False])
def test_two_taps_to_a_ticket(
    open_page: Callable[..., Any], kiosk: str, language: str, scripts: bool
) -> None:
    """Service, answer, ticket with its number and a QR code; with scripts and without, in both languages."""
    page = open_page(kiosk, language=language, scripts=scripts)
    page.locator(".tiles a").first.click()
    page.locator("button[value=none]").click()
    expect(page.locator("h1 bdi")).to_have_text("A001")
    expect(page.locator(".square svg")).to_be_visible()
    assert page.locator("html").get_attribute("dir") == ("rtl" if language == "ar" else "ltr")


def test_big_targets_and_nothing_cut(
    open_page: Callable[..., Any], kiosk: str, no_sideways_scroll: Callable[[Any], None]
) -> None:
    """Everything to press is at least 60 pixels high and on the screen, on a small tablet too."""
    for width, height in ((1366, 768), (800, 1280), (360, 740)):
        page = open_page(kiosk, width=width, height=height)
        for _ in range(2):
            no_sideways_scroll(page)
            small = page.evaluate(
                """() => [...document.querySelectorAll('a,button')].filter(e => e.offsetParent)
                    .map(e => [e.getBoundingClientRect(), e.textContent])
                    .filter(([r]) => r.height < 60 || r.width < 60).map(([r, t]) => t)"""
            )
            assert not small, (width, small)
            overlap = page.evaluate(
                """() => { const r = [...document.querySelectorAll('main a, main button, main .now, footer a')]
                    .filter(e => e.offsetParent).map(e => e.getBoundingClientRect());
                    return r.some((a, i) => r.some((b, j) => i < j && a.left < b.right - 1 && b.left < a.right - 1
                        && a.top < b.bottom - 1 && b.top < a.bottom - 1)); }"""
            )
            assert not overlap, f"things overlap at {width}"
            if page.locator(".tiles").count():
                with page.expect_navigation():
                    page.locator(".tiles a").first.click()


def test_it_goes_back_to_the_arabic_start_after_twenty_seconds(
    open_page: Callable[..., Any], kiosk: str
) -> None:
    """Left alone on the English question: said before, done after 20 s; a touch starts the time anew."""
    page = open_page(kiosk, language="en")
    page.clock.install()
    page.locator(".tiles a").first.click()
    page.clock.run_for(12_000)
    expect(page.locator("[data-left]")).to_be_visible()
    page.locator("h1").click()
    page.clock.run_for(12_000)
    assert "priority" in page.url, "a touch starts the twenty seconds anew"
    page.clock.run_for(8_500)
    page.wait_for_url(f"**{kiosk}")
    assert "/en/" not in page.url


def test_a_cut_line_is_said_instead_of_an_error_page(open_page: Callable[..., Any], kiosk: str) -> None:
    """No connection at the moment of going back: the page stays and says so."""
    page = open_page(kiosk)
    page.clock.install()
    page.locator(".tiles a").first.click()
    page.context.set_offline(True)
    page.clock.run_for(21_000)
    expect(page.locator("[data-offline]")).to_be_visible()
    assert "priority" in page.url


def test_the_paper_ticket_is_80_mm_wide_and_carries_only_the_ticket(
    open_page: Callable[..., Any], kiosk: str
) -> None:
    """In print: no buttons, at most 74 mm of content, number and QR on it."""
    page = open_page(kiosk)
    page.locator(".tiles a").first.click()
    page.locator("button[value=none]").click()
    page.emulate_media(media="print")
    expect(page.locator("footer")).to_be_hidden()
    expect(page.locator("header")).to_be_hidden()
    wide = page.locator(".ticket").evaluate("e => e.getBoundingClientRect().width / 96 * 25.4")
    assert 60 <= wide <= 75
    qr = page.locator(".square").evaluate("e => e.getBoundingClientRect().width / 96 * 25.4")
    assert qr >= 30, "large enough for a phone's camera"
    text = page.locator("main").inner_text()
    assert "A001" in text


def test_a_ticket_by_keypad_alone(open_page: Callable[..., Any], live: Live, kiosk: str) -> None:
    """Two digits to a ticket, 0 back to the start; no touch. The digits appear with the first key, each on its tile,
    and a question says what its answer prints."""
    page = open_page(kiosk)
    page.evaluate("addEventListener('pointerdown', () => { sessionStorage.setItem('touched', '1'); })")
    assert page.locator(".tiles .digit").first.is_hidden(), "who touches the screen sees no digits"
    page.keyboard.press("Numpad2")
    page.wait_for_url("**/priority?**")
    expect(page.locator(".answers .digit").first).to_be_visible()
    assert page.locator(".answers .digit").all_inner_texts() == ["1", "2", "3", "4", "5"]
    expect(page.locator(".prints:visible")).to_contain_text("رقمك")
    page.keyboard.press("0")
    page.wait_for_url(live.url + kiosk)
    expect(page.locator(".tiles .digit").first).to_be_visible()
    # A keyboard set to Arabic sends the digits of its own.
    page.evaluate("dispatchEvent(new KeyboardEvent('keydown', {key: '١', code: 'Digit1', bubbles: true}))")
    page.wait_for_url("**/priority?**")
    page.keyboard.press("1")
    expect(page.locator("h1 bdi")).to_have_text("A001")
    page.keyboard.press("0")
    page.wait_for_url(live.url + kiosk)
    assert page.evaluate("sessionStorage.getItem('touched')") is None


def test_a_start_left_in_another_language_goes_back_to_arabic(
    open_page: Callable[..., Any], live: Live, kiosk: str
) -> None:
    """The next person finds the first language, not the last person's."""
    page = open_page(kiosk, language="en")
    page.clock.install()
    page.reload()
    page.clock.run_for(20_500)
    page.wait_for_url(live.url + kiosk)
    assert page.locator("html").get_attribute("lang") == "ar"
