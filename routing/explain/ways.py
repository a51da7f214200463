"""Where could it go? The best ways to give a place a visit, or to put a visit elsewhere, each with its price.

A way is an insertion into one center's day: into free time, instead of a stop, or instead of all the day's stops; or
a chain: the stop that gives way goes where it loses least. Weeks that a solver has filled leave few free gaps, so the
chains are what a planner would hardly find by trying. Every way returned has been driven by the referee's code.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from routing.explain.board import Board
from routing.explain.slots import CENTER, FAR, NEVER, Ints, Slot, Table
from routing.solution import Key, Route, Visit

CHAINS = 60
"""So many of the most promising replacements are followed one step further."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to visit a place.

    `gain` is the change of the plan's objective (negative: it loses), exact. `dropped` lose their visit, `moved` are
    (before, after) of others that go elsewhere. `edited` are the routes that carry it out (`move_cost` takes them).
    """

    visit: Visit
    gain: int
    dropped: tuple[Visit, ...]
    moved: tuple[tuple[Visit, Visit], ...]
    edited: tuple[Route, ...]

    @property
    def kind(self) -> str:
        """`free`: nobody gives way; `chain`: others are moved; `instead`: others lose their visit."""
        return "chain" if self.moved else "instead" if self.dropped else "free"


def ways(
    board: Board,
    site: str,
    *,
    visit: Visit | None = None,
    most: int = 8,
    closed_days: Collection[int] = (),
    closed_centers: Collection[str] = (),
) -> tuple[Way, ...]:
    """Return the best ways to serve `site` once more, or to put its `visit` elsewhere, the best first.

    At most one way for each center and day. Nothing is changed on `closed_days` or by `closed_centers`.
    """
    search = _Search(board, site, visit, frozenset(closed_days), frozenset(closed_centers))
    best: dict[Key, Way] = {}
    plain = list(search.plain(most))
    least = plain[-1].gain if len(plain) == most else NEVER
    for way in (*plain, *search.chains(least)):
        known = best.get(way.visit.key)
        if known is None or way.gain > known.gain:
            best[way.visit.key] = way
    ranked = sorted(best.values(), key=lambda w: (-w.gain, len(w.edited), w.visit.day, w.visit.center))
    return tuple(ranked[:most])


class _Search:
    """One question: the plan without the visit in question, and its site tried in every slot."""

    def __init__(
        self,
        board: Board,
        site: str,
        visit: Visit | None,
        closed_days: frozenset[int],
        closed: frozenset[str],
    ) -> None:
        self.board, self.visit = board, visit
        self.site = board.problem.site_by_id[site]
        self.closed_days, self.closed = closed_days, closed
        base = board if visit is None else board.without(visit)
        self.stuck = base is None  # the day cannot stand without the visit
        self.base = base or board
        self.removed = 0 if visit is None or self.stuck else board.difference(self.base, [visit.key])
        self.table = self.base.table
        shut = closed_days | self.base.full_days(self.site)
        tries = self.table.tries(self.site, closed=shut)
        self.gain = self._barred(self.table, tries.gain)
        self.stay = tries.stay
        if self.stuck:
            self.gain = np.full_like(self.gain, NEVER)

    def plain(self, most: int) -> Iterator[Way]:
        """Yield the best way of each center and day, the best `most` of them."""
        done: set[Key] = set()
        for row in self._ranked():
            slot = self.table.slots[row]
            if slot.key in done:
                continue
            way = self._way(row, slot)
            if way is not None:
                done.add(slot.key)
                yield way
            if len(done) >= most:
                return

    def chains(self, least: int) -> Iterator[Way]:
        """Yield replacements whose stop finds another place, those that gain more than `least`."""
        if self.stuck:
            return
        hopeful: list[tuple[int, int]] = []
        for row in self._ranked():
            slot = self.table.slots[row]
            if len(slot.out) != 1:
                continue
            stop = self.base.routes[slot.key].stops[slot.out[0]]
            if stop.site == self.site.id:
                continue
            hope = int(self.gain[row]) + self._most(stop.site)
            if self.removed + hope > least:
                hopeful.append((hope, row))
            if len(hopeful) >= 6 * CHAINS:
                break
        hopeful.sort(key=lambda pair: -pair[0])
        for _, row in hopeful[:CHAINS]:
            way = self._chain(row, self.table.slots[row], least)
            if way is not None:
                yield way

    def _ranked(self) -> Iterator[int]:
        for row in np.argsort(-self.gain, kind="stable").tolist():
            if self.gain[row] <= NEVER // 2:
                return
            yield row

    def _most(self, site: str) -> int:
        """The most that a visit of `site` could bring back."""
        stays, values = self.base.offers(self.base.problem.site_by_id[site])
        relief = sum(int(self.base.prices[g]) for g in self.base.groups_of.get(site, ()))
        return int(values[stays < FAR].max(initial=0)) + relief

    def _placed(self, row: int, slot: Slot) -> tuple[Route, Visit] | None:
        """Drive the day with the site in that slot."""
        stay = int(self.stay[row])
        route = self.base.takes(slot, self.site.id, stay)
        if route is None:
            return None
        visit = Visit(*slot.key, self.site.id, route.stops[slot.position].start, stay)
        return None if visit == self.visit else (route, visit)

    def _out(self, slot: Slot) -> list[Visit]:
        stops = self.base.routes[slot.key].stops if slot.out else ()
        return [Visit(*slot.key, stops[k].site, stops[k].start, stops[k].stay) for k in slot.out]

    def _way(self, row: int, slot: Slot) -> Way | None:
        placed = self._placed(row, slot)
        if placed is None:
            return None
        route, visit = placed
        edited = self._edited({slot.key: route})
        return Way(visit, self.removed + int(self.gain[row]), tuple(self._out(slot)), (), edited)

    def _edited(self, routes: dict[Key, Route]) -> tuple[Route, ...]:
        """Return the changed days, with the one that the visit leaves."""
        if self.visit is not None and self.visit.key not in routes:
            left = self.base.routes.get(self.visit.key)
            begin = self.base.start_of(self.visit.key)[1]
            routes = {**routes, self.visit.key: left or Route(*self.visit.key, begin, ())}
        return tuple(routes[key] for key in sorted(routes))

    def _chain(self, row: int, slot: Slot, least: int) -> Way | None:
        """Give the site the stop's place, and the stop the best free place elsewhere; None when that gains no more
        than `least`.
        """
        base, (gone,) = self.base, self._out(slot)
        other = base.problem.site_by_id[gone.site]
        short = base.short.copy()
        for g in base.groups_of.get(self.site.id, ()):
            short[g] -= 1
        for g in base.groups_of.get(gone.site, ()):
            short[g] += 1
        shut = self.closed_days | base.full_days(other, less=gone.day)
        tries = base.free.tries(other, closed=shut, short=short)
        gain = self._barred(base.free, tries.gain)
        here: tuple[Route, Visit] | None = None
        for at in np.argsort(-gain, kind="stable")[:40].tolist():
            target = base.free.slots[at]
            total = self.removed + int(self.gain[row]) + int(gain[at])
            if gain[at] <= 0 or total <= least:
                return None
            if target.key == slot.key:
                continue
            here = here or self._placed(row, slot)
            if here is None:
                return None
            stay = int(tries.stay[at])
            there = base.takes(target, gone.site, stay)
            if there is not None:
                center, day = target.key
                new = Visit(center, day, gone.site, there.stops[target.position].start, stay)
                edited = self._edited({slot.key: here[0], target.key: there})
                return Way(here[1], total, (), ((gone, new),), edited)
        return None

    def _barred(self, table: Table, gain: Ints) -> Ints:
        """Return `gain` with nothing for centers that are not to be changed."""
        barred = [table.board.center_index[name] for name in self.closed if name in table.board.center_index]
        return np.where(np.isin(table.rows[:, CENTER], barred), NEVER, gain) if barred and len(gain) else gain
