"""Where the mobile centers are: positions as devices tell them, lateness against the timetable, silence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, joinedload

from fleet.calendar import local_day
from fleet.errors import Invalid
from fleet.network.geo import km_between
from fleet.store import Center, Position, Visit
from queueing.events import Change, announce, announce_all

SILENT_AFTER = timedelta(minutes=10)
"""A center on duty that was not heard from for this long is silent."""

CLOCK_AHEAD = timedelta(minutes=5)
"""A device's clock may be this far ahead of ours."""

AT_SITE_KM = 1.0
"""Within this distance a center is at its stop."""

TOLERANCE = timedelta(minutes=5)
"""An estimated delay below this is in time: the estimate is not better than that."""

DETOUR = 1.3
SPEEDS_KMH = ((10.0, 30.0), (40.0, 50.0), (math.inf, 70.0))
"""Road km for one great-circle km, and usual speeds up to so many road km: for an arrival estimate, not for
planning."""


@dataclass(frozen=True)
class Recorded:
    """What became of a position: `repeated` when this device already told this instant; `moved` when it is the
    newest."""

    center: Center
    repeated: bool
    moved: bool
    late_minutes: int


def record_position(
    session: Session,
    center: Center,
    *,
    device: str,
    at: datetime,
    lat: float,
    lon: float,
    now: datetime,
    speed_kmh: float | None = None,
) -> Recorded:
    """Keep a position; the newest one moves the center on the maps and renews its lateness.

    The same device and instant again is the same position (devices resend after a loss of network). Older positions
    that come late are kept for the track but move nothing. Raises Invalid (`position_invalid`) for impossible
    coordinates and (`position_from_future`) for an instant over five minutes ahead.
    """
    if not (math.isfinite(lat) and math.isfinite(lon) and abs(lat) <= 90 and abs(lon) <= 180) or (
        lat,
        lon,
    ) == (0, 0):
        raise Invalid(
            "position_invalid", "Latitude is -90 to 90, longitude -180 to 180.", lat=str(lat), lon=str(lon)
        )
    if at > now + CLOCK_AHEAD:
        raise Invalid(
            "position_from_future", "The device's clock is ahead.", at=at.isoformat(), now=now.isoformat()
        )
    # This UPDATE's row lock orders the positions of one center; seq is taken back where nothing is shown.
    seq = session.scalar(
        update(Center).where(Center.id == center.id).values(seq=Center.seq + 1).returning(Center.seq)
    )
    session.refresh(center)
    if not _insert_once(
        session,
        center_id=center.id,
        device=device[:80],
        at=at,
        received_at=now,
        lat=lat,
        lon=lon,
        speed_kmh=speed_kmh,
    ):
        center.seq -= 1
        return Recorded(center, True, False, center.late_minutes)
    if center.last_heard_at is not None and at <= center.last_heard_at:
        center.seq -= 1
        return Recorded(center, False, False, center.late_minutes)
    center.lat, center.lon, center.last_heard_at = lat, lon, at
    center.silent = now - at > SILENT_AFTER and center.silent
    center.late_minutes = lateness(session, center, now=now)
    announce(session, f"center:{center.id}", int(seq or center.seq), "position", public_state(center), now)
    return Recorded(center, False, True, center.late_minutes)


def _insert_once(session: Session, **values: Any) -> bool:
    """Insert a position unless (device, at) is there: the database decides, so that two resends cannot both pass."""
    make = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = make(Position).values(**values).on_conflict_do_nothing(index_elements=["device", "at"])
    return session.scalar(statement.returning(Position.id)) is not None


def public_state(center: Center) -> dict[str, Any]:
    """What screens may show of a center now; no datum of a person."""
    return {
        "center": center.id,
        "code": center.code,
        "state": center.state,
        "lat": center.lat,
        "lon": center.lon,
        "at": center.last_heard_at.isoformat() if center.last_heard_at is not None else None,
        "late_minutes": center.late_minutes,
        "silent": center.silent,
    }


def touch(session: Session, center: Center, *, part: str, now: datetime, **values: Any) -> None:
    """Change a center and tell its screens: raise its seq, set the values, announce `part` on its topic."""
    touch_all(session, [center.id], part=part, now=now, **values)


def touch_all(
    session: Session, center_ids: Iterable[int], *, part: str, now: datetime, **values: Any
) -> None:
    """Change many centers alike and tell their screens, in three statements."""
    wanted = sorted(set(center_ids))
    if not wanted:
        return
    session.flush()
    session.execute(
        update(Center)
        .where(Center.id.in_(wanted))
        .values(seq=Center.seq + 1, **values)
        .execution_options(synchronize_session=False)
    )
    chosen = select(Center).where(Center.id.in_(wanted)).order_by(Center.id)
    centers = session.scalars(chosen.execution_options(populate_existing=True))
    changes = [Change(f"center:{c.id}", int(c.seq), part, public_state(c)) for c in centers]
    announce_all(session, changes, now)


def drive_minutes(km: float) -> float:
    """Usual minutes for a great-circle distance: detour, then a speed that rises with the length of the way."""
    road, minutes, start = km * DETOUR, 0.0, 0.0
    for edge, speed in SPEEDS_KMH:
        piece = min(road, edge) - start
        if piece <= 0:
            break
        minutes += piece / speed * 60
        start = edge
    return minutes


def current_visit(session: Session, center: Center, *, now: datetime) -> Visit | None:
    """The visit a center is at or goes to next today; None when its day is done."""
    return session.scalar(
        select(Visit)
        .where(
            Visit.center_id == center.id, Visit.day == local_day(now), Visit.status.in_(("open", "announced")),
            Visit.closes_at > now,
        )
        .order_by(Visit.opens_at)
        .limit(1)
        .options(joinedload(Visit.site))
    )  # fmt: skip


def lateness(session: Session, center: Center, *, now: datetime) -> int:
    """Whole minutes by which the center's next opening (or present one) is behind what was announced; 0 when in time.

    An open visit is as late as it opened. One still announced is as late as driving from the last position and setting
    up make it, and never less than the time already past its opening. Without any position only the latter is known.
    """
    visit = current_visit(session, center, now=now)
    if visit is None:
        return 0
    if visit.status == "open":
        return max(0, _minutes((visit.opened_at or visit.opens_at) - visit.opens_at))
    behind = now - visit.opens_at
    if center.lat is not None and center.lon is not None and center.last_heard_at is not None:
        km = km_between(center.lat, center.lon, visit.site.lat, visit.site.lon)
        if km > AT_SITE_KM and not _still_to_leave(center, visit, now):
            estimate = behind + timedelta(minutes=drive_minutes(km) + center.setup_minutes)
            behind = max(behind, estimate if estimate >= TOLERANCE else behind)
    return max(0, _minutes(behind))


def _still_to_leave(center: Center, visit: Visit, now: datetime) -> bool:
    """A center in its depot, where it slept, or at an open stop whose planned departure is still ahead is in time."""
    return (
        center.state in ("depot", "open", "away") and visit.depart_at is not None and now <= visit.depart_at
    )


def _minutes(span: timedelta) -> int:
    return math.floor(span.total_seconds() / 60)


def on_duty(session: Session, *, now: datetime) -> dict[int, datetime]:
    """Centers that are under way or at a stop now, with the instant their duty began (first departure of the day)."""
    rows = session.execute(
        select(Visit.center_id, Visit.depart_at, Visit.opens_at, Visit.closes_at)
        .join(Center, Center.id == Visit.center_id)
        .where(Visit.day == local_day(now), Visit.status != "cancelled", Center.status == "ready")
    )
    spans: dict[int, tuple[datetime, datetime]] = {}
    for center_id, depart_at, opens_at, closes_at in rows:
        start = depart_at or opens_at
        known = spans.get(center_id)
        spans[center_id] = (min(start, known[0]), max(closes_at, known[1])) if known else (start, closes_at)
    return {center_id: start for center_id, (start, end) in spans.items() if start <= now < end}


def mark_silent(session: Session, *, now: datetime, after: timedelta = SILENT_AFTER) -> list[Center]:
    """Mark centers on duty that were not heard from for `after`, unmark the others; the centers whose mark changed.

    Also renews the lateness of those on duty, because time passes without positions. A center that was never heard from
    counts from the beginning of its duty.
    """
    duty = on_duty(session, now=now)
    changed = []
    for center in session.scalars(select(Center).order_by(Center.id)):
        start = duty.get(center.id)
        heard = center.last_heard_at
        silent = start is not None and now - max(start, heard or start) > after
        late = lateness(session, center, now=now) if start is not None else 0
        if silent != center.silent or late != center.late_minutes:
            if silent != center.silent:
                changed.append(center)
            touch(session, center, part="position", now=now, silent=silent, late_minutes=late)
    return changed


def track(
    session: Session, center: Center, *, since: datetime, until: datetime | None = None
) -> list[Position]:
    """The positions of a center between two instants, oldest first."""
    query = select(Position).where(Position.center_id == center.id, Position.at >= since)
    if until is not None:
        query = query.where(Position.at <= until)
    return list(session.scalars(query.order_by(Position.at)))


def prune_positions(session: Session, *, now: datetime, keep: timedelta = timedelta(days=30)) -> int:
    """Delete positions older than `keep`: the way of a van is the way of its crew. The number deleted."""
    gone = session.execute(
        delete(Position).where(Position.at < (now - keep).astimezone(UTC)).returning(Position.id)
    )
    return len(gone.all())
