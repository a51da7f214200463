"""What the benchmarks' figures rest on: baselines that state the problem truly, files from seeds, rows and tables."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from routing import Pin, Plan, Problem, Travel, check
from tests.bench import measure, tables
from tests.bench.baselines import ortools_arm
from tests.bench.baselines.statement import Unstatable, deal, lengthened, plan_of, state, thinned
from tests.bench.national import week
from tests.routing.brute import optimum
from tests.routing.make import small

needs_pyvrp = pytest.mark.skipif(importlib.util.find_spec("pyvrp") is None, reason="PyVRP is not installed")


def plain() -> Problem:
    """A day of the national family, small enough to enumerate: two governorates' worth of it."""
    data = week(sites=54, days=1, seed=3, centers=27)
    depots = {center["depot"] for center in data["centers"][:2]}
    data["centers"] = data["centers"][:2]
    data["sites"] = data["sites"][:6]
    used = depots | {site["place"] for site in data["sites"]}
    data["places"] = [place for place in data["places"] if place["id"] in used]
    return Problem.from_json(data)


@needs_pyvrp
def test_pyvrp_states_the_plain_problem_truly() -> None:
    """On a problem small enough to enumerate it finds the optimum, and what it tells on the way is the objective."""
    from tests.bench.baselines import pyvrp_arm

    problem, told = plain(), []
    plan = pyvrp_arm.solve(
        state(problem), seconds=0.5, seed=1, say=lambda _, objective: told.append(objective)
    )
    assert plan is not None and check(problem, plan).feasible
    assert plan.objective == told[-1] == optimum(problem)


def test_ortools_states_the_plain_problem_truly() -> None:
    """The same of the routing library."""
    problem, told = plain(), []
    plan = ortools_arm.solve(
        state(problem), seconds=0.5, seed=1, say=lambda _, objective: told.append(objective)
    )
    assert plan is not None and check(problem, plan).feasible
    assert plan.objective == max(told) == optimum(problem)


@pytest.mark.parametrize("arm", ["pyvrp", "ortools"])
def test_plans_of_the_rich_model_keep_every_rule(arm: str) -> None:
    """Stays, classes, closed days, repeat visits and driving limits: what the baselines answer is feasible."""
    if arm == "pyvrp":
        pytest.importorskip("pyvrp")
    from tests.bench.baselines.__main__ import ARMS

    problem = Problem.from_json(week(sites=60, days=3, seed=2, centers=27, rich=True))
    plan = ARMS[arm](state(problem), seconds=1.0, seed=1, say=lambda *_: None)
    assert plan is not None
    verdict = check(problem, plan)
    assert verdict.feasible, verdict.faults[:3]
    assert plan.objective == verdict.objective


def test_what_a_node_routing_solver_cannot_say_is_refused() -> None:
    """A pinned visit is not quietly left out of the statement."""
    problem = Problem.from_json(small(pinned=[]))
    site, center = problem.sites[0], problem.centers[0]
    stay = site.offers_for(center.kind)[0].stay
    pinned = replace(problem, pinned=(Pin(center.id, 0, site.id, 600, stay),))
    with pytest.raises(Unstatable, match="pinned"):
        state(pinned)


def test_visits_of_a_site_are_dealt_to_days_with_the_best_apart() -> None:
    """Three visits on six days: no day twice, and the three best days in three different slots."""
    data = week(sites=60, days=6, seed=1, rich=True)
    problem = Problem.from_json(data)
    site = next(site for site in problem.sites if site.max_visits == 3 and site.day_percent)
    slots = deal(site, range(6))
    assert sorted(day for slot in slots for day in slot) == list(range(6))
    best = sorted(range(6), key=lambda day: -site.worth(100, day))[:3]
    assert [sum(day in slot for day in best) for slot in slots] == [1, 1, 1]


def test_thinning_keeps_a_stay_for_every_class() -> None:
    """The fewest copies still let every class serve every slot."""
    statement = state(Problem.from_json(week(sites=60, days=2, seed=1, rich=True)))
    thin = thinned(statement, lambda _: False)
    for before, after in zip(statement.slots, thin.slots, strict=True):
        assert {kind for choice in after for kind in choice.kinds} == {k for c in before for k in c.kinds}
        assert len(after) < len(before)


def test_stays_grow_into_the_slack_of_the_shift() -> None:
    """One stop with the shortest stay in an empty day gets the stay worth most that fits."""
    problem = Problem.from_json(week(sites=60, days=1, seed=1, rich=True))
    statement = state(problem)
    index, site = next((i, s) for i, s in enumerate(problem.sites) if isinstance(s.offers, dict))
    pool = next(p for p, some in enumerate(statement.pools) if some.kind == "small")
    shortest = min(offer.stay for offer in site.offers_for("small"))
    plan = plan_of(statement, [(pool, [(index, shortest)])])
    if plan.routes:
        (stop,) = plan.routes[0].stops
        assert stop.stay >= shortest
        assert lengthened(problem, Travel(problem), plan.routes[0]) == plan.routes[0]
        assert check(problem, plan).feasible


def test_a_seed_names_one_file_of_the_family() -> None:
    """The same arguments give the same valid problem, another seed another one; counts are as asked."""
    one, again, other = (week(sites=300, days=6, seed=seed, centers=150, rich=True) for seed in (8, 8, 9))
    assert one == again and one["name"] == "EG300d6rc150-s8"
    assert one["sites"] != other["sites"]
    problem = Problem.from_json(one)
    assert (len(problem.sites), len(problem.centers), len(problem.groups)) == (300, 150, 27)


def test_checkpoints_hold_the_best_so_far_of_all_processes() -> None:
    """Two processes side by side: the better counts at each moment, none is counted before it was found."""
    one = measure.Run([(1.0, {"elapsed": 0.5, "objective": 10}), (9.5, {"elapsed": 9.0, "objective": 30})])
    two = measure.Run([(7.0, {"elapsed": 6.0, "objective": 20, "gap": 0.004}), (8.0, {"remark": "aside"})])
    row = measure.progress([one, two], limit=10)
    assert row == {"first": 0.5, "first_wall": 1.0, "at": {"5": 10, "10": 30}, "to": {"0.005": 6.0}}


def test_a_run_that_is_in_the_file_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A series taken up again measures only what is missing."""
    made: list[tuple[Any, ...]] = []

    def fake(method: str, path: Path, *, seconds: float, seed: int, **_: Any) -> measure.Row:
        made.append((method, seed))
        return {"file": measure.name_of(path), "method": method, "seed": seed, "limit": seconds}

    monkeypatch.setattr(measure, "measure", fake)
    for _time in range(2):
        series = measure.Series(tmp_path / "rows.jsonl", "national")
        series.run("routing", Path("x.json.gz"), seconds=5, seed=1)
        series.run("pyvrp", Path("x.json.gz"), seconds=5, seed=1)
    assert made == [("routing", 1), ("pyvrp", 1)]


def test_a_faulty_plan_never_reaches_a_table(tmp_path: Path) -> None:
    """A plan that claims too much stops the benchmark."""
    problem = plain()
    liar = Plan(problem.name, (), 1)
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(problem.to_json()), encoding="utf-8")
    with pytest.raises(SystemExit):
        measure.verified(problem, path, liar)
    assert measure.verified(problem, path, Plan(problem.name, (), 0)) == 0


def test_medians_count_a_run_that_never_got_there() -> None:
    """Two of three runs without a proof: the median is none, not the one run's time."""
    rows = [
        {
            "file": "X",
            "method": "routing",
            "limit": 9,
            "objective": 5,
            "bound": 5,
            "gap": 0.0,
            "to": to,
            "at": {},
        }
        for to in ({"0": 2.0}, {}, {})
    ]
    assert "not proven" in tables.engine_table(rows, {})
    assert "| 2.0 |" in tables.engine_table(rows[:1], {})


def test_a_baseline_in_a_process_of_its_own_is_measured(tmp_path: Path) -> None:
    """The whole path once: a process, its lines, its memory, the plan checked."""
    problem = plain()
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(problem.to_json()), encoding="utf-8")
    row = measure.measure("ortools", path, seconds=0.5, seed=1)
    assert row["objective"] == optimum(problem)
    assert row["memory"] > 20 and row["first"] <= row["seconds"] and "why" not in row


def test_tables_are_put_between_their_marks() -> None:
    """What stood there goes, what stands around stays, another table's mark is left alone."""
    before = "a\n<!-- table: engine -->\nold\n<!-- end of table -->\nb\n<!-- table: toptw -->\n<!-- end of table -->\n"
    after = tables.put(before, {"engine": "| new |\n"})
    assert after == before.replace("old\n", "| new |\n")
