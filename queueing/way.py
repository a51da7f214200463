"""The shortest way through several queues: which service next, at which of the queues that offer it. Pure.

The wait at a queue for who joins it t seconds from now is taken to be max(0, wait + drift x t): the line of today moves
on by what its desks take and what comes in (a fluid queue; drift = arrivals x pace / desks - 1, never below -1). So
whoever comes earlier is never done later, and among all ways to have a set of steps done and to stand in a certain
queue, the earliest is best whatever follows: an exact dynamic programme over (steps done, queue), 2^n x queues states
(M. Held and R. M. Karp, "A dynamic programming approach to sequencing problems", J. SIAM 10, 1962). It is solved anew
after each step, with the lines as they are by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

WALK_S = 120.0
"""From one queue's desks to another's, in one building."""
MOST_STEPS = 6


@dataclass(frozen=True, slots=True)
class Option:
    """A queue that offers a step's service. Seconds; `drift` is seconds of wait gained in a second."""

    queue: int
    wait_s: float
    service_s: float
    drift: float = 0.0

    def wait_at(self, t: float) -> float:
        """The wait of somebody who joins t seconds from now."""
        return max(0.0, self.wait_s + max(-1.0, self.drift) * t)


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be done. `after`: keys of steps that must be done before."""

    key: int
    options: tuple[Option, ...]
    after: frozenset[int] = frozenset()


class Leg(NamedTuple):
    """One step of the way found. Seconds from now: in the line, at the desk, done."""

    key: int
    queue: int
    joins_s: float
    begins_s: float
    ends_s: float


def shortest(
    steps: Sequence[Step], *, at: int | None = None, start_s: float = 0.0, walk_s: float = WALK_S
) -> tuple[Leg, ...]:
    """The way that has all steps done soonest, for somebody who is free in `start_s` seconds at queue `at`.

    A step in the queue where one stands costs no wait: its desk goes on, or calls the same person next. Steps that
    nobody offers, and those that wait for them, are left out. Ties fall to the earlier step and the smaller queue id.
    Raises ValueError for more than `MOST_STEPS` steps.
    """
    left = _possible(steps)
    if len(left) > MOST_STEPS:
        raise ValueError(f"at most {MOST_STEPS} steps, not {len(left)}")
    bit = {step.key: 1 << n for n, step in enumerate(left)}
    needs = [sum(bit[key] for key in step.after if key in bit) for step in left]
    # (steps done, queue) -> (when, and the way that led here: its keys break ties)
    best: dict[tuple[int, int | None], tuple[float, tuple[int, ...], tuple[Leg, ...]]] = {
        (0, at): (start_s, (), ())
    }
    layer = [(0, at)]
    for _ in left:
        following: dict[tuple[int, int | None], None] = {}
        for state in layer:
            done, here = state
            now, keys, way = best[state]
            for n, step in enumerate(left):
                if done & (1 << n) or done & needs[n] != needs[n]:
                    continue
                for option in sorted(step.options, key=lambda o: o.queue):
                    leg = _leg(step.key, option, now, here, walk_s)
                    target = (done | (1 << n), option.queue)
                    reached = (leg.ends_s, (*keys, step.key))
                    if target not in best or reached < best[target][:2]:
                        best[target] = (*reached, (*way, leg))
                    following[target] = None
        layer = list(following)
    full = (1 << len(left)) - 1
    return min(found for state, found in best.items() if state[0] == full)[2]


def _leg(key: int, option: Option, now: float, here: int | None, walk_s: float) -> Leg:
    if here == option.queue:
        return Leg(key, option.queue, now, now, now + option.service_s)
    joins = now + (walk_s if here is not None else 0.0)
    begins = joins + option.wait_at(joins)
    return Leg(key, option.queue, joins, begins, begins + option.service_s)


def _possible(steps: Sequence[Step]) -> list[Step]:
    """Steps that somebody offers and whose predecessors among `steps` are possible too (a circle is not)."""
    keys = {step.key for step in steps}
    good: dict[int, Step] = {}
    while True:
        more = [
            step
            for step in steps
            if step.key not in good and step.options and all(k in good for k in step.after if k in keys)
        ]
        if not more:
            return [step for step in steps if step.key in good]
        good |= {step.key: step for step in more}
