"""What would more bring: promises hold, parts add up to the whole, answers enclose the truth."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import Plan, Prices, Problem, Travel, check, save, solve
from routing.explain import Board
from routing.problem import Pin
from routing.solution import earliest
from routing.whatif import Question, QuestionError, answer, estimates
from routing.whatif.part import part_of
from routing.whatif.questions import changed
from tests.routing.make import rich, small
from tests.routing.test_why import SEEDS, drawn, random_plan, visits_of

often = settings(max_examples=40, deadline=None, derandomize=True)
seldom = settings(max_examples=12, deadline=None, derandomize=True)


def plain(seed: int) -> tuple[Problem, Plan]:
    """A random problem of the first format, so that the engine proves its plans, and its plan."""
    problem = Problem.from_json(rich(seed, sites=7, centers=3, days=2))
    return problem, solve(problem, iterations=30, threads=1)


@often
@given(seed=SEEDS)
def test_the_whole_is_the_part_and_what_is_fixed(seed: int) -> None:
    """Whatever the free centers do: the plan of part and rest is allowed exactly when the part is, at the sum."""
    problem, plan = drawn(seed)
    rnd = random.Random(seed)
    free = set(rnd.sample([c.id for c in problem.centers], rnd.randint(1, len(problem.centers))))
    part = part_of(problem, plan, free)
    for routes in (part.start.routes, random_plan(part.problem, rnd).routes):
        mine = check(part.problem, Plan("", routes, 0), claims=False)
        whole = Plan("", (*(r for r in plan.routes if r.center not in free), *routes), 0)
        all_of_it = check(problem, whole, claims=False)
        assert all_of_it.faults == mine.faults == ()
        assert all_of_it.objective == mine.objective + part.constant


@often
@given(seed=SEEDS)
def test_the_promise_of_an_estimate_can_be_kept(seed: int) -> None:
    """The days behind `at_least`, put into the plan of the changed problem, break no rule and gain exactly that."""
    problem, plan = drawn(seed)
    closed = {0} if seed % 3 == 0 else set()
    regions = {
        "one": [c.id for c in problem.centers[:2]],
        "two": [c.id for c in problem.centers[2:]],
        "none": [],
    }
    late = {"one": [s.id for s in problem.sites[:4]]}
    found = estimates(Board(problem, plan), regions, closed_days=closed, crew_sites=late)
    assert [(e.region, e.question.kind) for e in found] == [
        (region, kind) for region in ("one", "two") for kind in ("van", "shift", "crew")
    ]
    for one in found:
        then = changed(problem, one.question)
        routes = {r.key: r for r in plan.routes} | {r.key: r for r in one.edited}
        before = check(then, plan, claims=False)
        after = check(then, Plan("", tuple(routes.values()), 0), claims=False)
        if before.faults:  # longer days of places may not be allowed for the old plan's sake
            continue
        assert after.faults == (), [f.text for f in after.faults]
        assert after.objective - before.objective == one.at_least >= 0
        assert not closed & {r.day for r in one.edited}


def test_prices_say_what_one_more_van_brings() -> None:
    """Days of the dearest kind of van add up; closed days do not count; visits that cost all bring nothing."""
    problem = Problem.from_json(small())
    plan = solve(problem, iterations=20, threads=1)
    days = {("M1", 0): 10.0, ("M1", 1): 20.0, ("M2", 0): 5.0, ("M2", 1): 7.0}
    dear = {(site.id, day): 1e6 for site in problem.sites for day in range(2)}
    board = Board(problem, plan)
    van, shift, crew = estimates(board, {"all": ["M1", "M2"]}, Prices(days, dear))
    assert (van.question.centers, van.priced) == (("M1",), 30.0)
    assert (shift.priced, crew.priced) == (0.0, 0.0)
    van, *_ = estimates(board, {"all": ["M1", "M2"]}, Prices(days, dear), closed_days={1})
    assert van.priced == 10.0
    _, shift, crew = estimates(board, {"all": ["M2"]}, Prices(days, {}))
    assert shift.priced is not None and shift.priced >= 0
    assert crew.priced == 0.0, "everything is closed when the second crew begins"
    _, _, crew = estimates(board, {"all": ["M2"]}, Prices(days, {}), crew_sites={"all": ["SA"]})
    assert crew.priced is not None and crew.priced > 0


@seldom
@given(seed=SEEDS, kind=st.sampled_from(["van", "shift", "crew"]))
def test_with_all_centers_free_the_answer_is_the_difference_of_two_optima(seed: int, kind: Any) -> None:
    problem, plan = plain(seed)
    names = (problem.centers[0].id,)
    question = Question(
        kind, names, minutes=90, sites=tuple(s.id for s in problem.sites), open_until=1300
    ) if kind == "crew" else Question(kind, names, minutes=90)  # fmt: skip
    found = answer(problem, plan, question, iterations=60)
    after = solve(changed(problem, question), iterations=60, threads=1)
    assert found.low is not None and found.high is not None and found.low <= found.gain <= found.high
    assert plan.bound is not None and after.bound is not None
    assert found.low <= after.bound - plan.objective and after.objective - plan.bound <= found.high
    if plan.gap == 0 and after.gap == 0 and found.gap == 0:
        assert found.gain == after.objective - plan.objective >= 0
    assert (found.centers, found.of) == (len(problem.centers), len(problem.centers))


@seldom
@given(seed=SEEDS)
def test_a_pin_given_up_gains_what_a_plan_without_it_is_better(seed: int) -> None:
    problem, plan = plain(seed)
    visits = visits_of(plan)
    if problem.pinned or not visits:
        return
    worst = random.Random(seed).choice(visits)
    pinned = replace(
        problem, pinned=(Pin(worst.center, worst.day, worst.site, worst.start, worst.stay),), checked=True
    )
    bad = solve(pinned, iterations=30, threads=1)
    visit = (worst.center, worst.day, worst.site, worst.start, worst.stay)
    found = answer(pinned, bad, Question("unpin", visits=(visit,)), iterations=60)
    assert found.high is not None and found.gain >= 0
    assert found.gain <= found.high and plan.objective - bad.objective <= found.high + max(0, found.searched)


@seldom
@given(seed=SEEDS)
def test_a_visit_forbidden_costs_the_difference_of_two_optima(seed: int) -> None:
    """Never a gain beyond what is unproven; exactly the difference where both plans are proven best."""
    problem, plan = plain(seed)
    pinned = {(p.day, p.site) for p in problem.pinned}
    visits = [v for v in visits_of(plan) if (v.day, v.site) not in pinned]
    if not visits:
        return
    one = random.Random(seed).choice(visits)
    question = Question("skip", visits=((one.center, one.day, one.site, one.start, one.stay),))
    found = answer(problem, plan, question, iterations=60)
    after = solve(changed(problem, question), iterations=60, threads=1)
    assert found.low is not None and found.low <= 0 and found.low <= found.gain
    if plan.gap == 0 and after.gap == 0 and found.gap == 0:
        assert found.gain == after.objective - plan.objective <= 0


def test_serving_a_place_for_certain_costs_the_difference() -> None:
    """One van-day, two places: the second can be had only instead of the first; a closed one cannot be had at all."""
    data = small(days=["2026-11-22"], centers=[small()["centers"][0] | {"days": [0]}])
    for site in data["sites"]:
        site["offers"] = [{"stay": 300, "value": 100 if site["id"] == "SA" else 60}]
    data["sites"][3]["open"] = {}
    problem = Problem.from_json(data)
    plan = solve(problem, iterations=20, threads=1)
    travel = Travel(problem)
    found = answer(problem, plan, Question("serve", sites=("SB",)), iterations=40)
    other = check(
        problem, Plan("", (earliest(problem, travel, "M1", 0, [("SB", 300)]),), 0), claims=False
    ).objective
    assert found.served and found.gain == other - plan.objective == found.low == found.high
    none = answer(problem, plan, Question("serve", sites=("SE",)), iterations=40)
    assert not none.served and none.gain == 0


def test_only_some_centers_around_the_question_are_planned_anew() -> None:
    problem = Problem.from_json(rich(3, sites=8, centers=4, days=2))
    plan = solve(problem, iterations=10, threads=1)
    found = answer(problem, plan, Question("van", (problem.centers[0].id,)), iterations=20, most=2)
    assert (found.centers, found.of) == (2, 4)
    whole = answer(problem, plan, Question("van", (problem.centers[0].id,)), iterations=20)
    assert whole.high is not None and found.gain <= whole.high


def test_one_more_of_a_kind_is_welcome_where_the_first_is() -> None:
    """A place for M1 alone is for M1's twin and second crew too, and for nobody else's."""
    data = small()
    for site in data["sites"]:
        site["centers"] = ["M1"]
    problem = Problem.from_json(data)
    for kind in ("van", "crew"):
        then = changed(problem, Question(kind, ("M1", "M2")))
        mine, other = then.centers[2:]
        assert all(site.allows(mine.id) and not site.allows(other.id) for site in then.sites)
    van, *_ = estimates(Board(problem, Plan("", (), 0)), {"all": ["M1"]})
    assert van.at_least > 0


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (None, "not a question"),
        ({"kind": "moon"}, "kind"),
        ({"kind": "van"}, "at least one center"),
        ({"kind": "van", "centers": ["nobody"]}, "no such center"),
        ({"kind": "serve"}, "at least one site"),
        ({"kind": "serve", "sites": ["nowhere"]}, "no such site"),
        ({"kind": "shift", "centers": ["M1"], "minutes": 0}, "minutes"),
        ({"kind": "shift", "centers": ["M1"], "minutes": 10**9}, "minutes"),
        ({"kind": "unpin", "visits": [["M1", 0, "SA", 600, 120]]}, "pinned"),
        ({"kind": "unpin", "visits": [[1]]}, "not a question"),
        ({"kind": "skip"}, "visits"),
        ({"kind": "skip", "visits": [["M1", 0, "nowhere", 600, 120]]}, "no such visit"),
    ],
)
def test_what_cannot_be_asked_is_said(data: Any, word: str) -> None:
    problem = Problem.from_json(small())
    with pytest.raises(QuestionError) as caught:
        changed(problem, Question.from_json(data))
    assert word in str(caught.value)


def test_a_question_survives_its_file() -> None:
    question = Question("crew", ("M1",), sites=("SA",), open_until=1200)
    assert Question.from_json(json.loads(json.dumps(question.to_json()))) == question


def test_the_command_answers_and_refuses(tmp_path: Path) -> None:
    """Both modes write JSON; a question that cannot be asked ends with 2 and a sentence."""
    problem = Problem.from_json(small())
    plan = solve(problem, iterations=10, threads=1)
    (tmp_path / "problem.json").write_text(json.dumps(problem.to_json()))
    save(plan, tmp_path / "plan.json")
    (tmp_path / "regions.json").write_text(json.dumps({"regions": {"all": ["M1", "M2"]}}))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "routing.whatif", "problem.json", "plan.json", *arguments]
        root = str(Path(__file__).parents[2])
        return subprocess.run(
            command, cwd=tmp_path, env={"PYTHONPATH": root, "PATH": "/usr/bin:/bin"}, capture_output=True,
            text=True, timeout=120,
        )  # fmt: skip

    done = run("--question", '{"kind": "van", "centers": ["M1"]}', "--seconds", "2", "--out", "a.json")
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "a.json").read_text())
    assert told["low"] <= told["gain"] <= told["high"] and told["centers"] == 2
    done = run("--estimates", "regions.json")
    assert done.returncode == 0, done.stderr
    assert [e["question"]["kind"] for e in json.loads(done.stdout)] == ["van", "shift", "crew"]
    done = run("--question", '{"kind": "van", "centers": ["M9"]}')
    assert done.returncode == 2 and "no such center M9" in done.stderr and "Traceback" not in done.stderr
