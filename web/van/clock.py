"""The van's clock: the machine's, put right by headquarters' at each contact, and blind to being set in between.

Between contacts time runs with the ticks since boot, so that a wrongly set clock does not tear a day apart. Each
stretch in which it ran undisturbed is a segment with a name; times are written as this clock said them, and
headquarters adds what it measured for the segment.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from queueing.journal.accept import STRANGE_US, TRUE_WITHIN_US
from queueing.journal.facts import instant
from queueing.store import to_micros

NEVER_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
"""A machine that says less has lost its battery."""


def system_time() -> datetime:
    """What the machine says."""
    return datetime.now(UTC)


def ticks() -> float:
    """Seconds since boot, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class VanClock:
    """`now()` for the whole application. `last_us` and `offset_us` are what the identity file and the last contact
    remember."""

    def __init__(
        self,
        *,
        last_us: int = 0,
        offset_us: int = 0,
        system: Callable[[], datetime] = system_time,
        running: Callable[[], float] = ticks,
    ) -> None:
        self._system, self._running = system, running
        self.offset_us = offset_us
        """Headquarters' clock minus the machine's, as last measured."""
        begin = to_micros(system()) + offset_us
        self.why = "boot"
        if begin < last_us - TRUE_WITHIN_US or instant(begin) < NEVER_BEFORE:
            begin, self.why = max(last_us, begin), "went_back"
        self.contact_us: int | None = None
        self._anchor(begin)

    def _anchor(self, at_us: int) -> None:
        self._base_us, self._base_ticks = at_us, self._running()
        self.segment = secrets.token_hex(4)

    def now(self) -> datetime:
        """The van's time, UTC."""
        return instant(self._base_us) + timedelta(seconds=self._running() - self._base_ticks)

    @property
    def machine_is_off(self) -> bool:
        """Whether the machine's own clock says something else than this one by more than ten minutes."""
        return abs(to_micros(self._system()) + self.offset_us - to_micros(self.now())) > STRANGE_US

    def heard(self, office: datetime, *, may_leap: bool) -> int:
        """Headquarters said what time it is; returns by how much this clock was off, microseconds. It is put right at
        once, except by more than ten minutes while people stand in the line (`may_leap`): headquarters corrects those
        times."""
        off = to_micros(office) - to_micros(self.now())
        self.offset_us = to_micros(office) - to_micros(self._system())
        if abs(off) > TRUE_WITHIN_US and (may_leap or abs(off) <= STRANGE_US):
            self._anchor(to_micros(office))
            self.why = "contact"
        self.contact_us = to_micros(self.now())
        return off
