"""A bound that needs no routes: all working time filled with the best values."""

from __future__ import annotations

import math

from routing.engine.fleet import FAR, Fleet


def knapsack_bound(fleet: Fleet) -> int | None:
    """Return a bound that holds for every plan: all working time filled with the best values, at least
    travel.

    None where travel may cost less than nothing.
    """
    if (fleet.cost < 0).any():
        return None
    worth: dict[int, float] = {}
    takes: dict[int, int] = {}
    time, refund = 0, 0
    for gap in fleet.gaps:
        values = gap.menu.value[gap.nodes].max(axis=1)
        stays = gap.menu.stay[gap.nodes, 0] + gap.setup
        for site, value, stay in zip(gap.nodes.tolist(), values.tolist(), stays.tolist(), strict=True):
            worth[site] = max(worth.get(site, 0.0), value)
            takes[site] = min(takes.get(site, FAR), stay)
        refund += len(gap.members) * max(0, gap.direct_cost)
        time += len(gap.members) * max(0, gap.deadline - gap.ready + gap.setup)
    total = 0.0
    for site in sorted(worth, key=lambda site: -worth[site] / max(1, takes[site])):
        visits = int(fleet.visits_left[site])
        share = min(1.0, time / max(1, visits * takes[site]))
        total += share * visits * worth[site]
        time -= visits * takes[site]
        if time <= 0:
            break
    return math.floor(fleet.constant + total + refund + 1e-6)
