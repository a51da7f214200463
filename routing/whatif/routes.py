"""The best day of one center against prices: a beam over routes that grow at their end, all places tried at once.

Not exact: what it returns is a route that can be driven, so its worth is a promise, not an upper bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.explain.board import Board
from routing.explain.slots import FAR, NEVER
from routing.problem import Center

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
WIDTH = 10
MOST_STOPS = 6


@dataclass(frozen=True, slots=True)
class Day:
    """A day's visits (site id, stay) in order and their worth: values less prices, travel and the fixed cost."""

    visits: tuple[tuple[str, int], ...]
    worth: float


@dataclass(frozen=True, slots=True)
class _Partial:
    place: int
    clock: int
    drive: int
    net: float  # without the way home
    total: float  # with it
    visits: tuple[tuple[int, int], ...]


class Market:
    """The places as arrays, and what a visit to each costs on each day: `prices` [days, sites], FAR: not for sale."""

    def __init__(self, board: Board, prices: Floats) -> None:
        self.board, self.prices = board, prices
        self.sites = board.problem.sites
        self.place: Ints = np.array(
            [board.problem.place_index[site.place] for site in self.sites], dtype=np.int64
        )
        self._menus: dict[tuple[str, int], tuple[Ints, Ints, Ints, Ints]] = {}

    def menu(self, kind: str, day: int) -> tuple[Ints, Ints, Ints, Ints]:
        """Return stays and values [sites, options], opening and closing minutes [sites] of a class and day."""
        found = self._menus.get((kind, day))
        if found is None:
            width = max((len(site.offers_for(kind)) for site in self.sites), default=0) or 1
            stays = np.full((len(self.sites), width), FAR, dtype=np.int64)
            values = np.full((len(self.sites), width), NEVER, dtype=np.int64)
            opens = np.full(len(self.sites), FAR, dtype=np.int64)
            closes = np.full(len(self.sites), -1, dtype=np.int64)
            for i, site in enumerate(self.sites):
                window = site.window(day)
                if window is not None:
                    opens[i], closes[i] = window
                    for k, offer in enumerate(site.offers_for(kind)):
                        stays[i, k], values[i, k] = offer.stay, site.worth(offer.value, day)
            found = self._menus[kind, day] = (stays, values, opens, closes)
        return found

    def allowed(self, center: str) -> NDArray[np.bool_]:
        """Return which places a center of the problem may serve."""
        number = self.board.center_index[center]
        return np.array([self.board.may[site.id][number] for site in self.sites], dtype=bool)

    def best(
        self, center: Center, day: int, *, taken: Mapping[int, int] | None = None, like: str | None = None
    ) -> Day:
        """Return the best day found for an idle `center`; `taken` are places (by index) that are not to be visited.
        `like` names the center of the problem that it is like, if it is none of them.
        """
        board, index = self.board, self.board.problem.place_index
        stays, values, opens, closes = self.menu(center.kind, day)
        place, minute = center.begins(day)
        origin, home = index[place], index[center.depot]
        net = values - self.prices[day][:, None]
        way = board.minutes[origin, self.place] + board.minutes[self.place, home]
        ready = np.maximum(minute + board.minutes[origin, self.place] + center.setup, opens)
        least = np.where(net > 0, stays, FAR).min(axis=1)
        late = center.shift[1] - board.minutes[self.place, home]
        fine = (ready + least <= np.minimum(closes, late)) & self.allowed(like or center.id)
        if center.max_drive is not None:
            fine &= way <= center.max_drive
        if taken:
            fine[list(taken)] = False
        some = np.flatnonzero(fine)
        if not len(some):
            return Day((), 0.0)
        grow = _Grower(self, center, some, stays[some], net[some], opens[some], closes[some], home)
        found = grow.run(_Partial(origin, minute, 0, 0.0, 0.0, ()))
        worth = found.total - center.fixed_cost
        if worth <= 0:
            return Day((), 0.0)
        return Day(tuple((self.sites[i].id, stay) for i, stay in found.visits), worth)


class _Grower:
    """Lets routes of one center's day grow."""

    def __init__(
        self,
        market: Market,
        center: Center,
        some: Ints,
        stays: Ints,
        net: Floats,
        opens: Ints,
        closes: Ints,
        home: int,
    ) -> None:
        self.some, self.stays, self.net, self.opens = some, stays, net, opens
        board = market.board
        self.minutes, self.cost = board.minutes, board.cost
        self.place = market.place[some]
        self.home_minutes, self.home_cost = board.minutes[self.place, home], board.cost[self.place, home]
        self.latest = np.minimum(closes, center.shift[1] - self.home_minutes)
        self.limit = FAR if center.max_drive is None else center.max_drive
        self.setup = center.setup

    def run(self, start: _Partial) -> _Partial:
        best, front = start, [start]
        for _ in range(MOST_STOPS):
            grown: list[_Partial] = []
            for partial in front:
                grown.extend(self._grow(partial))
            if not grown:
                break
            grown.sort(key=lambda p: (-p.total, p.clock))
            kept: dict[tuple[tuple[int, ...], int], _Partial] = {}
            for p in grown:  # the same places with the same last one: the better total is enough
                kept.setdefault((tuple(sorted(i for i, _ in p.visits)), p.place), p)
                if len(kept) >= WIDTH:
                    break
            front = list(kept.values())
            if front[0].total > best.total:
                best = front[0]
        return best

    def _grow(self, partial: _Partial) -> list[_Partial]:
        leg = self.minutes[partial.place, self.place]
        start = np.maximum(partial.clock + leg + self.setup, self.opens)
        drive = partial.drive + leg
        fine = drive + self.home_minutes <= self.limit
        for i, _ in partial.visits:
            fine &= self.some != i
        gain = np.where(
            (start[:, None] + self.stays <= self.latest[:, None]) & fine[:, None], self.net, NEVER
        )
        cost = self.cost[partial.place, self.place]
        net = partial.net + gain - cost[:, None]
        total = net - self.home_cost[:, None]
        flat = total.ravel()
        order = np.argpartition(-flat, min(2 * WIDTH, len(flat) - 1))[: 2 * WIDTH] if len(flat) > 1 else [0]
        width = self.stays.shape[1]
        made = []
        for at in order:
            i, k = divmod(int(at), width)
            if flat[at] <= NEVER // 2:
                continue
            stay = int(self.stays[i, k])
            made.append(
                _Partial(
                    int(self.place[i]), int(start[i]) + stay, int(drive[i]), float(net[i, k]), float(flat[at]),
                    (*partial.visits, (int(self.some[i]), stay)),
                )
            )  # fmt: skip
        return made
