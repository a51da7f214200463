"""Pages of the citizen: find the next visit, the visit, take a ticket, my ticket. All work without JavaScript."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("citizen", __name__)

# The views attach themselves to the blueprint made above.
from web.citizen import (  # noqa: E402, F401
    booking,
    centers,
    find,
    following,
    life,
    maps,
    offline,
    places,
    several,
    sharing,
    taking,
    tickets,
    visits,
    words,
)
