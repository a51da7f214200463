"""The live state as the repair's request: what is announced, where every van is, what does not work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from fleet.calendar import local_day, local_minute, week_days, week_of
from fleet.errors import Conflict
from fleet.network.geo import km_between
from fleet.planning.blobs import Decoded, decode
from fleet.planning.frame import Frame, load_frame
from fleet.planning.repair_shapes import Disrupted, Line
from fleet.store import Center, Plan, Site, Visit
from fleet.tracking import AT_SITE_KM, SILENT_AFTER
from routing.problem import Place
from routing.repair import CenterOut, DemandChanged, Disruption, RoadSlowed, SiteClosed, Whereabouts, to_json
from routing.solution import Plan as Routes
from routing.solution import Route, Stop


def published_plan(session: Session, now: datetime) -> Plan:
    """Return the published plan of this week. Raises Conflict `nothing_published`."""
    week = week_of(local_day(now))
    plan = session.scalar(select(Plan).where(Plan.week == week, Plan.status == "published"))
    if plan is None:
        raise Conflict("nothing_published", "No plan is published for this week: there is nothing to repair.")
    return plan


def standing_visits(session: Session, plan: Plan) -> list[Visit]:
    """Return the week's visits that are not cancelled, by day, center and time."""
    days = week_days(plan.week)
    return list(
        session.scalars(
            select(Visit)
            .where(Visit.day.between(days[0], days[-1]), Visit.status != "cancelled")
            .order_by(Visit.day, Visit.center_id, Visit.opens_at)
            .options(joinedload(Visit.center), joinedload(Visit.site), joinedload(Visit.origin))
        )
    )


def request_of(session: Session, plan: Plan, disrupted: Disrupted, *, now: datetime) -> dict[str, Any]:
    """Return what `python -m routing.repair` answers. Reads only."""
    decoded, frame = decode(plan.problem), load_frame(session, plan.week)
    day, minute = frame.day_index(local_day(now)), local_minute(now)
    visits = [v for v in standing_visits(session, plan) if _known(v, decoded, frame)]
    happened = disruptions_of(session, disrupted, decoded, frame, day, minute)
    broken = {one.center for one in happened if isinstance(one, CenterOut)}
    live = whereabouts(visits, decoded, frame, now=now, broken=broken, shut=_shut(happened))
    return {
        "problem": {**decoded.raw, "pinned": []},
        "plan": Routes(plan_name(decoded), tuple(routes_of(visits, frame)), 0).to_json(),
        "disruptions": [to_json(one) for one in happened],
        "day": day,
        "minute": minute,
        "live": {
            code: {
                "place": where.place.id,
                "lat": where.place.lat,
                "lon": where.place.lon,
                "minute": where.minute,
                "served": sorted(where.served),
            }
            for code, where in live.items()
        },
    }


def plan_name(decoded: Decoded) -> str:
    """Return the problem's name, which its plans carry."""
    return decoded.problem.name


def stretch_of(session: Session, disrupted: Disrupted) -> Line | None:
    """Return the two ends of the stretch of road, if it is one; None also when one of them is not known."""
    if disrupted.line is not None or disrupted.other_id is None:
        return disrupted.line
    one = None if disrupted.site_id is None else session.get(Site, disrupted.site_id)
    other = session.get(Site, disrupted.other_id)
    return None if one is None or other is None else ((one.lat, one.lon), (other.lat, other.lon))


def disruptions_of(
    session: Session, disrupted: Disrupted, decoded: Decoded, frame: Frame, day: int, minute: int
) -> list[Disruption]:
    """Return what happened in the planner's terms, and every other center that is out of service."""
    last = min(max(day, frame.day_index(disrupted.until)), len(decoded.problem.days) - 1)
    found: list[Disruption] = []
    if disrupted.kind == "center_out" and disrupted.center_id is not None:
        found.append(CenterOut(frame.center_code[disrupted.center_id], day, minute, last))
    elif (ends := stretch_of(session, disrupted)) is not None:
        found.append(RoadSlowed(day, last, disrupted.percent, radius_km=disrupted.radius_km, line=ends))
    elif disrupted.site_id is not None:
        code = frame.site_code[disrupted.site_id]
        if disrupted.kind == "road_slowed":
            site = session.get_one(Site, disrupted.site_id)
            found.append(
                RoadSlowed(day, last, disrupted.percent, (), site.lat, site.lon, disrupted.radius_km)
            )
        elif code not in decoded.problem.site_by_id:
            raise Conflict("not_a_candidate", "That place is not part of this week's plan.", site=code)
        elif disrupted.kind == "site_closed":
            found.append(SiteClosed(code, day, last, minute))
        else:
            found.append(DemandChanged(code, disrupted.percent or 100, day, last))
    named = {one.center for one in found if isinstance(one, CenterOut)}
    for code in session.scalars(select(Center.code).where(Center.status != "ready").order_by(Center.id)):
        if code in decoded.problem.center_by_id and code not in named:
            found.append(CenterOut(code, day, minute, len(decoded.problem.days) - 1))
    return found


def routes_of(visits: Iterable[Visit], frame: Frame) -> list[Route]:
    """Return the announced visits as routes, by center and day."""
    by_key: dict[tuple[str, int], list[Visit]] = defaultdict(list)
    for visit in visits:
        by_key[frame.center_code[visit.center_id], frame.day_index(visit.day)].append(visit)
    routes = []
    for (center, day), some in sorted(by_key.items()):
        some.sort(key=lambda v: v.opens_at)
        first = some[0]
        routes.append(
            Route(
                center,
                day,
                local_minute(first.depart_at or first.opens_at),
                tuple(Stop(frame.site_code[v.site_id], local_minute(v.opens_at), stay_of(v)) for v in some),
                overnight=some[-1].overnight,
            )
        )
    return routes


def stay_of(visit: Visit) -> int:
    """Return the announced stay, minutes."""
    return int((visit.closes_at - visit.opens_at).total_seconds() // 60)


def whereabouts(
    visits: Iterable[Visit],
    decoded: Decoded,
    frame: Frame,
    *,
    now: datetime,
    broken: set[str] = frozenset(),  # type: ignore[assignment]
    shut: set[str] = frozenset(),  # type: ignore[assignment]
) -> dict[str, Whereabouts]:
    """Return where today's vans are and from when they can go on, by center code.

    A van at an open stop is free when that is over; one on the road is where it was last heard from, unless it has
    been silent, then where its timetable says. What is being set up counts as begun, except for a `broken` van and at
    a `shut` place.
    """
    today = local_day(now)
    by_center: dict[int, list[Visit]] = defaultdict(list)
    for visit in visits:
        if visit.day == today:
            by_center[visit.center_id].append(visit)
    found = {}
    for some in by_center.values():
        some.sort(key=lambda v: v.opens_at)
        code = frame.center_code[some[0].center_id]
        found[code] = _where(some, decoded, frame, now, strict=code in broken, shut=shut)
    return found


def _where(
    visits: list[Visit], decoded: Decoded, frame: Frame, now: datetime, *, strict: bool, shut: set[str]
) -> Whereabouts:
    center, minute = visits[0].center, local_minute(now)
    problem = decoded.problem
    home = visits[0].origin.code if visits[0].origin_site_id is not None and visits[0].origin else None
    begin = problem.center_by_id[center.code].depot
    if home is not None and home in problem.site_by_id:
        begin = problem.site_by_id[home].place  # where it slept
    begun = [v for v in visits if v.status in ("open", "closed")]
    ahead = [v for v in visits if v.status == "announced"]
    served = {frame.site_code[v.site_id] for v in begun}
    following = ahead[0] if ahead else None
    heard = center.last_heard_at is not None and now - center.last_heard_at <= SILENT_AFTER
    if begun and begun[-1].status == "open":
        return Whereabouts(_place(problem.site_by_id[frame.site_code[begun[-1].site_id]].place),
                           max(minute, local_minute(begun[-1].closes_at)), frozenset(served))  # fmt: skip
    free = max([minute, *(local_minute(v.closes_at) for v in begun[-1:] if v.closed_at is None)])
    if following is not None and not strict:
        code = frame.site_code[following.site_id]
        there = heard and _at(center, following.site)
        setting_up = minute >= local_minute(following.opens_at) - center.setup_minutes
        if (
            code not in shut
            and setting_up
            and (there or (not heard and minute < local_minute(following.opens_at)))
        ):
            place = problem.site_by_id[code].place
            return Whereabouts(_place(place), local_minute(following.closes_at), frozenset({*served, code}))
    if heard and center.lat is not None and center.lon is not None:
        if (
            center.state == "depot"
            or km_between(center.lat, center.lon, center.depot_lat, center.depot_lon) < AT_SITE_KM
        ):
            depot = problem.center_by_id[center.code].depot
            return Whereabouts(_place(depot), max(free, center.shift_start), frozenset(served))
        near = next((v for v in visits if _at(center, v.site)), None)
        if near is not None:
            return Whereabouts(
                _place(problem.site_by_id[frame.site_code[near.site_id]].place), free, frozenset(served)
            )
        return Whereabouts(Place(f"@{center.code}", center.lat, center.lon), free, frozenset(served))
    if following is not None and following.depart_at is not None and following.depart_at <= now:
        place = problem.site_by_id[frame.site_code[following.site_id]].place
        return Whereabouts(
            _place(place),
            max(free, local_minute(following.opens_at) - center.setup_minutes),
            frozenset(served),
        )
    if begun:
        place = problem.site_by_id[frame.site_code[begun[-1].site_id]].place
        return Whereabouts(_place(place), free, frozenset(served))
    return Whereabouts(_place(begin), max(free, center.shift_start), frozenset())


def _place(name: str) -> Place:
    """A place that the problem knows: its id says where it is."""
    return Place(name)


def _at(center: Center, site: Site) -> bool:
    if center.lat is None or center.lon is None:
        return False
    return km_between(center.lat, center.lon, site.lat, site.lon) <= AT_SITE_KM


def _known(visit: Visit, decoded: Decoded, frame: Frame) -> bool:
    return (
        frame.center_code[visit.center_id] in decoded.problem.center_by_id
        and frame.site_code[visit.site_id] in decoded.problem.site_by_id
    )


def _shut(happened: Iterable[Disruption]) -> set[str]:
    return {one.site for one in happened if isinstance(one, SiteClosed)}
