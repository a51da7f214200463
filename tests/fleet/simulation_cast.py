"""A country small enough for tests of the simulation: two fixed centers, a village, one van with one visit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from fleet.calendar import local_instant
from fleet.network import catalogue
from fleet.network.queues import make_queue
from fleet.simulation.behaviour import Mix, ServiceTime
from fleet.simulation.scenario import DeskDay, DeskFacts, LineFacts, Rates, Scenario
from fleet.store import Center, Governorate, LocalUnit, Site, SiteQueue, Visit
from queueing.engine import transaction

DAY = date(2026, 11, 23)
"""A Monday without holiday."""
QUICK = (ServiceTime(1, "A-01", 1.0, 4.0, 8.0, 15.0), ServiceTime(2, "A-02", 0.5, 2.0, 5.0, 9.0))


@dataclass(frozen=True)
class Country:
    """Ids of what was made."""

    queues: tuple[int, int]
    visit: int
    visit_queue: int
    center: int


def writer(engine: Engine) -> Any:
    """The application's way to write: each piece of work in one transaction."""
    return partial(transaction, sessionmaker(engine, expire_on_commit=False))


def make_country(
    session: Session, *, day: date = DAY, population: int = 260_000, visit: bool = True
) -> Country:
    """Two fixed centers of different size with 3 and 2 desks, and a van that visits a village from 10:00 to
    12:00."""
    catalogue.ensure_services(session)
    governorate = Governorate(
        iso="EG-XX", name_ar="محافظة", name_en="Test", capital_ar="عاصمة", capital_en="Capital", lat=30.0, lon=31.0,
        population=500_000,
    )  # fmt: skip
    session.add(governorate)
    session.flush()
    unit = LocalUnit(
        code="U-1", governorate_id=governorate.id, kind="town", name_ar="مدينة", name_en="Town", lat=30.0, lon=31.0,
        population=400_000,
    )  # fmt: skip
    session.add(unit)
    session.flush()
    queues = []
    for n, people in enumerate((population, population // 2)):
        site = _site(f"F-{n + 1}", "fixed", governorate.id, unit.id, 30.0 + 0.05 * n, 31.0, people)
        session.add(site)
        queue = make_queue(
            session,
            name_ar=site.name_ar,
            name_en=site.name_en,
            services=catalogue.fixed_offer(session),
            desks=3 - n,
        )
        session.flush()
        session.add(SiteQueue(queue_id=queue.id, site_id=site.id))
        queues.append(queue.id)
    village = _site("V-1", "village", governorate.id, unit.id, 30.25, 31.1, 9_000)
    center = Center(
        code="MC-XX-01", name_ar="مركز", name_en="Van", governorate_id=governorate.id, depot_name_ar="ديوان",
        depot_name_en="Depot", depot_lat=30.0, depot_lon=31.0, klass="small", desks=2,
    )  # fmt: skip
    session.add_all([village, center])
    session.flush()
    made = make_queue(
        session,
        name_ar="زيارة",
        name_en="Visit",
        services=catalogue.mobile_offer(session),
        desks=2,
        letter="M",
    )
    if not visit:
        session.flush()
        return Country((queues[0], queues[1]), 0, made.id, center.id)
    stop = Visit(
        center_id=center.id, site_id=village.id, queue_id=made.id, day=day, opens_at=local_instant(day, 600),
        closes_at=local_instant(day, 720),
    )  # fmt: skip
    session.add(stop)
    session.flush()
    return Country((queues[0], queues[1]), stop.id, made.id, center.id)


def _site(code: str, kind: str, governorate: int, unit: int, lat: float, lon: float, people: int) -> Site:
    return Site(
        code=code, kind=kind, governorate_id=governorate, local_unit_id=unit, name_ar=f"مكان {code}",
        name_en=f"Place {code}", lat=lat, lon=lon, population=people,
    )  # fmt: skip


def plain_scenario(
    *,
    rates: Rates,
    desks: int,
    closes_s: float,
    services: tuple[ServiceTime, ...] = QUICK,
    end_s: float | None = None,
) -> Scenario:
    """A day without lunch, with all desks from the first to the last second."""
    line = LineFacts(
        queue_id=1, key="T", letter="A", first_number=1, last_number=10**9, recall_limit=3, cool_down_s=300,
        population=1.0, open_minute=510, close_minute=900, desks=tuple(DeskFacts(n + 1) for n in range(desks)),
        services=services,
    )  # fmt: skip
    return Scenario(
        line, DAY, local_instant(DAY, 510), closes_s, closes_s + 4500.0 if end_s is None else end_s, rates,
        Mix.of(services), tuple(DeskDay(n + 1, ((0.0, closes_s),)) for n in range(desks)),
    )  # fmt: skip


def tables(session: Session, entity: type, *columns: str) -> list[tuple[Any, ...]]:
    """All rows of an entity as tuples of these columns, in their order: for comparing two databases."""
    chosen = [getattr(entity, name) for name in columns]
    return [tuple(row) for row in session.execute(select(*chosen).order_by(*chosen))]
