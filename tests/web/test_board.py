"""The television: who is called where, in both languages, with no personal datum and no login."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from queueing import counter, desks
from queueing.store import Desk, Queue
from tests.web.world import NOW, StillClock, World
from web.accounts import new_token

Write = Callable[[Callable[[Any], Any]], Any]


@pytest.fixture
def board(write: Write, world: World) -> str:
    """The address of the board of queue_a."""
    return "/board/" + write(lambda session: new_token(session, "board", now=NOW, queue_id=world.queue_a))


@pytest.fixture
def crowd(write: Write, world: World) -> None:
    """Nine people in queue_a, all three desks open."""

    def work(session: Session) -> None:
        queue = session.get_one(Queue, world.queue_a)
        for desk_id in world.desks_a:
            desks.open_desk(session, session.get_one(Desk, desk_id), actor="t", now=NOW)
        for n in range(9):
            counter.issue(
                session,
                queue,
                "NID-01",
                request_id=f"crowd-{n:04d}",
                actor="t",
                now=NOW,
                phone=f"+2010012345{n:02d}",
            )

    write(work)


def call(write: Write, world: World, clock: StillClock, times: int = 1) -> None:
    """Call the next ones, desk after desk, two seconds apart."""
    for n in range(times):
        now = clock.advance(seconds=2)
        write(
            lambda s, n=n, now=now: counter.call_next(
                s,
                s.get_one(Desk, world.desks_a[n % 3]),
                request_id=f"call-{now:%H%M%S}-{n}",
                actor="t",
                now=now,
            )
        )


def calls(html: str) -> list[tuple[str, str]]:
    """(label, desk) of the calls in the order shown."""
    return re.findall(
        r'class="label" dir="ltr">([^<]+)</bdi><span class="desk"><span>\w+</span> <bdi>([^<]+)<', html
    )


def test_the_newest_call_stands_first_with_its_desk(
    client: FlaskClient, board: str, world: World, write: Write, clock: StillClock, crowd: None
) -> None:
    """Newest first, each with its desk, how many wait, and both languages at once."""
    call(write, world, clock, 4)
    html = client.get("/en" + board).get_data(as_text=True)
    assert calls(html) == [("A004", "1"), ("A003", "3"), ("A002", "2"), ("A001", "1")]
    assert "<b>5</b>" in html and "Now calling" in html and "ننادي الآن" in html
    arabic = client.get(board).get_data(as_text=True)
    assert arabic.index("ننادي الآن") < arabic.index(">Now calling<") and 'dir="rtl"' in arabic


def test_a_ticket_called_again_is_a_new_call(
    client: FlaskClient, board: str, world: World, write: Write, clock: StillClock, crowd: None
) -> None:
    """A recall comes first again under a new key, so that the board announces it, and stands there once."""
    call(write, world, clock, 2)
    before = client.get(board + "/now").get_data(as_text=True)
    now = clock.advance(seconds=5)

    def again(session: Session) -> None:
        desk = session.get_one(Desk, world.desks_a[0])
        from queueing.lineup import open_ticket

        ticket = open_ticket(session, desk.id)
        assert ticket is not None
        counter.recall(session, ticket, request_id="recall-0001", actor="t", now=now, desk=desk)

    write(again)
    after = client.get(board + "/now").get_data(as_text=True)
    assert [label for label, _desk in calls(after)] == ["A001", "A002"]
    keys = [re.findall(r'data-call="(A001@[^"]+)"', html) for html in (before, after)]
    assert len(keys[0]) == len(keys[1]) == 1 and keys[0] != keys[1]


def test_a_call_taken_back_leaves_the_board(
    client: FlaskClient, board: str, world: World, write: Write, clock: StillClock, crowd: None
) -> None:
    """Undone: the one before stands first again."""
    call(write, world, clock, 2)

    def undo(session: Session) -> None:
        from queueing.lineup import open_ticket

        desk = session.get_one(Desk, world.desks_a[1])
        ticket = open_ticket(session, desk.id)
        assert ticket is not None
        counter.undo(
            session, ticket, request_id="undo-00001", actor="t", now=clock.advance(seconds=1), desk=desk
        )

    write(undo)
    assert [label for label, _desk in calls(client.get(board + "/now").get_data(as_text=True))] == ["A001"]


def test_the_section_answers_304_until_a_call(
    client: FlaskClient, board: str, world: World, write: Write, clock: StillClock, crowd: None
) -> None:
    """The heartbeat of the board costs nothing, and carries the time for which the picture holds."""
    first = client.get(board + "/now")
    clock.advance(minutes=1)
    quiet = client.get(board + "/now", headers={"If-None-Match": first.headers["ETag"]})
    assert (quiet.status_code, quiet.headers["X-As-Of"]) == (304, "10:01")
    call(write, world, clock)
    assert client.get(board + "/now", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_a_call_appears_on_its_own_queues_board_only(
    client: FlaskClient, board: str, world: World, write: Write, clock: StillClock, crowd: None
) -> None:
    """Another site's board stays as it was."""
    other = "/board/" + write(lambda session: new_token(session, "board", now=NOW, queue_id=world.queue_b))
    call(write, world, clock)
    assert calls(client.get(board + "/now").get_data(as_text=True))
    assert not calls(client.get(other + "/now").get_data(as_text=True))


def test_no_personal_datum_is_on_a_board(
    client: FlaskClient, board: str, world: World, write: Write, clock: StillClock, crowd: None
) -> None:
    """No telephone number, no ticket link, no service of anybody."""
    call(write, world, clock, 3)
    html = client.get("/en" + board).get_data(as_text=True)
    assert "20100" not in html and "/tickets/" not in html and "National identity card" not in html


def test_only_a_board_token_opens_a_board(client: FlaskClient, world: World, write: Write) -> None:
    """Unknown or of another kind: 404."""
    kiosk = write(lambda session: new_token(session, "kiosk", now=NOW, queue_id=world.queue_a))
    for token in ("unknown", kiosk):
        assert (
            client.get(f"/board/{token}").status_code == client.get(f"/board/{token}/now").status_code == 404
        )


@pytest.mark.parametrize(
    ("state", "words"), [("open", "Numbers will appear"), ("paused", "paused"), ("closed", "Closed now")]
)
def test_without_calls_it_says_how_things_are(
    client: FlaskClient, board: str, world: World, write: Write, state: str, words: str
) -> None:
    """An empty board is never blank."""
    write(lambda session: setattr(session.get(Queue, world.queue_a), "state", state))
    assert words in client.get("/en" + board).get_data(as_text=True)


def test_yesterdays_calls_are_gone_in_the_morning(
    client: FlaskClient, board: str, world: World, write: Write, clock: StillClock, crowd: None
) -> None:
    """The next day starts with an empty board."""
    call(write, world, clock, 2)
    clock.advance(hours=22)
    assert not calls(client.get(board + "/now").get_data(as_text=True))
