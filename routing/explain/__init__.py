"""Why a place is not served, why another is, where a visit could go instead, and what a change or a pin costs.

Everything here is worked out on the plan as it stands, without the solver; what needs the solver is in
`routing.whatif`. Questions about one plan share a `Board`.
"""

from routing.explain.board import Board
from routing.explain.moves import Move, move_cost
from routing.explain.pins import PinCost, pin_cost
from routing.explain.unserved import explain, reason_for
from routing.explain.ways import Way, ways
from routing.explain.why import Near, WhyNot, WhyVisit, why_not, why_visit
from routing.solution import Visit

__all__ = [
    "Board",
    "Move",
    "Near",
    "PinCost",
    "Visit",
    "Way",
    "WhyNot",
    "WhyVisit",
    "explain",
    "move_cost",
    "pin_cost",
    "reason_for",
    "ways",
    "why_not",
    "why_visit",
]
