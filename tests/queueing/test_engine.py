"""Engines and transactions of both databases."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from queueing.engine import begin_write, make_engine, transaction
from queueing.store import Base, Outbox, Queue, QueueService
from tests.databases import Postgres


def pragma(engine: Engine, name: str) -> object:
    """A setting of SQLite as a connection has it."""
    with engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_sqlite_never_loses_an_acknowledged_ticket(tmp_path: Path) -> None:
    """WAL, synchronous=FULL (2), foreign keys, a busy timeout: on every connection of the pool."""
    engine = make_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.connect(), engine.connect():
        found = [
            pragma(engine, name) for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 2, 1, 10_000]


def test_a_writer_takes_the_lock_at_once_and_readers_go_on(tmp_path: Path) -> None:
    """After begin_write another connection cannot begin to write, but reads the state before."""
    engine = make_engine(f"sqlite:///{tmp_path / 'x.db'}")
    Base.metadata.create_all(engine)
    with Session(engine) as writer, Session(engine) as reader:
        begin_write(writer)
        writer.add(Queue(name_ar="ط", name_en="Q"))
        writer.flush()
        assert reader.scalars(select(Queue)).all() == []
        other = sqlite3.connect(tmp_path / "x.db", timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
        writer.commit()


def test_a_reader_sees_one_snapshot(tmp_path: Path) -> None:
    """What another commits meanwhile does not show within one reading transaction."""
    engine = make_engine(f"sqlite:///{tmp_path / 'x.db'}")
    Base.metadata.create_all(engine)
    with Session(engine) as reader:
        assert reader.scalars(select(Queue.id)).all() == []
        with Session(engine) as writer:
            begin_write(writer)
            writer.add(Queue(name_ar="ط", name_en="Q"))
            writer.commit()
        assert reader.scalars(select(Queue.id)).all() == []
        reader.rollback()
        assert len(reader.scalars(select(Queue.id)).all()) == 1


def test_a_transaction_commits_what_its_work_did(sessions: sessionmaker[Session]) -> None:
    """The result comes back, the row is there."""
    name = transaction(sessions, lambda session: make(session, "Q").name_en)
    with sessions() as session:
        assert session.scalars(select(Queue.name_en)).all() == [name]


def test_a_transaction_that_raises_leaves_nothing(sessions: sessionmaker[Session]) -> None:
    """The error comes through and nothing was written."""

    def work(session: Session) -> None:
        make(session, "Q")
        raise KeyError("no")

    with pytest.raises(KeyError):
        transaction(sessions, work)
    with sessions() as session:
        assert session.scalars(select(Queue)).all() == []


def make(session: Session, name: str) -> Queue:
    """A stored queue."""
    queue = Queue(name_ar=name, name_en=name)
    session.add(queue)
    session.flush()
    return queue


def test_a_broken_constraint_is_tried_once_more_and_then_raised(sessions: sessionmaker[Session]) -> None:
    """Two attempts, the second in a fresh session; a constraint that stays broken is an error."""
    attempts: list[int] = []

    def work(session: Session) -> None:
        attempts.append(id(session))
        session.add(QueueService(queue_id=1, service_id=1))
        session.flush()

    with pytest.raises(IntegrityError):
        transaction(sessions, work)
    assert len(attempts) == 2


def test_deadlocks_on_postgresql_are_tried_again(postgres: Postgres) -> None:
    """Two transactions that lock two rows in opposite order: PostgreSQL ends one, which is run again; both
    succeed."""
    with postgres.database() as engine:
        sessions = sessionmaker(engine, expire_on_commit=False)
        first, second = transaction(sessions, lambda s: (make(s, "a").id, make(s, "b").id))
        meet = threading.Barrier(2)
        attempts = {first: 0, second: 0}

        def raise_both(begin: int, then: int) -> None:
            def work(session: Session) -> None:
                session.execute(text("SET LOCAL deadlock_timeout = '20ms'"))
                attempts[begin] += 1
                session.execute(text("UPDATE queue SET seq = seq + 1 WHERE id = :id"), {"id": begin})
                if attempts[begin] == 1:
                    meet.wait(30)
                session.execute(text("UPDATE queue SET seq = seq + 1 WHERE id = :id"), {"id": then})

            transaction(sessions, work)

        threads = [
            threading.Thread(target=raise_both, args=pair) for pair in ((first, second), (second, first))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        with sessions() as session:
            assert session.scalars(select(Queue.seq).order_by(Queue.id)).all() == [2, 2]
        assert sorted(attempts.values()) == [1, 2]


def test_other_database_errors_are_not_tried_again(sessions: sessionmaker[Session]) -> None:
    """A wrong statement fails once."""
    attempts = []

    def work(session: Session) -> None:
        attempts.append(1)
        session.execute(text("SELECT nothing FROM nowhere"))

    with pytest.raises(DBAPIError):
        transaction(sessions, work)
    assert attempts == [1]


def test_instants_come_back_in_utc_to_the_microsecond(session: Session) -> None:
    """Given in Cairo's or any zone, on a server with another: the same instant, as UTC; naive times are
    refused."""
    instant = datetime(2026, 11, 22, 9, 30, 0, 123457, tzinfo=timezone(timedelta(hours=2)))
    session.add(Outbox(topic="t", seq=1, part="p", data={}, created_at=instant))
    session.flush()
    session.expire_all()
    stored = session.scalars(select(Outbox.created_at).where(Outbox.topic == "t")).one()
    assert stored == instant
    assert stored.utcoffset() == timedelta(0) and stored == datetime(
        2026, 11, 22, 7, 30, 0, 123457, tzinfo=UTC
    )
    session.add(Outbox(topic="t", seq=2, part="p", data={}, created_at=datetime(2026, 1, 1)))  # noqa: DTZ001
    with pytest.raises(Exception, match="naive"):
        session.flush()


def test_an_error_of_the_database_never_repeats_what_was_to_be_stored(tmp_path: Path) -> None:
    """Error messages go to logs, and a ticket's telephone number must not."""
    engine = make_engine(f"sqlite:///{tmp_path / 'x.db'}")
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text("INSERT INTO nowhere VALUES (:phone)"), {"phone": "+201001234567"})
    assert "201001234567" not in str(caught.value)
