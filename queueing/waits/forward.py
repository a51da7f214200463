"""How long people in one center will wait: its live state played forward many times. Pure.

Where desks serve several services, people with priority overtake, appointments come and some give up, no
formula of the people ahead holds. So the state as it stands is played on: who is at which desk and since
when, who waits in which order, which appointments are still to come. Service times are log-normal with the
mean and the squared coefficient of variation learned for the service, the time left of a running service is
drawn given how long it has run; people who come and overtake are Poisson, patience is exponential; a factor
of the day (nobody knows how fast today is) is drawn for each run. Desks stay as they are: the roster's
future is not known.

One set of runs answers for everybody in the line. Who gives up costs no desk time, but what they would have
waited is still written down: the wait of those who stay is not that of the impatient, and leaving them out
would promise too little.

Later ordinary arrivals never matter: whoever stands before them is called first at every desk that can
serve both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from queueing.waits.bands import LEVELS
from queueing.waits.snapshots import Floats

RUNS = 100
DAY_SPREAD = 0.12
"""Standard deviation of the logarithm of a day's pace."""
FAR = 1e9


@dataclass(frozen=True, slots=True)
class Times:
    """Desk minutes of one service, the way to the desk included."""

    mean: float
    cv2: float


@dataclass(frozen=True, slots=True)
class Counter:
    """A desk that is open, or pauses. `serves`: places in the center's services. `busy`: the service at it,
    None when free; `elapsed`: minutes since that was called."""

    serves: frozenset[int]
    busy: int | None = None
    elapsed: float = 0.0
    away: float = 0.0
    """Minutes until it is staffed again, on average, where it is not now (a pause; 0: it is)."""
    pauses: tuple[tuple[tuple[float, float], ...], ...] = ()
    """How the rest of this day went on earlier days, one entry a day: pauses (from, until) in minutes from now. Each
    run draws one. Empty: the desk stays as it is."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who waits, or an appointment to come. `key`: the order, in minutes from now (when they count as having
    come); `present`: minutes from now when they can be called; `shows`: probability that they come."""

    key: float
    service: int
    present: float = 0.0
    shows: float = 1.0


@dataclass(frozen=True, slots=True)
class Overtakers:
    """People yet to come who go before those who came up to `head_start` minutes earlier: so many a minute, of these
    services (weights)."""

    head_start: float
    rate: float
    services: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Center:
    """Everything that is known now."""

    services: tuple[Times, ...]
    counters: tuple[Counter, ...]
    people: tuple[Person, ...]
    overtakers: tuple[Overtakers, ...] = ()
    leave_rate: float = 0.0
    """People who give up, a minute of waiting."""


def waits(
    center: Center, *, seed: int, runs: int = RUNS, day_spread: float = DAY_SPREAD, day_pace: float = 1.0
) -> Floats:
    """Minutes from now until each person's call, runs x people; infinite for whom no desk that is open
    serves. `day_pace`: how much longer than usual services have taken today. Raises ValueError for what no
    center can be."""
    _check(center)
    if not center.counters or not center.people:
        return np.full((runs, len(center.people)), np.inf)
    draw = np.random.default_rng(seed)
    people = list(center.people)
    asked = len(people)
    mean = np.array([times.mean for times in center.services])
    sigma = np.sqrt(np.log1p(np.array([times.cv2 for times in center.services])))
    pace = day_pace * np.exp(draw.normal(0.0, day_spread, runs))
    free = _left(center.counters, mean, sigma, pace, draw)
    came, came_service, came_key = _coming(center.overtakers, runs, draw)
    total = asked + came.shape[1]
    service = np.zeros((runs, total), np.int64)
    present, key = np.zeros((runs, total)), np.zeros((runs, total))
    service[:, :asked] = [person.service for person in people]
    present[:, :asked] = [person.present for person in people]
    key[:, :asked] = [person.key for person in people]
    service[:, asked:], present[:, asked:], key[:, asked:] = came_service, came, came_key
    shows = np.ones((runs, total), bool)
    shows[:, :asked] = draw.random((runs, asked)) < np.array([person.shows for person in people])
    scale = 1.0 / center.leave_rate if center.leave_rate > 0 else FAR
    patience = present + draw.exponential(scale, (runs, total))
    length = (
        mean[service] * np.exp(sigma[service] * draw.normal(size=(runs, total)) - sigma[service] ** 2 / 2)
    ) * pace[:, None]
    skills = np.array(
        [[place in counter.serves for place in range(len(center.services))] for counter in center.counters],
        bool,
    )
    begin, end = _pauses(center.counters, runs, draw)
    waited: Floats = _play(free, skills, begin, end, service, present, key, shows, patience, length, asked)
    return waited


def distribution(waited: Floats) -> Floats:
    """Minutes at `LEVELS` of each person, people x levels; infinite where most runs never called them."""
    found: Floats = np.quantile(waited, LEVELS, axis=0, method="inverted_cdf").T
    return found


def _check(center: Center) -> None:
    number = len(center.services)
    if any(not times.mean > 0 or times.cv2 < 0 for times in center.services):
        raise ValueError("service times are positive")
    places: Sequence[int] = [person.service for person in center.people]
    if any(not 0 <= place < number for place in places):
        raise ValueError("somebody waits for a service that the center does not have")


def _left(
    counters: Sequence[Counter], mean: Floats, sigma: Floats, pace: Floats, draw: np.random.Generator
) -> Floats:
    """When each desk is free again, runs x desks: a log-normal time, given that it is longer than what has run."""
    free = np.zeros((len(pace), len(counters)))
    for place, counter in enumerate(counters):
        if counter.away > 0:
            free[:, place] = draw.exponential(counter.away, len(pace))
            continue
        if counter.busy is None:
            continue
        middle = math.log(mean[counter.busy]) - sigma[counter.busy] ** 2 / 2
        spread = max(1e-6, float(sigma[counter.busy]))
        z = (np.log(max(counter.elapsed, 1e-6) / pace) - middle) / spread
        below = _phi(z)
        chosen = np.clip(below + draw.random(len(pace)) * (1 - below), 1e-9, 1 - 1e-9)
        whole = np.exp(middle + spread * _inverse(chosen)) * pace
        free[:, place] = np.maximum(0.1, whole - counter.elapsed)
    return free


def _pauses(counters: Sequence[Counter], runs: int, draw: np.random.Generator) -> tuple[Floats, Floats]:
    """Pauses of each desk in each run, runs x desks x most, in order; never where there is none."""
    most = max((len(day) for counter in counters for day in counter.pauses), default=0)
    begin = np.full((runs, len(counters), max(1, most)), FAR)
    end = np.full_like(begin, FAR)
    for place, counter in enumerate(counters):
        if not counter.pauses:
            continue
        days = np.full((len(counter.pauses), begin.shape[2], 2), FAR)
        for number, day in enumerate(counter.pauses):
            days[number, : len(day)] = day if day else days[number, :0]
        chosen = days[draw.integers(len(days), size=runs)]
        begin[:, place], end[:, place] = chosen[:, :, 0], chosen[:, :, 1]
    return begin, end


def _coming(
    overtakers: Sequence[Overtakers], runs: int, draw: np.random.Generator
) -> tuple[Floats, np.ndarray, Floats]:
    """Arrivals who may overtake somebody here now: time, service, key; padded with people who never come."""
    times, services, keys = [], [], []
    for some in overtakers:
        counts = draw.poisson(some.rate * some.head_start, runs)
        most = int(counts.max(initial=0))
        if not most:
            continue
        at = draw.random((runs, most)) * some.head_start
        at[np.arange(most)[None, :] >= counts[:, None]] = FAR
        weights = np.array(some.services) / sum(some.services)
        times.append(at)
        services.append(draw.choice(len(weights), (runs, most), p=weights))
        keys.append(at - some.head_start)
    if not times:
        return np.zeros((runs, 0)), np.zeros((runs, 0), np.int64), np.zeros((runs, 0))
    return np.concatenate(times, 1), np.concatenate(services, 1), np.concatenate(keys, 1)


def _phi(z: Floats) -> Floats:
    """Normal distribution function."""
    return np.array([0.5 * math.erfc(-one / math.sqrt(2)) for one in z])


def _inverse(p: Floats) -> Floats:
    """Normal quantile: a table with linear steps in between, exact to 1e-4 where it matters."""
    return np.interp(p, _TABLE_P, _TABLE_Z)


_TABLE_Z = np.linspace(-6.0, 6.0, 4801)
_TABLE_P = _phi(_TABLE_Z)


def _play(
    free: Floats,
    skills: np.ndarray,
    begin: Floats,
    end: Floats,
    service: np.ndarray,
    present: Floats,
    key: Floats,
    shows: np.ndarray,
    patience: Floats,
    length: Floats,
    asked: int,
) -> Floats:
    """All runs at once, call by call, until everybody who is asked about is called. Arrays are runs x desks or
    people; `skills`: desks x services. In each step every run's desk that is free first calls whom it may, or
    waits."""
    runs, total = service.shape
    rows = np.arange(runs)
    order = np.argsort(key, axis=1, kind="stable")
    service, present, patience, length, shows = (
        np.take_along_axis(table, order, axis=1) for table in (service, present, patience, length, shows)
    )
    waited = np.full((runs, total), np.inf)
    done = ~shows | (present >= FAR / 2)
    waited[~shows] = present[~shows]
    mine = order < asked
    left = (mine & ~done).sum(axis=1)
    while True:
        desk = free.argmin(axis=1)
        now = free[rows, desk]
        active = (left > 0) & (now < FAR / 2)
        if not active.any():
            break
        pausing = (begin[rows, desk] <= now[:, None]) & (now[:, None] < end[rows, desk])
        paused = active & pausing.any(axis=1)
        if paused.any():
            free[rows[paused], desk[paused]] = np.where(pausing, end[rows, desk], 0.0).max(axis=1)[paused]
            active &= ~paused
            if not active.any():
                continue
        could = ~done & skills[desk[:, None], service] & active[:, None]
        here = could & (present <= now[:, None])
        gone = here & (patience < now[:, None])
        stays = here & ~gone
        chosen = stays.argmax(axis=1)
        some = stays[rows, chosen]
        ghosts = gone & ((np.arange(total)[None, :] < chosen[:, None]) | ~some[:, None])
        # Gone: it takes no desk time, and what they would have waited is written down.
        place = np.nonzero(ghosts)
        waited[place] = now[place[0]]
        done |= ghosts
        left -= (ghosts & mine).sum(axis=1)
        calls, person = rows[some], chosen[some]
        waited[calls, person] = now[some]
        done[calls, person] = True
        left[calls] -= mine[calls, person]
        free[calls, desk[some]] = now[some] + length[calls, person]
        idle = active & ~some
        if idle.any():
            soonest = np.where(could & (present > now[:, None]), present, FAR).min(axis=1)
            free[rows[idle], desk[idle]] = soonest[idle]
    found = np.empty_like(waited)
    np.put_along_axis(found, order, waited, axis=1)
    return found[:, :asked]
