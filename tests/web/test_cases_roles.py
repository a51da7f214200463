"""Who may do what, over every address that the application answers: nothing can be added that nobody decided on."""

from __future__ import annotations

from typing import Any

import pytest

from queueing.store import TicketEvent
from web.api.operations import OPERATIONS

PUBLIC = ("static", "auth", "citizen", "figures", "feeds", "health", "board", "kiosk")
"""Blueprints without a login: pages for everybody, and screens whose address is their token."""
STAFF = {"clerk": ("clerk", "supervisor", "agency"), "planner": ("planner",)}
"""Blueprint -> the roles that have anything to do there."""
OPEN_TO_STAFF = {"clerk.words_script", "clerk.worker", "clerk.shell"}
"""Parts of the desk's program, without any datum of a queue: its own tests say what they hold."""
OWN_TOKEN = ("van_sync", "api")
"""Machines with a token: refused by `test_api.py` and here without one."""
FILL = {"int": "1", "any": "", "path": "desk.css", "string": "x"}


def part(rule: Any) -> str:
    """The blueprint of a rule."""
    return str(rule.endpoint).split(".")[0]


def path_of(rule: Any) -> str:
    """An address of a rule, with something in each gap."""
    made = ""
    for piece in rule.rule.split("<"):
        if ">" not in piece:
            made += piece
            continue
        inside, rest = piece.split(">", 1)
        kind = inside.split(":")[0] if ":" in inside else "string"
        made += (kind[4:-1].split(",")[0] if kind.startswith("any(") else FILL[kind]) + rest
    return made


def ask(client: Any, rule: Any, **options: Any) -> Any:
    """By the dearest method that the rule has."""
    return (client.post if "POST" in rule.methods else client.get)(path_of(rule), **options)


def test_every_address_belongs_to_somebody(app: Any) -> None:
    """Each blueprint is public, of staff with named roles, or of machines with tokens."""
    known = {*PUBLIC, *STAFF, *OWN_TOKEN}
    assert {part(rule) for rule in app.url_map.iter_rules()} <= known


def test_without_a_login_no_address_of_staff_answers(app: Any, client: Any, db_session: Any) -> None:
    """Forms and sections hear 401, pages lead to the sign-in; the database is as it was."""
    asked = 0
    for rule in app.url_map.iter_rules():
        if part(rule) not in STAFF or rule.endpoint in OPEN_TO_STAFF:
            continue
        asked += 1
        if "POST" in rule.methods:
            assert client.post(path_of(rule)).status_code == 401, rule
        if "GET" in rule.methods:
            answer = client.get(path_of(rule))
            sent = answer.status_code == 302 and "/login?next=" in answer.headers["Location"]
            assert sent or answer.status_code == 401, rule
            assert client.get(path_of(rule), headers={"X-Part": "1"}).status_code == 401, rule
    assert asked > 60
    assert db_session.query(TicketEvent).count() == 0


@pytest.mark.parametrize("name", ["planner", "clerk", "supervisor", "agency", "van_clerk"])
def test_a_role_has_no_business_in_another_ones_part(
    app: Any, login: Any, name: str, db_session: Any
) -> None:
    """A planner at the desk, a clerk at the planner: 403 on each address, whatever it does."""
    client = login(name)
    role = name.removeprefix("van_")
    asked = 0
    for rule in app.url_map.iter_rules():
        roles = STAFF.get(part(rule))
        if roles is None or role in roles or rule.endpoint in OPEN_TO_STAFF:
            continue
        asked += 1
        assert ask(client, rule).status_code == 403, rule
    assert asked > 15
    assert db_session.query(TicketEvent).count() == 0


def test_without_a_token_no_operation_of_machines_answers(app: Any, client: Any) -> None:
    """Every operation that is not public by its document, and the sync of vans: 401, or a refusal of the form."""
    guarded = {f"api.{operation.name}" for operation in OPERATIONS if operation.tokens or operation.roles}
    asked = 0
    for rule in app.url_map.iter_rules():
        if rule.endpoint in guarded or part(rule) == "van_sync":
            asked += 1
            assert ask(client, rule).status_code == 401, rule
    assert asked >= len(guarded)
