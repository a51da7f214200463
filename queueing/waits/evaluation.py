"""How good promises would have been on real logs: learn from some days, promise on the days after, compare.
Pure.

A ticket is tested when its day lies after the last day of the training files; earlier days in the test
files are left out, so overlapping files cannot leak. The last `CALIBRATION_DAYS` days of the training files
are the calibration days: bands run through them first, wait by wait, before the test begins. The model
itself learns from all training days; the shape of its distribution comes from recent days, each predicted
by boosters that had not seen it.

At a test arrival only earlier things are known: snapshots until then, waits that had visibly ended by then,
days before (the usual at a queue is brought up to date each night, the boosters are not).
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from queueing.waits.bands import (
    AIMS,
    LEVEL_WEIGHT,
    LEVELS,
    MEDIAN,
    NEW_LEVEL_WEIGHT,
    SHARES,
    Calibration,
    Level,
    shortest,
)
from queueing.waits.columns import columns
from queueing.waits.history import History
from queueing.waits.model import Model, fit
from queueing.waits.snapshots import Floats, QueueDay, read
from queueing.waits.tickets import NEVER, Tickets, collect

CALIBRATION_DAYS = 2
SHAPE_DAYS = 6
"""The shape of the distribution comes from this many last training days."""
PINBALL = (0.05, 0.25, 0.5, 0.75, 0.95)
NEW_PLACE = 0.1
"""Share of office-days whose own history is hidden in training: so a model learns what to make of a new office."""
RANGE = 0.8
"""A range of eight in ten, as the distribution says it: not steered."""
LEAST_TICKETS = 200
"""Days with fewer tickets are holidays: nothing is learned from them."""
GROUPS = 5


def evaluate(train: Sequence[Path | str], test: Sequence[Path | str], *, seed: int = 1) -> dict[str, Any]:
    """Learn from `train`, promise on the later days of `test`; figures in minutes and shares."""
    tickets, last = load(train, test)
    quantiles, rows = _predict(tickets, last, seed=seed)
    return _report(tickets, last, quantiles, rows)


def evaluate_new_offices(
    train: Sequence[Path | str], test: Sequence[Path | str], *, seed: int = 1
) -> dict[str, Any]:
    """The same for offices nobody has seen: offices in groups, each promised by a model that learned from the others
    and without any history of its own."""
    tickets, last = load(train, test)
    quantiles = np.zeros((len(tickets), len(LEVELS)))
    everything = np.zeros(len(tickets), bool)
    for group in range(GROUPS):
        out = tickets.office % GROUPS == group
        found, rows = _predict(tickets, last, seed=seed, out=out)
        quantiles[rows], everything[rows] = found[rows], True
    return _report(tickets, last, quantiles, everything, weight=NEW_LEVEL_WEIGHT)


def load(train: Sequence[Path | str], test: Sequence[Path | str]) -> tuple[Tickets, int]:
    """Tickets of both, and the place of the last training day. Raises ValueError when no day is left to test."""
    learned = read(train)
    known = {(one.day, one.office, one.queue) for one in learned}
    end = max(one.day for one in learned)
    later = [one for one in read(test) if one.day > end and (one.day, one.office, one.queue) not in known]
    if not later:
        raise ValueError(f"the test files hold no day after {end}, the last day of the training files")
    tickets = _worth([*learned, *later])
    before = [place for place, day in enumerate(tickets.days) if day <= end]
    if not before or len(before) == len(tickets.days):
        raise ValueError("too few tickets to learn from or to test on")
    return tickets, before[-1]


def _worth(queue_days: list[QueueDay]) -> Tickets:
    """Tickets without those of days on which hardly anybody came."""
    tickets = collect(queue_days)
    many = np.bincount(tickets.day, minlength=len(tickets.days)) >= LEAST_TICKETS
    kept = {day for day, enough in zip(tickets.days, many, strict=True) if enough}
    return collect([one for one in queue_days if one.day in kept])


def _predict(
    tickets: Tickets, last: int, *, seed: int, out: np.ndarray | None = None
) -> tuple[Floats, np.ndarray]:
    """Distributions of calibration and test tickets (others: 0), and which rows those are."""
    number = len(tickets.days)
    learnt = np.arange(number) <= last
    days = np.zeros((number, number), bool)
    for day in range(number):
        days[day] = (learnt & (np.arange(number) != day)) if day <= last else np.arange(number) < day
    hidden = np.zeros(len(tickets), bool) if out is None else out
    history = History.of(tickets if out is None else tickets.only(~hidden | (tickets.day > last)))
    draw = np.random.default_rng(seed).random((len(tickets.offices), number)) >= NEW_PLACE
    own = np.where(tickets.day <= last, draw[tickets.office, tickets.day], True)
    found = columns(tickets, history, days, own=own)
    use = (tickets.day <= last) & ~np.isnan(tickets.wait) & ~hidden
    model = learn(found, tickets, use, last, seed=seed)
    rows = (tickets.day > last - CALIBRATION_DAYS) if out is None else hidden & (tickets.day > last)
    quantiles = np.zeros((len(tickets), len(LEVELS)))
    plain = columns(tickets, history, days)
    quantiles[rows] = model.distribution({name: column[rows] for name, column in plain.items()})
    return quantiles, rows


def learn(found: dict[str, Floats], tickets: Tickets, use: np.ndarray, last: int, *, seed: int) -> Model:
    """A model from the rows `use`."""
    return fit(
        {name: column[use] for name, column in found.items()},
        tickets.wait[use],
        tickets.day[use],
        shape_days=tickets.day[use] > last - SHAPE_DAYS,
        seed=seed,
    )


def bands(
    tickets: Tickets, quantiles: Floats, rows: np.ndarray, *, weight: float = LEVEL_WEIGHT
) -> tuple[Floats, Floats]:
    """Run through the chosen tickets in the order of time; each gets its distribution at its queue's level
    (`weight`: of `bands.Level`) and its bands from what was known, and when its call is seen level and calibration
    learn from it. Returns distributions, and rows x (low50, high50, low90, high90) in minutes."""
    calibration = Calibration(AIMS)
    levels: dict[int, Level] = {}
    levelled = quantiles.copy()
    found = np.full((len(tickets), 4), np.nan)
    places = np.flatnonzero(rows)
    places = places[np.lexsort((tickets.arrived[places], tickets.day[places]))]
    pending: list[tuple[int, float, int]] = []
    for place in places:
        now = (int(tickets.day[place]), float(tickets.known_at[place]))
        while pending and pending[0][:2] <= now:
            ended = heapq.heappop(pending)[2]
            wait, four = tickets.wait[ended], found[ended]
            level = levels.setdefault(int(tickets.queue[ended]), Level(weight=weight))
            level.learn(float(wait), float(quantiles[ended, MEDIAN]))
            calibration.learn(
                float(tickets.ahead[ended]),
                (bool(four[0] <= wait <= four[1]), bool(four[2] <= wait <= four[3])),
                (float(four[1]), float(four[3])),
            )
        own = levels.get(int(tickets.queue[place]))
        if own is not None:
            levelled[place] *= own.factor
        for which in range(len(SHARES)):
            found[place, 2 * which : 2 * which + 2] = calibration.band(
                levelled[place], float(tickets.ahead[place]), which
            )
        if tickets.seen_at[place] < NEVER and not np.isnan(tickets.wait[place]):
            heapq.heappush(pending, (now[0], float(tickets.seen_at[place]), int(place)))
    return levelled, found


def _report(
    tickets: Tickets, last: int, quantiles: Floats, rows: np.ndarray, *, weight: float = LEVEL_WEIGHT
) -> dict[str, Any]:
    quantiles, found = bands(tickets, quantiles, rows, weight=weight)
    tested = rows & (tickets.day > last) & ~np.isnan(tickets.wait)

    def of(mask: np.ndarray) -> dict[str, float | int]:
        return figures(tickets.wait[mask], quantiles[mask], found[mask])

    return {
        **of(tested),
        "ahead3": of(tested & (tickets.ahead >= 3)),
        "days": [tickets.days[day].isoformat() for day in np.unique(tickets.day[tested])],
    }


def _proportion(low: Floats, high: Floats) -> float:
    """Mean width of ranges over the mean of their middles; 0 where all are 0 to 0."""
    middle = float((low + high).mean()) / 2
    return float((high - low).mean()) / middle if middle > 0 else 0.0


def figures(wait: Floats, quantiles: Floats, four: Floats) -> dict[str, float | int]:
    """Errors of the median, pinball loss of five quantiles, what the bands hold and how wide they are; minutes."""
    if not len(wait):
        return {"n": 0}
    middle = quantiles[:, MEDIAN]
    error = middle - wait
    places = [round(level * 100) - 1 for level in PINBALL]
    short = wait[:, None] - quantiles[:, places]
    pinball = np.maximum(np.array(PINBALL) * short, (np.array(PINBALL) - 1) * short)
    low, high = shortest(quantiles, RANGE)
    return {
        "n": len(wait),
        "mean_wait": round(float(wait.mean()), 3),
        "mae": round(float(np.abs(error).mean()), 3),
        "median_error": round(float(np.median(np.abs(error))), 3),
        "bias": round(float(error.mean()), 3),
        "within5": round(float((np.abs(error) <= 5).mean()), 3),
        "within10": round(float((np.abs(error) <= 10).mean()), 3),
        "pinball": round(float(pinball.mean()), 3),
        "cover50": round(float(((wait >= four[:, 0]) & (wait <= four[:, 1])).mean()), 3),
        "cover90": round(float(((wait >= four[:, 2]) & (wait <= four[:, 3])).mean()), 3),
        "width50": round(float((four[:, 1] - four[:, 0]).mean()), 3),
        "width90": round(float((four[:, 3] - four[:, 2]).mean()), 3),
        "cover80": round(float(((wait >= low) & (wait <= high)).mean()), 3),
        "width80": round(float((high - low).mean()), 3),
        "width80_of_middle": round(_proportion(low, high), 3),
        "width90_of_middle": round(_proportion(four[:, 2], four[:, 3]), 3),
    }
