"""Batches on SQLite under gevent: what the next one will read is read, and decided on, while the one before is on its
way to the disk.

SQLite writes one transaction after the other, and each ends with a flush that takes longer than all the rest. One
native thread takes the steps of all batches in the order in which they are asked for, on one connection:

    begin, store A | read for B | commit A (the flush) | begin, store B | read for C | commit B ...

So B reads what A has written before anybody else can, and is decided on, in Python, while A is flushed. Nothing is
answered before its own commit. What B has read holds if A's commit succeeds and nobody else wrote in between; SQLite
knows (`PRAGMA data_version`, looked at again once B's transaction has begun and nobody can write any more: the bank's
store refuses). If not, B is carried out anew, with its transaction begun before it reads.
"""

from __future__ import annotations

import _queue
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from queueing.engine import driver_errors
from queueing.ledger import Ledger
from queueing.sqlite_bank import SqliteBank
from queueing.turn import LATER, decide, prepare

Steps = Callable[[], list[list[Any]]]


class Overtaken(Exception):
    """What was read ahead does not hold: nothing was done, all must be done anew."""


class Beside:
    """Calls functions in one native thread, in their order, while the greenlet that asks waits and the others go on.

    Lighter than gevent's pool: what crosses is a call and its result. `native`: starts a native thread.
    """

    def __init__(self, native: Callable[[Callable[[], None]], None]) -> None:
        from gevent import get_hub
        from gevent.hub import Waiter

        self._waiter = Waiter
        self._asked: Any = _queue.SimpleQueue()  # the interpreter's own: gevent's would wait in a hub
        self._done: deque[tuple[Any, Any, BaseException | None]] = deque()
        self._watcher = get_hub().loop.async_()
        self._watcher.start(self._arrived)
        native(self._run)

    def __call__(self, work: Callable[..., Any], *given: Any) -> Any:
        """What `work(*given)` gives, or raises, there."""
        return self.end(self.start(work, *given))

    def start(self, work: Callable[..., Any], *given: Any) -> Any:
        """Have it called; `end` waits for it."""
        waiter = self._waiter()
        self._asked.put((waiter, work, given))
        return waiter

    @staticmethod
    def end(started: Any) -> Any:
        """What it gave, or raised."""
        result, error = started.get()
        if error is not None:
            raise error
        return result

    def send(self, work: Callable[..., Any], *given: Any) -> None:
        """Have it called; nobody waits for what it gives or raises."""
        self._asked.put((None, work, given))

    def _run(self) -> None:
        while True:
            waiter, work, given = self._asked.get()
            result, failed = None, None
            try:
                result = work(*given)
            except BaseException as error:
                failed = error
            if waiter is not None:
                self._done.append((waiter, result, failed))
                self._watcher.send()
            del waiter, work, given, result, failed

    def _arrived(self) -> None:
        while self._done:
            waiter, result, error = self._done.popleft()
            waiter.switch((result, error))


class Here:
    """The same where nobody else is to go on meanwhile: here and now."""

    def __call__(self, work: Callable[..., Any], *given: Any) -> Any:
        """What `work(*given)` gives, or raises."""
        return work(*given)

    def start(self, work: Callable[..., Any], *given: Any) -> Any:
        """Call it; `end` says what came of it."""
        try:
            return work(*given), None
        except BaseException as error:
            return None, error

    def send(self, work: Callable[..., Any], *given: Any) -> None:
        """Call it, whatever comes of it."""
        self.start(work, *given)

    @staticmethod
    def end(started: Any) -> Any:
        """What it gave, or raised."""
        result, error = started
        if error is not None:
            raise error
        return result


class Transaction:
    """A writer's transaction with its turn among writers. All methods but `failed` are called where statements are
    taken. It is begun by its first statement and ended by `commit`, or by the first that fails."""

    def __init__(self, driver: Any, turn: Any) -> None:
        self._driver, self._turn = driver, turn
        self.failed: BaseException | None = None
        self._beyond: Exception | None = None
        self._begun = False

    def take(self, steps: Steps) -> list[list[Any]]:
        """Statements within the transaction. What they raise is raised by its commit, too."""
        try:
            self._begin()
            return steps()
        except BaseException as error:
            self._break(error)
            raise

    def look(self, steps: Steps) -> list[list[Any]]:
        """What the transaction behind this one reads, before this one's commit where it can be."""
        if self.failed is not None:
            raise Overtaken
        return steps()

    def commit(self) -> None:
        """The end."""
        if self.failed is not None:
            raise self.failed
        if not self._begun:
            return
        try:
            self._driver.execute("COMMIT")
        except BaseException as error:
            self._break(error)
            raise
        self._end()

    def give_up(self) -> None:
        """Nothing of it remains. Raises the driver's error where the connection is beyond use."""
        self._break(Overtaken())
        if self._beyond is not None:
            raise self._beyond

    def _break(self, error: BaseException) -> None:
        self.failed = self.failed or error
        if self._begun:
            try:
                self._driver.rollback()
            except Exception as beyond:
                self._beyond = beyond
            finally:
                self._end()

    def _begin(self) -> None:
        if self._begun:
            return
        self._turn.__enter__()
        self._begun = True
        self._driver.execute("BEGIN IMMEDIATE")

    def _end(self) -> None:
        self._begun = False
        self._turn.__exit__(None, None, None)


class Batch:
    """What some people (`works`, each with its `command`) want, carried out together. `driver`: gives the connection.
    `behind`: the batch before, whose transaction has not ended yet: what this one reads is read through it, and its
    commit is sent on its way right behind the first look."""

    def __init__(
        self,
        beside: Beside | Here,
        driver: Callable[[], Any],
        turn: Any,
        known: set[str],
        works: Sequence[Any],
        behind: Batch | None,
    ) -> None:
        self._beside, self._driver, self._turn, self._known = beside, driver, turn, known
        self.works, self._behind = list(works), behind
        self.answers: list[Any] = []
        self._transaction: Transaction | None = None
        self._bank: SqliteBank
        self._ledger: Ledger
        self._commit: Any = None
        """Its end, once it is on its way."""

    def decide(self) -> None:
        """Read and decide. Raises the database's error, or Overtaken."""
        driver = self._driver()
        self._transaction = Transaction(driver, self._turn)
        self._bank = SqliteBank(driver, way=self._reads, known=self._known)
        commands = [work.command for work in self.works]
        self._ledger, asked = prepare(self._bank, commands)
        self.answers = decide(self._ledger, commands, asked)

    def later(self) -> list[Any]:
        """Those who could not stand in this batch."""
        return [work for work, answer in zip(self.works, self.answers, strict=True) if answer is LATER]

    def answered(self) -> list[Any]:
        """The others, with their answers. Only once it has ended."""
        for work, answer in zip(self.works, self.answers, strict=True):
            work.answer = answer
        return [work for work in self.works if work.answer is not LATER]

    def store(self) -> None:
        """Send on its way what has changed; `end` waits for it."""
        self._behind = None
        self._bank.way = self._writes
        self._ledger.store()

    def commit(self) -> None:
        """Send the end on its way, once."""
        if self._commit is None:
            self._commit = self._beside.start(self._mine.commit)

    def end(self) -> None:
        """Wait until it is on the disk. Raises the database's error, or Overtaken: then nothing of it remains."""
        self.commit()
        with driver_errors():
            self._beside.end(self._commit)

    def give_up(self) -> None:
        """Nothing of it remains. Raises the driver's error where the connection is beyond use."""
        if self._transaction is not None:
            self._beside(self._transaction.give_up)

    @property
    def _mine(self) -> Transaction:
        assert self._transaction is not None
        return self._transaction

    def _reads(self, steps: Steps) -> list[list[Any]]:
        before = self._behind
        if before is None:
            rows: list[list[Any]] = self._beside(self._mine.take, steps)
            return rows
        started = self._beside.start(before._mine.look, steps)
        before.commit()
        looked: list[list[Any]] = self._beside.end(started)
        return looked

    def _writes(self, steps: Steps) -> list[list[Any]]:
        self._beside.send(self._mine.take, steps)
        return []
