"""The queue model against what it approximates: a simulation of single citizens, and Erlang's formula."""

from __future__ import annotations

import heapq
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet import relief, stock
from fleet.relief import Station, Van


def station(
    arrivals: list[float], desks: float, service_h: float = 0.2, cs2: float = 0.5, leave: float = 0.0
) -> Station:
    """One site whose hours 8, 9, ... have the given arrivals."""
    hours = np.zeros((1, 24))
    hours[0, 8 : 8 + len(arrivals)] = arrivals
    one = np.ones(1)
    return Station(hours, one * desks, one * service_h, one * cs2, one * leave)


def simulate(
    arrivals: list[float], desks: int, service_h: float, cs2: float, leave: float, runs: int
) -> float:
    """Mean person-hours waited in a day of M(t)/Gamma/c + M, citizen by citizen."""
    rng = np.random.default_rng(7)
    total = 0.0
    for _ in range(runs):
        times = sorted(8 + h + u for h, rate in enumerate(arrivals) for u in rng.random(rng.poisson(rate)))
        free = [0.0] * desks
        for at in times:
            begins = max(at, free[0])
            patience = rng.exponential(1 / leave) if leave else math.inf
            if begins - at > patience:
                total += patience
                continue
            total += begins - at
            heapq.heapreplace(free, begins + rng.gamma(1 / cs2, service_h * cs2))
    return total / runs


@pytest.mark.parametrize(
    ("arrivals", "desks", "cs2", "leave"),
    [
        ([20, 30, 40, 38, 30, 20, 10], 6, 0.5, 0.0),
        ([30, 45, 60, 55, 40, 30, 20], 7, 0.5, 0.0),
        ([10, 14, 14, 12, 10, 8, 6], 2, 0.3, 0.0),
        ([40, 80, 90, 80, 60, 40, 20], 10, 0.8, 0.5),
    ],
)
def test_person_hours_agree_with_a_simulation_of_single_citizens(
    arrivals: list[float], desks: int, cs2: float, leave: float
) -> None:
    """Under, at and over capacity, with and without people leaving, the chain is within 8% of 400
    simulated days."""
    modelled = relief.waiting(station(arrivals, desks, 0.2, cs2, leave)).hours[0]
    simulated = simulate(arrivals, desks, 0.2, cs2, leave, 400)
    assert modelled == pytest.approx(simulated, rel=0.08)


@pytest.mark.parametrize(("desks", "load"), [(1, 0.6), (5, 0.8), (10, 0.85), (20, 0.9)])
def test_a_long_steady_day_is_erlang_c(desks: int, load: float) -> None:
    """Held for 20 hours, the line of exponential services is Erlang's to within 2%."""
    hours = np.zeros((1, 24))
    hours[0, :20] = load * desks * 5
    one = np.ones(1)
    waiting = relief.waiting(Station(hours, one * desks, one * 0.2, one, one * 0))
    erlang = relief.erlang_c(load * desks, desks) * load / (1 - load)
    assert waiting.by_hour[0, 19] == pytest.approx(erlang, rel=0.02)


@pytest.mark.parametrize("cs2", [0.25, 0.5, 2.0])
def test_one_desk_near_capacity_is_pollaczek_khinchine(cs2: float) -> None:
    """The spread of service counts as it should: the steady line of one desk is rho^2 (1 + cs2) / (2 (1 - rho)) within
    12%, where exponential service would be off by up to 60%."""
    hours = np.zeros((1, 24))
    hours[0, :22] = 0.9 * 40
    one = np.ones(1)
    line = relief.waiting(Station(hours, one, one / 40, one * cs2, one * 0)).by_hour[0, 21]
    assert line == pytest.approx(0.81 * (1 + cs2) / 2 / 0.1, rel=0.12)


def test_one_desk_by_erlang_c_is_the_load() -> None:
    """In M/M/1 the probability of waiting is the load, and an overloaded line always waits."""
    assert relief.erlang_c(0.7, 1) == pytest.approx(0.7)
    assert relief.erlang_c(3.0, 2) == 1.0
    assert relief.erlang_c(4.0, 5) == pytest.approx(0.5541, abs=1e-4)


def test_the_share_of_long_waits_agrees_with_simulation() -> None:
    """Hour by hour, the share who wait more than half an hour is within 0.12 of 400 simulated days."""
    arrivals = [30.0, 45, 60, 55, 40, 30, 20]
    modelled = relief.waiting(station(arrivals, 7)).long_share[0, 8:15]
    rng = np.random.default_rng(5)
    late, all_of = np.zeros(7), np.zeros(7)
    for _ in range(400):
        free = [0.0] * 7
        for at in sorted(8 + h + u for h, rate in enumerate(arrivals) for u in rng.random(rng.poisson(rate))):
            begins = max(at, free[0])
            heapq.heapreplace(free, begins + rng.gamma(2, 0.1))
            all_of[int(at) - 8] += 1
            late[int(at) - 8] += begins - at > relief.LONG_H
    assert np.abs(modelled - late / all_of).max() < 0.12
    assert modelled[0] < 0.05 < 0.5 < modelled[4]


def test_desks_may_change_with_the_hour() -> None:
    """A lunch hour with half the desks lengthens the line then; the same desks all day are the plain case."""
    line = station([30, 30, 30, 30, 30], 7)
    by_hour = np.tile(line.desks[:, None], (1, 24))
    even = Station(line.arrivals, by_hour.copy(), line.service_h, line.cs2, line.leave_rate)
    assert relief.waiting(even).hours == pytest.approx(relief.waiting(line).hours)
    by_hour[0, 10] = 3.5
    lunch = relief.waiting(Station(line.arrivals, by_hour, line.service_h, line.cs2, line.leave_rate))
    assert lunch.by_hour[0, 10] > 3 * relief.waiting(line).by_hour[0, 10]
    assert lunch.by_hour[0, 9] == pytest.approx(relief.waiting(line).by_hour[0, 9])


def van(desks: float, starts: float, ends: float, share: float = 0.6) -> Van:
    """A van on the forecourt."""
    one = np.ones(1)
    return Van(one * desks, one * 0.2, one * 0.5, one * starts, one * ends, one * share, one * 0)


def test_the_relief_of_a_visit_agrees_with_simulated_choice() -> None:
    """With citizens choosing by the waits shown in their minute, what the visit relieves is within 5% of simulation and
    what is still waited within 10%."""
    arrivals = [30.0, 50, 60, 55, 40, 30, 20]
    line, visit = station(arrivals, 7), van(2, 9, 13)
    modelled = relief.relieve(line, visit)
    left = modelled.fixed_hours[0] + modelled.van_hours[0]
    seen = {
        share: sum(_simulate_choice(arrivals, desks=7, van_desks=2, starts=9, ends=13, share=share, runs=400))
        for share in (0.0, 0.6)
    }
    assert left == pytest.approx(seen[0.6], rel=0.1)
    assert relief.waiting(line).hours[0] - left == pytest.approx(seen[0.0] - seen[0.6], rel=0.05)


def _simulate_choice(
    arrivals: list[float], *, desks: int, van_desks: int, starts: float, ends: float, share: float, runs: int
) -> tuple[float, float]:
    """Citizen by citizen; who can choose reads the waits off the boards: (waiting + 1 if no desk is free) x pace."""
    rng = np.random.default_rng(3)
    fixed_total = van_total = 0.0
    for _ in range(runs):
        times = sorted(8 + h + u for h, rate in enumerate(arrivals) for u in rng.random(rng.poisson(rate)))
        free: tuple[list[float], list[float]] = ([0.0] * desks, [0.0] * van_desks)
        begun: tuple[list[float], list[float]] = ([], [])
        for at in times:
            shown = []
            for line in (0, 1):
                begun[line][:] = [b for b in begun[line] if b > at]  # who still waits
                ahead = len(begun[line]) + (min(free[line]) > at)
                shown.append(ahead * 0.2 / len(free[line]))
            lean = relief.WAIT_SENSITIVITY * (shown[0] - shown[1])
            to_van = int(starts <= at < ends and rng.random() < share / (1 + math.exp(-lean)))
            begins = max(at, free[to_van][0])
            begun[to_van].append(begins)
            if to_van:
                van_total += begins - at
            else:
                fixed_total += begins - at
            heapq.heapreplace(free[to_van], begins + rng.gamma(2, 0.1))
    return fixed_total / runs, van_total / runs


def test_one_diverted_citizen_saves_more_than_the_own_wait() -> None:
    """At a crowded line a visit saves more hours than those it serves would have waited on average."""
    line = station([40, 60, 60, 50, 40, 30, 20], 8)
    before = relief.waiting(line)
    after = relief.relieve(line, van(2, 9, 13))
    saved = before.hours[0] - after.fixed_hours[0] - after.van_hours[0]
    own = after.diverted[0] * before.hours[0] / before.arrived[0]
    assert saved > 1.2 * own > 0


def test_an_early_visit_relieves_more_than_a_late_one() -> None:
    """The same stay before the peak saves more than after it: what waits at noon arrived in the morning."""
    line = station([40, 60, 60, 50, 40, 30, 20], 8)
    early = relief.relieve(line, van(2, 9, 12))
    late = relief.relieve(line, van(2, 12, 15))
    assert early.fixed_hours[0] + early.van_hours[0] < late.fixed_hours[0] + late.van_hours[0]


def test_no_van_changes_nothing() -> None:
    """A van that never opens leaves the line as it was."""
    line = station([20, 40, 40, 30, 20], 6)
    untouched = relief.relieve(line, van(3, 0, 0))
    assert untouched.fixed_hours[0] == pytest.approx(relief.waiting(line).hours[0])
    assert untouched.diverted[0] == 0
    assert untouched.van_hours[0] == pytest.approx(0, abs=1e-9)


def test_sites_do_not_influence_each_other() -> None:
    """A site's result is the same alone and among others, across the chunks of the integration."""
    rng = np.random.default_rng(2)
    size = relief.CHUNK + 7
    arrivals = np.zeros((size, 24))
    arrivals[:, 8:15] = rng.uniform(0, 60, (size, 7))
    many = Station(arrivals, np.full(size, 6.0), np.full(size, 0.2), np.full(size, 0.5), np.zeros(size))
    for i in (0, relief.CHUNK - 1, relief.CHUNK, size - 1):
        alone = relief.waiting(many.take(np.array([i])))
        assert relief.waiting(many).hours[i] == pytest.approx(alone.hours[0], rel=1e-3, abs=1e-3)


@given(
    errands=st.floats(0, 2000),
    desks=st.integers(1, 6),
    stays=st.tuples(st.floats(0.5, 6), st.floats(0.5, 6), st.floats(0.5, 6)),
)
def test_a_longer_stay_serves_more_but_never_more_than_there_is(
    errands: float, desks: int, stays: tuple[float, float, float]
) -> None:
    """Served people grow with the stay, ever more slowly, and stay under the stock and under the capacity."""
    a, b, c = (
        float(stock.served(np.array([errands]), np.array([desks * 1.0]), np.array([0.2]), np.array([s]))[0])
        for s in (min(stays), sum(stays) / 3, max(stays))
    )
    assert 0 <= a <= b + 1e-9 <= c + 2e-9
    assert c <= errands + 1e-9
    assert c <= stock.BUSY_SHARE * desks / 0.2 * max(stays) + 1e-9
    low, mid, high = min(stays), sum(stays) / 3, max(stays)
    if high - low > 0.1:  # concave: the middle lies on or above the chord
        assert b >= a + (c - a) * (mid - low) / (high - low) - 1e-6


def test_a_village_fills_again_after_a_visit() -> None:
    """Straight after a visit only the rest is there; it grows weekly; never visited is the full stock."""
    weekly, rest = np.array([10.0]), np.array([5.0])
    stocks = [stock.stock_now(weekly, np.array([w]), rest)[0] for w in (0.0, 1.0, 4.0, np.inf)]
    assert stocks[0] == 5.0
    assert stocks == sorted(stocks)
    assert stocks[-1] == pytest.approx(10 * stock.REGROW_WEEKS)


def test_villagers_wait_at_a_small_van_more_than_at_a_large_one() -> None:
    """The same 120 errands met by two desks and by five: the large van's line is shorter, and neither is
    free."""
    one = np.ones(1)
    small = stock.village_wait(one * 120, one * 2, one * 0.2, one * 0.5, one * 5)
    large = stock.village_wait(one * 120, one * 5, one * 0.2, one * 0.5, one * 5)
    per_head = [
        w[0] / stock.served(one * 120, one * d, one * 0.2, one * 5)[0] for w, d in ((small, 2), (large, 5))
    ]
    assert per_head[0] > per_head[1] > 0


def test_five_thousand_sites_take_less_than_a_second() -> None:
    """The day of 5,000 crowded sites (generous limit for a busy machine)."""
    size = 5000
    arrivals = np.zeros((size, 24))
    arrivals[:, 8:15] = 40.0
    many = Station(arrivals, np.full(size, 8.0), np.full(size, 0.2), np.full(size, 0.5), np.zeros(size))
    relief.waiting(many.take(np.array([0])))  # compiled beforehand
    began = time.process_time()
    relief.waiting(many)
    assert time.process_time() - began < 2.5
