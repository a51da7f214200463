"""`jobs run`, `day run`, `demo prepare`: scheduled work, the simulated day, the demonstration."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup

from web import clock
from web.cli.output import plain_errors

jobs = AppGroup("jobs", help="Scheduled work, by hand.")
day = AppGroup("day", help="The simulated day of the demonstration.")
demo = AppGroup("demo", help="The demonstration that `make run` shows.")


@jobs.command("list")
def list_jobs() -> None:
    """What runs when (Cairo time)."""
    from web.jobs import jobs_of

    for job in jobs_of(current_app._get_current_object()):  # type: ignore[attr-defined]
        click.echo(f"{job.name:14} {job.trigger}  {job.words}")


@jobs.command("run")
@click.argument("name")
@plain_errors
def run_job(name: str) -> None:
    """Run one job now."""
    from web.jobs import jobs_of

    table = jobs_of(current_app._get_current_object())  # type: ignore[attr-defined]
    chosen = next((job for job in table if job.name == name), None)
    if chosen is None:
        raise click.ClickException(f"there is no job {name!r}; see: flask jobs list")
    click.echo(f"{name}: {chosen.run(clock.now())}")


@day.command("run")
def run_day() -> None:
    """Move the vans, open visits, issue, call and finish tickets until stopped (started by the server)."""
    from web.simulated import run

    run(current_app._get_current_object())  # type: ignore[attr-defined]


@demo.command("prepare")
@click.option("--seconds", type=float, default=45.0, show_default=True, help="Solving time for the week.")
@click.option("--seed", type=int, default=7, show_default=True)
@plain_errors
def prepare(seconds: float, seed: int) -> None:
    """Set up or resume the demonstration: network, history, forecast, published week, accounts."""
    from web.demo import prepare as run_prepare

    run_prepare(current_app._get_current_object(), seconds=seconds, seed=seed, say=click.echo)  # type: ignore[attr-defined]
