"""Why and where: every price stated is what carrying it out gives, every obstacle named is real.

Plans are drawn at random, so that free time, bad uses of time, nights away, starts under way and traffic all occur.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import Plan, Problem, Route, Travel, check, load, move_cost, solve
from routing.explain import Board, Visit, explain, pin_cost, ways, why_not, why_visit
from routing.explain.pins import unpinned
from routing.explain.why import BLOCKS
from routing.problem import Pin
from routing.solution import earliest, with_origins
from tests.routing.make import rich, small
from tests.routing.referee import SHARED, needs_instances

SEEDS = st.integers(0, 10**6)
often = settings(max_examples=60, deadline=None, derandomize=True)


def drawn(seed: int, *, sites: int = 7, centers: int = 3, days: int = 3) -> tuple[Problem, Plan]:
    """A random problem with everything the format can say, and a random plan that breaks none of its rules."""
    rnd = random.Random(seed)
    data = rich(seed, sites=sites, centers=centers, days=days, matrix=rnd.random() < 0.3)
    if rnd.random() < 0.6:
        newer(rnd, data)
    problem = Problem.from_json(data)
    travel = Travel(problem)
    for pin in problem.pinned:  # traffic may have made it impossible
        route = earliest(problem, travel, pin.center, pin.day, [(pin.site, pin.stay)])
        if check_one(problem, travel, route):
            problem = replace(problem, pinned=(), checked=True)
    return problem, random_plan(problem, rnd)


def newer(rnd: random.Random, data: dict[str, Any]) -> None:
    """Add nights away, a start under way and traffic."""
    for center in data["centers"]:
        center.update(rnd.choice([{}, {"nights": 1}, {"nights": 2, "night_cost": 7}]))
    if "pinned" not in data and rnd.random() < 0.5:
        center = rnd.choice(data["centers"])
        center["starts"] = {str(center["days"][0]): ["P1", rnd.choice([500, 600])]}
    if rnd.random() < 0.6:
        steps = [[0, 90], [450, rnd.choice([100, 150])], [560, 100], [840, 180]]
        data["travel"]["traffic"] = {"regions": {"town": ["D0", "P0", "P2"]}, "percent": {"town": steps}}
    data["format"] = "fleet-problem/2"


def random_plan(problem: Problem, rnd: random.Random) -> Plan:
    """Pinned visits, and random others (and nights away) as far as no rule is broken."""
    travel = Travel(problem)
    routes: dict[tuple[str, int], Route] = {}
    for pin in problem.pinned:
        routes[pin.center, pin.day] = earliest(
            problem, travel, pin.center, pin.day, [(pin.site, pin.stay)], overnight=pin.overnight
        )
    for _ in range(25):
        center = rnd.choice(problem.centers)
        day, site = rnd.choice(center.days), rnd.choice(problem.sites)
        offers = site.offers_for(center.kind)
        if not offers:
            continue
        now = routes.get((center.id, day))
        visits = [(s.site, s.stay) for s in now.stops] if now else []
        visits.insert(rnd.randint(0, len(visits)), (site.id, rnd.choice(offers).stay))
        origins = {r.key: r.origin for r in with_origins(problem, routes.values())}
        origin = origins.get((center.id, day))
        overnight = (now.overnight if now else False) or (center.nights > 0 and rnd.random() < 0.6)
        tried = {
            **routes,
            (center.id, day): earliest(
                problem, travel, center.id, day, visits, origin=origin, overnight=overnight
            ),
        }
        made = with_origins(problem, tried.values())
        if not check(problem, Plan("", made, 0), travel=travel, claims=False).faults:
            routes = {r.key: r for r in made}
    plan = Plan(problem.name, tuple(routes.values()), 0)
    return replace(plan, objective=check(problem, plan, claims=False).objective)


def visits_of(plan: Plan) -> list[Visit]:
    return [Visit(*r.key, s.site, s.start, s.stay) for r in plan.routes for s in r.stops]


def loose(problem: Problem, plan: Plan) -> list[Visit]:
    """The visits that may be moved: not pinned, and not a night's place."""
    pins = {(p.center, p.day, p.site, p.start, p.stay) for p in problem.pinned}
    nights = {r.key: r.stops[-1].start for r in plan.routes if r.overnight}
    return [
        v
        for v in visits_of(plan)
        if (v.center, v.day, v.site, v.start, v.stay) not in pins and nights.get(v.key) != v.start
    ]


def carried_out(problem: Problem, plan: Plan, edited: tuple[Route, ...]) -> int:
    """The difference that the referee's code finds; no rule may be broken."""
    move = move_cost(problem, plan, edited)
    assert not move.faults, [f.text for f in move.faults]
    return move.difference


@often
@given(seed=SEEDS)
def test_the_boards_objective_is_the_referees(seed: int) -> None:
    problem, plan = drawn(seed)
    nights = check(problem, plan, claims=False).costs.nights
    assert Board(problem, plan).objective() == plan.objective + nights


@often
@given(seed=SEEDS)
def test_every_way_in_breaks_no_rule_and_costs_what_it_says(seed: int) -> None:
    problem, plan = drawn(seed)
    board = Board(problem, plan)
    for site in problem.sites:
        for way in ways(board, site.id):
            assert carried_out(problem, plan, way.edited) == way.gain
            after = visits_of(move_cost(problem, plan, way.edited).plan)
            assert way.visit in after
            assert sum(v.site == site.id for v in after) == 1 + sum(
                v.site == site.id for v in visits_of(plan)
            )
            for gone in way.dropped:
                assert gone.site not in [v.site for v in after if v.key == gone.key]
            assert all(new in after for _, new in way.moved)


@often
@given(seed=SEEDS)
def test_every_other_place_for_a_visit_breaks_no_rule_and_costs_what_it_says(seed: int) -> None:
    problem, plan = drawn(seed)
    board = Board(problem, plan)
    for visit in loose(problem, plan):
        for way in ways(board, visit.site, visit=visit):
            assert carried_out(problem, plan, way.edited) == way.gain
            after = visits_of(move_cost(problem, plan, way.edited).plan)
            assert way.visit in after and way.visit != visit
            assert len(after) == len(visits_of(plan)) - len(way.dropped)


@often
@given(seed=SEEDS)
def test_no_single_insertion_is_better_than_the_best_way(seed: int) -> None:
    """Against every order of every day with the place in it, alone or instead of one stop, tried one by one."""
    problem, plan = drawn(seed, sites=6, centers=2, days=2)
    board, travel = Board(problem, plan), Travel(problem)
    pins = {(p.center, p.day, p.site, p.start, p.stay) for p in problem.pinned}
    routes = {r.key: r for r in with_origins(problem, plan.routes)}
    origins = {c.id: {d: board.start_of((c.id, d))[0] for d in c.days} for c in problem.centers}
    for site in problem.sites:
        best: dict[tuple[str, int], int] = {}
        for center in problem.centers:
            for day in center.days:
                route = routes.get((center.id, day))
                now = list(route.stops) if route else []
                keeps = [
                    k
                    for k, s in enumerate(now)
                    if s.site == site.id
                    or (center.id, day, s.site, s.start, s.stay) in pins
                    or (route and route.overnight and k == len(now) - 1)
                ]
                away = bool(route and route.overnight)
                for out in [None, *(k for k in range(len(now)) if k not in keeps)]:
                    kept = [(s.site, s.stay) for k, s in enumerate(now) if k != out]
                    for at, offer in itertools.product(
                        range(len(kept) + (0 if away else 1)), site.offers_for(center.kind)
                    ):
                        order = [*kept[:at], (site.id, offer.stay), *kept[at:]]
                        origin = origins[center.id][day]
                        made = earliest(
                            problem, travel, center.id, day, order, overnight=away,
                            origin=None if str(day) in center.starts else origin,
                        )  # fmt: skip
                        move = move_cost(problem, plan, [made], travel=travel)
                        if not move.faults:
                            key = (center.id, day)
                            best[key] = max(best.get(key, -(10**9)), move.difference)
        found = {w.visit.key: w.gain for w in ways(board, site.id, most=100)}
        for key, gain in best.items():
            assert found.get(key, -(10**9)) >= gain, (site.id, key)


@often
@given(seed=SEEDS)
def test_every_obstacle_named_is_real(seed: int) -> None:
    """Each center's day is told once; what is told there is what the referee's code says of every try."""
    problem, plan = drawn(seed, sites=6, centers=3, days=2)
    board, travel = Board(problem, plan), Travel(problem)
    empty = Plan("", (), 0)
    bare = replace(problem, pinned=(), checked=True)
    for site in problem.sites:
        told = why_not(board, site.id).blocks
        keys = [key for some in told.values() for key in some]
        assert sorted(keys) == sorted((c.id, d) for c in problem.centers for d in range(len(problem.days)))
        assert list(told) == [code for code in BLOCKS if code in told]
        for code, some in told.items():
            for center, day in some:
                kind = problem.center_by_id[center].kind
                origin = (
                    board.start_of((center, day))[0] if day in problem.center_by_id[center].days else None
                )
                if origin is not None and str(day) in problem.center_by_id[center].starts:
                    origin = None
                stays = [o.stay for o in site.offers_for(kind)] or [120]
                alone = [
                    {
                        f.code
                        for f in check_one(
                            bare, travel, earliest(bare, travel, center, day, [(site.id, s)], origin=origin)
                        )
                    }
                    for s in stays
                ]
                if code in ("full", "not_worth", "open", "pinned", "visited", "no_value"):
                    assert set() in alone or code in ("visited", "no_value")
                expected = {
                    "day_off": {"day_off"}, "not_allowed": {"not_allowed"}, "no_offer": {"no_such_stay"},
                    "closed": {"closed"}, "hours_too_short": {"outside_hours"},
                    "too_much_driving": {"too_much_driving"}, "too_far": {"late_return", "outside_hours"},
                }.get(code)  # fmt: skip
                if expected:
                    assert all(faults & expected for faults in alone), (code, alone)
                if code == "no_value":
                    assert all(
                        site.worth(o.value, day) <= 0
                        for o, faults in zip(site.offers_for(kind), alone, strict=True)
                        if not faults
                    )
                if code in ("full", "pinned"):
                    assert not any(
                        w.kind == "free" and w.visit.key == (center, day) for w in all_ways(board, site.id)
                    )
                if code == "open":
                    assert any(w.visit.key == (center, day) and w.gain > 0 for w in all_ways(board, site.id))
    assert not empty.routes


def check_one(problem: Problem, travel: Travel, route: Route) -> Any:
    from routing.check import check_route

    return check_route(problem, travel, route).faults


def all_ways(board: Board, site: str) -> Any:
    return ways(board, site, most=1000)


@often
@given(seed=SEEDS)
def test_what_a_visit_brings_is_what_dropping_it_loses(seed: int) -> None:
    problem, plan = drawn(seed)
    board = Board(problem, plan)
    for visit in loose(problem, plan):
        why = why_visit(board, visit)
        route = board.routes[visit.key]
        rest = replace(
            route, stops=tuple(s for s in route.stops if (s.site, s.start) != (visit.site, visit.start))
        )
        move = move_cost(problem, plan, [rest])
        if not move.faults and why.worth is not None:
            assert move.difference == -why.worth
        assert why.value == next(
            problem.site_by_id[visit.site].worth(o.value, visit.day)
            for o in problem.site_by_id[visit.site].offers_for(problem.center_by_id[visit.center].kind)
            if o.stay == visit.stay
        )
        for way in (*why.otherwise, *why.elsewhere):
            assert carried_out(problem, plan, way.edited) == way.gain
            assert why.margin is not None and why.margin <= -way.gain
        assert all(way.visit.site != visit.site and way.visit.key == visit.key for way in why.otherwise)


@often
@given(seed=SEEDS)
def test_a_night_is_neither_moved_nor_ended_by_a_move(seed: int) -> None:
    """The visit where a center stays the night cannot go by itself; nobody's way touches where it sleeps."""
    problem, plan = drawn(seed)
    board = Board(problem, plan)
    nights = {r.key: r.stops[-1] for r in plan.routes if r.overnight}
    for key, stop in nights.items():
        why = why_visit(board, Visit(*key, stop.site, stop.start, stop.stay))
        assert (why.worth, why.otherwise, why.elsewhere) == (None, (), ())
    for site in problem.sites:
        for way in ways(board, site.id):
            for route in way.edited:
                assert route.overnight == (route.key in nights)
                if route.overnight:
                    assert route.stops[-1].site == nights[route.key].site


@often
@given(seed=SEEDS)
def test_a_pin_costs_at_least_what_a_plan_without_it_gains(seed: int) -> None:
    """The change is possible without the pin and forbidden with it."""
    problem, plan = drawn(seed)
    some = loose(problem, plan)
    if not some:
        return
    visit = random.Random(seed).choice(some)
    pin = Pin(visit.center, visit.day, visit.site, visit.start, visit.stay)
    pinned = replace(problem, pinned=(*problem.pinned, pin), checked=True)
    if check(pinned, plan, claims=False).faults:
        return  # a night that the pin would end
    cost = pin_cost(pinned, plan, visit)
    assert cost.at_least >= 0
    if cost.way is not None:
        assert carried_out(unpinned(pinned, visit), plan, cost.way.edited) == cost.at_least > 0
        assert "pin_missing" in {f.code for f in move_cost(pinned, plan, cost.way.edited).faults}
    elif cost.at_least:
        assert cost.dropping == cost.at_least


def test_days_and_centers_that_are_closed_to_changes_stay_as_they_are() -> None:
    """No way touches them, neither for the place itself nor for who gives way."""
    problem = Problem.from_json(small())
    plan = solve(problem, iterations=10)
    board = Board(problem, plan)
    for site in problem.sites:
        for visit in [
            None,
            *(v for v in visits_of(plan) if v.site == site.id and v.day == 1 and v.center == "M1"),
        ]:
            for way in ways(board, site.id, visit=visit, closed_days={0}, closed_centers={"M2"}):
                assert {(r.center, r.day) for r in way.edited} <= {("M1", 1)}


def test_a_chain_finds_what_no_single_change_does() -> None:
    """SA fits only where SB stands, SB fits elsewhere too: SA replaces SB and SB moves, at the price of the move."""
    data = small(days=["2026-11-22", "2026-11-23"], centers=[small()["centers"][0]])
    a, b, *_ = data["sites"]
    a["open"], b["open"] = {"0": [510, 900]}, [510, 900]
    for site, value in ((a, 100), (b, 90)):
        site["offers"] = [{"stay": 300, "value": value}]
    data["sites"] = [a, b]
    problem = Problem.from_json(data)
    route = earliest(problem, Travel(problem), "M1", 0, [("SB", 300)])
    plan = Plan("", (route,), 0)
    (best, *_) = ways(Board(problem, plan), "SA")
    assert best.kind == "chain" and [(o.site, o.day, n.day) for o, n in best.moved] == [("SB", 0, 1)]
    assert best.gain > 0 and carried_out(problem, plan, best.edited) == best.gain


def test_what_is_nearest_is_told_with_minutes_and_km() -> None:
    problem = Problem.from_json(small())
    travel = Travel(problem)
    plan = Plan("", (earliest(problem, travel, "M1", 0, [("SA", 120)]),), 0)
    (near,) = why_not(Board(problem, plan), "SB").nearest
    assert near.visit == Visit("M1", 0, "SA", plan.routes[0].stops[0].start, 120)
    assert near.minutes == travel.leg("B", "A")[0]
    assert near.km == pytest.approx(travel.km("B", "A"), abs=0.05)


@needs_instances
def test_a_national_week_answers_each_question_exactly() -> None:
    """1,000 sites: the ways of some places and visits, carried out, give what they say."""
    problem = load(SHARED / "instances" / "national" / "EG1000d6r-s7.json.gz")
    plan = solve(problem, seconds=3, threads=1)
    travel = Travel(problem)
    board = Board(problem, plan, travel=travel)
    rnd = random.Random(1)
    unserved = explain(problem, plan, board=board)
    for one in rnd.sample(unserved, 3):
        found = why_not(board, one.site)
        assert sum(map(len, found.blocks.values())) == len(problem.centers) * len(problem.days)
        for way in found.ways[:3]:
            move = move_cost(problem, plan, way.edited, travel=travel)
            assert (move.faults, move.difference) == ((), way.gain)
    for visit in rnd.sample(visits_of(plan), 3):
        why = why_visit(board, visit)
        for way in (*why.otherwise[:2], *why.elsewhere[:2]):
            move = move_cost(problem, plan, way.edited, travel=travel)
            assert (move.faults, move.difference) == ((), way.gain)
