"""One queue's day: against queueing theory, and against the rules of tickets."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.relief import erlang_c
from fleet.simulation.behaviour import Person, arrival_times
from fleet.simulation.day import Played, play
from fleet.simulation.scenario import arrivals
from fleet.simulation.steps import Held, next_step
from queueing.ticket import AT_DESK, MOVES
from tests.fleet.simulation_cast import QUICK, plain_scenario

HOUR = 3600.0


def somebody(service_s: float, patience_s: float = math.inf, priority: int = 0) -> Person:
    """A person without walking, recalls or papers: what the formulas know."""
    return Person(QUICK[0], priority, patience_s, 0.0, 1, service_s, 0.0, 0.0, 0.0)


def long_run(desks: int, per_hour: float, people: int, draw_service, patience=None, seed: int = 5) -> Played:  # type: ignore[no-untyped-def]
    draw = Random(seed)
    closes = people / per_hour * HOUR
    scenario = plain_scenario(rates=((0.0, closes, per_hour),), desks=desks, closes_s=closes)
    crowd = [
        (at, somebody(draw_service(draw), math.inf if patience is None else patience(draw)))
        for at in arrival_times(draw, scenario.rates)
    ]
    return play(scenario, crowd)


def mean_and_error(values: list[float], batches: int = 25) -> tuple[float, float]:
    """Mean and its standard error by batch means: waits that follow each other are alike."""
    values = values[len(values) // 20 :]
    size = len(values) // batches
    means = [statistics.fmean(values[i * size : (i + 1) * size]) for i in range(batches)]
    return statistics.fmean(means), statistics.stdev(means) / math.sqrt(batches)


def waits(played: Played) -> list[float]:
    return [(s.called_at - s.issued_at).total_seconds() for s in played.slips if s.called_at is not None]


@pytest.mark.parametrize(("desks", "per_hour"), [(1, 6.0), (2, 15.0), (4, 33.0)])
def test_waits_agree_with_erlang_c(desks: int, per_hour: float) -> None:
    """M/M/c: E[W] = C(c, a) / (c mu - lambda)."""
    mean_service = 400.0
    played = long_run(desks, per_hour, 30_000, lambda draw: draw.expovariate(1 / mean_service))
    load = per_hour / HOUR * mean_service
    theory = erlang_c(load, desks) / (desks / mean_service - per_hour / HOUR)
    mean, error = mean_and_error(waits(played))
    assert abs(mean - theory) < 3.5 * error and error < 0.15 * theory


def test_waits_agree_with_pollaczek_and_khinchine() -> None:
    """M/G/1 with triangular service: E[W] = lambda E[S^2] / (2 (1 - rho))."""
    low, mode, high, rate = 200.0, 400.0, 900.0, 5.5 / HOUR
    mean_s = (low + mode + high) / 3
    square = (low**2 + mode**2 + high**2 + low * mode + low * high + mode * high) / 6
    played = long_run(1, rate * HOUR, 30_000, lambda draw: draw.triangular(low, high, mode))
    mean, error = mean_and_error(waits(played))
    theory = rate * square / (2 * (1 - rate * mean_s))
    assert abs(mean - theory) < 3.5 * error and error < 0.1 * theory


def test_people_who_leave_agree_with_erlang_a() -> None:
    """M/M/2 with exponential patience: the share who leave, from the birth-and-death chain."""
    desks, rate, mu, theta = 2, 20.0 / HOUR, 1 / 400.0, 1 / 900.0
    weight, chain = 1.0, [1.0]
    for n in range(1, 200):
        weight *= rate / (min(n, desks) * mu + max(0, n - desks) * theta)
        chain.append(weight)
    leaving = sum(max(0, n - desks) * p for n, p in enumerate(chain)) * theta / sum(chain) / rate
    played = long_run(
        desks, rate * HOUR, 30_000, lambda draw: draw.expovariate(mu), lambda draw: draw.expovariate(theta)
    )
    left = [float(slip.state == "left") for slip in played.slips]
    mean, error = mean_and_error(left)
    assert abs(mean - leaving) < 3.5 * error and 0.1 < leaving < 0.4


def test_priority_waits_less_and_the_others_pay_for_it() -> None:
    draw = Random(3)
    scenario = plain_scenario(rates=((0.0, 400 * HOUR, 7.0),), desks=1, closes_s=400 * HOUR)
    crowd = [
        (at, somebody(draw.expovariate(1 / 400.0), priority=int(draw.random() < 0.2)))
        for at in arrival_times(draw, scenario.rates)
    ]
    played = play(scenario, crowd)
    by_class: dict[int, list[float]] = defaultdict(list)
    for slip in played.slips:
        if slip.called_at is not None:
            by_class[slip.priority].append((slip.called_at - slip.issued_at).total_seconds())
    assert statistics.fmean(by_class[1]) < 0.75 * statistics.fmean(by_class[0])


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    desks=st.integers(1, 5),
    per_hour=st.floats(1, 60),
    recalls=st.integers(0, 2),
)
def test_every_event_is_a_legal_move_and_a_desk_has_one_person_at_a_time(
    seed: int, desks: int, per_hour: float, recalls: int
) -> None:
    scenario = plain_scenario(rates=((0.0, 4 * HOUR, per_hour),), desks=desks, closes_s=4 * HOUR)
    scenario = replace(scenario, line=replace(scenario.line, recall_limit=recalls))
    played = play(scenario, arrivals(scenario, seed))
    states: dict[int, str | None] = defaultdict(lambda: None)
    at_desk: dict[int, int] = {}
    for before, after in pairwise(played.entries):
        assert before.at <= after.at
    for entry in played.entries:
        number = entry.slip.number
        assert entry.state_from == states[number]
        assert MOVES[(entry.state_from, entry.action)] == entry.state_to
        states[number] = entry.state_to
        if entry.state_to in AT_DESK:
            assert entry.desk_id is not None and at_desk.setdefault(entry.desk_id, number) == number
        elif entry.state_from in AT_DESK:
            assert entry.desk_id is not None and at_desk.pop(entry.desk_id) == number
    assert [slip.number for slip in played.slips] == list(range(1, len(played.slips) + 1))
    assert all(slip.ended_at is not None for slip in played.slips), "after closing nobody stands anywhere"
    assert max((s for s in (slip.recalls for slip in played.slips)), default=0) <= recalls


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), minute=st.integers(1, 300))
def test_a_day_played_up_to_an_instant_is_the_beginning_of_the_whole_day(seed: int, minute: int) -> None:
    scenario = plain_scenario(rates=((0.0, 4 * HOUR, 25.0),), desks=2, closes_s=4 * HOUR)
    people = arrivals(scenario, seed)
    until = scenario.at(minute * 60.0)
    whole = [(e.slip.number, e.action, e.at, e.desk_id) for e in play(scenario, people).entries]
    part = [(e.slip.number, e.action, e.at, e.desk_id) for e in play(scenario, people, until=until).entries]
    assert part == [row for row in whole if row[2] <= until]


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), minute=st.integers(5, 230))
def test_the_live_day_expects_of_every_open_ticket_what_the_played_day_does_next(
    seed: int, minute: int
) -> None:
    """`steps.next_step` (live) and `day.play` (bulk) are two tellings of one behaviour: same action, same
    second."""
    scenario = plain_scenario(rates=((0.0, 4 * HOUR, 25.0),), desks=3, closes_s=4 * HOUR)
    people = arrivals(scenario, seed)
    until = scenario.at(minute * 60.0)
    part = play(scenario, people, until=until)
    history: dict[int, set[str]] = defaultdict(set)
    for entry in part.entries:
        history[entry.slip.number].add(entry.action)
    following: dict[int, tuple[str, float]] = {}
    for entry in play(scenario, people).entries:
        if entry.at > until:
            following.setdefault(entry.slip.number, (entry.action, scenario.second(entry.at)))
    for slip in part.slips:
        if slip.state not in AT_DESK:
            continue
        held = Held(slip.number, slip.person, True)
        seen = history[slip.number]
        held.missed, held.parked, held.redirected = "miss" in seen, "park" in seen, "redirect" in seen
        held.take(slip)
        step = next_step(held, cool_down_s=300, recall_limit=3)
        assert step is not None
        action, second = following[slip.number]
        assert step[1] == action and scenario.second(step[0]) == pytest.approx(second, abs=1.5)


def test_the_same_seed_makes_the_same_day_and_another_seed_another() -> None:
    scenario = plain_scenario(rates=((0.0, 4 * HOUR, 25.0),), desks=2, closes_s=4 * HOUR)

    def story(seed: int) -> list[tuple[int, str, float]]:
        entries = play(scenario, arrivals(scenario, seed)).entries
        return [(e.slip.number, e.action, scenario.second(e.at)) for e in entries]

    assert story(1) == story(1)
    assert story(1) != story(2)


def test_people_are_missed_parked_recalled_and_sent_on_now_and_then() -> None:
    scenario = plain_scenario(rates=((0.0, 60 * HOUR, 42.0),), desks=5, closes_s=60 * HOUR)
    actions = [entry.action for entry in play(scenario, arrivals(scenario, 1)).entries]
    for action in ("recall", "miss", "requeue", "park", "resume", "redirect", "leave"):
        assert actions.count(action) >= 3, action
