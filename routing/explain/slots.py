"""Every place in a plan where one more visit could go, as arrays: one site is tried in all of them at once.

A slot lies between two stops of a center's day (or on an empty day), when none of the day's stops, one of them, or
all that may go give way. The rest of the day keeps its order and moves in time as the rules allow; pinned visits
keep their minute, the last stop of a day that ends away from home keeps its place.

Driving by the clock: `ready` and `due` are exact, the two legs to and from the new visit are as short as traffic ever
lets them be. A slot that looks right is then driven by the referee's code (`routing.explain.board.Board.drive`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from routing.problem import Center, Site

if TYPE_CHECKING:
    from routing.explain.board import Board

Ints = NDArray[np.int64]
NEVER = -(10**15)
FAR = 10**9

BEFORE, AFTER, READY, DUE, DRIVE, MOST, CHANGE, SETUP, CENTER, DAY, MENU = range(11)
"""Columns of a table: places before and after, the minute the van can leave the one and must be at the other, minutes
driven without the two legs, minutes allowed, the objective's change without the visit's own value, its two legs and
the groups, then what the visit itself depends on."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What a row stands for: the day, the stops that give way (by index), the place among those that stay."""

    key: tuple[str, int]
    out: tuple[int, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Part:
    """The slots of one center's day. `lost` holds (row, group, visits that the group would lose); nobody gives way
    in the first `free` rows.
    """

    rows: Ints
    slots: tuple[Slot, ...]
    lost: tuple[tuple[int, int, int], ...]
    free: int

    def without_loss(self) -> Part:
        """Return the slots in which nobody gives way."""
        return Part(self.rows[: self.free], self.slots[: self.free], (), self.free)


@dataclass(frozen=True, slots=True)
class Tries:
    """A site in every slot: the objective's change with the best stay (NEVER: it does not fit), stay and start."""

    gain: Ints
    stay: Ints
    start: Ints


class Table:
    """The slots of some days of a plan, one under the other."""

    def __init__(self, board: Board, parts: Iterable[Part]) -> None:
        self.board = board
        kept = [part for part in parts if part.slots]
        self.rows: Ints = (
            np.concatenate([p.rows for p in kept]) if kept else np.zeros((0, 11), dtype=np.int64)
        )
        self.columns: Ints = np.ascontiguousarray(self.rows.T)
        self.slots: list[Slot] = [slot for part in kept for slot in part.slots]
        lost: list[tuple[int, int, int]] = []
        begin = 0
        for part in kept:
            lost.extend((begin + row, g, count) for row, g, count in part.lost)
            begin += len(part.slots)
        self.lost: Ints = np.array(lost, dtype=np.int64).reshape(-1, 3)
        self.penalty = self._penalty()

    def _penalty(self) -> Ints:
        """What the groups charge for the stops that give way, by row."""
        due = np.zeros(len(self.slots), dtype=np.int64)
        if len(self.lost):
            row, group, count = self.lost.T
            short, price = self.board.short[group], self.board.prices[group]
            np.add.at(due, row, (np.maximum(0, short + count) - np.maximum(0, short)) * price)
        return due

    def tries(self, site: Site, *, closed: Collection[int] = (), short: Ints | None = None) -> Tries:
        """Return `site` tried in every slot; on `closed` days nothing can be added. `short` are the groups' lacks
        when they are not the board's.
        """
        board, count = self.board, len(self.slots)
        gains = np.full(count, NEVER, dtype=np.int64)
        stayed, started = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        if not count:
            return Tries(gains, stayed, started)
        here = board.problem.place_index[site.place]
        roads = board.roads
        way_in, way_out = roads.minutes_to[here], roads.minutes[here]
        column = self.columns
        fine = way_in.take(column[BEFORE]) + way_out.take(column[AFTER]) + column[DRIVE] <= column[MOST]
        fine &= board.may[site.id].take(column[CENTER])
        opens, closes = board.windows(site)
        shut = np.array([day in closed or opens[day] == FAR for day in range(len(opens))], dtype=bool)
        fine &= ~shut.take(column[DAY])
        some = np.flatnonzero(fine)  # the costly part below is for those alone that can be reached at all
        if not len(some):
            return Tries(gains, stayed, started)
        column = column[:, some]
        before, after, day, menu = column[BEFORE], column[AFTER], column[DAY], column[MENU]
        start = np.maximum(column[READY] + roads.least_to[here].take(before) + column[SETUP], opens.take(day))
        latest = np.minimum(closes.take(day), column[DUE] - roads.least[here].take(after))
        stays, values = board.offers(site)
        stay = stays.take(menu, axis=0)
        worth = np.where(start[:, None] + stay <= latest[:, None], values.take(menu, axis=0), NEVER)
        best = worth.argmax(axis=1)
        pick = np.arange(len(some))
        gain = worth[pick, best]
        rest = column[CHANGE] - roads.cost_to[here].take(before) - roads.cost[here].take(after)
        rest += (self._relief(site, board.short if short is None else short) - self.penalty)[some]
        gains[some] = np.where(gain > NEVER, gain + rest, NEVER)
        stayed[some], started[some] = stay[pick, best], start
        return Tries(gains, stayed, started)

    def _relief(self, site: Site, short: Ints) -> Ints:
        """What the groups no longer charge once the site has one more visit, by row."""
        board = self.board
        relief = np.zeros(len(self.slots), dtype=np.int64)
        for g in board.groups_of.get(site.id, ()):
            lost = np.zeros(len(self.slots), dtype=np.int64)
            mine = self.lost[self.lost[:, 1] == g]
            lost[mine[:, 0]] = mine[:, 2]
            relief += np.where(short[g] + lost > 0, board.prices[g], 0)
        return relief


def part_of(board: Board, center: Center, day: int) -> Part:
    """Return the slots of one center's day."""
    builder = _Builder(board, center, day)
    route = board.routes.get((center.id, day))
    stops = range(len(route.stops)) if route else range(0)
    loose = [k for k in stops if not builder.stays[k]]
    choices: list[tuple[int, ...]] = [(), *((k,) for k in loose)]
    if len(loose) > 1:
        choices.append(tuple(loose))
    for out in choices:
        builder.add(out)
    free = sum(1 for slot in builder.slots if not slot.out)
    rows = np.array(builder.rows, dtype=np.int64).reshape(-1, 11)
    return Part(rows, tuple(builder.slots), tuple(builder.lost), free)


class _Builder:
    """Makes the slots of one day."""

    def __init__(self, board: Board, center: Center, day: int) -> None:
        self.board, self.center, self.day = board, center, day
        self.key = (center.id, day)
        self.route = board.routes.get(self.key)
        self.sites = (
            [board.problem.site_by_id[stop.site] for stop in self.route.stops]
            if self.route is not None
            else []
        )
        self.overnight = self.route is not None and self.route.overnight
        last = len(self.sites) - 1
        self.stays = [
            board.is_pinned(self.key, stop) or (self.overnight and k == last)
            for k, stop in enumerate(self.route.stops if self.route else ())
        ]
        self.origin, self.begin = board.start_of(self.key)
        self.rows: list[tuple[int, ...]] = []
        self.slots: list[Slot] = []
        self.lost: list[tuple[int, int, int]] = []
        self.paid = board.cost_of(self.key)

    def add(self, out: tuple[int, ...]) -> None:
        """Add the slots that are there when the stops `out` give way."""
        board, center = self.board, self.center
        kept = [k for k in range(len(self.sites)) if k not in out]
        home = [] if self.overnight else [center.depot]
        places = [self.origin, *(self.sites[k].place for k in kept), *home]
        index = [board.problem.place_index[place] for place in places]
        legs = list(pairwise(index))
        drive = sum(int(board.minutes[a, b]) for a, b in legs)
        travel = sum(int(board.cost[a, b]) for a, b in legs)
        value, gone = self._given_up(out)
        fixed = center.fixed_cost if self.route is None or not self.route.stops else 0
        ready, due = self._ready(kept, places), self._due(kept, places)
        for n, (a, b) in enumerate(legs):
            change = self.paid - (travel - int(board.cost[a, b])) - value - fixed
            most = FAR if center.max_drive is None else center.max_drive
            row = (a, b, ready[n], due[n + 1], drive - int(board.minutes[a, b]), most, change, center.setup)
            self.lost.extend((len(self.slots), g, count) for g, count in gone.items())
            self.rows.append(
                (*row, board.center_index[center.id], self.day, board.menu_index[center.kind, self.day])
            )
            self.slots.append(Slot(self.key, out, n))

    def _given_up(self, out: Sequence[int]) -> tuple[int, Mapping[int, int]]:
        """Return the value and the groups' visits that go with the stops `out`."""
        value, gone = 0, dict[int, int]()
        for k in out:
            assert self.route is not None
            value += self.board.value(
                self.center, self.day, self.route.stops[k].site, self.route.stops[k].stay
            )
            for g in self.board.groups_of.get(self.route.stops[k].site, ()):
                gone[g] = gone.get(g, 0) + 1
        return value, gone

    def _ready(self, kept: Sequence[int], places: Sequence[str]) -> list[int]:
        """Return the earliest minute of leaving each of `places` (the start first), as many as there are stops + 1."""
        travel = self.board.travel
        clock = self.begin
        found = [clock]
        for n, k in enumerate(kept):
            assert self.route is not None
            stop = self.route.stops[k]
            arrival = travel.arrive(places[n], places[n + 1], clock, self.day)
            if self.board.is_pinned(self.key, stop):
                clock = stop.start + stop.stay
            else:
                window = self.sites[k].window(self.day)
                clock = max(arrival + self.center.setup, window[0] if window else 0) + stop.stay
            found.append(clock)
        return found

    def _due(self, kept: Sequence[int], places: Sequence[str]) -> list[int]:
        """Return the latest minute of arriving at each of `places` so that what follows still holds."""
        travel = self.board.travel
        due = [self.center.shift[1]] * len(places)
        latest = self.center.shift[1]
        for n in range(len(kept) - 1, -1, -1):
            assert self.route is not None
            stop = self.route.stops[kept[n]]
            if n + 2 < len(places):
                latest = travel.leave(places[n + 1], places[n + 2], latest, self.day)
            if self.board.is_pinned(self.key, stop):
                latest = stop.start - self.center.setup if stop.start + stop.stay <= latest else -FAR
            else:
                window = self.sites[kept[n]].window(self.day)
                latest = min(latest, window[1] if window else -FAR) - stop.stay - self.center.setup
            due[n + 1] = latest
        return due
