"""The congestion level of one hour from its expected or measured figures. Pure."""

from __future__ import annotations


def level_of(waited_h: float, arrivals: float, load: float, desks: float) -> int:
    """Return 0 calm, 1 lively, 2 busy, 3 crowded or 4 severe.

    `waited_h` person-hours waited in the hour, `arrivals` people, `load` erlangs, `desks` staffed.
    """
    wait = 60 * waited_h / arrivals if arrivals > 0 else 0.0
    level = sum(wait >= limit for limit in (10, 20, 45, 90))
    return max(level, 2) if desks > 0 and load > 1.2 * desks else level
