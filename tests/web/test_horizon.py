"""Pages of the horizon: drafts of several weeks, tabs, overtaken drafts, districts beside their limits, nights."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.forecast import is_forecast
from fleet.store import Center, LocalUnit, Plan, PlanVisit, Visit
from tests.web import world as cast
from tests.web.planned import LIMIT, WEEK, make_planned
from web import nightly, solving
from web.app import create_app

pytestmark = pytest.mark.week("spanned")

SECOND = WEEK + timedelta(days=7)


@pytest.fixture(scope="module")
def spanned(template: tuple[Path, cast.World], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cast with a solved draft of the coming week, and one of that and the next (plan 2)."""
    folder = tmp_path_factory.mktemp("spanned")
    target = make_planned(template[0], folder)
    app = create_app(cast.settings_for(folder, "planned.db"), time_source=cast.StillClock())
    with app.app_context():
        plan_id = solving.new_draft(WEEK, weeks=2, seconds=LIMIT, seed=1, actor="planner")
        assert solving.solve_now(plan_id) == "draft"
    app.extensions["writer"].engine.dispose()
    return target


def text(client: FlaskClient, path: str) -> str:
    """The English page's text."""
    answer = client.get(f"/en{path}")
    assert answer.status_code == 200, path
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True))))


def test_a_longer_draft_forecasts_the_weeks_that_nobody_had(app: Flask, db_session: Session) -> None:
    """The second week had no forecast; solving the span made it, and the draft has visits in both."""
    assert is_forecast(db_session, SECOND)
    days = {v.day for v in db_session.scalars(select(PlanVisit).where(PlanVisit.plan_id == 2))}
    assert min(days) < SECOND <= max(days)


def test_the_board_shows_each_week_of_a_draft(client: FlaskClient, db_session: Session) -> None:
    """Two tabs; each shows its own visits alone; a week outside falls back to the first; either week finds the plan."""
    for week in (WEEK, SECOND):
        body = client.get(f"/en/planner?plan=2&week={week}").get_data(as_text=True)
        assert body.count('<nav class="tabs"') == 1 and f'data-day="{week}"' in body
        shown = {int(n) for n in re.findall(r"/planner/visits/(\d+)", body)}
        mine = db_session.scalars(
            select(PlanVisit.id).where(
                PlanVisit.plan_id == 2, PlanVisit.day.between(week, week + timedelta(days=6))
            )
        )
        assert shown - {0} == set(mine) and len(shown) > 1
        assert '<option value="2"' in client.get(f"/en/planner?week={week}").get_data(as_text=True)
    far = client.get(f"/en/planner?plan=2&week={WEEK + timedelta(days=70)}").get_data(as_text=True)
    assert f'data-day="{WEEK}"' in far


def test_rows_are_fetched_for_the_week_that_is_shown(client: FlaskClient, db_session: Session) -> None:
    """After a change in the second week the page asks for rows of that week, not of the first."""
    visit = db_session.scalars(
        select(PlanVisit).where(PlanVisit.plan_id == 2, PlanVisit.day >= SECOND)
    ).first()
    assert visit is not None
    rows = client.get(f"/planner/plans/2/rows?week={SECOND}&centers={visit.center_id}").get_data(as_text=True)
    assert f"/planner/visits/{visit.id}" in rows


def test_one_week_of_a_longer_draft_is_published(client: FlaskClient, db_session: Session) -> None:
    """By default the next open week: its visits are announced, the others are not, and the page marks it."""
    page = text(client, "/planner/plans/2/publish")
    assert "Publish up to the end of" in page
    client.post("/en/planner/plans/2/publish", data={"until": str(WEEK)})
    days = {v.day for v in db_session.scalars(select(Visit).where(Visit.day >= WEEK))}
    assert days and max(days) < SECOND
    assert "published" in text(client, "/planner?plan=2")
    assert db_session.get_one(Plan, 2).status == "draft"


def test_an_overtaken_draft_says_so_and_is_refreshed(client: FlaskClient, db_session: Session) -> None:
    """Plan 1 is published for the first week: plan 2 names that week, refuses to be published, and offers a refresh
    that starts from it over the same weeks."""
    client.post("/en/planner/plans/1/publish")
    page = client.get("/en/planner?plan=2").get_data(as_text=True)
    assert "Another plan has been published meanwhile" in page
    form = re.search(r'<div class="flash flash-error" role="alert">.*?</form>', page, re.S)
    assert form is not None
    wanted = dict(re.findall(r'name="(week|weeks|from_plan)" value="([^"]+)"', form[0]))
    assert wanted == {"week": str(WEEK), "weeks": "2", "from_plan": "2"}
    answer = client.post("/en/planner/plans/2/publish", follow_redirects=True).get_data(as_text=True)
    assert "Refresh it first" in answer
    assert db_session.get_one(Plan, 2).status == "draft"


def test_the_span_of_a_draft_is_refused_in_words(client: FlaskClient) -> None:
    """Nine weeks ahead is not a plan."""
    answer = client.post(
        "/en/planner/drafts", data={"week": str(WEEK), "weeks": "9", "seconds": "5"}, follow_redirects=True
    )
    assert "one to four weeks" in answer.get_data(as_text=True)


def test_every_district_stands_beside_its_limit(client: FlaskClient, db_session: Session) -> None:
    """All are listed; one whose visits are taken out and whose limit is a week is over it, with a reason, also on the
    draft's page."""
    units = db_session.scalars(select(LocalUnit)).all()
    page = text(client, "/planner/plans/1/fairness")
    assert all(unit.name_en in page for unit in units)
    visits = db_session.scalars(select(PlanVisit).where(PlanVisit.plan_id == 1)).all()
    unit = visits[0].site.local_unit
    plan = db_session.get_one(Plan, 1)
    for visit in visits:
        if visit.site.local_unit_id == unit.id:
            change = planner.Change("remove", visit_id=visit.id)
            planner.apply_change(db_session, plan, change, revision=plan.revision, actor="t", now=cast.NOW)
    db_session.commit()
    client.post("/en/planner/plans/1/limits", data={"unit": unit.id, "weeks": "1"})
    for path in ("/planner/plans/1/fairness", "/planner/plans/1"):
        page = text(client, path)
        assert "waits longer than its limit" in page and "no visit" in page
    client.post("/en/planner/plans/1/promises", data={"unit": unit.id, "weeks": 1})
    page = text(client, "/planner/plans/1/fairness")
    assert "Promised visits" in page and "promised by 4 December" in page.replace("Dec ", "December ")
    client.post(f"/en/planner/plans/1/promises/{unit.id}/back")
    assert "Promised visits" not in text(client, "/planner/plans/1/fairness")
    bad = client.post(
        "/en/planner/plans/1/limits", data={"unit": unit.id, "weeks": "99"}, follow_redirects=True
    )
    assert "A limit is 1 to 52 weeks" in bad.get_data(as_text=True)


def test_a_planner_changes_the_nights_of_a_van(client: FlaskClient, db_session: Session) -> None:
    """Two nights at a price of the planner's, then at the usual one, then none; impossible ones are refused."""
    center = db_session.scalars(select(Center)).first()
    assert center is not None
    form = {"center": center.id, "nights": "2", "night_cost": "17.5"}
    client.post("/en/planner/nights", data=form)
    db_session.rollback()
    assert (center.nights, center.night_cost) == (2, 17.5)
    client.post("/en/planner/nights", data={**form, "night_cost": ""})
    db_session.rollback()
    assert center.night_cost == 8.0 * (1 + center.desks)
    client.post("/en/planner/nights", data={**form, "nights": "0"})
    db_session.rollback()
    assert (center.nights, center.night_cost) == (0, 0.0)
    refused = client.post("/en/planner/nights", data={**form, "nights": "30"}, follow_redirects=True)
    assert "Up to 13 nights" in refused.get_data(as_text=True)
    assert client.post("/en/planner/nights", data={**form, "night_cost": "many"}).status_code == 400


@pytest.mark.parametrize("path", ["/planner/plans/2/fairness", "/planner/nights"])
def test_nobody_but_planners_sees_them(app: Flask, login: Callable[..., FlaskClient], path: str) -> None:
    """A clerk gets 403; who is not signed in is sent to sign in."""
    assert login("clerk").get(path).status_code == 403
    assert app.test_client().get(path).status_code in (302, 401)


@pytest.mark.parametrize(
    "path",
    [
        "/planner/plans/2",
        "/planner?plan=2",
        "/planner/plans/2/fairness",
        "/planner/plans/2/publish",
        "/planner/nights",
    ],
)
def test_no_page_of_the_horizon_leaves_a_text_in_the_other_language(client: FlaskClient, path: str) -> None:
    """The Arabic page has Arabic words alone but for names of languages, keys and files."""
    body = client.get(path).get_data(as_text=True)
    plain = re.sub(r"<(script|style)[^>]*>.*?</\1>", " ", body, flags=re.S)
    words = re.findall(r"[A-Za-zÀ-ÿ]{4,}", unescape(re.sub(r"<[^>]+>", " ", plain)))
    assert set(words) <= {"English", "Français", "planner", "JSON", "Escape", "Enter"}, words


def test_the_weekly_draft_leaves_a_week_alone_that_a_longer_draft_holds(app: Flask) -> None:
    """Plan 2 reaches into the second week: the job drafts nothing for it, and the demonstration publishes that week
    alone."""
    friday = cast.NOW + timedelta(days=12)
    with app.app_context():
        assert "has plan 2 already" in nightly.draft_next_week(friday)
