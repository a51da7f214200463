"""Promises in a center with shared desks, priorities, appointments and people who give up:
`python -m tests.bench.bench_center [--quick]`. Prints JSON, in minutes and shares."""

from __future__ import annotations

import heapq
import json
import sys
import time

import numpy as np

from queueing.waits.bands import MEDIAN, Calibration, Level
from queueing.waits.evaluation import figures
from queueing.waits.forward import distribution, waits
from tests.bench.center import days, learn, ql, state

TRAIN, CALIBRATE, TEST = 20, 4, 12


def main(quick: bool) -> dict[str, object]:
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
            middle = time.perf_counter()
            found = distribution(waits(center, seed=int(place), day_pace=pace)[:, -1:])[0]
            seconds.append(time.perf_counter() - middle)
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
    }


if __name__ == "__main__":
    print(json.dumps(main("--quick" in sys.argv)))
