"""What this week would bring: begun by looking, found again by what was asked, told in both languages."""

from __future__ import annotations

import time

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete
from sqlalchemy.orm import Session

from fleet.store import ForecastHour, Plan, PlanVisit
from web.planner import outlook

pytestmark = pytest.mark.week("planned")


def test_looking_plays_the_week_and_shows_hours_with_intervals(
    app: Flask, client: FlaskClient, db_session: Session, plan: Plan
) -> None:
    """The page says that it is being played, then the hours against both baselines and the model's own; a changed plan
    is another question."""
    address = f"/en/planner/plans/{plan.id}/outlook"
    first = client.get(address).get_data(as_text=True)
    assert "is being played" in first and "data-poll" in first
    deadline = time.monotonic() + 120
    while "span-bar" not in (part := client.get(address, headers={"X-Part": "1"}).get_data(as_text=True)):
        assert time.monotonic() < deadline, part
        time.sleep(0.2)
    with app.app_context():
        answer = outlook.known(db_session, plan)
        assert answer is not None and answer["runs"] == outlook.RUNS
        assert f"{round(answer['saved_against_towns']['low']):,}" in part
        before = outlook.key_of(db_session, plan)
    assert "between" in part and "Foreseen by the model" in part and "data-poll" not in part
    arabic = client.get(f"/planner/plans/{plan.id}/outlook").get_data(as_text=True)
    assert "من أين تأتي ساعات الخطة" in arabic
    board = client.get(f"/en/planner?plan={plan.id}").get_data(as_text=True)
    assert f"/plans/{plan.id}/outlook" in board
    db_session.execute(delete(PlanVisit).where(PlanVisit.id == plan.visits[0].id))
    db_session.flush()
    with app.app_context():
        assert outlook.key_of(db_session, plan) != before
    db_session.rollback()


def test_what_failed_once_can_be_played_again(
    app: Flask, client: FlaskClient, db_session: Session, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A playing that did not end is said with a button; the button begins it anew, once."""
    begun: list[str] = []
    monkeypatch.setattr(outlook.runs, "launch", lambda key, *_: begun.append(key))
    address = f"/en/planner/plans/{plan.id}/outlook"
    with app.app_context():
        key = outlook.key_of(db_session, plan)
        folder = app.extensions["settings"].data_dir / "whatif" / key
    folder.mkdir(parents=True)
    (folder / "failed").touch()
    assert "Play it again" in client.get(address).get_data(as_text=True) and not begun
    assert client.post(address).status_code == 302 and begun == [key]
    (folder / "failed").unlink()
    client.post(address)
    assert begun == [key], "nothing failed: nothing is begun"


def test_a_week_without_a_forecast_is_said(client: FlaskClient, write: object, plan: Plan) -> None:
    """A sentence instead of figures, and nothing is begun."""
    write(lambda session: session.execute(delete(ForecastHour)))  # type: ignore[operator]
    page = client.get(f"/en/planner/plans/{plan.id}/outlook")
    assert page.status_code == 200 and "flash-error" in page.get_data(as_text=True)


def test_planners_only(app: Flask, plan: Plan) -> None:
    """Nobody else sees what a week would bring."""
    assert app.test_client().get(f"/planner/plans/{plan.id}/outlook").status_code in (302, 401, 403)
