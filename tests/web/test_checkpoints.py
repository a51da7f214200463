"""SQLite's log is brought into the file beside writers: it stays short however long somebody writes without a pause."""

from __future__ import annotations

import sqlite3
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
    """Whenever we look, but where we have the turn, somebody has written since a reader began, so that the log is never
    found whole: it is hardly longer than LONG all the same, and nothing that was written is missing."""
    engine, turn = filled
    monkeypatch.setattr(checkpoints, "LONG", 200)
    sa.event.listen(engine, "connect", checkpoints._leave_it_to_us)
    engine.dispose()
    ours, written, lengths = [False], [0], []

    class Noted:
        def __enter__(self) -> None:
            turn.__enter__()
            ours[0] = True

        def __exit__(self, *_error: object) -> None:
            ours[0] = False
            turn.__exit__()

    look = checkpoints._checkpoint

    def looked(connection: sqlite3.Connection) -> tuple[int, int]:
        if ours[0]:
            return look(connection)
        with engine.connect() as reader:
            reader.execute(sa.text("SELECT count(*) FROM thing"))
            add(engine, turn)
            written[0] += 50
            found = look(connection)
        lengths.append(found[0])
        return found

    monkeypatch.setattr(checkpoints, "_checkpoint", looked)
    one = Checkpoints(engine, Noted())
    with closing(sqlite3.connect(str(engine.url.database), isolation_level=None)) as own:
        for _ in range(80):
            one.once(own)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM thing")) == written[0]
    assert written[0] // 2 > 1_500  # pages: two rows of 2 kB each
    assert max(lengths) < 500


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
