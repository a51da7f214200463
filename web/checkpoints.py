"""SQLite's log brought into the database file beside those who write, not by whoever commits next.

SQLite does it within a commit, once the log has a thousand pages: on a busy counter that is several times a second, and
everybody in that batch waits for some hundred pages all over the file and two flushes. Here a thread with a connection
of its own does it once a second while others go on writing. Only when the log is long and never found whole (somebody
always writes) it asks for a turn, in which little is left to do, so that the log begins anew instead of growing.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import sqlalchemy as sa

from web.batching import native_lock, native_thread

EVERY_S = 1.0
LONG = 4_000
"""Pages (of 4 kB) in the log from which on it is made to begin anew."""
LITTLE = 200
"""Pages left over for the turn; so many looks before it are worth it: `TRIES`."""
TRIES = 4
AT_MOST = 20_000
"""Pages at which SQLite does it by itself all the same: nothing grows for ever, whatever becomes of the thread."""
BUSY_S = 10.0


class Checkpoints:
    """Does so for one database file. `turn`: held where writers must wait."""

    def __init__(self, engine: sa.Engine, turn: Any) -> None:
        self._engine, self._turn = engine, turn
        self._seen = 0, 0
        """What the last round found: while nobody writes there is nothing to do."""
        self._stopped = native_lock()
        self._stopped.acquire()

    def start(self) -> None:
        """Begin; nothing to do for other databases than a file of SQLite's."""
        if self._turn is None or self._engine.url.database in (None, "", ":memory:"):
            return
        sa.event.listen(self._engine, "connect", _leave_it_to_us)
        self._engine.dispose()  # connections that were opened before do not know
        native_thread(self._run)

    def stop(self) -> None:
        """End after what is under way."""
        if self._stopped.locked():
            self._stopped.release()

    def _run(self) -> None:
        assert self._engine.url.database is not None
        with closing(sqlite3.connect(self._engine.url.database, BUSY_S, isolation_level=None)) as connection:
            while not self._stopped.acquire(timeout=EVERY_S):
                try:
                    self.once(connection)
                except sqlite3.Error:  # locked, the disk is full: committing says so to people; we try again
                    continue

    def once(self, connection: sqlite3.Connection) -> int:
        """One round; returns how many pages of the log are not in the file yet."""
        for _ in range(TRIES):
            log, left = _checkpoint(connection)
            if left <= LITTLE:
                break
        if log >= LONG and (log, left) != self._seen:
            # Also where nothing seems left: what was written since we looked keeps the log from beginning anew.
            with self._turn:
                log, left = _checkpoint(connection)
        self._seen = log, left
        return left


def _checkpoint(connection: sqlite3.Connection) -> tuple[int, int]:
    """Pages in the log, and how many of them are not in the file yet. Waits for nobody and keeps nobody waiting."""
    _busy, log, done = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return log, log - done


def _leave_it_to_us(connection: Any, _record: Any) -> None:
    connection.execute(f"PRAGMA wal_autocheckpoint = {AT_MOST}").close()
