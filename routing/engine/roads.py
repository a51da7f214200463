"""Driving by the clock, as tables for compiled code: units of way by minute for each pair of regions and day."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from routing.engine.terms import Ints
from routing.problem import Problem
from routing.travel import Travel

PLAIN = 100
"""Units of way in a minute without traffic."""
_HORIZON = 2881


class Roads:
    """`minutes` and `cost` [places, places] of the table, and the clock of traffic where there is any.

    `region` [places] numbers the regions; `pair` [days, regions, regions] the row of `rate`, -1 where nothing
    delays; `rate` [rows, minutes] the running sum of units of way. `pace`: most units in any minute.
    """

    def __init__(self, problem: Problem, travel: Travel) -> None:
        self.minutes, self.cost = travel.tables
        self.pace = PLAIN
        self.timed = problem.traffic is not None
        names = sorted({travel.region(place.id) for place in problem.places}) if self.timed else ["*"]
        number = {name: i for i, name in enumerate(names)}
        self.region = np.array(
            [number[travel.region(place.id)] if self.timed else 0 for place in problem.places], np.int64
        )
        self.pair = np.full((len(problem.days), len(names), len(names)), -1, np.int64)
        lines: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
        rows: list[NDArray[np.int64]] = []
        if self.timed:
            for day in range(len(problem.days)):
                for one, i in number.items():
                    for other, j in number.items():
                        flow = travel.flow(one, other, day)
                        if not flow.bounds:
                            continue
                        key = tuple(flow.bounds), tuple(flow.units)
                        if key not in lines:
                            lines[key] = len(rows)
                            rows.append(_running(flow.bounds, flow.units))
                            self.pace = max(self.pace, *flow.units)
                        self.pair[day, i, j] = lines[key]
        self.rate = np.array(rows) if rows else np.zeros((0, 1), np.int64)

    def least(self, minutes: Ints) -> Ints:
        """Return the clock minutes that legs of so many table minutes take at the best of times."""
        if self.pace == PLAIN:
            return minutes
        fastest: Ints = (-(-PLAIN * minutes.astype(np.int64) // self.pace)).astype(np.int32)
        return fastest

    def arrive(self, origin: int, target: int, depart: int, day: int) -> int:
        """Return the minute of arrival at place `target` when leaving place `origin` at minute `depart`."""
        return int(self.arrivals(origin, np.array([target]), depart, day)[0])

    def arrivals(self, origin: int, targets: NDArray[np.integer], depart: int, day: int) -> Ints:
        """Return the minutes of arrival at several places."""
        minutes = self.minutes[origin, targets]
        due: Ints = (depart + minutes).astype(np.int32)
        if self.timed:
            lines = self.pair[day, self.region[origin], self.region[targets]]
            for row in np.unique(lines[lines >= 0]).tolist():
                line = self.rate[row]
                here = lines == row
                need = _way(line, depart) + PLAIN * minutes[here].astype(np.int64)
                at = np.searchsorted(line, need, side="left")
                last, per = len(line) - 1, int(line[-1] - line[-2])
                beyond = last - (line[-1] - need) // per
                due[here] = np.where(minutes[here] == 0, depart, np.where(need > line[-1], beyond, at))
        return due

    def departures(self, origins: NDArray[np.integer], target: int, arrive_by: int, day: int) -> Ints:
        """Return the latest minutes to leave several places so as to be at `target` by `arrive_by`."""
        minutes = self.minutes[origins, target]
        due: Ints = (arrive_by - minutes).astype(np.int32)
        if self.timed:
            lines = self.pair[day, self.region[origins], self.region[target]]
            for row in np.unique(lines[lines >= 0]).tolist():
                line = self.rate[row]
                here = lines == row
                most = _way(line, arrive_by) - PLAIN * minutes[here].astype(np.int64)
                at = np.searchsorted(line, most, side="right") - 1
                due[here] = np.where(minutes[here] == 0, arrive_by, at)
        return due


def _running(bounds: list[int], units: list[int]) -> NDArray[np.int64]:
    per = np.array(units, np.int64)[np.searchsorted(bounds, np.arange(_HORIZON), side="right")]
    return np.concatenate([[0], np.cumsum(per)])


def _way(line: NDArray[np.int64], minute: int) -> int:
    """Return the units of way until `minute`; the table's last minute goes on beyond it."""
    last = len(line) - 1
    if minute <= last:
        return int(line[max(0, minute)])
    return int(line[-1] + (minute - last) * (line[-1] - line[-2]))
