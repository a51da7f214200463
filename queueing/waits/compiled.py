"""The inner loop of `forward`: a center's line called out, run by run, compiled.

Each run takes well under 20 microseconds, so a hundred cost less than drawing their chances. The code is kept on disk
beside the module (`make setup` compiles it); without a place to keep it each process compiles it once, some seconds.
The same function run by the interpreter (`call_out.py_func`) gives the same waits to the bit; a test holds that.
"""

# mypy: disable-error-code="no-untyped-call,untyped-decorator"
from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np

from queueing.waits.snapshots import Floats, Ints

FAR = 1e9
"""Minutes that never come."""


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


def warm() -> None:
    """Compile, or read the code that was kept, so that no page waits for it."""
    one = np.zeros((1, 1))
    far = np.full((1, 1, 1), FAR)
    places = np.zeros((1, 1), np.int64)
    call_out(
        one.copy(), np.ones((1, 1), np.bool_), far, far, places, one, places, np.zeros((1, 1), np.bool_), one + 1,
        one + 1, one.copy(), 1, )  # fmt: skip
