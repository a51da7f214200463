"""Reads from the database what a simulation must know of the queues: plain facts, so that processes can
share the work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.simulation.behaviour import ServiceTime
from fleet.simulation.scenario import DeskFacts, LineFacts
from fleet.store import Site, SiteQueue
from queueing.store import Desk, DeskService, Queue, QueueService, Service

PART = 400
"""Ids in one IN list."""


@dataclass(frozen=True, slots=True)
class FixedLine:
    """A queue of a fixed center or complex with its site."""

    site_id: int
    kind: str
    line: LineFacts


def fixed_lines(session: Session) -> list[FixedLine]:
    """Every queue of an active fixed center or complex that has desks and services, by queue id.

    Where a site has several queues (one per agency) its people are shared out by the popularity of their
    services.
    """
    rows = session.execute(
        select(Site, Queue)
        .join(SiteQueue, SiteQueue.site_id == Site.id)
        .join(Queue, Queue.id == SiteQueue.queue_id)
        .where(Site.active, Site.kind.in_(("fixed", "complex")))
        .order_by(Queue.id)
    ).all()
    ids = [queue.id for _, queue in rows]
    services, desks = services_of(session, ids), desks_of(session, ids)
    weight = {i: sum(s.weight for s in services.get(i, ())) for i in ids}
    whole: dict[int, float] = defaultdict(float)
    for site, queue in rows:
        whole[site.id] += weight[queue.id]
    found = []
    for site, queue in rows:
        if not desks.get(queue.id) or weight[queue.id] <= 0:
            continue
        share = weight[queue.id] / whole[site.id]
        key = site.code if share == 1.0 else f"{site.code}/{queue.letter}"
        found.append(
            FixedLine(
                site.id,
                site.kind,
                line_facts(
                    queue,
                    key=key,
                    population=site.population * share,
                    hours=(site.open_minute, site.close_minute),
                    desks=desks[queue.id],
                    services=services[queue.id],
                ),
            )
        )
    return found


def line_facts(
    queue: Queue,
    *,
    key: str,
    population: float,
    hours: tuple[int, int],
    desks: tuple[DeskFacts, ...],
    services: tuple[ServiceTime, ...],
) -> LineFacts:
    """The facts of one queue; `hours` are minutes from local midnight."""
    return LineFacts(
        queue_id=queue.id,
        key=key,
        letter=queue.letter,
        first_number=queue.first_number,
        last_number=queue.last_number,
        recall_limit=queue.recall_limit,
        cool_down_s=queue.cool_down_s,
        population=population,
        open_minute=hours[0],
        close_minute=hours[1],
        desks=desks,
        services=services,
        zone=queue.zone,
    )


def services_of(session: Session, queue_ids: Sequence[int]) -> dict[int, tuple[ServiceTime, ...]]:
    """The services of each queue with their weights and minutes, by code."""
    times = {service.id: service_time(service) for service in session.scalars(select(Service))}
    found: dict[int, list[ServiceTime]] = defaultdict(list)
    for part in _parts(queue_ids):
        rows = session.execute(
            select(QueueService.queue_id, QueueService.service_id).where(QueueService.queue_id.in_(part))
        )
        for queue_id, service_id in rows:
            found[queue_id].append(times[service_id])
    return {
        queue_id: tuple(sorted(services, key=lambda service: service.code))
        for queue_id, services in found.items()
    }


def service_time(service: Service) -> ServiceTime:
    """The simulation's view of a service."""
    return ServiceTime(
        service.id,
        service.code,
        service.popularity,
        service.minutes_low,
        service.minutes_mode,
        service.minutes_high,
    )


def mobile_services(session: Session) -> tuple[ServiceTime, ...]:
    """What a mobile center offers."""
    rows = session.scalars(select(Service).where(Service.at_mobile).order_by(Service.code))
    return tuple(service_time(service) for service in rows)


def desks_of(session: Session, queue_ids: Sequence[int]) -> dict[int, tuple[DeskFacts, ...]]:
    """The desks of each queue, in the order of their ids, with the services they are limited to."""
    limited: dict[int, set[int]] = defaultdict(set)
    for desk_id, service_id in session.execute(select(DeskService.desk_id, DeskService.service_id)):
        limited[desk_id].add(service_id)
    found: dict[int, list[DeskFacts]] = defaultdict(list)
    for part in _parts(queue_ids):
        rows = session.execute(
            select(Desk.id, Desk.queue_id).where(Desk.queue_id.in_(part)).order_by(Desk.id)
        )
        for desk_id, queue_id in rows:
            services = frozenset(limited[desk_id]) if desk_id in limited else None
            found[queue_id].append(DeskFacts(desk_id, services))
    return {queue_id: tuple(desks) for queue_id, desks in found.items()}


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), PART):
        yield ids[start : start + PART]


def unnamed_desks(count: int) -> tuple[DeskFacts, ...]:
    """Desks of a queue that keeps none in the database: only its hourly measures will be stored."""
    return tuple(DeskFacts(-n) for n in range(1, count + 1))
