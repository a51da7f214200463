"""The answer by solving: the part of the plan around the question, without the change and with it.

Both are solved with the same effort from the plan as it stands, so the difference is that of the change and not of more
search; what more search alone brings is told apart. The bounds of both enclose the true difference of the part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from routing.check import check, check_route
from routing.problem import Problem
from routing.solution import Plan, describe, with_origins
from routing.solve import solve
from routing.travel import Travel
from routing.whatif.part import nearby, part_of
from routing.whatif.questions import Question, changed, force

NEARBY = 14
"""Centers that are planned anew around a question, unless it is about more."""

Progress = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Totals:
    """A plan's part in figures: value and travel cost in the problem's unit, minutes and km of driving."""

    value: int
    travel: int
    stops: int
    sites: int
    drive: int
    km: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What the change brings: `gain` in the problem's unit, truly between `low` and `high` (None: nothing proven).

    `searched` is what planning the part anew brings without the change; `centers` so many were planned anew of `of`;
    `served` says for `serve` whether the places could be served.
    """

    question: Question
    gain: int
    low: int | None
    high: int | None
    searched: int
    centers: int
    of: int
    before: Totals
    after: Totals
    served: bool = True

    @property
    def gap(self) -> float | None:
        """The width of [low, high] as a share of the part's objective; None when nothing is proven."""
        return (
            None
            if self.low is None or self.high is None
            else (self.high - self.low) / max(1, self.before.value)
        )

    def to_json(self) -> dict[str, Any]:
        """Return the answer as a JSON object."""
        return {**asdict(self), "question": self.question.to_json(), "gap": self.gap}


def answer(
    problem: Problem,
    plan: Plan,
    question: Question,
    *,
    seconds: float | None = None,
    iterations: int | None = None,
    seed: int = 1,
    threads: int = 1,
    most: int = NEARBY,
    progress: Progress | None = None,
    stop: Callable[[], bool] | None = None,
) -> Answer:
    """Return what the change would bring to `plan`, re-solving the `most` centers around it.

    `seconds` (or `iterations`) are shared by the two solves. Raises QuestionError.
    """
    variant = changed(problem, question)
    travel = Travel(problem)
    asked = tuple(dict.fromkeys([*question.centers, *(visit[0] for visit in question.visits)]))
    near = nearby(problem, question.about(problem), max(most, len(asked)), travel)
    free = {*asked, *near}
    fresh = {center.id for center in variant.centers} - {center.id for center in problem.centers}
    base = part_of(problem, plan, free, travel=travel)
    after = part_of(variant, plan, free | fresh, travel=travel)
    spent = None if seconds is None else seconds / 2

    def report(step: int) -> Progress | None:
        return None if progress is None else lambda said: progress({**said, "step": step})

    one = solve(
        base.problem, seconds=spent, iterations=iterations, seed=seed, threads=threads, start=base.start,
        progress=report(1), stop=stop,
    )  # fmt: skip
    two = solve(
        after.problem, seconds=spent, iterations=iterations, seed=seed, threads=threads,
        start=_start(after.problem, one), progress=report(2), stop=stop,
    )  # fmt: skip
    there = {stop.site for route in two.routes for stop in route.stops}
    there |= {stop.site for route in plan.routes if route.center not in free for stop in route.stops}
    missing = set(question.sites) - there if question.kind == "serve" else set()
    shift = after.constant - base.constant
    forced = force(problem) * len(missing)
    gain = two.objective + forced - one.objective + shift
    before = check(base.problem, base.start, travel=travel, claims=False).objective
    return Answer(
        question,
        gain,
        None if one.bound is None else two.objective + forced - one.bound + shift,
        None if two.bound is None or forced else two.bound - one.objective + shift,
        one.objective - before,
        len(base.problem.centers),
        len(problem.centers),
        totals(base.problem, one),
        totals(after.problem, two),
        not missing,
    )


def _start(problem: Problem, plan: Plan) -> Plan:
    """Return of `plan` what `problem` still allows: without stops at places that are closed then."""
    travel = Travel(problem)
    kept = []
    for route in plan.routes:
        stops = tuple(
            stop
            for stop in route.stops
            if (site := problem.site_by_id.get(stop.site)) is not None and site.window(route.day) is not None
        )
        made = route if len(stops) == len(route.stops) else replace(route, stops=stops)
        if stops and (made is route or not check_route(problem, travel, made).faults):
            kept.append(made)
    return Plan("", tuple(kept), 0)


def totals(problem: Problem, plan: Plan) -> Totals:
    """Return the figures of a plan."""
    travel = Travel(problem)
    costs = check(problem, plan, travel=travel, claims=False).costs
    routes = [describe(problem, travel, route) for route in with_origins(problem, plan.routes)]
    return Totals(
        costs.value,
        costs.travel,
        sum(len(route.stops) for route in routes),
        len({stop.site for route in routes for stop in route.stops}),
        sum(route.drive or 0 for route in routes),
        round(sum(route.km or 0.0 for route in routes), 1),
    )
