"""The citizen's application in a real browser: light on a slow line, read without one, told of changes, from the search
to the rating."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.planning.cancelling import cancel_visit
from fleet.store import Visit
from queueing import counter
from queueing.store import Ticket
from queueing.store_life import Follower
from tests.browser.conftest import Live
from tests.browser.test_citizen_browser import call, expect, serve
from tests.web.carriers import counterpart
from web import jobs

pytestmark = pytest.mark.browser
SLOW = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
"""400 kbit/s and 400 ms, as Chromium's tools count them (bytes a second)."""
WORKS = (
    "navigator.serviceWorker.ready.then(() => new Promise(d => navigator.serviceWorker.controller ? d() : \
navigator.serviceWorker.addEventListener('controllerchange', d)))"
)
KEPT = "caches.open('citizen-pages').then(c => c.keys()).then(k => k.map(r => new URL(r.url).pathname))"


def has_kept(page: Any, path: str) -> None:
    """Wait until the worker keeps `path`."""
    page.wait_for_function(f"{KEPT}.then(k => k.includes('{path}'))")


def test_the_first_load_takes_under_two_seconds_on_a_slow_line(
    open_page: Callable[..., Any], live: Live
) -> None:
    """400 kbit/s, 400 ms, nothing kept yet: the results stand there, drawn, within 2 s of the press."""
    serve(live)
    page = open_page(
        "/offline", width=360, service_workers="block"
    )  # the browser is awake, the pages are not
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    line.send("Network.clearBrowserCache")
    line.send("Network.setCacheDisabled", {"cacheDisabled": True})
    line.send("Network.emulateNetworkConditions", SLOW)
    figures = {}
    for path in ("/", "/?near=24.5,32.92", f"/visits/{live.world.visit_a}"):
        page.goto(live.url + path, wait_until="load")
        figures[path] = page.evaluate(
            """() => Math.round(Math.max(performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd,
                ...performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)))"""
        )
    print("milliseconds until it is drawn:", figures)
    assert max(figures.values()) < 2000, figures


@pytest.mark.slow
def test_pages_seen_before_are_read_without_a_connection_with_their_time(
    open_page: Callable[..., Any], live: Live
) -> None:
    """The results and the ticket come from the phone and say since when; what was never seen says so and names what
    there is; back on the line they are fresh again. Staff's pages are none of its business."""
    serve(live, ahead=2)
    page = open_page("/", language="en", width=360)
    page.evaluate(WORKS)
    page.goto(live.url + "/en/?near=24.5,32.92")
    page.goto(f"{live.url}/en/visits/{live.world.visit_a}")
    has_kept(page, f"/en/visits/{live.world.visit_a}")
    live.clock.advance(minutes=42)
    page.context.set_offline(True)
    page.goto(live.url + "/en/?near=24.5,32.92")
    expect(page.locator("#offline")).to_contain_text("This page is as it was at 10:00, Sunday 22 November")
    expect(page.locator(".card h3").first).to_have_text("El Raghama")
    page.goto(f"{live.url}/en/visits/{live.world.visit_a}")
    expect(page.locator("h1")).to_have_text("El Raghama")
    expect(page.locator("#offline")).to_be_visible()
    page.goto(f"{live.url}/en/centers/{live.world.site_a}")
    expect(page.locator("h1")).to_have_text("No connection")
    kept_visit = page.locator("[data-kept] a[href*='/visits/']")
    expect(kept_visit).to_contain_text("El Raghama")
    kept_visit.click()
    expect(page.locator("h1")).to_have_text("El Raghama")
    page.context.set_offline(False)
    page.goto(f"{live.url}/en/visits/{live.world.visit_a}")
    expect(page.locator("#offline")).to_be_hidden()
    page.goto(f"{live.url}/login")
    assert "/login" not in page.evaluate(KEPT)


def test_the_ticket_is_kept_as_it_was_when_the_line_broke_not_as_it_was_opened(
    open_page: Callable[..., Any], live: Live
) -> None:
    """Two ahead when taken, one ahead when last heard: closed and opened again in a dead spot, it says one."""
    serve(live, ahead=2)
    page = open_page("/", language="en", width=360)
    page.evaluate(WORKS)
    page.goto(f"{live.url}/en/queues/{live.world.queue_visit_a}/take")
    page.locator("select[name=service]").select_option("NID-01")
    page.get_by_role("button", name="Take a ticket").click()
    expect(page.locator(".say")).to_have_text("2 people ahead of you")
    address = page.url
    call(live)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator(".say")).to_have_text("1 person ahead of you")
    kept = f"caches.open('citizen-pages').then(c => c.match('{address}')).then(a => a.text())"
    page.wait_for_function(f"{kept}.then(html => html.includes('1 person'))")
    page.context.set_offline(True)
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator(".say")).to_have_text("1 person ahead of you")
    expect(page.locator("#offline")).to_be_visible()


def test_a_change_notice_reaches_an_open_page_within_a_minute(
    open_page: Callable[..., Any], live: Live
) -> None:
    """Called off while somebody looks: by its own clock the page says so, struck through, before a minute is over."""
    page = open_page("/", width=360)
    page.clock.install()
    page.goto(f"{live.url}/en/visits/{live.world.visit_b}")
    expect(page.locator("h1 s")).to_have_count(0)
    now = live.clock.now()
    live.write(
        lambda s: cancel_visit(
            s, s.get_one(Visit, live.world.visit_b), "عطل", "Engine trouble", actor="p", now=now
        )
    )
    page.clock.fast_forward(21_000)
    expect(page.get_by_role("alert")).to_contain_text("This visit is cancelled. Engine trouble")
    expect(page.locator("h1 s")).to_be_visible()


def test_a_list_left_open_says_after_two_minutes_that_it_is_old(
    open_page: Callable[..., Any], live: Live
) -> None:
    """Nothing renews the list: it says so by itself, with a way to the newest."""
    serve(live, ahead=2)
    page = open_page("/", width=360)
    page.clock.install()
    page.goto(live.url + "/en/?near=24.5,32.92")
    note = page.get_by_text("These figures are more than two minutes old.")
    expect(note).to_be_hidden()
    page.clock.fast_forward(126_000)
    expect(note).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_new_person_finds_takes_is_called_and_rates(
    open_page: Callable[..., Any], live: Live, scripts: bool
) -> None:
    """From the first page with nothing known: says what they need in their own words, where they live, takes a ticket,
    is called to a desk, is served, and rates it with one tap. With and without JavaScript."""
    serve(live)
    page = open_page("/", width=360, scripts=scripts)
    page.locator("input[name=q]").fill("عايز شهادة ميلاد")
    page.locator("form[role=search] button").click()
    expect(page.locator("h1")).to_have_text("شهادة ميلاد")
    expect(page.get_by_text("أصل بطاقة الرقم القومي")).to_be_visible()
    page.locator("input[name=q]").fill("الرغامه")
    page.locator("form[role=search] button").click()
    page.locator(".card h3 a").first.click()
    page.locator("section a.main").click()
    page.locator("select[name=service]").select_option("BIR-01")
    page.locator("form button.main").click()
    number = page.locator(".ticket .label").inner_text()
    call(live, times=3)
    page.reload()
    expect(page.locator(".ticket.called .desk")).to_be_visible()

    def serve_it(session: Session) -> None:
        now = live.clock.advance(minutes=4)
        ticket = session.scalars(select(Ticket).where(Ticket.label == number)).one()
        counter.start(session, ticket, request_id="start-it", actor="t", now=now)
        counter.finish(session, ticket, request_id="finish-it", actor="t", now=live.clock.advance(minutes=3))

    live.write(serve_it)
    page.reload()
    page.locator(".stars button").last.click()
    expect(page.locator("#rating .n-good")).to_be_visible()


def test_following_by_text_message_works_without_scripts_and_with_the_keyboard(
    open_page: Callable[..., Any], live: Live
) -> None:
    """The number is typed, the page says what happens next; a wrong one is said and nothing is sent."""
    live.app.extensions["message_sender"] = lambda number, text: None
    page = open_page(f"/places/{live.world.village_a}", language="en", width=320, scripts=False)
    page.get_by_text("By text message").click()
    page.locator("input[name=phone]").fill("12345")
    page.locator("input[name=phone]").press("Enter")
    expect(page.get_by_text("This does not look like a mobile number.")).to_be_visible()
    expect(page.locator("input[name=phone]")).to_have_value("12345")
    page.locator("input[name=phone]").fill("٠١٠٠١٢٣٤٥٦٧")
    page.locator("input[name=phone]").press("Enter")
    expect(page.get_by_text("We have sent a text message to this number.")).to_be_visible()
    picture = page.screenshot(full_page=True)
    assert int.from_bytes(picture[16:20], "big") == 320


def test_the_text_to_send_on_can_be_copied(open_page: Callable[..., Any], live: Live) -> None:
    """One press, and the words with the link are in the clipboard."""
    page = open_page(
        f"/visits/{live.world.visit_a}", width=360, permissions=["clipboard-read", "clipboard-write"]
    )
    page.locator("summary", has_text="رسالة نصية").first.click()
    page.locator("[data-copy]").click()
    expect(page.locator("[data-copy]")).to_have_text("نُسخت")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "قرية الرغامة" in copied and f"/v/{live.world.visit_a}" in copied


def test_the_citizens_worker_and_the_desks_live_side_by_side(
    open_page: Callable[..., Any], live: Live
) -> None:
    """A clerk who looked at the citizen's page before: two workers, each with its own scope and its own store; the desk
    goes on without a line as if there were only one."""
    page = open_page("/", user="clerk", language="en")
    page.evaluate(WORKS)
    page.goto(f"{live.url}/en/desk")
    page.locator("button.desk-tile").first.click()
    page.wait_for_function("caches.match('/en/desk/alone').then(p => !!p)")
    page.goto(f"{live.url}/en/")
    page.evaluate(WORKS)
    scopes = page.evaluate(
        "navigator.serviceWorker.getRegistrations().then(all => all.map(r => new URL(r.scope).pathname).sort())"
    )
    assert scopes == ["/", "/en/desk"]
    page.context.set_offline(True)
    page.goto(f"{live.url}/en/desk")
    assert (
        page.evaluate("new URL(navigator.serviceWorker.controller.scriptURL).pathname")
        == "/en/desk/worker.js"
    )
    expect(page.locator("h1", has_text="No connection")).to_have_count(0)
    page.goto(f"{live.url}/en/")
    expect(page.locator("#offline")).to_be_visible()


@pytest.mark.slow
def test_a_phone_is_told_after_one_press_and_shows_what_it_is_sent(
    open_page: Callable[..., Any], live: Live
) -> None:
    """Permission, the browser's address, the form: one press. A message pushed to the worker is shown with its way to
    the ticket and a way to stop; stopping is one press on the message."""
    with counterpart() as service:
        live.app.extensions["settings"] = dataclasses.replace(
            live.app.extensions["settings"], push_contact="mailto:a@b.example", push_hosts=(service.url.split("//")[1],)
        )  # fmt: skip
        serve(live, ahead=4)
        page = open_page("/", language="en", width=360, permissions=["notifications"])
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        raw = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        point = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        given = {
            "endpoint": f"{service.url}/push/1",
            "keys": {"p256dh": point, "auth": "MDEyMzQ1Njc4OWFiY2RlZg"},
        }
        # No browser maker's service is reached from here: the browser's own part is played, all else is real.
        answer = f"Promise.resolve({{ toJSON: () => ({json.dumps(given)}) }})"
        page.add_init_script(f"if (window.PushManager) PushManager.prototype.subscribe = () => {answer}")
        page.evaluate(WORKS)
        page.goto(f"{live.url}/en/queues/{live.world.queue_visit_a}/take")
        page.locator("select[name=service]").select_option("NID-01")
        page.get_by_role("button", name="Take a ticket").click()
        if not page.evaluate("'PushManager' in window"):
            pytest.skip("this browser has no push messages (apt-get install chromium)")
        page.get_by_role("button", name="Tell this phone").click()
        expect(page.locator("#follow .n-good")).to_contain_text("This phone is told.")
        call(live, times=2)
        with live.app.app_context():
            jobs.messages(live.clock.now())
        assert [got.headers["Content-Encoding"] for got in service.got] == ["aes128gcm"]
        code = live.write(lambda s: s.scalars(select(Follower)).one().code)
        line = page.context.new_cdp_session(page)
        number = page.evaluate(
            "navigator.serviceWorker.ready.then(r => { window.line = r; return r.scope; })"
        )
        assert number == live.url + "/"
        told = {
            "title": "Ticket",
            "body": "It is your turn",
            "url": "/en/tickets/x",
            "stop": f"/f/{code}",
            "lang": "en",
        }
        registrations: list[str] = []
        line.on(
            "ServiceWorker.workerRegistrationUpdated",
            lambda e: registrations.extend(
                r["registrationId"] for r in e["registrations"] if r["scopeURL"] == number
            ),
        )
        line.send("ServiceWorker.enable")
        for _ in range(50):
            if registrations:
                break
            page.wait_for_timeout(100)
        line.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": live.url, "registrationId": registrations[-1], "data": json.dumps(told)},
        )
        page.wait_for_function("window.line.getNotifications().then(all => all.length === 1)")
        shown = page.evaluate(
            """() => window.line.getNotifications().then(
                ([n]) => [n.title, n.body, n.dir, n.data.url, n.actions.map(a => a.title)])"""
        )
        assert shown == ["Ticket", "It is your turn", "ltr", "/en/tickets/x", ["Stop"]]
