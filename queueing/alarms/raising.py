"""When a chance becomes an alarm: not at the first look, not twice for one crowd. Pure.

An alarm is raised at a look (every five minutes) when the chance is at or above the threshold at this look and at the
one before, and the line is at rest. A line is at rest again when for `QUIET_MIN` minutes no look has reached the
threshold. So one crowd is one alarm, however long it lasts, and a look between two crowds does not flicker.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

QUIET_MIN = 90.0
"""Minutes below the threshold after which a line may be warned of anew."""
BETWEEN_MIN = 12.0
"""Two looks are neighbours when at most so many minutes lie between them."""


@dataclass(frozen=True, slots=True)
class Rest:
    """What must be remembered of a line between looks; times are minutes on any one clock."""

    high_at: float = -inf
    """The last look at or above the threshold."""
    running: bool = False
    """The last look of all was one."""
    up: bool = False
    """An alarm has been raised and the line is not at rest since."""


def look(rest: Rest, at: float, chance: float, threshold: float) -> tuple[Rest, bool]:
    """One look; returns what to remember, and whether an alarm is raised now."""
    up = rest.up and at - rest.high_at <= QUIET_MIN
    if chance < threshold:
        return Rest(rest.high_at, False, up), False
    now = not up and rest.running and at - rest.high_at <= BETWEEN_MIN
    return Rest(at, True, up or now), now


def raised(looks: Iterable[tuple[float, float]], threshold: float) -> list[float]:
    """When alarms are raised over the looks (minute, chance) of one line and day, in time's order."""
    rest, found = Rest(), []
    for at, chance in looks:
        rest, now = look(rest, at, chance, threshold)
        if now:
            found.append(at)
    return found
