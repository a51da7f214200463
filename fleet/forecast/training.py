"""Learning how to forecast: past weeks are forecast from what was known before them, and what erred least is kept.
Pure numpy.

For each lead (one to four weeks) and class of size, the mix of levels that would have erred least in the last weeks
is taken (the mean of the best few: a choice of one would follow chance). The same past errors give the bands:
split-conformal quantiles (Vovk et al. 2005; Lei et al. 2018) by lead and size of the expected count, stretched by
how unruly each series has been.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleet.forecast.rhythm import (
    HALF_LIVES,
    REFERENCE,
    Bools,
    Days,
    Floats,
    Record,
    Rhythm,
    day_totals,
    fit,
    profiles,
)

WEEK = 7
THREADS = 2
LEADS = (1, 2, 3, 4)
ORIGINS = 4
"""How many past weeks of each lead are forecast anew every night."""
LEAST_DAYS = 28
"""A past week is forecast only from at least so many days."""
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
STEPS = 4
"""Mixes are tried in quarters."""
BEST = 4
"""The mean of so many best mixes is taken."""
CLASS_SIZE = 60
"""At least so many series make a class of size of their own."""
MOST_CLASSES = 6
BINS = 8
"""Bins of the expected count that have bands of their own."""
SAMPLE = 3000
"""Series whose hours are kept for the bands of hours: quantiles need no more."""
VOLATILITY_PRIOR = 10.0
"""A series' own unruliness is drawn to its class' as if from so many days."""
NATION_HALF_LIFE, NATION_LONG = 3.0, 40.0
NATION_PERSISTENCE = 0.7
"""How much of a national deviation is left a week later, as believed before it is learned (as if from 4 weeks)."""

MIXES: Floats = np.array(
    [m for m in itertools.product(range(STEPS + 1), repeat=len(HALF_LIVES)) if sum(m) == STEPS], np.float32
) / np.float32(STEPS)


@dataclass(frozen=True)
class Check:
    """A past week forecast from what was known `lead` weeks before its end. Days of the week x series arrays:
    `total` counted, `unit` expected at level 1; `levels` half-lives x series. Of the `rows` sampled also `errors`
    (mixes x rows: absolute errors of the week's days) and the hours: `counts`, `seen`, `shares`."""

    lead: int
    begin: int
    total: Floats
    unit: Floats
    levels: Floats
    errors: Floats
    rows: NDArray[np.intp]
    counts: Floats
    seen: Bools
    shares: Floats


@dataclass(frozen=True)
class Bands:
    """Conformal bands of one lead: `edges` of the bins of the expected value; normal `scores` bins x QUANTILES;
    `size` is the bins' mean absolute score."""

    edges: Floats
    scores: Floats
    size: Floats

    def around(self, expected: Floats, volatility: Floats, *, counted: bool) -> Floats:
        """QUANTILES x expected's shape; `volatility` is per series (the first axis), never below zero."""
        bins = np.searchsorted(self.edges, expected)
        stretch = (self.size[bins] * scale(expected, counted)) * volatility.reshape(
            (-1,) + (1,) * (expected.ndim - 1)
        )
        bounds = [np.maximum(expected + self.scores[bins, k] * stretch, 0.0) for k in range(len(QUANTILES))]
        return np.stack(bounds)


@dataclass(frozen=True)
class Trained:
    """A forecaster: the fitted rhythm, by lead the mix per class of size, the bands of hours and of days."""

    rhythm: Rhythm
    persistence: float
    class_of: NDArray[np.intp]
    mixes: dict[int, Floats]
    hour_bands: dict[int, Bands]
    day_bands: dict[int, Bands]
    volatility: Floats
    counted: bool

    def level(self, lead: int) -> Floats:
        """Level per series as far ahead as `lead` weeks, with the nation's part."""
        mix = self.mixes[nearest(self.mixes, lead)][self.class_of]
        level: Floats = np.einsum("sk,ks->s", mix, self.rhythm.levels)
        return level * nation_ahead(self.rhythm.nation, lead, self.persistence)

    def nation(self, lead: int) -> float:
        """What the whole nation is expected to be busier by, `lead` weeks ahead, against the last weeks' usual."""
        usual = nation_ahead(self.rhythm.nation, 1, 0.0)
        return nation_ahead(self.rhythm.nation, lead, self.persistence) / usual

    def day_variance(self, expected: Floats, lead: int) -> Floats:
        """Variance of a day's error: series x days, from the bands' mean absolute errors."""
        bands = self.day_bands[nearest(self.day_bands, lead)]
        size = bands.size[np.searchsorted(bands.edges, expected)] * self.volatility[:, None]
        result: Floats = (1.2533 * size * scale(expected, self.counted)) ** 2
        return result

    def days(self, days: Days, lead: int, known: Floats | None = None) -> Floats:
        """Expected counts: series x days."""
        result: Floats = self.rhythm.day_factors(days, known) * self.level(lead)[:, None]
        return result

    def hours(self, days: Days, lead: int, known: Floats | None = None) -> Floats:
        """Expected counts: series x days x hours."""
        result: Floats = self.days(days, lead, known)[:, :, None] * self.rhythm.shares(days)
        return result

    def hour_band(self, expected: Floats, lead: int) -> Floats:
        """QUANTILES x series x days x hours."""
        bands = self.hour_bands[nearest(self.hour_bands, lead)]
        return bands.around(expected, self.volatility, counted=self.counted)

    def day_band(self, expected: Floats, lead: int) -> Floats:
        """QUANTILES x series x days."""
        bands = self.day_bands[nearest(self.day_bands, lead)]
        return bands.around(expected, self.volatility, counted=self.counted)


def nearest(known: dict[int, object] | dict[int, Floats] | dict[int, Bands], lead: int) -> int:
    """The lead among `known` that is nearest to the wanted one."""
    return min(known, key=lambda have: abs(have - lead))


def scale(expected: Floats, counted: bool) -> Floats:
    """What an error is measured in: Poisson's spread for counts, the measure's own unit otherwise."""
    result: Floats = np.sqrt(np.maximum(expected, 0.1)) if counted else np.ones_like(expected)
    return result


def nation_ahead(nation: Floats, lead: int, persistence: float) -> float:
    """The nation's factor `lead` weeks ahead: what deviates now fades by `persistence` a week."""
    if not nation.size:
        return 1.0
    age = np.arange(len(nation))[::-1]
    now, usual = (
        float(np.exp((np.log(np.maximum(nation, 0.05)) * w).sum() / w.sum()))
        for w in (0.5 ** (age / NATION_HALF_LIFE), 0.5 ** (age / NATION_LONG))
    )
    return float(usual * (now / usual) ** (persistence**lead))


def learn_persistence(nation: Floats) -> float:
    """Correlation of the nation's weekly deviations with the week before, drawn to NATION_PERSISTENCE."""
    weeks = len(nation) // WEEK
    if weeks < 3:
        return NATION_PERSISTENCE
    by_week = np.log(np.maximum(nation[len(nation) - WEEK * weeks :], 0.05)).reshape(weeks, WEEK).mean(axis=1)
    away = by_week - by_week.mean()
    spread = float((away**2).mean())
    found = float((away[1:] * away[:-1]).mean()) / spread if spread > 1e-8 else NATION_PERSISTENCE
    return float(np.clip((weeks * found + 4 * NATION_PERSISTENCE) / (weeks + 4), 0.0, 1.0))


def sampled(size: int) -> NDArray[np.intp]:
    """At most SAMPLE series, evenly."""
    return np.unique(np.linspace(0, max(size - 1, 0), min(size, SAMPLE)).astype(np.intp))


def check(
    record: Record,
    fitted: Rhythm,
    origin: int,
    lead: int,
    *,
    persistence: float,
    profile: tuple[Floats, Floats] | None = None,
    totals: Floats | None = None,
) -> Check | None:
    """Forecast the week that begins `lead` - 1 weeks after day `origin` with what was fitted before that day;
    None where the record ends before it. `profile`: shares and tilt of the sampled series where `fitted` has none;
    `totals`: the record's day totals where the caller has them."""
    begin = origin + WEEK * (lead - 1)
    end = min(begin + WEEK, record.shape[1])
    if begin >= end:
        return None
    days = record.days.part(begin, end)
    known = None if record.known is None else record.known[:, begin:end]
    unit = fitted.day_factors(days, known) * nation_ahead(fitted.nation, lead, persistence)
    size = record.shape[0]
    rows = sampled(size)
    seen = record.seen[:, begin:end]
    counts = record.counts[rows, begin:end].astype(np.float32)
    hours = seen[rows] if seen.ndim == 3 else np.broadcast_to(seen[rows][:, :, None], counts.shape)
    few = Rhythm(
        fitted.levels[:, rows],
        fitted.weekday[rows],
        fitted.effects[rows],
        fitted.pooled_effects,
        fitted.nation,
        *(profile if profile is not None else (fitted.share[rows], fitted.tilt[rows])),
    )
    shares = few.shares(days)
    if seen.ndim == 3:
        total = np.where(seen, record.counts[:, begin:end], 0).sum(axis=2, dtype=np.float32)
        unit = unit * np.where(seen, fitted.shares(days), 0).sum(axis=2)
    else:
        came = (
            record.counts[:, begin:end].sum(axis=2, dtype=np.float32)
            if totals is None
            else totals[:, begin:end]
        )
        unit = np.where(seen, unit, 0)
        total = np.where(seen, came, 0)
    unit = unit.astype(np.float32)
    errors = np.empty((len(MIXES), len(rows)), np.float32)
    for m, mix in enumerate(MIXES):
        errors[m] = np.abs((mix @ few.levels)[:, None] * unit[rows] - total[rows]).sum(axis=1)
    return Check(lead, begin, total, unit, fitted.levels, errors, rows, counts, hours, shares)


def classes(level: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Edges of the classes of size, and each series' class."""
    many = int(np.clip(len(level) // CLASS_SIZE, 1, MOST_CLASSES))
    edges = np.unique(np.quantile(level, np.arange(1, many) / many)) if many > 1 else np.zeros(0)
    return edges, np.searchsorted(edges, level)


def best_mixes(checks: Sequence[Check], class_of: NDArray[np.intp], best: int = BEST) -> Floats:
    """Classes x half-lives: the mean of the mixes that erred least in these checks; the reference without any."""
    many = int(class_of.max(initial=0)) + 1
    usual = np.zeros(len(HALF_LIVES), np.float32)
    usual[[REFERENCE, REFERENCE + 1]] = 0.5
    result = np.tile(usual, (many, 1))
    if checks:
        for group in range(many):
            errors = np.sum([c.errors[:, class_of[c.rows] == group].sum(axis=1) for c in checks], axis=0)
            order = np.argsort(errors, kind="stable")
            result[group] = MIXES[order[:best]].mean(axis=0)
    return result


def make_bands(real: Floats, expected: Floats, volatility: Floats, *, counted: bool) -> Bands:
    """Bands out of flat arrays of what came, what was expected and the series' volatility."""
    if real.size < 50:  # nothing to learn from: Poisson's own spread (or a third, of what is no count)
        normal = np.array([[-1.2816, -0.6745, 0.0, 0.6745, 1.2816]])
        unit = 1.0 if counted else float(expected.mean()) / 3 if expected.size else 1.0
        return Bands(np.zeros(0), normal, np.array([unit]))
    bins = int(np.clip(real.size // 200, 1, BINS))
    edges = np.unique(np.quantile(expected, np.arange(1, bins) / bins)) if bins > 1 else np.zeros(0)
    which = np.searchsorted(edges, expected)
    score = (real - expected) / (scale(expected, counted) * volatility)
    size, scores = np.ones(len(edges) + 1), np.zeros((len(edges) + 1, len(QUANTILES)))
    for b in range(len(edges) + 1):
        mine = score[which == b]
        if not mine.size:
            continue
        size[b] = max(float(np.abs(mine).mean()), 1e-6)
        scores[b] = np.quantile(mine / size[b], QUANTILES)
    return Bands(edges, scores, size)


def assemble(
    fitted: Rhythm,
    checks: Sequence[Check],
    *,
    persistence: float,
    counted: bool,
    leads: Sequence[int] = LEADS,
    best: int = BEST,
    bands_from: int = 0,
) -> Trained:
    """A forecaster out of a fit and of checks whose outcome was known before it: the mean of the `best` mixes, and
    bands out of the checks of weeks that begin on day `bands_from` or later."""
    _, class_of = classes(fitted.levels[REFERENCE])
    mixes = {lead: best_mixes([c for c in checks if c.lead == lead], class_of, best) for lead in leads}
    level_of = {
        id(c): np.einsum("sk,ks->s", mixes[c.lead][class_of], c.levels) for c in checks if c.lead in mixes
    }
    volatility = _volatility(checks, level_of, len(class_of), counted)
    hour_bands, day_bands = {}, {}
    for lead in leads:
        of = [c for c in checks if c.lead == lead and c.begin >= bands_from]
        real, due, wild = [], [], []
        day_real, day_due, day_wild = [], [], []
        for c in of:
            days = c.unit * level_of[id(c)][:, None]
            on = c.unit > 0
            day_real.append(c.total[on])
            day_due.append(days[on])
            day_wild.append(np.broadcast_to(volatility[:, None], on.shape)[on])
            exposure = np.where(c.seen, c.shares, 0).sum(axis=2)
            whole = np.divide(days[c.rows], exposure, out=np.zeros_like(exposure), where=exposure > 0)
            hours = whole[:, :, None] * c.shares
            on_hours = c.seen & (c.shares > 0) & (hours > 0)
            real.append(c.counts[on_hours])
            due.append(hours[on_hours])
            wild.append(np.broadcast_to(volatility[c.rows][:, None, None], on_hours.shape)[on_hours])
        hour_bands[lead] = make_bands(*(_joined(part) for part in (real, due, wild)), counted=counted)
        day_bands[lead] = make_bands(*(_joined(p) for p in (day_real, day_due, day_wild)), counted=counted)
    return Trained(fitted, persistence, class_of, mixes, hour_bands, day_bands, volatility, counted)


def _joined(parts: list[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _volatility(checks: Sequence[Check], level_of: dict[int, Floats], size: int, counted: bool) -> Floats:
    """How unruly each series has been beside others of its expectation, drawn to 1."""
    real, due = np.zeros(size), np.zeros(size)
    for c in checks:
        expected = c.unit * level_of[id(c)][:, None]
        spread = np.where(c.unit > 0, np.abs(c.total - expected) / scale(expected, counted), 0)
        on = c.unit > 0
        edges = np.quantile(expected[on], np.arange(1, BINS) / BINS) if on.any() else np.zeros(0)
        which = np.searchsorted(edges, expected)
        for b in range(len(edges) + 1):
            mine = (which == b) & on
            if mine.any():
                real += np.where(mine, spread, 0).sum(axis=1) / max(float(spread[mine].mean()), 1e-9)
                due += mine.sum(axis=1)
    result: Floats = (real + VOLATILITY_PRIOR) / (due + VOLATILITY_PRIOR)
    return result


def train(
    record: Record,
    *,
    effect_prior: Sequence[float] = (),
    level_prior: Floats | None = None,
    profile_prior: Floats | None = None,
    counted: bool = True,
    shared: bool = True,
    origins: int = ORIGINS,
    leads: Sequence[int] = LEADS,
) -> Trained:
    """Fit the record and learn mixes and bands from its last weeks, each forecast from what was known before it."""
    size, length, width = record.shape
    rows = sampled(size)
    whole = record.seen.ndim == 2
    totals = day_totals(record) if whole else None
    few = record.rows(rows) if whole else None
    flat = np.full((1, 2, width), 1 / width) if profile_prior is None else profile_prior
    prior = np.broadcast_to(np.asarray(flat, np.float32), (size, 2, width))[rows]

    def fitted_at(end: int) -> Rhythm:
        return fit(
            record.until(end),
            effect_prior=effect_prior,
            level_prior=level_prior,
            profile_prior=profile_prior,
            counted=counted,
            shared=shared,
            totals=None if totals is None else (totals[0][:, :end], totals[1][:, :end]),
            hours=end == length,
        )

    def checks_at(back: int) -> list[Check]:
        origin = length - WEEK * back
        past = fitted_at(origin)
        profile = profiles(few.until(origin), prior) if few is not None else None
        made = [
            check(
                record,
                past,
                origin,
                lead,
                persistence=persistence,
                profile=profile,
                totals=None if totals is None else totals[0],
            )
            for lead in leads
            if lead <= back < lead + origins
        ]
        return [one for one in made if one is not None]

    last = fitted_at(length)
    persistence = learn_persistence(last.nation)
    backs = [b for b in range(1, origins + max(leads)) if length - WEEK * b >= LEAST_DAYS]
    # Array arithmetic lets other threads run: two weeks at a time.
    with ThreadPoolExecutor(THREADS) as pool:
        checks = [one for found in pool.map(checks_at, backs) for one in found]
    return assemble(last, checks, persistence=persistence, counted=counted, leads=leads)
