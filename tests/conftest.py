"""Fixtures of the whole suite: both databases.

`session` runs a test twice, on a SQLite file and on PostgreSQL, and rolls back at the end. Tests that commit
take `engine` or `sessions`: a fresh database each time, again on both. `memory` is a SQLite database in
memory, for tests of rules that do not depend on the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from queueing.engine import begin_write
from tests.databases import NoPostgres, Postgres, running_postgres, sqlite_file, sqlite_memory

settings.register_profile(
    "suite", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of the tests' own, started when the first test asks for it."""
    try:
        with running_postgres() as server:
            yield server
    except NoPostgres as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine on a fresh database with every table: each test that asks for it runs on both databases."""
    if request.param == "postgresql":
        with request.getfixturevalue("postgres").database() as made:
            yield made
    else:
        made = sqlite_file(tmp_path)
        yield made
        made.dispose()


@pytest.fixture
def sessions(engine: Engine) -> sessionmaker[Session]:
    """Makes sessions as the web process does."""
    return sessionmaker(engine, expire_on_commit=False)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """An engine on a database that the tests share, because none of them commits."""
    if request.param == "postgresql":
        with request.getfixturevalue("postgres").database() as made:
            yield made
    else:
        made = sqlite_file(tmp_path_factory.mktemp("shared"))
        yield made
        made.dispose()


@pytest.fixture
def session(shared_engine: Engine) -> Iterator[Session]:
    """A session that has begun to write, on both databases; what it does is rolled back at the end."""
    with Session(shared_engine, expire_on_commit=False) as made:
        begin_write(made)
        yield made


@pytest.fixture
def memory() -> Iterator[Session]:
    """A session on a SQLite database in memory."""
    engine = sqlite_memory()
    with Session(engine, expire_on_commit=False) as made:
        yield made
    engine.dispose()
