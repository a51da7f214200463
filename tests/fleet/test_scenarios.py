"""The life of a scenario: it copies, is changed, solved and taken over; and it is never published."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fleet import planner
from fleet.errors import FleetError, Invalid
from fleet.forecast import make_forecast
from fleet.planner import Change
from fleet.planning.blobs import decode, unpack
from fleet.planning.frame import load_frame, marks_of
from fleet.planning.ledger import judge, visits_of
from fleet.planning.publish import publish_repaired
from fleet.planning.scenarios.standing import marks_of_answer
from fleet.store import Plan, PlanVisit, Visit
from routing.check import check
from routing.problem import Problem
from routing.solution import Plan as Routes
from routing.solve import solve
from tests.fleet.planning_cast import FRIDAY, WEEK, planned, published
from tests.fleet.scenarios_cast import solved_scenario

MORE = {"kind": "add_vans", "like": ["MC-0-1"], "count": 2}
LONGER = {"kind": "shift", "end": 1200}


def refused(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(FleetError) as caught:
        call(*args, **kwargs)
    return caught.value.code


def test_a_scenario_answers_the_changed_week() -> None:
    """More vans save more, the answer holds in the changed problem and its figures are the referee's."""
    with planned() as (session, plan):
        scenario = solved_scenario(session, plan, MORE)
        assert (scenario.kind, scenario.status, scenario.source_id) == ("scenario", "solved", plan.id)
        assert scenario.objective > plan.objective and scenario.bound >= scenario.objective
        problem = Problem.from_json(unpack(scenario.problem))
        answer = Routes.from_json(unpack(scenario.solution))
        verdict = check(problem, answer)
        assert verdict.feasible and verdict.objective == scenario.objective
        assert scenario.hours_saved == pytest.approx(verdict.costs.value / 10, abs=0.06)
        assert {r.center for r in answer.routes} & {"NEW-01", "NEW-02"}


def test_the_real_week_knows_nothing_of_it() -> None:
    """Solving a scenario adds no visits of plans, announces nothing and leaves its source as it is."""
    with planned() as (session, plan):
        before = (plan.problem, plan.solution, plan.revision, plan.hours_saved, counts(session))
        solved_scenario(session, plan, MORE, LONGER)
        assert (plan.problem, plan.solution, plan.revision, plan.hours_saved, counts(session)) == before


def test_no_verb_publishes_a_scenario() -> None:
    """Publishing, its preview, manual changes, pins, copies and drafts from it are refused, solved or not."""
    with planned() as (session, plan):
        visit = visits_of(session, plan)[0]
        for scenario in (
            solved_scenario(session, plan, MORE),
            planner.create_scenario(session, plan, name="New", actor="p", now=FRIDAY),
        ):
            before = counts(session)
            assert (
                refused(planner.publish, session, scenario, actor="p", now=FRIDAY) == "scenario_not_published"
            )
            assert refused(planner.preview, session, scenario, now=FRIDAY) == "scenario_not_published"
            assert (
                refused(publish_repaired, session, scenario, actor="p", now=FRIDAY, rows=()) == "not_a_draft"
            )
            assert (
                refused(planner.duplicate_as_draft, session, scenario, actor="p", now=FRIDAY)
                == "nothing_to_copy"
            )
            assert (
                refused(
                    planner.reserve_draft,
                    session,
                    WEEK,
                    seconds=5,
                    seed=1,
                    actor="p",
                    now=FRIDAY,
                    from_plan=scenario,
                )
                == "nothing_to_copy"
            )
            change = Change("add", center_id=visit.center_id, site_id=visit.site_id, day=visit.day)
            assert (
                refused(
                    planner.apply_change,
                    session,
                    scenario,
                    change,
                    revision=scenario.revision,
                    actor="p",
                    now=FRIDAY,
                )
                == "not_a_draft"
            )
            assert counts(session) == before and session.scalar(select(func.count(Visit.id))) == 0


@pytest.mark.parametrize("status", ["draft", "published", "superseded"])
def test_the_database_refuses_it_too(status: str) -> None:
    """Even code that forgets to ask cannot make a scenario a draft or a published plan."""
    with planned() as (session, plan):
        scenario = solved_scenario(session, plan, MORE)
        session.commit()
        scenario.status = status
        with pytest.raises(IntegrityError):
            session.flush()
        session.rollback()


def test_a_changed_list_makes_the_answer_void() -> None:
    """Figures of other changes never stand beside a list: they go with the first edit."""
    with planned() as (session, plan):
        scenario = solved_scenario(session, plan, MORE)
        planner.add_change(session, scenario, LONGER, revision=scenario.revision, actor="p", now=FRIDAY)
        assert scenario.status == "editing" and [c["kind"] for c in scenario.changes] == ["add_vans", "shift"]
        assert scenario.hours_saved is None and scenario.objective is None and not unpack(scenario.solution)
        planner.raise_change(session, scenario, 1, revision=scenario.revision, actor="p", now=FRIDAY)
        assert [c["kind"] for c in scenario.changes] == ["shift", "add_vans"]
        planner.drop_change(session, scenario, 0, revision=scenario.revision, actor="p", now=FRIDAY)
        assert [c["kind"] for c in scenario.changes] == ["add_vans"]
        again = {**MORE, "count": 1}
        planner.replace_change(session, scenario, 0, again, revision=scenario.revision, actor="p", now=FRIDAY)
        assert scenario.changes == [again]


def test_edits_are_checked_together_and_by_revision() -> None:
    """A list that cannot be is refused whole; a form opened on an older list is refused; names are asked for."""
    with planned() as (session, plan):
        scenario = planner.create_scenario(
            session, plan, name=" Two  more ", actor="p", now=FRIDAY, changes=[MORE]
        )
        assert scenario.name == "Two more"
        named = {"kind": "shift", "centers": ["NEW-02"], "end": 1200}
        planner.add_change(session, scenario, named, revision=0, actor="p", now=FRIDAY)
        session.commit()
        with pytest.raises(Invalid) as caught:  # the second change names a van of the first
            planner.drop_change(session, scenario, 0, revision=1, actor="p", now=FRIDAY)
        assert (caught.value.details["change"], caught.value.details["reason"]) == (1, "unknown_center")
        session.rollback()
        assert len(scenario.changes) == 2 and scenario.revision == 1
        assert (
            refused(planner.add_change, session, scenario, LONGER, revision=0, actor="p", now=FRIDAY)
            == "stale_revision"
        )
        session.rollback()
        assert (
            refused(planner.create_scenario, session, plan, name="  ", actor="p", now=FRIDAY)
            == "name_missing"
        )
        scenario.status = "solving"
        assert (
            refused(planner.add_change, session, scenario, LONGER, revision=1, actor="p", now=FRIDAY)
            == "scenario_solving"
        )


def test_a_scenario_can_be_copied_with_its_changes() -> None:
    """The copy starts from the same plan under the same changes; then each goes its own way."""
    with planned() as (session, plan):
        first = planner.create_scenario(session, plan, name="A", actor="p", now=FRIDAY, changes=[MORE])
        second = planner.create_scenario(session, first, name="B", actor="p", now=FRIDAY, changes=[LONGER])
        assert second.source_id == plan.id and second.changes == [*first.changes, LONGER]
        planner.discard_scenario(session, first, now=FRIDAY)
        assert [s.name for s in planner.scenarios(session)] == ["B"]
        assert planner.scenarios(session, WEEK + timedelta(days=7)) == []


def test_unsolved_plans_cannot_be_copied() -> None:
    """A plan without visits has no week to copy."""
    with planned() as (session, _plan):
        failed = Plan(week=WEEK, status="failed", created_at=FRIDAY, created_by="p")
        session.add(failed)
        session.flush()
        assert (
            refused(planner.create_scenario, session, failed, name="A", actor="p", now=FRIDAY)
            == "nothing_to_copy"
        )


def test_the_search_starts_from_the_present_week() -> None:
    """What of the source's visits still stands is the search's start, and every rule of the changed week holds."""
    with planned() as (session, plan):
        scenario = planner.create_scenario(
            session,
            plan,
            name="A",
            actor="p",
            now=FRIDAY,
            changes=[{"kind": "remove_vans", "centers": ["MC-0-0"]}],
        )
        prepared = planner.prepare(session, scenario, now=FRIDAY)
        start = Routes.from_json(unpack(prepared.start))
        full = Problem.from_json(unpack(prepared.problem))
        assert check(full, start).feasible
        frame = load_frame(session, WEEK)
        others = {m.key for m in marks_of(visits_of(session, plan), frame) if m.center != "MC-0-0"}
        assert {r.key for r in start.routes} == others


def test_pins_that_a_change_forbids_are_named() -> None:
    """Who loses a pinned visit to a change is told."""
    with planned() as (session, plan):
        first = visits_of(session, plan)[0]
        planner.pin(session, first, actor="p", now=FRIDAY)
        code, site = first.center.code, first.site.code
        scenario = solved_scenario(session, plan, {"kind": "remove_vans", "centers": [code]})
        assert scenario.message == f"pins_dropped: {code} {first.day.isoformat()} {site}"
        kept = solved_scenario(session, plan, LONGER)
        assert not kept.message
        assert (code, site) in {(m.center, m.site) for m in marks_of_answer(unpack(kept.solution))}


def test_taking_over_makes_a_draft_of_what_is_real() -> None:
    """Decisions are in force in the draft, suppositions are named as left out with the visits that need them."""
    with planned() as (session, plan):
        decisions = [
            {"kind": "days_off", "centers": ["MC-1-0"], "days": [1]},
            {"kind": "coverage", "each": "district", "at_least": 1, "penalty": 77},
        ]
        scenario = solved_scenario(session, plan, MORE, decisions[0], LONGER, decisions[1])
        would = planner.prepare_takeover(session, scenario, now=FRIDAY)
        assert would.taken == (1, 3) and would.not_taken == (0, 2)
        assert {m.center for m in would.left_out} >= {"NEW-01"} and not {m.center for m in would.visits} & {
            "NEW-01"
        }
        assert len(would.visits) + len(would.left_out) == len(marks_of_answer(unpack(scenario.solution)))
        draft = planner.fill_takeover(session, would, actor="p", now=FRIDAY)
        assert (draft.kind, draft.status, draft.source_id) == ("plan", "draft", scenario.id)
        raw = decode(draft.problem).raw
        here = {c["id"]: c for c in raw["centers"]}
        assert (
            1 not in here["MC-1-0"]["days"]
            and here["MC-0-0"]["shift"] == [420, 1020]
            and "NEW-01" not in here
        )
        assert {g["penalty"] for g in raw["groups"] if g["name"].startswith("local_unit:")} == {770}
        rows = visits_of(session, draft)
        assert judge(marks_of(rows, load_frame(session, WEEK)), decode(draft.problem)).feasible
        report = planner.publish(session, draft, actor="p", now=FRIDAY)
        assert len(report.created) == len(rows) > 0 and scenario.status == "solved"


def test_taking_over_keeps_what_has_begun() -> None:
    """On a Monday, Saturday and Sunday stay as they were published, whatever the scenario decided about them."""
    with planned() as (session, _):
        plan = published(session)
        monday = FRIDAY + timedelta(days=2, hours=14)
        codes = {v.center.code for v in visits_of(session, plan) if v.day <= WEEK + timedelta(days=1)}
        gone = sorted(codes)[0]
        scenario = solved_scenario(session, plan, {"kind": "remove_vans", "centers": [gone]})
        would = planner.prepare_takeover(session, scenario, now=monday)
        begun = {(m.center, m.day, m.site) for m in would.visits if m.day <= 1}
        frame = load_frame(session, WEEK)
        assert begun == {
            (m.center, m.day, m.site) for m in marks_of(visits_of(session, plan), frame) if m.day <= 1
        }
        assert all(m.center != gone for m in would.visits if m.day > 2)
        after = WEEK + timedelta(days=9)
        late = FRIDAY.replace(month=after.month, day=after.day)
        assert refused(planner.prepare_takeover, session, scenario, now=late) == "week_over"


def test_taking_over_needs_an_answer() -> None:
    """Only a solved scenario can be taken over, and only a scenario."""
    with planned() as (session, plan):
        scenario = planner.create_scenario(session, plan, name="A", actor="p", now=FRIDAY)
        assert refused(planner.prepare_takeover, session, scenario, now=FRIDAY) == "scenario_not_solved"
        assert refused(planner.prepare_takeover, session, plan, now=FRIDAY) == "not_a_scenario"


def test_nights_away_reach_the_answer() -> None:
    """A scenario with nights away is solved, checked and measured as one."""
    with planned() as (session, plan):
        scenario = solved_scenario(session, plan, {"kind": "nights", "governorate": "EG-1", "nights": 2})
        measured = planner.measure(session, scenario)
        overnight = sum(r.overnight for r in Routes.from_json(unpack(scenario.solution)).routes)
        assert measured.total.nights == overnight
        assert scenario.objective >= plan.objective


def counts(session: Session) -> tuple[int, int]:
    """(visits of plans, published plans)."""
    rows = session.scalar(select(func.count(PlanVisit.id))) or 0
    return rows, session.scalar(select(func.count(Plan.id)).where(Plan.status == "published")) or 0


def test_two_weeks_at_once() -> None:
    """A draft of two weeks is copied, changed, valued on each of its days, measured and taken over as one."""
    with planned() as (session, _):
        make_forecast(session, WEEK + timedelta(days=7), now=FRIDAY)
        plan = planner.reserve_draft(session, WEEK, seconds=5, seed=1, actor="p", now=FRIDAY, weeks=2)
        planner.fill_draft(session, plan, planner.prepare(session, plan, now=FRIDAY))
        answer = solve(Problem.from_json(decode(plan.problem).raw), iterations=3, seed=1, threads=1)
        planner.accept_solution(session, plan, answer.to_json(), now=FRIDAY)
        scenario = solved_scenario(
            session,
            plan,
            {"kind": "demand", "percent": 160, "site": "F-00", "days": [9]},
            {"kind": "days_off", "centers": ["MC-0-0"], "days": [8, 10]},
            {"kind": "unvisited", "weeks": 1},
        )
        before, after = (decode(one.problem).problem for one in (plan, scenario))
        assert len(after.days) == 14 and set(after.center_by_id["MC-0-0"].days) == {
            d for d in before.center_by_id["MC-0-0"].days if d not in (8, 10)
        }
        percents = [problem.site_by_id["F-00"].day_percent or () for problem in (before, after)]
        assert percents[1][9] / percents[1][8] > 1.2 * percents[0][9] / percents[0][8]
        measured = planner.measure(session, scenario)
        assert (
            measured.total.visits == len(marks_of_answer(unpack(scenario.solution)))
            and measured.left_out == 0
        )
        would = planner.prepare_takeover(session, scenario, now=FRIDAY)
        draft = planner.fill_takeover(session, would, actor="p", now=FRIDAY)
        assert draft.weeks == 2 and max(v.day for v in visits_of(session, draft)) >= WEEK + timedelta(days=7)
        assert judge(
            marks_of(visits_of(session, draft), load_frame(session, WEEK)), decode(draft.problem)
        ).feasible
        report = planner.publish(session, draft, actor="p", now=FRIDAY)
        assert session.scalar(select(func.count(Visit.id))) == len(visits_of(session, draft)) and report
