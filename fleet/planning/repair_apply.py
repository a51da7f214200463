"""Accepting a proposal: it becomes the published plan of the week, through the door that publishes every plan.

A visit that another center makes at the same place on the same day keeps its queue, so that nobody loses a ticket.
What a van had not reached in time by now (announced, its hour past, never opened) is moved or cancelled here, because
publishing leaves alone whatever should have begun.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, joinedload

from fleet.calendar import local_day, local_instant, week_days
from fleet.days.visits import close_visit
from fleet.errors import FleetError
from fleet.planning.announcing import Announcement, announcements
from fleet.planning.blobs import decode
from fleet.planning.cancelling import cancel_visits
from fleet.planning.filling import Filling, draft_like, fill, worked_out
from fleet.planning.frame import Frame, Mark, load_frame
from fleet.planning.informing import fit_bookings, tell_called_off
from fleet.planning.ledger import visits_of
from fleet.planning.publish import publish_repaired
from fleet.planning.repair import refuse_stale, take_turn
from fleet.planning.repair_calls import calls_of, held_tickets
from fleet.planning.repair_proposals import proposal_of, with_tickets
from fleet.planning.repair_shapes import Accepted, Disrupted, Proposal, VisitAt
from fleet.planning.tours import LONGEST_AWAY
from fleet.store import Center, Plan, PlanVisit, Repair, Visit
from queueing.closing import send_home
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


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What accepting a proposal will write, worked out from reading alone. Good as long as `state` holds."""

    name: str
    state: Hashable
    proposal: Proposal
    filling: Filling
    rows: tuple[Announcement, ...]


def prepare_accept(session: Session, made: Repair, name: str, *, now: datetime) -> Acceptance | None:
    """Work out what `accept_repair` will write; None where it will be refused, or was done. Reads only: call it before
    the write transaction, which others wait for."""
    if made.status != "proposed":
        return None
    try:
        return _worked_out(session, made, name, now)
    except FleetError:  # accepting says why
        return None


def accept_repair(
    session: Session,
    made: Repair,
    name: str,
    *,
    actor: str,
    now: datetime,
    prepared: Acceptance | None = None,
) -> Accepted:
    """Announce the proposal of that name and keep the list of who must be told. `prepared` is what `prepare_accept`
    worked out; it is done anew when anything that it depends on has changed since.

    A second time does nothing (`repeated`). Raises NotFound `no_such_proposal`, Conflict `repair_over` and
    `repair_stale` (with its `cause`); then nothing has changed.
    """
    if not take_turn(session, made, name, actor=actor, now=now):
        return Accepted(made.id, made.result_id or made.plan_id, 0, 0, 0, 0, made.accepted_at or now, True)
    old = session.get_one(Plan, made.plan_id)
    if prepared is None or prepared.name != name or prepared.state != state_of(session, old):
        prepared = _worked_out(session, made, name, now)
    disrupted = Disrupted.from_json(made.disruption)
    proposal = prepared.proposal
    if not proposal.changes and not proposal.nights:
        made.result_id = old.id
        ended = _end_open_visits(session, disrupted, actor, now)
        session.flush()
        tell_called_off(session, ended, now=now)
        return Accepted(made.id, old.id, 0, 0, 0, 0, now)
    standing = _concerned(session, proposal)
    made.calls.extend(calls_of(with_tickets(proposal, held_tickets(session, standing.values()))))
    changed, lost, closed = _change_now(session, proposal, standing, disrupted, actor, now)
    ended = _end_open_visits(session, disrupted, actor, now)
    _sleep(session, proposal)
    plan = draft_like(
        session, old, old.problem, actor=actor, now=now, solution=old.solution, bound=None,
        message=f"repair_of: {old.id}",
    )  # fmt: skip
    fill(session, plan, prepared.filling, load_frame(session, plan.week))
    crews = [center for center, _day in proposal.crews]
    report = publish_repaired(session, plan, actor=actor, now=now, rows=prepared.rows, also=crews)
    made.result_id = plan.id
    session.flush()
    fit_bookings(session, [visit.queue_id for visit in standing.values()], actor=actor, now=now)
    tell_called_off(session, [*lost, *ended], now=now)
    return Accepted(
        made.id, plan.id, len(report.created), changed + len(report.changed), len(lost) + len(report.cancelled),
        closed + report.tickets_closed, now,
    )  # fmt: skip


def state_of(session: Session, plan: Plan) -> Hashable:
    """Return what accepting depends on beside the proposal and the time: which plan stands, what is announced for its
    week and the days before it, and which centers are in service."""
    first = plan.week - timedelta(days=LONGEST_AWAY + 1)
    columns = (
        Visit.id,
        Visit.center_id,
        Visit.day,
        Visit.status,
        Visit.opens_at,
        Visit.closes_at,
        Visit.overnight,
    )
    visits = session.execute(
        select(*columns).where(Visit.day.between(first, week_days(plan.week)[-1])).order_by(Visit.id)
    )
    centers = session.execute(select(Center.id, Center.status).order_by(Center.id))
    return plan.id, plan.status, plan.revision, tuple(map(tuple, visits)), tuple(map(tuple, centers))


def _worked_out(session: Session, made: Repair, name: str, now: datetime) -> Acceptance:
    proposal = proposal_of(session, made, name)
    refuse_stale(session, made, proposal, now=now)
    old = session.get_one(Plan, made.plan_id)
    frame, decoded = load_frame(session, old.week), decode(old.problem)
    before = {(v.center_id, v.site_id, v.day): v for v in visits_of(session, old)}
    marks = [
        _mark(visit, before.get((visit.center_id, visit.site_id, visit.day)), frame)
        for visit in proposal.visits
    ]
    filling = worked_out([*marks, *_ended(before, proposal.visits, frame, now)], decoded)
    rows = announcements(session, filling.marks, filling.hours, decoded, frame)
    return Acceptance(name, state_of(session, old), proposal, filling, rows)


def _concerned(session: Session, proposal: Proposal) -> dict[tuple[int, int, date], Visit]:
    """The announced visits that the proposal changes."""
    wanted = {(b.center_id, b.site_id, b.day) for c in proposal.changes if (b := c.before) is not None}
    chosen = (
        select(Visit)
        .where(
            Visit.center_id.in_({center for center, _site, _day in wanted}),
            Visit.day.in_({day for _center, _site, day in wanted}),
            Visit.status != "cancelled",
        )
        .order_by(Visit.day, Visit.center_id, Visit.opens_at)
        .options(joinedload(Visit.site))
    )
    found = {(v.center_id, v.site_id, v.day): v for v in session.scalars(chosen)}
    return {key: visit for key, visit in found.items() if key in wanted}


def _change_now(
    session: Session,
    proposal: Proposal,
    standing: Mapping[tuple[int, int, date], Visit],
    disrupted: Disrupted,
    actor: str,
    now: datetime,
) -> tuple[int, list[Visit], int]:
    """Hand visits to other centers, move what is overdue, cancel what nobody makes: (changed, cancelled, tickets). Who
    held a ticket is told later, when the rest is announced."""
    changed = 0
    reason_ar, reason_en = REASONS[disrupted.kind]
    lost: list[Visit] = []
    for change in proposal.changes:
        if change.before is None:
            continue
        old, new = change.before, change.after
        visit = standing[old.center_id, old.site_id, old.day]
        if new is None or new.day != old.day:
            lost.append(visit)
            continue
        if new.center_id != old.center_id:
            _hand_over(session, visit, session.get_one(Center, new.center_id), reason_ar, reason_en, now)
            changed += 1
        if visit.opens_at <= now:
            _retime(visit, new, now)
            changed += new.center_id == old.center_id
    for visit in lost:
        visit.overnight, visit.origin_site_id = False, None  # the proposal says where vans sleep
    closed = cancel_visits(session, lost, reason_ar, reason_en, actor=actor, now=now, inform=False)
    session.flush()
    return changed, lost, closed


def _sleep(session: Session, proposal: Proposal) -> None:
    """Let vans sleep where the proposal says, also after visits that have begun, which publishing leaves alone."""
    for night in proposal.nights:
        there = select(Visit).where(
            Visit.center_id == night.center_id, Visit.day == night.day, Visit.status != "cancelled"
        )
        for visit in session.scalars(there):
            visit.overnight = visit.site_id == night.after_site_id
    session.flush()


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


def _end_open_visits(session: Session, disrupted: Disrupted, actor: str, now: datetime) -> list[Visit]:
    """What a broken center or a closed place has open now ends now: who waits there is sent home with the reason (they
    are told by the caller), who is at a desk is finished. Returns those visits. A line that is out with its van is left
    to the van."""
    wanted = (
        select(Visit)
        .join(Queue, Queue.id == Visit.queue_id)
        .where(Visit.day == local_day(now), Visit.status == "open", Queue.held_by.is_(None))
        .order_by(Visit.id)
        .options(joinedload(Visit.queue))
    )
    if disrupted.kind == "center_out":
        wanted = wanted.where(Visit.center_id == disrupted.center_id)
    elif disrupted.kind == "site_closed":
        wanted = wanted.where(Visit.site_id == disrupted.site_id)
    else:
        return []
    ended = list(session.scalars(wanted))
    for visit in ended:
        visit.reason_ar, visit.reason_en = REASONS[disrupted.kind]
        send_home(session, visit.queue, flag="called_off", actor=actor, now=now)
        close_visit(session, visit, now=now)
    return ended


def _mark(visit: VisitAt, old: PlanVisit | None, frame: Frame) -> Mark:
    """A visit of the proposal, pinned as it was."""
    return Mark(
        0, frame.center_code[visit.center_id], frame.day_index(visit.day), frame.site_code[visit.site_id], visit.start,
        visit.stay, bool(old.pinned) if old is not None else False, visit.overnight,
    )  # fmt: skip


def _ended(
    before: Mapping[tuple[int, int, date], PlanVisit], visits: Sequence[VisitAt], frame: Frame, now: datetime
) -> list[Mark]:
    """Visits of days that are over and that the problem no longer knew: they stay in the week's record."""
    kept = {(v.center_id, v.site_id, v.day) for v in visits}
    today = local_day(now)
    return [
        _mark(
            VisitAt(
                old.center_id, old.site_id, old.day, old.start_minute, old.stay_minutes, bool(old.overnight)
            ),
            old,
            frame,
        )
        for key, old in before.items()
        if key not in kept and old.day < today
    ]
