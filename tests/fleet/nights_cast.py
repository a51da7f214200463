"""The small country with two villages so far out that only a van that stays a night can serve them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.planning.blobs import decode
from fleet.store import Center, LocalUnit, Plan, Site
from routing.check import check
from routing.problem import Problem
from routing.solution import Plan as Routes
from routing.solution import Route, earliest, with_origins
from routing.travel import Travel
from tests.fleet.planning_cast import FRIDAY, WEEK, country

FAR, FURTHER = "V-FAR", "V-FURTHER"
VAN = "MC-0-0"
THURSDAY = WEEK + timedelta(days=5)
SECOND = WEEK + timedelta(days=7)

Day = tuple[int, list[tuple[str, int]], bool]
"""Day index, stops as (site, stay), and whether the night after them is spent away."""


@contextmanager
def desert() -> Iterator[Session]:
    """A session on the country with the two villages, and a van that may be away for three nights."""
    with country() as session:
        unit = session.scalars(select(LocalUnit).where(LocalUnit.code == "U00")).one()
        near = session.scalars(select(Site).where(Site.code == "F-00")).one()
        for code, lat, lon in ((FAR, 30.6, 29.4), (FURTHER, 30.75, 29.3)):
            session.add(
                Site(
                    code=code, kind="village", governorate_id=unit.governorate_id, local_unit_id=unit.id,
                    name_ar=code, name_en=code, lat=lat, lon=lon, population=60_000, nearest_fixed_id=near.id,
                    nearest_fixed_km=190.0, close_minute=1010,
                )
            )  # fmt: skip
        van = session.scalars(select(Center).where(Center.code == VAN)).one()
        planner.set_nights(session, van, nights=3)
        session.commit()
        yield session


def toured(session: Session, days: list[Day], *, week: date = WEEK, weeks: int = 1, van: str = VAN) -> Plan:
    """A draft with these days of one van, made by hand and judged by the checker."""
    plan = planner.create_draft(session, week, weeks=weeks, seconds=1, seed=1, actor="p", now=FRIDAY)
    problem = Problem.from_json(decode(plan.problem).raw)
    answer = by_hand(problem, days, van)
    planner.accept_solution(session, plan, answer.to_json(), now=FRIDAY)
    session.commit()
    return plan


def by_hand(problem: Problem, days: list[Day], van: str = VAN) -> Routes:
    """The plan that makes these days, each stop as early as it can be."""
    travel = Travel(problem)
    routes: list[Route] = []
    slept: str | None = None
    for day, stops, away in days:
        routes.append(earliest(problem, travel, van, day, stops, origin=slept, overnight=away))
        slept = problem.site_by_id[stops[-1][0]].place if away else None
    plan = Routes(problem.name, with_origins(problem, routes), 0)
    return Routes(problem.name, plan.routes, check(problem, plan, claims=False).objective)
