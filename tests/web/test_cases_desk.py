"""Cases at desk and kiosk that no other test holds: a sentence in place of an error, and nothing changed by it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from queueing import counter, desks
from queueing.store import Desk, Outbox, Queue, QueueDay, Ticket, TicketEvent
from tests.web.world import NOW, TODAY, form_to
from web.accounts import new_token


def totals(db_session: Any) -> tuple[int, int, int]:
    """Tickets, events and messages."""
    db_session.rollback()
    return tuple(
        db_session.scalar(select(func.count()).select_from(t)) for t in (Ticket, TicketEvent, Outbox)
    )  # type: ignore[return-value]


@pytest.fixture
def seated(login: Any, world: Any) -> Any:
    """`clerk` at the first desk of Aswan."""
    client = login("clerk")
    client.post(f"/desk/{world.desks_a[0]}/take")
    return client


@pytest.mark.parametrize(
    ("language", "words"), [("/en", "Nobody is waiting now."), ("", "لا أحد")], ids=["en", "ar"]
)
def test_call_next_with_nobody_there_says_so_and_changes_nothing(
    seated: Any, world: Any, db_session: Any, language: str, words: str
) -> None:
    """A plain sentence on the desk's page; no event, no message."""
    before = totals(db_session)
    answer = seated.post(
        f"{language}/desk/{world.desks_a[0]}/next", data={"request_id": "empty"}, follow_redirects=True
    )
    assert answer.status_code == 200 and words in answer.text
    assert totals(db_session) == before


def test_a_full_day_is_said_at_the_kiosk_and_staff_can_still_add(
    client: Any, seated: Any, world: Any, write: Any, db_session: Any
) -> None:
    """The kiosk's own page says that the day is full, with a way back, no ticket and no number used; the desk's next
    ticket has the next number."""
    token = write(lambda s: new_token(s, "kiosk", now=NOW, queue_id=world.queue_a))
    write(lambda s: setattr(s.get_one(Queue, world.queue_a), "daily_capacity", 1))

    def take(number: int) -> Any:
        page = client.get(f"/en/kiosk/{token}/priority?service=NID-01").get_data(as_text=True)
        form = form_to(page, "/tickets")
        data = {**form.fields, "priority": "none", "request_id": f"kiosk-{number:06d}"}
        return client.post(form.action, data=data)

    assert take(1).status_code == 303
    full = take(2)
    assert full.status_code == 409 and f"/kiosk/{token}" in full.text
    assert "taken" in full.text and "capacity_reached" not in full.text
    assert totals(db_session)[0] == 1
    added = seated.post(
        f"/desk/{world.desks_a[0]}/tickets",
        data={"service": "NID-01", "priority": "none", "request_id": "added"},
    )
    assert added.status_code == 303
    db_session.rollback()
    assert sorted(db_session.scalars(select(Ticket.number))) == [1, 2]
    assert db_session.get(QueueDay, (world.queue_a, TODAY)).issued == 2


def test_a_board_hears_of_its_own_queue_alone_among_all(client: Any, world: Any, write: Any) -> None:
    """Boards at every queue of both sites: a call shows on one of them."""
    queues = (world.queue_a, world.queue_b, world.queue_b2, world.queue_visit_a)
    boards = {
        queue: write(lambda s, queue=queue: new_token(s, "board", now=NOW, queue_id=queue))
        for queue in queues
    }

    def call(session: Any) -> str:
        desk = session.get_one(Desk, world.desks_b[0])
        desks.open_desk(session, desk, actor="x", now=NOW)
        queue = session.get_one(Queue, world.queue_b)
        counter.issue(session, queue, "NID-01", request_id="i", actor="x", now=NOW)
        done = counter.call_next(session, desk, request_id="c", actor="x", now=NOW)
        assert done is not None
        return done.ticket.label

    label = write(call)
    shown = [queue for queue, token in boards.items() if label in client.get(f"/board/{token}/now").text]
    assert shown == [world.queue_b]
