"""How likely those who come in half an hour to an hour wait over 45 minutes, from the state of a line now. Pure.

The state is one number, the expected wait of somebody who joins now (QL, Ibrahim and Whitt 2009): people waiting x
minutes a person taken from the line. Where lines are long they stay long for a while: of everything that can be said
in one formula this ranked best on Warsaw's offices (the expected line in 45 minutes, by usual or by present arrivals,
ranked worse: what comes and goes in 45 minutes is known less well than what stands there). So

    chance = 1 / (1 + exp(-(A + B log(1 + QL minutes))))

with A and B by maximum likelihood on six working days of Warsaw's offices (30 December 2019 to 8 January 2020: 55,893
states of 238 lines). A line in which nobody waits has no chance worth a word. Minutes carry over from place to place;
A and B would not if days went
quite differently, so every warning is held against what came of it and the screen says how many came true.
"""

from __future__ import annotations

import math

LONG_MIN = 45.0
"""Minutes from which a wait is what is warned of."""
FROM_MIN, TO_MIN = 30.0, 60.0
"""Who is meant: those who come so many minutes later."""
INTERCEPT, SLOPE = -5.14, 1.30


def expected_wait(waiting: int, desks: int, pace_s: float) -> float | None:
    """Minutes that somebody who joins now will wait; None without an open desk. `pace_s`: desk-seconds a person."""
    return waiting * pace_s / desks / 60 if desks > 0 else None


def chance_of(wait_min: float) -> float:
    """The chance (0 to 1) at an expected wait now of so many minutes."""
    return (
        1.0 / (1.0 + math.exp(-(INTERCEPT + SLOPE * math.log1p(max(0.0, wait_min))))) if wait_min > 0 else 0.0
    )


def wait_at(chance: float) -> float:
    """Minutes of expected wait at which the chance is reached: what a threshold means in plain words."""
    return math.expm1((math.log(chance / (1.0 - chance)) - INTERCEPT) / SLOPE)
