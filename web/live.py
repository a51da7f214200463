"""Live screens over Socket.IO, namespace /live: rooms, the relay of committed changes, resync.

A screen sends `watch` {queue | center | plan} and gets `state` at once, then `changed` {queue, seq, part, ...}
after each commit. `seq` rises by one per topic; a client that misses one sends `resync` {queue, after}. Nothing else
in the product emits.

The relay reads the outbox table, so that changes committed by other processes (the simulated day, the command line)
reach the screens just as those of this process do.
"""

from __future__ import annotations

import logging
import threading
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
from web.db import read

LOG = logging.getLogger(__name__)
NAMESPACE = "/live"
POLL_S = 0.25
"""How often the relay looks for changes committed by other processes; those of this process wake it at once."""
RESYNC_ROWS = 200
socketio = SocketIO()


class Relay:
    """Sends committed outbox rows to rooms, each once, in order of commit."""

    def __init__(self, engine: sa.Engine, target: SocketIO) -> None:
        self._engine = engine
        self._target = target
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._last = 0
        self._seen: set[int] = set()
        # On PostgreSQL ids are given before the commit, so a row may appear behind one already sent.
        self._window = 0 if engine.dialect.name == "sqlite" else 2_000

    def start(self) -> None:
        """Begin after what is already there: screens that connect get their state whole."""
        with self._engine.connect() as connection:
            self._last = connection.scalar(sa.select(sa.func.max(Outbox.id))) or 0
            self._seen = self._recent(connection)
        threading.Thread(target=self._run, name="relay", daemon=True).start()

    def _recent(self, connection: sa.Connection) -> set[int]:
        if not self._window:
            return set()
        return set(connection.scalars(sa.select(Outbox.id).where(Outbox.id > self._last - self._window)))

    def wake(self) -> None:
        """Something was committed in this process."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread after the current round."""
        self._stop.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(POLL_S)
            self._wake.clear()
            try:
                self.pump()
            except sa.exc.SQLAlchemyError as error:
                LOG.warning(
                    "relay: the database does not answer (%s); trying again", error.__class__.__name__
                )
                self._stop.wait(1.0)
            except Exception:
                # Whatever one screen's connection did must not end the news for all others.
                LOG.exception("relay: this round failed; going on")
                self._stop.wait(0.2)

    def pump(self) -> int:
        """Send what was committed since the last round; returns how many."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                sa.select(Outbox.id, Outbox.topic, Outbox.seq, Outbox.part, Outbox.data)
                .where(Outbox.id > self._last - self._window)
                .order_by(Outbox.id)
                .limit(5_000 + self._window)
            ).all()
        fresh = [row for row in rows if row.id not in self._seen] if self._window else rows
        for row in fresh:
            body = message(row.topic, row.seq, row.part, row.data)
            # Every process reads the outbox and tells its own screens: through the queue each would hear it twice.
            self._target.emit("changed", body, namespace=NAMESPACE, to=row.topic, ignore_queue=True)
        if rows:
            self._last = max(self._last, rows[-1].id)
        if self._window:
            self._seen = {row.id for row in rows if row.id > self._last - self._window}
        return len(fresh)


def message(topic: str, seq: int, part: str, data: dict[str, Any]) -> dict[str, Any]:
    """The body of `changed`: {queue: 12, seq: 5, part: "line", ...}."""
    kind, _colon, number = topic.partition(":")
    return {kind: int(number), "seq": seq, "part": part, **data}


class Live(Namespace):  # type: ignore[misc]
    """What screens may ask."""

    def on_watch(self, data: Any) -> None:
        """Join a room and hear its state at once. Plans and centers need a planner's login."""
        topic = allowed_topic(data)
        if topic is None:
            emit("refused", {"code": "not_allowed", "asked": data if isinstance(data, dict) else None})
            return
        join_room(topic)
        state = topic_state(read(), topic)
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
    """Attach Socket.IO: websocket in threads when embedded, gevent under a gevent worker, Redis between processes."""
    settings = app.extensions["settings"]
    socketio.init_app(
        app,
        async_mode=async_mode(),
        message_queue=settings.redis_url,
        channel="live",
        cors_allowed_origins=None,
        logger=False,
        engineio_logger=False,
    )


def async_mode() -> str:
    """`gevent` in a process that gevent has patched, else `threading`; never left to be guessed."""
    try:
        from gevent import monkey
    except ImportError:
        return "threading"
    return "gevent" if monkey.is_module_patched("socket") else "threading"


socketio.on_namespace(Live(NAMESPACE))
