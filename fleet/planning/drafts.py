"""Drafts: made, solved, failed, copied."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import baseline
from fleet.calendar import week_days, week_of
from fleet.errors import Conflict, Invalid
from fleet.planning.blobs import decode, pack
from fleet.planning.filling import Filling, draft_like, fill, worked_out
from fleet.planning.frame import frozen, load_frame, marks_of, routes_of
from fleet.planning.horizon import checked_weeks, days_of, open_weeks, published_plans, weeks_of
from fleet.planning.ledger import judge, visits_of
from fleet.planning.problem import build_problem, pinned_json
from fleet.planning.scenarios.standing import marks_of_answer
from fleet.planning.scenarios.verbs import prepare_scenario
from fleet.planning.travel import Driving, driven
from fleet.store import Center, Plan, PlanVisit, Visit
from routing.check import check
from routing.errors import RoutingError
from routing.problem import Problem
from routing.solution import Plan as Routes


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a draft answers: its problem, the solver's start (both gzipped JSON), and what must be told."""

    problem: bytes
    start: bytes
    message: str


def reserve_draft(
    session: Session,
    week: date,
    *,
    seconds: float,
    seed: int,
    actor: str,
    now: datetime,
    from_plan: Plan | None = None,
    weeks: int = 1,
) -> Plan:
    """Return a new plan of `weeks` weeks (status solving) whose problem `prepare_draft` and `fill_draft` will bring.

    Kept as they stand: visits pinned in `from_plan`, the published visits of days that have begun, and in a plan of
    several weeks those of every published week. Pins that no rule would allow any more (a van out of service, a
    place closed) are left out and named in the plan's message. With `from_plan` its present visits are the solver's
    start (`solution`). Raises FleetError `week_over`, `other_week`, `span`, `all_published`.
    """
    week, weeks = week_of(week), checked_weeks(weeks)
    if from_plan is not None and from_plan.kind != "plan":
        raise Conflict("nothing_to_copy", "A scenario is taken over, not planned from.", plan=from_plan.id)
    plan = Plan(
        week=week,
        weeks=weeks,
        status="solving",
        created_at=now,
        created_by=actor,
        seed=seed,
        seconds=seconds,
        progress={},
    )
    if from_plan is not None and not set(weeks_of(from_plan)) & set(weeks_of(plan)):
        raise Invalid("other_week", "The plan to start from is of another week.", plan=from_plan.id)
    if all(frozen(day, now) for day in days_of(plan)):
        raise Conflict("week_over", "Every day of that week has begun: there is nothing left to plan.")
    if weeks > 1 and not any(frozen(week_days(w)[-1], now) is False for w in open_weeks(session, plan)):
        raise Conflict("all_published", "Every week of that span is published or over.")
    session.add(plan)
    session.flush()
    return plan


def prepare_draft(
    session: Session,
    week: date,
    *,
    now: datetime,
    from_plan: Plan | None = None,
    weeks: int = 1,
    driving: Driving | None = None,
) -> Prepared:
    """Build what a reserved draft of the weeks from that of `week` on will answer; `driving` says how long driving
    takes (None: the formula). Reads only, and takes seconds for a country: call it outside of any write transaction."""
    kept, dropped = _pins(session, week, weeks, from_plan, now)
    settled = published_plans(session, (week_of(week) + timedelta(days=7 * n) for n in range(weeks)))
    problem = driven(
        session,
        build_problem(session, week, now=now, pins=kept, weeks=weeks, settled=settled if weeks > 1 else ()),
        driving,
    )
    kept, faulty = _sound(session, problem, kept, week)
    packed = pack(problem)
    return Prepared(
        problem=packed,
        start=_start(session, packed, kept, from_plan, week, weeks),
        message=_dropped_words(session, dropped + faulty),
    )


def _start(
    session: Session,
    problem: bytes,
    kept: Sequence[PlanVisit],
    from_plan: Plan | None,
    week: date,
    weeks: int,
) -> bytes:
    """The visits of the plan to start from as a plan of the new problem; what stands comes first, and a center's day
    that breaks a rule by itself is left out."""
    if from_plan is None:
        return b""
    decoded, frame = decode(problem), load_frame(session, week)
    taken = {(v.center_id, v.day) for v in kept}
    last = week + timedelta(days=7 * weeks - 1)
    more = [
        v
        for v in visits_of(session, from_plan)
        if week <= v.day <= last and (v.center_id, v.day) not in taken
    ]
    marks = marks_of([*kept, *more], frame)
    faults = judge(marks, decoded).faults
    bad = {f.center for f in faults if f.center is not None}
    bad |= {m.center for m in marks if m.site in {f.site for f in faults if f.center is None}}
    held = {v.id for v in kept}
    sound = [m for m in marks if m.center not in bad or m.id in held]
    routes = tuple(routes_of(sound, decoded.problem, decoded.travel))
    verdict = judge(sound, decoded)
    return pack(Routes(decoded.problem.name, routes, verdict.objective).to_json())


def prepare(
    session: Session,
    plan: Plan,
    *,
    now: datetime,
    from_plan: Plan | None = None,
    driving: Driving | None = None,
) -> Prepared:
    """Build what a reserved plan of either kind, draft or scenario, will answer. As `prepare_draft`."""
    if plan.kind == "scenario":
        return Prepared(*prepare_scenario(session, plan, now=now))
    return prepare_draft(session, plan.week, now=now, from_plan=from_plan, weeks=plan.weeks, driving=driving)


def fill_draft(session: Session, plan: Plan, prepared: Prepared) -> None:
    """Give a reserved draft its problem. Raises Conflict `not_solving` when it was given up meanwhile."""
    if plan.status != "solving":
        raise Conflict("not_solving", "This plan does not wait for a solution.", plan=plan.id)
    plan.problem, plan.solution, plan.message = prepared.problem, prepared.start, prepared.message
    session.flush()


def create_draft(
    session: Session,
    week: date,
    *,
    seconds: float,
    seed: int,
    actor: str,
    now: datetime,
    from_plan: Plan | None = None,
    weeks: int = 1,
) -> Plan:
    """Reserve, prepare and fill a draft in one go: for small networks and for tests."""
    plan = reserve_draft(
        session, week, seconds=seconds, seed=seed, actor=actor, now=now, from_plan=from_plan, weeks=weeks
    )
    fill_draft(session, plan, prepare_draft(session, plan.week, now=now, from_plan=from_plan, weeks=weeks))
    return plan


@dataclass(frozen=True, slots=True)
class Solved:
    """A solver's answer, checked by code that shares nothing with the solver, and what it comes to."""

    problem: bytes
    """The problem that it answers, as stored."""
    solution: bytes
    """The answer as it will be stored."""
    filling: Filling
    objective: int
    bound: int | None
    baseline_hours: float


def prepare_solution(session: Session, plan: Plan, plan_json: Mapping[str, Any]) -> Solved:
    """Check the solver's fleet-plan and work out its figures. Reads only: call it outside of any write transaction.

    Raises Conflict `not_solving`, Invalid `bad_solution` with the faults.
    """
    if plan.status != "solving":
        raise Conflict("not_solving", "This plan does not wait for a solution.", plan=plan.id)
    decoded = decode(plan.problem)
    full = Problem.from_json(decoded.raw)
    try:
        routes = Routes.from_json(plan_json)
    except RoutingError as error:
        raise Invalid("bad_solution", "The solver's answer cannot be read.", faults=str(error)) from error
    verdict = check(full, routes, travel=decoded.travel)
    if not verdict.feasible:
        raise Invalid(
            "bad_solution",
            "The solver's plan breaks rules.",
            faults=[f"{f.code}: {f.text}" for f in verdict.faults[:20]],
        )
    pins = {(p.center, p.day, p.site, p.start, p.stay) for p in full.pinned}
    marks = [
        replace(mark, pinned=(mark.center, mark.day, mark.site, mark.start, mark.stay) in pins)
        for mark in marks_of_answer(plan_json)
    ]
    return Solved(
        plan.problem,
        pack(plan_json),
        worked_out(marks, decoded),
        verdict.objective,
        routes.bound,
        baseline.hours(full, baseline.rankings(session, full), decoded.travel),
    )


def accept_solution(
    session: Session,
    plan: Plan,
    plan_json: Mapping[str, Any],
    *,
    now: datetime,
    solved: Solved | None = None,
) -> None:
    """Take the solver's answer: kept as visits, or with a scenario in `solution` alone. `solved` is what
    `prepare_solution` made of it beforehand.

    Raises Conflict `not_solving`, Invalid `bad_solution` with the faults.
    """
    if plan.status != "solving":
        raise Conflict("not_solving", "This plan does not wait for a solution.", plan=plan.id)
    if solved is None or solved.problem != plan.problem:
        solved = prepare_solution(session, plan, plan_json)
    if plan.kind == "scenario":
        plan.hours_saved, plan.status = solved.filling.hours_saved, "solved"
    else:
        fill(session, plan, solved.filling, load_frame(session, plan.week))
        plan.status = "draft"
    plan.solution, plan.baseline_hours = solved.solution, solved.baseline_hours
    plan.objective, plan.bound = solved.objective, solved.bound
    plan.stop_requested = False
    session.flush()


def fail_draft(session: Session, plan: Plan, message: str, *, now: datetime) -> None:
    """Note that the draft could not be solved, and why."""
    plan.status = "failed"
    plan.message = message
    session.flush()


def duplicate_as_draft(session: Session, plan: Plan, *, actor: str, now: datetime) -> Plan:
    """Return a draft with the same visits: how a published plan is edited. Cancelled visits stay out."""
    if plan.status not in ("draft", "published", "superseded"):
        raise Conflict("nothing_to_copy", "Only a plan with visits can be copied.", plan=plan.id)
    decoded, frame = decode(plan.problem), load_frame(session, plan.week)
    gone = _cancelled(session, plan.week, plan.weeks)
    visits = [v for v in visits_of(session, plan) if (v.center_id, v.site_id, v.day) not in gone]
    filling = worked_out(marks_of(visits, frame), decoded)
    copy = draft_like(
        session, plan, plan.problem, actor=actor, now=now, solution=plan.solution, bound=plan.bound
    )
    fill(session, copy, filling, frame)
    return copy


def solver_command(
    problem_path: Path,
    out_path: Path,
    *,
    seconds: float,
    seed: int,
    threads: int,
    start_path: Path | None = None,
) -> list[str]:
    """Return the argv that solves `problem_path` in a process of its own, reporting progress as JSON
    lines."""
    command = [sys.executable, "-m", "routing", "solve", str(problem_path), "--out", str(out_path)]
    command += ["--seconds", f"{seconds:g}", "--seed", str(seed), "--threads", str(threads), "--progress"]
    return command if start_path is None else [*command, "--start", str(start_path)]


def _pins(
    session: Session, week: date, weeks: int, from_plan: Plan | None, now: datetime
) -> tuple[list[PlanVisit], list[PlanVisit]]:
    """Return (visits to keep, pins given up because their van is out of service)."""
    gone = _cancelled(session, week, weeks)
    kept: dict[tuple[int, date, int], PlanVisit] = {}
    dropped: list[PlanVisit] = []
    span = [week + timedelta(days=7 * k) for k in range(weeks)]
    published = published_plans(session, span)
    for plan in published.values():
        for visit in visits_of(session, plan):
            stands = weeks > 1 or frozen(visit.day, now)
            if stands and (visit.center_id, visit.site_id, visit.day) not in gone:
                kept[visit.center_id, visit.day, visit.start_minute] = visit
    if from_plan is not None:
        ready = set(session.scalars(select(Center.id).where(Center.status == "ready")))
        for visit in visits_of(session, from_plan):
            if not visit.pinned or frozen(visit.day, now) or week_of(visit.day) not in span:
                continue
            if weeks > 1 and week_of(visit.day) in published:
                continue
            if visit.center_id in ready:
                kept[visit.center_id, visit.day, visit.start_minute] = visit
            else:
                dropped.append(visit)
    return sorted(kept.values(), key=lambda v: (v.day, v.center_id, v.start_minute)), dropped


def _cancelled(session: Session, week: date, weeks: int) -> set[tuple[int, int, date]]:
    """(center, site, day) of visits that were cancelled and not announced again."""
    state: dict[tuple[int, int, date], bool] = {}
    for center, site, day, status in session.execute(
        select(Visit.center_id, Visit.site_id, Visit.day, Visit.status).where(
            Visit.day.between(week, week + timedelta(days=7 * weeks - 1))
        )
    ):
        key = (center, site, day)
        state[key] = state.get(key, True) and status == "cancelled"
    return {key for key, cancelled in state.items() if cancelled}


def _sound(
    session: Session, problem: dict[str, Any], pins: list[PlanVisit], week: date
) -> tuple[list[PlanVisit], list[PlanVisit]]:
    """Take pins out of the problem that break a rule by themselves; return (kept, taken out)."""
    if not pins:
        return [], []
    decoded = decode(pack({**problem, "pinned": []}))
    frame = load_frame(session, week)
    marks = marks_of(pins, frame)
    verdict = judge(marks, decoded)
    bad_routes = {(f.center, f.day) for f in verdict.faults if f.center is not None}
    bad_sites = {f.site for f in verdict.faults if f.center is None}
    faulty = {m.id for m in marks if m.key in bad_routes or m.site in bad_sites}
    kept = [p for p in pins if p.id not in faulty]
    problem["pinned"] = pinned_json(kept, week, frame.center_code, frame.site_code)
    return kept, [p for p in pins if p.id in faulty]


def _dropped_words(session: Session, pins: list[PlanVisit]) -> str:
    if not pins:
        return ""
    frame = load_frame(session, pins[0].day)
    names = ", ".join(
        f"{frame.center_code[p.center_id]} {p.day.isoformat()} {frame.site_code[p.site_id]}" for p in pins
    )
    return f"pins_dropped: {names}"
