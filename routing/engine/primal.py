"""Whole plans from columns: a ledger of what is still allowed, and greedy filling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from routing.engine.clock import Clock
from routing.engine.fleet import Column, Fleet, Floats
from routing.engine.pricing import price

CLOSED = 1e12  # the price of a visit that is not allowed


class Ledger:
    """Columns that fit together, and what they leave: members of gaps, visits, groups' needs, driving."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.columns: list[Column] = []
        self.spare = [len(gap.members) for gap in fleet.gaps]
        self.visits = fleet.visits_left.copy()
        self.need = list(fleet.group_left)
        self.drive = [float(spare) for spare in fleet.rules]
        self.price = np.zeros((fleet.days, len(fleet.problem.sites)))
        self._groups_of: dict[int, list[int]] = {}
        for g, group in enumerate(fleet.problem.groups):
            for name in group.sites:
                self._groups_of.setdefault(fleet.site_index[name], []).append(g)
        self._bonus = self._bonuses()

    def _bonuses(self) -> Floats:
        bonus = np.zeros(len(self.fleet.problem.sites))
        for site, groups in self._groups_of.items():
            bonus[site] = sum(self.fleet.problem.groups[g].penalty for g in groups if self.need[g] > 0)
        return bonus

    def prices(self, gap: int) -> Floats:
        """Return what a visit costs on the gap's day: CLOSED where not allowed, less the groups' relief."""
        prices: Floats = self.price[self.fleet.gaps[gap].day] - self._bonus
        return prices

    def fits(self, column: Column) -> bool:
        """Say whether `column` can be added."""
        gap = self.fleet.gaps[column.gap]
        if self.spare[column.gap] <= 0:
            return False
        if gap.rule >= 0 and column.drive > self.drive[gap.rule]:
            return False
        return all(self.visits[site] > 0 and self.price[gap.day, site] < CLOSED for site, _ in column.visits)

    def gain(self, column: Column) -> int:
        """Return what adding `column` would add to the objective."""
        total = column.profit
        short: dict[int, int] = {}
        for site, _ in column.visits:
            for g in self._groups_of.get(site, ()):
                if self.need[g] - short.get(g, 0) > 0:
                    total += self.fleet.problem.groups[g].penalty
                short[g] = short.get(g, 0) + 1
        return total

    def add(self, column: Column) -> None:
        """Add a column that fits."""
        gap = self.fleet.gaps[column.gap]
        self.columns.append(column)
        self.spare[column.gap] -= 1
        if gap.rule >= 0:
            self.drive[gap.rule] -= column.drive
        for site, _ in column.visits:
            self.visits[site] -= 1
            apart = self.fleet.problem.sites[site].min_gap_days
            if self.visits[site] <= 0:
                self.price[:, site] = CLOSED
            else:
                self.price[max(0, gap.day - apart + 1) : gap.day + apart, site] = CLOSED
            for g in self._groups_of.get(site, ()):
                self.need[g] -= 1
                if self.need[g] == 0:
                    for name in self.fleet.problem.groups[g].sites:
                        self._bonus[self.fleet.site_index[name]] -= self.fleet.problem.groups[g].penalty

    def objective(self) -> int:
        """Return the objective of the plan that the columns make, pinned visits included."""
        groups = self.fleet.problem.groups
        short = sum(max(0, need) * group.penalty for need, group in zip(self.need, groups, strict=True))
        return self.fleet.constant + sum(column.profit for column in self.columns) - short


def pack(fleet: Fleet, columns: Iterable[Column]) -> Ledger:
    """Add the columns in order, skipping those that do not fit or do not pay."""
    ledger = Ledger(fleet)
    for column in columns:
        if ledger.fits(column) and ledger.gain(column) > 0:
            ledger.add(column)
    return ledger


def fill(ledger: Ledger, clock: Clock, *, cap: int = 60, order: Sequence[int] | None = None) -> None:
    """Fill the members of gaps that are still free, each with the best route that what is left allows."""
    fleet = ledger.fleet
    for g in order if order is not None else range(len(fleet.gaps)):
        while ledger.spare[g] > 0 and not clock.over():
            found = price(fleet, g, ledger.prices(g), 0.0, want=3 * ledger.spare[g], cap=cap).columns
            before = len(ledger.columns)
            for _, column in found:
                if ledger.fits(column) and ledger.gain(column) > 0:
                    ledger.add(column)
            if len(ledger.columns) == before:
                break
