"""When to stop, and telling the caller how far the solve is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

Progress = Callable[[dict[str, Any]], None]
Stop = Callable[[], bool]


class Clock:
    """The limits of one solve: wall seconds, pricing iterations, and the caller's stop button."""

    def __init__(
        self,
        seconds: float | None = None,
        iterations: int | None = None,
        progress: Progress | None = None,
        stop: Stop | None = None,
    ) -> None:
        self.began = time.monotonic()
        self.seconds = seconds
        self.iterations = iterations
        self.iteration = 0
        self._progress = progress
        self._stop = stop
        self._stopped = False

    @property
    def elapsed(self) -> float:
        """Seconds since the solve began."""
        return time.monotonic() - self.began

    @property
    def left(self) -> float:
        """Seconds that remain, infinite without a limit in seconds."""
        return float("inf") if self.seconds is None else self.seconds - self.elapsed

    @property
    def stopped(self) -> bool:
        """Whether the caller asked to stop; stays true once seen."""
        if not self._stopped and self._stop is not None and self._stop():
            self._stopped = True
        return self._stopped

    def over(self, reserve: float = 0.0) -> bool:
        """Whether work must end now, `reserve` seconds being needed for what follows."""
        return self.stopped or self.left <= reserve

    def report(self, phase: str, objective: int | None, bound: int | None) -> None:
        """Tell the caller where the solve stands."""
        if self._progress is None:
            return
        gap = None
        if objective is not None and bound is not None:
            gap = round((bound - objective) / max(1, abs(bound)), 6)
        self._progress(
            {
                "elapsed": round(self.elapsed, 3),
                "phase": phase,
                "objective": objective,
                "bound": bound,
                "gap": gap,
            }
        )
