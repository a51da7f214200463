"""A chance learned from logs: boosters of what came, brought together, made a probability. Pure.

One booster learns the share of the later arrivals that wait over 45 minutes (cross entropy), one the logarithm of their
mean wait (least squares), three whether that mean is over 30, 45 and 65 minutes, blurred at the edge. Shorter limits
have more to learn from on calm days, and each errs differently. Their standard scores are added, and a logistic curve
over states of days that the boosters had not seen makes the sum a probability. Columns: those a wait is promised from
(`queueing.waits.columns`), and those of `queueing.alarms.columns`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np

from queueing.alarms.columns import crowd_columns
from queueing.alarms.instants import Instants
from queueing.waits.columns import columns
from queueing.waits.history import History
from queueing.waits.snapshots import Floats
from queueing.waits.tickets import NEVER, Tickets

BOOSTER: dict[str, Any] = {
    "learning_rate": 0.05, "num_leaves": 15, "min_data_in_leaf": 150, "feature_fraction": 0.2, "bagging_fraction": 0.4,
    "bagging_freq": 1, "lambda_l2": 10.0, "max_bin": 63, "verbose": -1, "num_threads": 1, "deterministic": True,
}  # fmt: skip
ROUNDS = 150
MEAN_WEIGHT = 0.5
"""What the booster of the mean wait counts beside each other one."""
AROUND_MIN = (30.0, 45.0, 65.0)
"""Minutes of mean wait whose exceeding is learned, too: those near 45 tell of it, and err in their own ways."""
BLUR = 0.2
"""How far from such a limit (in the logarithm of the wait) a mean counts as over it in part: 44 minutes are no calm."""


@dataclass(frozen=True, slots=True)
class Part:
    """One booster. `weight`: what it counts; `mean`, `spread`: of its score in training."""

    booster: lightgbm.Booster
    weight: float
    mean: float
    spread: float


@dataclass(frozen=True, slots=True)
class Model:
    """What was learned."""

    names: tuple[str, ...]
    parts: tuple[Part, ...]

    def score(self, found: dict[str, Floats]) -> Floats:
        """Higher is more likely; no probability yet."""
        matrix = _matrix(found, self.names)
        total = np.zeros(len(matrix))
        for part in self.parts:
            raw = np.asarray(part.booster.predict(matrix, raw_score=True))
            total += part.weight * (raw - part.mean) / part.spread
        return total


def fit(found: dict[str, Floats], mean: Floats, over: Floats, *, seed: int) -> Model:
    """Learn from rows with a truth: the minutes that those who came later waited on average, and the share of them that
    waited over 45."""
    names = tuple(sorted(found))
    matrix = _matrix(found, names)
    wait = np.log1p(mean)
    targets: list[tuple[str, Floats, Floats | None, float]] = [
        ("cross_entropy", over, None, 1.0),
        ("l2", wait, np.sqrt(1.0 + mean), MEAN_WEIGHT),
    ]
    for minutes in AROUND_MIN:
        blurred = 1.0 / (1.0 + np.exp(-(wait - np.log1p(minutes)) / BLUR))
        targets.append(("cross_entropy", blurred, None, 1.0))
    parts = []
    for place, (objective, target, weight, counts) in enumerate(targets):
        booster = lightgbm.train(
            # Each draws its own columns and rows: what all say together errs less than any one.
            {**BOOSTER, "objective": objective, "seed": 7 * place + seed},
            lightgbm.Dataset(matrix, target, weight=weight),
            ROUNDS,
        )
        raw = np.asarray(booster.predict(matrix, raw_score=True))
        parts.append(Part(booster, counts, float(raw.mean()), float(raw.std()) or 1.0))
    return Model(names, tuple(parts))


def table(people: Tickets, at: Instants, days: np.ndarray) -> dict[str, Floats]:
    """The columns of each instant. `people`: everybody who came, of the same days; `days`: mask (day of the row x day
    learnt from), as in `History.usual`. Only what had been seen by the snapshot enters."""
    states = at.states
    both = _joined(people, states)
    history = History.of(people)
    own = slice(len(people), None)
    found = {name: column[own] for name, column in columns(both, history, days).items()}
    found["line_wait"] = states.state["line"] * found["tau"]
    found.update(crowd_columns(found, people, states, days))
    return found


def _joined(people: Tickets, states: Tickets) -> Tickets:
    """Both in one list: people first. The states' own waits are unknown for ever, so nothing is learned from them."""
    if people.queues != states.queues or people.days != states.days or people.offices != states.offices:
        raise ValueError("people and states must be of the same queue-days")
    arrays = {
        name: np.concatenate([getattr(people, name), getattr(states, name)])
        for name in ("queue", "office", "day", "wait", "arrived", "called", "known_at", "ahead")
    }
    return Tickets(
        people.queues, people.offices, people.days, **arrays,
        seen_at=np.concatenate([people.seen_at, np.full(len(states), NEVER)]),
        state={name: np.concatenate([column, states.state[name]]) for name, column in people.state.items()},
    )  # fmt: skip


def _matrix(found: dict[str, Floats], names: tuple[str, ...]) -> np.ndarray:
    return np.column_stack([found[name] for name in names]).astype(np.float32)
