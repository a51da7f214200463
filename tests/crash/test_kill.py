"""SIGKILL at random moments under load: every acknowledged answer is there, none twice, the same request gives the same
ticket, and boards are right at once after the restart.

A real server over each database, sixteen HTTP clients that keep a ledger (clients.py), boards that watch (boards.py).
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from queueing.engine import begin_write, make_engine
from queueing.rebuild import check
from queueing.store import Ticket, TicketEvent
from tests.bench.bench_tickets_world import Counter, audit, build, redis
from tests.crash.boards import Screen, board_tokens, calls_made, calls_shown, seq_of
from tests.crash.clients import Clients, Ledger, post
from tests.crash.serving import Server
from tests.databases import NoPostgres, Postgres, running_postgres

SHORT_KILLS, LONG_KILLS = 5, 200
QUEUES, DESKS = 3, 2
SAFE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
PATIENCE_S = 120.0


class Field:
    """A served database with its clients and boards, and what must be true of it after each crash."""

    def __init__(
        self, url: str, folder: Path, *, workers: int = 1, redis_url: str = "", seed: int = 1
    ) -> None:
        self.url = url
        self.places: list[Counter] = build(url, queues=QUEUES, desks_each=DESKS)
        self.boards = board_tokens(url, [place.queue for place in self.places])
        self.screens = [Screen(place.queue) for place in self.places]
        self.ledger = Ledger()
        self.chance = random.Random(seed)
        self.server = Server(url, folder, workers=workers, env={"REDIS_URL": redis_url})
        self.clients = Clients(self.server.port, self.places, self.ledger, seed)

    def begin(self) -> None:
        """Serve, and let the clients go."""
        self.server.start()
        self.ledger.let_go()
        self.clients.start()

    def some_answers(self) -> None:
        """Wait for a random number of answers: the crash comes anywhere in the work that follows them."""
        wanted = len(self.ledger.answers) + self.chance.randrange(5, 80)
        assert self.ledger.wait_for(wanted, patience_s=PATIENCE_S), f"no answers\n{self.server.words()}"
        assert not self.ledger.wrong, self.ledger.wrong

    def look(self) -> None:
        """With the clients held back: nothing acknowledged is missing or twice, all books agree."""
        with self.ledger.more:
            answers = dict(self.ledger.answers)
        engine = make_engine(self.url)
        with Session(engine) as session:
            made = session.execute(
                select(TicketEvent.request_id, Ticket.code).join(Ticket, Ticket.id == TicketEvent.ticket_id)
            )
            there = {row[0]: row[1] for row in made}
            broken = [str(one) for one in check(session)]
            if engine.dialect.name == "sqlite":
                assert session.execute(text("PRAGMA quick_check")).scalars().all() == ["ok"]
        engine.dispose()
        lost = [r for r, a in answers.items() if a.ticket is not None and there.get(r) != a.ticket]
        assert not lost, f"{len(lost)} acknowledged answers are lost: {lost[:3]}"
        assert not broken, broken[:3]
        found = {name: n for name, n in audit(self.url).items() if name != "tickets" and n}
        assert not found, found

    def look_at_boards(self) -> None:
        """While nobody presses anything: boards show what was called, screens hear all that they missed."""
        for place, token, screen in zip(self.places, self.boards, self.screens, strict=True):
            shown = calls_shown(self.server.port, token)
            assert shown == calls_made(self.url, place.queue, len(shown) or 1)
            screen.catch_up(self.server.port, seq_of(self.url, place.queue))

    def crash(self, kill: Callable[[], None], restart: Callable[[], None]) -> None:
        """One crash under load, and everything that must be true after it."""
        self.some_answers()
        kill()
        self.ledger.pause()
        restart()
        assert self.ledger.hold(patience_s=PATIENCE_S), "a request neither fails nor is answered"
        self.look()
        self.clients.ask_again(self.chance, 5)
        self.look_at_boards()
        self.ledger.let_go()

    def kill_a_worker(self) -> None:
        """Any one."""
        self.server.kill_a_worker(self.chance.randrange(2))

    def end(self) -> None:
        """Clients finish; the last look."""
        self.clients.finish()
        assert not self.ledger.wrong, self.ledger.wrong
        self.look()
        self.look_at_boards()

    def would_notice(self) -> None:
        """The control: one acknowledged answer taken out of the database, and the look says so."""
        lost = next(request for request, answer in self.ledger.answers.items() if answer.ticket is not None)
        engine = make_engine(self.url)
        with Session(engine) as session:
            begin_write(session)
            renamed = {"request_id": f"{lost}#gone"}
            session.execute(update(TicketEvent).where(TicketEvent.request_id == lost).values(renamed))
            session.commit()
        engine.dispose()
        with pytest.raises(AssertionError, match="acknowledged answers are lost"):
            self.look()


@contextlib.contextmanager
def field(url: str, folder: Path, **given: object) -> Iterator[Field]:
    """A field at work."""
    made = Field(url, folder, **given)  # type: ignore[arg-type]
    try:
        made.begin()
        yield made
        made.end()
        made.would_notice()
        print(
            f"{len(made.ledger.answers)} answers, {made.ledger.resent} sent again, {made.ledger.sampled} asked again"
        )
    finally:
        made.ledger.over.set()
        made.ledger.let_go()
        made.server.stop()


@pytest.fixture(scope="module")
def safe_postgres() -> Iterator[Postgres]:
    """A PostgreSQL that flushes as in production."""
    try:
        with running_postgres(SAFE) as server:
            yield server
    except NoPostgres as reason:
        pytest.skip(str(reason))


def killed_on_sqlite(folder: Path, kills: int) -> None:
    """The one process of the embedded shape."""
    with field(f"sqlite:///{folder / 'tickets.db'}", folder) as here:
        for _ in range(kills):
            here.crash(here.server.kill, here.server.start)


def killed_on_postgres(server: Postgres, folder: Path, kills: int) -> None:
    """Two workers: one of them killed, or all, or (every fifth time) PostgreSQL itself."""
    name = f"killed_{folder.name.replace('-', '_').lower()}"[:50]
    server.run(f'CREATE DATABASE "{name}"')
    with redis() as redis_url, field(server.url(name), folder, workers=2, redis_url=redis_url) as here:
        for number in range(kills):
            if number % 5 == 4:
                here.crash(server.kill, server.start)
            elif number % 5 == 3:
                here.crash(here.server.kill, here.server.start)
            else:
                here.crash(here.kill_a_worker, here.server.wait_until_ready)


@pytest.mark.timeout(900)
def test_fifty_at_once_and_then_all_sixteen_clients_on_two_workers(
    safe_postgres: Postgres, tmp_path: Path
) -> None:
    """Over HTTP, nobody killed: fifty people press in the same moment and get the numbers 1 to 50; then kiosks and
    clerks work until there are 600 answers, and all books agree."""
    safe_postgres.run("CREATE DATABASE fifty")
    with redis() as redis_url:
        here = Field(safe_postgres.url("fifty"), tmp_path, workers=2, redis_url=redis_url)
        try:
            here.server.start()
            place = here.places[0]
            barrier = threading.Barrier(50)

            def take(number: int) -> tuple[int, dict[str, Any]]:
                barrier.wait(60)
                body = {"service": "id", "request_id": f"fifty-{number}"}
                return post(here.server.port, f"/api/v1/queues/{place.queue}/tickets", place.kiosk, body)

            with ThreadPoolExecutor(50) as pool:
                said = list(pool.map(take, range(50)))
            assert {status for status, _body in said} == {201}
            assert sorted(body["label"] for _status, body in said) == [f"A{n:03d}" for n in range(1, 51)]
            assert len({body["ticket"] for _status, body in said}) == 50
            here.ledger.let_go()
            here.clients.start()
            assert here.ledger.wait_for(600, patience_s=PATIENCE_S)
            here.end()
            assert here.ledger.resent == 0
        finally:
            here.ledger.over.set()
            here.server.stop()


@pytest.mark.timeout(900)
def test_a_killed_server_has_lost_nothing_on_sqlite(tmp_path: Path) -> None:
    """Five times."""
    killed_on_sqlite(tmp_path, SHORT_KILLS)


@pytest.mark.timeout(900)
def test_killed_workers_and_a_killed_postgresql_have_lost_nothing(
    safe_postgres: Postgres, tmp_path: Path
) -> None:
    """Workers three times, all of them once, the database server once."""
    killed_on_postgres(safe_postgres, tmp_path, SHORT_KILLS)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_two_hundred_kills_on_sqlite(tmp_path: Path) -> None:
    """The long form."""
    killed_on_sqlite(tmp_path, LONG_KILLS)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_two_hundred_kills_on_postgresql(safe_postgres: Postgres, tmp_path: Path) -> None:
    """The long form."""
    killed_on_postgres(safe_postgres, tmp_path, LONG_KILLS)
