"""One way to write: all or nothing, then the screens hear."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from fleet.store import Setting
from queueing.events import announce
from queueing.store import Outbox, Queue
from tests.web.world import StillClock, World
from web import live
from web.db import Turnstile, read, write


def test_nothing_of_failed_work_remains(app: Flask) -> None:
    """Work that raises after it wrote leaves no trace, and its error reaches the caller."""

    def work(session: Session) -> None:
        session.add(Setting(key="half", value={"done": False}))
        session.flush()
        raise LookupError("on purpose")

    with app.app_context():
        with pytest.raises(LookupError):
            write(work)
        assert read().get(Setting, "half") is None


def test_the_page_after_a_write_sees_it(app: Flask) -> None:
    """The request's session does not keep a snapshot from before the write."""
    with app.app_context():
        assert read().get(Setting, "fresh") is None
        write(lambda session: session.add(Setting(key="fresh", value={"n": 1})))
        assert read().get_one(Setting, "fresh").value == {"n": 1}


def test_many_threads_write_without_losing_one(app: Flask) -> None:
    """Thirty-two threads raise one counter ten times each; nothing is lost and nobody is refused."""
    with app.app_context():
        write(lambda session: session.add(Setting(key="count", value={"n": 0})))

    def add(session: Session) -> None:
        row = session.get_one(Setting, "count")
        row.value = {"n": row.value["n"] + 1}

    def press() -> None:
        with app.app_context():
            for _time in range(10):
                write(add)

    threads = [threading.Thread(target=press) for _thread in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context():
        assert read().get_one(Setting, "count").value == {"n": 320}


def test_relay_sends_committed_rows_once_and_in_order_and_rolled_back_ones_never(
    app: Flask, world: World, clock: StillClock
) -> None:
    """Publish after commit: what was rolled back is never heard of."""
    sent: list[dict[str, object]] = []

    class Heard:
        def listens(self, **_where: str) -> bool:
            return True

        def emit(self, event: str, body: dict[str, object], *, namespace: str, room: str) -> None:
            sent.append(body)

    with app.app_context():
        relay = live.Relay(app.extensions["writer"].engine, Heard())  # type: ignore[arg-type]
        relay.pump()
        sent.clear()
        queue_id = read().scalar(sa.select(Queue.id).limit(1))
        top = (
            read().scalar(sa.select(sa.func.max(Outbox.seq)).where(Outbox.topic == f"queue:{queue_id}")) or 0
        )

        def tell(session: Session, number: int) -> None:
            announce(
                session,
                f"queue:{queue_id}",
                seq=top + number,
                part="line",
                data={"n": number},
                now=clock.now(),
            )

        write(lambda session: tell(session, 1))
        with pytest.raises(LookupError):

            def broken(session: Session) -> None:
                tell(session, 2)
                raise LookupError("on purpose")

            write(broken)
        write(lambda session: tell(session, 2))
        relay.pump()
        relay.pump()
    assert [(body["seq"], body["part"]) for body in sent] == [(top + 1, "line"), (top + 2, "line")]


def test_a_process_that_writes_without_end_lets_others_in(tmp_path: Path) -> None:
    """While another process holds the turn again and again, each of our turns comes within a few of its own."""
    path = tmp_path / "some.db"
    program = (
        "import sys, time; from web.db import Turnstile\n"
        "turn = Turnstile(sys.argv[1]); turn.rest_s = 0.003; print('on', flush=True)\n"
        "while True:\n"
        "    with turn:\n"
        "        time.sleep(0.03)\n"
    )
    other = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None and other.stdout.readline() == "on\n"
        ours = Turnstile(str(path))
        waited = []
        for _turn in range(20):
            began = time.monotonic()
            with ours:
                waited.append(time.monotonic() - began)
    finally:
        other.kill()
        other.wait()
    assert sorted(waited)[10] < 0.5, "fifteen turns of the other one"


def test_the_turn_is_one_processs_at_a_time(tmp_path: Path) -> None:
    """Nobody passes while another process is inside."""
    path = tmp_path / "some.db"
    program = (
        "import sys; from web.db import Turnstile\n"
        "with Turnstile(sys.argv[1]):\n"
        "    print('in', flush=True); sys.stdin.readline(); print('out', flush=True)\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None and other.stdin is not None
    assert other.stdout.readline() == "in\n"
    passed = threading.Event()

    def pass_through() -> None:
        with Turnstile(str(path)):
            passed.set()

    thread = threading.Thread(target=pass_through)
    thread.start()
    assert not passed.wait(0.3)
    other.stdin.write("\n")
    other.stdin.flush()
    assert passed.wait(10)
    thread.join()
    other.wait()
