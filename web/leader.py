"""One leader among the processes of an installation: it holds the scheduler and the simulated day.

APScheduler 3 has no guard across processes: three schedulers run a job three times. A lock that the operating system
or PostgreSQL gives back by itself when its holder dies is the guard.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO, Protocol

import sqlalchemy as sa

ADVISORY_KEY = 7_107_001
"""Key of the PostgreSQL advisory lock, any constant that nothing else in the database uses."""


class Leadership(Protocol):
    """A lock that at most one process holds."""

    def acquire(self) -> bool:
        """True when this process is (still, or from now on) the leader. Never waits."""

    def release(self) -> None:
        """Give leadership up."""


class FileLeadership:
    """On SQLite, where all processes share one machine: a lock on a file beside the data."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: IO[str] | None = None

    def acquire(self) -> bool:
        """See Leadership."""
        if self._stream is not None:
            return True
        stream = self._path.open("a+")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.close()
            return False
        stream.seek(0)
        stream.truncate()
        stream.write(str(os.getpid()))
        stream.flush()
        self._stream = stream
        return True

    def release(self) -> None:
        """See Leadership."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


class AdvisoryLeadership:
    """On PostgreSQL: a session advisory lock on a connection of its own. Lost connection, lost leadership."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._connection: sa.Connection | None = None

    def acquire(self) -> bool:
        """See Leadership."""
        if self._connection is not None:
            try:
                self._connection.execute(sa.text("SELECT 1"))
            except sa.exc.DBAPIError:
                self._connection.invalidate()
                self._connection.close()
                self._connection = None
            else:
                return True
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.scalar(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY_KEY}):
            self._connection = connection
            return True
        connection.close()
        return False

    def release(self) -> None:
        """See Leadership."""
        if self._connection is not None:
            self._connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_KEY})
            self._connection.close()
            self._connection = None


def leadership(engine: sa.Engine, data_dir: Path) -> Leadership:
    """The lock that fits the database."""
    if engine.dialect.name == "sqlite":
        return FileLeadership(data_dir / "leader.lock")
    return AdvisoryLeadership(engine)
