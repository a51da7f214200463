"""How good warnings are on real logs: learn from some days, warn on later ones. Pure but for reading files.

A file's day counts as a test day only when it lies after the last training day. At a test snapshot only what had been
seen by then is known, and days before it: each night boosters learn again, from all days that are over, as those of the
waits do. `learned_once` says how those of the first night rank all the days after it. The last `HELD_DAYS` training
days serve twice: boosters of the other days say what those days would have been warned of, from which follow the curve
that makes a score a chance and the default threshold (the lowest with at most `MOST_FALSE` false alarms per office and
week); then they learn from all days.

Ranking is judged over all snapshots with a truth: average precision and the area under the ROC curve, of the learned
chance, of the expected wait at joining (`chance.py`: what the product starts with) and of the length of the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from queueing.alarms.chance import LONG_MIN, chance_of
from queueing.alarms.instants import Instants, instants
from queueing.alarms.learning import Model, fit, table
from queueing.alarms.outcome import by_line, tally, threshold_for
from queueing.waits.snapshots import Floats, QueueDay, read
from queueing.waits.tickets import collect

HELD_DAYS, FOLDS = 4, 2
MOST_FALSE = 0.6
"""False alarms per office and week that the default threshold may give on the held days; one is promised."""
LEAST_ROWS = 1000
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Settings whose rates are printed beside the default's."""


def evaluate(train: Sequence[Path | str], test: Sequence[Path | str], *, seed: int = 1) -> dict[str, Any]:
    """Learn from `train`, warn on the later days of `test`. Raises ValueError when a side has too little."""
    learned = read(train)
    end = max(one.day for one in learned)
    known = {(one.day, one.office, one.queue) for one in learned}
    later = [one for one in read(test) if one.day > end and (one.day, one.office, one.queue) not in known]
    if not later:
        raise ValueError(f"the test files hold no day after {end}, the last day of the training files")
    return evaluate_days([*learned, *later], sum(1 for _ in {one.day for one in learned}), seed=seed)


def evaluate_days(queue_days: Sequence[QueueDay], train_days: int, *, seed: int = 1) -> dict[str, Any]:
    """The same for queue-days at hand, the first `train_days` days of which may be learned from."""
    worth = [one for one in queue_days if one.fault is None and one.issued[-1] > one.issued[0]]
    order = sorted({one.day for one in queue_days})
    end = order[train_days - 1]
    at = instants(worth)
    people = collect(worth)
    days = at.states.days
    last = sum(day <= end for day in days) - 1
    train, test = at.states.day <= last, at.states.day > last
    if (train & at.known).sum() < LEAST_ROWS or not (test & at.known).any() or last < HELD_DAYS:
        raise ValueError("too few snapshots with people to learn from or to test on")
    found = table(people, at, _learnt(len(days), last))
    simple = np.array([chance_of(wait) for wait in found["line_wait"]])
    score, once = np.full(len(at), np.nan), np.full(len(at), np.nan)
    held = train & (at.states.day > last - HELD_DAYS)
    for fold in range(FOLDS):
        out = held & (at.states.day % FOLDS == fold)
        if out.any():
            score[out] = _score(_fitted(at, found, train & ~out, seed), found, out)
    slope, intercept = logistic(score[held & at.known], at.long[held & at.known])
    for night in range(last, len(days) - 1):
        if night > last:
            found = table(people, at, _learnt(len(days), night))
        model = _fitted(at, found, at.states.day <= night, seed)
        tomorrow = at.states.day == night + 1
        if tomorrow.any():
            score[tomorrow] = _score(model, found, tomorrow)
        if night == last:
            once[test] = _score(model, found, test)
    chance = 1.0 / (1.0 + np.exp(-(slope * np.nan_to_num(score) + intercept)))
    return _report(
        at,
        chance,
        {"expected_wait": simple, "line": at.states.state["line"], "learned_once": once},
        held,
        test,
    )


def _fitted(at: Instants, found: dict[str, Floats], rows: np.ndarray, seed: int) -> Model:
    rows = rows & at.known
    return fit({name: one[rows] for name, one in found.items()}, at.mean[rows], at.over[rows], seed=seed)


def _score(model: Model, found: dict[str, Floats], asked: np.ndarray) -> Floats:
    return model.score({name: one[asked] for name, one in found.items()})


def _learnt(number: int, last: int) -> np.ndarray:
    """Which days each day may learn the usual from: a training day all the other ones, a later day all before it."""
    order = np.arange(number)
    return np.array(
        [(order <= last) & (order != day) if day <= last else order < day for day in range(number)], bool
    )


def logistic(score: Floats, truth: np.ndarray) -> tuple[float, float]:
    """Slope and intercept by maximum likelihood (Newton's method, a trace of ridge so that it always ends)."""
    x = np.column_stack([score, np.ones(len(score))])
    weights = np.zeros(2)
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (truth - p) - 1e-3 * weights
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(2), gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return float(weights[0]), float(weights[1])


def _report(
    at: Instants, chance: Floats, others: dict[str, Floats], held: np.ndarray, test: np.ndarray
) -> dict[str, Any]:
    ranked = test & at.known
    truth = at.long[ranked]
    before, after = by_line(at, held), by_line(at, test)
    threshold = threshold_for(at, before, chance, MOST_FALSE)
    simple = others["expected_wait"]
    plain = threshold_for(at, before, simple, MOST_FALSE)
    return {
        "n": int(ranked.sum()),
        "base_rate": round(float(truth.mean()), 4),
        "average_precision": _rounded(average_precision(chance[ranked], truth)),
        "auc": _rounded(auc(chance[ranked], truth)),
        "by_day": {
            at.states.days[day].isoformat(): _rounded(
                average_precision(
                    chance[ranked & (at.states.day == day)], at.long[ranked & (at.states.day == day)]
                )
            )
            for day in np.unique(at.states.day[ranked])
        },
        "yardsticks": {
            name: {
                "average_precision": _rounded(average_precision(one[ranked], truth)),
                "auc": _rounded(auc(one[ranked], truth)),
            }
            for name, one in others.items()
        },
        "half_or_more": _rounded(average_precision(chance[ranked], at.over[ranked] >= 0.5)),
        "anybody": _rounded(average_precision(chance[ranked], at.over[ranked] > 0)),
        "brier": round(float(np.mean((chance[ranked] - truth) ** 2)), 4),
        "mean_chance": round(float(chance[ranked].mean()), 4),
        "default": {"threshold": threshold, **tally(at, after, chance, threshold).figures()},
        "settings": {f"{one:g}": tally(at, after, chance, one).figures() for one in THRESHOLDS},
        "expected_wait_alone": {
            "default": {"threshold": plain, **tally(at, after, simple, plain).figures()},
            "settings": {f"{one:g}": tally(at, after, simple, one).figures() for one in THRESHOLDS},
        },
        "warned_of_minutes": LONG_MIN,
    }


def average_precision(score: Floats, truth: np.ndarray) -> float:
    """Mean of the precision at each true row, rows in falling order of the score; equal scores come together."""
    if not truth.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    hits, ranked = np.cumsum(truth[order]), score[order]
    ends = np.r_[np.flatnonzero(np.diff(ranked)), len(ranked) - 1]
    precision = hits[ends] / (ends + 1)
    return float((np.diff(np.r_[0, hits[ends]]) * precision).sum() / hits[-1])


def auc(score: Floats, truth: np.ndarray) -> float:
    """The chance that a true row scores above a false one (ties half)."""
    high, low = np.sort(score[truth]), np.sort(score[~truth])
    if not len(high) or not len(low):
        return float("nan")
    below = np.searchsorted(low, high, "left") + np.searchsorted(low, high, "right")
    return float(below.mean() / 2 / len(low))


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 3)
