"""Simulated citizens rate as people might: few, once, after their service, and crosser the longer they waited."""

from __future__ import annotations

import statistics
from itertools import pairwise

from fleet.simulation.day import play
from fleet.simulation.opinions import RATES, opinion
from fleet.simulation.rows import QueueRows, add_day, with_opinions
from fleet.simulation.scenario import arrivals
from queueing.rating import REASONS, SCORES
from tests.fleet.simulation_cast import plain_scenario


def test_few_say_something_and_long_waits_make_cross() -> None:
    """About one in twelve; over an hour and a half the mean falls from above 4 to below 3; a key says one thing."""
    short = [opinion(f"a-{n}", 0.0) for n in range(20_000)]
    long = [opinion(f"a-{n}", 5400.0) for n in range(20_000)]
    kind, cross = ([one for one in some if one is not None] for some in (short, long))
    assert abs(len(kind) / 20_000 - RATES) < 0.01 and len(cross) == len(kind)
    assert statistics.fmean(one.score for one in kind) > 4 > 3 > statistics.fmean(one.score for one in cross)
    assert opinion("a-7", 60.0) == opinion("a-7", 60.0)
    assert all(
        one.score in SCORES and one.after_s > 0 and (not one.reason or one.reason in REASONS) for one in kind
    )


def test_ratings_stand_among_the_events_in_the_order_of_time() -> None:
    """Each rated ticket was finished before and is rated once; nothing is said after the day's last event."""
    scenario = plain_scenario(rates=((0.0, 18_000.0, 60.0),), desks=8, closes_s=18_000.0)
    played = play(scenario, arrivals(scenario, 3))
    told = with_opinions(7, played)
    assert all(one.at <= other.at for one, other in pairwise(told)) and told[-1].at == played.entries[-1].at
    rated = [entry for entry in told if entry.action == "rate"]
    assert len(told) == len(played.entries) + len(rated) and len(rated) > 5
    ended = {id(entry.slip): entry.at for entry in told if entry.action == "finish"}
    assert len({id(entry.slip) for entry in rated}) == len(rated)
    assert all(entry.at > ended[id(entry.slip)] for entry in rated)
    rows = QueueRows(7, seq=0)
    add_day(rows, played)
    assert [event[10] for event in rows.events] == list(range(1, len(told) + 1)), "their numbers rise by one"
    assert len({event[9] for event in rows.events}) == len(rows.events), "each has a request of its own"
