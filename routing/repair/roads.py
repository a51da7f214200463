"""Travel tables with some roads slower or closed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from routing.problem import Matrix, Problem
from routing.repair.disruptions import RoadSlowed
from routing.repair.strips import Bools, Point, around, circle, passing, strip
from routing.travel import Travel

CUT_OFF = 100_000
"""Minutes of a leg that cannot be driven at all: longer than any day."""

Ints = NDArray[np.int64]
Tables = tuple[NDArray[np.int32], NDArray[np.int32]]


def slowed(problem: Problem, roads: Sequence[RoadSlowed]) -> tuple[Matrix, Tables]:
    """Return the problem's travel as a table with `roads` slowed, and the same as arrays. Who cannot drive through
    drives around, where that is possible."""
    minutes, cost = (table.astype(np.int64) for table in Travel(problem).tables)
    named = np.zeros(minutes.shape, dtype=bool)
    for road in roads:
        legs = _legs(problem, road)
        if road.percent is None:
            named |= legs
        else:
            minutes[legs] = -(-minutes[legs] * road.percent // 100)
        for corners in grounds(road):
            _ground(problem, corners, road.percent, minutes, cost)
    _around(minutes, cost, named)
    for road in roads:
        for one, other, given, price in road.ways:
            a, b = problem.place_index[one], problem.place_index[other]
            minutes[a, b], cost[a, b] = given, price
    np.fill_diagonal(minutes, 0)
    np.fill_diagonal(cost, 0)
    tables = minutes.astype(np.int32), cost.astype(np.int32)
    return Matrix(tuple(map(tuple, minutes.tolist())), tuple(map(tuple, cost.tolist()))), tables


def grounds(road: RoadSlowed) -> list[tuple[Point, ...]]:
    """Return the corners of the ground that is closed or slow."""
    found = []
    if road.lat is not None and road.lon is not None:
        found.append(circle((road.lat, road.lon), road.radius_km))
    if road.line is not None:
        found.append(strip(*road.line, 2 * road.radius_km))
    return found


def _legs(problem: Problem, road: RoadSlowed) -> Bools:
    size = len(problem.places)
    hit = np.zeros((size, size), dtype=bool)
    for one, other in road.legs:
        a, b = problem.place_index[one], problem.place_index[other]
        hit[a, b] = hit[b, a] = True
    np.fill_diagonal(hit, False)
    return hit


def _ground(
    problem: Problem, corners: Sequence[Point], percent: int | None, minutes: Ints, cost: Ints
) -> None:
    """Slow the legs that pass through the ground, or lead them around it."""
    known = [i for i, p in enumerate(problem.places) if p.lat is not None and p.lon is not None]
    points = [(p.lat, p.lon) for i in known if (p := problem.places[i]).lat is not None and p.lon is not None]
    hit = passing(corners, points)
    np.fill_diagonal(hit, False)
    rows, columns = np.nonzero(hit)
    at = np.array(known, dtype=np.intp)
    here = at[rows], at[columns]
    if percent is not None:
        minutes[here] = -(-minutes[here] * percent // 100)
        return
    factor = around(corners, points, hit)[rows, columns]
    can = np.isfinite(factor)
    longer = np.where(can, factor, 1.0)
    minutes[here] = np.where(can, np.ceil(np.round(minutes[here] * longer, 6)), CUT_OFF).astype(np.int64)
    cost[here] = np.rint(cost[here] * longer).astype(np.int64)


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
