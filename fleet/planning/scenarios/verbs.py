"""The life of a scenario: made from a week's plan, changed, solved, thrown away.

A scenario is a row of the plans' table of its own kind. No verb makes it a draft and none publishes it (the
table's own check forbids both); it has no visits, only an answer. takeover.py makes a draft of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fleet.errors import Conflict, Invalid
from fleet.planning.blobs import decode, pack
from fleet.planning.export import problem_now
from fleet.planning.frame import load_frame, marks_of
from fleet.planning.ledger import tell, visits_of
from fleet.planning.scenarios.applying import Applied, apply
from fleet.planning.scenarios.standing import sound, start_of
from fleet.store import Plan

SOURCES = ("draft", "published", "superseded")
"""A plan with visits: what can be copied."""
EDITABLE = ("editing", "solved", "failed")
MOST_CHANGES = 60
MOST_NAME = 120


def create_scenario(
    session: Session,
    source: Plan,
    *,
    name: str,
    actor: str,
    now: datetime,
    changes: Sequence[Mapping[str, Any]] = (),
) -> Plan:
    """Return a new scenario on the week of `source`, a plan with visits, or another scenario whose changes it
    takes along.

    Raises Conflict `nothing_to_copy`, `source_gone`; Invalid `name_missing`, `bad_change`.
    """
    if source.kind == "scenario":
        changes, source = [*source.changes, *changes], source_of(session, source)
    if source.status not in SOURCES:
        raise Conflict("nothing_to_copy", "Only a plan with visits can be copied.", plan=source.id)
    plan = Plan(
        week=source.week,
        weeks=source.weeks,
        kind="scenario",
        status="editing",
        name=_name(name),
        source_id=source.id,
        changes=[],
        created_at=now,
        created_by=actor,
        seed=source.seed,
        seconds=source.seconds,
        progress={},
    )
    session.add(plan)
    session.flush()
    if changes:
        _set(session, plan, [dict(change) for change in changes], now)
    return plan


def source_of(session: Session, scenario: Plan) -> Plan:
    """Return the plan whose week the scenario copies. Raises Conflict `source_gone`."""
    source = session.get(Plan, scenario.source_id) if scenario.source_id is not None else None
    if source is None:
        raise Conflict("source_gone", "The plan that this scenario copies is gone.", plan=scenario.id)
    return source


def rename(session: Session, plan: Plan, name: str) -> None:
    """Call the scenario otherwise. Raises Invalid `name_missing`."""
    _scenario(plan)
    plan.name = _name(name)
    session.flush()


def add_change(
    session: Session, plan: Plan, change: Mapping[str, Any], *, revision: int, actor: str, now: datetime
) -> None:
    """Put a change behind those there are; an answer that was found goes.

    Raises Invalid `bad_change` (naming it and why) and `too_many_changes`, Conflict `stale_revision`,
    `scenario_solving`.
    """
    _edit(session, plan, revision, [*plan.changes, dict(change)], now)


def replace_change(
    session: Session,
    plan: Plan,
    index: int,
    change: Mapping[str, Any],
    *,
    revision: int,
    actor: str,
    now: datetime,
) -> None:
    """Put another change in the place of that one (index from 0). Raises as `add_change`."""
    _edit(
        session, plan, revision, [dict(change) if i == index else c for i, c in enumerate(plan.changes)], now
    )


def drop_change(
    session: Session, plan: Plan, index: int, *, revision: int, actor: str, now: datetime
) -> None:
    """Take a change out (index from 0). Raises as `add_change`: a later one may need it."""
    _edit(session, plan, revision, [c for i, c in enumerate(plan.changes) if i != index], now)


def raise_change(
    session: Session, plan: Plan, index: int, *, revision: int, actor: str, now: datetime
) -> None:
    """Make a change before the one that stands before it (index from 0). Raises as `add_change`."""
    changes = list(plan.changes)
    if 0 < index < len(changes):
        changes[index - 1], changes[index] = changes[index], changes[index - 1]
    _edit(session, plan, revision, changes, now)


def preview_scenario(session: Session, plan: Plan, *, now: datetime) -> Applied:
    """Return what the changes come to, without valuing supposed demand. Reads only."""
    return apply(session, base_problem(session, plan), plan.changes, plan.week, now=now, values=False)


def reserve_scenario(session: Session, plan: Plan, *, seconds: float, seed: int) -> None:
    """Let the scenario wait for a solution. Raises Conflict `scenario_solving`."""
    _editable(plan)
    source_of(session, plan)
    _forget(plan)
    plan.status, plan.seconds, plan.seed = "solving", seconds, seed
    plan.stop_requested = False
    session.flush()


def prepare_scenario(session: Session, plan: Plan, *, now: datetime) -> tuple[bytes, bytes, str]:
    """Return (problem, the search's start, what must be told) of the scenario; reads only, and takes seconds
    for a country. Raises Invalid `bad_change`."""
    source = source_of(session, plan)
    base = base_problem(session, plan)
    changed = apply(session, base, plan.changes, plan.week, now=now).problem
    problem, dropped = sound(changed)
    problem["name"] = f"scenario-{plan.id}"
    blob = pack(problem)
    marks = marks_of(visits_of(session, source), load_frame(session, source.week))
    names = ", ".join(f"{p['center']} {base['days'][p['day']]} {p['site']}" for p in dropped)
    return blob, pack(start_of(marks, decode(blob))), f"pins_dropped: {names}" if dropped else ""


def base_problem(session: Session, plan: Plan) -> dict[str, Any]:
    """Return the problem of the plan that the scenario copies, with what is pinned there now."""
    return problem_now(session, source_of(session, plan))


def discard_scenario(session: Session, plan: Plan, *, now: datetime) -> None:
    """Throw the scenario away, also while it is solved."""
    _scenario(plan)
    plan.status = "discarded"
    tell(session, plan, "status", {"status": "discarded"}, now)
    session.flush()


def scenarios(session: Session, week: date | None = None) -> list[Plan]:
    """Return the scenarios that were not thrown away, newest first."""
    chosen = select(Plan).where(Plan.kind == "scenario", Plan.status != "discarded").order_by(Plan.id.desc())
    return list(session.scalars(chosen if week is None else chosen.where(Plan.week == week)))


def _name(name: str) -> str:
    name = " ".join(name.split())[:MOST_NAME]
    if not name:
        raise Invalid("name_missing", "Give the scenario a name.")
    return name


def _scenario(plan: Plan) -> None:
    if plan.kind != "scenario" or plan.status == "discarded":
        raise Conflict("not_a_scenario", "This is no scenario.", plan=plan.id)


def _editable(plan: Plan) -> None:
    _scenario(plan)
    if plan.status not in EDITABLE:
        raise Conflict("scenario_solving", "Stop the search before you change the scenario.", plan=plan.id)


def _edit(session: Session, plan: Plan, revision: int, changes: list[dict[str, Any]], now: datetime) -> None:
    taken = session.execute(
        update(Plan)
        .where(Plan.id == plan.id, Plan.kind == "scenario", Plan.revision == revision)
        .values(revision=revision + 1)
    )
    session.refresh(plan)
    _editable(plan)
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("stale_revision", "The scenario was changed meanwhile.", plan=plan.id)
    if changes == plan.changes:
        return
    _set(session, plan, changes, now)
    _forget(plan)
    plan.status = "editing"
    tell(session, plan, "status", {"status": plan.status, "revision": plan.revision}, now)
    session.flush()


def _set(session: Session, plan: Plan, changes: list[dict[str, Any]], now: datetime) -> None:
    if len(changes) > MOST_CHANGES:
        raise Invalid("too_many_changes", f"A scenario holds at most {MOST_CHANGES} changes.")
    made = apply(session, base_problem(session, plan), changes, plan.week, now=now, values=False)
    plan.changes = list(made.changes)
    session.flush()


def _forget(plan: Plan) -> None:
    """An answer to other changes is none."""
    plan.problem = plan.solution = b""
    plan.objective = plan.bound = plan.hours_saved = plan.baseline_hours = None
    plan.message, plan.progress = "", {}
