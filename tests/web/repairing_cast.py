"""The cast with a published week that is under way: what day repair needs."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.store import Plan, Visit
from tests.web import world as cast
from tests.web.planned import WEEK, copy_planned, make_planned
from web.app import create_app


def first_visit(session: Session) -> Visit:
    """The first visit of the published week."""
    return session.scalars(select(Visit).where(Visit.day >= WEEK).order_by(Visit.opens_at, Visit.id)).all()[0]


def before_it_opens(visit: Visit) -> datetime:
    """An hour before: whatever happens then concerns it."""
    return visit.opens_at - timedelta(hours=1)


def make_published(template: Path, folder: Path) -> Path:
    """Copy the cast's database into `folder` with the coming week planned and published."""
    planned = make_planned(template, folder)
    target = folder / "published.db"
    copy_planned(planned, target)
    app = create_app(cast.settings_for(folder, "published.db"), time_source=cast.StillClock())
    writer = app.extensions["writer"]

    def work(session: Session) -> None:
        plan = session.scalars(select(Plan).where(Plan.status == "draft")).one()
        planner.publish(session, plan, actor="planner", now=cast.NOW)

    with app.app_context():
        writer(work)
    writer.engine.dispose()
    return target
