"""Between rows and the exchange format: ids against codes, dates against day indices, visits against
routes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import local_day, local_minute
from fleet.planning.shapes import Placement
from fleet.store import Center, PlanVisit, Site
from routing.problem import Problem
from routing.solution import Route, Stop, mornings
from routing.travel import Travel

FREEZE_MINUTE = 300
"""From 05:00 on a day is as it is: two hours before the vans leave, citizens have read the announcement."""


def frozen(day: date, now: datetime) -> bool:
    """Whether the plan of `day` can no longer be changed."""
    today = local_day(now)
    return day < today or (day == today and local_minute(now) >= FREEZE_MINUTE)


@dataclass(frozen=True)
class Frame:
    """Codes and ids of centers and sites, and the first day of the week or of the weeks."""

    week: date
    center_code: dict[int, str]
    site_code: dict[int, str]
    center_id: dict[str, int]
    site_id: dict[str, int]

    def day_index(self, day: date) -> int:
        """0 for the first Saturday to 6, and on in plans of several weeks; negative before."""
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
    overnight: bool = False
    """The last stop of its day, and the van stays the night."""

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
            bool(v.overnight),
        )
        for v in visits
    ]


def placement(mark: Mark, frame: Frame) -> Placement:
    """Return the mark with ids and a date, for people and rows."""
    return Placement(
        frame.center_id[mark.center], frame.site_id[mark.site], frame.day(mark.day), mark.start, mark.stay
    )


def route_of(marks: Sequence[Mark], problem: Problem, travel: Travel, *, origin: str | None = None) -> Route:
    """Return one center's day from its marks in any order, leaving as late as the first start allows.

    `origin` is the place id it starts from after a night away. A day that stays away does so after its last stop,
    whichever mark says it: a stop added behind the last one takes the night over.
    """
    ordered = sorted(marks, key=lambda m: (m.start, m.site))
    first = ordered[0]
    depart = first.start
    center, site = problem.center_by_id.get(first.center), problem.site_by_id.get(first.site)
    if center is not None and site is not None:
        begin = origin if origin is not None else center.begins(first.day)[0]
        depart = travel.leave(begin, site.place, first.start - center.setup, first.day)
    return Route(
        first.center,
        first.day,
        depart,
        tuple(Stop(m.site, m.start, m.stay) for m in ordered),
        overnight=any(m.overnight for m in ordered),
        origin=origin,
    )


def routes_of(marks: Iterable[Mark], problem: Problem, travel: Travel) -> list[Route]:
    """Return all routes, by center and day, each from where its center spent the night before."""
    by_key: dict[tuple[str, int], list[Mark]] = {}
    for mark in marks:
        by_key.setdefault(mark.key, []).append(mark)
    away = origins(marks_by_key=by_key, problem=problem)
    return [route_of(by_key[key], problem, travel, origin=away.get(key)) for key in sorted(by_key)]


def origins(
    *, marks_by_key: Mapping[tuple[str, int], Sequence[Mark]], problem: Problem
) -> dict[tuple[str, int], str]:
    """Return the place ids of the mornings on which a center does not start at its depot, by (center, day)."""
    tours = {key[0] for key, some in marks_by_key.items() if any(m.overnight for m in some)}
    found: dict[tuple[str, int], str] = {}
    for center in problem.centers:
        if center.id not in tours and not center.starts:
            continue
        days = {key: route_outline(some) for key, some in marks_by_key.items() if key[0] == center.id}
        for day, place in mornings(problem, center, days).items():
            if place != center.depot:
                found[center.id, day] = place
    return found


def route_outline(marks: Sequence[Mark]) -> Route:
    """Return the stops of a day and whether it stays away, without times on the road."""
    ordered = sorted(marks, key=lambda m: (m.start, m.site))
    stops = tuple(Stop(m.site, m.start, m.stay) for m in ordered)
    return Route(
        ordered[0].center,
        ordered[0].day,
        ordered[0].start,
        stops,
        overnight=any(m.overnight for m in ordered),
    )
