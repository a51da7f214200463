"""Where the vans of today are, what they have begun, and from where and when they can go on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from routing.errors import ProblemError
from routing.problem import Center, Matrix, Place, Problem
from routing.solution import Route, Stop, Visit
from routing.travel import Travel, great_circle_km

EVERYDAY = 15
"""Minutes behind time of which nobody is told: a van less late than this keeps the times that were announced."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a center is today: from `minute` on it can leave `place` (whose id may be new, then with coordinates).

    `served` are the sites that it has served today or is serving.
    """

    place: Place
    minute: int
    served: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Begin:
    """How a center's day begins, from now on: where, from which minute, minutes driven before, and whether it has left
    where it was in the morning."""

    place: str
    minute: int
    driven: int = 0
    left: bool = False


class Timetable:
    """Today at a moment: what `live` says, else what the plan's times say."""

    def __init__(self, problem: Problem, live: Mapping[str, Whereabouts], day: int, minute: int) -> None:
        self.problem, self.live, self.day, self.minute = problem, live, day, minute
        self.travel = Travel(problem)
        self._place_by_id = {place.id: place for place in problem.places}
        self._at = {name: self._known(where.place) for name, where in live.items()}

    @property
    def places(self) -> tuple[Place, ...]:
        """The problem's places, and those where vans are."""
        return tuple(self._place_by_id.values())

    def begun(self, center: Center, visits: Sequence[Visit]) -> int:
        """Return how many of today's visits are done or under way: the van has come to set up by now."""
        known = self.live.get(center.id)
        if known is not None:
            return max((i + 1 for i, v in enumerate(visits) if v.site in known.served), default=0)
        return sum(1 for v in visits if v.start - center.setup <= self.minute)

    def now(
        self, center: Center, begin: tuple[str, int], route: Route | None, done: Sequence[Visit]
    ) -> Begin:
        """Return how the rest of today begins for a center that began it at `begin` and has `done` what it has."""
        if center.id in self.live:
            place, minute = self._at[center.id], self.live[center.id].minute
        else:
            place, minute = self._by_times(center, begin, route, len(done))
        left = bool(done) or place != begin[0] or (route is not None and route.depart <= self.minute)
        return Begin(place, max(minute, self.minute), self._driven(begin[0], done, place), left)

    def _by_times(
        self, center: Center, begin: tuple[str, int], route: Route | None, begun: int
    ) -> tuple[str, int]:
        """Return where the van is when it keeps to its times: at a stop, where the day began, or about to reach where
        it drives to."""
        here, clock = begin
        stops = route.stops if route is not None else ()
        leaves = route.depart if route is not None else clock
        if route is None and here == center.depot:
            return here, clock
        if begun:
            here, leaves = self._left(stops[begun - 1])
        if self.minute < leaves or (not begun and self.minute == leaves):
            return here, leaves if begun else clock
        if begun == len(stops) and route is not None and route.overnight:
            return here, leaves
        target = self.problem.site_by_id[stops[begun].site].place if begun < len(stops) else center.depot
        return target, self.travel.arrive(here, target, leaves, self.day)

    def _left(self, stop: Stop) -> tuple[str, int]:
        return self.problem.site_by_id[stop.site].place, stop.start + stop.stay

    def _driven(self, begin: str, done: Sequence[Visit], here: str) -> int:
        """Return the minutes driven today, as the crow's way over the stops made to where the van is."""
        at, total = begin, 0
        for place in (*(self.problem.site_by_id[v.site].place for v in done), here):
            if place in self.problem.place_index:
                total += self.travel.leg(at, place)[0]
                at = place
        return total

    def _known(self, place: Place) -> str:
        """Return the id of a place, new ones added; the nearest one where travel comes as a table."""
        if place.id in self._place_by_id:
            return place.id
        if isinstance(self.problem.travel, Matrix):
            there = [p for p in self.problem.places if p.lat is not None and p.lon is not None]
            if place.lat is None or place.lon is None or not there:
                raise ProblemError([f"live: no such place {place.id}"])
            return min(there, key=lambda p: _km(place, p)).id
        self._place_by_id[place.id] = place
        return place.id


def _km(a: Place, b: Place) -> float:
    if a.lat is None or a.lon is None or b.lat is None or b.lon is None:
        return math.inf
    return great_circle_km(a.lat, a.lon, b.lat, b.lon)
