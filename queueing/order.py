"""Who is next. Pure.

One number decides: the instant a person's wait counts from (`aged_from`), moved ahead by the head start of
the priority class. The smallest goes first, then the smaller ticket number. A head start is a promise that
can be said in a sentence: "a person with priority goes before everybody who came up to 30 minutes earlier".
It is also the ageing: an ordinary person is overtaken only by priority arrivals of the next half hour, never
by later ones, so nobody starves however many come. (J. R. Jackson, "Some problems in queueing with dynamic
priorities", Naval Research Logistics Quarterly 7, 1960: order by arrival time plus an urgency number of the
class.)

An appointment counts from its time (`ticket.move(..., "arrive")` sets `aged_from`) in a class of its own with
the largest head start; before its time it is offered only when nobody else is there to be called.

`choose` scans; `queueing.line.Line` gives the same answers from heaps, for simulations with long lines.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from queueing.ticket import TicketLike

T = TypeVar("T", bound=TicketLike)
ORDINARY, PRIORITY, HIGH, HIGHEST, APPOINTMENT = 0, 1, 2, 3, 4
PRIORITIES = (ORDINARY, PRIORITY, HIGH, HIGHEST, APPOINTMENT)
"""Priority classes. 1: from 65 years, pregnancy, with an infant. 2: disability. 3: decided by staff (an
emergency). 4: an appointment that was kept."""
HEAD_START = {
    ORDINARY: timedelta(0),
    PRIORITY: timedelta(minutes=30),
    HIGH: timedelta(minutes=45),
    HIGHEST: timedelta(minutes=60),
    APPOINTMENT: timedelta(minutes=90),
}
"""How much earlier than they came people of a class count as having come. Grows with the class."""


def key(ticket: TicketLike) -> tuple[datetime, int]:
    """The place in the order among those due: the same at any time, so it can stand in a heap."""
    return (ticket.aged_from - HEAD_START[ticket.priority], ticket.number)


def rank(ticket: TicketLike, now: datetime) -> tuple[int, datetime, int]:
    """Sort key of one waiting ticket: the smallest is called next."""
    return (1 if ticket.aged_from > now else 0, *key(ticket))


def offered(ticket: TicketLike, now: datetime, services: Container[int] | None = None) -> bool:
    """Whether call next may offer this ticket: waiting, not in a no-show's cool-down, a service of the
    desk."""
    return (
        ticket.state == "waiting"
        and (ticket.hold_until is None or ticket.hold_until <= now)
        and (services is None or ticket.service_id in services)
    )


def choose(tickets: Iterable[T], *, now: datetime, services: Container[int] | None = None) -> T | None:
    """The ticket to call next at a desk that serves `services` (ids; None: all), or None when nobody can be
    offered."""
    return min(
        (ticket for ticket in tickets if offered(ticket, now, services)),
        key=lambda ticket: rank(ticket, now),
        default=None,
    )


def goes_before(ticket: TicketLike, other: TicketLike, now: datetime) -> bool:
    """Whether `ticket` is called before `other` if nothing changes (cool-downs not counted)."""
    return rank(ticket, now) < rank(other, now)
