"""What one citizen will do: for which service, how patient, how quick to the desk, how long at it. Pure.

A person is drawn whole at arrival, so that the bulk past, the played morning and the live day tell the
same story.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

PATIENCE_MEDIAN_S = 105 * 60
PATIENCE_SIGMA = 0.7
"""Patience is log-normal: half would leave after 105 minutes, one in twenty after 33."""
PRIORITY_MIX = ((0, 0.885), (1, 0.095), (2, 0.02))
"""Share of people per priority class: 5.4% of Egyptians are over 65, more at counters, and people with a
disability."""
COMES_LATE, NEVER_COMES = 0.035, 0.03
"""Share of the called who come only when called again; who have gone unnoticed and miss their call."""
MISSED_RETURNS, MISSED_BACK_S = 0.3, (120.0, 1200.0)
"""Share of the missed who turn up after all, and within how many seconds."""
PARKS, PARK_S = 0.02, (180.0, 600.0)
"""Share of the served who are sent for a copy or a payment slip, and how many seconds that takes."""
TRANSFERS = 0.012
"""Share of the served whose errand goes on at another counter of the same line."""


@dataclass(frozen=True, slots=True)
class ServiceTime:
    """A service at the counter: its code and id, its share of the demand, triangular minutes (low, mode,
    high)."""

    service_id: int
    code: str
    weight: float
    low: float
    mode: float
    high: float

    @property
    def mean_s(self) -> float:
        """Mean seconds at the counter."""
        return (self.low + self.mode + self.high) * 20.0


@dataclass(frozen=True, slots=True)
class Person:
    """One citizen's draws. Durations in seconds."""

    service: ServiceTime
    priority: int
    patience_s: float
    walk_s: float
    calls: int
    """Calls needed until the person stands at the desk: 1 or 2; 0 for who never comes."""
    service_s: float
    park_share: float
    """Share of the service after which the person is sent away for a paper; 0 for nearly everybody."""
    park_s: float
    back_s: float
    """After a missed call, seconds until the person turns up again; 0 for never."""
    second: ServiceTime | None = None
    """The service the errand goes on with after the first."""
    second_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Mix:
    """Services with cumulative weights, ready to draw from."""

    services: tuple[ServiceTime, ...]
    cumulative: tuple[float, ...]
    patience: float = 1.0
    """Multiplies everybody's patience (a village van is waited for longer)."""

    @classmethod
    def of(cls, services: tuple[ServiceTime, ...], *, patience: float = 1.0) -> Mix:
        """Raises ValueError when nothing can be asked for."""
        total, cumulative = 0.0, []
        for service in services:
            total += service.weight
            cumulative.append(total)
        if not total > 0:
            raise ValueError("a queue without any service in demand cannot be simulated")
        return cls(services, tuple(cumulative), patience)

    @property
    def mean_service_s(self) -> float:
        """Demand-weighted mean seconds at the counter."""
        return sum(s.weight * s.mean_s for s in self.services) / self.cumulative[-1]


PATIENCE_MU = math.log(PATIENCE_MEDIAN_S)


def draw_person(draw: Random, mix: Mix) -> Person:
    """One citizen."""
    (service,) = draw.choices(mix.services, cum_weights=mix.cumulative)
    chance = draw.random
    comes = chance()
    missing = comes < NEVER_COMES
    parks = chance() < PARKS
    second, second_s = None, 0.0
    if chance() < TRANSFERS:
        (second,) = draw.choices(mix.services, cum_weights=mix.cumulative)
        second_s = draw.triangular(second.low, second.high, second.mode) * 60.0
    return Person(
        service=service,
        priority=_priority(chance()),
        patience_s=mix.patience * draw.lognormvariate(PATIENCE_MU, PATIENCE_SIGMA),
        walk_s=draw.triangular(8.0, 60.0, 20.0),
        calls=0 if missing else 2 if comes < NEVER_COMES + COMES_LATE else 1,
        service_s=draw.triangular(service.low, service.high, service.mode) * 60.0,
        park_share=draw.uniform(0.3, 0.7) if parks else 0.0,
        park_s=draw.uniform(*PARK_S) if parks else 0.0,
        back_s=draw.uniform(*MISSED_BACK_S) if missing and chance() < MISSED_RETURNS else 0.0,
        second=second,
        second_s=second_s,
    )


def _priority(chance: float) -> int:
    for priority, share in PRIORITY_MIX:
        chance -= share
        if chance < 0:
            return priority
    return PRIORITY_MIX[-1][0]


def arrival_times(draw: Random, rates: tuple[tuple[float, float, float], ...]) -> list[float]:
    """Instants of a Poisson stream whose rate is constant on pieces (from, to, people an hour), seconds,
    ascending."""
    found: list[float] = []
    for begin, end, per_hour in rates:
        if per_hour <= 0:
            continue
        at, rate = begin, per_hour / 3600.0
        while (at := at + draw.expovariate(rate)) < end:
            found.append(at)
    return found
