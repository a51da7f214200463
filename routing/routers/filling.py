"""Puts a router's table in place of the formula of a problem."""

from __future__ import annotations

from dataclasses import replace

from routing.errors import RouterError
from routing.notes import MOST_MINUTES, MOST_WORTH
from routing.problem import Matrix, Problem, Road
from routing.routers.table import Router

MOST_NAMED = 20


def with_table(problem: Problem, router: Router, *, strict: bool = True) -> Problem:
    """Return `problem` with minutes and costs over its places from `router`; a leg costs `cost_per_km` of its km.

    Traffic is kept. Raises `RouterError` when the problem has no road formula or, with `strict`, names the pairs that
    no road joins; otherwise such a leg takes the most minutes that a problem can say, which fits no shift.
    """
    if not isinstance(problem.travel, Road):
        raise RouterError(["travel: is a table already; only a road formula is replaced"])
    names = [place.id for place in problem.places]
    points = [
        (place.lat, place.lon) for place in problem.places if place.lat is not None and place.lon is not None
    ]
    table = router.matrix(points)
    missing = [
        f"no road leads from {names[i]!r} to {names[j]!r}"
        for i, row in enumerate(table.minutes)
        for j, minutes in enumerate(row)
        if minutes is None
    ]
    if missing and strict:
        more = len(missing) - MOST_NAMED
        raise RouterError([*missing[:MOST_NAMED], *([f"and {more} pairs more"] if more > 0 else [])])
    price = problem.travel.cost_per_km
    matrix = Matrix(
        tuple(
            tuple(
                MOST_MINUTES if one is None else 0 if i == j else min(one, MOST_MINUTES)
                for j, one in enumerate(row)
            )
            for i, row in enumerate(table.minutes)
        ),
        tuple(
            tuple(
                0 if km is None or i == j else min(round(price * km), MOST_WORTH) for j, km in enumerate(row)
            )
            for i, row in enumerate(table.km)
        ),
    )
    return replace(problem, travel=matrix)
