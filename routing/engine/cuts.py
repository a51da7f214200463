"""Subset-row cuts: of three visits that exclude each other's repetition, one route may take two only once.

Each of three rows "at most one visit" (of a site, or of a site within its minimum gap of days) is halved, added
and rounded down: the columns that touch two or three of the rows sum to at most one. Jepsen, Petersen,
Spoorendonk and Pisinger (2008), "Subset-row inequalities applied to the vehicle routing problem with time
windows", Operations Research 56(2). They close most of the gap between the linear bound and the best plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.engine.fleet import Column, Fleet, Floats

Cut = tuple[int, int, int]
"""Three row numbers (engine.master.Rows), ascending."""

LEAST = 0.02  # a cut violated by less is not worth its place


@dataclass(frozen=True, slots=True)
class Fines:
    """Prices of cuts by site, for one day: `cuts[begin[site]:begin[site + 1]]` are those a visit counts in."""

    begin: NDArray[np.int64]
    cuts: NDArray[np.int64]
    fine: Floats

    def on(self, sites: int) -> Fines:
        """Return the same without any cut, for that many sites."""
        return Fines(np.zeros(sites + 1, np.int64), self.cuts, self.fine)


NO_CUTS = Fines(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


class Halves:
    """The rows that cuts may be made of, by visit; and the weight of columns in cuts."""

    def __init__(
        self,
        fleet: Fleet,
        site_row: Mapping[int, int],
        window_rows: Mapping[tuple[int, int], Sequence[int]],
    ) -> None:
        self.fleet = fleet
        self._single = {site: row for site, row in site_row.items() if fleet.visits_left[site] == 1}
        self._window = window_rows
        self.owner = {row: site for site, row in self._single.items()}
        for (site, _), rows in window_rows.items():
            self.owner.update(dict.fromkeys(rows, site))

    def of(self, site: int, day: int) -> Sequence[int]:
        """Return the rows "at most one" that a visit to `site` on `day` counts in."""
        row = self._single.get(site)
        return (row,) if row is not None else self._window.get((site, day), ())

    def touched(self, column: Column) -> list[int]:
        """Return the rows "at most one" that a column counts in."""
        return [
            row
            for gap, visits in column.parts
            for site, _ in visits
            for row in self.of(site, self.fleet.gaps[gap].day)
        ]

    def fines(self, cuts: Sequence[Cut], fine: Floats) -> list[Fines]:
        """Return the prices of the cuts whose price is not zero, for each day."""
        live = [c for c in range(len(cuts)) if fine[c] > 1e-9]
        by_row: dict[int, list[int]] = defaultdict(list)
        for number, c in enumerate(live):
            for row in cuts[c]:
                by_row[row].append(number)
        prices = np.array([fine[c] for c in live])
        made = []
        sites = len(self.fleet.problem.sites)
        for day in range(self.fleet.days):
            begin = np.zeros(sites + 1, np.int64)
            listed: list[int] = []
            if live:
                for site in range(sites):
                    for row in self.of(site, day):
                        listed.extend(by_row.get(row, ()))
                    begin[site + 1] = len(listed)
            made.append(Fines(begin, np.array(listed, dtype=np.int64), prices))
        return made


def separate(
    halves: Halves, columns: Iterable[tuple[Column, float]], known: set[Cut], most: int
) -> list[Cut]:
    """Return up to `most` violated cuts of a fractional solution, the most violated first, none of `known`.

    Every triple with two pairs that share a column is looked at; each row is used in a few cuts only, so that
    one round strengthens many places.
    """
    owner = halves.owner
    pair: dict[tuple[int, int], float] = defaultdict(float)
    triple: dict[Cut, float] = defaultdict(float)
    near: dict[int, set[int]] = defaultdict(set)
    for column, value in columns:
        rows = sorted(set(halves.touched(column)))
        for i, a in enumerate(rows):
            for j in range(i + 1, len(rows)):
                b = rows[j]
                if owner[a] == owner[b]:
                    continue
                pair[a, b] += value
                near[a].add(b)
                near[b].add(a)
                for k in range(j + 1, len(rows)):
                    if owner[rows[k]] not in (owner[a], owner[b]):
                        triple[a, b, rows[k]] += value
    found: dict[Cut, float] = {}
    for middle, around in near.items():
        sides = sorted(around)
        for i, a in enumerate(sides):
            first = pair[(a, middle) if a < middle else (middle, a)]
            for b in sides[i + 1 :]:
                if owner[a] == owner[b]:
                    continue
                cut: Cut = tuple(sorted((a, middle, b)))  # type: ignore[assignment]
                if cut in found or cut in known:
                    continue
                second = pair[(b, middle) if b < middle else (middle, b)]
                over = first + second + pair.get((a, b), 0.0) - 2 * triple.get(cut, 0.0) - 1.0
                if over > LEAST:
                    found[cut] = over
    used: dict[int, int] = defaultdict(int)
    chosen = []
    for cut, _ in sorted(found.items(), key=lambda item: (-item[1], item[0])):
        if all(used[row] < 5 for row in cut):
            chosen.append(cut)
            for row in cut:
                used[row] += 1
            if len(chosen) == most:
                break
    return chosen
