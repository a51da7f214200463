"""Between rows and the exchange format: ids against codes, dates against day indices, visits against
routes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import local_day, local_minute
from fleet.planning.shapes import Placement
from fleet.store import Center, PlanVisit, Site
from routing.problem import Problem
from routing.solution import Route, Stop
from routing.travel import Travel

FREEZE_MINUTE = 300
"""From 05:00 on a day is as it is: two hours before the vans leave, citizens have read the announcement."""


def frozen(day: date, now: datetime) -> bool:
    """Whether the plan of `day` can no longer be changed."""
    today = local_day(now)
    return day < today or (day == today and local_minute(now) >= FREEZE_MINUTE)


@dataclass(frozen=True)
class Frame:
    """Codes and ids of centers and sites, and the week's first day."""

    week: date
    center_code: dict[int, str]
    site_code: dict[int, str]
    center_id: dict[str, int]
    site_id: dict[str, int]

    def day_index(self, day: date) -> int:
        """0 for the week's Saturday to 6; outside the week the index lies outside 0-6."""
        return (day - self.week).days

    def day(self, index: int) -> date:
        """The date of a day index."""
        return self.week + timedelta(days=index)


def load_frame(session: Session, week: date) -> Frame:
    """Return the frame with every center and site, also inactive ones that an old plan may name."""
    centers = dict(session.execute(select(Center.id, Center.code)).all())
    sites = dict(session.execute(select(Site.id, Site.code)).all())
    return Frame(
        week, centers, sites, {code: i for i, code in centers.items()}, {code: i for i, code in sites.items()}
    )


@dataclass(frozen=True, slots=True)
class Mark:
    """A visit of a plan, free of the database: `id` is the PlanVisit's, 0 for one that does not exist yet."""

    id: int
    center: str
    day: int
    site: str
    start: int
    stay: int
    pinned: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """The route it is part of."""
        return self.center, self.day


def marks_of(visits: Iterable[PlanVisit], frame: Frame) -> list[Mark]:
    """Return the visits as marks."""
    return [
        Mark(
            v.id,
            frame.center_code[v.center_id],
            frame.day_index(v.day),
            frame.site_code[v.site_id],
            v.start_minute,
            v.stay_minutes,
            v.pinned,
        )
        for v in visits
    ]


def placement(mark: Mark, frame: Frame) -> Placement:
    """Return the mark with ids and a date, for people and rows."""
    return Placement(
        frame.center_id[mark.center], frame.site_id[mark.site], frame.day(mark.day), mark.start, mark.stay
    )


def route_of(marks: Sequence[Mark], problem: Problem, travel: Travel) -> Route:
    """Return one center's day from its marks in any order, leaving as late as the first start allows."""
    ordered = sorted(marks, key=lambda m: (m.start, m.site))
    first = ordered[0]
    depart = first.start
    center, site = problem.center_by_id.get(first.center), problem.site_by_id.get(first.site)
    if center is not None and site is not None:
        depart = first.start - center.setup - travel.leg(center.depot, site.place)[0]
    return Route(first.center, first.day, depart, tuple(Stop(m.site, m.start, m.stay) for m in ordered))


def routes_of(marks: Iterable[Mark], problem: Problem, travel: Travel) -> list[Route]:
    """Return all routes, by center and day."""
    by_key: dict[tuple[str, int], list[Mark]] = {}
    for mark in marks:
        by_key.setdefault(mark.key, []).append(mark)
    return [route_of(by_key[key], problem, travel) for key in sorted(by_key)]
