"""Who may open what: every rule of the staff blueprint, for nobody, for each wrong role, and for another site."""

from __future__ import annotations

from typing import Any

import pytest

from queueing import counter, desks
from queueing.store import Desk, Queue, Ticket, TicketEvent
from tests.web.world import NOW
from web.app import create_app

ALLOWED = {
    "clerk.desk": {"clerk", "supervisor"},
    "clerk.desk_part": {"clerk", "supervisor"},
    "clerk.take_desk": {"clerk", "supervisor"},
    "clerk.change_desk": {"clerk", "supervisor"},
    "clerk.call_next": {"clerk", "supervisor"},
    "clerk.act_on_ticket": {"clerk", "supervisor"},
    "clerk.issue_at_desk": {"clerk", "supervisor"},
    "clerk.hello": {"clerk", "supervisor"},
    "clerk.contact": {"clerk", "supervisor"},
    "clerk.shell": {"clerk", "supervisor"},
    "clerk.unsent": {"clerk", "supervisor"},
    "clerk.worker": {"clerk", "supervisor"},
    "clerk.words_script": {"clerk", "supervisor"},
    "clerk.desk_hands": {"clerk", "supervisor"},
    "clerk.take_back": {"supervisor"},
    "clerk.paper_home": {"clerk", "supervisor"},
    "clerk.paper_bookings": {"clerk", "supervisor"},
    "clerk.reserve_strip": {"clerk", "supervisor"},
    "clerk.print_strip": {"clerk", "supervisor"},
    "clerk.paper_entry": {"clerk", "supervisor"},
    "clerk.type_in": {"clerk", "supervisor"},
    "clerk.supervisor": {"supervisor"},
    "clerk.supervisor_part": {"supervisor"},
    "clerk.change_queue": {"supervisor"},
    "clerk.supervise_desk": {"supervisor"},
    "clerk.renew_link": {"supervisor"},
    "clerk.print_ticket": {"clerk", "supervisor"},
    "clerk.appointments_page": {"supervisor"},
    "clerk.set_appointments": {"supervisor"},
    "clerk.manage_queue": {"supervisor"},
    "clerk.change_whole_queue": {"supervisor"},
    "clerk.supervisor_day": {"supervisor"},
    "clerk.supervisor_tickets": {"supervisor"},
    "clerk.supervisor_audit": {"supervisor"},
    "clerk.supervisor_audit_csv": {"supervisor"},
    "clerk.supervisor_setup": {"supervisor"},
    "clerk.set_limits": {"supervisor"},
    "clerk.set_printer": {"supervisor"},
    "clerk.test_printer": {"supervisor"},
    "clerk.assign_desk": {"supervisor"},
    "clerk.set_up_board": {"supervisor"},
    "clerk.supervisor_place": {"supervisor"},
    "clerk.change_order": {"supervisor"},
    "clerk.retire_queue": {"supervisor"},
    "clerk.bring_queue_back": {"supervisor"},
    "clerk.agency": {"agency"},
}
"""The one list of who may: a new page of staff must be entered here."""
CHOICES = {
    "act": "pause",
    "verb": "finish",
    "name": "line",
    "kind": "board",
    "day": "2026-11-23",
    "strip_id": 1,
    "holder_id": 1,
    "code": "nobody-holds-this",
    "token_id": 1,
}
PEOPLE = {"planner": "planner", "supervisor": "supervisor", "clerk": "clerk", "agency": "agency"}


def rules(app: Any) -> list[Any]:
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("clerk.")]


@pytest.fixture
def prepared(write: Any, world: Any) -> str:
    """Desks open at both sites and a ticket at Aswan's first; returns its code."""

    def work(session: Any) -> str:
        for desk in (world.desks_a[0], world.desks_b[0]):
            desks.open_desk(session, session.get_one(Desk, desk), actor="x", now=NOW, operator="somebody")
        queue = session.get_one(Queue, world.queue_a)
        done = counter.issue(session, queue, "NID-01", request_id="p", actor="x", now=NOW)
        return str(done.ticket.code)

    return str(write(work))


def address(rule: Any, queue_id: int, desk_id: int) -> str:
    values = {"queue_id": queue_id, "desk_id": desk_id, **CHOICES}
    if rule.endpoint in ("clerk.supervisor_part",):
        values["name"] = "queues"
    path = rule.rule
    for name in rule.arguments:
        start = path.index("<")
        end = path.index(">")
        assert name in path[start:end] or len(rule.arguments) > 1
        inside = path[start + 1 : end].rsplit(":", 1)[-1]
        path = path[:start] + str(values[inside]) + path[end + 1 :]
    return path


def ask(client: Any, rule: Any, path: str, ticket: str, **options: Any) -> Any:
    if "POST" in rule.methods:
        return client.post(path, data={"ticket": ticket, "request_id": "r", "service": "NID-01"}, **options)
    return client.get(path, **options)


def test_every_staff_page_is_in_the_list_of_who_may(app: Any) -> None:
    assert {rule.endpoint for rule in rules(app)} == set(ALLOWED)


def test_nobody_signed_in_is_sent_to_sign_in_and_posts_hear_401(
    app: Any, client: Any, world: Any, prepared: str
) -> None:
    """Also with form checks on: whoever is not signed in hears of that, not of a form that is too old."""
    app.config["WTF_CSRF_ENABLED"] = True
    for rule in rules(app):
        path = address(rule, world.queue_a, world.desks_a[0])
        answer = ask(client, rule, path, prepared)
        if "POST" in rule.methods:
            assert answer.status_code == 401, path
        else:
            assert answer.status_code == 302 and "/login?next=" in answer.location, path
            assert ask(client, rule, path, prepared, headers={"X-Part": "1"}).status_code == 401, path


@pytest.mark.parametrize("name", sorted(PEOPLE))
def test_a_wrong_role_is_refused_on_every_staff_page(
    app: Any, login: Any, world: Any, prepared: str, name: str, db_session: Any
) -> None:
    client = login(name)
    before = db_session.query(TicketEvent).count()
    for rule in rules(app):
        if PEOPLE[name] in ALLOWED[rule.endpoint]:
            continue
        path = address(rule, world.queue_a, world.desks_a[0])
        assert ask(client, rule, path, prepared).status_code == 403, path
    db_session.rollback()
    assert db_session.query(TicketEvent).count() == before


@pytest.mark.parametrize("name", ["other_clerk", "other_supervisor", "van_supervisor"])
def test_another_sites_queue_desk_and_ticket_are_refused(
    app: Any, login: Any, world: Any, prepared: str, name: str, db_session: Any
) -> None:
    """Every rule that names a queue or a desk, with those of Aswan, for people of other places."""
    client = login(name)
    role = name.split("_")[1]
    checked = 0
    for rule in rules(app):
        if role not in ALLOWED[rule.endpoint] or not rule.arguments & {"queue_id", "desk_id"}:
            continue
        path = address(rule, world.queue_a, world.desks_a[0])
        assert ask(client, rule, path, prepared).status_code == 403, path
        checked += 1
    assert checked >= 5
    db_session.rollback()
    assert db_session.query(Ticket).one().state == "waiting"


def test_ones_own_desk_does_not_reach_another_sites_ticket(
    login: Any, world: Any, prepared: str, db_session: Any
) -> None:
    client = login("other_clerk")
    client.post(f"/desk/{world.desks_b[0]}/take")
    for verb in ("start", "finish", "miss", "park", "requeue", "transfer", "undo", "resume", "recall"):
        answer = client.post(
            f"/desk/{world.desks_b[0]}/{verb}", data={"ticket": prepared, "request_id": verb}
        )
        assert answer.status_code == 403, verb
    assert (
        client.post(
            f"/desk/{world.desks_b[0]}/next", data={"ticket": prepared, "request_id": "n"}
        ).status_code
        == 403
    )


def test_tickets_and_desks_that_do_not_exist_are_404(login: Any, world: Any) -> None:
    client = login("clerk")
    client.post(f"/desk/{world.desks_a[0]}/take")
    assert client.post("/desk/9999/next", data={"request_id": "r"}).status_code == 404
    assert (
        client.post(f"/desk/{world.desks_a[0]}/start", data={"ticket": "none", "request_id": "r"}).status_code
        == 404
    )


def test_the_list_matches_an_application_made_afresh(tmp_path: Any) -> None:
    """The rules do not depend on the fixtures: a second application has the same ones."""
    from tests.web.world import settings_for

    assert {r.endpoint for r in rules(create_app(settings_for(tmp_path)))} == set(ALLOWED)
