"""Why a candidate has no visit: always worked out on the plan as it stands, manual changes included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlalchemy.orm import Session

from fleet.planning.blobs import decode, unpack
from fleet.planning.boards import known_marks, pins_of, prepared
from fleet.planning.frame import Frame, Mark, load_frame
from fleet.planning.ledger import marks_in
from fleet.planning.shapes import TENTHS, UnservedSite
from fleet.store import Plan
from routing.explain import Board, explain, reason_for
from routing.problem import Pin, Site
from routing.solution import Plan as Routes
from routing.solution import Unserved


def unserved(session: Session, plan: Plan) -> list[UnservedSite]:
    """Return every candidate without a visit, with its reason, most valuable first.

    Codes are `routing.explain.explain`'s; `hours` is what the best single visit there would save, before
    driving.
    """
    decoded = decode(plan.problem)
    frame = load_frame(session, plan.week)
    found = [
        UnservedSite(
            frame.site_id[u.site],
            u.code,
            u.reason,
            best_value(decoded.problem.site_by_id[u.site]) / TENTHS,
            u.numbers,
        )
        for u in explained(session, plan)
        if u.site in frame.site_id
    ]
    return sorted(found, key=lambda u: (-u.hours, u.site_id))


def explained(session: Session, plan: Plan) -> tuple[Unserved, ...]:
    """Return the reasons in the exchange format's terms: the solver's own while its plan stands unchanged."""
    marks = marks_in(session, plan, load_frame(session, plan.week))
    return _explained(plan.problem, plan.solution, tuple(replace(m, id=0) for m in marks))


def reason_of(session: Session, plan: Plan, board: Board, site: str, frame: Frame) -> Unserved | None:
    """Return what `explained` says of one site: the others are not worked out for it. None when it is visited."""
    if board.days_of.get(site):
        return None
    known = known_marks(marks_in(session, plan, frame), decode(plan.problem))
    answer = _unchanged(
        plan.solution, known, board.problem.pinned, decode(plan.problem).raw.get("pinned", [])
    )
    if answer is not None:
        return next((one for one in answer if one.site == site), None)
    return reason_for(board, site)


@lru_cache(maxsize=4)
def _explained(problem_blob: bytes, solution_blob: bytes, marks: tuple[Mark, ...]) -> tuple[Unserved, ...]:
    """Cached by what it depends on, and nothing else: the problem, the solver's answer and the visits."""
    decoded = decode(problem_blob)
    known = known_marks(marks, decoded)
    answer = _unchanged(solution_blob, known, pins_of(known), decoded.raw.get("pinned", []))
    if answer is not None:
        return answer
    board = prepared(problem_blob, marks)
    return explain(board.problem, board.plan, board=board)


def _unchanged(
    blob: bytes, marks: Sequence[Mark], pins: Sequence[Pin], pinned: Sequence[Mapping[str, Any]]
) -> tuple[Unserved, ...] | None:
    """The reasons that came with the solver's answer, when visits and pins are still those of then."""
    if not blob:
        return None
    plan = answered(blob)
    stops = {(r.center, r.day, s.site, s.start, s.stay) for r in plan.routes for s in r.stops}
    then = {(p["center"], p["day"], p["site"], p["start"], p["stay"]) for p in pinned}
    same = stops == {(m.center, m.day, m.site, m.start, m.stay) for m in marks}
    if not same or then != {(p.center, p.day, p.site, p.start, p.stay) for p in pins}:
        return None
    return plan.unserved or None


@lru_cache(maxsize=4)
def answered(solution_blob: bytes) -> Routes:
    """Return the solver's answer as stored with a plan; cached by its bytes."""
    return Routes.from_json(unpack(solution_blob))


def best_value(site: Site) -> int:
    """The most that one visit to the site is worth, in the problem's unit."""
    offers = site.offers.values() if not isinstance(site.offers, tuple) else (site.offers,)
    top = max((o.value for group in offers for o in group), default=0)
    days = [int(d) for d in site.open if d != "*"] if not isinstance(site.open, tuple) else None
    if site.day_percent is None:
        return top
    percents = site.day_percent if days is None else [site.day_percent[d] for d in days]
    return top * max(percents, default=0) // 100
