"""Pricing on several cores: the compiled search runs outside the interpreter's lock, so threads suffice."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from routing.engine.clock import Clock
from routing.engine.cuts import Fines
from routing.engine.fleet import Fleet, Floats
from routing.engine.pricing import Priced, price


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

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _price(self, g: int, order: Order) -> Priced | None:
        if self.clock.over():
            return None
        gap = self.fleet.gaps[g]
        return price(
            self.fleet,
            g,
            order.visit[gap.day],
            float(order.rent[g]),
            floor=order.floor,
            want=order.want + len(gap.members),
            cap=order.cap,
            toll=float(order.toll[gap.rule]) if gap.rule >= 0 else 0.0,
            fines=order.fines[gap.day],
        )

    def price_all(self, order: Order) -> list[Priced] | None:
        """Return what was found for each gap, in order; None when the clock ran out or the caller stopped."""
        # the largest gaps first, so that no core waits long for the other at the end
        turn = sorted(range(len(self.fleet.gaps)), key=lambda g: (-len(self.fleet.gaps[g].nodes), g))
        done = dict(zip(turn, self._pool.map(lambda g: self._price(g, order), turn), strict=True))
        found = [done[g] for g in range(len(self.fleet.gaps))]
        return None if any(one is None for one in found) else [one for one in found if one is not None]

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)
