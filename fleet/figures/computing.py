"""The public figures, put together from the counts: what goes out, with small numbers left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import local_day, week_of
from fleet.figures.counting import Counted, Place, count
from fleet.figures.privacy import LEAST, Cell, hidden, with_sums
from fleet.figures.shares import wilson
from fleet.figures.unvisited import unvisited
from fleet.store import Governorate, Plan, Setting, Visit

KEY = "figures"
"""Where the installation's settings hold them."""
WEEKS = 13
"""A quarter: what is over longer ago says little about today."""
Played = Mapping[date, Mapping[str, float]]
"""Saturday of a published week -> hours saved in it as played citizen by citizen: mean, low, high (95%)."""
Table = Mapping[Cell[int, date], int]


def compute(session: Session, *, now: datetime, played: Played | None = None) -> dict[str, Any]:
    """The figures of the days that are over, as JSON values.

    Times are ISO 8601, waits seconds, hours person-hours, shares 0 to 1. `null` stands where too few people are behind
    a number, or nobody. `areas` has the whole country under "" and governorates under their ISO codes, each with
    `total` and one entry for each of `weeks`; the last week may still be going on.
    """
    today = local_day(now)
    last = today - timedelta(days=1)
    first = week_of(last) - timedelta(days=7 * (WEEKS - 1))
    counts = count(session, first, last)
    # Weeks before the installation's first are not empty weeks: they are none.
    begun = min((week for _place, week in counts), default=week_of(last))
    weeks = [week for n in range(WEEKS) if (week := first + timedelta(days=7 * n)) >= begun]
    governorates = session.scalars(select(Governorate).order_by(Governorate.iso)).all()
    grid = {(g.id, week): counts.get((g.id, week), Counted()) for g in governorates for week in weeks}
    show = _Shown(grid)
    areas: dict[str, Any] = {}
    for key, place in (("", None), *((g.iso, g.id) for g in governorates)):
        areas[key] = {
            "total": show.cell(place, None),
            "weeks": [{"week": week.isoformat(), **show.cell(place, week)} for week in weeks],
        }
    names = {g.iso: {"name_ar": g.name_ar, "name_en": g.name_en} for g in governorates}
    districts = unvisited(session, today=today)
    for iso, late in districts.pop("by_governorate").items():
        areas[iso]["districts_over"] = late
    areas[""]["districts_over"] = districts["over"]
    return {
        "made_at": now.isoformat(),
        "first": max(first, begun).isoformat(),
        "last": last.isoformat(),
        "least": LEAST,
        "governorates": names,
        "areas": areas,
        "districts": districts,
        "saved": _saved(session, today, played or {}, counts),
    }


def keep(session: Session, figures: Mapping[str, Any]) -> None:
    """Store the figures in place of those before."""
    session.merge(Setting(key=KEY, value=dict(figures)))


def kept(session: Session) -> dict[str, Any] | None:
    """The figures as last computed; None before the first time."""
    row = session.get(Setting, KEY)
    return dict(row.value) if row is not None else None


class _Shown:
    """The cells of the table as they may be shown."""

    def __init__(self, grid: Mapping[Place, Counted]) -> None:
        self._sums: dict[Cell[int, date], Counted] = {}
        for (place, week), counted in grid.items():
            for cell in ((place, week), (place, None), (None, week), (None, None)):
                self._sums.setdefault(cell, Counted()).add(counted)
        self._served, self._no_served = self._counted(grid, lambda c: c.served)
        self._waits, self._no_waits = self._counted(grid, lambda c: len(c.waits))
        self._rated, self._no_rated = self._counted(grid, lambda c: c.rated)
        self._kept, self._no_kept = self._counted(grid, lambda c: c.kept()[0])

    @staticmethod
    def _counted(
        grid: Mapping[Place, Counted], of: Callable[[Counted], int]
    ) -> tuple[Table, set[Cell[int, date]]]:
        table = with_sums({place: of(counted) for place, counted in grid.items()})
        return table, hidden(table)

    def cell(self, place: int | None, week: date | None) -> dict[str, Any]:
        """The figures of a governorate (None: the country) in a week (None: all)."""
        where = (place, week)
        c = self._sums.get(where, Counted())
        vans, buildings = c.served_vans, c.served - c.served_vans
        judged, inside = c.kept()
        told = where not in self._no_served and not any(0 < part < LEAST for part in (vans, buildings))
        # Of governorates and weeks at once only the sum: two tables that are told apart would tell on each other.
        return {
            "served": None if where in self._no_served else c.served,
            "served_vans": vans if told and where == (None, None) else None,
            "left_share": round(c.left / c.arrivals, 2) if c.arrivals >= LEAST**2 else None,
            "visits": c.visits,
            "places": len(c.sites),
            "villages": len(c.villages),
            "districts": len(c.units),
            "hours_saved": round(c.hours_saved, 1) if c.visits > c.unreckoned else None,
            "wait": _wait(c, self._waits.get(where, 0), where in self._no_waits),
            "kept": _share(inside, judged, where in self._no_kept),
            "satisfied": _share(c.satisfied, c.rated, where in self._no_rated),
        }


def _wait(c: Counted, people: int, secret: bool) -> dict[str, Any] | None:
    if not people or secret:
        return None
    ordered = sorted(c.waits)
    return {
        "people": people,
        "median_s": round(median(ordered)),
        "nine_of_ten_s": round(ordered[max(0, -(-9 * people // 10) - 1)]),
    }


def _share(hits: int, of: int, secret: bool) -> dict[str, Any] | None:
    """A share with its interval and the number of people behind it."""
    if not of or secret:
        return None
    share, low, high = wilson(hits, of)
    return {"people": of, "share": round(share, 4), "low": round(low, 4), "high": round(high, 4)}


def _saved(
    session: Session, today: date, played: Played, counts: Mapping[Place, Counted]
) -> dict[str, Any] | None:
    """Hours saved in the newest published week that has begun: as its plan reckons, as played, and so far."""
    plan = session.scalars(
        select(Plan)
        .where(Plan.status == "published", Plan.kind == "plan", Plan.week <= today)
        .order_by(Plan.week.desc())
        .limit(1)
    ).first()
    if plan is None:
        return None
    visits = session.execute(
        select(Visit.hours_saved, Visit.status, Visit.day).where(Visit.plan_id == plan.id)
    ).all()
    return {
        "week": plan.week.isoformat(),
        "planned": round(sum(hours for hours, status, _day in visits if status != "cancelled"), 1),
        "so_far": round(sum(c.hours_saved for (_place, week), c in counts.items() if week == plan.week), 1),
        "played": {k: round(v, 1) for k, v in played[plan.week].items()} if plan.week in played else None,
        "towns_in_turn": None if plan.baseline_hours is None else round(plan.baseline_hours, 1),
    }
