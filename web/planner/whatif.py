"""What one more van, a longer shift or a second crew would bring; what a pin costs."""

from __future__ import annotations

from typing import Any

from web.planner.door import blueprint, the_plan


@blueprint.get("/plans/<int:plan_id>/whatif")
def whatif(plan_id: int) -> Any:
    """The page."""
    return str(the_plan(plan_id).id)
