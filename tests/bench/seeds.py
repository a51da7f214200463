"""Is the engine as good off the files it was tuned on? New seeds of the national family, plain and rich, and
orienteering files with another number of vehicles.

    python -m tests.bench.seeds [--seeds 8 9 10] [--sites 300 1000] [--days 1 6] [--centers 107]
                                [--models plain rich] [--vehicles 3] [--seconds 30] [--methods routing pyvrp]
                                [--out var/bench/seeds.jsonl] [--quick]

Ends with a line a file, worst first: gap to the bound proven, objective beside PyVRP's where it ran. Exit code 1 when
a run has no plan or PyVRP's is better.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from routing.problem import read_json
from tests.bench.bench_growth import FILES
from tests.bench.measure import METHODS, OURS, TOPTW, Row, name_of
from tests.bench.national import week, write
from tests.bench.series import series_of, standard


def with_vehicles(path: Path, count: int) -> Path:
    """Write the orienteering file with another number of the same vehicles; return the new path."""
    problem = read_json(path)
    name = f"{name_of(path).rsplit('-', 1)[0]}-m{count}"
    pattern = problem["centers"][0]
    changed = {
        **problem,
        "name": name,
        "centers": [{**pattern, "id": f"V{i}"} for i in range(1, count + 1)],
    }
    FILES.mkdir(parents=True, exist_ok=True)
    target = FILES / f"{name}.json.gz"
    target.write_bytes(gzip.compress(json.dumps(changed).encode(), mtime=0))
    return target


def files(options: argparse.Namespace) -> Iterable[Path]:
    """Yield the files to run."""
    asked = itertools.product(options.sites, options.days, options.centers, options.models, options.seeds)
    for sites, days, centers, model, seed in asked:
        yield write(week(sites=sites, days=days, seed=seed, centers=centers, rich=model == "rich"), FILES)
    for vehicles in options.vehicles:
        for path in sorted(TOPTW.glob("*-m1.json.gz")):
            yield with_vehicles(path, vehicles)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the series and say where it went worst."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.seeds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[8, 9, 10])
    parser.add_argument("--sites", type=int, nargs="*", default=[300, 1000])
    parser.add_argument("--days", type=int, nargs="+", default=[1, 6])
    parser.add_argument("--centers", type=int, nargs="+", default=[107])
    parser.add_argument("--models", nargs="+", choices=["plain", "rich"], default=["plain", "rich"])
    parser.add_argument("--vehicles", type=int, nargs="*", default=[3], help="orienteering files, if any")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--methods", nargs="+", choices=sorted(METHODS), default=[OURS, "pyvrp"])
    parser.add_argument("--processes", type=int, default=2, help="processes of a baseline at once")
    standard(parser, "seeds", "one week of 300 sites, four seconds")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.sites, options.days, options.vehicles = options.seeds[:1], [300], [1], []
        options.models, options.seconds = ["rich"], 4.0
    series = series_of(options, "seeds")
    rows: list[dict[str, Row]] = []
    for path in files(options):
        rows.append(
            {
                method: series.run(method, path, seconds=options.seconds, seed=1, processes=options.processes)
                for method in options.methods
            }
        )
    return _verdict(rows)


def _verdict(rows: list[dict[str, Row]]) -> int:
    bad = 0
    print("\nfile, gap, ours / best other")
    for row in sorted(rows, key=lambda row: -(row[OURS].get("gap") or 0) if OURS in row else 0):
        ours = row.get(OURS, {})
        others = [r["objective"] for m, r in row.items() if m != OURS and "objective" in r]
        mine = ours.get("objective")
        worse = OURS in row and (mine is None or any(other > mine for other in others))
        bad += worse
        gap = "-" if ours.get("gap") is None else f"{100 * ours['gap']:.3f}%"
        ratio = f"{mine / max(others):.4f}" if mine is not None and others and max(others) > 0 else "-"
        print(next(iter(row.values()))["file"], gap, ratio, "BEHIND" if worse else "", ours.get("why", ""))
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
