"""What is worked out before the write lock is used only while it still holds: else it is worked out anew under it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.calendar import local_instant
from fleet.errors import Conflict
from fleet.planner import Change
from fleet.planning.ledger import visits_of
from fleet.planning.repair_apply import accept_repair, prepare_accept
from fleet.store import Center, Plan, PlanVisit, Visit
from tests.fleet.planning_cast import FRIDAY, planned
from tests.fleet.test_repair import SATURDAY, facts, out, proposed, under_way


def announced(session: Session) -> set[tuple[object, ...]]:
    """What citizens see of the week."""
    return {
        (v.center_id, v.site_id, v.day, v.opens_at, v.closes_at, v.depart_at, v.hours_saved)
        for v in session.scalars(select(Visit).where(Visit.status != "cancelled"))
    }


def wanted(session: Session, plan: Plan) -> set[tuple[object, ...]]:
    """What the plan's rows say of the same."""
    return {
        (
            r.center_id, r.site_id, r.day, local_instant(r.day, r.start_minute),
            local_instant(r.day, r.start_minute + r.stay_minutes),
        )
        for r in visits_of(session, plan)
    }  # fmt: skip


def test_a_prepared_publication_announces_what_an_unprepared_one_does() -> None:
    """The same visits, hours, departures and values, whichever way."""
    seen = []
    for ready in (False, True):
        with planned() as (session, plan):
            prepared = planner.prepare_publish(session, plan) if ready else None
            assert not session.dirty and not session.new, "preparing only reads"
            report = planner.publish(session, plan, actor="p", now=FRIDAY, prepared=prepared)
            seen.append((announced(session), len(report.created)))
    assert seen[0] == seen[1] and seen[0][1] > 0


def test_a_draft_that_changes_after_preparing_is_published_as_it_is_then() -> None:
    """A visit is taken out between the two: citizens never see it."""
    with planned() as (session, plan):
        prepared = planner.prepare_publish(session, plan)
        gone = visits_of(session, plan)[0]
        key = (gone.center_id, gone.site_id, gone.day)
        change = Change("remove", visit_id=gone.id)
        planner.apply_change(session, plan, change, revision=plan.revision, actor="p", now=FRIDAY)
        planner.publish(session, plan, actor="p", now=FRIDAY, prepared=prepared)
        assert key not in {row[:3] for row in announced(session)}
        assert {row[:5] for row in announced(session)} == wanted(session, plan)


def test_a_preparation_of_another_plan_is_not_used() -> None:
    """Each plan gets its own visits, and one that was published meanwhile is not published again."""
    with planned() as (session, plan):
        copy = planner.duplicate_as_draft(session, plan, actor="p", now=FRIDAY)
        row = visits_of(session, copy)[0]
        change = Change("remove", visit_id=row.id)
        planner.apply_change(session, copy, change, revision=copy.revision, actor="p", now=FRIDAY)
        prepared = planner.prepare_publish(session, plan)
        planner.publish(session, copy, actor="p", now=FRIDAY, prepared=prepared)
        assert {r[:5] for r in announced(session)} == wanted(session, copy)
        planner.publish(session, plan, actor="p", now=FRIDAY)
        assert planner.publish(session, plan, actor="p", now=FRIDAY, prepared=prepared).repeated
        assert planner.prepare_publish(session, plan) is None


def test_a_prepared_acceptance_does_what_an_unprepared_one_does() -> None:
    """The same week for citizens, the same calls and counts."""
    seen = []
    for ready in (False, True):
        with under_way() as (session, _plan):
            made, found = proposed(session, out(session))
            name = found[-1].name
            prepared = prepare_accept(session, made, name, now=SATURDAY) if ready else None
            assert ready is (prepared is not None)
            done = accept_repair(session, made, name, actor="p", now=SATURDAY, prepared=prepared)
            calls = [(c.kind, c.center_id, c.site_id, c.day, c.tickets) for c in made.calls]
            rows = session.scalars(select(PlanVisit).where(PlanVisit.plan_id == done.plan_id)).all()
            figures = sorted((r.center_id, r.day, r.start_minute, r.hours_saved, r.drive_km) for r in rows)
            seen.append((facts(session), calls, done.created, done.changed, done.cancelled, figures))
    assert seen[0] == seen[1] and seen[0][5]


def test_an_acceptance_is_refused_when_what_it_touches_changed_after_preparing() -> None:
    """A center that the proposal sends breaks down between the two: the preparation does not hide it."""
    with under_way() as (session, _plan):
        made, found = proposed(session, out(session))
        best = found[-1]
        sent = {c.after.center_id for c in best.changes if c.after is not None}
        assert sent, "the best way sends somebody"
        prepared = prepare_accept(session, made, best.name, now=SATURDAY)
        assert prepared is not None
        session.get_one(Center, min(sent)).status = "out_of_service"
        session.commit()
        with pytest.raises(Conflict) as refused:
            accept_repair(session, made, best.name, actor="p", now=SATURDAY, prepared=prepared)
        assert refused.value.code == "repair_stale" and refused.value.details["cause"] == "center"


def test_what_cannot_be_accepted_is_not_prepared_but_refused_by_accepting() -> None:
    """After three quarters of an hour, and once it is decided."""
    with under_way() as (session, _plan):
        made, found = proposed(session, out(session))
        name = found[-1].name
        assert prepare_accept(session, made, name, now=SATURDAY + timedelta(hours=1)) is None
        accept_repair(session, made, name, actor="p", now=SATURDAY)
        assert prepare_accept(session, made, name, now=SATURDAY) is None
        assert accept_repair(session, made, name, actor="p", now=SATURDAY).repeated
