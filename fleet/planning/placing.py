"""Fitting one visit into a center's day: between which stops, when, and who has to move. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from fleet.planning.frame import Mark, route_of
from routing.check import RouteVerdict, check_route
from routing.problem import Problem, Site
from routing.travel import Travel


def fit(
    others: Sequence[Mark],
    new: Mark,
    problem: Problem,
    travel: Travel,
    *,
    start: int | None,
    origin: str | None = None,
) -> list[Mark]:
    """Return the day with `new` in it, in order of time; it starts from the place id `origin` after a night away.

    With a `start` the visit begins then and nobody else moves. Without, every position is tried: first with
    the others' times kept, then letting those that are not pinned begin as early as they can; what is
    allowed and gains most wins (fewest moved on a tie). When nothing is allowed, the attempt with the fewest
    faults comes back, so that the faults can be told. The ids in `others` and `new` must differ.
    """
    if start is not None:
        return sorted([*others, replace(new, start=start)], key=lambda m: (m.start, m.id == new.id))
    best: tuple[tuple[int, int, int], list[Mark]] | None = None
    for attempt in _attempts(sorted(others, key=lambda m: m.start), new, problem, travel, origin):
        verdict = _check(attempt, problem, travel, origin)
        before = {m.id: m.start for m in others}
        moved = sum(1 for m in attempt if m.id in before and before[m.id] != m.start)
        rank = (len(verdict.faults), verdict.travel, moved)
        if best is None or rank < best[0]:
            best = rank, attempt
    assert best is not None  # there is always the first position
    return best[1]


def best_stay(
    others: Sequence[Mark],
    new: Mark,
    site: Site,
    problem: Problem,
    travel: Travel,
    *,
    start: int | None,
    origin: str | None = None,
) -> list[Mark]:
    """Return the day with the stay that is allowed and worth most after driving (the shortest when none is
    allowed)."""
    center = problem.center_by_id[new.center]
    found: list[tuple[tuple[int, int, int], list[Mark]]] = []
    for offer in site.offers_for(center.kind):
        day = fit(others, replace(new, stay=offer.stay), problem, travel, start=start, origin=origin)
        verdict = _check(day, problem, travel, origin)
        worth = verdict.value - verdict.travel
        found.append(((len(verdict.faults), -worth if not verdict.faults else 0, offer.stay), day))
    if not found:
        return fit(others, new, problem, travel, start=start, origin=origin)
    return min(found, key=lambda pair: pair[0])[1]


def _check(marks: Sequence[Mark], problem: Problem, travel: Travel, origin: str | None) -> RouteVerdict:
    return check_route(problem, travel, route_of(marks, problem, travel, origin=origin))


def _attempts(
    others: Sequence[Mark], new: Mark, problem: Problem, travel: Travel, origin: str | None
) -> Iterator[list[Mark]]:
    for position in range(len(others) + 1):
        order = [*others[:position], new, *others[position:]]
        yield _schedule(order, {m.id for m in others}, problem, travel, origin)
        loose = {m.id for m in others if not m.pinned}
        if loose:
            yield _schedule(order, {m.id for m in others} - loose, problem, travel, origin)


def _schedule(
    order: Sequence[Mark], fixed: set[int], problem: Problem, travel: Travel, origin: str | None
) -> list[Mark]:
    """Give every stop that is not fixed its earliest start after the one before it."""
    center = problem.center_by_id[order[0].center]
    here, clock = center.begins(order[0].day)
    if origin is not None:
        here = origin
    done: list[Mark] = []
    for mark in order:
        site = problem.site_by_id[mark.site]
        window = site.window(mark.day)
        ready = travel.arrive(here, site.place, clock, mark.day) + center.setup
        start = mark.start if mark.id in fixed else max(ready, window[0] if window else 0)
        done.append(replace(mark, start=start))
        clock, here = start + mark.stay, site.place
    return done
