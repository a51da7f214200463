"""Checks from the command line and by night, what monitors read of them, and sign-ins in the audit."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from queueing.daytime import local_day
from queueing.measure import measure_day
from queueing.store import QueueHour, Ticket
from queueing.store_office import AuditEntry, StatisticsCheck
from tests.web.test_clerk import give, press
from tests.web.world import PASSWORD, TODAY
from web.nightly import check_yesterday


@pytest.fixture
def yesterday(login: Any, world: Any, clock: Any, write: Any) -> None:
    """A day with two tickets that is over and measured."""
    clerk = login("clerk")
    clerk.post(f"/desk/{world.desks_a[0]}/take")
    give(clerk, world.desks_a[0], 2)
    clock.advance(minutes=5)
    press(clerk, "/next")
    press(clerk, "/finish")
    clock.advance(hours=18)
    write(lambda s: measure_day(s, [world.queue_a], TODAY, now=clock.now(), learn=False))
    assert local_day(clock.now(), "Africa/Cairo") == TODAY + timedelta(days=1)


def test_a_right_day_passes_and_a_wrong_one_fails_and_is_named(
    app: Any, yesterday: None, write: Any, db_session: Any, client: Any
) -> None:
    run = app.test_cli_runner().invoke
    right = run(args=["check", "statistics"])
    assert right.exit_code == 0 and "1 queues, 0 not as the events say" in right.output
    assert "statistics_wrong 0.0" in client.get("/metrics").text

    def spoil(session: Any) -> None:
        session.scalars(select(QueueHour)).first().served += 2

    write(spoil)
    wrong = run(args=["check", "statistics", "--day", str(TODAY), "--json"])
    assert wrong.exit_code == 1
    made = json.loads(wrong.output)
    assert [(w["figure"], w["where"]) for w in made["wrong"]] == [("served", "stored")]
    assert db_session.get(StatisticsCheck, TODAY).wrong == 1
    assert "statistics_wrong 1.0" in client.get("/metrics").text


def test_the_night_checks_the_day_that_is_over(
    app: Any, yesterday: None, clock: Any, db_session: Any
) -> None:
    with app.app_context():
        said = check_yesterday(clock.now())
    assert str(TODAY) in said and db_session.get(StatisticsCheck, TODAY).wrong == 0


def test_no_day_is_refused_in_a_sentence(app: Any) -> None:
    said = app.test_cli_runner().invoke(args=["check", "statistics", "--day", "tomorrow"])
    assert said.exit_code == 2 and "is no day" in said.output


def test_tickets_are_rebuilt_from_their_events(app: Any, yesterday: None, write: Any) -> None:
    run = app.test_cli_runner().invoke
    assert run(args=["check", "tickets"]).exit_code == 0

    def spoil(session: Any) -> None:
        session.scalars(select(Ticket)).first().state = "missed"

    write(spoil)
    assert run(args=["check", "tickets"]).exit_code == 1


def test_signing_in_and_out_and_a_wrong_password_stand_in_the_audit_of_the_place(
    client: Any, login: Any, db_session: Any, world: Any
) -> None:
    client.post("/login", data={"name": "clerk", "password": "wrong"})
    client.post("/login", data={"name": "nobody", "password": "wrong"})
    client.post("/login", data={"name": "clerk", "password": PASSWORD})
    client.post("/logout")
    entries = db_session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(e.actor, e.action, e.topic) for e in entries] == [
        ("clerk", action, f"site:{world.site_a}") for action in ("login_failed", "login", "logout")
    ]
    page = login("supervisor").get("/en/supervisor/audit").text
    assert "wrong password" in page and "signed in" in page and "signed out" in page
    assert (
        "wrong password"
        not in login("other_supervisor").get("/en/supervisor/audit").text.split("</form>")[-1]
    )


def test_accounts_and_tokens_made_at_the_command_line_are_in_the_audit(
    app: Any, world: Any, db_session: Any
) -> None:
    run = app.test_cli_runner().invoke
    run(args=["user", "add", "mona", "--role", "clerk", "--site", "F-ASN-01", "--password", "-"])
    run(args=["token", "kiosk", "--queue", str(world.queue_a)])
    rows = db_session.execute(
        select(AuditEntry.action, AuditEntry.topic, AuditEntry.subject, AuditEntry.data)
    ).all()
    assert [(r.action, r.topic, r.subject) for r in rows] == [
        ("account", f"site:{world.site_a}", "mona"),
        ("token", f"queue:{world.queue_a}", "kiosk"),
    ]
    assert rows[0].data == {"role": "clerk"}
