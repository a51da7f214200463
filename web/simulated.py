"""Runs the simulated day in a process of its own: the conductor's ticks, and the demonstration's clock.

Started and kept alive by the leader's scheduler while DEMO_SPEED is not 0.
"""

from __future__ import annotations

import logging
import os
import time
from datetime import UTC, date, datetime
from typing import Any

from flask import Flask
from sqlalchemy.orm import Session

from fleet.calendar import MOBILE_WEEK, is_working_day
from fleet.simulation.clock import DemoClock, leap
from fleet.simulation.conductor import Conductor
from fleet.store import Setting
from web import clock

LOG = logging.getLogger(__name__)
TICK_S = 0.5
"""Real seconds between ticks: half a simulated minute at the default speed."""
HEARTBEAT = "demo_seen"


def stored(session: Session, key: str) -> dict[str, Any] | None:
    """A setting's value."""
    row = session.get(Setting, key)
    return row.value if row else None


def store(session: Session, key: str, value: dict[str, Any]) -> None:
    """Keep a setting."""
    session.merge(Setting(key=key, value=value))


def run(app: Flask) -> None:
    """Tick until the parent process is gone or the demonstration ends."""
    settings = app.extensions["settings"]
    writer = app.extensions["writer"]
    parent = os.getppid()
    conductor = Conductor(writer, seed=7)
    show = writer(lambda session: resume(session, settings.demo_speed))
    while os.getppid() == parent:
        started = time.monotonic()
        now = show.at(datetime.now(UTC))
        target = leap(now, works)
        if target is not None:
            conductor.tick(now)
            show = show.leapt(datetime.now(UTC), target)
            now = target
        anchor = show
        conductor.tick(now)
        writer(lambda session, now=now, anchor=anchor: _mark(session, now, anchor))  # type: ignore[misc]
        time.sleep(max(0.05, TICK_S - (time.monotonic() - started)))


def works(day: date) -> bool:
    """Days worth showing: vans or offices work."""
    return is_working_day(day, weekdays=MOBILE_WEEK)


def resume(session: Session, speed: float) -> DemoClock:
    """Let the demonstration's time go on from where it was last seen; time stands still while nothing runs."""
    anchor = stored(session, clock.KEY)
    if anchor is None:
        raise SystemExit("there is no demonstration to run; prepare it with: flask --app wsgi demo prepare")
    seen = stored(session, HEARTBEAT)
    real = datetime.now(UTC)
    show = DemoClock.from_dict(anchor).resumed(real, datetime.fromisoformat(seen["sim"]) if seen else None)
    show = show.with_speed(real, speed)
    store(session, clock.KEY, show.to_dict())
    return show


def _mark(session: Session, now: datetime, anchor: DemoClock) -> None:
    store(session, HEARTBEAT, {"sim": now.isoformat()})
    if stored(session, clock.KEY) != anchor.to_dict():
        store(session, clock.KEY, anchor.to_dict())
