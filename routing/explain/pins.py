"""What a pin costs at once, without the solver: the best change that it forbids."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from routing.explain.board import Board
from routing.explain.ways import Way
from routing.explain.why import why_visit
from routing.problem import Problem
from routing.solution import Plan, Visit
from routing.travel import Travel


@dataclass(frozen=True, slots=True)
class PinCost:
    """What keeping a visit pinned costs at least: the best single change without the pin gains that much.

    `way` is that change (None when simply leaving the visit out is best, or nothing gains). How much more a whole new
    plan without the pin would gain, only a re-solve tells (`routing.whatif`).
    """

    at_least: int
    way: Way | None
    dropping: int | None
    """The objective's change when the visit is left out and nothing takes its place (None: its day needs it)."""


def unpinned(problem: Problem, visit: Visit) -> Problem:
    """Return the problem without the pins on `visit`."""
    wanted = (visit.center, visit.day, visit.site, visit.start, visit.stay)
    rest = tuple(p for p in problem.pinned if (p.center, p.day, p.site, p.start, p.stay) != wanted)
    return replace(problem, pinned=rest, checked=True)


def pin_cost(
    problem: Problem,
    plan: Plan,
    visit: Visit,
    *,
    travel: Travel | None = None,
    closed_days: Collection[int] = (),
    closed_centers: Collection[str] = (),
) -> PinCost:
    """Return what the pin on `visit` costs at least, on the plan as it stands."""
    board = Board(unpinned(problem, visit), plan, travel=travel)
    return best_without(board, visit, closed_days=closed_days, closed_centers=closed_centers)


def best_without(
    board: Board,
    visit: Visit,
    *,
    closed_days: Collection[int] = (),
    closed_centers: Collection[str] = (),
) -> PinCost:
    """Return the same from a board whose problem does not pin the visit."""
    found = why_visit(board, visit, closed_days=closed_days, closed_centers=closed_centers)
    best = max((*found.otherwise, *found.elsewhere), key=lambda way: way.gain, default=None)
    dropping = None if found.worth is None else -found.worth
    gain = max(best.gain if best else 0, dropping or 0, 0)
    return PinCost(gain, best if best is not None and best.gain == gain > 0 else None, dropping)
