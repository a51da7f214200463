"""Measures of queue hours out of ticket events, without a database: for the measuring job and for bulk loads.
Pure.

What is counted where (an hour is a local hour of the ticket's business day; what happens after midnight
counts in hour 23):

- in the hour somebody came: `arrivals`, `wait_s` (until the first call, or until they went), `wait_over`;
- in the hour it happened: `called`, `missed`, `left_waiting` (went, cancelled or closed before any call; who was
  taken over by another queue has not left),
  `served` with `service_s` and `service_sq` (the person's whole time in service here, parked time excluded),
  `held_s` at its end;
- by overlap: `waiting_s` (person-seconds in the line) and `desk_s` (desk-seconds staffed).

An undone step never happened. A step stored after another and said to have happened before it (clocks that
disagree) counts at the other's time. People still waiting count with their wait so far. For a ticket closed because
it was forgotten nobody knows when the person went: the wait ends with the last staffed desk, and its service
is not counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from datetime import date, datetime
from typing import Any, NamedTuple

from queueing.congestion import LONG_WAIT_S
from queueing.daytime import hour_slot, next_hour
from queueing.ticket import AT_DESK, REMARKS


class EventRow(NamedTuple):
    """One ticket event. `ticket` is any key of the ticket; a ticket's rows come in the order they
    happened."""

    queue_id: int
    ticket: Hashable
    action: str
    state_from: str | None
    state_to: str
    at: datetime


class ShiftRow(NamedTuple):
    """A desk was staffed from `since` to `until` (None: still is)."""

    queue_id: int
    since: datetime
    until: datetime | None


class HourMeasure:
    """The figures of one queue, business day and local hour; columns as in `store.QueueHour`."""

    __slots__ = COLUMNS = (
        "arrivals",
        "called",
        "desk_s",
        "held_s",
        "left_waiting",
        "missed",
        "served",
        "service_s",
        "service_sq",
        "wait_over",
        "wait_s",
        "waiting_s",
    )

    def __init__(self) -> None:
        self.arrivals = self.called = self.left_waiting = self.missed = self.served = self.wait_over = 0
        self.desk_s = self.held_s = self.service_s = self.service_sq = self.wait_s = self.waiting_s = 0.0


Key = tuple[int, date, int]
"""(queue id, business day, local hour)."""
Tally = Callable[[str, Hashable, Key, float], None]
"""Told of everything that is counted, as it is counted: (what, the ticket, where, seconds). What: arrivals, called,
left_waiting, missed (seconds 0), wait, served (with its service)."""


def measures_from_rows(
    events: Iterable[EventRow],
    shifts: Iterable[ShiftRow],
    *,
    zone: str,
    until: datetime | None = None,
    tally: Tally | None = None,
) -> dict[Key, HourMeasure]:
    """The hours that these events and shifts make. Give whole days: all events of each ticket, all shifts of
    the day.

    `until`: the instant to which people still waiting (and running shifts) count; without it they count
    nothing more. `tally` hears of every single count, for other sums of the same (by service, percentiles).
    """
    hours: dict[Key, HourMeasure] = defaultdict(HourMeasure)
    last_staffed: dict[tuple[int, date], datetime] = {}
    for queue_id, since, ended in shifts:
        end = ended or until
        if end is None or end <= since:
            continue
        day = hour_slot(since, zone)[0]
        last_staffed[queue_id, day] = max(end, last_staffed.get((queue_id, day), end))
        _spread(hours, queue_id, day, since, end, zone, "desk_s")
    tickets: dict[tuple[int, Hashable], list[EventRow]] = defaultdict(list)
    for event in events:
        tickets[event.queue_id, event.ticket].append(event)
    for (queue_id, _ticket), rows in tickets.items():
        kept = never_back(without_undone(rows))
        if kept:
            _measure(hours, queue_id, kept, last_staffed, zone, until, tally or _nobody)
    return dict(hours)


def as_columns(measures: dict[Key, HourMeasure]) -> list[dict[str, Any]]:
    """Rows for `QueueHour`, in the order of its key."""
    return [
        {"queue_id": key[0], "day": key[1], "hour": key[2]}
        | {name: getattr(measure, name) for name in HourMeasure.COLUMNS}
        for key, measure in sorted(measures.items(), key=lambda item: item[0])
    ]


def without_undone(rows: list[EventRow]) -> list[EventRow]:
    """The steps that stand: an undo takes the step before it away, a remark is none."""
    kept: list[EventRow] = []
    for row in rows:
        if row.action in REMARKS:
            continue
        if row.action != "undo":
            kept.append(row)
        elif kept:
            kept.pop()
    return kept


def never_back(rows: list[EventRow]) -> list[EventRow]:
    """The steps with times that never go back: one that claims to have happened before the step it follows (a van's
    clock that was behind) counts as having happened at once after it. So no wait and no service is below 0."""
    found: list[EventRow] = []
    for row in rows:
        late = found and row.at < found[-1].at
        found.append(row._replace(at=found[-1].at) if late else row)
    return found


def _measure(
    hours: dict[Key, HourMeasure],
    queue_id: int,
    rows: list[EventRow],
    last_staffed: dict[tuple[int, date], datetime],
    zone: str,
    until: datetime | None,
    tally: Tally,
) -> None:
    """Walk through one ticket's steps."""
    ticket = rows[0].ticket
    came = rows[0].at
    day = hour_slot(came, zone)[0]
    if rows[0].state_to == "booked":
        arrived = next((row for row in rows if row.action in ("arrive", "call", "resume", "requeue")), None)
        if arrived is None:
            return  # a booking whose person has not come is no arrival
        came, day = arrived.at, hour_slot(arrived.at, zone)[0]
    home = (queue_id, day, _hour(came, day, zone))
    here = hours[home]
    here.arrivals += 1
    tally("arrivals", ticket, home, 0.0)
    waiting_since: datetime | None = None
    held_since: datetime | None = None
    serving_since: datetime | None = None
    service = 0.0
    waited = False  # the first wait is over
    for row in rows:
        at, state = row.at, row.state_to
        forgotten = row.action == "close"
        if waiting_since is not None and state != "waiting":
            gone = at
            if forgotten:
                gone = min(at, max(waiting_since, last_staffed.get((queue_id, day), waiting_since)))
            _spread(hours, queue_id, day, waiting_since, gone, zone, "waiting_s")
            if not waited:
                waited = True
                _add_wait(here, (gone - came).total_seconds())
                tally("wait", ticket, home, (gone - came).total_seconds())
                if state != "called" and row.action != "hand_over":
                    there = (queue_id, day, _hour(gone, day, zone))
                    hours[there].left_waiting += 1
                    tally("left_waiting", ticket, there, 0.0)
            waiting_since = None
        if state == "waiting" and waiting_since is None:
            waiting_since = at
        slot: HourMeasure | None = None
        if state == "called" and row.action != "recall" and row.action != "change":
            there = (queue_id, day, _hour(at, day, zone))
            slot = hours[there]
            slot.called += 1
            tally("called", ticket, there, 0.0)
            waited = True
        if serving_since is not None and state != "serving":
            if not forgotten:
                service += (at - serving_since).total_seconds()
            serving_since = None
        elif state == "serving" and serving_since is None:
            serving_since = at
        if held_since is not None and state not in AT_DESK:
            slot = hours[(queue_id, day, _hour(at, day, zone))]
            if not forgotten:
                slot.held_s += (at - held_since).total_seconds()
            if row.action == "finish" and row.state_from == "called":
                service += (at - held_since).total_seconds()
            held_since = None
        elif state in AT_DESK and held_since is None:
            held_since = at
        if row.action == "miss":
            there = (queue_id, day, _hour(at, day, zone))
            hours[there].missed += 1
            tally("missed", ticket, there, 0.0)
        elif row.action == "finish" or (row.action == "transfer" and service > 0):
            there = (queue_id, day, _hour(at, day, zone))
            slot = slot or hours[there]
            slot.served += 1
            tally("served", ticket, there, service)
            slot.service_s += service
            slot.service_sq += service * service
    if waiting_since is not None and until is not None and until > waiting_since:
        _spread(hours, queue_id, day, waiting_since, until, zone, "waiting_s")
        if not waited:
            _add_wait(here, (until - came).total_seconds())
            tally("wait", ticket, home, (until - came).total_seconds())


def _nobody(what: str, ticket: Hashable, where: Key, seconds: float) -> None:
    """A tally that nobody asked for."""


def _add_wait(measure: HourMeasure, seconds: float) -> None:
    measure.wait_s += seconds
    if seconds > LONG_WAIT_S:
        measure.wait_over += 1


def _hour(at: datetime, day: date, zone: str) -> int:
    """The local hour within a business day; what happens after midnight belongs to its last hour."""
    there, hour = hour_slot(at, zone)
    return hour if there == day else 23


def _spread(
    hours: dict[Key, HourMeasure],
    queue_id: int,
    day: date,
    since: datetime,
    end: datetime,
    zone: str,
    name: str,
) -> None:
    """Add the seconds from `since` to `end` to the hours they fall into."""
    begin = since
    last = hour_slot(end, zone)
    while hour_slot(begin, zone) != last:
        cut = next_hour(begin, zone)
        if cut >= end:
            break
        slot = hours[(queue_id, day, _hour(begin, day, zone))]
        setattr(slot, name, getattr(slot, name) + (cut - begin).total_seconds())
        begin = cut
    if end > begin:
        slot = hours[(queue_id, day, _hour(begin, day, zone))]
        setattr(slot, name, getattr(slot, name) + (end - begin).total_seconds())
