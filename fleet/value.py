"""What a visit is worth, in person-hours, at every candidate site, day, class of van and stay.

Forecourts of fixed centers: waiting relieved there by a van standing by (`fleet.relief.relieve`), averaged
over how wrong the forecast may be, because a tenth more demand halves or doubles the saving. Villages: trips
and waits spared to those whose errands have gathered since the last visit. One scale for both:

    value = WAIT_WEIGHT x waiting spared + travelling spared        (a forecourt spares the second trip of
    who gave up)

Coverage of forgotten districts is no value but a rule of the plan (planning/coverage.py); driving is a cost
there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from fleet import demand, relief
from fleet.calendar import MOBILE_WEEK, Calendar, default_calendar, week_days
from fleet.forecast import Queues, load_queues
from fleet.relief import Floats
from fleet.store import Center, ForecastHour, Site, Visit, VisitValue
from queueing.store import QueueService, Service

WAIT_WEIGHT = 1.5
"""An hour of waiting burdens like 1.5 hours of travelling: the usual weight of waiting in appraisals of
public transport."""
STAYS = (120, 180, 240, 300, 360)
"""Stays on offer, minutes."""
STANDARD_STAY = 240
"""The stay that VisitValue tells about."""
STARTS = (0.0, 0.6)
"""A visit may begin anywhere between opening and the last start that fits its stay: the value is the mean of
a visit at opening and one later, as the first and second stops of a day are."""
DEMAND_CV = 0.15
"""How far a day's demand strays from its forecast; three points of Gauss and Hermite carry it into the
value."""
NODES = ((-(3**0.5), 1 / 6), (0.0, 2 / 3), (3**0.5, 1 / 6))
RETURN_TRIP_H = 1.0
"""Who gives up waiting comes again another day: half an hour each way in a town."""
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
    _keep(session, values, now)
    return values


def compute_values(
    session: Session, week: date, *, now: datetime, calendar: Calendar | None = None
) -> Values:
    """As `visit_values`, without writing."""
    calendar = calendar or default_calendar()
    days = tuple(week_days(week))
    sites = list(session.scalars(select(Site).where(Site.active).order_by(Site.id)))
    fleet = load_fleet(session)
    shape = (len(sites), len(days), len(fleet.klasses), len(STAYS))
    parts = [np.zeros(shape) for _ in range(3)]
    wait_by_site = _forecourts(session, sites, days, fleet, parts, now=now, calendar=calendar)
    _villages(session, sites, days, fleet, parts, wait_by_site, calendar=calendar)
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


def _forecourts(
    session: Session,
    sites: list[Site],
    days: tuple[date, ...],
    fleet: Fleet,
    parts: list[Floats],
    *,
    now: datetime,
    calendar: Calendar,
) -> dict[int, float]:
    """Fill in the forecourts; return the mean wait of an arrival (hours) by fixed site id."""
    queues = load_queues(session, now=now)
    arrivals = _forecast(session, queues, days)
    busiest = _busiest(queues, arrivals)
    share, van_service = _mobile_mix(session, queues)
    row_of = {site.id: i for i, site in enumerate(sites)}
    picked = np.array([q for site_id, q in busiest.items() if site_id in row_of], dtype=np.intp)
    if not picked.size:
        return {}
    rows = np.array([row_of[queues.site_ids[q]] for q in picked], dtype=np.intp)
    mean_wait: dict[int, tuple[float, float]] = {}
    for d, day in enumerate(days):
        base = arrivals[picked, d]
        if not base.any() or not calendar.is_working_day(day):
            continue
        station = relief.Station(
            base,
            queues.desks[picked],
            queues.service_h[picked],
            queues.cs2[picked],
            queues.leave_rate[picked],
        )
        windows = np.array(
            [calendar.hours(day, queues.open_minute[q], queues.close_minute[q]) for q in picked], float
        )
        waited = _day_relief(station, windows / 60, share[picked], van_service[picked], fleet, parts, rows, d)
        for i, q in enumerate(picked.tolist()):
            hours, people = mean_wait.get(queues.site_ids[q], (0.0, 0.0))
            mean_wait[queues.site_ids[q]] = (hours + waited[i], people + float(base[i].sum()))
    return {site_id: hours / people for site_id, (hours, people) in mean_wait.items() if people > 0}


def _day_relief(
    station: relief.Station,
    windows_h: Floats,
    share: Floats,
    van_service: Floats,
    fleet: Fleet,
    parts: list[Floats],
    rows: np.ndarray[tuple[int], np.dtype[np.intp]],
    d: int,
) -> Floats:
    """Add one day's relief of every class and stay to `parts`; return the expected waiting without a van."""
    waiting, travel, people = parts
    expected_wait = np.zeros(station.size)
    for deviation, weight in NODES:
        scaled = relief.Station(
            station.arrivals * (1 + DEMAND_CV * deviation),
            station.desks,
            station.service_h,
            station.cs2,
            station.leave_rate,
        )
        before = relief.waiting(scaled)
        expected_wait += weight * before.hours
        for k, desks in enumerate(fleet.desks):
            for t in range(0, len(STAYS), 2):
                stay_h = STAYS[t] / 60
                for later in STARTS:
                    slack = np.maximum(windows_h[:, 1] - windows_h[:, 0] - stay_h, 0.0)
                    starts = windows_h[:, 0] + later * slack
                    van = relief.Van(
                        np.full(station.size, float(desks)),
                        van_service,
                        station.cs2,
                        starts,
                        np.minimum(starts + stay_h, windows_h[:, 1]),
                        share,
                        np.zeros(station.size),
                    )
                    with_van = relief.relieve(scaled, van)
                    w = weight / len(STARTS)
                    waiting[rows, d, k, t] += w * (before.hours - with_van.fixed_hours - with_van.van_hours)
                    stays_on = before.left - with_van.fixed_left - with_van.van_left
                    travel[rows, d, k, t] += w * RETURN_TRIP_H * stays_on
                    people[rows, d, k, t] += w * with_van.diverted
    for part in parts:  # every other stay is computed; one between is the mean of its neighbours
        for t in range(1, len(STAYS), 2):
            part[rows, d, :, t] = (part[rows, d, :, t - 1] + part[rows, d, :, t + 1]) / 2
    return expected_wait


def _villages(
    session: Session,
    sites: list[Site],
    days: tuple[date, ...],
    fleet: Fleet,
    parts: list[Floats],
    wait_by_site: dict[int, float],
    *,
    calendar: Calendar,
) -> None:
    waiting, travel, people = parts
    rows = np.array([i for i, s in enumerate(sites) if s.kind == "village"], dtype=np.intp)
    if not rows.size:
        return
    villages = [sites[i] for i in rows]
    stock = village_stock(session, villages, days[0])
    services = list(session.scalars(select(Service).where(Service.at_mobile)))
    minutes = demand.mean_service_minutes(services) if services else 12.0
    service_h = np.full(len(villages), max(minutes, 1.0) / 60)
    national = float(np.mean(list(wait_by_site.values()))) if wait_by_site else 0.25
    wait_there = np.array([wait_by_site.get(v.nearest_fixed_id or 0, national) for v in villages])
    km = np.array([v.nearest_fixed_km or 0.0 for v in villages])
    trip = 2 * np.maximum(ROAD_DETOUR * km / BUS_KMH + BUS_ACCESS_H - VILLAGE_ACCESS_H, 0.0)
    works = np.array([calendar.is_working_day(day, weekdays=MOBILE_WEEK) for day in days])
    cs2 = np.full(len(villages), 0.35)
    for k, desks in enumerate(fleet.desks):
        for t, stay in enumerate(STAYS):
            n, stay_h = np.full(len(villages), float(desks)), np.full(len(villages), stay / 60)
            helped = relief.served(stock, n, service_h, stay_h)
            at_van = relief.village_wait(stock, n, service_h, cs2, stay_h)
            for d in np.flatnonzero(works):
                waiting[rows, d, k, t] = helped * wait_there - at_van
                travel[rows, d, k, t] = helped * trip
                people[rows, d, k, t] = helped


def village_stock(session: Session, villages: list[Site], day: date) -> Floats:
    """Return the errands gathered in each village by `day`: people x requests x what a van can do, since the
    last visit."""
    share = mobile_share(session)
    weekly = np.array([v.population for v in villages], float)
    weekly = weekly * demand.REQUESTS_PER_1000 / 1000 / 52 * share * demand.MONTH_FACTORS[day.month]
    seen = select(Visit.site_id, func.max(Visit.day)).where(Visit.status != "cancelled", Visit.day < day)
    last = dict(session.execute(seen.group_by(Visit.site_id)).tuples())
    weeks = np.array([(day - last[v.id]).days / 7 if v.id in last else np.inf for v in villages])
    rest = weekly * relief.REGROW_WEEKS * np.exp(-relief.COME_RATE * STANDARD_STAY / 60)
    return relief.stock_now(weekly, weeks, rest)


def mobile_share(session: Session) -> float:
    """Share of all requests at fixed centers that are for a service a van offers, by popularity."""
    total = session.scalar(select(func.sum(Service.popularity)).where(Service.at_fixed)) or 0.0
    mobile = session.scalar(select(func.sum(Service.popularity)).where(Service.at_fixed, Service.at_mobile))
    return float(mobile or 0.0) / float(total) if total else 0.0


def _forecast(session: Session, queues: Queues, days: tuple[date, ...]) -> Floats:
    index = {queue_id: i for i, queue_id in enumerate(queues.ids)}
    arrivals = np.zeros((len(queues.ids), len(days), 24))
    f = ForecastHour
    for queue_id, day, hour, expected in session.execute(
        select(f.queue_id, f.day, f.hour, f.arrivals).where(f.day >= days[0], f.day <= days[-1])
    ):
        if queue_id in index:
            arrivals[index[queue_id], (day - days[0]).days, hour] = expected
    return arrivals


def _busiest(queues: Queues, arrivals: Floats) -> dict[int, int]:
    """The queue a van would relieve at each site: a complex has several lines, the van helps the most
    loaded."""
    load = arrivals.sum(axis=(1, 2)) * queues.service_h / queues.desks
    best: dict[int, int] = {}
    for i, site_id in enumerate(queues.site_ids):
        if site_id not in best or load[i] > load[best[site_id]]:
            best[site_id] = i
    return best


def _mobile_mix(session: Session, queues: Queues) -> tuple[Floats, Floats]:
    """Per queue: share of its citizens who come for a van's services, and the mean hours of those
    services."""
    index = {queue_id: i for i, queue_id in enumerate(queues.ids)}
    total, mobile, minutes = (np.zeros(len(queues.ids)) for _ in range(3))
    for queue_id, s in session.execute(
        select(QueueService.queue_id, Service).join(Service, Service.id == QueueService.service_id)
    ):
        i = index.get(queue_id)
        if i is None:
            continue
        total[i] += s.popularity
        if s.at_mobile:
            mobile[i] += s.popularity
            minutes[i] += s.popularity * (s.minutes_low + s.minutes_mode + s.minutes_high) / 3
    share = np.divide(mobile, total, out=np.zeros_like(total), where=total > 0)
    hours = np.divide(minutes / 60, mobile, out=queues.service_h.copy(), where=mobile > 0)
    return share, np.maximum(hours, 1 / 60)


def _keep(session: Session, values: Values, now: datetime) -> None:
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
