"""A plan as it stands, prepared for questions; kept for the questions that follow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from sqlalchemy.orm import Session

from fleet.planning.blobs import Decoded, decode
from fleet.planning.frame import Frame, Mark, load_frame, routes_of
from fleet.planning.ledger import marks_in
from fleet.store import Plan, PlanVisit
from routing.explain.board import Board
from routing.problem import Pin
from routing.solution import Plan as Routes


def board_of(
    session: Session, plan: Plan, *, free: PlanVisit | None = None, frame: Frame | None = None
) -> Board:
    """Return the plan as it stands, prepared for questions; `free` is a visit whose pin is left aside."""
    marks = marks_in(session, plan, frame or load_frame(session, plan.week))
    loose = 0 if free is None else free.id
    return prepared(plan.problem, tuple(replace(m, id=0, pinned=m.pinned and m.id != loose) for m in marks))


@lru_cache(maxsize=6)
def prepared(problem_blob: bytes, marks: tuple[Mark, ...]) -> Board:
    """Cached by what it depends on, and nothing else: the problem and the visits (without their numbers)."""
    decoded = decode(problem_blob)
    known = known_marks(marks, decoded)
    problem = replace(decoded.problem, pinned=pins_of(known), checked=True)
    routes = tuple(routes_of(known, problem, decoded.travel))
    # No question asks for the objective: counting it would take longer than all the rest.
    return Board(problem, Routes(problem.name, routes, 0), travel=decoded.travel)


def known_marks(marks: Iterable[Mark], decoded: Decoded) -> list[Mark]:
    """Return the visits whose center and place are part of the problem."""
    centers, sites = decoded.problem.center_by_id, decoded.problem.site_by_id
    return [m for m in marks if m.center in centers and m.site in sites]


def pins_of(marks: Iterable[Mark]) -> tuple[Pin, ...]:
    """Return the pins that the marks are."""
    return tuple(Pin(m.center, m.day, m.site, m.start, m.stay, m.overnight) for m in marks if m.pinned)
