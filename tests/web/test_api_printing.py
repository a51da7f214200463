"""Printing through the API: the slip's bytes for a kiosk's own printer, and what became of a slip asked for."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from tests.web.world import NOW
from web.accounts import new_token
from web.printing.store import PrintJob


@pytest.fixture
def kiosk(write: Any, world: Any) -> dict[str, str]:
    """The headers of a kiosk of Aswan."""
    return {
        "Authorization": f"Bearer {write(lambda s: new_token(s, 'kiosk', now=NOW, queue_id=world.queue_a))}"
    }


@pytest.fixture
def code(client: Any, world: Any, kiosk: dict[str, str]) -> str:
    """A ticket that it gave out."""
    body = {"service": "NID-01", "request_id": "issue-one"}
    return client.post(f"/api/v1/queues/{world.queue_a}/tickets", json=body, headers=kiosk).json["ticket"]  # type: ignore[no-any-return]


def test_the_bytes_of_a_slip_are_a_picture_for_the_paper_and_count_as_no_slip(
    client: Any, kiosk: dict[str, str], code: str, db_session: Any
) -> None:
    """ESC/POS with a cut; narrower paper is fewer bytes; nothing is noted: nobody knows what came of it."""
    path = f"/api/v1/tickets/{code}/slip/data"
    wide = client.get(path, headers=kiosk)
    narrow = client.get(f"{path}?paper=58&language=ar", headers=kiosk)
    assert wide.status_code == narrow.status_code == 200
    assert wide.content_type == "application/vnd.escpos" and wide.data.startswith(b"\x1b")
    assert b"\x1dV" in wide.data and 0 < len(narrow.data) < len(wide.data)
    assert client.get(f"{path}?paper=70", headers=kiosk).status_code == 422
    assert db_session.scalar(select(func.count()).select_from(PrintJob)) == 0


def test_without_a_printer_it_says_so_and_the_same_request_is_the_same_slip(
    client: Any, kiosk: dict[str, str], code: str, db_session: Any
) -> None:
    """The state before is `none`; after, `failed` with the fault; twice is one row."""
    path = f"/api/v1/tickets/{code}/slip"
    assert client.get(path, headers=kiosk).json["state"] == "none"
    for _ in range(2):
        answer = client.post(path, json={"request_id": "slip-one"}, headers=kiosk)
        assert answer.status_code == 200
        assert (answer.json["state"], answer.json["fault"]) == ("failed", "no_printer")
    assert client.get(path, headers=kiosk).json == answer.json
    assert db_session.scalar(select(func.count()).select_from(PrintJob)) == 1


def test_another_queues_kiosk_gets_no_slip(client: Any, world: Any, write: Any, code: str) -> None:
    """A slip carries the link to a ticket: only its own queue's machines have it."""
    other = write(lambda s: new_token(s, "kiosk", now=NOW, queue_id=world.queue_b))
    headers = {"Authorization": f"Bearer {other}"}
    for path in (f"/api/v1/tickets/{code}/slip", f"/api/v1/tickets/{code}/slip/data"):
        assert client.get(path, headers=headers).json["code"] == "other_queue"
        assert client.get(path).status_code == 401
