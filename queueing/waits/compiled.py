"""What is compiled here: a center's line called out, run by run (`forward`), and trees walked row by row (`trees`).

A run takes some ten microseconds, so a hundred cost no more than drawing their chances. The code is kept on disk beside
the module (`make setup` compiles it); without a place to keep it each process compiles it once, some seconds. The same
functions run by the interpreter (`call_out.py_func`) give the same waits to the bit; a test holds that. Whoever needs
this imports it when it is needed: commands that tell no waits should not load a compiler.
"""

# mypy: disable-error-code="no-untyped-call,untyped-decorator"
from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np

from queueing.waits.snapshots import Floats, Ints

FAR = 1e9
"""`forward.FAR`; a kernel's file must stand alone."""


def _kernel(function: Callable[..., None]) -> Any:
    how: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
    try:
        return cast(Any, numba.njit(cache=True, **how)(function))
    except RuntimeError:  # nowhere to keep the code
        return cast(Any, numba.njit(**how)(function))


@_kernel
def call_out(  # type: ignore[misc]
    free: Floats,
    skills: np.ndarray,
    begin: Floats,
    end: Floats,
    service: Ints,
    present: Floats,
    order: Ints,
    done: np.ndarray,
    patience: Floats,
    length: Floats,
    waited: Floats,
    asked: int,
) -> None:
    """Call by call, until everybody who is asked about (the first `asked` people) is called; fills `waited`. Arrays
    are runs x desks or runs x people, `skills` desks x services, `begin` and `end` runs x desks x pauses; `order`:
    people in the order they are called in; `done`: who does not come. `free` and `done` are used up. The desk that
    is free first calls whom it may, or waits."""
    runs, total = service.shape
    desks = free.shape[1]
    pauses = begin.shape[2]
    for run in range(runs):
        left = 0
        for person in range(asked):
            if not done[run, person]:
                left += 1
        first = 0
        while left > 0:
            desk = 0
            for other in range(1, desks):
                if free[run, other] < free[run, desk]:
                    desk = other
            now = free[run, desk]
            if now >= FAR / 2:
                break
            until = now
            for k in range(pauses):
                if begin[run, desk, k] <= now and now < end[run, desk, k]:
                    until = max(until, end[run, desk, k])
            if until > now:
                free[run, desk] = until
                continue
            while first < total and done[run, order[run, first]]:
                first += 1
            chosen = -1
            soonest = FAR
            for place in range(first, total):
                person = order[run, place]
                if done[run, person] or not skills[desk, service[run, person]]:
                    continue
                if present[run, person] > now:
                    soonest = min(soonest, present[run, person])
                    continue
                if patience[run, person] < now:
                    # Gone: it takes no desk time, and what they would have waited is written down.
                    waited[run, person] = now
                    done[run, person] = True
                    if person < asked:
                        left -= 1
                    continue
                chosen = person
                break
            if chosen < 0:
                free[run, desk] = soonest
                continue
            waited[run, chosen] = now
            done[run, chosen] = True
            if chosen < asked:
                left -= 1
            free[run, desk] = now + length[run, chosen]


@_kernel
def walk(  # type: ignore[misc]
    matrix: Floats,
    feature: Ints,
    threshold: Floats,
    child: Ints,
    absent: Ints,
    leaf: Floats,
    first_node: Ints,
    first_leaf: Ints,
    found: Floats,
) -> None:
    """Write the sum of every tree's leaf for each row to `found` (`trees.Trees`)."""
    for row in range(matrix.shape[0]):
        total = 0.0
        for tree in range(len(first_leaf) - 1):
            node = first_node[tree]
            place = 0
            if node < first_node[tree + 1]:
                here = 0
                while here >= 0:
                    at = node + here
                    value = matrix[row, feature[at]]
                    side = 0
                    if np.isnan(value) and absent[at] < 2:
                        side = absent[at]
                    else:
                        if np.isnan(value):
                            value = 0.0
                        if value > threshold[at]:
                            side = 1
                    here = child[at, side]
                place = -here - 1
            total += leaf[first_leaf[tree] + place]
        found[row] = total


def warm() -> None:
    """Compile, or read the code that was kept, so that no page waits for it."""
    one, two = np.zeros((1, 1)), np.zeros(2, np.int64)
    far = np.full((1, 1, 1), FAR)
    places, nobody = np.zeros((1, 1), np.int64), np.zeros((1, 1), np.bool_)
    free, waited = one.copy(), one.copy()
    call_out(free, ~nobody, far, far, places, one, places, nobody, one + 1, one + 1, waited, 1)
    walk(one, two[:0], one[0, :0], np.zeros((0, 2), np.int64), two[:0], one[0], two, two, one[0].copy())
