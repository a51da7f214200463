"""Ways around closed ground as a map of the roads knows them, near it; far from it the shortest way around its edge is
good enough, and is all that there is time for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from routing.errors import RouterError
from routing.problem import Problem
from routing.repair.disruptions import Disruption, RoadSlowed
from routing.repair.roads import CUT_OFF, grounds
from routing.repair.strips import Point, passing
from routing.routers.table import Table
from routing.travel import great_circle_km

MOST = 48
"""Places that the map is asked about: those nearest to the closed ground."""


class Avoiding(Protocol):
    """A router that can leave out the roads of some ground."""

    def matrix(
        self,
        points: Sequence[Point],
        targets: Sequence[Point] | None = None,
        *,
        closed: Sequence[Sequence[Point]] = (),
    ) -> Table:
        """Return the table from `points` to `targets`, no road through `closed` driven."""
        ...


def mapped(
    problem: Problem, disruptions: Sequence[Disruption], router: Avoiding, *, cost_per_km: float
) -> list[Disruption]:
    """Return the disruptions, each closed road with the ways around that the router knows. One that it cannot answer
    stays as it is."""
    return [
        _around(problem, one, router, cost_per_km)
        if isinstance(one, RoadSlowed) and one.percent is None and not one.ways
        else one
        for one in disruptions
    ]


def _around(problem: Problem, road: RoadSlowed, router: Avoiding, cost_per_km: float) -> RoadSlowed:
    closed = grounds(road)
    if not closed:
        return road
    lat, lon = np.mean([corner for corners in closed for corner in corners], axis=0).tolist()
    known = [(p.id, (p.lat, p.lon)) for p in problem.places if p.lat is not None and p.lon is not None]
    known.sort(key=lambda one: great_circle_km(one[1][0], one[1][1], lat, lon))
    names, points = [name for name, _ in known[:MOST]], [point for _, point in known[:MOST]]
    hit = np.any([passing(corners, points) for corners in closed], axis=0)
    np.fill_diagonal(hit, False)
    if not hit.any():
        return road
    try:
        table = router.matrix(points, closed=closed)
    except RouterError:
        return road
    ways = []
    for i, j in np.argwhere(hit).tolist():
        minutes, km = table.minutes[i][j], table.km[i][j]
        there = minutes is not None and km is not None
        cost = round(cost_per_km * km) if there and km is not None else 0
        ways.append((names[i], names[j], minutes if there and minutes is not None else CUT_OFF, cost))
    return replace(road, ways=tuple(ways))
