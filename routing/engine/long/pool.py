"""Routes met by the search, the best for each set of sites, for the integer master to choose from."""

from __future__ import annotations

import threading

from routing.engine.fleet import Column, Fleet
from routing.engine.long.model import Data
from routing.engine.long.search import State

_MOST = 60_000


class Pool:
    """Columns by gap and set of sites. Safe to use from several threads."""

    def __init__(self, fleet: Fleet, data: Data) -> None:
        self.fleet, self.data = fleet, data
        self._columns: dict[tuple[int, tuple[int, ...]], Column] = {}
        self._lock = threading.Lock()

    def drain(self, state: State) -> None:
        """Take over the routes that `state` has noted."""
        many, data = int(state.pooled[0]), self.data
        made = []
        for i in range(many):
            gap, size = int(state.pool_gap[i]), int(state.pool_size[i])
            stays = data.stay[data.gap[gap, 0]]
            visits = tuple(
                (site, int(stays[site, option]))
                for site, option in zip(
                    state.pool_seq[i, :size].tolist(), state.pool_opt[i, :size].tolist(), strict=True
                )
            )
            made.append((gap, visits))
        state.pooled[0] = 0
        for gap, visits in made:
            column = self.fleet.column(gap, visits)
            if column is not None:
                self.add(column)

    def add(self, column: Column) -> None:
        """Keep `column` if none as good serves the same sites in the same gap."""
        key = (column.gap, tuple(sorted(site for site, _ in column.visits)))
        with self._lock:
            old = self._columns.get(key)
            if old is None and len(self._columns) >= _MOST:
                self._columns.pop(next(iter(self._columns)))
            if old is None or old.profit < column.profit:
                self._columns.pop(key, None)
                self._columns[key] = column

    def newest(self, many: int) -> list[Column]:
        """Return the columns added last, the newest first."""
        with self._lock:
            return list(self._columns.values())[: -many - 1 : -1]

    def __len__(self) -> int:
        return len(self._columns)
