"""A chance learned from logs: two boosters of what came, brought together, made a probability. Pure.

One booster learns the share of the later arrivals that wait over 45 minutes (cross entropy), one the logarithm of their
mean wait (least squares); the second has something to learn from calm hours as well, so the two err differently. Their
standard scores are added, and a logistic curve over states of days that the boosters had not seen makes the sum a
probability. Columns: those a wait is promised from (`queueing.waits.columns`), and what is usual at this line in the
half hours to come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np

from queueing.alarms.instants import Instants
from queueing.waits.columns import columns
from queueing.waits.history import History
from queueing.waits.snapshots import Floats
from queueing.waits.tickets import NEVER, Tickets

BOOSTER: dict[str, Any] = {
    "learning_rate": 0.05, "num_leaves": 15, "min_data_in_leaf": 150, "feature_fraction": 0.3, "bagging_fraction": 0.6,
    "bagging_freq": 1, "lambda_l2": 10.0, "max_bin": 63, "verbose": -1, "num_threads": 1, "deterministic": True,
}  # fmt: skip
ROUNDS = 150
WAIT_WEIGHT = 0.5
"""What the booster of the mean wait counts beside the other."""
SLOTS, SLOT_MIN = 48, 30.0
USUAL_WEIGHT = 5.0
"""People who waited as little as a calm line's, added to each half hour's."""


@dataclass(frozen=True, slots=True)
class Model:
    """What was learned. `scales`: mean and standard deviation of each booster's score in training."""

    names: tuple[str, ...]
    boosters: tuple[lightgbm.Booster, lightgbm.Booster]
    scales: tuple[tuple[float, float], tuple[float, float]]

    def score(self, found: dict[str, Floats]) -> Floats:
        """Higher is more likely; no probability yet."""
        matrix = _matrix(found, self.names)
        (first, second), ((m1, s1), (m2, s2)) = self.boosters, self.scales
        share = np.asarray(first.predict(matrix, raw_score=True))
        return (share - m1) / s1 + WAIT_WEIGHT * (np.asarray(second.predict(matrix)) - m2) / s2


def fit(found: dict[str, Floats], mean: Floats, over: Floats, *, seed: int) -> Model:
    """Learn from rows with a truth."""
    names = tuple(sorted(found))
    matrix = _matrix(found, names)
    share = lightgbm.train(
        {**BOOSTER, "objective": "cross_entropy", "seed": seed}, lightgbm.Dataset(matrix, over), ROUNDS
    )
    wait = lightgbm.train(
        {**BOOSTER, "objective": "l2", "seed": seed},
        lightgbm.Dataset(matrix, np.log1p(mean), weight=np.sqrt(1.0 + mean)),
        ROUNDS,
    )
    scores = np.asarray(share.predict(matrix, raw_score=True)), np.asarray(wait.predict(matrix))
    scales = tuple((float(one.mean()), float(one.std()) or 1.0) for one in scores)
    return Model(names, (share, wait), (scales[0], scales[1]))


def table(people: Tickets, at: Instants, days: np.ndarray) -> dict[str, Floats]:
    """The columns of each instant. `people`: everybody who came, of the same days; `days`: mask (day of the row x day
    learnt from), as in `History.usual`. Only what had been seen by the snapshot enters."""
    states = at.states
    both = _joined(people, states)
    history = History.of(people)
    own = slice(len(people), None)
    found = {name: column[own] for name, column in columns(both, history, days).items()}
    found.update(_usual(people, states, days))
    found["line_wait"] = states.state["line"] * found["tau"]
    return found


def _usual(people: Tickets, states: Tickets, days: np.ndarray) -> dict[str, Floats]:
    """Waits that are usual at this line in this half hour and the two after it."""
    shape = (len(states.queues), len(states.days), SLOTS)
    waited, number, long = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    seen = ~np.isnan(people.wait) & ~np.isnan(people.arrived)
    slot = np.clip(people.arrived[seen] // SLOT_MIN, 0, SLOTS - 1).astype(int)
    place = (people.queue[seen], people.day[seen], slot)
    np.add.at(waited, place, people.wait[seen])
    np.add.at(number, place, 1.0)
    np.add.at(long, place, people.wait[seen] > 45.0)
    mask = days.astype(float)
    waited, number, long = (np.einsum("qes,de->qds", one, mask) for one in (waited, number, long))
    now = np.clip(states.arrived // SLOT_MIN, 0, SLOTS - 1).astype(int)
    found = {}
    for later in range(3):
        where = (states.queue, states.day, np.minimum(now + later, SLOTS - 1))
        found[f"usual_wait{later}"] = (waited[where] + USUAL_WEIGHT**2) / (number[where] + USUAL_WEIGHT)
        found[f"usual_long{later}"] = (long[where] + 0.1) / (number[where] + 3.0)
    whole = (states.queue, states.day)
    found["usual_long"] = (long.sum(2)[whole] + 0.5) / (number.sum(2)[whole] + 20.0)
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
