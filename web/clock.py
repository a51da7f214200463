"""What time it is: the real time, or the accelerated time of the demonstration.

Nothing below `web` reads a clock. Above it everything asks `now()`, so that a simulated day and a frozen test are one
mechanism. The demonstration's anchor stands in the settings table, set anew with every tick of the process that runs
the simulated day; the other processes read it a few times a second. When that process falls behind or ends, time waits
for it: a screen never shows a minute that has not been played.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy.exc import SQLAlchemyError

from fleet.simulation.clock import DemoClock

KEY = "demo_clock"
PATIENCE = timedelta(seconds=2)
"""Real time for which the clock runs on without a new anchor."""
READ_S = 0.4
"""Real seconds between two looks at the anchor."""


def shown(anchor: DemoClock, real: datetime) -> datetime:
    """What the demonstration's clock shows at the real instant `real`: from its anchor on, for PATIENCE at the most."""
    return anchor.at(min(real, anchor.real + PATIENCE))


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """The real instant, UTC."""
        return datetime.now(UTC)


class SimulatedClock:
    """The demonstration's time, from the anchor that `load` reads (None before the demonstration is prepared)."""

    def __init__(self, load: Callable[[], dict[str, Any] | None]) -> None:
        self._load = load
        self._read_at: float | None = None
        self._anchor: DemoClock | None = None

    def now(self) -> datetime:
        """The simulated instant, UTC; the real one while no demonstration has been started."""
        if self._read_at is None or time.monotonic() - self._read_at > READ_S:
            self._read_at = time.monotonic()
            # While the database does not answer, the last anchor holds: the page that says so needs a time, too.
            with suppress(SQLAlchemyError):
                stored = self._load()
                self._anchor = DemoClock.from_dict(stored) if stored else None
        real = datetime.now(UTC)
        return shown(self._anchor, real) if self._anchor else real


def now() -> datetime:
    """The product's time in the current application, UTC."""
    return current_app.extensions["clock"].now()  # type: ignore[no-any-return]
