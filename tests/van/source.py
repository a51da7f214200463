"""Where a headquarters of the tests gets its database: a copy of the cast, on SQLite or on PostgreSQL."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from queueing.engine import make_engine
from queueing.store import Base
from tests.databases import Postgres, running_postgres
from tests.web import world as cast


class Source(Protocol):
    """Makes databases with the cast in them."""

    world: cast.World

    def new(self, folder: Path) -> str:
        """A fresh copy; its address."""

    def drop(self, engine: Engine) -> None:
        """Forget the database that an engine is on."""

    def back_up(self, engine: Engine, folder: Path) -> str:
        """Keep it as it is now; what to give to `restore`."""

    def restore(self, engine: Engine, kept: str) -> None:
        """Put the kept one in its place."""


class SqliteSource:
    """Copies of one file."""

    def __init__(self, template: tuple[Path, cast.World]) -> None:
        self._template, self.world = template

    def new(self, folder: Path) -> str:
        """A file in `folder`."""
        cast.copy_database(self._template, folder / "test.db")
        return f"sqlite:///{folder / 'test.db'}"

    def drop(self, engine: Engine) -> None:
        """The folder goes with the test."""
        engine.dispose()

    def back_up(self, engine: Engine, folder: Path) -> str:
        """A second file."""
        cast.copy_database(_file(engine), folder / "kept.db")
        return str(folder / "kept.db")

    def restore(self, engine: Engine, kept: str) -> None:
        """The old file, without what was written beside the present one."""
        engine.dispose()
        present = _file(engine)
        for part in present.parent.glob(f"{present.name}-*"):
            if not part.name.endswith("-turn"):
                part.unlink()
        shutil.copy(kept, present)


class PostgresSource:
    """Databases of one server, cloned from one with the cast in it."""

    def __init__(self, server: Postgres, world: cast.World) -> None:
        self.world, self._server, self._names = world, server, itertools.count()
        self._cast = f"cast_{id(self)}"
        server.run(f"CREATE DATABASE {self._cast}")
        engine = make_engine(server.url(self._cast))
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            made = cast.build(session)
            session.commit()
        engine.dispose()
        assert made == world, "both databases hold the same cast under the same ids"

    def new(self, folder: Path) -> str:
        """A database of its own."""
        name = self._name()
        self._server.run(f"CREATE DATABASE {name} TEMPLATE {self._cast}")
        return self._server.url(name)

    def drop(self, engine: Engine) -> None:
        """Drop it."""
        engine.dispose()
        self._server.run(f"DROP DATABASE {engine.url.database} WITH (FORCE)")

    def back_up(self, engine: Engine, folder: Path) -> str:
        """A clone of it."""
        engine.dispose()
        name = self._name()
        self._server.run(f"CREATE DATABASE {name} TEMPLATE {engine.url.database}")
        return name

    def restore(self, engine: Engine, kept: str) -> None:
        """The clone under its name."""
        self.drop(engine)
        self._server.run(f"ALTER DATABASE {kept} RENAME TO {engine.url.database}")

    def _name(self) -> str:
        return f"van_{id(self)}_{next(self._names)}"


@contextmanager
def sources(folder: Path, kinds: tuple[str, ...]) -> Iterator[dict[str, Source]]:
    """Both for programs that are no tests: kind -> source. Raises NoPostgres where it is not installed."""
    folder.mkdir(parents=True, exist_ok=True)
    template = cast.make_template(folder)
    made: dict[str, Source] = {"sqlite": SqliteSource(template)}
    if "postgresql" not in kinds:
        yield made
        return
    with running_postgres() as server:
        made["postgresql"] = PostgresSource(server, template[1])
        yield {kind: made[kind] for kind in kinds}


def _file(engine: Engine) -> Path:
    return Path(str(make_url(str(engine.url)).database))
