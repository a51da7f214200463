"""Drafts of several weeks: which of their weeks are published, whether those went stale, and one week cut out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import default_calendar, week_days, week_of
from fleet.errors import Conflict, Invalid
from fleet.planning import coverage, tours
from fleet.planning.blobs import decode, pack
from fleet.planning.filling import Filling, draft_like, fill, worked_out
from fleet.planning.frame import load_frame, marks_of
from fleet.planning.ledger import visits_of
from fleet.planning.problem import dearest_of, format_of, pinned_json
from fleet.planning.traffic import shifted
from fleet.store import Plan, PlanVisit, Site

MOST_WEEKS = 4


def weeks_of(plan: Plan) -> list[date]:
    """Return the Saturdays of the plan's weeks."""
    return [plan.week + timedelta(days=7 * k) for k in range(plan.weeks or 1)]


def days_of(plan: Plan) -> list[date]:
    """Return every day of the plan."""
    return [day for week in weeks_of(plan) for day in week_days(week)]


def checked_weeks(weeks: int) -> int:
    """Return `weeks`, or raise Invalid `span`."""
    if not 1 <= weeks <= MOST_WEEKS:
        raise Invalid("span", f"A plan spans 1 to {MOST_WEEKS} weeks.", weeks=weeks)
    return weeks


def published_plans(session: Session, weeks: Iterable[date]) -> dict[date, Plan]:
    """Return the published plan of each of these weeks that has one."""
    found = session.scalars(
        select(Plan).where(Plan.week.in_(list(weeks)), Plan.status == "published", Plan.kind == "plan")
    )
    return {plan.week: plan for plan in found}


def plans_holding(session: Session, week: date) -> list[Plan]:
    """Return the plans, scenarios and discarded ones aside, that have the week of `week` among theirs, by id."""
    week = week_of(week)
    chosen = select(Plan).where(
        Plan.week.between(week - timedelta(days=7 * (MOST_WEEKS - 1)), week),
        Plan.kind == "plan",
        Plan.status != "discarded",
    )
    return [plan for plan in session.scalars(chosen.order_by(Plan.id)) if week in weeks_of(plan)]


def settled_weeks(session: Session, plan: Plan) -> set[date]:
    """Return the weeks of a longer draft that are published, by it or by others: nothing in them can be changed.

    A draft of one week is made to replace what is published: none of its weeks is settled.
    """
    return set(published_plans(session, weeks_of(plan))) if plan.weeks > 1 else set()


def open_weeks(session: Session, plan: Plan) -> list[date]:
    """Return the weeks that a draft can still publish, in order."""
    settled = settled_weeks(session, plan)
    return [week for week in weeks_of(plan) if week not in settled]


@dataclass(frozen=True, slots=True)
class Stale:
    """Why a draft does not fit any more what was published since it was made."""

    weeks: tuple[date, ...] = ()
    """Weeks of its span that another plan has published otherwise than it planned them."""
    centers: tuple[str, ...] = ()
    """Codes of centers that start its first day elsewhere than it reckons with."""

    def __bool__(self) -> bool:
        return bool(self.weeks or self.centers)


def stale(session: Session, plan: Plan) -> Stale:
    """Return how the draft has been overtaken: by another publication of its weeks, or before its first day."""
    if plan.status != "draft" or not plan.problem:
        return Stale()
    overtaken = []
    mine: dict[date, set[tuple[object, ...]]] = {}
    for visit in visits_of(session, plan) if plan.weeks > 1 else ():
        mine.setdefault(week_of(visit.day), set()).add(_spot(visit))
    for week, other in sorted(published_plans(session, weeks_of(plan)).items()) if plan.weeks > 1 else ():
        if {_spot(v) for v in visits_of(session, other)} != mine.get(week, set()):
            overtaken.append(week)
    return Stale(tuple(overtaken), tuple(_moved_starts(session, plan)))


def _spot(visit: PlanVisit) -> tuple[object, ...]:
    return (
        visit.center_id, visit.site_id, visit.day, visit.start_minute, visit.stay_minutes, bool(visit.overnight),
    )  # fmt: skip


def _moved_starts(session: Session, plan: Plan) -> list[str]:
    """Centers whose first day starts at another place than the draft's problem says."""
    decoded = decode(plan.problem)
    frame = load_frame(session, plan.week)
    came = {
        frame.center_code[center_id]: (site.lat, site.lon)
        for center_id, site in tours.carried_in(session, plan.week, default_calendar()).items()
    }
    places = {place.id: (place.lat, place.lon) for place in decoded.problem.places}
    moved = []
    for center in decoded.problem.centers:
        reckoned = next((places[start[0]] for start in center.starts.values()), None)
        if center.days and reckoned != came.get(center.id):
            moved.append(center.id)
    return moved


@dataclass(frozen=True, slots=True)
class Part:
    """One week cut out of a longer draft: its problem and its visits."""

    week: date
    problem: bytes
    filling: Filling


def prepare_part(session: Session, plan: Plan, week: date) -> Part:
    """Cut one week out of a longer draft, with the coverage that is due then by what is published before. Reads only.

    Raises Conflict `outside_week`.
    """
    k = (week - plan.week).days // 7
    if not 0 <= k < plan.weeks or week != plan.week + timedelta(days=7 * k):
        raise Conflict("outside_week", "That week is not in the plan.", week=week.isoformat())
    days = set(week_days(week))
    rows = [v for v in visits_of(session, plan) if v.day in days]
    problem = _week_problem(session, plan, week, rows)
    return Part(week, problem, worked_out(marks_of(rows, load_frame(session, week)), decode(problem)))


def make_part(session: Session, plan: Plan, part: Part, *, actor: str) -> Plan:
    """Return a new draft of the one week, ready to be published."""
    made = draft_like(
        session, plan, part.problem, actor=actor, now=plan.created_at, week=part.week, weeks=1,
        source_id=plan.id, baseline_hours=None,
    )  # fmt: skip
    fill(session, made, part.filling, load_frame(session, part.week))
    return made


def _week_problem(session: Session, plan: Plan, week: date, rows: Sequence[PlanVisit]) -> bytes:
    """Cut one week out of the plan's problem. A tour that leaves it gets the day on which its center comes home; one
    that comes in starts where it slept."""
    raw = decode(plan.problem).raw
    frame = load_frame(session, plan.week)
    offset = (week - plan.week).days
    home = _days_home(raw, rows, offset, frame.center_code)
    length = 7 + max((day - 6 for day in home.values()), default=0)
    days = raw["days"][offset : offset + length]
    centers = [
        {**center, "days": _shifted(center["days"], offset, home.get(center["id"]))}
        for center in raw["centers"]
    ]
    for center in centers:
        center.pop("starts", None)
    _start_away(session, plan, centers, raw, offset)
    visited: dict[str, int] = {}
    for row in rows:
        visited[frame.site_code[row.site_id]] = visited.get(frame.site_code[row.site_id], 0) + 1
    sites = [
        {
            **site,
            "open": {
                str(int(day) - offset): window
                for day, window in site["open"].items()
                if 0 <= int(day) - offset < 7
            },
            "day_percent": [*site["day_percent"][offset : offset + 7], *[0] * (length - 7)],
            "max_visits": length if site["max_visits"] >= 7 else max(1, visited.get(site["id"], 0)),
        }
        for site in raw["sites"]
    ]
    for site in sites:
        site.pop("min_gap_days", None)
    known = {site["id"] for site in sites}
    candidates = [s for s in session.scalars(select(Site).order_by(Site.id)) if s.code in known]
    problem: dict[str, Any] = {
        **{key: raw[key] for key in ("unit", "places")},
        "travel": shifted(raw["travel"], offset, length),
        "name": f"week-{week.isoformat()}",
        "days": days,
        "centers": centers,
        "sites": sites,
        "groups": coverage.groups(session, candidates, week, dearest=dearest_of(sites)),
    }
    pins = [row for row in rows if row.pinned]
    if pins:
        problem["pinned"] = pinned_json(pins, week, frame.center_code, frame.site_code)
    return pack({"format": format_of(problem), **problem})


def _days_home(
    raw: dict[str, Any], rows: Sequence[PlanVisit], offset: int, code: dict[int, str]
) -> dict[str, int]:
    """The day index, from the week's first day, on which each center that is away over the week's end comes home."""
    working = {center["id"]: center["days"] for center in raw["centers"]}
    first = date.fromisoformat(raw["days"][0])
    found: dict[str, int] = {}
    for row in rows:
        if row.overnight:
            index = (row.day - first).days
            after = next((d for d in working.get(code[row.center_id], ()) if d > index), None)
            if after is not None and after - offset > 6:
                found[code[row.center_id]] = after - offset
    return found


def _shifted(days: Sequence[int], offset: int, home: int | None) -> list[int]:
    kept = [day - offset for day in days if 0 <= day - offset < 7]
    return kept if home is None else [*kept, home]


def _start_away(
    session: Session, plan: Plan, centers: list[dict[str, Any]], raw: dict[str, Any], offset: int
) -> None:
    """Give the centers whose tour comes in from the week before the place where they slept."""
    week = plan.week + timedelta(days=offset)
    calendar = default_calendar()
    code = load_frame(session, plan.week).center_code
    came = {code[c]: site for c, site in tours.carried_in(session, week, calendar).items()}
    place_at = {(place["lat"], place["lon"]): place["id"] for place in raw["places"]}
    for center in centers:
        site = came.get(center["id"])
        if site is not None and center["days"] and (site.lat, site.lon) in place_at:
            center["starts"] = {str(center["days"][0]): [place_at[site.lat, site.lon], center["shift"][0]]}
