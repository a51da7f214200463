"""The planner's forecast beside outcome, and dated events entered, measured and taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import Calendar
from fleet.store import ForecastHour
from fleet.store_forecast import DatedEvent, ForecastDay
from queueing.store import QueueHour
from tests.web import world as cast
from web.nightly import make_forecasts, recall_week

Write = Callable[[Callable[[Session], Any]], Any]
WEEK = date(2026, 11, 14)
"""The week that is over."""


@pytest.fixture
def client(login: Callable[..., FlaskClient]) -> FlaskClient:
    """The planner at work."""
    return login("planner")


def write_weeks(session: Session, world: cast.World, weeks: int = 9) -> None:
    """Weeks of measured arrivals up to yesterday at every fixed queue, a third more in the last of them."""
    rng, calendar = np.random.default_rng(3), Calendar()
    for queue_id, level in ((world.queue_a, 90), (world.queue_b, 140), (world.queue_b2, 60)):
        for n in range(1, 7 * weeks + 1):
            day = cast.TODAY - timedelta(days=n)
            if not calendar.is_working_day(day):
                continue
            for hour in range(9, 15):
                mean = level / 6 * (1.3 if day >= WEEK else 1.0)
                session.add(
                    QueueHour(
                        queue_id=queue_id, day=day, hour=hour, arrivals=int(rng.poisson(mean)), called=10, served=10,
                        wait_s=0.0, service_s=6000.0, desk_s=3600.0,
                    )
                )  # fmt: skip


@pytest.fixture
def measured(app: Flask, write: Write, world: cast.World) -> None:
    """Nine weeks measured; last week worked out afterwards from what was known before it."""
    write(lambda session: write_weeks(session, world))
    with app.app_context():
        recall_week(WEEK, cast.NOW)


def test_last_week_stands_beside_what_came(client: FlaskClient, measured: None, db_session: Session) -> None:
    """Both leads are kept; the page has people forecast and come, the error against the naive, and says that it was
    worked out afterwards."""
    assert set(db_session.scalars(select(ForecastDay.lead).distinct())) == {1, 4}
    page = client.get("/en/planner/forecast").get_data(as_text=True)
    assert "Aswan technology center" in page and "Nasr City complex" in page
    assert "worked out afterwards" in page and "By place, the furthest off first" in page
    came = sum(
        db_session.scalars(
            select(QueueHour.arrivals).where(QueueHour.day >= WEEK, QueueHour.day < cast.TODAY)
        )
    )
    assert f"{came:,}" in page


def test_nothing_of_the_week_itself_was_known(measured: None, db_session: Session) -> None:
    """A third more came in the week than was said of it: a forecast that had seen it would have said so."""
    said = sum(db_session.scalars(select(ForecastDay.arrivals).where(ForecastDay.lead == 1)))
    came = sum(
        db_session.scalars(
            select(QueueHour.arrivals).where(QueueHour.day >= WEEK, QueueHour.day < cast.TODAY)
        )
    )
    assert 0.68 < said / came < 0.88


def test_the_night_forecasts_ahead_and_keeps_what_it_said(
    app: Flask, measured: None, db_session: Session, client: FlaskClient
) -> None:
    """The nightly job forecasts five weeks with bands, keeps the days of lead 1 and 4 once, and tells what it reckons
    with; run again on the next day it does not touch what was said."""
    with app.app_context():
        make_forecasts(cast.NOW)
        rows = db_session.scalars(select(ForecastHour).where(ForecastHour.day > cast.TODAY)).all()
        assert {r.day.isocalendar().week for r in rows} >= set(range(48, 52))
        assert all(r.low is not None and r.high is not None and r.low <= r.arrivals <= r.high for r in rows)
        first = {
            (r.queue_id, r.day, r.lead): r.arrivals
            for r in db_session.scalars(select(ForecastDay).where(ForecastDay.day >= cast.TODAY))
        }
        assert {key[2] for key in first} == {1, 4}
        db_session.rollback()
        make_forecasts(cast.NOW + timedelta(days=1))
        db_session.expire_all()
        again = {
            (r.queue_id, r.day, r.lead): r.arrivals
            for r in db_session.scalars(select(ForecastDay).where(ForecastDay.day >= cast.TODAY))
        }
        assert again == first
    page = client.get("/en/planner/forecast").get_data(as_text=True)
    assert "The whole country" in page and "First day after a holiday" in page


def enter(client: FlaskClient, **fields: object) -> Any:
    """Send the form of a dated event."""
    form = {"name": "Fair", "first_day": "2026-11-25", "percent": "150", "request_id": "fair-0001"}
    return client.post("/en/planner/events", data={**form, **fields}, follow_redirects=True)


def test_an_event_multiplies_the_forecast_of_its_place_and_days(
    app: Flask, client: FlaskClient, measured: None, world: cast.World, db_session: Session
) -> None:
    """Half as many again in Aswan on that day, nowhere and never else; entered twice by one press it is one event."""

    def day(queue_id: int, when: date) -> float:
        db_session.expire_all()
        return sum(
            db_session.scalars(
                select(ForecastHour.arrivals).where(
                    ForecastHour.queue_id == queue_id, ForecastHour.day == when
                )
            )
        )

    fair, next_day = date(2026, 11, 25), date(2026, 11, 26)
    with app.app_context():
        make_forecasts(cast.NOW)
        before = {(q, d): day(q, d) for q in (world.queue_a, world.queue_b) for d in (fair, next_day)}
        for _ in range(2):
            assert "Entered" in enter(client, governorate=str(world.governorate_a)).get_data(as_text=True)
        db_session.rollback()
        assert len(db_session.scalars(select(DatedEvent)).all()) == 1
        db_session.rollback()
        make_forecasts(cast.NOW)
    assert day(world.queue_a, fair) == pytest.approx(1.5 * before[world.queue_a, fair], rel=0.01)
    assert day(world.queue_a, next_day) == pytest.approx(before[world.queue_a, next_day], rel=0.01)
    assert day(world.queue_b, fair) == pytest.approx(before[world.queue_b, fair], rel=0.01)


def test_what_is_refused_is_said_and_stays_in_the_form(client: FlaskClient, db_session: Session) -> None:
    """A last day before the first, and far too many people: nothing is entered."""
    answer = enter(client, last_day="2026-11-20")
    assert answer.status_code == 422 and "last day is not before" in answer.get_data(as_text=True)
    assert 'value="Fair"' in answer.get_data(as_text=True)
    assert "between 0 and 500" in enter(client, percent="900").get_data(as_text=True)
    assert enter(client, percent="many").status_code == 400
    assert not db_session.scalars(select(DatedEvent)).all()


def test_an_event_taken_back_is_struck_through_and_forgotten(
    client: FlaskClient, db_session: Session, write: Write
) -> None:
    """It stays in the list; one that is over can no longer be taken back, and shows what came."""
    enter(client)
    event_id = db_session.scalars(select(DatedEvent.id)).one()
    page = client.post("/en/planner/events", data={"withdraw": event_id}, follow_redirects=True)
    assert "<s>" in page.get_data(as_text=True) and "withdrawn" in page.get_data(as_text=True)
    enter(client, first_day="2026-11-16", request_id="fair-0002")
    db_session.rollback()
    last = db_session.scalars(select(DatedEvent.id).order_by(DatedEvent.id.desc())).first()
    refused = client.post("/en/planner/events", data={"withdraw": last}, follow_redirects=True)
    assert refused.status_code == 422 and "is over" in refused.get_data(as_text=True)


def test_what_came_under_an_event_is_measured(
    client: FlaskClient, measured: None, db_session: Session, write: Write
) -> None:
    """The week that was a third busier than what was known before it, declared afterwards: 120 to 145 percent came."""
    enter(client, first_day="2026-11-15", last_day="2026-11-19", percent="200")
    page = client.get("/en/planner/events").get_data(as_text=True)
    over = page[page.index("<h2>Over") :]
    came = int(over[over.rindex("<bdi>") + 5 :].split("%")[0])
    assert "<bdi>200%</bdi>" in over and 120 <= came <= 145


def test_days_under_an_event_are_not_learned_from(
    app: Flask, client: FlaskClient, write: Write, world: cast.World, db_session: Session
) -> None:
    """The busier last week, declared an event, leaves the coming week's forecast as if it had not been."""

    def coming() -> float:
        db_session.expire_all()
        rows = select(ForecastHour.arrivals).where(
            ForecastHour.day > cast.TODAY, ForecastHour.day < date(2026, 11, 27)
        )
        return sum(db_session.scalars(rows))

    write(lambda session: write_weeks(session, world))
    with app.app_context():
        make_forecasts(cast.NOW)
        learned = coming()
        enter(client, first_day="2026-11-14", last_day="2026-11-21", percent="130")
        db_session.rollback()
        make_forecasts(cast.NOW)
    assert coming() < 0.93 * learned


def test_only_planners_may(login: Callable[..., FlaskClient]) -> None:
    """A clerk neither sees nor enters."""
    clerk = login("clerk")
    assert clerk.get("/planner/forecast").status_code == 403
    assert clerk.post("/planner/events", data={}).status_code == 403
