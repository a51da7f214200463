"""The tables of docs/benchmarks.md from the rows that the benchmarks wrote: medians, never typed.

python -m tests.bench.tables var/bench/*.jsonl [--into docs/benchmarks.md] [--plot docs/pictures/growth.svg]
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.bench.bench_fanout import fanout_table
from tests.bench.bench_growth import growth_table, plot
from tests.bench.bench_referee import referee_table
from tests.bench.bench_repair import repair_table
from tests.bench.bench_toptw import toptw_table
from tests.bench.figures import (
    Known,
    best_at,
    by_file_and_method,
    count,
    current,
    end_gap,
    gap_at,
    median,
    notes,
    reached,
    seconds_to,
    table,
    whole,
)
from tests.bench.measure import CHECKPOINTS, METHODS, OURS, SHARED, Row
from tests.bench.series import REPAIR, read_rows

BEST_KNOWN = SHARED / "instances" / "best_known.csv"
UNKNOWN = "best values known: ../shared/instances/best_known.csv is not there, so nothing is compared with it"


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
    parser.add_argument(
        "--any-code", action="store_true", help="rows count whatever code they were measured on"
    )
    options = parser.parse_args(arguments)
    rows = current(read_rows(options.rows), any_code=options.any_code)
    made = tables(rows)
    for part, number in sorted(mixed(rows).items()):
        print(
            f"{part}: files were measured on {number} versions of our code",
            file=sys.stderr,
        )
    growth = [row for row in rows if row["part"] == "growth"]
    if options.plot and growth:
        plot(growth, options.plot)
        if options.into:
            picture = os.path.relpath(options.plot, options.into.parent)
            made["growth"] += f"\n![Seconds to a 0.5% gap over candidate sites]({picture})\n"
    for name, text in made.items():
        print(f"### {name}\n\n{text}")
    if options.into:
        options.into.write_text(put(options.into.read_text(encoding="utf-8"), made), encoding="utf-8")
    return 0


def tables(rows: Iterable[Row]) -> dict[str, str]:
    """Return every table that the rows suffice for, by name."""
    parts: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        parts[row["part"]].append(row)
    known = best_known()
    made = {}
    if parts["national"]:
        made["engine"] = engine_table(parts["national"], known) + notes([] if known else [UNKNOWN])
        made["checkpoints"] = checkpoint_table(parts["national"])
    if parts["referee"]:
        made["referee"] = referee_table(parts["referee"])
    if parts["toptw"]:
        made["toptw"] = toptw_table(parts["toptw"], known) + ("" if known else f"- {UNKNOWN}\n")
    if parts["growth"]:
        made["growth"] = growth_table(parts["growth"])
    if parts[REPAIR]:
        made["repair"] = repair_table(parts[REPAIR])
    if parts["seeds"]:
        made["seeds"] = engine_table(parts["seeds"], {})
        made["seeds beside others"] = checkpoint_table(parts["seeds"])
    if parts["fanout"]:
        made["fanout"] = fanout_table(parts["fanout"])
    return {name: text for name, text in made.items() if text}


def mixed(rows: Iterable[Row]) -> dict[str, int]:
    """Return the parts whose files were measured on several versions of our own code, and how many."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["method"] in (OURS, REPAIR):
            found[row["part"]].add(row.get("code", ""))
    return {part: len(codes) for part, codes in found.items() if len(codes) > 1}


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


def best_known() -> Known:
    """Return (objective, proven bound) by instance, empty where the table is not beside the repository."""
    if not BEST_KNOWN.exists():
        return {}
    with BEST_KNOWN.open(encoding="utf-8") as stream:
        return {
            row["instance"]: (_int(row["objective"]), _int(row["proven_bound"]))
            for row in csv.DictReader(stream)
        }


def _int(text: str) -> int | None:
    return int(text) if text else None


def engine_table(rows: Iterable[Row], known: Known) -> str:
    """Ours alone: how long to a first plan, to gaps and to the proof; what stood at the end; memory."""
    grouped = by_file_and_method(rows, [OURS])
    compared = any(known.get(file, (None, None))[0] is not None for file, _ in grouped)
    lines = []
    for (file, _), some in grouped.items():
        best = known.get(file, (None, None))[0]
        got = reached(some)
        line = [
            file,
            whole(some[0]["limit"]),
            seconds_to(some, lambda row: row.get("first_wall"), "no plan"),
            *(seconds_to(some, gap_at(gap)) for gap in ("0.005", "0.001", "0.0005")),
            seconds_to(some, gap_at("0"), "not proven"),
            "no plan" if got is None else whole(got),
            count(some, "bound"),
            end_gap(some),
            count(some, "memory"),
            str(len(some)),
        ]
        if compared:
            line[-2:-2] = ["" if best is None else f"{best:,}", _against(got, best)]
        lines.append(line)
    head = "file|limit, s|first plan, s|0.5%, s|0.1%, s|0.05%, s|proven optimal, s|objective|bound|gap|"
    return (
        table(f"{head}{'best known before|beside it|' if compared else ''}memory, MiB|runs", lines)
        if lines
        else ""
    )


def _against(got: float | None, best: int | None) -> str:
    """Say in a word how an objective stands to the best known."""
    if best is None:
        return ""
    if got is None or got < best:
        return f"behind by {whole(best - (got or 0))}"
    return "reached" if got == best else f"passed by {whole(got - best)}"


def checkpoint_table(rows: Sequence[Row]) -> str:
    """Every method: the median objective at checkpoints and at the end, its share of our bound; the best is bold."""
    points = [point for point in CHECKPOINTS if any(str(point) in row.get("at", {}) for row in rows)]
    grouped = by_file_and_method(rows, list(METHODS))
    bounds = {f: median(some, lambda row: row.get("bound")) for (f, m), some in grouped.items() if m == OURS}
    lines, remarks = [], []
    behind: dict[str, list[str]] = {}
    for file in dict.fromkeys(file for file, _ in grouped):
        methods = {m: some for (f, m), some in grouped.items() if f == file}
        at = {m: [*(_shown(some, point) for point in points), reached(some)] for m, some in methods.items()}
        best = [
            max((v for v in column if v is not None), default=None)
            for column in zip(*at.values(), strict=True)
        ]
        several = len(methods) > 1
        for method, some in methods.items():
            limit, end, bound = some[0]["limit"], at[method][-1], bounds.get(file)
            if end is None:
                why = next((row["why"] for row in some if "why" in row), "no plan")
                lines.append([file, METHODS[method], "", *[""] * len(points), why, "", count(some, "memory")])
                continue
            cells = [
                ""
                if point > limit
                else "none yet"
                if value is None
                else _bold(whole(value), several and value == top)
                for point, value, top in zip(points, at[method], best, strict=False)
            ]
            share = "" if not bound else f"{100 * end / bound:.3f}%"
            first = seconds_to(some, lambda row: row.get("first_wall"), "")
            shown = _bold(whole(end), several and end == best[-1])
            lines.append([file, METHODS[method], first, *cells, shown, share, count(some, "memory")])
            remarks += [f"{METHODS[method]}: {text}" for row in some for text in row.get("remarks", ())]
        if OURS in at and len(at) > 1:
            names = [*(f"{point} s" for point in points), "the end"]
            behind[file] = [
                name
                for name, mine, top in zip(names, at[OURS], best, strict=True)
                if top is not None and mine != top
            ]
    head = "|".join(
        ["file", "method", "first plan, s", *(f"{p} s" for p in points), "end", "of our bound", "memory, MiB"]
    )
    return table(head, lines) + notes([*_verdict(behind), *remarks])


def _shown(rows: Sequence[Row], point: int) -> float | None:
    return None if point > rows[0]["limit"] else reached(rows, best_at(point))


def _bold(text: str, is_best: bool) -> str:
    return f"**{text}**" if is_best else text


def _verdict(behind: Mapping[str, Sequence[str]]) -> Iterable[str]:
    """Say on how many files ours is nowhere behind, and where it is."""
    if behind:
        good = sum(not some for some in behind.values())
        yield f"ours is first or level at every checkpoint on {good} of {len(behind)} files"
        for file, some in behind.items():
            if some:
                yield f"{file}: ours is behind at {', '.join(some)}"


if __name__ == "__main__":
    sys.exit(main())
