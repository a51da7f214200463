"""The planning engine where routes are long: team orienteering files, beside PyVRP and OR-Tools' routing library.

    python -m tests.bench.bench_toptw [--files r104-m2 pr ...] [--repeats 1] [--seconds 30] [--processes 2]
                                      [--methods routing pyvrp] [--out var/bench/toptw.jsonl] [--quick]

A name may be a beginning: `r1`, `pr`. Best values known stand in ../shared/instances/best_known.csv.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench.measure import METHODS, ROOT, TOPTW, Series, name_of, warm_up

QUICK = ["c101-m1", "r104-m2"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.bench_toptw",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--files", nargs="+", help="names or beginnings of names; default: all")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--processes", type=int, default=2, help="processes of a baseline at once")
    parser.add_argument("--methods", nargs="+", choices=sorted(METHODS), default=["routing", "pyvrp"])
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "bench" / "toptw.jsonl")
    parser.add_argument("--quick", action="store_true", help="two files, four seconds each")
    options = parser.parse_args(arguments)
    if not TOPTW.exists():
        print(f"no instances at {TOPTW}", file=sys.stderr)
        return 2
    starts = tuple(QUICK if options.quick else options.files or [""])
    seconds = 4.0 if options.quick else options.seconds
    series = Series(options.out.with_name("quick.jsonl") if options.quick else options.out, "toptw")
    warm_up()
    for seed in range(1, (1 if options.quick else options.repeats) + 1):
        for path in sorted(TOPTW.glob("*.json.gz")):
            if name_of(path).startswith(starts):
                for method in options.methods:
                    series.run(method, path, seconds=seconds, seed=seed, processes=options.processes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
