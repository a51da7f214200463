"""Nobody is forgotten: the rules that make a plan visit districts whose turn has come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

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


def groups(session: Session, sites: Sequence[Site], week: date) -> list[dict[str, Any]]:
    """Return the week's groups over `sites` in the exchange format; names are `local_unit:<code>`,
    `governorate:<iso>`."""
    by_unit: dict[int, list[str]] = {}
    by_governorate: dict[int, list[str]] = {}
    for site in sites:
        by_unit.setdefault(site.local_unit_id, []).append(site.code)
        by_governorate.setdefault(site.governorate_id, []).append(site.code)
    found: list[dict[str, Any]] = []
    for unit, weeks in weeks_overdue(session, week).items():
        if unit.id in by_unit:
            penalty = overdue_penalty(weeks)
            found.append(
                {
                    "name": f"local_unit:{unit.code}",
                    "sites": by_unit[unit.id],
                    "at_least": 1,
                    "penalty": penalty,
                }
            )
    based = _based(session)
    for governorate in session.scalars(select(Governorate).order_by(Governorate.id)):
        members = by_governorate.get(governorate.id, [])
        least = min(VISITS_PER_CENTER * based.get(governorate.id, 0), len(members))
        if least:
            found.append(
                {
                    "name": f"governorate:{governorate.iso}",
                    "sites": members,
                    "at_least": least,
                    "penalty": GOVERNORATE_PENALTY,
                }
            )
    return found


def weeks_overdue(session: Session, week: date, *, limit: int | None = None) -> dict[LocalUnit, int]:
    """Return the districts whose limit is reached in `week` if they get no visit, with the weeks beyond it
    (0 or more). `limit` asks with another limit than their own, in weeks.

    A district never visited is due, without extra weeks: nobody knows since when.
    """
    last = last_visits(session, week)
    due: dict[LocalUnit, int] = {}
    for unit in session.scalars(select(LocalUnit).order_by(LocalUnit.id)):
        seen = last.get(unit.id)
        beyond = (
            0
            if seen is None
            else (week - seen).days // 7 + 1 - (unit.max_weeks_unvisited if limit is None else limit)
        )
        if beyond >= 0:
            due[unit] = beyond
    return due


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
