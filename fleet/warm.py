"""Compiling the inner loops of queues once, so that neither the first forecast nor the first played week nor the first
wait that is told waits for it: `python -m fleet.warm`. The result is kept beside the source."""

from __future__ import annotations

import numpy as np

from fleet import relief
from fleet.simulation.engine import EVERY_SKILL, Lines, People, play
from queueing.waits import compiled as waits


def warm() -> None:
    """Compile, or read what is compiled from the disk."""
    arrivals = np.zeros((1, 24))
    arrivals[0, 9:11] = 12.0
    one = np.ones(1)
    center = relief.Station(arrivals, one * 2, one * 0.2, one * 0.4, one * 0.1)
    relief.waiting(center)
    relief.relieve(center, relief.Van(one, one * 0.2, one * 0.4, one * 9, one * 10, one * 0.5, one * 0))
    _play()
    waits.warm()


def _play() -> None:
    """One place with a center's line and a van's, three people who may choose."""
    zeros, hours = np.zeros(3), np.full(3, 0.2)
    lines = Lines(
        np.array([0, 2]), np.array([0, 1, 2]), np.full(2, EVERY_SKILL), np.array([0, 1, 2]), np.array([9.0, 9.0]),
        np.array([12.0, 12.0]), np.ones(2, bool), np.full(2, 14.0), hours[:2], np.full(2, 9.0), np.full(2, 12.0),
    )  # fmt: skip
    people = People(
        np.array([0, 3]), np.array([9.0, 9.1, 9.2]), np.zeros(3, np.int64), np.ones(3, np.int64), np.zeros(3, np.int64),
        zeros, np.full(3, np.inf), hours, hours, zeros, zeros,
    )  # fmt: skip
    play(lines, people)


if __name__ == "__main__":
    warm()
