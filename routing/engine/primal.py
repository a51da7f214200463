"""Whole plans from columns: a ledger of what is still allowed, and greedy filling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from routing.engine.clock import Clock
from routing.engine.cuts import NO_CUTS
from routing.engine.fleet import Chain, Column, Fleet, Floats
from routing.engine.pricing import price
from routing.engine.tours import SHUT, columns_of, price_chain

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
        first = self.fleet.gaps[column.gap]
        if first.rule >= 0 and column.drive > self.drive[first.rule]:
            return False
        twice: dict[int, list[int]] = {}
        for number, visits in column.parts:
            day = self.fleet.gaps[number].day
            if self.spare[number] <= 0:
                return False
            for site, _ in visits:
                days = twice.setdefault(site, [])
                apart = self.fleet.problem.sites[site].min_gap_days
                if self.visits[site] <= len(days) or self.price[day, site] >= CLOSED:
                    return False
                if any(day - other < apart for other in days):
                    return False
                days.append(day)
        return True

    def gain(self, column: Column) -> int:
        """Return what adding `column` would add to the objective."""
        total = column.profit
        short: dict[int, int] = {}
        for _, visits in column.parts:
            for site, _ in visits:
                for g in self._groups_of.get(site, ()):
                    if self.need[g] - short.get(g, 0) > 0:
                        total += self.fleet.problem.groups[g].penalty
                    short[g] = short.get(g, 0) + 1
        return total

    def add(self, column: Column) -> None:
        """Add a column that fits."""
        first = self.fleet.gaps[column.gap]
        self.columns.append(column)
        if first.rule >= 0:
            self.drive[first.rule] -= column.drive
        for number, visits in column.parts:
            self.spare[number] -= 1
            for site, _ in visits:
                self._visit(site, self.fleet.gaps[number].day)

    def _visit(self, site: int, day: int) -> None:
        self.visits[site] -= 1
        apart = self.fleet.problem.sites[site].min_gap_days
        if self.visits[site] <= 0:
            self.price[:, site] = CLOSED
        else:
            self.price[max(0, day - apart + 1) : day + apart, site] = CLOSED
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
    seen: set[Chain] = set()
    for g in order if order is not None else range(len(fleet.gaps)):
        chain = fleet.chain_of.get(g)
        if chain in seen:
            continue
        if chain is not None:
            seen.add(chain)
        while not clock.over():
            if chain is None and ledger.spare[g] > 0:
                found = price(fleet, g, ledger.prices(g), 0.0, want=3 * ledger.spare[g], cap=cap).columns
            elif chain is not None:
                found = _tours(ledger, chain, cap)
            else:
                break
            before = len(ledger.columns)
            for _, column in found:
                if ledger.fits(column) and ledger.gain(column) > 0:
                    ledger.add(column)
            if len(ledger.columns) == before:
                break


def _tours(ledger: Ledger, chain: Chain, cap: int) -> list[tuple[float, Column]]:
    """Return tours and day trips of `chain` that what is left allows, the best first."""
    fleet = ledger.fleet
    open_days = [ledger.spare[g] for g in chain.gaps]
    if not any(open_days):
        return []
    fines = [NO_CUTS.on(len(fleet.problem.sites))] * fleet.days
    rents = [0.0 if spare > 0 else SHUT for spare in open_days]
    prices = [ledger.prices(g) for g in chain.gaps]
    return columns_of(price_chain(fleet, chain, prices, rents, want=3 * max(open_days), cap=cap, fines=fines))
