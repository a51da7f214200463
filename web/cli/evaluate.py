"""`evaluate ...`: methods measured on files from outside. Prints JSON: these figures are read by programs."""

from __future__ import annotations

import json
from pathlib import Path

import click
from flask.cli import AppGroup

from web.cli.output import plain_errors

evaluate = AppGroup("evaluate", help="Measure a method on files from outside, and print JSON.")
FILES = click.Path(exists=True, dir_okay=False, path_type=Path)


class ManyFiles(click.Command):
    """A command whose options may be followed by several files: `--train A B --test C`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option before each further file, as click wants it."""
        spread: list[str] = []
        option, given = "", False
        for word in args:
            if word.startswith("-"):
                option, given = word, "=" in word
                option = word.split("=", 1)[0]
            elif option and given:
                spread.append(option)
            else:
                given = True
            spread.append(word)
        return super().parse_args(ctx, spread)


@evaluate.command("forecast", cls=ManyFiles)
@click.option("--train", "train", type=FILES, multiple=True, required=True, help="What is known at first.")
@click.option("--test", "test", type=FILES, multiple=True, required=True, help="Later days, to be forecast.")
@plain_errors
def evaluate_forecast(train: tuple[Path, ...], test: tuple[Path, ...]) -> None:
    """Forecast hourly posted waits one to four weeks ahead, each week from what was known before it.

    Files have the columns location, captured, no_appt_wait and appt_wait (minutes), as csv or csv.gz. The figures are
    of waits without an appointment, at the side those with one.
    """
    from fleet.forecast import posted

    figures: dict[str, object] = {}
    for kind in posted.COLUMNS:
        known = posted.read_posted(train, kind=kind)
        later = posted.read_posted(test, kind=kind, first=known.days[-1])
        found = posted.evaluate(known, later).figures()
        if kind == "walk-in":
            figures.update(found)
        else:
            figures[kind] = found
    click.echo(json.dumps(figures))


@evaluate.command("waits", cls=ManyFiles)
@click.option("--train", "train", type=FILES, multiple=True, required=True, help="Snapshots to learn from.")
@click.option("--test", "test", type=FILES, multiple=True, required=True, help="Snapshots of later days.")
@click.option("--new-offices", is_flag=True, help="Promise for offices that were left out of learning.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the learning.")
@plain_errors
def evaluate_waits(train: tuple[Path, ...], test: tuple[Path, ...], new_offices: bool, seed: int) -> None:
    """Learn from snapshots of queues, promise the wait at each arrival of later days, and compare.

    Files have the columns office, date, time, queue_id, waiting, number_called, open_counters and
    published_service_min, as csv or csv.gz. The last two training days calibrate the bands. Days up to the last
    training day are left out of the test. Minutes and shares; `ahead3`: with three or more people ahead.
    """
    from queueing.waits.evaluation import evaluate as promises
    from queueing.waits.evaluation import evaluate_new_offices

    measured = evaluate_new_offices if new_offices else promises
    try:
        click.echo(json.dumps(measured(train, test, seed=seed)))
    except ValueError as error:  # what no file of snapshots can be, in a sentence
        raise click.ClickException(str(error)) from error


@evaluate.command("alarms", cls=ManyFiles)
@click.option("--train", "train", type=FILES, multiple=True, required=True, help="Snapshots to learn from.")
@click.option("--test", "test", type=FILES, multiple=True, required=True, help="Snapshots of later days.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the learning.")
@plain_errors
def evaluate_alarms(train: tuple[Path, ...], test: tuple[Path, ...], seed: int) -> None:
    """Warn at each snapshot of later days of lines in which those who come 30 to 60 minutes later wait over 45.

    Files as for `evaluate waits`. Prints how well the chance ranks (average precision, area under the curve; beside it
    the expected wait and the length of the line), and what alarms come to at the default setting and at others: right,
    false, false alarms per office and week, crowds caught and how long before anybody has waited 45 minutes.
    """
    from queueing.alarms.evaluation import evaluate as warnings

    try:
        click.echo(json.dumps(warnings(train, test, seed=seed)))
    except ValueError as error:  # what no file of snapshots can be, in a sentence
        raise click.ClickException(str(error)) from error


@evaluate.command("levels", cls=ManyFiles)
@click.option("--files", "files", type=FILES, multiple=True, required=True, help="Snapshots of whole days.")
@plain_errors
def evaluate_levels(files: tuple[Path, ...]) -> None:
    """Judge the congestion level of each hour when it ends, and compare with what it turns out to be.

    Files as for `evaluate waits`. Prints how many hours of a line had the same level, one at most one apart, and of the
    hours that turn out busy or worse how many were called so by then.
    """
    from queueing.level_error import evaluate as level_error

    try:
        click.echo(json.dumps(level_error(files)))
    except ValueError as error:  # what no file of snapshots can be, in a sentence
        raise click.ClickException(str(error)) from error
