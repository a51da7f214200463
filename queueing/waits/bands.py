"""Bands that hold the share they promise: the shortest of a distribution, corrected by the waits that come.
Pure.

A model trained on last week is a little too sure or too careful this week. So every wait that ends says
whether it lay in its bands, and the share that is asked of the distribution moves a little against the
error (adaptive conformal inference, Gibbs and Candes 2021), for each class of people ahead by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from queueing.waits.snapshots import Floats

LEVELS = np.arange(1, 100) / 100.0
"""The quantiles that are kept of a distribution."""
MEDIAN = 49
SHARES = (0.5, 0.9)
CLASSES = (1, 3, 8, 20)
"""People ahead below which a class ends: 0, 1-2, 3-7, 8-19, 20 and more."""
STEP = 0.004
"""How far one wait moves the share of its class."""
AIMS = ((0.42, 0.42, 0.485, 0.485, 0.485), (0.9, 0.9, 0.88, 0.88, 0.88))
"""The shares that bands wider than 0 are steered to, by share and class. Many numbers with 0 to 2 people ahead are
called at once: their band of a half is 0 to 0, holds seven in ten and cannot be narrower. The other bands
of these classes are drawn in, so that the half holds on the whole. Of the wide bands those of long lines are
steered a little lower: two points there are worth more minutes than two points with few ahead (Warsaw, 14-15
January: a mean width of 18.0 minutes in place of 18.1, for the same share)."""
LEVEL_KEEPS, LEVEL_WEIGHT, LEVEL_POWER = 0.99, 600.0, 0.6
"""How fast a level forgets; minutes as expected that it begins with; how much of a deviation it takes over."""
NEW_LEVEL_WEIGHT = 200.0
"""In a place of which no earlier day is known."""
LEAST, MOST = 0.02, 0.98


def shortest(quantiles: Floats, share: float) -> tuple[Floats, Floats]:
    """The shortest band of each row of minutes at `LEVELS` that holds `share` of it. The ends may lie at 0
    (nobody waits less) and at the highest level."""
    count = min(max(1, round(share * 100)), len(LEVELS))
    low = np.column_stack([np.zeros(len(quantiles)), quantiles[:, : len(LEVELS) - count]])
    high = quantiles[:, count - 1 :]
    best = (high - low).argmin(axis=1)
    rows = np.arange(len(quantiles))
    return low[rows, best], high[rows, best]


@dataclass(slots=True)
class Calibration:
    """The share to ask for, by class of people ahead and promised share."""

    aims: tuple[tuple[float, ...], ...] = tuple((share,) * (len(CLASSES) + 1) for share in SHARES)
    """By share and class: what is steered to."""
    asked: Floats = field(default_factory=lambda: np.tile(np.array(SHARES), (len(CLASSES) + 1, 1)))

    def band(self, quantiles: Floats, ahead: float, which: int) -> tuple[float, float]:
        """The band of one ticket for `SHARES[which]`, minutes."""
        low, high = shortest(quantiles[None, :], float(self.asked[class_of(ahead), which]))
        return float(low[0]), float(high[0])

    def learn(self, ahead: float, inside: tuple[bool, ...], highs: tuple[float, ...]) -> None:
        """A wait has ended: did it lie in its bands, whose upper ends were `highs`? A band that is 0 alone teaches
        nothing: it cannot become narrower."""
        place = class_of(ahead)
        row = self.asked[place]
        for which, aims in enumerate(self.aims):
            if highs[which] > 0:
                row[which] = min(MOST, max(LEAST, row[which] + STEP * (aims[place] - inside[which])))


@dataclass(slots=True)
class Level:
    """How much longer than their medians the last waits were, as a factor; it begins at 1 and forgets. Only a part
    of it is believed: what was too short an hour ago may be so because of what is over by now."""

    waited: float = 0.0
    hoped: float = 0.0
    weight: float = LEVEL_WEIGHT

    @property
    def factor(self) -> float:
        """What to multiply a distribution by."""
        factor: float = ((self.waited + self.weight) / (self.hoped + self.weight)) ** LEVEL_POWER
        return factor

    def learn(self, wait: float, median: float) -> None:
        """A wait has ended whose median was said to be `median` (before the factor), minutes."""
        self.waited = LEVEL_KEEPS * self.waited + wait
        self.hoped = LEVEL_KEEPS * self.hoped + median


def class_of(ahead: float) -> int:
    """Class of somebody with so many ahead."""
    return int(np.searchsorted(CLASSES, ahead, side="right"))
