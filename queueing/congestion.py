"""How crowded a place is, in five levels that can be said in a sentence. Pure.

The level of an hour is decided by those who came in it: what share of them waited more than half an hour?

    0 calm       fewer than 1 in 20
    1 moderate   from 1 in 20
    2 busy       from 1 in 5
    3 crowded    from 1 in 2
    4 severe     from 7 in 10

An hour in which more work arrives than the staffed desks can do (offered load above `OVERLOAD` of them) is at
least busy: the wait is still growing. In small hours single people would decide, so `FEW` calm arrivals are
added when fewer came.

A forecast knows the mean wait, not each person's. Waits are close to exponential (exactly so in a full M/M/c
queue), so the share is exp(-30 minutes / mean): the same levels begin at mean waits of 10, 19, 43 and 84
minutes.
"""

from __future__ import annotations

import math

CALM, MODERATE, BUSY, CROWDED, SEVERE = range(5)
NAMES = ("calm", "moderate", "busy", "crowded", "severe")
LONG_WAIT_S = 30 * 60
"""A long wait: what `QueueHour.wait_over` counts."""
SHARES = (0.05, 0.2, 0.5, 0.7)
"""From which share of long waits each level above calm begins."""
OVERLOAD = 1.1
FEW = 4
FINAL_AT_END = 0.90
"""Share of hours that have their final level when they end (`evaluate levels`, docs/benchmarks.md)."""


def offered_load(arrivals: float, mean_service_s: float, hours: float = 1.0) -> float:
    """Erlangs: how many desks the arrivals of so many hours keep busy."""
    return arrivals * mean_service_s / (3600.0 * hours)


def level_of(wait_over: float, arrivals: float, load: float, desks: float) -> int:
    """Level of a measured hour: `wait_over` of `arrivals` people waited long, `load` erlangs met `desks`
    desks."""
    return _level(wait_over / max(arrivals, FEW) if arrivals > 0 else 0.0, load, desks)


def expected_level(mean_wait_s: float, load: float, desks: float) -> int:
    """Level of an hour of which only the mean wait is known or forecast."""
    return _level(long_share(mean_wait_s), load, desks)


def long_share(mean_wait_s: float) -> float:
    """Share of long waits among exponential waits of this mean."""
    return math.exp(-LONG_WAIT_S / mean_wait_s) if mean_wait_s > 0 else 0.0


def _level(share: float, load: float, desks: float) -> int:
    level = sum(share >= limit for limit in SHARES)
    overloaded = load > OVERLOAD * desks and load > 0
    return max(level, BUSY) if overloaded else level
