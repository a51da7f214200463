"""A bound on how many tickets one address takes by phone: a prankster must not fill a village's line.

Generous, because a whole village may reach us through one address of its mobile operator; staff and kiosks are not
bound by it. Kept in the process: with several processes the bound is that many times higher, which still bounds.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

TICKETS, WINDOW_S = 20, 600.0
"""Tickets of one queue for one address, and within how many seconds."""
REMEMBERED = 10_000


class Limiter:
    """Counts events per key within a sliding window."""

    def __init__(
        self, most: int = TICKETS, window_s: float = WINDOW_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._window, self._clock = most, window_s, clock
        self._seen: OrderedDict[Hashable, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def full(self, key: Hashable) -> bool:
        """Whether `key` has used up its share for now."""
        with self._lock:
            return len(self._recent(key)) >= self._most

    def count(self, key: Hashable) -> None:
        """One more for `key`."""
        with self._lock:
            self._recent(key).append(self._clock())

    def _recent(self, key: Hashable) -> deque[float]:
        times = self._seen.setdefault(key, deque())
        self._seen.move_to_end(key)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        while times and times[0] < self._clock() - self._window:
            times.popleft()
        return times
