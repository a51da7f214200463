"""The database of the application: one way to read, one way to write.

Reads use the request's session. Everything that changes data goes through `write(fn)`: one transaction, committed,
then the relay is told so that screens hear of it (publish after commit).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from queueing.engine import make_engine, transaction
from queueing.store import Base

T = TypeVar("T")


class _Database(SQLAlchemy):
    """Flask-SQLAlchemy over the engine that every process of the product uses."""

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> sa.Engine:
        return make_engine(make_url(options["url"]).render_as_string(hide_password=False))


db = _Database(metadata=Base.metadata)


class Writer:
    """Runs pieces of work, each in one transaction.

    On SQLite one piece at a time in this process (a fair lock in front of BEGIN IMMEDIATE: threads that wait on the
    file's lock would sleep in steps of up to 100 ms). On PostgreSQL in parallel, tried again where it must be.
    """

    def __init__(self, engine: sa.Engine, after_commit: Callable[[], None]) -> None:
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self._one = threading.Lock() if engine.dialect.name == "sqlite" else None
        self._after_commit = after_commit

    def __call__(self, work: Callable[[Session], T]) -> T:
        """Commit what `work(session)` did and give back its result; on any error nothing of it remains."""
        if self._one is None:
            result = transaction(self._sessions, work)
        else:
            with self._one:
                result = transaction(self._sessions, work)
        self._after_commit()
        return result


def write(work: Callable[[Session], T]) -> T:
    """Run `work(session)` in one transaction, commit, publish. Raises what `work` raises, with nothing changed."""
    try:
        return current_app.extensions["writer"](work)  # type: ignore[no-any-return]
    finally:
        # The request's session may hold a snapshot from before: the page that follows must see the change.
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
