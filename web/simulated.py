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

GIVE_WAY_S = 0.003
"""Real seconds in which real people's presses may go first, after each transaction of the simulation."""


def stored(session: Session, key: str) -> dict[str, Any] | None:
    """A setting's value."""
    row = session.get(Setting, key)
    return row.value if row else None


def store(session: Session, key: str, value: dict[str, Any]) -> None:
    """Keep a setting."""
    session.merge(Setting(key=key, value=value))


def run(app: Flask) -> None:
    """Tick until the parent process is gone."""
    settings = app.extensions["settings"]
    writer = app.extensions["writer"]
    if writer.turn is not None:
        writer.turn.rest_s = GIVE_WAY_S
    parent = os.getppid()
    conductor = Conductor(writer)
    anchor = writer(lambda session: resume(session, settings.demo_speed))
    while os.getppid() == parent:
        started = time.monotonic()
        real = datetime.now(UTC)
        now = clock.shown(anchor, real)
        conductor.tick(now)
        # A night is leapt over only after everything due before it has been played.
        anchor = DemoClock(real, leap(now, works) or now, settings.demo_speed)
        writer(lambda session, anchor=anchor: store(session, clock.KEY, anchor.to_dict()))
        time.sleep(max(0.02, TICK_S - (time.monotonic() - started)))


def works(day: date) -> bool:
    """Days worth showing: vans or offices work."""
    return is_working_day(day, weekdays=MOBILE_WEEK)


def resume(session: Session, speed: float) -> DemoClock:
    """Let the demonstration's time go on from where it was last seen; time stands still while nothing runs."""
    kept = stored(session, clock.KEY)
    if kept is None:
        raise SystemExit("there is no demonstration to run; prepare it with: flask --app wsgi demo prepare")
    anchor = DemoClock(datetime.now(UTC), DemoClock.from_dict(kept).simulated, speed)
    store(session, clock.KEY, anchor.to_dict())
    return anchor
