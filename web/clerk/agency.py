"""An agency's figures: its services by site, today and this week. To be looked at, nothing to press."""

from __future__ import annotations

from typing import Any

from flask import render_template
from flask_login import current_user
from sqlalchemy import select

from queueing.daytime import local_day
from queueing.store import Service
from web import clock
from web.auth import roles
from web.clerk.door import blueprint
from web.clerk.numbers import agency_rows, week_of
from web.clerk.scope import ZONE
from web.db import read


@blueprint.get("/agency")
@roles("agency")
def agency() -> Any:
    """Today and the week since Saturday."""
    now = clock.now()
    today = local_day(now, ZONE)
    week = week_of(today)
    code = current_user.agency_code or ""
    service = read().scalars(select(Service).where(Service.agency_code == code).limit(1)).first()
    return render_template(
        "clerk/agency.html",
        service=service,
        today=today,
        week=week,
        at=now,
        spans=[
            ("today", agency_rows(read(), code, today, today)),
            ("week", agency_rows(read(), code, week, today)),
        ],
    )
