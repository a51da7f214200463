"""Routing decides: where each center goes on each day, and how good that is. Pure: no web, no database.

The public names are these; see docs/routing.md.
"""

from routing.check import Fault, Verdict, check
from routing.errors import PinError, PlanError, ProblemError, RoutingError
from routing.explain import Move, explain, move_cost
from routing.problem import Center, Group, Matrix, Offer, Pin, Place, Problem, Road, Site, load
from routing.solution import Costs, Plan, Prices, Route, Stop, Unserved, save
from routing.solve import solve
from routing.traffic import Traffic
from routing.travel import Travel

__all__ = [
    "Center",
    "Costs",
    "Fault",
    "Group",
    "Matrix",
    "Move",
    "Offer",
    "Pin",
    "PinError",
    "Place",
    "Plan",
    "PlanError",
    "Prices",
    "Problem",
    "ProblemError",
    "Road",
    "Route",
    "RoutingError",
    "Site",
    "Stop",
    "Traffic",
    "Travel",
    "Unserved",
    "Verdict",
    "check",
    "explain",
    "load",
    "move_cost",
    "save",
    "solve",
]
