"""`simulate --plan ID`: what a week would bring, played citizen by citizen against two baselines."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import with_appcontext

from fleet.errors import Invalid
from fleet.simulation.outlook.answer import MOST_RUNS, bring
from fleet.simulation.outlook.facts import gather
from fleet.store import Plan
from web import clock
from web.cli.output import ID, json_option, plain_errors, say
from web.db import read


@click.command("simulate")
@click.option("--plan", "number", type=ID, required=True, help="The plan whose week is played.")
@click.option("--runs", type=click.IntRange(1, MOST_RUNS), default=20, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True)
@json_option
@with_appcontext
@plain_errors
def simulate(number: int, runs: int, seed: int, as_json: bool) -> None:
    """Hours that a plan saves against no vans and against the biggest towns in turn, with 95% intervals of paired
    runs: every run has the same citizens under all three."""
    session = read()
    plan = session.get(Plan, number)
    if plan is None:
        raise click.ClickException(f"there is no plan {number}")
    facts = gather(session, plan, now=clock.now())
    session.rollback()  # the rest takes seconds and needs no database
    if not facts.plan.forecourts and not facts.plan.villages:
        raise Invalid("no_answer", f"plan {number} has no visits that could be played", plan=number)
    answer = {"plan": number, **bring(facts, runs=runs, seed=seed)}
    say(answer, _words(answer), as_json)


def _words(answer: dict[str, Any]) -> str:
    def hours(key: str) -> str:
        one = answer[key]
        return f"{one['mean']:,.0f} [{one['low']:,.0f} to {one['high']:,.0f}]"

    model = answer["model"]["saved_against_no_vans"]
    return (
        f"Plan {answer['plan']}, {answer['runs']} runs of {answer['days'][0]} to {answer['days'][1]}: "
        f"{hours('saved_against_no_vans')} person-hours saved against no vans, "
        f"{hours('saved_against_towns')} against the biggest towns in turn "
        f"(those save {hours('towns_against_no_vans')})."
        + (f" The planner's model says {model:,.0f}." if model is not None else "")
    )
