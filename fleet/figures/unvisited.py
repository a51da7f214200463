"""Districts that have waited longest for a visit: facts about places, not about people."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from fleet.planning.coverage import last_visits
from fleet.store import LocalUnit, Site, Visit

LISTED = 12


def unvisited(session: Session, *, today: date, most: int = LISTED) -> dict[str, Any]:
    """How many districts there are, how many have waited longer than their limit (`over`; the never visited too) and
    were `never` visited, the same `by_governorate` (ISO code), and the `most` that waited longest, with the next visit
    that is announced. A district without a place in use is none."""
    last = last_visits(session, today)
    coming = dict(
        session.execute(
            select(Site.local_unit_id, func.min(Visit.day))
            .join(Visit, Visit.site_id == Site.id)
            .where(Visit.status.in_(("announced", "open")), Visit.day >= today)
            .group_by(Site.local_unit_id)
        ).all()
    )
    units = session.scalars(
        select(LocalUnit)
        .where(LocalUnit.id.in_(select(Site.local_unit_id).where(Site.active)))
        .options(joinedload(LocalUnit.governorate))
        .order_by(LocalUnit.code)
    ).all()
    by_governorate = {unit.governorate.iso: 0 for unit in units}
    over = 0
    for unit in units:
        late = unit.id not in last or (today - last[unit.id]).days > 7 * unit.max_weeks_unvisited
        over += late
        by_governorate[unit.governorate.iso] += late
    # The never visited first, the most people first; then by the day of the last visit.
    units = sorted(units, key=lambda u: (last.get(u.id, date.min), -u.population, u.code))
    return {
        "all": len(units),
        "over": over,
        "never": sum(unit.id not in last for unit in units),
        "by_governorate": by_governorate,
        "longest": [
            {
                "code": unit.code,
                "name_ar": unit.name_ar,
                "name_en": unit.name_en,
                "governorate": unit.governorate.iso,
                "population": unit.population,
                "last": last[unit.id].isoformat() if unit.id in last else None,
                "weeks": (today - last[unit.id]).days // 7 if unit.id in last else None,
                "limit_weeks": unit.max_weeks_unvisited,
                "next": coming[unit.id].isoformat() if unit.id in coming else None,
            }
            for unit in units[:most]
        ],
    }
