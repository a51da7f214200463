"""Planning's door: everything a screen, a job or the command line does with a week's plan.

Values are person-hours, problems and plans are `fleet-problem/1` and `fleet-plan/1` in tenths of a
person-hour.
"""

from __future__ import annotations

from fleet.planning.changes import apply_change, pin, try_change, unpin
from fleet.planning.compare import compare, totals
from fleet.planning.drafts import (
    accept_solution,
    create_draft,
    duplicate_as_draft,
    fail_draft,
    fill_draft,
    prepare_draft,
    reserve_draft,
    solver_command,
)
from fleet.planning.export import export
from fleet.planning.problem import build_problem
from fleet.planning.publish import cancel_visit, preview, publish
from fleet.planning.reasons import unserved
from fleet.planning.shapes import (
    Change,
    Comparison,
    Fault,
    Placement,
    PublishPreview,
    PublishReport,
    Totals,
    UnservedSite,
    Verdict,
)

__all__ = [
    "Change",
    "Comparison",
    "Fault",
    "Placement",
    "PublishPreview",
    "PublishReport",
    "Totals",
    "UnservedSite",
    "Verdict",
    "accept_solution",
    "apply_change",
    "build_problem",
    "cancel_visit",
    "compare",
    "create_draft",
    "duplicate_as_draft",
    "export",
    "fail_draft",
    "fill_draft",
    "pin",
    "prepare_draft",
    "preview",
    "publish",
    "reserve_draft",
    "solver_command",
    "totals",
    "try_change",
    "unpin",
    "unserved",
]
