"""Why a place has no visit, why a visit stands where it does, where it could go, what its pin costs.

Worked out on the plan as it stands, manual changes included. The first question about a plan prepares it (some tenths
of a second for a country), those that follow take tens of milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.errors import NotFound
from fleet.planning.boards import board_of
from fleet.planning.frame import Frame, Mark, frozen, load_frame, marks_of
from fleet.planning.reasons import answered, reason_of
from fleet.planning.shapes import TENTHS, DayStops, Placement
from fleet.planning.why_shapes import NearVisit, Obstacle, Option, PinPrice, WhyNone, WhyVisit
from fleet.store import Center, Plan, PlanVisit
from routing.explain.pins import best_without
from routing.explain.ways import Way
from routing.explain.why import why_not, why_visit
from routing.solution import Prices, Route, Visit, describe

FAR_MINUTES = 90
"""A visit further away than that is no help to anybody."""
MOST = 8
"""How many ways are told."""


def why_none(session: Session, plan: Plan, site_id: int, *, now: datetime, most: int = MOST) -> WhyNone:
    """Return why the place has no further visit in the plan, and the best ways to give it one.

    Raises NotFound `unknown_site` when the place is no candidate of the plan.
    """
    desk = _Desk(session, plan, now)
    code = desk.frame.site_code.get(site_id)
    if code is None or code not in desk.board.problem.site_by_id:
        raise NotFound("unknown_site", "That place is not a candidate of this plan.", site=site_id)
    found = why_not(
        desk.board, code, most=most, closed_days=desk.closed_days, closed_centers=desk.closed_centers
    )
    reason = reason_of(session, plan, desk.board, code, desk.frame)
    return WhyNone(
        reason.code if reason else "",
        reason.numbers if reason else {},
        tuple(
            Obstacle(c, len(keys), len({center for center, _ in keys})) for c, keys in found.blocks.items()
        ),
        desk.options(found.ways),
        tuple(
            NearVisit(desk.placement(n.visit), n.minutes, n.km)
            for n in found.nearest
            if n.minutes <= FAR_MINUTES
        ),
        _price(plan, code),
    )


def why_this(session: Session, visit: PlanVisit, *, now: datetime, most: int = MOST) -> WhyVisit:
    """Return what a visit of a plan brings, the best other uses of its time, and the best other places for it.

    A pinned visit is looked at as if it were not pinned.
    """
    desk = _Desk(session, visit.plan, now, free=visit)
    mark = marks_of([visit], desk.frame)[0]
    found = why_visit(
        desk.board, _visit(mark), most=most, closed_days=desk.closed_days, closed_centers=desk.closed_centers
    )
    return WhyVisit(
        found.value / TENTHS,
        None if found.worth is None else found.worth / TENTHS,
        found.detour,
        None if found.margin is None else found.margin / TENTHS,
        desk.options(found.otherwise),
        desk.options(found.elsewhere),
    )


def pin_price(session: Session, visit: PlanVisit, *, now: datetime) -> PinPrice:
    """Return what the pin on the visit costs at least."""
    desk = _Desk(session, visit.plan, now, free=visit)
    mark = marks_of([visit], desk.frame)[0]
    cost = best_without(
        desk.board, _visit(mark), closed_days=desk.closed_days, closed_centers=desk.closed_centers
    )
    return PinPrice(cost.at_least / TENTHS, desk.options([cost.way])[0] if cost.way else None)


def prices_of(plan: Plan) -> Prices | None:
    """Return the prices of the plan's last search; None when it has none."""
    return answered(plan.solution).prices if plan.solution else None


def _price(plan: Plan, site: str) -> float | None:
    prices = prices_of(plan)
    if prices is None:
        return None
    found = [price for (name, _), price in prices.visits.items() if name == site]
    return min(found) / TENTHS if found else None


def _visit(mark: Mark) -> Visit:
    return Visit(mark.center, mark.day, mark.site, mark.start, mark.stay)


class _Desk:
    """One question about one plan: its board, what cannot be changed, and the words of the database."""

    def __init__(self, session: Session, plan: Plan, now: datetime, *, free: PlanVisit | None = None) -> None:
        self.frame: Frame = load_frame(session, plan.week)
        self.board = board_of(session, plan, free=free, frame=self.frame)
        days = range(len(self.board.problem.days))
        self.closed_days = {day for day in days if frozen(self.frame.day(day), now)}
        self.closed_centers = set(session.scalars(select(Center.code).where(Center.status != "ready")))

    def placement(self, visit: Visit) -> Placement:
        return Placement(
            self.frame.center_id[visit.center], self.frame.site_id[visit.site], self.frame.day(visit.day),
            visit.start, visit.stay,
        )  # fmt: skip

    def options(self, ways: Iterable[Way]) -> tuple[Option, ...]:
        return tuple(self._option(way) for way in ways)

    def _option(self, way: Way) -> Option:
        board = self.board
        before = [board.routes.get(route.key) for route in way.edited]
        old = [describe(board.problem, board.travel, route) for route in before if route is not None]
        new = [describe(board.problem, board.travel, route) for route in way.edited]
        return Option(
            way.kind,
            self.placement(way.visit),
            way.gain / TENTHS,
            (_value(new) - _value(old)) / TENTHS,
            sum(r.drive or 0 for r in new) - sum(r.drive or 0 for r in old),
            round(sum(r.km or 0.0 for r in new) - sum(r.km or 0.0 for r in old), 1),
            tuple(map(self.placement, way.dropped)),
            tuple((self.placement(a), self.placement(b)) for a, b in way.moved),
            tuple(self._day(route) for route in way.edited),
        )

    def _day(self, route: Route) -> DayStops:
        stops = tuple((self.frame.site_id[s.site], s.start, s.stay) for s in route.stops)
        return DayStops(self.frame.center_id[route.center], self.frame.day(route.day), stops)


def _value(routes: Iterable[Route]) -> int:
    return sum(stop.value or 0 for route in routes for stop in route.stops)
