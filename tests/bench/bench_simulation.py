"""The event simulation: a national day's time, both arms' tickets, SimPy's, and theory's intervals.

python -m tests.bench.bench_simulation [--seeds 20]
"""

from __future__ import annotations

import argparse
import dataclasses
import time

import numpy as np

from fleet.simulation.engine import EVERY_SKILL, Lines, People, Tickets, check, play
from tests.fleet.engine_cast import CASES, Case, lines, people, run

SITES, TICKETS, SKILLS = 5_000, 1_000_000, 4


def national(seed: int, *, sites: int = SITES, tickets: int = TICKETS) -> tuple[Lines, People]:
    """A day of the country: sites of all sizes; desks in two spells around a lunch of their own, three in ten with only
    some of four skills; one in nine people with a head start; patience; a van with a choice beside every tenth site."""
    draw = np.random.default_rng(seed)
    load = draw.gamma(4, tickets / sites / 4, sites)
    counts = draw.poisson(load)
    n = int(counts.sum())
    place = np.repeat(np.arange(sites), counts)
    arrives = 8.5 + 6.5 * draw.beta(2, 2.5, n)
    arrives = arrives[np.lexsort((arrives, place))]
    van = draw.random(sites) < 0.1
    place_first = np.concatenate([[0], np.cumsum(1 + van)])
    home, total, pace = place_first[:-1], int(place_first[-1]), 0.15
    desks = np.zeros(total, np.int64)
    desks[home] = np.maximum(1, np.ceil(load * pace / 6.5 * draw.uniform(0.9, 1.3, sites)))
    desks[home[van] + 1] = 2
    desk_first = np.concatenate([[0], np.cumsum(desks)])
    count = int(desk_first[-1])
    limited = draw.random(count) < 0.3
    limited[desk_first[:-1]] = False
    skills = np.full(count, EVERY_SKILL)
    skills[limited] = draw.integers(1, 2**SKILLS - 1, int(limited.sum()))
    lunch = draw.uniform(11.5, 13.5, count)
    on = np.stack([8.5 + 0.2 * draw.random(count), lunch + 0.5], axis=1).ravel()
    off = np.stack([lunch, np.full(count, 15.0)], axis=1).ravel()
    where = Lines(
        place_first, desk_first, skills, np.arange(0, 2 * count + 1, 2), on, off, np.ones(total, bool),
        np.full(total, 16.25), np.full(total, pace), np.full(total, 9.5), np.full(total, 13.5),
    )  # fmt: skip
    chooses = van[place] & (draw.random(n) < 0.6)
    who = People(
        np.concatenate([[0], np.cumsum(counts)]), arrives, home[place], np.where(chooses, home[place] + 1, -1),
        draw.integers(0, SKILLS, n), draw.choice([0.0, 0.5, 0.75], n, p=[0.885, 0.095, 0.02]),
        draw.lognormal(np.log(1.75), 0.7, n), draw.gamma(2, pace / 2, n), draw.gamma(2, pace / 2, n),
        np.zeros(n), draw.logistic(0, 1, n),
    )  # fmt: skip
    return where, who


def same(a: Tickets, b: Tickets) -> bool:
    """Whether all tickets agree to the bit."""
    return all(bool((getattr(a, f.name) == getattr(b, f.name)).all()) for f in dataclasses.fields(Tickets))


def speed() -> None:
    """Seconds of a national day, drawn and played."""
    play(*national(1, sites=50, tickets=5_000))
    print("| what | seconds (wall) | processor |")
    print("|---|---:|---:|")

    def timed(name: str, work):  # type: ignore[no-untyped-def]
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        print(f"| {name} | {time.perf_counter() - wall:.2f} | {time.process_time() - cpu:.2f} |", flush=True)
        return result

    where, who = timed(f"{SITES:,} sites, a million tickets: drawn", lambda: national(1))
    check(where, who)
    fast = timed("played, compiled", lambda: play(where, who))
    plain = timed("played, plain Python", lambda: play(where, who, compiled=False))
    print(f"\n{who.count:,} tickets; both arms the same to the bit: {same(fast, plain)}")


def beside_simpy() -> None:
    """A line with priorities and patience, ticket by ticket beside SimPy."""
    try:
        from tests.bench.simpy_arm import begins
    except ImportError:
        print("SimPy is not installed: left out (`make bench` installs requirements-bench.txt)")
        return
    case = dataclasses.replace(Case("with SimPy", 3, 1.05, patience=5.0), high=0.2)
    who = people(case, 1, runs=1, count=50_000)
    started = time.perf_counter()
    theirs, left = begins(who, case.desks)
    simpy_s = time.perf_counter() - started
    where = lines(1, case.desks)
    play(where, who)
    started = time.perf_counter()
    ours = play(where, who)
    seconds = time.perf_counter() - started
    agree = (np.abs(ours.begins - theirs) < 1e-9) & ((ours.state == 1) == (left == 1))
    print(
        f"SimPy, 50,000 tickets with priorities and patience: {int(agree.sum()):,} tickets agree; "
        f"{simpy_s:.1f} s beside {seconds:.3f} s"
    )


def theory(seeds: int) -> None:
    """How often theory lies in the 95% interval of forty runs."""
    inside: dict[tuple[str, str], list[bool]] = {}
    last: dict[tuple[str, str], tuple[float, float, float]] = {}
    for seed in range(seeds):
        for case in CASES:
            for name, found in run(case, seed).items():
                inside.setdefault((case.name, name), []).append(abs(found[1] - found[0]) <= found[2])
                last.setdefault((case.name, name), found)
    print("| line | figure | theory | forty runs (seed 0) | 95% interval | inside, of seeds |")
    print("|---|---|---:|---:|---:|---:|")
    for (case_name, name), (exact, mean, half) in last.items():
        hits = inside[case_name, name]
        print(
            f"| {case_name} | {name} | {exact:.4f} | {mean:.4f} | ± {half:.4f} | {sum(hits)} of {len(hits)} |"
        )
    every = [hit for hits in inside.values() for hit in hits]
    print(f"\nInside in all: {100 * sum(every) / len(every):.1f}% of {len(every)} intervals (95% expected)")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    chosen = parser.parse_args()
    speed()
    print()
    beside_simpy()
    print()
    theory(chosen.seeds)


if __name__ == "__main__":
    main()
