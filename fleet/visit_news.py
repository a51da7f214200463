"""News of visits for whoever follows a place, a district or a van: announced, at another time, called off.

Each piece of news is a message to a follower, written once. Looking costs one small count while nothing has changed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from fleet.calendar import local_day
from fleet.store import Site, Visit
from queueing.notices import tell_follower
from queueing.store_life import Follower, Notice

AT_ONCE = 500
Signature = tuple[int, int, str, int]
_TOPICS: tuple[tuple[str, Any], ...] = (
    ("site:", Visit.site_id),
    ("center:", Visit.center_id),
    ("unit:", Site.local_unit_id),
)


def signature(session: Session, *, now: datetime) -> Signature:
    """What changes with every announcement, change or cancelling of a coming visit: (newest, how many, latest change,
    how many changed)."""
    row = session.execute(
        select(
            func.max(Visit.id), func.count(), func.max(Visit.changed_at), func.count(Visit.changed_at)
        ).where(Visit.day >= local_day(now))
    ).one()
    return int(row[0] or 0), int(row[1]), str(row[2] or ""), int(row[3])


def tell_followers(session: Session, *, now: datetime, most: int = AT_ONCE) -> int:
    """Write what followers have not heard yet, at most `most` messages; how many. Fewer than `most`: that was all."""
    told = 0
    for prefix, column in _TOPICS:
        if told < most:
            for follower, visit in session.execute(_unheard(prefix, column, now).limit(most - told)).all():
                kind, key = _news_of(visit)
                told += tell_follower(session, follower, kind, now=now, key=key, visit=visit.id)
    return told


def newest_visit(session: Session) -> int:
    """The highest visit there is: what was announced up to it is no news."""
    return session.scalar(select(func.max(Visit.id))) or 0


def next_visit(session: Session, visit: Visit, *, now: datetime) -> Visit | None:
    """The next announced visit to the same place after this one."""
    return session.scalar(
        select(Visit)
        .where(
            Visit.site_id == visit.site_id,
            Visit.status.in_(("announced", "open")),
            Visit.opens_at >= max(visit.opens_at, now),
            Visit.id != visit.id,
        )
        .order_by(Visit.opens_at)
        .limit(1)
    )


def _news_of(visit: Visit) -> tuple[str, str]:
    if visit.status == "cancelled":
        return "visit_off", f"{visit.id}"
    if visit.changed_at is not None:
        return "visit_moved", f"{visit.id}:{int(visit.changed_at.timestamp())}"
    return "coming", f"{visit.id}"


def _unheard(prefix: str, column: Any, now: datetime) -> Any:
    """Followers and visits of which they have not heard what stands now."""
    number = cast(Visit.id, String)
    about = or_(
        Notice.key == "visit_off:" + number,
        Notice.key == "coming:" + number,
        Notice.key.startswith("visit_moved:" + number + ":"),
    )
    heard = exists().where(
        Notice.follower_id == Follower.id,
        about,
        # A change is news again, whatever was heard of the visit before it.
        or_(Visit.changed_at.is_(None), Notice.created_at >= Visit.changed_at),
    )
    known: ColumnElement[bool] = and_(Visit.changed_at.is_not(None), Visit.changed_at > Follower.created_at)
    fresh = and_(Visit.id > Follower.since, Visit.status != "cancelled")
    return (
        select(Follower, Visit)
        .join(Follower, Follower.topic == literal(prefix) + cast(column, String))
        .join(Site, Site.id == Visit.site_id)
        .where(
            Visit.day >= local_day(now),
            Visit.closes_at > now,
            Visit.status.in_(("announced", "cancelled")),
            or_(fresh, known),
            Follower.confirmed_at.is_not(None),
            ~heard,
        )
        .order_by(Visit.opens_at, Follower.id)
    )
