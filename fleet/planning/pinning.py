"""Pins: a visit kept as it stands in later drafts, and with it the tour that nights away join it to."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from fleet.calendar import week_of
from fleet.errors import Conflict
from fleet.planning.blobs import decode
from fleet.planning.frame import frozen, load_frame
from fleet.planning.horizon import settled_weeks
from fleet.planning.ledger import tell, visits_of
from fleet.store import Plan, PlanVisit


def pin(session: Session, visit: PlanVisit, *, actor: str, now: datetime) -> None:
    """Keep the visit exactly as it stands in every later draft and change, and with it the whole tour where the van
    is away over the night: half of one could not be kept. Raises Conflict `not_a_draft`."""
    _set_pin(session, visit, True, actor, now)


def unpin(session: Session, visit: PlanVisit, *, actor: str, now: datetime) -> None:
    """Let the visit, and its tour, be moved again; one of a day that has begun stays. Raises Conflict `not_a_draft`,
    `day_frozen`, `week_published`."""
    if frozen(visit.day, now):
        raise Conflict("day_frozen", "That day has begun: its visits stay as they are.", visit=visit.id)
    if week_of(visit.day) in settled_weeks(session, visit.plan):
        raise Conflict(
            "week_published", "That week is published: its visits stay as they are.", visit=visit.id
        )
    _set_pin(session, visit, False, actor, now)


def tour_of(session: Session, visit: PlanVisit) -> list[PlanVisit]:
    """Return the visits of the days that nights away join to the visit's day; it alone when there are none."""
    plan = visit.plan
    rows = [v for v in visits_of(session, plan) if v.center_id == visit.center_id]
    frame, problem = load_frame(session, plan.week), decode(plan.problem).problem
    center = problem.center_by_id.get(frame.center_code[visit.center_id])
    away = sorted({frame.day_index(row.day) for row in rows if row.overnight})
    if center is None:
        return [visit]
    tour = {frame.day_index(visit.day)}
    for day in [*away, *reversed(away)]:
        joined = {day, center.next_day(day)} - {None}
        if tour & joined:
            tour |= {d for d in joined if d is not None}
    return [row for row in rows if frame.day_index(row.day) in tour] if len(tour) > 1 else [visit]


def ends_away(session: Session, visit: PlanVisit) -> bool:
    """Whether the van is away over the night after the visit's day."""
    return any(
        v.overnight
        for v in visits_of(session, visit.plan)
        if (v.center_id, v.day) == (visit.center_id, visit.day)
    )


def _set_pin(session: Session, visit: PlanVisit, pinned: bool, actor: str, now: datetime) -> None:
    plan = visit.plan
    if plan.status != "draft":
        raise Conflict("not_a_draft", "Only a draft can be changed.", plan=plan.id)
    chosen = [v for v in tour_of(session, visit) if v.pinned != pinned and (pinned or not frozen(v.day, now))]
    if not chosen:
        return
    session.execute(update(Plan).where(Plan.id == plan.id).values(revision=Plan.revision + 1))
    session.refresh(plan, ["revision", "seq"])
    for one in chosen:
        one.pinned = pinned
    change = "pin" if pinned else "unpin"
    tell(session, plan, "board", {"revision": plan.revision, "change": change, "by": actor}, now)
    session.flush()
