"""The engine's terms: menus of stays, gaps of working time, columns that fill them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
Visits = tuple[tuple[int, int], ...]
"""(site index, stay) in the order driven."""
NEVER = -1e15
FAR = 10**9


def _none() -> Ints:
    return np.zeros(0, np.int32)


@dataclass(frozen=True)
class Menu:
    """What a class of centers may offer on one day: arrays over sites, stays ascending, only those that pay
    more.

    `stay` [sites, options] int32 (FAR where none), `value` [sites, options] float (NEVER where none),
    `opens`/`closes` [sites] (closed: opens FAR, closes -1).
    """

    stay: Ints
    value: Floats
    opens: Ints
    closes: Ints


@dataclass
class Gap:
    """Working time to fill: leave place `origin` at `ready` or later, stand at `target` by `deadline`.

    `direct_*` is the leg driven when nothing is filled in. `members` are the (center id, day, place in the
    day's order of pins) that the gap stands for. `rule` numbers the shared driving allowance of a pinned day,
    -1 for none. Over `nodes` (site indices): `first`/`last` minutes at each, `way_in` clock minutes of the leg
    to it begun at `ready`, `drive_in`/`way_out` table minutes of the legs to it and from it, `home` the latest
    minute to leave for the target, `cost_in`/`cost_out`; `trip` is the least that any way from the origin through
    the site to the target costs, whatever lies between (-FAR where nothing is known).

    Where the night after may be spent away, `after` is the gap of the center's next working day (-1: none) and
    `apart` the nights until then; `slept` counts the nights in a row before this day.
    """

    members: list[tuple[str, int, int]]
    day: int
    menu: Menu
    origin: int
    target: int
    ready: int
    deadline: int
    setup: int
    drive: int
    direct_minutes: int
    direct_cost: int
    fixed: int
    nodes: Ints
    rule: int = -1
    stops: int = 0
    after: int = -1
    apart: int = 0
    slept: int = 0
    first: Ints = field(default_factory=_none)
    last: Ints = field(default_factory=_none)
    way_in: Ints = field(default_factory=_none)
    way_out: Ints = field(default_factory=_none)
    drive_in: Ints = field(default_factory=_none)
    home: Ints = field(default_factory=_none)
    cost_in: Floats = field(default_factory=lambda: np.zeros(0))
    cost_out: Floats = field(default_factory=lambda: np.zeros(0))
    trip: Floats = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True)
class Column:
    """One way to fill a gap: visits (site index, stay) in order, profit over leaving it empty, minutes
    driven more. A tour fills gaps of later days too (`more`), each begun where the day before ended; a later
    day without visits is a drive home.
    """

    gap: int
    visits: Visits
    profit: int
    drive: int
    more: tuple[tuple[int, Visits], ...] = ()

    @property
    def parts(self) -> tuple[tuple[int, Visits], ...]:
        """The gaps filled, a day each, with their visits: one, or several for a tour with nights away."""
        return ((self.gap, self.visits), *self.more)


@dataclass(frozen=True, slots=True)
class Chain:
    """The gaps of one pool of centers that may stay away, in the order of their days.

    `nights` in a row at most, each at `cost`. A gap's `after` says whether the night after it may be away.
    """

    gaps: tuple[int, ...]
    nights: int
    cost: int
