"""Planning's door: everything a screen, a job or the command line does with a week's plan.

Values are person-hours, problems and plans are `fleet-problem/1` and `fleet-plan/1` in tenths of a
person-hour.
"""

from __future__ import annotations

from fleet.planning.cancelling import cancel_visit
from fleet.planning.changes import apply_change, try_change
from fleet.planning.compare import compare, totals, visit_shares
from fleet.planning.drafts import (
    Solved,
    accept_solution,
    create_draft,
    duplicate_as_draft,
    fail_draft,
    fill_draft,
    prepare,
    prepare_draft,
    prepare_solution,
    reserve_draft,
    solver_command,
)
from fleet.planning.export import export
from fleet.planning.fairness import (
    UnitCoverage,
    coverage_of,
    limits,
    set_limit,
)
from fleet.planning.horizon import (
    MOST_WEEKS,
    Stale,
    days_of,
    open_weeks,
    plans_holding,
    published_plans,
    settled_weeks,
    stale,
    weeks_of,
)
from fleet.planning.ledger import Share
from fleet.planning.measures import Measured, Measures, answered, marks_now, measure, measure_baseline
from fleet.planning.pinning import ends_away, pin, tour_of, unpin
from fleet.planning.problem import build_problem
from fleet.planning.promises import promise, take_back
from fleet.planning.publish import Publication, prepare_publish, preview, publish
from fleet.planning.reasons import unserved
from fleet.planning.scenarios.takeover import TakeOver, fill_takeover, prepare_takeover
from fleet.planning.scenarios.verbs import (
    add_change,
    create_scenario,
    discard_scenario,
    drop_change,
    preview_scenario,
    raise_change,
    rename,
    replace_change,
    reserve_scenario,
    scenarios,
    source_of,
)
from fleet.planning.shapes import (
    Change,
    Comparison,
    DayStops,
    Fault,
    Placement,
    PublishPreview,
    PublishReport,
    Totals,
    UnservedSite,
    Verdict,
)
from fleet.planning.timeline import Line, Piece, timeline
from fleet.planning.tours import MOST_NIGHTS, set_nights
from fleet.planning.traffic import read_traffic
from fleet.planning.travel import Driving, Roads, roads_of
from fleet.planning.why import pin_price, why_none, why_this
from fleet.planning.why_shapes import Option, PinPrice, WhyNone, WhyVisit

__all__ = [
    "MOST_NIGHTS",
    "MOST_WEEKS",
    "Change",
    "Comparison",
    "DayStops",
    "Driving",
    "Fault",
    "Line",
    "Measured",
    "Measures",
    "Option",
    "Piece",
    "PinPrice",
    "Placement",
    "Publication",
    "PublishPreview",
    "PublishReport",
    "Roads",
    "Share",
    "Solved",
    "Stale",
    "TakeOver",
    "Totals",
    "UnitCoverage",
    "UnservedSite",
    "Verdict",
    "WhyNone",
    "WhyVisit",
    "accept_solution",
    "add_change",
    "answered",
    "apply_change",
    "build_problem",
    "cancel_visit",
    "compare",
    "coverage_of",
    "create_draft",
    "create_scenario",
    "days_of",
    "discard_scenario",
    "drop_change",
    "duplicate_as_draft",
    "ends_away",
    "export",
    "fail_draft",
    "fill_draft",
    "fill_takeover",
    "limits",
    "marks_now",
    "measure",
    "measure_baseline",
    "open_weeks",
    "pin",
    "pin_price",
    "plans_holding",
    "prepare",
    "prepare_draft",
    "prepare_publish",
    "prepare_solution",
    "prepare_takeover",
    "preview",
    "preview_scenario",
    "promise",
    "publish",
    "published_plans",
    "raise_change",
    "read_traffic",
    "rename",
    "replace_change",
    "reserve_draft",
    "reserve_scenario",
    "roads_of",
    "scenarios",
    "set_limit",
    "set_nights",
    "settled_weeks",
    "solver_command",
    "source_of",
    "stale",
    "take_back",
    "timeline",
    "totals",
    "tour_of",
    "try_change",
    "unpin",
    "unserved",
    "visit_shares",
    "weeks_of",
    "why_none",
    "why_this",
]
