"""Nobody is forgotten: the rules that make a plan visit districts whose turn has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet.calendar import week_of
from fleet.planning.promises import name_of, penalty, promised
from fleet.store import Center, Governorate, LocalUnit, Site, Visit

OVERDUE_PENALTY = 200
"""A district left out in the week its limit is reached costs 20 person-hours, about a small village visit:
enough to break ties and to justify an hour's detour, not enough to leave a crowded center alone."""
PENALTY_PER_WEEK = 100
"""Each further week overdue adds 10 person-hours, so that no district waits for ever."""
MOST_PENALTY = 800
VISITS_PER_CENTER = 2
"""A governorate keeps at least two visits a week for each mobile center based in it; vans are free beyond
that."""
GOVERNORATE_PENALTY = 300


def overdue_penalty(weeks: int) -> int:
    """Return the penalty of leaving out a district that is `weeks` beyond its limit, in tenths of a
    person-hour."""
    return min(MOST_PENALTY, OVERDUE_PENALTY + PENALTY_PER_WEEK * weeks)


@dataclass(frozen=True, slots=True)
class Due:
    """A district that passes its limit unless it gets `visits` more; at the end it would be `beyond` weeks past it."""

    unit: LocalUnit
    beyond: int
    visits: int

    @property
    def penalty(self) -> int:
        """What each missing visit costs, in tenths of a person-hour: more with lateness."""
        return overdue_penalty(self.beyond)


def groups(
    session: Session,
    sites: Sequence[Site],
    week: date,
    weeks: int = 1,
    pinned: Mapping[int, Sequence[date]] | None = None,
    *,
    dearest: int = 0,
) -> list[dict[str, Any]]:
    """Return the groups of a problem over `sites` that starts with `week` and spans `weeks`, in the exchange format.

    Names are `promised:<code>`, `local_unit:<code>` and `governorate:<iso>`. `dearest` is the most that a visit is
    worth: a promise weighs more than any. `pinned` are the days of visits that the plan holds anyway,
    by site id: a district counts its weeks from those.
    """
    by_unit: dict[int, list[Site]] = {}
    by_governorate: dict[int, list[Site]] = {}
    for site in sites:
        by_unit.setdefault(site.local_unit_id, []).append(site)
        by_governorate.setdefault(site.governorate_id, []).append(site)
    held = {
        unit: sorted(day for site in some for day in (pinned or {}).get(site.id, ()))
        for unit, some in by_unit.items()
    }
    found: list[dict[str, Any]] = []
    end = week + timedelta(days=7 * weeks - 1)
    for word in promised(session, week, end, held):
        if word.unit.id in by_unit and word.binds(end):
            found.append(
                {
                    "name": name_of(word.unit),
                    "sites": [site.code for site in by_unit[word.unit.id]],
                    "at_least": len(held[word.unit.id]) + 1,
                    "penalty": penalty(dearest),
                }
            )
    for one in due(session, week, weeks, held):
        if one.unit.id in by_unit:
            found.append(
                {
                    "name": f"local_unit:{one.unit.code}",
                    "sites": [site.code for site in by_unit[one.unit.id]],
                    "at_least": len(held[one.unit.id]) + one.visits,
                    "penalty": one.penalty,
                }
            )
    based = _based(session)
    for governorate in session.scalars(select(Governorate).order_by(Governorate.id)):
        members = by_governorate.get(governorate.id, [])
        # A village gives its governorate one visit in two weeks, a forecourt one every week.
        most = sum((weeks + 1) // 2 if site.kind == "village" else weeks for site in members)
        least = min(VISITS_PER_CENTER * based.get(governorate.id, 0) * weeks, most)
        if least:
            found.append(
                {
                    "name": f"governorate:{governorate.iso}",
                    "sites": [site.code for site in members],
                    "at_least": least,
                    "penalty": GOVERNORATE_PENALTY,
                }
            )
    return found


def due(
    session: Session,
    week: date,
    weeks: int = 1,
    held: Mapping[int, Sequence[date]] | None = None,
    *,
    most: int | None = None,
) -> list[Due]:
    """Return the districts that pass their limit within the `weeks` from `week` on unless they get more visits than
    the days in `held` (by local unit id). `most` asks with another limit than their own, in weeks.

    One whose first visit is held for a week after its limit is due before it. A district never visited is due once,
    without weeks beyond: nobody knows since when.
    """
    last = last_visits(session, week)
    end = week + timedelta(days=7 * (weeks - 1))
    found: list[Due] = []
    for unit in session.scalars(select(LocalUnit).order_by(LocalUnit.id)):
        limit = max(1, unit.max_weeks_unvisited if most is None else most)
        days = [day for day in (held or {}).get(unit.id, ()) if day >= week]
        seen = max([*days, *([last[unit.id]] if unit.id in last else [])], default=None)
        by = week if seen is None else deadline(seen, limit)
        visits, turn = 0, max(by, week)
        while turn <= end:  # each further visit is reckoned late in its week
            visits, turn = visits + 1, turn + timedelta(days=7 * limit)
        if days and unit.id in last and max(week, deadline(last[unit.id], limit)) < week_of(days[0]):
            visits += 1  # the visit that is held comes too late, and there is time before it
        if visits:
            found.append(Due(unit, 0 if seen is None else max(0, (end - by).days // 7), visits))
    return found


def deadline(last: date, limit: int) -> date:
    """Return the Saturday of the week in which a district last visited on `last` must be visited again: the week of the
    day that is `limit` weeks later."""
    return week_of(last + timedelta(days=7 * limit))


def last_visits(session: Session, before: date) -> dict[int, date]:
    """Return each district's last visit before that day, by local unit id; one never visited is missing."""
    return dict(
        session.execute(
            select(Site.local_unit_id, func.max(Visit.day))
            .join(Visit, Visit.site_id == Site.id)
            .where(Visit.status != "cancelled", Visit.day < before)
            .group_by(Site.local_unit_id)
        ).all()
    )


def _based(session: Session) -> dict[int, int]:
    counted = select(Center.governorate_id, func.count()).where(Center.status == "ready")
    return dict(session.execute(counted.group_by(Center.governorate_id)).all())
