"""Live screens: what a watching client hears, after which commit, and what it may not watch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from fleet.store import Center
from queueing import counter, desks
from queueing.store import Desk, Outbox, Queue, Ticket
from tests.web.world import NOW
from web.live import NAMESPACE, RESYNC_ROWS, prune, socketio


@pytest.fixture
def watch(app: Any) -> Any:
    """`watch({"queue": 1}, http=...)` -> a socket that asked for it, and a way to read what came."""
    made = []

    def connect(*asked: Any, http: Any = None) -> Any:
        socket = socketio.test_client(app, namespace=NAMESPACE, flask_test_client=http)
        made.append(socket)
        for topic in asked:
            socket.emit("watch", topic, namespace=NAMESPACE)
        return socket

    yield connect
    for socket in made:
        if socket.is_connected(NAMESPACE):
            socket.disconnect(NAMESPACE)


def heard(socket: Any) -> list[tuple[str, dict[str, Any]]]:
    """(event, body) of everything that came since the last look."""
    return [(message["name"], message["args"][0]) for message in socket.get_received(NAMESPACE)]


def issue(session: Any, queue_id: int, request_id: str, phone: str | None = None) -> Any:
    return counter.issue(
        session,
        session.get_one(Queue, queue_id),
        "NID-01",
        request_id=request_id,
        actor="x",
        now=NOW,
        phone=phone,
    )


def test_watching_a_queue_gives_its_state_at_once(watch: Any, write: Any, world: Any) -> None:
    write(lambda session: issue(session, world.queue_a, "a"))
    socket = watch({"queue": world.queue_a})
    assert heard(socket) == [
        ("state", {"queue": world.queue_a, "seq": 1, "open": True, "state": "open", "waiting": 1, "desks": 0})
    ]


def test_each_commit_is_heard_with_a_seq_that_rises_by_one(
    app: Any, watch: Any, write: Any, world: Any
) -> None:
    """Issue, desk opened, call, finish and call: five changes, no gap, naming the part that changed."""
    socket = watch({"queue": world.queue_a})
    seq = heard(socket)[0][1]["seq"]

    def desk(session: Any) -> Desk:
        return session.get_one(Desk, world.desks_a[0])

    write(lambda s: issue(s, world.queue_a, "a"))
    write(lambda s: issue(s, world.queue_a, "b"))
    write(lambda s: desks.open_desk(s, desk(s), actor="x", now=NOW))
    write(lambda s: counter.call_next(s, desk(s), request_id="n1", actor="x", now=NOW))
    write(lambda s: counter.call_next(s, desk(s), request_id="n2", actor="x", now=NOW))
    app.extensions["relay"].pump()
    messages = heard(socket)
    assert {name for name, _ in messages} == {"changed"}
    assert [body["seq"] for _, body in messages] == list(range(seq + 1, seq + 7))
    assert [body["part"] for _, body in messages] == ["line", "line", "desks", "calls", "desks", "calls"]
    assert all(body["queue"] == world.queue_a for _, body in messages)


def test_nothing_is_heard_of_a_change_that_was_not_committed(
    app: Any, watch: Any, write: Any, world: Any
) -> None:
    socket = watch({"queue": world.queue_a})
    heard(socket)

    def fails(session: Any) -> None:
        issue(session, world.queue_a, "a")
        raise ValueError("the rest of the work failed")

    with pytest.raises(ValueError, match="the rest"):
        write(fails)
    assert app.extensions["relay"].pump() == 0
    assert heard(socket) == []


def test_a_queue_hears_nothing_of_another(app: Any, watch: Any, write: Any, world: Any) -> None:
    socket = watch({"queue": world.queue_b})
    heard(socket)
    write(lambda session: issue(session, world.queue_a, "a"))
    app.extensions["relay"].pump()
    assert heard(socket) == []


def test_no_personal_datum_goes_out_on_a_queue(app: Any, watch: Any, write: Any, world: Any) -> None:
    """Neither the phone nor the ticket's code, whose holder could leave the line with it."""
    socket = watch({"queue": world.queue_a})
    code = write(lambda session: issue(session, world.queue_a, "a", "01001234567")).ticket.code
    app.extensions["relay"].pump()
    text = str(heard(socket))
    assert "1001234567" not in text and code not in text


def test_the_relay_sends_what_another_process_committed(
    app: Any, watch: Any, world: Any, tmp_path: Path
) -> None:
    """A second Python process writes to the same database; the relay of this one brings it to the screens."""
    socket = watch({"queue": world.queue_a})
    heard(socket)
    program = (
        "import sys; from datetime import datetime\n"
        "from sqlalchemy.orm import sessionmaker\n"
        "from queueing import counter; from queueing.engine import make_engine, transaction\n"
        "from queueing.store import Queue\n"
        "url, queue, now = sys.argv[1], int(sys.argv[2]), datetime.fromisoformat(sys.argv[3])\n"
        "transaction(sessionmaker(make_engine(url)), lambda s: counter.issue(s, s.get_one(Queue, queue), 'NID-01',"
        " request_id='elsewhere', actor='x', now=now))\n"
    )
    url = f"sqlite:///{tmp_path / 'test.db'}"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", program, url, str(world.queue_a), NOW.isoformat()]
    subprocess.run(command, cwd=root, check=True, timeout=60)
    assert app.extensions["relay"].pump() == 1
    ((name, body),) = heard(socket)
    assert (name, body["seq"], body["part"]) == ("changed", 1, "line")


def test_the_relay_sends_each_change_once(app: Any, watch: Any, write: Any, world: Any) -> None:
    socket = watch({"queue": world.queue_a})
    heard(socket)
    write(lambda session: issue(session, world.queue_a, "a"))
    relay = app.extensions["relay"]
    assert [relay.pump(), relay.pump()] == [1, 0]
    assert len(heard(socket)) == 1


def test_resync_gives_exactly_what_was_missed(watch: Any, write: Any, world: Any) -> None:
    for n in range(5):
        write(lambda session, n=n: issue(session, world.queue_a, f"r{n}"))
    socket = watch()
    socket.emit("resync", {"queue": world.queue_a, "after": 2}, namespace=NAMESPACE)
    assert [(name, body["seq"]) for name, body in heard(socket)] == [
        ("changed", 3),
        ("changed", 4),
        ("changed", 5),
    ]


def test_resync_from_too_long_ago_or_from_the_present_gives_the_state(
    watch: Any, write: Any, world: Any
) -> None:
    """Pruned history, more than the limit, and nothing missed are all answered with the whole state."""
    for n in range(3):
        write(lambda session, n=n: issue(session, world.queue_a, f"r{n}"))
    socket = watch()
    socket.emit("resync", {"queue": world.queue_a, "after": 3}, namespace=NAMESPACE)
    assert [(name, body["seq"]) for name, body in heard(socket)] == [("state", 3)]

    def old(session: Any) -> None:
        first = session.scalars(
            select(Outbox).where(Outbox.seq == 1, Outbox.topic == f"queue:{world.queue_a}")
        ).one()
        session.delete(first)

    write(old)
    socket.emit("resync", {"queue": world.queue_a, "after": 0}, namespace=NAMESPACE)
    assert [(name, body["seq"]) for name, body in heard(socket)] == [("state", 3)]


def test_resync_is_bounded(watch: Any, write: Any, world: Any) -> None:
    def many(session: Any) -> None:
        session.add_all(
            Outbox(topic=f"queue:{world.queue_a}", seq=n, part="line", data={}, created_at=NOW)
            for n in range(1, RESYNC_ROWS + 3)
        )
        session.execute(update(Queue).where(Queue.id == world.queue_a).values(seq=RESYNC_ROWS + 2))

    write(many)
    socket = watch()
    socket.emit("resync", {"queue": world.queue_a, "after": 0}, namespace=NAMESPACE)
    assert [name for name, _ in heard(socket)] == ["state"]
    socket.emit("resync", {"queue": world.queue_a, "after": 2}, namespace=NAMESPACE)
    assert len(heard(socket)) == RESYNC_ROWS


@pytest.mark.parametrize("who", [None, "clerk", "supervisor", "agency"])
@pytest.mark.parametrize("kind", ["center", "plan"])
@pytest.mark.parametrize("event", ["watch", "resync"])
def test_plans_and_centers_are_for_planners(
    watch: Any, login: Any, client: Any, world: Any, who: str | None, kind: str, event: str
) -> None:
    socket = watch(http=login(who) if who else client)
    socket.emit(event, {kind: world.center_a, "after": 0}, namespace=NAMESPACE)
    assert [name for name, _ in heard(socket)] == ["refused"]


def test_a_planner_hears_a_center_move(app: Any, watch: Any, login: Any, write: Any, world: Any) -> None:
    from fleet.tracking import record_position

    socket = watch({"center": world.center_a}, http=login("planner"))
    assert [name for name, _ in heard(socket)] == ["state"]
    write(
        lambda session: record_position(
            session, session.get_one(Center, world.center_a), device="d", at=NOW, lat=24.5, lon=32.9, now=NOW
        )
    )
    app.extensions["relay"].pump()
    ((name, body),) = heard(socket)
    assert (name, body["center"], body["part"], body["lat"]) == ("changed", world.center_a, "position", 24.5)


@pytest.mark.parametrize(
    "asked",
    [
        None,
        "queue",
        [],
        {},
        {"queue": "1"},
        {"queue": True},
        {"queue": 99999},
        {"queue": 10**30},
        {"site": 1},
    ],
)
def test_nonsense_is_refused_without_harm(watch: Any, asked: Any, world: Any) -> None:
    socket = watch(asked)
    assert [name for name, _ in heard(socket)] == ["refused"]
    socket.emit("watch", {"queue": world.queue_a}, namespace=NAMESPACE)
    assert [name for name, _ in heard(socket)] == ["state"]


def test_unwatching_ends_the_messages(app: Any, watch: Any, write: Any, world: Any) -> None:
    socket = watch({"queue": world.queue_a})
    socket.emit("unwatch", {"queue": world.queue_a}, namespace=NAMESPACE)
    heard(socket)
    write(lambda session: issue(session, world.queue_a, "a"))
    app.extensions["relay"].pump()
    assert heard(socket) == []


def test_pruning_keeps_what_a_reconnecting_screen_may_ask_for(
    app: Any, write: Any, world: Any, db_session: Any
) -> None:
    from datetime import timedelta

    write(lambda session: issue(session, world.queue_a, "a"))
    assert write(lambda session: prune(session, now=NOW + timedelta(minutes=119))) == 0
    assert write(lambda session: prune(session, now=NOW + timedelta(minutes=121))) == 1
    assert db_session.scalar(select(Ticket.state)) == "waiting"
