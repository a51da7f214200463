"""The verdict on a plan, recomputed from the problem alone: every rule it breaks, and what it is worth.

Shares nothing with the solver but the travel times. The planner's screen shows these faults after a manual
move, so each has a stable code and says which route, stop and site it is about.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from routing.nights import Nights
from routing.problem import Center, Problem, Site
from routing.solution import Costs, Plan, Route, Stop
from routing.travel import Travel
from routing.verdict import Fault, RouteVerdict, Verdict

__all__ = [
    "Fault",
    "RouteVerdict",
    "Verdict",
    "check",
    "check_route",
    "penalties",
    "pin_faults",
    "repeat_faults",
]


def check(problem: Problem, plan: Plan, *, travel: Travel | None = None, claims: bool = True) -> Verdict:
    """Return the verdict on `plan`; with `claims`, also on the objective and bound that it states."""
    travel = travel or Travel(problem)
    nights = Nights(problem, plan.routes)
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
        one = check_route(problem, travel, replace(route, origin=nights.origin(route.key)))
        faults.extend(one.faults)
        value, cost, fixed = value + one.value, cost + one.travel, fixed + one.fixed
        for site, start, stay in one.visits:
            visits[site].append(route.day)
            made.add((route.center, route.day, site, start, stay))
    for home in nights.drives_home():
        one = check_route(problem, travel, home)
        faults.extend(one.faults)
        cost += one.travel
    faults.extend(nights.faults())
    faults.extend(repeat_faults(problem, visits))
    faults.extend(pin_faults(problem, made))
    short = penalties(problem, {site: len(days) for site, days in visits.items()})
    costs = Costs(value, cost, fixed, short, nights.cost())
    if claims:
        faults.extend(_claims(plan, costs.objective))
    return Verdict(tuple(faults), costs)


def check_route(problem: Problem, travel: Travel, route: Route) -> RouteVerdict:
    """Return what `route` breaks by itself, whatever the other routes do.

    It starts from its `origin`, or where the center begins that day when it has none. Without stops it stays in, or
    drives home when it starts somewhere else.
    """
    center = problem.center_by_id.get(route.center)
    if center is None:
        fault = Fault("unknown_center", f"no such center {route.center}", route.center, route.day)
        return RouteVerdict((fault,), 0, 0, 0, ())
    walk = _Walk(problem, travel, route, center)
    if route.day not in center.days:
        walk.say("day_off", f"does not work on day {route.day}")
    if route.overnight and not route.stops:
        walk.say("overnight_empty", "spends the night where it stops, and it does not stop")
    if route.stops or walk.here != center.depot:
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
        self.clock = route.depart
        self.here, self.opens = center.begins(route.day)
        if route.origin is not None and str(route.day) not in center.starts:
            self.here = route.origin

    def say(self, code: str, text: str, stop: int | None = None, site: str | None = None) -> None:
        where = f"{self.route.center} day {self.route.day}: {text}"
        self.faults.append(Fault(code, where, self.route.center, self.route.day, stop, site))

    def run(self) -> None:
        closes = self.center.shift[1]
        if self.clock < self.opens:
            self.say("early_departure", f"departs at {self.clock}, its shift starts at {self.opens}")
        for i, stop in enumerate(self.route.stops):
            site = self.problem.site_by_id.get(stop.site)
            if site is None:
                self.say("unknown_site", f"no such site {stop.site}", i, stop.site)
                break
            self.drive(site.place)
            self.serve(i, stop, site)
        if not self.route.overnight:
            self.drive(self.center.depot)
        if self.clock > closes and self.route.overnight:
            self.say("late_finish", f"is done at {self.clock}, its shift ends at {closes}")
        elif self.clock > closes:
            self.say("late_return", f"is back at {self.clock}, its shift ends at {closes}")
        limit = self.center.max_drive
        if limit is not None and self.driven > limit:
            self.say("too_much_driving", f"drives {self.driven} minutes, may drive {limit}")

    def drive(self, place: str) -> None:
        minutes, cost = self.travel.leg(self.here, place)
        self.clock = self.travel.arrive(self.here, place, self.clock, self.route.day)
        self.here = place
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
