"""What a queue's day has to offer: hours, desks with lunch, and who comes when. Pure; drawn from (seed,
queue, day) alone.

The bulk past, the played morning and the live day all start from `arrivals`, so that they agree person by
person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from fleet.calendar import Calendar, local_instant
from fleet.demand import DAY_PROFILE, expected_requests
from fleet.simulation.behaviour import Mix, Person, ServiceTime, arrival_times, draw_person
from fleet.simulation.truth import site_truth, stream

OVERTIME_S = 75 * 60.0
"""After the doors close, desks go on for the people inside, but not longer than this; then the rest are sent
home."""
LUNCH_S = 30 * 60.0
LATE_MINUTES = 12.0
"""Desks open up to so many minutes after the doors (the first always opens on time)."""
ABSENT = 0.06
"""Chance that a desk stays empty all day, where there are at least three."""
VAN_ANNOUNCED_BY_PAPER = 7.6
"""Requests a working day at a van whose stops were only told in newspapers (Sharqia, 2025)."""

Rates = tuple[tuple[float, float, float], ...]
"""Pieces of a day: from and to in seconds after opening, people an hour."""


@dataclass(frozen=True, slots=True)
class DeskFacts:
    """A desk and the ids of the services it is limited to (None: all)."""

    desk_id: int
    services: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class LineFacts:
    """What the simulation must know of a queue; plain values, so that it can go to another process."""

    queue_id: int
    key: str
    """Names the hidden truth: the same for a queue in any database."""
    letter: str
    first_number: int
    last_number: int
    recall_limit: int
    cool_down_s: int
    population: float
    """People for whom this queue is the one to go to (a catchment, times the share of demand that goes
    here)."""
    open_minute: int
    close_minute: int
    desks: tuple[DeskFacts, ...]
    services: tuple[ServiceTime, ...]
    zone: str = "Africa/Cairo"


@dataclass(frozen=True, slots=True)
class DeskDay:
    """When a desk is staffed: spells in seconds after opening. The last one lasts until the line is empty."""

    desk_id: int
    spells: tuple[tuple[float, float], ...]
    services: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One queue's day, before anybody has come. Seconds count from `opens`."""

    line: LineFacts
    day: date
    opens: datetime
    closes_s: float
    end_s: float
    rates: Rates
    mix: Mix
    desks: tuple[DeskDay, ...]

    def at(self, second: float) -> datetime:
        """The instant (UTC) so many seconds after opening."""
        return self.opens + timedelta(seconds=second)

    def second(self, instant: datetime) -> float:
        """Seconds after opening of an instant."""
        return (instant - self.opens).total_seconds()

    @property
    def expected(self) -> float:
        """Expected number of arrivals."""
        return sum((end - begin) * per_hour / 3600 for begin, end, per_hour in self.rates)


def arrivals(scenario: Scenario, seed: int) -> list[tuple[float, Person]]:
    """Everybody who comes, with the second after opening; the n-th has serial n (from 0) in request ids."""
    draw = stream(seed, scenario.line.key, "people", scenario.day.toordinal())
    return [(at, draw_person(draw, scenario.mix)) for at in arrival_times(draw, scenario.rates)]


def fixed_day(
    line: LineFacts, day: date, *, seed: int, calendar: Calendar, relieved: float = 0.0
) -> Scenario | None:
    """A fixed center's day, or None when it is closed. `relieved` is the share of its people that visits
    draw away."""
    expected = expected_requests(line.population, day, calendar=calendar)
    if expected <= 0:
        return None
    truth = site_truth(seed, line.key)
    opening, closing = calendar.hours(day, line.open_minute, line.close_minute)
    if closing <= opening:
        return None
    total = expected * truth.factor(day) * (1.0 - relieved)
    return _scenario(line, day, opening, closing, total, seed, tilt=truth.morning)


def van_day(line: LineFacts, day: date, expected: float, *, seed: int, tilt: float = 0.6) -> Scenario:
    """A visit's day with `expected` people; who knows of it comes early (tilt), and is patient: the next
    visit is far."""
    return _scenario(line, day, line.open_minute, line.close_minute, expected, seed, tilt=tilt, patience=1.8)


def _scenario(
    line: LineFacts,
    day: date,
    opening: int,
    closing: int,
    total: float,
    seed: int,
    *,
    tilt: float,
    patience: float = 1.0,
) -> Scenario:
    opens = local_instant(day, opening)
    closes_s = (local_instant(day, closing) - opens).total_seconds()
    draw = stream(seed, line.key, "desks", day.toordinal())
    return Scenario(
        line=line,
        day=day,
        opens=opens,
        closes_s=closes_s,
        end_s=closes_s + OVERTIME_S,
        rates=profile(total, closes_s, tilt),
        mix=Mix.of(line.services, patience=patience),
        desks=tuple(_desk_days(line.desks, closes_s, draw)),
    )


def profile(total: float, closes_s: float, tilt: float) -> Rates:
    """Spread `total` people over the day by the profile of the demand model, tilted towards the morning by
    `tilt`."""
    step = closes_s / len(DAY_PROFILE)
    middle = (len(DAY_PROFILE) - 1) / 2
    weights = [w * (1 + tilt * (middle - i) / len(DAY_PROFILE)) for i, w in enumerate(DAY_PROFILE)]
    weights = [max(0.0, w) for w in weights]
    scale = total / sum(weights) / step * 3600
    return tuple((i * step, (i + 1) * step, w * scale) for i, w in enumerate(weights))


def _desk_days(desks: tuple[DeskFacts, ...], closes_s: float, draw: Random) -> list[DeskDay]:
    """Lunch is taken in turn from the middle of the day on, so that a place with several desks never stands
    still."""
    found = []
    for place, desk in enumerate(desks):
        late, absent = draw.uniform(0, LATE_MINUTES * 60), draw.random() < ABSENT
        if absent and len(desks) >= 3 and place > 0:
            continue
        begin = 0.0 if place == 0 else late
        lunch = 0.5 * closes_s + (place % 3) * LUNCH_S
        long_day = closes_s > 5 * 3600
        spells = ((begin, lunch), (lunch + LUNCH_S, closes_s)) if long_day else ((begin, closes_s),)
        found.append(DeskDay(desk.desk_id, spells, desk.services))
    return found
