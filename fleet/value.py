"""What a visit is worth, in person-hours, at every candidate site, day, class of van and stay.

Forecourts of fixed centers: waiting relieved there by a van standing by (`fleet.forecourts`). Villages: trips
spared to those whose errands have gathered since the last visit, and the waiting that their staying away spares at
their center: their own and that of everybody behind them. One scale for both:

    value = WAIT_WEIGHT x waiting spared + travelling spared        (a forecourt spares the second trip of
    who gave up)

Coverage of forgotten districts is no value but a rule of the plan (planning/coverage.py); driving is a cost
there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from fleet import demand, stock
from fleet.calendar import MOBILE_WEEK, Calendar, default_calendar, week_days
from fleet.forecourts import relieve_forecourts
from fleet.relief import Floats
from fleet.store import Center, Site, Visit, VisitValue
from fleet.visited import learn_villages, service_hours, weekly_by_people

WAIT_WEIGHT = 1.5
"""An hour of waiting burdens like 1.5 hours of travelling: the usual weight of waiting in appraisals of
public transport."""
STAYS = (120, 180, 240, 300, 360)
"""Stays on offer, minutes."""
STANDARD_STAY = 240
"""The stay that VisitValue tells about."""
ROAD_DETOUR = 1.35
BUS_KMH = 30.0
"""Door to door by microbus, with its stops and changes."""
BUS_ACCESS_H = 0.25
"""Walking to the microbus and waiting for it to fill, each way."""
VILLAGE_ACCESS_H = 0.15
"""Walking to the van in the village, each way."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The classes of vans: names, and desks of each (median over the fleet)."""

    klasses: tuple[str, ...]
    desks: Floats


@dataclass(frozen=True, slots=True)
class Values:
    """Values over sites x days x classes x stays. `waiting` and `travel` are plain person-hours, `hours` is
    the value; `people` are served at the van. A closed day is zero everywhere."""

    site_ids: tuple[int, ...]
    days: tuple[date, ...]
    klasses: tuple[str, ...]
    stays: tuple[int, ...]
    hours: Floats
    waiting: Floats
    travel: Floats
    people: Floats


def visit_values(session: Session, week: date, *, now: datetime, calendar: Calendar | None = None) -> Values:
    """Value every active site in the week of `week` and keep the standard stay's values as VisitValue."""
    values = compute_values(session, week, now=now, calendar=calendar)
    keep_values(session, values, now=now)
    return values


@dataclass(frozen=True, slots=True)
class Supposed:
    """Demand other than the forecast's, for what-if questions: at each site (by id) and day of the week,
    arrivals times `factor`, and at fixed sites `extra` people a day beside, spread like the others. In a
    village the gathered errands are multiplied."""

    factor: Mapping[int, Sequence[float]] = field(default_factory=dict)
    extra: Mapping[int, Sequence[float]] = field(default_factory=dict)


def compute_values(
    session: Session,
    week: date,
    *,
    now: datetime,
    calendar: Calendar | None = None,
    only: Collection[int] | None = None,
    supposed: Supposed | None = None,
    planned: Mapping[int, Sequence[date]] | None = None,
) -> Values:
    """As `visit_values`, without writing: for callers that must not hold the write lock for seconds.

    `only` values these site ids alone; `supposed` is demand to reckon with in place of the forecast's; `planned` are
    days of visits by site id that are not announced but reckoned with: what they use up has to gather again.
    """
    calendar = calendar or default_calendar()
    days = tuple(week_days(week))
    chosen = select(Site).where(Site.active).order_by(Site.id)
    sites = [s for s in session.scalars(chosen) if only is None or s.id in only]
    fleet = load_fleet(session)
    shape = (len(sites), len(days), len(fleet.klasses), len(STAYS))
    parts = [np.zeros(shape) for _ in range(3)]
    factor, extra = np.ones(shape[:2]), np.zeros(shape[:2])
    if supposed is not None:
        for i, site in enumerate(sites):
            factor[i] = supposed.factor.get(site.id, factor[i])
            extra[i] = supposed.extra.get(site.id, extra[i])
    spared_by_site = relieve_forecourts(
        session,
        sites,
        days,
        fleet.desks,
        STAYS,
        parts,
        now=now,
        calendar=calendar,
        factor=factor,
        extra=extra,
    )
    _villages(
        session,
        sites,
        days,
        fleet,
        parts,
        spared_by_site,
        calendar=calendar,
        factor=factor,
        planned=planned or {},
    )
    waiting, travel, people = parts
    hours = np.maximum(WAIT_WEIGHT * waiting + travel, 0.0)
    return Values(tuple(s.id for s in sites), days, fleet.klasses, STAYS, hours, waiting, travel, people)


def load_fleet(session: Session) -> Fleet:
    """Return the classes in use and their desks."""
    desks: dict[str, list[int]] = {}
    for klass, count in session.execute(select(Center.klass, Center.desks).order_by(Center.id)):
        desks.setdefault(klass, []).append(count)
    names = tuple(sorted(desks))
    return Fleet(names, np.array([float(np.median(desks[name])) for name in names]))


def _villages(
    session: Session,
    sites: list[Site],
    days: tuple[date, ...],
    fleet: Fleet,
    parts: list[Floats],
    spared_by_site: dict[int, float],
    *,
    calendar: Calendar,
    factor: Floats,
    planned: Mapping[int, Sequence[date]],
) -> None:
    waiting, travel, people = parts
    rows = np.array([i for i, s in enumerate(sites) if s.kind == "village"], dtype=np.intp)
    if not rows.size:
        return
    villages = [sites[i] for i in rows]
    errands = village_stock(session, villages, days[0], planned)
    service_h = np.full(len(villages), service_hours(session))
    national = float(np.mean(list(spared_by_site.values()))) if spared_by_site else 0.25
    wait_there = np.array([spared_by_site.get(v.nearest_fixed_id or 0, national) for v in villages])
    trip = trip_hours(np.array([v.nearest_fixed_km or 0.0 for v in villages]))
    works = np.array([calendar.is_working_day(day, weekdays=MOBILE_WEEK) for day in days])
    cs2 = np.full(len(villages), 0.35)
    for k, desks in enumerate(fleet.desks):
        for t, stay in enumerate(STAYS):
            n, stay_h = np.full(len(villages), float(desks)), np.full(len(villages), stay / 60)
            known: dict[bytes, tuple[Floats, Floats]] = {}
            for d in np.flatnonzero(works):
                scale = factor[rows, d]
                if scale.tobytes() not in known:  # as a rule all days are alike
                    there = errands * scale
                    known[scale.tobytes()] = (
                        stock.served(there, n, service_h, stay_h),
                        stock.village_wait(there, n, service_h, cs2, stay_h),
                    )
                helped, at_van = known[scale.tobytes()]
                waiting[rows, d, k, t] = helped * wait_there - at_van
                travel[rows, d, k, t] = helped * trip
                people[rows, d, k, t] = helped


def trip_hours(km: Floats) -> Floats:
    """Return the hours that a visit spares a villager whose center is so many km away as the crow flies: there and
    back by microbus, less the walk to the van."""
    hours: Floats = 2 * np.maximum(ROAD_DETOUR * km / BUS_KMH + BUS_ACCESS_H - VILLAGE_ACCESS_H, 0.0)
    return hours


def village_stock(
    session: Session, villages: list[Site], day: date, planned: Mapping[int, Sequence[date]] | None = None
) -> Floats:
    """Return the errands gathered in each village by `day` (`weekly_errands`) since the last visit, announced or among
    the days `planned` by site id."""
    weekly = weekly_errands(session, villages, day)
    seen = select(Visit.site_id, func.max(Visit.day)).where(Visit.status != "cancelled", Visit.day < day)
    last = dict(session.execute(seen.group_by(Visit.site_id)).all())
    for site_id, days in (planned or {}).items():
        last[site_id] = max([d for d in days if d < day] + [last.get(site_id, date.min)])
    last = {site_id: seen_on for site_id, seen_on in last.items() if seen_on > date.min}
    weeks = np.array([(day - last[v.id]).days / 7 if v.id in last else np.inf for v in villages])
    return stock.gathered(weekly, weeks)


def weekly_errands(session: Session, villages: list[Site], day: date) -> Floats:
    """Return the errands that gather in each village in a week, in the month of `day`: by the number of people, and by
    who came to earlier visits where there were any."""
    known = learn_villages(session, before=day)
    by_people = weekly_by_people(session) * demand.MONTH_FACTORS[day.month]
    return np.array([v.population * by_people * known.factor(v.id) for v in villages], float)


def keep_values(session: Session, values: Values, *, now: datetime) -> None:
    """Store the standard stay's values of a week in place of those that were there."""
    session.execute(
        delete(VisitValue).where(VisitValue.day >= values.days[0], VisitValue.day <= values.days[-1])
    )
    t = values.stays.index(STANDARD_STAY)
    rows = [
        {
            "site_id": values.site_ids[s],
            "day": values.days[d],
            "klass": values.klasses[k],
            "stay_minutes": STANDARD_STAY,
            "hours": round(float(values.hours[s, d, k, t]), 3),
            "waiting_hours": round(float(values.waiting[s, d, k, t]), 3),
            "travel_hours": round(float(values.travel[s, d, k, t]), 3),
            "made_at": now,
        }
        for s, d, k in np.argwhere(values.people[:, :, :, t] > 0).tolist()
    ]
    for i in range(0, len(rows), 5000):
        session.execute(insert(VisitValue), rows[i : i + 5000])
