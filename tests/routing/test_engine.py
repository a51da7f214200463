"""The parts of the engine, each against a plain recomputation: search of routes, cuts, tours, polishing, roads."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing import Problem, ProblemError, solve
from routing.engine.clock import Clock
from routing.engine.columns import Generation
from routing.engine.crew import Crew
from routing.engine.cuts import NO_CUTS, Fines, separate
from routing.engine.dive import dive
from routing.engine.fleet import Column, Fleet
from routing.engine.master import Master
from routing.engine.polish import Polish
from routing.engine.pricing import price
from routing.engine.primal import Ledger, fill, pack
from routing.engine.tours import _Tours, price_chain
from routing.travel import Travel
from tests.routing.make import rich, touring

several = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
seeds = st.integers(0, 10**6)


def fleet_of(data: dict[str, Any]) -> Fleet | None:
    """The fleet of a problem, None when its pins cannot be kept."""
    problem = Problem.from_json(data)
    try:
        return Fleet(problem, Travel(problem))
    except ProblemError:
        return None


def all_columns(fleet: Fleet, number: int) -> list[Column]:
    """Every way to fill a gap within one day, by trying all orders and stays."""
    gap = fleet.gaps[number]
    found = []
    for count in range(1, 4):
        for sites in itertools.permutations(gap.nodes.tolist(), count):
            stays = [[int(s) for s in gap.menu.stay[site] if s < 10**8] for site in sites]
            for some in itertools.product(*stays):
                column = fleet.column(number, list(zip(sites, some, strict=True)))
                if column is not None:
                    found.append(column)
    return found


def random_fines(rnd: random.Random, sites: int) -> tuple[Fines, list[set[int]]]:
    """A few cuts of three sites each, with prices, as the search reads them."""
    cuts = [set(rnd.sample(range(sites), 3)) for _ in range(rnd.randint(0, 3))] if sites > 2 else []
    listed: list[int] = []
    begin = [0]
    for site in range(sites):
        listed.extend(c for c, members in enumerate(cuts) if site in members)
        begin.append(len(listed))
    prices = np.array([rnd.choice([5.0, 40.0]) for _ in cuts])
    return Fines(np.array(begin, np.int64), np.array(listed, np.int64), prices), cuts


@several
@given(seed=seeds, matrix=st.booleans(), touring_too=st.booleans())
def test_the_search_finds_the_best_of_all_routes_at_any_prices(
    seed: int, matrix: bool, touring_too: bool
) -> None:
    data = touring(seed, sites=4, matrix=matrix) if touring_too else rich(seed, sites=4, matrix=matrix)
    fleet = fleet_of(data)
    if fleet is None:
        return
    rnd = random.Random(seed)
    prices = np.array([float(rnd.choice([0, 20, 80])) for _ in fleet.problem.sites])
    rent = float(rnd.choice([0, 30]))
    fines, cuts = random_fines(rnd, len(prices))
    for number, gap in enumerate(fleet.gaps):
        best: dict[frozenset[int], float] = {}
        for column in all_columns(fleet, number):
            sites = frozenset(site for site, _ in column.visits)
            paid = rent + sum(prices[site] for site in sites)
            paid += sum(fines.fine[c] for c, members in enumerate(cuts) if len(members & sites) > 1)
            best[sites] = max(best.get(sites, -1e9), column.profit - paid)
        wanted = {sites: worth for sites, worth in best.items() if worth > 1e-6}
        found = price(fleet, number, prices, rent, want=1000, fines=fines)
        assert found.whole
        got = {frozenset(s for s, _ in c.visits): worth for worth, c in found.columns}
        if gap.stops <= 3:
            assert got == pytest.approx(wanted)
            assert found.best == pytest.approx(max(wanted.values(), default=1e-6))


def all_tours(fleet: Fleet, gaps: tuple[int, ...], d: int) -> list[Column]:
    """Every tour that begins on day `d` of a chain with at most two visits a day."""
    days: list[list[tuple[tuple[int, int], ...]]] = []
    for g in gaps:
        gap = fleet.gaps[g]
        choices: list[tuple[tuple[int, int], ...]] = [()]
        single = [(i, int(s)) for i in gap.nodes.tolist() for s in gap.menu.stay[i] if s < 10**8]
        choices += [(one,) for one in single]
        choices += [(one, two) for one in single for two in single if one[0] != two[0]]
        days.append(choices)
    found = []
    for length in range(1, len(gaps) - d + 1):
        for parts in itertools.product(*days[d : d + length]):
            column = fleet.tour(list(zip(gaps[d : d + length], parts, strict=True)))
            if column is not None and Ledger(fleet).fits(column):
                found.append(column)
    return found


@settings(several, max_examples=25)
@given(seed=seeds, matrix=st.booleans())
def test_the_best_tour_with_nights_away_is_found(seed: int, matrix: bool) -> None:
    fleet = fleet_of(touring(seed, sites=2, centers=1, days=3, matrix=matrix))
    if fleet is None:
        return
    rnd = random.Random(seed)
    prices = np.array([float(rnd.choice([0, 20, 80])) for _ in fleet.problem.sites])
    rents = [float(rnd.choice([0, 30])) for _ in fleet.gaps]
    for chain in fleet.chains:
        if max(fleet.gaps[g].stops for g in chain.gaps) > 2:
            continue
        priced = price_chain(
            fleet,
            chain,
            [prices] * len(chain.gaps),
            [rents[g] for g in chain.gaps],
            fines=[NO_CUTS.on(len(prices))] * fleet.days,
        )
        for d, one in enumerate(priced):
            worth = [
                column.profit - sum(rents[g] + sum(prices[s] for s, _ in v) for g, v in column.parts)
                for column in all_tours(fleet, chain.gaps, d)
            ]
            assert one.best == pytest.approx(max([1e-6, *worth]))


@several
@given(seed=seeds, matrix=st.booleans())
def test_what_a_day_can_earn_from_a_place_is_what_its_best_route_earns(seed: int, matrix: bool) -> None:
    """Never less than any route found by looser bounds, and with at most two stops a day no more either."""
    fleet = fleet_of(touring(seed, sites=6, centers=2, matrix=matrix))
    if fleet is None:
        return
    rnd = random.Random(seed)
    prices = np.array([float(rnd.choice([0, 20, 80])) for _ in fleet.problem.sites])
    fines, _ = random_fines(rnd, len(prices))
    for chain in fleet.chains:
        days = len(chain.gaps)
        tours = _Tours(fleet, chain, [prices] * days, [7.0] * days, [fines] * fleet.days, -1e9, None, 9, None)
        for d in range(1, days):
            gap, left = tours.gaps[d], rnd.randint(0, chain.nights)
            board = tours.board(d, left)
            if board is None:
                continue
            most = tours.day(d, left)
            board.prepare(fleet, max(1, gap.stops))  # the looser bounds: by the clock alone
            before = tours.gaps[d - 1].nodes[tours.act[d - 1]]
            for q, site in enumerate(before.tolist()):
                start = tours.start(gap, int(fleet.place[site]))
                worth, path, _, whole = board.search(
                    fleet, start, -gap.fixed - 7.0, -1e9, 1000, tours.fines[gap.day]
                )
                assert whole
                but = int(tours.apart(d, board.act)[q])
                home = tours.homeward(d, int(fleet.place[site]))
                pairs = zip(worth.tolist(), path, strict=True)
                routes = [value for value, way in pairs if but not in way[2 : 2 + 2 * int(way[0]) : 2]]
                truth = max([home, *routes])
                assert most[q] >= truth - 1e-6
                if gap.stops <= 2:
                    assert most[q] == pytest.approx(truth)


def triangle() -> dict[str, Any]:
    """Three villages of which any two fit a day, and two vans: the linear bound is 1.5 days' worth."""
    places = [{"id": f"P{i}", "lat": 30.0 + 0.01 * i, "lon": 31.0} for i in range(3)]
    return {
        "format": "fleet-problem/1",
        "name": "triangle",
        "unit": "",
        "days": ["2026-01-03"],
        "places": places,
        "travel": {"minutes": [[0, 1, 1], [1, 0, 1], [1, 1, 0]], "cost": [[0] * 3] * 3},
        "centers": [
            {"id": f"C{i}", "depot": "P0", "days": [0], "shift": [0, 200], "class": "*"} for i in range(2)
        ],
        "sites": [
            {"id": f"S{i}", "place": f"P{i}", "open": [0, 200], "offers": [{"stay": 90, "value": 100}]}
            for i in range(3)
        ],
    }


def test_a_cut_is_found_where_three_half_routes_share_three_visits() -> None:
    fleet = fleet_of(triangle())
    assert fleet is not None
    master = Master(fleet)
    pairs = [fleet.column(0, [(a, 90), (b, 90)]) for a, b in itertools.combinations(range(3), 2)]
    columns = [column for column in pairs if column is not None]
    assert len(columns) == 3
    found = separate(master.rows.halves, [(column, 0.5) for column in columns], set(), 10)
    assert found == [tuple(sorted(master.rows.site_row[i] for i in range(3)))]
    assert separate(master.rows.halves, [(columns[0], 1.0)], set(), 10) == []


def test_cuts_lower_the_linear_bound_and_price_new_columns_rightly() -> None:
    fleet = fleet_of(triangle())
    assert fleet is not None
    fleet.gaps[0].members.append(("C2", 0, 0))  # three vans, so that three half routes fit
    master = Master(fleet)
    columns = [fleet.column(0, [(a, 90), (b, 90)]) for a, b in itertools.combinations(range(3), 2)]
    master.add(column for column in columns if column is not None)
    before = master.solve()
    assert before is not None
    assert master.objective == pytest.approx(300.0)
    master.add_cuts([tuple(sorted(master.rows.site_row[i] for i in range(3)))])  # type: ignore[list-item]
    after = master.solve()
    assert after is not None
    assert master.objective == pytest.approx(200.0)
    assert master.reduced(after).max() == pytest.approx(0.0)
    single = fleet.column(0, [(0, 90)])
    assert single is not None
    master.add([single])
    master.solve()
    assert master.objective == pytest.approx(300.0)  # a pair and the third alone


@several
@given(seed=seeds)
def test_polishing_never_makes_a_plan_worse_and_keeps_it_a_plan(seed: int) -> None:
    fleet = fleet_of(rich(seed, sites=6, centers=3))
    if fleet is None or not fleet.gaps:
        return
    clock = Clock(iterations=10)
    engine = Generation(fleet, clock, seed)
    engine.run([])
    start = Ledger(fleet)
    fill(start, clock, cap=2)
    master = Master(fleet)
    master.add(engine.best)
    for number in range(len(fleet.gaps)):
        master.add(all_columns(fleet, number)[:200])
    polish = Polish(fleet, master, start.columns, np.random.default_rng(seed))
    worth = start.objective()
    for _ in range(5):
        gain = polish.step(5.0)
        ledger = pack(fleet, polish.best())
        assert ledger.objective() >= worth + gain - 0.5
        worth = ledger.objective()


def test_polishing_finds_what_a_greedy_plan_missed() -> None:
    data = triangle()
    data["sites"][0]["offers"] = [{"stay": 180, "value": 150}, {"stay": 90, "value": 100}]
    fleet = fleet_of(data)
    assert fleet is not None
    poor = fleet.column(0, [(0, 180)])
    assert poor is not None
    master = Master(fleet)
    master.add(all_columns(fleet, 0))
    polish = Polish(fleet, master, [poor], np.random.default_rng(1))
    gained = sum(polish.step(5.0) for _ in range(3))
    assert poor.profit + gained == 350


@several
@given(seed=seeds)
def test_tables_of_roads_tell_what_the_clock_of_traffic_tells(seed: int) -> None:
    data = touring(seed, sites=3)
    problem = Problem.from_json(data)
    travel = Travel(problem)
    from routing.engine.roads import Roads

    roads = Roads(problem, travel)
    rnd = random.Random(seed)
    names = [place.id for place in problem.places]
    for _ in range(20):
        a, b, day = rnd.choice(names), rnd.choice(names), rnd.randrange(len(problem.days))
        minute = rnd.randint(300, 1300)
        i, j = problem.place_index[a], problem.place_index[b]
        assert roads.arrive(i, j, minute, day) == travel.arrive(a, b, minute, day)
        latest = int(roads.departures(np.array([i]), j, minute, day)[0])
        assert latest == travel.leave(a, b, minute, day)
        assert roads.arrive(i, j, max(0, latest), day) <= minute or latest < 0


@settings(several, max_examples=10)
@given(seed=seeds)
def test_the_same_seed_and_iterations_give_the_same_plan_on_any_number_of_threads(seed: int) -> None:
    problem = Problem.from_json(touring(seed, sites=6, centers=3))
    try:
        plans = [solve(problem, iterations=12, seed=5, threads=threads) for threads in (1, 2, 1)]
    except ProblemError:
        return
    assert plans[0].routes == plans[1].routes == plans[2].routes
    assert plans[0].bound == plans[1].bound


def test_prices_tell_what_one_more_day_and_one_visit_are_worth() -> None:
    """Three equal villages, one van that serves two of them: what is scarce is the van, and its worth with that of
    the villages makes the bound (duality of the linear program).
    """
    data = triangle()
    data["centers"] = data["centers"][:1]
    plan = solve(Problem.from_json(data), iterations=30)
    assert plan.prices is not None
    assert plan.prices.days["C0", 0] > 0
    assert plan.prices.days["C0", 0] + sum(plan.prices.visits.values()) == pytest.approx(200.0)
    assert plan.objective == plan.bound == 200


def generation(fleet: Fleet, master: Master) -> Generation:
    """An engine that stands after its linear program, with `master` solved over the columns it has."""
    engine = Generation(fleet, Clock(iterations=10), 1)
    engine.crew = Crew(fleet, engine.clock, 1)
    master.solve()
    return engine


def test_a_dive_prices_the_routes_that_what_it_fixed_makes_room_for() -> None:
    fleet = fleet_of(triangle())
    assert fleet is not None
    fleet.gaps[0].members.append(("C2", 0, 0))
    master = Master(fleet)
    columns = [fleet.column(0, [(a, 90), (b, 90)]) for a, b in itertools.combinations(range(3), 2)]
    master.add(column for column in columns if column is not None)
    engine = generation(fleet, master)
    made = dive(master, engine.clock, None, engine.price_rest)
    engine.crew.close()
    assert sum(column.profit for column in made) == 300  # a pair, and the third alone, which no column held
    assert master.objective == pytest.approx(300.0)
    assert sorted(master.values.tolist()) == pytest.approx([0.5, 0.5, 0.5])


@several
@given(seed=seeds, touring_too=st.booleans())
def test_a_dive_makes_a_plan_and_leaves_the_linear_program_as_it_was(seed: int, touring_too: bool) -> None:
    fleet = fleet_of(touring(seed, sites=4) if touring_too else rich(seed, sites=6, centers=3))
    if fleet is None or not fleet.gaps:
        return
    master = Master(fleet)
    for number in range(len(fleet.gaps)):
        master.add(all_columns(fleet, number)[:200])
    engine = generation(fleet, master)
    before, values = master.objective, master.values
    made = dive(master, engine.clock, None, engine.price_rest)
    engine.crew.close()
    ledger = pack(fleet, made)
    assert ledger.columns == made
    assert master.values is values
    master.solve()
    worth = master.objective
    assert before - 1e-6 <= worth
    assert ledger.objective() - fleet.constant <= worth + 1e-6


def test_forgetting_columns_keeps_what_is_known_of_the_others() -> None:
    """The values of the last solution stay with their columns, so that a plan can still be made from them."""
    fleet = fleet_of(rich(3, sites=6, centers=3))
    assert fleet is not None
    master = Master(fleet)
    master.add(column for number in range(len(fleet.gaps)) for column in all_columns(fleet, number))
    assert master.solve(None) is not None
    before = {c: v for c, v in zip(master.columns, master.values.tolist(), strict=True) if v > 1e-9}
    count = len(master.columns)
    master.keep(-1.0)
    assert len(master.columns) < count
    pairs = zip(master.columns, master.values.tolist(), strict=True)
    assert {column: value for column, value in pairs if value > 1e-9} == before
