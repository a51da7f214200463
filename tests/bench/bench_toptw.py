"""The planning engine where routes are long: team orienteering files, beside PyVRP and OR-Tools' routing library.

    python -m tests.bench.bench_toptw [--files r104-m2 pr ...] [--repeats 3] [--seconds 30] [--processes 2]
                                      [--methods routing pyvrp ortools]
                                      [--out var/bench/toptw.jsonl] [--quick]

A name may be a beginning: `r1`, `pr`. Best values known stand in ../shared/instances/best_known.csv. Every file is
measured once before any is measured again, so that a series cut short still has them all; the command repeated goes on.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tests.bench.figures import (
    Known,
    by_file_and_method,
    gap_at,
    median,
    notes,
    percent,
    reached,
    seconds_to,
    table,
    whole,
)
from tests.bench.measure import METHODS, OURS, TOPTW, Row, name_of
from tests.bench.series import series_of, standard

QUICK = ["c101-m1", "r104-m2"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.bench_toptw",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--files", nargs="+", help="names or beginnings of names; default: all")
    parser.add_argument("--repeats", type=int, default=3, help="seeds 1, 2, ...; medians are shown")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--processes", type=int, default=2, help="processes of a baseline at once")
    parser.add_argument("--methods", nargs="+", choices=sorted(METHODS), default=list(METHODS))
    standard(parser, "toptw", "two files, four seconds each")
    options = parser.parse_args(arguments)
    if not TOPTW.exists():
        print(f"no instances at {TOPTW}", file=sys.stderr)
        return 2
    starts = tuple(QUICK if options.quick else options.files or [""])
    seconds = 4.0 if options.quick else options.seconds
    series = series_of(options, "toptw")
    for seed in range(1, (1 if options.quick else options.repeats) + 1):
        for path in sorted(TOPTW.glob("*.json.gz")):
            if name_of(path).startswith(starts):
                for method in options.methods:
                    series.run(method, path, seconds=seconds, seed=seed, processes=options.processes)
    return 0


def toptw_table(rows: Sequence[Row], known: Known) -> str:
    """One line a file, then the mean gap to the best known by number of vehicles, then who reached it how often."""
    grouped = by_file_and_method(rows, list(METHODS))
    methods = [method for method in METHODS if any(m == method for _, m in grouped)]
    files = sorted({file for file, _ in grouped}, key=lambda file: (file.rsplit("-", 1)[1], file))
    lines: list[list[str]] = []
    gaps: dict[tuple[str, str], list[float]] = defaultdict(list)
    got = {key: reached(some) for key, some in grouped.items()}
    optimal, above = [], []
    for file in files:
        best = known.get(file, (None, None))[0]
        cells = []
        for method in methods:
            value = got.get((file, method))
            off = None if best is None or value is None else (best - value) / best
            missing = "no plan" if (file, method) in got else ""
            cells += [missing if value is None else whole(value), percent(off, 2)]
            if off is not None:
                for team in (file.rsplit("-", 1)[1], "all"):
                    gaps[team, method].append(off)
        ours, mine = grouped.get((file, OURS), []), got.get((file, OURS))
        bound = median(ours, lambda row: row.get("bound"))
        proven = mine is not None and bound is not None and bound <= mine
        if proven:
            optimal.append(file)
        if mine is not None and best is not None and mine > best:
            above.append(file)
        shown = "" if not ours else whole(bound)
        took = seconds_to(ours, gap_at("0"), "") if proven else "not proven" if ours else ""
        lines.append([file, "" if best is None else f"{best:,}", *cells, shown, took])
    for team in sorted({team for team, _ in gaps}, key=lambda t: (t == "all", t)):
        most = max(len(gaps.get((team, method), [])) for method in methods)
        cells = []
        for method in methods:
            some = gaps.get((team, method), [])
            part = f" of {len(some)}" if 0 < len(some) < most else ""
            cells += ["", f"{percent(statistics.mean(some))}{part}" if some else ""]
        lines.append([f"mean, {team} ({most} files)", "", *cells, "", ""])
    columns = [cell for method in methods for cell in (METHODS[method], "gap")]
    told = [f"optimum proven by ours: {len(optimal)} of {len(files)} files"] if OURS in methods else []
    for method in methods:
        mine = gaps.get(("all", method), [])
        if mine:
            told.append(
                f"{METHODS[method]} at the best known or above: {sum(g <= 0 for g in mine)} of {len(mine)} files"
            )
    if above:
        told.append(
            f"above the best known, so that the table of best values is out of date: {', '.join(above)}"
        )
    told += _behind(files, methods, got)
    return table("|".join(["file", "best known", *columns, "our bound", "proven, s"]), lines) + notes(told)


def _behind(
    files: Sequence[str], methods: Sequence[str], got: Mapping[tuple[str, str], float | None]
) -> Iterable[str]:
    """Say against each other method how often ours is ahead, level and behind, and where."""
    for method in methods if OURS in methods else ():
        both = [file for file in files if (file, OURS) in got and (file, method) in got]
        if method == OURS or not both:
            continue
        pairs = [(file, got[file, OURS] or 0, got[file, method] or 0) for file in both]
        worse = [file for file, mine, other in pairs if mine < other]
        ahead = sum(mine > other for _, mine, other in pairs)
        level = len(pairs) - ahead - len(worse)
        where = f" ({', '.join(worse)})" if worse else ""
        yield f"beside {METHODS[method]}: ahead on {ahead}, level on {level}, behind on {len(worse)}{where}"


if __name__ == "__main__":
    sys.exit(main())
