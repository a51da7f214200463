"""What time it is: the real time, or the accelerated time of the demonstration.

Nothing below `web` reads a clock. Above it everything asks `now()`, so that a simulated day and a frozen test are one
mechanism. The demonstration's clock is three numbers in the settings table, moved on by the process that runs the
simulated day; every process reads them again at most once a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from flask import current_app

KEY = "demo_clock"


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """The real instant, UTC."""
        return datetime.now(UTC)


class DemoClock:
    """Simulated time: `sim + (real - anchor) x speed`, with the anchor kept in the database."""

    def __init__(self, load: Callable[[], dict[str, object] | None]) -> None:
        self._load = load
        self._read_at = -10.0
        self._anchor: tuple[datetime, datetime, float] | None = None

    def now(self) -> datetime:
        """The simulated instant, UTC; the real one while no demonstration has been started."""
        if time.monotonic() - self._read_at > 1.0:
            self._read_at = time.monotonic()
            self._anchor = parse_anchor(self._load())
        real = datetime.now(UTC)
        if self._anchor is None:
            return real
        at_real, at_sim, speed = self._anchor
        return at_sim + timedelta(seconds=(real - at_real).total_seconds() * speed)


def parse_anchor(value: dict[str, object] | None) -> tuple[datetime, datetime, float] | None:
    """(real instant, simulated instant, speed) out of the stored setting; None where there is none."""
    if not value:
        return None
    real, sim = (datetime.fromisoformat(str(value[k])) for k in ("real", "sim"))
    return real, sim, float(str(value["speed"]))


def anchor(real: datetime, sim: datetime, speed: float) -> dict[str, object]:
    """The stored form of a demonstration clock."""
    return {"real": real.isoformat(), "sim": sim.isoformat(), "speed": speed}


def now() -> datetime:
    """The product's time in the current application, UTC."""
    return current_app.extensions["clock"].now()  # type: ignore[no-any-return]
