"""Column generation: a plan, the linear bound, and an integer plan close to it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from routing.engine.clock import Clock
from routing.engine.crew import Crew, Order
from routing.engine.cuts import separate
from routing.engine.fleet import Column, Fleet
from routing.engine.integer import choose
from routing.engine.knapsack import knapsack_bound
from routing.engine.master import Duals, Master
from routing.engine.primal import Ledger, fill, pack

CAPS = (
    60,
    150,
    400,
    1000,
)  # sites that quick pricing looks at for each gap, stage by stage; exact pricing follows
SMOOTH = 0.5
SLOW = 5e-4  # a quick stage ends when the linear program gains less than this share, three times
MOST_COLUMNS = 40_000
EXACT_AT = 0.45  # the share of the time after which pricing is exact whatever quick pricing still finds
WANT = 6
CUTS_A_ROUND = 100


def mix(master: Master, center: Duals, duals: Duals, share: float) -> Duals:
    """Return prices between `center` and `duals`: steadier than the latter, which swing while columns are
    few.
    """
    if share <= 0.0:
        return duals
    rent = share * center.rent + (1 - share) * duals.rent
    fine = (1 - share) * duals.fine
    fine[: len(center.fine)] += share * center.fine
    return master.prices(rent, share * center.row + (1 - share) * duals.row, fine)


class Generation:
    """One solve by column generation. `best` and `bound` are valid at any time after `seed`."""

    def __init__(
        self,
        fleet: Fleet,
        clock: Clock,
        seed: int,
        threads: int = 1,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.fleet, self.clock, self.threads = fleet, clock, threads
        self.random = np.random.default_rng(seed)
        self.best: list[Column] = []
        self.objective = 0
        self.bound: int | None = None
        self.raw_bound = math.inf
        self.proof: Duals | None = None
        self.complete = False
        self.log = log

    # -- anytime bookkeeping --

    def offer(self, ledger: Ledger, phase: str) -> bool:
        """Keep the ledger's plan if it is the best so far."""
        value = ledger.objective()
        if self.best and value <= self.objective:
            return False
        self.best, self.objective = list(ledger.columns), value
        self.report(phase)
        return True

    def report(self, phase: str) -> None:
        """Tell the caller."""
        self.clock.report(phase, self.objective, self.bound)

    def prove(self, bound: float) -> None:
        """Keep the bound if it is the lowest so far."""
        if bound < self.raw_bound:
            self.raw_bound = bound
            self.bound = max(math.floor(bound + 1e-6), self.objective)

    @property
    def proven(self) -> bool:
        """Whether the plan is proven best."""
        return self.bound is not None and self.objective >= self.bound

    # -- the phases --

    def seed(self, start: list[Column]) -> list[Column]:
        """Make the first plans: the one given, and a greedy one."""
        columns: list[Column] = list(start)
        self.best, self.objective = [], Ledger(self.fleet).objective()
        rough = knapsack_bound(self.fleet)
        if rough is not None:
            self.prove(float(rough))
        if start:
            ledger = pack(self.fleet, start)
            fill(ledger, self.clock)
            self.offer(ledger, "start")
            columns.extend(ledger.columns)
        ledger = Ledger(self.fleet)
        order = self.random.permutation(len(self.fleet.gaps)).tolist()
        fill(ledger, self.clock, cap=40, order=order)
        self.offer(ledger, "greedy")
        self.report("greedy")
        columns.extend(ledger.columns)
        return columns

    def run(self, start: list[Column]) -> None:
        """Work until proven, out of time, or stopped."""
        columns = self.seed(start)
        if not self.fleet.gaps:
            self.prove(float(self.objective))
            self.report("done")
            return
        with Crew(self.fleet, self.clock, self.threads) as self.crew:
            master = Master(self.fleet)
            master.add(columns)
            self.descend(master)
            if self.proof is not None:
                self.tighten(master)
            if not self.clock.over(0.3) and not self.proven:
                self.round_up(master)
        self.report("done")

    def descend(self, master: Master) -> None:
        """Solve the linear master by pricing: quick first, exact when quick finds nothing more."""
        fleet, clock = self.fleet, self.clock
        reserve = 0.3 * clock.seconds if clock.seconds is not None else 0.0
        most = max(len(gap.nodes) for gap in fleet.gaps)
        caps: list[int | None] = [*(cap for cap in CAPS if 1.2 * cap < most), None]
        stage = 0
        center: Duals | None = None
        share, before, slow = SMOOTH, -math.inf, 0
        while not clock.over(reserve):
            if clock.seconds is not None and clock.elapsed > EXACT_AT * clock.seconds and caps[stage]:
                stage, share, slow, center = len(caps) - 1, SMOOTH, 0, None
            duals = master.solve(None if clock.seconds is None else clock.left - reserve)
            if duals is None:
                break
            if clock.iteration % 5 == 0:
                self.round_down(master)
            if clock.iterations is not None and clock.iteration >= clock.iterations:
                break
            clock.iteration += 1
            tried = duals if center is None else mix(master, center, duals, share)
            exact = caps[stage] is None
            found, bound = self.price_all(tried, caps[stage])
            if not exact or center is None or (bound is not None and bound < self.raw_bound):
                center = tried
            if bound is not None:
                if bound < self.raw_bound:
                    self.proof = tried
                self.prove(bound)
            fresh = master.add(found)
            lp = master.objective + fleet.constant
            if self.log:
                self.log(
                    f"{clock.elapsed:6.2f} it {clock.iteration} cap {caps[stage]} lp {lp:.1f} bound "
                    f"{self.raw_bound:.1f} plan {self.objective} new {fresh} columns {len(master.columns)}"
                )
            self.report("bound" if exact else "columns")
            if exact and self.raw_bound - lp < 1e-3:
                break
            gain, before = lp - before, lp
            if fresh > 0 and exact:
                share = 0.4 * SMOOTH if gain > 0.2 * SLOW * abs(lp) else 0.0
            elif fresh > 0 and gain > SLOW * abs(lp):
                share = SMOOTH
            elif fresh > 0 and not exact and slow < 2:
                slow += 1
            elif fresh > 0 and not exact:
                stage, share, slow, center = stage + 1, SMOOTH, 0, None
            elif tried is not duals:
                share = 0.0
            elif exact:
                break
            else:
                stage, share, center = stage + 1, SMOOTH, None
            if len(master.columns) > 40_000:
                master.keep(-50.0)

    def tighten(self, master: Master) -> None:
        """Add cuts that the linear solution breaks, and price again, while the bound falls."""
        clock = self.clock
        reserve = 0.5 * clock.seconds if clock.seconds is not None else 0.0
        before, slow = self.raw_bound, 0
        while not clock.over(reserve) and not self.proven and slow < 3:
            fractional = [
                (column, value)
                for column, value in zip(master.columns, master.values.tolist(), strict=False)
                if value > 1e-6
            ]
            cuts = separate(master.rows.halves, fractional, set(master.rows.cuts), CUTS_A_ROUND)
            if not cuts:
                break
            master.add_cuts(cuts)
            while not clock.over(reserve):
                duals = master.solve(None if clock.seconds is None else clock.left - reserve)
                if duals is None:
                    return
                clock.iteration += 1
                found, bound = self.price_all(duals, None)
                if bound is None:
                    return
                if bound < self.raw_bound:
                    self.proof = duals
                self.prove(bound)
                fresh = master.add(found)
                if self.log:
                    self.log(
                        f"{clock.elapsed:6.2f} cuts {len(master.rows.cuts)} lp {master.objective + self.fleet.constant:.1f} "
                        f"bound {bound:.1f} plan {self.objective} new {fresh} columns {len(master.columns)}"
                    )
                if not fresh or bound - master.objective - self.fleet.constant < 0.02 * (
                    bound - self.objective
                ):
                    break
            self.round_down(master)
            self.report("cuts")
            slow = slow + 1 if before - self.raw_bound < 0.01 * (before - self.objective) else 0
            before = self.raw_bound

    def price_all(self, duals: Duals, cap: int | None) -> tuple[list[Column], float | None]:
        """Price every gap.

        Return columns that pay and, without a cap, the Lagrangian bound that the prices prove.
        """
        priced = self.crew.price_all(Order(duals.visit, duals.rent, duals.toll, duals.fines, 1e-6, WANT, cap))
        if priced is None:
            return [], None
        found = [column for one in priced for _, column in one.columns]
        if cap is not None:
            return found, None
        total = self.fleet.constant + duals.offset
        for gap, rent, one in zip(self.fleet.gaps, duals.rent.tolist(), priced, strict=True):
            total += len(gap.members) * max(0.0, rent + one.best)
        return found, total

    def round_down(self, master: Master) -> None:
        """Make a plan from the linear solution: the fullest columns first, then greedy filling."""
        order = sorted(
            range(len(master.values)), key=lambda i: (-master.values[i], -master.columns[i].profit, i)
        )
        chosen: list[Column] = []
        for i in order:
            if master.values[i] < 0.01:
                break
            chosen.extend([master.columns[i]] * math.ceil(master.values[i] - 1e-6))
        ledger = pack(self.fleet, chosen)
        fill(ledger, self.clock, cap=40)
        self.offer(ledger, "rounding")

    def round_up(self, master: Master) -> None:
        """Choose among the columns by integer programming, then among more of them, while time lasts.

        A column whose reduced cost lies further below zero than the gap is wide cannot be part of a better
        plan. So when every other column has been looked at, the plan is proven best.
        """
        duals, clock = self.proof or master.duals, self.clock
        if duals is None:
            return
        most = WANT
        while not clock.over(0.2) and not self.proven:
            gap = self.raw_bound - self.objective
            costs = master.reduced(duals)
            known = set(self.best)
            ranked = sorted(
                (-cost, i)
                for i, cost in enumerate(costs.tolist())
                if cost >= -gap and master.columns[i] not in known
            )
            columns = list(dict.fromkeys(self.best)) + [master.columns[i] for _, i in ranked[:MOST_COLUMNS]]
            if self.log:
                self.log(f"{clock.elapsed:6.2f} integer: {len(columns)} columns, gap {gap:.0f}")
            nodes = 100 if clock.seconds is None else None
            chosen = choose(self.fleet, master.rows, columns, self.best, clock, nodes=nodes)
            if chosen is not None:
                ledger = pack(self.fleet, chosen[0])
                fill(ledger, clock)
                master.add(ledger.columns)
                self.offer(ledger, "integer")
            if self.log:
                self.log(f"{clock.elapsed:6.2f} integer done {self.objective} bound {self.bound}")
            if chosen is None or not chosen[1] or self.proof is None:
                break
            if most > WANT and self.complete and len(ranked) <= MOST_COLUMNS:
                self.prove(float(self.objective))
                break
            if len(master.columns) > MOST_COLUMNS or (clock.iterations is not None and most > 16 * WANT):
                break
            most *= 4
            self.enrich(master, duals, most)

    def enrich(self, master: Master, duals: Duals, most: int) -> None:
        """Add the columns within the gap, up to `most` for each gap; set `complete` when these are all."""
        depth = self.raw_bound - self.objective
        self.complete = False
        priced = self.crew.price_all(
            Order(duals.visit, duals.rent, duals.toll, duals.fines, -depth, most, None)
        )
        if priced is not None:
            self.complete = all(
                one.whole and gap.rule < 0 for one, gap in zip(priced, self.fleet.gaps, strict=True)
            )
            for one in priced:
                master.add(column for _, column in one.columns)
