"""Long routes: local search on every core, an integer master over the routes it met, and exact pricing for
the bound.

The three help each other: routes of the search start the exact side's columns, routes that pricing finds go to
the pool, the integer master's plans go back to the search, and a plan that reaches the bound ends the solve.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np

from routing.engine.clock import Clock
from routing.engine.fleet import NEVER, Column, Fleet
from routing.engine.integer import choose
from routing.engine.knapsack import knapsack_bound
from routing.engine.long import model, search
from routing.engine.long.exact import Exact
from routing.engine.long.pool import Pool
from routing.engine.long.search import BEST, BEST_DRIVEN, DRIVEN
from routing.engine.master import Duals, Rows
from routing.engine.primal import Ledger, pack

_MOVES = 1000  # moves of each searcher that one iteration of the caller's limit stands for
_ROUTES = 10  # with more routes than this the temperature follows the worth of so many
_BAND = 0.01  # routes of plans that are no further from the best go to the pool
_PACK_PAUSE, _PACK_LONGEST = 2.0, 4.0  # seconds: between recombinations, and of one at most
_PACK_COLUMNS = 5000
_SEARCH_FIRST = 1.5  # seconds of search alone, before the exact side starts


class Searcher:
    """One thread's local search: annealing in cycles of growing length."""

    def __init__(self, engine: Long, number: int, seed: int) -> None:
        self.engine, self.number = engine, number
        self.state = search.blank(engine.data, seed * 1009 + number)
        self.random = np.random.default_rng((seed, number))
        self.halt = np.zeros(1, np.bool_)
        self.moves = 200  # in one go; grows until a go takes a twentieth of a second
        self._cycle = 0
        self._end, self._begin, self._high = 0.0, 0.0, 0.0
        self.told = -math.inf
        self.paused = False

    def step(self, now: float, moves: int, unit: float) -> None:
        """Make moves at the temperature of `now` (seconds, or iterations); `unit` is the first cycle's
        length.
        """
        state, engine = self.state, self.engine
        if now >= self._end:
            self._turn(now, unit)
        total = max(1.0, abs(state.number[BEST] - engine.floor))
        routes = max(1, int((state.best_size > 0).sum()))
        scale = total * min(1.0, _ROUTES / routes)  # a move changes a few routes only
        share = min(1.0, (now - self._begin) / max(1e-9, self._end - self._begin))
        heat = self._high * scale * 0.02**share
        driven = max(state.number[DRIVEN], state.number[BEST_DRIVEN])
        ease = 0.02 * total / driven if driven > 0 else 0.0
        band = _BAND * total if len(engine.data.slot) > 1 else -math.inf
        search.improve(engine.data, state, moves, heat, ease, band, self.halt)
        if state.pooled[0]:
            engine.pool.drain(state)

    def _turn(self, now: float, unit: float) -> None:
        """Begin the next cycle, from the best plan of all or from this searcher's own."""
        ruler = (self._cycle & -self._cycle) if self._cycle else 1  # 1, 1, 2, 1, 4, 1, 2, 1, 8, ...
        self._begin, self._end = now, now + unit * min(ruler, 8)
        self._high = 10 ** self.random.uniform(-2.4, -1.5)
        if self._cycle and self.random.random() < 0.5:
            self.engine.give(self.state)
        self._cycle += 1


class Long:
    """One solve of long routes. `best`, `objective` and `bound` are valid at any time."""

    def __init__(
        self,
        fleet: Fleet,
        clock: Clock,
        seed: int,
        threads: int = 1,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.fleet, self.clock, self.seed, self.threads, self.log = fleet, clock, seed, max(1, threads), log
        self.best: list[Column] = []
        self.objective = Ledger(fleet).objective()
        self.floor = float(self.objective)
        self.base, self.unit = self.objective, _unit(fleet)
        self.bound = knapsack_bound(fleet)
        self._lock = threading.Lock()
        self._finished = False
        self._closed = False
        self._failures = 0

    # -- anytime bookkeeping --

    @property
    def prices(self) -> Duals | None:
        """The prices that the bound was proven with, None while it needs none."""
        return self.exact.duals if self.fleet.gaps else None

    @property
    def proven(self) -> bool:
        """Whether the plan is proven best."""
        return self.bound is not None and self.objective >= self.bound

    def whole(self, bound: float) -> int:
        """Return the greatest objective that a plan may have that is no greater than `bound`."""
        return self.base + self.unit * math.floor((bound + 1e-6 - self.base) / self.unit)

    def prove(self, bound: float) -> None:
        """Keep the bound if it is the lowest so far."""
        with self._lock:
            whole = max(self.whole(bound), self.objective)
            if not self._closed and (self.bound is None or whole < self.bound):
                self.bound = whole

    def offer(self, columns: list[Column]) -> bool:
        """Keep the plan that `columns` make if it is the best so far."""
        ledger = pack(self.fleet, columns)
        value = ledger.objective()
        with self._lock:
            if self._closed or value <= self.objective:
                return False
            self.best, self.objective = ledger.columns, value
        for column in ledger.columns:
            self.pool.add(column)
        return True

    def take(self, searcher: Searcher) -> bool:
        """Keep the searcher's best plan if it is better than the best so far."""
        state = searcher.state
        if state.number[BEST] <= max(self.objective, searcher.told) + 0.5:
            return False
        searcher.told = float(state.number[BEST])
        return self.offer(self.columns(state))

    def columns(self, state: search.State) -> list[Column]:
        """Return the best plan of `state`."""
        made = []
        for r, size in enumerate(state.best_size.tolist()):
            if size:
                gap = int(self.data.slot[r])
                stays = self.data.stay[self.data.gap[gap, 0]]
                path = zip(state.best_seq[r, 1 : size + 1], state.best_opt[r, 1 : size + 1], strict=True)
                column = self.fleet.column(gap, [(int(v), int(stays[v, k])) for v, k in path])
                if column is not None:
                    made.append(column)
        return made

    def give(self, state: search.State) -> None:
        """Set `state` to the best plan."""
        with self._lock:
            columns = list(self.best)
        free: dict[int, list[int]] = {}
        for r in range(len(self.data.slot) - 1, -1, -1):
            free.setdefault(int(self.data.slot[r]), []).append(r)
        seq, opt, size = np.zeros_like(state.seq), np.zeros_like(state.opt), np.zeros_like(state.size)
        for column in columns:
            if column.more or not free.get(column.gap):
                continue
            r = free[column.gap].pop()
            stays = self.data.stay[self.data.gap[column.gap, 0]]
            size[r] = len(column.visits)
            for p, (site, stay) in enumerate(column.visits):
                seq[r, p + 1] = site
                opt[r, p + 1] = int(np.flatnonzero(stays[site] == stay)[0])
        search.load(self.data, state, seq, opt, size)
        if state.number[search.OBJECTIVE] > state.number[BEST]:
            search.save(state)

    def report(self, phase: str) -> None:
        """Tell the caller."""
        self.clock.report(phase, self.objective, self.bound)

    # -- the solve --

    def run(self, start: list[Column]) -> None:
        """Work until proven, out of time, out of iterations, or stopped."""
        if not self.fleet.gaps:
            self.bound = self.objective
            self.report("done")
            return
        self.data = model.make(self.fleet)
        self.pool = Pool(self.fleet, self.data)
        if start:
            self.offer(start)
            self.report("start")
        self.searchers = [Searcher(self, i, self.seed) for i in range(self.threads)]
        if start:
            for searcher in self.searchers:
                self.give(searcher.state)
        self.exact = Exact(self.fleet, self.log)
        if self.clock.iterations is not None:
            self._counted(self.clock.iterations)
        else:
            self._timed()
        self.report("done")

    def _counted(self, iterations: int) -> None:
        """Work by counting alone, so that the same seed gives the same plan."""
        self.searchers[0].step(0.0, 1 + 4 * len(self.data.slot), 1.0)
        self.take(self.searchers[0])
        self.report("greedy")
        while self.clock.iteration < iterations and not self.clock.over() and not self.proven:
            self.clock.iteration += 1
            for searcher in self.searchers:
                searcher.step(float(self.clock.iteration), _MOVES, max(1.0, iterations / 8))
                self.take(searcher)
            self.report("improving")
        if not self.proven and iterations > 0:
            self.exact.run(self, self.clock, effort=iterations)
        if not self.proven and iterations > 0 and len(self.data.slot) > 1:
            self._recombine()

    def _timed(self) -> None:
        """Search in threads of their own; what else is to be done takes the last searcher's turn.

        This thread alone asks the clock and tells the caller.
        """
        clock = self.clock
        self.searchers[0].step(0.0, 1 + 4 * len(self.data.slot), 1.0)
        self.take(self.searchers[0])
        self.report("greedy")
        threads = [
            threading.Thread(target=self._search, args=(s,), daemon=True, name=f"search-{s.number}")
            for s in self.searchers
        ]
        for thread in threads:
            thread.start()
        job: threading.Thread | None = None
        jobs = self._jobs()
        due = clock.elapsed + min(_SEARCH_FIRST, 0.15 * clock.left)
        shown, told = (self.objective, self.bound), clock.elapsed
        while not clock.over(0.1) and not self.proven:
            time.sleep(0.02)
            if job is None and clock.elapsed >= due:
                work = next(jobs, None)
                if work is not None:
                    began = clock.elapsed
                    job = threading.Thread(target=self._instead, args=(work,), daemon=True, name="exact")
                    job.start()
            elif job is not None and not job.is_alive():
                job = None
                due = clock.elapsed + max(_PACK_PAUSE, 3 * min(_PACK_LONGEST, clock.elapsed - began))
            if (self.objective, self.bound) != shown or clock.elapsed - told > 0.5:
                phase = "improving" if self.objective != shown[0] else "bound"
                shown, told = (self.objective, self.bound), clock.elapsed
                self.report(phase)
        self._finished = True
        self.exact.halt[0] = True
        for searcher in self.searchers:
            searcher.halt[0] = True
        for thread in threads:
            thread.join()
        for searcher in self.searchers:
            self.take(searcher)
        if job is not None:
            job.join(0.3)  # what hangs on in a solver is let go
        with self._lock:
            self._closed = True

    def _jobs(self) -> Iterator[Callable[[], None]]:
        """Return what the last searcher makes way for, one after the other."""
        yield self._prove_it
        while len(self.data.slot) > 1 and self._failures < 3:
            yield self._recombine

    def _instead(self, work: Callable[[], None]) -> None:
        """Do `work` while the last searcher pauses (in a thread of its own)."""
        last = self.searchers[-1]
        last.paused = True
        last.halt[0] = True
        try:
            work()
        except Exception as error:  # HiGHS or GLOP gave up: the plan in hand stands, the search goes on
            self._failures += 1
            if self.log:
                self.log(f"{self.clock.elapsed:6.2f} {work.__name__} failed: {error!r}")
        last.halt[0] = self._finished
        last.paused = False

    def _prove_it(self) -> None:
        self.exact.run(self, self._inner(self.clock.left * (0.7 if self.threads > 1 else 0.5)))

    def rest(self) -> Clock:
        """Return a clock for what may take all the time that is left."""
        return self._inner(max(0.1, self.clock.left - 0.3))

    def _inner(self, seconds: float) -> Clock:
        """Return a clock for a job: it stops when the solve does."""
        return Clock(seconds, None, None, lambda: self._finished)

    def _search(self, searcher: Searcher) -> None:
        """Search until the solve is over (in a thread of its own)."""
        unit = max(0.5, min(4.0, self.clock.left / 16))
        while not self._finished:
            if searcher.paused:
                time.sleep(0.02)
                continue
            began = time.monotonic()
            searcher.step(self.clock.elapsed, searcher.moves, unit)
            if time.monotonic() - began < 0.05:
                searcher.moves = min(20_000, 2 * searcher.moves)
            elif time.monotonic() - began > 0.2:
                searcher.moves = max(1, searcher.moves // 2)
            self.take(searcher)

    def _recombine(self) -> None:
        """Choose the best plan among the routes met lately, by integer programming."""
        counted = self.clock.iterations is not None
        clock = self.clock if counted else self._inner(min(_PACK_LONGEST, self.clock.left))
        with self._lock:
            best = list(self.best)
        columns = list(dict.fromkeys(best))
        known = set(columns)
        columns += [column for column in self.pool.newest(_PACK_COLUMNS) if column not in known]
        nodes = 50 if counted else None
        chosen = choose(self.fleet, Rows(self.fleet), columns, best, clock, nodes=nodes)
        if chosen is not None:
            self.offer(chosen[0])


def _unit(fleet: Fleet) -> int:
    """Return the greatest number that all values, costs and penalties are multiples of."""
    unit = math.gcd(*(group.penalty for group in fleet.problem.groups), *np.unique(fleet.cost).tolist())
    for gap in fleet.gaps:
        unit = math.gcd(unit, gap.fixed, gap.direct_cost)
        if unit != 1:
            value = np.unique(gap.menu.value[gap.nodes])
            unit = math.gcd(unit, *(int(v) for v in value.tolist() if v > NEVER / 2))
    return max(1, unit)
