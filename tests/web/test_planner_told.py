"""What a planner reads of a village before a visit, of a center's day beside its range, of a draft without visits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from fleet.store import ForecastHour, Plan, PlanVisit, SiteQueue, Visit
from fleet.visited import told_by_visits
from queueing.store import Queue, QueueHour
from tests.web import world as cast

pytestmark = pytest.mark.week("planned")
Write = Callable[[Callable[[Session], Any]], Any]


def a_village(session: Session, plan: Plan) -> PlanVisit:
    """A stop of the plan in a village."""
    return next(stop for stop in plan.visits if stop.site.kind == "village")


def counted(session: Session, site_id: int, center_id: int, came: int) -> None:
    """A visit ten weeks ago to which so many came."""
    day = cast.TODAY - timedelta(weeks=10)
    queue = Queue(name_ar="م", name_en="M", letter="M")
    session.add(queue)
    session.flush()
    opens = cast.NOW - timedelta(weeks=10)
    session.add(
        Visit(
            center_id=center_id, site_id=site_id, queue_id=queue.id, day=day, opens_at=opens, opened_at=opens,
            closes_at=opens + timedelta(hours=4), closed_at=opens + timedelta(hours=4), status="closed",
        )
    )  # fmt: skip
    session.add(QueueHour(queue_id=queue.id, day=day, hour=10, arrivals=came, called=came, served=came))


def test_a_village_nobody_counted_in_says_what_a_first_visit_is_worth(
    client: FlaskClient, db_session: Session, plan: Plan, write: Write
) -> None:
    """In the drawer, among the reasons and on the place's page, in both languages; after a counted visit they say who
    came and who had been expected instead."""
    stop = a_village(db_session, plan)
    stop_id, site_id, center_id = stop.id, stop.site_id, stop.center_id
    pages = [f"/planner/visits/{stop_id}", f"/planner/visits/{stop_id}/why", f"/planner/sites/{site_id}"]
    for page in pages:
        assert "The first visit tells more" in client.get("/en" + page).get_data(as_text=True)
        assert "الزيارة الأولى تخبر أكثر" in client.get(page).get_data(as_text=True)
    write(lambda session: counted(session, site_id, center_id, 7))
    db_session.rollback()
    told = told_by_visits(db_session, site_id, before=cast.TODAY)
    assert told is not None and (told.visits, told.came) == (1, 7)
    for page in pages:
        text = client.get("/en" + page).get_data(as_text=True)
        assert (
            f"1 visit has been counted here: 7 came, about {round(told.expected)} had been expected" in text
        )
        assert "The first visit tells more" not in text
        assert "أُحصيت هنا زيارة واحدة" in client.get(page).get_data(as_text=True)


def test_a_centers_day_shows_the_range_beside_what_came(
    client: FlaskClient, db_session: Session, plan: Plan, write: Write
) -> None:
    """Both ranges stand over each hour, and how often the wider one held on a day that is over."""
    hour = db_session.scalars(select(ForecastHour).order_by(ForecastHour.day, ForecastHour.hour)).first()
    assert hour is not None and hour.low is not None and hour.inner_low is not None
    assert hour.low <= hour.inner_low <= hour.arrivals <= hour.inner_high <= hour.high  # type: ignore[operator]
    yesterday = cast.TODAY - timedelta(days=3)
    queue_id, at, inside = hour.queue_id, hour.hour, round(hour.arrivals)
    site_id = db_session.scalars(select(SiteQueue.site_id).where(SiteQueue.queue_id == queue_id)).one()

    def past(session: Session) -> None:
        session.execute(
            delete(ForecastHour).where(ForecastHour.queue_id == queue_id, ForecastHour.day != hour.day)
        )
        session.execute(update(ForecastHour).where(ForecastHour.queue_id == queue_id).values(day=yesterday))
        for n, came in ((at, inside), (at + 1, 5000)):
            session.add(
                QueueHour(queue_id=queue_id, day=yesterday, hour=n, arrivals=came, served=1, service_s=600.0)
            )

    write(past)
    page = client.get(f"/en/planner/sites/{site_id}?day={yesterday}").get_data(as_text=True)
    assert "In 1 of the 2 hours that are over, as many came as the range said." in page
    assert page.count("band-50") > 1 and "Four days in five" in page and "Half of the days" in page
    arabic = client.get(f"/planner/sites/{site_id}?day={yesterday}").get_data(as_text=True)
    assert "انقضت ساعتان" in arabic


def test_a_draft_without_visits_says_so_and_offers_a_longer_search(
    app: Flask, client: FlaskClient, db_session: Session, plan: Plan, write: Write
) -> None:
    """Not a silent empty board: a sentence, and a form that would search four times as long; a draft with visits has
    neither, nor does one that a planner emptied by hand say that the search was too short."""
    plan_id, seconds = plan.id, plan.seconds
    assert "This draft has no visits" not in client.get(f"/en/planner?plan={plan_id}").get_data(as_text=True)
    write(lambda session: session.execute(delete(PlanVisit).where(PlanVisit.plan_id == plan_id)))
    page = client.get(f"/en/planner?plan={plan_id}").get_data(as_text=True)
    assert "This draft has no visits." in page and "The search ended after" in page
    assert f'name="seconds" value="{int(max(4 * seconds, 120))}"' in page
    assert "لا زيارات في هذه المسودة" in client.get(f"/planner?plan={plan_id}").get_data(as_text=True)
    write(lambda session: session.execute(update(Plan).where(Plan.id == plan_id).values(revision=3)))
    page = client.get(f"/en/planner?plan={plan_id}").get_data(as_text=True)
    assert "This draft has no visits." in page and "The search ended after" not in page
