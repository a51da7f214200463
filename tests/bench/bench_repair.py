"""Day repair beside planning the rest of the week anew, on a national week.

    python -m tests.bench.bench_repair [--files EG1000d6-s7 ...] [--cases "a van out for the day" ...] [--repeats 3]
                                       [--seconds 5] [--full 60] [--plan 60] [--out var/bench/repair.jsonl] [--quick]

The week is planned, then something happens on its first day at 10:00. For each case: the boldest alternative of
`python -m routing.repair`, in `--seconds` from the start of its process, beside a re-solve of the same rest of the
week from nothing in `--full`. Changes are announced visits that do not stay as they are, and visits that are new; the
re-solve keeps announced minutes where its routes allow it. Targets: at least 99% of the re-solve's objective, at most a
tenth of its changes, at most --seconds. Rows go to --out and are not measured again as long as the code is the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from routing import Plan, Problem, check, load, solve
from routing.problem import read_json
from routing.repair import (
    CenterOut,
    DemandChanged,
    Disruption,
    RoadSlowed,
    SiteClosed,
    rest_of,
    to_json,
)
from routing.repair.changes import changes_of
from routing.repair.part import merged
from tests.bench.figures import count, percent, table
from tests.bench.measure import GRACE, NATIONAL, Row, watch
from tests.bench.series import REPAIR, series_of, standard

DAY, MINUTE = 0, 600
TARGETS = ("objective", "changes", "seconds")
LEAST = 0.99
"""The repair's objective beside the re-solve's."""
MOST_CHANGES = 0.1
"""The repair's changes beside the re-solve's; its seconds are at most the limit."""


def _vans(plan: Plan) -> list[str]:
    """Five centers, spread over the plan, that have visits before them at the moment."""
    today = [r for r in plan.routes if r.day == DAY and any(stop.start > MINUTE for stop in r.stops)]
    return list(dict.fromkeys(today[i * len(today) // 6].center for i in range(1, 6)))


def _places(plan: Plan) -> list[str]:
    """Five sites announced for the second day, spread over the plan."""
    later = [route for route in plan.routes if route.day == DAY + 1 and len(route.stops) > 1]
    return [route.stops[0].site for route in later[:: max(1, len(later) // 5)]][:5]


def _last(problem: Problem) -> int:
    return len(problem.days) - 1


def _road(problem: Problem, plan: Plan) -> RoadSlowed:
    place = problem.site_by_id[_places(plan)[0]].place
    spot = next(one for one in problem.places if one.id == place)
    return RoadSlowed(DAY, _last(problem), None, (), spot.lat, spot.lon, 3.0)


CASES: dict[str, Callable[[Problem, Plan], list[Disruption]]] = {
    "a van out for the day": lambda _, plan: [CenterOut(_vans(plan)[0], DAY, MINUTE, DAY)],
    "a van out for the week": lambda problem, plan: [CenterOut(_vans(plan)[0], DAY, MINUTE, _last(problem))],
    "five vans out for the week": lambda problem, plan: [
        CenterOut(van, DAY, MINUTE, _last(problem)) for van in _vans(plan)
    ],
    "five places closed": lambda problem, plan: [
        SiteClosed(name, DAY, _last(problem), MINUTE) for name in _places(plan)
    ],
    "roads closed within 3 km": lambda problem, plan: [_road(problem, plan)],
    "twice the crowd at a place": lambda problem, plan: [
        DemandChanged(_places(plan)[0], 200, DAY + 1, _last(problem))
    ],
}
"""What happens, by name: chosen from the plan, the same for the same plan."""
QUICK = ("a van out for the day", "five places closed")


def repaired(problem: Problem, plan: Plan, happened: Sequence[Disruption], seconds: float, seed: int) -> Row:
    """Return what the repair's boldest alternative is worth and changes; seconds from the start of its process."""
    request = {
        "problem": problem.to_json(),
        "plan": plan.to_json(),
        "disruptions": [to_json(one) for one in happened],
        "day": DAY,
        "minute": MINUTE,
    }
    with tempfile.TemporaryDirectory() as folder:
        asked, out = Path(folder) / "request.json", Path(folder) / "answer.json"
        asked.write_text(json.dumps(request), encoding="utf-8")
        words = [sys.executable, "-m", "routing.repair", str(asked), "--out", str(out)]
        (run,) = watch([[*words, "--seconds", f"{seconds:g}", "--seed", str(seed)]], seconds + GRACE)
        if run.code or not out.exists():
            return {"failed": True, "why": run.errors.strip()[-200:]}
        found = read_json(out)["alternatives"]
    best = found[-1]
    verdict = check(problem, Plan.from_json(best["plan"]), claims=False)
    if not verdict.feasible:
        raise SystemExit(f"the repaired plan breaks a rule: {verdict.faults[0].text}")
    return {
        "alternatives": len(found),
        "objective": best["objective"],
        "changes": len(best["changes"]),
        "seconds": round(run.seconds, 2),
        "memory": round(run.memory),
    }


def resolved(problem: Problem, plan: Plan, happened: Sequence[Disruption], seconds: float, seed: int) -> Row:
    """Return objective and changes of planning the rest anew, announced times kept where the new routes allow it."""
    rest = rest_of(problem, plan, happened, day=DAY, minute=MINUTE)
    answer = solve(rest.problem, seconds=seconds, seed=seed)
    routes = merged(rest, {}, list(rest.key_of), answer)
    verdict = check(rest.problem, Plan("", tuple(routes.values()), 0), travel=rest.travel, claims=False)
    if not verdict.feasible:
        raise SystemExit(f"the plan made anew breaks a rule: {verdict.faults[0].text}")
    # The repair's objective counts the nights of tours; the checker of the rest does not know them.
    return {
        "full_objective": verdict.objective + rest.standing,
        "full_changes": len(changes_of(rest, routes)[0]),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases: all of them once before any is run again."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.bench_repair",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--files", nargs="+", default=["EG1000d6-s7"], help="names of national files")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--repeats", type=int, default=3, help="seeds 1, 2, ...; medians are shown")
    parser.add_argument("--seconds", type=float, default=5.0, help="for a repair")
    parser.add_argument("--full", type=float, default=60.0, help="for the re-solve")
    parser.add_argument("--plan", type=float, default=60.0, help="for the week that is disturbed")
    standard(parser, "repair", "two cases on a small week, seconds each, once")
    options = parser.parse_args(arguments)
    if not NATIONAL.exists():
        print(f"no instances at {NATIONAL}", file=sys.stderr)
        return 2
    if options.quick:
        options.files, options.cases, options.repeats = ["EG300d6r-s7"], QUICK, 1
        options.full = options.plan = 5.0
    series = series_of(options, REPAIR)
    problems = {name: load(NATIONAL / f"{name}.json.gz") for name in options.files}

    @cache
    def planned(name: str, seed: int) -> Plan:
        return solve(problems[name], seconds=options.plan, seed=seed)

    def one(name: str, what: str, seed: int) -> Row:
        problem, plan = problems[name], planned(name, seed)
        happened = CASES[what](problem, plan)
        row = repaired(problem, plan, happened, options.seconds, seed)
        return row if row.get("failed") else row | resolved(problem, plan, happened, options.full, seed)

    for seed in range(1, options.repeats + 1):
        for name in options.files:
            for what in options.cases:
                marks = {
                    "file": name,
                    "method": REPAIR,
                    "case": what,
                    "seed": seed,
                    "limit": options.seconds,
                    "full_limit": options.full,
                }
                series.once(marks, lambda name=name, what=what, seed=seed: one(name, what, seed))  # type: ignore[misc]
    return 0


def repair_table(rows: Sequence[Row]) -> str:
    """Return a line a case: medians over the runs, and whether the targets are met."""
    grouped: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["file"], row["case"]].append(row)
    lines = []
    for (file, case), some in grouped.items():
        good = [row for row in some if "full_objective" in row]
        if not good:
            lines.append([file, case, *[""] * 6, some[-1].get("why", "failed"), str(len(some))])
            continue
        ratio = statistics.median_low(row["objective"] / row["full_objective"] for row in good)
        share = statistics.median_high(row["changes"] / max(1, row["full_changes"]) for row in good)
        seconds = statistics.median_high(row["seconds"] for row in good)
        missed = [
            name
            for name, bad in zip(
                TARGETS, (ratio < LEAST, share > MOST_CHANGES, seconds > good[0]["limit"]), strict=True
            )
            if bad
        ]
        lines.append(
            [
                file,
                case,
                percent(ratio, 2),
                count(good, "changes"),
                count(good, "full_changes"),
                percent(share, 1),
                f"{seconds:.1f}",
                count(good, "memory"),
                f"missed: {', '.join(missed)}" if missed else "met",
                str(len(good)) if len(good) == len(some) else f"{len(good)} of {len(some)}",
            ]
        )
    return table(
        "file|what happens|objective, of the re-solve's|changes|re-solve's changes|share|seconds|memory, MiB|"
        "targets|runs",
        lines,
    )


if __name__ == "__main__":
    sys.exit(main())
