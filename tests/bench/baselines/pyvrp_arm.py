"""PyVRP with its default iterated local search, one thread.

Alternatives of a slot are a mutually exclusive client group. Days and classes that a client does not take are load
dimensions in which its demand is 1 and such a vehicle's capacity 0. Distances are the travel cost. A driving limit
can only be bounded from above (as distance), so routes over it lose stops afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pyvrp
from numpy.typing import NDArray
from pyvrp.IteratedLocalSearch import IteratedLocalSearchCallbacks, IteratedLocalSearchParams
from pyvrp.solve import SolveParams

from routing import Plan
from tests.bench.baselines.statement import Choice, Pool, Statement, penalties, plan_of, thinned

Say = Callable[[float, int], None]
"""Told (seconds since the search began, objective of the best plan) as plans get better."""

MOST_CHOICES = 8000  # clients beyond which fewer stays gave better plans
AMPLE = 1000  # a capacity that never binds
EVERY = 0.2  # seconds between two reports


class _Watch(IteratedLocalSearchCallbacks):
    """Reports the best plan at most every `EVERY` seconds, so that reporting costs the search nothing."""

    def __init__(self, tell: Callable[[pyvrp.Solution], None]) -> None:
        self._tell = tell
        self._held: pyvrp.Solution | None = None
        self._last = float("-inf")

    def on_start(self, ils: pyvrp.IteratedLocalSearch) -> None:
        self._held = ils.initial_solution

    def on_best(self, best: pyvrp.Solution) -> None:
        self._held = best

    def on_iteration(self, *_: object) -> None:
        if self._held is not None and time.perf_counter() - self._last >= EVERY:
            self.flush()

    def flush(self) -> None:
        """Report what is held."""
        held, self._held = self._held, None
        if held is not None and held.is_feasible():
            self._tell(held)
            self._last = time.perf_counter()


def solve(statement: Statement, *, seconds: float, seed: int, say: Say) -> Plan | None:
    """Return PyVRP's best plan, None when it found no feasible one."""
    statement = thinned(statement, lambda some: sum(map(len, some.slots)) <= MOST_CHOICES)
    choices = [choice for slot in statement.slots for choice in slot]
    data = _data(statement, choices)

    def worth(solution: pyvrp.Solution) -> int:
        """The objective without making the plan: telling must cost the search nothing."""
        made = [choices[a.idx] for route in solution.routes() for a in route.schedule() if a.is_client()]
        gained = sum(choice.value for choice in made)
        if statement.scale == 1:
            gained -= solution.distance_cost() + solution.fixed_vehicle_cost()
        return gained - penalties(statement.problem, [choice.site for choice in made])

    def plan(solution: pyvrp.Solution) -> Plan:
        routes = []
        for route in solution.routes():
            visits = [choices[a.idx] for a in route.schedule() if a.is_client()]
            routes.append((route.vehicle_type(), [(choice.site, choice.stay) for choice in visits]))
        return plan_of(statement, routes)

    began = time.perf_counter()
    watch = _Watch(lambda solution: say(time.perf_counter() - began, worth(solution)))
    result = pyvrp.solve(
        data,
        lambda _cost: time.perf_counter() - began >= seconds,
        seed=seed,
        collect_stats=False,
        params=SolveParams(ils=IteratedLocalSearchParams(callbacks=watch)),
    )
    watch.flush()
    return plan(result.best) if result.best.is_feasible() else None


def _data(statement: Statement, choices: list[Choice]) -> pyvrp.ProblemData:
    """Return PyVRP's problem; its clients stand in the order of `choices`."""
    problem = statement.problem
    sites = problem.sites
    used = sorted(
        {problem.place_index[sites[c.site].place] for c in choices}
        | {problem.place_index[p.depot] for p in statement.pools}
    )
    at = {place: i for i, place in enumerate(used)}
    some = np.ix_(used, used)
    duration = np.ascontiguousarray(statement.minutes[some])
    distance = np.ascontiguousarray(statement.cost[some])
    depots = sorted({problem.place_index[pool.depot] for pool in statement.pools})
    flags = _flags(statement, choices)
    clients: list[pyvrp.Client] = []
    groups: list[pyvrp.ClientGroup] = []
    for slot in statement.slots:
        group = None
        if len(slot) > 1:
            group = len(groups)
            groups.append(pyvrp.ClientGroup([len(clients) + i for i in range(len(slot))], required=False))
        for choice in slot:
            opens, closes = choice.window
            clients.append(
                pyvrp.Client(
                    location=at[problem.place_index[sites[choice.site].place]],
                    delivery=[int(not fine(choice)) for fine, _ in flags],
                    service_duration=statement.setup + choice.stay,
                    tw_early=max(0, opens - statement.setup),
                    tw_late=max(0, closes - choice.stay - statement.setup),
                    prize=statement.scale * (choice.value + choice.bonus),
                    required=False,
                    group=group,
                )
            )
    vehicles = [
        pyvrp.VehicleType(
            num_available=len(pool.members),
            capacity=[0 if bars(pool) else AMPLE for _, bars in flags],
            start_depot=depots.index(problem.place_index[pool.depot]),
            end_depot=depots.index(problem.place_index[pool.depot]),
            fixed_cost=pool.fixed_cost,
            tw_early=pool.shift[0],
            tw_late=pool.shift[1],
            max_distance=_limit(pool, duration, distance),
        )
        for pool in statement.pools
    ]
    return pyvrp.ProblemData(
        [pyvrp.Location(0, 0) for _ in used],
        clients,
        [pyvrp.Depot(at[place]) for place in depots],
        vehicles,
        [distance],
        [duration],
        groups,
    )


def _flags(
    statement: Statement, choices: list[Choice]
) -> list[tuple[Callable[[Choice], bool], Callable[[Pool], bool]]]:
    """Return one (a choice is fine there, a pool is of it) per day and class that some choice does not take."""
    flags: list[tuple[Callable[[Choice], bool], Callable[[Pool], bool]]] = []
    for day in sorted(statement.days):
        if any(day not in choice.days for choice in choices):
            flags.append((lambda c, d=day: d in c.days, lambda p, d=day: p.day == d))  # type: ignore[misc]
    for kind in sorted(statement.kinds):
        if any(kind not in choice.kinds for choice in choices):
            flags.append((lambda c, k=kind: k in c.kinds, lambda p, k=kind: p.kind == k))  # type: ignore[misc]
    return flags


def _limit(pool: Pool, duration: NDArray[np.int64], distance: NDArray[np.int64]) -> int:
    """Return the longest distance that can be driven within the driving limit."""
    if pool.max_drive is None:
        return int(np.iinfo(np.int64).max)
    pace = np.divide(distance, duration, out=np.zeros(distance.shape), where=duration > 0).max()
    return int(np.ceil(pace * pool.max_drive))
