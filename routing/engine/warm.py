"""Compiling every inner loop once, so that no planner waits for it: the result is kept beside the source."""

from __future__ import annotations

from typing import Any


def problems() -> list[dict[str, Any]]:
    """Return tiny problems that between them use all compiled code: short and long routes, nights, traffic."""
    places = [{"id": f"P{i}", "lat": 30 + 0.02 * i, "lon": 31 + 0.03 * (i % 3)} for i in range(8)]
    travel = {"road": {"detour": 1.3, "speeds": [[None, 50]], "cost_per_km": 1}}
    short = {
        "format": "fleet-problem/2",
        "name": "warm",
        "unit": "",
        "days": ["2026-01-03", "2026-01-04"],
        "places": places,
        "travel": {**travel, "traffic": {"regions": {"city": ["P0"]}, "percent": {"city": [[480, 150]]}}},
        "centers": [
            {"id": "A", "depot": "P0", "days": [0, 1], "shift": [480, 960], "class": "*", "nights": 1},
            {"id": "B", "depot": "P1", "days": [0, 1], "shift": [480, 960], "class": "*"},
        ],
        "sites": [
            {
                "id": f"S{i}",
                "place": f"P{i}",
                "open": [480, 960],
                "offers": [{"stay": 120, "value": 100 + i}, {"stay": 180, "value": 130 + i}],
            }
            for i in range(8)
        ],
    }
    long = {
        **short,
        "format": "fleet-problem/1",
        "travel": travel,
        "centers": [{"id": "A", "depot": "P0", "days": [0], "shift": [480, 960], "class": "*"}],
        "sites": [
            {"id": f"S{i}", "place": f"P{i}", "open": [480, 960], "offers": [{"stay": 20, "value": 10 + i}]}
            for i in range(8)
        ],
    }
    return [short, long]


def warm() -> None:
    """Compile. Takes up to a minute the first time on a machine, a second later."""
    from routing.engine.long.warm import warm as warm_long
    from routing.problem import Problem
    from routing.solve import solve

    warm_long()
    for data in problems():
        solve(Problem.from_json(data), iterations=3, threads=1)
