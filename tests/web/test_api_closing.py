"""A supervisor's program closes a queue: it is asked what becomes of the people, as the page asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.store import Visit
from queueing import counter, desks
from queueing.slots import Pattern, set_rules
from queueing.store import Desk, Queue, Ticket, TicketEvent
from queueing.store_life import Notice
from tests.web.world import NOW, TODAY, World

Write = Callable[..., Any]
TOMORROW = TODAY + timedelta(days=1)


@pytest.fixture
def two(world: World, write: Write) -> list[str]:
    """Two people wait at Aswan."""

    def work(db: Session) -> list[str]:
        queue = db.get_one(Queue, world.queue_a)
        return [
            counter.issue(db, queue, "NID-01", request_id=f"i{n}", actor="x", now=NOW).ticket.code
            for n in range(2)
        ]

    return list(write(work))


def states(db: Session) -> list[str]:
    db.rollback()
    return list(db.scalars(select(Ticket.state).order_by(Ticket.id)))


def ask(client: Any, queue: int, request_id: str = "c1", **more: Any) -> Any:
    """Close by the API."""
    return client.post(f"/api/v1/queues/{queue}/close", json={"request_id": request_id, **more})


def test_it_asks_first_and_says_who_would_lose_what(
    two: list[str], login: Any, world: World, db_session: Session
) -> None:
    """Without a choice nobody is sent home: 409 with the numbers, the choices, and where people could go."""
    chief = login("supervisor")
    seen = chief.get(f"/api/v1/queues/{world.queue_a}/closing").json
    assert (seen["state"], seen["inside"], seen["booked"], seen["choices"]) == (
        "open", 2, 0, ["serve", "move", "cancel"],
    )  # fmt: skip
    assert [t["km"] is None or t["km"] > 0 for t in seen["targets"]] and world.queue_a not in [
        t["queue"] for t in seen["targets"]
    ]
    answer = ask(chief, world.queue_a)
    assert answer.status_code == 409 and answer.json["code"] == "people_waiting"
    assert (answer.json["inside"], answer.json["booked"]) == (2, 0)
    assert states(db_session) == ["waiting", "waiting"]
    assert db_session.get_one(Queue, world.queue_a).state == "open"


def test_nobody_is_sent_home_unseen_and_the_same_request_is_answered_the_same(
    two: list[str], login: Any, world: World, db_session: Session
) -> None:
    """Cancel needs a reason and the number one was told; one too few is refused; again it is the first answer."""
    chief = login("supervisor")
    assert ask(chief, world.queue_a, choice="cancel", reason="x").json["code"] == "told_missing"
    assert ask(chief, world.queue_a, choice="cancel", told=2).json["code"] == "reason_missing"
    assert ask(chief, world.queue_a, choice="cancel", reason="x", told=1).json["code"] == "people_waiting"
    assert states(db_session) == ["waiting", "waiting"]
    made = ask(chief, world.queue_a, choice="cancel", reason="انقطاع الكهرباء", told=2)
    assert made.status_code == 200
    assert made.json == {
        "queue": world.queue_a, "state": "closed", "inside": 0, "moved": 0, "cancelled": 2, "repeated": False,
    }  # fmt: skip
    assert states(db_session) == ["cancelled", "cancelled"]
    again = ask(chief, world.queue_a, choice="cancel", reason="انقطاع الكهرباء", told=2)
    assert again.json == {**made.json, "repeated": True}
    assert len(db_session.scalars(select(Notice).where(Notice.kind == "closed")).all()) == 2
    assert len(db_session.scalars(select(TicketEvent).where(TicketEvent.action == "cancel")).all()) == 2
    assert ask(chief, world.queue_a, choice="serve").json["code"] == "request_id_reused"


def test_served_out_it_stays_paused_until_the_last_has_gone(
    two: list[str], login: Any, world: World, db_session: Session
) -> None:
    made = ask(login("supervisor"), world.queue_a, choice="serve").json
    assert (made["state"], made["inside"]) == ("paused", 2)
    assert states(db_session) == ["waiting", "waiting"]
    assert db_session.get_one(Queue, world.queue_a).closing


def test_moved_to_another_day_or_refused_whole(
    two: list[str], login: Any, world: World, write: Write, db_session: Session
) -> None:
    """No appointments there: nothing changes. With some: each has one, in the order of the line."""
    chief = login("supervisor")
    assert ask(chief, world.queue_a, choice="move").json["code"] == "no_slots"
    assert ask(chief, world.queue_a, choice="move", to=world.queue_b2).status_code == 404
    assert states(db_session) == ["waiting", "waiting"]
    write(
        lambda db: set_rules(
            db, db.get_one(Queue, world.queue_a), [Pattern(600, 660, 30, 1)], days=[TOMORROW]
        )
    )
    made = ask(chief, world.queue_a, choice="move", day=TOMORROW.isoformat()).json
    assert (made["state"], made["moved"]) == ("closed", 2)
    assert states(db_session) == ["transferred", "transferred", "booked", "booked"]


def test_a_visit_is_over_when_nobody_is_left(login: Any, world: World, db_session: Session) -> None:
    """An empty line needs no choice; the van's visit ends with its queue."""
    van = login("van_supervisor")
    made = ask(van, world.queue_visit_a)
    assert (made.status_code, made.json["state"]) == (200, "closed")
    db_session.rollback()
    assert db_session.get_one(Visit, world.visit_a).status == "closed"
    assert van.get(f"/api/v1/queues/{world.queue_visit_a}/closing").json["choices"] == []


def test_who_is_at_a_desk_is_finished_there(
    login: Any, world: World, write: Write, db_session: Session
) -> None:
    """Nobody waits, one is being served: no question, and the queue closes by itself afterwards."""

    def serve(db: Session) -> None:
        desk = db.get_one(Desk, world.desks_a[0])
        desks.open_desk(db, desk, actor="x", now=NOW, operator="clerk")
        counter.issue(db, db.get_one(Queue, world.queue_a), "NID-01", request_id="i", actor="x", now=NOW)
        counter.call_next(db, desk, request_id="n", actor="x", now=NOW)

    write(serve)
    made = ask(login("supervisor"), world.queue_a).json
    assert (made["state"], made["inside"]) == ("paused", 1) and states(db_session) == ["called"]


def test_supervisors_of_the_place_alone(client: Any, login: Any, world: World) -> None:
    """401, 403 by role, 403 by place, 404; a form of another page is refused."""
    path = f"/api/v1/queues/{world.queue_a}"
    assert client.get(f"{path}/closing").status_code == ask(client, world.queue_a).status_code == 401
    for name, status in (("clerk", 403), ("planner", 403), ("other_supervisor", 403)):
        assert login(name).get(f"{path}/closing").status_code == status
        assert ask(login(name), world.queue_a).status_code == status
    chief = login("supervisor")
    assert chief.get("/api/v1/queues/99999/closing").status_code == ask(chief, 99999).status_code == 404
    assert chief.post(f"{path}/close", data={"request_id": "x"}).status_code == 400
    assert ask(chief, world.queue_a, choice="burn").status_code == 422
