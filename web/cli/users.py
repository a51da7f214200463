"""`user add`, `token ...`: who may do what."""

from __future__ import annotations

import secrets
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.store import Center, Site
from queueing import audit
from queueing.store import Desk, Queue
from web import clock
from web.accounts import ROLES, add_account, new_token
from web.auth import topic_of
from web.cli.output import ID, json_option, plain_errors, say
from web.db import read, write

ACTOR = "command line"
user = AppGroup("user", help="Accounts of staff.")
token = AppGroup("token", help="Tokens of kiosks, desks, boards and vans' devices.")


@user.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--site", "site_code", help="Code of the fixed site a clerk or supervisor belongs to.")
@click.option("--center", "center_code", help="Code of the mobile center a clerk or supervisor belongs to.")
@click.option("--agency", "agency_code", help="Code of the agency, for role agency.")
@click.option("--password", help="Asked for when left out; '-' makes a random one and prints it.")
@json_option
@plain_errors
def add(
    name: str,
    role: str,
    site_code: str | None,
    center_code: str | None,
    agency_code: str | None,
    password: str | None,
    as_json: bool,
) -> None:
    """Make an account."""
    site_id = _id(Site, site_code, "site")
    center_id = _id(Center, center_code, "center")
    made = password == "-"
    if password is None:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    secret = secrets.token_urlsafe(9) if made else str(password)
    now = clock.now()

    def make(session: Session) -> None:
        account = add_account(
            session,
            name,
            secret,
            role,
            now=now,
            site_id=site_id,
            center_id=center_id,
            agency_code=agency_code,
        )
        facts = {"role": role}
        audit.note(
            session, topic_of(account), "account", actor=ACTOR, now=now, subject=account.name, data=facts
        )

    write(make)
    shown: dict[str, Any] = {"name": name, "role": role, "site": site_code, "center": center_code}
    if made:
        shown["password"] = secret
    say(shown, f"{name} ({role}) can sign in." + (f" Password: {secret}" if made else ""), as_json)


def _id(table: type[Site] | type[Center], code: str | None, what: str) -> int | None:
    if code is None:
        return None
    found = read().scalar(select(table.id).where(table.code == code))
    if found is None:
        raise click.ClickException(f"there is no {what} with the code {code!r}")
    return int(found)


def _token(kind: str, table: Any, number: int, as_json: bool, path: str | None) -> None:
    if read().get(table, number) is None:
        raise click.ClickException(f"there is no {table.__tablename__} {number}")
    key = {
        "kiosk": "queue_id",
        "board": "queue_id",
        "desk": "desk_id",
        "device": "center_id",
        "van": "center_id",
    }[kind]
    now = clock.now()
    owner: Any = {key: number}
    whose = {"queue_id": f"queue:{number}", "center_id": f"center:{number}"}.get(key)

    def make(session: Session) -> str:
        topic = whose or f"queue:{session.get_one(Desk, number).queue_id}"
        audit.note(session, topic, "token", actor=ACTOR, now=now, subject=kind)
        return new_token(session, kind, now=now, **owner)

    text = write(make)
    address = f"{path}{text}" if path else None
    say({"kind": kind, key: number, "token": text, "path": address}, address or text, as_json)


@token.command("kiosk")
@click.option("--queue", "number", type=ID, required=True, help="Id of the queue it issues tickets for.")
@json_option
@plain_errors
def kiosk(number: int, as_json: bool) -> None:
    """A kiosk's address."""
    _token("kiosk", Queue, number, as_json, "/kiosk/")


@token.command("board")
@click.option("--queue", "number", type=ID, required=True, help="Id of the queue it shows.")
@json_option
@plain_errors
def board(number: int, as_json: bool) -> None:
    """A TV board's address."""
    _token("board", Queue, number, as_json, "/board/")


@token.command("desk")
@click.option("--desk", "number", type=ID, required=True, help="Id of the desk.")
@json_option
@plain_errors
def desk(number: int, as_json: bool) -> None:
    """A bearer token that calls tickets at one desk."""
    _token("desk", Desk, number, as_json, None)


@token.command("device")
@click.option("--center", "number", type=ID, required=True, help="Id of the mobile center it travels with.")
@json_option
@plain_errors
def device(number: int, as_json: bool) -> None:
    """A bearer token that reports a van's positions."""
    _token("device", Center, number, as_json, None)


@token.command("van")
@click.option("--center", "code", required=True, help="Code of the mobile center whose laptop it is for.")
@json_option
@plain_errors
def van(code: str, as_json: bool) -> None:
    """What a van's laptop shows to headquarters (VAN_TOKEN)."""
    _token("van", Center, _id(Center, code, "center") or 0, as_json, None)
