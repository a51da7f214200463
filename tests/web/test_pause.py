"""A pause with an end: everybody who looks at the queue reads when it goes on."""

from __future__ import annotations

from typing import Any

import pytest

from queueing import desks
from queueing.store import Queue
from tests.web.test_life import code_in, form
from tests.web.world import NOW
from web.accounts import new_token
from web.jobs import life

HALF_PAST = "12:30"


@pytest.fixture
def paused(client: Any, login: Any, world: Any) -> str:
    """Somebody waits; then the supervisor pauses the queue until 12:30. The code of the ticket."""
    code = code_in(form(client, f"/queues/{world.queue_a}/take", service="NID-01", priority="none"))
    answer = form(
        login("supervisor"), f"/supervisor/queues/{world.queue_a}/change", act="pause", until=HALF_PAST
    )
    assert answer.status_code == 303
    return code


@pytest.mark.parametrize(("language", "words"), [("/en", "paused until"), ("", "متوقف مؤقتًا حتى")])
def test_ticket_center_board_kiosk_and_supervisor_say_when_it_goes_on(
    client: Any, login: Any, world: Any, write: Any, paused: str, language: str, words: str
) -> None:
    """In both languages, on every screen that shows the queue."""
    kiosk = write(lambda s: new_token(s, "kiosk", now=NOW, queue_id=world.queue_a))
    board = write(lambda s: new_token(s, "board", now=NOW, queue_id=world.queue_a))
    for path in (
        f"/tickets/{paused}", f"/tickets/{paused}/status", f"/queues/{world.queue_a}/take",
        f"/centers/{world.site_a}", f"/kiosk/{kiosk}", f"/board/{board}/now",
    ):  # fmt: skip
        text = client.get(f"{language}{path}").text
        assert HALF_PAST in text and words.lower() in text.lower(), path
    assert HALF_PAST in login("supervisor").get(f"{language}/supervisor/queues/{world.queue_a}/change").text


def test_the_api_says_it_and_when_it_is_over_nobody_does(
    client: Any, world: Any, paused: str, clock: Any, app: Any, db_session: Any
) -> None:
    """`resumes_at` with its offset; at its time the job opens the queue, and page and field are empty again."""
    path = f"/api/v1/queues/{world.queue_a}"
    assert client.get(path).json["resumes_at"] == "2026-11-22T12:30:00+02:00"
    seen = client.get(f"/en/tickets/{paused}/status")
    clock.advance(minutes=151)
    with app.app_context():
        life(clock.now())
    again = client.get(f"/en/tickets/{paused}/status", headers={"If-None-Match": seen.headers["ETag"]})
    assert again.status_code == 200 and HALF_PAST not in again.text
    assert client.get(path).json["resumes_at"] is None
    assert db_session.get(Queue, world.queue_a).state == "open"


def test_a_pause_without_an_end_promises_none(client: Any, world: Any, write: Any, paused: str) -> None:
    """Paused anew without a time: the words of before are gone."""
    write(lambda s: desks.pause_queue(s, s.get_one(Queue, world.queue_a), actor="s", now=NOW))
    text = client.get(f"/en/tickets/{paused}").text
    assert "paused for a moment" in text and HALF_PAST not in text
    assert client.get(f"/api/v1/queues/{world.queue_a}").json["resumes_at"] is None
