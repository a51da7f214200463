"""Repairing a plan that is under way: a few alternatives, from the fewest changes to the best value."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from routing.check import check
from routing.errors import RoutingError
from routing.nights import Nights as Nightly
from routing.problem import Problem
from routing.repair.around import Scores, around
from routing.repair.changes import (
    Change,
    NightChange,
    State,
    Told,
    changes_of,
    nights_of,
    told_of,
    visit_json,
    visits_of,
    whole_plan,
)
from routing.repair.disruptions import CenterAdded, DemandChanged, Disruption
from routing.repair.filling import filled
from routing.repair.part import merged, part_of
from routing.repair.rest import Nights, Rest, horizon, rest_of
from routing.repair.timetable import best_part
from routing.repair.touring import joined, may_travel, nights_after, timed_days, tour_of
from routing.repair.whereabouts import Whereabouts
from routing.solution import Key, Plan, Route, Visit
from routing.solve import solve
from routing.verdict import Verdict

NOTHING, FEWEST, BALANCED, BEST = "nothing", "fewest", "balanced", "best"
STABILITY = {BALANCED: 0.25, BEST: 0.08}
"""What one announced visit that changes must gain, as a share of what an announced visit is worth on average."""
OPENED = {BALANCED: (24, 3), BEST: (60, 6)}
"""Days of centers that are planned anew: at least, and for each visit lost."""
MOST_OPENED = {BALANCED: 70, BEST: 160}
MOST_TOURS = {BALANCED: 0, BEST: 3}
"""Centers whose nights away are chosen anew, together with those that something happened to."""
TOURS_SHARE, TOUR_SECONDS = 0.5, 0.5
"""The share of an alternative's time that tours may take, and how long one may be looked at."""
SHARE = {BALANCED: 0.45, BEST: 1.0}
"""The share of the seconds that are left which each may take."""
SPARE = 0.12
"""The share of all seconds kept for what follows the last search."""
MIN_SECONDS = 0.25
NEAR = 0.0005
"""A part is planned well enough when it is proven to be within this share of its best."""
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
    (crews shorten or drop what they cannot make), `loss` how much less than without the disruption; their sum is what
    the disruption costs when nobody decides anything. `plan` is the whole plan, past included; `routes` are those of
    the rest, on `rest`'s units. `kept` counts announced visits that stay as they are.
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
    nights: tuple[NightChange, ...] = ()
    """Nights that are not spent as planned."""
    away: Mapping[Key, Visit | None] = field(default_factory=dict)
    """How each night from now on is spent: `rest_of` takes it as `nights`."""
    cut: bool = False
    """The search for something better ended before it was done, for want of time."""
    stranded: tuple[Visit, ...] = ()
    """Announced visits that nobody makes when nobody decides anything: the same for all alternatives."""

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
            "nights": [night.to_json() for night in self.nights],
            "cut": self.cut,
            "stranded": [visit_json(visit) for visit in self.stranded],
            "told": {"crews": [list(crew) for crew in self.told.crews], "sites": list(self.told.sites)},
            "plan": self.plan.to_json(),
        }


Keep = Callable[[tuple[Alternative, ...]], None]


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
    keep: Keep | None = None,
) -> tuple[Alternative, ...]:
    """Return up to three ways to go on from `minute` of `day`, each worth more and disturbing more than the last.

    The first takes back what is lost or puts it into free time, and touches no other visit. Everything before the
    moment, and what is under way then, stands. With `iterations` (pricing rounds of each solve) the answer repeats
    exactly. `keep` gets the alternatives so far each time that there is one more, for who cannot wait for all.
    `live` tells where centers are (else the plan's timetable does), `last` the last day that may change.
    Raises `ProblemError` for a disruption of something unknown.
    """
    began = time.monotonic()
    until = horizon(problem, disruptions, last)

    def cutting(nights: Nights, like: Rest | None) -> Rest:
        return rest_of(
            problem,
            plan,
            disruptions,
            day=day,
            minute=minute,
            live=live,
            last=until,
            nights=nights,
            like=like,
        )

    rest = cutting({}, None)
    # Vans where they are in both, so that both leave the same visits to come.
    calm = rest_of(problem, plan, (), day=day, minute=minute, live=live, last=until) if disruptions else rest
    return _Search(
        rest,
        calm,
        cutting,
        plan,
        disruptions,
        began,
        seconds,
        iterations,
        seed,
        threads,
        progress,
        stop,
        keep,
    ).run()


class _Search:
    """One repair."""

    def __init__(
        self,
        rest: Rest,
        calm: Rest,
        cutting: Callable[[Nights, Rest | None], Rest],
        plan: Plan,
        disruptions: Sequence[Disruption],
        began: float,
        seconds: float,
        iterations: int | None,
        seed: int,
        threads: int,
        progress: Progress | None,
        stop: Stop | None,
        keep: Keep | None,
    ) -> None:
        self.rest, self.cutting, self.plan, self.disruptions = rest, cutting, plan, disruptions
        self.began, self.seconds, self.iterations = began, seconds, iterations
        self.seed, self.threads, self.progress, self.stop = seed, threads, progress, stop
        self.keep = keep
        self.undisturbed = worth_of(calm, carried_on(calm)) + brought_home(calm, rest)
        self.nothing = carried_on(rest)
        self.idle = State(rest, self.nothing)
        self._verdicts: dict[int, tuple[State, Verdict]] = {}
        self.base = self.judged(self.idle).objective + rest.standing
        self.cut = False

    def run(self) -> tuple[Alternative, ...]:
        """Return the alternatives."""
        now = State(self.rest, filled(self.rest, self.nothing))
        found = [self.alternative(NOTHING, self.idle)]
        self.so_far(found)
        found.append(self.alternative(FEWEST, now))
        self.so_far(found)
        wanted = self.wanted()
        if wanted or self.freed() or nights_of(self.rest, self.plan):
            for name in (BALANCED, BEST):
                now = self.improve(name, now, wanted)
                found.append(self.alternative(name, now))
                self.so_far(found)
        return distinct(found, self.cut)

    def wanted(self) -> list[str]:
        """Return the sites to plan anew for: those that lost a visit, that are worth more now, and what nobody serves
        but a center could that has time now, or comes to help."""
        lost = [v.site for v in self.lost()]
        lost += [one.site for one in self.disruptions if isinstance(one, DemandChanged) and one.percent > 100]
        free = self.freed()
        if free:
            served = _sites(self.rest, self.nothing)
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
        stands = Counter((visit.site, visit.key) for visit in visits_of(self.rest, self.nothing))
        return [v for v in self.rest.announced if not stands[v.site, v.key]]

    def freed(self, rest: Rest | None = None) -> list[str]:
        """Return the units that have time now: they lost a visit, or come to help."""
        units = (rest or self.rest).unit_of
        helpers = {one.center.id for one in self.disruptions if isinstance(one, CenterAdded)}
        keys = [v.key for v in self.lost()] + [key for key in units if key[0] in helpers]
        return [units[key] for key in dict.fromkeys(keys) if key in units]

    def improve(self, name: str, now: State, wanted: Sequence[str]) -> State:
        """Plan tours and parts around the wanted sites anew while that gains, displaced visits becoming wanted in
        turn."""
        bonus = round(STABILITY[name] * self.mean_worth())
        until = self.until(name)
        least, each = OPENED[name]
        best, best_rank = now, self.rank(now, bonus)
        touring = until if self.iterations is not None else TOURS_SHARE * (until + time.monotonic())
        for center in self.travellers(wanted, MOST_TOURS[name]):
            if until - time.monotonic() < MIN_SECONDS or time.monotonic() > touring:
                self.cut = True
                break
            tried = self.travelled(center, best, wanted, bonus, until)
            if tried is not None and (rank := self.rank(tried, bonus)) > best_rank:
                wanted = [*dict.fromkeys([*wanted, *_missing(best, tried)])]
                best, best_rank = tried, rank
        for round_ in range(ROUNDS):
            if self.over(until):
                break
            most = min(MOST_OPENED[name], least + each * len(wanted))
            near = around(best.rest, best.routes, wanted, most=most, also=self.freed(best.rest))
            if not near.units:
                break
            part, start = part_of(best.rest, best.routes, near, bonus)
            if not part.sites:
                break
            answer = self.solved(part, until, self.seed + round_, start)
            self.cut = self.cut or time.monotonic() >= until
            if answer is None:
                break  # what was found before stands
            tried = State(best.rest, merged(best.rest, best.routes, near.units, answer))
            rank = self.rank(tried, bonus)
            if rank <= best_rank:
                break
            displaced = _missing(best, tried)
            best, best_rank = tried, rank
            served = _sites(best.rest, best.routes)
            wanted = [*dict.fromkeys([*displaced, *(w for w in wanted if w not in served)])]
            if not wanted and round_ > 0:
                break
        return best

    def travellers(self, wanted: Sequence[str], most: int) -> list[str]:
        """Return the centers whose nights may be chosen anew: those that lost a visit or a night, then those that could
        gain most by the wanted sites."""
        touring = {c.id for c in self.rest.original.centers if c.nights > 0 and c.id in may_travel(self.rest)}
        hit = [visit.center for visit in self.lost()]
        hit += [night.center for night in nights_of(self.rest, self.plan)]
        sites = [
            self.rest.problem.site_by_id[name] for name in wanted if name in self.rest.problem.site_by_id
        ]
        gains: dict[str, float] = {}
        if sites and touring:
            scores = Scores(self.rest, sites)
            for (center, _), unit in self.rest.unit_of.items():
                if center in touring:
                    gain = scores.of(self.rest.problem.center_by_id[unit], self.nothing.get(unit)).max()
                    gains[center] = max(gains.get(center, 0.0), float(gain))
        near = sorted((c for c, gain in gains.items() if gain > 0), key=lambda c: -gains[c])
        found = list(dict.fromkeys(c for c in [*hit, *near] if c in touring))
        return found[: max(most, len({*hit} & touring))]

    def travelled(
        self, center: str, best: State, wanted: Sequence[str], bonus: int, until: float
    ) -> State | None:
        """Return the best state with one center's nights and days planned anew; None when that cannot be. Where it
        is done for today and stays out, it may also go on to do so."""
        keys = may_travel(best.rest).get(center)
        if keys is None:  # other nights tie it to days beyond the horizon
            return None
        spent = best.rest.nights.get(keys[0])
        stays = [keys[1:]] if spent is not None and spent not in best.rest.fixed else []
        tried = [self.toured(center, chosen, best, wanted, bonus, until) for chosen in (*stays, keys)]
        return max((one for one in tried if one is not None), key=lambda s: self.rank(s, bonus), default=None)

    def toured(
        self, center: str, keys: Sequence[Key], best: State, wanted: Sequence[str], bonus: int, until: float
    ) -> State | None:
        """Return the state with these days of a center planned anew, first as free as later days are, then as tight as
        today is."""
        nights: dict[Key, Visit | None] = {**_nights(best.rest), **dict.fromkeys(keys)}
        home = self.recut(nights)
        for tight in (False, True):
            tour = None
            if not self.over(until):
                tour = tour_of(home, best, keys, self.plan, wanted, bonus, tight=tight)
            soon = min(until, time.monotonic() + TOUR_SECONDS)
            answer = None if tour is None else self.solved(tour.problem, soon, self.seed, None)
            if tour is None or answer is None:
                return None
            days = timed_days(tour, answer)
            if days is None:
                continue
            rest = self.recut({**nights, **nights_after(days)})
            tried = State(rest, joined(best, rest, keys, days))
            if self.sound(tried):
                return tried
        return None

    def recut(self, nights: Nights) -> Rest:
        """Return the rest with other nights."""
        planned = self.rest.nights
        other = {center for (center, day), night in nights.items() if night != planned.get((center, day))}
        return self.cutting({key: night for key, night in nights.items() if key[0] in other}, self.rest)

    def sound(self, state: State) -> bool:
        """Say whether the state breaks no rule, the nights in a row from the past on included."""
        if not self.judged(state).feasible:
            return False
        whole = whole_plan(state.rest, self.plan, state.routes, 0)
        return not [f for f in Nightly(self.rest.original, whole.routes).faults() if f.code != "night_pinned"]

    def solved(self, part: Problem, until: float, seed: int, start: Plan | None) -> Plan | None:
        """Solve a part by the moment; None when the solver finds nothing."""
        left = until - time.monotonic()
        near = False

        def look(told: dict[str, Any]) -> None:
            nonlocal near
            near = near or (told["gap"] is not None and told["gap"] <= NEAR)

        def enough() -> bool:
            return near or (self.stop is not None and self.stop())

        try:
            found = solve(
                part, seconds=None if self.iterations is not None else left, iterations=self.iterations,
                seed=seed, threads=self.threads, start=start, progress=look, stop=enough, reasons=False,
            )  # fmt: skip
        except RoutingError:
            return None
        return found

    def over(self, until: float) -> bool:
        """Say whether there is no time for one more search, and note it."""
        over = until - time.monotonic() < MIN_SECONDS or (self.stop is not None and self.stop())
        self.cut = self.cut or over
        return over

    def until(self, name: str) -> float:
        """Return the moment by which an alternative must be done; never, under a limit in iterations."""
        if self.iterations is not None:
            return math.inf
        now = time.monotonic()
        return now + SHARE[name] * (self.began + (1 - SPARE) * self.seconds - now)

    def mean_worth(self) -> float:
        """Return what a visit of the standing plan is worth on average."""
        value = self.judged(self.idle).costs.value + sum(self.rest.fixed.values())
        count = len(visits_of(*self.idle))
        return value / max(1, count)

    def rank(self, state: State, bonus: int) -> int:
        """Return the objective less the price of changes; lowest for what breaks a rule."""
        verdict = self.judged(state)
        if not verdict.feasible:
            return -(10**18)
        changes = len(changes_of(state.rest, state.routes)[0])
        return verdict.objective + state.rest.standing - bonus * changes

    def alternative(self, name: str, state: State) -> Alternative:
        """Return the alternative that the state is."""
        rest, routes = state
        objective = self.judged(state).objective + rest.standing
        changes, kept = changes_of(rest, routes)
        nights = nights_of(rest, self.plan)
        return Alternative(
            name,
            whole_plan(rest, self.plan, routes, objective),
            tuple(routes.values()),
            objective,
            objective - self.base,
            self.undisturbed - objective,
            changes,
            kept,
            told_of(changes, nights),
            nights,
            {key: rest.nights.get(key) for key in rest.begins},
            stranded=tuple(self.lost()),
        )

    def so_far(self, found: Sequence[Alternative]) -> None:
        """Report progress, and hand over what there is already."""
        if self.progress is not None:
            elapsed = round(time.monotonic() - self.began, 2)
            self.progress({"phase": found[-1].name, "elapsed": elapsed, "objective": found[-1].objective})
        if self.keep is not None:
            self.keep(distinct(found, cut=True))

    def judged(self, state: State) -> Verdict:
        """Return the checker's verdict on a state, looked into once."""
        if id(state) not in self._verdicts:
            plan = Plan(state.rest.problem.name, tuple(state.routes.values()), 0)
            verdict = check(state.rest.problem, plan, travel=state.rest.travel, claims=False)
            self._verdicts[id(state)] = state, verdict
        return self._verdicts[id(state)][1]


def carried_on(rest: Rest) -> Routes:
    """Return what happens when nobody decides anything: every crew keeps to what was announced, later or shorter where
    it must, and leaves out what it cannot make."""
    wanted: dict[str, list[tuple[str, int, int | None]]] = {}
    nights = {(visit.key, visit.site) for visit in rest.fixed}
    for visit in sorted(rest.announced, key=lambda v: v.start):
        unit = rest.unit_of.get(visit.key)
        if unit is not None and (visit.key, visit.site) not in nights:
            wanted.setdefault(unit, []).append((visit.site, visit.stay, visit.start))
    routes: Routes = {}
    for unit, visits in wanted.items():
        center = rest.problem.center_by_id[unit]
        route = best_part(rest.problem, rest.travel, center, center.days[0], visits)
        if route is not None:
            routes[unit] = route
    return routes


def distinct(found: Sequence[Alternative], cut: bool = False) -> tuple[Alternative, ...]:
    """Return at most three alternatives that no other beats, by rising value: who disturbs more must gain something.
    `cut`: the search ended before it was done, which the last one says."""
    kept: list[Alternative] = []
    for one in sorted(found, key=lambda a: (_disturbance(a), -a.objective)):
        if not kept or one.objective > kept[-1].objective:
            kept.append(one)
    if len(kept) > MOST:
        kept.remove(min(kept[:-1], key=lambda a: (a.name != NOTHING, a.objective)))
    return (*kept[:-1], replace(kept[-1], cut=cut))


def _disturbance(one: Alternative) -> int:
    """How many must hear of it: changed visits, and crews whose day changes."""
    return len(one.changes) + len(one.told.crews)


def worth_of(rest: Rest, routes: Routes) -> int:
    """Return what the rest of the time is worth with these routes, nights included."""
    plan = Plan(rest.problem.name, tuple(routes.values()), 0)
    return check(rest.problem, plan, travel=rest.travel, claims=False).objective + rest.standing


def brought_home(calm: Rest, rest: Rest) -> int:
    """Return what the drives home cost that vans which broke down no longer make themselves: no gain of anybody's."""
    total = 0
    for key, begin in calm.begins.items():
        if key[1] == calm.day and key not in rest.begins and key not in rest.nights:
            total += calm.travel.leg(begin.place, calm.original.center_by_id[key[0]].depot)[1]
    return total


def _sites(rest: Rest, routes: Routes) -> set[str]:
    return {visit.site for visit in visits_of(rest, routes)}


def _missing(before: State, after: State) -> list[str]:
    return sorted(_sites(*before) - _sites(*after))


def _nights(rest: Rest) -> dict[Key, Visit | None]:
    """Return how every night that may be chosen is spent."""
    return {key: rest.nights.get(key) for key in rest.begins}
