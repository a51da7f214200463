"""`plan draft|publish|export`: a week from the command line."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from fleet.calendar import week_of
from fleet.errors import FleetError
from fleet.planner import MOST_WEEKS
from fleet.planner import export as export_plan
from fleet.planner import publish as publish_plan
from fleet.store import Plan
from web import clock
from web.cli.output import ID, json_option, plain_errors, say
from web.db import read, write

plan = AppGroup("plan", help="Weeks for the whole fleet.")


@plan.command("draft")
@click.option("--week", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Any day of the week to plan.")
@click.option(
    "--weeks", type=click.IntRange(1, MOST_WEEKS), default=1, show_default=True, help="How many weeks."
)
@click.option("--seconds", type=click.FloatRange(1, 3600), default=60.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@json_option
@plain_errors
def draft(week: datetime, weeks: int, seconds: float, seed: int, as_json: bool) -> None:
    """Forecast, value and solve a week or several in a row; keep them as a draft."""
    made = draft_week(
        week.date(), weeks=weeks, seconds=seconds, seed=seed, actor="command line", echo=not as_json
    )
    say(
        plan_facts(made),
        f"Draft {made.id} for the week of {made.week}: {made.hours_saved or 0:,.0f} person-hours saved "
        f"(the biggest towns in turn: {made.baseline_hours or 0:,.0f}).",
        as_json,
    )


def draft_week(day: date, *, seconds: float, seed: int, actor: str, echo: bool, weeks: int = 1) -> Plan:
    """Forecast and value the week of `day`, draft and solve it and the next `weeks` - 1 in a child process; returns
    the draft.

    Raises FleetError when it could not be solved.
    """
    from web.nightly import forecast_week
    from web.solving import new_draft, solve_now

    week = week_of(day)
    forecast_week(week, clock.now())
    plan_id = new_draft(week, seconds=seconds, seed=seed, actor=actor, weeks=weeks)
    solve_now(plan_id, progress=show_progress if echo else None)
    made = read().get(Plan, plan_id, populate_existing=True)
    assert made is not None
    if made.status != "draft":
        raise FleetError("not_solved", f"the week of {week} could not be drafted: {made.message}")
    return made


def show_progress(progress: dict[str, Any]) -> None:
    """Say how far a search is, on standard error."""
    objective, bound = progress.get("objective"), progress.get("bound")
    gap = progress.get("gap")
    words = f"  {progress.get('elapsed', 0):5.1f} s  {progress.get('phase', '')}"
    if objective is not None:
        words += f"  {objective / 10:,.0f} person-hours net"
    if bound is not None:
        words += f", at most {bound / 10:,.0f} possible"
    if gap is not None:
        words += f" (gap {100 * gap:.2f}%)"
    click.echo(words, err=True)


def plan_facts(made: Plan) -> dict[str, Any]:
    """A plan as JSON prints it."""
    return {
        "id": made.id,
        "week": made.week.isoformat(),
        "status": made.status,
        "objective": made.objective,
        "bound": made.bound,
        "hours_saved": made.hours_saved,
        "baseline_hours": made.baseline_hours,
        "visits": len(made.visits),
    }


@plan.command("publish")
@click.argument("number", metavar="ID", type=ID)
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Of a draft of several weeks only those up to the week of this day; all of them without it.",
)
@json_option
@plain_errors
def publish(number: int, until: datetime | None, as_json: bool) -> None:
    """Announce a draft's visits to citizens."""
    now = clock.now()
    last = until.date() if until is not None else None
    report = write(
        lambda session: publish_plan(
            session, _plan(session, number), actor="command line", now=now, until=last
        )
    )
    made = {
        "id": number,
        "created": len(report.created),
        "kept": len(report.kept),
        "changed": len(report.changed),
        "cancelled": len(report.cancelled),
        "tickets_closed": report.tickets_closed,
    }
    say(
        made,
        f"Plan {number} is published: {made['created']} visits new, {made['kept']} kept, "
        f"{made['changed']} changed, {made['cancelled']} cancelled.",
        as_json,
    )


@plan.command("export")
@click.argument("number", metavar="ID", type=ID)
@click.option(
    "--problem", type=click.Path(dir_okay=False, path_type=Path), help="Default: plan-ID.problem.json"
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Default: plan-ID.plan.json")
@json_option
@plain_errors
def export(number: int, problem: Path | None, out: Path | None, as_json: bool) -> None:
    """Write a plan and the problem it answers in the exchange format."""
    session = read()
    problem_json, plan_json = export_plan(session, _plan(session, number))
    problem = problem or Path(f"plan-{number}.problem.json")
    out = out or Path(f"plan-{number}.plan.json")
    for path, content in ((problem, problem_json), (out, plan_json)):
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    say({"id": number, "problem": str(problem), "plan": str(out)}, f"Written: {problem} and {out}.", as_json)


def _plan(session: Any, number: int) -> Plan:
    found = session.get(Plan, number)
    if found is None:
        raise click.ClickException(f"there is no plan {number}")
    return found  # type: ignore[no-any-return]
