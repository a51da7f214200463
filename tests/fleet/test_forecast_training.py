"""How the forecast learns: mixes, bands that hold, the nation's factor, places without a record, units that agree."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.calendar import Calendar, Decrees, Holiday, in_season
from fleet.forecast import cold, rhythm
from fleet.forecast.dates import EFFECTS, effects_of
from fleet.forecast.reconcile import reconcile
from fleet.forecast.rhythm import Days, Record, fit
from fleet.forecast.training import (
    HALF_LIVES,
    QUANTILES,
    Trained,
    assemble,
    learn_persistence,
    make_bands,
    nation_ahead,
    train,
)

HOURS = np.array([1.0, 2.0, 3.0, 2.0])


def week_days(days: int) -> Days:
    """Days from a Monday on."""
    return Days.of([n % 7 for n in range(days)])


def poisson(
    series: int, days: int, *, level: float = 40.0, seed: int = 1, nation: np.ndarray | None = None
) -> np.ndarray:
    """Counts (series x days x 4 hours) with a full Monday, shaken together by `nation`."""
    rng = np.random.default_rng(seed)
    weekday = np.array([1.4, 1.0, 1.0, 1.0, 0.9, 0.8, 0.9])[np.arange(days) % 7]
    mean = level * weekday * (np.ones(days) if nation is None else nation)
    mean = mean[None, :, None] * (HOURS / HOURS.sum())[None, None, :]
    return rng.poisson(np.broadcast_to(mean, (series, days, 4)))


def trained_on(counts: np.ndarray, **options: object) -> Trained:
    """Trained on all days seen."""
    days = counts.shape[1]
    return train(Record(counts, np.ones(counts.shape[:2], bool), week_days(days)), **options)  # type: ignore[arg-type]


def test_bands_hold_what_they_promise_on_days_that_were_not_seen() -> None:
    """80% of the hours, and of the days, of the next week lie within the band (counts: at least, hardly more)."""
    counts = poisson(300, 91)
    made = trained_on(counts[:, :84])
    days = week_days(91).part(84, 91)
    hours, totals = made.hours(days, 1), made.days(days, 1)
    real = counts[:, 84:]
    low, *_, high = made.hour_band(hours, 1)
    assert 0.77 <= ((real >= np.floor(low)) & (real <= np.ceil(high))).mean() <= 0.90
    low, *_, high = made.day_band(totals, 1)
    assert 0.75 <= ((real.sum(2) >= low) & (real.sum(2) <= high)).mean() <= 0.85


def test_bands_widen_with_the_lead_when_levels_wander() -> None:
    """Levels that walk away from where they were are less certain four weeks ahead than one."""
    rng = np.random.default_rng(2)
    walk = np.exp(np.cumsum(rng.normal(0, 0.03, (200, 112)), axis=1))
    mean = 60 * walk[:, :, None] * (HOURS / HOURS.sum())
    made = trained_on(rng.poisson(mean))
    expected = np.full((200, 1), 60.0)
    widths = [np.ptp(made.day_band(expected, lead)[[0, -1]], axis=0).mean() for lead in (1, 4)]
    assert widths[1] > 1.2 * widths[0]


def test_wandering_levels_choose_short_memories_and_steady_ones_long() -> None:
    """What erred least is taken: the shortest half-life weighs more where levels wander."""
    rng = np.random.default_rng(2)
    walk = np.exp(np.cumsum(rng.normal(0, 0.06, (200, 112)), axis=1))
    wild = trained_on(rng.poisson(400 * walk[:, :, None] * (HOURS / HOURS.sum())), shared=False)
    calm = trained_on(poisson(200, 112, level=20.0), shared=False)
    assert wild.mixes[1][:, 0].mean() > 0.5 > 0.3 > calm.mixes[1][:, 0].mean()
    assert wild.mixes[1].sum(axis=1) == pytest.approx(1.0)


def test_a_national_shock_is_seen_at_once_and_in_series_that_did_not_feel_it_yet() -> None:
    """A quarter more everywhere for four days: small series' own counts could not tell, the nation's factor does."""
    nation = np.ones(84)
    nation[80:] = 1.25
    counts = poisson(500, 84, level=3.0, nation=nation)
    record = Record(counts, np.ones(counts.shape[:2], bool), week_days(84))
    fitted = fit(record)
    before, during = fitted.nation[60:80].mean(), fitted.nation[81:].mean()
    assert during / before == pytest.approx(1.25, abs=0.08)
    blind = fit(record, shared=False)
    assert blind.nation == pytest.approx(1.0)
    ahead = nation_ahead(fitted.nation, 1, 0.8) / nation_ahead(fitted.nation, 1, 0.0)
    assert 1.05 < ahead < 1.25, "it fades, as shocks do"


def test_persistence_is_learned_from_the_nations_weeks() -> None:
    """Weeks that follow each other persist more than weeks that alternate."""
    slow = np.repeat([1.0, 1.1, 1.2, 1.2, 1.1, 1.0, 0.9, 0.9, 1.0, 1.1, 1.2, 1.2], 7)
    quick = np.repeat([1.2, 0.9] * 6, 7)
    assert learn_persistence(slow) > 0.5 > 0.3 > learn_persistence(quick) >= 0.0


def test_nothing_after_the_origin_changes_what_was_fitted_before_it() -> None:
    """Checks of past weeks see only what was known then: tenfold counts in the last week leave the fit before it."""
    counts = poisson(20, 70)
    record = Record(counts, np.ones(counts.shape[:2], bool), week_days(70))
    honest = fit(record.until(63))
    louder = counts.copy()
    louder[:, 63:] *= 10
    other = fit(Record(louder, record.seen, record.days).until(63))
    assert np.array_equal(honest.levels, other.levels) and np.array_equal(honest.share, other.share)


def test_hours_that_were_not_measured_do_not_make_a_day_quiet() -> None:
    """The last two hours missing on half of the days: level and shares come out as if they had been there."""
    counts = poisson(50, 84, level=200.0)
    seen = np.ones(counts.shape, bool)
    seen[:, ::2, 2:] = False
    days = week_days(84)
    whole = fit(Record(counts, np.ones(counts.shape, bool), days), shared=False)
    part = fit(Record(counts, seen, days), shared=False)
    assert part.levels[1].mean() == pytest.approx(whole.levels[1].mean(), rel=0.02)
    assert part.share[:, 0].mean(axis=0) == pytest.approx(HOURS / HOURS.sum(), abs=0.01)


def test_without_any_history_the_priors_come_back() -> None:
    """A new installation forecasts population and the usual shape of a day."""
    record = Record(np.zeros((3, 0, 4), np.uint8), np.zeros((3, 0), bool), Days.of([], [[]]))
    fitted = fit(record, effect_prior=(0.7,), level_prior=np.array([5.0, 10.0, 20.0]))
    made = assemble(fitted, [], persistence=0.7, counted=True)
    days = Days.of([0, 1], [[False, True]])
    assert made.days(days, 1) == pytest.approx(np.outer([5.0, 10.0, 20.0], [1.0, 0.7]), rel=1e-5)
    assert len(HALF_LIVES) == fitted.levels.shape[0]


def test_bands_of_nothing_are_poissons() -> None:
    """With nothing to learn from, the band of 100 people is a tenth to each side and more."""
    bands = make_bands(np.zeros(0), np.zeros(0), np.zeros(0), counted=True)
    low, *_, high = bands.around(np.array([100.0]), np.ones(1), counted=True)[:, 0]
    assert low == pytest.approx(87.2, abs=0.5) and high == pytest.approx(112.8, abs=0.5)
    assert len(QUANTILES) == 5


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 10_000))
def test_units_agree_with_their_governorate_and_stay_units(size: int, groups: int, seed: int) -> None:
    """Whatever the numbers: what is closed stays closed, nothing is negative, the sum lies between the two forecasts,
    and a governorate known exactly is met where no unit is cut."""
    rng = np.random.default_rng(seed)
    units = rng.gamma(2, 20, (size, 3)) * (rng.random((size, 3)) > 0.2)
    group = rng.integers(0, groups, size)
    sums = np.zeros((groups, 3))
    np.add.at(sums, group, units)
    totals = sums * rng.uniform(0.8, 1.2, sums.shape)
    found = reconcile(units, group, totals, units + 1.0, np.full_like(totals, 5.0))
    agreed = np.zeros_like(sums)
    np.add.at(agreed, group, found)
    assert (found[units == 0] == 0).all() and (found >= 0).all()
    low, high = np.minimum(sums, totals), np.maximum(sums, totals)
    assert ((agreed >= low - 1e-6) & (agreed <= high + 1e-6)).all()
    exact = reconcile(units, group, totals, units * 0.5, np.zeros_like(totals))
    met = np.zeros_like(sums)
    np.add.at(met, group, exact)
    assert met[sums > 0] == pytest.approx(totals[sums > 0])


def test_the_first_visit_is_worth_more_than_population() -> None:
    """Gamma-Poisson: population says 20, a day of counting 60 moves the level most of the way; more days, all of it."""
    known = cold.Beforehand(1.0, 0.5, 100)
    levels = [
        float(cold.posterior(known, np.array([20.0]), np.array([60.0 * d]), np.array([float(d)]))[0])
        for d in (0, 1, 10)
    ]
    assert levels[0] == pytest.approx(20.0)
    assert levels[1] > 50 and levels[2] == pytest.approx(60, rel=0.02)
    low, high = known.band(np.array([20.0]), -1.2816)[0], known.band(np.array([20.0]), 1.2816)[0]
    # What comes in a day is negative binomial (4, mean 20): a tenth of days bring 7 or fewer, a tenth more than 34.
    assert low == pytest.approx(7.5, abs=0.6) and high == pytest.approx(34.5, abs=0.6)


def test_what_places_have_in_common_is_learned() -> None:
    """Places with a record are busier than their population by a third and differ by a quarter: both are found."""
    rng = np.random.default_rng(4)
    population = rng.uniform(10, 100, 400)
    level = population * 1.33 * rng.gamma(16, 1 / 16, 400)
    found = cold.learn_beforehand(level, population, np.full(400, 50.0))
    assert found.ratio == pytest.approx(1.33, abs=0.04) and found.cv == pytest.approx(0.25, abs=0.05)
    assert cold.learn_beforehand(level, population, np.zeros(400)) == cold.Beforehand(1.0, cold.CV, 0)


def test_the_first_working_day_after_a_holiday_is_known() -> None:
    """After a Thursday off it is Sunday, after a Monday off Tuesday; an ordinary Sunday is none."""
    holiday = {
        date(2026, 11, 26): Holiday(date(2026, 11, 26), "ع", "H", "declared"),
        date(2026, 11, 16): Holiday(date(2026, 11, 16), "ع", "H", "declared"),
    }
    calendar = Calendar(Decrees(off=holiday))
    after = [d for n in range(30) if calendar.is_after_holiday(d := date(2026, 11, 8) + timedelta(days=n))]
    assert after == [date(2026, 11, 17), date(2026, 11, 29)]
    assert dict(zip(EFFECTS, effects_of(date(2026, 11, 29), calendar), strict=True)) == {
        "ramadan": False,
        "payday": False,
        "after_holiday": True,
        "school": False,
    }
    assert in_season("school_registration", date(2026, 5, 1))
    assert not in_season("school_registration", date(2026, 7, 1))


def test_effects_are_learned_from_all_and_drawn_to_them_for_one() -> None:
    """A day a third busier for everybody is found; one site's own answer is between its count and everybody's."""
    counts = poisson(100, 84, level=100.0)
    held = [n % 28 in (24, 25, 26, 27) for n in range(84)]
    counts[:, held] = (counts[:, held] * 4) // 3
    record = Record(counts, np.ones(counts.shape[:2], bool), Days.of([n % 7 for n in range(84)], [held]))
    fitted = rhythm.fit(record, effect_prior=(1.0,))
    assert fitted.pooled_effects[0] == pytest.approx(1.28, abs=0.07)
    assert np.ptp(fitted.effects[:, 0]) < 0.15
