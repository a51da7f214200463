"""The databases of the tests: SQLite in files and in memory, and a real PostgreSQL that the tests start
themselves.

PostgreSQL is taken from where Debian's packages or the PATH have it; its data lives in a temporary directory,
it listens on a free port of the loopback address only, and it is stopped when the tests end. Its flushes are
off: these tests look at isolation and locks, not at power cuts.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from sqlalchemy import Engine

import fleet.store  # noqa: F401  (its tables belong to the metadata that is created)
from queueing.engine import make_engine
from queueing.store import Base

START_S = 60.0
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "America/New_York",  # not ours: nothing may depend on the server's zone
}


class NoPostgres(Exception):
    """PostgreSQL is not installed here; the message says what was looked for."""


def find_postgres() -> Path:
    """The folder of initdb and postgres, the newest version first. Raises NoPostgres."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda p: float(p.parent.parent.name),
        reverse=True,
    )
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).resolve())
    for initdb in found:
        if (initdb.parent / "postgres").exists():
            return initdb.parent
    raise NoPostgres("PostgreSQL is not installed (no initdb under /usr/lib/postgresql nor on the PATH)")


@dataclass
class Postgres:
    """A running server of our own."""

    port: int
    command: Sequence[str | Path]
    log: Path
    account: pwd.struct_passwd | None = None
    _process: subprocess.Popen[bytes] | None = None
    _names: Iterator[int] = field(default_factory=itertools.count)
    _template: str | None = None

    def start(self) -> None:
        """Start, also after a `kill`: it then mends itself from its log first."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **_as(self.account),  # type: ignore[call-overload]
            )
        deadline = time.monotonic() + START_S
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log.read_text()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it and all its processes at once (-9), as when the machine dies but the disk does not."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=START_S)

    def stop(self) -> None:
        """End it in good order; open connections are closed."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=START_S)

    def url(self, name: str) -> str:
        """SQLAlchemy's address of one database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"

    def run(self, statement: str) -> None:
        """One statement outside any transaction (CREATE DATABASE needs that)."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(statement.encode())

    @property
    def _dsn(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres connect_timeout=5"

    def answers(self) -> bool:
        """Whether it accepts connections yet."""
        try:
            psycopg.connect(self._dsn).close()
        except psycopg.OperationalError:
            return False
        return True

    @contextlib.contextmanager
    def database(self) -> Iterator[Engine]:
        """A fresh database with every table, dropped afterwards. Cloned from one that is built once."""
        if self._template is None:
            self.run("CREATE DATABASE model")
            engine = make_engine(self.url("model"))
            Base.metadata.create_all(engine)
            engine.dispose()
            self._template = "model"
        name = f"test_{next(self._names)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE model")
        engine = make_engine(self.url(name))
        try:
            yield engine
        finally:
            engine.dispose()
            self.run(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def running_postgres(changed: Mapping[str, str] | None = None) -> Iterator[Postgres]:
    """Start a server with SETTINGS, some of them `changed`, and stop it at the end. Raises NoPostgres where it is not
    installed."""
    binaries = find_postgres()
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="pg-tests-"))
    try:
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        data = folder / "data"
        subprocess.run(
            [
                binaries / "initdb",
                "-D",
                data,
                "-U",
                "postgres",
                "--auth=trust",
                "-E",
                "UTF8",
                "--locale=C",
                "-N",
            ],
            check=True,
            capture_output=True,
            cwd="/",
            **_as(account),  # type: ignore[call-overload]
        )
        port = _free_port()
        settings = [
            part
            for key, value in (SETTINGS | dict(changed or {})).items()
            for part in ("-c", f"{key}={value}")
        ]
        command: list[str | Path] = [
            binaries / "postgres",
            "-D",
            data,
            "-k",
            folder,
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            *settings,
        ]
        server = Postgres(port, command, folder / "log", account)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sqlite_file(folder: Path) -> Engine:
    """An engine on a new SQLite file with every table, set up as in production."""
    engine = make_engine(f"sqlite:///{folder / 'test.sqlite'}")
    Base.metadata.create_all(engine)
    return engine


def sqlite_memory() -> Engine:
    """An engine on a new SQLite database in memory, with every table."""
    engine = make_engine("sqlite://")
    Base.metadata.create_all(engine)
    return engine


def _as(account: pwd.struct_passwd | None) -> dict[str, object]:
    """What starts a process under an account."""
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}


def _account() -> pwd.struct_passwd | None:
    """The account PostgreSQL runs as: it refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoPostgres("PostgreSQL will not run as root, and there is no account postgres or nobody")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
