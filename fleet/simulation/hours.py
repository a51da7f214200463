"""The hourly measures of a played day, counted by the same code that counts real events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fleet.simulation.day import Played
from queueing.hours import EventRow, HourMeasure, ShiftRow, measures_from_rows

HOUR_COLUMNS = ("queue_id", "day", "hour", *HourMeasure.COLUMNS)


def hour_rows(played: Played, *, until: datetime | None = None) -> list[tuple[Any, ...]]:
    """HOUR_COLUMNS of one played day; `until` is now where the day is not over."""
    line = played.scenario.line
    queue_id = line.queue_id
    events = (
        EventRow(queue_id, id(entry.slip), entry.action, entry.state_from, entry.state_to, entry.at)
        for entry in played.entries
    )
    shifts = (ShiftRow(queue_id, since, until) for _, since, until in played.staffed)
    measures = measures_from_rows(events, shifts, zone=line.zone, until=until)
    return [
        (queue, day.isoformat(), hour, *(getattr(measure, name) for name in HourMeasure.COLUMNS))
        for (queue, day, hour), measure in sorted(measures.items())
    ]
