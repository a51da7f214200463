"""Textbook lines for the event simulation, with what theory says of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fleet.relief import Floats, erlang_c
from fleet.simulation.engine import EVERY_SKILL, LEFT, Lines, People, Tickets, check, play

RUNS, PEOPLE, WARM = 40, 12_000, 2_000
"""Independent runs of a case, people in each, and how many of the first are not counted: the line starts empty."""
STUDENT = 2.0227
"""Student's t, 97.5%, for RUNS - 1 degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Case:
    """A line in a steady state: Poisson arrivals of `rate`, `desks`, service law of mean 1, classes, patience."""

    name: str
    desks: int
    load: float
    """Arrivals x mean service / desks."""
    law: str = "exponential"
    high: float = 0.0
    """Share of people who go before all others."""
    patience: float = math.inf


CASES = (
    *(Case(f"M/M/{c}", c, load) for c, load in ((1, 0.7), (3, 0.8), (5, 0.8), (10, 0.85), (20, 0.9))),
    Case("M/D/1", 1, 0.7, "constant"),
    Case("M/E4/1", 1, 0.7, "erlang"),
    Case("M/H2/1", 1, 0.6, "hyper"),
    Case("two priorities", 1, 0.75, "exponential", 0.3),
    Case("two priorities, constant", 1, 0.7, "constant", 0.4),
    Case("Erlang-A, short", 5, 1.1, patience=1.0),
    Case("Erlang-A, long", 10, 1.0, patience=4.0),
)


def services(law: str, draw: np.random.Generator, size: int) -> Floats:
    """Service times of mean 1."""
    if law == "constant":
        return np.ones(size)
    if law == "erlang":
        return draw.gamma(4.0, 0.25, size)
    if law == "hyper":  # balanced means: nine in ten are short
        return np.where(draw.random(size) < 0.9, draw.exponential(5 / 9, size), draw.exponential(5.0, size))
    return draw.exponential(1.0, size)


SECOND = {"constant": 1.0, "erlang": 1.25, "hyper": 0.9 * 2 * (5 / 9) ** 2 + 0.1 * 2 * 25, "exponential": 2.0}
"""Second moments."""


def lines(runs: int, desks: int) -> Lines:
    """`runs` places with one line each whose desks are there for ever."""
    count = runs * desks
    return Lines(
        place_first=np.arange(runs + 1),
        desk_first=np.arange(runs + 1) * desks,
        skills=np.full(count, EVERY_SKILL),
        spell_first=np.arange(count + 1),
        spell_on=np.zeros(count),
        spell_off=np.full(count, 1e9),
        overtime=np.ones(runs, bool),
        shut=np.full(runs, 1e9),
        pace=np.ones(runs),
        takes_from=np.zeros(runs),
        takes_until=np.zeros(runs),
    )


def people(case: Case, seed: int, runs: int = RUNS, count: int = PEOPLE) -> People:
    """Everybody of `runs` runs."""
    draw = np.random.default_rng([seed, *case.name.encode()])
    n = runs * count
    arrives = np.cumsum(draw.exponential(1 / (case.load * case.desks), (runs, count)), axis=1).ravel()
    service = services(case.law, draw, n)
    patience = draw.exponential(case.patience, n) if case.patience < math.inf else np.full(n, math.inf)
    return People(
        first=np.arange(runs + 1) * count,
        arrives=arrives,
        home=np.repeat(np.arange(runs), count),
        other=np.full(n, -1),
        skill=np.zeros(n, np.int64),
        head_start=np.where(draw.random(n) < case.high, 1e6, 0.0),
        patience=patience,
        service=service,
        service_other=service,
        lean=np.zeros(n),
        chance=np.zeros(n),
    )


def run(case: Case, seed: int) -> dict[str, tuple[float, float, float]]:
    """Measure a case: name of a figure -> (what theory says, mean of the runs, half width of its 95% interval)."""
    who = people(case, seed)
    where = lines(RUNS, case.desks)
    check(where, who)
    tickets = play(where, who)
    found = {}
    for name, theory in expected(case).items():
        values = _measured(name, who, tickets)
        half = float(STUDENT * values.std(ddof=1) / math.sqrt(RUNS))
        found[name] = (theory, float(values.mean()), half)
    return found


def _measured(name: str, who: People, tickets: Tickets) -> Floats:
    waited = tickets.waited(who).reshape(RUNS, PEOPLE)[:, WARM:]
    first = (who.head_start > 0).reshape(RUNS, PEOPLE)[:, WARM:]
    left = (tickets.state == LEFT).reshape(RUNS, PEOPLE)[:, WARM:]
    of, among = {
        "left": (left, np.ones_like(first)),
        "waits": (waited > 1e-12, np.ones_like(first)),
        "wait": (waited, np.ones_like(first)),
        "wait, first class": (waited, first),
        "wait, second class": (waited, ~first),
    }[name]
    values: Floats = (of * among).sum(axis=1) / among.sum(axis=1)
    return values


def expected(case: Case) -> dict[str, float]:
    """What theory says: mean wait (of all, or by class), share who wait, share who leave."""
    rate = case.load * case.desks
    if case.patience < math.inf:
        return erlang_a(rate, case.desks, 1 / case.patience)
    if case.high:
        # Cobham 1954: W0 / ((1 - s_{k-1}) (1 - s_k)), s_k = load of the classes up to k
        half, first = rate * SECOND[case.law] / 2, rate * case.high
        return {
            "wait, first class": half / (1 - first),
            "wait, second class": half / ((1 - first) * (1 - rate)),
        }
    if case.desks == 1:  # Pollaczek and Khinchine
        return {"wait": rate * SECOND[case.law] / 2 / (1 - rate), "waits": rate}
    waits = erlang_c(rate, case.desks)
    return {"wait": waits / (case.desks - rate), "waits": waits}


def erlang_a(rate: float, desks: int, theta: float) -> dict[str, float]:
    """M/M/c + M (Palm 1943) by its birth and death equations: mean wait of all who come, and the share who leave."""
    weight, total, queue = 1.0, 1.0, 0.0
    for x in range(1, 100_000):
        weight *= rate / (min(x, desks) + theta * max(0, x - desks))
        total += weight
        queue += weight * max(0, x - desks)
        if weight < 1e-16 * total and x > desks:
            break
    queue /= total
    return {"wait": queue / rate, "left": theta * queue / rate}
