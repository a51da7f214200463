"""Drafts of several weeks: what is published stands, weeks are published one by one, nobody is forgotten unsaid."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.calendar import local_instant, week_of
from fleet.errors import FleetError
from fleet.forecast import make_forecast
from fleet.network.queues import make_queue
from fleet.planning import coverage
from fleet.planning.blobs import decode
from fleet.planning.frame import load_frame, marks_of
from fleet.planning.ledger import judge, visits_of
from fleet.store import Center, LocalUnit, Plan, Site, Visit
from queueing.store import Service
from routing.problem import Problem
from routing.solve import solve
from tests.fleet.planning_cast import FRIDAY, WEEK, country, solved

SECOND, THIRD = WEEK + timedelta(days=7), WEEK + timedelta(days=14)
BARE = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def horizon(session: Session, *, weeks: int = 2, from_plan: Plan | None = None, seed: int = 1) -> Plan:
    """A solved draft of so many weeks from WEEK on."""
    for k in range(weeks):
        make_forecast(session, WEEK + timedelta(days=7 * k), now=FRIDAY)
    plan = planner.create_draft(
        session, WEEK, weeks=weeks, seconds=5, seed=seed, actor="p", now=FRIDAY, from_plan=from_plan
    )
    answer = solve(Problem.from_json(decode(plan.problem).raw), iterations=3, seed=seed, threads=1)
    planner.accept_solution(session, plan, answer.to_json(), now=FRIDAY)
    session.commit()
    return plan


def spots(session: Session, plan: Plan, week: date) -> set[tuple[object, ...]]:
    """The plan's visits of a week."""
    return {
        (v.center_id, v.site_id, v.day, v.start_minute, v.stay_minutes, v.overnight)
        for v in visits_of(session, plan)
        if week_of(v.day) == week
    }


def feasible(session: Session, plan: Plan) -> bool:
    """Whether the plan breaks no rule of its own problem."""
    return judge(
        marks_of(visits_of(session, plan), load_frame(session, plan.week)), decode(plan.problem)
    ).feasible


@pytest.fixture
def session() -> Iterator[Session]:
    with country() as s:
        yield s


def test_a_draft_of_three_weeks_has_their_days_and_visits_a_village_again_after_two(session: Session) -> None:
    """21 days; a village may have two visits 14 days apart, and from the third week on is worth what gathers in that
    time; a forecourt renews daily."""
    plan = horizon(session, weeks=3)
    problem = decode(plan.problem).problem
    assert len(problem.days) == 21 and feasible(session, plan)
    assert {week_of(v.day) for v in visits_of(session, plan)} == {WEEK, SECOND, THIRD}
    village = next(s for s in problem.sites if s.id.startswith("V-"))
    assert (village.max_visits, village.min_gap_days) == (2, 14)
    assert village.day_percent is not None
    assert max(village.day_percent[:14]) == 100 and 0 < max(village.day_percent[14:]) < 60
    fixed = next(s for s in problem.sites if s.id.startswith("F-"))
    assert fixed.max_visits == 21


def test_a_planned_visit_lowers_what_the_village_is_worth_after_it(session: Session) -> None:
    """Pinned in the first week, a village is worth less in the second, and is not planned again within a week."""
    first = horizon(session)
    visit = next(v for v in visits_of(session, first) if v.site.kind == "village" and v.day < SECOND)
    planner.pin(session, visit, actor="p", now=FRIDAY)
    second = planner.create_draft(
        session, WEEK, weeks=2, seconds=5, seed=1, actor="p", now=FRIDAY, from_plan=first
    )
    site = decode(second.problem).problem.site_by_id[visit.site.code]
    before = decode(first.problem).problem.site_by_id[visit.site.code]
    index = (visit.day - WEEK).days
    assert site.window(index) is not None
    assert all(site.window(d) is None for d in range(14) if d != index and d < index + 7)
    assert site.day_percent is not None and before.day_percent is not None
    assert (
        site.day_percent[index + 8 if index < 5 else 13 - 2]
        < before.day_percent[index + 1 if index < 5 else 11]
    )


@BARE
@given(st.data())
def test_what_is_published_stands_in_every_longer_draft(data: st.DataObject) -> None:
    """Whichever weeks are published, and whatever is pinned beside them: the draft holds the published visits exactly,
    pinned, and the pins of the other weeks."""
    with country() as session:
        first = horizon(session)
        until = data.draw(st.sampled_from([WEEK, SECOND]))
        loose = [v for v in visits_of(session, first) if week_of(v.day) > until]
        chosen = data.draw(st.lists(st.sampled_from(loose), unique=True, max_size=3)) if loose else []
        for visit in chosen:
            planner.pin(session, visit, actor="p", now=FRIDAY)
        report = planner.publish(session, first, actor="p", now=FRIDAY, until=until)
        if until == SECOND:
            with pytest.raises(FleetError) as caught:
                horizon(session, from_plan=first)
            assert caught.value.code == "all_published"
            return
        second = horizon(session, from_plan=first, seed=data.draw(st.integers(1, 3)))
        assert len(report.parts) == 1
        assert spots(session, second, WEEK) == spots(session, session.get_one(Plan, report.parts[0]), WEEK)
        held = {
            (v.center_id, v.site_id, v.day, v.start_minute) for v in visits_of(session, second) if v.pinned
        }
        assert held >= {(v.center_id, v.site_id, v.day, v.start_minute) for v in chosen}
        assert all(v.pinned for v in visits_of(session, second) if v.day < SECOND)


def test_a_horizon_is_published_week_by_week(session: Session) -> None:
    """The first week becomes a plan of its own with announced visits; it is pinned and settled in the draft, which can
    still be changed in its other week; publishing that one supersedes the draft by its parts."""
    plan = horizon(session)
    would = planner.preview(session, plan, now=FRIDAY, until=WEEK)
    assert would.weeks == (WEEK,) and would.created == len(spots(session, plan, WEEK))
    first = planner.publish(session, plan, actor="p", now=FRIDAY, until=WEEK)
    part = session.get_one(Plan, first.parts[0])
    assert (part.status, part.week, part.weeks, part.source_id) == ("published", WEEK, 1, plan.id)
    assert feasible(session, part) and part.hours_saved is not None and part.hours_saved > 0
    assert spots(session, part, WEEK) == spots(session, plan, WEEK)
    assert {v.day for v in session.scalars(select(Visit))} == {v.day for v in visits_of(session, part)}
    assert plan.status == "draft" and planner.open_weeks(session, plan) == [SECOND]
    frozen = next(v for v in visits_of(session, plan) if v.day < SECOND)
    with pytest.raises(FleetError) as caught:
        planner.unpin(session, frozen, actor="p", now=FRIDAY)
    assert caught.value.code == "week_published"
    change = planner.Change("remove", visit_id=frozen.id)
    assert [f.code for f in planner.try_change(session, plan, change, now=FRIDAY).faults] == [
        "week_published"
    ]
    loose = next(v for v in visits_of(session, plan) if v.day >= SECOND)
    change = planner.Change("remove", visit_id=loose.id)
    planner.apply_change(session, plan, change, revision=plan.revision, actor="p", now=FRIDAY)
    last = planner.publish(session, plan, actor="p", now=FRIDAY)
    assert plan.status == "superseded" and len(last.parts) == 1
    assert session.get_one(Plan, last.parts[0]).week == SECOND


def test_a_horizon_is_published_whole(session: Session) -> None:
    """Without a last week all of them are, each as a plan of its own week."""
    plan = horizon(session)
    report = planner.publish(session, plan, actor="p", now=FRIDAY)
    assert [session.get_one(Plan, i).week for i in report.parts] == [WEEK, SECOND]
    assert len(report.created) == len(visits_of(session, plan)) and plan.status == "superseded"


def test_a_draft_overtaken_by_another_publication_is_refused_until_it_is_refreshed(session: Session) -> None:
    """Another plan of the second week is published: the longer draft says which week, is not published, and its
    refreshed copy keeps pins and takes that week as it is."""
    plan = horizon(session)
    visit = next(v for v in visits_of(session, plan) if v.day < SECOND)
    planner.pin(session, visit, actor="p", now=FRIDAY)
    other = planner.create_draft(session, SECOND, seconds=5, seed=2, actor="p", now=FRIDAY)
    answer = solve(Problem.from_json(decode(other.problem).raw), iterations=2, seed=2, threads=1)
    planner.accept_solution(session, other, answer.to_json(), now=FRIDAY)
    gone = visits_of(session, other)[0]
    change = planner.Change("remove", visit_id=gone.id)
    planner.apply_change(session, other, change, revision=other.revision, actor="p", now=FRIDAY)
    assert not planner.stale(session, plan)
    planner.publish(session, other, actor="p", now=FRIDAY)
    assert planner.stale(session, plan).weeks == (SECOND,)
    with pytest.raises(FleetError) as caught:
        planner.publish(session, plan, actor="p", now=FRIDAY)
    assert caught.value.code == "draft_stale"
    fresh = horizon(session, from_plan=plan)
    assert spots(session, fresh, SECOND) == spots(session, other, SECOND)
    assert not planner.stale(session, fresh)
    kept = {(v.center_id, v.site_id, v.day, v.start_minute) for v in visits_of(session, fresh) if v.pinned}
    assert (visit.center_id, visit.site_id, visit.day, visit.start_minute) in kept
    planner.publish(session, fresh, actor="p", now=FRIDAY)


@pytest.mark.parametrize("weeks", [0, 5])
def test_a_span_is_one_to_four_weeks(session: Session, weeks: int) -> None:
    """Beyond that the refusal has its own code."""
    with pytest.raises(FleetError) as caught:
        planner.reserve_draft(session, WEEK, weeks=weeks, seconds=1, seed=1, actor="p", now=FRIDAY)
    assert caught.value.code == "span"


@pytest.mark.parametrize(
    ("last", "limit", "by"),
    [
        (date(2026, 10, 31), 4, date(2026, 11, 28)),
        (date(2026, 11, 5), 4, date(2026, 11, 28)),
        (date(2026, 11, 19), 1, date(2026, 11, 21)),
    ],
)
def test_the_deadline_is_the_last_week_that_keeps_the_limit(last: date, limit: int, by: date) -> None:
    """Its first day is within `limit` weeks after the last visit; no day of the week after it is."""
    assert coverage.deadline(last, limit) == by
    assert (by - last).days <= 7 * limit < (by + timedelta(days=7) - last).days


def test_lateness_raises_the_penalty(session: Session) -> None:
    """A unit three weeks beyond its limit costs more than one that is just due."""
    units = list(session.scalars(select(LocalUnit).order_by(LocalUnit.id)))
    _visited(session, units[0], WEEK - timedelta(days=28))
    _visited(session, units[1], WEEK - timedelta(days=49))
    found = {one.unit.id: one for one in coverage.due(session, WEEK)}
    assert found[units[0].id].beyond == 0 and found[units[1].id].beyond == 3
    assert found[units[1].id].penalty > found[units[0].id].penalty


def test_a_short_limit_asks_for_several_visits_in_a_span(session: Session) -> None:
    """A unit that must not wait longer than a week, visited the week before, is due twice in two weeks; with one visit
    held, once."""
    unit = session.scalars(select(LocalUnit)).first()
    assert unit is not None
    planner.set_limit(session, 1, unit=unit)
    _visited(session, unit, WEEK - timedelta(days=3))

    def visits(held: list[date]) -> int:
        found = coverage.due(session, WEEK, 2, {unit.id: held})
        return next((one.visits for one in found if one.unit.id == unit.id), 0)

    assert (visits([]), visits([WEEK]), visits([WEEK, SECOND])) == (2, 1, 0)


@BARE
@given(st.data())
def test_no_unit_is_over_its_limit_without_a_reason(data: st.DataObject) -> None:
    """Whatever limits, history and manual removals: who passes the limit has a reason in words, and who does not has
    been visited or is not due."""
    with country() as session:
        units = list(session.scalars(select(LocalUnit).order_by(LocalUnit.id)))
        for unit in units:
            planner.set_limit(session, data.draw(st.integers(1, 5)), unit=unit)
            ago = data.draw(st.one_of(st.none(), st.integers(1, 60)))
            if ago is not None:
                _visited(session, unit, WEEK - timedelta(days=ago))
        plan = horizon(session)
        for _ in range(data.draw(st.integers(0, 6))):
            loose = visits_of(session, plan)
            change = planner.Change("remove", visit_id=data.draw(st.sampled_from(loose)).id)
            planner.apply_change(session, plan, change, revision=plan.revision, actor="p", now=FRIDAY)
        rows = planner.coverage_of(session, plan)
        assert len(rows) == len(units)
        for row in rows:
            if row.over:
                assert row.code and row.words and row.weeks_over >= 1
                continue
            days = [d for d in [row.last, *row.visits] if d is not None]
            assert days, "never visited, not planned, and not said"
            limit = row.unit.max_weeks_unvisited
            for before, after in itertools.pairwise(days):
                assert week_of(after) <= max(coverage.deadline(before, limit), WEEK)
            assert coverage.deadline(days[-1], limit) > SECOND


def test_limits_are_set_by_kind_and_kept(session: Session) -> None:
    """All units of a kind change at once and are told by kind; an impossible limit is refused."""
    kind = session.scalars(select(LocalUnit.kind)).first()
    count = len(session.scalars(select(LocalUnit).where(LocalUnit.kind == kind)).all())
    assert planner.set_limit(session, 7, kind=kind) == count
    assert planner.limits(session)[str(kind)] == (count, 7, 7)
    with pytest.raises(FleetError):
        planner.set_limit(session, 0, kind=kind)


def test_one_week_is_as_it_was(session: Session) -> None:
    """A draft of one week is published as the row it is, without parts."""
    plan = solved(session)
    report = planner.publish(session, plan, actor="p", now=FRIDAY)
    assert report.parts == () and plan.status == "published" and plan.weeks == 1


def _visited(session: Session, unit: LocalUnit, day: date) -> None:
    """A visit of the past to the unit's first place."""
    site = session.scalars(select(Site).where(Site.local_unit_id == unit.id)).first()
    center = session.scalars(select(Center)).first()
    assert site is not None and center is not None
    services = session.scalars(select(Service)).all()
    queue = make_queue(session, name_ar="ز", name_en="v", services=services, desks=1)
    session.add(
        Visit(
            center_id=center.id, site_id=site.id, queue_id=queue.id, day=day, status="closed",
            opens_at=local_instant(day, 540), closes_at=local_instant(day, 720),
        )
    )  # fmt: skip
    session.flush()
