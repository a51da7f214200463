"""OR-Tools' routing library: guided local search with its default neighbourhoods, one thread.

What a visit is worth to a vehicle class is said by the arcs into its node (cost + most it is worth to anyone - worth)
and by the price of leaving it out. `START` has two first-solution strategies: parallel cheapest insertion sees what
leaving a node out costs and is by far the best on short routes; the cheapest arc does not, and is better on long
ones when the arcs say every prize in full (`_tops`). Neighbour ratios below 1 stop the local search altogether
in ortools 9.15, so they stay at 1.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from ortools.constraint_solver import pywrapcp, routing_enums_pb2

from routing import Plan
from routing.problem import Window
from tests.bench.baselines.statement import (
    Choice,
    Pool,
    Statement,
    Unstatable,
    penalties,
    plan_of,
    thinned,
)

Say = Callable[[float, int], None]
START = (
    routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION,
    routing_enums_pb2.FirstSolutionStrategy.PATH_CHEAPEST_ARC,
)
MOST_NODES = 1000  # copies of stays beyond which the first solution takes longer than the limit
MOST_TABLES = 1 << 30  # bytes of cost tables, beyond which they would not fit beside the rest


@dataclass(frozen=True, slots=True)
class Node:
    """One stay at a site, with what it is worth by (class, day), as the arcs count it."""

    slot: int
    site: int
    stay: int
    bonus: int
    window: Window
    worth: dict[tuple[str, int], int]

    def to(self, pool: Pool) -> int | None:
        """Return what a visit by this pool is worth, None where it may not be made."""
        if pool.day is not None:
            return self.worth.get((pool.kind, pool.day))
        return next((value for (kind, _), value in self.worth.items() if kind == pool.kind), None)


@dataclass(frozen=True, slots=True)
class Made:
    """The library's model and what its indices mean."""

    manager: pywrapcp.RoutingIndexManager
    model: pywrapcp.RoutingModel
    nodes: list[Node]
    fleet: list[tuple[int, Pool]]
    ceiling: int
    """The cost of leaving everything out."""


def solve(statement: Statement, *, seconds: float, seed: int, say: Say) -> Plan | None:
    """Return the library's best plan, None when it found none. It has no seed; `seed` picks the first solution."""
    made = _model(statement)
    model = made.model
    wanted = pywrapcp.DefaultRoutingSearchParameters()
    start = START if statement.scale == 1 else START[::-1]
    wanted.first_solution_strategy = start[(seed - 1) % len(START)]
    wanted.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    wanted.time_limit.FromMilliseconds(int(1000 * seconds))
    model.CloseModelWithParameters(wanted)
    began = time.perf_counter()
    best = [float("inf")]

    def heard() -> None:
        cost = model.CostVar().Max()
        if cost < best[0]:
            best[0] = cost
            say(time.perf_counter() - began, _told(statement, made, cost))

    model.AddAtSolutionCallback(heard)
    found = model.SolveWithParameters(wanted)
    if found is None:
        return None
    routes = []
    for v, (pool, _) in enumerate(made.fleet):
        visits = []
        at = found.Value(model.NextVar(model.Start(v)))
        while not model.IsEnd(at):
            node = made.nodes[made.manager.IndexToNode(at)]
            visits.append((node.site, node.stay))
            at = found.Value(model.NextVar(at))
        if visits:
            routes.append((pool, visits))
    return plan_of(statement, routes)


def _told(statement: Statement, made: Made, cost: int) -> int:
    """Return the objective behind a cost: a lower limit of it where prizes are scaled."""
    if statement.scale > 1:
        return (made.ceiling - cost) // statement.scale
    if not statement.problem.groups:
        return made.ceiling - cost
    model = made.model
    visited = [
        n for i, n in enumerate(made.nodes) if model.NextVar(at := made.manager.NodeToIndex(i)).Value() != at
    ]
    bonus = sum(node.bonus for node in visited)
    return made.ceiling - cost - bonus - penalties(statement.problem, [node.site for node in visited])


def _model(statement: Statement) -> Made:
    nodes = _nodes(statement)
    index = statement.problem.place_index
    fleet = [(p, pool) for p, pool in enumerate(statement.pools) for _ in pool.members]
    depots = sorted({index[pool.depot] for pool in statement.pools})
    spots = [index[statement.problem.sites[node.site].place] for node in nodes] + depots
    count = len(nodes)
    ends = [count + depots.index(index[pool.depot]) for _, pool in fleet]
    manager = pywrapcp.RoutingIndexManager(len(spots), len(fleet), ends, ends)
    model = pywrapcp.RoutingModel(manager)
    minutes, cost = (table[np.ix_(spots, spots)] for table in (statement.minutes, statement.cost))
    tops = _tops(statement, nodes)
    _arc_costs(model, nodes, fleet, cost, tops)
    clock = minutes.copy()
    clock[:, :count] += statement.setup
    clock[:count] += np.array([node.stay for node in nodes], dtype=np.int64)[:, None]
    horizon = max(pool.shift[1] for _, pool in fleet)
    model.AddDimension(model.RegisterTransitMatrix(clock.tolist()), horizon, horizon, False, "clock")
    times = model.GetDimensionOrDie("clock")
    for v, (_, pool) in enumerate(fleet):
        times.CumulVar(model.Start(v)).SetRange(*pool.shift)
        times.CumulVar(model.End(v)).SetRange(*pool.shift)
        model.SetFixedCostOfVehicle(pool.fixed_cost, v)
    if any(pool.max_drive is not None for _, pool in fleet):
        most = [int(minutes.sum()) if p.max_drive is None else p.max_drive for _, p in fleet]
        drive = model.RegisterTransitMatrix(minutes.tolist())
        model.AddDimensionWithVehicleCapacity(drive, 0, most, True, "drive")
    by_slot: dict[int, list[int]] = {}
    for i, node in enumerate(nodes):
        at = manager.NodeToIndex(i)
        times.CumulVar(at).SetRange(node.window[0], node.window[1] - node.stay)
        by_slot.setdefault(node.slot, []).append(at)
        allowed = [v for v, (_, pool) in enumerate(fleet) if node.to(pool) is not None]
        if len(allowed) < len(fleet):
            model.VehicleVar(at).SetValues([-1, *allowed])
    for slot, some in by_slot.items():
        model.AddDisjunction(some, tops[slot])
    return Made(manager, model, nodes, fleet, sum(tops.values()))


def _tops(statement: Statement, nodes: list[Node]) -> dict[int, int]:
    """Return by slot what leaving it out costs: the most it is worth, or, where routes are long, the most that
    anything is worth, so that arcs say prizes in full."""
    tops: dict[int, int] = {}
    for node in nodes:
        tops[node.slot] = max(tops.get(node.slot, 0), *node.worth.values())
    if statement.scale > 1:
        return dict.fromkeys(tops, max(tops.values()))
    return tops


def _nodes(statement: Statement) -> list[Node]:
    """Return a node for each slot and stay; classes and days of a choice share it."""

    def few(some: Statement) -> bool:
        return sum(len({choice.stay for choice in slot}) for slot in some.slots) <= MOST_NODES

    slots = thinned(statement, few).slots
    return [node for i, slot in enumerate(slots) for node in _of_slot(statement, i, slot)]


def _of_slot(statement: Statement, index: int, slot: tuple[Choice, ...]) -> list[Node]:
    by_stay: dict[int, dict[tuple[str, int], Choice]] = {}
    for choice in slot:
        for day in choice.days:
            for kind in choice.kinds:
                by_stay.setdefault(choice.stay, {})[kind, day] = choice
    nodes = []
    for stay, by in by_stay.items():
        windows = {choice.window for choice in by.values()}
        if len(windows) > 1:
            raise Unstatable("opening hours that differ by day")
        worth = {key: statement.scale * (choice.value + choice.bonus) for key, choice in by.items()}
        nodes.append(Node(index, slot[0].site, stay, slot[0].bonus, windows.pop(), worth))
    return nodes


def _arc_costs(
    model: pywrapcp.RoutingModel,
    nodes: list[Node],
    fleet: list[tuple[int, Pool]],
    cost: NDArray[np.int64],
    tops: dict[int, int],
) -> None:
    """Register the cost of arcs once for all vehicles to which every node is worth the same."""
    same: dict[tuple[int, ...], list[int]] = {}
    by_pool: dict[int, tuple[int, ...]] = {}
    for v, (p, pool) in enumerate(fleet):
        if p not in by_pool:
            by_pool[p] = tuple(node.to(pool) or 0 for node in nodes)
        same.setdefault(by_pool[p], []).append(v)
    if 8 * cost.size * len(same) > MOST_TABLES:
        raise Unstatable(f"{len(same)} cost tables over {len(nodes):,} node copies")
    top = np.array([tops[node.slot] for node in nodes], dtype=np.int64)
    for worth, vehicles in same.items():
        arcs = cost.copy()
        arcs[:, : len(nodes)] += top - np.array(worth, dtype=np.int64)
        evaluator = model.RegisterTransitMatrix(arcs.tolist())
        if len(vehicles) == len(fleet):
            model.SetArcCostEvaluatorOfAllVehicles(evaluator)
            return
        for v in vehicles:
            model.SetArcCostEvaluatorOfVehicle(evaluator, v)
