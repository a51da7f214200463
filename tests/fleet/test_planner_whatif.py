"""What would more bring: what a reckoning is given, and how its answers are read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import FleetError
from fleet.planner import Change
from fleet.planning import whatif
from fleet.planning.blobs import pack, unpack
from fleet.planning.ledger import visits_of
from fleet.store import Center, Plan, PlanVisit, Site
from routing.check import check
from routing.explain.board import Board
from routing.problem import Problem
from routing.solution import Plan as Routes
from routing.whatif import Question, answer, estimates
from tests.fleet.planning_cast import FRIDAY, planned


@pytest.fixture
def session() -> Iterator[Session]:
    with planned() as (session, _plan):
        yield session


def plan_of(session: Session) -> Plan:
    return session.get_one(Plan, 1)


def given(session: Session, *, now: datetime = FRIDAY) -> tuple[Problem, Routes, whatif.Material]:
    found = whatif.material(session, plan_of(session), now=now)
    return Problem.from_json(unpack(found.problem)), Routes.from_json(unpack(found.plan)), found


def test_a_reckoning_gets_the_plan_as_it_stands(session: Session) -> None:
    """Manual changes and pins included; every center that is ready, by governorate; days that have begun are shut."""
    plan = plan_of(session)
    visit = visits_of(session, plan)[0]
    planner.pin(session, visits_of(session, plan)[1], actor="p", now=FRIDAY)
    change = Change("remove", visit_id=visit.id)
    planner.apply_change(session, plan, change, revision=plan.revision, actor="p", now=FRIDAY)
    out = session.scalars(select(Center)).first()
    assert out is not None
    out.status = "out_of_service"
    session.flush()
    problem, routes, found = given(session, now=datetime(2026, 11, 22, 8, 0, tzinfo=UTC))
    verdict = check(problem, routes)
    assert verdict.feasible and verdict.objective == plan.objective
    assert len(problem.pinned) == 1
    listed = {code for codes in found.regions["regions"].values() for code in codes}
    ready = set(session.scalars(select(Center.code).where(Center.status == "ready")))
    assert listed == ready and out.code not in listed
    assert found.regions["closed_days"] == [0, 1]
    villages = set(session.scalars(select(Site.code).where(Site.kind == "village")))
    late = {code for codes in found.regions["crew_sites"].values() for code in codes}
    assert late == villages & {site.id for site in problem.sites}


def test_prices_of_the_last_search_go_along(session: Session) -> None:
    """Without them the estimates are promises alone; with them each says both."""
    plan = plan_of(session)
    solution = unpack(plan.solution)
    solution.pop("prices", None)
    plan.solution = pack(solution)
    assert given(session)[1].prices is None
    codes = session.scalars(select(Center.code)).all()
    solution["prices"] = {"days": [[code, day, 25.0] for code in codes for day in range(7)], "visits": []}
    plan.solution = pack(solution)
    problem, routes, found = given(session)
    assert routes.prices is not None
    told = estimates(
        Board(problem, routes),
        found.regions["regions"],
        routes.prices,
        crew_sites=found.regions["crew_sites"],
    )
    data = [
        {"region": e.region, "question": e.question.to_json(), "at_least": e.at_least, "priced": e.priced}
        for e in told
    ]
    read = whatif.read_estimates(data)
    vans = [e for e in read if e.kind == "van"]
    days = {c.id: len(c.days) for c in problem.centers}
    assert len(vans) == 2 and len(read) == 6
    for e in vans:
        assert e.priced == pytest.approx(2.5 * days[e.centers[0]]) and e.most >= e.priced


def test_an_answer_is_read_in_hours(session: Session) -> None:
    problem, routes, found = given(session)
    name = next(iter(found.regions["regions"].values()))[0]
    said = answer(problem, routes, Question("van", (name,)), iterations=6)
    read = whatif.read_answer(said.to_json())
    assert read.gain == said.gain / 10 >= 0
    assert read.low is not None and read.high is not None and read.low <= read.gain <= read.high
    assert read.exact == (said.high is not None and said.low is not None and said.high - said.low < 1.5)
    assert read.before.stops == said.before.stops and read.after.hours == said.after.value / 10


def test_a_plans_state_has_a_new_name_after_every_change(session: Session) -> None:
    plan = plan_of(session)
    names = [whatif.state_of(session, plan)]
    visit = visits_of(session, plan)[0]
    planner.pin(session, visit, actor="p", now=FRIDAY)
    names.append(whatif.state_of(session, plan))
    planner.unpin(session, visit, actor="p", now=FRIDAY)
    assert whatif.state_of(session, plan) == names[0]
    change = Change("remove", visit_id=visit.id)
    planner.apply_change(session, plan, change, revision=plan.revision, actor="p", now=FRIDAY)
    names.append(whatif.state_of(session, plan))
    assert len(set(names)) == 3


def test_questions_about_pins_and_places(session: Session) -> None:
    """They can be asked of the problem that goes along; what is not pinned or no candidate cannot be asked."""
    plan = plan_of(session)
    visit = visits_of(session, plan)[0]
    with pytest.raises(FleetError) as caught:
        whatif.pin_question(session, visit)
    assert caught.value.code == "not_pinned"
    planner.pin(session, visit, actor="p", now=FRIDAY)
    problem, routes, _ = given(session)
    asked = Question.from_json(whatif.pin_question(session, session.get_one(PlanVisit, visit.id)))
    assert answer(problem, routes, asked, iterations=4).gain >= 0
    site = session.get_one(Site, planner.unserved(session, plan)[0].site_id)
    assert Question.from_json(whatif.site_question(session, plan, site)).sites == (site.code,)
    site.code = "nobody-knows"
    with pytest.raises(FleetError) as caught:
        whatif.site_question(session, plan, site)
    assert caught.value.code == "unknown_site"


def test_the_command_names_its_files(tmp_path: Path) -> None:
    ask = {"kind": "van", "centers": ["M"]}
    argv = whatif.reckon_command(tmp_path, ask, seconds=20, threads=1)
    assert argv[1:3] == ["-m", "routing.whatif"] and "--question" in argv and "--estimates" not in argv
    assert "--estimates" in whatif.reckon_command(tmp_path, None, seconds=20, threads=1)
    with pytest.raises(FleetError):
        whatif.reckon_command(tmp_path, {"kind": "moon"}, seconds=20, threads=1)
