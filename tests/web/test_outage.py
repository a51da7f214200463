"""Redis gone, the database gone: nothing lost, said in words, whole again without a restart."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

import queueing.engine
from queueing.store import Base, Outbox, Ticket, TicketEvent
from tests.databases import NoPostgres, Postgres, running_postgres
from tests.web import world as cast
from tests.web.raw_socket import Raw, free_port, gunicorn
from tests.web.test_fanout import wait_for
from web.accounts import new_token
from web.app import create_app
from web.bell import Bell
from web.live import Relay

REDIS = shutil.which("redis-server")


class Redis:
    """A Redis of the test's own, which it may kill and start again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir"]
        self._process = subprocess.Popen(
            [*command, str(self._folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._answers)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), contextlib.closing(redis.Redis(port=self.port)) as client:
            return bool(client.ping())
        return False

    def kill(self) -> None:
        """Without a word, as a machine dies."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self, frozen: bool) -> None:
        """It holds its connections and answers nothing (or goes on)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    """A running Redis."""
    if REDIS is None:
        pytest.skip("redis-server is not installed")
    made = Redis(tmp_path)
    made.start()
    yield made
    made.kill()


class Screens:
    """What the screens of one process were sent: (topic, seq), and when."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.at: list[float] = []

    def listens(self, **_where: str) -> bool:
        """Always."""
        return True

    def emit(self, event: str, body: dict[str, Any], *, namespace: str, room: str) -> None:
        """Take it down."""
        self.heard.append((room, body["seq"]))
        self.at.append(time.monotonic())


@pytest.fixture
def processes(engine: Any, server: Redis) -> Iterator[list[tuple[Relay, Screens]]]:
    """Three relays over one database and one Redis, as three web processes have them."""
    made = []
    for _ in range(3):
        screens = Screens()
        made.append((Relay(engine, screens, server.url), screens))  # type: ignore[arg-type]
        made[-1][0].start()
    wait_for(lambda: all(not relay.bell.slow for relay, _ in made))
    yield made
    for relay, _screens in made:
        relay.stop()


@pytest.fixture
def tell(sessions: Any) -> Callable[[int], None]:
    """`tell(n)`: commit change number n of a topic, as another part of the process would, without ringing."""

    def commit(number: int) -> None:
        with sessions() as session:
            queueing.engine.begin_write(session)
            now = cast.NOW
            session.add(Outbox(topic="queue:1", seq=number, part="line", data={}, created_at=now))
            session.commit()

    return commit


def all_have(processes: list[tuple[Relay, Screens]], count: int) -> Callable[[], bool]:
    """Whether every process has told its screens so many changes."""
    return lambda: all(len(screens.heard) >= count for _relay, screens in processes)


def test_a_ring_wakes_the_other_processes_at_once(
    processes: list[tuple[Relay, Screens]], tell: Callable[[int], None]
) -> None:
    """Far sooner than they would look by themselves (2 s); each process tells each change once."""
    late = []
    for number in range(1, 11):
        tell(number)
        began = time.monotonic()
        processes[number % 3][0].wake()
        wait_for(all_have(processes, number))
        late.append(max(screens.at[-1] for _, screens in processes) - began)
        time.sleep(0.05)
    assert sorted(late)[5] < 0.5, late
    time.sleep(0.3)
    for _relay, screens in processes:
        assert screens.heard == [("queue:1", n) for n in range(1, 11)]


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_redis_gone_loses_nothing_is_known_and_mends_itself(
    processes: list[tuple[Relay, Screens]], tell: Callable[[int], None], server: Redis, how: str
) -> None:
    """Changes arrive at the slow pace, none twice; who commits never waits; back again, rings work again."""
    tell(1)
    processes[0][0].wake()
    wait_for(all_have(processes, 1))
    server.kill() if how == "killed" else server.freeze(True)
    wait_for(lambda: all(relay.bell.slow for relay, _ in processes))
    for number in range(2, 6):
        tell(number)
        began = time.monotonic()
        processes[0][0].wake()
        assert time.monotonic() - began < 0.1, "a commit does not wait for Redis"
        wait_for(all_have(processes, number), 6)
    server.start() if how == "killed" else server.freeze(False)
    wait_for(lambda: not any(relay.bell.slow for relay, _ in processes))
    tell(6)
    began = time.monotonic()
    processes[1][0].wake()
    wait_for(all_have(processes, 6))
    assert time.monotonic() - began < 1.5, "by the bell again, not by looking"
    time.sleep(0.3)
    for _relay, screens in processes:
        assert screens.heard == [("queue:1", n) for n in range(1, 7)], "each change once, in order"


def test_a_row_that_is_committed_behind_a_later_one_is_told_once(postgres: Postgres) -> None:
    """On PostgreSQL ids come before commits: what a slow transaction wrote earlier appears later, and is not missed."""
    with postgres.database() as engine, Session(engine) as slow, Session(engine) as quick:
        screens = Screens()
        relay = Relay(engine, screens)  # type: ignore[arg-type]
        relay._begin()

        def add(session: Session, topic: str, seq: int) -> None:
            session.add(Outbox(topic=topic, seq=seq, part="line", data={}, created_at=cast.NOW))
            session.flush()

        add(slow, "queue:1", 1)
        add(quick, "queue:2", 1)
        quick.commit()
        assert relay.pump() == 1
        slow.commit()
        assert [relay.pump(), relay.pump()] == [1, 0]
        with Session(engine) as undone:
            add(undone, "queue:3", 1)
            undone.rollback()
        add(quick, "queue:2", 2)
        quick.commit()
        relay.pump()
        assert screens.heard == [("queue:2", 1), ("queue:1", 1), ("queue:2", 2)]


def test_a_relay_that_begins_sees_what_was_written_before_and_committed_after(postgres: Postgres) -> None:
    with postgres.database() as engine, Session(engine) as slow, Session(engine) as quick:
        for session, topic in ((slow, "queue:1"), (quick, "queue:2")):
            session.add(Outbox(topic=topic, seq=1, part="line", data={}, created_at=cast.NOW))
            session.flush()
        quick.commit()
        screens = Screens()
        relay = Relay(engine, screens)  # type: ignore[arg-type]
        relay._begin()
        slow.commit()
        relay.pump()
        assert screens.heard == [("queue:1", 1)]


def test_a_command_that_commits_rings_and_does_not_wait_for_a_dead_redis(server: Redis) -> None:
    """Outside a serving process: one short wait at most, then never again."""
    heard = threading.Event()
    listening = Bell(server.url, heard.set)
    listening.start()
    wait_for(lambda: not listening.slow)
    heard.clear()
    command = Bell(server.url, lambda: None)
    command.ring()
    assert heard.wait(5)
    server.kill()
    began = time.monotonic()
    for _ in range(50):
        command.ring()
    assert time.monotonic() - began < 5
    listening.stop()


def test_ready_and_boards_say_that_the_line_is_slow(
    template: tuple[Path, cast.World], tmp_path: Path, clock: cast.StillClock, server: Redis
) -> None:
    cast.copy_database(template[0], tmp_path / "test.db")
    settings = dataclasses.replace(cast.settings_for(tmp_path), redis_url=server.url)
    app = create_app(settings, time_source=clock)
    relay = app.extensions["relay"]
    relay.start()
    client = app.test_client()
    token = app.extensions["writer"](
        lambda s: new_token(s, "board", now=clock.now(), queue_id=template[1].queue_a)
    )
    try:
        wait_for(lambda: client.get("/health/ready").json["live"]["line"] == "fast")
        assert client.get(f"/board/{token}/now").headers["X-Live"] == "fast"
        server.kill()
        wait_for(lambda: client.get("/health/ready").json["live"]["line"] == "slow")
        ready = client.get("/health/ready")
        assert ready.status_code == 200 and "live line slow" in ready.json["live"]["why"]
        assert client.get(f"/board/{token}/now").headers["X-Live"] == "slow"
        assert "live_slow 1.0" in client.get("/metrics").text
        server.start()
        wait_for(lambda: client.get("/health/ready").json["live"]["line"] == "fast")
    finally:
        relay.stop()


# ---- the database


@pytest.fixture
def kiosk_token(app: Flask, world: cast.World, clock: cast.StillClock) -> str:
    """Lets the API issue tickets of queue_a."""
    return str(
        app.extensions["writer"](lambda s: new_token(s, "kiosk", now=clock.now(), queue_id=world.queue_a))
    )


def issue(client: Any, world: cast.World, token: str, request_id: str) -> Any:
    return client.post(
        f"/api/v1/queues/{world.queue_a}/tickets",
        json={"service": "NID-01", "request_id": request_id},
        headers={"Authorization": f"Bearer {token}"},
    )


def test_a_locked_sqlite_file_is_a_clear_503_and_nothing_is_half_done(
    template: tuple[Path, cast.World], tmp_path: Path, clock: cast.StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program holds the file: 503 with a code and Retry-After, reading goes on; free again, all is well."""
    monkeypatch.setattr(queueing.engine, "BUSY_TIMEOUT_MS", 200)
    world = template[1]
    cast.copy_database(template[0], tmp_path / "test.db")
    app = create_app(cast.settings_for(tmp_path), time_source=clock)
    app.testing = False
    client = app.test_client()
    token = app.extensions["writer"](lambda s: new_token(s, "kiosk", now=clock.now(), queue_id=world.queue_a))
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    refused = issue(client, world, token, "held-0001")
    assert refused.status_code == 503
    assert refused.json["code"] == "database_unavailable" and int(refused.headers["Retry-After"]) > 0
    assert client.get(f"/centers/{world.site_a}").status_code == 200, "pages are still read"
    other.execute("ROLLBACK")
    other.close()
    assert issue(client, world, token, "held-0001").status_code == 201
    assert counts(app) == (1, 1, 1)


def counts(app: Flask) -> tuple[int, int, int]:
    """Tickets, events and outbox rows of queue verbs."""
    with Session(app.extensions["writer"].engine) as session:
        return (
            session.scalar(select(func.count()).select_from(Ticket)) or 0,
            session.scalar(select(func.count()).select_from(TicketEvent)) or 0,
            session.scalar(select(func.count()).where(Outbox.topic.like("queue:%"))) or 0,
        )


def test_postgresql_stopped_and_started_again(tmp_path: Path, clock: cast.StillClock) -> None:
    """While it is away: 503 with Retry-After for the API, a page in words for people, not ready; the relay rests and
    goes on. Back again: everything works without a restart, and a request sent again has been done once."""
    with contextlib.ExitStack() as stack:
        try:
            postgres = stack.enter_context(running_postgres())
        except NoPostgres as reason:
            pytest.skip(str(reason))
        postgres.run("CREATE DATABASE away")
        settings = dataclasses.replace(cast.settings_for(tmp_path), database_url=postgres.url("away"))
        app = create_app(settings, time_source=clock)
        app.testing = False
        app.config["WTF_CSRF_ENABLED"] = False
        Base.metadata.create_all(app.extensions["writer"].engine)
        world = app.extensions["writer"](cast.build)
        token = app.extensions["writer"](
            lambda s: new_token(s, "kiosk", now=clock.now(), queue_id=world.queue_a)
        )
        screens = Screens()
        relay = app.extensions["relay"]
        relay.sender = screens
        relay.start()
        client = app.test_client()
        assert issue(client, world, token, "before-01").status_code == 201
        wait_for(lambda: len(screens.heard) == 1)

        postgres.stop()
        wait_for(lambda: relay.failures > 0)
        refused = issue(client, world, token, "while-001")
        assert (refused.status_code, refused.json["code"]) == (503, "database_unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        page = client.get(f"/en/centers/{world.site_a}")
        assert page.status_code == 503 and "cannot be reached" in page.text and "Retry-After" in page.headers
        ready = client.get("/health/ready")
        assert ready.status_code == 503 and client.get("/health/live").status_code == 200

        postgres.start()
        wait_for(lambda: client.get("/health/ready").status_code == 200)
        for _ in range(2):
            assert issue(client, world, token, "while-001").status_code in (200, 201)
        assert issue(client, world, token, "before-01").status_code in (200, 201)
        assert counts(app) == (2, 2, 2), "each request was done once, whole"
        wait_for(lambda: relay.failures == 0)
        wait_for(lambda: len(screens.heard) == 2)
        assert [seq for _topic, seq in screens.heard] == [1, 2]
        relay.stop()
        app.extensions["writer"].engine.dispose()


def test_a_screen_that_watches_while_the_database_is_away_is_told_to_ask_again(
    app: Flask, world: cast.World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    from web import live

    def away(*_given: Any) -> Any:
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    socket = live.socketio.test_client(app, namespace=live.NAMESPACE)
    with monkeypatch.context() as patch:
        patch.setattr(live, "topic_state", away)
        socket.emit("watch", {"queue": world.queue_a}, namespace=live.NAMESPACE)
        socket.emit("resync", {"queue": world.queue_a, "after": 0}, namespace=live.NAMESPACE)
    refusals = [message["args"][0] for message in socket.get_received(live.NAMESPACE)]
    assert refusals == [{"code": "database_unavailable", "asked": {"queue": world.queue_a}}] * 2
    socket.emit("watch", {"queue": world.queue_a}, namespace=live.NAMESPACE)
    assert [message["name"] for message in socket.get_received(live.NAMESPACE)] == ["state"]


# ---- all together: two web processes, PostgreSQL, Redis


def test_two_web_processes_with_redis_and_the_database_going_away(tmp_path: Path, server: Redis) -> None:
    """Twelve screens at two processes hear every change once and in order, while Redis dies and comes back and while
    PostgreSQL is stopped and started; no process is started again."""
    with contextlib.ExitStack() as stack:
        try:
            postgres = stack.enter_context(running_postgres())
        except NoPostgres as reason:
            pytest.skip(str(reason))
        postgres.run("CREATE DATABASE workers")
        url = postgres.url("workers")
        app = create_app(dataclasses.replace(cast.settings_for(tmp_path), database_url=url))
        Base.metadata.create_all(app.extensions["writer"].engine)
        now = datetime.now(UTC)
        world = app.extensions["writer"](lambda s: cast.build(s, now=now))
        token = app.extensions["writer"](lambda s: new_token(s, "kiosk", now=now, queue_id=world.queue_a))
        app.extensions["writer"].engine.dispose()
        env = {
            "DATABASE_URL": url.replace("postgresql+psycopg", "postgresql"),
            "REDIS_URL": server.url,
            "DATA_DIR": str(tmp_path),
            "WORKERS": "2",
            "SCHEDULER": "0",
            "DEMO": "0",
        }
        mode = "gevent" if importlib.util.find_spec("gevent") else "gthread"
        port = stack.enter_context(
            gunicorn("wsgi:app", mode, env, "-c", "python:web.serve", "-w", "2", "--no-control-socket")
        )
        wait_for(lambda: status(port, "/health/ready") == 200, 30)
        screens = [Raw(port) for _ in range(12)]
        for screen in screens:
            stack.callback(screen.close)
            screen.say(f'42/live,["watch",{{"queue":{world.queue_a}}}]')
            screen.until('42/live,["state"')

        def take(first: int, last: int) -> None:
            for number in range(first, last + 1):
                path = f"/api/v1/queues/{world.queue_a}/tickets"
                body = {"service": "NID-01", "request_id": f"workers-{number:03}"}
                while (said := status(port, path, body, token)) != 201:
                    assert said == 503, said
                    time.sleep(0.1)

        take(1, 10)
        server.kill()
        take(11, 20)
        server.start()
        take(21, 30)
        postgres.stop()
        assert status(port, "/health/ready") == 503
        postgres.start()
        take(31, 40)
        for screen in screens:
            assert [body["seq"] for body in screen.bodies(40)] == list(range(1, 41))
        take(41, 41)
        for screen in screens:
            assert [body["seq"] for body in screen.bodies(1)] == [41], "and nothing twice"


def status(port: int, path: str, body: Any = None, token: str = "") -> int:
    """The status of an answer."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if body is not None:
        request.data = json.dumps(body).encode()
        request.headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
