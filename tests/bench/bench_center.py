"""Promises in a center with shared desks, priorities, appointments and people who give up:
`python -m tests.bench.bench_center [--quick] [--floor]`. Prints JSON, in minutes and shares.

`--floor`: also what oracles reach that know the roster's future, today's true pace and the true laws of the services,
and who will overtake: how much of the error nobody could be without who does not see the future.
"""

from __future__ import annotations

import heapq
import json
import sys
import time

import numpy as np

from queueing.waits.bands import MEDIAN, Calibration, Level
from queueing.waits.evaluation import figures
from queueing.waits.forward import distribution, waits
from tests.bench.center import PACE, PEOPLE, ROSTER, Day, Known, days, learn, ql, state, truth

TRAIN, CALIBRATE, TEST = 20, 4, 12
ORACLES = (
    frozenset({ROSTER}),
    frozenset({PACE}),
    frozenset({PEOPLE}),
    frozenset({ROSTER, PACE}),
    frozenset({ROSTER, PACE, PEOPLE}),
)


def floor(every: list[Day], known: Known) -> dict[str, float]:
    """Mean error of the median of an oracle on the test days, by what it knows."""
    found = {}
    for knows in ORACLES:
        taught = truth(known) if PACE in knows else known
        errors = [
            abs(
                float(np.median(waits(center, seed=int(place), day_pace=pace, **spread)[:, -1]))
                - (day.begins[place] - day.arrives[place])
            )
            for spread in [{"day_spread": 0.0} if PACE in knows else {}]
            for day in every[TRAIN + CALIBRATE :]
            for place in np.flatnonzero(day.tested)
            for center, pace in [state(day, taught, int(place), knows)]
        ]
        found["+".join(sorted(knows))] = round(float(np.mean(errors)), 2)
    return found


def main(quick: bool, *, with_floor: bool = False) -> dict[str, object]:
    """Learn on some days, run the bands in on the next, test on the last."""
    every = days(TRAIN + CALIBRATE + (3 if quick else TEST), seed=11)
    known = learn(every[:TRAIN])
    calibration, level = Calibration(), Level()
    wait, quantiles, four, ahead = [], [], [], []
    plain: dict[str, list[float]] = {"line": [], "desks": [], "service": []}
    seconds = []
    for number, day in enumerate(every[TRAIN:]):
        pending: list[tuple[float, int, bool, bool, float, float]] = []
        places = np.flatnonzero(day.tested)
        tested = number >= CALIBRATE
        for name, found in ql(day, known, places).items():
            plain[name].extend(np.abs(found - (day.begins - day.arrives)[places]) if tested else [])
        for place in places:
            now = day.arrives[place]
            while pending and pending[0][0] <= now:
                _, people, in50, in90, true, median = heapq.heappop(pending)
                calibration.learn(people, (in50, in90), (1.0, 1.0))
                level.learn(true, median)
            center, pace = state(day, known, int(place))
            middle = time.process_time()
            found = distribution(waits(center, seed=int(place), day_pace=pace)[:, -1:])[0]
            seconds.append(time.process_time() - middle)
            median = float(found[MEDIAN])
            found = found * level.factor
            people = len(center.people) - 1
            bands = [*calibration.band(found, people, 0), *calibration.band(found, people, 1)]
            true = day.begins[place] - now
            inside = (bands[0] <= true <= bands[1], bands[2] <= true <= bands[3])
            heapq.heappush(pending, (day.begins[place], people, *inside, true, median))
            if tested:
                wait.append(true)
                quantiles.append(found)
                four.append(bands)
                ahead.append(people)
    errors = {name: float(np.mean(some)) for name, some in plain.items()}
    forward = figures(np.array(wait), np.array(quantiles), np.array(four))
    best = min(errors.values())
    return {
        **forward,
        "ql_mae": {name: round(value, 2) for name, value in errors.items()},
        "of_ql_by_service": round(float(forward["mae"]) / errors["service"], 3),
        "of_best_ql": round(float(forward["mae"]) / best, 3),
        "ms_a_forecast": round(1000 * float(np.median(seconds)), 2),
        "given_up": round(float(np.mean([1 - day.served.mean() for day in every])), 3),
        **({"oracles": floor(every, known)} if with_floor else {}),
    }


if __name__ == "__main__":
    print(json.dumps(main("--quick" in sys.argv, with_floor="--floor" in sys.argv)))
