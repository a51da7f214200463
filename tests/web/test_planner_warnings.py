"""Early warnings at the planner's screen: seen on every page that needs it, explained, and one press from a repair."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fleet.store_warning import SiteWarning
from queueing.store import Desk, Queue, Service, Ticket
from tests.web import world as cast
from web import jobs


def crowd(app: Flask, world: cast.World, people: int = 60) -> None:
    """So many people wait at the center in Aswan, at three open desks."""

    def work(session: Session) -> None:
        service = session.scalars(select(Service.id)).all()[0]
        session.execute(update(Desk).where(Desk.id.in_(world.desks_a)).values(state="open"))
        session.execute(update(Queue).where(Queue.id == world.queue_a).values(pace_s=360.0))
        session.add_all(
            Ticket(
                code=f"crowd{n}", queue_id=world.queue_a, day=cast.TODAY, number=n, label=f"A{n}", service_id=service,
                issued_at=cast.NOW - timedelta(minutes=9), aged_from=cast.NOW - timedelta(minutes=9),
            )
            for n in range(1, people + 1)
        )  # fmt: skip

    with app.app_context():
        app.extensions["writer"](work)


@pytest.fixture
def client(
    app: Flask, world: cast.World, clock: cast.StillClock, login: Callable[..., FlaskClient]
) -> FlaskClient:
    """The planner, after the minute's job has looked twice at a crowd."""
    crowd(app, world)
    with app.app_context():
        jobs.warn(clock.now())
        jobs.warn(clock.advance(minutes=5))
    return login("planner")


def text(client: FlaskClient, path: str) -> str:
    """A page's text."""
    answer = client.get(path)
    assert answer.status_code == 200, path
    return str(answer.get_data(as_text=True))


def test_a_warning_stands_on_the_pages_a_planner_looks_at(client: FlaskClient) -> None:
    """Centers now, congestion and the week board say it in a line that leads to why."""
    for path in ("/en/planner/live", "/en/planner/congestion", "/en/planner", "/en/planner/warnings/tray"):
        page = client.get(path, follow_redirects=True).get_data(as_text=True)
        assert "1 place is about to be crowded" in page and "Aswan technology center" in page, path
        assert "/en/planner/warnings" in page


def test_the_page_says_why_and_what_help_would_bring(client: FlaskClient, db_session: Session) -> None:
    """Sixty people, three desks, six minutes: two hours of waiting, and hours that a van would spare."""
    page = text(client, "/en/planner/warnings")
    one = db_session.scalars(select(SiteWarning)).one()
    assert one.wait_min == pytest.approx(120) and one.relief_hours > 10
    for words in (
        "<strong>60</strong>",
        "2 hours",
        "6 minutes",
        "A van beside it would spare",
        "Look for a van",
    ):
        assert words in page, words
    assert "من يأتي بعد نصف ساعة" in text(client, "/planner/warnings")


def test_the_press_carries_the_overflow_to_the_repair(client: FlaskClient, world: cast.World) -> None:
    """The form holds the kind, the place, the percentage and today; nothing published yet is said in words."""
    page = text(client, "/en/planner/warnings")
    form = next(one for one in cast.forms(page) if one.action.endswith("/planner/repair"))
    fields = dict(form.fields)
    assert fields["kind"] == "demand_changed" and fields["site"] == str(world.site_a)
    assert int(fields["percent"]) >= 150 and fields["until"] == cast.TODAY.isoformat()
    answer = client.post("/en/planner/repair", data=fields)
    assert answer.status_code == 422, "the cast has published no plan: the report is refused in a sentence"
    assert 'role="alert"' in answer.get_data(as_text=True)


def test_what_was_seen_leaves_the_tray_and_stays_on_the_page(
    client: FlaskClient, db_session: Session
) -> None:
    """A press on Seen; who saw it is named."""
    one = db_session.scalars(select(SiteWarning)).one()
    assert client.post(f"/en/planner/warnings/{one.id}/seen").status_code == 302
    assert "crowded" not in text(client, "/en/planner/warnings/tray")
    assert re.search(r"seen by\s*<bdi>planner", text(client, "/en/planner/warnings"))
    assert client.post("/en/planner/warnings/999/seen").status_code == 404


def test_the_setting_is_chosen_with_its_rates_in_sight(client: FlaskClient) -> None:
    """Each setting states its false warnings; only these settings are taken."""
    page = text(client, "/en/planner/warnings")
    assert page.count('name="threshold"') == 4 and "False warnings a place and week" in page
    assert client.post("/en/planner/warnings/threshold", data={"threshold": "0.4"}).status_code == 302
    assert re.search(r'value="0.4"\s+checked', text(client, "/en/planner/warnings"))
    for wrong in ("0.01", "", "x", "nan"):
        assert client.post("/en/planner/warnings/threshold", data={"threshold": wrong}).status_code == 400


def test_what_came_is_said_of_each_earlier_warning(
    client: FlaskClient, app: Flask, clock: cast.StillClock
) -> None:
    """Three hours later nobody had come after the crowd: the warning was false, and the page says so."""
    with app.app_context():
        jobs.warn(clock.advance(hours=3, minutes=5))
    page = text(client, "/en/planner/warnings")
    assert "nobody came" in page
    assert "0 came true." in page, page[page.index("What came of") :]
    assert "1 warning in four weeks is over" in page


def test_others_do_not_see_warnings(login: Callable[..., FlaskClient]) -> None:
    """The page is a planner's."""
    assert login("clerk").get("/en/planner/warnings").status_code == 403
