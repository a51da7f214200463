"""Nothing that can stand in a file crashes or hangs the engine: faults are listed, or a plan is made."""

from __future__ import annotations

import copy
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing import Plan, PlanError, Problem, ProblemError, check, solve
from routing.__main__ import main
from routing.validate import faults_of
from tests.routing.make import small, touring

JUNK: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    7,
    1.5,
    -0.0,
    float("nan"),
    float("inf"),
    1e308,
    10**9,
    10**12,
    10**40,
    -(10**40),
    "",
    "*",
    "0",
    "-1",
    "01",
    "٣",
    "D",
    "S0",
    "\ud800",
    "x" * 500,
    "2026-11-22",
    [],
    [[]],
    {},
    {"*": []},
    {"0": [0, 1]},
    [0, 10**6],
    [1, 0],
    [None, None],
]
often = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of everything inside a JSON value."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, one in value.items():
            found += spots(one, (*path, key))
    elif isinstance(value, list):
        for i, one in enumerate(value):
            found += spots(one, (*path, i))
    return found


def spoil(rnd: random.Random, data: Any, times: int) -> Any:
    """Return a copy of `data` in which things were replaced by junk, left out, doubled or swapped."""
    data = copy.deepcopy(data)
    for _ in range(times):
        places = spots(data)
        if not places:
            return data
        path = rnd.choice(places)
        holder = data
        for step in path[:-1]:
            holder = holder[step]
        key, action = path[-1], rnd.randrange(6)
        if action <= 2:
            holder[key] = rnd.choice(JUNK)
        elif action == 3:
            del holder[key]
        elif action == 4 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif action == 4:
            holder[rnd.choice(["0", "*", "extra", "nights", "starts"])] = copy.deepcopy(holder[key])
        else:
            other = data
            for step in (path2 := rnd.choice(places))[:-1]:
                other = other[step]
            holder[key] = copy.deepcopy(other[path2[-1]])
    return data


@settings(often, max_examples=400)
@given(seed=st.integers(0, 10**9), times=st.integers(1, 5))
def test_a_spoilt_problem_has_its_faults_listed_or_is_one(seed: int, times: int) -> None:
    """Validation never raises; without faults the problem is made, written, and read again as the same."""
    rnd = random.Random(seed)
    data = spoil(rnd, touring(seed % 40), times)
    faults = faults_of(data)
    assert all(isinstance(fault, str) and fault for fault in faults)
    if faults:
        with pytest.raises(ProblemError) as caught:
            Problem.from_json(data)
        assert list(caught.value.faults) == faults
    else:
        problem = Problem.from_json(data)
        assert Problem.from_json(json.loads(json.dumps(problem.to_json()))) == problem
        assert check(problem, Plan("", (), 0), claims=False) is not None


@settings(often, max_examples=100)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["format", "days", "places", "travel", "road", "centers", "sites", "id", "pinned"]
                ),
                inner,
                max_size=6,
            )
        ),
        max_leaves=20,
    )
)
def test_anything_that_json_can_hold_has_faults(data: Any) -> None:
    assert faults_of(data)


@settings(often, max_examples=150)
@given(seed=st.integers(0, 10**9), times=st.integers(1, 4))
def test_a_spoilt_plan_is_refused_by_its_paths_or_judged(seed: int, times: int) -> None:
    problem = Problem.from_json(touring(seed % 20))
    routes = [
        {
            "center": center.id,
            "day": center.days[0],
            "depart": 480,
            "overnight": True,
            "origin": "D0",
            "stops": [{"site": "S0", "start": 600, "stay": 120, "arrival": 590, "km": 3.5, "value": 7}],
        }
        for center in problem.centers
    ]
    plan: Any = {"format": "fleet-plan/2", "problem": "p", "objective": 3, "bound": 4, "routes": routes}
    plan |= {
        "costs": {"value": 1, "travel": 2, "fixed": 3, "penalties": 4},
        "unserved": [{"site": "S1", "code": "closed", "reason": "shut", "numbers": {"a": 1}}],
        "prices": {"days": [["M0", 0, 1.5]], "visits": [["S0", 1, 2]]},
    }
    spoilt = spoil(random.Random(seed), plan, times)
    try:
        made = Plan.from_json(spoilt)
    except PlanError as error:
        assert error.faults
        return
    check(problem, made)
    assert Plan.from_json(json.loads(json.dumps(made.to_json()))) == made


DEEP = "[" * 100_000 + "]" * 100_000
FILES = {
    "nested": DEEP,
    "nested in a day": json.dumps(small()).replace('"2026-11-22"', "[" * 900 + "]" * 900),
    "half a file": json.dumps(small())[:-20],
    "not a number": json.dumps(small()).replace("31.05", "NaN"),
    "endless": json.dumps(small()).replace("31.05", "Infinity"),
    "a very long number": json.dumps(small()).replace("31.05", "1" * 5000),
    "a long number": json.dumps(small()).replace('"value": 100', '"value": ' + "1" * 4000),
    "half a letter": json.dumps(small()).replace('"SA"', '"\\ud800"'),
    "a list": "[]",
    "nothing": "",
    "bytes": "\x00\x01\x02",
}


@pytest.mark.parametrize("name", FILES)
def test_a_faulty_file_ends_with_its_faults_and_no_plan(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "problem.json").write_text(FILES[name], encoding="utf-8")
    out = tmp_path / "plan.json"
    assert main(["solve", str(tmp_path / "problem.json"), "--out", str(out), "--seconds", "1"]) == 2
    said = capsys.readouterr()
    assert said.err.strip() and "Traceback" not in said.err
    assert not list(tmp_path.glob("*plan*"))


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08\x00junk", b"not gzip", b""])
def test_a_broken_gzip_file_is_a_fault(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "problem.json.gz").write_bytes(content)
    assert main(["check", str(tmp_path / "problem.json.gz"), str(tmp_path / "none.json")]) == 2
    assert "not a JSON file" in capsys.readouterr().err


def stretch(rnd: random.Random, data: Any, times: int) -> Any:
    """Return a copy in which numbers were replaced by such as may stand there but nobody expects."""
    data = copy.deepcopy(data)
    numbers = [path for path in spots(data) if _number(data, path)]
    for path in rnd.sample(numbers, min(times, len(numbers))):
        holder = data
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = rnd.choice([0, 1, 2, 90, 479, 481, 961, 10**4, 10**6, 10**9])
    return data


def _number(data: Any, path: tuple[Any, ...]) -> bool:
    for step in path:
        data = data[step]
    return isinstance(data, int)


@settings(often, max_examples=150)
@given(seed=st.integers(0, 10**9), times=st.integers(1, 3), junk=st.booleans())
def test_solving_a_spoilt_problem_makes_a_plan_or_says_what_is_wrong(
    seed: int, times: int, junk: bool
) -> None:
    """Whatever still counts as a problem is planned within its limit, and the plan keeps the rules."""
    base = plain(seed % 40) if seed % 2 else touring(seed % 40, sites=5)
    data = (spoil if junk else stretch)(random.Random(seed), base, times)
    began = time.monotonic()
    try:
        problem = Problem.from_json(data)
        plan = solve(problem, seconds=1, threads=1)
    except ProblemError as error:
        assert error.faults
        return
    assert time.monotonic() - began < 10
    verdict = check(problem, plan)
    assert verdict.feasible and verdict.objective == plan.objective


def plain(seed: int) -> dict[str, Any]:
    """Return a problem of the first version."""
    from tests.routing.make import rich

    return rich(seed, sites=5, centers=2, days=2, matrix=seed % 2 == 1)


def _edge(name: str) -> dict[str, Any]:
    data = small()
    if name == "no sites":
        data["sites"] = []
    elif name == "no centers":
        data["centers"] = []
    elif name == "no places":
        data |= {"places": [], "centers": [], "sites": []}
    elif name == "nobody works":
        for center in data["centers"]:
            center["days"] = []
    elif name == "all closed":
        for site in data["sites"]:
            site["open"] = {}
    elif name == "no stays":
        for site in data["sites"]:
            site["offers"] = []
    elif name == "worth nothing":
        for site in data["sites"]:
            site["offers"] = [{"stay": 60, "value": 0}]
    elif name == "the largest numbers":
        for site in data["sites"]:
            site |= {
                "offers": [{"stay": 60, "value": 10**9}],
                "day_percent": [10**4] * 2,
                "max_visits": 10**6,
            }
        data["centers"][0] |= {"max_drive": 10**6, "fixed_cost": 10**9}
        data["groups"] = [{"name": "g", "sites": ["SA"], "at_least": 10**6, "penalty": 10**9}]
    elif name == "an endless shift":
        for center in data["centers"]:
            center["shift"] = [0, 10**6]
    elif name == "everything endless":
        for center in data["centers"]:
            center["shift"] = [0, 10**6]
        for site in data["sites"]:
            site |= {"open": [0, 10**6], "offers": [{"stay": 1, "value": 5}]}
    elif name == "one minute":
        for center in data["centers"]:
            center["shift"] = [480, 481]
    elif name == "nobody may":
        for site in data["sites"]:
            site["centers"] = []
    elif name == "an empty group":
        data["groups"] = [{"name": "g", "sites": [], "at_least": 3, "penalty": 5}]
    elif name == "all in one place":
        for place in data["places"]:
            place |= {"lat": 30, "lon": 31}
    elif name == "a table of zeros":
        data["travel"] = {"minutes": [[0] * 5] * 5, "cost": [[0] * 5] * 5}
    elif name == "a table of the largest":
        data["travel"] = {"minutes": [[10**6] * 5] * 5, "cost": [[10**9] * 5] * 5}
    elif name == "a table that pays":
        data["travel"] = {"minutes": [[9] * 5] * 5, "cost": [[-(10**9)] * 5] * 5}
    return data


EDGES = [
    "no sites",
    "no centers",
    "no places",
    "nobody works",
    "all closed",
    "no stays",
    "worth nothing",
    "the largest numbers",
    "an endless shift",
    "everything endless",
    "one minute",
    "nobody may",
    "an empty group",
    "all in one place",
    "a table of zeros",
    "a table of the largest",
    "a table that pays",
]


@pytest.mark.parametrize("name", EDGES)
def test_a_problem_at_the_edge_is_planned_in_its_time(name: str) -> None:
    problem = Problem.from_json(_edge(name))
    began = time.monotonic()
    plan = solve(problem, seconds=2, threads=1)
    assert time.monotonic() - began < 10
    assert check(problem, plan).feasible
    assert plan.bound is None or plan.bound >= plan.objective
