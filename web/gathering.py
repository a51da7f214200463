"""Which commands make up a batch: what is there, or what comes within a moment.

A transaction on PostgreSQL costs the machine as much as handling five requests, so under load it pays to let those that
are on their way join. Nobody waits who is alone.
"""

from __future__ import annotations

import time
from contextlib import suppress
from queue import Empty
from typing import Any

MOST = 64
"""Commands in one transaction: what the first of them waits for the last is some milliseconds."""


def at_once(asked: Any, batch: list[Any]) -> None:
    """Add what has queued up, for a writer beside which others go on: the next batch queues up by itself."""
    with suppress(Empty):
        while len(batch) < MOST:
            batch.append(asked.get_nowait())


class Together:
    """For a writer that is a greenlet among those it serves: what comes within `PACE_S` of the batch before joins this
    one, unless as many are there as have lately come at one time, or `ENOUGH`.

    One client, or a few that wait for their answers, are as many as lately: they are not held up. Under load the
    transactions become fewer and larger.
    """

    PACE_S = 0.015
    ENOUGH = 10
    """From here on a larger batch saves little."""
    FADES = 0.97
    """What is left of the largest batch lately with each that is smaller."""
    READ_S = 0.005
    """How long it lets the others go on that have something to read."""

    def __init__(self) -> None:
        self._lately = 1.0
        self._began = 0.0

    def __call__(self, asked: Any, batch: list[Any]) -> None:
        """Add to a batch that has its first."""
        import gevent

        until = self._began + self.PACE_S
        wanted = min(self.ENOUGH, round(self._lately))
        with suppress(Empty):
            while len(batch) < wanted and (rest := until - time.perf_counter()) > 0:
                batch.append(asked.get(timeout=rest))
        # Every greenlet that can go on does so first: what has arrived is read, and joins.
        with gevent.Timeout(self.READ_S, False):
            gevent.idle()
        self._began = time.perf_counter()
        at_once(asked, batch)
        self._lately = max(float(len(batch)), self._lately * self.FADES)
