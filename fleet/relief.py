"""What a visit relieves: waiting at a queue with changing demand, with and without a van beside it. Pure.

The queue is M(t)/G/c with people who leave, followed minute by minute as a Markov chain; with a van beside it both
lines are followed together, with the choices of who comes and the covariance of the two (`fleet.relief_chain` has the
equations). Against simulation of single citizens the relief is off by 1% in the median and 4% in nine of ten cases
(docs/methods.md, docs/benchmarks.md), where a Gaussian closure is off by 3% and 10% and a stationary Erlang-C by 70%:
the queues of a working day never reach a steady state. Arrays are over sites; times are hours from local midnight.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleet import relief_chain

Floats = NDArray[np.float64]

STEP_H = 1 / 20
"""Integration step of `Line`, hours: three minutes, well under any mean service time that matters."""
DRAIN_H = 4.0
"""After the doors close the line is served for at most so many hours; then the rest go home."""
CHUNK, THREADS = 256, 2
"""Sites reckoned in one go, and by how many threads (the chain runs without the interpreter's lock)."""
LONG_H = 0.5
"""A long wait, hours: the half hour by which congestion levels are defined."""
DEMAND_CV = 0.15
"""How far a day's demand strays from its forecast (standard deviation / mean) where the forecast's own bands have
not said it."""
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
    """Mean and variance of a line under a Gaussian closure, with Heun's step: for lines that start empty and never
    grow long (`fleet.stock`), where it costs next to nothing.

        E[min(X, c)] = m Phi(z) - sqrt(v) phi(z) + c (1 - Phi(z)),  z = (c - m) / sqrt(v)
        m' = lambda - mu E[min] - theta Lq
        v' = lambda + cs2 mu E[min] + theta Lq - 2 v (mu Phi(z) + theta (1 - Phi(z)))
    """

    def __init__(self, desks: Floats, service_h: Floats, cs2: Floats, leave: Floats) -> None:
        self.desks, self.mu, self.cs2, self.leave = desks, 1 / service_h, cs2, leave
        self.m = np.zeros_like(desks)
        self.v = np.zeros_like(desks)
        self.busy = np.zeros_like(desks)
        self.queue = np.zeros_like(desks)
        self.free = np.ones_like(desks)

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
    by_hour, long_share = np.zeros((station.size, 24)), np.zeros((station.size, 24))
    start, stop = _span(station.arrivals)
    most = _states(station)

    def work(rows: slice) -> None:
        s = station.take(rows)
        relief_chain.alone(  # type: ignore[no-untyped-call]
            np.ascontiguousarray(s.arrivals),
            _by_hour(s.desks),
            1 / s.service_h,
            np.ascontiguousarray(s.cs2),
            np.ascontiguousarray(s.leave_rate),
            float(start),
            float(stop),
            DRAIN_H,
            most,
            LONG_H,
            by_hour[rows],
            long_share[rows],
        )

    _share_out(work, station.size)
    hours = by_hour.sum(axis=1)
    return Waiting(hours, hours * station.leave_rate, station.arrivals.sum(axis=1), by_hour, long_share)


def relieve(station: Station, van: Van) -> Relief:
    """Return both lines with a van standing by, stepped together: who comes chooses by the waits of that
    minute.

    Diverted share = share / (1 + exp(-(bt x nearer_h + bw x (wait at the fixed line - wait at the van)))). A
    van that ends its stay still serves its line.
    """
    fixed, mobile, diverted = (np.zeros(station.size) for _ in range(3))
    start, stop = _span(station.arrivals)
    most = _states(station)

    def work(rows: slice) -> None:
        s, v = station.take(rows), van.take(rows)
        flat = (v.desks, 1 / v.service_h, v.cs2, v.starts, v.ends, v.share, TRAVEL_SENSITIVITY * v.nearer_h)
        relief_chain.beside(  # type: ignore[no-untyped-call,call-arg]
            np.ascontiguousarray(s.arrivals),
            _by_hour(s.desks),
            1 / s.service_h,
            *(np.ascontiguousarray(part, dtype=float) for part in (s.cs2, s.leave_rate, *flat)),
            WAIT_SENSITIVITY,
            float(start),
            float(stop),
            DRAIN_H,
            most,
            fixed[rows],
            mobile[rows],
            diverted[rows],
        )

    _share_out(work, station.size)
    return Relief(fixed, mobile, diverted, fixed * station.leave_rate, mobile * station.leave_rate)


def _share_out(work: Callable[[slice], None], size: int) -> None:
    """Have `work` done on all rows, by CHUNK, in threads where it is worth it."""
    parts = [slice(i, min(i + CHUNK, size)) for i in range(0, size, CHUNK)]
    if len(parts) < 2:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, parts))


def _by_hour(desks: Floats) -> Floats:
    """Desks as sites x 24."""
    full = np.tile(desks[:, None], (1, 24)) if desks.ndim == 1 else desks
    return np.ascontiguousarray(full, dtype=float)


def _states(station: Station) -> int:
    """More people than can ever stand in one of these lines together."""
    people = float(station.arrivals.sum(axis=1).max(initial=0.0))
    return int(people + 6 * people**0.5 + station.desks.max(initial=0.0)) + 20


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
