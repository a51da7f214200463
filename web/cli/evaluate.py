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
