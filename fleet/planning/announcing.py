"""Announcing a week: a plan's visits beside what citizens have been told, and the difference written in few statements.

A visit that stays at the same center, place and day keeps its queue, so that nobody loses a ticket to a new
plan; a changed hour is told as a change. What has begun is never altered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, insert, select
from sqlalchemy.orm import Session

from fleet.calendar import default_calendar, local_instant, week_days
from fleet.network.queues import QueueSpec, make_queues
from fleet.planning.blobs import Decoded
from fleet.planning.cancelling import cancel_all
from fleet.planning.frame import Frame, Mark, origins, routes_of
from fleet.planning.informing import fit_bookings, tell_called_off
from fleet.planning.shapes import PublishReport
from fleet.planning.tours import carried_in
from fleet.store import Center, Plan, Site, Visit
from fleet.tracking import touch_all
from queueing.store import Service

REPLANNED_AR = "تغيّرت خطة الأسبوع"
REPLANNED_EN = "The week's plan has changed"
LETTER = "M"
"""Tickets of vans carry their own letter: M for mobile."""
_VISIT = cast(Table, Visit.__table__)

Key = tuple[int, int, date]
"""Center, site and day: what makes two announcements the same visit."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A visit as citizens will be told of it."""

    center_id: int
    site_id: int
    day: date
    opens_at: datetime
    closes_at: datetime
    depart_at: datetime
    """When the van leaves for it: from its depot, the stop before, or where it slept."""
    overnight: bool
    origin_site_id: int | None
    """Where the van slept before, on the first visit of a day after a night away."""
    hours_saved: float

    @property
    def key(self) -> Key:
        """What it is known by."""
        return self.center_id, self.site_id, self.day


def announcements(
    session: Session, marks: Sequence[Mark], hours: Sequence[float], decoded: Decoded, frame: Frame
) -> tuple[Announcement, ...]:
    """Return the visits as they will be announced; `hours` are their shares. Reads only."""
    leaves = {r.key: r.depart for r in routes_of(marks, decoded.problem, decoded.travel)}
    begins = _beginnings(marks, decoded, frame, carried_in(session, frame.week, default_calendar()))
    before: dict[tuple[str, int], Mark] = {}
    found: dict[int, Announcement] = {}
    for i in sorted(range(len(marks)), key=lambda i: marks[i].start):
        mark = marks[i]
        last = before.get(mark.key)
        minute = leaves[mark.key] if last is None else last.start + last.stay
        day = frame.day(mark.day)
        found[i] = Announcement(
            frame.center_id[mark.center], frame.site_id[mark.site], day, local_instant(day, mark.start),
            local_instant(day, mark.start + mark.stay), local_instant(day, minute), mark.overnight,
            begins.get(mark.key) if last is None else None, hours[i],
        )  # fmt: skip
        before[mark.key] = mark
    return tuple(found[i] for i in range(len(marks)))


def _beginnings(
    marks: Sequence[Mark], decoded: Decoded, frame: Frame, came: Mapping[int, Site]
) -> dict[tuple[str, int], int]:
    """The site where a center slept before each day that it does not begin at its depot."""
    by_key: dict[tuple[str, int], list[Mark]] = {}
    for mark in marks:
        by_key.setdefault(mark.key, []).append(mark)
    found: dict[tuple[str, int], int] = {}
    for key in origins(marks_by_key=by_key, problem=decoded.problem):
        nights = [m for m in marks if m.overnight and m.center == key[0] and m.day < key[1]]
        center_id = frame.center_id[key[0]]
        if nights:
            found[key] = frame.site_id[max(nights, key=lambda m: m.day).site]
        elif center_id in came:
            found[key] = came[center_id].id
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """A visit that is announced: what a new plan is held against."""

    id: int
    queue_id: int
    key: Key
    opens_at: datetime
    closes_at: datetime
    begun: bool
    """Open, over, or its hour is past: never altered."""


@dataclass(frozen=True)
class Sorted:
    """The plan's visits beside what is announced; nothing of it is done yet."""

    fresh: list[Announcement]
    stays: list[tuple[Standing, Announcement]]
    moves: list[tuple[Standing, Announcement]]
    gone: list[Standing]
    left_alone: list[int]


def standing(session: Session, week: date, now: datetime) -> list[Standing]:
    """Return the week's visits that are not cancelled, by id."""
    days = week_days(week)
    columns = (
        Visit.id, Visit.queue_id, Visit.center_id, Visit.site_id, Visit.day, Visit.opens_at, Visit.closes_at,
        Visit.status,
    )  # fmt: skip
    chosen = select(*columns).where(Visit.day.between(days[0], days[-1]), Visit.status != "cancelled")
    return [
        Standing(
            number, queue, (center, site, day), opens, closes, status in ("open", "closed") or opens <= now
        )
        for number, queue, center, site, day, opens, closes, status in session.execute(
            chosen.order_by(Visit.id)
        )
    ]


def sort_out(session: Session, rows: Iterable[Announcement], week: date, now: datetime) -> Sorted:
    """Hold a week's announcements against what is announced."""
    known = {one.key: one for one in standing(session, week, now)}
    found = Sorted([], [], [], [], [])
    for row in rows:
        there = known.pop(row.key, None)
        if there is None:
            if row.closes_at > now:
                found.fresh.append(row)
        elif there.begun:
            found.left_alone.append(there.id)
        else:
            same = (there.opens_at, there.closes_at) == (row.opens_at, row.closes_at)
            (found.stays if same else found.moves).append((there, row))
    for gone in known.values():
        if gone.begun:
            found.left_alone.append(gone.id)
        else:
            found.gone.append(gone)
    return found


def announce_week(
    session: Session,
    plan: Plan,
    rows: Sequence[Announcement],
    *,
    actor: str,
    now: datetime,
    also: Iterable[int] = (),
) -> PublishReport:
    """Make citizens see the plan of one week. Its centers' screens hear of it, and those of the centers `also`."""
    session.flush()
    found = sort_out(session, rows, plan.week, now)
    _update(session, plan, [*found.stays, *found.moves], now)
    chosen = select(Visit).where(Visit.id.in_([one.id for one in found.gone])).order_by(Visit.id)
    gone = session.scalars(chosen).all()
    for visit in gone:
        visit.overnight, visit.origin_site_id = False, None  # the new plan says where vans sleep
    closed = cancel_all(session, gone, REPLANNED_AR, REPLANNED_EN, actor=actor, now=now)
    created = _create(session, plan, found.fresh)
    # After what is new stands: it may be the nearest.
    fit_bookings(session, [there.queue_id for there, _row in found.moves], actor=actor, now=now)
    tell_called_off(session, gone, now=now)
    touched = {row.center_id for _there, row in found.moves} | {row.center_id for row in found.fresh}
    touch_all(session, {*touched, *(visit.center_id for visit in gone), *also}, part="visit", now=now)
    return PublishReport(
        plan.id,
        tuple(created),
        tuple(there.id for there, _row in found.stays),
        tuple(there.id for there, _row in found.moves),
        tuple(one.id for one in found.gone),
        tuple(found.left_alone),
        closed,
    )


def _update(
    session: Session, plan: Plan, pairs: Sequence[tuple[Standing, Announcement]], now: datetime
) -> None:
    """Give visits that stay the plan's data, and those with other hours their hours, so that citizens hear of it."""
    rows: dict[str, list[dict[str, Any]]] = {"same": [], "longer": [], "moved": []}
    for there, row in pairs:
        values: dict[str, Any] = {
            "which": there.id, "plan_id": plan.id, "hours_saved": row.hours_saved, "depart_at": row.depart_at,
            "overnight": row.overnight, "origin_site_id": row.origin_site_id,
        }  # fmt: skip
        kind = "same"
        if (there.opens_at, there.closes_at) != (row.opens_at, row.closes_at):
            kind = "longer"
            values |= {"opens_at": row.opens_at, "closes_at": row.closes_at, "changed_at": now}
        if there.opens_at != row.opens_at:
            kind = "moved"
            values["previous_opens_at"] = there.opens_at
        rows[kind].append(values)
    for some in rows.values():
        if some:
            changed = _VISIT.update().where(_VISIT.c.id == bindparam("which"))
            changed = changed.values({name: bindparam(name) for name in some[0] if name != "which"})
            session.connection().execute(changed, some)
    touched = {there.id for there, _row in pairs}
    for one in list(session.identity_map.values()):
        if isinstance(one, Visit) and one.id in touched:
            session.expire(one)


def _create(session: Session, plan: Plan, rows: Sequence[Announcement]) -> list[int]:
    if not rows:
        return []
    services = tuple(session.scalars(select(Service.id).where(Service.at_mobile).order_by(Service.id)))
    centers = {
        number: (ar, en, desks)
        for number, ar, en, desks in session.execute(
            select(Center.id, Center.name_ar, Center.name_en, Center.desks)
        )
    }
    wanted = select(Site.id, Site.name_ar, Site.name_en).where(Site.id.in_({r.site_id for r in rows}))
    sites = {number: (ar, en) for number, ar, en in session.execute(wanted)}
    specs = []
    for row in rows:
        (ar, en, desks), (site_ar, site_en) = centers[row.center_id], sites[row.site_id]
        specs.append(QueueSpec(f"{ar} - {site_ar}", f"{en} - {site_en}", services, desks, LETTER))
    values = [
        {
            "plan_id": plan.id,
            "center_id": row.center_id,
            "site_id": row.site_id,
            "queue_id": queue_id,
            "day": row.day,
            "opens_at": row.opens_at,
            "closes_at": row.closes_at,
            "depart_at": row.depart_at,
            "overnight": row.overnight,
            "origin_site_id": row.origin_site_id,
            "hours_saved": row.hours_saved,
        }
        for row, queue_id in zip(rows, make_queues(session, specs), strict=True)
    ]
    made = insert(_VISIT).returning(_VISIT.c.id, sort_by_parameter_order=True)
    return list(session.connection().scalars(made, values))
