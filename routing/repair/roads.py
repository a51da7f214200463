"""Travel tables with some roads slower or closed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from routing.problem import Matrix, Problem
from routing.repair.disruptions import RoadSlowed
from routing.travel import Travel

CUT_OFF = 100_000
"""Minutes of a leg that cannot be driven at all: longer than any day."""
_KM_PER_DEGREE = 111.195

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def slowed(problem: Problem, roads: Sequence[RoadSlowed]) -> Matrix:
    """Return the problem's travel as a table with `roads` slowed. Who cannot drive through drives around by way of one
    other place, where that is possible."""
    minutes, cost = (table.astype(np.int64) for table in Travel(problem).tables)
    closed = np.zeros(minutes.shape, dtype=bool)
    for road in roads:
        hit = _legs(problem, road)
        if road.percent is None:
            closed |= hit
        else:
            minutes[hit] = -(-minutes[hit] * road.percent // 100)
    _around(minutes, cost, closed)
    np.fill_diagonal(minutes, 0)
    return Matrix(tuple(map(tuple, minutes.tolist())), tuple(map(tuple, cost.tolist())))


def _legs(problem: Problem, road: RoadSlowed) -> Bools:
    size = len(problem.places)
    hit = np.zeros((size, size), dtype=bool)
    for one, other in road.legs:
        a, b = problem.place_index[one], problem.place_index[other]
        hit[a, b] = hit[b, a] = True
    if road.lat is not None and road.lon is not None:
        hit |= _near(problem, road.lat, road.lon, road.radius_km)
    np.fill_diagonal(hit, False)
    return hit


def _near(problem: Problem, lat: float, lon: float, radius_km: float) -> Bools:
    """Return which straight legs pass within `radius_km` of the point; on a plane around it, which holds to a few
    percent over the length of a day's drive."""
    known = np.array([place.lat is not None and place.lon is not None for place in problem.places])
    y = np.array([_KM_PER_DEGREE * ((p.lat if p.lat is not None else 0.0) - lat) for p in problem.places])
    x = np.array([(p.lon if p.lon is not None else 0.0) - lon for p in problem.places])
    x *= _KM_PER_DEGREE * float(np.cos(np.radians(lat)))
    dx, dy = x[None, :] - x[:, None], y[None, :] - y[:, None]
    length = dx * dx + dy * dy
    share = np.clip(-(x[:, None] * dx + y[:, None] * dy) / np.maximum(length, 1e-9), 0.0, 1.0)
    away = np.hypot(x[:, None] + share * dx, y[:, None] + share * dy)
    near: Bools = (away <= radius_km) & known[:, None] & known[None, :]
    return near


def _around(minutes: Ints, cost: Ints, closed: Bools) -> None:
    """Replace closed legs by the quickest way over one other place."""
    if not closed.any():
        return
    open_minutes = np.where(closed, CUT_OFF, minutes)
    for a in np.flatnonzero(closed.any(axis=1)).tolist():
        targets = np.flatnonzero(closed[a])
        ways = open_minutes[a][:, None] + open_minutes[:, targets]
        ways[a, :] = 2 * CUT_OFF
        ways[targets, np.arange(len(targets))] = 2 * CUT_OFF
        over = ways.argmin(axis=0)
        best = ways[over, np.arange(len(targets))]
        can = best < CUT_OFF
        cost_over = cost[a, over] + cost[over, targets]
        minutes[a, targets] = np.where(can, best, CUT_OFF)
        cost[a, targets] = np.where(can, cost_over, cost[a, targets])
