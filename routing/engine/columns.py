"""Column generation: a plan, the linear bound, and an integer plan close to it.

The steps are those of branch-and-price without the branching: greedy plans; the linear master solved by pricing
whole routes, quick first, exact at last, so that its Lagrangian bound holds for every plan; a dive for a plan;
subset-row cuts (cuts.py) that lower the bound; the integer master over all routes within the gap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from routing.engine.clock import Clock
from routing.engine.crew import Crew, Order
from routing.engine.cuts import separate
from routing.engine.dive import dive
from routing.engine.fleet import Column, Fleet
from routing.engine.integer import choose
from routing.engine.knapsack import knapsack_bound
from routing.engine.master import Duals, Master
from routing.engine.polish import Polish
from routing.engine.primal import Ledger, fill, pack
from routing.engine.tours import SHUT

CAPS = (60, 150, 400, 1000)
"""Sites that quick pricing looks at for each gap, stage by stage; exact pricing follows."""
DIVE_CAP = 150
"""Sites that pricing looks at for each gap between the fixings of a dive."""
SMOOTH = 0.5
SLOW = 5e-4  # a quick stage ends when the linear program gains less than this share, three times
MOST_COLUMNS = 40_000
EXACT_AT = 0.45  # the share of the time after which pricing is exact whatever quick pricing still finds
WANT = 6
CUTS_A_ROUND = 100
LINEAR, CUTTING = 0.7, 0.6  # the shares of the time by which the linear master and the cuts end
QUICK = 0.08  # the share of the time for a dive, and for polishing after it, and
QUICKEST = 2.0  # the seconds at most for the polishing


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
            self.dive(master)
            if self.clock.seconds is not None and not self.proven:
                self.glimpse(master)
            if self.proof is not None:
                self.tighten(master)
            if not self.clock.over(0.3) and not self.proven:
                self.round_up(master)
        self.report("done")

    def reserve(self, share: float) -> float:
        """Return the seconds to keep for what follows when a phase may last until `share` of the time."""
        return 0.0 if self.clock.seconds is None else (1.0 - share) * self.clock.seconds

    def descend(self, master: Master) -> None:
        """Solve the linear master by pricing: quick first, exact when quick finds nothing more."""
        fleet, clock = self.fleet, self.clock
        reserve = self.reserve(LINEAR)
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
            self.note(f"it {clock.iteration} cap {caps[stage]} lp {lp:.1f} new {fresh}", master)
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
            if len(master.columns) > MOST_COLUMNS:
                master.keep(-50.0)

    def tighten(self, master: Master) -> None:
        """Add cuts that the linear solution breaks, and price again, while the bound falls."""
        clock = self.clock
        reserve = self.reserve(CUTTING)
        before, slow = self.raw_bound, 0
        while not clock.over(reserve) and not self.proven and slow < 3:
            values = master.values.tolist()
            used = [(master.columns[i], value) for i, value in enumerate(values) if value > 1e-6]
            cuts = separate(master.rows.halves, used, set(master.rows.cuts), CUTS_A_ROUND)
            if not cuts:
                break
            master.add_cuts(cuts)
            if not self.reprice(master, reserve):
                break
            self.round_down(master)
            self.report("cuts")
            slow = slow + 1 if before - self.raw_bound < 0.01 * (before - self.objective) else 0
            before = self.raw_bound

    def reprice(self, master: Master, reserve: float) -> bool:
        """Price exactly until no route pays under the present cuts, or nearly; say whether time sufficed."""
        clock, bound, lp = self.clock, math.inf, -math.inf
        while bound - lp >= 0.02 * (bound - self.objective):
            if clock.iterations is not None and clock.iteration >= clock.iterations:
                return False
            duals = None if clock.over(reserve) else master.solve(clock.left - reserve)
            if duals is None:
                return False
            clock.iteration += 1
            found, fresh_bound = self.price_all(duals, None)
            if fresh_bound is None:
                return False
            bound = fresh_bound
            if bound < self.raw_bound:
                self.proof = duals
            self.prove(bound)
            fresh = master.add(found)
            lp = master.objective + self.fleet.constant
            self.note(f"cuts {len(master.rows.cuts)} lp {lp:.1f} new {fresh}", master)
            if not fresh:
                break
        return True

    def price_all(self, duals: Duals, cap: int | None) -> tuple[list[Column], float | None]:
        """Price every gap.

        Return columns that pay and, without a cap, the Lagrangian bound that the prices prove.
        """
        order = Order(duals.visit, duals.rent, duals.toll, duals.fines, 1e-6, WANT, cap)
        priced = self.crew.price_all(order)
        if priced is None:
            return [], None
        found = [column for one in priced for _, column in one.columns]
        if cap is not None:
            return found, None
        total = self.fleet.constant + duals.offset
        for g, (gap, rent, one) in enumerate(zip(self.fleet.gaps, duals.rent.tolist(), priced, strict=True)):
            # a tour pays the rents of several days, so its days' rents count in full
            worth = rent + max(0.0, one.best) if g in self.fleet.chain_of else max(0.0, rent + one.best)
            total += len(gap.members) * worth
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

    def dive(self, master: Master) -> None:
        """Make a plan from the linear solution by fixing its fullest columns and solving again."""
        seconds = None if self.clock.seconds is None else QUICK * self.clock.seconds
        ledger = pack(self.fleet, dive(master, self.clock, seconds, self.price_rest))
        fill(ledger, self.clock, cap=40)
        self.offer(ledger, "dive")
        self.note("dived", master)

    def price_rest(self, duals: Duals, ledger: Ledger) -> list[Column]:
        """Price, quickly, what `ledger` leaves free."""
        rent = np.where(np.array(ledger.spare) > 0, duals.rent, SHUT)
        order = Order(duals.visit + ledger.price, rent, duals.toll, duals.fines, 1e-6, WANT, DIVE_CAP)
        priced = self.crew.price_all(order) or []
        return [column for one in priced for _, column in one.columns if ledger.fits(column)]

    def glimpse(self, master: Master) -> None:
        """Improve the rounded plan place by place, for a little while."""
        clock = self.clock
        if clock.seconds is None or not self.best:
            return
        polish = Polish(self.fleet, master, self.best, self.random)
        until = clock.elapsed + min(QUICKEST, QUICK * clock.seconds)
        while clock.elapsed < until and not clock.over(0.5):
            self.polish(polish, 0.3)
        self.note(f"polished in {polish.steps} steps of {polish.free} routes", master)

    def polish(self, polish: Polish, seconds: float) -> None:
        """Do one step of improvement and keep what it brings."""
        if polish.step(seconds) > 0.5:
            self.offer(pack(self.fleet, polish.best()), "polish")

    def integer(self, master: Master, columns: list[Column]) -> bool:
        """Improve the plan by integer programming over `columns`; say whether it is now the best of them."""
        self.note(f"integer of {len(columns)}, gap {self.raw_bound - self.objective:.0f}", master)
        nodes, meanwhile = (100 if self.clock.seconds is None else None), None
        if self.threads > 1 and self.clock.seconds is not None and self.best:
            polish = Polish(self.fleet, master, self.best, self.random)
            meanwhile = partial(self.polish, polish, 0.3)
        chosen = choose(
            self.fleet, master.rows, columns, self.best, self.clock, nodes=nodes, meanwhile=meanwhile
        )
        if chosen is not None:
            ledger = pack(self.fleet, chosen[0])
            fill(ledger, self.clock)
            master.add(ledger.columns)
            self.offer(ledger, "integer")
        self.note("integer done", master)
        return chosen is not None and chosen[1]

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
            depth = self.depth()
            costs = master.reduced(duals)
            known = set(self.best)
            ranked = sorted(
                (-cost, i)
                for i, cost in enumerate(costs.tolist())
                if cost >= -depth and master.columns[i] not in known
            )
            columns = list(dict.fromkeys(self.best)) + [master.columns[i] for _, i in ranked[:MOST_COLUMNS]]
            best_of_them = self.integer(master, columns)
            if not best_of_them or self.proof is None:
                break
            if most > WANT and self.complete and len(ranked) <= MOST_COLUMNS:
                self.prove(float(self.objective))
                break
            if len(master.columns) > MOST_COLUMNS or (clock.iterations is not None and most > 16 * WANT):
                break
            most *= 4
            self.enrich(master, duals, most)

    def depth(self) -> float:
        """Return how far below zero the reduced cost of a column in a better plan may lie: plans are worth
        whole numbers.
        """
        return max(0.0, self.raw_bound - self.objective - 1.0 + 1e-6)

    def enrich(self, master: Master, duals: Duals, most: int) -> None:
        """Add the columns within the gap, up to `most` for each gap; set `complete` when these are all."""
        order = Order(duals.visit, duals.rent, duals.toll, duals.fines, -self.depth() - 1e-6, most, None)
        self.complete = False
        priced = self.crew.price_all(order)
        if priced is not None:
            self.complete = all(
                one.whole and gap.rule < 0 for one, gap in zip(priced, self.fleet.gaps, strict=True)
            )
            for one in priced:
                master.add(column for _, column in one.columns)

    @property
    def prices(self) -> Duals | None:
        """The prices that the bound was proven with."""
        return self.proof

    def note(self, what: str, master: Master) -> None:
        """Tell the log where the solve stands."""
        if self.log:
            self.log(
                f"{self.clock.elapsed:6.2f} {what} bound {self.raw_bound:.1f} plan {self.objective} "
                f"columns {len(master.columns)}"
            )
