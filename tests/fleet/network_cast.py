"""A small network for tests: Tanta with a fixed center, four villages around it, and two vans with visits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from fleet.calendar import local_instant
from fleet.names import search_key
from fleet.network.queues import make_queue
from fleet.store import Center, Governorate, LocalUnit, Site, SiteQueue, Visit
from queueing.store import Queue, Service

DAY = date(2026, 11, 22)
"""A Sunday, a working day of everybody."""

VILLAGES = {
    "near": ("كفر عصام", "Kafr Essam", 30.80, 31.02),
    "mid": ("محلة مرحوم", "Mahallet Marhum", 30.81, 30.80),
    "far": ("شبشير", "Shabshir", 30.95, 31.30),
    "remote": ("إدفو", "Edfu", 24.979, 32.877),
}
"""About 2, 19, 34 and 670 km from Tanta's point."""

TANTA = (30.788, 31.002)


def at(minute: int, day: date = DAY) -> datetime:
    """The instant at a local minute of the day."""
    return local_instant(day, minute)


@dataclass
class Country:
    """The cast; `visit` adds to it."""

    session: Session
    governorate: Governorate
    unit: LocalUnit
    services: list[Service]
    building: Site
    counter: Queue
    villages: dict[str, Site]
    centers: list[Center]

    def visit(
        self,
        village: str,
        *,
        opens: int = 600,
        closes: int = 780,
        day: date = DAY,
        van: int = 0,
        offered: int = 2,
        depart: int | None = 540,
    ) -> Visit:
        """An announced visit with its queue of two desks; `offered` of the two services."""
        queue = make_queue(
            self.session,
            name_ar="زيارة",
            name_en="Visit",
            services=self.services[:offered],
            desks=2,
            letter="M",
        )
        made = Visit(
            center=self.centers[van],
            site=self.villages[village],
            queue=queue,
            day=day,
            opens_at=at(opens, day),
            closes_at=at(closes, day),
            depart_at=at(depart, day) if depart is not None else None,
        )
        self.session.add(made)
        self.session.flush()
        return made


def country(session: Session) -> Country:
    """Make the cast."""
    governorate = Governorate(
        iso="EG-GH", name_ar="الغربية", name_en="Gharbia", capital_ar="طنطا", capital_en="Tanta", lat=TANTA[0],
        lon=TANTA[1], population=4_999_633,
    )  # fmt: skip
    unit = LocalUnit(
        code="LU1", governorate=governorate, kind="markaz", name_ar="مركز طنطا", name_en="Tanta", lat=TANTA[0],
        lon=TANTA[1], population=900_000,
    )  # fmt: skip
    services = [
        Service(
            code=code, group_code="civil status", name_ar=code, name_en=code, agency_code="CSO", agency_ar="س",
            agency_en="s", minutes_low=3, minutes_mode=5, minutes_high=8, at_mobile=True,
        )
        for code in ("CIV-05", "CIV-02")
    ]  # fmt: skip
    session.add_all([governorate, unit, *services])
    session.flush()
    building = _site(
        session, unit, "F1", "fixed", "المركز التكنولوجي – طنطا", "Technology center – Tanta", *TANTA
    )
    counter = make_queue(session, name_ar="طنطا", name_en="Tanta", services=services, desks=3)
    session.add(SiteQueue(queue_id=counter.id, site_id=building.id))
    villages = {
        key: _site(session, unit, key, "village", ar, en, lat, lon)
        for key, (ar, en, lat, lon) in VILLAGES.items()
    }
    centers = [
        Center(
            code=f"MC-16-0{n}", name_ar=f"متنقل {n}", name_en=f"Mobile {n}", governorate=governorate,
            depot_name_ar="طنطا", depot_name_en="Tanta", depot_lat=TANTA[0], depot_lon=TANTA[1], klass="small", desks=2,
            lat=TANTA[0], lon=TANTA[1],
        )
        for n in (1, 2)
    ]  # fmt: skip
    session.add_all(centers)
    session.flush()
    return Country(session, governorate, unit, services, building, counter, villages, centers)


def _site(
    session: Session, unit: LocalUnit, code: str, kind: str, ar: str, en: str, lat: float, lon: float
) -> Site:
    site = Site(
        code=code, kind=kind, governorate=unit.governorate, local_unit=unit, name_ar=ar, name_en=en, lat=lat, lon=lon,
        population=5000, search_key=search_key(ar, en),
    )  # fmt: skip
    session.add(site)
    session.flush()
    return site


def minutes(count: float) -> timedelta:
    """A number of minutes."""
    return timedelta(minutes=count)
