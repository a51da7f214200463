"""The rhythm of demand: level x weekday x kind of day x hour of the day, for thousands of series at once.
Pure numpy.

Each factor of a series is an exponentially weighted mean, shrunk to the factor pooled over all series (and
the level to what is known before any history): long records speak for themselves, short ones borrow. On real
hourly counts this is as good as the usual automatic models and takes milliseconds, so that it can be
refitted every night for every queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HALF_LIFE_DAYS = 21.0
"""A day of three weeks ago counts half: follows seasons, forgives one odd week."""
LEVEL_PRIOR_DAYS = 1.0
"""How many days of history what is known beforehand (population) weighs: population alone errs by half, so
little."""
WEEKDAY_PRIOR_DAYS = 2.0
"""Pooled weekday factors weigh as much as so many days of that weekday."""
PROFILE_PRIOR_COUNT = 150.0
"""Pooled shares of the hours weigh as much as so many arrivals."""
CLASS_PRIOR_DAYS = 6.0
"""A kind of day's pooled factor is drawn to what is known beforehand, as if from so many days."""


@dataclass(frozen=True, slots=True)
class Days:
    """Facts of a run of days, one entry each: weekday 0-6 (any fixed numbering), kind of day (an index into
    the caller's list of kinds, 0 = ordinary), and a season's factor known beforehand."""

    weekday: NDArray[np.intp]
    kind: NDArray[np.intp]
    season: Floats

    @classmethod
    def of(cls, weekday: Sequence[int], kind: Sequence[int], season: Sequence[float]) -> Days:
        """Make it from plain lists."""
        return cls(np.array(weekday, dtype=np.intp), np.array(kind, dtype=np.intp), np.array(season, float))


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Fitted factors: level (series), weekday (series x 7, mean about 1), kind (kinds), and shares of the
    hours (series x profiles x 24; profile 0 for ordinary hours, 1 for shortened days)."""

    level: Floats
    weekday: Floats
    kind: Floats
    profile: Floats

    def predict(self, days: Days, *, short_kind: int | None = None) -> Floats:
        """Return expected counts, series x days x 24. Days of `short_kind` take the shortened days'
        profile."""
        factor = self.weekday[:, days.weekday] * (self.kind[days.kind] * days.season)[None, :]
        which = np.zeros(len(days.kind), dtype=np.intp)
        if short_kind is not None:
            which[days.kind == short_kind] = 1
        result: Floats = self.level[:, None, None] * factor[:, :, None] * self.profile[:, which, :]
        return result


def fit(
    counts: Floats,
    seen: NDArray[np.bool_],
    days: Days,
    *,
    kind_prior: Sequence[float],
    level_prior: Floats,
    profile_prior: Floats,
    short_kind: int | None = None,
) -> Rhythm:
    """Fit `counts` (series x days x 24, the last day the newest) where `seen` (series x days) says the day
    was open.

    `kind_prior`: factor of each kind of day as known beforehand; `level_prior`: expected count of an
    ordinary day per series; `profile_prior`: series x 2 x 24 shares (ordinary, shortened). Zero days give
    back the priors.
    """
    size = counts.shape[0]
    total = counts.sum(axis=2)
    age = np.arange(counts.shape[1])[::-1]
    weight = np.where(seen, 0.5 ** (age / HALF_LIFE_DAYS)[None, :], 0.0)
    kind = np.array(kind_prior, float)
    weekday = np.ones((size, 7))
    level = np.array(level_prior, float)
    if seen.any():
        for _ in range(3):  # factors explain each other: a few rounds settle them
            base = (kind[days.kind] * days.season)[None, :] * weekday[:, days.weekday]
            level = _level(total, weight, base, level_prior)
            weekday = _weekday(total, weight, days, level, kind)
            kind = _kind(total, weight, days, level, weekday, np.array(kind_prior, float))
    return Rhythm(level, weekday, kind, _profiles(counts, weight, days, profile_prior, short_kind))


def _level(total: Floats, weight: Floats, base: Floats, prior: Floats) -> Floats:
    """Ratio of sums: Poisson's likelihood with a Gamma prior."""
    strength = LEVEL_PRIOR_DAYS * np.ones_like(prior)
    result: Floats = ((weight * total).sum(1) + strength * prior) / ((weight * base).sum(1) + strength)
    return result


def _weekday(total: Floats, weight: Floats, days: Days, level: Floats, kind: Floats) -> Floats:
    expected = weight * level[:, None] * (kind[days.kind] * days.season)[None, :]
    factor = np.ones((total.shape[0], 7))
    for day in range(7):
        on = days.weekday == day
        if not on.any():
            continue
        real, due = (weight[:, on] * total[:, on]).sum(1), expected[:, on].sum(1)
        if due.sum() <= 0:
            continue
        pooled = real.sum() / due.sum()
        strength = WEEKDAY_PRIOR_DAYS * np.maximum(level, 1e-9)
        factor[:, day] = (real + strength * pooled) / (due + strength)
    return factor


def _kind(total: Floats, weight: Floats, days: Days, level: Floats, weekday: Floats, prior: Floats) -> Floats:
    """Pooled over all series: a kind of day comes too seldom for one queue alone. The ordinary day stays
    1."""
    expected = weight * level[:, None] * weekday[:, days.weekday] * days.season[None, :]
    kind = prior.copy()
    for i in range(1, len(prior)):
        on = days.kind == i
        open_days = float((weight[:, on].max(axis=0, initial=0.0) > 0).sum())
        due = expected[:, on].sum()
        if open_days and due > 0:
            learned = (weight[:, on] * total[:, on]).sum() / due
            kind[i] = (open_days * learned + CLASS_PRIOR_DAYS * prior[i]) / (open_days + CLASS_PRIOR_DAYS)
    return kind


def _profiles(counts: Floats, weight: Floats, days: Days, prior: Floats, short_kind: int | None) -> Floats:
    """Own shares + pooled shares by pseudo-counts; pooling is by series with the same opening hours."""
    result = np.array(prior, float)
    for which in range(prior.shape[1]):
        short = days.kind == short_kind if short_kind is not None else np.zeros(len(days.kind), bool)
        on = short if which == 1 else ~short
        own = np.matmul((weight * on[None, :])[:, None, :], counts)[:, 0]
        for rows in _same_hours(prior[:, which, :]):
            pooled = own[rows].sum(axis=0)
            heavy = pooled.sum()
            base = prior[rows[0], which]
            # The pooled shares too need some arrivals before they beat the shape known beforehand.
            pooled = (pooled + PROFILE_PRIOR_COUNT * base) / (heavy + PROFILE_PRIOR_COUNT)
            mixed = own[rows] + PROFILE_PRIOR_COUNT * pooled[None, :]
            sums = mixed.sum(axis=1, keepdims=True)
            result[rows, which] = np.divide(mixed, sums, out=np.zeros_like(mixed), where=sums > 0)
    return result


def _same_hours(prior: Floats) -> list[NDArray[np.intp]]:
    """Groups of series whose prior is open in the same hours."""
    _, group = np.unique(prior > 0, axis=0, return_inverse=True)
    group = group.reshape(-1)
    return [np.flatnonzero(group == g) for g in range(int(group.max(initial=-1)) + 1)]
