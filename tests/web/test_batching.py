"""Group commit: everybody gets an answer, once it is committed, whatever happens to the others or to the connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from queueing.counter import CallNext, Issue
from queueing.engine import begin_write
from queueing.errors import QueueingError
from queueing.rebuild import check
from queueing.store import Ticket, TicketEvent
from tests.builders import MORNING, Place, make_place
from web.accounts import AccessToken, TokenCache, digest, new_token
from web.batching import Batcher
from web.db import Turnstile

WAIT_S = 60.0


@pytest.fixture
def desk(engine: Engine) -> Iterator[tuple[Batcher, Place, list[int]]]:
    """A batcher over each database, an open queue, and how often it was said that something is committed."""
    with Session(engine, expire_on_commit=False) as session:
        begin_write(session)
        place = make_place(session)
        session.commit()
    told: list[int] = []
    turn = Turnstile(engine.url.database) if engine.dialect.name == "sqlite" else None
    yield Batcher(engine, turn, lambda: told.append(1)), place, told


def take(place: Place, request: str, service: str = "id") -> Issue:
    """Somebody takes a ticket."""
    return Issue(place.queue.id, service, request, "kiosk", MORNING)


def at_once(batcher: Batcher, commands: list[Any]) -> list[Any]:
    """Every command from a thread of its own, let go at one moment; answers or errors in order."""
    barrier = threading.Barrier(len(commands))

    def run(command: Any) -> Any:
        barrier.wait(WAIT_S)
        try:
            return batcher(command)
        except QueueingError as error:
            return error

    with ThreadPoolExecutor(len(commands)) as pool:
        return [f.result(WAIT_S) for f in [pool.submit(run, command) for command in commands]]


def test_forty_at_once_share_few_commits_and_each_gets_a_number(
    engine: Engine, desk: tuple[Batcher, Place, list[int]]
) -> None:
    """Forty threads, forty numbers; what is acknowledged is in the database; fewer commits than tickets."""
    batcher, place, told = desk
    batcher(take(place, "first"))
    done = at_once(batcher, [take(place, f"r{n}") for n in range(40)])
    assert sorted(d.ticket.number for d in done) == list(range(2, 42))
    with Session(engine) as session:
        assert set(session.scalars(sa.select(Ticket.code))) >= {d.ticket.code for d in done}
        assert check(session) == []
    assert len(told) < 41


def test_two_desks_at_once_get_two_people(desk: tuple[Batcher, Place, list[int]]) -> None:
    """Thirty rounds of two desks that press in the same moment: sixty calls, sixty people."""
    batcher, place, _told = desk
    for n in range(60):
        batcher(take(place, f"i{n}"))
    called = []
    for n in range(30):
        presses = [CallNext(place.queue.id, d.id, f"{d.id}-{n}", "clerk", MORNING) for d in place.desks]
        called += [done.ticket.id for done in at_once(batcher, presses)]
    assert len(set(called)) == 60


def test_one_refused_among_many_hears_it_alone(desk: tuple[Batcher, Place, list[int]]) -> None:
    """An unknown service is refused; the nine others of the moment have their tickets."""
    batcher, place, _told = desk
    answers = at_once(batcher, [take(place, f"r{n}", "nothing" if n == 4 else "id") for n in range(10)])
    assert [a.code for a in answers if isinstance(a, QueueingError)] == ["unknown_service"]
    assert sorted(a.ticket.number for a in answers if not isinstance(a, QueueingError)) == list(range(1, 10))


def test_a_command_that_breaks_hurts_nobody_else(desk: tuple[Batcher, Place, list[int]]) -> None:
    """A bug in one command: its own request gets the error, the others their tickets, the writer lives on."""
    batcher, place, _told = desk

    class Broken:
        queue_id = place.queue.id

        def ask(self, needs: Any, zone: str) -> bool:
            return bool(take(place, "broken").ask(needs, zone))

        def carry_out(self, ledger: Any) -> Any:
            raise ZeroDivisionError("on purpose")

    barrier = threading.Barrier(9)

    def run(command: Any) -> Any:
        barrier.wait(WAIT_S)
        try:
            return batcher(command)
        except ZeroDivisionError as error:
            return error

    with ThreadPoolExecutor(9) as pool:
        works = [Broken(), *(take(place, f"r{n}") for n in range(8))]
        answers = [f.result(WAIT_S) for f in [pool.submit(run, work) for work in works]]
    assert isinstance(answers[0], ZeroDivisionError)
    assert sorted(a.ticket.number for a in answers[1:]) == list(range(1, 9))
    assert batcher(take(place, "after")).ticket.number == 9


def test_the_same_request_from_two_processes_is_one_ticket(
    engine: Engine, desk: tuple[Batcher, Place, list[int]]
) -> None:
    """Two batchers, as in two workers, with equal requests at different queues: one ticket, the other hears of it."""
    batcher, place, _told = desk
    with Session(engine, expire_on_commit=False) as session:
        begin_write(session)
        other = make_place(session, known=place.services, letter="B")
        session.commit()
    turn = Turnstile(engine.url.database) if engine.dialect.name == "sqlite" else None
    second = Batcher(engine, turn, lambda: None)
    for n in range(15):
        barrier = threading.Barrier(2)

        def run(one: Batcher, at: Place, n: int = n, barrier: threading.Barrier = barrier) -> Any:
            barrier.wait(WAIT_S)
            try:
                return one(take(at, f"same{n}")).ticket.id
            except QueueingError as error:
                return error.code

        with ThreadPoolExecutor(2) as pool:
            works = [pool.submit(run, batcher, place), pool.submit(run, second, other)]
            answers = [work.result(WAIT_S) for work in works]
        assert "request_id_reused" in answers
    with Session(engine) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(TicketEvent)) == 15
        assert check(session) == []


def test_a_connection_that_broke_is_opened_anew(
    engine: Engine, desk: tuple[Batcher, Place, list[int]]
) -> None:
    """The server ends our connection between two requests: the next one has its ticket all the same, once."""
    batcher, place, _told = desk
    if engine.dialect.name != "postgresql":
        pytest.skip("a file has no connection that a server could end")
    batcher(take(place, "before"))
    with engine.connect() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert batcher(take(place, "after")).ticket.number == 2


def test_a_token_taken_back_is_forgotten_at_once_here_and_soon_elsewhere(engine: Engine) -> None:
    """Known without asking the database; gone after a write of this process that touches tokens, or when its time is
    up."""
    moment = [0.0]
    cache = TokenCache(life_s=10.0, clock=lambda: moment[0])
    with Session(engine, expire_on_commit=False) as session:
        begin_write(session)
        place = make_place(session)
        text = new_token(session, "desk", now=MORNING, desk_id=place.desks[0].id)
        session.commit()

        def look_up() -> Session:
            return session

        def nobody() -> Session:
            raise AssertionError("the database was asked")

        found = cache.find(text, look_up)
        assert found is not None and (found.kind, found.desk_queue_id) == ("desk", place.queue.id)
        assert cache.find(text, nobody) is found
        _take_back(engine, text, MORNING, by_plain_sql=True)  # as another process does
        assert cache.find(text, nobody) is found
        moment[0] = 11.0
        session.rollback()
        assert cache.find(text, look_up) is None
        other = new_token(session, "desk", now=MORNING, desk_id=place.desks[0].id)
        session.commit()
        assert cache.find(other, look_up) is not None
        session.rollback()
        _take_back(engine, other, MORNING)
        cache.after_write()
        assert cache.find(other, look_up) is None


def test_tokens_in_use_are_asked_for_together_and_stay_known(engine: Engine) -> None:
    """Looked at again: the one in use holds for longer, the one that nobody has used for a quarter of an hour does not,
    the one that another process took back is gone."""
    moment = [0.0]
    cache = TokenCache(life_s=10.0, clock=lambda: moment[0])
    with Session(engine, expire_on_commit=False) as session:
        begin_write(session)
        place = make_place(session)
        used, gone = (new_token(session, "desk", now=MORNING, desk_id=place.desks[0].id) for _ in range(2))
        session.commit()
        for text in (used, gone):
            assert cache.find(text, lambda: session) is not None
        session.rollback()

    def look_again() -> None:
        with engine.connect() as connection:
            cache.look_again(connection)

    moment[0] = 8.0
    look_again()
    moment[0] = 11.0
    assert cache.known(used) is not None
    assert cache.known(gone) is not None
    _take_back(engine, gone, MORNING, by_plain_sql=True)
    look_again()
    assert cache.known(gone) is None
    for _ in range(200):  # nobody uses it from here on
        moment[0] += 5.0
        look_again()
    assert cache.known(used) is None


def _take_back(engine: Engine, text: str, now: datetime, *, by_plain_sql: bool = False) -> None:
    chosen = AccessToken.digest == digest(text)
    with Session(engine) as session:
        begin_write(session)
        if by_plain_sql:
            table: Any = AccessToken.__table__
            session.connection().execute(sa.update(table).where(chosen).values(revoked_at=now))
        else:
            session.execute(sa.update(AccessToken).where(chosen).values(revoked_at=now))
        session.commit()
