"""Pricing on several cores: the compiled search runs outside the interpreter's lock, so threads suffice."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from routing.engine.clock import Clock
from routing.engine.cuts import Fines
from routing.engine.fleet import Chain, Fleet, Floats
from routing.engine.pricing import Priced, price
from routing.engine.tours import price_chain

TOURS_FOR_ONE = 4
"""Tours reach further than day trips and differ in more ways: so many times as many sites and columns."""
WEEK = 6
"""Days of a chain from which more columns a day are not wanted: over weeks they would swamp the linear program."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to price: prices of visits [days, sites], of gaps, of driving and of cuts (by day); how deep, how
    many, how wide.
    """

    visit: Floats
    rent: Floats
    toll: Floats
    fines: Sequence[Fines]
    floor: float
    want: int
    cap: int | None


class Crew:
    """Prices all gaps of a fleet, on `threads` cores. Use as a context, or call `close`."""

    def __init__(self, fleet: Fleet, clock: Clock, threads: int) -> None:
        self.fleet, self.clock = fleet, clock
        self._pool = ThreadPoolExecutor(max(1, min(threads, 8)), thread_name_prefix="pricing")
        # the largest first, so that no core waits long for the other at the end
        gaps = fleet.gaps
        single = [g for g in range(len(gaps)) if g not in fleet.chain_of]
        single.sort(key=lambda g: (-len(gaps[g].nodes), g))
        self._work: list[int | Chain] = [*fleet.chains, *single]

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _price(self, work: int | Chain, order: Order) -> list[tuple[int, Priced]] | None:
        """Price one gap, or one chain of gaps."""
        if self.clock.over():
            return None
        if isinstance(work, Chain):
            gaps = [self.fleet.gaps[g] for g in work.gaps]
            wide = max(1, TOURS_FOR_ONE * WEEK // max(WEEK, len(gaps)))
            try:
                priced = price_chain(
                    self.fleet,
                    work,
                    [order.visit[gap.day] for gap in gaps],
                    [float(order.rent[g]) for g in work.gaps],
                    floor=order.floor,
                    want=wide * (order.want + len(gaps[0].members)),
                    cap=None if order.cap is None else TOURS_FOR_ONE * order.cap,
                    fines=order.fines,
                    halt=self.clock.over,
                )
            except TimeoutError:
                return None
            return list(zip(work.gaps, priced, strict=True))
        gap = self.fleet.gaps[work]
        one = price(
            self.fleet,
            work,
            order.visit[gap.day],
            float(order.rent[work]),
            floor=order.floor,
            want=order.want + len(gap.members),
            cap=order.cap,
            toll=float(order.toll[gap.rule]) if gap.rule >= 0 else 0.0,
            fines=order.fines[gap.day],
        )
        return [(work, one)]

    def price_all(self, order: Order) -> list[Priced] | None:
        """Return what was found for each gap, in order; None when the clock ran out or the caller stopped."""
        done: dict[int, Priced] = {}
        for found in self._pool.map(lambda work: self._price(work, order), self._work):
            if found is None:
                return None
            done.update(found)
        return [done[g] for g in range(len(self.fleet.gaps))]

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)
