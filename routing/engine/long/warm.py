"""Compiling the long arm's kernels once, on a tiny problem, so that no planner waits for it."""

from __future__ import annotations

from routing.engine.clock import Clock
from routing.engine.fleet import Fleet
from routing.engine.long import model, search
from routing.engine.long.engine import Long
from routing.engine.long.exact import Exact
from routing.problem import Problem
from routing.travel import Travel


def warm() -> None:
    """Compile every kernel, or read it from the disk. Takes up to half a minute the first time on a machine."""
    fleet = _fleet()
    data = model.make(fleet)
    state = search.blank(data, 1)
    engine = Long(fleet, Clock(None, 1), 1)
    engine.run([])
    search.load(data, state, state.best_seq, state.best_opt, state.best_size)
    exact = Exact(fleet, None)
    engine.bound = None
    exact.run(engine, Clock(None, 1), effort=1)
    if exact.duals is not None:
        for pricer in exact.pricers:
            pricer.within(exact.duals, 1.0, 10, 100)


def _fleet() -> Fleet:
    """Return two vans with a few visits of ten minutes."""
    stops = 8
    minutes = [[5 * abs(i - j) for j in range(stops)] for i in range(stops)]
    return Fleet(
        problem := Problem.from_json(
            {
                "format": "fleet-problem/1",
                "name": "warm",
                "days": ["2026-01-03"],
                "places": [{"id": str(i)} for i in range(stops)],
                "travel": {"minutes": minutes, "cost": [[0] * stops for _ in range(stops)]},
                "centers": [{"id": f"V{i}", "depot": "0", "days": [0], "shift": [0, 60]} for i in range(2)],
                "sites": [
                    {
                        "id": str(i),
                        "place": str(i),
                        "open": [0, 60],
                        "offers": [{"stay": 10, "value": 3 + i}],
                    }
                    for i in range(1, stops)
                ],
            }
        ),
        Travel(problem),
    )
