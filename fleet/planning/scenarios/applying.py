"""A scenario's problem: the copy of a week with every change made to it, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from fleet.planning import coverage
from fleet.planning.problem import TRAVEL
from fleet.planning.scenarios import demand, effects, rules
from fleet.planning.scenarios.book import Book, load_book
from fleet.planning.scenarios.kinds import KINDS, read, refuse
from fleet.planning.scenarios.work import Change, Work
from routing.validate import faults_of

EFFECTS: Mapping[str, Callable[[Work, Change], int]] = {
    "add_vans": effects.add_vans,
    "remove_vans": effects.remove_vans,
    "days_off": effects.days_off,
    "depot": effects.depot,
    "klass": effects.klass,
    "nights": effects.nights,
    "shift": effects.shift,
    "second_crew": effects.second_crew,
    "opening": effects.opening,
    "demand": demand.demand,
    "surge": demand.surge,
    "coverage": rules.coverage,
    "penalties": rules.penalties,
    "unvisited": rules.unvisited,
    "speed": effects.speed,
    "traffic": effects.traffic,
    "unpin": effects.unpin,
}


@dataclass(frozen=True, slots=True)
class Applied:
    """The changed problem (`sound` takes out the pins that it forbids), and how many things each change
    touched."""

    problem: dict[str, Any]
    changes: tuple[dict[str, Any], ...]
    """As they were read: checked, with defaults."""
    touched: tuple[int, ...]
    book: Book
    """What it holds now, new vans and moved depots too."""


def apply(
    session: Session,
    problem: Mapping[str, Any],
    changes: Sequence[Mapping[str, Any]],
    week: date,
    *,
    now: datetime,
    values: bool = True,
) -> Applied:
    """Return the fleet-problem with `changes` made to it, in order; `problem` itself stays as it is.

    Supposed demand is valued at the end, by the forecast as it is `now`; without `values` it is only checked.
    Raises Invalid `bad_change` naming the first change that cannot be made, and why.
    """
    book = load_book(session, problem, week)
    checked = [read(change, n, book) for n, change in enumerate(changes, 1)]
    work = Work.on(problem, book, _overdue(session, week, max(1, book.days // 7), checked))
    touched: list[int] = []
    for number, change in enumerate(checked, 1):
        work.number = number
        touched.append(EFFECTS[change["kind"]](work, change))
    if not work.problem["centers"]:
        raise refuse(len(checked), checked[-1]["kind"], "no_vans", "no van would be left")
    if values:
        demand.revalue(session, work, now=now)
    for part in ("groups", "pinned"):
        if part not in problem and not work.problem[part]:
            del work.problem[part]
    faults = _faults(work.problem, problem)
    if faults:
        number = _culprit(problem, checked, work, faults)
        words = f"the week would not be valid: {faults[0]}"
        raise refuse(number, checked[number - 1]["kind"], "not_valid", words[:200], faults=faults[:5])
    return Applied(work.problem, tuple(checked), tuple(touched), work.book)


def is_decision(change: Mapping[str, Any]) -> bool:
    """Whether the change is one that a planner can make by deciding it (a draft may hold it)."""
    return KINDS[change["kind"]].decision


def _overdue(
    session: Session, week: date, weeks: int, changes: Sequence[Mapping[str, Any]]
) -> dict[int, dict[str, tuple[int, int]]]:
    limits = {change["weeks"] for change in changes if change["kind"] == "unvisited"}
    return {
        limit: {
            due.unit.code: (due.visits, due.penalty) for due in coverage.due(session, week, weeks, most=limit)
        }
        for limit in limits
    }


def _faults(changed: Mapping[str, Any], base: Mapping[str, Any]) -> list[str]:
    """What is not valid, pins apart. A table of driving times that is still the copied one was checked there."""
    travel = changed["travel"]
    if "minutes" in travel and travel["minutes"] is base["travel"].get("minutes"):
        some = {key: value for key, value in travel.items() if key not in ("minutes", "cost")}
        travel = {**some, "road": TRAVEL["road"]}
    return faults_of({**changed, "travel": travel, "pinned": []})


def _culprit(problem: Mapping[str, Any], changes: Sequence[Change], done: Work, faults: Sequence[str]) -> int:
    """The first change after which the problem is not valid."""
    work = Work.on(problem, done.book, done.overdue)
    for number, change in enumerate(changes, 1):
        work.number = number
        EFFECTS[change["kind"]](work, change)
        if _faults(work.problem, problem):
            return number
    return len(changes)
