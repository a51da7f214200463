"""What simulated citizens say of their service: a few rate it, the less kindly the longer they waited. Pure.

No source tells how many would rate or how; the shares here are assumptions, chosen like the answers that surveys at
counters usually get (most people kind, the long waits not).
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple
from zlib import crc32

RATES = 0.08
"""Share of the served who press one of the five faces."""
KIND = (0.02, 0.02, 0.08, 0.3, 0.58)
"""Scores 1 to 5 of somebody who was called at once."""
CROSS = (0.3, 0.25, 0.25, 0.15, 0.05)
"""And of somebody who waited `LONG_S` or more; between them, in proportion."""
LONG_S = 5400.0
LATER_S = (20.0, 1200.0)
"""How long after the service they say so."""


class Opinion(NamedTuple):
    """A rating to come: seconds after the service, score, what it is about (may be empty)."""

    after_s: float
    score: int
    reason: str


def opinion(key: str, waited_s: float) -> Opinion | None:
    """What the holder of the ticket `key` says after waiting so long; None for the many who say nothing."""
    if crc32(key.encode()) % 10_000 >= RATES * 10_000:
        return None
    draw = Random(key)
    cross = min(1.0, max(0.0, waited_s / LONG_S))
    weights = [kind + cross * (other - kind) for kind, other in zip(KIND, CROSS, strict=True)]
    (score,) = draw.choices((1, 2, 3, 4, 5), weights)
    reason = ""
    if score <= 3:
        reason = draw.choice(
            ("wait", "wait", "staff", "papers", "system") if cross > 0.3 else ("papers", "staff", "place")
        )
    return Opinion(draw.uniform(*LATER_S), score, reason)
