"""Group commit: what many requests ask of queues at one moment is carried out in one transaction and committed once.

One thread of each process writes. It takes what has queued up, carries it out on one ledger, commits, lets the
requests go with their answers, and takes what has come meanwhile (on PostgreSQL under load also what comes within a
moment: web/gathering.py). One command alone costs one transaction, and the more come at once the less each costs. An
answer is given after the commit, never before.

Under gevent the thread is a greenlet. On PostgreSQL it waits together with the others in psycopg; on SQLite its
statements are taken in a native thread, so that a flush to the disk does not stop the greenlets, and while one batch is
flushed the next is decided on (web/ahead.py). Everything that is decided is decided here: two threads with work in
Python take the interpreter's lock and each other's caches all the time, which made each of them twice as slow.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from queueing.engine import DRIVERS, RETRIED_STATES, RETRIES, driver_errors
from queueing.postgres_bank import HOT, PostgresBank
from queueing.turn import LATER, Command, carry_out
from web.ahead import Batch, Beside, Here
from web.gathering import Together, at_once

FORGOTTEN = "26000"
"""What PostgreSQL says when somebody has taken a connection's prepared statements away."""


def patched() -> bool:
    """Whether gevent has made greenlets of this process's threads."""
    try:
        from gevent import monkey
    except ImportError:
        return False
    return bool(monkey.is_module_patched("threading"))


def native_lock() -> Any:
    """A lock between native threads, also where gevent has put its own in their place."""
    if patched():
        from gevent import monkey

        return monkey.get_original("_thread", "allocate_lock")()
    return threading.Lock()


def native_thread(run: Callable[[], None]) -> None:
    """Run a function in a native thread that ends with the process, also under gevent. It must not use what gevent has
    patched (locks, sleeping, logging): that would make a hub of its own there."""
    if patched():
        from gevent import monkey

        monkey.get_original("_thread", "start_new_thread")(run, ())
    else:
        threading.Thread(target=run, daemon=True).start()


def beside_hub() -> Callable[..., Any] | None:
    """In a process of gevent's: what runs a function in a native thread, while the greenlet that asked waits and the
    others go on. None where threads are threads."""
    if not patched():
        return None
    from gevent import threadpool

    pool = threadpool.ThreadPool(1)

    def run(work: Callable[..., Any], *given: Any) -> Any:
        # With the caller's context: work may ask who is signed in.
        return pool.apply(contextvars.copy_context().run, (work, *given))

    return run


class _Gate:
    """Where a thread waits to be let go, once."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def get(self) -> None:
        """Wait."""
        self._lock.acquire()

    def switch(self, _value: object = None) -> None:
        """Let go."""
        self._lock.release()


class _Work:
    """One command that waits for its answer. `gate`: what its thread or greenlet waits at (gevent's Waiter has the
    same two verbs, and costs less than its lock)."""

    __slots__ = ("answer", "command", "gate", "tries")

    def __init__(self, command: Command, gate: Any) -> None:
        self.command = command
        self.answer: Any = LATER
        self.gate = gate
        self.tries = 0


class Batcher:
    """Carries out commands, many in one transaction. `turn`: held around each transaction (SQLite: one writer)."""

    def __init__(self, engine: sa.Engine, turn: Any, after_commit: Callable[[], None]) -> None:
        self._engine = engine
        self._turn = turn
        self._after_commit = after_commit
        self._starting = threading.Lock()
        self._asked: Any = None
        """What has queued up; None until the first command of this process starts the thread."""
        self._gate: Callable[[], Any] = _Gate
        self._deliver: Callable[[Sequence[_Work]], object] = self._let_go
        self._call: Beside | Here = Here()
        """Calls what may wait for SQLite or its disk."""
        self._known: set[str] = set()
        """What the connection of the batches on SQLite has been taught (SqliteBank)."""
        self._gather: Callable[[Any, list[Any]], None] = at_once
        self._held: Any = None
        """The connection of the batches, kept open."""
        self._bank: Any = None
        """Loads and stores on PostgreSQL's."""

    def __call__(self, command: Command) -> Any:
        """Done, or None when there was nobody to call, once it is committed. Raises what the command raised, or the
        database's error: then nothing of it remains (unless the connection broke in the commit itself; the same request
        id again tells)."""
        if self._asked is None:
            self._start()
        work = _Work(command, self._gate())
        self._asked.put(work)
        work.gate.get()
        if isinstance(work.answer, BaseException):
            raise work.answer
        return work.answer

    def _start(self) -> None:
        with self._starting:
            if self._asked is not None:
                return
            run = self._run
            if patched():
                from gevent import get_hub
                from gevent.hub import Waiter

                self._gate = Waiter
                loop = get_hub().loop
                # All are let go by the hub, one after the other, without a callback for each.
                self._deliver = lambda works: loop.run_callback(self._let_go, works)
                if self._turn is not None:
                    self._call = Beside(native_thread)
                    run = self._run_ahead
                else:
                    self._gather = Together()
            asked: Any = queue.SimpleQueue()
            threading.Thread(target=run, args=(asked,), name="writer", daemon=True).start()
            self._asked = asked

    def _run(self, asked: Any) -> None:
        """The writer's life."""
        left: list[_Work] = []
        while True:
            works = left or [asked.get()]
            self._gather(asked, works)
            left = self._carried(works)

    def _run_ahead(self, asked: Any) -> None:
        """The same on SQLite beside greenlets: while a batch is on its way to the disk the next is decided on."""
        left: list[_Work] = []
        while True:
            works = left or [asked.get()]
            self._gather(asked, works)
            batch = self._decided(works, None)
            left = [] if batch is not None else self._carried(works)
            while batch is not None:
                later = batch.later()
                left = [*later]
                self._gather(asked, left)
                try:
                    batch.store()
                    following = self._decided(left, batch) if left else None
                    batch.end()
                except BaseException as error:
                    # What the next has read through it is void, too: those people are asked for anew.
                    self._undo(error, batch.give_up)
                    left = [*self._carried(batch.works), *left[len(later) :]]
                    break
                self._deliver(batch.answered())
                if following is not None:
                    left = []
                batch = following

    def _decided(self, works: Sequence[_Work], behind: Batch | None) -> Batch | None:
        """A batch that has read and decided; None where something was wrong: then nothing was done."""
        batch = Batch(self._call, self._driver, self._turn, self._known, works, behind)
        try:
            batch.decide()
        except BaseException as error:
            if behind is None:
                self._undo(error, batch.give_up)
            return None
        return batch

    def _carried(self, works: Sequence[_Work]) -> list[_Work]:
        """Carry out, whatever happens, and let go who has an answer; those who have none yet."""
        try:
            self._carry(works)
        except BaseException as error:  # a bug: nobody may be left waiting for ever
            for work in works:
                if work.answer is LATER:
                    work.answer = error
        self._deliver([work for work in works if work.answer is not LATER])
        return [work for work in works if work.answer is LATER]

    def _let_go(self, works: Sequence[_Work]) -> None:
        self._after_commit()
        for work in works:
            work.gate.switch(None)

    def _carry(self, works: Sequence[_Work]) -> None:
        """One transaction; where the database refuses it, one for each command, tried again where that can help."""
        try:
            answers = self._transaction(works)
        except Exception as error:
            if len(works) > 1:
                for work in works:
                    self._carry([work])
                return
            work = works[0]
            work.tries += 1
            if not _again(error, work.tries):
                work.answer = error
                return
            self._carry(works)
            return
        for work, answer in zip(works, answers, strict=True):
            work.answer = answer

    def _transaction(self, works: Sequence[_Work]) -> list[Any]:
        if self._turn is not None:
            batch = Batch(self._call, self._driver, self._turn, self._known, works, None)
            try:
                batch.decide()
                batch.store()
                batch.end()
            except BaseException as error:
                self._undo(error, batch.give_up)
                raise
            return batch.answers
        self._driver()
        try:
            return carry_out(self._bank, [work.command for work in works])
        except BaseException as error:
            self._undo(error, self._bank.rollback)
            raise

    def _driver(self) -> Any:
        if self._held is None:
            held = self._engine.raw_connection()
            if self._engine.dialect.name == "postgresql":
                with driver_errors():
                    held.driver_connection.execute(HOT)  # type: ignore[union-attr]
                    held.driver_connection.commit()  # type: ignore[union-attr]
                self._bank = PostgresBank(held.driver_connection, commits=True)
            self._held = held
        return self._held.driver_connection

    def _undo(self, error: BaseException, give_up: Callable[[], None]) -> None:
        """Nothing of a transaction that broke remains; a connection that broke with it is opened anew the next time."""
        driver = self._held.driver_connection if self._held is not None else None
        self._known.clear()  # made within a transaction that broke, it is gone with it
        try:
            give_up()
        except DRIVERS:
            self._drop()
        forgotten = getattr(getattr(error, "orig", None), "sqlstate", None) == FORGOTTEN
        if forgotten or getattr(driver, "closed", False) or getattr(driver, "broken", False):
            self._drop()

    def _drop(self) -> None:
        held, self._held, self._bank = self._held, None, None
        if held is not None:
            with suppress(Exception):
                self._call(held.invalidate)  # behind what others have asked of it


def _again(error: Exception, tries: int) -> bool:
    """Whether the same command may fare better: after a deadlock, and once after a race for one request id or a
    connection that broke or was emptied (the request id keeps it from being done twice)."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state in RETRIED_STATES:
        return tries < RETRIES
    lost = state is None or state == FORGOTTEN or state.startswith(("08", "57P"))
    broken = isinstance(error, IntegrityError) or lost
    return broken and tries < 2
