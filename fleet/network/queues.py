"""Making queues: the one place where a queue gets its services and desks, for buildings and for vans
alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert
from sqlalchemy.orm import Session

from fleet.errors import Invalid
from queueing.store import Desk, Queue, QueueService, Service


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
    """Make many queues in four statements; their ids in the order of `specs`."""
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
    session.execute(
        insert(QueueService),
        [
            {"queue_id": q, "service_id": service}
            for q, spec in pairs
            for service in dict.fromkeys(spec.service_ids)
        ],
    )
    session.execute(
        insert(Desk), [{"queue_id": q, "name": str(n + 1)} for q, spec in pairs for n in range(spec.desks)]
    )
    return ids
