"""How many people really come today: to fixed centers, to visits in villages, to vans beside a crowded
center."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import demand
from fleet.calendar import Calendar, local_minute
from fleet.simulation import sites
from fleet.simulation.behaviour import Mix
from fleet.simulation.scenario import LineFacts, Scenario, fixed_day, van_day
from fleet.simulation.truth import site_truth
from fleet.store import Center, Site, Visit
from queueing.store import Queue

MOBILE_SHARE = 0.5
"""Share of a village's errands that a van can settle."""
BESIDE_SHARE = 0.3
"""Share of a crowded center's people who go to the van in front of it while it stands there."""
COME_RATE, PUT_OFF_WEEKS, BUSY_SHARE = 0.5, 7.5, 0.85
"""How it really is in the simulated villages: the rate an hour at which those who want a visit come, for how
many weeks errands are put off, and the share of its time a van's desk can serve. The planner's model has its
own, slightly other figures: a model that knew these would be checked against itself."""
FULL = 1.1
"""A village sends at most so many times what the van can serve: when the line is long enough, word goes
round."""


@dataclass(frozen=True, slots=True)
class Today:
    """A line of today with its day; `visit_id` and `center_id` where it is a visit's."""

    scenario: Scenario
    visit_id: int | None = None
    center_id: int | None = None


def scenarios(session: Session, day: date, *, seed: int, calendar: Calendar) -> list[Today]:
    """Every line that works on `day`: fixed queues less whom the visits draw away, and announced or open
    visits."""
    visits = visits_on(session, day)
    beside: dict[int, float] = defaultdict(float)
    for visit, site, *_ in visits:
        if site.kind != "village":
            minutes = (visit.closes_at - visit.opens_at).total_seconds() / 60
            length = max(1, site.close_minute - site.open_minute)
            beside[site.id] = min(0.6, beside[site.id] + BESIDE_SHARE * min(1.0, minutes / length))
    found = []
    lines = sites.fixed_lines(session)
    plain: dict[int, float] = defaultdict(float)
    for fixed in lines:
        today = fixed_day(fixed.line, day, seed=seed, calendar=calendar)
        if today is not None:
            plain[fixed.site_id] += today.expected
            if beside[fixed.site_id]:
                relieved = beside[fixed.site_id]
                today = fixed_day(fixed.line, day, seed=seed, calendar=calendar, relieved=relieved)
        if today is not None:
            found.append(Today(today))
    ids = [visit.queue_id for visit, *_ in visits]
    desks, services = sites.desks_of(session, ids), sites.services_of(session, ids)
    for visit, site, center, queue in visits:
        if not desks.get(queue.id) or not services.get(queue.id):
            continue
        stay_h = (visit.closes_at - visit.opens_at).total_seconds() / 3600
        truth = site_truth(seed, site.code).factor(day)
        if site.kind == "village":
            mean_h = Mix.of(services[queue.id]).mean_service_s / 3600
            full = FULL * BUSY_SHARE * len(desks[queue.id]) * stay_h / mean_h
            expected = min(full, village_people(site.population, day, stay_h) * truth)
        else:
            expected = plain[site.id] * beside[site.id]
        line: LineFacts = sites.line_facts(
            queue,
            key=f"{center.code}/{visit.day:%y%m%d}/{local_minute(visit.opens_at)}",
            population=site.population,
            hours=(local_minute(visit.opens_at), local_minute(visit.closes_at)),
            desks=desks[queue.id],
            services=services[queue.id],
        )
        found.append(Today(van_day(line, day, expected, seed=seed, tilt=0.9), visit.id, center.id))
    return found


def village_people(population: float, day: date, stay_h: float) -> float:
    """Expected people at a visit to a village not seen for long: the errands put off so far, and who of them
    comes."""
    weekly = population * demand.REQUESTS_PER_1000 / 1000 / 52 * MOBILE_SHARE
    stock = weekly * demand.MONTH_FACTORS[day.month] * PUT_OFF_WEEKS
    return stock * (1 - math.exp(-COME_RATE * stay_h))


def visits_on(session: Session, day: date) -> list[tuple[Visit, Site, Center, Queue]]:
    """Visits of a day that were not cancelled and are not over, in the order of their opening."""
    rows = session.execute(
        select(Visit, Site, Center, Queue)
        .join(Site, Site.id == Visit.site_id)
        .join(Center, Center.id == Visit.center_id)
        .join(Queue, Queue.id == Visit.queue_id)
        .where(Visit.day == day, Visit.status.in_(("announced", "open")))
        .order_by(Visit.opens_at, Visit.id)
    )
    return [(visit, site, center, queue) for visit, site, center, queue in rows]
