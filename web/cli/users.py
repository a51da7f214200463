"""`user add`, `token ...`: who may do what."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.store import Center, Site, SiteQueue
from queueing import audit
from queueing.store import Desk, Queue
from web import clock
from web.accounts import ROLES, AccessToken, add_account, digest, new_token
from web.auth import topic_of
from web.board_store import MOST_QUEUES, set_board
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


def _token(
    kind: str,
    table: Any,
    number: int,
    as_json: bool,
    path: str | None,
    then: Callable[[Session, int], object] | None = None,
) -> None:
    """Make a token and say it. `then` is given the new token's id in the same transaction."""
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
        text = new_token(session, kind, now=now, **owner)
        if then is not None:
            then(
                session,
                session.scalars(select(AccessToken.id).where(AccessToken.digest == digest(text))).one(),
            )
        return text

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
@click.option(
    "--queue", "numbers", type=ID, multiple=True, help="Id of a queue it shows; several may be named."
)
@click.option("--site", "code", help="Code of a site: all its queues, also later ones.")
@click.option(
    "--speaks", type=click.Choice(["ar", "ar en", "en", "chime"]), default="ar", help="Languages of the call."
)
@json_option
@plain_errors
def board(numbers: tuple[int, ...], code: str | None, speaks: str, as_json: bool) -> None:
    """A TV board's address: of one queue, of several, or of a site."""
    site = _id(Site, code, "site")
    if (site is None) == (not numbers):
        raise click.ClickException("name --queue (once or more) or --site")
    if site is not None:
        numbers = tuple(read().scalars(select(SiteQueue.queue_id).where(SiteQueue.site_id == site)))
        if not numbers:
            raise click.ClickException("this site has no queue yet")
    for number in numbers:
        if read().get(Queue, number) is None:
            raise click.ClickException(f"there is no queue {number}")
    if site is None and len(numbers) > MOST_QUEUES:
        raise click.ClickException(f"a board shows at most {MOST_QUEUES} queues")
    spoken = "" if speaks == "chime" else speaks

    def then(session: Session, token_id: int) -> object:
        return set_board(session, token_id, spoken=spoken, queues=() if site else numbers, site_id=site)

    _token("board", Queue, numbers[0], as_json, "/board/", then)


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
