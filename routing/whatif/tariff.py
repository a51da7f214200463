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
        number = {site.id: i for i, site in enumerate(board.problem.sites)}
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
            day,
        )
        if like not in self._known:
            self._known[like] = self.market.best(replace(center, starts={}), day).worth
        return self._known[like]

    def longer(self, centers: Sequence[Center], minutes: int) -> float:
        """Return what so many minutes more are worth to the centers."""
        gain = 0.0
        for center in centers:
            more = replace(center, shift=(center.shift[0], center.shift[1] + minutes))
            for day in center.days:
                if day not in self.closed_days:
                    gain += max(0.0, self.best(more, day) - self.best(center, day))
        return gain

    def crew(self, center: Center, board: Board) -> float:
        """Return what the best days of a second crew are worth, with the opening hours of `board`."""
        market = Market(board, self.table)
        days = [day for day in center.days if day not in self.closed_days]
        return sum(market.best(center, day).worth for day in days)
