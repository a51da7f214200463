"""What of an old plan still stands in a changed problem: its pins, and its routes as the search's start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fleet.planning.blobs import Decoded, decode, pack
from fleet.planning.frame import Mark, routes_of
from fleet.planning.ledger import judge
from routing.solution import Plan as Routes


def sound(problem: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the problem without the pins that break one of its rules, and those pins."""
    pins = problem.get("pinned") or []
    bare = {key: value for key, value in problem.items() if key != "pinned"}
    if not pins:
        return bare, []
    marks = [
        Mark(n, p["center"], p["day"], p["site"], p["start"], p["stay"], True, bool(p.get("overnight")))
        for n, p in enumerate(pins)
    ]
    left = {mark.id for mark in keep_feasible(marks, decode(pack(bare)))}
    kept = [pin for n, pin in enumerate(pins) if n in left]
    return ({**bare, "pinned": kept} if kept else bare), [pin for n, pin in enumerate(pins) if n not in left]


def keep_feasible(marks: Iterable[Mark], decoded: Decoded) -> list[Mark]:
    """Return the marks without those that break a rule: a faulty day goes as a whole, and of a place with too
    many visits the latest. What stands after nights away goes with them."""
    problem = decoded.problem
    left = [m for m in marks if m.center in problem.center_by_id and m.site in problem.site_by_id]
    while left:
        faults = judge(left, decoded).faults
        routes = {(f.center, f.day) for f in faults if f.center is not None and f.day is not None}
        # Places first: with one visit less there, the days of the others may stand.
        crowded = {f.site for f in faults if f.center is None and f.site is not None}
        latest = {
            max((m for m in left if m.site == s), key=lambda m: (m.day, m.start, m.center)) for s in crowded
        }
        if not routes and not latest:
            break
        smaller = [m for m in left if m.key not in routes and m not in latest]
        if len(smaller) == len(left):  # a day without stops is at fault: the drive home after a night away
            tours = {center for center, _ in routes}
            smaller = [m for m in left if m.center not in tours]
        if len(smaller) == len(left):
            return []
        left = smaller
    return left


def start_of(marks: Sequence[Mark], decoded: Decoded) -> dict[str, Any]:
    """Return the marks that still stand, as a fleet-plan to start the search from."""
    left = keep_feasible(marks, decoded)
    routes = tuple(routes_of(left, decoded.problem, decoded.travel))
    verdict = judge(left, decoded)
    return Routes(decoded.problem.name, routes, verdict.objective, costs=verdict.costs).to_json()


def marks_of_answer(solution: Mapping[str, Any]) -> list[Mark]:
    """Return the visits of a stored fleet-plan; ids count from 1."""
    if not solution:
        return []
    found: list[Mark] = []
    for route in Routes.from_json(solution).routes:
        for n, stop in enumerate(route.stops):
            away = route.overnight and n == len(route.stops) - 1
            found.append(
                Mark(len(found) + 1, route.center, route.day, stop.site, stop.start, stop.stay, False, away)
            )
    return found
