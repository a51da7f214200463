"""The tables of docs/benchmarks.md from the rows that the benchmarks wrote: medians, never typed.

python -m tests.bench.tables var/bench/plan.jsonl [more ...] [--plot docs/pictures/growth.svg]
"""

from __future__ import annotations

import argparse
import csv
import math
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.measure import CHECKPOINTS, METHODS, OURS, SHARED, Row, read_rows

NEVER = math.inf


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every table that the rows suffice for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.tables",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rows", type=Path, nargs="+")
    parser.add_argument("--into", type=Path, help="a document whose marked tables are replaced")
    parser.add_argument("--plot", type=Path, help="where the picture of growth goes (.svg or .png)")
    options = parser.parse_args(arguments)
    made = tables(read_rows(options.rows))
    for text in made.values():
        print(text)
    if options.into:
        options.into.write_text(put(options.into.read_text(encoding="utf-8"), made), encoding="utf-8")
    growth = [row for row in read_rows(options.rows) if row["part"] == "growth"]
    if options.plot and growth:
        plot(growth, options.plot)
    return 0


def tables(rows: Iterable[Row]) -> dict[str, str]:
    """Return every table that the rows suffice for, by name."""
    parts: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        parts[row["part"]].append(row)
    known = best_known()
    made = {}
    if parts["national"]:
        made["engine"] = engine_table(parts["national"], known)
        made["checkpoints"] = checkpoint_table(parts["national"])
    if parts["toptw"]:
        made["toptw"] = toptw_table(parts["toptw"], known)
    if parts["growth"]:
        made["growth"] = growth_table(parts["growth"])
    if parts["seeds"]:
        made["seeds"] = engine_table(parts["seeds"], {})
        made["seeds beside others"] = checkpoint_table(parts["seeds"])
    return made


def put(document: str, made: Mapping[str, str]) -> str:
    """Return the document with each table between its marks, `<!-- table: name -->` and `<!-- end of table -->`."""
    for name, text in made.items():
        mark = re.escape(f"<!-- table: {name} -->")
        document = re.sub(
            rf"({mark}\n).*?(<!-- end of table -->)",
            lambda found, text=text: f"{found[1]}{text}{found[2]}",  # type: ignore[misc]
            document,
            flags=re.DOTALL,
        )
    return document


def best_known() -> dict[str, tuple[int | None, int | None]]:
    """Return (objective, proven bound) by instance, empty where the table is not beside the repository."""
    path = SHARED / "instances" / "best_known.csv"
    if not path.exists():
        return {}
    with path.open(encoding="utf-8") as stream:
        return {
            row["instance"]: (_int(row["objective"]), _int(row["proven_bound"]))
            for row in csv.DictReader(stream)
        }


def _int(text: str) -> int | None:
    return int(text) if text else None


def engine_table(rows: Iterable[Row], known: dict[str, tuple[int | None, int | None]]) -> str:
    """Ours alone: how long to a first plan, to gaps and to the proof; what stood at the end; memory."""
    lines = []
    for (file, _), some in _by_file_and_method(rows, [OURS]).items():
        best = known.get(file, (None, None))[0]
        lines.append(
            [
                file,
                _whole(some[0]["limit"]),
                _seconds(some, lambda row: row.get("first_wall")),
                *(_seconds(some, _to(gap)) for gap in ("0.005", "0.001", "0.0005")),
                _seconds(some, _to("0"), "not proven"),
                _count(some, "objective"),
                _count(some, "bound"),
                _percent(_median(some, lambda row: row.get("gap"))),
                "" if best is None else f"{best:,}",
                _count(some, "memory"),
                str(len(some)),
            ]
        )
    return table(
        "file|limit, s|first plan, s|0.5%, s|0.1%, s|0.05%, s|proven optimal, s|objective|bound|gap|"
        "best known before|memory, MiB|runs",
        lines,
    )


def checkpoint_table(rows: Sequence[Row]) -> str:
    """Every method: the median objective at checkpoints and at the end, and the share of our bound."""
    points = [point for point in CHECKPOINTS if any(str(point) in row.get("at", {}) for row in rows)]
    grouped = _by_file_and_method(rows, list(METHODS))
    bounds = {f: _median(some, lambda row: row.get("bound")) for (f, m), some in grouped.items() if m == OURS}
    lines, notes = [], {}
    for (file, method), some in grouped.items():
        made = [row for row in some if "objective" in row]
        if not made:
            lines.append([file, METHODS[method], *[""] * len(points), some[0].get("why", ""), ""])
            continue
        end = _median(made, lambda row: row["objective"])
        bound = bounds.get(file)
        at = [_median(made, _at(point)) for point in points]
        shown = [
            "" if point > some[0]["limit"] else "none yet" if value in (None, -NEVER) else _whole(value)
            for point, value in zip(points, at, strict=True)
        ]
        share = "" if not bound or end is None else f"{100 * end / bound:.3f}%"
        lines.append([file, METHODS[method], *shown, _whole(end), share])
        for row in made:
            notes.update(dict.fromkeys(f"{METHODS[method]}: {text}" for text in row.get("remarks", ())))
    head = "|".join(["file", "method", *(f"{point} s" for point in points), "end", "of our bound"])
    return table(head, lines) + "".join(f"- {note}\n" for note in notes)


def toptw_table(rows: Sequence[Row], known: dict[str, tuple[int | None, int | None]]) -> str:
    """One line a file, then the mean gap to the best known by number of vehicles."""
    grouped = _by_file_and_method(rows, list(METHODS))
    methods = [method for method in METHODS if any(m == method for _, m in grouped)]
    lines = []
    gaps: dict[tuple[str, str], list[float]] = defaultdict(list)
    for file in dict.fromkeys(f for f, _ in grouped):
        best = known.get(file, (None, None))[0]
        cells = []
        for method in methods:
            some = grouped.get((file, method), [])
            got = _median(some, lambda row: row.get("objective"))
            off = None if best is None or got is None else (best - got) / best
            cells += ["" if got is None else _whole(got), _percent(off, 2)]
            if off is not None:
                for team in (file.rsplit("-", 1)[1], "all"):
                    gaps[team, method].append(off)
        ours = grouped.get((file, OURS), [])
        bound = _median(ours, lambda row: row.get("bound"))
        got = _median(ours, lambda row: row.get("objective"))
        proven = "" if bound is None else "optimal" if bound == got else _whole(bound)
        above = got is not None and best is not None and got > best
        lines.append(
            [file, "" if best is None else f"{best:,}", *cells, proven, "above the table" if above else ""]
        )
    for team in sorted({team for team, _ in gaps}, key=lambda t: (t == "all", t)):
        cells = []
        for method in methods:
            some_gaps = gaps.get((team, method), [])
            cells += ["", _percent(statistics.mean(some_gaps), 3) if some_gaps else ""]
        counted = max(len(gaps.get((team, method), [])) for method in methods)
        lines.append([f"mean, {team} ({counted} files)", "", *cells, "", ""])
    columns = [cell for method in methods for cell in (METHODS[method], "gap")]
    return table("|".join(["file", "best known", *columns, "our bound", ""]), lines)


def growth_table(rows: Sequence[Row]) -> str:
    """Median seconds to gaps by size."""
    lines = []
    for (model, centers, sites), some in _by_size(rows).items():
        lines.append(
            [
                model,
                str(centers),
                f"{sites:,}",
                _seconds(some, lambda row: row.get("first_wall")),
                _seconds(some, _to("0.005")),
                _seconds(some, _to("0.001")),
                _percent(_median(some, lambda row: row.get("gap"))),
                _count(some, "memory"),
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
    for (model, centers, sites), some in _by_size(rows).items():
        lines[model, centers].append((sites, _middle(some, _to("0.005"))))
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
    seconds = [1, 2, 5, 10, 20, 60, 120, 300]
    axes.set_yticks(seconds, [str(s) for s in seconds])
    axes.set_xlabel("candidate sites")
    axes.set_ylabel("seconds to a 0.5% gap")
    axes.grid(True, color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=150)


def table(head: str, lines: Iterable[Sequence[str]]) -> str:
    """Return a markdown table; numbers stand right."""
    names = head.split("|")
    body = [list(line) for line in lines]
    right = [
        all(_numeric(line[i]) for line in body) and any(line[i] for line in body) for i in range(len(names))
    ]
    rule = "|".join("---:" if r else "---" for r in right)
    rows = [f"| {' | '.join(names)} |", f"|{rule}|", *(f"| {' | '.join(line)} |" for line in body)]
    return "\n".join(rows) + "\n"


def _numeric(cell: str) -> bool:
    return not cell or cell[0] in "0123456789-<>" or cell == "none yet"


def _by_file_and_method(rows: Iterable[Row], methods: Sequence[str]) -> dict[tuple[str, str], list[Row]]:
    """Return the rows of each file and method: files as they come, methods in the order given."""
    found: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row["file"]][row["method"]].append(row)
    return {(f, m): by[m] for f, by in found.items() for m in methods if m in by}


def _by_size(rows: Iterable[Row]) -> dict[tuple[str, int, int], list[Row]]:
    found: dict[tuple[str, int, int], list[Row]] = defaultdict(list)
    for row in rows:
        found[row["model"], row["centers"], row["sites"]].append(row)
    return dict(sorted(found.items()))


def _median(rows: Iterable[Row], of: Callable[[Row], Any]) -> float | None:
    values = [value for row in rows if (value := of(row)) is not None]
    return statistics.median(values) if values else None


def _middle(rows: Iterable[Row], of: Callable[[Row], Any]) -> float:
    """Return the median where a run that never got there counts as infinite."""
    return statistics.median_high([NEVER if (value := of(row)) is None else value for row in rows])


def _to(gap: str) -> Callable[[Row], Any]:
    return lambda row: row.get("to", {}).get(gap)


def _at(point: int) -> Callable[[Row], Any]:
    return lambda row: row["at"].get(str(point), -NEVER)


def _seconds(rows: Sequence[Row], of: Callable[[Row], Any], never: str = "not reached") -> str:
    value = _middle(rows, of)
    return never if value == NEVER else f"{value:.1f}"


def _count(rows: Iterable[Row], key: str) -> str:
    value = _median(rows, lambda row: row.get(key))
    return "" if value is None else _whole(value)


def _whole(value: float | None) -> str:
    return "" if value is None else f"{round(value):,}"


def _percent(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{100 * value:.{digits}f}%"


if __name__ == "__main__":
    sys.exit(main())
