"""Engines for both databases, set up so that an acknowledged ticket is never lost.

SQLite: WAL with synchronous=FULL (lost nothing in simulated power cuts; NORMAL did), foreign keys on. Reads
run in plain deferred transactions and see one snapshot; writers say so at once (`begin_write`) and take the
write lock with BEGIN IMMEDIATE, because a transaction that begins to write only later fails at once when
another wrote in between. PostgreSQL: READ COMMITTED; the verbs order themselves by the row lock of their
queue.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import StaticPool

T = TypeVar("T")
BUSY_TIMEOUT_MS = 10_000
RETRIES = 8
"""How often a transaction is tried again after a deadlock, a serialisation failure or a race for one request
id."""
RETRIED_STATES = ("40001", "40P01")
DRIVERS: tuple[type[Exception], ...] = (sqlite3.Error, psycopg.Error)


def make_engine(url: str) -> Engine:
    """An engine for `sqlite:///file`, `sqlite://` (memory, one connection) or `postgresql+psycopg://...`."""
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    # Values of statements stay out of error messages: logs must hold no telephone number.
    options: dict[str, Any] = {"hide_parameters": True}
    if parsed.get_backend_name() == "sqlite":
        options["connect_args"] = {"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}
        if parsed.database in (None, "", ":memory:"):
            options["poolclass"] = StaticPool
        else:
            options |= {"pool_size": 8, "max_overflow": 32}
    else:
        options |= {"pool_size": 8, "max_overflow": 24, "pool_pre_ping": True}
    engine = create_engine(parsed, **options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def begin_write(session: Session) -> Connection:
    """Begin a session's transaction as a writer: on SQLite the write lock is taken here. Call it before
    anything else."""
    return session.connection(execution_options={"write": True})


def transaction(
    sessions: sessionmaker[Session], work: Callable[[Session], T], *, retries: int = RETRIES
) -> T:
    """Run `work(session)` in one writing transaction and commit it; nothing of it remains when it raises.

    Tried again, whole and in a fresh session, after a deadlock or a serialisation failure, and once after a
    broken unique constraint: two equal requests that raced find the first one's answer the second time.
    """
    collided = False
    for attempt in range(retries):
        try:
            with sessions() as session:
                begin_write(session)
                result = work(session)
                session.commit()
                return result
        except IntegrityError:
            if collided:
                raise
            collided = True
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in RETRIED_STATES or attempt == retries - 1:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


@contextmanager
def driver_errors() -> Iterator[None]:
    """Errors of the drivers, raised below SQLAlchemy, come out as its own: whoever tries again or answers knows
    those."""
    try:
        yield
    except DRIVERS as error:
        base = sqlite3.Error if isinstance(error, sqlite3.Error) else psycopg.Error
        raise DBAPIError.instance("(a batch)", None, error, base, hide_parameters=True) from error


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own implicit BEGIN comes too late for reads and is never IMMEDIATE: we begin ourselves.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.execute("PRAGMA cache_size = -32000")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
