"""A day in figures, by hour and by service: what the supervisor's page shows, all of it counted from events.

Counting is `queueing.hours` alone, which tells of every single count: the same counts give the hours, the services
and the percentiles, so no two figures of a page can disagree. `queueing.statistics_check` counts a second time in
another way and compares.

A ticket's figures stand under the service it has now ("change of service while serving is what reports use").
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from queueing.daytime import day_bounds
from queueing.hours import Key
from queueing.measure import measures_of_day
from queueing.rating import Outcomes, outcomes
from queueing.store import LIVE_SQL, Queue, Service, Ticket


@dataclass(slots=True)
class Figures:
    """People of some hours or of one service. Means and percentiles are seconds; None where nobody was counted.

    Waits are of those who came (until the first call, until they went, or so far); `left` are those who went before
    any call.
    """

    arrivals: int = 0
    called: int = 0
    served: int = 0
    missed: int = 0
    left: int = 0
    waiting: int = 0
    """Waiting at this moment (by service and in all; an hour has none)."""
    waits: list[float] = field(default_factory=list)
    services: list[float] = field(default_factory=list)

    @property
    def wait_s(self) -> float | None:
        """Mean wait."""
        return _mean(self.waits)

    @property
    def wait_p90(self) -> float | None:
        """The wait that nine of ten did not exceed."""
        return percentile(self.waits, 0.9)

    @property
    def service_s(self) -> float | None:
        """Mean time in service, parked time excluded."""
        return _mean(self.services)

    @property
    def service_p90(self) -> float | None:
        """The service time that nine of ten did not exceed."""
        return percentile(self.services, 0.9)

    def count(self, what: str, seconds: float) -> None:
        """Take in one count of `queueing.hours.Tally`."""
        if what == "wait":
            self.waits.append(seconds)
        elif what == "served":
            self.served += 1
            self.services.append(seconds)
        elif what == "left_waiting":
            self.left += 1
        else:
            setattr(self, what, getattr(self, what) + 1)


@dataclass(frozen=True, slots=True)
class DayReport:
    """One business day of some queues. `by_service` has the most asked for first."""

    day: date
    total: Figures
    by_hour: dict[int, Figures]
    by_service: list[tuple[Service, Figures]]
    by_queue: dict[int, Figures]
    said: Outcomes


def day_report(session: Session, queue_ids: Sequence[int], day: date, *, now: datetime) -> DayReport:
    """The figures of `day` up to `now`."""
    ids = list(queue_ids)
    service_of = {
        row[0]: row[1]
        for row in session.execute(
            select(Ticket.id, Ticket.service_id).where(Ticket.queue_id.in_(ids), Ticket.day == day)
        )
    }
    total, by_hour, by_number, by_queue = Figures(), {}, {}, {}  # type: ignore[var-annotated]

    def tally(what: str, ticket: Hashable, where: Key, seconds: float) -> None:
        if where[1] != day:
            return
        number = service_of[ticket]  # type: ignore[index]
        for figures in (
            total,
            by_hour.setdefault(where[2], Figures()),
            by_number.setdefault(number, Figures()),
            by_queue.setdefault(where[0], Figures()),
        ):
            figures.count(what, seconds)

    measures_of_day(session, ids, day, now, tally)
    for queue_id, number, waiting in _waiting(session, ids, day):
        total.waiting += waiting
        by_number.setdefault(number, Figures()).waiting += waiting
        by_queue.setdefault(queue_id, Figures()).waiting += waiting
    services = session.scalars(select(Service).where(Service.id.in_(by_number))).all()
    ordered = sorted(services, key=lambda s: (-by_number[s.id].arrivals, s.code))
    return DayReport(
        day,
        total,
        dict(sorted(by_hour.items())),
        [(service, by_number[service.id]) for service in ordered],
        by_queue,
        _said(session, ids, day),
    )


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of all do not exceed (nearest rank); None for no values."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _waiting(session: Session, ids: Sequence[int], day: date) -> list[tuple[int, int, int]]:
    rows = session.execute(
        select(Ticket.queue_id, Ticket.service_id, func.count())
        .where(
            text(f"ticket.{LIVE_SQL}"), Ticket.queue_id.in_(ids), Ticket.state == "waiting", Ticket.day == day
        )
        .group_by(Ticket.queue_id, Ticket.service_id)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _said(session: Session, ids: Sequence[int], day: date) -> Outcomes:
    zone = session.scalar(select(Queue.zone).where(Queue.id.in_(ids)).limit(1)) or "Africa/Cairo"
    begin, end = day_bounds(day, zone)
    return outcomes(session, ids, begin, end)
