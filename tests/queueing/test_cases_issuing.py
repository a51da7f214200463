"""Cases of issuing that no other test holds: several processes at once, and a server that was started again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from queueing import counter
from queueing.engine import make_engine, transaction
from queueing.errors import QueueingError
from queueing.rebuild import check
from queueing.store import Queue, Ticket
from tests.builders import MORNING, make_place

ROOT = Path(__file__).parents[2]
WORKER = """
import json, sys, threading
from sqlalchemy.orm import sessionmaker
from queueing import counter
from queueing.engine import make_engine, transaction
from queueing.errors import QueueingError
from queueing.store import Queue
from tests.builders import MORNING
url, queue, first, count, share = sys.argv[1], *map(int, sys.argv[2:6])
engine = make_engine(url)
sessions = sessionmaker(engine, expire_on_commit=False)
with sessions() as session:
    session.get(Queue, queue)
go, got, lock = threading.Barrier(count + 1), [], threading.Lock()
def take(n):
    go.wait(60)
    try:
        done = transaction(sessions, lambda s: counter.issue(s, s.get_one(Queue, queue), "id", request_id=f"r{n}",
                           actor="kiosk", now=MORNING, channel="kiosk"))
        said = [n, done.ticket.number, done.ticket.code]
    except QueueingError as error:
        said = [n, None, error.code]
    with lock:
        got.append(said)
threads = [threading.Thread(target=take, args=(first + n,)) for n in range(count)]
for one in threads: one.start()
print("ready", flush=True)
sys.stdin.readline()
go.wait(60)
for one in threads: one.join()
print(json.dumps(got), flush=True)
"""
"""A worker process: so many threads that take a ticket each, let go by a line on stdin."""


def on_two_workers(engine: Engine, queue: int, shares: tuple[tuple[int, int], ...]) -> list[list[Any]]:
    """Every thread of both processes takes one ticket, all at once: [request number, number or None, code]."""
    url = engine.url.render_as_string(hide_password=False)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, url, str(queue), str(first), str(count), "0"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for first, count in shares
    ]  # fmt: skip
    try:
        for worker in workers:
            assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        return [said for worker in workers for said in json.loads(worker.communicate(timeout=120)[0])]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def made(sessions: sessionmaker[Session], **columns: Any) -> Queue:
    """A committed queue."""
    return transaction(sessions, lambda session: make_place(session, **columns).queue)


def sound(sessions: sessionmaker[Session]) -> list[int]:
    """Numbers as stored, once nothing contradicts itself."""
    with sessions() as session:
        assert check(session) == []
        return sorted(session.scalars(select(Ticket.number)))


def test_fifty_at_once_on_two_workers_give_fifty_numbers(
    engine: Engine, sessions: sessionmaker[Session]
) -> None:
    """Two processes of 25 threads each, let go together: 1 to 50, each once, each with a code of its own."""
    queue = made(sessions)
    said = on_two_workers(engine, queue.id, ((0, 25), (25, 25)))
    assert sorted(number for _n, number, _code in said) == list(range(1, 51))
    assert len({code for _n, _number, code in said}) == 50
    assert sound(sessions) == list(range(1, 51))


def test_one_request_on_two_workers_at_once_is_one_ticket(
    engine: Engine, sessions: sessionmaker[Session]
) -> None:
    """The same ten requests in both processes: ten tickets, and both workers answer alike."""
    queue = made(sessions)
    said = on_two_workers(engine, queue.id, ((0, 10), (0, 10)))
    assert len(said) == 20
    assert len({tuple(one) for one in said}) == 10
    assert sound(sessions) == list(range(1, 11))


def test_the_last_places_are_given_once_on_two_workers(
    engine: Engine, sessions: sessionmaker[Session]
) -> None:
    """Twenty people, seven places: seven numbers without a gap, thirteen polite refusals."""
    queue = made(sessions, daily_capacity=7)
    said = on_two_workers(engine, queue.id, ((0, 10), (10, 10)))
    assert sorted(number for _n, number, _code in said if number) == list(range(1, 8))
    assert [code for _n, number, code in said if number is None] == ["capacity_reached"] * 13
    assert sound(sessions) == list(range(1, 8))


def test_numbers_go_on_after_a_restart(engine: Engine, sessions: sessionmaker[Session]) -> None:
    """All connections closed and a new engine on the same database: the next number, not the first."""
    queue = made(sessions)

    def issue(into: sessionmaker[Session], rid: str) -> int:
        return transaction(
            into,
            lambda s: counter.issue(
                s, s.get_one(Queue, queue.id), "id", request_id=rid, actor="kiosk", now=MORNING
            ),
        ).ticket.number

    assert [issue(sessions, "a"), issue(sessions, "b")] == [1, 2]
    engine.dispose()
    again = make_engine(engine.url.render_as_string(hide_password=False))
    assert issue(sessionmaker(again, expire_on_commit=False), "c") == 3
    again.dispose()


def test_a_refusal_leaves_no_trace_in_the_numbers(sessions: sessionmaker[Session]) -> None:
    """Refused because closed, unknown or full, each committed all the same: the next number is the next."""
    queue = made(sessions, daily_capacity=2)

    def issue(rid: str, service: str = "id", **given: Any) -> Any:
        def work(session: Session) -> Any:
            try:
                return counter.issue(
                    session, session.get_one(Queue, queue.id), service, request_id=rid, actor="kiosk", now=MORNING,
                    channel=given.get("channel", "kiosk"),
                ).ticket.number  # fmt: skip
            except QueueingError as error:
                return error.code  # the caller's transaction is committed

        return transaction(sessions, work)

    said = [issue("1"), issue("2", "no such"), issue("3"), issue("4"), issue("5", channel="staff")]
    assert said == [1, "unknown_service", 2, "capacity_reached", 3]
    transaction(sessions, lambda s: setattr(s.get_one(Queue, queue.id), "state", "closed"))
    assert issue("6") == "queue_closed"
    transaction(sessions, lambda s: setattr(s.get_one(Queue, queue.id), "state", "open"))
    assert issue("7", channel="staff") == 4
    with pytest.raises(QueueingError):
        transaction(
            sessions,
            lambda s: counter.issue(
                s, s.get_one(Queue, queue.id), "id", request_id="", actor="x", now=MORNING
            ),
        )
    assert sound(sessions) == [1, 2, 3, 4]
