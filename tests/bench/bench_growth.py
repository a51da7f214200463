"""How the engine's time grows with sites and with centers, on seeded weeks of the national family.

    python -m tests.bench.bench_growth [--sites 300 1000 2000 4000] [--centers 107 276] [--seeds 8 9 10]
                                       [--models plain rich] [--seconds 300] [--out var/bench/growth.jsonl] [--quick]

Each run ends when the gap to the proven bound is 0.05% or the limit is reached; what counts is when it was 0.5%. The
files are made by tests/bench/national.py and kept in var/bench/files.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench.measure import OURS, ROOT, Series, warm_up
from tests.bench.national import week, write

FILES = ROOT / "var" / "bench" / "files"
ENOUGH = 0.0005


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the series, the small problems first."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.bench_growth",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sites", type=int, nargs="+", default=[300, 1000, 2000, 4000])
    parser.add_argument("--centers", type=int, nargs="+", default=[107, 276])
    parser.add_argument("--seeds", type=int, nargs="+", default=[8, 9, 10], help="seeds of the files")
    parser.add_argument("--models", nargs="+", choices=["plain", "rich"], default=["plain", "rich"])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "bench" / "growth.jsonl")
    parser.add_argument("--quick", action="store_true", help="300 sites, one seed, five seconds")
    options = parser.parse_args(arguments)
    if options.quick:
        options.sites, options.seeds, options.seconds = [300], options.seeds[:1], 5.0
        options.out = options.out.with_name("quick.jsonl")
    series = Series(options.out, "growth")
    warm_up()
    asked = itertools.product(sorted(options.sites), options.centers, options.models, options.seeds)
    for sites, centers, model, seed in asked:
        path = write(week(sites=sites, days=6, seed=seed, centers=centers, rich=model == "rich"), FILES)
        about = {"sites": sites, "centers": centers, "model": model}
        series.run(OURS, path, seconds=options.seconds, seed=1, until=ENOUGH, **about)
    return 0


if __name__ == "__main__":
    sys.exit(main())
