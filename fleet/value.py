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
from fleet.lines import Queues, load_queues
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
WORTH_A_LOOK_H = 1.0
"""A day on which a whole line waits less than this in all cannot be relieved by more: its value is left
zero."""
RETURN_TRIP_H = 1.0
"""Who gives up waiting comes again another day: half an hour each way in a town."""
ROAD_DETOUR = 1.35
BUS_KMH = 30.0
"""Door to door by microbus, with its stops and changes."""
BUS_ACCESS_H = 0.25
"""Walking to the microbus and waiting for it to fill, each way."""
UPTAKE = 0.4
"""Of the errands that wait in a village, the share whose people hear of the visit and can come on that
day."""
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
    works = np.array([calendar.is_working_day(day) for day in days], dtype=bool)
    demand_of = arrivals[picked] * works[None, :, None]  # sites x days x 24
    station = relief.Station(
        demand_of[:, 0],
        queues.staffed[picked],
        queues.service_h[picked],
        queues.cs2[picked],
        queues.leave_rate[picked],
    )
    windows = np.array(
        [
            [calendar.hours(day, queues.open_minute[q], queues.close_minute[q]) for day in days]
            for q in picked.tolist()
        ],
        float,
    )
    waited = np.zeros(demand_of.shape[:2])
    for deviation, weight in relief.NODES:
        scale = 1 + relief.DEMAND_CV * deviation
        waited += weight * _relieve_all(
            station,
            demand_of * scale,
            windows / 60,
            share[picked],
            van_service[picked],
            fleet,
            parts,
            rows,
            weight,
        )
    for part in parts:  # every other stay is computed; one between is the mean of its neighbours
        for t in range(1, len(STAYS), 2):
            part[rows, :, :, t] = (part[rows, :, :, t - 1] + part[rows, :, :, t + 1]) / 2
    people = demand_of.sum(axis=(1, 2))
    return {
        queues.site_ids[q]: float(waited[i].sum() / people[i])
        for i, q in enumerate(picked.tolist())
        if people[i] > 0
    }


def _relieve_all(
    station: relief.Station,
    demand_of: Floats,
    windows_h: Floats,
    share: Floats,
    van_service: Floats,
    fleet: Fleet,
    parts: list[Floats],
    rows: np.ndarray[tuple[int], np.dtype[np.intp]],
    weight: float,
) -> Floats:
    """Add `weight` x the relief of every site, day, class and computed stay to `parts`; all in one batch.

    Returns the person-hours waited without a van, sites x days.
    """
    size, days = demand_of.shape[:2]
    site, day = np.divmod(np.arange(size * days), days)
    before = relief.waiting(_at(station, site, demand_of.reshape(-1, 24)))
    busy = np.flatnonzero(before.hours > WORTH_A_LOOK_H)
    combos = [
        (k, t, later) for k in range(len(fleet.klasses)) for t in range(0, len(STAYS), 2) for later in STARTS
    ]
    if busy.size:
        pair = np.tile(busy, len(combos))
        klass, stay, later = (np.repeat(np.array([c[n] for c in combos], float), busy.size) for n in range(3))
        k, t = klass.astype(np.intp), stay.astype(np.intp)
        stay_h = np.array(STAYS, float)[t] / 60
        opens, closes = windows_h[site[pair], day[pair], 0], windows_h[site[pair], day[pair], 1]
        starts = opens + later * np.maximum(closes - opens - stay_h, 0.0)
        van = relief.Van(
            fleet.desks[k],
            van_service[site[pair]],
            station.cs2[site[pair]],
            starts,
            np.minimum(starts + stay_h, closes),
            share[site[pair]],
            np.zeros(pair.size),
        )
        after = relief.relieve(_at(station, site[pair], demand_of.reshape(-1, 24)[pair]), van)
        w = weight / len(STARTS)
        spared = before.hours[pair] - after.fixed_hours - after.van_hours
        stays_on = before.left[pair] - after.fixed_left - after.van_left
        for part, gain in zip(parts, (spared, RETURN_TRIP_H * stays_on, after.diverted), strict=True):
            np.add.at(part, (rows[site[pair]], day[pair], k, t), w * gain)
    return before.hours.reshape(size, days)


def _at(
    station: relief.Station, site: np.ndarray[tuple[int], np.dtype[np.intp]], arrivals: Floats
) -> relief.Station:
    """The stations of `site` with other arrivals."""
    return relief.Station(
        arrivals, station.desks[site], station.service_h[site], station.cs2[site], station.leave_rate[site]
    )


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
    weekly = weekly * demand.REQUESTS_PER_1000 / 1000 / 52 * UPTAKE * share * demand.MONTH_FACTORS[day.month]
    seen = select(Visit.site_id, func.max(Visit.day)).where(Visit.status != "cancelled", Visit.day < day)
    last = dict(session.execute(seen.group_by(Visit.site_id)).all())
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
