"""Hours saved in many runs, with 95% intervals: the plan against no vans and against the towns in turn. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fleet.forecourts import RETURN_TRIP_H
from fleet.simulation.outlook.facts import Facts
from fleet.simulation.outlook.week import Outcome, Run
from fleet.value import WAIT_WEIGHT

QUANTILES = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045,
)  # fmt: skip
"""Student's t, 97.5%, for 1 to 29 degrees of freedom; the normal's after that."""
NORMAL = 1.96
MOST_RUNS = 1000
LEAST_RUNS = 5
"""Fewer tell nothing of an interval."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over runs and its 95% interval (`low` and `high` equal it for a single run)."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Interval:
        """Student's interval."""
        mean = float(np.mean(values))
        if len(values) < 2:
            return cls(mean, mean, mean)
        t = QUANTILES[len(values) - 2] if len(values) <= len(QUANTILES) + 1 else NORMAL
        half = t * float(np.std(values, ddof=1)) / len(values) ** 0.5
        return cls(mean, mean - half, mean + half)

    def to_json(self) -> dict[str, float]:
        """Rounded to a tenth of an hour."""
        return {"mean": round(self.mean, 1), "low": round(self.low, 1), "high": round(self.high, 1)}


def saved(outcome: Outcome, plain: tuple[float, float]) -> float:
    """Person-hours that a policy saves, as `fleet.value` counts them: waiting weighs 1.5, trips and second trips of who
    gave up weigh 1."""
    waiting = plain[0] - outcome.waited + outcome.fewer_waited - outcome.village_waited
    return (
        WAIT_WEIGHT * waiting + outcome.trips + RETURN_TRIP_H * (plain[1] - outcome.left + outcome.fewer_left)
    )


def bring(facts: Facts, *, runs: int, seed: int, enough: Callable[[], bool] | None = None) -> dict[str, Any]:
    """Play the week `runs` times and say what the plan saves: JSON values, hours are person-hours. From LEAST_RUNS on
    it ends early when `enough()` says so: the answer tells how often it was played.

    Raises ValueError for a number of runs out of range.
    """
    if not 1 <= runs <= MOST_RUNS:
        raise ValueError(f"runs must be 1 to {MOST_RUNS}")
    rows: list[dict[str, float]] = []
    for run in range(runs):
        played = Run(facts, seed, run)
        plain = played.without()
        plan, towns = (played.under(visits, plain) for visits in (facts.plan, facts.towns))
        ours, theirs = saved(plan, plain), saved(towns, plain)
        rows.append(
            {
                "plan": ours,
                "towns": theirs,
                "more": ours - theirs,
                "waited": plain[0],
                "forecourts": WAIT_WEIGHT * (plain[0] - plan.waited) + RETURN_TRIP_H * (plain[1] - plan.left),
                "villages_waiting": WAIT_WEIGHT * (plan.fewer_waited - plan.village_waited)
                + RETURN_TRIP_H * plan.fewer_left,
                "trips": plan.trips,
                "people": plan.at_vans,
                "km": plan.km,
            }
        )
        if enough is not None and len(rows) >= LEAST_RUNS and enough():
            break
    figures = {name: Interval.of([row[name] for row in rows]).to_json() for name in rows[0]}
    return {
        "runs": len(rows),
        "seed": seed,
        "days": [facts.days[0], facts.days[-1]],
        "saved_against_no_vans": figures["plan"],
        "towns_against_no_vans": figures["towns"],
        "saved_against_towns": figures["more"],
        "parts": {name: figures[name] for name in ("forecourts", "villages_waiting", "trips")},
        "by_service": by_service(facts, figures),
        "strays": _strays(facts),
        "people_at_vans": figures["people"],
        "km_spared": figures["km"],
        "waited_without_vans": figures["waited"],
        "model": _model(facts),
        "visits": {
            name: {"forecourts": len(v.forecourts), "villages": len(v.villages), "left_out": v.left_out}
            for name, v in (("plan", facts.plan), ("towns", facts.towns))
        },
    }


def by_service(facts: Facts, figures: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    """People and hours by service of the vans: trips are shared out by people, waiting by the desk time that each takes
    off the lines (who needs long holds up most)."""
    people, trips = figures["people"]["mean"], figures["trips"]["mean"]
    waiting = figures["forecourts"]["mean"] + figures["villages_waiting"]["mean"]
    return [
        {
            "service": code,
            "people": round(people * share, 1),
            "hours": round(trips * share + waiting * desk_time, 1),
        }
        for code, share, desk_time in facts.services
    ]


def _strays(facts: Facts) -> float:
    """How far a day strays from its forecast, by people: mean of standard deviation / mean."""
    people = facts.arrivals.sum(axis=2)
    return round(float((facts.spread * people).sum() / people.sum()), 3) if people.any() else 0.0


def _model(facts: Facts) -> Mapping[str, float | None]:
    """What the planner's model says, beside the simulation."""
    ours, theirs = facts.estimate, facts.towns_estimate
    return {
        "saved_against_no_vans": None if ours is None else round(ours, 1),
        "towns_against_no_vans": None if theirs is None else round(theirs, 1),
    }
