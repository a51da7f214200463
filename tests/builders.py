"""A small cast for tests: one queue with services and desks, and clerks who press buttons without thinking of
ids."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from queueing import counter, desks
from queueing.counter import Done
from queueing.store import Desk, DeskService, Outbox, Queue, QueueService, Service, Ticket, TicketEvent
from queueing.ticket import LightTicket

MORNING = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
"""09:00 in Cairo on a Sunday, a working day."""


def minutes(count: float) -> timedelta:
    """A number of minutes."""
    return timedelta(minutes=count)


def light(number: int = 1, *, came: float = 0, service: int = 1, priority: int = 0) -> LightTicket:
    """A waiting ticket without a database, issued `came` minutes after nine."""
    return LightTicket(number, service, MORNING + minutes(came), priority=priority)


def make_service(session: Session, code: str, **columns: Any) -> Service:
    """A service of 3 to 12 minutes."""
    values = {
        "group_code": "papers",
        "name_ar": f"خدمة {code}",
        "name_en": f"Service {code}",
        "agency_code": "civil",
        "agency_ar": "الأحوال المدنية",
        "agency_en": "Civil status",
        "minutes_low": 3.0,
        "minutes_mode": 6.0,
        "minutes_high": 12.0,
    }
    service = Service(code=code, **(values | columns))
    session.add(service)
    session.flush()
    return service


@dataclass
class Place:
    """A queue with its desks and services, and the verbs with everything filled in that a test does not care
    about."""

    session: Session
    queue: Queue
    services: dict[str, Service]
    desks: list[Desk]
    now: datetime = MORNING
    _ids: Iterator[int] = field(default_factory=itertools.count)

    def later(self, minutes_: float) -> datetime:
        """Let time pass; returns the new now."""
        self.now += minutes(minutes_)
        return self.now

    def rid(self) -> str:
        """A new request id."""
        return f"r{self.queue.id}-{next(self._ids)}"

    def issue(self, service: str = "id", **given: Any) -> Ticket:
        """A new ticket."""
        return self.do("issue", self.queue, service, **given).ticket

    def call(self, desk: int = 0, **given: Any) -> Done | None:
        """Call next at a desk."""
        return counter.call_next(self.session, self.desks[desk], **self._filled(given))

    def called(self, desk: int = 0, **given: Any) -> Ticket:
        """Call next where somebody must come."""
        done = self.call(desk, **given)
        assert done is not None, "nobody was called"
        return done.ticket

    def do(self, verb: str, *things: Any, **given: Any) -> Done:
        """Any verb of the counter by name."""
        done: Done = getattr(counter, verb)(self.session, *things, **self._filled(given))
        return done

    def events(self, ticket: Ticket | None = None) -> list[TicketEvent]:
        """Events of a ticket, or of the queue, in order."""
        chosen = select(TicketEvent).where(TicketEvent.queue_id == self.queue.id).order_by(TicketEvent.id)
        if ticket is not None:
            chosen = chosen.where(TicketEvent.ticket_id == ticket.id)
        return list(self.session.scalars(chosen))

    def actions(self, ticket: Ticket) -> list[str]:
        """What happened to a ticket."""
        return [event.action for event in self.events(ticket)]

    def outbox(self) -> list[Outbox]:
        """What screens hear of the queue, in order."""
        chosen = select(Outbox).where(Outbox.topic == f"queue:{self.queue.id}").order_by(Outbox.id)
        return list(self.session.scalars(chosen))

    def seq(self) -> int:
        """The queue's stored sequence number."""
        return self.session.scalar(select(Queue.seq).where(Queue.id == self.queue.id)) or 0

    def count(self) -> int:
        """How many tickets there are."""
        chosen = select(func.count()).select_from(Ticket).where(Ticket.queue_id == self.queue.id)
        return self.session.scalar(chosen) or 0

    def _filled(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"request_id": self.rid(), "actor": "clerk", "now": self.now} | given


def make_place(
    session: Session,
    *,
    services: tuple[str, ...] = ("id", "birth"),
    desk_count: int = 2,
    desk_services: dict[int, tuple[str, ...]] | None = None,
    opened: bool = True,
    letter: str = "A",
    now: datetime = MORNING,
    known: dict[str, Service] | None = None,
    **columns: Any,
) -> Place:
    """A queue, open with all its desks unless told otherwise. `desk_services` limits desks by their place."""
    made = known or {code: make_service(session, code) for code in services}
    queue = Queue(name_ar="طابور", name_en="Queue", letter=letter, **columns)
    session.add(queue)
    session.flush()
    session.add_all(QueueService(queue_id=queue.id, service_id=made[code].id) for code in services)
    counters = [Desk(queue_id=queue.id, name=str(n + 1)) for n in range(desk_count)]
    session.add_all(counters)
    session.flush()
    for place, codes in (desk_services or {}).items():
        session.add_all(DeskService(desk_id=counters[place].id, service_id=made[code].id) for code in codes)
    session.flush()
    if opened:
        desks.open_queue(session, queue, actor="setup", now=now)
        for desk in counters:
            desks.open_desk(session, desk, actor="setup", now=now)
    return Place(session, queue, made, counters, now)
