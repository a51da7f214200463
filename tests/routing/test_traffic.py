"""Traffic: legs by the clock are those of the definition, minute by minute, and nobody overtakes."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from routing import Problem, Traffic, Travel
from routing.traffic import Flow, Steps
from tests.routing.make import small

steps = st.lists(
    st.tuples(st.integers(0, 1500), st.integers(10, 1000)), max_size=5, unique_by=lambda s: s[0]
).map(lambda some: tuple(sorted(some)))
often = settings(max_examples=200, deadline=None, derandomize=True)


def percent(some: Steps, minute: int) -> int:
    """Return the percentage at a minute, by looking at every step."""
    found = 100
    for begin, value in some:
        if begin <= minute:
            found = value
    return found


def slow_arrival(one: Steps, other: Steps, depart: int, minutes: int) -> int:
    """Return the arrival by adding up the units of each minute, as the format defines it."""
    clock, way = depart, 0
    while way < 100 * minutes:
        way += 10000 // max(percent(one, clock), percent(other, clock))
        clock += 1
    return clock


@often
@given(one=steps, other=steps, depart=st.integers(-60, 1600), minutes=st.integers(0, 300))
def test_an_arrival_is_the_first_minute_with_enough_way_behind_it(
    one: Steps, other: Steps, depart: int, minutes: int
) -> None:
    assert Flow(one, other).arrive(depart, minutes) == slow_arrival(one, other, depart, minutes)


@often
@given(one=steps, other=steps, depart=st.integers(0, 1500), minutes=st.integers(0, 300))
def test_who_leaves_later_never_arrives_earlier(one: Steps, other: Steps, depart: int, minutes: int) -> None:
    flow = Flow(one, other)
    assert flow.arrive(depart, minutes) <= flow.arrive(depart + 1, minutes)


@often
@given(one=steps, other=steps, by=st.integers(0, 1600), minutes=st.integers(0, 300))
def test_the_latest_departure_arrives_in_time_and_a_minute_later_does_not(
    one: Steps, other: Steps, by: int, minutes: int
) -> None:
    flow = Flow(one, other)
    depart = flow.leave(by, minutes)
    assert flow.arrive(depart, minutes) <= by < flow.arrive(depart + 1, minutes)


@often
@given(depart=st.integers(-100, 2000), minutes=st.integers(0, 500))
def test_at_a_hundred_percent_a_leg_takes_the_minutes_of_the_table(depart: int, minutes: int) -> None:
    flow = Flow(((300, 100), (600, 100)))
    assert flow.arrive(depart, minutes) == depart + minutes
    assert flow.leave(depart + minutes, minutes) == depart


def with_traffic(traffic: dict[str, Any]) -> Problem:
    data = small(format="fleet-problem/2")
    data["travel"]["traffic"] = traffic
    return Problem.from_json(data)


def test_the_slower_of_two_regions_holds_and_days_may_differ() -> None:
    problem = with_traffic(
        {
            "regions": {"town": ["D"], "calm": ["B"]},
            "percent": {"town": {"0": [[480, 200]], "*": []}, "calm": [[0, 50]], "*": [[480, 125]]},
        }
    )
    travel = Travel(problem)
    minutes, _ = travel.leg("D", "A")
    assert travel.arrive("D", "A", 480, 0) == 480 + 2 * minutes == travel.arrive("A", "D", 480, 0)
    assert travel.arrive("D", "A", 480, 1) == 480 + -(-minutes * 100 // 80), "town is calm that day, * is not"
    back, _ = travel.leg("D", "B")
    assert travel.arrive("D", "B", 480, 1) == 480 + back, "100 of town against 50 of calm"
    assert travel.leave("D", "A", 480 + 2 * minutes, 0) == 480


def test_a_region_without_percentages_drives_as_places_without_a_region() -> None:
    problem = with_traffic({"regions": {"town": ["D", "A"]}, "percent": {"*": [[0, 200]]}})
    travel = Travel(problem)
    minutes, _ = travel.leg("D", "A")
    assert travel.arrive("D", "A", 480, 0) == 480 + 2 * minutes


def test_traffic_survives_writing_and_makes_the_file_a_second_version() -> None:
    problem = with_traffic(
        {"regions": {"town": ["D"]}, "percent": {"town": {"0": [[480, 150]]}, "*": [[0, 90]]}}
    )
    assert problem.traffic == Traffic({"town": ("D",)}, {"town": {"0": ((480, 150),)}, "*": ((0, 90),)})
    assert problem.to_json()["format"] == "fleet-problem/2"
    assert Problem.from_json(problem.to_json()) == problem
    assert Problem.from_json(small()).to_json()["format"] == "fleet-problem/1"
