"""What the visits of a plan come to: every visit's share of hours and driving, and the plan's totals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.planning.blobs import Decoded, decode
from fleet.planning.frame import Frame, Mark, origins, route_of, routes_of
from fleet.planning.shapes import TENTHS, Totals
from fleet.store import Plan, PlanVisit
from queueing.events import announce
from routing.check import Verdict, check
from routing.problem import Problem
from routing.solution import Plan as Routes
from routing.solution import Route, describe


def marks_in(session: Session, plan: Plan, frame: Frame) -> list[Mark]:
    """Return what `visits_of` does as marks, without a row's object for each: a few milliseconds for a country."""
    columns = (
        PlanVisit.id, PlanVisit.center_id, PlanVisit.day, PlanVisit.site_id, PlanVisit.start_minute,
        PlanVisit.stay_minutes, PlanVisit.pinned, PlanVisit.overnight,
    )  # fmt: skip
    chosen = select(*columns).where(PlanVisit.plan_id == plan.id)
    return [
        Mark(
            number, frame.center_code[center], frame.day_index(day), frame.site_code[site], start, stay, pinned,
            bool(overnight),
        )
        for number, center, day, site, start, stay, pinned, overnight in session.execute(
            chosen.order_by(PlanVisit.day, PlanVisit.center_id, PlanVisit.start_minute)
        )
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Share:
    """One visit's part: person-hours saved, people served, driving to it (the last stop of a day also bears
    the way home)."""

    hours: float
    people: float
    drive_minutes: int
    km: float


def visits_of(session: Session, plan: Plan) -> list[PlanVisit]:
    """Return the plan's visits in a fixed order, fresh from the database."""
    return list(
        session.scalars(
            select(PlanVisit)
            .where(PlanVisit.plan_id == plan.id)
            .order_by(PlanVisit.day, PlanVisit.center_id, PlanVisit.start_minute)
        )
    )


def shares(marks: Sequence[Mark], decoded: Decoded) -> dict[int, Share]:
    """Return each mark's share by its position in `marks`. Marks at places outside the problem share
    nothing."""
    problem = decoded.problem
    known = [i for i, m in enumerate(marks) if _known(m, problem)]
    broken = {m.key for m in marks if not _known(m, problem)}
    by_key: dict[tuple[str, int], list[int]] = {}
    for i in known:
        if marks[i].key not in broken:
            by_key.setdefault(marks[i].key, []).append(i)
    found = {i: Share(0.0, 0.0, 0, 0.0) for i in range(len(marks))}
    away = origins(
        marks_by_key={key: [marks[i] for i in rows] for key, rows in by_key.items()}, problem=problem
    )
    for key, rows in sorted(by_key.items()):
        rows = sorted(rows, key=lambda i: (marks[i].start, marks[i].site))
        plain = route_of([marks[i] for i in rows], problem, decoded.travel, origin=away.get(key))
        route = describe(problem, decoded.travel, plain)
        klass = problem.center_by_id[key[0]].kind
        home_min, home_km = _home(route)
        for n, (i, stop) in enumerate(zip(rows, route.stops, strict=True)):
            last = n == len(rows) - 1
            found[i] = Share(
                (stop.value or 0) / TENTHS,
                decoded.people_at(stop.site, klass, stop.stay, route.day),
                (stop.drive or 0) + (home_min if last else 0),
                (stop.km or 0.0) + (home_km if last else 0.0),
            )
    for (center, day), place in away.items():
        if (center, day) not in by_key:  # a day of driving home and nothing else: the night before bears it
            before = [key for key in by_key if key[0] == center and key[1] < day]
            if before:
                home = describe(problem, decoded.travel, Route(center, day, 0, (), origin=place))
                i = max(by_key[max(before)], key=lambda i: marks[i].start)
                found[i] = replace(
                    found[i],
                    drive_minutes=found[i].drive_minutes + (home.drive or 0),
                    km=found[i].km + (home.km or 0.0),
                )
    return found


def _known(mark: Mark, problem: Problem) -> bool:
    return mark.center in problem.center_by_id and mark.site in problem.site_by_id


def _home(route: Route) -> tuple[int, float]:
    return (
        (route.drive or 0) - sum(s.drive or 0 for s in route.stops),
        (route.km or 0.0) - sum(s.km or 0.0 for s in route.stops),
    )


def judge(marks: Iterable[Mark], decoded: Decoded) -> Verdict:
    """Return the referee's verdict on the marks (pins are the caller's business)."""
    routes = tuple(routes_of(marks, decoded.problem, decoded.travel))
    plan = Routes(decoded.problem.name, routes, 0)
    return check(decoded.problem, plan, travel=decoded.travel, claims=False)


@lru_cache(maxsize=4)
def standing(problem_blob: bytes, marks: tuple[Mark, ...]) -> tuple[Verdict, Mapping[int, Share]]:
    """Return the verdict on a plan as it stands and the shares of its visits.

    Cached by what they depend on, and nothing else: boards and tried moves ask for them again and again.
    """
    decoded = decode(problem_blob)
    return judge(marks, decoded), shares(marks, decoded)


def add_up(marks: Sequence[Mark], decoded: Decoded) -> Totals:
    """Return the totals over the marks."""
    return sum_shares(marks, shares(marks, decoded), judge(marks, decoded).objective)


def sum_shares(marks: Sequence[Mark], parts: Mapping[int, Share], objective: int) -> Totals:
    """Return the totals over those marks whose position is in `parts`."""
    chosen = [marks[i] for i in parts]
    return Totals(
        hours_saved=round(sum(s.hours for s in parts.values()), 1),
        people=round(sum(s.people for s in parts.values()), 1),
        drive_minutes=sum(s.drive_minutes for s in parts.values()),
        km=round(sum(s.km for s in parts.values()), 1),
        stops=len(chosen),
        places=len({m.site for m in chosen}),
        centers=len({m.center for m in chosen}),
        objective=objective,
    )


def settle(plan: Plan, visits: Sequence[PlanVisit], marks: Sequence[Mark], decoded: Decoded) -> None:
    """Write each visit's share and the plan's totals; `marks[i]` belongs to `visits[i]`."""
    parts = shares(marks, decoded)
    for i, visit in enumerate(visits):
        share = parts[i]
        visit.hours_saved = round(share.hours, 2)
        visit.drive_minutes = share.drive_minutes
        visit.drive_km = round(share.km, 2)
    plan.hours_saved = round(sum(s.hours for s in parts.values()), 1)
    plan.objective = judge(marks, decoded).objective


def tell(session: Session, plan: Plan, part: str, data: dict[str, Any], now: datetime) -> None:
    """Raise the plan's seq and tell its screens which section changed."""
    plan.seq += 1
    announce(session, f"plan:{plan.id}", plan.seq, part, data, now)
