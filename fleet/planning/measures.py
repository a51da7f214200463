"""Several plans of a kind side by side: published, drafts, scenarios, the baseline; in all and by governorate.

Each plan is measured by its own problem, so that a scenario's demand counts; or all by one plan's, so that only
their visits differ. Hours are person-hours; costs too, because the problem prices driving in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import baseline
from fleet.planning.blobs import Decoded, decode, unpack
from fleet.planning.coverage import last_visits
from fleet.planning.frame import Frame, Mark, load_frame, marks_of, routes_of
from fleet.planning.ledger import judge, shares, visits_of
from fleet.planning.scenarios.standing import marks_of_answer
from fleet.planning.shapes import TENTHS
from fleet.store import Center, LocalUnit, Plan, Site

WITH_ANSWER = ("draft", "published", "superseded", "solved")
"""States of plans and scenarios that can be measured."""


@dataclass(slots=True)
class Measures:
    """A plan, or its part in one governorate, in figures. A visit counts where it stands, with the driving to it
    (the last of a day also bears the way home) and, the first of a day, with the van's readying."""

    hours: float = 0.0
    waiting: float = 0.0
    """Of the hours: waiting relieved. 0 where the problem does not tell (`split`)."""
    trips: float = 0.0
    """Of the hours: trips spared."""
    people: float = 0.0
    visits: int = 0
    places: int = 0
    villages: int = 0
    districts: int = 0
    vans: int = 0
    van_days: int = 0
    nights: int = 0
    """Stops after which the van stays away."""
    km: float = 0.0
    drive_hours: float = 0.0
    drive_cost: float = 0.0
    van_cost: float = 0.0
    """Readying vans, and nights away."""
    penalties: float = 0.0
    """What coverage rules cost that are not kept."""
    short: int = 0
    """Visits that these rules miss."""
    longest_weeks: float = 0.0
    """The longest time that a district has been without a visit at the plan's end, of those ever visited."""
    overdue: int = 0
    """Districts that are without a visit for longer than their limit at the plan's end, or were never visited."""

    @property
    def net(self) -> float:
        """Hours less everything that is paid for them: what plans are chosen by."""
        return self.hours - self.cost

    @property
    def cost(self) -> float:
        """Driving, readying and broken coverage rules together."""
        return self.drive_cost + self.van_cost + self.penalties


@dataclass(frozen=True, slots=True)
class Measured:
    """One plan's figures: in all, and by governorate id. `left_out` visits have no meaning in the problem that
    measures (a place or van that it does not hold); `split` says whether waiting and trips are told apart."""

    total: Measures
    governorates: Mapping[int, Measures]
    left_out: int = 0
    split: bool = True


@dataclass(frozen=True, slots=True)
class _Land:
    """Where things lie: by code, ids of governorate and district."""

    site_governorate: Mapping[str, int]
    site_unit: Mapping[str, int]
    villages: frozenset[str]
    unit_governorate: Mapping[int, int]
    unit_limit: Mapping[int, int]
    center_governorate: Mapping[str, int]


def answered(plan: Plan) -> bool:
    """Whether the plan or scenario has an answer to measure."""
    return plan.status in WITH_ANSWER


def marks_now(session: Session, plan: Plan, frame: Frame | None = None) -> list[Mark]:
    """Return the visits of a plan as it stands, or those of a scenario's answer."""
    if plan.kind == "scenario":
        return marks_of_answer(unpack(plan.solution))
    return marks_of(visits_of(session, plan), frame or load_frame(session, plan.week))


def measure(session: Session, plan: Plan, *, by: Plan | None = None) -> Measured:
    """Return the plan in figures, by its own problem or by that of `by`, a plan of the same days."""
    decoded = decode((by or plan).problem)
    marks = marks_now(session, plan)
    if by is not None and by.week != plan.week:  # a visit of another week has no place in this problem
        return replace(_measure(session, [], decoded, by.week), left_out=len(marks))
    return _measure(session, marks, decoded, (by or plan).week)


def measure_baseline(session: Session, plan: Plan) -> Measured:
    """Return what the plan's vans would reach by plain practice: the biggest towns in turn."""
    decoded = decode(plan.problem)
    ranking = baseline.rankings(session, decoded.problem)
    marks = _baseline(plan.problem, tuple((c, tuple(map(tuple, t))) for c, t in sorted(ranking.items())))
    return _measure(session, list(marks), decoded, plan.week)


@lru_cache(maxsize=4)
def _baseline(blob: bytes, ranking: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]) -> tuple[Mark, ...]:
    decoded = decode(blob)
    plan = baseline.baseline(decoded.problem, dict(ranking), decoded.travel)
    return tuple(Mark(0, r.center, r.day, s.site, s.start, s.stay) for r in plan.routes for s in r.stops)


def _measure(session: Session, marks: Sequence[Mark], decoded: Decoded, week: date) -> Measured:
    problem, land = decoded.problem, _land(session)
    known = [
        m
        for m in marks
        if m.center in problem.center_by_id and m.site in problem.site_by_id and m.day < len(problem.days)
    ]
    total = Measures()
    parts: dict[int, Measures] = {}
    at = [parts.setdefault(land.site_governorate.get(m.site, 0), Measures()) for m in known]
    split = True
    for i, share in shares(known, decoded).items():
        waited = _waiting_share(known[i], decoded)
        split &= waited is not None
        for one in (total, at[i]):
            one.hours += share.hours
            one.waiting += share.hours * (waited or 0.0)
            one.people += share.people
            one.km += share.km
            one.drive_hours += share.drive_minutes / 60
            one.visits += 1
            one.nights += known[i].overnight
    for one in (total, *parts.values()):
        one.trips = one.hours - one.waiting
    _count(known, land, total, parts)
    _price(known, decoded, land, total, parts)
    _forgotten(session, known, land, week, len(problem.days), total, parts)
    return Measured(total, dict(sorted(parts.items())), len(marks) - len(known), split)


def _land(session: Session) -> _Land:
    rows = session.execute(select(Site.code, Site.governorate_id, Site.local_unit_id, Site.kind)).all()
    units = session.execute(
        select(LocalUnit.id, LocalUnit.governorate_id, LocalUnit.max_weeks_unvisited).where(
            LocalUnit.id.in_(select(Site.local_unit_id).where(Site.active))
        )
    ).all()
    return _Land(
        {row[0]: row[1] for row in rows},
        {row[0]: row[2] for row in rows},
        frozenset(row[0] for row in rows if row[3] == "village"),
        {row[0]: row[1] for row in units},
        {row[0]: row[2] for row in units},
        dict(session.execute(select(Center.code, Center.governorate_id)).all()),
    )


def _waiting_share(mark: Mark, decoded: Decoded) -> float | None:
    """How much of a visit's value is waiting relieved; None where the problem does not tell."""
    kind = decoded.problem.center_by_id[mark.center].kind
    waiting = decoded.waiting.get((mark.site, kind, mark.stay))
    if waiting is None:
        return None
    offers = decoded.problem.site_by_id[mark.site].offers_for(kind)
    value = next((offer.value for offer in offers if offer.stay == mark.stay), 0)
    return min(1.0, waiting / value) if value > 0 else 0.0


def _count(known: Sequence[Mark], land: _Land, total: Measures, parts: Mapping[int, Measures]) -> None:
    by_part: dict[int, list[Mark]] = {}
    for mark in known:
        by_part.setdefault(land.site_governorate.get(mark.site, 0), []).append(mark)
    for some, one in ((known, total), *((by_part[g], parts[g]) for g in by_part)):
        sites = {m.site for m in some}
        one.places = len(sites)
        one.villages = len(sites & land.villages)
        one.districts = len({land.site_unit.get(site) for site in sites})
        one.vans = len({m.center for m in some})
        one.van_days = len({m.key for m in some})


def _price(
    known: Sequence[Mark], decoded: Decoded, land: _Land, total: Measures, parts: dict[int, Measures]
) -> None:
    """Costs: in all as the referee counts them; of a part, the legs to its places and the vans that begin there."""
    problem, costs = decoded.problem, judge(known, decoded).costs
    total.drive_cost, total.van_cost = costs.travel / TENTHS, (costs.fixed + costs.nights) / TENTHS
    total.penalties = costs.penalties / TENTHS
    for route in routes_of(known, problem, decoded.travel):
        here = route.origin or problem.center_by_id[route.center].begins(route.day)[0]
        part = None
        for n, stop in enumerate(route.stops):
            part = parts[land.site_governorate.get(stop.site, 0)]
            place = problem.site_by_id[stop.site].place
            part.drive_cost += decoded.travel.leg(here, place)[1] / TENTHS
            if n == 0:
                part.van_cost += problem.center_by_id[route.center].fixed_cost / TENTHS
            here = place
        if part is not None and not route.overnight:
            part.drive_cost += decoded.travel.leg(here, problem.center_by_id[route.center].depot)[1] / TENTHS
    visits: dict[str, int] = {}
    for mark in known:
        visits[mark.site] = visits.get(mark.site, 0) + 1
    for group in problem.groups:
        missing = max(0, group.at_least - sum(visits.get(site, 0) for site in group.sites))
        total.short += missing
        if missing and group.sites:
            part = parts.setdefault(land.site_governorate.get(group.sites[0], 0), Measures())
            part.short += missing
            part.penalties += missing * group.penalty / TENTHS


def _forgotten(
    session: Session,
    known: Iterable[Mark],
    land: _Land,
    week: date,
    days: int,
    total: Measures,
    parts: dict[int, Measures],
) -> None:
    """How long districts have been without a visit when the plan ends."""
    last = last_visits(session, week)
    for mark in known:
        unit = land.site_unit.get(mark.site)
        if unit is not None:
            day = week + timedelta(days=mark.day)
            last[unit] = max(last.get(unit, day), day)
    end = week + timedelta(days=days - 1)
    for unit, governorate in land.unit_governorate.items():
        weeks = (end - last[unit]).days / 7 if unit in last else None
        late = weeks is None or weeks > land.unit_limit[unit]
        for one in (total, parts.setdefault(governorate, Measures())):
            one.overdue += late
            one.longest_weeks = max(one.longest_weeks, weeks or 0.0)


ADDITIVE = tuple(
    field.name
    for field in fields(Measures)
    if field.name not in ("vans", "van_days", "drive_cost", "van_cost", "longest_weeks")
)
"""Figures of which the whole is the sum of its governorates: a van works in several, and the drive home on a day
without a visit, or a night away, belongs to none."""
