"""The day's figures counted a second time, in another way, to check the first (queueing/hours.py). Pure.

The first way walks through a ticket's events and counts as it goes. Here each ticket's standing events become a list
of stays (a state, from when to when, and what ended it), and every figure is a question to that list. Steps that were
taken back are found by the id that their undo names, not by their place; hours come from a table of the day's quarters,
not from a walk along the clock. The two ways share the words of the definitions and the line of a long wait, no code.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo

from queueing.congestion import LONG_WAIT_S

COUNTS = ("arrivals", "called", "served", "left_waiting", "missed", "wait_over")
SECONDS = ("wait_s", "service_s", "service_sq", "desk_s", "held_s", "waiting_s")
QUARTER = timedelta(minutes=15)
LONGEST = timedelta(hours=26)
"""Hours after the day's beginning whose quarters stand in a table; what is later belongs to hour 23 anyway."""


class RawEvent(NamedTuple):
    """An event as it is stored. `undoes`: the event that it took back."""

    queue: int
    ticket: Hashable
    number: int
    action: str
    to: str
    at: datetime
    undoes: int | None


class Stay(NamedTuple):
    """A stretch in one state. `ended_by`: the action that ended it; empty while it lasts (`end` is None)."""

    state: str
    begin: datetime
    end: datetime | None
    ended_by: str
    then: str


@dataclass(slots=True)
class Counted:
    """Figures by (queue, hour), waits and services by (queue, ticket)."""

    hours: dict[tuple[int, int], dict[str, float]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(float))
    )
    waits: dict[tuple[int, Hashable], tuple[int, float]] = field(default_factory=dict)
    services: dict[tuple[int, Hashable], list[tuple[int, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )


class Hours:
    """The local hours of one business day."""

    def __init__(self, day: date, zone: str) -> None:
        self.day = day
        self._zone = ZoneInfo(zone)

    def of(self, at: datetime) -> int:
        """The hour of an instant; 23 for what is after the day."""
        there = at.astimezone(self._zone)
        return there.hour if there.date() <= self.day else 23

    def is_of(self, at: datetime) -> bool:
        """Whether an instant lies on this day."""
        return at.astimezone(self._zone).date() == self.day

    def share(self, begin: datetime, end: datetime) -> dict[int, float]:
        """The seconds of a span by hour: every quarter that it touches, by its own hour."""
        found: dict[int, float] = defaultdict(float)
        stop = min(end, begin + LONGEST)
        quarter = begin.astimezone(UTC).replace(minute=begin.minute // 15 * 15, second=0, microsecond=0)
        while quarter < stop:
            seconds = (min(stop, quarter + QUARTER) - max(begin, quarter)).total_seconds()
            if seconds > 0:
                found[self.of(quarter)] += seconds
            quarter += QUARTER
        if end > stop:
            found[23] += (end - stop).total_seconds()
        return found


def replay(
    events: Iterable[RawEvent],
    shifts: Iterable[tuple[int, datetime, datetime | None]],
    *,
    day: date,
    zone: str,
    until: datetime,
) -> Counted:
    """Count one day. `shifts`: (queue, opened, closed) of the desks that were opened on it. `until`: to when people who
    wait and desks that are open count."""
    counted, hours = Counted(), Hours(day, zone)
    staffed: dict[int, datetime] = {}
    for queue, opened, closed in shifts:
        end = until if closed is None else closed
        if end > opened:
            staffed[queue] = max(staffed.get(queue, end), end)
            _spread(counted, hours, queue, opened, end, "desk_s")
    by_ticket: dict[tuple[int, Hashable], list[RawEvent]] = defaultdict(list)
    for event in events:
        by_ticket[event.queue, event.ticket].append(event)
    for (queue, ticket), rows in by_ticket.items():
        taken = {row.undoes for row in rows if row.action == "undo"}
        standing = [row for row in rows if row.action not in ("undo", "rate") and row.number not in taken]
        if standing:
            # Clocks that disagree: nothing counts as before what it was stored after.
            latest = accumulate((row.at for row in standing), max)
            standing = [row._replace(at=at) for row, at in zip(standing, latest, strict=True)]
            _count(counted, hours, queue, ticket, standing, staffed.get(queue), until)
    return counted


def stays_of(standing: Sequence[RawEvent]) -> list[Stay]:
    """The stretches that a ticket's standing events make; two in a row never have one state."""
    starts: list[RawEvent] = []
    for row in standing:
        if not starts or starts[-1].to != row.to:
            starts.append(row)
    return [
        Stay(
            row.to,
            row.at,
            None if last else starts[n + 1].at,
            "" if last else starts[n + 1].action,
            "" if last else starts[n + 1].to,
        )
        for n, row in enumerate(starts)
        for last in (n + 1 == len(starts),)
    ]


def _count(
    counted: Counted,
    hours: Hours,
    queue: int,
    ticket: Hashable,
    standing: Sequence[RawEvent],
    staffed: datetime | None,
    until: datetime,
) -> None:
    came = standing[0].at
    if standing[0].to == "booked":
        shown = [row.at for row in standing if row.action in ("arrive", "call")]
        if not shown:
            return
        came = shown[0]
    if not hours.is_of(came):
        return
    stays = stays_of(standing)

    def add(at: datetime, what: str, value: float) -> None:
        counted.hours[queue, hours.of(at)][what] += value

    add(came, "arrivals", 1)
    first = next((stay for stay in stays if stay.state in ("waiting", "called")), None)
    for stay in stays:
        if stay.state == "called":
            add(stay.begin, "called", 1)
        if stay.state == "waiting":
            end = _went(stay, staffed, until)
            if end > stay.begin:
                _spread(counted, hours, queue, stay.begin, end, "waiting_s")
            if stay is first and (stay.end is not None or end > stay.begin):
                wait = (end - came).total_seconds()
                counted.waits[queue, ticket] = (hours.of(came), wait)
                add(came, "wait_s", wait)
                add(came, "wait_over", wait > LONG_WAIT_S)
                if stay.end is not None and stay.then != "called":
                    add(end, "left_waiting", 1)
    for row in standing:
        if row.action == "miss":
            add(row.at, "missed", 1)
    _desks(counted, hours, queue, ticket, stays, standing)


def _desks(
    counted: Counted,
    hours: Hours,
    queue: int,
    ticket: Hashable,
    stays: Sequence[Stay],
    standing: Sequence[RawEvent],
) -> None:
    """What happened at desks: how long each was held, and what service was ended."""
    began: datetime | None = None
    for stay in stays:
        if stay.state in ("called", "serving") and began is None:
            began = stay.begin
        if began is not None and stay.end is not None and stay.then not in ("called", "serving"):
            if stay.ended_by != "close":
                counted.hours[queue, hours.of(stay.end)]["held_s"] += (stay.end - began).total_seconds()
            began = None
    for row in standing:
        if row.action not in ("finish", "transfer"):
            continue
        service = sum(
            (stay.end - stay.begin).total_seconds()
            for stay in stays
            if stay.end is not None
            and stay.end <= row.at
            and (stay.state == "serving" or (stay.state == "called" and stay.ended_by == "finish"))
        )
        if row.action == "transfer" and not service:
            continue
        hour = hours.of(row.at)
        counted.services[queue, ticket].append((hour, service))
        for what, value in (("served", 1.0), ("service_s", service), ("service_sq", service * service)):
            counted.hours[queue, hour][what] += value


def _went(stay: Stay, staffed: datetime | None, until: datetime) -> datetime:
    """When somebody stopped waiting. Whom the night closed went, at the latest, with the last desk."""
    if stay.end is None:
        return max(stay.begin, until)
    if stay.ended_by == "close":
        return min(stay.end, max(stay.begin, staffed if staffed is not None else stay.begin))
    return stay.end


def _spread(counted: Counted, hours: Hours, queue: int, begin: datetime, end: datetime, what: str) -> None:
    for hour, seconds in hours.share(begin, end).items():
        counted.hours[queue, hour][what] += seconds
