"""`plan scenario new|list|solve|compare`: what-if questions from the command line."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from fleet import planner
from fleet.store import Plan
from web import clock
from web.cli.output import ID, json_option, plain_errors, say
from web.cli.plans import show_progress
from web.db import read, write

scenario = AppGroup("scenario", help="Copies of a week under changes: compared, never published.")


@scenario.command("new")
@click.option("--from", "source", type=ID, required=True, help="Plan or scenario to copy.")
@click.option("--name", required=True)
@click.option(
    "--changes", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON file: a list of changes, as a scenario's page downloads it.",
)  # fmt: skip
@json_option
@plain_errors
def new(source: int, name: str, changes: Path | None, as_json: bool) -> None:
    """Copy a week under changes."""
    wanted = _changes(changes) if changes is not None else []
    now = clock.now()

    def work(session: Session) -> dict[str, Any]:
        found = _plan(session, source)
        made = planner.create_scenario(
            session, found, name=name, actor="command line", now=now, changes=wanted
        )
        return _facts(made)

    made = write(work)
    say(made, f"Scenario {made['id']} of plan {made['source']}: {len(made['changes'])} changes.", as_json)


@scenario.command("list")
@json_option
@plain_errors
def list_all(as_json: bool) -> None:
    """Every scenario with its state and hours."""
    found = [_facts(one) for one in planner.scenarios(read())]
    lines = [
        f"{s['id']:5}  {s['week']}  {s['status']:8}  {s['hours_saved'] or '-':>8}  {s['name']}" for s in found
    ]
    say({"scenarios": found}, "\n".join(lines) or "No scenarios.", as_json)


@scenario.command("solve")
@click.argument("number", metavar="ID", type=ID)
@click.option("--seconds", type=click.FloatRange(1, 3600), default=60.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@json_option
@plain_errors
def solve(number: int, seconds: float, seed: int, as_json: bool) -> None:
    """Solve a scenario in a child process."""
    from web.solving import new_scenario_run, solve_now

    new_scenario_run(number, seconds=seconds, seed=seed)
    solve_now(number, progress=None if as_json else show_progress)
    made = read().get(Plan, number, populate_existing=True)
    assert made is not None
    if made.status != "solved":
        raise click.ClickException(f"scenario {number} could not be solved: {made.message}")
    say(_facts(made), f"Scenario {number}: {made.hours_saved or 0:,.0f} person-hours saved.", as_json)


@scenario.command("compare")
@click.argument("numbers", metavar="ID...", type=ID, nargs=-1, required=True)
@click.option("--by", type=ID, help="Measure all by this plan's week.")
@json_option
@plain_errors
def compare(numbers: tuple[int, ...], by: int | None, as_json: bool) -> None:
    """Put plans and scenarios side by side."""
    session = read()
    plans = [_plan(session, number) for number in numbers]
    measure_by = _plan(session, by) if by is not None else None
    for one in (*plans, *([measure_by] if measure_by is not None else [])):
        if not planner.answered(one):
            raise click.ClickException(f"plan {one.id} has nothing to compare: it is {one.status}")
    found = [planner.measure(session, one, by=measure_by) for one in plans]
    made = {
        "plans": [
            {"plan": one.id, "name": one.name, **asdict(m.total)} for one, m in zip(plans, found, strict=True)
        ]
    }
    rows = [("hours", "hours saved"), ("people", "people served"), ("visits", "visits"), ("districts", "districts"),
            ("villages", "villages"), ("km", "km"), ("cost", "cost, hours"), ("net", "net hours")]  # fmt: skip
    lines = ["".join([f"{'':16}", *(f"{one.id:>12}" for one in plans)])]
    lines += [
        "".join([f"{label:16}", *(f"{getattr(m.total, key):12,.0f}" for m in found)]) for key, label in rows
    ]
    say(made, "\n".join(lines), as_json)


def _changes(path: Path) -> list[dict[str, Any]]:
    try:
        data = json.loads(path.read_bytes())
    except ValueError as error:
        raise click.ClickException(f"{path}: no JSON ({error})") from error
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        raise click.ClickException(f"{path}: must be a list of changes")
    return data


def _facts(made: Plan) -> dict[str, Any]:
    return {
        "id": made.id,
        "name": made.name,
        "week": made.week.isoformat(),
        "source": made.source_id,
        "status": made.status,
        "changes": made.changes,
        "objective": made.objective,
        "bound": made.bound,
        "hours_saved": made.hours_saved,
    }


def _plan(session: Session, number: int) -> Plan:
    found = session.get(Plan, number)
    if found is None or found.status == "discarded":
        raise click.ClickException(f"there is no plan {number}")
    return found
