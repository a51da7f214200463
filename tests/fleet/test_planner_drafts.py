"""Drafts: the problem, the solver's answer, pins through a second draft, reasons, the exchange format."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from fleet import baseline, planner
from fleet.errors import FleetError
from fleet.planning.blobs import decode, pack, unpack
from fleet.planning.ledger import visits_of
from fleet.store import Center, Plan, PlanVisit
from routing.check import check
from routing.problem import Problem
from routing.solution import Plan as Routes
from tests.fleet.planning_cast import FRIDAY, WEEK, planned, solved

REFEREE = Path(__file__).resolve().parents[2].parent / "shared" / "tools" / "check_plan.py"


@pytest.fixture
def session() -> Session:  # type: ignore[misc]
    with planned() as (s, _):
        yield s


def spot(visit: PlanVisit) -> tuple[int, int, date, int, int]:
    """Center, site, day, start and stay of a visit."""
    return visit.center_id, visit.site_id, visit.day, visit.start_minute, visit.stay_minutes


def test_the_problem_is_valid_and_holds_every_ready_van_and_active_site(session: Session) -> None:
    """All four vans and twelve sites are in it, forecourts closed on Saturday, nothing open on Friday."""
    problem = planner.build_problem(session, WEEK, now=FRIDAY)
    parsed = Problem.from_json(problem)
    assert {c.id for c in parsed.centers} == {"MC-0-0", "MC-0-1", "MC-1-0", "MC-1-1"}
    assert len(parsed.sites) == 12
    for site in parsed.sites:
        assert site.window(6) is None
        assert (site.window(0) is None) == site.id.startswith("F-")
    assert problem["unit"] == "0.1 person-hours"
    assert {g["name"] for g in problem["groups"]} >= {"local_unit:U00", "governorate:EG-1"}


def test_a_van_out_of_service_is_not_planned(session: Session) -> None:
    """Its id is gone from the problem, the other three stay."""
    session.query(Center).filter_by(code="MC-0-0").update({"status": "out_of_service"})
    problem = planner.build_problem(session, WEEK, now=FRIDAY)
    assert "MC-0-0" not in {c["id"] for c in problem["centers"]} and len(problem["centers"]) == 3


def test_an_accepted_plan_is_kept_as_visits_that_add_up(session: Session) -> None:
    """Hours of the visits sum to the plan's, the objective is the referee's, and it beats the biggest towns
    in turn."""
    plan = session.get_one(Plan, 1)
    visits = visits_of(session, plan)
    assert plan.status == "draft" and visits
    assert sum(v.hours_saved for v in visits) == pytest.approx(plan.hours_saved, abs=0.5)
    assert plan.baseline_hours is not None and plan.hours_saved > 1.1 * plan.baseline_hours > 0
    assert plan.bound is not None and plan.objective is not None and plan.bound >= plan.objective
    assert planner.totals(session, plan).drive_minutes == sum(v.drive_minutes for v in visits)


@pytest.mark.parametrize("spoil", ["earlier", "objective", "shape"])
def test_a_faulty_answer_of_the_solver_is_refused(session: Session, spoil: str) -> None:
    """An impossible start, a wrong objective or another shape: nothing is kept and the plan still waits."""
    good = unpack(session.get_one(Plan, 1).solution)
    plan = planner.create_draft(session, WEEK, seconds=1, seed=1, actor="p", now=FRIDAY)
    bad = json.loads(json.dumps(good))
    if spoil == "earlier":
        bad["routes"][0]["stops"][0]["start"] -= 300
    elif spoil == "objective":
        bad["objective"] += 1
    else:
        bad["routes"] = "none"
    with pytest.raises(FleetError) as caught:
        planner.accept_solution(session, plan, bad, now=FRIDAY)
    assert caught.value.code == "bad_solution"
    assert plan.status == "solving" and not visits_of(session, plan)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_pinned_visits_are_kept_through_a_second_draft(data: st.DataObject) -> None:
    """Whichever visits are pinned, the next draft holds them exactly and pinned, whatever its seed."""
    with planned() as (session, first):
        visits = visits_of(session, first)
        chosen = data.draw(st.lists(st.sampled_from(range(len(visits))), unique=True, max_size=8))
        for i in chosen:
            planner.pin(session, visits[i], actor="planner", now=FRIDAY)
        second = solved(session, seed=data.draw(st.integers(1, 3)), from_plan=first)
        kept = {spot(v): v.pinned for v in visits_of(session, second)}
        for i in chosen:
            assert kept.get(spot(visits[i])) is True
        assert sum(kept.values()) == len(chosen)
        _referee(session, second)


def test_a_pin_that_no_rule_allows_any_more_is_dropped_and_named(session: Session) -> None:
    """A pinned visit of a van that broke down cannot be kept: the new draft says which one went."""
    first = session.get_one(Plan, 1)
    visit = visits_of(session, first)[0]
    planner.pin(session, visit, actor="planner", now=FRIDAY)
    visit.center.status = "out_of_service"
    second = solved(session, from_plan=first)
    assert visit.center.code in second.message and second.message.startswith("pins_dropped")
    assert all(v.center_id != visit.center_id for v in visits_of(session, second))


def test_days_that_have_begun_are_frozen_in_a_new_draft(session: Session) -> None:
    """Drafted again on Tuesday: Saturday to Tuesday are as published, only later days may differ."""
    first = session.get_one(Plan, 1)
    planner.publish(session, first, actor="planner", now=FRIDAY)
    tuesday = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
    second = solved(session, now=tuesday, seed=5)
    begun = date(2026, 11, 24)
    assert {spot(v) for v in visits_of(session, second) if v.day <= begun} == {
        spot(v) for v in visits_of(session, first) if v.day <= begun
    }
    assert all(v.pinned for v in visits_of(session, second) if v.day <= begun)


def test_a_week_that_is_over_cannot_be_drafted(session: Session) -> None:
    """All its days have begun: the refusal has its own code."""
    with pytest.raises(FleetError) as caught:
        planner.create_draft(
            session, WEEK, seconds=1, seed=1, actor="p", now=datetime(2026, 11, 28, tzinfo=UTC)
        )
    assert caught.value.code == "week_over"


def test_every_candidate_without_a_visit_has_a_reason(session: Session) -> None:
    """Sites visited and sites with a reason are all candidates and no site is both, also after manual
    removals."""
    plan = session.get_one(Plan, 1)
    problem = decode(plan.problem).problem
    for _ in range(3):
        visits = visits_of(session, plan)
        reasons = planner.unserved(session, plan)
        assert all(r.code and r.words for r in reasons)
        assert {r.site_id for r in reasons}.isdisjoint(v.site_id for v in visits)
        assert len({r.site_id for r in reasons}) + len({v.site_id for v in visits}) == len(problem.sites)
        change = planner.Change("remove", visit_id=visits[0].id)
        planner.apply_change(session, plan, change, revision=plan.revision, actor="p", now=FRIDAY)


def test_a_failed_draft_says_why(session: Session) -> None:
    """The message stays with the plan."""
    plan = planner.create_draft(session, WEEK, seconds=1, seed=1, actor="p", now=FRIDAY)
    planner.fail_draft(session, plan, "the solver ran out of memory", now=FRIDAY)
    assert (plan.status, plan.message) == ("failed", "the solver ran out of memory")


def test_a_second_draft_starts_from_the_first_ones_visits(session: Session) -> None:
    """The stored start is a feasible plan of the first draft's visits, manual changes included."""
    first = session.get_one(Plan, 1)
    gone = visits_of(session, first)[0]
    planner.apply_change(
        session, first, planner.Change("remove", visit_id=gone.id), revision=0, actor="p", now=FRIDAY
    )
    second = planner.create_draft(session, WEEK, seconds=1, seed=1, actor="p", now=FRIDAY, from_plan=first)
    start = Routes.from_json(unpack(second.solution))
    assert sum(len(r.stops) for r in start.routes) == len(visits_of(session, first))
    assert check(Problem.from_json(unpack(second.problem)), start, claims=False).feasible


def test_the_solver_is_started_as_a_module_of_this_python() -> None:
    """The argv names this interpreter, both files, the limits, and the start only when there is one."""
    argv = planner.solver_command(Path("p.gz"), Path("o"), seconds=60, seed=3, threads=2)
    assert argv[:5] == [sys.executable, "-m", "routing", "solve", "p.gz"] and "--start" not in argv
    assert argv[argv.index("--seconds") + 1] == "60" and "--progress" in argv
    started = planner.solver_command(
        Path("p.gz"), Path("o"), seconds=1, seed=3, threads=2, start_path=Path("s")
    )
    assert started[-2:] == ["--start", "s"]


def test_the_same_data_pack_to_the_same_bytes() -> None:
    """No time stamp goes into a stored problem, so that equal problems are recognised."""
    assert pack({"a": [1, "ع"]}) == pack({"a": [1, "ع"]})
    assert unpack(pack({"a": [1, "ع"]})) == {"a": [1, "ع"]}
    assert unpack(b"") == {}


def test_the_baseline_keeps_the_rules_and_goes_to_the_biggest_towns_in_turn(session: Session) -> None:
    """It passes the referee; on Sunday each governorate's vans stand in its two towns, the bigger first."""
    problem = decode(session.get_one(Plan, 1).problem).problem
    plan = baseline.baseline(problem, baseline.rankings(session, problem))
    assert check(problem, plan).feasible
    sunday = [(r.center, [s.site for s in r.stops]) for r in plan.routes if r.day == 1]
    assert sunday == [
        ("MC-0-0", ["F-00"]),
        ("MC-0-1", ["F-01"]),
        ("MC-1-0", ["F-10"]),
        ("MC-1-1", ["F-11"]),
    ]
    saturday = {s.site for r in plan.routes if r.day == 0 for s in r.stops}
    assert saturday and all(site.startswith("V-") for site in saturday)


def test_an_export_passes_the_referee_after_manual_changes(session: Session) -> None:
    """Removing a pinned-then-unpinned visit, adding elsewhere and pinning: problem and plan still agree."""
    plan = session.get_one(Plan, 1)
    _referee(session, plan)
    visits = visits_of(session, plan)
    planner.pin(session, visits[2], actor="p", now=FRIDAY)
    plan2 = solved(session, from_plan=plan)
    pinned = next(v for v in visits_of(session, plan2) if v.pinned)
    planner.unpin(session, pinned, actor="p", now=FRIDAY)
    planner.apply_change(
        session,
        plan2,
        planner.Change("remove", visit_id=pinned.id),
        revision=plan2.revision,
        actor="p",
        now=FRIDAY,
    )
    planner.pin(session, visits_of(session, plan2)[0], actor="p", now=FRIDAY)
    problem, answer = _referee(session, plan2)
    assert len(problem["pinned"]) == 1
    assert answer["bound"] is None, "proven under a pin that has been given up"


def _referee(session: Session, plan: Plan) -> tuple[dict, dict]:  # type: ignore[type-arg]
    """Both checks agree that the export is feasible; the referee's part is skipped where it is not at
    hand."""
    problem, answer = planner.export(session, plan)
    assert check(Problem.from_json(problem), Routes.from_json(answer)).feasible
    if not REFEREE.exists():
        return problem, answer
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("problem.json", "plan.json")]
        for path, data in zip(files, (problem, answer), strict=True):
            path.write_text(json.dumps(data), encoding="utf-8")
        run = subprocess.run(
            [sys.executable, str(REFEREE), *map(str, files)], capture_output=True, text=True, check=False
        )
    assert run.returncode == 0, run.stdout
    return problem, answer


@pytest.mark.skipif(not REFEREE.exists(), reason="the referee is not at hand beside the project")
def test_the_referee_names_the_same_objective(session: Session) -> None:
    """A program that shares no code with us finds the plan feasible and worth the same."""
    plan = session.get_one(Plan, 1)
    _referee(session, plan)
    assert planner.export(session, plan)[1]["objective"] == plan.objective
