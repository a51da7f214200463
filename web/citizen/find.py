"""Find the next visit near me: by the phone's location, a typed place, or governorate and local unit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TypeVar

from flask import render_template, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from fleet import nearby
from fleet.calendar import local_day
from fleet.errors import FleetError
from fleet.store import Governorate, LocalUnit, Site, Visit
from web import clock
from web.citizen import blueprint
from web.citizen.centers import NearCenter, nearest_centers
from web.citizen.situation import Situation, situation
from web.citizen.tickets import my_tickets
from web.citizen.visits import next_at
from web.db import read
from web.i18n import named

VISITS = 10
"""Cards on one page: more would cost a slow line more than they help; a link leads on."""
CENTERS = 2
CHOICES = 12
LOOK = 80
"""Longest typed place that is looked for, characters."""


@dataclass(frozen=True)
class Spot:
    """Where the visitor is or wants to go. `name` is empty for the phone's own location."""

    lat: float
    lon: float
    name: str = ""


@dataclass(frozen=True)
class Card:
    """One visit in the list: the visit, how far, how full it is now, and what comes in place of a cancelled one."""

    near: nearby.NearVisit
    status: Situation | None
    later: Visit | None = None

    @property
    def visit(self) -> Visit:
        """The visit."""
        return self.near.visit


@dataclass(frozen=True)
class Asked:
    """What the visitor asked for: a spot, or a list of places or a governorate to choose in, or nothing yet."""

    text: str = ""
    spot: Spot | None = None
    places: tuple[nearby.Place, ...] = ()
    governorate: Governorate | None = None
    fault: str = ""

    @property
    def open(self) -> bool:
        """Whether the choice of a governorate is offered."""
        return self.spot is None and self.governorate is None


@blueprint.get("/")
def home() -> str:
    """The first page and its results, all by GET, so that a result can be kept and shared as a link."""
    db, now = read(), clock.now()
    asked = _asked(db)
    days: list[tuple[date, list[Card]]] = []
    centers: list[tuple[NearCenter, list[Situation]]] = []
    more = None
    if asked.spot is not None:
        days, more = results(db, asked.spot)
        centers = [
            (near, [situation(db, queue, now) for queue in near.site.queues])
            for near in nearest_centers(db, asked.spot.lat, asked.spot.lon, limit=CENTERS)
        ]
    return render_template(
        "citizen/home.html",
        asked=asked,
        units=nearby.local_units(db, asked.governorate.id) if asked.governorate else [],
        days=days,
        more=more,
        centers=centers,
        mine=my_tickets(db),
        today=local_day(now),
        governorates=sorted(nearby.governorates(db), key=named) if asked.open else [],
    )


def _asked(db: Session) -> Asked:
    """What the address asks for."""
    text = request.args.get("q", "").strip()[:LOOK]
    if request.args.get("near"):
        spot = read_near(request.args["near"])
        fault = "" if spot else _("Your location could not be read. Type the name of your village or town.")
        return Asked(spot=spot, fault=fault)
    if (unit := _row(db, LocalUnit, "unit")) is not None:
        return Asked(spot=Spot(unit.lat, unit.lon, named(unit)))
    if (site := _row(db, Site, "site")) is not None:
        return Asked(spot=Spot(site.lat, site.lon, named(site)))
    if text:
        return look_up(db, text)
    return Asked(governorate=_row(db, Governorate, "gov"))


def look_up(db: Session, text: str) -> Asked:
    """A typed place. The only one that fits, or the only one of exactly this name, needs no further choice."""
    places = nearby.find_places(db, text, limit=CHOICES)
    exact = [place for place in places if place.fit == 0]
    sure = places if len(places) == 1 else exact if len(exact) == 1 else []
    if sure and sure[0].kind == "governorate":
        return Asked(text=text, governorate=db.get(Governorate, sure[0].id))
    if sure:
        return Asked(text=text, spot=Spot(sure[0].lat, sure[0].lon, named(sure[0])))
    fault = (
        ""
        if places
        else _("We found no place of this name. Try another spelling, or choose your governorate.")
    )
    return Asked(text=text, places=tuple(places), fault=fault)


def read_near(text: str) -> Spot | None:
    """`24.09,32.90` as a spot; None when it is no point on the globe."""
    latitude, _comma, longitude = text.partition(",")
    try:
        lat, lon = float(latitude), float(longitude)
    except ValueError:
        return None
    return Spot(lat, lon) if -90 <= lat <= 90 and -180 <= lon <= 180 else None


def results(db: Session, spot: Spot) -> tuple[list[tuple[date, list[Card]]], str | None]:
    """The nearest and soonest visits, shown by day and within it by distance; and where the next page starts."""
    now = clock.now()
    after = request.args.get("after") or None
    try:
        page = nearby.visits_near(db, spot.lat, spot.lon, now=now, limit=VISITS, after=after)
    except FleetError:  # a cut-off link: its first page is better than an error
        page = nearby.visits_near(db, spot.lat, spot.lon, now=now, limit=VISITS)
    found = sorted(page.visits, key=lambda near: (near.visit.day, near.km, near.visit.opens_at))
    cards = [
        Card(
            near,
            situation(db, near.visit.queue, now) if near.visit.status == "open" else None,
            next_at(db, near.visit) if near.visit.status == "cancelled" else None,
        )
        for near in found
    ]
    return [(day, list(group)) for day, group in groupby(cards, key=lambda card: card.visit.day)], page.after


T = TypeVar("T")


def _row(db: Session, table: type[T], name: str) -> T | None:
    value = request.args.get(name, "")
    return db.get(table, int(value)) if value.isascii() and value.isdigit() and len(value) < 10 else None
