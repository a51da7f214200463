"""SIGKILL of the real servers of a van and of headquarters, while tickets are given out and while they sync.

The van's laptop is `gunicorn` as `make van` starts it: it syncs at once after each start, so that the kill that follows
some answers later comes in the middle of issuing, sealing, sending or storing. Every answer that a kiosk or a desk got
is at headquarters at the end, once; nobody is asked to decide anything.
"""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import local_day
from fleet.store import Center, Visit
from queueing.engine import begin_write, make_engine
from queueing.rebuild import check
from queueing.store import Base, TicketEvent
from queueing.store_journal import Choice, JournalEntry
from tests.crash.clients import Ledger
from tests.crash.serving import Server
from tests.databases import Postgres
from tests.van.cast import Machine, requests
from tests.web import world as cast
from web.accounts import new_token
from web.van.line import NoLine

KILLS = 12
BETWEEN_S = 0.05
"""What people at a kiosk leave between two presses, at their quickest."""


class _Now:
    """The true time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class Crew:
    """Two kiosks and two desks; a request without an answer is sent again until there is one."""

    def __init__(self, port: int, queue: int, kiosk: str, desks: dict[int, str], seed: int) -> None:
        self.ledger = Ledger()
        self._port, self._queue, self._kiosk, self._desks = port, queue, kiosk, desks
        works: list[Any] = [(self._come, n) for n in range(2)] + [(self._serve, desk) for desk in desks]
        self._threads = [
            threading.Thread(target=self._guarded, args=(*work, random.Random(seed * 10 + n)), daemon=True)
            for n, work in enumerate(works)
        ]
        self.answers: set[str] = set()

    def start(self) -> None:
        """Let them go."""
        self.ledger.let_go()
        for thread in self._threads:
            thread.start()

    def wait_for(self, more: int) -> None:
        """Until so many further answers have come."""
        until = len(self.answers) + more
        with self.ledger.more:
            came = self.ledger.more.wait_for(lambda: len(self.answers) >= until or self.ledger.wrong, 180)
        assert came and not self.ledger.wrong, self.ledger.wrong

    def finish(self) -> None:
        """Each ends after its answer."""
        self.ledger.over.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive(), "a client got no answer"
        assert not self.ledger.wrong, self.ledger.wrong

    def _guarded(self, work: Any, thing: int, chance: random.Random) -> None:
        try:
            while not self.ledger.over.wait(BETWEEN_S):
                work(thing, chance)
        except Exception as error:
            with self.ledger.more:
                self.ledger.wrong.append(repr(error))
                self.ledger.more.notify_all()

    def _ask(self, path: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
        while True:
            status, said = self.ledger.send(self._port, path, token, body)
            if status < 500:
                break
            self.ledger.over.wait(BETWEEN_S)
        if status not in (200, 201, 204):
            raise AssertionError(f"{path} {body}: {status} {said}")
        if said.get("ticket"):  # that nobody waits leaves no trace
            with self.ledger.more:
                self.answers.add(body["request_id"])
                self.ledger.more.notify_all()
        return said

    def _come(self, kiosk: int, chance: random.Random) -> None:
        body = {"service": chance.choice(("NID-01", "BIR-01")), "request_id": f"k{kiosk}-{chance.random()}"}
        self._ask(f"/api/v1/queues/{self._queue}/tickets", self._kiosk, body)

    def _serve(self, desk: int, chance: random.Random) -> None:
        token = self._desks[desk]
        called = self._ask(f"/api/v1/desks/{desk}/next", token, {"request_id": f"d{desk}-{chance.random()}"})
        if called.get("ticket"):
            body = {"request_id": f"s{desk}-{chance.random()}", "desk": desk}
            self._ask(f"/api/v1/tickets/{called['ticket']}/start", token, body)


def _headquarters(url: str) -> tuple[cast.World, str]:
    """The cast with its visit on this very day; the van's token."""
    now = datetime.now(UTC)
    engine = make_engine(url)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        begin_write(session)
        world = cast.build(session, now=now)
        visit = session.get_one(Visit, world.visit_a)
        visit.day, visit.opens_at = local_day(now), now - timedelta(hours=1)
        visit.closes_at = now + timedelta(hours=6)
        token = new_token(session, "van", now=now, center_id=world.center_a)
        session.commit()
    engine.dispose()
    return world, token


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_servers_of_van_and_headquarters_lose_nothing(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Twelve kills: the van's server, or headquarters', or both at once."""
    (tmp_path / "office").mkdir()
    url = f"sqlite:///{tmp_path / 'office' / 'office.db'}"
    if kind == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        server.run("CREATE DATABASE van_killed")
        url = server.url("van_killed")
    world, token = _headquarters(url)
    office = Server(url, tmp_path / "office")
    office.start()
    laptop = Machine(tmp_path / "van", f"http://127.0.0.1:{office.port}", token, _Now())  # type: ignore[arg-type]
    laptop.laptop.sync(pull=1)
    laptop.days()
    for desk in world.desks_visit_a:
        laptop.sit(desk)
    queue = world.queue_visit_a

    def tokens(s: Session) -> tuple[str, dict[int, str]]:
        kiosk = new_token(s, "kiosk", now=laptop.now, queue_id=queue)
        return kiosk, {
            desk: new_token(s, "desk", now=laptop.now, desk_id=desk) for desk in world.desks_visit_a
        }

    kiosk, desks = laptop.write(tokens)
    code = laptop.read(lambda s: s.get_one(Center, world.center_a).code)
    laptop.off()
    named = {"VAN_CENTER": code, "VAN_HQ": laptop.url, "VAN_TOKEN": token}
    van = Server(f"sqlite:///{tmp_path / 'van' / 'van.db'}", tmp_path / "van", env=named)
    chance = random.Random(7)
    crew = Crew(van.port, queue, kiosk, desks, 7)
    try:
        van.start()
        crew.start()
        for turn in range(KILLS):
            crew.wait_for(chance.randrange(3, 40))
            if turn % 3 != 1:
                van.kill()
            if turn % 3 != 0:
                office.kill()
                office.start()
            if turn % 3 != 1:
                van.start()
        crew.wait_for(5)
        crew.finish()
        van.kill()
        laptop.on()
        for _ in range(20):
            try:
                laptop.laptop.sync(keep_trying=3)
                break
            except NoLine:
                continue
    finally:
        crew.ledger.over.set()
        van.stop()
        office.stop()
    engine = make_engine(url)
    with Session(engine) as session:
        known = list(session.scalars(select(TicketEvent.request_id)))
        assert len(known) == len(set(known))
        assert crew.answers <= set(known), sorted(crew.answers - set(known))[:3]
        assert requests(session, queue) == laptop.read(lambda s: requests(s, queue))
        assert check(session, [queue]) == []
        assert session.scalar(select(Choice)) is None
        places = session.execute(
            select(JournalEntry.epoch, JournalEntry.sequence).order_by(JournalEntry.sequence)
        ).all()
        assert [sequence for _epoch, sequence in places] == list(range(1, len(places) + 1))
    engine.dispose()
    laptop.off()
