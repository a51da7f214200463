"""The bound and the proof: column generation by labels, memories that grow, cuts, and all routes within the gap."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from routing.engine.clock import Clock
from routing.engine.cuts import separate
from routing.engine.fleet import Column, Fleet
from routing.engine.integer import choose
from routing.engine.long.pricer import Priced, Pricer
from routing.engine.master import Duals, Master

if TYPE_CHECKING:
    from routing.engine.long.engine import Long

_START = 400  # routes of the search that the linear program begins with
_WANT = 60
_MOST_ROUTES = 60_000  # routes within the gap that the integer master is asked to choose among
_CUTS, _CUTS_A_ROUND = 120, 15


class Exact:
    """One solve's exact side. `run` ends when the plan is proven best, when it can do no more, or by the
    clock.
    """

    def __init__(self, fleet: Fleet, log: Callable[[str], None] | None) -> None:
        self.fleet, self.log = fleet, log
        self.halt = np.zeros(1, np.bool_)
        self.pricers = [Pricer(fleet, g, fleet.minutes, self.halt) for g in range(len(fleet.gaps))]

    def run(self, engine: Long, clock: Clock, effort: int | None = None) -> None:
        """Lower the engine's bound; `effort` limits the rounds of pricing where seconds do not."""
        self.engine, self.clock = engine, clock
        self.rounds = 0 if effort is None else 20 * effort
        self.counted = effort is not None
        self.master = Master(self.fleet)
        self.master.add(engine.best)
        self.master.add(engine.pool.newest(_START))
        while self._converge():
            self._tell("linear")
            if engine.proven or self._all_within():
                return
            if not self._remember() and not self._cut():
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
        """Price until no route pays any more; False when that could not be finished."""
        fresh = 1
        rough = True
        while not self._over():
            duals = self.master.solve(None if self.clock.seconds is None else max(0.05, self.clock.left))
            if duals is None:
                return False
            self.rounds -= 1
            priced = self._price(duals, rough)
            if priced is None:
                return False
            found = [column for one in priced for _, column in one.columns]
            fresh = self.master.add(found)
            self._keep(found)
            if not rough:
                self._prove(duals, priced)
                if fresh == 0 or all(one.best <= 1e-6 for one in priced):
                    self.duals = duals
                    return True
            rough = fresh > 0 if rough else True
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

    def _prove(self, duals: Duals, priced: list[Priced]) -> None:
        """Keep the Lagrangian bound that the prices prove."""
        total = self.fleet.constant + duals.offset
        for gap, rent, one in zip(self.fleet.gaps, duals.rent.tolist(), priced, strict=True):
            total += len(gap.members) * max(0.0, rent + one.best)
        self.bound = total
        self.engine.prove(total)

    def _keep(self, columns: list[Column]) -> None:
        """Give elementary routes to the pool."""
        for column in columns:
            if len({site for site, _ in column.visits}) == len(column.visits):
                self.engine.pool.add(column)

    def _remember(self) -> bool:
        """Forbid the cycles of the linear solution; False when there are none."""
        bad = False
        cyclic: list[Column] = []
        for column, value in zip(self.master.columns, self.master.values.tolist(), strict=False):
            if value > 1e-6 and len({site for site, _ in column.visits}) < len(column.visits):
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
        if len({site for site, _ in column.visits}) == len(column.visits):
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

    def _all_within(self) -> bool:
        """List every route that a better plan could hold and choose among them; True when that proves it."""
        engine = self.engine
        if any(gap.rule >= 0 for gap in self.fleet.gaps):
            return False  # a shared allowance of driving may want another order of the same sites
        depth = self.bound - engine.objective - 1
        if depth < 0:
            engine.prove(float(engine.objective))
            return True
        columns: list[Column] = []
        for pricer in self.pricers:
            if self._over():
                return False
            some = pricer.within(self.duals, depth, _MOST_ROUTES)
            if some is None or len(columns) + len(some) > _MOST_ROUTES:
                self._tell("too many within the gap")
                return False
            columns.extend(some)
        self._tell(f"{len(columns)} within the gap")
        before = engine.objective
        best = list(engine.best)
        known = set(best)
        columns = list(dict.fromkeys(best)) + [column for column in columns if column not in known]
        chosen = choose(
            self.fleet, self.master.rows, columns, best, self.clock, nodes=2000 if self.counted else None
        )
        if chosen is None:
            return False
        engine.offer(chosen[0])
        if chosen[1] and engine.objective >= before:
            engine.prove(float(engine.objective))
        self._tell("chosen")
        return engine.proven
