"""Where the vans stood in the past weeks: one stop a day in the big towns, told in newspapers only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from fleet.calendar import Calendar, local_instant
from fleet.network.catalogue import mobile_offer
from fleet.network.queues import QueueSpec, make_queues
from fleet.simulation.drive import drive_minutes
from fleet.simulation.truth import stream
from fleet.store import Center, Site, Visit
from queueing.store import Queue

T = TypeVar("T")
Write = Callable[[Callable[[Session], T]], T]

OPEN_MINUTE, CLOSE_MINUTE = 9 * 60 + 30, 14 * 60
"""A past stop's hours, minutes from local midnight."""
TOWNS = 6
"""Vans went round the biggest places of their governorate, this many at most."""
CHUNK = 400
"""Visits written in one transaction."""


@dataclass(frozen=True, slots=True)
class Stop:
    """One past stop to be."""

    center_id: int
    center_code: str
    site_id: int
    day: date
    name_ar: str
    name_en: str
    desks: int
    drive_minutes: float
    setup_minutes: int


def past_stops(session: Session, days: Sequence[date], *, seed: int, calendar: Calendar) -> list[Stop]:
    """One stop per working day of each center, at one of its governorate's biggest towns; two vans never
    meet."""
    towns: dict[int, list[Site]] = defaultdict(list)
    places = session.scalars(
        select(Site).where(Site.active, Site.kind == "fixed").order_by(Site.population.desc(), Site.code)
    )
    for site in places:
        towns[site.governorate_id].append(site)
    taken: set[tuple[date, int]] = set()
    found: list[Stop] = []
    for center in session.scalars(select(Center).order_by(Center.code)):
        near = towns[center.governorate_id]
        big = near[: max(TOWNS, 1)]
        if not big:
            continue
        for day in days:
            if not calendar.is_working_day(day, weekdays=center.weekdays):
                continue
            draw = stream(seed, center.code, "stop", day.toordinal())
            order = sorted(
                big, key=lambda site: draw.random() ** (1 / max(site.population, 1) ** 0.5), reverse=True
            )
            order += near[TOWNS:]
            free = [s for s in order if (day, s.id) not in taken]
            if not free:
                continue
            site = free[0]
            taken.add((day, site.id))
            minutes = drive_minutes((center.depot_lat, center.depot_lon), (site.lat, site.lon))
            found.append(
                Stop(
                    center.id,
                    center.code,
                    site.id,
                    day,
                    f"{center.name_ar} – {site.name_ar}"[:200],
                    f"{center.name_en} – {site.name_en}"[:200],
                    center.desks,
                    minutes,
                    center.setup_minutes,
                )
            )
    return found


def write_stops(write: Write[Any], stops: Sequence[Stop], *, detailed_from: date) -> int:
    """Insert the stops that are not there yet as closed visits with their queues; how many were new.

    Queues of stops before `detailed_from` keep no desks and no list of services: only their measures will
    be stored.
    """

    def known(session: Session) -> set[tuple[int, date]]:
        return {
            (c, d)
            for c, d in session.execute(select(Visit.center_id, Visit.day).where(Visit.plan_id.is_(None)))
        }

    there = write(known)
    new = [stop for stop in stops if (stop.center_id, stop.day) not in there]
    for start in range(0, len(new), CHUNK):
        part = new[start : start + CHUNK]
        write(partial(_write_part, stops=part, detailed_from=detailed_from))
    return len(new)


def _write_part(session: Session, stops: Sequence[Stop], detailed_from: date) -> None:
    services = tuple(service.id for service in mobile_offer(session))
    detailed = [stop for stop in stops if stop.day >= detailed_from]
    plain = [stop for stop in stops if stop.day < detailed_from]
    ids = make_queues(session, [QueueSpec(s.name_ar, s.name_en, services, s.desks, "M") for s in detailed])
    if plain:
        rows = [{"name_ar": s.name_ar, "name_en": s.name_en, "letter": "M"} for s in plain]
        ids += session.scalars(insert(Queue).returning(Queue.id, sort_by_parameter_order=True), rows)
    session.execute(
        insert(Visit),
        [_visit(stop, queue_id) for stop, queue_id in zip([*detailed, *plain], ids, strict=True)],
    )


def _visit(stop: Stop, queue_id: int) -> dict[str, Any]:
    opens, closes = local_instant(stop.day, OPEN_MINUTE), local_instant(stop.day, CLOSE_MINUTE)
    return {
        "plan_id": None,
        "center_id": stop.center_id,
        "site_id": stop.site_id,
        "queue_id": queue_id,
        "day": stop.day,
        "opens_at": opens,
        "closes_at": closes,
        "depart_at": opens - timedelta(minutes=stop.drive_minutes + stop.setup_minutes),
        "status": "closed",
        "opened_at": opens,
        "closed_at": closes,
    }
