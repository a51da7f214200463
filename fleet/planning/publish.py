"""From a draft to announced visits with their queues; and taking one back.

A visit that stays at the same center, place and day keeps its queue, so that nobody loses a ticket to a new
plan; a changed hour is told as a change. What has begun is never altered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from fleet.calendar import default_calendar, local_instant, week_days, week_of
from fleet.errors import Conflict
from fleet.network.queues import QueueSpec, make_queues
from fleet.planning.blobs import decode
from fleet.planning.frame import Mark, load_frame, marks_of, origins, routes_of
from fleet.planning.horizon import open_weeks, part_of, stale
from fleet.planning.ledger import judge, tell, visits_of
from fleet.planning.shapes import PublishPreview, PublishReport
from fleet.planning.tours import LONGEST_AWAY, carried_in
from fleet.store import Center, Plan, PlanVisit, Site, Visit
from queueing import counter
from queueing.events import announce
from queueing.store import Queue, Service, Ticket
from queueing.ticket import LIVE
from queueing.turn import OwnRequest

REPLANNED_AR = "تغيّرت خطة الأسبوع"
REPLANNED_EN = "The week's plan has changed"
LETTER = "M"
"""Tickets of vans carry their own letter: M for mobile."""

Key = tuple[int, int, date]
"""Center, site and day: what makes two announcements the same visit."""


def publish(
    session: Session, plan: Plan, *, actor: str, now: datetime, until: date | None = None
) -> PublishReport:
    """Announce the plan's visits and take back those it no longer holds; the plan published before is
    superseded.

    A draft of several weeks gives each week to a plan of its own, in order, up to the week of `until` (None: all):
    the report has them as `parts`. Its published weeks are pinned in it; with the last one it is superseded.

    Publishing the same plan again does nothing (`repeated`). Raises Conflict `scenario_not_published`,
    `not_a_draft`, `draft_stale` (with weeks and centers), `infeasible` with the faults.
    """
    _refuse_scenario(plan)
    if plan.status == "published":
        return PublishReport(plan.id, repeated=True)
    rows = _publishable(session, plan)
    if plan.weeks > 1:
        return _publish_weeks(session, plan, rows, actor, now, until)
    return _replace(session, plan, rows, actor, now)


def publish_repaired(session: Session, plan: Plan, *, actor: str, now: datetime) -> PublishReport:
    """Announce a draft of one week that was made by a repair: its routes have been judged from where the vans are now,
    which the week's own problem cannot (`publish` asks that)."""
    if plan.status != "draft":
        raise Conflict("not_a_draft", "Only a draft can be published.", plan=plan.id, status=plan.status)
    return _replace(session, plan, visits_of(session, plan), actor, now)


def _replace(
    session: Session, plan: Plan, rows: Sequence[PlanVisit], actor: str, now: datetime
) -> PublishReport:
    """Let the plan take the place of the one that is published for its week."""
    for other in session.scalars(select(Plan).where(Plan.week == plan.week, Plan.status == "published")):
        other.status = "superseded"
        tell(session, other, "status", {"status": "superseded"}, now)
    session.flush()  # the old one first: the database knows one published plan a week
    plan.status, plan.published_at, plan.published_by = "published", now, actor
    report = _announce_all(session, plan, rows, actor, now)
    tell(session, plan, "status", {"status": "published", "visits": len(rows)}, now)
    session.flush()
    return report


def preview(session: Session, plan: Plan, *, now: datetime, until: date | None = None) -> PublishPreview:
    """Say what `publish` would do now, from reading alone. Raises as `publish` does."""
    _refuse_scenario(plan)
    rows = _publishable(session, plan)
    weeks = _chosen(session, plan, until) if plan.weeks > 1 else [plan.week]
    parts = [_sort_out(session, [r for r in rows if week_of(r.day) == week], week, now) for week in weeks]
    gone = [visit.queue_id for found in parts for visit in found.gone]
    moves = [visit.queue_id for found in parts for visit, _row in found.moves]
    return PublishPreview(
        created=sum(len(found.fresh) for found in parts),
        kept=sum(len(found.stays) for found in parts),
        changed=len(moves),
        cancelled=len(gone),
        left_alone=sum(len(found.left_alone) for found in parts),
        tickets_closed=_live(session, gone),
        tickets_changed=_live(session, moves),
        weeks=tuple(weeks),
    )


def _publishable(session: Session, plan: Plan) -> list[PlanVisit]:
    """The rows of a draft that may be published."""
    if plan.status != "draft":
        raise Conflict("not_a_draft", "Only a draft can be published.", plan=plan.id, status=plan.status)
    overtaken = stale(session, plan)
    if overtaken:
        raise Conflict(
            "draft_stale",
            "Something else has been published since this draft was made. Refresh it first.",
            plan=plan.id,
            weeks=[week.isoformat() for week in overtaken.weeks],
            centers=list(overtaken.centers),
        )
    rows = visits_of(session, plan)
    _refuse_infeasible(session, plan, rows)
    return rows


def _chosen(session: Session, plan: Plan, until: date | None) -> list[date]:
    weeks = open_weeks(session, plan)
    return [week for week in weeks if until is None or week <= week_of(until)] or weeks[:1]


def _publish_weeks(
    session: Session, plan: Plan, rows: Sequence[PlanVisit], actor: str, now: datetime, until: date | None
) -> PublishReport:
    total = PublishReport(plan.id)
    for week in _chosen(session, plan, until):
        part = part_of(session, plan, week, actor=plan.created_by)
        done = publish(session, part, actor=actor, now=now)
        total = replace(
            total,
            created=total.created + done.created,
            kept=total.kept + done.kept,
            changed=total.changed + done.changed,
            cancelled=total.cancelled + done.cancelled,
            left_alone=total.left_alone + done.left_alone,
            tickets_closed=total.tickets_closed + done.tickets_closed,
            parts=(*total.parts, part.id),
        )
        for row in rows:
            if week_of(row.day) == week:
                row.pinned = True
    plan.revision += 1
    if not open_weeks(session, plan):
        plan.status = "superseded"
    tell(session, plan, "status", {"status": plan.status, "parts": list(total.parts)}, now)
    session.flush()
    return total


def _live(session: Session, queue_ids: Sequence[int]) -> int:
    """How many people hold a ticket that is not over in these queues."""
    wanted = select(func.count()).where(Ticket.queue_id.in_(queue_ids), Ticket.state.in_(LIVE))
    return session.scalar(wanted) or 0


def cancel_visit(
    session: Session, visit: Visit, reason_ar: str, reason_en: str, *, actor: str, now: datetime
) -> int:
    """Cancel an announced visit: it stays visible, struck through, with its reason. Returns the tickets
    closed.

    A visit that is open or over cannot be cancelled (Conflict `visit_begun`); a second time does nothing. A van that
    was to stay the night there still does where the rest of its tour needs it.
    """
    if visit.status == "cancelled":
        return 0
    if visit.status != "announced":
        raise Conflict("visit_begun", "A visit that has begun cannot be cancelled.", visit=visit.id)
    closed = _cancel(session, visit, reason_ar, reason_en, actor, now)
    if visit.overnight and not _night_needed(session, visit):
        visit.overnight = False
    _tell_centers(session, [visit.center_id], now)
    if visit.plan_id is not None:
        tell(session, session.get_one(Plan, visit.plan_id), "visits", {"cancelled": visit.id}, now)
    session.flush()
    return closed


def _night_needed(session: Session, visit: Visit) -> bool:
    """Whether a cancelled visit's van must sleep there all the same: it goes on from there, or what stands of its day
    ends too far out to come home, as the checker says."""
    goes_on = select(Visit.id).where(
        Visit.center_id == visit.center_id,
        Visit.day > visit.day,
        Visit.origin_site_id == visit.site_id,
        Visit.status != "cancelled",
        Visit.day <= visit.day + timedelta(days=LONGEST_AWAY),
    )
    if session.scalar(goes_on.limit(1)) is not None:
        return True
    plan = session.get(Plan, visit.plan_id) if visit.plan_id is not None else None
    if plan is None:
        return False
    stands = {
        (v.site_id, v.day)
        for v in session.scalars(
            select(Visit).where(
                Visit.plan_id == plan.id, Visit.center_id == visit.center_id, Visit.status != "cancelled"
            )
        )
    }
    rows = [
        v for v in visits_of(session, plan) if v.center_id == visit.center_id and (v.site_id, v.day) in stands
    ]
    frame, decoded = load_frame(session, plan.week), decode(plan.problem)
    day = frame.day_index(visit.day)
    marks = [
        replace(m, overnight=False) if m.day == day else m for m in marks_of(rows, frame) if m.day <= day
    ]
    return any(f.day == day for f in judge(marks, decoded).faults)


def _refuse_scenario(plan: Plan) -> None:
    if plan.kind != "plan":
        words = "A scenario is never published. Make a draft of it first."
        raise Conflict("scenario_not_published", words, plan=plan.id)


def _refuse_infeasible(session: Session, plan: Plan, rows: Sequence[PlanVisit]) -> None:
    decoded = decode(plan.problem)
    faults = judge(marks_of(rows, load_frame(session, plan.week)), decoded).faults
    if faults:
        raise Conflict(
            "infeasible",
            "The plan breaks rules: " + "; ".join(f.text for f in faults[:5]),
            faults=[{"code": f.code, "words": f.text} for f in faults[:20]],
        )


@dataclass(frozen=True)
class _Sorted:
    """The plan's rows beside what is announced; nothing of it is done yet."""

    fresh: list[PlanVisit]
    stays: list[tuple[Visit, PlanVisit]]
    moves: list[tuple[Visit, PlanVisit]]
    gone: list[Visit]
    left_alone: list[int]


def _sort_out(session: Session, rows: Sequence[PlanVisit], week: date, now: datetime) -> _Sorted:
    days = week_days(week)
    known: dict[Key, Visit] = {}
    for visit in session.scalars(
        select(Visit)
        .where(Visit.day.between(days[0], days[-1]), Visit.status != "cancelled")
        .order_by(Visit.id)
    ):
        known[visit.center_id, visit.site_id, visit.day] = visit
    found = _Sorted([], [], [], [], [])
    for row in rows:
        visit_there = known.pop((row.center_id, row.site_id, row.day), None)
        if visit_there is None:
            if local_instant(row.day, row.start_minute + row.stay_minutes) > now:
                found.fresh.append(row)
        elif _begun(visit_there, now):
            found.left_alone.append(visit_there.id)
        else:
            same = (visit_there.opens_at, visit_there.closes_at) == _hours(row)
            (found.stays if same else found.moves).append((visit_there, row))
    for gone in known.values():
        if _begun(gone, now):
            found.left_alone.append(gone.id)
        else:
            found.gone.append(gone)
    return found


def _announce_all(
    session: Session, plan: Plan, rows: Sequence[PlanVisit], actor: str, now: datetime
) -> PublishReport:
    found = _sort_out(session, rows, plan.week, now)
    departs, begins = departures(session, plan, rows), beginnings(session, plan, rows)
    for visit, row in (*found.stays, *found.moves):
        visit.plan_id, visit.hours_saved, visit.depart_at = plan.id, row.hours_saved, departs[row.id]
        visit.overnight, visit.origin_site_id = row.overnight, begins.get(row.id)
    for visit, row in found.moves:
        _move(visit, row, now)
    for gone in found.gone:
        gone.overnight, gone.origin_site_id = False, None  # the new plan says where vans sleep
    closed = sum(_cancel(session, gone, REPLANNED_AR, REPLANNED_EN, actor, now) for gone in found.gone)
    created = _create(session, plan, found.fresh, departs, begins)
    touched = {visit.center_id for visit, _row in found.moves}
    touched |= {gone.center_id for gone in found.gone} | {row.center_id for row in found.fresh}
    _tell_centers(session, touched, now)
    return PublishReport(
        plan.id,
        tuple(created),
        tuple(visit.id for visit, _row in found.stays),
        tuple(visit.id for visit, _row in found.moves),
        tuple(gone.id for gone in found.gone),
        tuple(found.left_alone),
        closed,
    )


def departures(session: Session, plan: Plan, rows: Sequence[PlanVisit]) -> dict[int, datetime]:
    """Return when the van leaves for each visit, from its depot, the stop before or where it slept, by PlanVisit
    id."""
    decoded, frame = decode(plan.problem), load_frame(session, plan.week)
    leaves = {r.key: r.depart for r in routes_of(marks_of(rows, frame), decoded.problem, decoded.travel)}
    found: dict[int, datetime] = {}
    before: dict[tuple[int, date], PlanVisit] = {}
    for row in sorted(rows, key=lambda r: r.start_minute):
        last = before.get((row.center_id, row.day))
        if last is None:
            minute = leaves[frame.center_code[row.center_id], frame.day_index(row.day)]
        else:
            minute = last.start_minute + last.stay_minutes
        found[row.id] = local_instant(row.day, minute)
        before[row.center_id, row.day] = row
    return found


def beginnings(session: Session, plan: Plan, rows: Sequence[PlanVisit]) -> dict[int, int]:
    """Return the site where the center slept before each visit that is the first of such a day, by PlanVisit id."""
    decoded, frame = decode(plan.problem), load_frame(session, plan.week)
    came = carried_in(session, plan.week, default_calendar())
    by_key: dict[tuple[str, int], list[Mark]] = {}
    for mark in marks_of(rows, frame):
        by_key.setdefault(mark.key, []).append(mark)
    slept: dict[int, list[PlanVisit]] = {}
    for row in rows:
        if row.overnight:
            slept.setdefault(row.center_id, []).append(row)
    found: dict[int, int] = {}
    for key in origins(marks_by_key=by_key, problem=decoded.problem):
        if key not in by_key:
            continue
        first = min(by_key[key], key=lambda mark: mark.start)
        center_id = frame.center_id[key[0]]
        nights = [row for row in slept.get(center_id, ()) if row.day < frame.day(key[1])]
        if nights:
            found[first.id] = max(nights, key=lambda row: row.day).site_id
        elif center_id in came:
            found[first.id] = came[center_id].id
    return found


def _begun(visit: Visit, now: datetime) -> bool:
    return visit.status in ("open", "closed") or visit.opens_at <= now


def _hours(row: PlanVisit) -> tuple[datetime, datetime]:
    return (
        local_instant(row.day, row.start_minute),
        local_instant(row.day, row.start_minute + row.stay_minutes),
    )


def _move(visit: Visit, row: PlanVisit, now: datetime) -> None:
    """Give the visit the row's hours, and let citizens hear of it."""
    opens, closes = _hours(row)
    if visit.opens_at != opens:
        visit.previous_opens_at = visit.opens_at
    visit.opens_at, visit.closes_at, visit.changed_at = opens, closes, now


def _create(
    session: Session,
    plan: Plan,
    rows: Sequence[PlanVisit],
    departs: dict[int, datetime],
    begins: dict[int, int],
) -> list[int]:
    if not rows:
        return []
    services = tuple(session.scalars(select(Service.id).where(Service.at_mobile).order_by(Service.id)))
    centers = {c.id: c for c in session.scalars(select(Center))}
    sites = {s.id: s for s in session.scalars(select(Site).where(Site.id.in_({r.site_id for r in rows})))}
    specs = [
        QueueSpec(
            f"{centers[r.center_id].name_ar} - {sites[r.site_id].name_ar}",
            f"{centers[r.center_id].name_en} - {sites[r.site_id].name_en}",
            services,
            centers[r.center_id].desks,
            LETTER,
        )
        for r in rows
    ]
    visits = [
        Visit(
            plan_id=plan.id,
            center_id=row.center_id,
            site_id=row.site_id,
            queue_id=queue_id,
            day=row.day,
            opens_at=local_instant(row.day, row.start_minute),
            closes_at=local_instant(row.day, row.start_minute + row.stay_minutes),
            depart_at=departs[row.id],
            overnight=row.overnight,
            origin_site_id=begins.get(row.id),
            hours_saved=row.hours_saved,
        )
        for row, queue_id in zip(rows, make_queues(session, specs), strict=True)
    ]
    session.add_all(visits)
    session.flush()
    return [v.id for v in visits]


def _cancel(session: Session, visit: Visit, reason_ar: str, reason_en: str, actor: str, now: datetime) -> int:
    visit.status, visit.changed_at = "cancelled", now
    visit.reason_ar, visit.reason_en = reason_ar[:200], reason_en[:200]
    tickets = session.scalars(
        select(Ticket).where(Ticket.queue_id == visit.queue_id, Ticket.state.in_(LIVE)).order_by(Ticket.id)
    ).all()
    for ticket in tickets:
        counter.cancel(
            session, ticket, request_id=OwnRequest(f"cancelled#:{visit.id}:{ticket.id}"), actor=actor, now=now
        )
    session.execute(update(Queue).where(Queue.id == visit.queue_id).values(state="closed", seq=Queue.seq + 1))
    queue = session.get_one(Queue, visit.queue_id)
    session.refresh(queue, ["seq", "state"])
    data = {"state": "closed", "parts": ["queue"], "reason_ar": visit.reason_ar, "reason_en": visit.reason_en}
    announce(session, f"queue:{queue.id}", queue.seq, "queue", data, now)
    session.flush()
    return len(tickets)


def _tell_centers(session: Session, center_ids: Iterable[int], now: datetime) -> None:
    for center_id in sorted(set(center_ids)):
        session.execute(update(Center).where(Center.id == center_id).values(seq=Center.seq + 1))
        center = session.get_one(Center, center_id)
        session.refresh(center, ["seq"])
        announce(session, f"center:{center_id}", center.seq, "visit", {"center": center.code}, now)
