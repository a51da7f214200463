"""The thread beside the server: the log is kept up to date every few seconds, and headquarters is tried, less and less
often while there is no line."""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from pathlib import Path
from typing import IO

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from fleet.calendar import local_day
from queueing.journal.facts import instant
from queueing.journal.marks import get_mark
from web.van.laptop import Laptop
from web.van.line import NoLine, Refused

LOG = logging.getLogger(__name__)
SEAL_S = 5.0
CONTACT_S = 30.0
"""How often headquarters is asked while the line holds."""
FIRST_WAIT_S, LONGEST_WAIT_S = 10.0, 300.0
LOCK = "van.lock"


class Loop:
    """Seals and syncs until stopped."""

    def __init__(self, laptop: Laptop, days: int = 1) -> None:
        self.laptop, self.days = laptop, days
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="van", daemon=True)
        self.wait_s = 0.0
        self._due = 0.0
        self._pull = False

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present step."""
        self._stop.set()
        self._wake.set()
        self._thread.join(10)

    def now(self, *, pull: bool = False) -> None:
        """Try at once, without waiting for the next turn; with `pull` as in the morning."""
        self._pull = self._pull or pull
        self._due = 0.0
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.step(time.monotonic())
            except SQLAlchemyError as error:
                LOG.warning("van: the database does not answer (%s)", type(error).__name__)
            except Exception:
                LOG.exception("van: this round failed; going on")
                self._due = time.monotonic() + FIRST_WAIT_S
            self._wake.wait(SEAL_S)
            self._wake.clear()

    def step(self, at: float) -> bool:
        """One round at `at` (any steady seconds): seal; when it is time, sync. True when headquarters answered."""
        if at < self._due:
            self.laptop.seal()
            return False
        try:
            self.laptop.sync(pull=self.days if self._pull or not self._pulled_today() else 0)
        except (NoLine, Refused) as error:
            self.wait_s = min(LONGEST_WAIT_S, max(FIRST_WAIT_S, self.wait_s * 2))
            self._due = at + self.wait_s
            if isinstance(error, Refused):
                LOG.warning("van: headquarters refuses: %s", error)
            return False
        self.wait_s, self._pull = 0.0, False
        self._due = at + CONTACT_S
        return True

    def _pulled_today(self) -> bool:
        pulled, contact = self.laptop.look(_marks)
        # Headquarters that was restored has forgotten the lease: it is asked for again.
        return (
            bool(pulled)
            and local_day(instant(pulled["at"])) == local_day(self.laptop.clock.now())
            and (not contact.get("lost_lease"))
        )


def _marks(session: Session) -> tuple[dict[str, int], dict[str, bool]]:
    return get_mark(session, "pulled"), get_mark(session, "contact")


def only_one(folder: Path) -> IO[str] | None:
    """The lock of the one process that speaks for this laptop; None when another one has it."""
    folder.mkdir(parents=True, exist_ok=True)
    stream = (folder / LOCK).open("a+")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.close()
        return None
    return stream


def start(app: Flask) -> Loop | None:
    """In a server of a van: know who we are, then run beside it. None where this is no van."""
    if not app.extensions["settings"].van:
        return None
    lock = only_one(app.extensions["settings"].data_dir)
    if lock is None:
        LOG.warning("van: another process speaks for this laptop; this one only serves pages")
        return None
    laptop: Laptop = app.extensions["laptop"]
    laptop.start()
    loop = Loop(laptop)
    app.extensions["van_loop"], app.extensions["van_lock"] = loop, lock
    loop.start()
    return loop
