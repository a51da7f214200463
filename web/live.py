"""Live screens over Socket.IO, namespace /live: rooms, the relay of committed changes, resync.

A screen sends `watch` {queue | center | plan} and gets `state` at once, then `changed` {queue, seq, part, ...}
after each commit. `seq` rises by one per topic; a client that misses one sends `resync` {queue, after}. Nothing else
in the product emits.

The relay reads the outbox table, so that changes committed by other processes (the simulated day, the command line)
reach the screens just as those of this process do.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeGuard

import sqlalchemy as sa
from flask import Flask
from flask_login import current_user
from flask_socketio import Namespace, SocketIO, emit, join_room, leave_room
from sqlalchemy.orm import Session

from fleet.store import Center, Plan
from queueing.status import public_status
from queueing.store import Outbox, Queue
from web import clock
from web.bell import PAUSE_S, Bell
from web.db import read
from web.fanout import PING_EVERY_S, PING_TIMEOUT_S, Fanout

LOG = logging.getLogger(__name__)
NAMESPACE = "/live"
SOCKET_PATH = "/socket.io/"
AT_ONCE = 2_000
"""Rows of one look into the outbox; when there are more, the next look follows at once."""
NEAR = 5_000
"""How far behind the newest id a row may still appear (PostgreSQL)."""
YOUNG_S, OLD_S = 5.0, 300.0
"""Ages of a passed-over id: until then it is looked for in every round, and no more after."""
REST_S, REST_MOST_S = 0.25, 4.0
"""Waits between tries while the database is away, doubled each time."""
RESYNC_ROWS = 200
socketio = SocketIO()
_ROWS = (
    # As text: most rows are of queues that no screen of this process watches.
    sa.select(Outbox.id, Outbox.topic, Outbox.seq, Outbox.part, sa.cast(Outbox.data, sa.Text))
    .order_by(Outbox.id)
    .limit(AT_ONCE)
)
_IS_NEWER = Outbox.id > sa.bindparam("last")
_NEWER = _ROWS.where(_IS_NEWER)
_NEWER_OR_AGAIN = _ROWS.where(sa.or_(_IS_NEWER, Outbox.id.in_(sa.bindparam("again", expanding=True))))


class Relay:
    """Sends committed outbox rows to this process's screens, each once, in order of commit.

    Every process reads the outbox for itself and tells its own screens: nothing travels between processes but a ring
    of the bell (web/bell.py). On PostgreSQL ids are given before the commit, so a row may appear behind one that was
    sent already; the ids that were passed over are looked for again until they are old.
    """

    def __init__(self, engine: sa.Engine, sender: Fanout, redis_url: str | None = None) -> None:
        self._engine = engine
        self._line: sa.Connection | None = None
        """On PostgreSQL, while the thread runs: the connection of the looks. To take one out of the pool for each (a
        ping, BEGIN and ROLLBACK are round trips) cost more than the look."""
        self._keeps = False
        self.sender = sender
        self._wake = threading.Event()
        self._stop = threading.Event()
        self.bell = Bell(redis_url, self._wake.set)
        self._last = 0
        self._begun = False
        self._holes: dict[int, float] | None = None if engine.dialect.name == "sqlite" else {}
        """Ids that were not there when a greater one was, and since when."""
        self._looked = 0.0
        self.failures = 0
        """Rounds that failed one after the other: 0 while the database answers."""

    def start(self) -> None:
        """Begin after what is already there: screens that connect get their state whole."""
        with contextlib.suppress(sa.exc.SQLAlchemyError):  # the first round begins then
            self._begin()
        self.bell.start()
        threading.Thread(target=self._run, name="relay", daemon=True).start()

    def _begin(self) -> None:
        with self._engine.connect() as connection:
            last = connection.scalar(sa.select(sa.func.max(Outbox.id))) or 0
            if self._holes is not None:
                # Written before we began, committed after: screens that connected meanwhile miss it otherwise.
                near = sa.select(Outbox.id).where(Outbox.id > last - NEAR)
                missing = set(range(max(1, last - NEAR), last)) - set(connection.scalars(near))
                self._holes = dict.fromkeys(missing, time.monotonic())
        self._last = last
        self._begun = True

    def wake(self) -> None:
        """Something was committed in this process: look now, and let the others know."""
        self._wake.set()
        self.bell.ring()

    def stop(self) -> None:
        """End the threads after the current round."""
        self._stop.set()
        self.bell.stop()
        self._wake.set()

    def _run(self) -> None:
        self._keeps = self._engine.dialect.name == "postgresql"
        while not self._stop.is_set():
            self._wake.wait(self.bell.pace_s)
            self._wake.clear()
            try:
                if not self._begun:
                    self._begin()
                if self.pump():
                    self._stop.wait(PAUSE_S)
            except sa.exc.SQLAlchemyError as error:
                self._rest(error)
            except Exception:
                # Whatever one screen's connection did must not end the news for all others.
                LOG.exception("relay: this round failed; going on")
                self._stop.wait(0.2)
            else:
                if self.failures:
                    LOG.warning("relay: the database answers again")
                self.failures = 0
        self._hang_up()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        """A connection for one look."""
        if not self._keeps:
            with self._engine.connect() as connection:
                yield connection
            return
        if self._line is None:
            self._line = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._line.detach()  # nobody else gets it afterwards
            # Planned when the outbox was empty, kept when it is long: never as a scan of the whole.
            self._line.exec_driver_sql("SET enable_seqscan = off")
        try:
            yield self._line
        except BaseException:
            self._hang_up()
            raise

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            with contextlib.suppress(Exception):
                line.close()

    def _rest(self, error: Exception) -> None:
        """The database is away: try again by and by, at different moments in different processes."""
        if not self.failures:
            LOG.warning("relay: the database does not answer (%s); trying again", error.__class__.__name__)
        self._stop.wait(min(REST_MOST_S, REST_S * 2 ** min(self.failures, 9)) * random.uniform(0.5, 1.0))
        self.failures += 1

    def pump(self) -> int:
        """Send what was committed since the last round; returns how many."""
        sent = 0
        while True:
            rows = self._committed()
            for _number, topic, seq, part, text in rows:
                if self.sender.listens(namespace=NAMESPACE, room=topic):
                    body = message(topic, seq, part, json.loads(text))
                    self.sender.emit("changed", body, namespace=NAMESPACE, room=topic)
            sent += len(rows)
            if len(rows) < AT_ONCE:
                return sent

    def _committed(self) -> list[Any]:
        """Rows that were not seen yet, in order of their ids; they count as seen from here on."""
        again = self._old_holes()
        with self._reading() as connection:
            asked = {"last": self._last, "again": again} if again else {"last": self._last}
            rows = list(connection.execute(_NEWER_OR_AGAIN if again else _NEWER, asked))
        if rows and self._holes is not None:
            newest = max(self._last, rows[-1][0])
            begin = max(self._last + 1, newest - NEAR)
            self._holes |= dict.fromkeys(range(begin, newest), time.monotonic())
            for row in rows:
                self._holes.pop(row[0], None)
        if rows:
            self._last = max(self._last, rows[-1][0])
        return rows

    def _old_holes(self) -> list[int]:
        """Passed-over ids to look for in this round: young ones always, older ones once a second, the old no more."""
        if not self._holes:
            return []
        now = time.monotonic()
        if now - self._looked < 1.0:
            return [number for number, since in self._holes.items() if now - since < YOUNG_S]
        self._looked = now
        # An id that a transaction gave back is never used; one that works for longer has no news for screens.
        self._holes = {number: since for number, since in self._holes.items() if now - since < OLD_S}
        return list(self._holes)


def message(topic: str, seq: int, part: str, data: dict[str, Any]) -> dict[str, Any]:
    """The body of `changed`: {queue: 12, seq: 5, part: "line", ...}."""
    return {**topic_of(topic), "seq": seq, "part": part, **data}


class Live(Namespace):  # type: ignore[misc]
    """What screens may ask."""

    def on_watch(self, data: Any) -> None:
        """Join a room and hear its state at once. Plans and centers need a planner's login."""
        topic = allowed_topic(data)
        if topic is None:
            emit("refused", {"code": "not_allowed", "asked": data if isinstance(data, dict) else None})
            return
        join_room(topic)
        try:
            state = topic_state(read(), topic)
        except sa.exc.SQLAlchemyError:
            emit("refused", {"code": "database_unavailable", "asked": data})
            return
        emit("state" if state else "refused", state or {"code": "not_found"})

    def on_unwatch(self, data: Any) -> None:
        """Leave a room."""
        topic = allowed_topic(data)
        if topic:
            leave_room(topic)

    def on_resync(self, data: Any) -> None:
        """Send what a client missed after sequence number `after`, or the whole state when it is too long ago."""
        topic = allowed_topic(data)
        after = data.get("after") if isinstance(data, dict) else None
        if topic is None or not is_number(after):
            emit("refused", {"code": "not_allowed"})
            return
        try:
            self._resync(topic, after)
        except sa.exc.SQLAlchemyError:
            emit("refused", {"code": "database_unavailable", "asked": topic_of(topic)})

    def _resync(self, topic: str, after: int) -> None:
        rows = (
            read()
            .execute(
                sa.select(Outbox.seq, Outbox.part, Outbox.data)
                .where(Outbox.topic == topic, Outbox.seq > after)
                .order_by(Outbox.seq)
                .limit(RESYNC_ROWS + 1)
            )
            .all()
        )
        state = topic_state(read(), topic)
        if state is None:
            emit("refused", {"code": "not_found"})
        elif state["seq"] <= after or not rows or rows[0].seq != after + 1 or len(rows) > RESYNC_ROWS:
            emit("state", state)
        else:
            for row in rows:
                emit("changed", message(topic, row.seq, row.part, row.data))


def topic_of(topic: str) -> dict[str, int]:
    """What a client sends to watch a topic: `queue:12` -> {"queue": 12}."""
    kind, _colon, number = topic.partition(":")
    return {kind: int(number)}


def is_number(value: Any) -> TypeGuard[int]:
    """Whether a client sent a whole number that a database can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def allowed_topic(data: Any) -> str | None:
    """The room named by {queue|center|plan: id} when this client may hear it, else None."""
    if not isinstance(data, dict):
        return None
    for kind in ("queue", "center", "plan"):
        number = data.get(kind)
        if is_number(number):
            if kind == "queue" or (current_user.is_authenticated and current_user.role == "planner"):
                return f"{kind}:{number}"
            return None
    return None


def topic_state(session: Session, topic: str) -> dict[str, Any] | None:
    """The public state of a topic: at least its key and `seq`. None where there is no such thing."""
    kind, _colon, text = topic.partition(":")
    number = int(text)
    if kind == "queue":
        queue = session.get(Queue, number, populate_existing=True)
        return {"queue": number, **queue_state(session, queue)} if queue else None
    thing: Center | Plan | None
    if kind == "center":
        thing = session.get(Center, number, populate_existing=True)
    else:
        thing = session.get(Plan, number, populate_existing=True)
    if thing is None:
        return None
    extra = (
        {"state": thing.state, "late": thing.late_minutes}
        if isinstance(thing, Center)
        else {"status": thing.status, "progress": thing.progress}
    )
    return {kind: number, "seq": thing.seq, **extra}


def queue_state(session: Session, queue: Queue) -> dict[str, Any]:
    """What anybody may know of a queue."""
    status = public_status(session, queue, clock.now())
    return {
        "seq": status.seq,
        "open": queue.state == "open",
        "state": queue.state,
        "waiting": status.waiting,
        "desks": status.open_desks,
    }


def prune(session: Session, *, now: Any, keep_hours: int = 2) -> int:
    """Delete outbox rows that no reconnecting screen will ask for; returns how many."""
    gone = session.execute(sa.delete(Outbox).where(Outbox.created_at < now - timedelta(hours=keep_hours)))
    return int(gone.rowcount)  # type: ignore[attr-defined]


def init_app(app: Flask) -> None:
    """Attach Socket.IO: websocket in threads, or gevent under a gevent worker.

    Several processes need no message queue of Socket.IO's: each relays the outbox to its own screens. Behind a balancer
    without sticky sessions long polling fails, so there it is not offered.
    """
    settings = app.extensions["settings"]
    pages = app.wsgi_app
    socketio.init_app(
        app,
        async_mode=async_mode(),
        transports=["websocket"] if settings.redis_url else ["websocket", "polling"],
        ping_interval=PING_EVERY_S,
        ping_timeout=PING_TIMEOUT_S,
        cors_allowed_origins=None,
        logger=False,
        engineio_logger=False,
        **({"monitor_clients": False} if app.extensions["relay"].sender.fast else {}),
    )
    app.extensions["relay"].sender.install()
    app.wsgi_app = _Door(pages, app.wsgi_app)  # type: ignore[method-assign]


class _Door:
    """WSGI middleware: Socket.IO's own requests go to it, all others past it (its middleware makes a class for each
    request that comes by, which costs more than the rest of the way to the page and is garbage in a cycle)."""

    def __init__(self, pages: Callable[..., Any], sockets: Callable[..., Any]) -> None:
        self._pages, self._sockets = pages, sockets

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        ours = environ["PATH_INFO"].startswith(SOCKET_PATH)
        return (self._sockets if ours else self._pages)(environ, start_response)


def async_mode() -> str:
    """`gevent` in a process that gevent has patched, else `threading`; never left to be guessed."""
    try:
        from gevent import monkey
    except ImportError:
        return "threading"
    return "gevent" if monkey.is_module_patched("socket") else "threading"


socketio.on_namespace(Live(NAMESPACE))
