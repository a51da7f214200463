"""The week board as data: centers in governorates, seven days each, in as few queries as rows allow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import is_working_day, week_days
from fleet.names import fold
from fleet.store import Center, Governorate, Plan, PlanVisit, Site, Visit
from web.i18n import language


@dataclass(slots=True)
class Stop:
    """A visit as the board shows it."""

    id: int
    place: str
    start: int
    stay: int
    hours: float
    pinned: bool
    cancelled: bool = False
    overnight: bool = False
    """The van stays the night here."""


@dataclass(slots=True)
class Row:
    """A center and its seven days."""

    center_id: int
    code: str
    name: str
    out_of_service: bool
    works: list[bool]
    days: list[list[Stop]] = field(default_factory=lambda: [[] for _ in range(7)])


@dataclass(slots=True)
class Group:
    """A governorate's centers."""

    id: int
    name: str
    rows: list[Row] = field(default_factory=list)

    @property
    def hours(self) -> float:
        """Person-hours saved by these centers."""
        return sum(stop.hours for row in self.rows for day in row.days for stop in day if not stop.cancelled)

    @property
    def stops(self) -> int:
        """Visits of these centers."""
        return sum(1 for row in self.rows for day in row.days for stop in day if not stop.cancelled)


def governorates(session: Session) -> list[tuple[int, str]]:
    """(id, name) of every governorate that has a center, in the order of the board."""
    name = Governorate.name_ar if language() == "ar" else Governorate.name_en
    chosen = select(Governorate.id, name).where(Governorate.id.in_(select(Center.governorate_id)))
    return [(row[0], row[1]) for row in session.execute(chosen.order_by(Governorate.id))]


def board(
    session: Session,
    week: date,
    plan: Plan | None,
    *,
    governorate_id: int | None = None,
    text: str = "",
    center_ids: Sequence[int] | None = None,
) -> list[Group]:
    """Groups of rows. `text` keeps the centers whose code or name, or one of whose places, holds each of its words."""
    days = week_days(week)
    arabic = language() == "ar"
    chosen = (
        select(Center, Governorate.name_ar if arabic else Governorate.name_en)
        .join(Governorate, Governorate.id == Center.governorate_id)
        .order_by(Governorate.id, Center.code)
    )
    if governorate_id is not None:
        chosen = chosen.where(Center.governorate_id == governorate_id)
    if center_ids is not None:
        chosen = chosen.where(Center.id.in_(center_ids))
    working: dict[str, list[bool]] = {}
    groups: list[Group] = []
    rows: dict[int, Row] = {}
    for center, governorate in session.execute(chosen):
        if not groups or groups[-1].id != center.governorate_id:
            groups.append(Group(center.governorate_id, governorate))
        works = working.setdefault(
            center.weekdays, [is_working_day(day, weekdays=center.weekdays) for day in days]
        )
        name = center.name_ar if arabic else center.name_en
        row = Row(center.id, center.code, name, center.status != "ready", works)
        groups[-1].rows.append(row)
        rows[center.id] = row
    keys = _fill(session, plan, days, rows) if plan is not None else {}
    words = fold(text).split()
    if words:
        for group in groups:
            group.rows = [row for row in group.rows if _holds(words, row, keys.get(row.center_id, ()))]
    return [group for group in groups if group.rows]


def _fill(session: Session, plan: Plan, days: list[date], rows: dict[int, Row]) -> dict[int, list[str]]:
    """Put the plan's stops into their cells; returns the folded place names by center."""
    cancelled = cancelled_of(session, plan)
    keys: dict[int, list[str]] = defaultdict(list)
    index = {day: n for n, day in enumerate(days)}
    stops = session.execute(
        select(
            PlanVisit.id, PlanVisit.center_id, PlanVisit.site_id, PlanVisit.day, PlanVisit.start_minute,
            PlanVisit.stay_minutes, PlanVisit.hours_saved, PlanVisit.pinned, PlanVisit.overnight,
            (Site.name_ar if language() == "ar" else Site.name_en).label("place"), Site.search_key,
        )
        .join(Site, Site.id == PlanVisit.site_id)
        .where(PlanVisit.plan_id == plan.id, PlanVisit.center_id.in_(rows))
        .order_by(PlanVisit.center_id, PlanVisit.day, PlanVisit.start_minute)
    )  # fmt: skip
    for stop in stops:
        if stop.day not in index:
            continue
        rows[stop.center_id].days[index[stop.day]].append(
            Stop(
                stop.id, stop.place, stop.start_minute, stop.stay_minutes, stop.hours_saved, stop.pinned,
                (stop.center_id, stop.site_id, stop.day) in cancelled, bool(stop.overnight),
            )
        )  # fmt: skip
        keys[stop.center_id].append(f"{stop.search_key} {fold(stop.place)}")
    return keys


MOST_ROWS = 84
"""Centers that a page brings at once, whole governorates: the page stays within 15 kB. The others follow."""


class _Rows(Protocol):
    @property
    def rows(self) -> list[Any]: ...


G = TypeVar("G", bound=_Rows)


def portion(groups: Sequence[G], first: int, most: int = MOST_ROWS) -> tuple[list[G], int | None]:
    """Return the governorates from number `first` on that one page brings, and the number that the next begins with."""
    taken: list[G] = []
    for group in groups[first:]:
        if taken and sum(len(one.rows) for one in taken) + len(group.rows) > most:
            return taken, first + len(taken)
        taken.append(group)
    return taken, None


def cancelled_of(session: Session, plan: Plan) -> set[tuple[int, int, date]]:
    """Announced visits of this plan that were cancelled and not announced again."""
    if plan.status != "published":
        return set()
    found: dict[tuple[int, int, date], set[str]] = defaultdict(set)
    for row in session.execute(
        select(Visit.center_id, Visit.site_id, Visit.day, Visit.status).where(
            Visit.day.in_(week_days(plan.week))
        )
    ):
        found[(row.center_id, row.site_id, row.day)].add(row.status)
    return {key for key, states in found.items() if states == {"cancelled"}}


def _holds(words: Iterable[str], row: Row, places: Iterable[str]) -> bool:
    texts = [f"{row.code.lower()} {fold(row.code)} {fold(row.name)}", *places]
    return any(all(word in text for word in words) for text in texts)
