"""Day repair of tours with nights away: what is lost is planned anew, nights too, and every rule still holds."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing import Plan, Problem, ProblemError, check, solve
from routing.check import check_route
from routing.problem import Place, Window
from routing.repair import (
    Alternative,
    CenterOut,
    DemandChanged,
    Disruption,
    RoadSlowed,
    SiteClosed,
    Whereabouts,
    carried_on,
    repair,
    rest_of,
)
from routing.repair.search import worth_of
from routing.solution import Route, Stop, earliest
from routing.travel import Travel
from tests.routing.brute import optimum
from tests.routing.make import small, touring

quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
seeds = st.integers(0, 10**6)


@cache
def planned(seed: int, sites: int = 6) -> tuple[Problem, Plan]:
    """A random problem with nights away and, often, traffic, and a plan for it that keeps every rule."""
    for k in range(100):
        data = touring(1000 * seed + k, sites=sites, centers=2, days=3)
        data.pop("pinned", None)
        for center in data["centers"]:
            center.pop("starts", None)
            center["nights"] = max(1, center.get("nights", 0))
        try:
            problem = Problem.from_json(data)
            plan = solve(problem, iterations=8, threads=1)
        except ProblemError:
            continue
        if any(route.overnight for route in plan.routes):
            return problem, plan
    raise AssertionError("no tours")


def stops_of(plan: Plan) -> set[tuple[str, int, str, int, int]]:
    return {(r.center, r.day, s.site, s.start, s.stay) for r in plan.routes for s in r.stops}


def shut(problem: Problem, happened: list[Disruption]) -> Problem:
    """The problem with what is closed closed, and the days of those who are out taken away."""
    sites = []
    for site in problem.sites:
        windows: dict[str, Window] = {}
        for d in range(len(problem.days)):
            closed = [o for o in happened if isinstance(o, SiteClosed) and o.site == site.id]
            window = site.window(d)
            if window is not None and not any(o.first <= d <= o.last for o in closed):
                windows[str(d)] = window
        sites.append(replace(site, open=windows))
    return replace(problem, sites=tuple(sites), checked=True)


def tour() -> tuple[Problem, Plan, list[Route]]:
    """M1 goes out for three days: A and E, a night at E; C, a night at C; B and home. M2 serves nothing."""
    data = small(days=["2026-11-22", "2026-11-23", "2026-11-24"], format="fleet-problem/2")
    data["centers"][0] |= {"nights": 2, "night_cost": 5, "days": [0, 1, 2]}
    data["centers"][1] |= {"nights": 2, "night_cost": 5, "days": [0, 1, 2]}
    problem = Problem.from_json(data)
    travel = Travel(problem)
    routes = [
        earliest(problem, travel, "M1", 0, [("SA", 120), ("SE", 120)], overnight=True),
        earliest(problem, travel, "M1", 1, [("SC", 120)], origin="E", overnight=True),
        earliest(problem, travel, "M1", 2, [("SB", 120)], origin="C"),
    ]
    plan = Plan("small", tuple(routes), 0)
    assert check(problem, plan, claims=False).feasible
    return problem, plan, routes


def asked(
    problem: Problem, plan: Plan, happened: list[Disruption], day: int, minute: int
) -> list[Alternative]:
    """What a repair answers, judged: each keeps every rule as a whole plan."""
    found = repair(problem, plan, happened, day=day, minute=minute, iterations=4, threads=1)
    for one in found:
        assert check(shut(problem, happened), one.plan, claims=False).faults == ()
    return list(found)


def test_another_centers_breakdown_leaves_a_tour_as_it_is_unless_that_gains() -> None:
    """M2 breaks down: in the alternative that changes least M1 goes on its way, nights and all."""
    problem, plan, _ = tour()
    travel = Travel(problem)
    with_other = replace(plan, routes=(*plan.routes, earliest(problem, travel, "M2", 0, [("SB", 240)])))
    with_other = replace(with_other, routes=tuple(r for r in with_other.routes if r.key != ("M1", 2)))
    found = asked(problem, with_other, [CenterOut("M2", 0, 400, 2)], 0, 400)
    first = {r.key: r for r in found[0].plan.routes}
    assert [(s.site, s.start) for s in first["M1", 0].stops] == [
        (s.site, s.start) for s in plan.routes[0].stops
    ]
    assert first["M1", 0].overnight and first["M1", 1].overnight
    assert found[0].nights == ()


def test_a_van_that_breaks_down_on_its_second_day_loses_the_rest_and_others_take_it() -> None:
    """What M1 did stands, with its night; C and B go to M2, which was idle."""
    problem, plan, routes = tour()
    found = asked(problem, plan, [CenterOut("M1", 1, 400, 2)], 1, 400)
    for one in found:
        assert {s for s in stops_of(one.plan) if s[0] == "M1"} == {
            ("M1", 0, s.site, s.start, s.stay) for s in routes[0].stops
        }
        assert next(r for r in one.plan.routes if r.key == ("M1", 0)).overnight
    assert {s[2] for s in stops_of(found[-1].plan) if s[0] == "M2"} >= {"SC", "SB"}
    assert ("M1", 1) in found[-1].told.crews


def test_a_tour_whose_night_stop_is_flooded_is_planned_anew_from_where_it_stands() -> None:
    """SC is closed on the second day: the van starts at E, where it slept; nothing pretends that it is at home."""
    problem, plan, _ = tour()
    happened: list[Disruption] = [SiteClosed("SC", 1, 2)]
    rest = rest_of(problem, plan, happened, day=1, minute=400)
    assert rest.begins["M1", 1].place == "E" and rest.problem.center_by_id["M1@1"].begins(1) == ("E", 480)
    assert ("M1", 1) not in rest.nights
    found = asked(problem, plan, happened, 1, 400)
    assert [(n.center, n.day, n.before) for n in found[0].nights] == [("M1", 1, "SC")]
    assert ("M1", 1) in found[0].told.crews
    assert found[-1].gain >= 0


def test_a_tour_that_loses_its_first_stop_keeps_its_night() -> None:
    """SA is closed: the rest of the tour is as announced, the night at E too."""
    problem, plan, routes = tour()
    found = asked(problem, plan, [SiteClosed("SA", 0, 2)], 0, 0)
    kept = stops_of(found[0].plan)
    assert {("M1", 0, "SE", s.start, s.stay) for s in routes[0].stops[1:]} <= kept
    assert found[0].nights == () and found[0].kept == 3


def test_a_tour_that_loses_its_night_stop_sleeps_where_its_day_ends_now() -> None:
    """SE is closed: the van stays out at A, since tomorrow's visit lies ahead; no visit but SE changes."""
    problem, plan, _ = tour()
    found = asked(problem, plan, [SiteClosed("SE", 0, 2)], 0, 0)
    (night,) = found[0].nights
    assert (night.day, night.before, night.after) == (0, "SE", "SA")
    assert [change.site for change in found[0].changes] == ["SE"]


def test_coming_home_is_chosen_when_the_nights_no_longer_pay() -> None:
    """Nights cost more than they bring once the far place is closed: the best alternative spends none."""
    data = small(format="fleet-problem/2")
    data["centers"] = [data["centers"][0] | {"nights": 1, "night_cost": 60, "days": [0, 1]}]
    problem = Problem.from_json(data)
    travel = Travel(problem)
    routes = (
        earliest(problem, travel, "M1", 0, [("SA", 120), ("SE", 120)], overnight=True),
        earliest(problem, travel, "M1", 1, [("SC", 120)], origin="E"),
    )
    plan = Plan("small", routes, 0)
    best = asked(problem, plan, [SiteClosed("SE", 0, 1)], 0, 0)[-1]
    assert not any(route.overnight for route in best.plan.routes)
    assert best.objective == optimum(shut(problem, [SiteClosed("SE", 0, 1)]))


def test_a_van_that_has_come_to_its_night_stop_stays_or_comes_home() -> None:
    """At 14:00 M1 stands at E, its last stop: the night counts as spent unless an alternative says otherwise."""
    problem, plan, routes = tour()
    minute = routes[0].stops[-1].start
    rest = rest_of(problem, plan, [], day=0, minute=minute)
    assert rest.nights["M1", 0].site == "SE" and rest.fixed == {rest.nights["M1", 1]: 100}
    home = rest_of(problem, plan, [], day=0, minute=minute, nights={("M1", 0): None, ("M1", 1): None})
    assert home.problem.center_by_id["M1@0"].begins(0) == ("E", minute + 120)
    assert home.problem.center_by_id["M1@1"].begins(1) == ("D", 480)
    (one,) = asked(problem, plan, [], 0, minute)
    assert (one.changes, one.nights, one.gain, one.loss) == ((), (), 0, 0)


@quick
@given(seed=seeds, day=st.integers(0, 2), minute=st.sampled_from([0, 480, 560, 700, 900]))
def test_repaired_tours_keep_every_rule_and_what_they_say(seed: int, day: int, minute: int) -> None:
    """Judged by the checker, as the rest of the time and as the whole plan; the past stands; gains only rise."""
    problem, plan = planned(seed % 25)
    rnd = random.Random(seed)
    site, center = rnd.choice(problem.sites), rnd.choice(problem.centers)
    last = len(problem.days) - 1
    happened: list[Disruption] = rnd.sample(
        [
            SiteClosed(site.id, day, rnd.randint(day, last)),
            CenterOut(center.id, day, minute, rnd.randint(day, last)),
            DemandChanged(rnd.choice(problem.sites).id, rnd.choice([50, 300]), day, last),
        ],
        rnd.randint(1, 2),
    )
    found = repair(problem, plan, happened, day=day, minute=minute, iterations=3, threads=1)
    rest = rest_of(problem, plan, happened, day=day, minute=minute)
    base = worth_of(rest, carried_on(rest))
    for one in found:
        rest = rest_of(problem, plan, happened, day=day, minute=minute, nights=one.away)
        routes = Plan("", one.routes, 0)
        assert check(rest.problem, routes, claims=False).faults == ()
        worth = check(rest.problem, routes, claims=False).objective + rest.standing
        assert (one.objective, one.gain) == (worth, worth - base)
        assert check(shut_after(problem, happened, plan, rest.committed), one.plan, claims=False).faults == ()
        assert {s for s in stops_of(plan) if s[1] < day} == {s for s in stops_of(one.plan) if s[1] < day}
    assert [one.gain for one in found] == sorted({one.gain for one in found})


def shut_after(problem: Problem, happened: list[Disruption], plan: Plan, done: tuple[object, ...]) -> Problem:
    """As `shut`, but what was done before a place closed may stand."""
    closed = shut(problem, happened)
    kept = {getattr(visit, "site", None) for visit in done}
    sites = [old if old.id in kept else new for old, new in zip(problem.sites, closed.sites, strict=True)]
    return replace(closed, sites=tuple(sites), checked=True)


@settings(quick, max_examples=15)
@given(seed=seeds, day=st.integers(0, 1))
def test_a_repair_lies_between_leaving_out_what_is_lost_and_the_best_that_is_possible(
    seed: int, day: int
) -> None:
    """On small problems the best alternative is worth no more than the exhaustive search finds for the rest of it,
    and no less than when lost visits are just dropped."""
    problem, plan = planned(seed % 25, 4)
    rnd = random.Random(seed)
    happened: list[Disruption] = [
        rnd.choice(
            [
                SiteClosed(rnd.choice(sorted({s[2] for s in stops_of(plan)})), day, len(problem.days) - 1),
                CenterOut(rnd.choice(problem.centers).id, day, 0, len(problem.days) - 1),
            ]
        )
    ]
    found = repair(problem, plan, happened, day=day, minute=0, iterations=4, threads=1)
    now = rest_of(problem, plan, happened, day=day, minute=0)
    home = rest_of(problem, plan, happened, day=day, minute=0, nights=dict.fromkeys(now.begins))
    centers = []
    for center in problem.centers:
        days = tuple(d for d in center.days if (center.id, d) in now.begins)
        if days:
            begin = now.begins[center.id, days[0]]
            start = {str(days[0]): (begin.place, begin.minute)}
            away = begin.place != center.depot
            centers.append(replace(center, days=days, starts=start if away else {}))
    sites = [replace(site, centers=problem.site_by_id[site.id].centers) for site in home.problem.sites]
    whole = replace(home.problem, centers=tuple(centers), sites=tuple(sites), checked=True)
    best = optimum(whole)
    assert best is not None
    assert worth_of(now, carried_on(now)) <= found[-1].objective <= best


def test_a_slow_road_keeps_a_tour_on_its_way_when_it_can_be_late() -> None:
    """Driving to E takes twice as long today: the night is still spent there, a little later, or nearer."""
    problem, plan, _ = tour()
    road = RoadSlowed(0, 0, 200, (("A", "E"), ("D", "E")))
    for one in repair(problem, plan, [road], day=0, minute=0, iterations=4, threads=1):
        routes = {route.key: route for route in one.plan.routes}
        assert routes["M1", 0].overnight
        rest = rest_of(problem, plan, [road], day=0, minute=0, nights=one.away)
        assert check(rest.problem, Plan("", one.routes, 0), claims=False).feasible


@quick
@given(seed=seeds, day=st.integers(0, 1), late=st.sampled_from([0, 60, 240]))
def test_a_night_s_stop_is_only_promised_where_it_can_be_reached(seed: int, day: int, late: int) -> None:
    """Roads closed or slow, vans late and elsewhere: each day that ends away, driven from where the van is through its
    stops to the last one, breaks no rule of a day."""
    problem, plan = planned(seed % 25)
    rnd = random.Random(seed)
    here, there = rnd.choice(problem.places), rnd.choice(problem.places)
    away = rnd.choice([route for route in plan.routes if route.overnight])
    ends = ((here.lat or 0.0, here.lon or 0.0), ((there.lat or 0.0) + 0.05, there.lon or 0.0))
    road = RoadSlowed(day, len(problem.days) - 1, rnd.choice([None, 300]), radius_km=2.0, line=ends)
    where = Whereabouts(Place("@van", 30.1, 31.2), 480 + late)
    live = {away.center: where} if away.day == day else {}
    for one in repair(problem, plan, [road], day=day, minute=480, iterations=3, threads=1, live=live):
        rest = rest_of(problem, plan, [road], day=day, minute=480, live=live, nights=one.away)
        routes = {route.center: route for route in one.routes}
        for night in rest.fixed:
            begin, center = rest.begins[night.key], problem.center_by_id[night.center]
            limit = None if center.max_drive is None else center.max_drive - begin.driven
            center = replace(center, starts={str(night.day): (begin.place, begin.minute)}, max_drive=limit)
            world = replace(
                problem,
                places=rest.problem.places,
                travel=rest.problem.travel,
                centers=(center,),
                checked=True,
            )
            before = routes.get(rest.unit_of.get(night.key, ""))
            stops = (*(before.stops if before else ()), Stop(night.site, night.start, night.stay))
            route = Route(night.center, night.day, begin.minute, stops, overnight=True)
            assert check_route(world, rest.travel, route).faults == ()
