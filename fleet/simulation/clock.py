"""The demonstration's time: how real instants map to simulated ones, and when a night is leapt over. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fleet.calendar import CAIRO, local_day, local_instant, local_minute

LAST_CLOSING = 17 * 60 + 30
"""Local minute after which nothing happens: offices close at 15:00, vans are back by 17:00 or a little
late."""
MORNING = 7 * 60
"""Local minute at which a simulated day begins: the first vans leave."""


@dataclass(frozen=True, slots=True)
class DemoClock:
    """One anchor: at the instant `real` it was `simulated`, and since then `speed` simulated seconds pass
    a second."""

    real: datetime
    simulated: datetime
    speed: float

    def __post_init__(self) -> None:
        if self.real.tzinfo is None or self.simulated.tzinfo is None:
            raise ValueError("a demonstration clock needs aware instants")
        if self.speed < 0:
            raise ValueError(f"time cannot run backwards (speed {self.speed:g})")

    def at(self, real: datetime) -> datetime:
        """The simulated instant (UTC) at the real instant `real`; never before the anchor."""
        passed = max(timedelta(), real - self.real)
        return (self.simulated + passed * self.speed).astimezone(UTC)

    def leapt(self, real: datetime, to: datetime) -> DemoClock:
        """The clock that shows `to` at `real`. Raises ValueError when that would take time back."""
        if to < self.at(real):
            raise ValueError(
                f"the clock already shows {self.at(real):%F %T}, it cannot go back to {to:%F %T}"
            )
        return DemoClock(real, to.astimezone(UTC), self.speed)

    def resumed(self, real: datetime, seen: datetime | None) -> DemoClock:
        """The clock after a stop: time stood still while nobody ran the day, at `seen` (the last tick) if
        known."""
        shown = self.simulated if seen is None else max(seen, self.simulated)
        return DemoClock(real, shown.astimezone(UTC), self.speed)

    def with_speed(self, real: datetime, speed: float) -> DemoClock:
        """The same instant at `real`, another speed from then on."""
        return DemoClock(real, self.at(real), speed)

    def to_dict(self) -> dict[str, Any]:
        """The stored form (setting `demo_clock`)."""
        return {"real": self.real.isoformat(), "sim": self.simulated.isoformat(), "speed": self.speed}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> DemoClock:
        """The clock out of its stored form. Raises KeyError or ValueError when it is not one."""
        return cls(
            datetime.fromisoformat(str(value["real"])),
            datetime.fromisoformat(str(value["sim"])),
            float(value["speed"]),
        )


def leap(
    now: datetime,
    works: Callable[[date], bool],
    *,
    last_closing: int = LAST_CLOSING,
    morning: int = MORNING,
    zone: ZoneInfo = CAIRO,
) -> datetime | None:
    """Where the clock should leap to from `now`, or None while there is something to see.

    Nights and days on which nobody works (`works(day)` false) are leapt over: after `last_closing`, before
    `morning` and on days off the answer is `morning` of the next working day. A calendar without any
    working day within 60 days gives None: time then simply passes.
    """
    today, minute = local_day(now, zone), local_minute(now, zone)
    if works(today) and morning <= minute < last_closing:
        return None
    first = today if minute < morning else today + timedelta(days=1)
    for ahead in range(60):
        day = first + timedelta(days=ahead)
        if works(day):
            return local_instant(day, morning, zone)
    return None
