"""A village's errands: how they gather between visits, who a visit serves, and how long those wait at the
van. Pure numpy."""

from __future__ import annotations

import numpy as np

from fleet.relief import STEP_H, Floats, Line

COME_RATE = 0.45
"""Rate an hour at which those who mean to use a village visit come, while it stands there: half within 92
minutes, five sixths within four hours. An announced visit is met early; most who want it are there before
noon."""
BUSY_SHARE = 0.85
"""Share of its desk time a van can really serve in (set-up between citizens, breaks, prayer)."""


def served(stock: Floats, desks: Floats, service_h: Floats, stay_h: Floats) -> Floats:
    """Return the people a village visit serves: min(capacity x stay, N (1 - exp(-k stay))), capacity an
    hour."""
    capacity = BUSY_SHARE * desks / service_h
    people: Floats = np.minimum(capacity * stay_h, stock * (1 - np.exp(-COME_RATE * stay_h)))
    return people


def village_wait(stock: Floats, desks: Floats, service_h: Floats, cs2: Floats, stay_h: Floats) -> Floats:
    """Return the person-hours waited at the van of a village visit that meets an empty line.

    Turns of an announced visit are taken by phone or at the door and spread over the stay, so people come
    evenly; when more want to come than can be served, tickets end at what the stay can serve.
    """
    rate = served(stock, desks, service_h, stay_h) / np.maximum(stay_h, 1e-9)
    line = Line(desks, service_h, cs2, np.zeros_like(desks))
    total = np.zeros_like(rate)
    for i in range(round((float(stay_h.max(initial=0.0)) + 1.0) / STEP_H)):
        total += line.step(np.where((i + 0.5) * STEP_H < stay_h, rate, 0.0), STEP_H)
    return total


REGROW_WEEKS = 8.0
"""Mean number of weeks an errand is put off before the villager makes the trip to the fixed center after
all: what a visit can find is what gathered meanwhile."""


def stock_now(weekly: Floats, weeks_since: Floats, left_over: Floats) -> Floats:
    """Return the errands waiting in a village: S' = weekly - S / REGROW_WEEKS since the last visit left
    `left_over`.

    Never visited is weeks_since = inf: weekly x REGROW_WEEKS.
    """
    fade = np.exp(-weeks_since / REGROW_WEEKS)
    stock: Floats = weekly * REGROW_WEEKS * (1 - fade) + left_over * fade
    return stock


USUAL_STAY_H = 4.0
"""Hours that a past visit is taken to have lasted."""


def gathered(weekly: Floats, weeks_since: Floats) -> Floats:
    """Return the errands waiting in villages so many weeks after a visit of the usual stay (inf: never visited)."""
    rest = weekly * REGROW_WEEKS * np.exp(-COME_RATE * USUAL_STAY_H)
    return stock_now(weekly, weeks_since, rest)
