"""The supervisor's page and the agency's figures over HTTP."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from fleet.store import Visit
from queueing import counter
from queueing.store import Desk, Queue, Ticket
from tests.web.test_clerk import give, press, states
from web.accounts import AccessToken


def test_todays_numbers_are_those_of_the_events(busy: Any, login: Any) -> None:
    """Three came; waits 10, 14 and 14 minutes so far: 12 whole minutes on average; service 4 minutes."""
    page = login("supervisor").get("/en/supervisor/parts/numbers").text
    figures = dict(
        pair.replace("</dt><dd>", "|").split("</dd>")[0].split("|") for pair in page.split("<dt>")[1:]
    )
    assert figures == {
        "Came": "3",
        "Served": "1",
        "Waiting now": "2",
        "Average wait": "12 minutes",
        "Average service": "4 minutes",
        "Did not come": "0",
        "Left without service": "0",
    }


def test_closing_with_people_waiting_asks_first_and_says_how_many(
    busy: Any, login: Any, world: Any, db_session: Any
) -> None:
    chief = login("supervisor")
    asked = press(chief, f"/queues/{world.queue_a}/close", page="/en/supervisor")
    assert "2 people are still inside" in asked.text and "Serve who is inside, then close" in asked.text
    close = f"/en/supervisor/queues/{world.queue_a}/close"
    # Not without a reason, not by a press that had named fewer people: it asks again, and nothing has changed.
    for given in ({"told": "2"}, {"told": "1", "reason": "The power is out"}, {"reason": "The power is out"}):
        assert "closing=" in chief.post(close, data=given).headers["Location"]
    assert db_session.get(Queue, world.queue_a).state == "open"
    chief.post(close, data={"told": "2", "reason": "The power is out"})
    db_session.rollback()
    assert db_session.get(Queue, world.queue_a).state == "closed"
    assert sorted(states(db_session).values()) == ["cancelled", "cancelled", "served"]
    for code in db_session.scalars(select(Ticket.code).where(Ticket.state == "cancelled")):
        page = login("clerk").get(f"/en/tickets/{code}").text
        assert "The power is out" in page and "Where you can go instead" in page


def test_before_closing_time_the_page_says_who_waits_and_until_when_they_are_served(
    busy: Any, login: Any, world: Any, clock: Any
) -> None:
    """Nothing at ten; half an hour before the doors close it says when, with the choice; after that, until when."""
    chief = login("supervisor")
    assert "The doors" not in chief.get("/en/supervisor").text
    clock.set(datetime(2026, 11, 22, 12, 30, tzinfo=UTC))  # 14:30 in Cairo; the doors close at 15:00
    before = chief.get("/en/supervisor").text
    assert "The doors close at" in before and "15:00" in before and "16:15" in before
    assert f"/supervisor/queues/{world.queue_a}/change#close" in before
    assert "تُغلق الأبواب" in chief.get("/supervisor").text
    clock.advance(minutes=40)
    assert "The doors are closed" in chief.get("/en/supervisor/parts/queues").text


def test_an_empty_queue_closes_without_a_question_and_opens_again(
    login: Any, world: Any, db_session: Any
) -> None:
    chief = login("supervisor")
    press(chief, f"/queues/{world.queue_a}/close", page="/en/supervisor")
    assert db_session.get(Queue, world.queue_a).state == "closed"
    press(chief, f"/queues/{world.queue_a}/open", page="/en/supervisor")
    db_session.rollback()
    assert db_session.get(Queue, world.queue_a).state == "open"


def test_closing_the_vans_queue_closes_its_visit(login: Any, world: Any, db_session: Any) -> None:
    chief = login("van_supervisor")
    assert "El Raghama" in chief.get("/en/supervisor").text
    press(chief, f"/queues/{world.queue_visit_a}/close", page="/en/supervisor")
    assert db_session.get(Visit, world.visit_a).status == "closed"


def test_a_desk_with_a_ticket_cannot_be_closed_over_the_clerks_head(
    busy: Any, login: Any, world: Any, db_session: Any
) -> None:
    press(busy, "/next")
    answer = login("supervisor").post(f"/en/supervisor/desks/{world.desks_a[0]}/close")
    assert answer.status_code == 409
    assert "A002 is still at this desk" in answer.text
    assert db_session.get(Desk, world.desks_a[0]).state == "open"


def test_the_trail_of_a_ticket_is_found_by_its_label(busy: Any, login: Any) -> None:
    page = login("supervisor").get("/en/supervisor/tickets?label=a001").text
    trail = page.split('class="trail cards"')[1].split("</table>")[0]
    said = [line for line in ("ticket given out", "called", "service began", "served") if line in trail]
    assert said == ["ticket given out", "called", "service began", "served"]
    assert "There is no ticket" in login("supervisor").get("/en/supervisor/tickets?label=Z999").text


@pytest.mark.parametrize("kind", ["kiosk", "board"])
def test_a_new_address_works_and_the_old_one_stops(
    login: Any, client: Any, world: Any, db_session: Any, kind: str
) -> None:
    chief = login("supervisor")
    addresses = []
    for _ in range(2):
        page = chief.post(f"/en/supervisor/queues/{world.queue_a}/links/{kind}", follow_redirects=True).text
        addresses.append(page.split('class="flash flash-good links"')[1].split('href="')[1].split('"')[0])
    assert addresses[0] != addresses[1]
    assert client.get(addresses[0]).status_code in (403, 404)
    assert client.get(addresses[1]).status_code == 200
    assert addresses[1] not in chief.get("/en/supervisor").text  # shown once
    tokens = db_session.scalars(select(AccessToken).where(AccessToken.queue_id == world.queue_a)).all()
    assert [token.revoked_at is None for token in tokens] == [False, True]


def test_an_agency_sees_its_own_services_by_site_and_nothing_else(
    busy: Any, login: Any, world: Any, write: Any, clock: Any
) -> None:
    """The civil registry's three tickets at Aswan are counted; a building statement of the local unit is not."""

    def other(session: Any) -> None:
        queue = session.get_one(Queue, world.queue_b2)
        counter.issue(session, queue, "BLD-01", request_id="bld", actor="x", now=clock.now())

    write(other)
    page = login("agency").get("/en/agency").text
    today = page.split('id="today"')[1].split('id="week"')[0]
    assert "Aswan technology center" in today and "Nasr City" not in today
    assert re.findall(r'<td class="num"[^>]*>(.*?)</td>', today) == ["3", "2", "1", "0"]


def test_the_supervisors_page_is_whole_in_arabic(busy: Any, login: Any, db_session: Any) -> None:
    page = login("supervisor").get("/supervisor").text
    assert db_session.scalar(select(Ticket.id)) is not None
    for english in ("Desks", "Came", "Open the queue", "Kiosk", "waiting", "Today", "Pause"):
        assert english not in page.replace("data-", "")


def test_the_trail_names_machines_in_the_readers_language(
    busy: Any, login: Any, world: Any, clock: Any, write: Any
) -> None:
    """Who gave the ticket out is a kiosk, not a code word."""

    def at_the_kiosk(session: Any) -> str:
        queue = session.get(Queue, world.queue_a)
        done = counter.issue(session, queue, "NID-01", request_id="k", actor="kiosk", now=clock.now())
        return done.ticket.label

    label = write(at_the_kiosk)
    chief = login("supervisor")
    for language, words in (("", "جهاز التذاكر"), ("/en", "Kiosk")):
        page = chief.get(f"{language}/supervisor/tickets?label={label}").text
        assert words in page.split('class="trail cards"')[1].split("</table>")[0]


def test_two_minutes_are_right_arabic(busy: Any, world: Any, clock: Any) -> None:
    """The dual stands after a colon, in the nominative: never "حضر قبل دقيقتان"."""
    for _ in range(2):
        press(busy, "/next")
        press(busy, "/miss")
    give(busy, world.desks_a[0])
    clock.advance(minutes=2)
    press(busy, "/next")
    assert "مدة الانتظار: دقيقتان" in busy.get("/desk").text
    press(busy, "/miss")
    assert "مضى على حضوره: دقيقتان" in busy.get("/desk").text


@pytest.mark.parametrize("spoilt", ["cancelled", "tomorrow's"])
def test_a_queue_that_is_not_todays_cannot_be_opened(
    login: Any, world: Any, write: Any, db_session: Any, spoilt: str
) -> None:
    """A supervisor of a mobile center opens today's visit; never a cancelled one's queue, nor tomorrow's visit."""

    def change(session: Any) -> None:
        visit = session.get_one(Visit, world.visit_a)
        visit.status = "cancelled" if spoilt == "cancelled" else "announced"
        if spoilt != "cancelled":
            visit.day += timedelta(days=1)
        visit.queue.state = "closed"

    write(change)
    client = login("van_supervisor")
    assert client.post(f"/supervisor/queues/{world.queue_visit_a}/open").status_code == 409
    db_session.expire_all()
    assert db_session.get_one(Queue, world.queue_visit_a).state == "closed"
    assert db_session.get_one(Visit, world.visit_a).status != "open"
