"""Where this installation's driving times come from: a router or the formula, and traffic by the clock."""

from __future__ import annotations

from pathlib import Path

from flask import current_app
from flask_babel import gettext as _
from flask_babel import ngettext

from fleet import planner
from fleet.planning.blobs import decode
from fleet.store import Plan
from web.i18n import number


def installed() -> planner.Driving:
    """Return the router and the traffic that the settings name. What a router answers is kept in the data folder."""
    settings = current_app.extensions["settings"]
    tiles = settings.valhalla_tiles
    roads = planner.roads_of(
        settings.data_dir / "roads",
        router_url=settings.router_url,
        valhalla_tiles=None if tiles is None else str(tiles),
    )
    return planner.Driving(roads, settings.traffic)


def avoids_closed() -> bool:
    """Whether the installation's router finds ways around closed ground on its map."""
    settings = current_app.extensions["settings"]
    return settings.router_url is None and settings.valhalla_tiles is not None


def tiles() -> Path | None:
    """The folder of road tiles of this installation."""
    found: Path | None = current_app.extensions["settings"].valhalla_tiles
    return found


def said(plan: Plan) -> str:
    """Return where the plan's driving times came from; empty when nobody was asked."""
    told = decode(plan.problem).raw.get("roads") if plan.problem else None
    if not told:
        return ""
    name = {"osrm": "OSRM", "valhalla": "Valhalla"}.get(told["router"], told["router"])
    if "failed" in told:
        return str(_("%(router)s gave no driving times, so the road formula was used.", router=name))
    if not told.get("by_formula"):
        return str(_("Driving times come from %(router)s.", router=name))
    pairs = told["by_formula"]
    told_in_words = ngettext(
        "Driving times come from %(router)s; for %(shown)s way that it does not know, from the road formula.",
        "Driving times come from %(router)s; for %(shown)s ways that it does not know, from the road formula.",
        pairs,
        router=name,
        shown=number(pairs),
    )
    return str(told_in_words)
