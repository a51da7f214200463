"""Vans over the days of a problem: when each works, where it starts after a night away, what it carries in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import Calendar
from fleet.errors import Invalid
from fleet.network.nights import HEAD_HOURS
from fleet.planning.shapes import TENTHS
from fleet.store import Center, PlanVisit, Site, Visit

ROUTE_COST = 20
"""Readying and closing down a van takes its crew of four half an hour a day, in tenths of a person-hour."""
MOST_NIGHTS = 13
"""Two weeks on the road: what this installation takes for the utmost."""
MOST_NIGHT_COST = 1000.0
LONGEST_AWAY = 14
"""Days to look back for a night that a center may still be away from, and ahead for the day it comes home."""


@dataclass(frozen=True, slots=True)
class Span:
    """The days of a problem. `closed` ones take nothing but pins; days from `open_days` on are there for coming home
    alone."""

    days: tuple[date, ...]
    closed: tuple[bool, ...]
    open_days: int

    def index(self, day: date) -> int:
        """The day's index; outside the span it lies outside the days'."""
        return (day - self.days[0]).days

    def works(self, center: Center, calendar: Calendar) -> list[int]:
        """The indices of the center's working days by its own week and the holidays, whatever its state."""
        return [
            i for i, day in enumerate(self.days) if calendar.is_working_day(day, weekdays=center.weekdays)
        ]


def carried_in(session: Session, first: date, calendar: Calendar) -> dict[int, Site]:
    """Return where each center away over the night to its first working day from `first` on has stayed, by center id.

    Announced visits decide, a cancelled one too where the night at its place still stands; a center that has had a
    working day since its night away has driven home on it.
    """
    rows = session.execute(
        select(Visit, Center)
        .join(Center, Center.id == Visit.center_id)
        .where(
            Visit.day < first,
            Visit.day >= first - timedelta(days=LONGEST_AWAY),
            (Visit.status != "cancelled") | Visit.overnight,
        )
        .order_by(Visit.center_id, Visit.opens_at)
    ).all()
    last = {center.id: (visit, center) for visit, center in rows}
    found: dict[int, Site] = {}
    for center_id, (visit, center) in last.items():
        between = (visit.day + timedelta(days=n) for n in range(1, (first - visit.day).days))
        if visit.overnight and not any(
            calendar.is_working_day(day, weekdays=center.weekdays) for day in between
        ):
            found[center_id] = visit.site
    return found


def days_to_come_home(
    last_day: date, centers: Mapping[int, Center], pins: Sequence[PlanVisit], calendar: Calendar
) -> int:
    """Return how many days past `last_day` a problem needs, so that every center that a pin keeps away over its last
    night has a working day on which it comes home."""
    most = 0
    for pin in pins:
        center = centers.get(pin.center_id)
        if not pin.overnight or center is None:
            continue
        after = (
            pin.day + timedelta(days=n)
            for n in range(1, LONGEST_AWAY + 1)
            if calendar.is_working_day(pin.day + timedelta(days=n), weekdays=center.weekdays)
        )
        home = next(after, None)
        if home is not None and home > last_day:
            most = max(most, (home - last_day).days)
    return most


def center_json(
    center: Center,
    span: Span,
    pins: Sequence[PlanVisit],
    came: str | None,
    place_of: Mapping[tuple[float, float], str],
    calendar: Calendar,
) -> dict[str, Any] | None:
    """Return the center in the exchange format; None when it has no day at all and is out of service.

    `pins` are its own; `came` is the place id where it spent the night before its first working day. A van out of
    service goes nowhere but where it has been. A day after a night away is always one of its days, if only to drive
    home.
    """
    working = span.works(center, calendar)
    days = {span.index(pin.day) for pin in pins}
    if center.status == "ready":
        days |= {i for i in working if i < span.open_days and not span.closed[i]}
    days |= _mornings_after(pins, working, span)
    first = next(iter(working), None)
    if came is not None and first is not None:
        days.add(first)
    if not days and center.status != "ready":
        return None
    found: dict[str, Any] = {
        "id": center.code,
        "depot": place_of[center.depot_lat, center.depot_lon],
        "days": sorted(days),
        "shift": [center.shift_start, center.shift_end],
        "class": center.klass,
        "setup": center.setup_minutes,
        "max_drive": center.max_drive_minutes,
        "fixed_cost": ROUTE_COST,
    }
    if center.nights:
        found["nights"] = center.nights
        found["night_cost"] = round(TENTHS * center.night_cost)
    if came is not None and first is not None:
        found["starts"] = {str(first): [came, center.shift_start]}
    return found


def _mornings_after(pins: Sequence[PlanVisit], working: Sequence[int], span: Span) -> set[int]:
    away = [span.index(pin.day) for pin in pins if pin.overnight]
    return {home for i in away if (home := next((d for d in working if d > i), None)) is not None}


def set_nights(session: Session, center: Center, *, nights: int, night_cost: float | None = None) -> None:
    """Let the center stay `nights` nights in a row away, each for `night_cost` person-hours (None: the usual cost for
    its crew). Later problems reckon with it; a plan that is there stays. Raises Invalid `nights`."""
    if not 0 <= nights <= MOST_NIGHTS or (night_cost is not None and not 0 <= night_cost <= MOST_NIGHT_COST):
        raise Invalid("nights", f"0 to {MOST_NIGHTS} nights at 0 to {MOST_NIGHT_COST:g} person-hours each.")
    usual = HEAD_HOURS * (1 + center.desks)
    center.nights = nights
    center.night_cost = (usual if night_cost is None else night_cost) if nights else 0.0
    session.flush()
