"""The database of the application: one way to read, one way to write.

Reads use the request's session. Everything that changes data goes through `write(fn)`: one transaction, committed,
then the relay is told so that screens hear of it (publish after commit).
"""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from queueing.engine import make_engine, transaction
from queueing.store import Base
from queueing.turn import Command, NeedsSession
from web.accounts import TokenCache
from web.batching import Batcher, beside_hub, native_lock

T = TypeVar("T")


class _Database(SQLAlchemy):
    """Flask-SQLAlchemy over the engine that every process of the product uses."""

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> sa.Engine:
        return make_engine(make_url(options["url"]).render_as_string(hide_password=False))


db = _Database(metadata=Base.metadata)


class Writer:
    """Runs pieces of work, each in one transaction.

    On SQLite one piece at a time, whichever process it comes from; on PostgreSQL in parallel, tried again where it
    must be.
    """

    def __init__(self, engine: sa.Engine, after_commit: Callable[[], None]) -> None:
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self.turn: Turnstile | None = None
        if engine.dialect.name == "sqlite":
            self.turn = Turnstile(engine.url.database)
        self._after_commit = after_commit
        self._beside = beside_hub() if self.turn is not None else None
        self.tokens = TokenCache()
        self.carry_out = Batcher(engine, self.turn, after_commit)
        """Commands of queues, many in one transaction (web/batching.py)."""

    def __call__(self, work: Callable[[Session], T]) -> T:
        """Commit what `work(session)` did and give back its result; on any error nothing of it remains."""
        if self.turn is None:
            result = transaction(self._sessions, work)
        elif self._beside is not None:
            result = self._beside(self._in_turn, work)
        else:
            result = self._in_turn(work)
        self.tokens.after_write()
        self._after_commit()
        return result

    def keep_tokens(self) -> None:
        """From now on look again at the tokens in use, three times in the time for which one is known."""
        threading.Thread(target=self._keep_tokens, name="tokens", daemon=True).start()

    def _keep_tokens(self) -> None:
        while True:
            time.sleep(self.tokens.life_s / 3)
            # While the database is away each token is asked for when it is used next.
            with suppress(DBAPIError), self.engine.connect() as connection:
                self.tokens.look_again(connection)

    def _in_turn(self, work: Callable[[Session], T]) -> T:
        assert self.turn is not None
        with self.turn:
            return transaction(self._sessions, work)


class Turnstile:
    """Where writers of one SQLite file wait: threads at a lock, processes at a file lock beside the database.

    SQLite's own waiting sleeps in steps of up to 100 ms, so that a process which writes all the time (the simulated
    day) hardly ever lets another in; the kernel wakes who waits for a file lock at once. It orders, it does not
    protect: the transaction's own BEGIN IMMEDIATE does.
    """

    def __init__(self, database: str | None) -> None:
        self.rest_s = 0.0
        """Seconds to rest after each turn: a process that writes without end steps aside, so that whoever was woken
        is the next (a lock that is taken again at once is never handed over)."""
        self._threads = native_lock()
        self._file = None
        if database not in (None, "", ":memory:"):
            self._file = Path(f"{database}-turn").open("a")  # noqa: SIM115 - open as long as the process

    def __enter__(self) -> None:
        self._threads.acquire()
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._threads.release()
        if self.rest_s:
            time.sleep(self.rest_s)


def write(work: Callable[[Session], T]) -> T:
    """Run `work(session)` in one transaction, commit, publish. Raises what `work` raises, with nothing changed."""
    try:
        return current_app.extensions["writer"](work)  # type: ignore[no-any-return]
    finally:
        # The request's session may hold a snapshot from before: the page that follows must see the change.
        db.session.rollback()


def carry_out(command: Command) -> Any:
    """Carry out one command of a queue, committed together with those of other requests. Raises what it raises."""
    writer: Writer = current_app.extensions["writer"]
    try:
        return writer.carry_out(command)
    except NeedsSession:
        return writer(command.alone)
    finally:
        if db.session.registry.has():
            db.session.rollback()


def read() -> Session:
    """The request's session, for reading only."""
    return db.session  # type: ignore[return-value]


def database_ready() -> bool:
    """True when the database answers and its schema is there."""
    try:
        db.session.execute(sa.text("SELECT 1 FROM setting LIMIT 1"))
    except (OperationalError, DBAPIError):
        db.session.rollback()
        return False
    return True
