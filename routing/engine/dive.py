"""Diving: a plan from the linear program by fixing its fullest routes, solving again, and fixing more.

Each solve lets the routes not yet fixed make room for those that are, which plain rounding cannot, and routes for
what is left are priced in between, since the linear program knows none of them: a dive's plan lies five times
closer to the bound than rounding's (Sadykov, Vanderbeck, Pessoa, Tahiri and Uchoa 2019, "Primal heuristics for
branch and price: the assets of diving methods").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from routing.engine.clock import Clock
from routing.engine.fleet import Column
from routing.engine.master import Duals, Master
from routing.engine.primal import Ledger

SHARE = 0.3
"""Of the routes still fractional, the share that is fixed at a time."""
SURE = 0.7
"""A route this full is fixed at once."""


Pricing = Callable[[Duals, Ledger], Iterable[Column]]
"""Given prices and what is fixed so far, routes that pay and still fit."""


def dive(master: Master, clock: Clock, seconds: float | None, pricing: Pricing) -> list[Column]:
    """Return the columns of a plan made in about `seconds`, from the values of the master's last solve.

    Whatever time leaves unfixed is rounded: the fullest first. The master keeps the columns found on the way and its
    last solution is as it was before.
    """
    until = math.inf if seconds is None else clock.elapsed + seconds
    ledger = Ledger(master.fleet)
    fixed: dict[int, int] = {}
    values = master.values.tolist()
    before = master.values, master.objective, master.duals
    try:
        while True:
            rest = [(value - fixed.get(i, 0), i) for i, value in enumerate(values) if value > 1e-6]
            rest = [(value, i) for value, i in rest if value > 1e-6]
            rest.sort(key=lambda pair: (-pair[0], -master.columns[pair[1]].profit, pair[1]))
            if not rest:
                break
            late = clock.elapsed > until or clock.stopped
            part = len(rest) if late else math.ceil(SHARE * len(rest))
            took = 0
            for place, (value, i) in enumerate(rest):
                if place >= part and value < SURE:
                    break
                for _ in range(max(1, math.floor(value + 1e-6))):
                    if ledger.fits(master.columns[i]) and ledger.gain(master.columns[i]) > 0:
                        ledger.add(master.columns[i])
                        fixed[i] = fixed.get(i, 0) + 1
                        took += 1
            if late or not took:
                break
            master.fix(fixed)
            duals = master.solve(until - clock.elapsed)
            if duals is None:
                break
            if master.add(pricing(duals, ledger)) and master.solve(until - clock.elapsed) is None:
                break
            values = master.values.tolist()
    finally:
        master.fix({})
        master.values, master.objective, master.duals = before
    return ledger.columns
