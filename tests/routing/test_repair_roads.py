"""Closed stretches of road: who is stopped, and how long the way around takes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import Problem
from routing.errors import RouterError
from routing.repair import RoadSlowed, repair
from routing.repair.mapped import mapped
from routing.repair.roads import CUT_OFF, slowed
from routing.repair.strips import around, circle, passing, strip
from routing.routers import Point, Table
from routing.solution import Plan, earliest
from routing.travel import Travel, great_circle_km
from tests.routing.make import small

near = st.tuples(st.floats(29.8, 30.2), st.floats(30.8, 31.2))


def test_a_stretch_stops_who_crosses_it_and_nobody_else() -> None:
    """North to south is stopped; along its side, from its ends outwards, and far away is not; inside nobody moves."""
    ground = strip((30.0, 31.0), (30.0, 31.2), 2.0)
    names = ["north", "south", "west end", "east end", "inside", "beyond"]
    points = [(30.1, 31.1), (29.9, 31.1), (30.0, 31.0), (30.0, 31.2), (30.0, 31.1), (30.1, 30.9)]
    hit = passing(ground, points)
    stopped = {(names[i], names[j]) for i, j in np.argwhere(hit).tolist() if i < j}
    assert stopped == {
        ("north", "south"), ("west end", "east end"), ("north", "inside"), ("south", "inside"),
        ("west end", "inside"), ("east end", "inside"), ("inside", "beyond"), ("east end", "beyond"),
    }  # fmt: skip
    longer = around(ground, points, hit)
    assert all(math.isinf(longer[4, k]) for k in (0, 1, 2, 3, 5))
    assert longer[0, 5] == 1.0


def test_the_way_around_is_the_shortest_one_by_its_ends() -> None:
    """Straight across the middle: over one end, as far as the legs to the two corners there and the edge between."""
    ground = strip((30.0, 31.0), (30.0, 31.2), 1.0)
    points = [(30.05, 31.06), (29.95, 31.06)]
    straight = great_circle_km(*points[0], *points[1])
    west = sorted(ground, key=lambda corner: corner[1])[:2]
    upper, lower = max(west), min(west)
    way = great_circle_km(*points[0], *upper) + great_circle_km(*upper, *lower)
    way += great_circle_km(*lower, *points[1])
    assert around(ground, points, passing(ground, points))[0, 1] == float(
        np.clip(
            around(ground, points, passing(ground, points))[0, 1],
            0.99 * way / straight,
            1.01 * way / straight,
        )
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(ends=st.tuples(near, near), legs=st.tuples(near, near), width=st.floats(0.2, 8.0))
def test_what_passes_is_what_a_walk_in_small_steps_finds(
    ends: tuple[tuple[float, float], tuple[float, float]],
    legs: tuple[tuple[float, float], tuple[float, float]],
    width: float,
) -> None:
    """Against many points along the leg, looked at one by one; the way around is never shorter than straight."""
    ground = strip(*ends, width) if ends[0] != ends[1] else circle(ends[0], width / 2)
    hit = passing(ground, list(legs))
    (a, b), found = legs, False
    for step in range(1, 400):
        at = (a[0] + (b[0] - a[0]) * step / 400, a[1] + (b[1] - a[1]) * step / 400)
        found = found or _inside(ground, at)
    assert hit[0, 1] == hit[1, 0]
    assert hit[0, 1] or not found
    longer = around(ground, list(legs), hit)
    assert longer.min() >= 1.0
    assert np.allclose(longer, longer.T) or math.isinf(longer[0, 1])
    assert math.isinf(longer[0, 1]) <= (_inside(ground, a, 1e-3) or _inside(ground, b, 1e-3))


def _inside(ground: tuple[tuple[float, float], ...], at: tuple[float, float], slack: float = -1e-4) -> bool:
    """Whether the point lies in the polygon, `slack` km outwards, by the signed distances to its sides."""
    east = math.cos(math.radians(ground[0][0]))
    for one, other in zip(ground, (*ground[1:], ground[0]), strict=True):
        ax, ay, bx, by = east * one[1], one[0], east * other[1], other[0]
        side = ((bx - ax) * (at[0] - ay) - (by - ay) * (east * at[1] - ax)) / math.hypot(bx - ax, by - ay)
        if side * 111.195 > slack:
            return False
    return True


def test_a_closed_stretch_makes_its_legs_longer_at_their_own_speed_and_a_map_knows_better() -> None:
    """Minutes and cost grow by the detour; legs that do not cross stay; a leg that a router answered is taken over."""
    problem = Problem.from_json(small())
    usual = Travel(problem)
    line = ((30.02, 30.9), (30.03, 31.1))
    table, arrays = slowed(problem, [RoadSlowed(0, 1, None, (), None, None, 0.5, line)])
    d, a, e = (problem.place_index[name] for name in ("D", "A", "E"))
    points = [(p.lat or 0.0, p.lon or 0.0) for p in problem.places]
    ground = strip(*line, 1.0)
    factor = around(ground, points, passing(ground, points))
    assert factor[d, a] > 1.0
    minutes, cost = usual.leg("D", "A")
    assert table.minutes[d][a] == math.ceil(round(minutes * factor[d, a], 6)) > minutes
    assert table.cost[d][a] == round(cost * factor[d, a])
    assert table.minutes[d][e] == usual.leg("D", "E")[0]
    assert arrays[0].tolist() == [list(row) for row in table.minutes]
    known, _ = slowed(problem, [RoadSlowed(0, 1, None, (), None, None, 0.5, line, (("D", "A", 77, 5),))])
    assert (known.minutes[d][a], known.cost[d][a]) == (77, 5)
    slow, _ = slowed(problem, [RoadSlowed(0, 1, 300, (), None, None, 0.5, line)])
    assert slow.minutes[d][a] == 3 * minutes


def test_a_place_inside_a_closed_stretch_is_not_reached_and_its_visit_is_lost() -> None:
    """A lies in the middle of the strip: no alternative pretends to get there."""
    problem = Problem.from_json(small())
    plan = Plan("small", (earliest(problem, Travel(problem), "M1", 0, [("SA", 120), ("SE", 120)]),), 0)
    road = RoadSlowed(0, 0, None, (), None, None, 0.5, ((30.0, 31.05), (30.1, 31.05)))
    found = repair(problem, plan, [road], day=0, minute=400, iterations=4, threads=1)
    for one in found:
        assert "SA" not in {stop.site for route in one.plan.routes if route.day == 0 for stop in route.stops}
    table, _ = slowed(problem, [road])
    a = problem.place_index["A"]
    assert all(table.minutes[k][a] == CUT_OFF for k in range(len(problem.places)) if k != a)


class Mapmaker:
    """A router that knows one way around, and that D and E are cut off from one another."""

    def __init__(self, works: bool = True) -> None:
        self.works = works
        self.closed: Sequence[Sequence[Point]] = ()

    def matrix(
        self,
        points: Sequence[Point],
        targets: Sequence[Point] | None = None,
        *,
        closed: Sequence[Sequence[Point]] = (),
    ) -> Table:
        if not self.works:
            raise RouterError(["valhalla: it does not answer"])
        self.closed = closed
        size = range(len(points))
        return Table(
            tuple(tuple(None if i + j == len(points) - 1 else 40 + i for j in size) for i in size),
            tuple(tuple(12.0 for _ in size) for _ in size),
        )


def test_a_map_of_the_roads_is_asked_with_the_closed_ground_left_out() -> None:
    """Legs that would pass get the router's minutes and its km's cost, or are cut off; a router that fails changes
    nothing, and slow roads are not asked about."""
    problem = Problem.from_json(small())
    line = ((30.02, 30.9), (30.03, 31.1))
    road = RoadSlowed(0, 1, None, (), None, None, 0.5, line)
    router = Mapmaker()
    (found,) = mapped(problem, [road], router, cost_per_km=2.0)
    assert isinstance(found, RoadSlowed) and router.closed == [strip(*line, 1.0)]
    points = [(p.lat or 0.0, p.lon or 0.0) for p in problem.places]
    hit = passing(strip(*line, 1.0), points)
    names = [p.id for p in problem.places]
    assert {way[:2] for way in found.ways} == {
        (names[i], names[j]) for i, j in np.argwhere(hit).tolist() if i != j
    }
    assert {way[3] for way in found.ways if way[2] != CUT_OFF} == {24}
    table, _ = slowed(problem, [found])
    one, other, minutes, _ = found.ways[0]
    assert table.minutes[problem.place_index[one]][problem.place_index[other]] == minutes
    assert mapped(problem, [road], Mapmaker(works=False), cost_per_km=2.0) == [road]
    slow = RoadSlowed(0, 1, 200, (), None, None, 0.5, line)
    assert mapped(problem, [slow], router, cost_per_km=2.0) == [slow]
