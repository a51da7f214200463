"""Dated events: days on which a planner knows better than the past. Entered, withdrawn, and afterwards measured.

On days to come the forecast of the places concerned is multiplied by the event's factor. Days under an event are
not learned from: a fair must not become a habit. What really came, against what would have been expected without
the event, is worked out afterwards, so that the next one is entered with a better factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.errors import Conflict, Invalid, NotFound
from fleet.forecast.rhythm import Floats
from fleet.store import Governorate, Site
from fleet.store_forecast import DatedEvent
from queueing.store import Outbox

MOST_DAYS = 60
MOST_FACTOR = 5.0


def add_event(
    session: Session,
    *,
    name: str,
    first_day: date,
    last_day: date,
    factor: float,
    governorate_id: int | None = None,
    site_id: int | None = None,
    request_id: str,
    actor: str,
    now: datetime,
) -> DatedEvent:
    """Enter an event; the same `request_id` again returns the first answer.

    Raises Invalid `event_name`, `event_days`, `event_factor`, `event_place`, and NotFound `governorate_not_found`,
    `site_not_found`.
    """
    repeated = session.scalar(select(DatedEvent).where(DatedEvent.request_id == request_id))
    if repeated is not None:
        return repeated
    name = " ".join(name.split())
    if not name or len(name) > 120:
        raise Invalid("event_name", "An event needs a name of at most 120 letters.")
    if not timedelta(0) <= last_day - first_day < timedelta(days=MOST_DAYS):
        raise Invalid("event_days", f"An event lasts one to {MOST_DAYS} days.", most=MOST_DAYS)
    if not 0.0 <= factor <= MOST_FACTOR:
        raise Invalid("event_factor", "An event's factor lies between 0 and 5.")
    if governorate_id is not None and site_id is not None:
        raise Invalid("event_place", "An event is at a governorate or at a site, not both.")
    if governorate_id is not None and session.get(Governorate, governorate_id) is None:
        raise NotFound("governorate_not_found", "There is no such governorate.")
    if site_id is not None and session.get(Site, site_id) is None:
        raise NotFound("site_not_found", "There is no such site.")
    made = DatedEvent(
        request_id=request_id,
        name=name,
        first_day=first_day,
        last_day=last_day,
        governorate_id=governorate_id,
        site_id=site_id,
        factor=factor,
        created_at=now,
        created_by=actor,
    )
    session.add(made)
    session.flush()
    _tell(session, made, 1, "entered", now)
    return made


def withdraw_event(session: Session, event_id: int, *, actor: str, now: datetime) -> DatedEvent:
    """Take an event back; it stays in the list, struck through. Again changes nothing.

    Raises NotFound `event_not_found`, Conflict `event_over` when its last day is past: what happened stays.
    """
    event = session.get(DatedEvent, event_id)
    if event is None:
        raise NotFound("event_not_found", "There is no such event.")
    if event.withdrawn_at is None:
        if event.last_day < now.date():
            raise Conflict("event_over", "This event is over; it stays in the record.")
        event.withdrawn_at, event.withdrawn_by = now, actor
        _tell(session, event, 2, "withdrawn", now)
    return event


def _tell(session: Session, event: DatedEvent, seq: int, done: str, now: datetime) -> None:
    session.add(
        Outbox(
            topic=f"event:{event.id}",
            seq=seq,
            part="event",
            data={"id": event.id, "done": done},
            created_at=now,
        )
    )


def events_between(session: Session, first: date, last: date) -> list[DatedEvent]:
    """Events in force that touch these days, the earliest first."""
    e = DatedEvent
    return list(
        session.scalars(
            select(e)
            .where(e.first_day <= last, e.last_day >= first, e.withdrawn_at.is_(None))
            .order_by(e.first_day, e.id)
        )
    )


def factors_known(
    events: Sequence[DatedEvent],
    days: Sequence[date],
    site_ids: Sequence[int],
    governorate_ids: Sequence[int],
) -> Floats | None:
    """Series x days: the product of the events' factors; None without any event."""
    if not events:
        return None
    sites, governorates = np.array(site_ids), np.array(governorate_ids)
    number = np.array([day.toordinal() for day in days])
    factor = np.ones((len(site_ids), len(days)), np.float32)
    for event in events:
        on = (number >= event.first_day.toordinal()) & (number <= event.last_day.toordinal())
        rows = (
            sites == event.site_id
            if event.site_id is not None
            else governorates == event.governorate_id
            if event.governorate_id is not None
            else np.ones(len(site_ids), bool)
        )
        factor[np.ix_(rows, on)] *= event.factor
    return factor
