"""Congestion of the fixed sites, hour by hour: what happened beside what is forecast, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from math import ceil, floor, sqrt

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet.calendar import local_day
from fleet.store import ForecastHour, Site, SiteQueue
from queueing.congestion import level_of, offered_load
from queueing.store import QueueHour


@dataclass(slots=True)
class HourCell:
    """One site in one local hour. What is None was not measured (not yet, or closed) or not forecast.

    `real_level` and `level` run from 0 calm to 4 severe (`queueing.congestion`); `wait_min` is the
    mean wait of those who arrived in the hour, minutes.
    """

    hour: int
    arrivals: float | None = None
    low: float | None = None
    high: float | None = None
    """Four times in five the arrivals lie between these,"""
    inner_low: float | None = None
    inner_high: float | None = None
    """and every second time between these."""
    level: int | None = None
    load: float | None = None
    real_arrivals: int | None = None
    real_level: int | None = None
    wait_min: float | None = None
    left: int | None = None

    @property
    def within(self) -> bool | None:
        """Whether as many came as the range of four in five said; None where either is missing."""
        if self.real_arrivals is None or self.low is None or self.high is None:
            return None
        return floor(self.low) <= self.real_arrivals <= ceil(self.high)


@dataclass(slots=True)
class SiteRow:
    """A site's day. `severity` sorts the national table: expected and real person-levels of the day."""

    site_id: int
    code: str
    kind: str
    name_ar: str
    name_en: str
    governorate_id: int
    lat: float
    lon: float
    severity: float = 0.0
    peak_level: int = 0
    cells: dict[int, HourCell] = field(default_factory=dict)

    def cell(self, hour: int) -> HourCell:
        """The cell of `hour`, made when missing."""
        return self.cells.setdefault(hour, HourCell(hour))


def congestion_table(
    session: Session, day: date, *, now: datetime, site_ids: Sequence[int] | None = None
) -> list[SiteRow]:
    """Return every active fixed site's day, worst first; hours that are over show what happened, all show
    the forecast.

    A site with several lines (a complex) shows the worst of their levels and the sum of their people.
    """
    rows = _sites(session, site_ids)
    f = ForecastHour
    # Lines of one site err each for itself: their squares add up.
    edges = [
        func.sum((edge - f.arrivals) * (edge - f.arrivals))
        for edge in (f.low, f.high, f.inner_low, f.inner_high)
    ]
    for site_id, hour, arrivals, load, level, *squares in session.execute(
        select(
            SiteQueue.site_id,
            f.hour,
            func.sum(f.arrivals),
            func.sum(f.offered_load),
            func.max(f.level),
            *edges,
        )
        .join(f, f.queue_id == SiteQueue.queue_id)
        .where(f.day == day)
        .group_by(SiteQueue.site_id, f.hour)
    ):
        if site_id in rows:
            cell = rows[site_id].cell(hour)
            cell.arrivals, cell.load, cell.level = round(arrivals, 1), round(load, 2), level
            if None not in squares:
                below, above, less, more = (round(sqrt(square), 1) for square in squares)
                cell.low, cell.high = max(cell.arrivals - below, 0.0), cell.arrivals + above
                cell.inner_low, cell.inner_high = max(cell.arrivals - less, 0.0), cell.arrivals + more
    if day <= local_day(now):
        _happened(session, day, rows)
    for row in rows.values():
        _rate(row)
    return sorted(rows.values(), key=lambda r: (-r.severity, r.site_id))


def _sites(session: Session, site_ids: Sequence[int] | None) -> dict[int, SiteRow]:
    s = Site
    query = select(s.id, s.code, s.kind, s.name_ar, s.name_en, s.governorate_id, s.lat, s.lon)
    query = query.where(s.active, s.kind != "village")
    if site_ids is not None:
        query = query.where(s.id.in_(site_ids))
    return {row[0]: SiteRow(*row) for row in session.execute(query)}


def _happened(session: Session, day: date, rows: dict[int, SiteRow]) -> None:
    q = QueueHour
    for site_id, hour, arrivals, left, wait_s, over, service_s, served, desk_s in session.execute(
        select(
            SiteQueue.site_id,
            q.hour,
            q.arrivals,
            q.left_waiting,
            q.wait_s,
            q.wait_over,
            q.service_s,
            q.served,
            q.desk_s,
        )
        .join(q, q.queue_id == SiteQueue.queue_id)
        .where(q.day == day)
    ):
        if site_id not in rows:
            continue
        cell = rows[site_id].cell(hour)
        load = offered_load(arrivals, service_s / served) if served else 0.0
        level = level_of(over, arrivals, load, desk_s / 3600)
        before = cell.real_arrivals or 0
        waited = (cell.wait_min or 0.0) * before + wait_s / 60
        cell.real_arrivals = before + arrivals
        cell.wait_min = round(waited / cell.real_arrivals, 1) if cell.real_arrivals else 0.0
        cell.left = (cell.left or 0) + left
        cell.real_level = max(cell.real_level or 0, level)


def _rate(row: SiteRow) -> None:
    """Severity: over the hours, people x level squared: an hour of severe crowding outweighs a day of slight
    ones."""
    for cell in row.cells.values():
        level = cell.real_level if cell.real_level is not None else (cell.level or 0)
        people = cell.real_arrivals if cell.real_arrivals is not None else (cell.arrivals or 0.0)
        row.severity += people * level**2
        row.peak_level = max(row.peak_level, level)
    row.severity = round(row.severity, 1)
    row.cells = dict(sorted(row.cells.items()))
