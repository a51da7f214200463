"""What stands in the tables, counted by governorate and week: the raw counts behind the public figures."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet.calendar import local_instant, week_of
from fleet.store import Site, SiteQueue, Visit
from queueing.store import QueueHour, Ticket, TicketEvent
from queueing.waits.kept import judge

Place = tuple[int, date]
"""Id of a governorate, Saturday of a week."""
SATISFIED = 4
"""A rating of 4 or 5 of 5 says that somebody was satisfied."""
ROWS = 20_000
"""Rows read at a time: a country's tickets of a quarter never stand in memory together."""


@dataclass(slots=True)
class Counted:
    """Counts of one governorate in one week."""

    served: int = 0
    served_vans: int = 0
    arrivals: int = 0
    left: int = 0
    visits: int = 0
    hours_saved: float = 0.0
    """As the plan reckons them, of visits that took place; visits that no plan reckoned count 0 and in `unreckoned`."""
    unreckoned: int = 0
    rated: int = 0
    satisfied: int = 0
    sites: set[int] = field(default_factory=set)
    units: set[int] = field(default_factory=set)
    villages: set[int] = field(default_factory=set)
    waits: array[float] = field(default_factory=lambda: array("f"))
    """Seconds."""
    promises: list[tuple[int, int, float, bool]] = field(default_factory=list)

    def add(self, other: Counted) -> None:
        """Take in the counts of another place or week."""
        for name in (
            "served",
            "served_vans",
            "arrivals",
            "left",
            "visits",
            "unreckoned",
            "rated",
            "satisfied",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.hours_saved += other.hours_saved
        self.sites |= other.sites
        self.units |= other.units
        self.villages |= other.villages
        self.waits.extend(other.waits)
        self.promises.extend(other.promises)

    def kept(self) -> tuple[int, int]:
        """Promises judged, and how many of them the wait kept."""
        found = judge(self.promises)
        return found.judged, found.inside


def count(session: Session, first: date, last: date) -> dict[Place, Counted]:
    """The counts of the days from `first` to `last`."""
    found: dict[Place, Counted] = {}
    places = _places_of_queues(session)

    def at(queue_id: int, day: date) -> Counted | None:
        where = places.get(queue_id)
        return None if where is None else found.setdefault((where[0], week_of(day)), Counted())

    _hours(session, first, last, places, found)
    _visits(session, first, last, found)
    for ticket_queue, day, low, high, issued, called, ended, state in _tickets(session, first, last):
        here = at(ticket_queue, day)
        if here is None:
            continue
        if called is not None:
            waited = (called - issued).total_seconds()
            here.waits.append(waited)
            if high is not None:
                here.promises.append((low or 0, high, waited, True))
        elif state == "left" and ended is not None and high is not None:
            here.promises.append((low or 0, high, (ended - issued).total_seconds(), False))
    for queue_id, day, score in _ratings(session, first, last):
        here = at(queue_id, day)
        if here is not None:
            here.rated += 1
            here.satisfied += score >= SATISFIED
    return found


def _places_of_queues(session: Session) -> dict[int, tuple[int, bool]]:
    """Governorate of each queue, and whether it is a van's."""
    of_sites = session.execute(
        select(SiteQueue.queue_id, Site.governorate_id).join(Site, Site.id == SiteQueue.site_id)
    )
    of_visits = session.execute(
        select(Visit.queue_id, Site.governorate_id).join(Site, Site.id == Visit.site_id)
    )
    return {queue: (place, False) for queue, place in of_sites} | {
        queue: (place, True) for queue, place in of_visits
    }


def _hours(
    session: Session,
    first: date,
    last: date,
    places: dict[int, tuple[int, bool]],
    found: dict[Place, Counted],
) -> None:
    # A queue's day is one row, whatever its hours.
    rows = session.execute(
        select(
            QueueHour.queue_id,
            QueueHour.day,
            func.sum(QueueHour.served),
            func.sum(QueueHour.arrivals),
            func.sum(QueueHour.left_waiting),
        )
        .where(QueueHour.day.between(first, last))
        .group_by(QueueHour.queue_id, QueueHour.day)
    )
    for queue_id, day, served, arrivals, left in rows:
        if queue_id not in places:
            continue
        governorate, van = places[queue_id]
        here = found.setdefault((governorate, week_of(day)), Counted())
        here.served += served
        here.served_vans += served if van else 0
        here.arrivals += arrivals
        here.left += left


def _visits(session: Session, first: date, last: date, found: dict[Place, Counted]) -> None:
    rows = session.execute(
        select(Visit.day, Visit.hours_saved, Visit.plan_id, Site.id, Site.kind, Site.governorate_id, Site.local_unit_id)
        .join(Site, Site.id == Visit.site_id)
        .where(Visit.day.between(first, last), Visit.status.in_(("open", "closed")))
    )  # fmt: skip
    for day, hours, plan_id, site, kind, governorate, unit in rows:
        here = found.setdefault((governorate, week_of(day)), Counted())
        here.visits += 1
        here.hours_saved += hours
        here.unreckoned += plan_id is None
        here.sites.add(site)
        here.units.add(unit)
        if kind == "village":
            here.villages.add(site)


def _tickets(session: Session, first: date, last: date) -> Iterator[tuple[Any, ...]]:
    """Tickets whose wait nobody changed: from the number to the first call (as `queueing.waits.kept` judges them)."""
    rows = session.execute(
        select(
            Ticket.queue_id, Ticket.day, Ticket.promised_low_s, Ticket.promised_high_s, Ticket.issued_at,
            Ticket.called_at, Ticket.ended_at, Ticket.state,
        ).where(
            Ticket.day.between(first, last), Ticket.aged_from == Ticket.issued_at, Ticket.appointment_at.is_(None),
            Ticket.recalls == 0, Ticket.parked_s == 0,
        ).execution_options(yield_per=ROWS)
    )  # fmt: skip
    yield from (tuple(row) for row in rows)


def _ratings(session: Session, first: date, last: date) -> Iterator[tuple[int, date, int]]:
    """(queue, day of the ticket, score) of each rated ticket: what its holder said first counts."""
    rows = session.execute(
        select(TicketEvent.ticket_id, TicketEvent.queue_id, Ticket.day, TicketEvent.data)
        .join(Ticket, Ticket.id == TicketEvent.ticket_id)
        .where(
            TicketEvent.action == "rate",
            TicketEvent.happened_at >= local_instant(first, 0),
            Ticket.day.between(first, last),
        )
        .order_by(TicketEvent.id)
        .execution_options(yield_per=ROWS)
    )
    seen: set[int] = set()
    for ticket, queue_id, day, data in rows:
        if ticket not in seen:
            seen.add(ticket)
            yield queue_id, day, int(data["score"])
