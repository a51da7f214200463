"""Pages of the planner: week board, drafts, comparison, congestion, live. One module per page."""

from __future__ import annotations

from web.planner import (
    announced,
    board,
    comparing,
    congestion,
    downloads,
    drafts,
    fairness,
    forecast,
    livemap,
    nights,
    options,
    outlook,
    repairs,
    scenarios,
    scenarios_compare,
    scenarios_week,
    sites,
    unserved,
    visits,
    warnings,
    whatif,
    why,
)
from web.planner.door import blueprint
from web.van import hq as vans

__all__ = [
    "announced",
    "blueprint",
    "board",
    "comparing",
    "congestion",
    "downloads",
    "drafts",
    "fairness",
    "forecast",
    "livemap",
    "nights",
    "options",
    "outlook",
    "repairs",
    "scenarios",
    "scenarios_compare",
    "scenarios_week",
    "sites",
    "unserved",
    "vans",
    "visits",
    "warnings",
    "whatif",
    "why",
]
