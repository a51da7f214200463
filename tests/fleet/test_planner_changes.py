"""Manual changes: verdicts that equal a full recomputation, refusals with reasons, pins, stale pages."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import FleetError
from fleet.planner import Change
from fleet.planning.blobs import decode
from fleet.planning.ledger import visits_of
from fleet.store import Center, Plan, PlanVisit, Site
from queueing.store import Outbox
from routing.check import check
from routing.problem import Problem
from routing.solution import Plan as Routes
from tests.fleet.planning_cast import FRIDAY, WEEK, planned


@pytest.fixture
def session() -> Session:  # type: ignore[misc]
    with planned() as (s, _):
        yield s


def apply(session: Session, plan: Plan, change: Change) -> planner.Verdict:
    """Apply with the plan's present revision."""
    return planner.apply_change(session, plan, change, revision=plan.revision, actor="planner", now=FRIDAY)


def site(session: Session, code: str) -> Site:
    """The site of that code."""
    return session.scalars(select(Site).where(Site.code == code)).one()


def idle_day(session: Session, plan: Plan, center: Center) -> date:
    """A working day on which the center stays at its depot."""
    busy = {v.day for v in visits_of(session, plan) if v.center_id == center.id}
    return next(d for n in range(1, 6) if (d := WEEK + timedelta(days=n)) not in busy)


def test_removing_a_visit_costs_its_hours_and_its_driving(session: Session) -> None:
    """The verdict's changes are the visit's own shares, and trying changes nothing."""
    plan = session.get_one(Plan, 1)
    visit = visits_of(session, plan)[0]
    before = len(visits_of(session, plan))
    verdict = planner.try_change(session, plan, Change("remove", visit_id=visit.id), now=FRIDAY)
    assert verdict.feasible
    assert verdict.delta_hours == pytest.approx(-visit.hours_saved, abs=0.11)
    assert verdict.delta_drive == -visit.drive_minutes < 0
    assert verdict.loses == (visit.site_id,)
    assert len(visits_of(session, plan)) == before and plan.revision == 0


def test_removing_the_only_visit_of_a_due_district_names_the_rule(session: Session) -> None:
    """Coverage that falls short is told by name and costs its penalty in the objective."""
    plan = session.get_one(Plan, 1)
    unit = site(session, "V-010").local_unit_id
    members = [v for v in visits_of(session, plan) if v.site.local_unit_id == unit]
    for visit in members[:-1]:
        apply(session, plan, Change("remove", visit_id=visit.id))
    verdict = planner.try_change(session, plan, Change("remove", visit_id=members[-1].id), now=FRIDAY)
    assert "local_unit:U01" in verdict.groups_short


def test_a_visit_can_be_added_where_a_van_is_idle(session: Session) -> None:
    """Without a start or stay the best allowed ones are chosen, and the plan gains what the verdict said."""
    plan = session.get_one(Plan, 1)
    gone = visits_of(session, plan)[0]
    apply(session, plan, Change("remove", visit_id=gone.id))
    hours = plan.hours_saved
    change = Change("add", center_id=gone.center_id, site_id=gone.site_id, day=gone.day)
    verdict = apply(session, plan, change)
    assert verdict.feasible and verdict.placed is not None
    assert verdict.placed.stay_minutes == gone.stay_minutes
    assert verdict.gains == (gone.site_id,)
    assert plan.hours_saved == pytest.approx(hours + verdict.delta_hours, abs=0.11)


def test_a_second_stop_finds_its_place_in_the_day(session: Session) -> None:
    """A short stay beside a shortened one fits after it; the first stop keeps its time."""
    plan = session.get_one(Plan, 1)
    first = next(v for v in visits_of(session, plan) if v.site.kind == "village")
    apply(session, plan, Change("move", visit_id=first.id, stay_minutes=120))
    other = next(
        u.site_id
        for u in planner.unserved(session, plan)
        if session.get_one(Site, u.site_id).governorate_id == first.site.governorate_id
    )
    others = [v for v in visits_of(session, plan) if v.site_id == other]
    assert not others
    near = site(session, "V-000" if first.site.governorate_id == 1 else "V-100")
    for visit in [v for v in visits_of(session, plan) if v.site_id == near.id and v.id != first.id]:
        apply(session, plan, Change("remove", visit_id=visit.id))
    if near.id == first.site_id:
        near = site(session, "V-001" if first.site.governorate_id == 1 else "V-101")
        for visit in [v for v in visits_of(session, plan) if v.site_id == near.id]:
            apply(session, plan, Change("remove", visit_id=visit.id))
    verdict = apply(
        session,
        plan,
        Change("add", center_id=first.center_id, site_id=near.id, day=first.day, stay_minutes=120),
    )
    day = [v for v in visits_of(session, plan) if (v.center_id, v.day) == (first.center_id, first.day)]
    assert verdict.feasible and len(day) == 2


def test_a_closed_place_is_refused_in_words(session: Session) -> None:
    """A forecourt on Saturday: the fault's code, place and day are told, and nothing is changed."""
    plan = session.get_one(Plan, 1)
    center = session.scalars(select(Center).where(Center.code == "MC-0-0")).one()
    change = Change("add", center_id=center.id, site_id=site(session, "F-00").id, day=WEEK, stay_minutes=120)
    verdict = planner.try_change(session, plan, change, now=FRIDAY)
    assert [f.code for f in verdict.faults] == ["closed"]
    assert verdict.faults[0].details["site"] == "F-00" and "F-00" in verdict.faults[0].words
    with pytest.raises(FleetError) as caught:
        apply(session, plan, change)
    assert caught.value.code == "change_refused"
    assert caught.value.details["faults"][0]["code"] == "closed"


def test_pinned_visits_cannot_be_moved_or_removed_until_unpinned(session: Session) -> None:
    """Both are refused with `visit_pinned`; after unpinning the removal goes through."""
    plan = session.get_one(Plan, 1)
    visit = visits_of(session, plan)[0]
    planner.pin(session, visit, actor="planner", now=FRIDAY)
    for change in (Change("remove", visit_id=visit.id), Change("move", visit_id=visit.id, start_minute=600)):
        assert [f.code for f in planner.try_change(session, plan, change, now=FRIDAY).faults] == [
            "visit_pinned"
        ]
    planner.unpin(session, visit, actor="planner", now=FRIDAY)
    apply(session, plan, Change("remove", visit_id=visit.id))


def test_a_change_from_an_old_page_is_refused(session: Session) -> None:
    """Two planners open the board; the first changes it, the second's form is stale and says so."""
    plan = session.get_one(Plan, 1)
    a, b = visits_of(session, plan)[:2]
    seen = plan.revision
    planner.apply_change(
        session, plan, Change("remove", visit_id=a.id), revision=seen, actor="first", now=FRIDAY
    )
    with pytest.raises(FleetError) as caught:
        planner.apply_change(
            session, plan, Change("remove", visit_id=b.id), revision=seen, actor="second", now=FRIDAY
        )
    assert caught.value.code == "stale_revision"
    assert session.get(PlanVisit, b.id) is not None


def test_a_published_plan_is_changed_through_a_copy_only(session: Session) -> None:
    """Direct changes are refused; the copy has the same visits, free to change."""
    plan = session.get_one(Plan, 1)
    planner.publish(session, plan, actor="planner", now=FRIDAY)
    visit = visits_of(session, plan)[0]
    with pytest.raises(FleetError) as caught:
        apply(session, plan, Change("remove", visit_id=visit.id))
    assert caught.value.code == "not_a_draft"
    copy = planner.duplicate_as_draft(session, plan, actor="planner", now=FRIDAY)
    assert len(visits_of(session, copy)) == len(visits_of(session, plan))
    assert (copy.hours_saved, copy.objective) == (plan.hours_saved, plan.objective)
    apply(session, copy, Change("remove", visit_id=visits_of(session, copy)[0].id))
    assert len(visits_of(session, copy)) == len(visits_of(session, plan)) - 1


def test_days_that_have_begun_cannot_be_changed(session: Session) -> None:
    """At ten on Sunday, Sunday's visits stay, and nothing can be moved into Sunday."""
    plan = session.get_one(Plan, 1)
    sunday = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    today = next(v for v in visits_of(session, plan) if v.day == date(2026, 11, 22))
    later = next(v for v in visits_of(session, plan) if v.day > date(2026, 11, 23))
    for change in (
        Change("remove", visit_id=today.id),
        Change("move", visit_id=later.id, day=date(2026, 11, 22)),
    ):
        faults = planner.try_change(session, plan, change, now=sunday).faults
        assert [f.code for f in faults] == ["day_frozen"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (Change("remove", visit_id=99_999), "not_in_plan"),
        (Change("add", center_id=1), "missing_field"),
        (Change("add", center_id=1, site_id=99_999, day=WEEK), "unknown_site"),
        (Change("add", center_id=99_999, site_id=1, day=WEEK), "unknown_center"),
        (Change("add", center_id=1, site_id=1, day=WEEK + timedelta(days=9)), "outside_week"),
    ],
)
def test_impossible_changes_have_their_codes(session: Session, change: Change, code: str) -> None:
    """Nothing raises: the verdict itself says what is wrong."""
    verdict = planner.try_change(session, session.get_one(Plan, 1), change, now=FRIDAY)
    assert [f.code for f in verdict.faults] == [code]


def test_a_change_tells_the_plans_screens(session: Session) -> None:
    """One outbox row on the plan's topic, with the new revision."""
    plan = session.get_one(Plan, 1)
    apply(session, plan, Change("remove", visit_id=visits_of(session, plan)[0].id))
    row = session.scalars(select(Outbox).where(Outbox.topic == f"plan:{plan.id}")).all()[-1]
    assert row.part == "board" and row.data["revision"] == plan.revision == 1 and row.seq == plan.seq


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_verdict_equals_a_full_recomputation(data: st.DataObject) -> None:
    """After any sequence of random changes: what was allowed keeps the plan feasible for the referee's code,
    objective and hours are those promised, and what was refused changed nothing."""
    with planned() as (session, plan):
        centers = list(session.scalars(select(Center.id)))
        sites = list(session.scalars(select(Site.id)))
        for _ in range(data.draw(st.integers(1, 5))):
            visits = visits_of(session, plan)
            kind = data.draw(st.sampled_from(["move", "add", "remove"]))
            change = Change(
                kind,
                visit_id=data.draw(st.sampled_from([v.id for v in visits])) if kind != "add" else None,
                center_id=data.draw(st.sampled_from(centers if kind == "add" else [None, *centers])),
                site_id=data.draw(st.sampled_from(sites if kind == "add" else [None, *sites])),
                day=data.draw(
                    st.sampled_from([WEEK + timedelta(days=n) for n in range(7)] + [None] * (kind != "add"))
                ),
                start_minute=data.draw(st.sampled_from([None, None, 510, 600, 700])),
                stay_minutes=data.draw(st.sampled_from([None, None, 120, 240])),
            )
            told = planner.try_change(session, plan, change, now=FRIDAY)
            before = _state(session, plan)
            if told.feasible:
                assert apply(session, plan, change) == told
                session.commit()
                problem, answer = planner.export(session, plan)
                verdict = check(Problem.from_json(problem), Routes.from_json(answer))
                assert verdict.feasible
                assert verdict.objective == told.objective_after == plan.objective
                assert verdict.costs.value / 10 == pytest.approx(told.hours_after, abs=0.06)
                assert planner.totals(session, plan).drive_minutes == told.drive_after
            else:
                with pytest.raises(FleetError):
                    apply(session, plan, change)
                session.rollback()
                assert _state(session, plan) == before


def _state(session: Session, plan: Plan) -> list[tuple[object, ...]]:
    return [
        (v.id, v.center_id, v.site_id, v.day, v.start_minute, v.stay_minutes)
        for v in visits_of(session, plan)
    ]


def test_two_visits_of_a_day_can_trade_places(session: Session) -> None:
    """Moving one onto the other's start shifts it: the database's unique starts do not stand in the way."""
    plan = session.get_one(Plan, 1)
    visits = visits_of(session, plan)
    center = visits[0].center_id
    for visit in visits:
        if visit.center_id == center:
            apply(session, plan, Change("remove", visit_id=visit.id))
    near = [s for s in decode(plan.problem).problem.sites if s.id in ("V-000", "V-001", "V-100", "V-101")]
    taken = {v.site.code for v in visits_of(session, plan)}
    pair = [site(session, s.id).id for s in near if s.id not in taken][:2]
    if len(pair) < 2:
        for visit in [v for v in visits_of(session, plan) if v.site.code in {s.id for s in near}]:
            apply(session, plan, Change("remove", visit_id=visit.id))
        governorate = session.get_one(Center, center).governorate_id
        pair = [s.id for n in near if (s := site(session, n.id)).governorate_id == governorate]
    day = WEEK + timedelta(days=1)
    for place in pair:
        verdict = apply(
            session, plan, Change("add", center_id=center, site_id=place, day=day, stay_minutes=120)
        )
        assert verdict.feasible
    first, second = [v for v in visits_of(session, plan) if (v.center_id, v.day) == (center, day)]
    verdict = apply(
        session, plan, Change("move", visit_id=second.id, day=day, start_minute=second.start_minute)
    )
    assert verdict.feasible
    # The first again, without a start on another place: it goes behind, the other comes forward.
    swapped = planner.try_change(
        session, plan, Change("move", visit_id=first.id, start_minute=second.start_minute), now=FRIDAY
    )
    assert not swapped.feasible, "an explicit start never moves anybody else"
