"""The vans of the live day: from the depot to their stops and back, told by positions as a tracking device
would."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from fleet.calendar import default_calendar, local_instant
from fleet.network.geo import km_between
from fleet.planning.tours import carried_in
from fleet.simulation.drive import along
from fleet.simulation.truth import stream
from fleet.store import Center, Site, Visit
from fleet.tracking import drive_minutes, record_position, touch

Point = tuple[float, float]

MOVING, STANDING = timedelta(minutes=2), timedelta(minutes=5)
"""How often a device tells where it is."""
PACK_UP = timedelta(minutes=8)
"""From closing to driving off."""
DELAYED, DELAY_MINUTES = 0.07, (6.0, 22.0)
"""Share of the ways on which something holds the van up, and for how long."""
EVERYDAY_MINUTES = 3.0
"""Ordinary spread of arrivals, only ever late: who is early waits."""


@dataclass(slots=True)
class VanStop:
    """One visit on a van's way."""

    visit_id: int
    point: Point
    opens_at: datetime
    depart_at: datetime | None
    late: timedelta
    over_at: datetime | None = None
    """When the visit closed; None while it has not."""
    night_only: bool = False
    """The visit was cancelled, but the van sleeps there: it drives by the timetable and opens nothing."""


@dataclass(slots=True)
class Van:
    """A center's day on the road."""

    center_id: int
    code: str
    depot: Point
    setup: timedelta
    stops: list[VanStop] = field(default_factory=list)
    told: str = ""
    begin: Point | None = None
    """Where it slept, when not in its depot."""
    sleeps: bool = False
    """It stays the night at its last stop."""
    leaves_at: datetime | None = None
    """When it drives home on a day without stops."""

    def where(self, now: datetime) -> tuple[str, Point, datetime | None]:
        """(what it does, where it is, when to tell next): depot, driving, there, standing, returning, home or away.

        `standing` is at a stop that is over, before the way to the next; `away` where it sleeps, before its day and
        after it. None: nothing more to tell today.
        """
        here, free, away = self.begin or self.depot, None, False
        if not self.stops and self.begin is not None and self.leaves_at is not None:
            if now < self.leaves_at:
                return "away", here, self.leaves_at
            return self._homeward(here, self.leaves_at, now)
        for stop in self.stops:
            leave, arrive = self._way(here, free, stop)
            if now < leave:
                if away:
                    return "standing", here, min(leave, now + STANDING)
                return "depot" if self.begin is None else "away", here, leave
            if now < arrive:
                return (
                    "driving",
                    along(here, stop.point, (now - leave) / (arrive - leave)),
                    min(now + MOVING, arrive),
                )
            here, away = stop.point, True
            if stop.over_at is None:
                return "there", here, now + STANDING
            free = stop.over_at + PACK_UP
        if free is None:
            return "home", self.depot, None
        if now < free:
            return "standing", here, min(free, now + STANDING)
        if self.sleeps:
            return "away", here, None
        return self._homeward(here, free, now)

    def _homeward(self, here: Point, leave: datetime, now: datetime) -> tuple[str, Point, datetime | None]:
        arrive = leave + timedelta(minutes=drive_minutes(km_between(*here, *self.depot)))
        if now < arrive:
            return (
                "returning",
                along(here, self.depot, (now - leave) / (arrive - leave)),
                min(now + MOVING, arrive),
            )
        return "home", self.depot, None

    def arrivals(self) -> dict[int, datetime]:
        """When the van reaches its stops, by visit id, as far as is known: up to the first that is not over."""
        here, free, found = self.begin or self.depot, None, {}
        for stop in self.stops:
            found[stop.visit_id] = self._way(here, free, stop)[1]
            if stop.over_at is None:
                break
            here, free = stop.point, stop.over_at + PACK_UP
        return found

    def _way(self, here: Point, free: datetime | None, stop: VanStop) -> tuple[datetime, datetime]:
        """(leaves, arrives) on the way from `here`, where it is free to go from `free` on."""
        need = timedelta(minutes=drive_minutes(km_between(*here, *stop.point)))
        planned = stop.opens_at - self.setup
        leave = stop.depart_at if stop.depart_at is not None else planned - need
        leave = leave if free is None else max(leave, free)
        return leave, max(planned, leave + need) + stop.late


STATES = {
    "depot": "depot", "home": "depot", "away": "away", "driving": "driving", "returning": "returning",
}  # fmt: skip
"""What a van does -> `Center.state`; at a stop the opening of the visit sets it."""


def load_vans(session: Session, day: date, seed: int) -> dict[int, Van]:
    """The vans with visits on `day`, or on their way home from a night away, by center id, as the database has them
    now. Cancelled visits are not driven to, unless the van sleeps there."""
    origin = aliased(Site)
    rows = session.execute(
        select(Visit, Site.lat, Site.lon, Center, origin.lat, origin.lon)
        .join(Site, Site.id == Visit.site_id)
        .join(Center, Center.id == Visit.center_id)
        .outerjoin(origin, origin.id == Visit.origin_site_id)
        .where(
            Visit.day == day,
            (Visit.status != "cancelled") | Visit.overnight | Visit.origin_site_id.is_not(None),
            Center.status == "ready",
        )
        .order_by(Visit.center_id, Visit.opens_at, Visit.id)
    )
    vans: dict[int, Van] = {}
    counts: dict[int, int] = defaultdict(int)
    for visit, lat, lon, center, begin_lat, begin_lon in rows:
        van = vans.get(center.id)
        if van is None:
            van = vans[center.id] = _van(center)
        if visit.origin_site_id is not None and not van.stops:
            van.begin = (begin_lat, begin_lon)
        if visit.status == "cancelled" and not visit.overnight:
            continue
        if visit.status == "closed" and visit.opened_at is None:
            continue  # its time passed without the van: nobody drives there any more
        late = delay(seed, center.code, day, counts[center.id])
        counts[center.id] += 1
        gone = visit.status == "cancelled"
        over = visit.closed_at if visit.status == "closed" else visit.closes_at if gone else None
        van.stops.append(VanStop(visit.id, (lat, lon), visit.opens_at, visit.depart_at, late, over, gone))
        van.sleeps = bool(visit.overnight)
    return _on_the_way_home(session, day, vans) | {
        i: v for i, v in vans.items() if v.stops or v.begin is not None
    }


def _van(center: Center) -> Van:
    depot = (center.depot_lat, center.depot_lon)
    return Van(center.id, center.code, depot, timedelta(minutes=center.setup_minutes))


def _on_the_way_home(session: Session, day: date, vans: dict[int, Van]) -> dict[int, Van]:
    """Vans that slept away and have nothing to do on `day` but to drive home, and the start of those whose visits of
    the day were all cancelled."""
    found: dict[int, Van] = {}
    for center_id, site in carried_in(session, day, default_calendar()).items():
        center = session.get_one(Center, center_id)
        works = default_calendar().is_working_day(day, weekdays=center.weekdays)
        if center.status != "ready" or not works or (center_id in vans and vans[center_id].stops):
            continue
        found[center_id] = _van(center)
        found[center_id].begin = (site.lat, site.lon)
        found[center_id].leaves_at = local_instant(day, center.shift_start)
    return found


def delay(seed: int, code: str, day: date, leg: int) -> timedelta:
    """How late a van is on its n-th way of the day."""
    draw = stream(seed, code, "delay", day.toordinal(), leg)
    minutes = max(0.0, draw.gauss(0.0, EVERYDAY_MINUTES) - 1.0)
    if draw.random() < DELAYED:
        minutes += draw.uniform(*DELAY_MINUTES)
    return timedelta(minutes=minutes)


def tell(session: Session, van: Van, at: datetime, now: datetime) -> tuple[datetime | None, int]:
    """Record where the van is at `at`, and its state where that changed: (when to tell next, changes made)."""
    doing, point, again = van.where(at)
    center = session.get(Center, van.center_id)
    if center is None or center.status != "ready":
        return None, 0
    changes = 0
    state = STATES.get(doing)
    if doing != van.told and state is not None and center.state != state:
        touch(session, center, part="position", now=now, state=state)
        changes += 1
    van.told = doing
    if center.last_heard_at is None or at > center.last_heard_at:
        speed = 55.0 if doing in ("driving", "returning") else 0.0
        record_position(
            session,
            center,
            device=f"sim-{van.code}",
            at=at,
            lat=round(point[0], 6),
            lon=round(point[1], 6),
            now=now,
            speed_kmh=speed,
        )
        changes += 1
    return again, changes
