"""Pricing on several cores: forked helpers that share the fleet and get nothing but prices.

Threads do not help (pricing is many small numpy calls under one lock), so each helper is a forked process. It
ends when its pipe closes, whatever happens to the parent.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection

from routing.engine.clock import Clock
from routing.engine.fleet import Fleet, Floats
from routing.engine.pricing import Priced, price

LEAST_GAPS = 20  # fewer are priced sooner than told about


@dataclass(frozen=True, slots=True)
class Order:
    """What to price: prices of visits [days, sites], of gaps and of driving; how deep, how many, how wide."""

    visit: Floats
    rent: Floats
    toll: Floats
    floor: float
    want: int
    cap: int | None


def _past(moment: float) -> bool:
    """Say whether `moment` on the monotonic clock, which forked processes share, is over."""
    return time.monotonic() > moment


class Crew:
    """Prices all gaps of a fleet, on `threads` cores. Use as a context, or call `close`."""

    def __init__(self, fleet: Fleet, clock: Clock, threads: int) -> None:
        self.fleet, self.clock = fleet, clock
        self._pipes: list[Connection] = []
        self._helpers: list[int] = []
        if threads > 1 and len(fleet.gaps) >= LEAST_GAPS and hasattr(os, "fork"):
            for _ in range(min(threads, 8) - 1):
                self._hire(threads)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hire(self, threads: int) -> None:
        ours, theirs = multiprocessing.Pipe()
        share = len(self._helpers) + 1
        child = os.fork()
        if child:
            theirs.close()
            self._pipes.append(ours)
            self._helpers.append(child)
            return
        try:
            ours.close()
            for pipe in self._pipes:
                pipe.close()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            self._help(theirs, share, min(threads, 8))
        finally:
            os._exit(0)

    def _help(self, pipe: Connection, share: int, of: int) -> None:
        """Answer orders until the pipe closes (in the helper)."""
        while True:
            try:
                order, until = pipe.recv()
                done = {}
                for g in range(share, len(self.fleet.gaps), of):
                    try:
                        done[g] = self._price(g, order, partial(_past, until))
                    except TimeoutError:
                        break
                pipe.send(done)
            except (EOFError, OSError):
                return

    def _price(self, g: int, order: Order, halt: Callable[[], bool]) -> Priced:
        gap = self.fleet.gaps[g]
        toll = float(order.toll[gap.rule]) if gap.rule >= 0 else 0.0
        return price(
            self.fleet,
            g,
            order.visit[gap.day],
            float(order.rent[g]),
            floor=order.floor,
            want=order.want + len(gap.members),
            cap=order.cap,
            toll=toll,
            halt=halt,
        )

    def price_all(self, order: Order) -> list[Priced] | None:
        """Return what was found for each gap, in order; None when the clock ran out or the caller stopped."""
        until = time.monotonic() + min(self.clock.left, 1e6)
        try:
            for pipe in self._pipes:
                pipe.send((order, until))
            done: dict[int, Priced] = {}
            for g in range(0, len(self.fleet.gaps), len(self._pipes) + 1):
                if self.clock.over():
                    break
                try:
                    done[g] = self._price(g, order, self.clock.over)
                except TimeoutError:
                    break
            for pipe in self._pipes:
                while not pipe.poll(0.05):
                    if self.clock.stopped or self.clock.left < -0.2:
                        self.close()
                        return None
                done.update(pipe.recv())
        except (EOFError, OSError):  # a helper is gone: go on alone
            self.close()
            return self.price_all(order)
        if len(done) < len(self.fleet.gaps):
            return None
        return [done[g] for g in range(len(self.fleet.gaps))]

    def close(self) -> None:
        """Let the helpers go."""
        for pipe in self._pipes:
            pipe.close()
        for helper in self._helpers:
            os.kill(helper, signal.SIGKILL)
            os.waitpid(helper, 0)
        self._pipes, self._helpers = [], []
