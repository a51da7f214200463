"""Do the statistics equal the events? A day's figures as they are shown and as they are stored, against a second count.

    differences = compare(session, queue_ids, day, now=now)

Three places are looked at: what the supervisor's page shows (`queueing.statistics`), its percentiles, and the stored
hours (`queue_hour`), once the day is over. `run` does so for a whole day and keeps the result, which pages and monitors
show. It only reads what it checks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.daytime import day_bounds, local_day
from queueing.hours import HourMeasure
from queueing.statistics import DayReport, Figures, day_report
from queueing.statistics_replay import COUNTS, SECONDS, Counted, RawEvent, replay
from queueing.store import DeskShift, Queue, QueueDay, QueueHour, Ticket, TicketEvent
from queueing.store_office import StatisticsCheck

CLOSE_ENOUGH_S = 0.05
KEPT = 200
"""Differences kept with a check; their number is always whole."""
CHUNK = 40
PAGE_COUNTS = {
    "arrivals": "arrivals",
    "called": "called",
    "served": "served",
    "missed": "missed",
    "left": "left_waiting",
}
"""Figures of the page -> the second count's."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One figure that is not what the events say. `where`: page | stored. `hour` None: of the whole day."""

    queue_id: int
    hour: int | None
    figure: str
    where: str
    shown: float
    events: float

    def __str__(self) -> str:
        at = f" {self.hour:02d}h" if self.hour is not None else ""
        return f"queue {self.queue_id}{at} {self.figure}: {self.where} {self.shown:g}, events say {self.events:g}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check has found."""

    day: date
    queues: int
    figures: int
    wrong: tuple[Wrong, ...]
    stored_too: bool
    """Whether stored hours were compared: they follow a running day by a quarter of an hour."""

    def __str__(self) -> str:
        said = f"{self.day}: {self.figures} figures of {self.queues} queues, {len(self.wrong)} not as the events say"
        return said if self.stored_too else f"{said} (stored hours of a running day are not compared)"


def queues_of(session: Session, day: date) -> list[int]:
    """Queues that gave out tickets for a day."""
    return list(
        session.scalars(select(QueueDay.queue_id).where(QueueDay.day == day).order_by(QueueDay.queue_id))
    )


def check_day(
    session: Session, day: date, *, now: datetime, queue_ids: Sequence[int] | None = None
) -> Checked:
    """Check the queues (None: all with tickets) of a day."""
    ids = list(queues_of(session, day) if queue_ids is None else queue_ids)
    found: list[Wrong] = []
    figures, stored_too = 0, True
    for begin in range(0, len(ids), CHUNK):
        some, compared, whole = compare(session, ids[begin : begin + CHUNK], day, now=now)
        found += some
        figures += compared
        stored_too = stored_too and whole
    return Checked(day, len(ids), figures, tuple(found), stored_too)


def keep(session: Session, checked: Checked, *, now: datetime) -> StatisticsCheck:
    """Store a check, in place of the day's last one."""
    row = session.get(StatisticsCheck, checked.day) or StatisticsCheck(day=checked.day)
    row.checked_at = now
    row.queues, row.figures, row.wrong = checked.queues, checked.figures, len(checked.wrong)
    row.differences = [_plain(wrong) for wrong in checked.wrong[:KEPT]]
    session.add(row)
    return row


def last_check(session: Session) -> StatisticsCheck | None:
    """The check of the latest day."""
    return session.scalar(select(StatisticsCheck).order_by(StatisticsCheck.day.desc()).limit(1))


def compare(
    session: Session, queue_ids: Sequence[int], day: date, *, now: datetime
) -> tuple[list[Wrong], int, bool]:
    """Differences of some queues, how many figures were compared, and whether stored hours were among them."""
    zones = session.execute(select(Queue.id, Queue.zone).where(Queue.id.in_(queue_ids))).all()
    found: list[Wrong] = []
    figures, stored_too = 0, True
    for queue_id, zone in zones:
        counted = recount(session, queue_id, day, zone=zone, now=now)
        report = day_report(session, [queue_id], day, now=now)
        pairs = list(_page(queue_id, report, counted))
        if local_day(now, zone) > day:
            pairs += _stored(session, queue_id, day, counted)
        else:
            stored_too = False
        figures += len(pairs)
        found += [wrong for wrong in pairs if not _same(wrong)]
    return found, figures, stored_too


def recount(session: Session, queue_id: int, day: date, *, zone: str, now: datetime) -> Counted:
    """One queue's day counted the second way."""
    begin, end = day_bounds(day, zone)
    rows = session.execute(
        select(
            TicketEvent.queue_id,
            TicketEvent.ticket_id,
            TicketEvent.id,
            TicketEvent.action,
            TicketEvent.state_to,
            TicketEvent.happened_at,
            TicketEvent.data,
        )
        .join(Ticket, Ticket.id == TicketEvent.ticket_id)
        .where(Ticket.queue_id == queue_id, Ticket.day == day)
        .order_by(TicketEvent.id)
    )
    shifts = session.execute(
        select(DeskShift.queue_id, DeskShift.opened_at, DeskShift.closed_at).where(
            DeskShift.queue_id == queue_id, DeskShift.opened_at >= begin, DeskShift.opened_at < end
        )
    )
    return replay(
        (RawEvent(row[0], row[1], row[2], row[3], row[4], row[5], row[6].get("undoes")) for row in rows),
        [(row[0], row[1], row[2]) for row in shifts],
        day=day,
        zone=zone,
        until=min(now, end),
    )


def _page(queue_id: int, report: DayReport, counted: Counted) -> Iterator[Wrong]:
    """Every figure of the page beside its second count."""
    hours = {hour: cell for (queue, hour), cell in counted.hours.items() if queue == queue_id}
    for hour in sorted(hours.keys() | report.by_hour.keys()):
        shown, cell = report.by_hour.get(hour, Figures()), hours.get(hour, {})
        for name, other in PAGE_COUNTS.items():
            yield Wrong(queue_id, hour, name, "page", getattr(shown, name), cell.get(other, 0))
    waits = [seconds for _hour, seconds in counted.waits.values()]
    services = [seconds for made in counted.services.values() for _hour, seconds in made]
    for name, shown_s, values in (
        ("wait", (report.total.wait_s, report.total.wait_p90), waits),
        ("service", (report.total.service_s, report.total.service_p90), services),
    ):
        mean = sum(values) / len(values) if values else 0.0
        yield Wrong(queue_id, None, f"average {name}", "page", shown_s[0] or 0.0, mean)
        yield Wrong(queue_id, None, f"90% of {name}s", "page", shown_s[1] or 0.0, _ninth(values))
    for name, other in PAGE_COUNTS.items():
        in_all = sum(cell.get(other, 0) for cell in hours.values())
        by_service = sum(getattr(figures, name) for _service, figures in report.by_service)
        yield Wrong(queue_id, None, name, "page", getattr(report.total, name), in_all)
        yield Wrong(queue_id, None, f"{name} by service", "page", by_service, in_all)


def _ninth(values: Sequence[float]) -> float:
    """The smallest value with at most a tenth of all above it."""
    allowed = len(values) - math.ceil(0.9 * len(values))
    return min((v for v in values if sum(other > v for other in values) <= allowed), default=0.0)


def _stored(session: Session, queue_id: int, day: date, counted: Counted) -> Iterator[Wrong]:
    stored = {
        row.hour: row
        for row in session.scalars(
            select(QueueHour).where(QueueHour.queue_id == queue_id, QueueHour.day == day)
        )
    }
    hours = {hour: cell for (queue, hour), cell in counted.hours.items() if queue == queue_id}
    for hour in sorted(stored.keys() | hours.keys()):
        for name in (*COUNTS, *SECONDS):
            has = getattr(stored.get(hour), name, 0)
            yield Wrong(queue_id, hour, name, "stored", has, hours.get(hour, {}).get(name, 0))


def _same(wrong: Wrong) -> bool:
    return math.isclose(wrong.shown, wrong.events, rel_tol=1e-9, abs_tol=CLOSE_ENOUGH_S)


def _plain(wrong: Wrong) -> dict[str, Any]:
    return {name: getattr(wrong, name) for name in Wrong.__slots__}


assert set(COUNTS) | set(SECONDS) == set(HourMeasure.COLUMNS), "a stored figure has no second count"
