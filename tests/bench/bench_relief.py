"""What a visit relieves: the model beside simulated days of single citizens, and its speed for a country.

    python -m tests.bench.bench_relief [--scenarios 160] [--days 600] [--seed 11] [--speed]

Scenarios are drawn from the seed: 2 to 16 desks, 5 to 20 minutes a person, squared coefficient of variation 0.2 to 1.2,
loads of 85 to 125% of the desks over a day of 6 to 8 hours, leaving in half of them, a van of 1 to 4 desks for 2 to 6
hours, 30 to 80% of the people able to use it. Every simulated day has the same people with and without the van (common
random numbers). Beside the chain stands the Gaussian closure that came before it.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from statistics import NormalDist

import numpy as np

from fleet import relief
from fleet.relief import NODES, Floats, Station, Van
from fleet.simulation.engine import EVERY_SKILL, LEFT, Lines, People, play

SHAPE = np.array([0.55, 0.95, 1.2, 1.3, 1.25, 1.1, 0.95, 0.55])
OPENS = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Scenario:
    """A center, its day and a visit. Hours."""

    arrivals: Floats
    desks: int
    service: float
    cs2: float
    leave: float
    van: int
    van_service: float
    share: float
    begins: float
    ends: float
    closes: int


def scenarios(count: int, seed: int) -> list[Scenario]:
    """Crowded centers of all kinds."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        desks, service, hours = int(draw.integers(2, 17)), draw.uniform(5, 20) / 60, int(draw.integers(6, 9))
        profile = np.interp(np.linspace(0, 7, hours), np.arange(8), SHAPE * draw.uniform(0.8, 1.2, 8))
        arrivals = np.zeros(24)
        arrivals[OPENS : OPENS + hours] = (
            profile / profile.mean() * draw.uniform(0.85, 1.25) * desks / service
        )
        leave = float(draw.uniform(0.1, 0.8)) if draw.random() < 0.5 else 0.0
        stay = draw.uniform(2, 6)
        begins = OPENS + draw.uniform(0, max(hours - stay, 0.1))
        found.append(
            Scenario(
                arrivals,
                desks,
                service,
                draw.uniform(0.2, 1.2),
                leave,
                int(draw.integers(1, 5)),
                service * draw.uniform(0.7, 1.1),
                draw.uniform(0.3, 0.8),
                begins,
                min(begins + stay, OPENS + hours),
                OPENS + hours,
            )
        )  # fmt: skip
    return found


def simulated(s: Scenario, days: int, seed: int, spread: float) -> tuple[float, float]:
    """(person-hours relieved a day, its standard error or, with `spread`, more than that) over days with and without
    the van; `spread` is that of a day's demand (standard deviation / mean)."""
    draw = np.random.default_rng([seed, 77])
    # Evenly through the distribution, in any order: what is left to chance is the day, not how many days are busy.
    even = np.array([NormalDist().inv_cdf((k + 0.5) / days) for k in draw.permutation(days)])
    factor = np.maximum(0, 1 + spread * even)
    counts = draw.poisson(s.arrivals[None, :] * factor[:, None])
    n = int(counts.sum())
    day, hour = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
    arrives = hour + draw.random(n)
    arrives = arrives[np.lexsort((arrives, day))]
    first = np.concatenate([[0], np.cumsum(counts.sum(axis=1))])
    unit = draw.gamma(1 / s.cs2, s.cs2, n)
    patience = draw.exponential(1 / s.leave, n) if s.leave else np.full(n, np.inf)
    could, chance, zeros = draw.random(n) < s.share, draw.logistic(0, 1, n), np.zeros(n)
    end = s.closes + relief.DRAIN_H
    waited = []
    for lines_a_day in (1, 2):
        desks = np.tile([s.desks, s.van][:lines_a_day], days)
        desk_first = np.concatenate([[0], np.cumsum(desks)])
        count, total = int(desk_first[-1]), days * lines_a_day
        on = np.repeat(np.tile([float(OPENS), s.begins][:lines_a_day], days), desks)
        where = Lines(
            np.arange(days + 1) * lines_a_day, desk_first, np.full(count, EVERY_SKILL), np.arange(count + 1), on,
            np.full(count, end), np.ones(total, bool), np.full(total, end),
            np.tile([s.service, s.van_service][:lines_a_day], days), np.full(total, s.begins), np.full(total, s.ends),
        )  # fmt: skip
        home = day * lines_a_day
        who = People(
            first, arrives, home, np.where(could & (lines_a_day == 2), home + 1, -1), np.zeros(n, np.int64), zeros,
            patience, unit * s.service, unit * s.van_service, zeros, chance,
        )  # fmt: skip
        tickets = play(where, who)
        assert s.leave or not (tickets.state == LEFT).any()
        waited.append(np.bincount(day, tickets.waited(who), days))
    relieved = waited[0] - waited[1]
    return float(relieved.mean()), float(relieved.std(ddof=1) / days**0.5)


def modelled(some: list[Scenario], spread: float) -> Floats:
    """Person-hours relieved, by the model, over the demand's distribution."""
    found = np.zeros(len(some))
    for deviation, weight in NODES if spread else ((0.0, 1.0),):
        station, van = _arrays(some, 1 + spread * deviation)
        after = relief.relieve(station, van)
        found += weight * (relief.waiting(station).hours - after.fixed_hours - after.van_hours)
    return found


def closure(some: list[Scenario], spread: float) -> Floats:
    """The same by the Gaussian closure, with choices by mean waits."""
    found = np.zeros(len(some))
    for deviation, weight in NODES if spread else ((0.0, 1.0),):
        for k, s in enumerate(some):
            found[k] += weight * _closure(s, 1 + spread * deviation)
    return found


def _closure(s: Scenario, scale: float) -> float:
    def line(desks: float, service: float) -> relief.Line:
        one = np.ones(1)
        return relief.Line(one * desks, one * service, one * s.cs2, one * s.leave)

    def wait(of: relief.Line) -> float:
        return float(((of.queue + 1 - of.free) / (of.desks * of.mu))[0])

    alone, fixed, mobile = (
        line(s.desks, s.service),
        line(s.desks, s.service),
        line(s.van, s.van_service),
    )
    total = 0.0
    for k in range(round((s.closes + relief.DRAIN_H - OPENS) / relief.STEP_H)):
        at = OPENS + (k + 0.5) * relief.STEP_H
        rate = scale * np.array([s.arrivals[int(at)] if at < 24 else 0.0])
        lean = relief.WAIT_SENSITIVITY * (wait(fixed) - wait(mobile))
        goes = s.share / (1 + np.exp(-lean)) if s.begins <= at < s.ends else 0.0
        total += float(alone.step(rate, relief.STEP_H)[0])
        total -= float(
            (fixed.step(rate * (1 - goes), relief.STEP_H) + mobile.step(rate * goes, relief.STEP_H))[0]
        )
    return total


def _arrays(some: list[Scenario], scale: float) -> tuple[Station, Van]:
    def column(name: str) -> Floats:
        return np.array([float(getattr(s, name)) for s in some])

    arrivals = np.array([s.arrivals for s in some]) * scale
    station = Station(arrivals, column("desks"), column("service"), column("cs2"), column("leave"))
    van = Van(
        column("van"), column("van_service"), column("cs2"), column("begins"), column("ends"), column("share"),
        np.zeros(len(some)),
    )  # fmt: skip
    return station, van


def accuracy(count: int, days: int, seed: int) -> None:
    """The table of errors."""
    some = scenarios(count, seed)
    print("| demand | method | median error | P90 | largest | bias | simulation's own error (median) |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for words, spread in (("as forecast", 0.0), (f"strays by {relief.DEMAND_CV:.0%}", relief.DEMAND_CV)):
        truth = [simulated(s, days, seed + k, spread) for k, s in enumerate(some)]
        real, noise = (np.array(part) for part in zip(*truth, strict=True))
        for name, method in (("chain with covariance", modelled), ("Gaussian closure", closure)):
            error = method(some, spread) / real - 1
            off = np.abs(error)
            print(
                f"| {words} | {name} | {np.median(off):.2%} | {np.quantile(off, 0.9):.2%} | {off.max():.1%} | "
                f"{np.median(error):+.2%} | {np.median(noise / real):.2%} |",
                flush=True,
            )


def speed(centers: int = 5_000, days: int = 6) -> None:
    """A visit of a standard stay valued at every center and day, over the demand's distribution."""
    draw = np.random.default_rng(1)
    size = centers * days
    desks = np.repeat(np.clip(draw.poisson(2.5, centers) + 1.0, 1, 12), days)
    service = np.repeat(draw.uniform(8, 15, centers) / 60, days)
    load = np.repeat(np.clip(draw.normal(0.8, 0.2, centers), 0.2, 1.2), days) * draw.normal(1, 0.05, size)
    profile = np.array([0.7, 1.1, 1.3, 1.2, 1.1, 0.9, 0.6])
    arrivals = np.zeros((size, 24))
    arrivals[:, 8:15] = (load * desks / service)[:, None] * profile / profile.mean()
    one = np.ones(size)
    van = Van(one * 3, service, one * 0.4, one * 9, one * 13, one * 0.6, one * 0)
    few = slice(0, 10)
    relief.relieve(Station(arrivals, desks, service, one * 0.4, one * 0.3).take(few), van.take(few))
    wall, cpu = time.perf_counter(), time.process_time()
    value, looked = np.zeros(size), 0
    for deviation, weight in NODES:
        line = Station(arrivals * (1 + relief.DEMAND_CV * deviation), desks, service, one * 0.4, one * 0.3)
        before = relief.waiting(line)
        rows = np.flatnonzero(before.hours > 1.0)
        after = relief.relieve(line.take(rows), van.take(rows))
        value[rows] += weight * (before.hours[rows] - after.fixed_hours - after.van_hours)
        looked += len(rows)
    print(
        f"\n{centers:,} centers x {days} days, three points of the demand's distribution: "
        f"{time.perf_counter() - wall:.1f} s (processor {time.process_time() - cpu:.1f} s, two threads); "
        f"{looked / (3 * size):.0%} of the days had an hour of waiting or more; mean relief {value.mean():.1f} h"
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenarios", type=int, default=160)
    parser.add_argument("--days", type=int, default=600)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--speed", action="store_true", help="the speed alone")
    chosen = parser.parse_args()
    if not chosen.speed:
        accuracy(chosen.scenarios, chosen.days, chosen.seed)
    speed()


if __name__ == "__main__":
    main()
