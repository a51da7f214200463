"""How long people in one center will wait: its live state played forward many times. Pure.

Where desks serve several services, people with priority overtake, appointments come and some give up, no
formula of the people ahead holds. So the state as it stands is played on: who is at which desk and since
when, who waits in which order, which appointments are still to come. Service times are log-normal with the
mean and the squared coefficient of variation learned for the service, the time left of a running service is
drawn given how long it has run; people who come and overtake are Poisson; how long somebody goes on waiting
is what earlier days showed of people who had waited as long; a factor of the day (nobody knows how fast today
is) is drawn for each run. Desks open and pause as on one of the earlier days, drawn for each run; where there
are none they stay as they are.

One set of runs answers for everybody in the line. Who gives up costs no desk time, but what they would have
waited is still written down: the wait of those who stay is not that of the impatient, and leaving them out
would promise too little.

Later ordinary arrivals never matter: whoever stands before them is called first at every desk that can
serve both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from queueing.waits.bands import LEVELS
from queueing.waits.snapshots import Floats

RUNS = 100
DAY_SPREAD = 0.12
"""Standard deviation of the logarithm of a day's pace."""


FAR = 1e9
"""Minutes that never come."""
Leaving = tuple[tuple[float, float], ...]
"""How fast people give up: from so many minutes of waiting on, so many a minute. Empty: nobody does."""


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
    waited: float = 0.0
    """Minutes waited already: whoever has waited long has shown patience."""


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
    leaving: Leaving = ()


def waits(
    center: Center,
    *,
    seed: int,
    runs: int = RUNS,
    day_spread: float = DAY_SPREAD,
    day_pace: float = 1.0,
    call: Callable[..., None] | None = None,
) -> Floats:
    """Minutes from now until each person's call, runs x people; infinite for whom no desk that is open
    serves. `day_pace`: how much longer than usual services have taken today; `call`: the loop, compiled unless a test
    wants to compare. Raises ValueError for what no center can be."""
    from queueing.waits.compiled import call_out

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
    before = np.zeros(total)
    before[:asked] = [person.waited for person in people]
    patience = present + _patience(center.leaving, before, runs, draw)
    length = (
        mean[service] * np.exp(sigma[service] * draw.normal(size=(runs, total)) - sigma[service] ** 2 / 2)
    ) * pace[:, None]
    skills = np.array(
        [[place in counter.serves for place in range(len(center.services))] for counter in center.counters],
        bool,
    )
    begin, end = _pauses(center.counters, runs, draw)
    waited = np.full((runs, total), np.inf)
    waited[~shows] = present[~shows]
    (call or call_out)(
        free, skills, begin, end, service, present, np.argsort(key, axis=1, kind="stable"),
        ~shows | (present >= FAR / 2), patience, length, waited, asked,
    )  # fmt: skip
    found: Floats = waited[:, :asked]
    return found


def distribution(waited: Floats) -> Floats:
    """Minutes at `LEVELS` of each person, people x levels; infinite where most runs never called them."""
    places = np.ceil(LEVELS * len(waited) - 1e-9).astype(int) - 1
    found: Floats = np.sort(waited, axis=0)[places].T
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


def _patience(leaving: Leaving, before: Floats, runs: int, draw: np.random.Generator) -> Floats:
    """Minutes that everybody goes on waiting who has waited `before`: an exponential draw of the sum of rates, read
    back into minutes."""
    if not any(rate > 0 for _, rate in leaving):
        return np.full((runs, len(before)), FAR)
    edges = np.array([edge for edge, _ in leaving] + [FAR])
    rates = np.array([rate for _, rate in leaving])
    sums = np.concatenate([[0.0], np.cumsum(np.diff(edges) * np.maximum(rates, 1e-12))])
    until = np.interp(before, edges, sums) + draw.exponential(1.0, (runs, len(before)))
    found: Floats = np.interp(until, sums, edges) - before
    return found


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
    """Normal distribution function, from the same table as its inverse."""
    found: Floats = np.interp(z, _TABLE_Z, _TABLE_P)
    return found


def _inverse(p: Floats) -> Floats:
    """Normal quantile: a table with linear steps in between, exact to 1e-4 where it matters."""
    return np.interp(p, _TABLE_P, _TABLE_Z)


_TABLE_Z = np.linspace(-6.0, 6.0, 4801)
_TABLE_P = np.array([0.5 * math.erfc(-one / math.sqrt(2)) for one in _TABLE_Z])
