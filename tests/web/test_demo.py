"""The demonstration: which day it shows, and (slowly) the whole preparation from nothing to a live day."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from fleet.calendar import is_working_day, week_of
from fleet.simulation.clock import DemoClock
from fleet.store import Center, Plan, PlanVisit, Visit
from queueing.store import Ticket
from web import clock
from web.accounts import Account
from web.app import create_app
from web.clock import PATIENCE, shown
from web.demo import demo_day, prepare
from web.settings import from_environment


@pytest.mark.parametrize("offset", range(14))
def test_the_first_day_is_a_working_day_early_in_its_week(offset: int) -> None:
    """Whatever day the demonstration is made on, most of its published week is still ahead."""
    real = datetime(2026, 11, 21, 12, tzinfo=UTC) + timedelta(days=offset)
    day = demo_day(real)
    assert is_working_day(day)
    assert day >= real.date()
    assert (day - week_of(day)).days <= 3


def test_time_waits_for_the_process_that_plays_it() -> None:
    """Without a new anchor the clock runs on for PATIENCE and then stands still; it never goes back."""
    real = datetime(2026, 11, 22, 8, tzinfo=UTC)
    anchor = DemoClock(real, datetime(2026, 11, 22, 9, tzinfo=UTC), 60.0)
    moments = [shown(anchor, real + timedelta(seconds=s)) for s in (0, 1, 2, 3, 600)]
    assert moments == sorted(moments)
    assert moments[1] - moments[0] == timedelta(minutes=1)
    assert moments[-1] == moments[0] + 60 * PATIENCE


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_preparation(tmp_path: Path) -> None:
    """From nothing: a network, eight weeks of tickets, a published week for 107 vans, people in line; then resumed."""
    settings = from_environment({**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": "", "DEMO": "1"})
    app = create_app(settings)
    said: list[str] = []
    with app.app_context():
        prepare(app, seconds=12, seed=7, say=said.append)
    with app.test_client() as client:
        assert client.get("/health/ready").get_json()["status"] == "ready"
        near = client.get("/api/v1/visits?near=24.09,32.90").get_json()["items"]
        assert near and near[0]["distance_km"] <= near[-1]["distance_km"] + 500
    with app.app_context():
        session = app.extensions["writer"]._sessions()
        plan = session.scalars(sa.select(Plan)).one()
        assert plan.status == "published"
        assert plan.hours_saved > 1.5 * plan.baseline_hours
        used = session.scalar(sa.select(sa.func.count(sa.distinct(PlanVisit.center_id))))
        assert used >= 95
        assert session.scalar(sa.select(sa.func.count()).select_from(Center)) == 107
        live = sa.select(sa.func.count()).select_from(Ticket).where(Ticket.state.in_(("waiting", "serving")))
        assert session.scalar(live) > 100
        today = clock.now().astimezone(UTC).date()
        assert (
            session.scalar(sa.select(sa.func.count()).where(Visit.day == today, Visit.status == "open")) > 0
        )
        accounts = session.scalar(sa.select(sa.func.count()).select_from(Account))
        tickets = session.scalar(sa.select(sa.func.count()).select_from(Ticket))
        session.rollback()
        prepare(app, seconds=12, seed=7, say=said.append)
        assert session.scalar(sa.select(sa.func.count()).select_from(Account)) == accounts == 4
        assert session.scalar(sa.select(sa.func.count()).select_from(Ticket)) == tickets
        session.close()
    assert any("person-hours saved" in line for line in said)


def test_the_first_day_is_cairos_not_utcs() -> None:
    """At half past midnight on Monday in Cairo it is still Sunday in UTC: Monday is shown."""
    assert demo_day(datetime(2026, 11, 22, 22, 30, tzinfo=UTC)) == date(2026, 11, 23)
