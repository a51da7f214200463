"""The kiosk: two taps to a ticket, six choices at most, closed says closed, a double press is one ticket."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from queueing.store import Queue, QueueService, Service, Ticket
from tests.web.world import NOW, World, form_to
from web.accounts import AccessToken, new_token
from web.kiosk import qr_picture
from web.kiosk_icons import _PATHS, group_icon, group_words
from web.printing.store import KioskPrinter

Write = Callable[[Callable[[Any], Any]], Any]


@pytest.fixture
def kiosk(write: Write, world: World) -> str:
    """The address of the kiosk of queue_a."""
    return "/kiosk/" + write(lambda session: new_token(session, "kiosk", now=NOW, queue_id=world.queue_a))


def page(client: FlaskClient, url: str, status: int = 200) -> str:
    answer = client.get(url)
    assert answer.status_code == status
    return answer.get_data(as_text=True)


def count(session: Session) -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(Ticket)) or 0


def test_two_taps_without_scripts_give_a_ticket_to_take_along(
    app: Flask, client: FlaskClient, kiosk: str, db_session: Session
) -> None:
    """Service, answer, ticket: number, people ahead, QR to the phone's page; CSRF checks on, scripts not needed."""
    app.config["WTF_CSRF_ENABLED"] = True
    start = page(client, "/en" + kiosk)
    link = re.search(r'href="([^"]+priority\?service=NID-01)"', start)
    assert link
    form = form_to(page(client, link[1]), "/tickets")
    assert next(value for name, value in form.buttons if name == "priority") == "none"
    sent = client.post(form.action, data={**form.fields, "priority": "disability"})
    assert sent.status_code == 303
    shown = page(client, sent.headers["Location"])
    assert re.search(r"<bdi dir=\"ltr\">A001</bdi>", shown) and "You are next" in shown
    assert "<svg" in shown and "Sunday 22 November" in shown and "10:00" in shown
    ticket = db_session.scalars(select(Ticket)).one()
    assert (ticket.channel, ticket.priority) == ("kiosk", 2)


def test_a_double_press_is_one_ticket(client: FlaskClient, kiosk: str, db_session: Session) -> None:
    """The same form sent twice leads to the same ticket."""
    form = form_to(page(client, f"{kiosk}/priority?service=NID-01"), "/tickets")
    first, second = (client.post(form.action, data={**form.fields, "priority": "none"}) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"] and count(db_session) == 1


def test_every_page_goes_back_to_the_arabic_start_by_itself(client: FlaskClient, kiosk: str) -> None:
    """Twenty seconds, with scripts and without, whatever language the last person read."""
    asked = page(client, f"/en{kiosk}/priority?service=NID-01")
    assert (
        f'content="20;url={kiosk}"' in asked
        and 'data-reset="20"' in asked
        and f'data-start="{kiosk}"' in asked
    )


def test_at_most_six_choices_stand_on_a_screen(
    client: FlaskClient, kiosk: str, world: World, write: Write, db_session: Session
) -> None:
    """Five most wanted and 'Other services'; the others by kind; kinds and services in pages of six, all reachable."""

    def many(session: Session) -> None:
        for n in range(40):
            service = Service(
                code=f"X-{n:02d}", group_code=list(_PATHS)[n % 9] if n < 20 else "traffic", name_ar=f"خدمة {n}",
                name_en=f"Service {n}", agency_code="LU", agency_ar="و", agency_en="L", minutes_low=1, minutes_mode=2,
                minutes_high=3, popularity=0.1,
            )  # fmt: skip
            session.add(service)
            session.flush()
            session.add(QueueService(queue_id=world.queue_a, service_id=service.id))

    write(many)
    start = page(client, kiosk)
    assert start.count("<li>") == 6 and f'href="{kiosk}?all=1"' in start
    reached: set[str] = set()
    todo, done = [kiosk, f"{kiosk}?all=1"], set()
    while todo:
        url = todo.pop()
        if url in done:
            continue
        done.add(url)
        html = page(client, url)
        assert html.count("<li>") <= 6, url
        reached |= set(re.findall(r"priority\?service=([\w-]+)", html))
        todo += [
            link.replace("&amp;", "&") for link in re.findall(rf'href="({re.escape(kiosk)}\?[^"]+)"', html)
        ]
    codes = set(
        db_session.scalars(
            select(Service.code).join(QueueService).where(QueueService.queue_id == world.queue_a)
        )
    )
    assert reached == codes


def test_a_closed_queue_says_closed_and_when_it_opens(
    client: FlaskClient, write: Write, world: World
) -> None:
    """The van's kiosk before the visit: closed, opens tomorrow at 09:30, nothing to press."""
    token = write(lambda session: new_token(session, "kiosk", now=NOW, queue_id=world.queue_visit_b))
    shown = page(client, f"/en/kiosk/{token}")
    assert "This queue is closed now." in shown and "Monday 23 November" in shown and "09:30" in shown
    assert "priority?service" not in shown


def test_a_queue_closed_between_the_taps_gives_no_ticket(
    client: FlaskClient, kiosk: str, world: World, write: Write, db_session: Session
) -> None:
    """The refusal is a sentence on the kiosk's own page with a way back."""
    form = form_to(page(client, f"/en{kiosk}/priority?service=NID-01"), "/tickets")
    write(lambda session: setattr(session.get(Queue, world.queue_a), "state", "closed"))
    refused = client.post(form.action, data={**form.fields, "priority": "none"})
    assert refused.status_code == 409 and "This queue is closed now." in refused.get_data(as_text=True)
    assert count(db_session) == 0


def test_only_a_valid_kiosk_token_opens_a_kiosk(
    client: FlaskClient, kiosk: str, world: World, write: Write
) -> None:
    """Unknown, taken back, or of another kind: 404, and no ticket by a post."""
    board = write(lambda session: new_token(session, "board", now=NOW, queue_id=world.queue_a))
    for url in ("/kiosk/unknown", f"/kiosk/{board}"):
        assert client.get(url).status_code == 404
        assert (
            client.post(f"{url}/tickets", data={"service": "NID-01", "request_id": "no-no-no-no"}).status_code
            == 404
        )
    assert client.get(kiosk).status_code == 200
    write(lambda session: [setattr(t, "revoked_at", NOW) for t in session.scalars(select(AccessToken))])
    assert client.get(kiosk).status_code == 404


def test_a_kiosk_shows_tickets_of_its_own_queue_only(client: FlaskClient, kiosk: str, world: World) -> None:
    """A ticket of another queue is none here."""
    sent = client.post(
        f"/queues/{world.queue_b}/take", data={"service": "NID-01", "request_id": "elsewhere-1"}
    )
    code = sent.headers["Location"].rsplit("/", 1)[1]
    assert client.get(f"{kiosk}/tickets/{code}").status_code == 404


def test_an_unknown_service_goes_back_to_the_start(client: FlaskClient, kiosk: str) -> None:
    """A link that lost its service is no dead end."""
    assert client.get(f"{kiosk}/priority?service=ZZZ").headers["Location"].endswith(kiosk)


def test_the_qr_code_holds_the_phone_tickets_address(client: FlaskClient, kiosk: str) -> None:
    """The drawing is exactly the one of the ticket's full address, and not of another."""
    sent = client.post(
        f"{kiosk}/tickets", data={"service": "NID-01", "request_id": "qr-qr-qr-qr", "priority": "none"}
    )
    code = sent.headers["Location"].rsplit("/", 1)[1]
    shown = page(client, sent.headers["Location"])
    assert str(qr_picture(f"http://localhost/tickets/{code}")) in shown
    assert str(qr_picture(f"http://localhost/tickets/{code}x")) not in shown


def test_every_kind_of_service_has_its_own_icon_and_arabic_word(app: Flask) -> None:
    """All kinds of the catalogue are drawn and named; an unknown kind still gets a drawing."""
    from fleet.network.catalogue import GROUP_WEIGHT

    assert set(_PATHS) == set(GROUP_WEIGHT)
    with app.test_request_context("/"):
        assert len({group_words(group) for group in _PATHS}) == len(_PATHS)
        assert all(re.search("[\u0600-\u06ff]", group_words(group)) for group in _PATHS)
    assert "<svg" in group_icon("something new")


def test_idle_kiosks_ask_before_they_go_home(client: FlaskClient, kiosk: str) -> None:
    """The tiny answer that proves the line: the state of the queue, never from a cache."""
    answer = client.get(f"{kiosk}/alive")
    assert (answer.get_data(as_text=True), answer.headers["Cache-Control"]) == ("open", "no-store")


def test_the_question_says_what_its_answer_prints(
    client: FlaskClient, world: World, write: Any, clock: Any
) -> None:
    """With a printer: the slip and what stands on it. Without: the number on the screen."""
    token = write(lambda s: new_token(s, "kiosk", now=clock.now(), queue_id=world.queue_a))
    address = f"/en/kiosk/{token}/priority?service=NID-01"
    assert "Your number then appears here" in client.get(address).text

    def printer(session: Any) -> None:
        kiosk = session.query(AccessToken).filter_by(kind="kiosk").order_by(AccessToken.id.desc()).first()
        session.add(
            KioskPrinter(
                token_id=kiosk.id, queue_id=world.queue_a, address="none", paper_mm=80, language="both",
                by_itself=True, changed_at=clock.now(), changed_by="t",
            )
        )  # fmt: skip

    write(printer)
    page = client.get(address).text
    assert "Your answer prints your ticket: your number, the service, the time" in page
    assert "Your number then appears here" not in page
