"""The OSRM client against a real server: blocks, unreachable pairs, and every way a server can fail."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from routing import Matrix, Problem, Travel, check, solve
from routing.__main__ import main
from routing.errors import RouterError
from routing.problem import load
from routing.routers import Formula, Osrm, with_table
from routing.travel import great_circle_km
from tests.routing.make import small
from tests.routing.routers.osrmserver import OsrmServer, serving

NILE = [(30.0 + 0.01 * i, 31.0 + 0.02 * (i % 7)) for i in range(130)]
ISLAND = (-1.0, 31.0)


@pytest.fixture
def server() -> Iterator[OsrmServer]:
    with serving() as running:
        yield running


def test_minutes_are_rounded_up_and_metres_are_km(server: OsrmServer) -> None:
    table = Osrm(server.url).matrix(NILE[:3])
    km = great_circle_km(*NILE[0], *NILE[2])
    assert table.km[0][2] == pytest.approx(km, abs=0.001)
    assert table.minutes[0][2] == -(-round(km * 100, 1) // 60)
    assert [table.minutes[i][i] for i in range(3)] == [0, 0, 0]


def test_large_tables_are_asked_in_blocks_that_a_server_takes(server: OsrmServer) -> None:
    table = Osrm(server.url).matrix(NILE)
    assert sorted(server.asked) == [(30, 30), (30, 100), (100, 30), (100, 100)]
    whole = Osrm(server.url, most=10).matrix(NILE[95:105])
    assert [row[95:105] for row in table.minutes[95:105]] == [*whole.minutes], "blocks lie where they belong"
    assert all(value is not None for row in table.minutes for value in row)


def test_a_server_of_smaller_tables_is_asked_for_smaller_blocks() -> None:
    with serving(most=8) as server:
        table = Osrm(server.url).matrix(NILE[:20], NILE[20:51])
        big = [cells for cells in server.asked if cells[0] * cells[1] > 64]
        assert big and table == Osrm(server.url, most=8).matrix(NILE[:20], NILE[20:51])


def test_some_points_to_others(server: OsrmServer) -> None:
    table = Osrm(server.url).matrix(NILE[:2], NILE[5:8])
    whole = Osrm(server.url).matrix(NILE[:8])
    assert table.minutes == tuple(row[5:8] for row in whole.minutes[:2])


def test_pairs_without_a_way_are_named(server: OsrmServer) -> None:
    data = small()
    data["places"][2] |= {"lat": ISLAND[0], "lon": ISLAND[1]}
    problem = Problem.from_json(data)
    with pytest.raises(RouterError) as caught:
        with_table(problem, Osrm(server.url))
    assert caught.value.faults[:2] == ("no road leads from 'D' to 'B'", "no road leads from 'A' to 'B'")
    assert len(caught.value.faults) == 8
    plan = solve(with_table(problem, Osrm(server.url), strict=False), iterations=10)
    assert "SB" not in {stop.site for route in plan.routes for stop in route.stops}
    assert "SA" in {stop.site for route in plan.routes for stop in route.stops}


def test_a_place_off_the_roads_does_not_hide_the_others(server: OsrmServer) -> None:
    """One such place fails a whole request; which one it is, is found out."""
    pole = (85.0, 31.0)
    table = Osrm(server.url).matrix([*NILE[:20], pole, *NILE[20:40]])
    whole = Osrm(server.url).matrix(NILE[:40])
    assert {row[20] for row in table.minutes} == {None} == set(table.minutes[20])
    kept = [row[:20] + row[21:] for i, row in enumerate(table.minutes) if i != 20]
    assert tuple(kept) == whole.minutes


def test_many_pairs_without_a_way_are_counted() -> None:
    with serving() as server:
        data = small()
        data["places"] += [{"id": f"X{i}", "lat": -1 - i, "lon": 31} for i in range(5)]
        with pytest.raises(RouterError) as caught:
            with_table(Problem.from_json(data), Osrm(server.url))
    assert len(caught.value.faults) == 21 and caught.value.faults[-1] == "and 30 pairs more"


def test_a_problem_with_a_routers_table_is_planned_and_keeps_its_traffic(server: OsrmServer) -> None:
    data = small(format="fleet-problem/2")
    data["travel"]["traffic"] = {"percent": {"*": [[0, 100]]}}
    problem = Problem.from_json(data)
    made = with_table(problem, Osrm(server.url))
    assert isinstance(made.travel, Matrix) and made.traffic == problem.traffic
    km = great_circle_km(30.0, 31.0, 30.05, 31.05)
    assert Travel(made).leg("D", "A")[1] == round(km)
    assert check(made, solve(made, iterations=10)).feasible


def test_the_formula_is_a_router_too() -> None:
    problem = Problem.from_json(small())
    made = with_table(problem, Formula(problem.travel))  # type: ignore[arg-type]
    ours, theirs = Travel(made), Travel(problem)
    assert all(ours.leg(a.id, b.id) == theirs.leg(a.id, b.id) for a in problem.places for b in problem.places)
    with pytest.raises(RouterError, match="is a table already"):
        with_table(made, Formula(problem.travel))  # type: ignore[arg-type]


ANSWERS: list[tuple[str, int, bytes, str]] = [
    ("an error page", 502, b"<html>Bad Gateway</html>", "answers no JSON object (HTTP 502)"),
    ("no object", 200, b"[]", "answers no JSON object"),
    (
        "an error",
        400,
        b'{"code":"InvalidQuery","message":"Query string malformed"}',
        "InvalidQuery: Query string",
    ),
    ("no distances", 200, b'{"code":"Ok","durations":[[0,1],[1,0]]}', "without distances"),
    (
        "too few rows",
        200,
        b'{"code":"Ok","durations":[[0,1]],"distances":[[0,1]]}',
        "no table of 2 x 2 numbers",
    ),
    (
        "texts",
        200,
        b'{"code":"Ok","durations":[[0,"1"],[1,0]],"distances":[[0,1],[1,0]]}',
        "no table of 2 x 2",
    ),
    ("NaN", 200, b'{"code":"Ok","durations":[[0,NaN],[1,0]],"distances":[[0,1],[1,0]]}', "no table of 2 x 2"),
    (
        "negative",
        200,
        b'{"code":"Ok","durations":[[0,-1],[1,0]],"distances":[[0,1],[1,0]]}',
        "no table of 2 x 2",
    ),
    ("always too big", 400, b'{"code":"TooBig","message":"Too many table coordinates"}', "TooBig: Too many"),
]


@pytest.mark.parametrize(
    ("status", "raw", "said"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS]
)
def test_an_answer_that_is_no_table_is_an_error_in_words(
    status: int, raw: bytes, said: str, server: OsrmServer
) -> None:
    server.say = status, raw
    with pytest.raises(RouterError) as caught:
        Osrm(server.url).matrix(NILE[:2])
    assert said in str(caught.value)


def test_a_server_that_does_not_answer_in_time_is_an_error(server: OsrmServer) -> None:
    server.hold.clear()
    with pytest.raises(RouterError, match=r"does not answer within 0\.2 s"):
        Osrm(server.url, timeout=0.2).matrix(NILE[:2])


def test_no_server_and_no_address_are_errors() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(RouterError, match="cannot be reached"):
            Osrm(f"http://127.0.0.1:{taken.getsockname()[1]}").matrix(NILE[:2])
    for url in ("localhost:5000", "file:///etc/passwd", "http://", ""):
        with pytest.raises(RouterError, match="no http or https address"):
            Osrm(url)


def test_the_command_writes_a_problem_that_solves_and_checks(
    server: OsrmServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "problem.json").write_text(json.dumps(small()), encoding="utf-8")
    out = tmp_path / "with.json.gz"
    command = ["matrix", str(tmp_path / "problem.json"), "--out", str(out), "--osrm"]
    assert main([*command, server.url]) == 0
    assert "5 x 5 places by osrm" in capsys.readouterr().out
    made = load(out)
    assert isinstance(made.travel, Matrix)
    assert main(["solve", str(out), "--out", str(tmp_path / "plan.json"), "--iterations", "5"]) == 0
    assert main(["check", str(out), str(tmp_path / "plan.json")]) == 0


def test_the_command_leaves_no_file_when_the_router_fails(
    server: OsrmServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = small()
    data["places"][2] |= {"lat": ISLAND[0], "lon": ISLAND[1]}
    (tmp_path / "problem.json").write_text(json.dumps(data), encoding="utf-8")
    out = tmp_path / "with.json"
    command = ["matrix", str(tmp_path / "problem.json"), "--out", str(out), "--osrm", server.url]
    assert main(command) == 2
    assert "no road leads from 'D' to 'B'" in capsys.readouterr().err
    assert not out.exists()
    assert main([*command, "--unreachable"]) == 0 and out.exists()


def test_the_command_says_that_valhalla_is_missing_where_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "valhalla", None)
    (tmp_path / "problem.json").write_text(json.dumps(small()), encoding="utf-8")
    command = ["matrix", str(tmp_path / "problem.json"), "--out", str(tmp_path / "x.json")]
    assert main([*command, "--valhalla", "egypt.osm.pbf"]) == 2
    assert "pyvalhalla is missing" in capsys.readouterr().err
