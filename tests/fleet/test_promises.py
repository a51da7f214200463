"""A planner's word that a district is visited: kept by later drafts, explained where it cannot be, taken back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import Invalid
from fleet.planning import coverage, promises
from fleet.planning.blobs import decode
from fleet.planning.fairness import UnitCoverage
from fleet.planning.ledger import visits_of
from fleet.store import Center, LocalUnit, Plan, Site, Visit
from tests.fleet.planning_cast import FRIDAY, WEEK, planned, solved


@pytest.fixture
def session() -> Iterator[Session]:
    """The cast with one van, which works on Saturday mornings alone: it makes one visit, and a district is left out."""
    with planned() as (s, _plan):
        for n, center in enumerate(s.scalars(select(Center).order_by(Center.id))):
            center.weekdays, center.shift_end = "1000000", center.shift_start + 270
            center.status = "ready" if n == 0 else "out_of_service"
        s.commit()
        yield s


def left_out(session: Session, plan: Plan) -> LocalUnit:
    """A unit that the plan does not visit though a center could."""
    visited = {visit.site.local_unit_id for visit in visits_of(session, plan)}
    rows = [row for row in planner.coverage_of(session, plan) if row.unit.id not in visited]
    reachable = [row.unit for row in rows if row.code in ("displaced", "not_worth", "left_over", "")]
    assert reachable, [(row.unit.code, row.code) for row in rows]
    return reachable[0]


def row_of(session: Session, plan: Plan, unit: LocalUnit) -> UnitCoverage:
    """The unit in the plan."""
    return next(row for row in planner.coverage_of(session, plan) if row.unit.id == unit.id)


def test_a_promise_is_kept_by_the_next_draft_and_given_up_by_taking_it_back(session: Session) -> None:
    """The draft made before says so; the next one visits the district whatever else it gives up; without the promise
    it is weighed as before."""
    before = solved(session)
    unit = left_out(session, before)
    planner.promise(session, unit, WEEK, 1)
    word = row_of(session, before, unit).word
    assert word is not None and word.state == "before" and word.open
    after = solved(session)
    kept = row_of(session, after, unit).word
    assert kept is not None and kept.state == "kept"
    assert kept.days == row_of(session, after, unit).visits != ()
    planner.take_back(session, unit)
    assert row_of(session, after, unit).word is None
    groups = decode(solved(session).problem).problem.groups
    assert promises.name_of(unit) not in {group.name for group in groups}


def test_a_promise_that_no_center_can_keep_is_explained(session: Session) -> None:
    """Its places are a thousand kilometres away: the plan is made all the same, and says too_far about one of them."""
    unit = left_out(session, solved(session))
    for site in session.scalars(select(Site).where(Site.local_unit_id == unit.id)):
        site.lat -= 9.0
    planner.promise(session, unit, WEEK, 1)
    plan = solved(session)
    row = row_of(session, plan, unit)
    assert row.word is not None and row.word.state == "broken" and row.word.open
    assert row.code == "too_far" and row.site_id is not None
    assert visits_of(session, plan), "one broken promise does not empty the week"


def test_a_promise_with_weeks_to_spare_binds_only_the_last_plan_that_can_keep_it(session: Session) -> None:
    """Within two weeks: the first week need not, the second must unless the first did."""
    unit = session.scalars(select(LocalUnit).order_by(LocalUnit.id)).all()[-1]
    sites = list(session.scalars(select(Site)))
    planner.promise(session, unit, WEEK, 2)

    def bound(week: int) -> bool:
        groups = coverage.groups(session, sites, WEEK + timedelta(days=7 * week), dearest=500)
        return promises.name_of(unit) in {group["name"] for group in groups}

    assert not bound(0) and bound(1) and not bound(2)
    word = row_of(session, solved(session), unit).word
    assert word is not None and word.state in ("later", "kept")
    donor = session.scalars(select(Visit)).first()
    if donor is None:
        planner.publish(session, session.get_one(Plan, 1), actor="p", now=FRIDAY)
        donor = session.scalars(select(Visit)).first()
    assert donor is not None
    for visit in session.scalars(select(Visit)):
        visit.status = "cancelled"
    donor.site_id = next(site.id for site in sites if site.local_unit_id == unit.id)
    donor.day, donor.status = WEEK + timedelta(days=1), "announced"
    session.flush()
    assert not bound(1)


def test_a_broken_promise_costs_more_than_a_center_can_earn() -> None:
    """Twenty of the dearest visits; never less than the least."""
    assert promises.penalty(0) == promises.LEAST_PENALTY
    assert promises.penalty(2_500) == 50_000


def test_a_promise_without_end_is_refused(session: Session) -> None:
    """One to eight weeks; what comes round again has limits."""
    unit = session.scalars(select(LocalUnit)).first()
    assert unit is not None
    for weeks in (0, 9):
        with pytest.raises(Invalid, match="1 to 8 weeks"):
            planner.promise(session, unit, WEEK, weeks)
    assert unit.promised_until is None
