"""What every router can do: a table of minutes and km from some points to others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

Point = tuple[float, float]
"""Latitude and longitude in degrees."""


@dataclass(frozen=True, slots=True)
class Table:
    """Whole minutes (rounded up) and km, [from][to]; None where no road leads."""

    minutes: tuple[tuple[int | None, ...], ...]
    km: tuple[tuple[float | None, ...], ...]


class Router(Protocol):
    """Anything that knows how long driving takes."""

    name: str

    def matrix(self, points: Sequence[Point], targets: Sequence[Point] | None = None) -> Table:
        """Return the table from `points` to `targets` (None: to the same points). Raises `RouterError`."""
        ...


Block = tuple[list[list[float | None]], list[list[float | None]]]
"""Seconds and km, [from][to]."""


def in_blocks(
    points: Sequence[Point], targets: Sequence[Point] | None, size: int, ask: Callable[[range, range], Block]
) -> Table:
    """Return the whole table out of blocks of at most `size` x `size`; `ask` gets the indices of each."""
    width = len(points if targets is None else targets)
    minutes: list[list[int | None]] = [[None] * width for _ in points]
    lengths: list[list[float | None]] = [[None] * width for _ in points]
    for top in range(0, len(points), size):
        rows = range(top, min(top + size, len(points)))
        for left in range(0, width, size):
            columns = range(left, min(left + size, width))
            seconds, km = ask(rows, columns)
            for i, row in enumerate(rows):
                minutes[row][left : left + size] = [minutes_of(value) for value in seconds[i]]
                lengths[row][left : left + size] = km[i]
    return Table(tuple(map(tuple, minutes)), tuple(map(tuple, lengths)))


def minutes_of(seconds: float | None) -> int | None:
    """Return whole minutes, rounded up (a millionth of a minute does not count); None stays None."""
    return None if seconds is None else math.ceil(round(seconds / 60, 6))
