"""A wait as a whole distribution: its middle, its spread, its shape. Pure.

Middle: three gradient boosters (LightGBM; Friedman 2001, Ke et al. 2017) of log(wait / QL + k) with losses
that forgive outliers, in different k; their mean. The ratio to QL transfers between queues and goes on
beyond the training range, where trees stand still (there the ratio is what it was at the edge, and QL goes
on growing with the people ahead). Least-squares-like losses on the logarithm learn the middle from fewer
days than a quantile loss, whose gradient is only a sign: on Warsaw's offices a mean error of 5.7 minutes
against 5.9.

Spread: a booster of |wait / (middle + 1) - its median|.

Shape: tickets of training days that the boosters had not seen (days in folds), in cells by middle and
spread; the cell's sorted ratios wait / (middle + 1) are the distribution. So a share that is called at once
stays a share at exactly 0. Where the median is not 0 a cell is scaled so that the middle stays the median:
the folds' boosters knew fewer days, and their bias is not that of the boosters in use (Warsaw: mean error
5.6 against 5.9 minutes). Bands are the shortest that hold their share, not the ones between two symmetric
quantiles: waits are skewed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from queueing.waits.bands import LEVELS, MEDIAN
from queueing.waits.snapshots import Floats
from queueing.waits.trees import Trees

OFFSET = 1.0
QL_OFFSET = 2.0
LOSSES: tuple[tuple[float, dict[str, Any]], ...] = (
    (0.1, {"objective": "huber", "alpha": 0.6}),
    (0.2, {"objective": "fair"}),
    (0.3, {"objective": "huber", "alpha": 0.5}),
)
"""k of log(wait / (QL + 2) + k), and the loss."""
BOOSTER: dict[str, Any] = {
    "learning_rate": 0.06, "num_leaves": 24, "min_data_in_leaf": 80, "bagging_fraction": 0.7, "bagging_freq": 1,
    "feature_fraction": 0.4, "lambda_l2": 5.0, "max_bin": 127, "verbose": -1, "num_threads": 1, "deterministic": True,
}  # fmt: skip
ROUNDS, SPREAD_ROUNDS, SPREAD_LEAVES = 150, 100, 12
WEIGHT_POWER = 0.8
"""A ticket weighs (QL + 2) to this: errors count in minutes, yet long waits do not drown the others."""
FOLDS = 3
MIDDLES, SPREADS = 14, 4
SURE_MEDIAN = 0.2
"""A cell whose median ratio is below this is mostly called at once; its median stays what was seen."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Cells by middle and by spread within it: sorted ratios at `LEVELS`."""

    middle_edges: Floats
    spread_edges: Floats
    ratios: Floats

    @classmethod
    def of(cls, wait: Floats, middle: Floats, spread: Floats) -> Shape:
        """Cells of about equally many tickets."""
        edges = np.quantile(middle, np.linspace(0, 1, MIDDLES + 1)[1:-1])
        cell = np.digitize(middle, edges)
        ratio = wait / (middle + OFFSET)
        ratios = np.zeros((MIDDLES, SPREADS, len(LEVELS)))
        spread_edges = np.zeros((MIDDLES, SPREADS - 1))
        overall = np.quantile(ratio, LEVELS, method="inverted_cdf")
        for i in range(MIDDLES):
            some = cell == i
            if not some.any():
                ratios[i] = overall
                continue
            spread_edges[i] = np.quantile(spread[some], np.linspace(0, 1, SPREADS + 1)[1:-1])
            inner = np.digitize(spread[some], spread_edges[i])
            for j in range(SPREADS):
                chosen = ratio[some][inner == j]
                chosen = chosen if len(chosen) else ratio[some]
                ratios[i, j] = np.quantile(chosen, LEVELS, method="inverted_cdf")
                if ratios[i, j, MEDIAN] > SURE_MEDIAN:
                    typical = float(np.median(middle[some]))
                    ratios[i, j] *= typical / (typical + OFFSET) / ratios[i, j, MEDIAN]
        return cls(edges, spread_edges, ratios)

    def quantiles(self, middle: Floats, spread: Floats) -> Floats:
        """Minutes at `LEVELS`, one row a ticket."""
        i = np.digitize(middle, self.middle_edges)
        j = (spread[:, None] >= self.spread_edges[i]).sum(axis=1)
        found: Floats = self.ratios[i, j] * (middle + OFFSET)[:, None]
        return found


@dataclass(frozen=True, slots=True)
class Model:
    """What was learned. `names`: the columns, in order."""

    names: tuple[str, ...]
    middles: tuple[Trees, ...]
    spread: Trees
    shape: Shape

    def distribution(self, columns: dict[str, Floats]) -> Floats:
        """Minutes at `LEVELS`, one row a ticket."""
        matrix = _matrix(columns, self.names)
        middle = _middle(self.middles, matrix, columns["ql"])
        spread = self.spread.predict(_wider(matrix, middle))
        return self.shape.quantiles(middle, spread)

    def to_json(self) -> dict[str, Any]:
        """As data: text of trees and numbers, nothing that could run."""
        return {
            "names": list(self.names),
            "middles": [trees.text for trees in self.middles],
            "spread": self.spread.text,
            "shape": {
                "middle_edges": self.shape.middle_edges.tolist(),
                "spread_edges": self.shape.spread_edges.tolist(),
                "ratios": self.shape.ratios.tolist(),
            },
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Model:
        """Read what `to_json` wrote."""
        return cls(
            tuple(data["names"]),
            tuple(Trees.of(text) for text in data["middles"]),
            Trees.of(data["spread"]),
            Shape(**{name: np.array(value) for name, value in data["shape"].items()}),
        )


def fit(
    columns: dict[str, Floats], wait: Floats, day: np.ndarray, *, shape_days: np.ndarray, seed: int
) -> Model:
    """Learn from tickets whose wait is known (minutes). `day`: which day each is of, so that the shape comes from
    whole days the boosters have not seen; `shape_days`: mask of the tickets that the shape is read off."""
    names = tuple(columns)
    matrix, ql = _matrix(columns, names), columns["ql"]
    weight = (ql + QL_OFFSET) ** WEIGHT_POWER
    middles = tuple(_boost(matrix, ql, wait, weight, which, seed) for which in range(len(LOSSES)))
    fold = np.unique(day, return_inverse=True)[1] % FOLDS
    outside = np.zeros(len(wait))
    for part in range(FOLDS):
        rest, here = fold != part, fold == part
        if not here.any() or not rest.any():
            outside[here] = _middle(middles, matrix[here], ql[here])
            continue
        one = (_boost(matrix[rest], ql[rest], wait[rest], weight[rest], 0, seed),)
        outside[here] = _middle(one, matrix[here], ql[here])
    ratio = wait / (outside + OFFSET)
    target = np.minimum(np.abs(ratio - np.median(ratio)), 3.0)
    wide, heavy = _wider(matrix, outside), (outside + OFFSET) ** WEIGHT_POWER
    apart = np.zeros(len(wait))
    for part in range(FOLDS):
        rest, here = fold != part, fold == part
        if here.any() and rest.any():
            apart[here] = _spread(wide[rest], target[rest], heavy[rest], seed).predict(wide[here])
    chosen = shape_days if shape_days.any() else np.ones(len(wait), bool)
    return Model(
        names,
        middles,
        _spread(wide, target, heavy, seed),
        Shape.of(wait[chosen], outside[chosen], apart[chosen]),
    )


def _boost(matrix: Floats, ql: Floats, wait: Floats, weight: Floats, which: int, seed: int) -> Trees:
    k, loss = LOSSES[which]
    target = np.log(wait / (ql + QL_OFFSET) + k)
    return _trees({**BOOSTER, **loss, "seed": seed + which}, matrix, target, weight, ROUNDS)


def _spread(matrix: Floats, target: Floats, weight: Floats, seed: int) -> Trees:
    settings = {**BOOSTER, "objective": "regression", "num_leaves": SPREAD_LEAVES, "seed": seed}
    return _trees(settings, matrix, target, weight, SPREAD_ROUNDS)


def _trees(settings: dict[str, Any], matrix: Floats, target: Floats, weight: Floats, rounds: int) -> Trees:
    # Here alone something is learned: a process that only tells waits never loads this.
    import lightgbm

    data = lightgbm.Dataset(matrix, target, weight=weight, free_raw_data=True)
    return Trees.of(lightgbm.train(settings, data, num_boost_round=rounds).model_to_string())


def _middle(boosters: tuple[Trees, ...], matrix: Floats, ql: Floats) -> Floats:
    """Mean of the boosters' middles, in minutes."""
    total = np.zeros(len(ql))
    for booster, (k, _) in zip(boosters, LOSSES, strict=False):
        ratio = np.exp(booster.predict(matrix)) - k
        total += np.maximum(0.0, ratio * (ql + QL_OFFSET))
    return total / len(boosters)


def _matrix(columns: dict[str, Floats], names: tuple[str, ...]) -> Floats:
    return np.column_stack([columns[name] for name in names])


def _wider(matrix: Floats, middle: Floats) -> Floats:
    return np.column_stack([matrix, np.log(middle + OFFSET)])
