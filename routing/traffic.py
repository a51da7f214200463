"""Driving by the clock: by how much traffic stretches a leg, by region of the country and minute of the day.

The speed model of Ichoua, Gendreau and Potvin (Vehicle dispatching with time-dependent travel times, European
Journal of Operational Research 144, 2003): traffic changes the speed, also of those who are on the road, so that
who leaves later never arrives earlier. In whole numbers: clock minute t yields `10000 // percent(t)` units of
way, a leg of m minutes of the table needs 100 m units.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PLAIN = 100
"""Percent of the table's time that driving takes without traffic; also the units of way in such a minute."""

Steps = tuple[tuple[int, int], ...]
"""(minute, percent) ascending: from that minute of the day on, driving takes percent/100 of the table's time."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The percentages of each region, for all days or by day.

    `regions` names the places of each region; those of none belong to "*". `percent` gives a region, or "*", its
    steps, or {day index as text, or "*": steps}. A region that `percent` leaves out drives as "*" does; a day that
    has no steps drives at 100.
    """

    regions: Mapping[str, tuple[str, ...]]
    percent: Mapping[str, Steps | Mapping[str, Steps]]

    def steps(self, region: str, day: int) -> Steps:
        """Return the steps of `region` ("*": no region) on `day`."""
        found = self.percent.get(region, self.percent.get("*", ()))
        if isinstance(found, Mapping):
            return found.get(str(day), found.get("*", ()))
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Traffic:
        """Build it from the checked object `travel.traffic` of a `fleet-problem/2`."""
        return cls(
            {name: tuple(places) for name, places in (data.get("regions") or {}).items()},
            {
                name: {day: _steps(some) for day, some in given.items()}
                if isinstance(given, Mapping)
                else _steps(given)
                for name, given in data["percent"].items()
            },
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as the object `travel.traffic` of a `fleet-problem/2`."""
        return {
            "regions": {name: list(places) for name, places in self.regions.items()},
            "percent": {
                name: {day: _lists(some) for day, some in given.items()}
                if isinstance(given, Mapping)
                else _lists(given)
                for name, given in self.percent.items()
            },
        }


class Flow:
    """The clock of legs between two regions on one day: at each minute the larger percentage of the two holds.

    `bounds` are the minutes from which `units` (of way per minute) hold; before the first it is 100. The day's last
    units go on holding after midnight.
    """

    __slots__ = ("bounds", "done", "units")

    def __init__(self, *steps: Steps) -> None:
        self.bounds: list[int] = []
        self.units: list[int] = [PLAIN]
        self.done: list[int] = []
        """Units of way that lie between the first of `bounds` and each of them."""
        for minute in sorted({minute for some in steps for minute, _ in some}):
            units = 100 * PLAIN // max(_percent(some, minute) for some in steps)
            if units == self.units[-1]:
                continue
            before = self.done[-1] + self.units[-1] * (minute - self.bounds[-1]) if self.bounds else 0
            self.bounds.append(minute)
            self.done.append(before)
            self.units.append(units)

    def arrive(self, depart: int, minutes: int) -> int:
        """Return the minute of arrival when a leg of so many minutes of the table begins at `depart`."""
        if not self.bounds or minutes <= 0:
            return depart + minutes
        need = self._way(depart) + PLAIN * minutes
        part = bisect_left(self.done, need)
        return self._from(part) - (self._before(part) - need) // self.units[part]

    def leave(self, arrive_by: int, minutes: int) -> int:
        """Return the latest minute to begin such a leg so as to arrive by `arrive_by`."""
        if not self.bounds or minutes <= 0:
            return arrive_by - minutes
        most = self._way(arrive_by) - PLAIN * minutes
        part = bisect_right(self.done, most)
        return self._from(part) + (most - self._before(part)) // self.units[part]

    def _way(self, minute: int) -> int:
        """Return the units of way from the first bound to `minute`; negative before it."""
        part = bisect_right(self.bounds, minute)
        return self._before(part) + (minute - self._from(part)) * self.units[part]

    def _from(self, part: int) -> int:
        return self.bounds[max(0, part - 1)]

    def _before(self, part: int) -> int:
        return self.done[max(0, part - 1)]


def _percent(steps: Steps, minute: int) -> int:
    part = bisect_right(steps, minute, key=lambda step: step[0])
    return steps[part - 1][1] if part else PLAIN


def _steps(data: Sequence[Sequence[int]]) -> Steps:
    return tuple((minute, percent) for minute, percent in data)


def _lists(steps: Steps) -> list[list[int]]:
    return [list(step) for step in steps]
