"""The week as a routing problem: who can go, where to, and what each visit is worth."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import FIXED_WEEK, MOBILE_WEEK, Calendar, default_calendar, week_of
from fleet.planning import coverage, tours
from fleet.planning.frame import frozen
from fleet.planning.shapes import TENTHS
from fleet.store import Center, PlanVisit, Site
from fleet.value import STANDARD_STAY, WAIT_WEIGHT, Values, compute_values
from routing.notes import FORMAT, FORMAT_2

UNIT = "0.1 person-hours"
MOST_SITES = 1500
"""Candidates in one problem: what the solver takes to within a fraction of a percent in a minute."""
VILLAGES_PER_UNIT = 2
"""The best villages of every local unit stay candidates whatever the rest of the country offers."""
TRAVEL = {
    "road": {
        "detour": 1.35,
        "speeds": [[5, 25], [45, 50], [None, 75]],
        # A crew of four at 50 km/h spends 0.08 person-hours a km; fuel and wear of some 6 EGP are worth 0.12
        # more at 50 EGP an hour: 0.2 person-hours, two units.
        "cost_per_km": 2,
    }
}
LEAST_GAP_DAYS = 7
"""Over several weeks a village is not visited again sooner than this after a visit that stands."""
REFILL_DAYS = 14
"""Days between two visits of a village that a plan of several weeks may choose."""
MIN_VALUE = 1
"""Offers below a tenth of a person-hour are no candidates."""


def build_problem(
    session: Session,
    week: date,
    *,
    now: datetime,
    pins: Sequence[PlanVisit] = (),
    name: str = "",
    calendar: Calendar | None = None,
    weeks: int = 1,
    settled: Collection[date] = (),
) -> dict[str, Any]:
    """Return the `weeks` from that of `week` on as fleet-problem/1, or /2 where vans stay nights away; ids are the
    codes of centers and sites, days run from a Saturday to a Friday.

    `pins` are visits that every plan must hold. Days that cannot be changed any more, and those of the weeks in
    `settled`, take nothing but their pins. Forecasts must have been made (`fleet.forecast.make_forecast`); nothing is
    written.

    Over several weeks what a visit uses up gathers again, which the format cannot say of visits that are still to be
    chosen. So a village has one visit in the first two weeks at its full value and one from the third on, REFILL_DAYS
    after the first at least, at what has gathered in just that time: the plan is worth at least what it says. Where
    visits are pinned, one more may follow the last of them, at what has gathered since.
    """
    calendar = calendar or default_calendar()
    week = week_of(week)
    centers = list(session.scalars(select(Center).order_by(Center.id)))
    span = _span(week, weeks, centers, pins, now, calendar, settled)
    pinned_at: dict[int, list[PlanVisit]] = {}
    pinned_by: dict[int, list[PlanVisit]] = {}
    for pin in pins:
        pinned_at.setdefault(pin.site_id, []).append(pin)
        pinned_by.setdefault(pin.center_id, []).append(pin)
    planned = {site_id: [pin.day for pin in some] for site_id, some in pinned_at.items()}
    values = span_values(session, week, weeks, now=now, calendar=calendar, planned=planned)
    row_of = {site_id: i for i, site_id in enumerate(values.site_ids)}
    sites = _candidates(session, values, row_of, set(pinned_at))
    came = tours.carried_in(session, week, calendar)
    places, place_of = _places(centers, [*sites, *came.values()])
    crews = (
        tours.center_json(
            center,
            span,
            pinned_by.get(center.id, ()),
            place_of[came[center.id].lat, came[center.id].lon] if center.id in came else None,
            place_of,
            calendar,
        )
        for center in centers
    )
    candidates = [
        _site(site, span, weeks, values, row_of.get(site.id), pinned_at.get(site.id, []), place_of, calendar)
        for site in sites
    ]
    problem: dict[str, Any] = {
        "format": FORMAT,
        "name": name or (f"week-{week.isoformat()}" + (f"+{weeks - 1}" if weeks > 1 else "")),
        "unit": UNIT,
        "days": [day.isoformat() for day in span.days],
        "places": places,
        "travel": TRAVEL,
        "centers": [c for c in crews if c is not None],
        "sites": candidates,
        "groups": coverage.groups(session, sites, week, weeks, planned, dearest=dearest_of(candidates)),
    }
    if pins:
        problem["pinned"] = pinned_json(
            pins, week, {c.id: c.code for c in centers}, {s.id: s.code for s in sites}
        )
    problem["format"] = format_of(problem)
    return problem


def dearest_of(sites: Iterable[Mapping[str, Any]]) -> int:
    """Return the most that one visit to any of these sites is worth."""
    return max((o["value"] for site in sites for some in site["offers"].values() for o in some), default=0)


def format_of(problem: Mapping[str, Any]) -> str:
    """Return the version of the exchange format that the problem needs."""
    newer = any("nights" in c or "starts" in c for c in problem["centers"])
    newer = newer or any("overnight" in p for p in problem.get("pinned", ()))
    newer = newer or "traffic" in problem["travel"]
    return FORMAT_2 if newer else FORMAT


def span_values(
    session: Session,
    week: date,
    weeks: int,
    *,
    now: datetime,
    calendar: Calendar,
    planned: Mapping[int, Sequence[date]] | None = None,
) -> Values:
    """Return the values of several weeks in a row; each knows the visits announced or `planned` before it. From the
    third week on every village without a planned visit is taken to have had one REFILL_DAYS before."""
    villages = (
        session.scalars(select(Site.id).where(Site.active, Site.kind == "village")).all() if weeks > 2 else []
    )
    parts = []
    for k in range(weeks):
        start = week + timedelta(days=7 * k)
        before = dict(planned or {})
        if 7 * k >= REFILL_DAYS:
            before = {site_id: [start - timedelta(days=REFILL_DAYS)] for site_id in villages} | before
        parts.append(compute_values(session, start, now=now, calendar=calendar, planned=before))
    if weeks == 1:
        return parts[0]
    first = parts[0]
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=1)
        for name in ("hours", "waiting", "travel", "people")
    }
    days = tuple(day for part in parts for day in part.days)
    return Values(first.site_ids, days, first.klasses, first.stays, **joined)


def _span(
    week: date,
    weeks: int,
    centers: Sequence[Center],
    pins: Sequence[PlanVisit],
    now: datetime,
    calendar: Calendar,
    settled: Collection[date],
) -> tours.Span:
    open_days = 7 * weeks
    last = week + timedelta(days=open_days - 1)
    more = tours.days_to_come_home(last, {c.id: c for c in centers}, pins, calendar)
    days = tuple(week + timedelta(days=n) for n in range(open_days + more))
    closed = tuple(
        i >= open_days or frozen(day, now) or week_of(day) in settled for i, day in enumerate(days)
    )
    return tours.Span(days, closed, open_days)


def pinned_json(
    pins: Iterable[PlanVisit], week: date, center_code: dict[int, str], site_code: dict[int, str]
) -> list[dict[str, Any]]:
    """Return the pins in the exchange format, in a fixed order."""
    return [
        {
            "center": center_code[p.center_id],
            "day": (p.day - week).days,
            "site": site_code[p.site_id],
            "start": p.start_minute,
            "stay": p.stay_minutes,
            **({"overnight": True} if p.overnight else {}),
        }
        for p in sorted(pins, key=lambda p: (p.center_id, p.day, p.start_minute))
    ]


def _candidates(session: Session, values: Values, row_of: dict[int, int], pinned: set[int]) -> list[Site]:
    """All fixed sites, the best villages of each local unit, then the best of the country up to MOST_SITES;
    pins always."""
    t = values.stays.index(STANDARD_STAY)
    best = values.hours[:, :, :, t].max(axis=(1, 2)) if values.hours.size else np.zeros(len(values.site_ids))
    known = session.scalars(select(Site).where(Site.active | Site.id.in_(pinned)).order_by(Site.id))
    ranked = sorted(known, key=lambda s: -best[row_of[s.id]] if s.id in row_of else 0.0)
    taken: set[int] = {s.id for s in ranked if s.kind != "village" or s.id in pinned}
    of_unit: dict[int, int] = {}
    for site in ranked:
        if site.kind == "village" and of_unit.get(site.local_unit_id, 0) < VILLAGES_PER_UNIT:
            of_unit[site.local_unit_id] = of_unit.get(site.local_unit_id, 0) + 1
            taken.add(site.id)
    for site in ranked:
        if len(taken) >= MOST_SITES:
            break
        taken.add(site.id)
    return sorted((s for s in ranked if s.id in taken), key=lambda s: s.id)


def _places(
    centers: Sequence[Center], sites: Sequence[Site]
) -> tuple[list[dict[str, Any]], dict[tuple[float, float], str]]:
    """One place a point: vans of one depot share it."""
    place_of: dict[tuple[float, float], str] = {}
    for center in centers:
        place_of.setdefault((center.depot_lat, center.depot_lon), f"D-{center.code}")
    for site in sites:
        place_of.setdefault((site.lat, site.lon), f"S-{site.code}")
    return [{"id": name, "lat": lat, "lon": lon} for (lat, lon), name in place_of.items()], place_of


def _site(
    site: Site,
    span: tours.Span,
    weeks: int,
    values: Values,
    row: int | None,
    pins: Sequence[PlanVisit],
    place_of: dict[tuple[float, float], str],
    calendar: Calendar,
) -> dict[str, Any]:
    village = site.kind == "village"
    week = MOBILE_WEEK if village else FIXED_WEEK
    windows: dict[str, list[int]] = {}
    for i, day in enumerate(span.days):
        if calendar.is_working_day(day, weekdays=week) and not span.closed[i]:
            opens, closes = calendar.hours(day, site.open_minute, site.close_minute)
            if opens < closes:
                windows[str(i)] = [opens, closes]
    pinned = [span.index(pin.day) for pin in pins]
    if village and weeks > 1 and pins:
        free = max(pinned) + LEAST_GAP_DAYS
        windows = {i: w for i, w in windows.items() if int(i) in pinned or int(i) >= free}
    for pin, index in zip(pins, pinned, strict=True):
        ends = pin.start_minute + pin.stay_minutes
        if span.closed[index]:  # what has begun stands, also where opening hours have changed since
            low, high = windows.get(str(index), [pin.start_minute, ends])
            windows[str(index)] = [min(low, pin.start_minute), max(high, ends)]
    made = offers(values, row, {p.stay_minutes for p in pins})
    made["day_percent"] += [0] * (len(span.days) - len(made["day_percent"]))
    most, gap = len(span.days), 1
    if village:
        most = max(1, len(pins) + (weeks > 1))
        if weeks > 2 and not pins:
            most, gap = 2, REFILL_DAYS
    return {
        "id": site.code,
        "place": place_of[site.lat, site.lon],
        "open": windows,
        **made,
        "max_visits": most,
        **({"min_gap_days": gap} if gap > 1 else {}),
    }


def offers(values: Values, row: int | None, more_stays: Iterable[int] = ()) -> dict[str, Any]:
    """Return `offers` and `day_percent` of the site in that row of `values` (None: worth nothing), for the
    stays of `values` and those in `more_stays`.

    Beside each value stand the expected people and how much of the value is waiting relieved (the rest is
    trips spared): what comparisons tell.
    """
    t = values.stays.index(STANDARD_STAY)
    empty = np.zeros(values.hours.shape[1:])
    hours, people, waiting = (
        (part[row] if row is not None else empty) for part in (values.hours, values.people, values.waiting)
    )
    by_day = hours[:, :, t].sum(axis=1)
    reference = int(by_day.argmax()) if by_day.size else 0
    top = float(by_day[reference]) if by_day.size else 0.0
    found: dict[str, list[dict[str, Any]]] = {}
    for k, klass in enumerate(values.klasses):
        found[klass] = []
        for stay in sorted({*values.stays, *more_stays}):
            worth = _between(values.stays, hours[reference, k], stay)
            waited = WAIT_WEIGHT * _between(values.stays, waiting[reference, k], stay)
            found[klass].append(
                {
                    "stay": stay,
                    "value": max(0, round(TENTHS * worth)),
                    "people": round(_between(values.stays, people[reference, k], stay), 1),
                    "waiting": round(TENTHS * min(max(waited, 0.0), worth)),
                }
            )
    return {
        "offers": found,
        "day_percent": [round(100 * float(v) / top) if top > 0 else 0 for v in by_day],
    }


def _between(stays: Sequence[int], values: np.ndarray[Any, np.dtype[np.float64]], stay: int) -> float:
    """Value of a stay that may lie between the standard ones."""
    return float(np.interp(stay, stays, values))
