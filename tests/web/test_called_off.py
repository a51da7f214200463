"""What a holder sees when we end it: why, where to go instead, and the appointment kept with one press."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from fleet import planner
from fleet.store import Visit
from queueing import desks
from queueing.slots import Pattern, set_rules
from queueing.store import Queue, Ticket
from queueing.store_life import Notice
from tests.web.test_life import LIGHT, TOMORROW, booked, code_in, form, one
from tests.web.world import NOW, World, form_to
from web.notices import text_of

__all__ = ["booked"]
Write = Callable[..., Any]


@pytest.fixture
def called_off(world: World, write: Write, booked: str) -> str:
    """The booking's visit is cancelled; the complex in the same town gives appointments tomorrow."""
    write(
        lambda db: set_rules(
            db, db.get_one(Queue, world.queue_b), [Pattern(600, 660, 30, 1)], days=[TOMORROW]
        )
    )
    write(
        lambda db: planner.cancel_visit(
            db,
            db.get_one(Visit, world.visit_b),
            "عطل في المركبة",
            "The van broke down",
            actor="planner",
            now=NOW,
        )
    )
    return booked


def test_the_page_says_why_and_keeps_another_appointment_with_one_press(
    client: FlaskClient, world: World, db_session: Any, called_off: str
) -> None:
    """The press books, the old address leads to the new ticket, and pressing again changes nothing."""
    arabic = client.get(f"/tickets/{called_off}").text
    assert "عطل في المركبة" in arabic and "إلى أين تذهب" in arabic and "Where" not in arabic
    page = client.get(f"/en/tickets/{called_off}")
    assert "The van broke down" in page.text and "Where you can go instead" in page.text
    assert "Ask them if you do not know why" not in page.text and len(page.data) < LIGHT
    press = form_to(page.text, "/again")
    answer = client.post(press.action, data=press.fields)
    assert answer.status_code == 303
    new = one(db_session, code_in(answer))
    assert (new.queue_id, new.state, new.day) == (world.queue_b, "booked", TOMORROW)
    assert new.phone == "+201001234567"
    assert client.post(press.action, data={**press.fields, "request_id": "twice"}).status_code == 303
    assert len(db_session.scalars(select(Ticket)).all()) == 2
    led = client.get(f"/en/tickets/{called_off}").text
    assert "Your appointment is at" in led and "Where you can go instead" not in led


def test_a_place_taken_meanwhile_is_said_and_another_is_offered(
    client: FlaskClient, world: World, db_session: Any, called_off: str
) -> None:
    """Somebody else takes the time before the press: a sentence, no ticket, the next free time offered."""
    press = form_to(client.get(f"/en/tickets/{called_off}").text, "/again")
    taken = form(client, f"/queues/{world.queue_b}/book", service="NID-01", at=press.fields["at"])
    assert taken.status_code == 303
    answer = client.post(press.action, data=press.fields, follow_redirects=True)
    assert "has just been taken" in answer.text
    assert one(db_session, called_off).next_ticket_id is None
    assert form_to(answer.text, "/again").fields["at"] != press.fields["at"]


def test_the_message_names_the_reason_and_the_nearest_place(
    app: Any, db_session: Any, called_off: str
) -> None:
    """One message, in Arabic, to the number that was left."""
    ticket = one(db_session, called_off)
    (notice,) = [
        n
        for n in db_session.scalars(select(Notice).where(Notice.ticket_id == ticket.id))
        if n.kind == "called_off"
    ]
    assert notice.phone == "+201001234567"
    with app.test_request_context("/en"):
        text = text_of(db_session, notice)
    assert "عطل في المركبة" in text and "الأقرب بدلًا منها" in text and "broke" not in text


def test_who_still_waits_when_the_day_ends_is_told_and_offered_another_day(
    client: FlaskClient, world: World, db_session: Any, write: Write, clock: Any
) -> None:
    """Without a telephone too, and when the place opens again. Who left by themselves hears nothing."""
    waits = code_in(form(client, f"/queues/{world.queue_a}/take", service="NID-01", priority="none"))
    gone = code_in(form(client, f"/queues/{world.queue_a}/take", service="BIR-01", priority="none"))
    form(client, f"/tickets/{gone}/leave")
    evening = clock.advance(hours=6)
    write(lambda db: desks.close_queue(db, db.get_one(Queue, world.queue_a), actor="schedule", now=evening))
    page = client.get(f"/en/tickets/{waits}").text
    assert "The queue closed before your turn" in page and "Where you can go instead" in page
    assert "the same place" in page and "Come without an appointment" in page
    assert "Where you can go instead" not in client.get(f"/en/tickets/{gone}").text
    clock.advance(hours=24 * 8)
    assert "Where you can go instead" not in client.get(f"/en/tickets/{waits}").text
    assert timedelta(days=7) < clock.now() - evening
