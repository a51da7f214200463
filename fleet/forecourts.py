"""What a van relieves on the forecourt of a crowded fixed center, for all centers, days, classes and stays
in one batch.

The forecast's error is carried through the model (`relief.NODES`), because near capacity a tenth more demand
halves or doubles what a van saves.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import relief
from fleet.calendar import Calendar
from fleet.lines import Queues, load_queues, services_of_sites
from fleet.relief import Floats
from fleet.store import ForecastHour, Site

STARTS = (0.0, 0.6)
"""A visit may begin anywhere between opening and the last start that fits its stay: the value is the mean of
a visit at opening and one later, as the first and second stops of a day are."""
WORTH_A_LOOK_H = 1.0
"""A day on which a whole line waits less than this in all cannot be relieved by more: its value is left
zero."""
SLIGHT = 0.05
"""Share of the arrivals that is left out to see what one citizen less is worth at a center."""
RETURN_TRIP_H = 1.0
"""Who gives up waiting comes again another day: half an hour each way in a town."""


def relieve_forecourts(
    session: Session,
    sites: list[Site],
    days: tuple[date, ...],
    desks: Floats,
    stays: Sequence[int],
    parts: list[Floats],
    *,
    now: datetime,
    calendar: Calendar,
    factor: Floats,
    extra: Floats,
) -> dict[int, float]:
    """Add the forecourts of `sites` to `parts` (waiting, travel, people; each sites x days x classes x
    stays).

    `desks` of each class of van; `stays` in minutes; `factor` and `extra` (sites x days) change the
    forecast: arrivals times the factor, and extra people a day spread like the others. Returns by fixed site id the
    person-hours of waiting that one citizen less spares there: the own wait, and that of everybody behind until the
    line is next empty.
    """
    queues = load_queues(session, now=now)
    arrivals, spread = forecast_of(session, queues, days)
    busiest = busiest_lines(queues, arrivals)
    share, van_service = mobile_mix(session, queues)
    row_of = {site.id: i for i, site in enumerate(sites)}
    picked = np.array([q for site_id, q in busiest.items() if site_id in row_of], dtype=np.intp)
    if not picked.size:
        return {}
    rows = np.array([row_of[queues.site_ids[q]] for q in picked], dtype=np.intp)
    works = np.array([calendar.is_working_day(day) for day in days], dtype=bool)
    demand_of = arrivals[picked] * works[None, :, None]  # sites x days x 24
    a_day = demand_of.sum(axis=2)
    more = np.divide(extra[rows], a_day, out=np.zeros_like(a_day), where=a_day > 0)
    demand_of = demand_of * (factor[rows] + more)[:, :, None]
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
    spared = np.zeros(demand_of.shape[:2])
    for deviation, weight in relief.NODES:
        scale = 1 + deviation * spread[picked][:, :, None]
        spared += weight * _relieve_all(
            station,
            demand_of * scale,
            windows / 60,
            share[picked],
            van_service[picked],
            desks,
            stays,
            parts,
            rows,
            weight,
        )
    for part in parts:  # every other stay is computed; one between is the mean of its neighbours
        for t in range(1, len(stays), 2):
            part[rows, :, :, t] = (part[rows, :, :, t - 1] + part[rows, :, :, t + 1]) / 2
    people = demand_of.sum(axis=(1, 2))
    return {
        queues.site_ids[q]: float(spared[i].sum() / (SLIGHT * people[i]))
        for i, q in enumerate(picked.tolist())
        if people[i] > 0
    }


def _relieve_all(
    station: relief.Station,
    demand_of: Floats,
    windows_h: Floats,
    share: Floats,
    van_service: Floats,
    desks: Floats,
    stays: Sequence[int],
    parts: list[Floats],
    rows: np.ndarray[tuple[int], np.dtype[np.intp]],
    weight: float,
) -> Floats:
    """Add `weight` x the relief of every site, day, class and computed stay to `parts`; all in one batch.

    Returns the person-hours that a share SLIGHT of the citizens less would spare without any van, sites x days.
    """
    size, days = demand_of.shape[:2]
    site, day = np.divmod(np.arange(size * days), days)
    before = relief.waiting(_at(station, site, demand_of.reshape(-1, 24)))
    fewer = relief.waiting(_at(station, site, (1 - SLIGHT) * demand_of.reshape(-1, 24)))
    busy = np.flatnonzero(before.hours > WORTH_A_LOOK_H)
    combos = [(k, t, later) for k in range(len(desks)) for t in range(0, len(stays), 2) for later in STARTS]
    if busy.size:
        pair = np.tile(busy, len(combos))
        klass, stay, later = (np.repeat(np.array([c[n] for c in combos], float), busy.size) for n in range(3))
        k, t = klass.astype(np.intp), stay.astype(np.intp)
        stay_h = np.array(stays, float)[t] / 60
        opens, closes = windows_h[site[pair], day[pair], 0], windows_h[site[pair], day[pair], 1]
        starts = opens + later * np.maximum(closes - opens - stay_h, 0.0)
        van = relief.Van(
            desks[k],
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
    return (before.hours - fewer.hours).reshape(size, days)


def _at(
    station: relief.Station, site: np.ndarray[tuple[int], np.dtype[np.intp]], arrivals: Floats
) -> relief.Station:
    """The stations of `site` with other arrivals."""
    return relief.Station(
        arrivals, station.desks[site], station.service_h[site], station.cs2[site], station.leave_rate[site]
    )


def forecast_of(session: Session, queues: Queues, days: tuple[date, ...]) -> tuple[Floats, Floats]:
    """Return the forecast arrivals (queues x days x 24), and how far each day may stray from them (queues x days:
    standard deviation / mean; `relief.DEMAND_CV` where that was not said)."""
    index = {queue_id: i for i, queue_id in enumerate(queues.ids)}
    arrivals = np.zeros((len(queues.ids), len(days), 24))
    spread = np.full(arrivals.shape[:2], relief.DEMAND_CV)
    f = ForecastHour
    for queue_id, day, hour, expected, strays in session.execute(
        select(f.queue_id, f.day, f.hour, f.arrivals, f.spread).where(f.day >= days[0], f.day <= days[-1])
    ):
        if queue_id in index:
            at = index[queue_id], (day - days[0]).days
            arrivals[(*at, hour)] = expected
            if strays is not None:
                spread[at] = strays
    return arrivals, spread


def busiest_lines(queues: Queues, arrivals: Floats) -> dict[int, int]:
    """The queue a van would relieve at each site: a complex has several lines, the van helps the most
    loaded."""
    load = arrivals.sum(axis=(1, 2)) * queues.service_h / queues.desks
    best: dict[int, int] = {}
    for i, site_id in enumerate(queues.site_ids):
        if site_id not in best or load[i] > load[best[site_id]]:
            best[site_id] = i
    return best


def mobile_mix(session: Session, queues: Queues) -> tuple[Floats, Floats]:
    """Per queue: share of its citizens who come for a van's services, and the mean hours of those
    services."""
    index = {queue_id: i for i, queue_id in enumerate(queues.ids)}
    total, mobile, minutes = (np.zeros(len(queues.ids)) for _ in range(3))
    for queue_id, services in services_of_sites(session).items():
        i = index.get(queue_id)
        if i is None:
            continue
        for s in services:
            total[i] += s.popularity
            if s.at_mobile:
                mobile[i] += s.popularity
                minutes[i] += s.popularity * (s.minutes_low + s.minutes_mode + s.minutes_high) / 3
    share = np.divide(mobile, total, out=np.zeros_like(total), where=total > 0)
    hours = np.divide(minutes / 60, mobile, out=queues.service_h.copy(), where=mobile > 0)
    return share, np.maximum(hours, 1 / 60)
