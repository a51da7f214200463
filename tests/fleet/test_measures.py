"""Side by side: every figure equals what is counted anew from the problem and the visits."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import baseline, planner
from fleet.planner import Change, Measures
from fleet.planning.blobs import decode, unpack
from fleet.planning.frame import load_frame, marks_of
from fleet.planning.ledger import visits_of
from fleet.planning.measures import ADDITIVE, marks_now
from fleet.store import Governorate, LocalUnit, Plan, Site
from fleet.value import WAIT_WEIGHT, compute_values
from routing.check import check
from routing.problem import Problem
from routing.solution import Plan as Routes
from routing.solution import describe
from tests.fleet.planning_cast import FRIDAY, WEEK, planned
from tests.fleet.scenarios_cast import solved_scenario


def recounted(session: Session, plan: Plan) -> Measures:
    """The figures of a scenario's answer, counted from its problem and plan alone."""
    raw = unpack(plan.problem)
    problem = Problem.from_json(raw)
    answer = Routes.from_json(unpack(plan.solution))
    travel = decode(plan.problem).travel
    costs = check(problem, answer).costs
    made = Measures(
        drive_cost=costs.travel / 10,
        van_cost=(costs.fixed + costs.nights) / 10,
        penalties=costs.penalties / 10,
        hours=costs.value / 10,
    )
    sites = {s.code: s for s in session.scalars(select(Site))}
    stops = [(r.center, r.day, s) for r in answer.routes for s in r.stops]
    at = {site["id"]: site for site in raw["sites"]}
    for center, day, stop in stops:
        kind = problem.center_by_id[center].kind
        offer = next(o for o in at[stop.site]["offers"][kind] if o["stay"] == stop.stay)
        made.people += offer["people"] * at[stop.site]["day_percent"][day] / 100
    made.visits, made.places = len(stops), len({s.site for _, _, s in stops})
    made.villages = len({s.site for _, _, s in stops if sites[s.site].kind == "village"})
    made.districts = len({sites[s.site].local_unit_id for _, _, s in stops})
    made.vans, made.van_days = len({c for c, _, _ in stops}), len({(c, d) for c, d, _ in stops})
    for route in answer.routes:
        told = describe(problem, travel, route)
        made.km += told.km or 0.0
        made.drive_hours += (told.drive or 0) / 60
    return made


def test_totals_are_the_recounted_ones() -> None:
    """Hours, people, places, driving and costs of a scenario are those of its problem and its routes."""
    with planned() as (session, plan):
        scenario = solved_scenario(session, plan, {"kind": "add_vans", "like": ["MC-0-0"], "count": 1})
        got, wanted = planner.measure(session, scenario).total, recounted(session, scenario)
        for name in ("visits", "places", "villages", "districts", "vans", "van_days"):
            assert getattr(got, name) == getattr(wanted, name), name
        for name in ("hours", "people", "km", "drive_hours", "drive_cost", "van_cost", "penalties"):
            assert getattr(got, name) == pytest.approx(getattr(wanted, name), abs=0.5), name
        assert got.net == pytest.approx((scenario.objective or 0) / 10, abs=0.1)
        assert got.cost == pytest.approx(got.drive_cost + got.van_cost + got.penalties)


def test_governorates_add_up() -> None:
    """What can be added is, over governorates, the whole; driving and vans are shared out where they belong."""
    with planned() as (session, plan):
        measured = planner.measure(session, plan)
        assert len(measured.governorates) == 2
        for name in ADDITIVE:
            parts = sum(getattr(one, name) for one in measured.governorates.values())
            assert parts == pytest.approx(getattr(measured.total, name), abs=0.01), name
        for name in ("drive_cost", "van_cost"):  # without nights away nothing is left over
            parts = sum(getattr(one, name) for one in measured.governorates.values())
            assert parts == pytest.approx(getattr(measured.total, name)), name
        assert {f.name for f in fields(Measures)} >= set(ADDITIVE)


def test_waiting_and_trips_are_told_apart() -> None:
    """The two parts make up the hours, as the model values them: waiting counts by its weight."""
    with planned() as (session, plan):
        total = planner.measure(session, plan).total
        assert total.waiting + total.trips == pytest.approx(total.hours)
        values = compute_values(session, WEEK, now=FRIDAY)
        row_of = {site_id: i for i, site_id in enumerate(values.site_ids)}
        waiting = 0.0
        for visit in visits_of(session, plan):
            row, day = row_of[visit.site_id], (visit.day - WEEK).days
            k, t = values.klasses.index(visit.center.klass), values.stays.index(visit.stay_minutes)
            waiting += WAIT_WEIGHT * max(0.0, values.waiting[row, day, k, t])
        assert total.waiting == pytest.approx(waiting, rel=0.05, abs=3) and total.waiting > 0


def test_plan_and_manual_change() -> None:
    """A draft is measured as it stands now, manual changes included, like the week board counts it."""
    with planned() as (session, plan):
        first = visits_of(session, plan)[0]
        planner.apply_change(
            session, plan, Change("remove", visit_id=first.id), revision=plan.revision, actor="p", now=FRIDAY
        )
        board, total = planner.totals(session, plan), planner.measure(session, plan).total
        assert (total.visits, total.places, total.vans) == (board.stops, board.places, board.centers)
        assert total.hours == pytest.approx(board.hours_saved, abs=0.1)
        assert total.km == pytest.approx(board.km, abs=0.1) and total.people == pytest.approx(
            board.people, abs=0.1
        )
        assert total.net == pytest.approx(board.objective / 10)


def test_measured_by_another_week() -> None:
    """By the source's week a scenario's visits count what they are worth there; new vans are left out and told."""
    with planned() as (session, plan):
        scenario = solved_scenario(
            session,
            plan,
            {"kind": "demand", "percent": 200},
            {"kind": "add_vans", "like": ["MC-0-0"], "count": 1},
        )
        marks = marks_now(session, scenario)
        mine = planner.measure(session, scenario, by=plan)
        assert mine.left_out == sum(m.center == "NEW-01" for m in marks)
        assert mine.total.visits == len(marks) - mine.left_out
        assert mine.total.hours < planner.measure(session, scenario).total.hours
        assert planner.measure(session, plan, by=plan).total == planner.measure(session, plan).total
        other = Plan(week=WEEK + timedelta(days=7), problem=plan.problem, kind="plan", status="draft")
        elsewhere = planner.measure(session, plan, by=other)
        assert elsewhere.total.visits == 0 and elsewhere.left_out == len(visits_of(session, plan))


def test_the_baseline_beside_them() -> None:
    """The biggest towns in turn, measured in the same figures as everything else."""
    with planned() as (session, plan):
        measured = planner.measure_baseline(session, plan)
        problem = decode(plan.problem).problem
        wanted = baseline.baseline(problem, baseline.rankings(session, problem))
        assert wanted.costs is not None and measured.total.hours == pytest.approx(
            wanted.costs.value / 10, abs=0.1
        )
        assert measured.total.net == pytest.approx(wanted.objective / 10)
        assert measured.total.hours == pytest.approx(plan.baseline_hours, abs=0.1)


def test_the_longest_unvisited() -> None:
    """A district that the plan reaches counts from that day, another from its last visit; the never visited are
    over their limit."""
    with planned() as (session, plan):
        total = planner.measure(session, plan).total
        frame = load_frame(session, WEEK)
        units = {s.code: s.local_unit_id for s in session.scalars(select(Site))}
        last: dict[int, int] = {}
        for mark in marks_of(visits_of(session, plan), frame):
            last[units[mark.site]] = max(last.get(units[mark.site], 0), mark.day)
        assert total.longest_weeks == pytest.approx(max((6 - day) / 7 for day in last.values()))
        assert total.overdue == len(session.scalars(select(LocalUnit)).all()) - len(last)
        governorates = {g.id for g in session.scalars(select(Governorate))}
        assert set(planner.measure(session, plan).governorates) <= governorates
