"""The bound and the proof: column generation by labels, memories that grow, cuts, and all routes within the gap."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from routing.engine.clock import Clock
from routing.engine.columns import mix
from routing.engine.cuts import separate
from routing.engine.fleet import Column, Fleet
from routing.engine.integer import choose
from routing.engine.long.pricer import Priced, Pricer, Room
from routing.engine.master import Duals, Master

if TYPE_CHECKING:
    from routing.engine.long.engine import Long

_START = 400  # routes of the search that the linear program begins with
_WANT = 60
_MOST_ROUTES = 60_000  # routes within the gap that the integer master is asked to choose among
_MOST_ROUNDED = 4000  # routes of the linear program to choose a plan among
_CUTS, _CUTS_A_ROUND = 120, 15
_SMOOTH = 0.5
_SHALLOW = 0.004  # how far the bound may be from the plan, as a share, for listing all routes to be likely
_LITTLE_ROOM, _ROOM, _MOST_ROOM = (
    150_000,
    400_000,
    1_500_000,
)  # labels that listing all routes within the gap may take


class Exact:
    """One solve's exact side. `run` ends when the plan is proven best, when it can do no more, or by the
    clock.
    """

    def __init__(self, fleet: Fleet, log: Callable[[str], None] | None) -> None:
        self.fleet, self.log = fleet, log
        self.halt = np.zeros(1, np.bool_)
        self.able = not fleet.chains  # tours over several days are not priced here
        self.pricers: list[Pricer] = []
        self.duals: Duals | None = None

    def run(self, engine: Long, clock: Clock, effort: int | None = None) -> None:
        """Lower the engine's bound; `effort` limits the rounds of pricing where seconds do not."""
        if not self.able:
            return
        self.engine, self.clock = engine, clock
        legs = self.fleet.roads.least(self.fleet.minutes)
        room = Room(self.fleet)
        self.pricers = [Pricer(self.fleet, g, legs, room, self.halt) for g in range(len(self.fleet.gaps))]
        self.rounds = 0 if effort is None else 20 * effort
        self.counted = effort is not None
        self.refused = math.inf  # the depth at which there were too many routes within the gap
        self.room = _ROOM
        self.rounded = False
        self.master = Master(self.fleet)
        self.master.add(engine.best)
        self.master.add(engine.pool.newest(_START))
        while self._converge():
            self._tell("linear")
            if self.duals is not None:
                self._round(self.duals)
            near = self.bound - engine.objective <= _SHALLOW * abs(engine.objective)
            self.room = _ROOM if near else _LITTLE_ROOM
            if engine.proven or self._all_within():
                return
            if not self._remember() and not self._cut():
                self.room = _MOST_ROOM
                self._all_within()
                return

    def _over(self) -> bool:
        return self.clock.over(0.1) or self.engine.proven or (self.counted and self.rounds <= 0)

    def _tell(self, what: str) -> None:
        if self.log:
            self.log(
                f"{self.clock.elapsed:6.2f} {what}: lp {self.master.objective + self.fleet.constant:.2f} bound "
                f"{self.engine.bound} plan {self.engine.objective} columns {len(self.master.columns)} cuts "
                f"{len(self.master.rows.cuts)}"
            )

    def _converge(self) -> bool:
        """Price until no route pays any more, or the bound cannot fall by a whole step; False when that could
        not be finished.

        Prices are held back towards the last ones that helped (Wentges 1997): bare ones swing.
        """
        center: Duals | None = None
        rough, share = True, _SMOOTH
        lowest = math.inf
        while not self._over():
            duals = self.master.solve(None if self.clock.seconds is None else max(0.05, self.clock.left))
            if duals is None:
                return False
            self.rounds -= 1
            tried = duals if center is None else mix(self.master, center, duals, share)
            priced = self._price(tried, rough)
            if priced is None:
                return False
            found = [column for one in priced for _, column in one.columns]
            fresh = self.master.add(found)
            self._keep(found)
            self._tell(f"{'rough' if rough else 'exact'} pricing, {fresh} new routes")
            promised = self._lagrange(tried, priced) - self.master.objective - self.fleet.constant
            near = fresh < _WANT // 3 or promised < max(self.engine.unit, 0.005 * abs(self.engine.objective))
            if rough:
                if near and not self.rounded:
                    self._round(tried)
                center, rough = tried, not near
                continue
            bound = self._lagrange(tried, priced)
            if bound < lowest:
                lowest, center = bound, tried
                self.bound, self.duals = bound, tried
                self.engine.prove(bound)
            linear = self.master.objective + self.fleet.constant
            if self.engine.whole(lowest) <= self.engine.whole(linear) or lowest - linear < 1e-3:
                return True
            if fresh == 0:
                if tried is duals:
                    return True
                share = 0.0
            else:
                rough, share = not near, _SMOOTH
        return False

    def _price(self, duals: Duals, rough: bool) -> list[Priced] | None:
        made = []
        for pricer in self.pricers:
            if self._over():
                return None
            one = pricer.price(duals, rough=rough, want=_WANT)
            if one is None:
                self._tell("no room" if not self.halt[0] else "halted")
                return None
            made.append(one)
        return made

    def _lagrange(self, duals: Duals, priced: list[Priced]) -> float:
        """Return the bound that the prices prove."""
        total = self.fleet.constant + duals.offset
        for gap, rent, one in zip(self.fleet.gaps, duals.rent.tolist(), priced, strict=True):
            total += len(gap.members) * max(0.0, rent + one.best)
        return total

    def _keep(self, columns: list[Column]) -> None:
        """Give elementary routes to the pool."""
        for column in columns:
            if self._elementary(column):
                self.engine.pool.add(column)

    def _remember(self) -> bool:
        """Forbid the cycles of the linear solution; False when there are none."""
        bad = False
        cyclic: list[Column] = []
        for column, value in zip(self.master.columns, self.master.values.tolist(), strict=False):
            if value > 1e-6 and not self._elementary(column):
                bad = True
                pricer = self.pricers[column.gap]
                where = np.searchsorted(pricer.gap.nodes, [site for site, _ in column.visits])
                for p, k in enumerate(where.tolist()):
                    for q in range(p + 1, len(where)):
                        if where[q] == k:
                            pricer.near[where[p : q + 1], k] = True
                            break
        if not bad:
            return False
        for column in self.master.columns:
            if self._breaks(column):
                cyclic.append(column)
        gone = set(cyclic)
        self.master.only([column for column in self.master.columns if column not in gone])
        return True

    def _breaks(self, column: Column) -> bool:
        """Say whether `column` comes back to a site that is remembered all the way."""
        near = self.pricers[column.gap].near
        nodes = self.pricers[column.gap].gap.nodes
        if self._elementary(column):
            return False
        memory: set[int] = set()
        for k in np.searchsorted(nodes, [site for site, _ in column.visits]).tolist():
            if k in memory:
                return True
            memory = {other for other in memory if near[k, other]} | {k}
        return False

    def _cut(self) -> bool:
        """Add subset-row cuts that the linear solution breaks; False when there are none."""
        rows = self.master.rows
        if len(rows.cuts) >= _CUTS or len(self.fleet.gaps) > 20:
            return False
        used = [
            (column, value)
            for column, value in zip(self.master.columns, self.master.values.tolist(), strict=False)
            if value > 1e-6
        ]
        cuts = separate(rows.halves, used, set(rows.cuts), _CUTS_A_ROUND)
        if not cuts:
            return False
        self.master.add_cuts(cuts)
        return True

    def _round(self, duals: Duals) -> None:
        """Look for a plan among the routes of the linear program that pay best at the given prices."""
        engine = self.engine
        self.rounded = True
        if len(engine.data.slot) < 2 or self.clock.over(0.5):
            return
        depth = math.inf if engine.bound is None else engine.bound - engine.objective
        costs = self.master.reduced(duals)
        best = list(engine.best)
        known = set(best)
        columns = list(dict.fromkeys(best))
        for i in np.argsort(-costs, kind="stable")[:_MOST_ROUNDED].tolist():
            column = self.master.columns[i]
            if costs[i] >= -depth and column not in known and self._elementary(column):
                columns.append(column)
        seconds = None if self.clock.seconds is None else min(3.0, 0.15 * self.clock.left)
        clock = Clock(seconds, None, None, lambda: self.clock.over())
        chosen = choose(
            self.fleet, self.master.rows, columns, best, clock, nodes=50 if self.counted else None
        )
        if chosen is not None:
            engine.offer(chosen[0])
        self._tell(f"rounded {len(columns)}")

    @staticmethod
    def _elementary(column: Column) -> bool:
        return len({site for site, _ in column.visits}) == len(column.visits)

    def _all_within(self) -> bool:
        """List every route that a better plan could hold and choose among them; True when that proves it."""
        engine = self.engine
        if self.duals is None or self.fleet.roads.timed or any(gap.rule >= 0 for gap in self.fleet.gaps):
            return False  # traffic or a shared allowance of driving may want another order of the same sites
        depth = self.bound - engine.objective - engine.unit
        if depth < 0:
            engine.prove(float(engine.objective))
            return True
        columns: list[Column] = []
        if depth > 0.9 * self.refused:
            return False
        for pricer in self.pricers:
            if self._over():
                return False
            some = pricer.within(self.duals, depth, _MOST_ROUTES, self.room)
            if some is None or len(columns) + len(some) > _MOST_ROUTES:
                self._tell("too many within the gap")
                self.refused = depth
                return False
            columns.extend(some)
        self._tell(f"{len(columns)} within the gap")
        before = engine.objective
        best = list(engine.best)
        known = set(best)
        columns = list(dict.fromkeys(best)) + [column for column in columns if column not in known]
        clock = self.clock if self.counted else engine.rest()  # worth all the time there is
        chosen = choose(
            self.fleet, self.master.rows, columns, best, clock, nodes=2000 if self.counted else None
        )
        if chosen is None:
            return False
        engine.offer(chosen[0])
        if chosen[1] and engine.objective >= before:
            engine.prove(float(engine.objective))
        self._tell("chosen")
        return engine.proven
