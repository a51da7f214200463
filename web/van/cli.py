"""`flask --app wsgi van ...` on a van's laptop."""

from __future__ import annotations

import os
import sys
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup
from flask_migrate import upgrade

from web import clock
from web.cli.output import json_option, plain_errors, say
from web.db import read
from web.van.laptop import Laptop
from web.van.line import NoLine, Refused
from web.van.loop import only_one

van = AppGroup("van", help="The laptop of a mobile center (VAN_CENTER, VAN_HQ and VAN_TOKEN are set).")


def _laptop() -> Laptop:
    if not current_app.extensions["settings"].van:
        raise click.ClickException("this is no van's laptop: set VAN_CENTER, VAN_HQ and VAN_TOKEN")
    laptop: Laptop = current_app.extensions["laptop"]
    return laptop


def _alone() -> Any:
    lock = only_one(current_app.extensions["settings"].data_dir)
    if lock is None:
        raise click.ClickException("the server runs and syncs by itself; its page /van shows how it stands")
    return lock


@van.command("pull")
@click.option(
    "--days", type=click.IntRange(1, 7), default=1, show_default=True, help="Days without a way home."
)
@plain_errors
def pull(days: int) -> None:
    """The morning: visits, bookings, staff, catalogue; from now on this laptop runs its visits' queues."""
    _sync(days)


@van.command("sync")
@plain_errors
def sync() -> None:
    """Send what is unsent, hear what is new."""
    _sync(0)


def _sync(days: int) -> None:
    laptop = _laptop()
    with _alone():
        upgrade()
        laptop.start()
        try:
            sent = laptop.sync(pull=days, keep_trying=5)
        except NoLine as error:
            raise click.ClickException("there is no line to headquarters; everything is kept") from error
        except Refused as error:
            raise click.ClickException(f"headquarters refuses: {error}") from error
    click.echo(f"{sent} entries sent, {laptop.line.sent_bytes} bytes up, {laptop.line.got_bytes} bytes down")


@van.command("status")
@json_option
@plain_errors
def status(as_json: bool) -> None:
    """Last contact, what is unsent, who this laptop is."""
    found = _laptop().status(read())
    facts = {
        "device": found.device,
        "epoch": found.epoch,
        "cause": found.cause,
        "now": clock.now().isoformat(timespec="seconds"),
        "pulled": found.pulled_at.isoformat(timespec="seconds") if found.pulled_at else None,
        "contact": found.contact_at.isoformat(timespec="seconds") if found.contact_at else None,
        "unsent": found.unsent,
    }
    say(facts, "\n".join(f"{key:8} {value}" for key, value in facts.items()), as_json)


@van.command("run")
@plain_errors
def run() -> None:
    """Bring the database up to date, pull if there is a line, and serve kiosk, desks, board and phones on the van's
    own network (HOST, by default every address of this laptop)."""
    laptop = _laptop()
    with _alone():
        upgrade()
        cause = laptop.start()
        if cause not in ("", "first"):
            click.echo(f"this laptop's log begins anew ({cause}): numbers jump, headquarters is told")
        try:
            laptop.sync(pull=1, most=60)
            click.echo("the morning's pull is done")
        except (NoLine, Refused) as error:
            click.echo(f"no pull yet ({error}): going on with what is here, and trying again")
    host = os.environ.get("HOST", "0.0.0.0")
    port = current_app.extensions["settings"].port
    click.echo(f"serving at http://localhost:{port}/van")
    os.environ |= {"HOST": host, "PORT": str(port)}
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "-c", "python:web.serve", "wsgi:app"])
