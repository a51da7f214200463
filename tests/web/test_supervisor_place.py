"""The supervisor's page of the place: a queue goes out of use and comes back, and services have an order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet import precedence, retiring
from fleet.days import open_day
from fleet.store import Setting, SiteQueue
from fleet.store_retired import RetiredQueue
from queueing import audit, closing, counter
from queueing.audit import Wanted
from queueing.slots import Pattern, set_rules
from queueing.store import Queue, QueueService, Ticket
from tests.web.world import NOW, TODAY, World
from web.accounts import new_token

Write = Callable[..., Any]
TOMORROW = TODAY + timedelta(days=1)


def issue(db: Session, queue_id: int, service: str, request_id: str) -> Ticket:
    """A ticket at the window."""
    queue = db.get_one(Queue, queue_id)
    return counter.issue(db, queue, service, request_id=request_id, actor="x", now=NOW).ticket


def ended(db: Session, ticket: Ticket) -> None:
    """Its holder goes."""
    counter.leave(db, ticket, request_id=f"go-{ticket.id}", actor="x", now=NOW)


def state(db: Session, queue_id: int) -> str:
    db.rollback()
    return db.get_one(Queue, queue_id).state


def test_a_queue_goes_out_of_use_with_its_history_kept_and_comes_back(
    login: Any, client: FlaskClient, world: World, write: Write, db_session: Session
) -> None:
    """Nobody finds it, nothing opens it in the morning, its kiosk is closed; the ticket's trail and the day stay."""
    write(lambda db: ended(db, issue(db, world.queue_b2, "BLD-01", "one")))
    kiosk = write(lambda db: new_token(db, "kiosk", now=NOW, queue_id=world.queue_b2))
    chief = login("other_supervisor")
    assert "Local unit" in client.get(f"/en/centers/{world.site_b}").text
    answer = chief.post(
        f"/en/supervisor/queues/{world.queue_b2}/retire", data={"reason": "moved to the new hall"}
    )
    assert answer.status_code == 303
    page = chief.get("/en/supervisor/place").text
    assert "The queue is out of use" in page and "moved to the new hall" in page and "Use it again" in page
    assert state(db_session, world.queue_b2) == "closed"
    assert "Local unit" not in client.get(f"/en/centers/{world.site_b}").text
    assert "closed" in client.get(f"/en/kiosk/{kiosk}").text
    listed = client.get("/api/v1/queues").json["items"]
    assert world.queue_b in [q["id"] for q in listed] and world.queue_b2 not in [q["id"] for q in listed]
    write(lambda db: open_day(db, TOMORROW, now=NOW + timedelta(days=1)))
    assert state(db_session, world.queue_b2) == "closed"
    # What was, can be read: by whoever could read it before, and by nobody else.
    code = db_session.scalar(select(Ticket.code).where(Ticket.queue_id == world.queue_b2))
    assert "C001" in chief.get("/en/supervisor/tickets?label=C001").text
    assert chief.get(f"/api/v1/tickets/{code}/trail").status_code == 200
    assert login("supervisor").get(f"/api/v1/tickets/{code}/trail").status_code == 403
    assert chief.get("/api/v1/figures").json["total"]["arrivals"] == 1
    assert "queue taken out of use" in chief.get("/en/supervisor/audit?all=1").text
    # Its verbs are not the supervisor's any more.
    assert chief.post(f"/supervisor/queues/{world.queue_b2}/open").status_code == 403
    for _ in range(2):
        assert chief.post(f"/supervisor/queues/{world.queue_b2}/bring-back").status_code == 303
    assert state(db_session, world.queue_b2) == "closed"
    assert chief.post(f"/supervisor/queues/{world.queue_b2}/open").status_code == 303
    write(lambda db: issue(db, world.queue_b2, "BLD-01", "two"))
    assert db_session.scalar(select(func.count()).select_from(RetiredQueue)) == 0


def test_never_with_people_in_it_or_bookings_to_come(
    login: Any, world: World, write: Write, db_session: Session
) -> None:
    """Somebody waiting, then somebody booked for tomorrow: refused each time, with words that say what to do."""
    ticket = write(lambda db: issue(db, world.queue_b2, "BLD-01", "one"))
    chief, path = login("other_supervisor"), f"/en/supervisor/queues/{world.queue_b2}/retire"
    answer = chief.post(path, data={"reason": "x"})
    assert answer.status_code == 409 and "still stand in this queue" in answer.text
    write(lambda db: ended(db, db.get_one(Ticket, ticket.id)))

    def book(db: Session) -> Ticket:
        from queueing import appointments

        queue = db.get_one(Queue, world.queue_b2)
        set_rules(db, queue, [Pattern(600, 660, 30, 1)], days=[TOMORROW])
        at = NOW.replace(hour=8, minute=30) + timedelta(days=1)
        return appointments.book(db, queue, "BLD-01", at=at, request_id="b", actor="x", now=NOW).ticket

    booked = write(book)
    answer = chief.post(path, data={"reason": "x"})
    assert answer.status_code == 409 and "booked for this queue" in answer.text
    page = chief.get("/en/supervisor/place").text
    assert "1 person is booked for it." in page and f"{world.queue_b2}/retire" not in page
    write(lambda db: counter.cancel(db, db.get_one(Ticket, booked.id), request_id="c", actor="x", now=NOW))
    assert chief.post(path, data={"reason": " "}).status_code == 422
    assert chief.post(path, data={"reason": "x"}).status_code == 303
    assert state(db_session, world.queue_b2) == "closed"
    # Nobody can be booked for it, whoever kept its address.
    times = {"service": "BLD-01", "at": "2026-11-23T10:30:00+02:00", "request_id": "late"}
    refused = chief.post(f"/queues/{world.queue_b2}/book", data=times)
    assert refused.status_code in (409, 422)
    assert db_session.scalar(select(func.count()).select_from(Ticket)) == 2


def test_the_only_queue_of_a_place_stays(login: Any, world: World, db_session: Session) -> None:
    answer = login("supervisor").post(f"/en/supervisor/queues/{world.queue_a}/retire", data={"reason": "x"})
    assert answer.status_code == 409 and "at least one queue" in answer.text
    assert state(db_session, world.queue_a) == "open"


def test_another_places_queue_and_a_vans_are_refused(login: Any, world: World, write: Write) -> None:
    """One's own place only; a mobile center's queues go with its visits; who comes back is one's own, too."""
    data = {"reason": "x"}
    assert (
        login("supervisor").post(f"/supervisor/queues/{world.queue_b2}/retire", data=data).status_code == 403
    )
    van = login("van_supervisor")
    assert van.post(f"/supervisor/queues/{world.queue_visit_a}/retire", data=data).status_code == 403
    page = van.get("/en/supervisor/place")
    assert page.status_code == 200 and "come and go with its visits" in page.text
    assert "/supervisor/place" not in van.get("/supervisor").text
    write(
        lambda db: retiring.retire(db, db.get_one(Queue, world.queue_b2), reason="x", actor="chief", now=NOW)
    )
    assert login("supervisor").post(f"/supervisor/queues/{world.queue_b2}/bring-back").status_code == 403
    assert login("clerk").post(f"/supervisor/queues/{world.queue_b2}/bring-back").status_code == 403


def test_retiring_twice_is_once_and_coming_back_needs_no_service_twice(world: World, write: Write) -> None:
    """The second press changes nothing; a service given meanwhile is not given twice."""

    def work(db: Session) -> None:
        queue = db.get_one(Queue, world.queue_b)
        first = retiring.retire(db, queue, reason="first", actor="a", now=NOW)
        assert (
            retiring.retire(db, queue, reason="second", actor="b", now=NOW).reason == first.reason == "first"
        )
        assert db.get(SiteQueue, queue.id) is None
        db.add(QueueService(queue_id=queue.id, service_id=world.services["NID-01"]))
        db.flush()
        assert retiring.bring_back(db, queue, actor="a", now=NOW)
        assert not retiring.bring_back(db, queue, actor="a", now=NOW)
        assert sorted(precedence.offered_at(db, world.site_b)) == ["BIR-01", "BLD-01", "FAM-01", "NID-01"]
        wanted = Wanted([queue.id], (), NOW - timedelta(days=1), NOW + timedelta(days=1))
        acts = [act.action for act in audit.acts(db, wanted)[0]]
        assert acts.count("queue_retired") == acts.count("queue_back") == 1

    write(work)


# ---- the order of services


def test_a_rule_leads_the_visit_and_can_be_taken_back(
    login: Any, client: FlaskClient, world: World, db_session: Session
) -> None:
    """The identity card comes only after the site statement: one ticket for both stands in the statement's queue."""
    chief = login("other_supervisor")
    rule = {"service": "NID-01", "before": "BLD-01"}
    assert chief.post("/en/supervisor/place/order", data={**rule, "act": "add"}).status_code == 303
    page = chief.get("/en/supervisor/place").text
    assert "National identity card: only after Site validity statement" in page
    both = {"service": ["NID-01", "BLD-01"], "priority": "none", "request_id": "r1"}
    assert client.post(f"/centers/{world.site_b}/several", data=both).status_code == 303
    assert db_session.scalars(select(Ticket.queue_id)).one() == world.queue_b2
    by_api = {"services": ["NID-01", "BLD-01"], "request_id": "r2"}
    answer = client.post(f"/api/v1/sites/{world.site_b}/journeys", json=by_api)
    assert answer.status_code == 201 and answer.json["queue"] == world.queue_b2
    wrong = client.post(
        f"/api/v1/sites/{world.site_b}/journeys", json={**by_api, "request_id": "r3", "after": {"BLD-01": 5}}
    )
    assert wrong.status_code == 422
    assert "order of services changed" in chief.get("/en/supervisor/audit?all=1").text
    assert "only after" in chief.get("/en/supervisor/audit?all=1").text
    for _ in range(2):
        assert chief.post("/supervisor/place/order", data={**rule, "act": "drop"}).status_code == 303
    assert "only after Site" not in chief.get("/en/supervisor/place").text


@pytest.mark.parametrize(
    ("service", "before", "words"),
    [
        ("NID-01", "NID-01", "two different services"),
        ("NID-01", "", "both services"),
        ("NID-01", "PAS-99", "not offered here"),
        ("BLD-01", "FAM-01", "wait for each other"),
    ],
)
def test_rules_that_make_no_sense_are_refused_in_words(
    login: Any, world: World, write: Write, service: str, before: str, words: str
) -> None:
    """A circle is one over three services, too, and over rules of all places."""

    def rules(db: Session) -> None:
        db.add(Setting(key=precedence.EVERYWHERE, value={"FAM-01": ["BIR-01"]}))
        precedence.put_before(db, world.site_b, "BIR-01", "BLD-01", actor="x", now=NOW)

    write(rules)
    answer = login("other_supervisor").post(
        "/en/supervisor/place/order", data={"service": service, "before": before, "act": "add"}
    )
    assert answer.status_code in (409, 422) and words in answer.text


def test_rules_are_a_places_own_beside_those_of_all(login: Any, world: World, write: Write) -> None:
    """Another place's supervisor sees and takes back nothing of them; what holds everywhere has no button."""

    def rules(db: Session) -> None:
        db.add(Setting(key=precedence.EVERYWHERE, value={"FAM-01": ["BIR-01"]}))
        assert precedence.put_before(db, world.site_b, "NID-01", "BLD-01", actor="x", now=NOW)
        assert not precedence.put_before(db, world.site_b, "FAM-01", "BIR-01", actor="x", now=NOW)
        assert precedence.order_at(db, world.site_a) == {"FAM-01": ["BIR-01"]}
        assert not precedence.drop_rule(db, world.site_a, "NID-01", "BLD-01", actor="x", now=NOW)
        assert not precedence.drop_rule(db, world.site_b, "FAM-01", "BIR-01", actor="x", now=NOW)
        assert precedence.order_at(db, world.site_b) == {"FAM-01": ["BIR-01"], "NID-01": ["BLD-01"]}

    write(rules)
    page = login("other_supervisor").get("/en/supervisor/place").text
    assert "Holds at all places" in page and page.count('value="drop"') == 1
    assert login("van_supervisor").post("/supervisor/place/order", data={"act": "drop"}).status_code == 403


def test_closing_asks_again_when_somebody_came_meanwhile(
    login: Any, world: World, write: Write, db_session: Session
) -> None:
    """The page was shown one; two are there when the button is pressed: nobody goes home, the page asks again."""
    write(lambda db: (issue(db, world.queue_a, "NID-01", "one"), issue(db, world.queue_a, "NID-01", "two")))
    chief, path = login("supervisor"), f"/en/supervisor/queues/{world.queue_a}/close"
    answer = chief.post(path, data={"reason": "no power", "told": "1"})
    assert answer.status_code == 303 and "closing=" in answer.headers["Location"]
    assert state(db_session, world.queue_a) == "open"
    assert chief.post(path, data={"reason": "no power", "told": "2"}).status_code == 303
    assert state(db_session, world.queue_a) == "closed"
    assert "everybody is sent home; no power" in chief.get("/en/supervisor/audit?all=1").text
    assert sum(closing.would_lose(db_session, db_session.get_one(Queue, world.queue_a), now=NOW)) == 0
