"""The verdict on a plan, recomputed from the problem alone: every rule it breaks, and what it is worth.

Shares nothing with the solver but the travel times. The planner's screen shows these faults after a manual
move, so each has a stable code and says which route, stop and site it is about.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from routing.problem import Center, Problem, Site
from routing.solution import Costs, Plan, Route, Stop
from routing.travel import Travel


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken rule.

    `code` is one of: unknown_center, unknown_site, second_route, day_off, early_departure, early_start,
    closed, outside_hours, not_allowed, no_such_stay, late_return, too_much_driving, too_many_visits,
    visits_too_close, pin_missing, wrong_objective, bound_too_low. `center` and `day` name the route, `stop`
    the index in it (from 0).
    """

    code: str
    text: str
    center: str | None = None
    day: int | None = None
    stop: int | None = None
    site: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """All faults of a plan and its objective, taken apart."""

    faults: tuple[Fault, ...]
    costs: Costs

    @property
    def feasible(self) -> bool:
        """Whether no rule is broken."""
        return not self.faults

    @property
    def objective(self) -> int:
        """The objective that the rules give, whatever the plan says."""
        return self.costs.objective


@dataclass(frozen=True, slots=True)
class RouteVerdict:
    """What one route alone breaks, earns and costs, and the visits it makes as (site, start, stay)."""

    faults: tuple[Fault, ...]
    value: int
    travel: int
    fixed: int
    visits: tuple[tuple[str, int, int], ...]


def check(problem: Problem, plan: Plan, *, travel: Travel | None = None, claims: bool = True) -> Verdict:
    """Return the verdict on `plan`; with `claims`, also on the objective and bound that it states."""
    travel = travel or Travel(problem)
    faults: list[Fault] = []
    value = cost = fixed = 0
    visits: dict[str, list[int]] = defaultdict(list)
    made: set[tuple[str, int, str, int, int]] = set()
    seen: set[tuple[str, int]] = set()
    for route in plan.routes:
        if route.center in problem.center_by_id:
            if route.key in seen:
                text = f"{route.center} has two routes on day {route.day}"
                faults.append(Fault("second_route", text, route.center, route.day))
            seen.add(route.key)
        one = check_route(problem, travel, route)
        faults.extend(one.faults)
        value, cost, fixed = value + one.value, cost + one.travel, fixed + one.fixed
        for site, start, stay in one.visits:
            visits[site].append(route.day)
            made.add((route.center, route.day, site, start, stay))
    faults.extend(repeat_faults(problem, visits))
    faults.extend(pin_faults(problem, made))
    costs = Costs(value, cost, fixed, penalties(problem, {site: len(days) for site, days in visits.items()}))
    if claims:
        faults.extend(_claims(plan, costs.objective))
    return Verdict(tuple(faults), costs)


def check_route(problem: Problem, travel: Travel, route: Route) -> RouteVerdict:
    """Return what `route` breaks by itself, whatever the other routes do."""
    center = problem.center_by_id.get(route.center)
    if center is None:
        fault = Fault("unknown_center", f"no such center {route.center}", route.center, route.day)
        return RouteVerdict((fault,), 0, 0, 0, ())
    walk = _Walk(problem, travel, route, center)
    if route.day not in center.days:
        walk.say("day_off", f"does not work on day {route.day}")
    if route.stops:
        walk.run()
    return RouteVerdict(
        tuple(walk.faults), walk.value, walk.cost, center.fixed_cost if route.stops else 0, tuple(walk.visits)
    )


class _Walk:
    """Drives one route, minute by minute, noting what it breaks."""

    def __init__(self, problem: Problem, travel: Travel, route: Route, center: Center) -> None:
        self.problem, self.travel, self.route, self.center = problem, travel, route, center
        self.faults: list[Fault] = []
        self.visits: list[tuple[str, int, int]] = []
        self.value = self.cost = self.driven = 0
        self.clock, self.here = route.depart, center.depot

    def say(self, code: str, text: str, stop: int | None = None, site: str | None = None) -> None:
        where = f"{self.route.center} day {self.route.day}: {text}"
        self.faults.append(Fault(code, where, self.route.center, self.route.day, stop, site))

    def run(self) -> None:
        opens, closes = self.center.shift
        if self.clock < opens:
            self.say("early_departure", f"departs at {self.clock}, its shift starts at {opens}")
        for i, stop in enumerate(self.route.stops):
            site = self.problem.site_by_id.get(stop.site)
            if site is None:
                self.say("unknown_site", f"no such site {stop.site}", i, stop.site)
                break
            self.drive(site.place)
            self.serve(i, stop, site)
        self.drive(self.center.depot)
        if self.clock > closes:
            self.say("late_return", f"is back at {self.clock}, its shift ends at {closes}")
        limit = self.center.max_drive
        if limit is not None and self.driven > limit:
            self.say("too_much_driving", f"drives {self.driven} minutes, may drive {limit}")

    def drive(self, place: str) -> None:
        minutes, cost = self.travel.leg(self.here, place)
        self.clock, self.here = self.clock + minutes, place
        self.driven += minutes
        self.cost += cost

    def serve(self, i: int, stop: Stop, site: Site) -> None:
        day, name = self.route.day, stop.site
        ready = self.clock + self.center.setup
        if stop.start < ready:
            self.say(
                "early_start", f"opens at {name} at {stop.start}, is there and set up at {ready}", i, name
            )
        window = site.window(day)
        if window is None:
            self.say("closed", f"{name} is closed that day", i, name)
        elif stop.start < window[0] or stop.start + stop.stay > window[1]:
            hours = f"{stop.start} to {stop.start + stop.stay}, open {window[0]} to {window[1]}"
            self.say("outside_hours", f"stands at {name} from {hours}", i, name)
        if not site.allows(self.center.id):
            self.say("not_allowed", f"may not serve {name}", i, name)
        offers = site.offers_for(self.center.kind)
        value = next((offer.value for offer in offers if offer.stay == stop.stay), None)
        if value is None:
            self.say("no_such_stay", f"{name} offers no stay of {stop.stay} minutes", i, name)
        elif 0 <= day < len(self.problem.days):
            self.value += site.worth(value, day)
        self.visits.append((name, stop.start, stop.stay))
        self.clock = stop.start + stop.stay


def repeat_faults(problem: Problem, visits: Mapping[str, Sequence[int]]) -> list[Fault]:
    """Return what the visit days of each site break: too many, or too close together."""
    faults = []
    for name, unsorted in visits.items():
        site, days = problem.site_by_id[name], sorted(unsorted)
        if len(days) > site.max_visits:
            text = f"{name} gets {len(days)} visits, may get {site.max_visits}"
            faults.append(Fault("too_many_visits", text, site=name))
        if any(b - a < site.min_gap_days for a, b in itertools.pairwise(days)):
            text = f"{name} is visited on days {days}, at least {site.min_gap_days} days apart are due"
            faults.append(Fault("visits_too_close", text, site=name))
    return faults


def pin_faults(problem: Problem, made: Iterable[tuple[str, int, str, int, int]]) -> list[Fault]:
    """Return the pinned visits that are not among `made` (center, day, site, start, stay)."""
    made = set(made)
    return [
        Fault(
            "pin_missing",
            f"{pin.center} day {pin.day}: pinned {pin.stay} minutes at {pin.site} at {pin.start} are gone",
            pin.center,
            pin.day,
            site=pin.site,
        )
        for pin in problem.pinned
        if (pin.center, pin.day, pin.site, pin.start, pin.stay) not in made
    ]


def penalties(problem: Problem, visits: Mapping[str, int]) -> int:
    """Return what the groups' shortfalls cost, given the number of visits to each site."""
    return sum(
        max(0, group.at_least - sum(visits.get(site, 0) for site in group.sites)) * group.penalty
        for group in problem.groups
    )


def _claims(plan: Plan, objective: int) -> list[Fault]:
    faults = []
    if plan.objective != objective:
        faults.append(
            Fault("wrong_objective", f"the plan says objective {plan.objective}, it is {objective}")
        )
    if plan.bound is not None and plan.bound < objective:
        text = f"the plan claims a bound of {plan.bound}, below its own objective {objective}"
        faults.append(Fault("bound_too_low", text))
    return faults
