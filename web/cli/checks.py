"""`check statistics`, `check tickets`: does what is shown equal what was recorded?"""

from __future__ import annotations

from datetime import date, timedelta

import click
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from fleet.calendar import local_day
from queueing import rebuild
from queueing.statistics_check import Wrong
from web import clock
from web.cli.output import json_option, plain_errors, say
from web.db import read

check = AppGroup("check", help="Does what is shown equal what was recorded?")
SHOWN = 50


def _day(_context: click.Context, _param: click.Parameter, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no day; write it as 2026-11-22") from None


@check.command("statistics")
@click.option("--day", callback=_day, help="A local day (2026-11-22); yesterday when left out.")
@json_option
@plain_errors
def statistics(day: date | None, as_json: bool) -> None:
    """Count a day a second time from its events; exit code 1 when a figure does not agree."""
    from web.nightly import check_statistics

    now = clock.now()
    checked = check_statistics(day or local_day(now) - timedelta(days=1), now)
    lines = [str(wrong) for wrong in checked.wrong]
    made = {
        "day": checked.day,
        "queues": checked.queues,
        "figures": checked.figures,
        "wrong": [{name: getattr(wrong, name) for name in Wrong.__slots__} for wrong in checked.wrong],
    }
    say(made, "\n".join([str(checked), *lines[:SHOWN]]), as_json)
    if checked.wrong:
        raise click.exceptions.Exit(1)


@check.command("tickets")
@json_option
@plain_errors
def tickets(as_json: bool) -> None:
    """Rebuild every ticket from its events; exit code 1 when one does not stand where its events say."""
    session: Session = read()
    found = rebuild.check(session)
    lines = [str(difference) for difference in found]
    words = "\n".join([f"{len(found)} differences between tickets and their events", *lines[:SHOWN]])
    say({"differences": lines}, words, as_json)
    if found:
        raise click.exceptions.Exit(1)
