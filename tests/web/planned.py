"""A planned week for the planner's tests: the cast with a forecast and a solved draft for the coming week."""

from __future__ import annotations

import sqlite3
from datetime import date
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.forecast import make_forecast
from fleet.store import Plan, PlanVisit
from tests.web import world as cast
from web import solving
from web.app import create_app

WEEK = date(2026, 11, 28)
"""The Saturday after the cast's Sunday: nothing of this week has begun."""
LIMIT = 30
"""Seconds a solve may take on a busy machine; it ends sooner once its plan is proven."""


def make_planned(template: Path, folder: Path) -> Path:
    """Copy the cast's database into `folder`, forecast the coming week, draft it with the real solver."""
    target = folder / "planned.db"
    cast.copy_database(template, target)
    app = create_app(cast.settings_for(folder, "planned.db"), time_source=cast.StillClock())
    writer = app.extensions["writer"]
    with app.app_context():
        writer(lambda session: make_forecast(session, WEEK, now=cast.NOW))
        plan_id = solving.new_draft(WEEK, seconds=LIMIT, seed=1, actor="planner")
        status = solving.solve_now(plan_id)
        with Session(writer.engine) as session:
            plan = session.get(Plan, plan_id)
            assert plan is not None and status == "draft", plan and plan.message
            assert session.scalars(select(PlanVisit).where(PlanVisit.plan_id == plan_id)).first() is not None
    writer.engine.dispose()
    return target


def copy_planned(planned: Path, target: Path) -> None:
    """Copy the planned week for one test."""
    with sqlite3.connect(planned) as source, sqlite3.connect(target) as copy:
        source.backup(copy)
    source.close()
    copy.close()
