"""The problem format: it round-trips, and a wrong file is answered with every fault by its path."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import Center, Offer, Place, Problem, ProblemError, Road, Site, load
from tests.routing.make import rich, small
from tests.routing.referee import SHARED, needs_instances


def faults(data: Any) -> tuple[str, ...]:
    with pytest.raises(ProblemError) as caught:
        Problem.from_json(data)
    return caught.value.faults


@settings(max_examples=50, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), matrix=st.booleans())
def test_reading_what_was_written_gives_the_same_problem(seed: int, matrix: bool) -> None:
    problem = Problem.from_json(rich(seed, matrix=matrix))
    assert Problem.from_json(json.loads(json.dumps(problem.to_json()))) == problem


@needs_instances
def test_every_shared_instance_is_valid_and_survives_a_round_trip() -> None:
    files = sorted((SHARED / "instances").rglob("*.json.gz"))
    assert files
    for path in files:
        if "EG4000" not in path.name:
            problem = load(path)
            assert Problem.from_json(problem.to_json()) == problem


def test_plain_and_gzipped_files_are_read_alike(tmp_path: Path) -> None:
    text = json.dumps(small())
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(text.encode()))
    assert load(tmp_path / "a.json") == load(tmp_path / "a.json.gz") == Problem.from_json(small())


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_a_file_that_is_not_json_is_a_fault_of_the_problem(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"{not json")
    with pytest.raises(ProblemError, match="not a JSON file"):
        load(tmp_path / name)


def test_all_faults_are_listed_at_once_in_file_order() -> None:
    data = small()
    data["days"] = ["2026-11-22", "tomorrow"]
    data["centers"][0]["depot"] = "nowhere"
    data["centers"][1]["shift"] = [960, 480]
    data["sites"][0]["offers"]["large"][0]["stay"] = 0
    data["sites"][3]["offers"]["large"][1]["value"] = "much"
    data["groups"] = [{"name": "g", "sites": ["SA", "SZ"], "at_least": -1, "penalty": 5}]
    data["pinned"] = [{"center": "M9", "day": 7, "site": "SA", "start": 600, "stay": 120}]
    assert faults(data) == (
        "days[1]: must be an ISO date, is 'tomorrow'",
        "centers[0].depot: no such place 'nowhere'",
        "centers[1].shift: must start before it ends, is [960, 480]",
        "sites[0].offers.large[0].stay: must be positive",
        "sites[3].offers.large[1].value: must be a whole number",
        "groups[0].sites[1]: no such site 'SZ'",
        "groups[0].at_least: must not be negative",
        "pinned[0].center: no such center 'M9'",
        "pinned[0].day: no such day 7, there are 2",
    )


ONE_FAULT: list[tuple[list[Any], Any, str]] = [
    (["days"], ["2026-11-23", "2026-11-22"], "days[1]: must come after 2026-11-23, is 2026-11-22"),
    (["places", 1, "lat"], 99, "places[1].lat: must lie within 90 degrees, is 99"),
    (["places", 1, "lon"], None, "places[1].lon: is missing"),
    (["travel"], {}, "travel: must hold either minutes and cost, or road"),
    (["travel", "road", "detour"], 0, "travel.road.detour: must be positive"),
    (
        ["travel", "road", "speeds"],
        [[5, 25], [45, 50]],
        "travel.road.speeds[1]: km must be null in the last pair",
    ),
    (["travel", "road", "speeds"], [[None, 0]], "travel.road.speeds[0]: km/h must be positive"),
    (["centers", 1, "id"], "M1", "centers[1].id: center 'M1' appears twice"),
    (["centers", 0, "days"], [0, 0], "centers[0].days: names a day twice"),
    (["centers", 0, "days"], [2], "centers[0].days[0]: no such day 2, there are 2"),
    (["centers", 0, "setup"], -1, "centers[0].setup: must not be negative"),
    (["centers", 0, "max_drive"], 1.5, "centers[0].max_drive: must be a whole number"),
    (["centers", 0, "shift"], [480], "centers[0].shift: must be [start, end] in whole minutes"),
    (["sites", 2, "place"], "X", "sites[2].place: no such place 'X'"),
    (["sites", 2, "open"], {"5": [1, 2]}, "sites[2].open.5: no such day '5', there are 2"),
    (["sites", 2, "open"], {"*": [9, 3]}, "sites[2].open.*: must start before it ends, is [9, 3]"),
    (["sites", 2, "offers"], [{"stay": 5, "value": 1}] * 2, "sites[2].offers[1].stay: 5 is offered twice"),
    (["sites", 2, "offers"], [{"stay": 5}], "sites[2].offers[0].value: is missing"),
    (["sites", 2, "offers"], [{"stay": True, "value": 1}], "sites[2].offers[0].stay: must be a whole number"),
    (["sites", 2, "day_percent"], [100], "sites[2].day_percent: must hold one number for each of the 2 days"),
    (["sites", 2, "max_visits"], 0, "sites[2].max_visits: must be positive"),
    (["sites", 2, "min_gap_days"], 0, "sites[2].min_gap_days: must be positive"),
    (["sites", 2, "centers"], ["M7"], "sites[2].centers[0]: no such center 'M7'"),
    (["sites"], None, "sites: must be a list"),
    (
        ["format"],
        "fleet-problem/3",
        "format: must be 'fleet-problem/1' or 'fleet-problem/2', is 'fleet-problem/3'",
    ),
]


@pytest.mark.parametrize(("path", "value", "fault"), ONE_FAULT)
def test_each_wrong_field_gives_one_fault_with_its_path(path: list[Any], value: Any, fault: str) -> None:
    data = copy.deepcopy(small())
    spot = data
    for step in path[:-1]:
        spot = spot[step]
    spot[path[-1]] = value
    assert faults(data) == (fault,)


def test_a_fault_that_others_follow_from_comes_first() -> None:
    """Without days every day is unknown, and a name given twice leaves another name unknown."""
    assert faults(small(days=[]))[0] == "days: must hold at least one day"
    data = small()
    data["places"][1]["id"] = "D"
    assert faults(data) == ("places[1].id: place 'D' appears twice", "sites[0].place: no such place 'A'")


@pytest.mark.parametrize("key", ["days", "places", "travel", "centers", "sites"])
def test_a_missing_section_is_named(key: str) -> None:
    data = small()
    del data[key]
    assert f"{key}: is missing" in faults(data)


def test_a_matrix_of_the_wrong_shape_is_named_row_by_row() -> None:
    data = small(travel={"minutes": [[0, 1]] * 5, "cost": [[0] * 5] * 4})
    found = faults(data)
    assert found[0] == "travel.minutes[0]: must have 5 numbers"
    assert "travel.cost: must have 5 rows, has 4" in found


def test_a_problem_put_together_in_python_is_checked_like_a_file() -> None:
    road = Road(1.3, ((None, 50),), 1)
    center = Center("M1", "D", (0,), (480, 960))
    site = Site("S1", "D", (480, 960), (Offer(0, 5),))
    with pytest.raises(ProblemError, match=r"sites\[0\].offers\[0\].stay: must be positive"):
        Problem("p", ("2026-11-22",), (Place("D", 30.0, 31.0),), road, (center,), (site,))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(seed=st.integers(0, 50), data=st.data())
def test_no_junk_in_any_field_gets_past_the_check_as_another_error(seed: int, data: st.DataObject) -> None:
    """Whatever stands in a field, reading ends in a problem or a ProblemError, never in a KeyError or the like."""
    problem = rich(seed)
    spot: Any = problem
    while True:
        keys = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(spot[key], dict | list) or not spot[key] or data.draw(st.integers(0, 3)) == 0:
            break
        spot = spot[key]
    junk = st.sampled_from(
        [None, -1, 0, 1.5, "x", "", True, [], {}, [1], [None], {"a": 1}, float("nan"), 10**12]
    )
    spot[key] = data.draw(junk)
    try:
        Problem.from_json(problem)
    except ProblemError as error:
        assert error.faults
