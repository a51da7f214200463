"""What a visit relieves: waiting at a queue with changing demand, with and without a van beside it. Pure.

The queue is M(t)/G/c with people who leave. Its number in system X is followed by mean m and variance v
under a Gaussian closure: with z = (c - m) / sqrt(v), mu = 1 / mean service time, cs2 = squared coefficient
of variation of service,

    E[min(X, c)] = m Phi(z) - sqrt(v) phi(z) + c (1 - Phi(z))
    Lq           = (m - c)(1 - Phi(z)) + sqrt(v) phi(z)
    m' = lambda - mu E[min] - theta Lq
    v' = lambda + cs2 mu E[min] + theta Lq - 2 v (mu Phi(z) + theta (1 - Phi(z)))

(a Gaussian form of the Markovian moment equations, with cs2 for general service; theta = rate of leaving of
a waiting person.) Against simulation its person-hours are off by some 2 to 3% in the median, where a
stationary Erlang-C is off by 70%: the queues of a working day never reach a steady state. Arrays are over
sites; times are hours from local midnight. A line held steady all day is understated (its long right tail is
not Gaussian): calm places get no credit for a van that they do not need.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEP_H = 1 / 20
"""Integration step, hours: three minutes, well under any mean service time that matters (Heun's method)."""
DRAIN_H = 4.0
"""After the doors close the line is served for at most so many hours; then the rest go home."""
CHUNK = 4096
"""Sites integrated together: small enough for the processor's cache."""
LONG_H = 0.5
"""A long wait, hours: the half hour by which congestion levels are defined."""
DEMAND_CV = 0.15
"""How far a day's demand strays from its forecast (standard deviation / mean)."""
NODES = ((-(3**0.5), 1 / 6), (0.0, 2 / 3), (3**0.5, 1 / 6))
"""Three points of Gauss and Hermite and their weights: they carry the forecast's error through a model."""
WAIT_SENSITIVITY = 3.0
"""Logit weight of an hour's wait: 20 minutes more at one line multiply the odds of the other by e. Half of
what people reveal for bus stops and branches lies between 15 and 30 minutes; waiting weighs 1.5 times
travelling."""
TRAVEL_SENSITIVITY = 2.0
"""Logit weight of an hour's travel (see WAIT_SENSITIVITY)."""


@dataclass(frozen=True, slots=True)
class Station:
    """Lines, one per site: arrivals an hour by local hour (sites x 24), staffed desks (one number a site, or
    sites x 24 by local hour; fractions are means), mean desk hours a person, its cs2, and the rate an hour
    at which a waiting person leaves."""

    arrivals: Floats
    desks: Floats
    service_h: Floats
    cs2: Floats
    leave_rate: Floats

    def take(self, rows: NDArray[np.intp] | slice) -> Station:
        """Return the station of some sites only."""
        return Station(
            self.arrivals[rows], self.desks[rows], self.service_h[rows], self.cs2[rows], self.leave_rate[rows]
        )

    def desks_at(self, hour: int) -> Floats:
        """Staffed desks of every site in that local hour."""
        return self.desks if self.desks.ndim == 1 else self.desks[:, hour]

    @property
    def size(self) -> int:
        """Number of sites."""
        return int(self.desks.shape[0])


@dataclass(frozen=True, slots=True)
class Waiting:
    """Per site: person-hours spent waiting, people who left unserved, people who arrived, and by local hour
    (sites x 24) person-hours waited and the share of arrivals who wait longer than LONG_H."""

    hours: Floats
    left: Floats
    arrived: Floats
    by_hour: Floats
    long_share: Floats


@dataclass(frozen=True, slots=True)
class Van:
    """A van standing by, one per site: desks, mean service hours, cs2, from and until which local hour
    (fractions), the share of the citizens who come for something it offers, and how many travel hours nearer
    it is (0 on a forecourt)."""

    desks: Floats
    service_h: Floats
    cs2: Floats
    starts: Floats
    ends: Floats
    share: Floats
    nearer_h: Floats

    def take(self, rows: NDArray[np.intp] | slice) -> Van:
        """Return the vans of some sites only."""
        return Van(
            self.desks[rows],
            self.service_h[rows],
            self.cs2[rows],
            self.starts[rows],
            self.ends[rows],
            self.share[rows],
            self.nearer_h[rows],
        )


@dataclass(frozen=True, slots=True)
class Relief:
    """Per site: person-hours waited at the fixed line with the van beside it and at the van, people who went
    to the van, and people who left each line."""

    fixed_hours: Floats
    van_hours: Floats
    diverted: Floats
    fixed_left: Floats
    van_left: Floats


def normal(z: Floats) -> tuple[Floats, Floats]:
    """Return (phi(z), Phi(z)); Abramowitz and Stegun 26.2.17, absolute error below 1e-7."""
    phi = np.exp(-0.5 * z * z) * 0.3989422804014327
    t = 1 / (1 + 0.2316419 * np.abs(z))
    tail = (
        phi
        * t
        * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    )
    return phi, np.where(z >= 0, 1 - tail, tail)


def closure(m: Floats, v: Floats, desks: Floats) -> tuple[Floats, Floats, Floats]:
    """Return (people in service, people waiting, share of time with a free desk) for X ~ Normal(m, v)."""
    sd = np.sqrt(np.maximum(v, 1e-9))
    z = np.clip((desks - m) / sd, -12, 12)
    phi, free = normal(z)
    queue = np.maximum((m - desks) * (1 - free) + sd * phi, 0.0)
    return np.clip(m - queue, 0.0, desks), queue, free


class Line:
    """The moving state of one station's lines, with Heun's step."""

    def __init__(self, desks: Floats, service_h: Floats, cs2: Floats, leave: Floats) -> None:
        self.desks, self.mu, self.cs2, self.leave = desks, 1 / service_h, cs2, leave
        self.m = np.zeros_like(desks)
        self.v = np.zeros_like(desks)
        self.busy = np.zeros_like(desks)
        self.queue = np.zeros_like(desks)
        self.free = np.ones_like(desks)

    def staff(self, desks: Floats) -> None:
        """From now on so many desks are staffed."""
        if desks is not self.desks:
            self.desks = desks
            self.busy, self.queue, self.free = closure(self.m, self.v, desks)

    def wait_h(self) -> Floats:
        """Expected wait of someone who joins now: those ahead, and a desk's turn when all are busy."""
        return (self.queue + 1 - self.free) / np.maximum(self.desks * self.mu, 1e-9)

    def longer_than(self, hours: float) -> Floats:
        """Probability that someone who joins now waits longer: that more stand ahead than are served or
        leave by then."""
        gone = (self.desks * self.mu + 0.5 * self.leave * self.queue) * hours
        z = (self.desks + gone - self.m) / np.sqrt(np.maximum(self.v, 1e-9))
        share: Floats = 1 - normal(np.clip(z, -12, 12))[1]
        return share

    def step(self, rate: Floats, dt: float) -> Floats:
        """Advance by `dt` hours with arrivals of `rate` an hour; return the person-hours waited meanwhile."""
        dm, dv = self._rates(rate, self.v, self.busy, self.queue, self.free)
        m1 = np.maximum(self.m + dt * dm, 0.0)
        v1 = np.maximum(self.v + dt * dv, 0.0)
        busy1, queue1, free1 = closure(m1, v1, self.desks)
        dm1, dv1 = self._rates(rate, v1, busy1, queue1, free1)
        before = self.queue
        self.m = np.maximum(self.m + 0.5 * dt * (dm + dm1), 0.0)
        self.v = np.maximum(self.v + 0.5 * dt * (dv + dv1), 0.0)
        self.busy, self.queue, self.free = closure(self.m, self.v, self.desks)
        return 0.5 * dt * (before + self.queue)

    def _rates(
        self, rate: Floats, v: Floats, busy: Floats, queue: Floats, free: Floats
    ) -> tuple[Floats, Floats]:
        out, gone = self.mu * busy, self.leave * queue
        pull = 2 * v * (self.mu * free + self.leave * (1 - free))
        return rate - out - gone, rate + self.cs2 * out + gone - pull


def waiting(station: Station) -> Waiting:
    """Return what the lines cost over the day, from the first arrivals until the line is empty (or DRAIN_H
    later)."""
    parts = [_waiting(station.take(slice(i, i + CHUNK))) for i in range(0, station.size, CHUNK)]
    return Waiting(
        np.concatenate([p.hours for p in parts]) if parts else np.zeros(0),
        np.concatenate([p.left for p in parts]) if parts else np.zeros(0),
        np.concatenate([p.arrived for p in parts]) if parts else np.zeros(0),
        np.concatenate([p.by_hour for p in parts]) if parts else np.zeros((0, 24)),
        np.concatenate([p.long_share for p in parts]) if parts else np.zeros((0, 24)),
    )


def _waiting(station: Station) -> Waiting:
    line = Line(station.desks_at(0), station.service_h, station.cs2, station.leave_rate)
    by_hour, long_share = np.zeros((station.size, 24)), np.zeros((station.size, 24))
    start, stop = _span(station.arrivals)
    end = min(24.0, stop + DRAIN_H)
    now = -1
    for i in range(round((end - start) / STEP_H)):
        hour = int(start + (i + 0.5) * STEP_H)
        if hour != now:
            now = hour
            line.staff(station.desks_at(hour))
        by_hour[:, hour] += line.step(station.arrivals[:, hour], STEP_H)
        long_share[:, hour] += STEP_H * line.longer_than(LONG_H)
        if hour >= stop and float(line.queue.max(initial=0.0)) < 1e-3:
            break
    hours = by_hour.sum(axis=1)
    return Waiting(hours, hours * station.leave_rate, station.arrivals.sum(axis=1), by_hour, long_share)


def relieve(station: Station, van: Van) -> Relief:
    """Return both lines with a van standing by, stepped together: who comes chooses by the waits of that
    minute.

    Diverted share = share / (1 + exp(-(bt x nearer_h + bw x (wait at the fixed line - wait at the van)))). A
    van that ends its stay still serves its line.
    """
    parts = [
        _relieve(station.take(slice(i, i + CHUNK)), van.take(slice(i, i + CHUNK)))
        for i in range(0, station.size, CHUNK)
    ]
    names = ("fixed_hours", "van_hours", "diverted", "fixed_left", "van_left")
    return Relief(*(np.concatenate([getattr(p, n) for p in parts]) if parts else np.zeros(0) for n in names))


def _relieve(station: Station, van: Van) -> Relief:
    fixed = Line(station.desks_at(0), station.service_h, station.cs2, station.leave_rate)
    mobile = Line(van.desks, van.service_h, van.cs2, station.leave_rate)
    fixed_hours, van_hours, diverted = (np.zeros(station.size) for _ in range(3))
    start, stop = _span(station.arrivals)
    end = min(24.0, stop + DRAIN_H)
    now = -1
    for i in range(round((end - start) / STEP_H)):
        at = start + (i + 0.5) * STEP_H
        if int(at) != now:
            now = int(at)
            fixed.staff(station.desks_at(now))
        rate = station.arrivals[:, int(at)]
        there = (van.starts <= at) & (at < van.ends)
        lean = TRAVEL_SENSITIVITY * van.nearer_h + WAIT_SENSITIVITY * (fixed.wait_h() - mobile.wait_h())
        share = np.where(there, van.share / (1 + np.exp(-np.clip(lean, -30, 30))), 0.0)
        goes = rate * share
        fixed_hours += fixed.step(rate - goes, STEP_H)
        van_hours += mobile.step(goes, STEP_H)
        diverted += goes * STEP_H
        if at >= stop and float(fixed.queue.max(initial=0.0)) < 1e-3:
            break
    return Relief(
        fixed_hours, van_hours, diverted, fixed_hours * station.leave_rate, van_hours * station.leave_rate
    )


def _span(arrivals: Floats) -> tuple[int, int]:
    """Return the first hour anybody arrives and the hour after the last (8 and 8 when nobody does)."""
    busy = np.flatnonzero(arrivals.max(axis=0, initial=0.0) > 0)
    return (int(busy[0]), int(busy[-1]) + 1) if busy.size else (8, 8)


def erlang_c(load: float, desks: int) -> float:
    """Return the probability of waiting in M/M/c with `load` erlangs (stable only for load < desks).

    By the recursion of Erlang B, which neither overflows nor cancels.
    """
    if load >= desks:
        return 1.0
    blocked = 1.0
    for k in range(1, desks + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked / (1 - load / desks * (1 - blocked))
