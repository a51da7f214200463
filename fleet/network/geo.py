"""Great-circle distances in bulk. Degrees in, kilometres out. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

EARTH_KM = 6371.0

EGYPT_BOX = (21.7, 24.6, 31.9, 37.2)
"""South, west, north, east: a point outside is not in Egypt (Halaib and the Siwa border included)."""

Floats = NDArray[np.float64]


def km_matrix(lat_a: ArrayLike, lon_a: ArrayLike, lat_b: ArrayLike, lon_b: ArrayLike) -> Floats:
    """Haversine kilometres, shape (len a, len b)."""
    la, oa = np.radians(np.asarray(lat_a, dtype=float)), np.radians(np.asarray(lon_a, dtype=float))
    lb, ob = np.radians(np.asarray(lat_b, dtype=float)), np.radians(np.asarray(lon_b, dtype=float))
    h = (
        np.sin((la[:, None] - lb[None, :]) / 2) ** 2
        + np.cos(la)[:, None] * np.cos(lb)[None, :] * np.sin((oa[:, None] - ob[None, :]) / 2) ** 2
    )
    result: Floats = 2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(h, 0.0, 1.0)))
    return result


def km_between(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Haversine kilometres between two points."""
    return float(km_matrix([lat_a], [lon_a], [lat_b], [lon_b])[0, 0])


def in_egypt(lat: float, lon: float) -> bool:
    """Whether a point lies in the box around Egypt (a coarse guard against swapped or foreign
    coordinates)."""
    south, west, north, east = EGYPT_BOX
    return south <= lat <= north and west <= lon <= east
