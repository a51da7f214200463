"""Days that are over, for the page of figures: hours, tickets with their waits and promises, ratings, visits."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from fleet.calendar import local_instant
from fleet.store import Visit
from queueing.store import Queue, QueueHour, Ticket, TicketEvent


def add_hours(session: Session, queue_id: int, day: date, served: int, *, left: int = 0) -> None:
    """An hour of a queue in which `served` people came and were served, and `left` went before a call."""
    session.add(
        QueueHour(
            queue_id=queue_id, day=day, hour=10, arrivals=served + left, served=served, left_waiting=left
        )
    )


def add_ticket(
    session: Session,
    queue_id: int,
    service_id: int,
    day: date,
    number: int,
    *,
    waited_s: int,
    promised: tuple[int, int] | None = None,
    score: int | None = None,
) -> Ticket:
    """A ticket that was served after `waited_s` seconds, what it had been promised, and how it was rated."""
    at = local_instant(day, 10 * 60)
    called = at + timedelta(seconds=waited_s)
    ticket = Ticket(
        code=f"past-{queue_id}-{day:%y%m%d}-{number}", queue_id=queue_id, day=day, number=number,
        label=f"P{number:03}", service_id=service_id, state="served", issued_at=at, aged_from=at, called_at=called,
        started_at=called, ended_at=called + timedelta(minutes=5),
        promised_low_s=promised and promised[0], promised_high_s=promised and promised[1],
    )  # fmt: skip
    session.add(ticket)
    session.flush()
    if score is not None:
        rate_event(session, ticket, score, called + timedelta(minutes=9))
    return ticket


def rate_event(session: Session, ticket: Ticket, score: int, at: datetime) -> None:
    """What the holder of a ticket said."""
    session.add(
        TicketEvent(
            ticket_id=ticket.id, queue_id=ticket.queue_id, action="rate", state_from="served", state_to="served",
            actor="citizen", happened_at=at, recorded_at=at, request_id=f"past-{ticket.id}-{at.timestamp()}", seq=0,
            data={"score": score},
        )
    )  # fmt: skip
    session.flush()


def add_visit(
    session: Session,
    center_id: int,
    site_id: int,
    day: date,
    *,
    hours_saved: float = 0.0,
    plan_id: int | None = None,
    status: str = "closed",
) -> Visit:
    """A visit that is over, with a queue of its own."""
    queue = Queue(name_ar="زيارة", name_en="Visit", letter="V")
    session.add(queue)
    session.flush()
    visit = Visit(
        center_id=center_id, site_id=site_id, queue_id=queue.id, day=day, opens_at=local_instant(day, 570),
        closes_at=local_instant(day, 840), status=status, hours_saved=hours_saved, plan_id=plan_id,
    )  # fmt: skip
    session.add(visit)
    session.flush()
    return visit


def a_quarter(
    session: Session, queue_ids: list[int], service_id: int, visits: list[tuple[int, int]], today: date
) -> None:
    """Ten weeks of all of it up to yesterday, drawn by a rule: what the page of figures is looked at with."""
    for week in range(10):
        for n, queue_id in enumerate(queue_ids):
            day = today - timedelta(days=3 + 7 * week)
            add_hours(session, queue_id, day, 900 - 60 * week + 210 * n, left=40)
            for number in range(1, 31):
                waited = 60 * ((number * 7 + week * 3 + n * 5) % 45)
                add_ticket(
                    session, queue_id, service_id, day, number, waited_s=waited, promised=(300, 1800),
                    score=1 + (number * (week + 2)) % 5 if number % 3 == 0 else None,
                )  # fmt: skip
        for center_id, site_id in visits:
            add_visit(session, center_id, site_id, today - timedelta(days=2 + 7 * week))
