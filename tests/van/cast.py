"""Headquarters and laptops for tests: real HTTP over the loopback, a clock that stands until it is moved, and a power
switch."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.serving import make_server

from fleet.days import run_day_transitions
from queueing import counter, desks
from queueing.engine import make_engine, transaction
from queueing.journal.epochs import Witness
from queueing.store import Base, Desk, Queue, Ticket, TicketEvent
from tests.van.source import Source
from tests.web import world as cast
from web.accounts import new_token
from web.app import create_app
from web.db import db
from web.van import identity
from web.van.clock import VanClock
from web.van.laptop import Laptop
from web.van.line import Line

T = TypeVar("T")
SERVICES = ("NID-01", "BIR-01", "FAM-01")


class PowerCut(BaseException):
    """The machine went off."""


class Office:
    """Headquarters over its own copy of the cast, served on a free port."""

    def __init__(self, source: Source, folder: Path, clock: cast.StillClock) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.clock, self.world, self.source, self.folder = clock, source.world, source, folder
        settings = replace(cast.settings_for(folder), database_url=source.new(folder))
        self.app = create_app(settings, time_source=clock)
        self.write: Callable[[Callable[[Session], Any]], Any] = self.app.extensions["writer"]
        self.token: str = self.write(
            lambda s: new_token(s, "van", now=clock.now(), center_id=self.world.center_a)
        )
        self._server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self._server.daemon_threads = True
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def read(self, look: Callable[[Session], T]) -> T:
        """What `look(session)` sees."""
        with Session(self.engine) as session:
            return look(session)

    @property
    def engine(self) -> Engine:
        """Where its database is."""
        engine: Engine = self.app.extensions["writer"].engine
        return engine

    def back_up(self) -> str:
        """Keep its database as it is now."""
        return self.source.back_up(self.engine, self.folder)

    def restore(self, kept: str) -> None:
        """Put the kept database in the place of the present one."""
        with self.app.app_context():  # Flask-SQLAlchemy has an engine of its own
            db.engine.dispose()
        self.source.restore(self.engine, kept)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()
        with self.app.app_context():
            db.engine.dispose()
        self.source.drop(self.engine)


class Machine:
    """A laptop's disk and the program on it. `cut` decides at each step whether the power goes: it is asked with the
    name of the step, before and after everything that lasts."""

    def __init__(
        self,
        folder: Path,
        url: str,
        token: str,
        clock: cast.StillClock,
        *,
        cut: Callable[[str], bool] | None = None,
        wrong: timedelta = timedelta(0),
    ) -> None:
        self.folder, self.url, self.token, self.clock = folder, url, token, clock
        self.cut = cut or (lambda _step: False)
        self.wrong = wrong
        """How wrong the machine's own clock is."""
        folder.mkdir(parents=True, exist_ok=True)
        self.laptop: Laptop
        self.on()

    def on(self) -> str:
        """Boot: database, identity, log. Returns why a new epoch began."""
        fresh = not (self.folder / "van.db").exists()
        self.engine = make_engine(f"sqlite:///{self.folder / 'van.db'}")
        if fresh:
            Base.metadata.create_all(self.engine)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        witness = identity.load(self.folder)
        clock = VanClock(
            last_us=witness.last_us, offset_us=witness.offset_us, system=lambda: self.clock.now() + self.wrong,
            running=lambda: self.clock.now().timestamp(),
        )  # fmt: skip
        line = Line(self.url, self.token, patience_s=60.0)
        self.laptop = Laptop(self.write, self.folder, clock, line, write_witness=self._witness)
        return self.laptop.start()

    def off(self) -> None:
        """The program ends, cleanly or not: what is not committed is gone."""
        self.laptop.line.close()
        self.engine.dispose()

    def write(self, work: Callable[[Session], T]) -> T:
        """One transaction, with the power switch around it."""
        self._step("before a commit")
        result = transaction(self._sessions, work)
        self._step("after a commit")
        return result

    def _witness(self, folder: Path, witness: Witness) -> None:
        self._step("before the identity file")
        identity.store(folder, witness)
        self._step("after the identity file")

    def _step(self, step: str) -> None:
        if self.cut(step):
            raise PowerCut(step)

    def read(self, look: Callable[[Session], T]) -> T:
        """What `look(session)` sees."""
        with Session(self.engine) as session:
            return look(session)

    def copy(self, folder: Path, **changes: Any) -> Machine:
        """A clone of the whole disk, on another machine."""
        folder.mkdir(parents=True)
        cast.copy_database(self.folder / "van.db", folder / "van.db")
        if (self.folder / identity.NAME).exists():
            shutil.copy(self.folder / identity.NAME, folder / identity.NAME)
        options = {"url": self.url, "token": self.token, "clock": self.clock, "cut": self.cut} | changes
        return Machine(folder, **options)

    def back_up(self, target: Path) -> None:
        """Keep the database as it is now (not the identity file)."""
        cast.copy_database(self.folder / "van.db", target)

    def restore(self, source: Path) -> str:
        """Put an old database in the place of the present one, and boot."""
        self.off()
        for old in self.folder.glob("van.db*"):
            old.unlink()
        shutil.copy(source, self.folder / "van.db")
        return self.on()

    # what a crew does -------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The van's time."""
        return self.laptop.clock.now()

    def rid(self) -> str:
        """A new request id as browsers have them: random, so that it does not shrink on the line."""
        return secrets.token_urlsafe(12)

    def common(self) -> dict[str, Any]:
        """What every verb needs."""
        return {"request_id": self.rid(), "actor": "crew", "now": self.now}

    def days(self) -> None:
        """What the clock asks for: open and close visits."""
        self.write(lambda s: run_day_transitions(s, now=self.now))

    def issue(self, queue_id: int, service: str = "NID-01", **given: Any) -> Ticket:
        """A ticket at the kiosk."""
        values = self.common() | {"channel": "kiosk"} | given
        return self.write(lambda s: counter.issue(s, s.get_one(Queue, queue_id), service, **values)).ticket

    def call(self, desk_id: int) -> Ticket | None:
        """Call next at a desk."""
        common = self.common()
        done = self.write(lambda s: counter.call_next(s, s.get_one(Desk, desk_id), **common))
        return done.ticket if done is not None else None

    def do(self, verb: str, ticket_id: int, desk_id: int | None = None, **given: Any) -> Ticket:
        """Any verb on a ticket."""
        common = self.common() | given

        def work(s: Session) -> Any:
            at = {"desk": s.get_one(Desk, desk_id)} if desk_id is not None else {}
            return getattr(counter, verb)(s, s.get_one(Ticket, ticket_id), **at, **common)

        return self.write(work).ticket

    def sit(self, desk_id: int) -> None:
        """Open a desk."""
        self.write(lambda s: desks.open_desk(s, s.get_one(Desk, desk_id), actor="crew", now=self.now))


def tickets(session: Session, queue_id: int) -> dict[str, Ticket]:
    """code -> ticket of a queue."""
    return {t.code: t for t in session.scalars(select(Ticket).where(Ticket.queue_id == queue_id))}


def requests(session: Session, queue_id: int) -> list[str]:
    """The request ids of a queue's events, in order."""
    return list(
        session.scalars(
            select(TicketEvent.request_id).where(TicketEvent.queue_id == queue_id).order_by(TicketEvent.id)
        )
    )
