"""Find the next visit near me: by the phone's location, a typed place, governorate and local unit, or by what one
comes for ("renew a birth certificate near me this week")."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import TypeVar

from flask import current_app, render_template, request
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import nearby
from fleet.asked import Finder, Named
from fleet.calendar import local_day
from fleet.errors import FleetError
from fleet.places import EXACT
from fleet.store import Governorate, LocalUnit, Site, Visit
from queueing.store import Service
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
NEAR_KM = 60.0
"""Farther than this is not near: the page says so before it lists what there is (one of nearby's bands)."""
CHOICES = 12
POPULAR = 5
"""Services that the first page offers without typing."""
LOOK = 80
"""Longest typed place that is looked for, characters."""


@dataclass(frozen=True)
class Spot:
    """Where the visitor is or wants to go. `name` is empty for the phone's own location."""

    lat: float
    lon: float
    name: str = ""
    topic: str = ""
    """What can be followed here: `site:12` or `unit:3`."""


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
    """What the visitor asked for: a service or several that may be meant, and until when; a spot, or a list of places
    or a governorate to choose in, or nothing yet."""

    text: str = ""
    spot: Spot | None = None
    places: tuple[nearby.Place, ...] = ()
    governorate: Governorate | None = None
    fault: str = ""
    service: Service | None = None
    services: tuple[Service, ...] = ()
    days: int | None = None
    """Until so many days from today; None: whenever."""

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
    if asked.spot is not None and not asked.services:
        days, more = results(db, asked.spot, asked.service, asked.days)
        wanted = asked.service.id if asked.service is not None else None
        centers = [
            (near, [situation(db, queue, now, quick=True) for queue in near.site.queues])
            for near in nearest_centers(db, asked.spot.lat, asked.spot.lon, limit=CENTERS, service_id=wanted)
        ]
    return render_template(
        "citizen/home.html",
        asked=asked,
        keep={name: request.args[name] for name in ("service", "days") if request.args.get(name)}
        | _understood(asked),
        units=nearby.local_units(db, asked.governorate.id) if asked.governorate else [],
        days=days,
        more=more,
        far=NEAR_KM
        if days and min(card.near.km for _day, cards in days for card in cards) > NEAR_KM
        else 0.0,
        centers=centers,
        mine=my_tickets(db),
        today=local_day(now),
        governorates=sorted(nearby.governorates(db), key=named) if asked.open else [],
        popular=most_wanted(db) if asked.service is None and not asked.services and asked.open else [],
        empty=db.scalar(select(Site.id).limit(1)) is None,
    )


def _understood(asked: Asked) -> dict[str, str]:
    """What was read out of the typed words, for links that go on from here."""
    kept = {"service": asked.service.code} if asked.service is not None else {}
    return kept | ({"days": str(asked.days)} if asked.days is not None else {})


def _asked(db: Session) -> Asked:
    """What the address asks for."""
    text = request.args.get("q", "").strip()[:LOOK]
    asked = _where(db, text)
    code = request.args.get("service", "")[:24]
    if code:
        asked = replace(asked, service=db.scalar(select(Service).where(Service.code == code)), services=())
    within = request.args.get("days", "")
    if within.isascii() and within.isdigit() and len(within) < 3:
        asked = replace(asked, days=int(within))
    return asked


def _where(db: Session, text: str) -> Asked:
    if request.args.get("near"):
        spot = read_near(request.args["near"])
        fault = "" if spot else _("Your location could not be read. Type the name of your village or town.")
        return Asked(spot=spot, fault=fault)
    if (unit := _row(db, LocalUnit, "unit")) is not None:
        return Asked(spot=Spot(unit.lat, unit.lon, named(unit), topic=f"unit:{unit.id}"))
    if (site := _row(db, Site, "site")) is not None:
        return Asked(spot=_at(site))
    if text:
        return look_up(db, text)
    return Asked(governorate=_row(db, Governorate, "gov"))


def look_up(db: Session, text: str) -> Asked:
    """What was typed: a place of exactly this name; else a service, with the place that the other words name; else a
    place that fits. The only one that fits, or the only one of exactly this name, needs no further choice."""
    places = nearby.find_places(db, text, limit=CHOICES)
    if any(place.fit == EXACT for place in places):
        return _of_places(db, text, places)
    question = finder(db).ask(text)
    if not question.services and question.within_days is None:
        return _of_places(db, text, places)
    asked = Asked()
    if question.place:
        asked = _of_places(db, text, nearby.find_places(db, question.place, limit=CHOICES))
    by_code = {
        service.code: service
        for service in db.scalars(select(Service).where(Service.code.in_(question.services)))
    }
    found = tuple(by_code[code] for code in question.services if code in by_code)
    one = found[0] if len(found) == 1 else None
    # Words that name no place are no fault where the service is known: where, is asked next.
    fault = "" if found else asked.fault
    return replace(
        asked, text=text, service=one, services=() if one else found, days=question.within_days, fault=fault
    )


def _of_places(db: Session, text: str, places: list[nearby.Place]) -> Asked:
    exact = [place for place in places if place.fit == EXACT]
    sure = places if len(places) == 1 else exact if len(exact) == 1 else []
    if sure and sure[0].kind == "governorate":
        return Asked(text=text, governorate=db.get(Governorate, sure[0].id))
    if sure:
        place = sure[0]
        topic = f"{'unit' if place.kind == 'unit' else 'site'}:{place.id}"
        return Asked(text=text, spot=Spot(place.lat, place.lon, named(place), topic=topic))
    fault = (
        ""
        if places
        else _("We found no place or service of this name. Try another spelling, or choose your governorate.")
    )
    return Asked(text=text, places=tuple(places), fault=fault)


def _at(site: Site) -> Spot:
    return Spot(site.lat, site.lon, named(site), topic=f"site:{site.id}")


def finder(db: Session) -> Finder:
    """Who finds services by words, made anew when the catalogue changes."""
    rows = db.execute(
        select(Service.code, Service.name_ar, Service.name_en, Service.popularity).order_by(Service.id)
    ).all()
    catalogue = tuple(Named(*row) for row in rows)
    kept: tuple[tuple[Named, ...], Finder] | None = current_app.extensions.get("service_finder")
    if kept is None or kept[0] != catalogue:
        kept = current_app.extensions["service_finder"] = (catalogue, Finder(catalogue))
    return kept[1]


def most_wanted(db: Session) -> list[Service]:
    """What vans are asked for most, to begin with one tap."""
    return list(
        db.scalars(
            select(Service)
            .where(Service.at_mobile)
            .order_by(Service.popularity.desc(), Service.id)
            .limit(POPULAR)
        )
    )


def read_near(text: str) -> Spot | None:
    """`24.09,32.90` as a spot; None when it is no point on the globe."""
    latitude, _comma, longitude = text.partition(",")
    try:
        lat, lon = float(latitude), float(longitude)
    except ValueError:
        return None
    return Spot(lat, lon) if -90 <= lat <= 90 and -180 <= lon <= 180 else None


def results(
    db: Session, spot: Spot, service: Service | None = None, within: int | None = None
) -> tuple[list[tuple[date, list[Card]]], str | None]:
    """The nearest and soonest visits, shown by day and within it by distance; and where the next page starts."""
    now = clock.now()
    after = request.args.get("after") or None
    look = partial(
        nearby.visits_near, db, spot.lat, spot.lon, now=now, limit=VISITS,
        service=service.code if service is not None else None,
        date_to=local_day(now) + timedelta(days=within) if within is not None else None,
    )  # fmt: skip
    try:
        page = look(after=after)
    except FleetError:  # a cut-off link: its first page is better than an error
        page = look()
    found = sorted(page.visits, key=lambda near: (near.visit.day, near.km, near.visit.opens_at))
    cards = [card_of(db, near, now) for near in found]
    return [(day, list(group)) for day, group in groupby(cards, key=lambda card: card.visit.day)], page.after


def card_of(db: Session, near: nearby.NearVisit, now: datetime) -> Card:
    """A visit as lists show it."""
    return Card(
        near,
        situation(db, near.visit.queue, now, quick=True) if near.visit.status == "open" else None,
        next_at(db, near.visit) if near.visit.status == "cancelled" else None,
    )


T = TypeVar("T")


def _row(db: Session, table: type[T], name: str) -> T | None:
    value = request.args.get(name, "")
    return db.get(table, int(value)) if value.isascii() and value.isdigit() and len(value) < 10 else None
