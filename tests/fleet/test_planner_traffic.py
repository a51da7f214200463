"""Traffic of an installation: read from its file with every fault, and put on a week's days and governorates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.planning.blobs import decode, unpack
from fleet.planning.problem import format_of
from fleet.planning.traffic import by_clock, read_traffic, shifted
from fleet.store import Governorate
from routing import Problem, Travel
from tests.fleet.planning_cast import FRIDAY, WEEK, planned

HOURS: dict[str, Any] = {"EG-C": {"friday": [], "*": [[420, 160], [600, 100]]}, "*": [[420, 110]]}


@pytest.fixture
def session() -> Iterator[Session]:
    with planned() as (made, _):
        yield made


def read(tmp_path: Path, text: str) -> tuple[Any, list[str]]:
    path = tmp_path / "traffic.json"
    path.write_text(text, encoding="utf-8")
    return read_traffic(path)


def test_a_good_file_is_read_as_it_is(tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps(HOURS)) == (HOURS, [])


def test_every_fault_of_a_file_is_named(tmp_path: Path) -> None:
    _, faults = read(
        tmp_path, '{"EG-C": {"holiday": [[1, 100]], "*": [[5, 9]]}, "*": [[9, 100], [8, 100]], "EG-GZ": 3}'
    )
    assert faults == [
        "EG-C.holiday: no such weekday 'holiday'",
        "EG-C.*[0][1]: must be at least 10",
        "*[1][0]: must come after minute 9, is 8",
        "EG-GZ: must be a list of [minute, percent]",
    ]
    assert read(tmp_path, "[]")[1] == ["must hold an object {governorate: steps}"]
    assert "cannot be read" in read(tmp_path, "{")[1][0]
    assert "cannot be read" in read_traffic(tmp_path / "none.json")[1][0]


def test_a_weeks_problem_drives_by_the_clock_of_its_governorates(session: Session) -> None:
    """Days are those of the week that starts on Saturday: Friday is the last."""
    iso = session.scalars(select(Governorate.iso).order_by(Governorate.id)).first()
    assert iso is not None
    plain = planner.build_problem(session, WEEK, now=FRIDAY)
    made = by_clock(session, plain, {iso: HOURS["EG-C"], "EG-XX": [[0, 200]], "*": HOURS["*"]})
    assert made["format"] == "fleet-problem/2" == format_of(made)
    traffic = made["travel"]["traffic"]
    assert list(traffic["regions"]) == [iso], "a governorate without places is left out"
    assert traffic["percent"][iso] == {"6": [], "*": [[420, 160], [600, 100]]}
    problem = Problem.from_json(made)
    travel, day = Travel(problem), 0
    inside = traffic["regions"][iso]
    leg = max(((a, b) for a in inside for b in inside), key=lambda pair: travel.leg(*pair)[0])
    minutes = min(travel.leg(*leg)[0], 60)
    assert travel.arrive(*leg, 420, day) - 420 >= 1.5 * minutes
    assert travel.arrive(*leg, 420, 6) - 420 == travel.leg(*leg)[0]
    assert "traffic" not in plain["travel"], "the problem that was given stays as it is"


def test_no_file_leaves_the_problem_alone(session: Session) -> None:
    plain = planner.build_problem(session, WEEK, now=FRIDAY)
    assert by_clock(session, plain, None) == plain


def test_a_draft_is_prepared_with_traffic(session: Session) -> None:
    driving = planner.Driving(None, {"*": [[0, 150]]})
    prepared = planner.prepare_draft(session, WEEK, now=FRIDAY, driving=driving)
    problem = decode(prepared.problem).problem
    assert problem.traffic is not None and unpack(prepared.problem)["format"] == "fleet-problem/2"
    travel, (a, b) = Travel(problem), (problem.places[0].id, problem.places[1].id)
    assert travel.arrive(a, b, 480, 0) == 480 + -(-travel.leg(a, b)[0] * 100 // 66)


def test_a_week_cut_out_of_several_keeps_its_own_days() -> None:
    percent = {"EG-C": {"6": [], "8": [[1, 120]], "14": [[2, 130]], "*": [[3, 140]]}, "*": [[4, 150]]}
    travel = {"road": {}, "traffic": {"regions": {}, "percent": percent}}
    cut = shifted(travel, 7, 7)
    assert cut["traffic"]["percent"] == {"EG-C": {"1": [[1, 120]], "*": [[3, 140]]}, "*": [[4, 150]]}
    assert shifted({"road": {}}, 7, 7) == {"road": {}}


def test_the_week_starts_on_a_saturday() -> None:
    """What the weekdays of the tests above rest on."""
    assert WEEK.weekday() == 5 and (WEEK + timedelta(days=6)).weekday() == 4


@pytest.mark.parametrize("name", ["saturday", "friday"])
def test_weekdays_are_english_names(name: str, tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps({"*": {name: [[0, 100]]}}))[1] == []
