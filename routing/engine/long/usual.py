"""How many routes there are, roughly: what the choice between the two arms rests on."""

from __future__ import annotations

import math

import numpy as np

from routing.engine.fleet import Fleet
from routing.engine.terms import FAR, Gap

_CLOSE = 3  # neighbours whose mean distance stands for the way from one stop to the next


def usual_routes(fleet: Fleet) -> float:
    """Return the decimal logarithm of about how many routes the fullest gap has: its sites to the power of the
    stops that a route usually holds.
    """
    return max((_stops(fleet, gap) * math.log10(max(1, len(gap.nodes))) for gap in fleet.gaps), default=0.0)


def _stops(fleet: Fleet, gap: Gap) -> float:
    """Return how many stops a route usually holds: the time for visits by the median time of a stop with the way
    from its neighbours. Rough, too high rather than too low.
    """
    nodes = gap.nodes
    if len(nodes) < 2:
        return float(len(nodes))
    places = fleet.place[nodes]
    legs = fleet.minutes[np.ix_(places, places)].astype(np.int64)
    np.fill_diagonal(legs, FAR)
    close = min(_CLOSE, len(nodes) - 1)
    between = np.partition(legs, close - 1, axis=1)[:, :close].mean(axis=1)
    takes = float(np.median(gap.menu.stay[nodes, 0] + gap.setup + between))
    ways = float(np.median(gap.drive_in + gap.way_out))
    time = gap.deadline - gap.ready - ways + float(np.median(between))
    return min(float(gap.stops), max(1.0, time / max(1.0, takes)))
