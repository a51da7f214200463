"""The best routes for given prices: exact search with pruning, compiled (kernel.py).

A route's reduced cost is the sum of its stops' prizes (value less the price of the visit) less its travel,
less `rent`, the price of the gap it fills, less the fines of the cuts it falls under. Partial routes grow stop
by stop; one is dropped as soon as even the best completion, with time counted on a grid, cannot lift it above
the floor. With `cap` None the result is exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from routing.engine.cuts import NO_CUTS, Fines
from routing.engine.fleet import FAR, NEVER, Column, Fleet, Floats, Gap, Ints
from routing.engine.kernel import completions, search

BUDGET = 40_000_000  # steps of one search; more of them would take seconds
_GRID = 24  # the least number of steps that a gap's time is cut into


@dataclass(slots=True)
class Priced:
    """The best columns found, the best for each set of sites.

    `best` is an upper bound on every reduced cost in the gap, `whole` says that no set of sites above the
    floor was left out; both hold for a search without cap only.
    """

    columns: list[tuple[float, Column]]
    best: float
    whole: bool = True


@dataclass(slots=True)
class Board:
    """One gap's sites in play at given prices, and what routes can still earn from each on."""

    gap: Gap
    act: NDArray[np.intp]  # positions in gap.nodes
    prize: Floats  # [act, options]
    toll: float
    night: Floats  # [act] what sleeping there is worth, NEVER where not possible
    begin: int
    width: int
    leave: Floats = field(default_factory=lambda: np.zeros((0, 0, 0)))
    come: Floats = field(default_factory=lambda: np.zeros((0, 0, 0)))

    def prepare(self, fleet: Fleet, stops: int) -> None:
        """Compute the bounds on completions for routes of up to `stops` stops."""
        gap, act = self.gap, self.act
        nodes = gap.nodes[act]
        buckets = (gap.deadline - self.begin) // self.width + 1
        self.leave, self.come = completions(
            fleet.minutes,
            fleet.cost,
            self.toll,
            fleet.place[nodes],
            gap.setup,
            gap.menu.opens[nodes],
            gap.menu.closes[nodes],
            gap.home[act],
            gap.cost_out[act] + self.toll * gap.way_out[act],
            gap.deadline,
            self.night,
            gap.menu.stay[nodes],
            self.prize,
            stops,
            self.begin,
            self.width,
            max(1, buckets),
            fleet.roads.pace,
        )

    def search(
        self,
        fleet: Fleet,
        start: Start,
        base: float,
        floor: float,
        want: int,
        fines: Fines,
        budget: int = BUDGET,
    ) -> tuple[Floats, Ints, float, bool]:
        """Return (worth, path, most, whole) of the routes from `start`: see `kernel.search`."""
        gap, act = self.gap, self.act
        nodes = gap.nodes[act]
        worth, path, most, whole = search(
            fleet.minutes,
            fleet.cost,
            self.toll,
            fleet.place[nodes],
            gap.setup,
            gap.menu.opens[nodes],
            gap.menu.closes[nodes],
            gap.home[act],
            gap.cost_out[act] + self.toll * gap.way_out[act],
            gap.way_out[act],
            gap.deadline,
            self.night,
            gap.menu.stay[nodes],
            self.prize,
            self.leave,
            self.come,
            self.begin,
            self.width,
            start.ready,
            start.way_in[act],
            start.drive_in[act],
            start.cost_in[act] + self.toll * start.drive_in[act],
            gap.drive,
            base,
            floor,
            want,
            budget,
            nodes,
            fines.begin,
            fines.cuts,
            fines.fine,
            fleet.region_of[nodes],
            fleet.roads.pair[gap.day],
            fleet.roads.rate,
        )
        return worth, path, float(most), bool(whole)

    def visits(self, path: Ints) -> tuple[tuple[int, int], ...]:
        """Return the (site, stay) pairs that a found path stands for."""
        nodes, stay = self.gap.nodes, self.gap.menu.stay
        made = []
        for k in range(int(path[0])):
            site = int(nodes[self.act[path[2 + 2 * k]]])
            made.append((site, int(stay[site, path[3 + 2 * k]])))
        return tuple(made)


@dataclass(frozen=True, slots=True)
class Start:
    """Where and when a route begins: arrays over a gap's nodes of clock minutes, table minutes and cost."""

    ready: int
    way_in: Ints
    drive_in: Ints
    cost_in: Floats


def price(
    fleet: Fleet,
    number: int,
    prices: Floats,
    rent: float,
    *,
    floor: float = 1e-6,
    want: int = 10,
    cap: int | None = None,
    toll: float = 0.0,
    fines: Fines = NO_CUTS,
) -> Priced:
    """Return the best columns of gap `number` whose reduced cost exceeds `floor`.

    `prices` [sites]: what a visit on the gap's day costs; `toll`: price of a minute driven; `cap`: look at
    that many promising sites only; `fines`: the prices of cuts on the gap's day.
    """
    gap = fleet.gaps[number]
    base = float(-gap.fixed + gap.direct_cost - rent + toll * gap.direct_minutes)
    prize = prizes(gap, prices)
    act = promising(fleet, gap, prize.max(axis=1), base, floor, cap, toll)
    if not len(act):
        return Priced([], floor)
    board = make_board(gap, act, prize[act], toll)
    board.prepare(fleet, max(1, gap.stops))
    start = Start(gap.ready, gap.way_in, gap.drive_in, gap.cost_in)
    if not len(fines.begin):
        fines = fines.on(len(fleet.problem.sites))
    worths, paths, most, whole = board.search(fleet, start, base, floor, want, fines)
    columns = []
    for worth, path in zip(worths.tolist(), paths, strict=True):
        column = fleet.column(number, board.visits(path))
        if column is not None:
            columns.append((worth, column))
    return Priced(columns, most, whole)


def prizes(gap: Gap, prices: Floats) -> Floats:
    """Return the prizes [nodes, options] of a gap's sites at the given prices of visits [sites]."""
    prize: Floats = gap.menu.value[gap.nodes] - prices[gap.nodes, None]
    prize[gap.first[:, None] + gap.menu.stay[gap.nodes].astype(np.int64) > gap.last[:, None]] = NEVER
    return prize


def make_board(gap: Gap, act: NDArray[np.intp], prize: Floats, toll: float, grid: int = _GRID) -> Board:
    """Return a board without nights, its bounds still to be prepared on `grid` steps of time or more."""
    width = max(1, min(60, (gap.deadline - gap.ready) // grid))
    return Board(gap, act, prize, toll, np.full(len(act), NEVER), gap.ready, width)


def promising(
    fleet: Fleet, gap: Gap, top: Floats, base: float, floor: float, cap: int | None, toll: float
) -> NDArray[np.intp]:
    """Return the positions in `gap.nodes` that can be part of a route above the floor, the best first.

    A route costs at least the trip (`Gap.trip`) of each of its m stops, so at least the mean of them; one unit a
    leg is allowed for rounding. Where a trip may be cheaper than the direct way, the most that this can be is
    allowed for too.
    """
    most = max(1, gap.stops)
    keep = np.flatnonzero(top > NEVER / 2)
    direct = gap.direct_cost + toll * gap.direct_minutes
    more = gap.trip - direct
    if fleet.travel.metric:
        more = more + toll * (gap.drive_in + gap.way_out)
    worth = top - np.maximum(0.0, more) / most
    base -= direct + min(0.0, float(more.min(initial=0.0)))
    slack = (most + 1.0) * (1.0 + toll)
    for _ in range(3):
        if not len(keep):
            return keep
        others = np.sort(np.maximum(0.0, worth[keep]))[::-1][: most - 1].sum()
        better = keep[worth[keep] + others + base + slack > floor]
        if len(better) == len(keep):
            break
        keep = better
    order = np.argsort(-worth[keep], kind="stable")
    return keep[order if cap is None else order[:cap]]


__all__ = ["FAR", "Board", "Priced", "Start", "make_board", "price", "prizes", "promising"]
