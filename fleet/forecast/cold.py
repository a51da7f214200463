"""Demand of places without a record: population, and how far population alone is wrong. Pure numpy.

A place's level is (population's level) x (a factor of its own); the factor is Gamma-distributed around what such
places have in common, with a spread learned from the places that have a record. Counts update it exactly
(Gamma-Poisson): level = (shape + counted) / (shape / expected beforehand + days). Population alone errs by 40 to 60%
where that was measured; one day of counting a hundred people errs by 10%: the first visit is worth more than any
covariate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleet.forecast.rhythm import Floats

CV = 0.5
"""Spread (standard deviation / mean) of a place's own factor, as believed before any place has a record."""
CV_PLACES = 10.0
"""The learned spread is drawn to CV as if from so many places."""
RATIO_PLACES = 3.0
"""The common factor is drawn to 1 as if from so many places."""
LEAST_DAYS = 5


@dataclass(frozen=True, slots=True)
class Beforehand:
    """What is known of a place without a record: `ratio` (how many times population's level comes on average) and
    `cv`, the spread of places around it; `places` it was learned from."""

    ratio: float
    cv: float
    places: int

    def level(self, by_population: Floats) -> Floats:
        """Expected level of places without a record."""
        return by_population * self.ratio

    def band(self, expected: Floats, z: float) -> Floats:
        """The count's quantile at normal score `z` around `expected`: places differ as a Gamma, and chance is
        Poisson's on top; together a Gamma of both spreads (by the cube root of Wilson and Hilferty 1931)."""
        spread = self.cv**2 + 1.0 / np.maximum(expected, 1e-9)
        cube = 1.0 - spread / 9.0 + z * np.sqrt(spread) / 3.0
        edge = expected * np.maximum(cube, 0.0) ** 3
        # Where next to nobody is expected the cube root fails: the edge never crosses what is expected.
        result: Floats = (
            np.minimum(edge, expected) if z < 0 else np.maximum(edge, expected) if z > 0 else edge
        )
        return result


def learn_beforehand(level: Floats, by_population: Floats, days: Floats) -> Beforehand:
    """From the places with a record of at least LEAST_DAYS days: their levels beside population's."""
    has = (days >= LEAST_DAYS) & (by_population > 0) & (level > 0)
    count = int(has.sum())
    if not count:
        return Beforehand(1.0, CV, 0)
    ratio = level[has] / by_population[has]
    common = float((ratio.sum() + RATIO_PLACES) / (count + RATIO_PLACES))
    spread = float(((ratio / common - 1.0) ** 2).sum())
    cv = ((spread + CV_PLACES * CV**2) / (count + CV_PLACES)) ** 0.5
    return Beforehand(common, min(max(cv, 0.05), 1.5), count)


def learn_from_counts(counted: Floats, expected: Floats) -> Beforehand:
    """From places where `counted` people came and population alone said `expected`: the common factor, and the
    spread of places around it less what chance explains (each count is as good as Poisson's)."""
    has = expected > 0
    count = int(has.sum())
    if not count:
        return Beforehand(1.0, CV, 0)
    came, due = counted[has].astype(float), expected[has].astype(float)
    like = RATIO_PLACES * float(due.mean())
    common = float((came.sum() + like) / (due.sum() + like))
    # Weighted by people: small places' ratios are mostly chance.
    weight = due / due.sum()
    away = float((weight * ((came / due / common - 1.0) ** 2 - 1.0 / (common * due))).sum())
    cv = ((count * max(away, 0.0) + CV_PLACES * CV**2) / (count + CV_PLACES)) ** 0.5
    return Beforehand(common, min(max(cv, 0.05), 1.5), count)


def posterior(beforehand: Beforehand, by_population: Floats, counted: Floats, days: Floats) -> Floats:
    """Level of places after `counted` people in `days` ordinary days (Gamma-Poisson)."""
    shape = 1.0 / beforehand.cv**2
    expected = np.maximum(beforehand.level(by_population), 1e-9)
    result: Floats = (shape + counted) / (shape / expected + days)
    return result
