"""A ticket's whole life through pages and API: appointments, several services, closing, handing over, rating."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from queueing import appointments, counter, desks, journeys
from queueing.slots import Pattern, set_rules
from queueing.store import Desk, Queue, Ticket, TicketEvent
from queueing.store_life import Notice
from tests.web.world import NOW, TODAY, World
from web import jobs
from web.accounts import new_token
from web.gateway import Away

Write = Callable[..., Any]
TOMORROW = TODAY + timedelta(days=1)
LIGHT = 30_000
"""Bytes of a page on a cheap phone's line."""


def one(db: Any, code: str) -> Ticket:
    """A ticket as stored now."""
    db.rollback()
    return db.scalars(select(Ticket).where(Ticket.code == code)).one()  # type: ignore[no-any-return]


def code_in(answer: Any) -> str:
    """The code of the ticket that a redirect leads to."""
    return re.search(r"/tickets/([^/#?]+)", answer.headers["Location"])[1]  # type: ignore[index]


def plain(answer: Any) -> str:
    """A page without its tags."""
    return re.sub(r"<[^>]+>", "", answer.text)


def form(client: FlaskClient, path: str, **data: str) -> Any:
    """Send a form; tests run without form tokens."""
    return client.post(
        path, data={"request_id": f"r-{path}-{sorted(data.items())}"[:64].replace("#", ""), **data}
    )


@pytest.fixture
def booked(client: FlaskClient, world: World) -> str:
    """A booking at tomorrow's visit, by its own opening hours."""
    answer = form(
        client, f"/queues/{world.queue_visit_b}/book", service="NID-01", at="2026-11-23T10:00:00+02:00",
        phone="01001234567",
    )  # fmt: skip
    assert answer.status_code == 303, answer.text
    return code_in(answer)


def test_a_visits_hours_are_booked_without_any_rule(
    client: FlaskClient, world: World, db_session: Any, booked: str
) -> None:
    """Service, then time; full slots are shown full; the page of the booking says when, and is light."""
    page = client.get(f"/en/queues/{world.queue_visit_b}/book?service=NID-01")
    assert "09:30" in page.text and "13:15" in page.text and len(page.data) < LIGHT
    ticket = one(db_session, booked)
    assert (ticket.state, ticket.day, ticket.phone) == ("booked", TOMORROW, "+201001234567")
    shown = client.get(f"/en/tickets/{booked}")
    assert "10:00" in shown.text and "Another time" in shown.text and len(shown.data) < LIGHT


def test_a_full_time_is_shown_full_and_refused(client: FlaskClient, world: World, write: Write) -> None:
    """The last place goes; the button cannot be pressed; a form sent all the same hears why, and keeps its page."""
    write(
        lambda db: set_rules(
            db, db.get_one(Queue, world.queue_a), [Pattern(600, 660, 30, 1)], days=[TOMORROW]
        )
    )
    times = {"service": "NID-01", "day": TOMORROW.isoformat(), "at": "2026-11-23T10:00:00+02:00"}
    assert form(client, f"/queues/{world.queue_a}/book", **times).status_code == 303
    page = client.get(f"/en/queues/{world.queue_a}/book?service=NID-01&day={TOMORROW}")
    assert re.search(r'<button name="at" value="[^"]+" disabled>', page.text) and "full" in page.text
    again = client.post(f"/en/queues/{world.queue_a}/book", data={**times, "request_id": "second"})
    assert again.status_code == 409 and "has just been taken" in again.text


def test_confirming_moving_and_giving_back(
    client: FlaskClient, world: World, db_session: Any, booked: str, write: Write
) -> None:
    """Asked on the page; a tap confirms; another time on the same day; then given back."""
    write(lambda db: db.get_one(Ticket, one(db, booked).id))
    ticket_id = one(db_session, booked).id

    def asked(db: Any) -> None:
        row = db.get_one(Ticket, ticket_id)
        db.get_one(appointments.Booking, ticket_id).confirm_by = row.appointment_at - timedelta(hours=4)
        db.get_one(appointments.Booking, ticket_id).confirmed_at = None

    write(asked)
    assert "Are you coming?" in client.get(f"/en/tickets/{booked}").text
    assert form(client, f"/tickets/{booked}/confirm").status_code == 303
    assert "Confirmed" in client.get(f"/en/tickets/{booked}").text
    moved = form(client, f"/tickets/{booked}/move", at="2026-11-23T11:00:00+02:00")
    assert moved.status_code == 303 and code_in(moved) == booked
    assert "11:00" in client.get(f"/en/tickets/{booked}").text
    assert form(client, f"/tickets/{booked}/leave").status_code == 303
    assert one(db_session, booked).state == "left"


def test_the_desk_checks_in_who_is_here(
    client: FlaskClient, login: Any, world: World, db_session: Any, write: Write
) -> None:
    """The clerk sees the booked with a button; pressed, the person waits."""
    write(
        lambda db: set_rules(db, db.get_one(Queue, world.queue_a), [Pattern(600, 720, 15, 2)], days=[TODAY])
    )
    answer = form(client, f"/queues/{world.queue_a}/book", service="NID-01", at="2026-11-22T10:15:00+02:00")
    code = code_in(answer)
    clerk = login("clerk")
    clerk.post(f"/desk/{world.desks_a[0]}/take")
    assert "Is here" in clerk.get("/en/desk").text
    page = clerk.post(f"/desk/{world.desks_a[0]}/arrive", data={"ticket": code, "request_id": "here"})
    assert page.status_code == 303 and one(db_session, code).state == "waiting"


def test_the_kiosk_checks_in_and_rates(
    client: FlaskClient, world: World, db_session: Any, write: Write
) -> None:
    """Two taps each, no name and no telephone on the screen; a second rating is not taken."""
    write(
        lambda db: set_rules(db, db.get_one(Queue, world.queue_a), [Pattern(600, 720, 15, 2)], days=[TODAY])
    )
    code = code_in(form(
        client, f"/queues/{world.queue_a}/book", service="NID-01", at="2026-11-22T10:15:00+02:00", phone="01001234567",
    ))  # fmt: skip
    token = write(lambda db: new_token(db, "kiosk", now=NOW, queue_id=world.queue_a, label="k"))
    page = client.get(f"/kiosk/{token}/appointments")
    assert "10:15" in page.text and "1001234567" not in page.text
    assert form(client, f"/kiosk/{token}/arrivals", code=code).status_code == 303
    assert one(db_session, code).state == "waiting"

    def serve(db: Any) -> None:
        desk = desks.open_desk(db, db.get_one(Desk, world.desks_a[0]), actor="x", now=NOW, operator="x")
        counter.call_next(db, desk, request_id="c", actor="x", now=NOW)
        counter.call_next(db, desk, request_id="c2", actor="x", now=NOW)

    write(serve)
    assert one(db_session, code).label in client.get(f"/kiosk/{token}/rating").text
    assert (
        client.post(f"/en/kiosk/{token}/rating/{code}", data={"score": "5", "request_id": "s"}).status_code
        == 200
    )
    client.post(f"/kiosk/{token}/rating/{code}", data={"score": "1", "request_id": "s2"})
    db_session.rollback()
    scores = [
        e.data["score"] for e in db_session.scalars(select(TicketEvent).where(TicketEvent.action == "rate"))
    ]
    assert scores == [5]
    assert client.post(f"/kiosk/{token}/rating/{code}", data={"score": "9"}).status_code == 400


def test_one_ticket_for_two_agencies_shows_its_way_to_the_end(
    client: FlaskClient, login: Any, world: World, db_session: Any, write: Write
) -> None:
    """Tick two services, get one number; the clerk reads where next; the first link follows; rated once at the end."""

    def open_all(db: Any) -> None:
        for queue_id in (world.queue_b, world.queue_b2):
            for desk in db.scalars(select(Desk).where(Desk.queue_id == queue_id)):
                desks.open_desk(
                    db,
                    desk,
                    actor="x",
                    now=NOW,
                    operator="other_clerk" if desk.id == world.desks_b[0] else "x",
                )

    write(open_all)
    assert "Several services" in client.get(f"/en/centers/{world.site_b}").text
    data = {"service": ["NID-01", "BLD-01"], "request_id": "several"}
    answer = client.post(f"/centers/{world.site_b}/several", data=data)
    assert answer.status_code == 303
    code = code_in(answer)
    assert code_in(client.post(f"/centers/{world.site_b}/several", data=data)) == code
    first = one(db_session, code)
    page = client.get(f"/en/tickets/{code}")
    assert "0 of 2 done" in page.text and "All done at about" in page.text and len(page.data) < LIGHT
    assert first.queue_id == world.queue_b
    clerk = login("other_clerk")
    clerk.post(f"/desk/{world.desks_b[0]}/next", data={"request_id": "n"})
    assert "Next for this person:" in clerk.get("/en/desk").text
    done = clerk.post(
        f"/en/desk/{world.desks_b[0]}/finish", data={"ticket": code, "request_id": "f", "outcome": "done"},
        headers={"X-Part": "1"},
    )  # fmt: skip
    assert "goes on, with the same number, to" in done.text
    page = client.get(f"/en/tickets/{code}")
    assert "1 of 2 done" in page.text and first.label in page.text and "How was it?" not in page.text
    last = journeys.current_of(db_session, one(db_session, code))

    def serve(db: Any) -> None:
        desk = db.scalars(select(Desk).where(Desk.queue_id == last.queue_id)).first()
        counter.call_next(db, desk, request_id="c", actor="x", now=NOW)
        counter.finish(db, db.get_one(Ticket, last.id), request_id="f2", actor="x", now=NOW)

    write(serve)
    assert "How was it?" in client.get(f"/en/tickets/{code}").text
    assert form(client, f"/tickets/{code}/rate", score="4").status_code == 303
    assert "What was it about?" in client.get(f"/en/tickets/{code}").text
    form(client, f"/tickets/{code}/rate", score="4", reason="wait")
    page = client.get(f"/en/tickets/{code}").text
    assert "Thank you" in page and "What was it about?" not in page
    said = db_session.scalars(
        select(TicketEvent).where(TicketEvent.action == "finish").order_by(TicketEvent.id)
    ).first()
    assert said.data["outcome"] == "done"


def test_a_supervisor_sets_appointments_and_a_day_off(login: Any, world: World, db_session: Any) -> None:
    """Weekdays with hours; a date without; hours that make no slots are refused; another site's are not mine."""
    boss = login("supervisor")
    path = f"/en/supervisor/queues/{world.queue_a}/appointments"
    good = {
        "act": "week",
        "weekday": ["6", "0", "1"],
        "begin": "09:00",
        "end": "11:00",
        "minutes": "20",
        "capacity": "3",
    }
    assert boss.post(path, data=good).status_code == 303
    page = boss.get(path).text
    assert "09:00–11:00" in page and "20 minutes" in page
    assert boss.post(path, data={**good, "end": "08:00"}).status_code == 422
    assert boss.post(path, data={"act": "off", "day": TOMORROW.isoformat()}).status_code == 303
    assert "no appointments" in boss.get(path).text
    assert boss.post(f"/supervisor/queues/{world.queue_b}/appointments", data=good).status_code == 403
    assert login("clerk").get(path).status_code == 403


def test_closing_with_people_waiting_moves_them_to_tomorrow(
    client: FlaskClient, login: Any, world: World, db_session: Any, write: Write
) -> None:
    """The supervisor chooses; each has an appointment and reads so on the old link."""
    ticket = write(lambda db: counter.issue(
        db, db.get_one(Queue, world.queue_a), "NID-01", request_id="i", actor="k", now=NOW, phone="+201001234567",
    ).ticket)  # fmt: skip
    boss = login("supervisor")
    path = f"/en/supervisor/queues/{world.queue_a}/change"
    refused = boss.post(path, data={"act": "move", "day": TOMORROW.isoformat(), "request_id": "m"})
    assert refused.status_code == 422 and "no appointments there" in refused.text
    write(lambda db: set_rules(db, db.get_one(Queue, world.queue_a), [Pattern(540, 600)], days=[TOMORROW]))
    assert (
        boss.post(path, data={"act": "move", "day": TOMORROW.isoformat(), "request_id": "m"}).status_code
        == 303
    )
    assert "1 person has a new appointment." in boss.get(path).text
    page = client.get(f"/en/tickets/{ticket.code}").text
    assert "You have an appointment instead" in page and "09:00" in page
    assert db_session.get(Queue, world.queue_a, populate_existing=True).state == "closed"


def test_a_broken_vans_queue_goes_to_another_van_and_back(
    client: FlaskClient, login: Any, world: World, db_session: Any, write: Write
) -> None:
    """Offered with its distance; everybody follows; the old link says so; taken back until the first call there."""
    ticket = write(lambda db: counter.issue(
        db, db.get_one(Queue, world.queue_visit_a), "NID-01", request_id="i", actor="k", now=NOW,
    ).ticket)  # fmt: skip
    boss = login("van_supervisor")
    path = f"/en/supervisor/queues/{world.queue_visit_a}/change"
    assert "Who takes over" in boss.get(path).text
    form_ = {
        "act": "hand_over",
        "target": str(world.queue_visit_b),
        "request_id": "broken",
        "reason": "engine",
    }
    assert boss.post(path, data=form_).status_code == 303
    assert boss.post(path, data=form_).status_code in (303, 422), "pressed again it moves nobody twice"
    page = client.get(f"/en/tickets/{ticket.code}").text
    assert "has taken over" in page and "M001-2" in page
    assert "has taken everybody over" in boss.get(path).text
    assert boss.post(path, data={"act": "take_back", "request_id": "back"}).status_code == 303
    assert one(db_session, ticket.code).state == "waiting"
    assert db_session.get(Queue, world.queue_visit_a, populate_existing=True).state == "open"


def test_each_message_is_sent_once_and_a_carrier_that_fails_is_asked_again(
    app: Any, world: World, booked: str, db_session: Any
) -> None:
    """The message that one is booked, in Arabic: not while the gateway is away, then once, and never again."""
    sent: list[tuple[str, str]] = []

    def carry(number: str, text: str) -> None:
        sent.append((number, text))
        if len(sent) == 1:
            raise Away("no signal")

    app.extensions["message_sender"] = carry
    with app.app_context():
        for seconds in (0, 5, 29, 31, 36, 600):
            app.extensions["carriers_rest"] = {}  # in real seconds, of which none pass here
            jobs.messages(NOW + timedelta(seconds=seconds))
    assert [number for number, _text in sent] == ["+201001234567"] * 2
    assert "موعدك" in sent[1][1]
    told = db_session.scalars(select(Notice)).one()
    assert told.sent_at == NOW + timedelta(seconds=31) and not told.failed and told.attempts == 2


def test_the_api_books_moves_rates_and_begins(client: FlaskClient, world: World, write: Write) -> None:
    """The same through JSON: slots, a booking that repeats, another time, a journey; no rating before the service."""
    found = client.get(f"/api/v1/queues/{world.queue_visit_b}/slots").get_json()
    assert found["day"] == TOMORROW.isoformat() and found["slots"][0]["free"] >= 1
    body = {"service": "NID-01", "at": found["slots"][0]["at"], "request_id": "api-1"}
    made = client.post(f"/api/v1/queues/{world.queue_visit_b}/bookings", json=body)
    assert made.status_code == 201 and made.get_json()["state"] == "booked"
    assert client.post(f"/api/v1/queues/{world.queue_visit_b}/bookings", json=body).status_code == 200
    code = made.get_json()["ticket"]
    moved = client.post(
        f"/api/v1/tickets/{code}/move", json={"at": found["slots"][4]["at"], "request_id": "api-2"}
    )
    assert moved.status_code == 200
    assert client.post(f"/api/v1/tickets/{code}/confirm", json={"request_id": "api-3"}).status_code == 200
    early = client.post(f"/api/v1/tickets/{code}/rate", json={"score": 5, "request_id": "api-4"})
    assert early.status_code == 409
    wrong = client.post(
        f"/api/v1/queues/{world.queue_visit_b}/bookings",
        json={**body, "at": "2026-11-23T10:07:00+02:00", "request_id": "x"},
    )
    assert wrong.status_code == 422 and wrong.get_json()["code"] == "slot_unknown"
    begun = client.post(
        f"/api/v1/sites/{world.site_b}/journeys", json={"services": ["NID-01", "BLD-01"], "request_id": "j"}
    )
    assert begun.status_code == 201
    way = client.get(f"/api/v1/tickets/{begun.get_json()['ticket']}/journey").get_json()
    assert [step["state"] for step in way["steps"]] == ["now", "next"]
    assert client.get(f"/api/v1/tickets/{code}/journey").status_code == 404


@pytest.mark.parametrize(
    ("minutes", "english", "arabic", "absent"),
    [
        (-1, "Up to 15 minutes late you keep your time", "بقي لك موعدك", "You are late"),
        (
            1,
            "You are late, but you keep your place until 10:15.",
            "تأخرت، ومكانك محفوظ لك حتى",
            "was kept until",
        ),
        (
            14,
            "You are late, but you keep your place until 10:15.",
            "تأخرت، ومكانك محفوظ لك حتى",
            "was kept until",
        ),
        (16, "Your appointment was kept until 10:15.", "حُفظ لك موعدك حتى", "You are late"),
    ],
)
def test_who_is_late_reads_what_it_means(
    client: FlaskClient, clock: Any, booked: str, minutes: int, english: str, arabic: str, absent: str
) -> None:
    """Before the time the rule; within 15 minutes until when the place is kept; later that one stands in the line. The
    polled piece changes at both moments, and only then."""
    clock.set(NOW + timedelta(days=1, minutes=minutes))
    page = client.get(f"/en/tickets/{booked}")
    assert english in plain(page) and absent not in plain(page) and len(page.data) < LIGHT
    assert ("Your appointment was at" in page.text) == (minutes > 0)
    assert arabic in client.get(f"/tickets/{booked}").text
    etag = client.get(f"/en/tickets/{booked}/status").headers["ETag"]
    clock.advance(seconds=30)
    later = client.get(f"/en/tickets/{booked}/status", headers={"If-None-Match": etag})
    assert later.status_code == 304
    clock.advance(minutes=16)
    later = client.get(f"/en/tickets/{booked}/status", headers={"If-None-Match": etag})
    assert later.status_code == (304 if minutes == 16 else 200)


def test_who_never_came_reads_so_and_not_that_they_were_called(
    client: FlaskClient, world: World, clock: Any, write: Write, booked: str
) -> None:
    """After the no-show was marked: what they missed, and two ways on."""
    later = clock.set(NOW + timedelta(days=1, minutes=40)) or clock.now()

    def work(db: Any) -> int:
        desks.open_queue(db, db.get_one(Queue, world.queue_visit_b), actor="x", now=NOW + timedelta(days=1))
        for desk in db.query(Desk).filter_by(queue_id=world.queue_visit_b):
            desks.open_desk(db, desk, actor="x", now=NOW + timedelta(days=1))
        return appointments.mark_no_shows(db, now=later)

    assert write(work) == 1
    page = plain(client.get(f"/en/tickets/{booked}"))
    assert "You did not come to your appointment at 10:00." in page and "Another appointment" in page
    assert "You were called and did not come" not in page
