"""What a plan made anew would gain, by the prices of the last bound: the best days found once visits are paid for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from routing.explain.board import Board
from routing.problem import Center
from routing.solution import Prices
from routing.whatif.routes import Market


class Tariff:
    """The prices of visits as a market."""

    def __init__(self, board: Board, prices: Prices, closed_days: Collection[int]) -> None:
        self.board, self.closed_days = board, closed_days
        number = self.number = {site.id: i for i, site in enumerate(board.problem.sites)}
        self.table = np.zeros((len(board.problem.days), len(board.problem.sites)))
        for (name, day), price in prices.visits.items():
            if name in number and 0 <= day < len(self.table):
                self.table[day, number[name]] = price
        self.market = Market(board, self.table)
        self._known: dict[tuple[object, ...], float] = {}

    def best(self, center: Center, day: int) -> float:
        """Return what the center's best day is worth once its visits are paid for."""
        like = (
            center.depot,
            center.kind,
            center.shift,
            center.setup,
            center.max_drive,
            center.fixed_cost,
            self.market.allowed(center.id).tobytes(),
            day,
        )
        if like not in self._known:
            self._known[like] = self.market.best(replace(center, starts={}), day).worth
        return self._known[like]

    def longer(self, centers: Sequence[Center], minutes: int) -> float:
        """Return what so many minutes more are worth to the centers together.

        The days that gain most choose first; a place that one of them has chosen is not there for the others, else
        every center of a region would count the same village.
        """
        days = [(c, day) for c in centers for day in c.days if day not in self.closed_days]
        hopes = sorted(
            ((self.best(_later(c, minutes), day) - self.best(c, day), c.id, day, c) for c, day in days),
            key=lambda hope: (-hope[0], hope[1], hope[2]),
        )
        once: dict[int, int] = {}
        by_day: dict[int, dict[int, int]] = {}
        gain = 0.0
        for hope, _, day, center in hopes:
            if hope <= 0:
                break
            taken = {**once, **by_day.get(day, {})}
            found = self.market.best(replace(_later(center, minutes), starts={}), day, taken=taken)
            more = found.worth - self.best(center, day)
            if more <= 0:
                continue
            gain += more
            for name, _stay in found.visits:
                i = self.number[name]
                single = self.board.problem.sites[i].max_visits == 1
                (once if single else by_day.setdefault(day, {}))[i] = 1
        return gain

    def crew(self, center: Center, like: str, board: Board) -> float:
        """Return what the best days of a second crew of `like` are worth, with the opening hours of `board`."""
        market = Market(board, self.table)
        days = [day for day in center.days if day not in self.closed_days]
        return sum(market.best(center, day, like=like).worth for day in days)


def _later(center: Center, minutes: int) -> Center:
    """Return the center with a shift that ends later."""
    return replace(center, shift=(center.shift[0], center.shift[1] + minutes))
