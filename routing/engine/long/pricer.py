"""One gap's routes of the best reduced cost, and all routes within a gap of reduced cost, by labels."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from routing.engine.fleet import FAR, NEVER, Column, Fleet, Floats
from routing.engine.long import labels as kernels
from routing.engine.long.labels import DONE, MEMORY, ROUGH, Labels, Side
from routing.engine.long.model import Array
from routing.engine.master import Duals

_BUCKETS = 256
_ROOM = 250_000_000  # bytes of labels in one direction
_MOST = 1_500_000
_NEIGHBOURS = 8
_TABLE = (1 << 21) - 9  # a prime
ENDLESS = 2**60


class Priced:
    """What pricing one gap found: columns with their reduced costs, the best first; `best` bounds every
    route's reduced cost when `exact`.
    """

    def __init__(self, columns: list[tuple[float, Column]], best: float, exact: bool) -> None:
        self.columns, self.best, self.exact = columns, best, exact


class Room:
    """Memory for labels, one for all gaps of a fleet, as they are priced one after the other."""

    def __init__(self, fleet: Fleet) -> None:
        self._sites = max((len(gap.nodes) for gap in fleet.gaps), default=1)
        self._words = (self._sites + 63) // 64
        self._pair: tuple[Labels, Labels] | None = None

    def labels(self, cut_words: int) -> tuple[Labels, Labels]:
        """Return two sets of labels, forward and backward; what was in them is lost."""
        if self._pair is None or self._pair[0].draft_cut.shape[0] < cut_words:
            most = min(_MOST, _ROOM // (50 + 8 * (self._words + cut_words)))
            made = [kernels.blank(self._sites, _BUCKETS, self._words, cut_words, most) for _ in range(2)]
            self._pair = (made[0], made[1])
        return self._pair

    @cached_property
    def table(self) -> Array:
        """Heads of chains of labels with the same set of sites."""
        return np.empty(_TABLE, np.int32)


class Pricer:
    """Prices gap `number`, `legs` [place, place] taking as many clock minutes as they do at the best of times.

    `near` [site, site] says what is remembered where, over the gap's sites; it grows."""

    def __init__(self, fleet: Fleet, number: int, legs: Array, room: Room, halt: NDArray[np.bool_]) -> None:
        self.fleet, self.number, self.room, self.halt = fleet, number, room, halt
        gap = fleet.gaps[number]
        self.gap, n = gap, len(gap.nodes)
        places = fleet.place[gap.nodes]
        table = np.ix_(places, places)
        self.legs = legs[table].astype(np.int64) + gap.setup
        np.fill_diagonal(self.legs, FAR)
        self.minutes = fleet.minutes[table].astype(np.int64)
        self.costs = fleet.cost[table].astype(float)
        self.way_in = legs[gap.origin, places].astype(np.int64)
        self.way_out = legs[places, gap.target].astype(np.int64)
        self.drive_in = fleet.minutes[gap.origin, places].astype(np.int64)
        self.drive_out = fleet.minutes[places, gap.target].astype(np.int64)
        self.limited = gap.drive < (FAR if fleet.roads.timed else min(FAR, gap.deadline - gap.ready))
        self.useful = self._useful()
        near = np.eye(n, dtype=bool)
        both = self.legs + self.legs.T
        order = np.argsort(both, axis=1, kind="stable")[:, :_NEIGHBOURS]
        near[np.arange(n)[:, None], order] = True
        self.near = near
        self.middle = (gap.ready + gap.deadline) // 2

    def _useful(self) -> Floats:
        """Return, for each site, the prize below which no route wants it: what it may spare by a detour.

        Minus infinity where a detour over the site can save time or driving.
        """
        fleet, gap = self.fleet, self.gap
        n = len(gap.nodes)
        if fleet.travel.metric and not fleet.roads.timed:
            return np.full(n, -3.0)
        if n > 400 or fleet.roads.timed:
            return np.full(n, -np.inf)
        ends = [gap.origin, gap.target]
        places = np.concatenate([fleet.place[gap.nodes], np.array(ends, dtype=np.int32)])
        table = np.ix_(places, places)
        minutes, costs = fleet.minutes[table].astype(np.int64), fleet.cost[table].astype(float)
        found = np.zeros(n)
        for v in range(n):
            others = np.arange(len(places)) != v
            via = minutes[others, v][:, None] + minutes[v, others][None, :]
            direct = minutes[np.ix_(others, others)]
            dwell = int(gap.menu.stay[gap.nodes[v], 0]) + gap.setup
            apart = ~np.eye(len(direct), dtype=bool)
            if ((via + dwell < direct) & apart).any() or (self.limited and ((via < direct) & apart).any()):
                found[v] = -np.inf
                continue
            saving = costs[np.ix_(others, others)] - costs[others, v][:, None] - costs[v, others][None, :]
            found[v] = -max(0.0, float(saving[apart].max(initial=0.0)))
        return found

    # -- the two sides --

    def _sides(self, duals: Duals, near: NDArray[np.bool_]) -> tuple[NDArray[np.intp], Side, Side] | None:
        """Return the sites in play and the forward and backward sides at the given prices."""
        gap = self.gap
        toll = float(duals.toll[gap.rule]) if gap.rule >= 0 else 0.0
        rent = float(duals.rent[self.number])
        prize = gap.menu.value[gap.nodes] - duals.visit[gap.day][gap.nodes, None]
        stay = gap.menu.stay[gap.nodes].astype(np.int64)
        prize = np.where(gap.first[:, None] + stay > gap.last[:, None], NEVER, prize)
        top = prize.max(axis=1)
        slack = (
            self.useful if toll == 0.0 else np.where(self.useful == 0.0, -np.inf, self.useful * (1 + toll))
        )
        act = np.flatnonzero((top > NEVER / 2) & ((top > slack) | np.isneginf(slack)))
        if not len(act):
            return None
        base = -gap.fixed + gap.direct_cost - rent + toll * gap.direct_minutes
        costs = self.costs[np.ix_(act, act)] + toll * self.minutes[np.ix_(act, act)]
        cost_in = gap.cost_in[act] + toll * self.drive_in[act] - base
        cost_out = gap.cost_out[act] + toll * self.drive_out[act]
        legs = self.legs[np.ix_(act, act)]
        zero = not self.limited
        drives = np.zeros_like(legs) if zero else self.minutes[np.ix_(act, act)]
        most = ENDLESS if zero else gap.drive
        drive_in = np.zeros(len(act), np.int64) if zero else self.drive_in[act]
        drive_out = np.zeros(len(act), np.int64) if zero else self.drive_out[act]
        memory = _packed(near[np.ix_(act, act)])
        cut, fine = self._cuts(duals, act)
        first, last = gap.first[act].astype(np.int64), gap.last[act].astype(np.int64)
        worth = prize[act]
        sides = []
        for ahead in (True, False):
            way = legs if ahead else np.ascontiguousarray(legs.T)
            cost = costs if ahead else np.ascontiguousarray(costs.T)
            starts = gap.ready + self.way_in[act] + gap.setup if ahead else self.way_out[act] - gap.deadline
            opens, closes = (first, last) if ahead else (-last, -first)
            if ahead:
                opens = np.maximum(opens, gap.menu.opens[gap.nodes[act]])
            begin = int(np.maximum(starts, opens).min())
            width = max(1, (int(closes.max()) - begin) // _BUCKETS + 1)
            ending = cost_out if ahead else cost_in
            hope = _knapsack(worth, stay[act], way, cost, begin, width, int(closes.max())) - ending.min()
            sides.append(
                Side(
                    legs=np.ascontiguousarray(way),
                    costs=cost,
                    drives=drives if ahead else np.ascontiguousarray(drives.T),
                    first=starts.astype(np.int64),
                    first_cost=cost_in if ahead else cost_out,
                    first_drive=drive_in if ahead else drive_out,
                    opens=opens.astype(np.int64),
                    closes=closes.astype(np.int64),
                    stay=np.ascontiguousarray(stay[act]),
                    prize=np.ascontiguousarray(worth),
                    memory=memory,
                    cut=cut,
                    fine=fine,
                    hope=np.ascontiguousarray(np.broadcast_to(hope, (len(act), _BUCKETS))),
                    origin=begin,
                    width=width,
                    drive_most=int(most),
                )
            )
        return act, sides[0], sides[1]

    def _cuts(self, duals: Duals, act: NDArray[np.intp]) -> tuple[Array, Floats]:
        """Return the priced cuts of each site in play as bits, and their prices."""
        fines = duals.fines[self.gap.day]
        words = max(1, (len(fines.fine) + 63) // 64)
        bits = np.zeros((len(act), 64 * words), dtype=bool)
        for i, a in enumerate(act.tolist()):
            site = int(self.gap.nodes[a])
            if len(fines.fine):
                bits[i, fines.cuts[fines.begin[site] : fines.begin[site + 1]]] = True
        fine = np.zeros(64 * words)
        fine[: len(fines.fine)] = fines.fine
        return _packed(bits), fine

    # -- pricing --

    def price(self, duals: Duals, *, rough: bool, want: int) -> Priced | None:
        """Return the best routes, sites forgotten by `near` revisited perhaps; None when halted or when there
        was no room.
        """
        made = self._sides(duals, self.near)
        if made is None:
            return Priced([], 0.0, True)
        act, ahead, back = made
        mode = ROUGH if rough else MEMORY
        front, rear = self.room.labels(ahead.cut.shape[1])
        floor = 1e-7
        if kernels.grow(ahead, front, mode, self.middle, floor, self.halt) != DONE:
            self._shift(-1)
            return None
        if kernels.grow(back, rear, mode, -self.middle - 1, floor, self.halt) != DONE:
            self._shift(1)
            return None
        n = len(act)
        rate = np.empty((n + 1, n))
        pair = np.empty((n + 1, n, 2), np.int32)
        best = np.empty((n, _BUCKETS))
        last = -back.first
        if not kernels.meet(
            ahead,
            back,
            front,
            rear,
            self.middle,
            last,
            back.first_cost,
            back.first_drive,
            rate,
            pair,
            best,
            self.halt,
        ):
            return None
        if not rough:
            many, few = int(front.made[0]), int(rear.made[0])
            self._shift(-1 if many > 1.4 * few else 1 if few > 1.4 * many else 0)
        columns = self._pick(act, rate, pair, front, rear, want)
        return Priced(columns, max(0.0, float(rate.max())), not rough)

    def _shift(self, way: int) -> None:
        """Let forward and backward labels meet earlier or later."""
        gap = self.gap
        span = max(1, (gap.deadline - gap.ready) // 25)
        self.middle = min(gap.deadline, max(gap.ready, self.middle + way * span))

    def _pick(
        self, act: NDArray[np.intp], rate: Floats, pair: Array, front: Labels, rear: Labels, want: int
    ) -> list[tuple[float, Column]]:
        """Return the columns of the best pairs, one for each set of sites."""
        order = np.argsort(-rate, axis=None, kind="stable")[: 6 * want]
        found: list[tuple[float, Column]] = []
        seen: set[tuple[int, ...]] = set()
        for at in order.tolist():
            v, w = divmod(at, rate.shape[1])
            worth = float(rate[v, w])
            if worth <= 1e-6 or len(found) >= want:
                break
            i, j = pair[v, w].tolist()
            path = self._path(front, i)[::-1] + (self._path(rear, j) if j >= 0 else [])
            key = tuple(sorted(k for k, _ in path))
            if key in seen:
                continue
            seen.add(key)
            column = self._column(act, path)
            if column is not None:
                found.append((worth, column))
        return found

    def _column(self, act: NDArray[np.intp], path: list[tuple[int, int]]) -> Column | None:
        gap = self.gap
        visits = []
        for k, option in path:
            site = int(gap.nodes[act[k]])
            visits.append((site, int(gap.menu.stay[site, option])))
        return self.fleet.column(self.number, visits)

    @staticmethod
    def _path(labels: Labels, i: int) -> list[tuple[int, int]]:
        """Return the (site, option) of label `i` and those before it, the last grown first."""
        path = []
        while i >= 0:
            path.append((int(labels.node[i]), int(labels.option[i])))
            i = int(labels.parent[i])
        return path

    def within(self, duals: Duals, depth: float, most: int, room: int) -> list[Column] | None:
        """Return every elementary route whose reduced cost lies above minus `depth`, the best order for each
        set of sites; None when there are more than `most`, when halted or when they take more than `room`
        labels.
        """
        made = self._sides(duals, self.near)
        if made is None:
            return []
        act, ahead, back = made
        floor = -depth - 1e-6
        front, rear = self.room.labels(ahead.cut.shape[1])
        front = front._replace(time=front.time[:room])
        if kernels.grow(back, rear, MEMORY, ENDLESS, floor, self.halt) != DONE:
            return None
        last = -back.first
        hope = np.empty((len(act), _BUCKETS))
        kernels.foresee(ahead, back, rear, last, back.first_cost, hope)
        ahead = ahead._replace(hope=np.minimum(hope, ahead.hope))
        if kernels.enlist(ahead, front, self.room.table, floor, self.halt) != DONE:
            return None
        count = int(front.made[0])
        node, time = front.node[:count], front.time[:count]
        worth = front.earned[:count] - back.first_cost[node]
        good = front.alive[:count] & (time <= last[node]) & (worth > floor)
        good &= front.drive[:count] + back.first_drive[node] <= ahead.drive_most
        some = np.flatnonzero(good)
        order = some[np.argsort(-worth[some], kind="stable")]
        sets: set[bytes] = set()
        columns: list[Column] = []
        for i in order.tolist():
            key = front.memory[i].tobytes()
            if key in sets:
                continue
            sets.add(key)
            if len(sets) > most:
                return None
            column = self._column(act, self._path(front, i)[::-1])
            if column is not None:
                columns.append(column)
        return columns


def _packed(bits: NDArray[np.bool_]) -> Array:
    """Return rows of bits as rows of 64-bit words."""
    words = max(1, (bits.shape[1] + 63) // 64)
    wide = np.zeros((bits.shape[0], 64 * words), dtype=bool)
    wide[:, : bits.shape[1]] = bits
    packed: Array = np.packbits(wide, axis=1, bitorder="little").view(np.uint64)
    return np.ascontiguousarray(packed)


def _knapsack(
    prize: Floats, stay: Array, legs: Array, costs: Floats, begin: int, width: int, end: int
) -> Floats:
    """Return, for the time from the start of each bucket to `end`, the most that visits can earn: the best
    shares of sites, each with its least stay and its shortest and cheapest way in.
    """
    n = len(prize)
    far = ~np.eye(n, dtype=bool)
    way = np.where(far, legs, FAR).min(axis=0, initial=FAR) if n > 1 else np.zeros(1, np.int64)
    cheap = np.where(far, costs, np.inf).min(axis=0, initial=np.inf) if n > 1 else np.zeros(1)
    worth = prize.max(axis=1) - cheap
    takes = np.maximum(0, way + stay[:, 0]).astype(float)
    good = np.flatnonzero((worth > 0) & (takes < FAR))
    order = good[np.argsort(-worth[good] / np.maximum(takes[good], 1e-9), kind="stable")]
    times = np.concatenate([[0.0], np.cumsum(takes[order])])
    values = np.concatenate([[0.0], np.cumsum(worth[order])])
    room = np.maximum(0.0, end - (begin + width * np.arange(_BUCKETS)))
    hope: Floats = np.interp(room, times, values)
    return hope
