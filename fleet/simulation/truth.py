"""What really drives demand in the simulated country: known to the simulation alone. Pure, seeded.

A forecast that could read this would be checked against itself, so nothing outside this package may
import it (a test holds that) and nothing of it is stored. Everything follows from (seed, key, day):
history and live day continue each other. Shapes and sizes: months differ by 40% at one center (Port Said,
2025), population alone errs by 40-60%, salaries are paid on the 24th, one-off campaigns bring days of
double demand.
"""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass
from datetime import date

BLOCK_DAYS = 56
"""Shocks and knots of the slow drift are drawn once per block of eight weeks."""
LEVEL_SIGMA = 0.26
"""Spread (log scale) of a site's true level around population x requests per person."""
DAY_CV = 0.09
"""Day-to-day spread of demand beyond Poisson."""
PAYDAY = 24


@dataclass(frozen=True, slots=True)
class Shock:
    """Some days on which demand is `factor` times the usual."""

    first: int
    last: int
    factor: float


@dataclass(frozen=True, slots=True)
class SiteTruth:
    """The hidden demand of one site."""

    seed: int
    key: str
    level: float
    weekday: tuple[float, ...]
    """The site's own factors from Saturday to Friday, beyond those that all sites share."""
    payday: float
    morning: float
    """Tilt of the day: positive brings people earlier, in log units from the first to the last hour."""

    def factor(self, day: date) -> float:
        """How many times the plain expectation comes on `day` (level, weekday, drift, payday, shocks,
        noise)."""
        number = day.toordinal()
        value = self.level * self.weekday[(day.weekday() + 2) % 7] * math.exp(self._drift(number))
        if 0 <= day.day - PAYDAY <= 3:
            value *= self.payday
        for scope in (self.key, "national"):
            for shock in shocks(self.seed, scope, number // BLOCK_DAYS):
                if shock.first <= number <= shock.last:
                    value *= shock.factor
        noise = stream(self.seed, self.key, "noise", number)
        return value * noise.gammavariate(1 / DAY_CV**2, DAY_CV**2)

    def _drift(self, number: int) -> float:
        block, within = divmod(number, BLOCK_DAYS)
        a, b = (stream(self.seed, self.key, "knot", block + i).gauss(0.0, 0.07) for i in (0, 1))
        return a + (b - a) * within / BLOCK_DAYS


def stream(seed: int, *key: object) -> random.Random:
    """A generator of its own for each key, so that no result depends on the order of the work."""
    text = ":".join(map(str, (seed, *key)))
    return random.Random(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big"))


def site_truth(seed: int, key: str) -> SiteTruth:
    """The truth of the site with code `key`."""
    draw = stream(seed, key, "site")
    weekday = tuple(draw.gauss(1.0, 0.07) for _ in range(7))
    return SiteTruth(
        seed=seed,
        key=key,
        level=math.exp(draw.gauss(-(LEVEL_SIGMA**2) / 2, LEVEL_SIGMA)),
        weekday=weekday,
        payday=1.0 + draw.uniform(0.05, 0.30),
        morning=draw.gauss(0.15, 0.25),
    )


def shocks(seed: int, scope: str, block: int) -> tuple[Shock, ...]:
    """One or two dated shocks of a site in a block of eight weeks; one, weaker and longer, of the whole
    country."""
    draw = stream(seed, scope, "shock", block)
    national = scope == "national"
    found = []
    for _ in range(1 if national else draw.choice((1, 1, 2))):
        first = block * BLOCK_DAYS + draw.randrange(BLOCK_DAYS - 7)
        days = draw.randint(4, 7) if national else draw.randint(2, 5)
        found.append(
            Shock(first, first + days - 1, draw.uniform(1.1, 1.25) if national else draw.uniform(1.2, 1.6))
        )
    return tuple(found)
