"""A played day as rows of the tables: what the counter's verbs would have left behind, ready for bulk
insertion.

Rows carry places instead of ids (the n-th ticket of the batch), because ids are given only when they are
written. Instants are whole microseconds since 1970.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from fleet.simulation.day import Entry, Played, Slip
from fleet.simulation.opinions import opinion
from queueing.issuing import label_of
from queueing.store import to_micros
from queueing.turn import jsonable

ACTOR = "simulation"
"""Who acted, in every event of a simulated clerk or citizen."""
CHANNEL = "simulated"

TICKET_COLUMNS = (
    "id", "code", "queue_id", "day", "number", "label", "service_id", "priority", "channel", "state", "desk_id",
    "issued_at", "aged_from", "called_at", "started_at", "ended_at", "hold_until", "recalls", "parked_s", "parked_at",
    "note",
)  # fmt: skip
EVENT_COLUMNS = (
    "id", "ticket_id", "queue_id", "desk_id", "action", "state_from", "state_to", "actor", "happened_at",
    "recorded_at", "request_id", "seq", "data",
)  # fmt: skip
SHIFT_COLUMNS = ("id", "desk_id", "queue_id", "opened_at", "closed_at")
DAY_COLUMNS = ("queue_id", "day", "next_number", "issued")


@dataclass(slots=True)
class QueueRows:
    """What one queue's days leave behind; `seq` is the queue's after the last event."""

    queue_id: int
    seq: int
    tickets: list[tuple[Any, ...]] = field(default_factory=list)
    """TICKET_COLUMNS from queue_id on."""
    events: list[tuple[Any, ...]] = field(default_factory=list)
    """The place of the ticket in `tickets`, then EVENT_COLUMNS from queue_id on."""
    shifts: list[tuple[Any, ...]] = field(default_factory=list)
    """SHIFT_COLUMNS from desk_id on."""
    days: list[tuple[Any, ...]] = field(default_factory=list)
    """DAY_COLUMNS."""
    hours: list[tuple[Any, ...]] = field(default_factory=list)
    """hours.HOUR_COLUMNS."""


def add_day(rows: QueueRows, played: Played, *, undoable: bool = False) -> None:
    """Append one played day. `undoable` keeps in each event what undo needs (not worth its space for past
    days)."""
    day, line = played.scenario.day, played.scenario.line
    first = len(rows.tickets)
    place = {id(slip): first + n for n, slip in enumerate(played.slips)}
    for slip in played.slips:
        rows.tickets.append(ticket_row(rows.queue_id, day, line.letter, slip))
    counts = [0] * len(played.slips)
    for entry in with_opinions(rows.queue_id, played):
        n = place[id(entry.slip)]
        request = issue_request(rows.queue_id, day, entry.slip.serial)
        if counts[n - first]:
            request = f"{request}-{counts[n - first]}"
        counts[n - first] += 1
        rows.seq += 1
        at = to_micros(entry.at)
        rows.events.append(
            (n, rows.queue_id, entry.desk_id, entry.action, entry.state_from, entry.state_to, ACTOR, at, at, request,
             rows.seq, _data(entry, undoable))
        )  # fmt: skip
    for desk_id, since, until in played.staffed:
        rows.shifts.append((desk_id, rows.queue_id, to_micros(since), _micros(until)))
    issued = len(played.slips)
    rows.days.append((rows.queue_id, day, line.first_number + issued, issued))


def with_opinions(queue_id: int, played: Played) -> list[Entry]:
    """The events of a played day and, in the order of time, the ratings that were given until its last event."""
    said = []
    for entry in played.entries:
        slip = entry.slip
        if entry.action != "finish" or slip.called_at is None:
            continue
        waited = (slip.called_at - slip.issued_at).total_seconds()
        found = opinion(issue_request(queue_id, played.scenario.day, slip.serial), waited)
        if found is not None and (at := entry.at + timedelta(seconds=found.after_s)) <= played.entries[-1].at:
            told: dict[str, Any] = {"score": found.score}
            if found.reason:
                told["reason"] = found.reason
            said.append(Entry(slip, "rate", "served", "served", None, at, told))
    return sorted([*played.entries, *said], key=lambda entry: entry.at) if said else played.entries


def ticket_row(queue_id: int, day: date, letter: str, slip: Slip) -> tuple[Any, ...]:
    """TICKET_COLUMNS from queue_id on."""
    return (
        queue_id, day.isoformat(), slip.number, label_of(letter, slip.number), slip.service_id, slip.priority, CHANNEL,
        slip.state, slip.desk_id, to_micros(slip.issued_at), to_micros(slip.aged_from), _micros(slip.called_at),
        _micros(slip.started_at), _micros(slip.ended_at), _micros(slip.hold_until), slip.recalls, slip.parked_s,
        _micros(slip.parked_at), "",
    )  # fmt: skip


def issue_request(queue_id: int, day: date, serial: int) -> str:
    """The request id under which the n-th simulated citizen of a queue's day takes a ticket, in bulk and
    live alike."""
    return f"sim-{queue_id}-{day:%y%m%d}-{serial}"


def serial_of(request_id: str) -> int | None:
    """The serial in an issue's request id; None when it is not one of the simulation's."""
    parts = request_id.split("-")
    return int(parts[3]) if len(parts) == 4 and parts[0] == "sim" and parts[3].isdigit() else None


def _data(entry: Entry, undoable: bool) -> str:
    told: dict[str, Any] = dict(entry.data or {})
    if undoable and entry.before:
        told["before"] = jsonable(entry.before)
    return json.dumps(told) if told else "{}"


def _micros(value: datetime | None) -> int | None:
    return None if value is None else to_micros(value)
