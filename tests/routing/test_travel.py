"""Travel: minutes and cost are those of the format, leg by leg and in tables."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from routing import Problem, Travel, load
from routing.travel import great_circle_km
from tests.routing.make import rich, small
from tests.routing.referee import SHARED, load_referee, needs_instances, needs_referee


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), matrix=st.booleans())
def test_tables_and_single_legs_agree(seed: int, matrix: bool) -> None:
    problem = Problem.from_json(rich(seed, matrix=matrix))
    travel = Travel(problem)
    minutes, cost = travel.tables
    for i, a in enumerate(problem.places):
        for j, b in enumerate(problem.places):
            assert travel.leg(a.id, b.id) == (minutes[i, j], cost[i, j])


@needs_referee
@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), matrix=st.booleans())
def test_every_leg_is_the_referees(seed: int, matrix: bool) -> None:
    data = rich(seed, matrix=matrix)
    travel, referee = Travel(Problem.from_json(data)), load_referee().Travel(data)
    names = [place["id"] for place in data["places"]]
    assert all(travel.leg(a, b) == referee(a, b) for a in names for b in names)


@needs_instances
@needs_referee
def test_a_national_table_is_the_referees_everywhere() -> None:
    """327 places, 106,929 legs, among them those that lie next to a rounding step."""
    path = SHARED / "instances" / "national" / "EG300d1-s7.json.gz"
    referee = load_referee()
    theirs = referee.Travel(referee.load(path))
    problem = load(path)
    minutes, cost = Travel(problem).tables
    names = [place.id for place in problem.places]
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            assert theirs(a, b) == (minutes[i, j], cost[i, j])


def test_two_places_at_one_point_are_no_minute_apart() -> None:
    data = small()
    data["places"][1] |= {"lat": 30.0, "lon": 31.0}
    travel = Travel(Problem.from_json(data))
    assert travel.leg("D", "A") == (0, 0)
    assert travel.tables[0][0, 1] == 0


def test_minutes_follow_the_pieces_of_the_speed_list() -> None:
    """60 km by road: 5 km at 25, 45 at 50, 10 at 75 km/h make 12 + 54 + 8 = 74 minutes."""
    degrees = 60 / 1.35 / (6371 * math.pi / 180)
    data = small()
    data["places"][1] |= {"lat": 30.0 + degrees, "lon": 31.0}
    travel = Travel(Problem.from_json(data))
    assert travel.leg("D", "A") == (74, 60)
    assert travel.km("D", "A") == 1.35 * great_circle_km(30.0, 31.0, 30.0 + degrees, 31.0)
