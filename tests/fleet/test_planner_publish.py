"""Publishing: what is created, kept, changed and taken back, and that nobody loses a ticket without need."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.calendar import local_instant
from fleet.errors import FleetError
from fleet.planner import Change
from fleet.planning.ledger import visits_of
from fleet.store import Center, Plan, PlanVisit, Visit
from queueing import counter
from queueing.desks import open_queue
from queueing.errors import QueueingError
from queueing.store import Desk, Outbox, Queue, QueueService, Service, Ticket
from tests.fleet.planning_cast import FRIDAY, planned, solved

LATER = FRIDAY + timedelta(hours=1)


@pytest.fixture
def session() -> Iterator[Session]:
    with planned() as (s, _):
        yield s


def publish(session: Session, plan: Plan, now: datetime = FRIDAY) -> planner.PublishReport:
    """Publish as the planner, and hold the report against what the preview said just before."""
    if plan.status == "published":
        return planner.publish(session, plan, actor="planner", now=now)
    would = planner.preview(session, plan, now=now)
    assert not session.dirty and not session.new, "a preview only reads"
    report = planner.publish(session, plan, actor="planner", now=now)
    said = (would.created, would.kept, would.changed, would.cancelled, would.left_alone, would.tickets_closed)
    parts = (report.created, report.kept, report.changed, report.cancelled, report.left_alone)
    assert said == (*map(len, parts), report.tickets_closed)
    return report


def draft(session: Session) -> Plan:
    """The cast's solved draft."""
    return session.get_one(Plan, 1)


def edited(session: Session, plan: Plan, *changes: Change, now: datetime = LATER) -> Plan:
    """A copy of the plan as a draft, with changes. Visit ids in the changes are the original plan's."""
    copy = planner.duplicate_as_draft(session, plan, actor="planner", now=now)
    for change in changes:
        old = session.get_one(PlanVisit, change.visit_id)
        same = next(
            v
            for v in visits_of(session, copy)
            if (v.center_id, v.day, v.start_minute) == (old.center_id, old.day, old.start_minute)
        )
        planner.apply_change(
            session,
            copy,
            Change(
                change.kind,
                visit_id=same.id,
                center_id=change.center_id,
                site_id=change.site_id,
                day=change.day,
                start_minute=change.start_minute,
                stay_minutes=change.stay_minutes,
            ),
            revision=copy.revision,
            actor="planner",
            now=now,
        )
    return copy


def visit_of(session: Session, row: PlanVisit) -> Visit:
    """The announced visit of a plan's row."""
    return session.scalars(
        select(Visit).where(
            Visit.center_id == row.center_id, Visit.site_id == row.site_id, Visit.day == row.day
        )
    ).one()


def remote_ticket(session: Session, visit: Visit) -> Ticket:
    """A ticket taken for the visit on its morning."""
    queue = session.get_one(Queue, visit.queue_id)
    at = visit.opens_at
    open_queue(session, queue, actor="clerk", now=at)
    done = counter.issue(session, queue, "ID", request_id=f"r-{visit.id}", actor="citizen", now=at)
    return done.ticket


def test_publishing_announces_every_visit_with_its_own_queue_and_desks(session: Session) -> None:
    """Each visit opens at its local minutes, knows when its van leaves, and its queue offers the vans'
    services."""
    plan = draft(session)
    report = publish(session, plan)
    rows = visits_of(session, plan)
    assert plan.status == "published" and plan.published_by == "planner"
    assert len(report.created) == len(rows) > 10
    mobile = set(session.scalars(select(Service.id).where(Service.at_mobile)))
    for row in rows:
        visit = visit_of(session, row)
        assert visit.status == "announced" and visit.hours_saved == row.hours_saved
        assert visit.opens_at == local_instant(row.day, row.start_minute)
        assert visit.closes_at - visit.opens_at == timedelta(minutes=row.stay_minutes)
        assert visit.depart_at is not None and visit.depart_at < visit.opens_at
        queue = session.get_one(Queue, visit.queue_id)
        assert queue.letter == "M" and visit.center.name_en in queue.name_en
        desks = session.scalar(select(func.count()).where(Desk.queue_id == queue.id))
        assert desks == visit.center.desks
        offered = select(QueueService.service_id).where(QueueService.queue_id == queue.id)
        assert set(session.scalars(offered)) == mobile


def test_publishing_again_does_nothing(session: Session) -> None:
    """The second press reports itself as a repetition and makes no second visit, queue or message."""
    plan = draft(session)
    publish(session, plan)
    counts = [session.scalar(select(func.count()).select_from(t)) for t in (Visit, Queue, Outbox)]
    assert publish(session, plan, LATER).repeated
    assert counts == [session.scalar(select(func.count()).select_from(t)) for t in (Visit, Queue, Outbox)]


def test_a_copy_without_changes_keeps_every_visit_and_queue(session: Session) -> None:
    """Publishing it supersedes the first plan and touches nothing that citizens see."""
    plan = draft(session)
    publish(session, plan)
    before = {v.id: (v.queue_id, v.opens_at) for v in session.scalars(select(Visit))}
    copy = edited(session, plan)
    report = publish(session, copy, LATER)
    assert plan.status == "superseded" and copy.status == "published"
    assert set(report.kept) == set(before)
    assert not (report.created or report.changed or report.cancelled)
    assert {v.id: (v.queue_id, v.opens_at) for v in session.scalars(select(Visit))} == before
    assert {v.plan_id for v in session.scalars(select(Visit))} == {copy.id}


def test_a_shifted_visit_keeps_its_queue_and_tickets_and_tells_the_change(session: Session) -> None:
    """Half an hour later: the same visit, both times known, the ticket still waits."""
    plan = draft(session)
    row = visits_of(session, plan)[0]
    short = Change("move", visit_id=row.id, stay_minutes=240)
    planner.apply_change(session, plan, short, revision=0, actor="p", now=FRIDAY)
    publish(session, plan)
    visit = visit_of(session, row)
    opened, queue_id = visit.opens_at, visit.queue_id
    ticket = remote_ticket(session, visit)
    copy = edited(session, plan, Change("move", visit_id=row.id, start_minute=row.start_minute + 30))
    assert planner.preview(session, copy, now=LATER).tickets_changed == 1
    report = publish(session, copy, LATER)
    assert report.changed == (visit.id,) and not report.cancelled
    assert visit.queue_id == queue_id and visit.status == "announced"
    assert visit.opens_at == opened + timedelta(minutes=30)
    assert (visit.previous_opens_at, visit.changed_at) == (opened, LATER)
    assert ticket.state == "waiting"


def test_a_removed_visit_is_cancelled_with_words_and_its_tickets_are_closed(session: Session) -> None:
    """It stays for citizens to see, with a reason in both languages; who held a ticket is told it is
    cancelled."""
    plan = draft(session)
    publish(session, plan)
    row = visits_of(session, plan)[0]
    visit = visit_of(session, row)
    ticket = remote_ticket(session, visit)
    report = publish(session, edited(session, plan, Change("remove", visit_id=row.id)), LATER)
    assert report.cancelled == (visit.id,) and report.tickets_closed == 1
    assert visit.status == "cancelled" and visit.reason_ar and visit.reason_en
    assert ticket.state == "cancelled"
    assert session.get_one(Queue, visit.queue_id).state == "closed"


def test_visits_that_have_begun_are_never_altered(session: Session) -> None:
    """Republishing on Sunday noon without Saturday's and Sunday's visits leaves those as they are."""
    plan = draft(session)
    publish(session, plan)
    begun = [v for v in session.scalars(select(Visit)) if v.day <= date(2026, 11, 22)]
    sunday = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    for visit in begun:
        visit.status = "closed" if visit.day < date(2026, 11, 22) else "open"
    copy = planner.duplicate_as_draft(session, plan, actor="planner", now=sunday)
    for row in visits_of(session, copy):
        if row.day <= date(2026, 11, 22):
            session.delete(row)
    session.flush()
    before = {v.id: (v.status, v.opens_at, v.plan_id) for v in begun}
    report = publish(session, copy, sunday)
    assert set(report.left_alone) == set(before) and not report.cancelled
    assert {v.id: (v.status, v.opens_at, v.plan_id) for v in begun} == before


def test_a_draft_that_breaks_a_rule_cannot_be_published(session: Session) -> None:
    """Rows bent behind the verdict's back are found by the check at the door."""
    plan = draft(session)
    visits_of(session, plan)[0].start_minute = 60
    session.flush()
    with pytest.raises(FleetError) as caught:
        publish(session, plan)
    assert caught.value.code == "infeasible" and caught.value.details["faults"]
    assert plan.status == "draft" and not session.scalar(select(func.count()).select_from(Visit))


@pytest.mark.parametrize("status", ["solving", "failed", "superseded", "discarded"])
def test_only_drafts_are_published(session: Session, status: str) -> None:
    """Every other state is refused by its code."""
    plan = draft(session)
    plan.status = status
    with pytest.raises(FleetError) as caught:
        publish(session, plan)
    assert caught.value.code == "not_a_draft"


def test_past_days_of_a_late_publication_make_no_visits(session: Session) -> None:
    """Published for the first time on Tuesday morning: nothing is announced for days that are over."""
    plan = draft(session)
    tuesday = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
    publish(session, plan, tuesday)
    assert min(session.scalars(select(Visit.day))) == date(2026, 11, 24)


def test_cancelling_one_visit_leaves_the_rest(session: Session) -> None:
    """Its tickets are closed, its reason is kept in both languages; a second press changes nothing."""
    plan = draft(session)
    publish(session, plan)
    visit = session.scalars(select(Visit).order_by(Visit.id)).first()
    assert visit is not None
    ticket = remote_ticket(session, visit)
    assert planner.cancel_visit(session, visit, "عطل", "Breakdown", actor="p", now=LATER) == 1
    assert (visit.status, visit.reason_ar, visit.reason_en) == ("cancelled", "عطل", "Breakdown")
    assert ticket.state == "cancelled"
    assert planner.cancel_visit(session, visit, "ب", "Other", actor="p", now=LATER) == 0
    assert visit.reason_en == "Breakdown"
    assert session.scalar(select(func.count()).where(Visit.status == "cancelled")) == 1


def test_an_open_visit_cannot_be_cancelled(session: Session) -> None:
    """People stand there: closing is the clerk's business."""
    publish(session, draft(session))
    visit = session.scalars(select(Visit)).first()
    assert visit is not None
    visit.status = "open"
    with pytest.raises(FleetError) as caught:
        planner.cancel_visit(session, visit, "ع", "R", actor="p", now=LATER)
    assert caught.value.code == "visit_begun"


def test_a_cancelled_visit_does_not_come_back_by_copying(session: Session) -> None:
    """An edit of the published plan leaves it out; a new announcement there would be a new visit."""
    plan = draft(session)
    publish(session, plan)
    visit = session.scalars(select(Visit)).first()
    assert visit is not None
    planner.cancel_visit(session, visit, "ع", "R", actor="p", now=LATER)
    report = publish(session, edited(session, plan), LATER)
    assert not report.created and visit.status == "cancelled"


def test_screens_hear_of_a_publication(session: Session) -> None:
    """One message on the plan's topic and one for each center that got visits; numbers rise by one."""
    plan = draft(session)
    publish(session, plan)
    topics = {row.topic: row for row in session.scalars(select(Outbox))}
    assert topics[f"plan:{plan.id}"].data["status"] == "published"
    for center_id in set(session.scalars(select(Visit.center_id))):
        assert topics[f"center:{center_id}"].seq == session.get_one(Center, center_id).seq == 1


def test_a_comparison_names_what_is_gained_lost_and_moved(session: Session) -> None:
    """Against itself nothing differs; after a removal and a shift, exactly these are named."""
    plan = draft(session)
    publish(session, plan)
    same = planner.compare(session, edited(session, plan), plan)
    assert not (same.gained or same.lost or same.moved)
    assert same.draft == same.published and same.baseline_hours == plan.baseline_hours
    rows = visits_of(session, plan)
    village = next(v for v in rows if v.site.kind == "village")
    other = next(v for v in rows if v.site.kind == "village" and v.site_id != village.site_id)
    copy = edited(
        session,
        plan,
        Change("remove", visit_id=village.id),
        Change("move", visit_id=other.id, stay_minutes=180),
    )
    result = planner.compare(session, copy, plan)
    assert result.lost == (village.site_id,) and not result.gained
    assert [m.site_id for m in result.moved] == [other.site_id]
    assert result.moved[0].after[0].stay_minutes == 180
    assert result.draft.stops == result.published.stops - 1
    assert result.draft.hours_saved < result.published.hours_saved
    assert sum(g.draft.hours_saved for g in result.governorates) == pytest.approx(
        result.draft.hours_saved, abs=0.5
    )
    assert sum(g.published.stops for g in result.governorates) == result.published.stops


def test_without_a_published_plan_everything_is_gained(session: Session) -> None:
    """The first week compares with nothing."""
    plan = draft(session)
    result = planner.compare(session, plan, None)
    assert set(result.gained) == {v.site_id for v in visits_of(session, plan)}
    assert result.published.hours_saved == 0 and not result.lost


def test_a_second_solve_published_keeps_what_stays_and_cancels_what_goes(session: Session) -> None:
    """Whatever the solver changes: afterwards the visits that stand are exactly the new plan's, no queue is
    shared."""
    first = draft(session)
    publish(session, first)
    visits_of(session, first)[0].center.status = "out_of_service"
    second = solved(session, now=LATER, seed=4)
    publish(session, second, LATER)
    standing = session.scalars(select(Visit).where(Visit.status != "cancelled")).all()
    assert {(v.center_id, v.site_id, v.day) for v in standing} == {
        (v.center_id, v.site_id, v.day) for v in visits_of(session, second)
    }
    queues = list(session.scalars(select(Visit.queue_id)))
    assert len(queues) == len(set(queues))


def test_a_guessed_request_id_does_not_keep_a_visit_from_being_cancelled(session: Session) -> None:
    """Whoever holds a ticket cannot use up the id under which the visit's cancellation closes another's."""
    plan = draft(session)
    publish(session, plan)
    visit = visit_of(session, visits_of(session, plan)[0])
    theirs = remote_ticket(session, visit)
    queue = session.get_one(Queue, visit.queue_id)
    mine = counter.issue(session, queue, "ID", request_id="mine", actor="citizen", now=visit.opens_at).ticket
    for taken in (f"visit-cancelled-{visit.id}-{theirs.id}", f"cancelled#:{visit.id}:{theirs.id}"):
        with contextlib.suppress(QueueingError):
            counter.leave(session, mine, request_id=taken, actor="citizen", now=visit.opens_at)
    assert planner.cancel_visit(session, visit, "عطل", "Broken down", actor="p", now=FRIDAY) == 1
    assert theirs.state == "cancelled"
