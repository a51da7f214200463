"""How rows become figures: medians over runs, numbers as they are written, markdown tables."""

from __future__ import annotations

import math
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.bench.measure import Row

NEVER = math.inf
Known = dict[str, tuple[int | None, int | None]]
"""(objective, proven bound) by instance, as it was known before."""
_WORDS = ("none yet", "not reached", "not proven", "no plan", "no bound")
"""What stands in a column of numbers where there is none."""


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
    bare = cell.strip("*")
    return not bare or bare[0] in "0123456789-<>" or bare in _WORDS


def current(rows: Iterable[Row], *, any_code: bool = False) -> list[Row]:
    """Return the rows that count: of each file, method and case those of the code and the limits measured last, and of
    several runs of one seed the last.

    Rows of an earlier version never mix into a median of this one, unless `any_code` asks for it.
    """
    ordered = sorted(rows, key=lambda row: row.get("when", ""))
    last = {_what(row): _how(row, any_code) for row in ordered}
    kept: dict[tuple[Any, ...], Row] = {}
    for row in ordered:
        if _how(row, any_code) == last[_what(row)]:
            kept[*_what(row), row.get("seed")] = row
    return sorted(kept.values(), key=lambda row: row.get("seed") or 0)


def _what(row: Row) -> tuple[Any, ...]:
    return row["part"], row["file"], row["method"], row.get("case")


def _how(row: Row, any_code: bool) -> tuple[Any, ...]:
    code = None if any_code else row.get("code", row.get("machine"))
    return code, row.get("limit"), row.get("full_limit")


def by_file_and_method(rows: Iterable[Row], methods: Sequence[str]) -> dict[tuple[str, str], list[Row]]:
    """Return the rows of each file and method: small files first, methods in the order given."""
    found: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        found[row["file"]][row["method"]].append(row)
    return {(f, m): by[m] for f, by in sorted(found.items(), key=_size) for m in methods if m in by}


def _size(item: tuple[str, Any]) -> tuple[Any, ...]:
    """Sort weeks by model, days and sites (EG1000d6r-s7), other files by name behind them."""
    parts = re.match(r"EG(\d+)d(\d+)(r?)", item[0])
    return (0, parts[3], int(parts[2]), int(parts[1]), item[0]) if parts else (1, item[0])


def median(rows: Iterable[Row], of: Callable[[Row], Any]) -> float | None:
    """Return the median of the runs that have the figure, None when none has."""
    values = [value for row in rows if (value := of(row)) is not None]
    return statistics.median(values) if values else None


def middle(rows: Iterable[Row], of: Callable[[Row], Any]) -> float:
    """Return the median of a figure that is better when small; a run that never got there counts as infinite."""
    return statistics.median_high([NEVER if (value := of(row)) is None else value for row in rows])


def reached(rows: Iterable[Row], of: Callable[[Row], Any] = lambda row: row.get("objective")) -> float | None:
    """Return the median of an objective; a run without a plan counts as the worst. None: most had no plan."""
    values = [-NEVER if (value := of(row)) is None else value for row in rows]
    found = statistics.median_low(values) if values else -NEVER
    return None if found == -NEVER else found


def gap_at(gap: str) -> Callable[[Row], Any]:
    """Return what reads the seconds to a gap from a row."""
    return lambda row: row.get("to", {}).get(gap)


def best_at(point: int) -> Callable[[Row], Any]:
    """Return what reads the objective at a checkpoint from a row."""
    return lambda row: row.get("at", {}).get(str(point))


def seconds_to(rows: Sequence[Row], of: Callable[[Row], Any], never: str = "not reached") -> str:
    """Write a median of seconds."""
    value = middle(rows, of)
    return never if value == NEVER else f"{value:.1f}"


def count(rows: Iterable[Row], key: str) -> str:
    """Write a median of whole numbers."""
    return whole(median(rows, lambda row: row.get(key)))


def whole(value: float | None) -> str:
    """Write a number without its fraction."""
    return "" if value is None else f"{round(value):,}"


def percent(value: float | None, digits: int = 3) -> str:
    """Write a share as a percentage."""
    return "" if value is None else f"{100 * value:.{digits}f}%"


def end_gap(rows: Iterable[Row]) -> str:
    """Write the median gap at the end; a run without a bound counts as infinite."""
    value = middle(rows, lambda row: row.get("gap"))
    return "no bound" if value == NEVER else percent(value)


def notes(lines: Iterable[str]) -> str:
    """Write remarks below a table, each once."""
    found = "".join(f"- {line}\n" for line in dict.fromkeys(lines))
    return f"\n{found}" if found else ""
