"""Repairing a plan that is under way: a few alternatives, from the fewest changes to the best value."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from routing.check import check
from routing.errors import RoutingError
from routing.problem import Problem
from routing.repair.around import Scores, around
from routing.repair.changes import Change, Told, changes_of, told_of, whole_plan
from routing.repair.disruptions import CenterAdded, DemandChanged, Disruption
from routing.repair.filling import filled
from routing.repair.part import merged, part_of
from routing.repair.rest import Rest, Whereabouts, horizon, rest_of
from routing.repair.timetable import best_part
from routing.solution import Plan, Route, Visit
from routing.solve import solve

NOTHING, FEWEST, BALANCED, BEST = "nothing", "fewest", "balanced", "best"
STABILITY = {BALANCED: 0.25, BEST: 0.08}
"""What one announced visit that changes must gain, as a share of what an announced visit is worth on average."""
OPENED = {BALANCED: (24, 3), BEST: (60, 6)}
"""Days of centers that are planned anew: at least, and for each visit lost."""
MOST_OPENED = {BALANCED: 70, BEST: 160}
SHARE = {BALANCED: 0.45, BEST: 1.0}
"""The share of the seconds that are left which each may take."""
SPARE = 0.12
"""The share of all seconds kept for what follows the last search."""
MIN_SECONDS = 0.25
ROUNDS = 4
PROMISING = 10
"""Places that nobody serves, looked at for each center that has time now."""
MOST = 3

Routes = dict[str, Route]
Progress = Callable[[dict[str, Any]], None]
Stop = Callable[[], bool]


@dataclass(frozen=True)
class Alternative:
    """One way to go on. Values in the problem's unit.

    `objective` is what the rest of the time is worth, `gain` how much more that is than when nobody decides anything
    (crews drop what they cannot make), `loss` how much less than without the disruption. `plan` is the whole plan, past
    included; `routes` are those of the rest, on `rest`'s units. `kept` counts announced visits that stay as they are.
    """

    name: str
    plan: Plan
    routes: tuple[Route, ...]
    objective: int
    gain: int
    loss: int
    changes: tuple[Change, ...]
    kept: int
    told: Told

    def to_json(self) -> dict[str, Any]:
        """Return the alternative as a JSON object, the plan as fleet-plan."""
        return {
            "name": self.name,
            "objective": self.objective,
            "gain": self.gain,
            "loss": self.loss,
            "kept": self.kept,
            "counts": dict(Counter(change.kind for change in self.changes)),
            "changes": [change.to_json() for change in self.changes],
            "told": {"crews": [list(crew) for crew in self.told.crews], "sites": list(self.told.sites)},
            "plan": self.plan.to_json(),
        }


def repair(
    problem: Problem,
    plan: Plan,
    disruptions: Sequence[Disruption],
    *,
    day: int,
    minute: int,
    seconds: float = 5.0,
    iterations: int | None = None,
    seed: int = 1,
    threads: int = 2,
    live: Mapping[str, Whereabouts] | None = None,
    last: int | None = None,
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> tuple[Alternative, ...]:
    """Return up to three ways to go on from `minute` of `day`, each worth more and disturbing more than the last.

    The first takes back what is lost or puts it into free time, and touches no other visit. Everything before the
    moment, and what is under way then, stands. With `iterations` (pricing rounds of each solve) the answer repeats
    exactly. `live` tells where centers are (else the plan's timetable does), `last` the last day that may change.
    Raises `ProblemError` for a disruption of something unknown.
    """
    began = time.monotonic()
    rest = rest_of(problem, plan, disruptions, day=day, minute=minute, live=live, last=last)
    last = horizon(problem, disruptions, last)
    calm = rest_of(problem, plan, (), day=day, minute=minute, last=last) if disruptions or live else rest
    return _Search(
        rest, calm, plan, disruptions, began, seconds, iterations, seed, threads, progress, stop
    ).run()


class _Search:
    """One repair."""

    def __init__(
        self,
        rest: Rest,
        calm: Rest,
        plan: Plan,
        disruptions: Sequence[Disruption],
        began: float,
        seconds: float,
        iterations: int | None,
        seed: int,
        threads: int,
        progress: Progress | None,
        stop: Stop | None,
    ) -> None:
        self.rest, self.plan, self.disruptions = rest, plan, disruptions
        self.began, self.seconds, self.iterations = began, seconds, iterations
        self.seed, self.threads, self.progress, self.stop = seed, threads, progress, stop
        self.undisturbed = _objective(calm, carried_on(calm))
        self.nothing = carried_on(rest)
        self.base = _objective(rest, self.nothing)

    def run(self) -> tuple[Alternative, ...]:
        """Return the alternatives."""
        routes = filled(self.rest, self.nothing)
        found = [self.alternative(NOTHING, self.nothing), self.alternative(FEWEST, routes)]
        self.tell(FEWEST, found[-1].objective)
        wanted = self.wanted()
        if wanted or self.freed():
            for name in (BALANCED, BEST):
                routes = self.improve(name, routes, wanted)
                found.append(self.alternative(name, routes))
                self.tell(name, found[-1].objective)
        return distinct(found)

    def wanted(self) -> list[str]:
        """Return the sites to plan anew for: those that lost a visit, that are worth more now, and what nobody serves
        but a center could that has time now, or comes to help."""
        lost = [v.site for v in self.lost()]
        lost += [one.site for one in self.disruptions if isinstance(one, DemandChanged) and one.percent > 100]
        free = self.freed()
        if free:
            served = _sites(self.nothing)
            idle = [site for site in self.rest.problem.sites if site.id not in served]
            scores = Scores(self.rest, idle)
            for unit in free:
                room = scores.room(self.rest.problem.center_by_id[unit], self.nothing.get(unit))
                lost += [
                    idle[i].id for i in (-room).argsort(kind="stable")[:PROMISING].tolist() if room[i] > 0
                ]
        return [name for name in dict.fromkeys(lost) if name in self.rest.problem.site_by_id]

    def lost(self) -> list[Visit]:
        """Return the announced visits that nobody makes when nobody decides anything."""
        stands = Counter(
            (stop.site, self.rest.key_of[unit]) for unit, r in self.nothing.items() for stop in r.stops
        )
        return [v for v in self.rest.announced if not stands[v.site, v.key]]

    def freed(self) -> list[str]:
        """Return the units that have time now: they lost a visit, or come to help."""
        helpers = {one.center.id for one in self.disruptions if isinstance(one, CenterAdded)}
        keys = [v.key for v in self.lost()] + [key for key in self.rest.unit_of if key[0] in helpers]
        return [self.rest.unit_of[key] for key in dict.fromkeys(keys) if key in self.rest.unit_of]

    def improve(self, name: str, routes: Routes, wanted: Sequence[str]) -> Routes:
        """Plan parts around the wanted sites anew while that gains, displaced visits becoming wanted in turn."""
        bonus = round(STABILITY[name] * self.mean_worth())
        until = self.until(name)
        least, each = OPENED[name]
        best, best_rank = routes, self.rank(routes, bonus)
        for round_ in range(ROUNDS):
            left = until - time.monotonic()
            if left < MIN_SECONDS or (self.stop is not None and self.stop()):
                break
            most = min(MOST_OPENED[name], least + each * len(wanted))
            near = around(self.rest, best, wanted, most=most, also=self.freed())
            if not near.units:
                break
            part, start = part_of(self.rest, best, near, bonus)
            if not part.sites:
                break
            try:
                answer = solve(
                    part, seconds=None if self.iterations is not None else left, iterations=self.iterations,
                    seed=self.seed + round_, threads=self.threads, start=start, stop=self.stop,
                    reasons=False,
                )  # fmt: skip
            except RoutingError:
                break  # what was found before stands
            tried = merged(self.rest, best, near.units, answer)
            rank = self.rank(tried, bonus)
            if rank <= best_rank:
                break
            displaced = _missing(best, tried)
            best, best_rank = tried, rank
            wanted = [*dict.fromkeys([*displaced, *(w for w in wanted if w not in _sites(tried))])]
            if not wanted and round_ > 0:
                break
        return best

    def until(self, name: str) -> float:
        """Return the moment by which an alternative must be done; never, under a limit in iterations."""
        if self.iterations is not None:
            return math.inf
        now = time.monotonic()
        return now + SHARE[name] * (self.began + (1 - SPARE) * self.seconds - now)

    def mean_worth(self) -> float:
        """Return what a visit of the standing plan is worth on average."""
        costs = check(
            self.rest.problem, self._plan(self.nothing), travel=self.rest.travel, claims=False
        ).costs
        count = sum(len(route.stops) for route in self.nothing.values())
        return costs.value / max(1, count)

    def rank(self, routes: Routes, bonus: int) -> int:
        """Return the objective less the price of changes; lowest for what breaks a rule."""
        verdict = check(self.rest.problem, self._plan(routes), travel=self.rest.travel, claims=False)
        if not verdict.feasible:
            return -(10**18)
        return verdict.objective - bonus * len(changes_of(self.rest, routes)[0])

    def alternative(self, name: str, routes: Routes) -> Alternative:
        """Return the alternative that the routes are."""
        objective = _objective(self.rest, routes)
        changes, kept = changes_of(self.rest, routes)
        return Alternative(
            name,
            whole_plan(self.rest, self.plan, routes, objective),
            tuple(routes.values()),
            objective,
            objective - self.base,
            self.undisturbed - objective,
            changes,
            kept,
            told_of(self.rest, changes),
        )

    def tell(self, name: str, objective: int) -> None:
        """Report progress."""
        if self.progress is not None:
            elapsed = round(time.monotonic() - self.began, 2)
            self.progress({"phase": name, "elapsed": elapsed, "objective": objective})

    def _plan(self, routes: Routes) -> Plan:
        return Plan(self.rest.problem.name, tuple(routes.values()), 0)


def carried_on(rest: Rest) -> Routes:
    """Return what happens when nobody decides anything: every crew keeps to what was announced, later where it must,
    and leaves out what it cannot make."""
    wanted: dict[str, list[tuple[str, int, int | None]]] = {}
    for visit in sorted(rest.announced, key=lambda v: v.start):
        unit = rest.unit_of.get(visit.key)
        if unit is not None:
            wanted.setdefault(unit, []).append((visit.site, visit.stay, visit.start))
    routes: Routes = {}
    for unit, visits in wanted.items():
        center = rest.problem.center_by_id[unit]
        route = best_part(rest.problem, rest.travel, center, center.days[0], visits)
        if route is not None:
            routes[unit] = route
    return routes


def distinct(found: Sequence[Alternative]) -> tuple[Alternative, ...]:
    """Return at most three alternatives that no other beats, by rising value: who disturbs more must gain something."""
    kept: list[Alternative] = []
    for one in sorted(found, key=lambda a: (_disturbance(a), -a.objective)):
        if not kept or one.objective > kept[-1].objective:
            kept.append(one)
    if len(kept) > MOST:
        kept.remove(min(kept[:-1], key=lambda a: (a.name != NOTHING, a.objective)))
    return tuple(kept)


def _disturbance(one: Alternative) -> int:
    """How many must hear of it: changed visits, and crews whose day changes."""
    return len(one.changes) + len(one.told.crews)


def _objective(rest: Rest, routes: Routes) -> int:
    plan = Plan(rest.problem.name, tuple(routes.values()), 0)
    return check(rest.problem, plan, travel=rest.travel, claims=False).objective


def _sites(routes: Routes) -> set[str]:
    return {stop.site for route in routes.values() for stop in route.stops}


def _missing(before: Routes, after: Routes) -> list[str]:
    return sorted(_sites(before) - _sites(after))
