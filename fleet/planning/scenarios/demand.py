"""Supposed demand: gathered change by change, then valued by the very model that values the forecast.

Relief is no straight line (a tenth more people at a full center doubles what a van saves there), so values are
not multiplied: the sites whose demand changes are valued anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.planning.problem import offers
from fleet.planning.scenarios.kinds import refuse
from fleet.planning.scenarios.work import Change, Work
from fleet.store import Site
from fleet.value import Supposed, Values, compute_values

WEEK = 7


def demand(work: Work, change: Change) -> int:
    """So many percent of the demand, at some places on some days."""
    if change["percent"] == 100:
        raise work.no_effect(change)
    found = work.sites(change)
    for site in found:
        factor = work.factor.setdefault(site["id"], [1.0] * work.book.days)
        for day in work.days(change):
            factor[day] *= change["percent"] / 100
    return len(found)


def surge(work: Work, change: Change) -> int:
    """So many people more a day at one fixed center."""
    if work.book.site_kind.get(change["site"]) not in ("fixed", "complex"):
        words = "people surge to a fixed center; use demand for a village"
        raise refuse(work.number, change["kind"], "not_fixed", words, field="site", value=change["site"])
    extra = work.extra.setdefault(change["site"], [0.0] * work.book.days)
    for day in work.days(change):
        extra[day] += change["people"]
    return 1


def revalue(session: Session, work: Work, *, now: datetime) -> None:
    """Give the sites whose demand changed the offers that the changed demand is worth."""
    touched = {*work.factor, *work.extra}
    if not touched:
        return
    rows = {
        code: (site_id, nearest)
        for code, site_id, nearest in session.execute(select(Site.code, Site.id, Site.nearest_fixed_id))
        if code in touched
    }
    # A village's errands also wait less when its fixed center is calm: that one must be known too.
    wanted = {site_id for site_id, _ in rows.values()} | {n for _, n in rows.values() if n is not None}
    ids = {code: site_id for code, (site_id, _) in rows.items()}
    values = _joined(
        [
            compute_values(
                session,
                work.book.week + timedelta(days=first),
                now=now,
                only=wanted,
                supposed=Supposed(
                    {ids[code]: f[first : first + WEEK] for code, f in work.factor.items() if code in ids},
                    {ids[code]: e[first : first + WEEK] for code, e in work.extra.items() if code in ids},
                ),
            )
            for first in range(0, work.book.days, WEEK)
        ]
    )
    row_of = {site_id: row for row, site_id in enumerate(values.site_ids)}
    for site in work.problem["sites"]:
        if site["id"] not in ids or ids[site["id"]] not in row_of:
            continue
        known = site["offers"].values() if isinstance(site["offers"], dict) else [site["offers"]]
        stays = {int(offer["stay"]) for some in known for offer in some}
        site.update(offers(values, row_of[ids[site["id"]]], stays))


def _joined(weeks: Sequence[Values]) -> Values:
    """Return the values of several weeks on end as one."""
    first = weeks[0]
    hours, waiting, travel, people = (
        np.concatenate([getattr(week, part) for week in weeks], axis=1)
        for part in ("hours", "waiting", "travel", "people")
    )
    days = tuple(day for week in weeks for day in week.days)
    return replace(first, days=days, hours=hours, waiting=waiting, travel=travel, people=people)
