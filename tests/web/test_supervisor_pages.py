"""The supervisor's pages: a day in figures, trails, who did what, setting up. Each only of one's own place."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from queueing import audit, desks, statistics_check
from queueing.statistics_check import Checked, Wrong
from queueing.store import Desk, Queue, Ticket
from tests.web.test_clerk import press
from tests.web.world import TODAY, form_to
from web.accounts import AccessToken
from web.printing.store import KioskPrinter, PrintJob


@pytest.mark.parametrize("page", ["day", "tickets", "audit", "audit.csv", "setup"])
def test_the_pages_are_the_supervisors_alone(client: Any, login: Any, page: str) -> None:
    assert client.get(f"/supervisor/{page}").status_code in (302, 401)
    for name in ("clerk", "planner", "agency"):
        assert login(name).get(f"/supervisor/{page}").status_code == 403
    assert login("supervisor").get(f"/supervisor/{page}").status_code == 200
    assert login("van_supervisor").get(f"/en/supervisor/{page}").status_code == 200


def test_a_day_by_hour_and_service(busy: Any, login: Any) -> None:
    page = login("supervisor").get("/en/supervisor/day").text
    assert "10:00" in page and "Identity" in page.title()
    hours = page.split('id="hours-title"')[1].split("</table>")[0]
    cells = [part.split("</td>")[0] for part in hours.split('<td class="num">')[1:]]
    assert cells == ["3", "1", "0", "0", "12 minutes", "14 minutes", "4 minutes", "4 minutes"]
    empty = login("supervisor").get(f"/en/supervisor/day?day={TODAY - timedelta(days=9)}").text
    assert "Nobody took a ticket on this day." in empty


@pytest.mark.parametrize("day", ["", "2026-13-40", "9999-01-01", "x"])
def test_a_day_that_is_none_is_today(login: Any, day: str) -> None:
    assert "22 November" in login("supervisor").get(f"/en/supervisor/day?day={day}").text


def test_a_figure_that_does_not_agree_is_shown_to_those_it_concerns(
    login: Any, world: Any, write: Any, clock: Any
) -> None:
    wrong = (Wrong(world.queue_a, 10, "served", "stored", 4, 3),)
    write(lambda s: statistics_check.keep(s, Checked(TODAY, 3, 90, wrong, True), now=clock.now()))
    for page in ("supervisor", "supervisor/day"):
        assert "does not agree with what was recorded" in login("supervisor").get(f"/en/{page}").text
        assert "does not agree" not in login("other_supervisor").get(f"/en/{page}").text


def test_what_the_night_closed_is_flagged(busy: Any, login: Any, write: Any, clock: Any) -> None:
    clock.advance(hours=20)
    write(lambda s: desks.close_forgotten(s, now=clock.now()))
    chief = login("supervisor")
    page = chief.get("/en/supervisor").text
    assert "2 visits were left open and closed by themselves in the night." in page and "A002" in page
    trail = chief.get(f"/en/supervisor/tickets?label=A002&day={TODAY}").text
    assert "Nobody closed this visit" in trail and "by itself, on time" in trail


def test_a_trail_says_how_long_each_state_lasted_and_is_found_by_link_too(
    busy: Any, login: Any, db_session: Any
) -> None:
    code = db_session.scalar(select(Ticket.code).where(Ticket.label == "A001"))
    chief = login("supervisor")
    for query in ("label=A001", f"code={code}", f"code=http://localhost/tickets/{code}/"):
        page = chief.get(f"/en/supervisor/tickets?{query}").text
        spent = page.split('class="figures spent"')[1].split("</dl>")[0]
        assert (
            "<dt>In the line</dt><dd>10 minutes</dd>" in spent
            and "<dt>Being served</dt><dd>4 minutes</dd>" in spent
        )
    for query in ("label=A001", f"code={code}"):
        assert 'class="trail cards"' not in login("other_supervisor").get(f"/supervisor/tickets?{query}").text


def test_the_audit_lists_staff_and_filters(busy: Any, login: Any) -> None:
    chief = login("supervisor")
    page = chief.get("/en/supervisor/audit").text
    table = page.split('class="audit cards"')[1]
    for words in ("desk opened", "for clerk", "served", "service began", "A001"):
        assert words in table
    only = (
        chief.get("/en/supervisor/audit?action=finish")
        .text.split('class="audit cards"')[1]
        .split("</table>")[0]
    )
    assert only.count("<tr>") == 2 and "served" in only
    assert "Nothing of this kind" in chief.get("/en/supervisor/audit?person=nobody").text
    assert "A001" not in login("other_supervisor").get("/en/supervisor/audit").text


def test_the_audit_is_read_page_by_page(login: Any, world: Any, write: Any, clock: Any) -> None:
    def many(session: Any) -> None:
        for n in range(audit.PAGE + 5):
            audit.note(
                session, f"queue:{world.queue_a}", "limits", actor="chief", now=clock.now(), subject=f"n{n}"
            )

    write(many)
    chief = login("supervisor")
    first = chief.get("/en/supervisor/audit").text
    assert f"n{audit.PAGE + 4}<" in first and ">n4<" not in first
    following = first.split("after=")[1].split('"')[0]
    second = chief.get(f"/en/supervisor/audit?after={following}").text
    assert ">n4<" in second and ">n0<" in second and ">n5<" not in second
    assert chief.get("/en/supervisor/audit?after=9-9-99999999999999999999").status_code == 200


def test_the_audit_as_a_table_holds_the_same_and_no_formula(
    busy: Any, login: Any, world: Any, write: Any, clock: Any
) -> None:
    write(
        lambda s: audit.note(
            s, f"queue:{world.queue_a}", "limits", actor="=cmd()", now=clock.now(), subject="@x"
        )
    )
    answer = login("supervisor").get("/en/supervisor/audit.csv")
    assert answer.mimetype == "text/csv" and "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert rows[0][:3] == ["Time", "Person", "Act"]
    assert ["'=cmd()", "limits changed"] in [row[1:3] for row in rows]
    assert "A001" in [row[4] for row in rows]


def test_limits_are_set_and_written_down(login: Any, world: Any, db_session: Any) -> None:
    chief = login("supervisor")
    form = form_to(chief.get("/en/supervisor/setup").text, "/limits")
    assert form.fields["hold_minutes"] == "5"
    form.fields.update(daily_capacity="٤٠", recall_limit="2", hold_minutes="10")
    page = chief.post(form.action, data=form.fields, follow_redirects=True).text
    assert "The limits hold from now on." in page
    queue = db_session.get(Queue, world.queue_a)
    assert (queue.daily_capacity, queue.recall_limit, queue.cool_down_s) == (40, 2, 600)
    assert "tickets a day: from – to 40" in chief.get("/en/supervisor/audit?action=limits").text
    assert chief.post(form.action, data={**form.fields, "recall_limit": "x"}).status_code == 422
    assert login("other_supervisor").post(form.action, data=form.fields).status_code == 403


def test_a_clerk_is_seated_at_a_desk_and_leaves_the_one_before(
    login: Any, world: Any, db_session: Any
) -> None:
    chief = login("supervisor")
    first, second = world.desks_a[:2]
    for desk in (first, second):
        chief.post(f"/supervisor/desks/{desk}/assign", data={"operator": "clerk"})
    rows = [(d.state, d.operator) for d in (db_session.get(Desk, first), db_session.get(Desk, second))]
    assert rows == [("closed", None), ("open", "clerk")]
    assert "for clerk" in chief.get("/en/supervisor/audit").text
    refused = chief.post(f"/supervisor/desks/{first}/assign", data={"operator": "other_clerk"})
    assert refused.status_code == 400
    assert (
        login("other_supervisor")
        .post(f"/supervisor/desks/{first}/assign", data={"operator": "clerk"})
        .status_code
        == 403
    )


def test_a_clerk_with_somebody_at_the_desk_is_not_moved(
    busy: Any, login: Any, world: Any, db_session: Any
) -> None:
    press(busy, "/next")
    answer = login("supervisor").post(
        f"/en/supervisor/desks/{world.desks_a[1]}/assign", data={"operator": "clerk"}
    )
    assert answer.status_code == 409 and "A002 is still at the desk where this clerk sits" in answer.text
    assert db_session.get(Desk, world.desks_a[1]).state == "closed"


def test_a_kiosks_printer_is_set_tested_and_moves_to_the_new_address(
    login: Any, world: Any, db_session: Any
) -> None:
    chief = login("supervisor")
    chief.post(f"/supervisor/queues/{world.queue_a}/links/kiosk")
    form = form_to(chief.get("/en/supervisor/setup").text, "/printer")
    form.fields["address"] = "file:/etc/passwd"
    assert chief.post(form.action, data=form.fields).status_code == 422
    form.fields["address"] = "none"
    assert "The printer is set." in chief.post(form.action, data=form.fields, follow_redirects=True).text
    tested = chief.post(f"{form.action}/test", data=form.fields, follow_redirects=True).text
    assert "taken the test slip" in tested
    chief.post(f"/supervisor/queues/{world.queue_a}/links/kiosk")
    kept = db_session.scalars(select(KioskPrinter)).one()
    newest = db_session.scalars(
        select(AccessToken.id).where(AccessToken.revoked_at.is_(None), AccessToken.kind == "kiosk")
    )
    assert kept.token_id in list(newest) and kept.address == "none"
    assert login("other_supervisor").post(form.action, data=form.fields).status_code in (403, 404)
    listed = chief.get("/en/supervisor/audit").text
    assert "printer set" in listed and "new address made" in listed


def test_staff_print_a_slip_again(
    busy: Any, login: Any, world: Any, db_session: Any, write: Any, clock: Any
) -> None:
    chief = login("supervisor")
    code = db_session.scalar(select(Ticket.code).where(Ticket.label == "A002"))
    address = f"/en/supervisor/tickets/{code}/print"
    without = chief.post(address, data={"request_id": "p0"}, follow_redirects=True).text
    assert "not printed" in without and "There is no printer here." in without
    chief.post(f"/supervisor/queues/{world.queue_a}/links/kiosk")
    form = form_to(chief.get("/en/supervisor/setup").text, "/printer")
    chief.post(form.action, data={**form.fields, "address": "none"})
    page = chief.post(address, data={"request_id": "p1"}, follow_redirects=True).text
    assert "Slip: printed" in page and "Print the slip again" in page
    assert login("other_supervisor").post(address, data={"request_id": "p2"}).status_code == 403
    db_session.rollback()
    made = db_session.scalars(select(PrintJob).order_by(PrintJob.id)).all()
    assert [(j.state, j.actor) for j in made] == [("failed", "supervisor"), ("printed", "supervisor")]
