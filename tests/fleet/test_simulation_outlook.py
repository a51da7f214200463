"""What a week would bring: paired runs, honest intervals, and the planner's model beside the simulation."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete

from fleet.errors import Invalid
from fleet.simulation.engine import check
from fleet.simulation.outlook.answer import LEAST_RUNS, Interval, bring, saved
from fleet.simulation.outlook.facts import Facts, Visits, gather
from fleet.simulation.outlook.week import Run
from fleet.store import ForecastHour
from tests.fleet.planning_cast import FRIDAY, planned

NOTHING = Visits((), ())


@pytest.fixture(scope="module")
def facts() -> Iterator[Facts]:
    with planned() as (session, plan):
        yield gather(session, plan, now=FRIDAY)


@pytest.fixture(scope="module")
def answer(facts: Facts) -> dict[str, Any]:
    return bring(facts, runs=60, seed=1)


def test_the_planners_model_agrees_with_the_simulation(answer: dict[str, Any]) -> None:
    """The model was made to foresee what the simulation finds: within a tenth for the plan and for the towns."""
    for name in ("saved_against_no_vans", "towns_against_no_vans"):
        assert answer["model"][name] == pytest.approx(answer[name]["mean"], rel=0.1)


def test_the_plan_saves_more_than_the_towns_in_turn(answer: dict[str, Any]) -> None:
    """Pairs of runs: the whole interval of the difference lies above zero, and is narrower than if the runs had not had
    the same citizens."""
    more = answer["saved_against_towns"]
    assert 0 < more["low"] < more["mean"] < more["high"]
    width = {
        k: answer[k]["high"] - answer[k]["low"] for k in ("saved_against_no_vans", "towns_against_no_vans")
    }
    assert more["high"] - more["low"] < 0.8 * sum(w * w for w in width.values()) ** 0.5


def test_the_parts_add_up(answer: dict[str, Any]) -> None:
    """Forecourts, waiting spared by villages and trips are the whole."""
    parts = sum(part["mean"] for part in answer["parts"].values())
    assert parts == pytest.approx(answer["saved_against_no_vans"]["mean"], abs=0.3)
    by_service = answer["by_service"]
    assert sum(one["hours"] for one in by_service) == pytest.approx(parts, abs=0.5)
    assert sum(one["people"] for one in by_service) == pytest.approx(
        answer["people_at_vans"]["mean"], abs=0.5
    )
    assert [one["service"] for one in by_service] == ["EXTRACT", "ID"], (
        "what a van does not offer is not there"
    )
    assert answer["km_spared"]["mean"] > 0 and answer["people_at_vans"]["mean"] > 0


def test_no_visits_save_nothing(facts: Facts) -> None:
    """The same citizens without vans: not one minute differs."""
    run = Run(facts, 3, 0)
    plain = run.without()
    assert saved(run.under(NOTHING, plain), plain) == 0.0
    assert plain == Run(facts, 3, 0).without()
    assert plain != Run(facts, 3, 1).without(), "another run has other citizens"


def test_the_same_seed_gives_the_same_answer(facts: Facts) -> None:
    """Also after a way through JSON, as to another process."""
    again = Facts.from_json(json.loads(json.dumps(facts.to_json())))
    assert bring(again, runs=3, seed=9) == bring(facts, runs=3, seed=9)
    assert bring(facts, runs=3, seed=8) != bring(facts, runs=3, seed=9)


def test_what_is_played_fits_together(facts: Facts) -> None:
    """Lines and people of every policy pass the engine's check; the citizens are as many as forecast."""
    run = Run(facts, 1, 0)
    count = np.ones(len(run.open), np.int64)
    check(run._lines(run.desks, count, ()), run._people())
    expected = facts.arrivals.sum()
    mean = np.mean([len(Run(facts, 1, k).place) for k in range(40)])
    assert mean == pytest.approx(expected, rel=0.05)


def test_more_vans_at_a_crowded_center_relieve_more(facts: Facts) -> None:
    """One forecourt visit alone, then all of them: hours rise, and a van twice as large is not worse."""
    run = Run(facts, 2, 0)
    plain = run.without()
    all_of = Visits(facts.plan.forecourts, ())
    one = Visits(facts.plan.forecourts[:1], ())
    large = Visits(tuple(dataclasses.replace(v, desks=2 * v.desks) for v in all_of.forecourts), ())
    hours = [saved(run.under(visits, plain), plain) for visits in (NOTHING, one, all_of, large)]
    assert hours == sorted(hours) and hours[-2] > 2 * hours[1] > 0


def test_two_vans_at_one_center_share_its_citizens(facts: Facts) -> None:
    """Standing beside each other, both serve: over some runs less is waited than with one."""
    v = max(facts.plan.forecourts, key=lambda v: facts.arrivals[v.line, v.day].sum() / facts.desks[v.line])
    waited, at_vans = np.zeros(3), np.zeros(2)
    for number in range(6):
        run = Run(facts, 2, number)
        plain = run.without()
        found = [run.under(Visits((v,) * n, ()), plain) for n in (1, 2)]
        waited += (plain[0], *(one.waited for one in found))
        at_vans += [one.at_vans for one in found]
    assert at_vans[1] >= at_vans[0] > 0
    assert waited[0] > waited[1] > waited[2]


def test_a_busy_machine_plays_fewer_runs_and_says_so(facts: Facts) -> None:
    """Asked to stop at once it still plays enough for an interval: the same runs as the first of many."""
    short = bring(facts, runs=60, seed=1, enough=lambda: True)
    assert short["runs"] == LEAST_RUNS and short == bring(facts, runs=LEAST_RUNS, seed=1)
    one = short["saved_against_no_vans"]
    assert one["low"] < one["mean"] < one["high"]


def test_a_plan_without_forecast_is_refused() -> None:
    """Nothing can be said of days that nobody has forecast."""
    with planned() as (session, plan):
        session.execute(delete(ForecastHour))
        with pytest.raises(Invalid, match="forecast"):
            gather(session, plan, now=FRIDAY)
        plan.status = "failed"
        with pytest.raises(Invalid, match="no visits"):
            gather(session, plan, now=FRIDAY)


def test_an_interval_is_students() -> None:
    """1, 2, 3: mean 2, standard deviation 1, t(2) = 4.303."""
    found = Interval.of([1.0, 2.0, 3.0])
    assert found.mean == 2 and found.high - 2 == pytest.approx(4.303 / 3**0.5)
    assert Interval.of([5.0]) == Interval(5.0, 5.0, 5.0)
    with pytest.raises(ValueError):
        bring(None, runs=0, seed=1)  # type: ignore[arg-type]
