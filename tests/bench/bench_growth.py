"""How the engine's time grows with sites and with centers, on seeded weeks of the national family.

    python -m tests.bench.bench_growth [--sites 300 1000 4000] [--centers 107 276] [--seeds 8 9 10]
                                       [--models plain rich] [--seconds 300] [--until 0.0005]
                                       [--out var/bench/growth.jsonl] [--quick]

Each run ends when the gap to the proven bound is --until (0.05%) or the limit is reached; what counts is when it was
0.5%. The files are made by tests/bench/national.py and kept in var/bench/files.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.bench.figures import NEVER, count, end_gap, gap_at, middle, seconds_to, table
from tests.bench.measure import OURS, Row
from tests.bench.national import week, write
from tests.bench.series import ROWS, series_of, standard

FILES = ROWS / "files"
ENOUGH = 0.0005


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the series: a seed of every size before the next seed, the small problems first."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.bench_growth",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sites", type=int, nargs="+", default=[300, 1000, 4000])
    parser.add_argument("--centers", type=int, nargs="+", default=[107, 276])
    parser.add_argument("--seeds", type=int, nargs="+", default=[8, 9, 10], help="seeds of the files")
    parser.add_argument("--models", nargs="+", choices=["plain", "rich"], default=["plain", "rich"])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--until", type=float, default=ENOUGH, help="a run ends at this gap")
    standard(parser, "growth", "300 sites, one seed, five seconds")
    options = parser.parse_args(arguments)
    if options.quick:
        options.sites, options.seeds, options.seconds = [300], options.seeds[:1], 5.0
    series = series_of(options, "growth")
    asked = itertools.product(options.seeds, sorted(options.sites), options.centers, options.models)
    for seed, sites, centers, model in asked:
        path = write(week(sites=sites, days=6, seed=seed, centers=centers, rich=model == "rich"), FILES)
        about = {"sites": sites, "centers": centers, "model": model}
        series.run(OURS, path, seconds=options.seconds, seed=1, until=options.until, **about)
    return 0


def growth_table(rows: Sequence[Row]) -> str:
    """Median seconds to gaps by size."""
    lines = []
    for (model, centers, sites), some in by_size(rows).items():
        lines.append(
            [
                model,
                str(centers),
                f"{sites:,}",
                seconds_to(some, lambda row: row.get("first_wall")),
                seconds_to(some, gap_at("0.005")),
                seconds_to(some, gap_at("0.001")),
                end_gap(some),
                count(some, "memory"),
                str(len(some)),
            ]
        )
    return table("model|centers|sites|first plan, s|0.5%, s|0.1%, s|gap at the end|memory, MiB|files", lines)


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draw seconds to a 0.5% gap over sites, a line for each model and number of centers; a hollow point at the limit
    where it was not reached."""
    import matplotlib as mpl

    mpl.use("svg" if path.suffix == ".svg" else "agg")
    mpl.rcParams["svg.hashsalt"] = "growth"  # the same rows give the same file
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    lines: dict[tuple[str, int], list[tuple[int, float]]] = defaultdict(list)
    limit = max(row["limit"] for row in rows)
    for (model, centers, sites), some in by_size(rows).items():
        lines[model, centers].append((sites, middle(some, gap_at("0.005"))))
    colors = dict(zip(sorted({m for m, _ in lines}), ("#1f5f99", "#b3541e"), strict=False))
    styles = dict(zip(sorted({c for _, c in lines}), ("-", "--", ":"), strict=False))
    for (model, centers), points in sorted(lines.items()):
        points.sort()
        reached = [(x, y) for x, y in points if y != NEVER]
        axes.plot(
            [x for x, _ in reached],
            [y for _, y in reached],
            styles.get(centers, "-."),
            color=colors[model],
            marker="o",
            label=f"{model}, {centers} centers",
        )
        missed = [x for x, y in points if y == NEVER]
        axes.plot(missed, [limit] * len(missed), "o", mfc="none", color=colors[model])
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = sorted({row["sites"] for row in rows})
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    if any(y == NEVER for points in lines.values() for _, y in points):
        axes.plot([], [], "o", mfc="none", color="#555555", label=f"not reached in {limit:g} s")
    low, high = axes.get_ylim()
    seconds = [s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600) if low <= s <= high]
    axes.set_yticks(seconds, [f"{s:g}" for s in seconds])
    axes.set_xlabel("candidate sites")
    axes.set_ylabel("seconds to a 0.5% gap")
    axes.grid(True, color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=150)


def by_size(rows: Iterable[Row]) -> dict[tuple[str, int, int], list[Row]]:
    found: dict[tuple[str, int, int], list[Row]] = defaultdict(list)
    for row in rows:
        found[row["model"], row["centers"], row["sites"]].append(row)
    return dict(sorted(found.items()))


if __name__ == "__main__":
    sys.exit(main())
