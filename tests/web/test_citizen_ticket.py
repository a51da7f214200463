"""A ticket from a phone: taken, followed, given up; nothing typed is lost, nothing happens twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from queueing import counter, desks
from queueing.order import HIGH, ORDINARY, PRIORITY
from queueing.store import Desk, Queue, Ticket, TicketEvent
from tests.web.world import StillClock, World, form_to
from web.citizen.limits import Limiter
from web.citizen.phones import read_phone

Write = Callable[[Callable[[Any], Any]], Any]


def take(client: FlaskClient, queue_id: int, language: str = "", **fields: str) -> Any:
    """Fill in and send the page's own form."""
    url = f"{language}/queues/{queue_id}/take"
    form = form_to_self(client.get(url).get_data(as_text=True))
    return client.post(url, data={**form, "service": "NID-01", **fields})


def form_to_self(html: str) -> dict[str, str]:
    """The fields of the page's only posting form."""
    return dict(form_to(html, "").fields)


def tickets(session: Session) -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(Ticket)) or 0


def test_without_scripts_from_the_visit_to_the_ticket_and_out(
    app: Flask, client: FlaskClient, world: World, db_session: Session
) -> None:
    """Take a ticket, see the number, say that one leaves, confirm: by plain forms, CSRF checks on."""
    app.config["WTF_CSRF_ENABLED"] = True
    assert client.post(f"/queues/{world.queue_visit_a}/take", data={"service": "NID-01"}).status_code == 400
    sent = take(client, world.queue_visit_a, "/en", phone="٠١٠٠ ١٢٣ ٤٥٦٧", priority="senior")
    assert sent.status_code == 303
    page = client.get(sent.headers["Location"]).get_data(as_text=True)
    assert re.search(r'class="label" dir="ltr">M001<', page)
    ticket = db_session.scalars(select(Ticket)).one()
    assert (ticket.phone, ticket.priority, ticket.channel) == ("+201001234567", PRIORITY, "phone")
    question = client.get(f"/en/tickets/{ticket.code}/leave").get_data(as_text=True)
    assert "Give up your place?" in question
    done = client.post(f"/en/tickets/{ticket.code}/leave", data=form_to_self(question))
    assert done.status_code == 303
    db_session.expire_all()
    db_session.rollback()
    assert db_session.scalars(select(Ticket)).one().state == "left"
    assert "no longer in the queue" in client.get(f"/en/tickets/{ticket.code}").get_data(as_text=True)


def test_the_same_form_sent_twice_is_one_ticket(
    client: FlaskClient, world: World, db_session: Session
) -> None:
    """A double tap answers with the same ticket."""
    fields = {"service": "NID-01", "request_id": "tap-tap-tap"}
    first, second = (client.post(f"/queues/{world.queue_a}/take", data=fields) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"] and tickets(db_session) == 1


def test_leaving_twice_is_one_event(client: FlaskClient, world: World, db_session: Session) -> None:
    """A double tap on the second page is harmless."""
    code = take(client, world.queue_a).headers["Location"].rsplit("/", 1)[1]
    for _ in range(2):
        assert client.post(f"/tickets/{code}/leave", data={"request_id": "bye-bye-bye"}).status_code == 303
    count = select(func.count()).select_from(TicketEvent).where(TicketEvent.action == "leave")
    assert db_session.scalar(count) == 1


def test_the_same_phone_gets_its_ticket_back(
    client: FlaskClient, app: Flask, world: World, db_session: Session
) -> None:
    """Another browser, the same number typed otherwise: the same ticket, not a second one."""
    first = take(client, world.queue_a, phone="0100 123 4567")
    second = take(app.test_client(), world.queue_a, phone="+20 100 1234567")
    assert first.headers["Location"] == second.headers["Location"] and tickets(db_session) == 1


def test_a_bad_phone_asks_again_with_everything_kept(
    client: FlaskClient, world: World, db_session: Session
) -> None:
    """It never blocks: the page comes back with service, answer and number as typed; left empty it goes through."""
    answer = take(client, world.queue_a, "/en", phone="12345", priority="infant", request_id="kept-kept-kept")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and tickets(db_session) == 0
    assert "does not look like a telephone number" in page and 'value="12345"' in page
    assert '<option value="NID-01" selected>' in page and 'value="infant" checked' in page
    assert 'value="kept-kept-kept"' in page
    form = form_to_self(page)
    assert client.post(f"/en/queues/{world.queue_a}/take", data={**form, "phone": ""}).status_code == 303


def test_no_service_chosen_is_asked_again(client: FlaskClient, world: World, db_session: Session) -> None:
    """The fault is named and linked to its field."""
    answer = take(client, world.queue_a, "/en", service="", phone="01001234567")
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and 'href="#service"' in page and 'value="01001234567"' in page
    assert tickets(db_session) == 0


def test_a_service_of_another_queue_is_refused_in_words(
    client: FlaskClient, world: World, db_session: Session
) -> None:
    """What this queue does not offer gives no ticket."""
    answer = take(client, world.queue_visit_a, "/en", service="BLD-01")
    assert answer.status_code == 409 and "not offered here" in answer.get_data(as_text=True)
    assert tickets(db_session) == 0


def test_a_closed_queue_says_so_and_gives_nothing(
    client: FlaskClient, world: World, db_session: Session
) -> None:
    """Before the visit opens: no form, when it opens; a form kept from before is refused."""
    url = f"/en/queues/{world.queue_visit_b}/take"
    page = client.get(url).get_data(as_text=True)
    assert "This queue is closed now." in page and "<form" not in page
    assert "Monday 23 November" in page and "09:30" in page
    late = client.post(url, data={"service": "NID-01", "request_id": "too-early-here"})
    assert late.status_code == 409 and tickets(db_session) == 0
    assert client.get("/queues/99999/take").status_code == 404


@pytest.mark.parametrize(
    ("answer", "priority"),
    [("none", ORDINARY), ("senior", PRIORITY), ("pregnant", PRIORITY), ("infant", PRIORITY), ("disability", HIGH),
     ("", ORDINARY), ("9", ORDINARY)],
)  # fmt: skip
def test_each_answer_has_its_class(
    client: FlaskClient, world: World, db_session: Session, answer: str, priority: int
) -> None:
    """The plain words become the classes of the order; nobody can name a class themselves."""
    take(client, world.queue_a, priority=answer)
    assert db_session.scalars(select(Ticket.priority)).one() == priority


@pytest.mark.parametrize(
    ("typed", "read"),
    [("01001234567", "+201001234567"), ("٠١٠٠١٢٣٤٥٦٧", "+201001234567"), ("+20 100-123-4567", "+201001234567"),
     ("0020 1001234567", "+201001234567"), ("+44 20 7946 0958", "+442079460958"),
     ("0100", None), ("abc", None), ("", None)],
)  # fmt: skip
def test_numbers_are_read_as_people_type_them(typed: str, read: str | None) -> None:
    """Both kinds of digits, with and without the country's code."""
    assert read_phone(typed) == read


def test_people_ahead_and_the_range_are_shown_with_their_time(
    client: FlaskClient, world: World, write: Write, clock: StillClock
) -> None:
    """Three before me and one open desk: '3 people ahead of you', minutes, as of 10:00."""

    def three(session: Session) -> None:
        desks.open_desk(session, session.get_one(Desk, world.desks_a[0]), actor="t", now=clock.now())
        for n in range(3):
            counter.issue(
                session, session.get_one(Queue, world.queue_a), "NID-01", request_id=f"before-me-{n}", actor="t",
                now=clock.now(),
            )  # fmt: skip

    write(three)
    clock.advance(seconds=30)
    page = client.get(take(client, world.queue_a, "/en").headers["Location"]).get_data(as_text=True)
    assert "3 people ahead of you" in page and re.search(r"\d+ to \d+ minutes", page) and "10:00" in page
    assert 'http-equiv="refresh"' in page, "a phone without scripts sees it move too"


def act(world: World, name: str, **more: Any) -> Callable[[Session], Any]:
    """A verb of the first desk on the only ticket."""

    def work(session: Session) -> Any:
        ticket = session.scalars(select(Ticket)).one()
        desk = session.get_one(Desk, world.desks_a[0])
        from tests.web.world import NOW

        if desk.state != "open":
            desks.open_desk(session, desk, actor="t", now=NOW)
        if name == "call":
            return counter.call_next(session, desk, request_id="verb-call-1", actor="t", now=NOW)
        verb = getattr(counter, name)
        return verb(session, ticket, request_id=f"verb-{name}-1", actor="t", now=NOW, desk=desk, **more)

    return work


@pytest.mark.parametrize(
    ("verbs", "words", "look"),
    [
        ((), "You are next", "waiting"),
        (("call",), "Desk 1", "called"),
        (("call", "start"), "You are being served at", "called"),
        (("call", "park"), "put your ticket aside", "warned"),
        (("call", "miss"), "You were called and did not come", "warned"),
        (("call", "start", "finish"), "Thank you", "over"),
        (("call", "cancel"), "cancelled by staff", "over"),
        (("call", "leave"), "no longer in the queue", "over"),
    ],
)
def test_each_state_has_its_words(
    client: FlaskClient, world: World, write: Write, verbs: tuple[str, ...], words: str, look: str
) -> None:
    """Whatever happens to a ticket, its holder reads it in a sentence and sees it in the page's face."""
    url = take(client, world.queue_a, "/en").headers["Location"]
    for verb in verbs:
        write(act(world, verb))
    page = client.get(url).get_data(as_text=True)
    assert words in page and f'class="ticket {look}"' in page
    arabic = client.get(url.replace("/en/", "/")).get_data(as_text=True)
    assert not re.search(r">[A-Za-z ]{12,}<", arabic.split("<main")[1].split("</main>")[0]), (
        "English words in Arabic"
    )


def test_a_transferred_ticket_leads_to_the_new_one(client: FlaskClient, world: World, write: Write) -> None:
    """Sent on to another queue: the first link leads there, and the number stays."""
    url = take(client, world.queue_a, "/en").headers["Location"]

    def transfer(session: Session) -> str:
        ticket = session.scalars(select(Ticket)).one()
        other = session.get_one(Queue, world.queue_b)
        from tests.web.world import NOW

        counter.transfer(
            session,
            ticket,
            request_id="verb-transfer",
            actor="t",
            now=NOW,
            to_queue=other,
            service_code="NID-01",
        )
        return str(session.scalar(select(Ticket.code).where(Ticket.queue_id == other.id)))

    code = write(transfer)
    page = client.get(url).text
    assert "Civil registry" in page and "A001" in page, (
        "the first link shows where the person stands, with their number"
    )
    assert client.get(f"/en/tickets/{code}").status_code == 200


def test_once_called_nobody_leaves_by_phone(client: FlaskClient, world: World, write: Write) -> None:
    """Called meanwhile: no leave button, the question goes back to the ticket, a late confirmation is refused."""
    url = take(client, world.queue_a, "/en").headers["Location"]
    write(act(world, "call"))
    assert "I am leaving" not in client.get(url).get_data(as_text=True)
    assert client.get(url + "/leave").status_code == 303
    refused = client.post(url + "/leave", data={"request_id": "late-leave-1"})
    assert refused.status_code == 409 and "already called" in refused.get_data(as_text=True)


def test_the_ticket_piece_answers_304_until_it_changes(
    client: FlaskClient, world: World, write: Write
) -> None:
    """Polling is cheap, and the call arrives with the next poll, its tab title included."""
    url = take(client, world.queue_a).headers["Location"] + "/status"
    first = client.get(url)
    assert client.get(url, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    write(act(world, "call"))
    called = client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    page = called.get_data(as_text=True)
    assert called.status_code == 200 and "شباك 1" in page and "data-title=" in page and "<html" not in page


def test_the_phone_remembers_its_ticket_while_it_stands(
    client: FlaskClient, world: World, app: Flask
) -> None:
    """Who closes the browser finds the ticket on the first page, nobody else does, and not after leaving."""
    code = take(client, world.queue_a).headers["Location"].rsplit("/", 1)[1]
    assert f"/tickets/{code}" in client.get("/").get_data(as_text=True)
    assert code not in app.test_client().get("/").get_data(as_text=True)
    client.post(f"/tickets/{code}/leave", data={"request_id": "gone-gone-gone"})
    assert code not in client.get("/").get_data(as_text=True)


def test_an_unknown_code_is_a_plain_404(client: FlaskClient) -> None:
    """Codes cannot be guessed, and a wrong one says nothing."""
    for end in ("", "/status", "/leave"):
        assert client.get(f"/tickets/doesnotexist{end}").status_code == 404


def test_no_personal_datum_stands_on_the_ticket_page(client: FlaskClient, world: World) -> None:
    """The link may be shared: the telephone number is not on it."""
    url = take(client, world.queue_a, phone="01001234567").headers["Location"]
    assert "1001234567" not in client.get(url).get_data(as_text=True)


def test_one_address_cannot_fill_a_line(
    client: FlaskClient, world: World, app: Flask, db_session: Session
) -> None:
    """After its share the page asks to wait, nothing typed is lost; another address and a repeated form still pass."""
    fields = {"service": "NID-01", "priority": "none"}
    for n in range(20):
        sent = client.post(f"/queues/{world.queue_a}/take", data={**fields, "request_id": f"many-{n:04d}"})
        assert sent.status_code == 303
    refused = client.post(f"/en/queues/{world.queue_a}/take", data={**fields, "request_id": "many-more-1"})
    assert refused.status_code == 429 and 'value="many-more-1"' in refused.get_data(as_text=True)
    assert tickets(db_session) == 20
    other = client.post(
        f"/queues/{world.queue_a}/take", data={**fields, "request_id": "many-other-1"},
        environ_base={"REMOTE_ADDR": "10.0.0.9"},
    )  # fmt: skip
    assert other.status_code == 303


def test_a_share_comes_back_with_time() -> None:
    """The window slides: what is older than it no longer counts."""
    at = [0.0]
    limiter = Limiter(most=2, window_s=60, clock=lambda: at[0])
    for second in (0.0, 30.0):
        at[0] = second
        assert not limiter.full("a")
        limiter.count("a")
    assert limiter.full("a") and not limiter.full("b")
    at[0] = 61.0
    assert not limiter.full("a")


def test_who_already_has_a_ticket_here_is_told(client: FlaskClient, world: World) -> None:
    """Coming back to the form shows the ticket one has."""
    code = take(client, world.queue_a).headers["Location"].rsplit("/", 1)[1]
    again = client.get(f"/en/queues/{world.queue_a}/take").get_data(as_text=True)
    assert "You already have a ticket here:" in again and code in again
    assert code not in client.get(f"/en/queues/{world.queue_b}/take").get_data(as_text=True)
