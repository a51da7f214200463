"""One day of a plan on the road: for each center when it leaves, drives, is open, has time to spare and is back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from flask import redirect, render_template, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.calendar import local_minute, week_days, week_of
from fleet.planner import Line
from fleet.store import Center, Governorate, Plan, PlanVisit, Site
from web import clock
from web.db import read
from web.i18n import language, named
from web.planner import words
from web.planner.door import HAS_VISITS, blueprint, the_plan, today, wanted_date, wanted_int
from web.planner.grid import cancelled_of, governorates, portion

MOST_ROWS = 175
"""Centers that a page brings at once: see grid.MOST_ROWS; a row here is lighter."""
STEP = 5
"""Minutes that a column of the drawing stands for."""


@dataclass(slots=True)
class Shown:
    """A piece as it is drawn: columns from and to; of a visit also what stands in it."""

    kind: str
    first: int
    last: int
    visit_id: int = 0
    place: str = ""
    times: str = ""
    state: str = ""
    """`p` pinned, `x` cancelled."""


@dataclass(slots=True)
class Track:
    """A center's row."""

    center_id: int
    code: str
    name: str
    line: Line
    pieces: list[Shown] = field(default_factory=list)
    origin: str = ""


@dataclass(slots=True)
class Group:
    """The rows of a governorate."""

    name: str
    rows: list[Track] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scale:
    """What the drawing spans: whole hours, minutes from local midnight."""

    start: int
    end: int

    @classmethod
    def of(cls, lines: list[Line]) -> Scale:
        """From the hour in which the first center's shift begins to that in which the last one's ends."""
        start = min((line.shift[0] for line in lines), default=480)
        end = max((line.shift[1] for line in lines), default=960)
        return cls(start // 60 * 60, -(-end // 60) * 60)

    @property
    def hours(self) -> list[int]:
        """Minutes at which an hour begins."""
        return list(range(self.start, self.end, 60))

    @property
    def columns(self) -> int:
        """How many columns the drawing has."""
        return (self.end - self.start) // STEP

    def column(self, minute: int) -> int:
        """The column's line at a minute, as CSS counts: from 1."""
        return (minute - self.start) // STEP + 1


@blueprint.get("/plans/<int:plan_id>/day")
def day(plan_id: int) -> Any:
    """The day's rows; those who stay at home are named below."""
    plan = the_plan(plan_id)
    if plan.status not in HAS_VISITS:
        return redirect(url_for("planner.draft", plan_id=plan_id))
    session = read()
    days = planner.days_of(plan)
    wanted = wanted_date("day", today() if today() in days else days[0])
    wanted = wanted if wanted in days else days[0]
    governorate_id = wanted_int("governorate")
    centers = _centers(session, governorate_id)
    lines = [line for line in planner.timeline(session, plan, [wanted])[wanted] if line.center_id in centers]
    scale = Scale.of(lines)
    first = wanted_int("from") or 0
    groups, later = portion(_groups(session, plan, wanted, lines, centers, scale), first, MOST_ROWS)
    out = {line.center_id for line in lines}
    now = local_minute(clock.now()) if wanted == today() else None
    return render_template(
        "planner/day.html",
        plan=plan, words=words, day=wanted, days=[d for d in week_days(week_of(wanted)) if d in days], today=today(),
        before=days[days.index(wanted) - 1] if wanted != days[0] else None,
        after=days[days.index(wanted) + 1] if wanted != days[-1] else None,
        visits=_visits_by_day(session, plan), governorates=governorates(session), governorate_id=governorate_id,
        groups=groups, first=first, later=later, scale=scale, lines=lines, step=STEP,
        now_at=scale.column(now) if now is not None and scale.start <= now < scale.end else None,
        home=[row for center_id, row in centers.items() if center_id not in out],
        opened=sum(line.open_minutes for line in lines), driven=sum(line.drive_minutes for line in lines),
        spare=sum(line.spare_minutes for line in lines), km=sum(line.km for line in lines),
    )  # fmt: skip


def _centers(session: Session, governorate_id: int | None) -> dict[int, Any]:
    arabic = language() == "ar"
    chosen = (
        select(
            Center.id, Center.code, Center.name_ar, Center.name_en, Center.status,
            (Governorate.name_ar if arabic else Governorate.name_en).label("governorate"), Center.governorate_id,
        )
        .join(Governorate, Governorate.id == Center.governorate_id)
        .order_by(Center.governorate_id, Center.code)
    )  # fmt: skip
    if governorate_id is not None:
        chosen = chosen.where(Center.governorate_id == governorate_id)
    return {row.id: row for row in session.execute(chosen)}


def _visits_by_day(session: Session, plan: Plan) -> Mapping[date, int]:
    chosen = select(PlanVisit.day, func.count()).where(PlanVisit.plan_id == plan.id).group_by(PlanVisit.day)
    return dict(session.execute(chosen).all())


def _groups(
    session: Session, plan: Plan, day: date, lines: list[Line], centers: Mapping[int, Any], scale: Scale
) -> list[Group]:
    arabic = language() == "ar"
    stops = {
        row.id: row
        for row in session.execute(
            select(
                PlanVisit.id, PlanVisit.pinned, PlanVisit.center_id, PlanVisit.site_id,
                (Site.name_ar if arabic else Site.name_en).label("place"),
            )
            .join(Site, Site.id == PlanVisit.site_id)
            .where(PlanVisit.plan_id == plan.id, PlanVisit.day == day)
        )
    }  # fmt: skip
    cancelled = cancelled_of(session, plan)
    by_center = {line.center_id: line for line in lines}
    away = {line.origin for line in lines if line.origin is not None}
    origins = {site.id: named(site) for site in session.scalars(select(Site).where(Site.id.in_(away)))}
    groups: dict[int, Group] = {}
    for center_id, row in centers.items():
        line = by_center.get(center_id)
        if line is None:
            continue
        track = Track(center_id, row.code, named(row), line, origin=origins.get(line.origin or 0, ""))
        for piece in line.pieces:
            shown = Shown(
                piece.kind,
                scale.column(piece.start),
                max(scale.column(piece.end), scale.column(piece.start) + 1),
            )
            if piece.visit_id:
                stop = stops[piece.visit_id]
                gone = (stop.center_id, stop.site_id, day) in cancelled
                shown.visit_id, shown.place = stop.id, stop.place
                shown.times = words.span(piece.start, piece.minutes)
                shown.state = "x" if gone else "p" if stop.pinned else ""
            track.pieces.append(shown)
        groups.setdefault(row.governorate_id, Group(row.governorate)).rows.append(track)
    return list(groups.values())
