"""Small counts are not shown, nor can they be worked out from the sums that are. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

Row = TypeVar("Row", bound=Hashable)
Column = TypeVar("Column", bound=Hashable)
Cell = tuple[Row | None, Column | None]

LEAST = 5
"""Fewer people than this, but somebody, are never told of."""


def with_sums(counts: Mapping[tuple[Row, Column], int]) -> dict[Cell[Row, Column], int]:
    """The table with its sums: `None` stands for all rows, all columns."""
    table: dict[Cell[Row, Column], int] = {}
    for (row, column), count in counts.items():
        for cell in ((row, column), (row, None), (None, column), (None, None)):
            table[cell] = table.get(cell, 0) + count
    return table


def hidden(table: Mapping[Cell[Row, Column], int], least: int = LEAST) -> set[Cell[Row, Column]]:
    """The cells of a table with its sums that must not be shown.

    Hidden is every count of 1 to `least - 1`; and then, along each row and column with its sum, as many more (the
    smallest first) that what is hidden can neither be had by subtraction nor is small taken together. A count of
    nobody is shown: it tells of nobody.
    """
    taken = {cell for cell, count in table.items() if 0 < count < least}
    lines = _lines(table)
    while True:
        more = {cell for line in lines for cell in _needed(line, table, taken, least)}
        if not more:
            return taken
        taken |= more


def _lines(table: Mapping[Cell[Row, Column], int]) -> list[list[Cell[Row, Column]]]:
    """Each row and each column, its sum first."""
    by_row: dict[Row | None, list[Cell[Row, Column]]] = {}
    by_column: dict[Column | None, list[Cell[Row, Column]]] = {}
    for row, column in sorted(table, key=_order):
        by_row.setdefault(row, []).append((row, column))
        by_column.setdefault(column, []).append((row, column))
    return [*by_row.values(), *by_column.values()]


def _order(cell: Cell[Row, Column]) -> tuple[bool, str, bool, str]:
    row, column = cell
    return row is not None, str(row), column is not None, str(column)


def _needed(
    line: list[Cell[Row, Column]],
    table: Mapping[Cell[Row, Column], int],
    taken: set[Cell[Row, Column]],
    least: int,
) -> Iterable[Cell[Row, Column]]:
    """The next cell of a line that has to be hidden as well, if any."""
    total, parts = line[0], line[1:]
    gone = [cell for cell in parts if cell in taken]
    if total in taken:
        # All parts shown would tell the sum.
        enough = bool(gone) or not table[total]
    else:
        enough = not gone or (len(gone) > 1 and sum(table[cell] for cell in gone) >= least)
    if enough:
        return ()
    left = [cell for cell in parts if cell not in taken and table[cell]]
    if left:
        return (min(left, key=lambda cell: (table[cell], _order(cell))),)
    # Nothing else in this line: then its sum tells, and goes.
    return () if total in taken else (total,)
