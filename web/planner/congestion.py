"""Where people wait: fixed sites by hour, what happened beside what was forecast, the worst first."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from flask import render_template
from flask_babel import gettext as _
from sqlalchemy import func, select

from fleet.calendar import local_minute
from fleet.congestion import HourCell, SiteRow, congestion_table
from fleet.store import ForecastHour, Governorate
from queueing.congestion import FINAL_AT_END, LONG_WAIT_S
from web import clock
from web.db import read
from web.i18n import local, named
from web.planner.door import blueprint, today, wanted_date, wanted_int


def levels() -> list[tuple[int, str]]:
    """(level, its name) from calm to severe."""
    return [(0, _("calm")), (1, _("moderate")), (2, _("busy")), (3, _("crowded")), (4, _("severe"))]


@blueprint.get("/congestion")
def congestion() -> Any:
    """The table of a day."""
    return render_template("planner/congestion.html", **_state())


@blueprint.get("/congestion/table")
def congestion_part() -> Any:
    """The part of it that is fetched again as the day goes on."""
    return render_template("planner/_congestion.html", **_state())


def _state() -> dict[str, Any]:
    session, now, day = read(), clock.now(), wanted_date("day", today())
    governorate_id = wanted_int("governorate")
    rows = congestion_table(session, day, now=now)
    if governorate_id is not None:
        rows = [row for row in rows if row.governorate_id == governorate_id]
    names = {g.id: named(g) for g in session.scalars(select(Governorate))}
    return {
        "rows": rows,
        "rising": {hour for hour in range(24) if day == today() and not final(hour, local_minute(now))},
        "hours": sorted({hour for row in rows for hour in row.cells}),
        "day": day,
        "today": today(),
        "before": day - timedelta(days=1),
        "after": day + timedelta(days=1),
        "governorate_id": governorate_id,
        "governorates": sorted(names.items(), key=lambda pair: pair[1]),
        "names": names,
        "levels": levels(),
        "final_at_end": round(100 * FINAL_AT_END),
        "summary": summary(rows, local(now).hour if day == today() else None),
        "as_of": now,
        "made_at": session.scalar(select(func.max(ForecastHour.made_at)).where(ForecastHour.day == day)),
    }


def final(hour: int, minute: int) -> bool:
    """Whether the level of the hour can no longer rise at a local minute of the same day; hours to come: True."""
    return minute < 60 * hour or minute >= 60 * hour + 60 + LONG_WAIT_S // 60


def summary(rows: list[SiteRow], hour: int | None) -> dict[str, Any]:
    """The day in a line: sites by their level at `hour` (its peak where None), people, mean wait, forecast error."""
    reached: Counter[int] = Counter()
    people, waited, expected, met = 0, 0.0, 0.0, 0
    for row in rows:
        cells = row.cells.values() if hour is None else [c for c in [row.cells.get(hour)] if c is not None]
        reached[max((shown_level(cell) for cell in cells), default=0)] += 1
        for cell in row.cells.values():
            if cell.real_arrivals is not None:
                people += cell.real_arrivals
                waited += (cell.wait_min or 0.0) * cell.real_arrivals
                if cell.arrivals is not None and (hour is None or cell.hour < hour):
                    expected += cell.arrivals
                    met += cell.real_arrivals
    return {
        "sites": len(rows),
        "reached": reached,
        "people": people,
        "wait": waited / people if people else None,
        "forecast": expected if expected else None,
        "met": met,
        "hour": hour,
    }


def shown_level(cell: HourCell) -> int:
    """What happened, else what is forecast."""
    return cell.real_level if cell.real_level is not None else cell.level or 0
