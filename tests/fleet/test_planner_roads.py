"""Driving times from a router: asked once a pair, kept by coordinates, never in the way of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from fleet.planning import travel
from fleet.planning.travel import Roads, by_road, roads_of
from routing import Problem, Travel
from routing.errors import RouterError
from routing.routers import Point, Table
from tests.routing.make import small
from tests.routing.routers.osrmserver import OsrmServer, serving


class Counting:
    """A router that remembers the pairs it was asked for: a minute for each hundredth of a degree, 3 km each."""

    name = "counting"

    def __init__(self) -> None:
        self.asked: list[tuple[Point, Point]] = []
        self.lost: set[Point] = set()
        self.fails = False

    def matrix(self, points: Sequence[Point], targets: Sequence[Point] | None = None) -> Table:
        if self.fails:
            raise RouterError(["counting: is away"])
        ends = points if targets is None else targets
        self.asked += [(a, b) for a in points for b in ends]

        def minutes(a: Point, b: Point) -> int | None:
            if a != b and self.lost & {a, b}:
                return None
            return round(100 * (abs(a[0] - b[0]) + abs(a[1] - b[1])))

        table = tuple(tuple(minutes(a, b) for b in ends) for a in points)
        return Table(table, tuple(tuple(None if m is None else 3.0 * m for m in row) for row in table))


@pytest.fixture
def router() -> Counting:
    return Counting()


@pytest.fixture
def roads(router: Counting, tmp_path: Path) -> Roads:
    return Roads(lambda: router, "counting", "counting", tmp_path / "roads")


@pytest.fixture
def server() -> Iterator[OsrmServer]:
    with serving() as running:
        yield running


def without(data: dict[str, Any], *places: str) -> dict[str, Any]:
    """Return the problem without some places and what lies there."""
    return data | {
        "places": [p for p in data["places"] if p["id"] not in places],
        "sites": [s for s in data["sites"] if s["place"] not in places],
    }


def test_no_router_leaves_the_formula() -> None:
    assert by_road(small(), None) == small()
    assert roads_of(Path("x")) is None


def test_minutes_and_costs_are_the_routers(roads: Roads) -> None:
    data = small()
    data["travel"]["road"]["cost_per_km"] = 0.5
    made = Problem.from_json(by_road(data, roads))
    assert Travel(made).leg("D", "A") == (10, 15)
    assert by_road(data, roads)["roads"] == {"router": "counting"}
    assert data["travel"]["road"], "the problem that was given stays as it is"


def test_each_pair_is_asked_once_and_only_new_ones_later(roads: Roads, router: Counting) -> None:
    by_road(without(small(), "C", "E"), roads)
    first = len(router.asked)
    assert first == 3 * 2, "a place to itself is not asked"
    by_road(without(small(), "C", "E"), roads)
    assert len(router.asked) == first
    by_road(without(small(), "A"), roads)
    new = router.asked[first:]
    spots = {p["id"]: (p["lat"], p["lon"]) for p in small()["places"]}
    fresh = {spots["C"], spots["E"]}
    assert all(a in fresh or b in fresh for a, b in new) and len(set(new)) == len(new)
    by_road(small(), roads)
    pairs = [(a, b) for a, b in router.asked if a != b]
    assert len(pairs) == len(set(pairs)) == 5 * 4, "in the end every pair once"


def test_what_is_kept_belongs_to_its_router(tmp_path: Path, router: Counting) -> None:
    one, other = (Roads(lambda: router, "counting", key, tmp_path) for key in ("a", "b"))
    by_road(small(), one)
    asked = len(router.asked)
    by_road(small(), other)
    assert len(router.asked) == 2 * asked


def test_a_router_that_fails_leaves_the_formula_and_says_so(roads: Roads, router: Counting) -> None:
    router.fails = True
    made = by_road(small(), roads)
    assert made.pop("roads") == {"router": "counting", "failed": "counting: is away"}
    assert made == small()
    router.fails = False
    assert "minutes" in by_road(small(), roads)["travel"], "nothing of the failure is kept"


def test_a_place_beside_the_roads_keeps_the_formula_and_is_named(roads: Roads, router: Counting) -> None:
    router.lost = {(30.02, 31.2)}
    made = by_road(small(), roads)
    assert made["roads"] == {"router": "counting", "by_formula": 8, "off_road": ["E"]}
    ours, formula = Travel(Problem.from_json(made)), Travel(Problem.from_json(small()))
    assert ours.leg("D", "E") == formula.leg("D", "E")
    assert ours.leg("D", "A") != formula.leg("D", "A")
    asked = len(router.asked)
    by_road(small(), roads)
    assert len(router.asked) == asked, "that there is no road is kept too"


def test_a_broken_file_is_asked_anew(roads: Roads, router: Counting) -> None:
    made = by_road(small(), roads)
    roads.file.write_bytes(roads.file.read_bytes()[:100])
    assert by_road(small(), roads) == made
    assert not list(roads.folder.glob("*.part"))


def test_only_the_present_places_stay_when_there_are_too_many(
    roads: Roads, router: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(travel, "MOST_KEPT", 4)
    by_road(without(small(), "C", "E"), roads)
    made = by_road(without(small(), "A", "B"), roads)
    assert Travel(Problem.from_json(made)).leg("D", "C")[0] == 15


def test_an_osrm_server_is_asked_by_its_address(server: OsrmServer, tmp_path: Path) -> None:
    roads = roads_of(tmp_path, router_url=server.url)
    made = by_road(small(), roads)
    assert made["roads"] == {"router": "osrm"} and server.asked
    assert Problem.from_json(made).to_json()["travel"]["minutes"][0][1] > 0


def test_missing_tiles_are_a_failure_that_is_said(tmp_path: Path) -> None:
    made = by_road(small(), roads_of(tmp_path, valhalla_tiles=str(tmp_path)))
    assert made["roads"]["router"] == "valhalla" and made["roads"]["failed"].startswith("valhalla: ")
    assert "road" in made["travel"]


def test_new_tiles_are_another_router(tmp_path: Path) -> None:
    before = roads_of(tmp_path, valhalla_tiles=str(tmp_path))
    (tmp_path / "0.gph").write_bytes(b"")
    after = roads_of(tmp_path, valhalla_tiles=str(tmp_path))
    assert before is not None and after is not None and before.file != after.file
