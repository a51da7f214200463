"""Random days with losses, power cuts, restores and clones: nothing lost, nothing doubled, a person is asked.

Four seeds here; `make test-all` runs three hundred, and the benchmarks print their sums.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.van.source import Source
from tests.van.trials import run_trial


@pytest.mark.parametrize("batch", range(2))
def test_nothing_is_lost_and_nothing_doubled(batch: int, source: Source, tmp_path: Path) -> None:
    """Two days each."""
    for seed in range(batch * 2, batch * 2 + 2):
        run_trial(seed, source, tmp_path / str(seed))


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(30))
@pytest.mark.timeout(900)
def test_three_hundred_days(batch: int, source: Source, tmp_path: Path) -> None:
    """Ten days each, other seeds."""
    for seed in range(1_000 + batch * 10, 1_010 + batch * 10):
        run_trial(seed, source, tmp_path / str(seed))
