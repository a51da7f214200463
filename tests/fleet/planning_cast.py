"""A small country for planning's tests: two governorates, four towns, eight villages, four vans.

Numbers are chosen so that something is at stake: two crowded centers, far and near villages, fewer van-days
than places.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache

from sqlalchemy import Engine, StaticPool, create_engine, event
from sqlalchemy.orm import Session

from fleet import planner
from fleet.calendar import Calendar
from fleet.forecast import make_forecast
from fleet.network.queues import make_queue
from fleet.planning.blobs import decode
from fleet.store import Center, Governorate, LocalUnit, Plan, Site, SiteQueue
from queueing.store import Base, Service
from routing.problem import Problem
from routing.solve import solve

WEEK = date(2026, 11, 21)
"""A Saturday; no holiday falls into its week."""
FRIDAY = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
"""The evening before the week."""
CALENDAR = Calendar()


@contextmanager
def country() -> Iterator[Session]:
    """A session on a fresh copy of the small country with its forecast."""
    with _copy(_country()) as session:
        yield session


@contextmanager
def planned() -> Iterator[tuple[Session, Plan]]:
    """A session on a fresh copy of the small country with a solved draft of WEEK."""
    with _copy(_planned()) as session:
        yield session, session.get_one(Plan, 1)


@cache
def _country() -> bytes:
    engine = _engine(b"")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        build(session)
        make_forecast(session, WEEK, now=FRIDAY)
        session.commit()
    return _bytes(engine)


@cache
def _planned() -> bytes:
    engine = _engine(_country())
    with Session(engine) as session:
        solved(session)
    return _bytes(engine)


@contextmanager
def _copy(content: bytes) -> Iterator[Session]:
    engine = _engine(content)
    with Session(engine) as session:
        yield session
    engine.dispose()


def _engine(content: bytes) -> Engine:
    """A database in memory with that content: building it anew for every test would be most of the time."""
    engine = create_engine("sqlite://", poolclass=StaticPool)

    @event.listens_for(engine, "connect")
    def _fill(connection: sqlite3.Connection, _record: object) -> None:
        if content:
            connection.deserialize(content)
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


def _bytes(engine: Engine) -> bytes:
    connection = engine.raw_connection()
    try:
        return connection.driver_connection.serialize()  # type: ignore[union-attr,no-any-return]
    finally:
        connection.close()
        engine.dispose()


def build(session: Session) -> None:
    """Add the places, queues and vans."""
    services = [
        _service("ID", 12, at_mobile=True, popularity=3.0),
        _service("EXTRACT", 6, at_mobile=True, popularity=5.0),
        _service("DEED", 25, at_mobile=False, popularity=2.0),
    ]
    session.add_all(services)
    for g, (lat, lon) in enumerate([(30.6, 31.5), (27.2, 31.2)]):
        governorate = Governorate(
            iso=f"EG-{g}",
            name_ar=f"محافظة {g}",
            name_en=f"Governorate {g}",
            capital_ar="ع",
            capital_en="C",
            lat=lat,
            lon=lon,
            population=900_000,
        )
        session.add(governorate)
        session.flush()
        for u in range(2):
            _unit(session, governorate, g, u, lat + 0.15 * u, lon + 0.1 * u, services)
        for c in range(2):
            session.add(
                Center(
                    code=f"MC-{g}-{c}",
                    name_ar=f"مركز {g}-{c}",
                    name_en=f"Center {g}-{c}",
                    governorate_id=governorate.id,
                    depot_name_ar="مقر",
                    depot_name_en="Depot",
                    depot_lat=lat,
                    depot_lon=lon,
                    klass="large" if c else "small",
                    desks=4 if c else 2,
                )
            )
    session.flush()


def _service(code: str, minutes: float, *, at_mobile: bool, popularity: float) -> Service:
    return Service(
        code=code,
        group_code="g",
        name_ar=code,
        name_en=code,
        agency_code="A",
        agency_ar="A",
        agency_en="A",
        minutes_low=minutes * 0.5,
        minutes_mode=minutes,
        minutes_high=minutes * 1.5,
        at_mobile=at_mobile,
        popularity=popularity,
    )


def _unit(
    session: Session,
    governorate: Governorate,
    g: int,
    u: int,
    lat: float,
    lon: float,
    services: list[Service],
) -> None:
    unit = LocalUnit(
        code=f"U{g}{u}",
        governorate_id=governorate.id,
        kind="markaz",
        name_ar=f"مركز {g}{u}",
        name_en=f"Unit {g}{u}",
        lat=lat,
        lon=lon,
        population=400_000,
    )
    session.add(unit)
    session.flush()
    fixed = _site(f"F-{g}{u}", "fixed", governorate, unit, lat, lon, 450_000 if u == 0 else 150_000)
    session.add(fixed)
    session.flush()
    queue = make_queue(
        session, name_ar="ط", name_en=f"Queue {g}{u}", services=services, desks=3 if u == 0 else 2
    )
    session.add(SiteQueue(queue_id=queue.id, site_id=fixed.id))
    for v in range(2):
        village = _site(
            f"V-{g}{u}{v}",
            "village",
            governorate,
            unit,
            lat + 0.08 * (v + 1),
            lon - 0.06,
            20_000 + 15_000 * v,
        )
        village.nearest_fixed_id, village.nearest_fixed_km = fixed.id, 10.0 + 8 * v
        session.add(village)
    session.flush()


def _site(
    code: str, kind: str, governorate: Governorate, unit: LocalUnit, lat: float, lon: float, people: int
) -> Site:
    return Site(
        code=code,
        kind=kind,
        governorate_id=governorate.id,
        local_unit_id=unit.id,
        name_ar=code,
        name_en=code,
        lat=lat,
        lon=lon,
        population=people,
    )


def solved(session: Session, *, seed: int = 1, now: datetime = FRIDAY, from_plan: Plan | None = None) -> Plan:
    """A draft of WEEK, solved in this process and accepted."""
    plan = planner.create_draft(
        session, WEEK, seconds=5, seed=seed, actor="planner", now=now, from_plan=from_plan
    )
    answer = solve(Problem.from_json(decode(plan.problem).raw), iterations=4, seed=seed, threads=1)
    planner.accept_solution(session, plan, answer.to_json(), now=now)
    session.commit()
    return plan


def published(session: Session) -> Plan:
    """A solved plan of WEEK, published on the Friday before."""
    plan = solved(session)
    planner.publish(session, plan, actor="planner", now=FRIDAY)
    session.commit()
    return plan
