"""Dividing whole numbers fairly: seats by largest remainder and by highest averages. Pure, deterministic."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def largest_remainder(total: int, weights: Sequence[float], *, at_least: int = 0) -> list[int]:
    """`total` split in proportion to `weights` in whole numbers, each at least `at_least`; sums to `total`.

    The minimum is given first and the rest by Hamilton's method; ties go to the earlier. Raises ValueError
    when the minimum alone is more than the total, or weights are missing.
    """
    count = len(weights)
    rest = total - at_least * count
    if count == 0 or rest < 0:
        raise ValueError(f"{total} cannot be split among {count} with at least {at_least} each")
    whole = sum(weights)
    if whole <= 0:
        weights, whole = [1.0] * count, float(count)
    # What the minimum covers is taken off each exact share, so that small places are not counted twice.
    claims = [max(0.0, total * weight / whole - at_least) for weight in weights]
    claimed = sum(claims)
    exact = [rest * claim / claimed for claim in claims] if claimed > 0 else [rest / count] * count
    floors = [int(value) for value in exact]
    order = sorted(range(count), key=lambda i: (-(exact[i] - floors[i]), i))
    for i in order[: rest - sum(floors)]:
        floors[i] += 1
    return [at_least + value for value in floors]


def highest_averages(total: int, weights: Sequence[float], *, at_least: int = 1) -> list[int]:
    """`total` seats given one by one to the largest weight / (seats + 1) (D'Hondt), after `at_least` seats
    each.

    Keeps the busiest seat as light as can be: what centers of crowded cities need. Raises ValueError like
    above.
    """
    count = len(weights)
    if count == 0 or total < at_least * count:
        raise ValueError(f"{total} cannot be split among {count} with at least {at_least} each")
    seats = [at_least] * count
    heap = [(-weight / (at_least + 1), i) for i, weight in enumerate(weights)]
    heapq.heapify(heap)
    for _ in range(total - at_least * count):
        _, i = heapq.heappop(heap)
        seats[i] += 1
        heapq.heappush(heap, (-weights[i] / (seats[i] + 1), i))
    return seats
