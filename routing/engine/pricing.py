"""The best routes for given prices: exact enumeration with pruning, vectorised.

A route's reduced cost is the sum of its stops' prizes (value less the price of the visit) less its travel,
less `rent`, the price of the gap it fills. Partial routes grow stop by stop; one is dropped as soon as even
the best completion, with time counted roughly (`_Board._hope`), cannot lift it above the floor. With `cap`
None the result is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from routing.engine.fleet import FAR, NEVER, Column, Fleet, Floats, Gap, Ints

_CHUNK = 1_000_000  # cells of (partial routes x sites) looked at in one go


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
class _Labels:
    """Partial routes: last site, minute it ends, prizes less costs so far, minutes driven, path of (site,
    stay).
    """

    node: NDArray[np.intp]
    end: Ints
    profit: Floats
    drive: Ints
    path: Ints  # [labels, 2 * stops]: node and stay by turns


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
    halt: Callable[[], bool] | None = None,
) -> Priced:
    """Return the best columns of gap `number` whose reduced cost exceeds `floor`.

    Raises TimeoutError as soon as `halt` says so.

    `prices` [sites]: what a visit on the gap's day costs; `toll`: price of a minute driven; `cap`: look at
    that many promising sites only.
    """
    gap = fleet.gaps[number]
    base = float(-gap.fixed + gap.direct_cost - rent + toll * gap.direct_minutes)
    prize = gap.menu.value[gap.nodes] - prices[gap.nodes, None]
    prize[gap.first[:, None] + gap.menu.stay[gap.nodes].astype(np.int64) > gap.last[:, None]] = NEVER
    top = prize.max(axis=1)
    cost_in, cost_out = gap.cost_in, gap.cost_out
    if toll:
        cost_in, cost_out = cost_in + toll * gap.way_in, cost_out + toll * gap.way_out
    act = _promising(fleet, gap, top, cost_in, cost_out, base, floor, cap, toll)
    if not len(act):
        return Priced([], floor)
    board = _Board(fleet, gap, act, prize[act], cost_in[act], cost_out[act], toll)
    board.halt = halt
    found = board.search(base, floor, want)
    if not found:
        return Priced([], floor)
    columns = []
    for worth, path in found:
        visits = tuple((int(gap.nodes[act[path[k]]]), int(path[k + 1])) for k in range(0, len(path), 2))
        column = fleet.column(number, visits)
        if column is not None:
            columns.append((worth, column))
    return Priced(columns, max(floor, found[0][0]), not board.cut)


def _promising(
    fleet: Fleet,
    gap: Gap,
    top: Floats,
    cost_in: Floats,
    cost_out: Floats,
    base: float,
    floor: float,
    cap: int | None,
    toll: float,
) -> NDArray[np.intp]:
    """Return the positions in `gap.nodes` that can be part of a route above the floor.

    A tour of m stops costs at least the mean of its stops' return trips when detours are never shorter; one
    unit a leg is allowed for rounding. Where that cannot be relied on every site with a prize stays.
    """
    most = max(1, gap.stops)
    if not fleet.travel.metric:
        keep = np.flatnonzero(top > NEVER / 2)
        if cap is not None and len(keep) > cap:
            keep = np.sort(keep[np.argsort(-top[keep], kind="stable")[:cap]])
        return keep
    direct = gap.direct_cost + toll * gap.direct_minutes
    worth = top - np.maximum(0.0, cost_in + cost_out - direct) / most
    base -= direct
    slack = (most + 1.0) * (1.0 + toll)
    keep = np.flatnonzero(top > NEVER / 2)
    for _ in range(3):
        if not len(keep):
            return keep
        others = np.sort(np.maximum(0.0, worth[keep]))[::-1][: most - 1].sum()
        better = keep[worth[keep] + others + base + slack > floor]
        if len(better) == len(keep):
            break
        keep = better
    if cap is not None and len(keep) > cap:
        keep = np.sort(keep[np.argsort(-worth[keep], kind="stable")[:cap]])
    return keep


class _Board:
    """One gap's search over the sites still in play, all arrays indexed by position in `act`."""

    def __init__(
        self,
        fleet: Fleet,
        gap: Gap,
        act: NDArray[np.intp],
        prize: Floats,
        cost_in: Floats,
        cost_out: Floats,
        toll: float,
    ) -> None:
        self.gap = gap
        nodes = gap.nodes[act]
        places = fleet.place[nodes]
        self.minutes = fleet.minutes[np.ix_(places, places)]
        self.costs = fleet.cost[np.ix_(places, places)].astype(float)
        if toll:
            self.costs += toll * self.minutes
        self.stay = gap.menu.stay[nodes]
        self.opens, self.closes = gap.menu.opens[nodes], gap.menu.closes[nodes]
        self.first, self.last = gap.first[act], gap.last[act]
        self.way_in, self.way_out = gap.way_in[act], gap.way_out[act]
        self.cost_in, self.cost_out = cost_in, cost_out
        self.prize = prize
        leave = self.first + self.stay[:, 0]
        legs = self.minutes.copy()
        np.fill_diagonal(legs, FAR)
        late = leave[:, None] + legs + gap.setup + self.stay[None, :, 0] > self.last[None, :]
        self.away = np.where(late, -NEVER, self.costs)
        self.nearest = legs.min(axis=1)
        self.horizon = int(self.last.max())
        self.stays = np.unique(self.stay[self.stay < FAR])
        # tops[b][k]: the best prize at k with a stay among the b shortest
        self.tops = [np.full(len(act), NEVER)]
        for stay in self.stays.tolist():
            here = np.where(self.stay == stay, prize, NEVER).max(axis=1)
            self.tops.append(np.maximum(self.tops[-1], here))
        self.cut = False
        self.halt: Callable[[], bool] | None = None
        self._hopes: dict[tuple[int, int], Floats] = {}
        self.earliest = self._bucket(np.arange(len(act)), leave)

    def _bucket(self, node: NDArray[np.intp], end: Ints) -> NDArray[np.intp]:
        """Return how many of the different stays could still follow when `node` is left at `end`."""
        room = self.horizon - end.astype(np.int64) - self.gap.setup - self.nearest[node]
        found: NDArray[np.intp] = np.searchsorted(self.stays, room, side="right")
        return found

    def _hope(self, more: int, bucket: int) -> Floats:
        """Return, per site left with `bucket` stays open, the most that up to `more` stops and the way back
        add.
        """
        if more == 0 or bucket == 0:
            return -self.cost_out
        found = self._hopes.get((more, bucket))
        if found is None:
            onward = self.tops[bucket] + self._after(more - 1)
            best = (onward[None, :] - self.away).max(axis=1)
            found = self._hopes[more, bucket] = np.maximum(-self.cost_out, best)
        return found

    def _after(self, more: int) -> Floats:
        """Return, per site, the most that up to `more` stops after it can add, left as early as can be."""
        result = -self.cost_out
        if more > 0:
            result = result.copy()
            for bucket in np.unique(self.earliest).tolist():
                here = self.earliest == bucket
                result[here] = self._hope(more, bucket)[here]
        return result

    def _hopes_of(self, more: int, node: NDArray[np.intp], end: Ints) -> Floats:
        bucket = self._bucket(node, end)
        result = np.empty(len(node))
        for b in np.unique(bucket).tolist():
            here = bucket == b
            result[here] = self._hope(more, b)[node[here]]
        return result

    def search(self, base: float, floor: float, want: int) -> list[tuple[float, tuple[int, ...]]]:
        """Return the best (reduced cost, path) above the floor, best first, `want` at most."""
        best: list[tuple[float, tuple[int, ...]]] = []
        labels = self._start(base, floor)
        for depth in range(1, self.gap.stops + 1):
            if not len(labels.node):
                break
            best = self._harvest(labels, floor, want, best)
            if depth == self.gap.stops:
                break
            if len(best) >= want:
                floor = max(floor, best[want - 1][0])
            labels = self._extend(labels, self.gap.stops - depth, floor)
        return best

    def _start(self, base: float, floor: float) -> _Labels:
        node, option = np.nonzero(self.prize > NEVER / 2)
        stay = self.stay[node, option]
        start = np.maximum(self.gap.ready + self.way_in[node] + self.gap.setup, self.opens[node])
        end = (start + stay).astype(np.int32)
        profit = base + self.prize[node, option] - self.cost_in[node]
        fine = (end <= self.closes[node]) & (profit + self._hopes_of(self.gap.stops - 1, node, end) > floor)
        node, stay = node[fine], stay[fine]
        path = np.stack([node.astype(np.int32), stay], axis=1)
        return _Labels(node, end[fine], profit[fine], self.way_in[node], path)

    def _harvest(
        self, labels: _Labels, floor: float, want: int, best: list[tuple[float, tuple[int, ...]]]
    ) -> list[tuple[float, tuple[int, ...]]]:
        """Add the finished routes among `labels` to the best ones."""
        gap = self.gap
        worth = labels.profit - self.cost_out[labels.node]
        home = labels.end + self.way_out[labels.node] <= gap.deadline
        home &= labels.drive + self.way_out[labels.node] <= gap.drive
        good = np.flatnonzero(home & (worth > floor))
        if len(good) > 4 * want:
            self.cut = True
            good = good[np.argpartition(-worth[good], 4 * want)[: 4 * want]]
        merged = best + [(float(worth[i]), tuple(labels.path[i].tolist())) for i in good.tolist()]
        merged.sort(key=lambda item: (-item[0], item[1]))
        kept: list[tuple[float, tuple[int, ...]]] = []
        seen: set[frozenset[int]] = set()
        for item in merged:  # one route for each set of sites
            sites = frozenset(item[1][::2])
            if sites not in seen:
                seen.add(sites)
                kept.append(item)
                if len(kept) == want:
                    self.cut = True
                    break
        return kept

    def _extend(self, labels: _Labels, more: int, floor: float) -> _Labels:
        """Return all partial routes one stop longer that can still rise above the floor with `more` stops at
        most.
        """
        after = self._after(more - 1)
        parts: list[_Labels] = []
        alive = np.flatnonzero(labels.profit + self._hopes_of(more, labels.node, labels.end) > floor)
        bucket = self._bucket(labels.node[alive], labels.end[alive])
        rows = max(1, _CHUNK // max(1, len(after)))
        for b in np.unique(bucket).tolist():
            if b > 0:
                some = alive[bucket == b]
                onward = self.tops[b] + after
                for begin in range(0, len(some), rows):
                    if self.halt is not None and self.halt():
                        raise TimeoutError
                    self._grow(labels, some[begin : begin + rows], onward, after, floor, parts)
        if not parts:
            return _Labels(
                np.zeros(0, np.intp),
                np.zeros(0, np.int32),
                np.zeros(0),
                np.zeros(0, np.int32),
                np.zeros((0, labels.path.shape[1] + 2), np.int32),
            )
        return _Labels(
            np.concatenate([p.node for p in parts]),
            np.concatenate([p.end for p in parts]),
            np.concatenate([p.profit for p in parts]),
            np.concatenate([p.drive for p in parts]),
            np.concatenate([p.path for p in parts]),
        )

    def _grow(
        self,
        labels: _Labels,
        some: NDArray[np.intp],
        onward: Floats,
        after: Floats,
        floor: float,
        parts: list[_Labels],
    ) -> None:
        """Append what the labels `some` become by one more stop."""
        gap = self.gap
        hope = onward[None, :] - self.away[labels.node[some]]
        row, node = np.nonzero(hope > (floor - labels.profit[some])[:, None])
        origin = some[row]
        for k in range(0, labels.path.shape[1], 2):
            fresh = labels.path[origin, k] != node
            origin, node = origin[fresh], node[fresh]
        legs = self.minutes[labels.node[origin], node]
        start = np.maximum(labels.end[origin] + legs + gap.setup, self.opens[node])
        drive = labels.drive[origin] + legs
        fine = (start + self.stay[node, 0] <= self.last[node]) & (drive <= gap.drive)
        origin, node, start, drive = origin[fine], node[fine], start[fine], drive[fine]
        profit = labels.profit[origin] - self.costs[labels.node[origin], node]
        for option in range(self.stay.shape[1]):
            stay = self.stay[node, option]
            worth = profit + self.prize[node, option]
            fine = (start + stay.astype(np.int64) <= self.last[node]) & (worth + after[node] > floor)
            pick = np.flatnonzero(fine)
            if len(pick):
                step = np.stack([node[pick].astype(np.int32), stay[pick]], axis=1)
                path = np.concatenate([labels.path[origin[pick]], step], axis=1)
                end = (start[pick] + stay[pick]).astype(np.int32)
                parts.append(_Labels(node[pick], end, worth[pick], drive[pick], path))
