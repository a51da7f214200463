"""Making queues: the one place where a queue gets its services and desks, for buildings and for vans
alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Table, func, insert, select, true
from sqlalchemy.orm import Session

from fleet.errors import Invalid
from queueing.store import Desk, Queue, QueueService, Service

MOST_AT_ONCE = 500
"""Queues in one statement: databases take so many parameters and no more."""


@dataclass(frozen=True)
class QueueSpec:
    """A queue to be made."""

    name_ar: str
    name_en: str
    service_ids: tuple[int, ...]
    desks: int
    letter: str = "A"


def make_queue(
    session: Session,
    *,
    name_ar: str,
    name_en: str,
    services: Sequence[Service],
    desks: int,
    letter: str = "A",
) -> Queue:
    """A closed queue with its services and `desks` closed desks. Raises Invalid for no services or no
    desks."""
    spec = QueueSpec(name_ar, name_en, tuple(service.id for service in services), desks, letter)
    (queue_id,) = make_queues(session, [spec])
    return session.get_one(Queue, queue_id)


def make_queues(session: Session, specs: Sequence[QueueSpec]) -> list[int]:
    """Make many queues in few statements; their ids in the order of `specs`."""
    for spec in specs:
        if not spec.service_ids or spec.desks < 1:
            raise Invalid(
                "queue_empty", f"The queue {spec.name_en} needs a service and a desk.", queue=spec.name_en
            )
    if not specs:
        return []
    rows = [{"name_ar": s.name_ar[:200], "name_en": s.name_en[:200], "letter": s.letter} for s in specs]
    ids = list(session.scalars(insert(Queue).returning(Queue.id, sort_by_parameter_order=True), rows))
    pairs = list(zip(ids, specs, strict=True))
    desks = [{"queue_id": q, "name": str(n + 1)} for q, spec in pairs for n in range(spec.desks)]
    session.connection().execute(insert(cast(Table, Desk.__table__)), desks)
    alike: dict[tuple[int, ...], list[int]] = {}
    for queue_id, spec in pairs:
        alike.setdefault(tuple(dict.fromkeys(spec.service_ids)), []).append(queue_id)
    for services, queues in alike.items():
        for first in range(0, len(queues), MOST_AT_ONCE):
            _offer(session, queues[first : first + MOST_AT_ONCE], services)
    return ids


def _offer(session: Session, queues: Sequence[int], services: Sequence[int]) -> None:
    """Let all these queues offer all these services: the database pairs them, some 80,000 rows for a week of vans."""
    there = select(func.count()).select_from(Service).where(Service.id.in_(services))
    if session.scalar(there) != len(services):
        raise Invalid("unknown_service", "A queue was to offer a service that does not exist.")
    pairs = select(Queue.id, Service.id).join_from(Queue, Service, true())
    pairs = pairs.where(Queue.id.in_(queues), Service.id.in_(services))
    session.connection().execute(
        insert(cast(Table, QueueService.__table__)).from_select(["queue_id", "service_id"], pairs)
    )
