"""Closed ground as a convex polygon: which straight legs pass through it, and how far it is around its corners.

On a plane around the polygon, in km, which holds to a few percent over the length of a day's drive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Point = tuple[float, float]
"""Latitude and longitude in degrees."""

KM_PER_DEGREE = 111.195
CORNERS = 12
"""Of a polygon that stands for a circle."""
_EDGE = 1e-7
_ROWS = 256


def strip(one: Point, other: Point, width_km: float) -> tuple[Point, ...]:
    """Return the corners of a strip of that width along the stretch between two points.

    It ends half a width before the points (a tenth of the length at most), so that who stands there is not shut in.
    """
    flat = _Plane(one)
    (bx, by) = flat.xy(other)
    length = math.hypot(bx, by)
    if length == 0.0:
        return circle(one, width_km / 2)
    ux, uy = bx / length, by / length
    side, near = width_km / 2, min(width_km / 2, 0.1 * length)
    far = length - near
    corners = ((near, side), (far, side), (far, -side), (near, -side))
    return tuple(flat.point(a * ux - b * uy, a * uy + b * ux) for a, b in corners)


def circle(middle: Point, radius_km: float) -> tuple[Point, ...]:
    """Return the corners of a polygon around a circle: it holds all of it."""
    flat, out = _Plane(middle), radius_km / math.cos(math.pi / CORNERS)
    turns = (2 * math.pi * k / CORNERS for k in range(CORNERS))
    return tuple(flat.point(out * math.cos(turn), -out * math.sin(turn)) for turn in turns)


def passing(corners: Sequence[Point], points: Sequence[Point]) -> Bools:
    """Return which straight legs [from, to] between `points` touch the inside of the polygon."""
    flat = _Plane(corners[0])
    return _through(_sides(flat, corners), flat.all(points), flat.all(points))


def around(corners: Sequence[Point], points: Sequence[Point], legs: Bools) -> Floats:
    """Return by how much the shortest way around the polygon is longer than the straight one, as a factor, for each of
    `legs`; 1 for others, infinite where a leg begins or ends inside."""
    flat = _Plane(corners[0])
    sides, at, ring = _sides(flat, corners), flat.all(points), flat.all(corners)
    count = len(corners)
    edge = np.hypot(*(ring - np.roll(ring, -1, axis=0)).T)
    walk = np.full((count, count), np.inf)
    for i in range(count):
        total = 0.0
        walk[i, i] = 0.0
        for step in range(1, count):
            total += float(edge[(i + step - 1) % count])
            j = (i + step) % count
            walk[i, j] = min(walk[i, j], total)
    walk = np.minimum(walk, walk.T)
    to_corner = np.hypot(at[:, None, 0] - ring[None, :, 0], at[:, None, 1] - ring[None, :, 1])
    to_corner[_through(sides, at, ring)] = np.inf
    over = (to_corner[:, :, None] + walk[None, :, :]).min(axis=1)
    factor = np.ones(legs.shape)
    for a in np.flatnonzero(legs.any(axis=1)).tolist():
        targets = np.flatnonzero(legs[a])
        length = (over[a][None, :] + to_corner[targets]).min(axis=1)
        straight = np.hypot(*(at[targets] - at[a]).T)
        factor[a, targets] = np.maximum(1.0, length / np.maximum(straight, 1e-9))
    return factor


class _Plane:
    """Kilometres east and north of a point."""

    def __init__(self, middle: Point) -> None:
        self.lat, self.lon = middle
        self.east = KM_PER_DEGREE * math.cos(math.radians(self.lat))

    def xy(self, point: Point) -> tuple[float, float]:
        return self.east * (point[1] - self.lon), KM_PER_DEGREE * (point[0] - self.lat)

    def point(self, x: float, y: float) -> Point:
        return self.lat + y / KM_PER_DEGREE, self.lon + x / self.east

    def all(self, points: Sequence[Point]) -> Floats:
        some = np.array(points, dtype=float).reshape(-1, 2)
        return np.stack(
            [self.east * (some[:, 1] - self.lon), KM_PER_DEGREE * (some[:, 0] - self.lat)], axis=1
        )


def _sides(flat: _Plane, corners: Sequence[Point]) -> list[tuple[float, float, float]]:
    """Return (a, b, c) of each side: a x + b y <= c inside, (a, b) of length 1. Corners go clockwise."""
    ring = [flat.xy(corner) for corner in corners]
    found = []
    for (x1, y1), (x2, y2) in zip(ring, [*ring[1:], ring[0]], strict=True):
        length = math.hypot(x2 - x1, y2 - y1)
        a, b = -(y2 - y1) / length, (x2 - x1) / length
        found.append((a, b, a * x1 + b * y1))
    return found


def _through(sides: Sequence[tuple[float, float, float]], origins: Floats, targets: Floats) -> Bools:
    """Return which segments [origin, target] have a stretch inside: clipped by each side in turn (Cyrus and Beck,
    Generalized two- and three-dimensional clipping, Computers & Graphics 3, 1978)."""
    found = np.zeros((len(origins), len(targets)), dtype=bool)
    for top in range(0, len(origins), _ROWS):
        rows = slice(top, top + _ROWS)
        first = np.zeros((len(origins[rows]), len(targets)))
        last = np.ones_like(first)
        open_ = np.ones_like(first, dtype=bool)
        for a, b, c in sides:
            inner = c - _EDGE
            start = inner - (a * origins[rows, 0] + b * origins[rows, 1])[:, None]
            end = inner - (a * targets[:, 0] + b * targets[:, 1])[None, :]
            drop = start - end
            with np.errstate(divide="ignore", invalid="ignore"):
                cut = np.where(drop != 0.0, start / drop, 0.0)
            first = np.where(drop < 0.0, np.maximum(first, cut), first)
            last = np.where(drop > 0.0, np.minimum(last, cut), last)
            open_ &= (start > 0.0) | (end > 0.0)
        found[rows] = open_ & (last - first > 1e-9)
    return found
