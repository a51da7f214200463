"""The map of visits, for who asks for it: drawn from layers of ours, with a list beside it that says the same."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

from flask import Response, abort, current_app, make_response, render_template, request, send_file, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from fleet import nearby
from fleet.calendar import local_day
from fleet.store import Governorate, Site, Visit
from web import clock, layers
from web.citizen import blueprint
from web.citizen.centers import KINDS
from web.citizen.find import read_near
from web.db import read
from web.i18n import clock_time, language, named, relative_day
from web.layers import governorate_names, tiles_file

DAYS = 7
"""How many days ahead the map looks."""
LISTED = 25
FRESH_S = 60
"""How long a phone may keep the points: a change notice reaches everybody within this time."""
STANDING = ("announced", "open", "cancelled")


@blueprint.get("/map")
def map_page() -> Any:
    """The map, and below it the visits of what the address names: a place (`near`), a governorate (`gov`), a day."""
    session, now = read(), clock.now()
    today, day, spot = local_day(now), _wanted_day(now), read_near(request.args.get("near", ""))
    governorate = _wanted_governorate(session)
    visits: list[Visit] = []
    if spot is not None:
        until = day or today + timedelta(days=DAYS - 1)
        page = nearby.visits_near(
            session, spot.lat, spot.lon, now=now, date_from=day, date_to=until, limit=LISTED
        )
        visits = sorted((near.visit for near in page.visits), key=lambda visit: (visit.day, visit.opens_at))
    elif governorate is not None:
        visits = _visits(session, now, day, governorate.id)
    counts = _by_governorate(session, now, day) if spot is None and governorate is None else []
    by_day: dict[date, list[Visit]] = defaultdict(list)
    for visit in visits:
        by_day[visit.day].append(visit)
    return render_template(
        "citizen/map.html",
        days=[today + timedelta(days=n) for n in range(DAYS)], day=day, today=today, as_of=now, spot=spot,
        governorate=governorate, governorates=sorted(nearby.governorates(session), key=named), by_day=by_day,
        counts=counts, tiles=tiles_file() is not None,
    )  # fmt: skip


@blueprint.get("/map/points.json")
def map_points() -> Response:
    """Places with their coming visits, fixed centers and governorates' names: what stands on the map."""
    session, now = read(), clock.now()
    today, day = local_day(now), _wanted_day(now)
    places: dict[int, list[Any]] = {}
    for visit in _visits(session, now, day, None):
        at = places.setdefault(
            visit.site_id, [round(visit.site.lat, 4), round(visit.site.lon, 4), named(visit.site), []]
        )
        hours = f"{clock_time(visit.opens_at)}–{clock_time(visit.closes_at)}"
        at[3].append([visit.id, relative_day(visit.day, today), hours, visit.status])
    centers = session.execute(
        select(Site.id, Site.lat, Site.lon, Site.name_ar, Site.name_en).where(
            Site.active, Site.kind.in_(KINDS)
        )
    )
    whole = {
        "as_of": clock_time(now),
        "visit": url_for("citizen.visit", visit_id=0)[:-1],
        "center": url_for("citizen.center", site_id=0)[:-1],
        "places": list(places.values()),
        "centers": [[row.id, round(row.lat, 4), round(row.lon, 4), named(row)] for row in centers],
        "names": governorate_names(session),
    }
    answer = make_response(json.dumps(whole, ensure_ascii=False, separators=(",", ":")))
    answer.mimetype = "application/json"
    answer.headers["Cache-Control"] = f"public, max-age={FRESH_S}"
    return answer


@blueprint.get("/map/base.geojson")
def map_base() -> Response:
    """The layers under the points."""
    path = layers.path_of(current_app.extensions["settings"].data_dir)
    answer = make_response(path.read_bytes())
    answer.mimetype = "application/json"  # a kind that is compressed
    answer.headers["Cache-Control"] = "public, max-age=3600"
    answer.set_etag(f"{path.stat().st_mtime_ns:x}", weak=True)
    answer.make_conditional(request)
    return answer


@blueprint.get("/map/tiles.pmtiles")
def map_tiles() -> Response:
    """Detailed tiles, where this installation has a file of them: asked for by pieces."""
    path = tiles_file()
    if path is None:
        abort(404)
    return send_file(path, mimetype="application/octet-stream", conditional=True, max_age=86400)


def _wanted_day(now: datetime) -> date | None:
    """One of the days ahead; None for all of them."""
    today = local_day(now)
    try:
        day = date.fromisoformat(request.args.get("day", ""))
    except ValueError:
        return None
    return day if 0 <= (day - today).days < DAYS else None


def _wanted_governorate(session: Session) -> Governorate | None:
    text = request.args.get("gov", "")
    return (
        session.get(Governorate, int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else None
    )


def _coming(now: datetime, day: date | None) -> tuple[Any, ...]:
    today = local_day(now)
    days = Visit.day == day if day else Visit.day.between(today, today + timedelta(days=DAYS - 1))
    return days, Visit.status.in_(STANDING), Visit.closes_at > now


def _visits(session: Session, now: datetime, day: date | None, governorate_id: int | None) -> list[Visit]:
    """Coming visits in the order of time."""
    chosen = select(Visit).join(Site, Site.id == Visit.site_id).where(*_coming(now, day))
    if governorate_id is not None:
        chosen = chosen.where(Site.governorate_id == governorate_id)
    return list(session.scalars(chosen.options(joinedload(Visit.site)).order_by(Visit.opens_at, Visit.id)))


def _by_governorate(session: Session, now: datetime, day: date | None) -> list[tuple[int, str, int]]:
    """(id, name, visits) of every governorate, by name: the map as a list."""
    name = Governorate.name_ar if language() == "ar" else Governorate.name_en
    counts = dict(
        session.execute(
            select(Site.governorate_id, func.count())
            .join(Visit, Visit.site_id == Site.id)
            .where(*_coming(now, day), Visit.status != "cancelled")
            .group_by(Site.governorate_id)
        ).all()
    )
    rows = session.execute(select(Governorate.id, name))
    return sorted(((row[0], row[1], counts.get(row[0], 0)) for row in rows), key=lambda row: row[1])
