"""Our planner beside OR-Tools' own routing library on national instances, as a markdown table.

    python -m tests.bench.bench_plan [--instances EG300d1-s7 EG1000d6-s7 ...] [--seconds 60]

The library (PATH_CHEAPEST_ARC, guided local search) takes part where it can state the problem: one stay a site,
one visit, the same value and hours for every center and day, no groups and no pins. Instances are read from
../shared/instances/national beside the repository. Ratio: objective / the best bound proven here.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ortools.constraint_solver import pywrapcp, routing_enums_pb2

from routing import Plan, Problem, Route, Stop, Travel, check, load, solve

NATIONAL = Path(__file__).resolve().parents[3] / "shared" / "instances" / "national"
DEFAULT = ["EG300d1-s7", "EG1000d1-s7", "EG1000d6-s7", "EG300d6r-s7", "EG1000d6r-s7"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_plan", description=__doc__)
    parser.add_argument("--instances", nargs="+", default=DEFAULT)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args(arguments)
    if not NATIONAL.exists():
        print(f"no instances at {NATIONAL}", file=sys.stderr)
        return 2
    print("| instance | method | objective | bound | gap | seconds | ratio |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for name in options.instances:
        problem = load(NATIONAL / f"{name}.json.gz")
        began = time.monotonic()
        ours = solve(problem, seconds=options.seconds)
        _row(problem, ours, name, "routing", time.monotonic() - began, ours.bound)
        began = time.monotonic()
        theirs = library(problem, options.seconds)
        if theirs is None:
            print(f"| {name} | OR-Tools routing | cannot state it | | | | |", flush=True)
        else:
            _row(problem, theirs, name, "OR-Tools routing", time.monotonic() - began, ours.bound)
    return 0


def _row(problem: Problem, plan: Plan, name: str, method: str, seconds: float, bound: int | None) -> None:
    verdict = check(problem, plan)
    if not verdict.feasible:
        raise SystemExit(f"{name}, {method}: {verdict.faults[0].text}")
    proven = "" if plan.bound is None else f"{plan.bound:,}"
    gap = "" if plan.gap is None else f"{100 * plan.gap:.3f}%"
    ratio = "" if not bound else f"{verdict.objective / bound:.4f}"
    print(
        f"| {name} | {method} | {verdict.objective:,} | {proven} | {gap} | {seconds:.1f} | {ratio} |",
        flush=True,
    )


def can_state(problem: Problem) -> bool:
    """Say whether one node a site with one prize and one window describes the problem."""
    if problem.groups or problem.pinned:
        return False
    return all(
        site.max_visits == 1
        and site.day_percent is None
        and site.centers is None
        and isinstance(site.open, tuple)
        and isinstance(site.offers, tuple)
        and len(site.offers) == 1
        for site in problem.sites
    ) and all(center.max_drive is None and not center.fixed_cost for center in problem.centers)


def library(problem: Problem, seconds: float) -> Plan | None:
    """Return the plan of OR-Tools' routing library, None where it cannot state the problem or finds nothing."""
    if not can_state(problem):
        return None
    minutes, cost = (table.tolist() for table in Travel(problem).tables)
    index = problem.place_index
    vans = [(center, day) for center in problem.centers for day in center.days]
    depots = sorted({index[center.depot] for center, _ in vans})
    spots = [index[site.place] for site in problem.sites] + depots
    count = len(problem.sites)
    ends = [count + depots.index(index[center.depot]) for center, _ in vans]
    manager = pywrapcp.RoutingIndexManager(len(spots), len(vans), ends, ends)
    model = pywrapcp.RoutingModel(manager)
    node = [manager.IndexToNode(i) for i in range(model.Size() + len(vans))]
    travel = model.RegisterTransitMatrix([[cost[a][b] for b in spots] for a in spots])
    model.SetArcCostEvaluatorOfAllVehicles(travel)
    stay = [site.offers[0].stay for site in problem.sites] + [0] * len(depots)  # type: ignore[index,union-attr]
    setup = max((center.setup for center, _ in vans), default=0)
    clock = model.RegisterTransitMatrix(
        [
            [stay[i] + minutes[a][b] + (setup if j < count else 0) for j, b in enumerate(spots)]
            for i, a in enumerate(spots)
        ]
    )
    horizon = max(center.shift[1] for center, _ in vans)
    model.AddDimension(clock, horizon, horizon, False, "clock")
    times = model.GetDimensionOrDie("clock")
    for v, (center, _) in enumerate(vans):
        times.CumulVar(model.Start(v)).SetRange(*center.shift)
        times.CumulVar(model.End(v)).SetRange(*center.shift)
    for i, site in enumerate(problem.sites):
        opens, closes = site.open  # type: ignore[misc]
        at = manager.NodeToIndex(i)
        times.CumulVar(at).SetRange(opens, closes - stay[i])  # type: ignore[has-type]
        model.AddDisjunction([at], site.offers[0].value)  # type: ignore[index,union-attr]
    wanted = pywrapcp.DefaultRoutingSearchParameters()
    wanted.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PATH_CHEAPEST_ARC
    wanted.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    wanted.time_limit.FromMilliseconds(int(1000 * seconds))
    found = model.SolveWithParameters(wanted)
    if found is None:
        return None
    routes = []
    for v, (center, day) in enumerate(vans):
        stops = []
        at = found.Value(model.NextVar(model.Start(v)))
        while not model.IsEnd(at):
            i = node[at]
            stops.append(Stop(problem.sites[i].id, found.Min(times.CumulVar(at)), stay[i]))
            at = found.Value(model.NextVar(at))
        if stops:
            routes.append(Route(center.id, day, found.Min(times.CumulVar(model.Start(v))), tuple(stops)))
    plan = Plan(problem.name, tuple(routes), 0)
    return Plan(problem.name, tuple(routes), check(problem, plan, claims=False).objective)


if __name__ == "__main__":
    sys.exit(main())
