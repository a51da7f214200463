"""A week of a plan with what files say of it: visits with their shares, centers, days on the road."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from fleet import planner
from fleet.calendar import week_days
from fleet.planner import Line, Share
from fleet.store import Center, Plan, PlanVisit, Site
from web.i18n import long_date
from web.planner.grid import cancelled_of


@dataclass(frozen=True, slots=True)
class Told:
    """A visit with what the files say of it."""

    visit: PlanVisit
    share: Share
    cancelled: bool

    @property
    def site(self) -> Site:
        """Where."""
        return self.visit.site

    @property
    def closes(self) -> int:
        """Minute of the day at which it ends."""
        return self.visit.start_minute + self.visit.stay_minutes


@dataclass(frozen=True, slots=True)
class Week:
    """A week of a plan: its visits in the order of the board, and its centers' days on the road."""

    plan: Plan
    week: date
    centers: Sequence[Center]
    visits: Sequence[Told]
    lines: dict[date, list[Line]]

    @property
    def days(self) -> list[date]:
        """Saturday to Friday."""
        return week_days(self.week)

    @property
    def title(self) -> str:
        """What the file is called inside: the week."""
        first, last = self.days[0], self.days[-1]
        return str(_("Plan of the week %(first)s to %(last)s", first=dated(first), last=dated(last)))


def dated(day: date) -> str:
    """`22 November 2026`, inside a file that will be read in another year."""
    return f"{long_date(day)} {day.year}"


def gather(
    session: Session,
    plan: Plan,
    week: date,
    *,
    governorate_id: int | None = None,
    center_id: int | None = None,
) -> Week:
    """Return a week of the plan, of all centers or of one governorate's or one center."""
    days = week_days(week)
    chosen = (
        select(Center).options(joinedload(Center.governorate)).order_by(Center.governorate_id, Center.code)
    )
    if governorate_id is not None:
        chosen = chosen.where(Center.governorate_id == governorate_id)
    if center_id is not None:
        chosen = chosen.where(Center.id == center_id)
    centers = {center.id: center for center in session.scalars(chosen)}
    shares, cancelled = planner.visit_shares(session, plan), cancelled_of(session, plan)
    visits = [
        Told(visit, shares[visit.id], (visit.center_id, visit.site_id, visit.day) in cancelled)
        for visit in session.scalars(
            select(PlanVisit)
            .where(PlanVisit.plan_id == plan.id, PlanVisit.day.in_(days), PlanVisit.center_id.in_(centers))
            .options(joinedload(PlanVisit.site).joinedload(Site.governorate),
                     joinedload(PlanVisit.site).joinedload(Site.local_unit))
            .order_by(PlanVisit.day, PlanVisit.start_minute, PlanVisit.id)
        )
    ]  # fmt: skip
    rank = {center_id: n for n, center_id in enumerate(centers)}
    visits.sort(key=lambda told: (rank[told.visit.center_id], told.visit.day, told.visit.start_minute))
    lines = planner.timeline(session, plan, days)
    kept = {day: [line for line in some if line.center_id in centers] for day, some in lines.items()}
    return Week(plan, week, list(centers.values()), visits, kept)
