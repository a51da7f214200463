"""Demand forecast: 50,000 daily series with hour profiles retrained, beside AutoETS and a global LightGBM.

    python -m tests.bench.bench_forecast [--quick] [--series N] [--sample N] [--california FILE]

1. Training: time (wall, processor) and peak memory of `fleet.forecast.training.train` in a process of its own on the
   counts of 16 weeks (8-bit integers, series x days x 10 hours), and of forecasting four weeks by hour.
2. Error: MASE over the four weeks after, mean over series (each series' error over that of repeating the same weekday,
   inside its training weeks), on the same sample of series for all three: 50,000 take AutoETS more than an hour. The
   other two learn from all series. LightGBM is given both usual objectives and the better is taken.
3. The same on real series where a file is given: daily means of California's posted waits, from rolling origins.

The national demand is drawn here (seeded), shaped like the simulated country's hidden truth: levels over three orders
of magnitude, drift, own weekdays, paydays, national and local shocks, day-to-day noise, Poisson counts. Needs
statsforecast and lightgbm.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleet.forecast.rhythm import Days, Record
from fleet.forecast.training import WEEK, train

Array = NDArray[Any]
HISTORY, AHEAD, HOURS = 112, 28, 10
FIRST = date(2026, 5, 9)
PROFILE = np.array([0.5, 0.9, 1.2, 1.3, 1.3, 1.2, 1.1, 0.9, 0.7, 0.4])
WEEKDAY = {5: 0.0, 6: 1.09, 0: 1.02, 1: 0.98, 2: 0.95, 3: 0.96, 4: 0.0}
PAYDAYS = range(24, 28)
OFF = {date(2026, 6, 17), date(2026, 7, 23), date(2026, 8, 26)}
CALIFORNIA = Path("../shared/data/queues/california_dmv_hourly_to_2025-07-31.csv.gz")


@dataclass(frozen=True)
class World:
    """Counts (series x days x hours), the days, and which are worked."""

    counts: Array
    days: list[date]
    works: Array

    @property
    def totals(self) -> Array:
        """Series x days."""
        return self.counts.sum(axis=2, dtype=np.int64).astype(float)


def draw(series: int, seed: int) -> World:
    """The national demand."""
    rng = np.random.default_rng(seed)
    days = [FIRST + timedelta(days=n) for n in range(HISTORY + AHEAD)]
    works = np.array([WEEKDAY[d.weekday()] > 0 and d not in OFF for d in days])
    level = np.exp(rng.normal(np.log(25.0), 1.3, series)).clip(0.3, 600.0)
    weekday = np.array([[WEEKDAY[d] for d in range(7)]]) * (1 + 0.07 * rng.standard_normal((series, 7)))
    knots = rng.normal(0, 0.07, (series, len(days) // 56 + 2))
    payday = rng.uniform(1.05, 1.30, series)
    morning = np.exp(rng.normal(0.15, 0.25, series)[:, None] * np.linspace(0.5, -0.5, HOURS)[None, :])
    profile = PROFILE * morning
    profile /= profile.sum(axis=1, keepdims=True)
    nation, local = np.ones(len(days)), np.ones((series, len(days)), np.float32)
    for block in range(0, len(days), 56):
        begin = block + int(rng.integers(0, 49))
        nation[begin : begin + int(rng.integers(4, 8))] *= rng.uniform(1.1, 1.25)
        starts, lengths = block + rng.integers(0, 49, series), rng.integers(2, 6, series)
        number = np.arange(len(days))
        held = (number >= starts[:, None]) & (number < (starts + lengths)[:, None])
        local *= np.where(held, rng.uniform(1.2, 1.6, series)[:, None], 1.0).astype(np.float32)
    counts = np.zeros((series, len(days), HOURS), np.uint8)
    for n, day in enumerate(days):
        if not works[n]:
            continue
        block, within = divmod(n, 56)
        drift = np.exp(knots[:, block] + (knots[:, block + 1] - knots[:, block]) * within / 56)
        mean = level * weekday[:, day.weekday()] * drift * nation[n] * local[:, n]
        mean *= np.where(day.day in PAYDAYS, payday, 1.0) * rng.gamma(1 / 0.0081, 0.0081, series)
        counts[:, n] = np.minimum(rng.poisson(np.maximum(mean, 0)[:, None] * profile), 255)
    return World(counts, days, works)


def facts(days: list[date]) -> Days:
    """What the method may know of the days."""
    return Days.of([d.weekday() for d in days], [[d.day in PAYDAYS for d in days]])


def ours(counts: Array, days: list[date], works: Array, ahead: int) -> tuple[Array, float, float]:
    """Day forecasts (series x ahead), seconds of training and of forecasting every hour."""
    split = len(days) - ahead
    seen = np.broadcast_to(works[None, :split], (counts.shape[0], split))
    began = time.perf_counter()
    trained = train(Record(counts, seen, facts(days[:split])), effect_prior=(1.0,))
    learned = time.perf_counter()
    result = np.zeros((counts.shape[0], ahead), np.float32)
    for lead in range(1, ahead // WEEK + 1):
        part = facts(days[split + WEEK * (lead - 1) : split + WEEK * lead])
        result[:, WEEK * (lead - 1) : WEEK * lead] = trained.days(part, lead)
        for rows in range(0, counts.shape[0], 5000):
            few = slice(rows, rows + 5000)
            result[few, WEEK * (lead - 1) : WEEK * lead, None] * trained.rhythm.shares(part, few)
    return result * works[split:], learned - began, time.perf_counter() - learned


def child(path: Path) -> None:
    """Train in a process of its own and print what it took."""
    held = np.load(path / "meta.npz")
    counts = np.load(path / "counts.npy")
    days = [FIRST + timedelta(days=n) for n in range(HISTORY + AHEAD)]
    before = resource.getrusage(resource.RUSAGE_SELF)
    result, learned, said = ours(counts, days, held["works"], AHEAD)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    np.save(path / "ours.npy", result)
    print(
        json.dumps(
            {
                "train_s": learned,
                "forecast_s": said,
                "processor_s": usage.ru_utime + usage.ru_stime - before.ru_utime - before.ru_stime,
                "peak_mib": usage.ru_maxrss / 1024,
            }
        )
    )


def retrain(world: World) -> tuple[dict[str, float], Array]:
    """Time and memory in a child, and its day forecasts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        np.save(path / "counts.npy", world.counts[:, :HISTORY])
        np.savez(path / "meta.npz", works=world.works)
        answer = subprocess.run(
            [sys.executable, "-m", "tests.bench.bench_forecast", "--child", folder],
            check=True,
            capture_output=True,
            text=True,
        )
        return json.loads(answer.stdout), np.load(path / "ours.npy")


def auto_ets(history: Array, ahead: int, season: int) -> Array:
    """AutoETS on each row of `history` (worked days only)."""
    import pandas as pd
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS

    size, length = history.shape
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(size), length),
            "ds": np.tile(np.arange(length), size),
            "y": history.ravel(),
        }
    )
    made = StatsForecast(models=[AutoETS(season_length=season)], freq=1, n_jobs=2).forecast(df=frame, h=ahead)
    found: Array = made.sort_values(["unique_id", "ds"])["AutoETS"].to_numpy().reshape(size, ahead)
    return np.maximum(np.nan_to_num(found), 0.0)


def boosted(history: Array, ahead: int, season: int, marks: Array, objective: str, seed: int = 1) -> Array:
    """One LightGBM for all series and leads, on worked days: its features are what is known at the origin. `marks`
    (days x facts) describe every day, those ahead too."""
    import lightgbm

    size, length = history.shape
    rng = np.random.default_rng(seed)

    def features(origin: int, target: int, rows: Array) -> Array:
        past = history[rows, :origin]
        back = [past[:, origin - season * k + (target - origin) % season] for k in range(1, 6)]
        means = [past[:, -w:].mean(axis=1) for w in (3, 5, 10, 20, 40)]
        spread = past[:, -20:].std(axis=1)
        fixed = np.column_stack(
            [np.full(len(rows), (target - origin) // season), np.tile(marks[target], (len(rows), 1))]
        )
        return np.column_stack([*back, *means, spread, fixed])

    wanted = max(600_000 // ((length - 45) or 1), 1)
    xs, ys, scales = [], [], []
    for origin in range(41, length):
        for _ in range(2):
            target = origin + int(rng.integers(0, min(ahead, length - origin)))
            rows = rng.choice(size, min(size, wanted // 2 or 1), replace=False)
            x = features(origin, target, rows)
            scale = np.maximum(x[:, 9], 0.2)
            xs.append(x)
            ys.append(history[rows, target])
            scales.append(scale)
    x, y, scale = np.concatenate(xs), np.concatenate(ys), np.concatenate(scales)
    relative = objective == "l1"

    def prepared(part: Array, by: Array) -> Array:
        return np.column_stack([part[:, :11] / by[:, None], part[:, 11:], by]) if relative else part

    model = lightgbm.LGBMRegressor(
        objective=objective, n_estimators=300, learning_rate=0.06, num_leaves=63, min_child_samples=100,
        subsample=0.8, subsample_freq=1, colsample_bytree=0.8, n_jobs=2, verbose=-1, random_state=seed,
    )  # fmt: skip
    model.fit(prepared(x, scale), y / scale if relative else y, sample_weight=scale if relative else None)
    result = np.zeros((size, ahead))
    everybody = np.arange(size)
    for step in range(ahead):
        x = features(length, length + step, everybody)
        scale = np.maximum(x[:, 9], 0.2)
        made = np.asarray(model.predict(prepared(x, scale)))
        result[:, step] = made * scale if relative else made
    return np.maximum(result, 0.0)


def mase(real: Array, said: Array, history: Array, season: int) -> float:
    """Mean over series of its error over the error of repeating the season inside its training days."""
    naive = np.abs(history[:, season:] - history[:, :-season]).mean(axis=1)
    has = naive > 0
    return float((np.abs(said - real).mean(axis=1)[has] / naive[has]).mean())


def national(series: int, sample: int, seed: int) -> dict[str, object]:
    """The drawn country: time, memory, and the three errors on one sample."""
    world = draw(series, seed)
    spent, said = retrain(world)
    on = np.flatnonzero(world.works)
    split = int((on < HISTORY).sum())
    totals = world.totals[:, on]
    history, real = totals[:, :split], totals[:, split:]
    ahead = real.shape[1]
    rows = np.linspace(0, series - 1, min(sample, series)).astype(int)
    marks = np.array(
        [[world.days[n].weekday(), world.days[n].day in PAYDAYS, world.days[n].day] for n in on], float
    )
    found: dict[str, object] = {
        "series": series,
        "sample": len(rows),
        **{k: round(v, 2) for k, v in spent.items()},
    }
    began = time.perf_counter()
    found["mase_ours"] = round(mase(real[rows], said[rows][:, on[split:] - HISTORY], history[rows], 5), 4)
    for objective in ("poisson", "l1"):
        began = time.perf_counter()
        lgb = boosted(history, ahead, 5, marks, objective)
        found[f"mase_lightgbm_{objective}"] = round(mase(real[rows], lgb[rows], history[rows], 5), 4)
        found[f"lightgbm_{objective}_s"] = round(time.perf_counter() - began, 1)
    began = time.perf_counter()
    ets = auto_ets(history[rows], ahead, 5)
    found["mase_autoets"] = round(mase(real[rows], ets, history[rows], 5), 4)
    found["autoets_s"] = round(time.perf_counter() - began, 1)
    found["mase_mean_of_history"] = round(
        mase(real[rows], np.tile(history[rows].mean(axis=1)[:, None], ahead), history[rows], 5), 4
    )
    return found


def california(path: Path, origins: int) -> dict[str, object]:
    """Daily means of posted waits: four weeks from `origins` rolling origins, the three on the same days."""
    from fleet.forecast.posted import OFFSET, POWER, read_posted

    posted = read_posted([path])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        daily = np.nanmean(posted.values, axis=2).astype(float)
        usual = np.nanmedian(daily, axis=1)
    daily = daily[np.nan_to_num(usual) > 2]
    worked = np.flatnonzero((~np.isnan(daily)).mean(axis=0) > 0.5)
    values = daily[:, worked]
    for row in values:  # the few gaps: the value before
        gaps = np.isnan(row)
        known = np.flatnonzero(~gaps)
        row[gaps] = row[known[np.clip(np.searchsorted(known, np.flatnonzero(gaps)) - 1, 0, None)]]
    marks = np.array([[posted.days[n].weekday(), posted.days[n].day] for n in worked], float)
    sums: dict[str, list[float]] = {}
    for back in range(origins):
        split = values.shape[1] - 20 * (back + 1)
        history, real = values[:, :split], values[:, split : split + 20]
        days = Days.of([posted.days[n].weekday() for n in worked])
        record = Record(
            ((history + OFFSET) ** POWER)[:, :, None].astype(np.float32),
            np.ones(history.shape, bool),
            days.part(0, split),
        )
        # The record's weeks have five days here: leads are counted in those.
        trained = train(_in_weeks(record, worked[:split]), counted=False, shared=False)
        made = np.column_stack(
            [
                trained.days(
                    days.part(split + n, split + n + 1),
                    1 + int(worked[split + n] - worked[split - 1] - 1) // 7,
                )
                for n in range(20)
            ]
        )
        answers = {
            "ours": np.maximum(made ** (1 / POWER) - OFFSET, 0),
            "autoets": auto_ets(history, 20, 5),
            "lightgbm_l1": boosted(history, 20, 5, marks[: split + 20], "l1"),
        }
        for name, said in answers.items():
            sums.setdefault(name, []).append(mase(real, said, history, 5))
    return {
        "series": len(values),
        "origins": origins,
        **{f"mase_{k}": round(float(np.mean(v)), 4) for k, v in sums.items()},
    }


def _in_weeks(record: Record, number: Array) -> Record:
    """The record on calendar days again: days without work are unseen."""
    length = int(number[-1] - number[0]) + 1
    at = number - number[0]
    counts = np.zeros((record.counts.shape[0], length, 1), np.float32)
    seen = np.zeros(counts.shape[:2], bool)
    counts[:, at], seen[:, at] = record.counts, True
    weekday = np.zeros(length, np.intp)
    weekday[at] = record.days.weekday
    return Record(counts, seen, Days.of(weekday.tolist()))


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="2,000 series, 60 of them for AutoETS")
    parser.add_argument("--series", type=int, default=50_000)
    parser.add_argument("--sample", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--california", type=Path, default=CALIFORNIA)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child is not None:
        child(chosen.child)
        return
    if chosen.quick:
        chosen.series, chosen.sample = 2_000, 60
    warnings.simplefilter("ignore", UserWarning)
    found: dict[str, object] = {"national": national(chosen.series, chosen.sample, chosen.seed)}
    if chosen.california.exists():
        found["california"] = california(chosen.california, 1 if chosen.quick else 3)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
