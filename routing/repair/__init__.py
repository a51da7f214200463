"""Repairing a plan that is under way, when a center fails, a place closes, a road is cut or demand runs over."""

from routing.repair.changes import Change, NightChange, Told
from routing.repair.disruptions import (
    CenterAdded,
    CenterOut,
    DemandChanged,
    Disruption,
    RoadSlowed,
    SiteClosed,
    from_json,
    to_json,
)
from routing.repair.rest import Rest, rest_of
from routing.repair.search import Alternative, carried_on, repair
from routing.repair.whereabouts import Whereabouts
from routing.solution import Visit

__all__ = [
    "Alternative",
    "CenterAdded",
    "CenterOut",
    "Change",
    "DemandChanged",
    "Disruption",
    "NightChange",
    "Rest",
    "RoadSlowed",
    "SiteClosed",
    "Told",
    "Visit",
    "Whereabouts",
    "carried_on",
    "from_json",
    "repair",
    "rest_of",
    "to_json",
]
