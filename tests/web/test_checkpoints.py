"""SQLite's log is brought into the file beside writers: it stays short however long somebody writes without a pause."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from queueing.engine import make_engine
from web import checkpoints
from web.checkpoints import Checkpoints
from web.db import Turnstile


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[tuple[sa.Engine, Turnstile]]:
    """A database file with a table, and the turn of its writers."""
    engine = make_engine(f"sqlite:///{tmp_path / 'log.db'}")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE thing (id INTEGER PRIMARY KEY, text TEXT)"))
    yield engine, Turnstile(engine.url.database)
    engine.dispose()


def add(engine: sa.Engine, turn: Turnstile, rows: int = 50) -> None:
    """One writer's transaction of some pages."""
    with turn, engine.begin() as connection:
        connection.execute(
            sa.text("INSERT INTO thing (text) VALUES (:text)"), [{"text": "x" * 2000} for _ in range(rows)]
        )


def test_a_connection_of_a_serving_process_leaves_the_log_to_the_thread(
    filled: tuple[sa.Engine, Turnstile],
) -> None:
    """After the start no commit brings the log into the file by itself (before: at a thousand pages)."""
    engine, turn = filled
    one = Checkpoints(engine, turn)
    one.start()
    one.stop()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == checkpoints.AT_MOST


def test_the_log_begins_anew_although_somebody_writes_without_a_pause(
    filled: tuple[sa.Engine, Turnstile], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that never rests, rounds beside it: the log is never longer than what is written between two rounds and
    a little; nothing that was written is missing."""
    engine, turn = filled
    monkeypatch.setattr(checkpoints, "LONG", 200)
    sa.event.listen(engine, "connect", checkpoints._leave_it_to_us)
    engine.dispose()
    one = Checkpoints(engine, turn)
    enough, written = threading.Event(), [0]

    def write() -> None:
        while not enough.is_set():
            add(engine, turn)
            written[0] += 50

    writer = threading.Thread(target=write)
    writer.start()
    own = sqlite3.connect(str(engine.url.database), isolation_level=None)
    try:
        longest = 0
        while written[0] < 6_000 and writer.is_alive():
            one.once(own)
            longest = max(longest, own.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1])
    finally:
        enough.set()
        writer.join(30)
        own.close()
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM thing")) == written[0]
    pages = written[0] // 2  # two rows of 2 kB a page
    assert pages > 2_000
    assert longest < pages / 2


def test_nobody_waits_where_nobody_writes(filled: tuple[sa.Engine, Turnstile]) -> None:
    """One round takes in a long log; the next, with nothing new, does not ask for a turn again."""
    engine, turn = filled
    sa.event.listen(engine, "connect", checkpoints._leave_it_to_us)
    engine.dispose()
    for _ in range(10):
        add(engine, turn, rows=1_000)

    turns = []

    class Counted:
        def __enter__(self) -> None:
            turns.append(1)

        def __exit__(self, *_error: object) -> None: ...

    with closing(sqlite3.connect(str(engine.url.database), isolation_level=None)) as own:
        one = Checkpoints(engine, Counted())
        assert [one.once(own), one.once(own), one.once(own)] == [0, 0, 0]
    assert len(turns) == 1
