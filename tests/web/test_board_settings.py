"""Boards of several queues and their languages: set up by staff or on the command line, kept by a new address."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import counter, desks
from queueing.store import Desk, Queue
from tests.web.world import NOW, StillClock, World, form_to
from web import board_store
from web.accounts import AccessToken, new_token
from web.speech import pack

Write = Callable[[Callable[[Any], Any]], Any]


@pytest.fixture(autouse=True)
def voices(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where the calls were recorded."""
    monkeypatch.setattr(pack, "spoken_here", lambda: ("ar", "en"))


@pytest.fixture
def board(write: Write, world: World) -> str:
    """A board of one queue of the complex with two."""
    return "/board/" + write(lambda s: new_token(s, "board", now=NOW, queue_id=world.queue_b))


def call_in(write: Write, clock: StillClock, queue_id: int, service: str) -> None:
    """One person comes and is called at the queue's first desk."""
    now = clock.advance(seconds=2)

    def work(session: Session) -> None:
        queue = session.get_one(Queue, queue_id)
        desk = session.scalars(select(Desk).where(Desk.queue_id == queue_id).order_by(Desk.id)).first()
        assert desk is not None
        if desk.state != "open":
            desks.open_desk(session, desk, actor="t", now=now)
        rid = f"{queue_id}-{now.isoformat()}"
        counter.issue(session, queue, service, request_id=f"i{rid}", actor="t", now=now)
        counter.call_next(session, desk, request_id=f"c{rid}", actor="t", now=now)

    write(work)


def labels(html: str) -> list[str]:
    return re.findall(r'class="label" dir="ltr">([^<]+)<', html)


def spoken(html: str) -> list[str]:
    return re.findall(r'data-say="([^"]*)"', html)


def test_a_board_of_a_place_shows_the_calls_of_all_its_queues(
    client: FlaskClient, world: World, write: Write, clock: StillClock, board: str
) -> None:
    """Newest first whatever the queue, each queue's waiting people, the place on top; both queues are watched."""
    for queue, service in ((world.queue_b, "NID-01"), (world.queue_b2, "BLD-01"), (world.queue_b, "NID-01")):
        call_in(write, clock, queue, service)
    one = client.get("/en" + board).text
    own = labels(one)
    assert len(own) == 2
    ticket = write(lambda s: s.scalars(select(AccessToken.id).where(AccessToken.kind == "board")).one())
    write(lambda s: board_store.set_board(s, ticket, site_id=world.site_b, spoken="ar en") and None)
    page = client.get("/en" + board).text
    assert labels(page) == [own[0], "C001", own[1]]
    watched = json.loads(re.findall(r"data-watch='([^']+)'", page)[0])
    assert watched == [{"queue": world.queue_b}, {"queue": world.queue_b2}]
    assert "Nasr City" in re.findall(r"<h1>(.*?)</h1>", page)[0] and "Local unit" in page
    said = spoken(client.get(board + "/now").text)[1].split()
    assert said[:3] == ["ar:number", "ar:letter-C", "ar:n1"] and "en:desk" in said
    assert said.index("en:number") > said.index("ar:desk"), "English second"


def test_a_board_set_up_anew_answers_anew(
    client: FlaskClient, world: World, write: Write, clock: StillClock, board: str
) -> None:
    """A screen that polls hears of its new set-up (another ETag, another mark), also when nothing was called."""
    call_in(write, clock, world.queue_b, "NID-01")
    before = client.get(board + "/now")
    again = {"If-None-Match": before.headers["ETag"]}
    assert client.get(board + "/now", headers=again).status_code == 304
    token = write(lambda s: s.scalars(select(AccessToken.id).where(AccessToken.kind == "board")).one())
    write(lambda s: board_store.set_board(s, token, queues=[world.queue_b], spoken="en") and None)
    after = client.get(board + "/now", headers=again)
    assert after.status_code == 200
    marks = [re.findall(r'data-set-up="([^"]+)"', answer.text)[0] for answer in (before, after)]
    assert marks[0] != marks[1]


def test_a_supervisor_sets_up_a_board_and_its_new_address_keeps_it(
    login: Any, client: FlaskClient, world: World, db_session: Any
) -> None:
    """Queues and language by a form; another place's queue cannot be shown; the act is written down."""
    chief = login("other_supervisor")
    chief.post(f"/supervisor/queues/{world.queue_b}/links/board")
    form = form_to(chief.get("/en/supervisor/setup").text, _board(db_session))
    sent = {"csrf_token": "x", "spoken": "ar en", "queue": [world.queue_b, world.queue_b2]}
    assert (
        "The board is set."
        in chief.post("/en" + form.action.removeprefix("/en"), data=sent, follow_redirects=True).text
    )
    assert chief.post(form.action, data={**sent, "queue": [world.queue_a]}).status_code == 400
    assert chief.post(form.action, data={**sent, "spoken": "fr"}).status_code == 400
    assert login("supervisor").post(form.action, data=sent).status_code == 403
    shown = chief.get("/en/supervisor/setup").text
    assert shown.count('name="queue"') == 2 and re.search(r'value="ar en" selected', shown)
    assert "board set up" in chief.get("/en/supervisor/audit").text
    chief.post(f"/supervisor/queues/{world.queue_b}/links/board")
    page = chief.get("/en/supervisor").text
    address = re.findall(r"/board/[\w-]+", page)[0]
    assert "Nasr City" in client.get("/en" + address).text
    assert "Local unit" in client.get("/en" + address).text, "the new address shows both queues"


def _board(db_session: Any) -> str:
    db_session.rollback()
    chosen = select(AccessToken.id).where(AccessToken.kind == "board", AccessToken.revoked_at.is_(None))
    return f"/boards/{db_session.scalars(chosen).one()}"


def test_a_chime_alone_says_nothing(
    client: FlaskClient, world: World, write: Write, clock: StillClock, board: str
) -> None:
    """No language, no clips: nothing to fetch and nothing to say."""
    token = write(lambda s: s.scalars(select(AccessToken.id).where(AccessToken.kind == "board")).one())
    write(lambda s: board_store.set_board(s, token, spoken="") and None)
    call_in(write, clock, world.queue_b, "NID-01")
    page = client.get(board).text
    assert not spoken(page) and "data-sounds" not in page


def test_the_command_line_makes_boards_of_a_place(app: Flask, client: FlaskClient, world: World) -> None:
    """`token board --site` and several `--queue`; neither, or both, is refused."""

    def made(*arguments: str) -> Any:
        return app.test_cli_runner().invoke(args=["token", "board", *arguments, "--json"])

    place = json.loads(made("--site", "X-NSR-01", "--speaks", "ar en").output)
    assert "Local unit" in client.get("/en" + place["path"]).text
    both = json.loads(made("--queue", str(world.queue_b), "--queue", str(world.queue_b2)).output)
    assert client.get(both["path"]).status_code == 200
    assert made().exit_code != 0
    assert made("--site", "X-NSR-01", "--queue", str(world.queue_b)).exit_code != 0
    assert made("--site", "nowhere").exit_code != 0
