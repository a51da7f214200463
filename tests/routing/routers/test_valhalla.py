"""Valhalla on roads that the test draws: times and km along them, one-way streets, places off the roads."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from routing import Matrix, Problem, Travel
from routing.__main__ import main
from routing.errors import RouterError
from routing.problem import load
from routing.repair.strips import strip
from routing.routers import Valhalla
from tests.routing.make import small
from tests.routing.routers.osmfile import write_osm

valhalla = pytest.importorskip(
    "valhalla", reason="pyvalhalla is optional and is not installed (docs/routing.md)"
)
if not hasattr(valhalla, "PYVALHALLA_DIR"):
    pytest.skip("this pyvalhalla has no tile builder; it needs Python 3.12 or later", allow_module_level=True)

WEST, MIDDLE, EAST, NORTH = (26.0, 32.02), (26.0, 32.10), (26.0, 32.22), (26.1, 32.02)
ISLAND, DESERT = (26.5, 33.01), (20.0, 25.0)


@pytest.fixture(scope="module")
def osm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw a road of 60 km/h from west to east, a one-way street from its west end to the north, and an island."""
    path = tmp_path_factory.mktemp("osm") / "roads.osm.pbf"
    nodes = {i: (26.0, 32.0 + 0.02 * i) for i in range(1, 12)}
    nodes |= {100: (26.5, 33.0), 101: (26.5, 33.02), 200: NORTH}
    ways = [
        (list(range(1, 12)), {"highway": "primary", "maxspeed": "60"}),
        ([100, 101], {"highway": "primary"}),
        ([1, 200], {"highway": "residential", "oneway": "yes"}),
    ]
    write_osm(path, nodes, ways)
    return path


@pytest.fixture(scope="module")
def router(osm: Path, tmp_path_factory: pytest.TempPathFactory) -> Valhalla:
    return Valhalla.build(osm, tmp_path_factory.mktemp("tiles"))


@pytest.fixture(scope="module")
def osm_square(tmp_path_factory: pytest.TempPathFactory) -> Valhalla:
    """A road around a rectangle of 8 by 11 km, its south side from 32.02 to 32.10."""
    path = tmp_path_factory.mktemp("osm") / "square.osm.pbf"
    nodes = {i: (26.0, 32.02 + 0.02 * (i - 1)) for i in range(1, 6)}
    nodes |= {6: (26.1, 32.10), 7: (26.1, 32.02)}
    ways = [([a, b], {"highway": "primary", "maxspeed": "60"}) for a, b in pairwise((*range(1, 8), 1))]
    write_osm(path, nodes, ways)
    return Valhalla.build(path, tmp_path_factory.mktemp("tiles"))


def test_minutes_and_km_are_those_of_the_road(router: Valhalla) -> None:
    """20.01 km along the parallel at 60 km/h take 20 minutes."""
    table = router.matrix([WEST, MIDDLE, EAST])
    assert table.minutes == ((0, 8, 20), (8, 0, 12), (20, 12, 0))
    assert table.km[0][2] == pytest.approx(20.01, abs=0.02)


def test_a_one_way_street_leads_one_way(router: Valhalla) -> None:
    table = router.matrix([WEST, NORTH])
    assert table.minutes[0][1] is not None and table.minutes[1][0] is None


def test_some_points_to_others_and_places_that_no_road_reaches(router: Valhalla) -> None:
    table = router.matrix([WEST, ISLAND], [EAST, DESERT, ISLAND])
    assert table.minutes == ((20, None, None), (None, None, 0))
    assert table.km[0][1] is None


def test_a_closed_stretch_is_not_driven_through(osm_square: Valhalla) -> None:
    """The short side is closed: the way leads over the three others; a place inside is not reached."""
    west, east = (26.0, 32.02), (26.0, 32.10)
    usual = osm_square.matrix([west, east]).minutes[0][1]
    ground = strip((25.98, 32.06), (26.02, 32.06), 1.0)
    around = osm_square.matrix([west, east], closed=[ground]).minutes[0][1]
    assert usual is not None and around is not None and around > 2 * usual


def test_more_points_than_one_request_takes(router: Valhalla) -> None:
    points = [(26.0, 32.02 + 0.002 * i) for i in range(101)]
    table = router.matrix(points)
    assert table.minutes[0][100] == 20 and table.minutes[100][0] == 20
    assert all(row[i] == 0 for i, row in enumerate(table.minutes))
    assert all(row == tuple(sorted(row)) for row in table.minutes[:1])


def test_the_command_builds_tiles_and_writes_a_problem_with_their_table(osm: Path, tmp_path: Path) -> None:
    data = small()
    for place, (lat, lon) in zip(
        data["places"], [WEST, MIDDLE, EAST, (26.0, 32.06), (26.0, 32.04)], strict=True
    ):
        place |= {"lat": lat, "lon": lon}
    (tmp_path / "problem.json").write_text(json.dumps(data), encoding="utf-8")
    out, tiles = tmp_path / "with.json.gz", tmp_path / "tiles"
    command = ["matrix", str(tmp_path / "problem.json"), "--out", str(out), "--valhalla"]
    assert main([*command, str(osm), "--tiles", str(tiles)]) == 0
    made = load(out)
    assert isinstance(made.travel, Matrix)
    assert Travel(made).leg("D", "B") == (20, 20)
    assert made.sites == Problem.from_json(data).sites
    assert main([*command, str(tiles)]) == 0, "a folder of tiles will do"


def test_no_tiles_and_no_file_are_said(tmp_path: Path) -> None:
    with pytest.raises(RouterError, match="no road tiles"):
        Valhalla(tmp_path)
    with pytest.raises(RouterError, match="no file"):
        Valhalla.build(tmp_path / "none.osm.pbf", tmp_path)
    (tmp_path / "bad.osm.pbf").write_bytes(b"not a map")
    with pytest.raises(RouterError, match="no tiles came of"):
        Valhalla.build(tmp_path / "bad.osm.pbf", tmp_path / "tiles")
