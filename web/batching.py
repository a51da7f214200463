"""Group commit: what many requests ask of queues at one moment is carried out in one transaction and committed once.

Whoever comes first leads: it takes what has queued up (its own command first), carries it out on one ledger, commits, lets
the others go with their answers, and hands the lead to the first of those who have come meanwhile. Nobody waits for a timer,
one command alone costs one transaction, and the more come at once the less each costs. An answer is given after the commit,
never before.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from queueing.engine import DRIVERS, RETRIED_STATES, RETRIES, driver_errors
from queueing.postgres_bank import HOT
from queueing.turn import LATER, Command, bank_on, carry_out

MOST = 64
"""Commands in one transaction: what the first of them waits for the last is some milliseconds."""


class _Work:
    """One command that waits for its answer."""

    __slots__ = ("answer", "answered", "command", "gate", "tries")

    def __init__(self, command: Command) -> None:
        self.command = command
        self.answer: Any = None
        self.answered = False
        self.gate = threading.Lock()
        self.gate.acquire()
        self.tries = 0


class Batcher:
    """Carries out commands, many in one transaction. `turn`: held around each transaction (SQLite: one writer)."""

    def __init__(self, engine: sa.Engine, turn: Any, after_commit: Callable[[], None]) -> None:
        self._engine = engine
        self._turn = turn
        self._after_commit = after_commit
        self._mutex = threading.Lock()
        self._waiting: deque[_Work] = deque()
        self._leading = False
        self._held: Any = None
        """The connection of the batches, kept open: only the leader uses it."""

    def __call__(self, command: Command) -> Any:
        """Done, or None when there was nobody to call, once it is committed. Raises what the command raised, or the
        database's error: then nothing of it remains (unless the connection broke in the commit itself; the same request
        id again tells)."""
        work = _Work(command)
        with self._mutex:
            self._waiting.append(work)
            leads = not self._leading
            self._leading = True
        if not leads:
            work.gate.acquire()
        if not work.answered:
            self._lead(work)
        if isinstance(work.answer, BaseException):
            raise work.answer
        return work.answer

    def _lead(self, own: _Work) -> None:
        """Carry out batches until one's own command has its answer; then somebody else leads."""
        while not own.answered:
            with self._mutex:
                batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            try:
                self._carry(batch)
            except BaseException as error:  # a bug or the process ending: nobody may be left waiting for ever
                for work in batch:
                    self._answer(work, error)
                self._pass_on(own, batch)
                raise
            self._pass_on(own, batch)

    def _pass_on(self, own: _Work, batch: Sequence[_Work]) -> None:
        with self._mutex:
            self._waiting.extendleft(work for work in reversed(batch) if not work.answered)
            follower = None
            if own.answered:
                follower = self._waiting[0] if self._waiting else None
                self._leading = follower is not None
        for work in batch:
            if work.answered and work is not own:
                work.gate.release()
        if follower is not None:
            follower.gate.release()

    def _carry(self, batch: Sequence[_Work]) -> None:
        """One transaction; where the database refuses it, one for each command, tried again where that can help."""
        try:
            answers = self._transaction([work.command for work in batch])
        except Exception as error:
            if len(batch) > 1:
                for work in batch:
                    self._carry([work])
                return
            work = batch[0]
            work.tries += 1
            if not _again(error, work.tries):
                self._answer(work, error)
                return
            self._carry(batch)
            return
        for work, answer in zip(batch, answers, strict=True):
            if answer is not LATER:
                self._answer(work, answer)
        self._after_commit()

    def _transaction(self, commands: Sequence[Command]) -> list[Any]:
        if self._turn is None:
            return self._committed(commands)
        with self._turn:
            return self._committed(commands)

    def _committed(self, commands: Sequence[Command]) -> list[Any]:
        driver = self._driver()
        try:
            if self._engine.dialect.name == "sqlite":
                with driver_errors():
                    driver.execute("BEGIN IMMEDIATE")
            return carry_out(bank_on(self._engine.dialect.name, driver, commits=True), commands)
        except BaseException as error:
            self._undo(driver, error)
            raise

    def _driver(self) -> Any:
        if self._held is None:
            held = self._engine.raw_connection()
            if self._engine.dialect.name == "postgresql":
                with driver_errors():
                    held.driver_connection.execute(HOT)  # type: ignore[union-attr]
                    held.driver_connection.commit()  # type: ignore[union-attr]
            self._held = held
        return self._held.driver_connection

    def _undo(self, driver: Any, error: BaseException) -> None:
        """Nothing of a transaction that broke remains; a connection that broke with it is opened anew the next time."""
        try:
            driver.rollback()
        except DRIVERS:
            self._drop()
        if getattr(driver, "closed", False) or getattr(driver, "broken", False):
            self._drop()

    def _drop(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            with suppress(Exception):
                held.invalidate()

    @staticmethod
    def _answer(work: _Work, answer: Any) -> None:
        work.answer = answer
        work.answered = True


def _again(error: Exception, tries: int) -> bool:
    """Whether the same command may fare better: after a deadlock, and once after a race for one request id or a connection
    that broke (the request id keeps it from being done twice)."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state in RETRIED_STATES:
        return tries < RETRIES
    broken = isinstance(error, IntegrityError) or state is None or state.startswith(("08", "57P"))
    return broken and tries < 2
