"""Calendar files of visits, for phones and for other programs (RFC 5545)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, abort, make_response, request, url_for
from flask_babel import gettext as _
from icalendar import Calendar, Event, vGeo
from sqlalchemy import select

from fleet.calendar import local_day
from fleet.store import Center, LocalUnit, Site, Visit
from web import clock
from web.db import read
from web.i18n import language, named

blueprint = Blueprint("feeds", __name__)

PRODUCT = "-//Mobile service centers//visits//"
KEPT_DAYS = 14
"""How long past visits stay in a place's feed, so that calendars do not lose yesterday."""


@blueprint.get("/feeds/visits/<int:visit_id>.ics")
def visit_ics(visit_id: int) -> Response:
    """One visit."""
    visit = read().get(Visit, visit_id)
    if visit is None:
        abort(404)
    return _answer([visit], f"visit-{visit.id}", named(visit.site))


@blueprint.get("/feeds/sites/<int:site_id>.ics")
def site_ics(site_id: int) -> Response:
    """All visits to a place, to subscribe to: a changed or cancelled visit changes in the calendar too."""
    site = read().get(Site, site_id)
    if site is None:
        abort(404)
    return _answer(_visits(Visit.site_id == site.id), f"site-{site.id}", named(site))


@blueprint.get("/feeds/centers/<int:center_id>.ics")
def center_ics(center_id: int) -> Response:
    """All visits of a mobile center, to subscribe to."""
    center = read().get(Center, center_id)
    if center is None:
        abort(404)
    return _answer(_visits(Visit.center_id == center.id), f"center-{center.id}", named(center))


@blueprint.get("/feeds/units/<int:unit_id>.ics")
def unit_ics(unit_id: int) -> Response:
    """All visits to the places of a district, to subscribe to."""
    unit = read().get(LocalUnit, unit_id)
    if unit is None:
        abort(404)
    here = Visit.site_id.in_(select(Site.id).where(Site.local_unit_id == unit.id))
    return _answer(_visits(here), f"unit-{unit.id}", named(unit))


def _visits(which: Any) -> list[Visit]:
    since = local_day(clock.now()) - timedelta(days=KEPT_DAYS)
    chosen = select(Visit).where(which, Visit.day >= since).order_by(Visit.opens_at, Visit.id)
    return list(read().scalars(chosen))


def event(visit: Visit, host: str) -> Event:
    """A visit as a calendar event; its UID stays the same whatever changes, its sequence rises with each change."""
    made = Event()
    changed = visit.changed_at or visit.opens_at - timedelta(days=7)
    made.add("uid", f"visit-{visit.id}@{host}")
    made.add("dtstamp", changed)
    made.add("dtstart", visit.opens_at)
    made.add("dtend", visit.closes_at)
    made.add("summary", _("Service center: %(place)s", place=named(visit.site)))
    landmark = named(visit.site, "landmark")
    place = [named(visit.site), landmark, named(visit.site.local_unit), named(visit.site.governorate)]
    made.add("location", _(", ").join(part for part in place if part))
    made["geo"] = vGeo((visit.site.lat, visit.site.lon))
    address = url_for("citizen.visit", visit_id=visit.id, _external=True)
    words = [named(visit.center), named(visit, "reason"), address]
    made.add("description", "\n".join(word for word in words if word))
    made.add("url", address)
    made.add("status", "CANCELLED" if visit.status == "cancelled" else "CONFIRMED")
    made.add("sequence", int(changed.timestamp()) // 60 if visit.changed_at else 0)
    if visit.changed_at:
        made.add("last-modified", visit.changed_at)
    return made


def _answer(visits: list[Visit], name: str, title: str) -> Response:
    calendar = Calendar()
    calendar.add("prodid", f"{PRODUCT}{language().upper()}")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", title)
    host = request.host.partition(":")[0]
    for visit in visits:
        calendar.add_component(event(visit, host))
    response: Any = make_response(calendar.to_ical())
    response.headers["Content-Type"] = "text/calendar; charset=utf-8"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.ics"'
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag(weak=True)
    return response.make_conditional(request)  # type: ignore[no-any-return]
