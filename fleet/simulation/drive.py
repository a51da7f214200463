"""Where a van is between two places: great-circle interpolation by the share of the travel time. Pure."""

from __future__ import annotations

import math

EARTH_KM = 6371.0088
ROAD_FACTOR = 1.24
"""Road length over great circle, median of Egypt's main roads (OpenStreetMap backbone)."""
ROAD_KMH = 55.0


def great_circle_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Kilometres between two (lat, lon) points in degrees (haversine)."""
    p, q = math.radians(a[0]), math.radians(b[0])
    h = math.sin((q - p) / 2) ** 2
    h += math.cos(p) * math.cos(q) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(h)))


def drive_minutes(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Minutes on the road between two points, for legs that no plan has timed; at least 3."""
    return max(3.0, great_circle_km(a, b) * ROAD_FACTOR / ROAD_KMH * 60)


def along(a: tuple[float, float], b: tuple[float, float], share: float) -> tuple[float, float]:
    """The (lat, lon) point at `share` (0 to 1, clipped) of the great circle from a to b."""
    share = min(1.0, max(0.0, share))
    angle = great_circle_km(a, b) / EARTH_KM
    if angle < 1e-9:
        return a
    f, g = math.sin((1 - share) * angle) / math.sin(angle), math.sin(share * angle) / math.sin(angle)
    (p, m), (q, n) = [(math.radians(lat), math.radians(lon)) for lat, lon in (a, b)]
    x = f * math.cos(p) * math.cos(m) + g * math.cos(q) * math.cos(n)
    y = f * math.cos(p) * math.sin(m) + g * math.cos(q) * math.sin(n)
    z = f * math.sin(p) + g * math.sin(q)
    return math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x))
