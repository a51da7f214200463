"""Why, where else, at what price: what planning tells is what applying it does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import FleetError
from fleet.planner import Change, DayStops, Option
from fleet.planning.ledger import visits_of
from fleet.store import Center, Plan, PlanVisit, Site
from tests.fleet.planning_cast import FRIDAY, WEEK, planned


@pytest.fixture
def session() -> Iterator[Session]:
    with planned() as (session, _plan):
        yield session


def plan_of(session: Session) -> Plan:
    return session.get_one(Plan, 1)


def apply(session: Session, plan: Plan, option: Option, visit: PlanVisit | None = None) -> planner.Verdict:
    change = Change("days", visit_id=visit.id if visit else None, days=option.days)
    told = planner.try_change(session, plan, change, now=FRIDAY)
    done = planner.apply_change(session, plan, change, revision=plan.revision, actor="planner", now=FRIDAY)
    assert done == told
    return done


def unserved_sites(session: Session, plan: Plan) -> list[int]:
    return [one.site_id for one in planner.unserved(session, plan)]


def test_every_option_for_a_place_without_a_visit_can_be_pressed(session: Session) -> None:
    """Each breaks no rule; the plan's objective and hours change by exactly what was said, the place has its visit."""
    plan = plan_of(session)
    tried = 0
    for site_id in unserved_sites(session, plan):
        for n in range(len(planner.why_none(session, plan, site_id, now=FRIDAY).options)):
            with session.begin_nested() as attempt:
                option = planner.why_none(session, plan, site_id, now=FRIDAY).options[n]
                before = {(v.id, v.site_id) for v in visits_of(session, plan)}
                verdict = apply(session, plan, option)
                tried += 1
                assert verdict.delta_objective == round(10 * option.gain)
                assert verdict.delta_hours == pytest.approx(option.hours, abs=0.11)
                assert verdict.delta_drive == option.drive_minutes
                assert verdict.placed == option.placed
                after = {(v.id, v.site_id) for v in visits_of(session, plan)}
                assert {s for _, s in after - before} == {site_id}
                assert sorted(s for _, s in before - after) == sorted(p.site_id for p in option.dropped)
                attempt.rollback()
            session.expire_all()
    assert tried > 5


def test_every_other_place_for_a_visit_can_be_pressed(session: Session) -> None:
    """The visit keeps its number; what gives way and what moves is what was said."""
    plan = plan_of(session)
    tried = 0
    for visit_id in [v.id for v in visits_of(session, plan)]:
        why = planner.why_this(session, session.get_one(PlanVisit, visit_id), now=FRIDAY)
        for option in why.elsewhere:
            with session.begin_nested() as attempt:
                verdict = apply(session, plan, option, session.get_one(PlanVisit, visit_id))
                tried += 1
                assert verdict.delta_objective == round(10 * option.gain)
                moved = session.get_one(PlanVisit, visit_id)
                placed = option.placed
                assert (moved.center_id, moved.site_id, moved.day, moved.start_minute, moved.stay_minutes) == (
                    placed.center_id, placed.site_id, placed.day, placed.start_minute, placed.stay_minutes,
                )  # fmt: skip
                attempt.rollback()
            session.expire_all()
    assert tried > 5


def test_what_a_visit_is_worth_is_what_taking_it_out_loses(session: Session) -> None:
    plan = plan_of(session)
    for visit in visits_of(session, plan):
        why = planner.why_this(session, visit, now=FRIDAY)
        verdict = planner.try_change(session, plan, Change("remove", visit_id=visit.id), now=FRIDAY)
        assert why.worth is not None and verdict.delta_objective == -round(10 * why.worth)
        assert why.hours == pytest.approx(visit.hours_saved, abs=0.06)
        assert why.margin is not None and why.margin <= why.worth


def test_obstacles_count_every_center_and_day_once(session: Session) -> None:
    plan = plan_of(session)
    centers = len(session.scalars(select(Center.id)).all())
    for site_id in unserved_sites(session, plan):
        why = planner.why_none(session, plan, site_id, now=FRIDAY)
        assert sum(o.days for o in why.obstacles) == 7 * centers
        assert why.code and all(o.centers <= centers for o in why.obstacles)


def alone_and_poorer(way: Option) -> bool:
    return way.kind == "free" and way.gain < 0


def test_a_pinned_visit_is_explained_and_its_pin_priced(session: Session) -> None:
    """A pin that blocks a better use costs what that gains; the best change is refused while it is pinned."""
    plan = plan_of(session)
    # Moved alone to a poorer free place: then the way back is among what is looked at, and its gain is the pin's price.
    poor, worse = next(
        (visit, worse)
        for visit in sorted(visits_of(session, plan), key=lambda v: v.hours_saved)
        if (
            worse := [
                w for w in planner.why_this(session, visit, now=FRIDAY).elsewhere if alone_and_poorer(w)
            ]
        )
    )
    apply(session, plan, worse[-1], poor)
    moved = session.get_one(PlanVisit, poor.id)
    planner.pin(session, moved, actor="planner", now=FRIDAY)
    price = planner.pin_price(session, moved, now=FRIDAY)
    assert price.at_least >= -worse[-1].gain - 1e-9 and price.option is not None
    change = Change("days", visit_id=moved.id, days=price.option.days)
    refused = planner.try_change(session, plan, change, now=FRIDAY)
    assert "visit_pinned" in [f.code for f in refused.faults]
    planner.unpin(session, moved, actor="planner", now=FRIDAY)
    assert apply(session, plan, price.option, moved).delta_objective == round(10 * price.at_least)


def test_days_that_have_begun_and_vans_out_of_service_are_left_alone(session: Session) -> None:
    """On Monday at noon nothing is proposed before Tuesday, nor for a van in the workshop; asking for it is refused."""
    plan = plan_of(session)
    van = session.scalars(select(Center)).first()
    assert van is not None
    van.status = "out_of_service"
    session.flush()
    monday = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    options = [
        option
        for site_id in unserved_sites(session, plan)
        for option in planner.why_none(session, plan, site_id, now=monday).options
    ]
    assert options
    for option in options:
        assert all(d.day >= date(2026, 11, 24) and d.center_id != van.id for d in option.days)
    visit = next(v for v in visits_of(session, plan) if v.day <= date(2026, 11, 23))
    emptied = Change("days", days=(DayStops(visit.center_id, visit.day, ()),))
    assert "day_frozen" in [f.code for f in planner.try_change(session, plan, emptied, now=monday).faults]


def test_whole_days_that_break_rules_are_refused(session: Session) -> None:
    """Unknown numbers, days outside the week, two visits at once: told with their codes, nothing is changed."""
    plan = plan_of(session)
    visit = visits_of(session, plan)[0]
    site = session.get_one(Site, visit.site_id)
    cases = {
        "unknown_center": DayStops(99_999, WEEK, ()),
        "unknown_site": DayStops(visit.center_id, visit.day, ((99_999, 600, 120),)),
        "outside_week": DayStops(visit.center_id, date(2027, 1, 1), ()),
        "early_start": DayStops(
            visit.center_id, visit.day, ((site.id, visit.start_minute, visit.stay_minutes),) * 2
        ),
    }
    for code, day in cases.items():
        verdict = planner.try_change(session, plan, Change("days", days=(day,)), now=FRIDAY)
        assert code in [f.code for f in verdict.faults], code
        with pytest.raises(FleetError):
            planner.apply_change(
                session, plan, Change("days", days=(day,)), revision=plan.revision, actor="p", now=FRIDAY
            )
        session.rollback()


def test_a_place_that_is_no_candidate_is_an_error(session: Session) -> None:
    with pytest.raises(FleetError) as caught:
        planner.why_none(session, plan_of(session), 99_999, now=FRIDAY)
    assert caught.value.code == "unknown_site"
