"""The same day in SimPy, from the same draws: who is served when must agree to the last bit of a clock."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import simpy

from fleet.relief import Floats
from fleet.simulation.engine import People


def begins(who: People, desks: int) -> tuple[Floats, Floats]:
    """(when service began or the person left, 1 for who left) at one line of desks that are there all day."""
    n = who.count
    found, left = np.zeros(n), np.zeros(n)
    world = simpy.Environment()
    line = simpy.PriorityResource(world, capacity=desks)

    def person(i: int) -> Generator[Any, Any, None]:
        yield world.timeout(float(who.arrives[i]))
        key = float(who.arrives[i] - who.head_start[i])
        with line.request(priority=key) as turn:
            if np.isfinite(who.patience[i]):
                yield turn | world.timeout(float(who.patience[i]))
            else:
                yield turn
            found[i] = world.now
            if not turn.triggered:
                left[i] = 1
                return
            yield world.timeout(float(who.service[i]))

    for i in range(n):
        world.process(person(i))
    world.run()
    return found, left
