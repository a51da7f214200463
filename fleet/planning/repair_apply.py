"""Accepting a proposal: it becomes the published plan of the week, through the door that publishes every plan.

A visit that another center makes at the same place on the same day keeps its queue, so that nobody loses a ticket.
What a van had not reached in time by now (announced, its hour past, never opened) is moved or cancelled here, because
publishing leaves alone whatever should have begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from fleet.calendar import local_day, local_instant
from fleet.days.visits import close_visit
from fleet.planning.blobs import decode
from fleet.planning.frame import load_frame, marks_of
from fleet.planning.ledger import settle, visits_of
from fleet.planning.publish import cancel_visit, publish_repaired
from fleet.planning.repair import refuse_stale, take_turn
from fleet.planning.repair_calls import calls_of
from fleet.planning.repair_proposals import proposal_of
from fleet.planning.repair_shapes import Accepted, Disrupted, Proposal, VisitAt
from fleet.planning.repair_state import standing_visits
from fleet.store import Center, Plan, PlanVisit, Repair, Visit
from fleet.tracking import touch
from queueing.store import Desk, Queue

REASONS = {
    "center_out": ("تعطّل المركز المتنقل", "The mobile center has broken down"),
    "site_closed": ("تعذّر الوقوف في المكان", "The place cannot be used"),
    "road_slowed": ("الطريق مقطوع أو بطيء", "The road is closed or slow"),
    "demand_changed": (
        "المركز المتنقل مطلوب في مكان مزدحم",
        "The mobile center is needed at a crowded place",
    ),
}


def accept_repair(session: Session, made: Repair, name: str, *, actor: str, now: datetime) -> Accepted:
    """Announce the proposal of that name and keep the list of who must be told.

    A second time does nothing (`repeated`). Raises NotFound `no_such_proposal`, Conflict `repair_over` and
    `repair_stale` (with its `cause`); then nothing has changed.
    """
    if not take_turn(session, made, name, actor=actor, now=now):
        return Accepted(made.id, made.result_id or made.plan_id, 0, 0, 0, 0, made.accepted_at or now, True)
    proposal = proposal_of(session, made, name)
    refuse_stale(session, made, proposal, now=now)
    disrupted = Disrupted.from_json(made.disruption)
    old = session.get_one(Plan, made.plan_id)
    standing = {(v.center_id, v.site_id, v.day): v for v in standing_visits(session, old)}
    if not proposal.changes:
        made.result_id = old.id
        _end_open_visits(session, standing.values(), disrupted, now)
        session.flush()
        return Accepted(made.id, old.id, 0, 0, 0, 0, now)
    made.calls.extend(calls_of(proposal))
    changed, cancelled, closed = _change_now(session, proposal, standing, disrupted, actor, now)
    _end_open_visits(session, standing.values(), disrupted, now)
    plan = _plan_of(session, old, proposal, actor, now)
    report = publish_repaired(session, plan, actor=actor, now=now)
    made.result_id = plan.id
    for center_id in sorted({center for center, _day in proposal.crews}):
        touch(session, session.get_one(Center, center_id), part="visit", now=now)
    session.flush()
    return Accepted(
        made.id, plan.id, len(report.created), changed + len(report.changed), cancelled + len(report.cancelled),
        closed + report.tickets_closed, now,
    )  # fmt: skip


def prepare_accept(session: Session, made: Repair) -> None:
    """Decode what accepting will ask for, from reading alone: call it before the write transaction, which others wait
    for."""
    decode(session.get_one(Plan, made.plan_id).problem)


def _change_now(
    session: Session,
    proposal: Proposal,
    standing: dict[tuple[int, int, date], Visit],
    disrupted: Disrupted,
    actor: str,
    now: datetime,
) -> tuple[int, int, int]:
    """Hand visits to other centers, move what is overdue, cancel what nobody makes; (changed, cancelled, tickets)."""
    changed = cancelled = closed = 0
    reason_ar, reason_en = REASONS[disrupted.kind]
    for change in proposal.changes:
        if change.before is None:
            continue
        old, new = change.before, change.after
        visit = standing[old.center_id, old.site_id, old.day]
        if new is None or new.day != old.day:
            closed += cancel_visit(session, visit, reason_ar, reason_en, actor=actor, now=now)
            cancelled += 1
            continue
        if new.center_id != old.center_id:
            _hand_over(session, visit, session.get_one(Center, new.center_id), reason_ar, reason_en, now)
            changed += 1
        if visit.opens_at <= now:
            _retime(visit, new, now)
            changed += new.center_id == old.center_id
    session.flush()
    return changed, cancelled, closed


def _hand_over(
    session: Session, visit: Visit, center: Center, reason_ar: str, reason_en: str, now: datetime
) -> None:
    """Let another center make the visit: same place, same day, same queue and tickets, its own desks."""
    visit.center_id, visit.changed_at = center.id, now
    visit.reason_ar, visit.reason_en = reason_ar, reason_en
    visit.overnight, visit.origin_site_id = False, None
    queue = session.get_one(Queue, visit.queue_id)
    queue.name_ar = f"{center.name_ar} - {visit.site.name_ar}"[:200]
    queue.name_en = f"{center.name_en} - {visit.site.name_en}"[:200]
    there = session.scalar(select(func.count()).where(Desk.queue_id == queue.id)) or 0
    session.add_all(Desk(queue_id=queue.id, name=str(n + 1)) for n in range(there, center.desks))
    if there > center.desks:  # none of them was ever open: nobody has been served there
        surplus = select(Desk.id).where(Desk.queue_id == queue.id).order_by(Desk.id).offset(center.desks)
        session.execute(delete(Desk).where(Desk.id.in_(list(session.scalars(surplus)))))
    session.flush()
    session.expire(visit, ["center"])


def _retime(visit: Visit, new: VisitAt, now: datetime) -> None:
    opens = local_instant(new.day, new.start)
    if visit.opens_at != opens:
        visit.previous_opens_at = visit.opens_at
    visit.opens_at, visit.closes_at = opens, local_instant(new.day, new.start + new.stay)
    visit.changed_at = now


def _end_open_visits(
    session: Session, standing: Iterable[Visit], disrupted: Disrupted, now: datetime
) -> None:
    """What a broken center or a closed place has open now ends now."""
    for visit in standing:
        hit = (disrupted.kind == "center_out" and visit.center_id == disrupted.center_id) or (
            disrupted.kind == "site_closed" and visit.site_id == disrupted.site_id
        )
        if hit and visit.status == "open" and visit.day == local_day(now):
            close_visit(session, visit, now=now)


def _plan_of(session: Session, old: Plan, proposal: Proposal, actor: str, now: datetime) -> Plan:
    """Return a draft with the proposal's visits, pins and nights as they were."""
    before = {(v.center_id, v.site_id, v.day): v for v in visits_of(session, old)}
    plan = Plan(
        week=old.week,
        status="draft",
        created_at=now,
        created_by=actor,
        seed=old.seed,
        seconds=old.seconds,
        problem=old.problem,
        solution=old.solution,
        bound=None,
        baseline_hours=old.baseline_hours,
        progress={},
        message=f"repair_of: {old.id}",
    )
    session.add(plan)
    session.flush()
    rows = [
        _row(plan, visit, before.get((visit.center_id, visit.site_id, visit.day)))
        for visit in proposal.visits
    ]
    rows += _ended(plan, before, proposal.visits, now)
    settle(plan, rows, marks_of(rows, load_frame(session, plan.week)), decode(plan.problem))
    session.add_all(rows)
    session.flush()
    return plan


def _row(plan: Plan, visit: VisitAt, old: PlanVisit | None) -> PlanVisit:
    return PlanVisit(
        plan_id=plan.id,
        center_id=visit.center_id,
        site_id=visit.site_id,
        day=visit.day,
        start_minute=visit.start,
        stay_minutes=visit.stay,
        pinned=bool(old.pinned) if old is not None else False,
        overnight=bool(old.overnight) if old is not None else False,
    )


def _ended(
    plan: Plan, before: dict[tuple[int, int, date], PlanVisit], visits: Sequence[VisitAt], now: datetime
) -> list[PlanVisit]:
    """Visits of days that are over and that the problem no longer knew: they stay in the week's record."""
    kept = {(v.center_id, v.site_id, v.day) for v in visits}
    today = local_day(now)
    return [
        _row(plan, VisitAt(old.center_id, old.site_id, old.day, old.start_minute, old.stay_minutes), old)
        for key, old in before.items()
        if key not in kept and old.day < today
    ]
