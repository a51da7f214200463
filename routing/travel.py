"""Minutes, cost and km between places, exactly as `fleet-problem/1` defines them.

By formula: km = detour x great circle on a sphere of 6,371 km; minutes = ceil(round(60 x hours, 9)) with the
pieces of `speeds` driven in turn; cost = round(cost_per_km x km), Python's rounding. A leg from a place to
itself is free.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from routing.problem import Matrix, Problem, Road
from routing.traffic import Flow

EARTH_KM = 6371
_NEAR = 1e-6  # closer than this to a rounding step, numpy's result is recomputed with Python's own arithmetic
_BLOCK = 512

IntMatrix = NDArray[np.int32]


class Travel:
    """Travel between the places of one problem, by index.

    Single legs are cached; tables are made on demand.
    """

    def __init__(self, problem: Problem) -> None:
        self._places = problem.places
        self._spec = problem.travel
        self._index = problem.place_index
        self._legs: dict[tuple[str, str], tuple[int, int]] = {}
        self._traffic = problem.traffic
        regions = problem.traffic.regions if problem.traffic else {}
        self._region = {place: name for name, places in regions.items() for place in places}
        self._flows: dict[tuple[str, str, int], Flow] = {}

    def leg(self, origin: str, target: str) -> tuple[int, int]:
        """Return (minutes, cost) of driving from place `origin` to place `target`, both ids."""
        found = self._legs.get((origin, target))
        if found is None:
            found = self._legs[origin, target] = self._compute(self._index[origin], self._index[target])
        return found

    def km(self, origin: str, target: str) -> float | None:
        """Return the road km between two place ids, or None when neither a formula nor coordinates tell."""
        a, b = self._places[self._index[origin]], self._places[self._index[target]]
        if a is b:
            return 0.0
        if a.lat is None or a.lon is None or b.lat is None or b.lon is None:
            return None
        straight = great_circle_km(a.lat, a.lon, b.lat, b.lon)
        return straight * (self._spec.detour if isinstance(self._spec, Road) else 1.0)

    def region(self, place: str) -> str:
        """Return the region of a place id; "*" when it lies in none."""
        return self._region.get(place, "*")

    def flow(self, one: str, other: str, day: int) -> Flow:
        """Return the clock of legs between two regions on `day`."""
        key = (one, other, day) if one <= other else (other, one, day)
        found = self._flows.get(key)
        if found is None:
            steps = () if self._traffic is None else tuple(self._traffic.steps(r, day) for r in {one, other})
            found = self._flows[key] = Flow(*steps)
        return found

    def arrive(self, origin: str, target: str, depart: int, day: int) -> int:
        """Return the minute of arrival at `target` when leaving `origin` at minute `depart` of `day`."""
        minutes, _ = self.leg(origin, target)
        if self._traffic is None:
            return depart + minutes
        return self.flow(self.region(origin), self.region(target), day).arrive(depart, minutes)

    def leave(self, origin: str, target: str, arrive_by: int, day: int) -> int:
        """Return the latest minute to leave `origin` so as to be at `target` by minute `arrive_by` of `day`."""
        minutes, _ = self.leg(origin, target)
        if self._traffic is None:
            return arrive_by - minutes
        return self.flow(self.region(origin), self.region(target), day).leave(arrive_by, minutes)

    @property
    def metric(self) -> bool:
        """Whether a detour can never be shorter, up to rounding (not known of a table)."""
        if isinstance(self._spec, Matrix):
            return False
        speeds = [kmh for _, kmh in self._spec.speeds]
        return speeds == sorted(speeds) and self._spec.cost_per_km >= 0

    def _compute(self, i: int, j: int) -> tuple[int, int]:
        if isinstance(self._spec, Matrix):
            return self._spec.minutes[i][j], self._spec.cost[i][j]
        if i == j:
            return 0, 0
        a, b = self._places[i], self._places[j]
        assert a.lat is not None and a.lon is not None and b.lat is not None and b.lon is not None
        return road_leg(self._spec, great_circle_km(a.lat, a.lon, b.lat, b.lon))

    @cached_property
    def tables(self) -> tuple[IntMatrix, IntMatrix]:
        """Minutes and cost between all places: int32 arrays [from, to] in the order of `places`."""
        if isinstance(self._spec, Matrix):
            return np.array(self._spec.minutes, dtype=np.int32), np.array(self._spec.cost, dtype=np.int32)
        return self._road_tables(self._spec)

    def _road_tables(self, road: Road) -> tuple[IntMatrix, IntMatrix]:
        """Fill both tables by blocks from chords; redo exactly what lies next to a rounding step."""
        size = len(self._places)
        lat = np.radians(np.array([place.lat for place in self._places], dtype=float))
        lon = np.radians(np.array([place.lon for place in self._places], dtype=float))
        points = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        minutes = np.zeros((size, size), dtype=np.int32)
        cost = np.zeros((size, size), dtype=np.int32)
        for row in range(0, size, _BLOCK):
            for column in range(row, size, _BLOCK):
                here = (slice(row, row + _BLOCK), slice(column, column + _BLOCK))
                there = (here[1], here[0])
                self._block(road, points[:, here[0]], points[:, here[1]], here, minutes, cost)
                minutes[there], cost[there] = minutes[here].T, cost[here].T
        np.fill_diagonal(minutes, 0)
        np.fill_diagonal(cost, 0)
        return minutes, cost

    def _block(
        self,
        road: Road,
        origins: NDArray[np.float64],
        targets: NDArray[np.float64],
        here: tuple[slice, slice],
        minutes: IntMatrix,
        cost: IntMatrix,
    ) -> None:
        chord = np.zeros((origins.shape[1], targets.shape[1]))
        for a, b in zip(origins, targets, strict=True):
            chord += (a[:, None] - b[None, :]) ** 2
        km = road.detour * 2 * EARTH_KM * np.arcsin(np.minimum(1.0, np.sqrt(chord) / 2))
        left, hours = km.copy(), np.zeros_like(km)
        for length, kmh in road.speeds:
            part = left if length is None else np.minimum(left, length)
            hours += part / kmh
            left = left - part
        exact_minutes, exact_cost = 60 * hours, road.cost_per_km * km
        minutes[here] = np.ceil(exact_minutes - _NEAR / 2)
        cost[here] = np.rint(exact_cost)
        doubtful = np.abs(exact_minutes - np.rint(exact_minutes)) < _NEAR
        doubtful |= np.abs(exact_cost - np.floor(exact_cost) - 0.5) < _NEAR
        for i, j in np.argwhere(doubtful).tolist():
            a, b = here[0].start + i, here[1].start + j
            minutes[a, b], cost[a, b] = self._compute(a, b)


def road_leg(road: Road, straight_km: float) -> tuple[int, int]:
    """Return (minutes, cost) of a leg whose great circle measures `straight_km`."""
    km = road.detour * straight_km
    left, hours = km, 0.0
    for length, kmh in road.speeds:
        part = left if length is None else min(left, length)
        hours += part / kmh
        left -= part
    return math.ceil(round(60 * hours, 9)), round(road.cost_per_km * km)


def great_circle_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Return the haversine distance in km between two points in degrees.

    Written out here because the format fixes the sphere (6,371 km); geopy's default sphere is 6,371.009 km.
    """
    p = math.pi / 180
    h = (
        math.sin((lat2 - lat1) * p / 2) ** 2
        + math.cos(lat1 * p) * math.cos(lat2 * p) * math.sin((lon2 - lon1) * p / 2) ** 2
    )
    return 2 * EARTH_KM * math.asin(math.sqrt(h))
