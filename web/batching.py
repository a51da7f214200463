"""Group commit: what many requests ask of queues at one moment is carried out in one transaction and committed once.

One thread of each process writes. It takes what has queued up, carries it out on one ledger, commits, lets the
requests go with their answers, and takes what has come meanwhile (on PostgreSQL under load also what comes within a
moment: web/gathering.py). One command alone costs one transaction, and the more come at once the less each costs. An
answer is given after the commit, never before.

Under gevent the thread is a greenlet. On PostgreSQL it waits together with the others in psycopg; on SQLite its
statements are taken in a native thread, so that a flush to the disk does not stop the greenlets, while everything that
is decided is decided here: two threads with work in Python take the interpreter's lock and each other's caches all the
time, which made each of them twice as slow.
"""

from __future__ import annotations

import _queue
import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from queueing.engine import DRIVERS, RETRIED_STATES, RETRIES, driver_errors
from queueing.postgres_bank import HOT, PostgresBank
from queueing.sqlite_bank import SqliteBank
from queueing.turn import LATER, Command, carry_out
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


class Beside:
    """Calls functions in one native thread, in their order, while the greenlet that asks waits and the others go on.

    Lighter than gevent's pool: what crosses is a call and its result.
    """

    def __init__(self) -> None:
        from gevent import get_hub
        from gevent.hub import Waiter

        self._waiter = Waiter
        self._asked: Any = _queue.SimpleQueue()  # the interpreter's own: gevent's would wait in a hub
        self._done: deque[tuple[Any, Any, BaseException | None]] = deque()
        self._watcher = get_hub().loop.async_()
        self._watcher.start(self._arrived)
        native_thread(self._run)

    def __call__(
        self, work: Callable[..., Any], *given: Any, before: Callable[[], None] | None = None
    ) -> Any:
        """What `work(*given)` gives, or raises, there. `before`: called here once it is on its way."""
        waiter = self._waiter()
        self._asked.put((waiter, work, given))
        if before is not None:
            before()
        result, error = waiter.get()
        if error is not None:
            raise error
        return result

    def _run(self) -> None:
        while True:
            waiter, work, given = self._asked.get()
            try:
                self._done.append((waiter, work(*given), None))
            except BaseException as error:
                self._done.append((waiter, None, error))
            del waiter, work, given
            self._watcher.send()

    def _arrived(self) -> None:
        while self._done:
            waiter, result, error = self._done.popleft()
            waiter.switch((result, error))


def _here(work: Callable[..., Any], *given: Any, before: Callable[[], None] | None = None) -> Any:
    return work(*given)


class _Transaction:
    """A writer's transaction of SQLite with its turn among writers, begun by its first statement, ended by its last or
    by the first that fails. `leaving`: called when the last is on its way: whatever is asked of the connection from
    then on comes behind it."""

    def __init__(self, driver: Any, turn: Any, call: Callable[..., Any], leaving: Callable[[], None]) -> None:
        self._driver, self._turn, self._call, self._leaving = driver, turn, call, leaving
        self._begun = False

    def way(self, steps: Callable[[], Any], *, last: bool) -> Any:
        """As `queueing.sqlite_bank.Way`."""
        return self._call(self._taken, steps, last, before=self._leaving if last else None)

    def _taken(self, steps: Callable[[], Any], last: bool) -> Any:
        try:
            if not self._begun:
                self._turn.__enter__()
                self._begun = True
                self._driver.execute("BEGIN IMMEDIATE")
            rows = steps()
            if last:
                self._end()
        except BaseException:
            self._given_up()
            raise
        return rows

    def give_up(self) -> None:
        """Nothing of it remains. Raises the driver's error where the connection is beyond use."""
        if self._begun:
            self._call(self._given_up)

    def _given_up(self) -> None:
        if self._begun:
            try:
                self._driver.rollback()
            finally:
                self._end()

    def _end(self) -> None:
        self._begun = False
        self._turn.__exit__(None, None, None)


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


class _Baton:
    """Whose the connection is: a writer holds it from the first statement of its batch to the last."""

    __slots__ = ("_held", "_lock")

    def __init__(self, lock: threading.Lock) -> None:
        self._lock, self._held = lock, False

    def take(self) -> None:
        """Wait for it, unless it is here."""
        if not self._held:
            self._lock.acquire()
            self._held = True

    def leave(self) -> None:
        """Let the other writer begin."""
        if self._held:
            self._held = False
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
        self._call: Callable[..., Any] = _here
        """Calls what may wait for SQLite or its disk."""
        self._writers = 1
        self._connection = threading.Lock()
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
            if patched():
                from gevent import get_hub
                from gevent.hub import Waiter

                self._gate = Waiter
                loop = get_hub().loop
                # All are let go by the hub, one after the other, without a callback for each.
                self._deliver = lambda works: loop.run_callback(self._let_go, works)
                if self._turn is not None:
                    # Two: one batch is loaded and decided on as soon as the other is on its way to the disk.
                    self._call, self._writers = Beside(), 2
                else:
                    self._gather = Together()
            asked: Any = queue.SimpleQueue()
            for _ in range(self._writers):
                threading.Thread(target=self._run, args=(asked,), name="writer", daemon=True).start()
            self._asked = asked

    def _run(self, asked: Any) -> None:
        """A writer's life."""
        left: list[_Work] = []
        baton = _Baton(self._connection)
        while True:
            batch = left or [asked.get()]
            baton.take()  # not before: who waits for somebody to come must not keep the other from trying again
            self._gather(asked, batch)
            try:
                self._carry(batch, baton)
            except BaseException as error:  # a bug: nobody may be left waiting for ever
                for work in batch:
                    if work.answer is LATER:
                        work.answer = error
            left = [work for work in batch if work.answer is LATER]
            self._deliver([work for work in batch if work.answer is not LATER])

    def _let_go(self, works: Sequence[_Work]) -> None:
        self._after_commit()
        for work in works:
            work.gate.switch(None)

    def _carry(self, batch: Sequence[_Work], baton: _Baton) -> None:
        """One transaction; where the database refuses it, one for each command, tried again where that can help."""
        try:
            answers = self._transaction([work.command for work in batch], baton)
        except Exception as error:
            if len(batch) > 1:
                for work in batch:
                    self._carry([work], baton)
                return
            work = batch[0]
            work.tries += 1
            if not _again(error, work.tries):
                work.answer = error
                return
            self._carry(batch, baton)
            return
        for work, answer in zip(batch, answers, strict=True):
            work.answer = answer

    def _transaction(self, commands: Sequence[Command], baton: _Baton) -> list[Any]:
        baton.take()
        try:
            driver = self._driver()
            bank: Any
            if self._turn is not None:
                one = _Transaction(driver, self._turn, self._call, baton.leave)
                bank, give_up = SqliteBank(driver, commits=True, way=one.way), one.give_up
            else:
                bank, give_up = self._bank, self._bank.rollback
            try:
                return carry_out(bank, commands)
            except BaseException as error:
                self._undo(driver, error, give_up)
                raise
        finally:
            baton.leave()

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

    def _undo(self, driver: Any, error: BaseException, give_up: Callable[[], None]) -> None:
        """Nothing of a transaction that broke remains; a connection that broke with it is opened anew the next time."""
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
