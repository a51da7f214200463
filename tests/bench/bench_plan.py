"""The planning engine on the national weeks, beside PyVRP and OR-Tools' routing library, for the same wall time.

    python -m tests.bench.bench_plan [--files EG300d1-s7 ...] [--repeats 3] [--seconds 60] [--processes 2]
                                     [--methods routing pyvrp ortools] [--out var/bench/plan.jsonl] [--quick]

Each method runs in a process of its own, one after the other, so that nothing else uses the machine. Ours has two
threads; the others know one, so they get two processes (PyVRP two seeds, OR-Tools two first-solution strategies) of
which the better counts at every checkpoint. Rows go to --out and are not measured again when the command is repeated,
as long as the method's code is the same; `python -m tests.bench.tables var/bench/*.jsonl` makes the tables of
docs/benchmarks.md from them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.bench.measure import METHODS, NATIONAL
from tests.bench.series import series_of, standard

LIMITS = {
    "EG300d1-s7": 30,
    "EG1000d1-s7": 30,
    "EG1000d6-s7": 60,
    "EG4000d6-s7": 180,
    "EG300d6r-s7": 120,
    "EG1000d6r-s7": 120,
    "EG4000d6r-s7": 300,
}
QUICK = {"EG300d1-s7": 4, "EG300d6r-s7": 5}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.bench_plan",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--files", nargs="+", help="names of national files; default: all seven")
    parser.add_argument("--repeats", type=int, default=3, help="seeds 1, 2, ...; medians are shown")
    parser.add_argument("--seconds", type=float, help="the same limit for every file")
    parser.add_argument("--processes", type=int, default=2, help="processes of a baseline at once")
    parser.add_argument("--methods", nargs="+", choices=sorted(METHODS), default=list(METHODS))
    standard(parser, "plan", "two small files, seconds each, once")
    options = parser.parse_args(arguments)
    if not NATIONAL.exists():
        print(f"no instances at {NATIONAL}", file=sys.stderr)
        return 2
    limits: dict[str, float] = {**(QUICK if options.quick else LIMITS)}
    repeats = 1 if options.quick else options.repeats
    series = series_of(options, "national")
    for seed in range(1, repeats + 1):
        for name in options.files or limits:
            path = NATIONAL / f"{name}.json.gz"
            seconds = options.seconds or limits.get(name, 60.0)
            for method in options.methods:
                series.run(method, path, seconds=seconds, seed=seed, processes=options.processes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
