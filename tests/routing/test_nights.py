"""Nights away and days under way: what the checker judges, what it costs, and what a problem may say of them."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from routing import Plan, PlanError, Problem, ProblemError, Route, Travel, check, move_cost
from routing.check import check_route
from routing.solution import describe, earliest, with_origins
from tests.routing.make import small

Json = dict[str, Any]
ALL_DAY = [480, 960]


def away(*, pins: list[Json] | None = None, **changes: Any) -> Json:
    """Return a problem over Sunday, Monday and Wednesday: one center that may be away for three nights."""
    center: Json = {
        "id": "M1",
        "depot": "D",
        "days": [0, 1, 2],
        "shift": ALL_DAY,
        "class": "small",
        "nights": 3,
    }
    data = small(
        format="fleet-problem/2",
        days=["2026-11-22", "2026-11-23", "2026-11-25"],
        centers=[center | {"night_cost": 5} | changes],
    )
    if pins is not None:
        data["pinned"] = [{"center": "M1", "stay": 120} | pin for pin in pins]
    return data


def plan(*routes: tuple[int, str, bool]) -> Plan:
    """Return a plan of M1 with one visit of 120 minutes at 11:00 on each day named."""
    return Plan.from_json(
        {
            "routes": [
                {
                    "center": "M1",
                    "day": day,
                    "depart": 480,
                    "overnight": night,
                    "stops": [{"site": site, "start": 660, "stay": 120}],
                }
                for day, site, night in routes
            ]
        }
    )


def codes(data: Json, made: Plan) -> list[tuple[str, int | None]]:
    verdict = check(Problem.from_json(data), made, claims=False)
    return [(fault.code, fault.day) for fault in verdict.faults]


def test_a_night_away_saves_the_way_home_and_costs_its_price() -> None:
    problem = Problem.from_json(away())
    travel = Travel(problem)
    verdict = check(problem, plan((0, "SA", True), (1, "SB", False)), claims=False)
    assert verdict.feasible
    legs = [("D", "A"), ("A", "B"), ("B", "D")]
    assert verdict.costs.travel == sum(travel.leg(a, b)[1] for a, b in legs)
    assert verdict.costs.nights == 5
    assert verdict.objective == 200 - verdict.costs.travel - 5


def test_nights_are_calendar_days_and_add_up_over_a_tour() -> None:
    """Sunday to Wednesday is three nights; the tour ends at home, and a new one starts from none."""
    tour = plan((0, "SA", True), (1, "SB", True), (2, "SC", False))
    problem = Problem.from_json(away())
    assert check(problem, tour, claims=False).costs.nights == 3 * 5
    assert codes(away(nights=2), tour) == [("too_many_nights", 1)]
    assert codes(away(nights=0), tour) == [("too_many_nights", 0)]
    assert codes(away(nights=2), plan((0, "SA", False), (1, "SB", True), (2, "SC", False))) == []


def test_a_day_after_a_night_away_drives_home_even_without_a_route() -> None:
    problem = Problem.from_json(away())
    travel = Travel(problem)
    cost = travel.leg("D", "A")[1] + travel.leg("A", "D")[1]
    alone = plan((0, "SA", True))
    assert check(problem, alone, claims=False).costs.travel == cost
    empty = Plan("", (*alone.routes, Route("M1", 1, 480, ())), 0)
    assert check(problem, empty, claims=False).costs.travel == cost, "a route without stops is the same drive"
    assert codes(away(max_drive=travel.leg("D", "A")[0] - 1), alone) == [
        ("too_much_driving", 0),
        ("too_much_driving", 1),
    ]


def test_the_fixed_cost_is_due_for_days_with_stops_only() -> None:
    verdict = check(Problem.from_json(away(fixed_cost=30)), plan((0, "SA", True)), claims=False)
    assert verdict.costs.fixed == 30


def test_a_last_day_and_an_empty_day_end_at_home() -> None:
    assert codes(away(), plan((2, "SA", True))) == [("overnight_last_day", 2)]
    empty = Plan("", (Route("M1", 0, 480, (), overnight=True),), 0)
    assert codes(away(), empty) == [("overnight_empty", 0)]


def test_a_stop_before_a_night_away_is_done_by_the_end_of_the_shift() -> None:
    tight = away(shift=[480, 779])
    assert codes(tight, plan((0, "SA", True))) == [("late_finish", 0)]
    assert codes(away(shift=[480, 780]), plan((0, "SA", True))) == []
    assert ("late_return", 0) in codes(away(shift=[480, 780]), plan((0, "SA", False)))


def test_a_claimed_origin_is_not_believed() -> None:
    """A route that says it starts at its first stop still has to drive there."""
    made = plan((0, "SA", False)).to_json()
    made["routes"][0]["origin"] = "A"
    problem = Problem.from_json(away())
    honest = check(problem, plan((0, "SA", False)), claims=False)
    assert check(problem, Plan.from_json(made), claims=False) == honest


def test_origins_follow_from_the_night_before() -> None:
    routes = plan((0, "SA", True), (1, "SB", True), (2, "SC", False)).routes
    problem = Problem.from_json(away())
    assert [route.origin for route in with_origins(problem, routes)] == [None, "A", "B"]
    under_way = Problem.from_json(away(starts={"0": ["E", 700], "2": ["D", 480]}))
    assert [route.origin for route in with_origins(under_way, routes)] == ["E", "A", None]


def test_pins_settle_the_night_after_them() -> None:
    home = away(pins=[{"day": 0, "site": "SA", "start": 660}])
    stay = away(pins=[{"day": 0, "site": "SA", "start": 660, "overnight": True}])
    assert codes(home, plan((0, "SA", False))) == codes(stay, plan((0, "SA", True))) == []
    assert codes(home, plan((0, "SA", True))) == codes(stay, plan((0, "SA", False))) == [("night_pinned", 0)]


def test_no_stop_follows_a_visit_that_is_pinned_to_the_night() -> None:
    data = away(pins=[{"day": 0, "site": "SA", "start": 540, "overnight": True}])
    made = plan((0, "SA", True)).to_json()
    made["routes"][0]["stops"][0]["start"] = 540
    assert codes(data, Plan.from_json(made)) == []
    made["routes"][0]["stops"].append({"site": "SB", "start": 740, "stay": 120})
    assert codes(data, Plan.from_json(made)) == [("night_pinned", 0)]


def test_a_free_day_before_pins_or_a_start_ends_at_home() -> None:
    made = plan((0, "SA", True), (1, "SB", False))
    assert codes(away(pins=[{"day": 1, "site": "SB", "start": 660}]), made) == [("night_pinned", 0)]
    assert codes(away(starts={"1": ["D", 480]}), made) == [("night_pinned", 0)]


def test_a_day_under_way_starts_from_its_place_and_minute() -> None:
    data = away(starts={"0": ["E", 600]}, days=[0])
    problem = Problem.from_json(data)
    travel = Travel(problem)
    route = earliest(problem, travel, "M1", 0, [("SA", 120)])
    assert route.origin == "E" and route.depart == 600
    verdict = check(problem, Plan("", (route,), 0), claims=False)
    assert verdict.feasible
    assert verdict.costs.travel == travel.leg("E", "A")[1] + travel.leg("A", "D")[1]
    early = Plan.from_json({"routes": [{"center": "M1", "day": 0, "depart": 590, "stops": []}]})
    assert codes(data, early) == [("early_departure", 0)]
    idle = check(problem, Plan("", (), 0), claims=False)
    assert idle.feasible and idle.costs.travel == travel.leg("E", "D")[1]


def test_a_day_that_starts_too_late_to_get_home_is_a_fault_of_every_plan() -> None:
    assert codes(away(starts={"0": ["E", 950]}, days=[0]), Plan("", (), 0)) == [("late_return", 0)]
    assert codes(away(starts={"0": ["D", 990]}, days=[0]), Plan("", (), 0)) == []


def test_one_route_alone_is_judged_from_its_origin() -> None:
    problem = Problem.from_json(away())
    travel = Travel(problem)
    route = earliest(problem, travel, "M1", 1, [("SB", 120)], origin="A", overnight=True)
    one = check_route(problem, travel, route)
    assert one.faults == () and one.travel == travel.leg("A", "B")[1]
    told = describe(problem, travel, route)
    assert told.back == route.stops[0].start + 120 and told.drive == travel.leg("A", "B")[0]
    assert told.origin == "A" and told.overnight


def test_a_move_that_ends_a_night_away_sends_the_next_day_off_from_home() -> None:
    problem = Problem.from_json(away())
    travel = Travel(problem)
    old = plan((0, "SA", True), (1, "SB", False))
    move = move_cost(problem, old, [plan((0, "SA", False)).routes[0]])
    assert move.faults == ()
    cost = {leg: travel.leg(*leg)[1] for leg in [("A", "B"), ("A", "D"), ("D", "B")]}
    assert move.difference == 5 + cost["A", "B"] - cost["A", "D"] - cost["D", "B"]


def test_plans_with_nights_survive_writing_as_a_second_version() -> None:
    problem = Problem.from_json(away())
    routes = tuple(
        describe(problem, Travel(problem), route)
        for route in with_origins(problem, plan((0, "SA", True), (1, "SB", False)).routes)
    )
    made = Plan("small", routes, 1)
    assert made.to_json()["format"] == "fleet-plan/2"
    assert Plan.from_json(json.loads(json.dumps(made.to_json()))) == made
    with pytest.raises(PlanError, match=r"routes\[0\]\.overnight"):
        Plan.from_json(made.to_json() | {"format": "fleet-plan/1"})
    assert plan((0, "SA", False)).to_json()["format"] == "fleet-plan/1"


def test_problems_with_nights_survive_writing() -> None:
    pins = [{"day": 0, "site": "SA", "start": 660, "overnight": True}]
    problem = Problem.from_json(away(pins=pins, starts={"2": ["E", 500]}))
    assert problem.pinned[0].overnight and problem.centers[0].starts == {"2": ("E", 500)}
    assert Problem.from_json(json.loads(json.dumps(problem.to_json()))) == problem


WRONG: list[tuple[Json, list[Json], str]] = [
    ({"nights": -1}, [], "centers[0].nights: must not be negative"),
    ({"night_cost": 1.5}, [], "centers[0].night_cost: must be a whole number"),
    ({"starts": []}, [], "centers[0].starts: must be an object {day index: [place id, minute]}"),
    ({"starts": {"7": ["D", 1]}}, [], "centers[0].starts.7: no such day '7', there are 3"),
    (
        {"starts": {"1": ["D", 1]}, "days": [0]},
        [],
        "centers[0].starts.1: the center does not work that day",
    ),
    ({"starts": {"1": ["X", 1]}}, [], "centers[0].starts.1[0]: no such place 'X'"),
    ({"starts": {"1": ["D", -1]}}, [], "centers[0].starts.1[1]: must not be negative"),
    (
        {},
        [{"day": 0, "site": "SA", "start": 660, "overnight": 1}],
        "pinned[0].overnight: must be true or false",
    ),
    (
        {},
        [{"day": 2, "site": "SA", "start": 660, "overnight": True}],
        "pinned[0].overnight: M1 has no working day after it to come home",
    ),
    (
        {},
        [
            {"day": 0, "site": "SA", "start": 510, "overnight": True},
            {"day": 0, "site": "SB", "start": 700},
        ],
        "pinned[0].overnight: must be on the last visit of its day",
    ),
    (
        {"nights": 2},
        [
            {"day": 0, "site": "SA", "start": 660, "overnight": True},
            {"day": 1, "site": "SB", "start": 660, "overnight": True},
        ],
        "pinned[1].overnight: makes 3 nights in a row, M1 may be away for 2",
    ),
]


@pytest.mark.parametrize(("changes", "pins", "fault"), WRONG, ids=[case[2] for case in WRONG])
def test_each_wrong_night_or_start_is_one_fault_with_its_path(
    changes: Json, pins: list[Json], fault: str
) -> None:
    with pytest.raises(ProblemError) as caught:
        Problem.from_json(away(pins=pins, **changes))
    assert caught.value.faults == (fault,)


def test_a_file_of_the_first_version_may_not_use_the_second() -> None:
    data = away(pins=[{"day": 0, "site": "SA", "start": 660, "overnight": True}], starts={})
    data["travel"] = copy.deepcopy(data["travel"]) | {"traffic": {"percent": {}}}
    data["format"] = "fleet-problem/1"
    with pytest.raises(ProblemError) as caught:
        Problem.from_json(data)
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        "travel.traffic",
        "centers[0].nights",
        "centers[0].night_cost",
        "centers[0].starts",
        "pinned[0].overnight",
    ]
    del data["format"]
    assert Problem.from_json(data).format == "fleet-problem/2", "a file that names no version may use both"


TRAFFIC: list[tuple[Any, str]] = [
    ([], "travel.traffic: must be an object {regions, percent}"),
    ({}, "travel.traffic.percent: is missing"),
    ({"percent": {"town": []}}, "travel.traffic.percent.town: no such region 'town'"),
    (
        {"regions": {"a": ["D"], "b": ["D"]}, "percent": {}},
        "travel.traffic.regions.b[0]: 'D' is already in a region",
    ),
    ({"regions": {"a": ["X"]}, "percent": {}}, "travel.traffic.regions.a[0]: no such place 'X'"),
    (
        {"regions": {"*": []}, "percent": {}},
        "travel.traffic.regions.*: must have a name of its own: * is every place without a region",
    ),
    ({"percent": {"*": [[5, 9]]}}, "travel.traffic.percent.*[0][1]: must be at least 10"),
    ({"percent": {"*": [[5, 1001]]}}, "travel.traffic.percent.*[0][1]: must be at most 1000"),
    (
        {"percent": {"*": {"0": [[5, 90], [5, 80]]}}},
        "travel.traffic.percent.*.0[1][0]: must come after minute 5, is 5",
    ),
    ({"percent": {"*": {"3": []}}}, "travel.traffic.percent.*.3: no such day '3', there are 3"),
]


@pytest.mark.parametrize(("traffic", "fault"), TRAFFIC, ids=[case[1] for case in TRAFFIC])
def test_each_wrong_traffic_is_one_fault_with_its_path(traffic: Any, fault: str) -> None:
    data = away()
    data["travel"] = data["travel"] | {"traffic": traffic}
    with pytest.raises(ProblemError) as caught:
        Problem.from_json(data)
    assert caught.value.faults == (fault,)


def test_the_example_in_the_description_is_what_it_says() -> None:
    """docs/routing.md: its problem is valid, its plan feasible and worth what it claims."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "routing.md").read_text(encoding="utf-8")
    data, made = (
        json.loads(found)
        for found in re.findall(
            r"^`(?:problem|plan)\.json`\n```json\n(.*?)^```", text, re.DOTALL | re.MULTILINE
        )
    )
    problem, written = Problem.from_json(data), Plan.from_json(made)
    verdict = check(problem, written)
    assert verdict.faults == () and verdict.costs.nights == 40
    first, second, _ = with_origins(problem, written.routes)
    assert describe(problem, Travel(problem), first).stops[0].arrival == 480 + 224
    assert second.origin == "Dakhla"
