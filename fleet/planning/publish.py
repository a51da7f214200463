"""From a draft to announced visits with their queues.

What takes long is worked out before (`prepare_publish`), from reading alone; whoever publishes then holds the write
lock only for the writing itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from fleet.calendar import week_days, week_of
from fleet.errors import Conflict
from fleet.planning.announcing import Announcement, announce_week, announcements, sort_out
from fleet.planning.blobs import decode
from fleet.planning.frame import Mark, load_frame, marks_of
from fleet.planning.horizon import Part, make_part, open_weeks, prepare_part, stale
from fleet.planning.ledger import judge, tell, visits_of
from fleet.planning.shapes import PublishPreview, PublishReport
from fleet.store import Plan, PlanVisit
from queueing.store import Ticket
from queueing.ticket import LIVE
from routing.check import Fault


@dataclass(frozen=True, slots=True)
class Publication:
    """What publishing a draft will announce first, worked out from reading alone: its one week, or the next week of a
    longer draft (`part`). Good as long as the draft stands at `revision`."""

    plan_id: int
    revision: int
    rows: tuple[Announcement, ...]
    part: Part | None = None

    def fits(self, plan: Plan, week: date | None = None) -> bool:
        """Whether it is of the draft as it stands, and of that week of a longer one."""
        same = (self.plan_id, self.revision) == (plan.id, plan.revision)
        return same and (self.part.week if self.part is not None else None) == week


def prepare_publish(session: Session, plan: Plan, *, until: date | None = None) -> Publication | None:
    """Work out what `publish` will announce; None when it is published already. Reads only, and takes some tenths of a
    second for a country: call it outside of any write transaction. Raises as `publish` does."""
    _refuse_scenario(plan)
    if plan.status == "published":
        return None
    _refuse_overtaken(session, plan)
    rows = visits_of(session, plan)
    _refuse_infeasible(session, plan, rows)
    if plan.weeks > 1:
        weeks = _chosen(session, plan, until)
        if not weeks:  # all of them are published as they are
            return Publication(plan.id, plan.revision, ())
        part, announced = _cut(session, plan, weeks[0])
        return Publication(plan.id, plan.revision, announced, part)
    marks = marks_of(rows, load_frame(session, plan.week))
    return Publication(plan.id, plan.revision, _told(session, plan, marks, [r.hours_saved for r in rows]))


def publish(
    session: Session,
    plan: Plan,
    *,
    actor: str,
    now: datetime,
    until: date | None = None,
    prepared: Publication | None = None,
) -> PublishReport:
    """Announce the plan's visits and take back those it no longer holds; the plan published before is
    superseded.

    A draft of several weeks gives each week to a plan of its own, in order, up to the week of `until` (None: all):
    the report has them as `parts`. Its published weeks are pinned in it; with the last one it is superseded.
    `prepared` is what `prepare_publish` worked out; it is done anew when the draft has changed since.

    Publishing the same plan again does nothing (`repeated`). Raises Conflict `scenario_not_published`,
    `not_a_draft`, `draft_stale` (with weeks and centers), `infeasible` with the faults.
    """
    _refuse_scenario(plan)
    session.refresh(plan, ["status", "revision"], with_for_update=True)
    if plan.status == "published":
        return PublishReport(plan.id, repeated=True)
    weeks = _chosen(session, plan, until) if plan.weeks > 1 else []
    if prepared is not None and prepared.fits(plan, next(iter(weeks), None)):
        _refuse_overtaken(session, plan)
    else:
        prepared = prepare_publish(session, plan, until=until)
        assert prepared is not None  # it is a draft
    if plan.weeks > 1:
        return _publish_weeks(session, plan, prepared, actor, now, until)
    return _replace(session, plan, prepared.rows, actor, now)


def publish_repaired(
    session: Session,
    plan: Plan,
    *,
    actor: str,
    now: datetime,
    rows: Sequence[Announcement],
    also: Sequence[int] = (),
) -> PublishReport:
    """Announce a draft of one week that was made by a repair: its routes have been judged from where the vans are now,
    which the week's own problem cannot (`publish` asks that). The screens of the centers `also` are told too."""
    if plan.status != "draft":
        raise Conflict("not_a_draft", "Only a draft can be published.", plan=plan.id, status=plan.status)
    return _replace(session, plan, rows, actor, now, also)


def _replace(
    session: Session,
    plan: Plan,
    rows: Sequence[Announcement],
    actor: str,
    now: datetime,
    also: Sequence[int] = (),
) -> PublishReport:
    """Let the plan take the place of the one that is published for its week."""
    for other in session.scalars(select(Plan).where(Plan.week == plan.week, Plan.status == "published")):
        other.status = "superseded"
        tell(session, other, "status", {"status": "superseded"}, now)
    session.flush()  # the old one first: the database knows one published plan a week
    plan.status, plan.published_at, plan.published_by = "published", now, actor
    report = announce_week(session, plan, rows, actor=actor, now=now, also=also)
    tell(session, plan, "status", {"status": "published", "visits": len(rows)}, now)
    session.flush()
    return report


def _publish_weeks(
    session: Session,
    plan: Plan,
    prepared: Publication,
    actor: str,
    now: datetime,
    until: date | None,
) -> PublishReport:
    """Publish the week that is prepared, then those up to `until`: what is due in them follows from what is announced
    before, so they are cut out only then."""
    total = PublishReport(plan.id)
    for week in _chosen(session, plan, until):
        part, rows = prepared.part, prepared.rows
        if part is None or part.week != week:
            part, rows = _cut(session, plan, week)
        made = make_part(session, plan, part, actor=plan.created_by)
        done = _replace(session, made, rows, actor, now)
        total = replace(
            total,
            created=total.created + done.created,
            kept=total.kept + done.kept,
            changed=total.changed + done.changed,
            cancelled=total.cancelled + done.cancelled,
            left_alone=total.left_alone + done.left_alone,
            tickets_closed=total.tickets_closed + done.tickets_closed,
            parts=(*total.parts, made.id),
        )
        of_week = PlanVisit.day.between(week, week_days(week)[-1])
        session.execute(update(PlanVisit).where(PlanVisit.plan_id == plan.id, of_week).values(pinned=True))
    plan.revision += 1
    if not open_weeks(session, plan):
        plan.status = "superseded"
    tell(session, plan, "status", {"status": plan.status, "parts": list(total.parts)}, now)
    session.flush()
    return total


def preview(session: Session, plan: Plan, *, now: datetime, until: date | None = None) -> PublishPreview:
    """Say what `publish` would do now, from reading alone. Raises as `publish` does."""
    _refuse_scenario(plan)
    _refuse_overtaken(session, plan)
    rows = visits_of(session, plan)
    _refuse_infeasible(session, plan, rows)
    weeks = _chosen(session, plan, until) if plan.weeks > 1 else [plan.week]
    marks = marks_of(rows, load_frame(session, plan.week))
    told = _told(session, plan, marks, [r.hours_saved for r in rows])
    parts = [sort_out(session, [r for r in told if week_of(r.day) == week], week, now) for week in weeks]
    gone = [one.queue_id for found in parts for one in found.gone]
    moves = [one.queue_id for found in parts for one, _row in found.moves]
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


def _cut(session: Session, plan: Plan, week: date) -> tuple[Part, tuple[Announcement, ...]]:
    """One week of a longer draft, and what is announced of it. Raises Conflict `infeasible`."""
    part = prepare_part(session, plan, week)
    frame, decoded = load_frame(session, week), decode(part.problem)
    _refuse_faults(judge(part.filling.marks, decoded).faults)
    return part, announcements(session, part.filling.marks, part.filling.hours, decoded, frame)


def _told(
    session: Session, plan: Plan, marks: Sequence[Mark], hours: Sequence[float]
) -> tuple[Announcement, ...]:
    return announcements(session, marks, hours, decode(plan.problem), load_frame(session, plan.week))


def _chosen(session: Session, plan: Plan, until: date | None) -> list[date]:
    weeks = open_weeks(session, plan)
    return [week for week in weeks if until is None or week <= week_of(until)] or weeks[:1]


def _live(session: Session, queue_ids: Sequence[int]) -> int:
    """How many people hold a ticket that is not over in these queues."""
    wanted = select(func.count()).where(Ticket.queue_id.in_(queue_ids), Ticket.state.in_(LIVE))
    return session.scalar(wanted) or 0


def _refuse_scenario(plan: Plan) -> None:
    if plan.kind != "plan":
        words = "A scenario is never published. Make a draft of it first."
        raise Conflict("scenario_not_published", words, plan=plan.id)


def _refuse_overtaken(session: Session, plan: Plan) -> None:
    """Only a draft may be published, and only as long as it fits what else is published."""
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


def _refuse_infeasible(session: Session, plan: Plan, rows: Sequence[PlanVisit]) -> None:
    _refuse_faults(judge(marks_of(rows, load_frame(session, plan.week)), decode(plan.problem)).faults)


def _refuse_faults(faults: Sequence[Fault]) -> None:
    if faults:
        raise Conflict(
            "infeasible",
            "The plan breaks rules: " + "; ".join(f.text for f in faults[:5]),
            faults=[{"code": f.code, "words": f.text} for f in faults[:20]],
        )
