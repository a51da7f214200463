"""The rhythm of demand: nation x level x weekday x dated effects x hour of the day, for thousands of series at
once. Pure numpy.

    expected = nation(day) x season(day) x known(series, day) x level(series) x weekday(series) x effects(series)
               x share(series, weekday, hour)

Every factor is a ratio of exponentially weighted sums (Poisson's likelihood), and is drawn to the factor pooled
over all series by as much as chance explains of the differences between series (empirical Bayes: James and Stein;
Efron and Morris 1973). Long records speak for themselves, short ones borrow. The level is kept at several
half-lives at once; `fleet.forecast.training` finds out which mix of them would have erred least. The nation's
factor is one number a day, out of all series together: what shakes everybody is seen at once, without waiting for
each series' own noise to settle.

Counts may be of any real type (8-bit integers will do): series are taken in chunks, so that fifty thousand of them
fit in a small machine's memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]

HALF_LIVES = (2.0, 20.0, 45.0, 90.0)
"""Half-lives of the levels, days: from following every week to forgiving a bad month."""
REFERENCE = 1
"""Which of them the other factors are measured against."""
WEEKDAY_HALF_LIFE = 80.0
PROFILE_HALF_LIFE = 18.0
TILT_HALF_LIFE = 28.0
LEVEL_PRIOR_DAYS = 1.0
"""How many days of history what is known beforehand (population) weighs: population alone errs by half, so
little."""
PROFILE_PRIOR = 150.0
"""Pooled shares of the hours weigh as much as so many arrivals."""
TILT_PRIOR = 600.0
"""An hour's share on one weekday is drawn to the same hour of all its days as if from so many arrivals."""
EFFECT_PRIOR_DAYS = 2.0
"""A dated effect's pooled factor is drawn to what is known beforehand, as if from so many days."""
NATION_PRIOR_DAYS = 0.5
"""The nation's factor of a day is drawn to that of the days around it, as if from so many days."""
ORDINARY_DAYS = 21
"""With so many days without any dated effect, the first round looks at those alone."""
ROUNDS = 3
"""Factors explain each other: a few rounds settle them."""
CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Days:
    """Facts of a run of days, one entry each: weekday 0-6 (any fixed numbering), the dated effects that hold
    (effects x days, 0 or 1), whether hours are shortened, and a season's factor known beforehand."""

    weekday: NDArray[np.intp]
    effects: Bools
    short: Bools
    season: Floats

    @classmethod
    def of(
        cls,
        weekday: Sequence[int],
        effects: Sequence[Sequence[bool]] = (),
        short: Sequence[bool] | None = None,
        season: Sequence[float] | None = None,
    ) -> Days:
        """Make it from plain lists; without more, ordinary days."""
        size = len(weekday)
        held = np.array(effects, dtype=bool).reshape(-1, size) if size else np.zeros((len(effects), 0), bool)
        return cls(
            np.array(weekday, dtype=np.intp),
            held,
            np.zeros(size, bool) if short is None else np.array(short, dtype=bool),
            np.ones(size, np.float32) if season is None else np.array(season, dtype=np.float32),
        )

    def part(self, begin: int, end: int) -> Days:
        """The days from `begin` up to `end`."""
        cut = slice(begin, end)
        return Days(self.weekday[cut], self.effects[:, cut], self.short[cut], self.season[cut])


@dataclass(frozen=True, slots=True)
class Record:
    """What was counted: series x days x hours (any real type), which days (series x days) or hours (series x days
    x hours) were open and measured, and factors known beforehand (series x days), or None."""

    counts: NDArray[np.generic]
    seen: Bools
    days: Days
    known: Floats | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Series, days, hours."""
        series, days, hours = self.counts.shape
        return series, days, hours

    def rows(self, rows: NDArray[np.intp]) -> Record:
        """The same of some series: copies."""
        known = None if self.known is None else self.known[rows]
        return Record(self.counts[rows], self.seen[rows], self.days, known)

    def until(self, end: int) -> Record:
        """The same up to (not with) day number `end`: views, nothing is copied."""
        known = None if self.known is None else self.known[:, :end]
        return Record(self.counts[:, :end], self.seen[:, :end], self.days.part(0, end), known)

    def chunks(self) -> Iterator[tuple[slice, Floats, Bools]]:
        """Series in turn: their rows, their counts as floats with zero where unseen, and seen by hour."""
        for begin in range(0, self.shape[0], CHUNK):
            rows = slice(begin, begin + CHUNK)
            seen = self.seen[rows]
            hours = seen if seen.ndim == 3 else np.broadcast_to(seen[:, :, None], self.counts[rows].shape)
            counts = np.where(hours, self.counts[rows], 0).astype(np.float32)
            yield rows, counts, hours


@dataclass(frozen=True, slots=True)
class Memory:
    """How long shapes are remembered: half-lives of the weekday's factor and of the hours' shares, days; and how many
    arrivals draw an hour's share on one weekday to the same hour of all days."""

    weekday: float = WEEKDAY_HALF_LIFE
    profile: float = PROFILE_HALF_LIFE
    tilt_prior: float = TILT_PRIOR


USUAL = Memory()


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Fitted factors. `levels`: half-lives x series; `weekday`: series x 7; `effects`: series x effects; `nation`:
    days of the record; `share`: series x 2 x hours (ordinary, shortened), each summing to 1; `tilt`: series x 7 x
    hours, around 1."""

    levels: Floats
    weekday: Floats
    effects: Floats
    pooled_effects: Floats
    nation: Floats
    share: Floats
    tilt: Floats

    def day_factors(self, days: Days, known: Floats | None = None) -> Floats:
        """Everything but level and nation: series x days."""
        factor = self.weekday[:, days.weekday] * days.season[None, :]
        for e in range(days.effects.shape[0]):
            on = days.effects[e]
            if on.any():
                factor[:, on] *= self.effects[:, e, None]
        if known is not None:
            factor *= known
        return factor

    def shares(self, days: Days, rows: slice = slice(None)) -> Floats:
        """Shares of the hours: series x days x hours, summing to 1 over the hours of a day that has any."""
        shares = self.share[rows][:, days.short.astype(np.intp)] * self.tilt[rows][:, days.weekday]
        sums = shares.sum(axis=2, keepdims=True)
        result: Floats = np.divide(shares, sums, out=np.zeros_like(shares), where=sums > 0)
        return result


def fit(
    record: Record,
    *,
    effect_prior: Sequence[float] = (),
    level_prior: Floats | None = None,
    profile_prior: Floats | None = None,
    counted: bool = True,
    shared: bool = True,
    totals: tuple[Floats, Floats] | None = None,
    hours: bool = True,
    memory: Memory = USUAL,
) -> Rhythm:
    """Fit the record (its last day the newest).

    `effect_prior`: factor of each dated effect as known beforehand; `level_prior`: expected count of an ordinary
    day per series (the pooled level where None); `profile_prior`: series x 2 x hours shares (even where None).
    `counted`: whether chance is at least Poisson's; False for measures that are no counts. `shared`: whether one
    nation shakes all series; if not, the nation's factor stays 1. `totals`: what `day_totals` says of the record,
    where the caller has it; with `hours` False shares and tilt are left empty (`profiles` makes them for some
    series). Without any day seen it gives back the priors.
    """
    size, length, width = record.shape
    prior_share = profile_prior if profile_prior is not None else np.full((1, 2, width), 1 / width)
    prior_share = np.broadcast_to(np.asarray(prior_share, np.float32), (size, 2, width))
    if record.seen.ndim == 3:
        share, tilt, total, exposure = _profiles(record, prior_share, memory)
    else:
        total, exposure = totals if totals is not None else day_totals(record)
        share, tilt = (
            profiles(record, prior_share, memory)
            if hours
            else (np.zeros((0, 2, width)), np.zeros((0, 7, width)))
        )
    seen = exposure > 0
    effects = np.tile(np.array(effect_prior, np.float32), (size, 1)).reshape(size, -1)
    pooled_effects = np.array(effect_prior, np.float32)
    weekday, nation = np.ones((size, 7), np.float32), np.ones(length, np.float32)
    prior = np.asarray(level_prior if level_prior is not None else np.ones(size), np.float32)
    levels = np.tile(prior, (len(HALF_LIVES), 1))
    fitted = Rhythm(levels, weekday, effects, pooled_effects, nation, share, tilt)
    if not seen.any():
        return fitted
    if level_prior is None:
        prior = np.full(size, total.sum() / exposure.sum(), np.float32)
    age = np.arange(length, dtype=np.float32)[::-1]
    known = exposure if record.known is None else exposure * record.known
    plain = ~record.days.effects.any(axis=0)
    for turn in range(ROUNDS):
        # At first only ordinary days speak of level and weekday: else they would take an effect's days for their own.
        some = plain if turn == 0 and plain.sum() >= ORDINARY_DAYS else np.ones(length, bool)
        came = total * some
        base = fitted.day_factors(record.days) * (known * some) * fitted.nation[None, :]
        levels = _levels(came, base, age, prior)
        expected = base * levels[REFERENCE][:, None]
        noise = _noise(came, expected, age, counted)
        weekday = _weekday(
            came, expected, record.days, _decay(age, memory.weekday), fitted.weekday, noise, counted
        )
        fitted = Rhythm(levels, weekday, effects, pooled_effects, nation, share, tilt)
        base = fitted.day_factors(record.days) * known
        if shared:
            nation = _nation(total, base * levels[REFERENCE][:, None], record.days)
        expected = base * levels[REFERENCE][:, None] * nation[None, :]
        effects, pooled_effects = _effects(
            total, expected, record.days, age, effects, np.array(effect_prior, np.float32), noise, counted
        )
        fitted = Rhythm(levels, weekday, effects, pooled_effects, nation, share, tilt)
    base = fitted.day_factors(record.days) * known * fitted.nation[None, :]
    return Rhythm(_levels(total, base, age, prior), weekday, effects, pooled_effects, nation, share, tilt)


def day_totals(record: Record) -> tuple[Floats, Floats]:
    """Totals of the days and, as 0 or 1, whether they were seen: series x days."""
    total = np.empty(record.shape[:2], np.float32)
    for begin in range(0, record.shape[0], CHUNK):
        rows = slice(begin, begin + CHUNK)
        total[rows] = record.counts[rows].sum(axis=2, dtype=np.float32)
    exposure = record.seen.astype(np.float32)
    total *= exposure
    return total, exposure


def profiles(record: Record, prior: Floats, memory: Memory = USUAL) -> tuple[Floats, Floats]:
    """Shares of the hours and their tilt by weekday."""
    share, tilt, _, _ = _profiles(record, np.asarray(prior, np.float32), memory)
    return share, tilt


def _decay(age: Floats, half_life: float) -> Floats:
    result: Floats = (0.5 ** (age / half_life)).astype(np.float32)
    return result


def _levels(total: Floats, base: Floats, age: Floats, prior: Floats) -> Floats:
    """Ratio of sums at each half-life, the longest first: it is drawn to the prior, the shorter ones to it."""
    result = np.empty((len(HALF_LIVES), total.shape[0]), np.float32)
    for i in range(len(HALF_LIVES) - 1, -1, -1):
        weight = _decay(age, HALF_LIVES[i])
        result[i] = (total @ weight + LEVEL_PRIOR_DAYS * prior) / (base @ weight + LEVEL_PRIOR_DAYS)
        prior = result[i]
    return result


def _noise(total: Floats, expected: Floats, age: Floats, counted: bool) -> float:
    """Relative variance of a day beyond Poisson's, over all series: method of moments."""
    weight = _decay(age, HALF_LIVES[REFERENCE])
    square = float((((total - expected) ** 2) @ weight).sum())
    chance = float((expected @ weight).sum()) if counted else 0.0
    size = float(((expected**2) @ weight).sum())
    return max((square - chance) / size, 1e-4) if size > 0 else 1e-4


def _drawn(real: Floats, due: Floats, spread: Floats, pooled: float, noise: float, counted: bool) -> Floats:
    """Each series' ratio real / due drawn to `pooled` by as much as chance explains of how they differ.

    `spread`: the sum of squared weights x expectations, which gives the variance of the ratio.
    """
    has = due > 0
    if not has.any():
        return np.full(due.shape, pooled, np.float32)
    safe = np.where(has, due, 1.0)
    ratio = real / safe
    chance = (noise * spread + (real.sum() / max(float(due.sum()), 1e-9) * due if counted else 0.0)) / safe**2
    weight = np.where(has, 1.0 / np.maximum(chance, 1e-9), 0.0)
    between = float((weight * ((ratio - pooled) ** 2 - chance)).sum() / max(float(weight.sum()), 1e-12))
    trust = max(between, 1e-6) / (max(between, 1e-6) + chance)
    result: Floats = np.where(has, pooled + trust * (ratio - pooled), pooled).astype(np.float32)
    return np.maximum(result, 0.0)


def _weekday(
    total: Floats, expected: Floats, days: Days, weight: Floats, now: Floats, noise: float, counted: bool
) -> Floats:
    """Own factor drawn to the pooled one; `expected` includes the factor of the last round (`now`)."""
    factor = np.ones((total.shape[0], 7), np.float32)
    for day in range(7):
        on = days.weekday == day
        if not on.any():
            continue
        w = weight[on]
        plain = expected[:, on] / np.maximum(now[:, day, None], 1e-6)
        real, due = total[:, on] @ w, plain @ w
        if due.sum() <= 0:
            continue
        pooled = float(real.sum() / due.sum())
        factor[:, day] = _drawn(real, due, (plain**2) @ (w**2), pooled, noise, counted)
    return factor


def _nation(total: Floats, expected: Floats, days: Days) -> Floats:
    """The ratio of all that came to all that was expected, day by day, drawn to the days around it. A day on which
    a dated effect holds says nothing of the nation: it takes the days around it."""
    real, due = total.sum(axis=0).astype(float), expected.sum(axis=0).astype(float)
    held = days.effects.any(axis=0)
    real, due = np.where(held, 0.0, real), np.where(held, 0.0, due)
    typical = due[due > 0].mean() if (due > 0).any() else 1.0
    number = np.arange(len(due))
    near = 0.5 ** (np.abs(number[:, None] - number[None, :]) / 2.0)
    around_real, around_due = near @ real, near @ due
    around = np.divide(around_real, around_due, out=np.ones_like(real), where=around_due > 1e-9)
    strength = NATION_PRIOR_DAYS * typical
    result = (real + strength * around) / (due + strength)
    # Around 1 over the record: what lasts is the levels' to say.
    weight = 0.5 ** ((len(due) - 1 - number) / HALF_LIVES[REFERENCE]) * due
    usual = float((result * weight).sum() / weight.sum()) if weight.sum() > 0 else 1.0
    scaled: Floats = (result / max(usual, 1e-6)).astype(np.float32)
    return scaled


def _effects(
    total: Floats,
    expected: Floats,
    days: Days,
    age: Floats,
    now: Floats,
    prior: Floats,
    noise: float,
    counted: bool,
) -> tuple[Floats, Floats]:
    """Pooled factors drawn to the prior by days, own factors drawn to the pooled; and the pooled ones."""
    own, pooled = now.copy(), prior.copy()
    weight = _decay(age, WEEKDAY_HALF_LIFE)
    for e in range(len(prior)):
        on = days.effects[e]
        if not on.any():
            continue
        w = weight[on]
        plain = expected[:, on] / np.maximum(now[:, e, None], 1e-6)
        real, due = total[:, on] @ w, plain @ w
        worked = float((plain > 0).any(axis=0).sum())
        if due.sum() <= 0:
            continue
        learned = float(real.sum() / due.sum())
        pooled[e] = (worked * learned + EFFECT_PRIOR_DAYS * prior[e]) / (worked + EFFECT_PRIOR_DAYS)
        # One site's own answer is its ratio to what everybody's was, around the pooled factor.
        around = _drawn(real, due, (plain**2) @ (w**2), learned, noise, counted)
        own[:, e] = around * (pooled[e] / max(learned, 1e-6))
    return own, pooled


def _profiles(record: Record, prior: Floats, memory: Memory) -> tuple[Floats, Floats, Floats, Floats]:
    """Shares of the hours and their tilt by weekday; totals of the days and how much of each was measured.

    Own shares + pooled shares by pseudo-counts; pooling is by series with the same opening hours.
    """
    size, length, hours = record.shape
    total, exposure = np.zeros((size, length), np.float32), np.zeros((size, length), np.float32)
    real, due = np.zeros((size, 2, hours), np.float32), np.zeros((size, 2, hours), np.float32)
    by_day = np.zeros((size, 7, hours), np.float32)
    due_by_day = np.zeros((size, 7, hours), np.float32)
    if not length:
        return prior, np.ones((size, 7, hours), np.float32), total, exposure
    age = np.arange(length, dtype=np.float32)[::-1]
    w_share, w_tilt = _decay(age, memory.profile), _decay(age, TILT_HALF_LIFE)
    whole = record.seen.ndim == 2
    for rows, counts, seen in record.chunks():
        total[rows] = counts.sum(axis=2)
        if whole:
            exposure[rows] = record.seen[rows]
            due_now = None
        else:
            exposure[rows], due_now = _measured(counts, seen, prior[rows], record.days, total[rows], w_share)
        for which in (0, 1):
            on = record.days.short == bool(which)
            if on.any():
                real[rows, which] = np.matmul(w_share[None, None, on], counts[:, on])[:, 0]
                if due_now is None:
                    due[rows, which] = (total[rows][:, on] @ w_share[on])[:, None]
                else:
                    due[rows, which] = np.matmul(w_share[None, None, on], due_now[:, on])[:, 0]
        plain = ~record.days.short
        for day in range(7):
            on = plain & (record.days.weekday == day)
            if on.any():
                by_day[rows, day] = np.matmul(w_tilt[None, None, on], counts[:, on])[:, 0]
                if due_now is None:
                    due_by_day[rows, day] = (total[rows][:, on] @ w_tilt[on])[:, None]
                else:
                    due_by_day[rows, day] = np.matmul(w_tilt[None, None, on], due_now[:, on])[:, 0]
    share = np.empty_like(prior)
    for which in (0, 1):
        for group in _same_hours(prior[:, which]):
            share[group, which] = _shrunk_shares(
                real[group, which], due[group, which], prior[group[0], which]
            )
    tilt = np.ones_like(by_day)
    for group in _same_hours(prior[:, 0]):
        for day in range(7):
            expected = due_by_day[group, day] * share[group, 0]
            came = by_day[group, day]
            all_due = expected.sum(axis=0)
            if all_due.sum() <= 0:
                continue
            drawn = memory.tilt_prior
            usual = drawn * share[group, 0].mean(axis=0)
            pooled = (came.sum(axis=0) + usual) / (all_due + usual + 1e-9)
            tilt[group, day] = (came + drawn * pooled * share[group, 0]) / (
                expected + drawn * share[group, 0] + 1e-9
            )
    return share, np.where(share[:, None, 0] > 0, tilt, 0.0).astype(np.float32), total, exposure


def _measured(
    counts: Floats, seen: Bools, prior: Floats, days: Days, total: Floats, weight: Floats
) -> tuple[Floats, Floats]:
    """Where hours are missing: the share of each day that was measured, and for each measured hour the size that
    the whole day must have had. Shares and sizes explain each other: two rounds."""
    share = prior[:, days.short.astype(np.intp)]
    for _ in range(3):
        exposure = np.where(seen, share, 0).sum(axis=2)
        day_size = np.divide(total, exposure, out=np.zeros_like(total), where=exposure > 0)
        due = np.where(seen, day_size[:, :, None], 0)
        own = np.matmul(weight[None, None, :], counts)[:, 0] + 1e-3 * prior[:, 0]
        own = own / (np.matmul(weight[None, None, :], due)[:, 0] + 1e-3)
        sums = own.sum(axis=1, keepdims=True)
        own = np.divide(own, sums, out=prior[:, 0].copy(), where=sums > 0)
        share = np.where(days.short[None, :, None], share, own[:, None, :])
    return exposure.astype(np.float32), due.astype(np.float32)


def _shrunk_shares(real: Floats, due: Floats, base: Floats) -> Floats:
    """Series x hours: own shares, drawn to the group's, drawn to the shape known beforehand."""
    all_real, all_due = real.sum(axis=0), due.sum(axis=0)
    pooled = (all_real + PROFILE_PRIOR * base) / (all_due + PROFILE_PRIOR)
    mixed = (real + PROFILE_PRIOR * pooled[None, :]) / (due + PROFILE_PRIOR)
    mixed = np.where(base[None, :] > 0, mixed, 0.0)
    sums = mixed.sum(axis=1, keepdims=True)
    result: Floats = np.divide(mixed, sums, out=np.zeros_like(mixed), where=sums > 0)
    return result


def _same_hours(prior: Floats) -> list[NDArray[np.intp]]:
    """Groups of series whose prior is open in the same hours."""
    _, group = np.unique(prior > 0, axis=0, return_inverse=True)
    group = group.reshape(-1)
    return [np.flatnonzero(group == g) for g in range(int(group.max(initial=-1)) + 1)]
