"""What `make setup` compiles is what a running installation uses."""

from __future__ import annotations

import numpy as np

from fleet import relief, relief_chain, warm
from fleet.simulation import engine_compiled
from fleet.simulation.engine import play
from tests.fleet.test_simulation_engine import anything


def test_nothing_is_left_to_compile_after_warming() -> None:
    """Many centers in threads, a van beside them, any day of any lines: no kernel is compiled for other types."""
    warm.warm()
    kernels = [relief_chain.alone, relief_chain.beside, engine_compiled._play]
    before = [len(kernel.signatures) for kernel in kernels]
    assert all(before)
    size = relief.CHUNK + 1
    arrivals, one = np.zeros((size, 24)), np.ones(size)
    arrivals[:, 9:12] = 10.0
    centers = relief.Station(arrivals, np.full((size, 24), 2.0), one * 0.2, one * 0.4, one * 0.1)
    relief.waiting(centers)
    relief.relieve(centers, relief.Van(one, one * 0.2, one * 0.4, one * 9, one * 10, one * 0.5, one * 0))
    play(*anything(np.random.default_rng(1)))
    assert [len(kernel.signatures) for kernel in kernels] == before
