"""The router that is always there: the road formula of the exchange format."""

from __future__ import annotations

from collections.abc import Sequence

from routing.problem import Road
from routing.routers.table import Point, Table
from routing.travel import great_circle_km, road_leg


class Formula:
    """Minutes and km by detour and speeds, with nothing to install and nobody to ask."""

    name = "formula"

    def __init__(self, road: Road) -> None:
        self.road = road

    def matrix(self, points: Sequence[Point], targets: Sequence[Point] | None = None) -> Table:
        """Return the table from `points` to `targets`; every place can be reached."""
        targets = points if targets is None else targets
        straight = [[great_circle_km(*a, *b) for b in targets] for a in points]
        return Table(
            tuple(tuple(road_leg(self.road, km)[0] for km in row) for row in straight),
            tuple(tuple(self.road.detour * km for km in row) for row in straight),
        )
