"""Day repair beside planning the rest of the week anew, on a national week.

    python -m tests.bench.bench_repair [--instances EG1000d6-s7 ...] [--seconds 5] [--full 60] [--plan 60]

The week is planned, then something happens on its first day at 10:00. For each case: the repair's best alternative in
`--seconds`, beside a re-solve of the same rest of the week from nothing in `--full`. Objective ratio: repair over
re-solve (1 or more: the repair is as good). Changes: announced visits that do not stay as they are, and visits that
are new; the share is repair over re-solve.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from routing import Plan, Problem, check, load, solve
from routing.repair import Alternative, CenterOut, Disruption, RoadSlowed, SiteClosed, repair, rest_of
from routing.repair.changes import changes_of
from routing.repair.part import merged

NATIONAL = Path(__file__).resolve().parents[3] / "shared" / "instances" / "national"
MOMENT = (0, 600)


def cases(problem: Problem, plan: Plan) -> dict[str, list[Disruption]]:
    """What happens, by name: chosen from the plan's middle, the same for the same plan."""
    today = [route for route in plan.routes if route.day == 0 and route.stops]
    vans = [today[i * len(today) // 6].center for i in range(1, 6)]
    last = len(problem.days) - 1
    later = [route for route in plan.routes if route.day == 1 and len(route.stops) > 1]
    flooded = [route.stops[0].site for route in later[:: max(1, len(later) // 5)]][:5]
    place = next(p for p in problem.places if p.id == problem.site_by_id[flooded[0]].place)
    return {
        "a van out for the day": [CenterOut(vans[0], 0, 600, 0)],
        "a van out for the week": [CenterOut(vans[0], 0, 600, last)],
        "five vans out for the week": [CenterOut(van, 0, 600, last) for van in vans],
        "five places closed": [SiteClosed(name, 0, last, 600) for name in flooded],
        "roads closed within 3 km": [RoadSlowed(0, last, None, (), place.lat, place.lon, 3.0)],
    }


def repaired(
    problem: Problem, plan: Plan, happened: list[Disruption], seconds: float, threads: int
) -> tuple[Sequence[Alternative], float]:
    """The alternatives, and the wall seconds that they took."""
    began = time.monotonic()
    found = repair(problem, plan, happened, day=MOMENT[0], minute=MOMENT[1], seconds=seconds, threads=threads)
    return found, time.monotonic() - began


def resolved(
    problem: Problem, plan: Plan, happened: list[Disruption], seconds: float, threads: int
) -> tuple[int, int]:
    """Objective and changes of planning the rest anew, announced times kept where the new routes allow it."""
    rest = rest_of(problem, plan, happened, day=MOMENT[0], minute=MOMENT[1])
    answer = solve(rest.problem, seconds=seconds, threads=threads)
    routes = merged(rest, {}, list(rest.key_of), answer)
    verdict = check(rest.problem, Plan("", tuple(routes.values()), 0), travel=rest.travel, claims=False)
    return verdict.objective, len(changes_of(rest, routes)[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_repair", description=__doc__)
    parser.add_argument("--instances", nargs="+", default=["EG1000d6-s7"])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--full", type=float, default=60.0)
    parser.add_argument("--plan", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    if not NATIONAL.exists():
        print(f"no instances at {NATIONAL}", file=sys.stderr)
        return 2
    print(
        "| instance | what happens | alternatives | repair | seconds | changes "
        "| re-solve | changes | ratio | share of changes |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name in options.instances:
        problem = load(NATIONAL / f"{name}.json.gz")
        plan = solve(problem, seconds=options.plan, threads=options.threads)
        for what, happened in cases(problem, plan).items():
            found, seconds = repaired(problem, plan, happened, options.seconds, options.threads)
            best = found[-1]
            objective, changes = resolved(problem, plan, happened, options.full, options.threads)
            print(
                f"| {name} | {what} | {len(found)} | {best.objective:,} | {seconds:.1f} | {len(best.changes)} "
                f"| {objective:,} | {changes} | {best.objective / objective:.4f} "
                f"| {len(best.changes) / max(1, changes):.3f} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
