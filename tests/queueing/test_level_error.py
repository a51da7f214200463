"""The stated error of the congestion level: what is said when an hour ends beside what it turns out to be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueing.congestion import CALM, SEVERE
from queueing.level_error import LATER, figures, levels
from queueing.waits.tickets import collect
from tests.queueing.test_alarms import line_day


def test_an_hour_whose_people_wait_on_is_called_calm_first_and_severe_later() -> None:
    """Twelve come within an hour and nobody is called before its end: those of its second half have not waited half an
    hour yet, so the level is too low then, and right when all have been called two hours later."""
    called = [1] * 13 + [1] * 24 + [13] * 3
    issued = [1 + min(k, 12) for k in range(40)]
    people = collect([line_day([i - c for i, c in zip(issued, called, strict=True)], called)])
    final, (at_end, later) = levels(people)
    assert final[0] == SEVERE and at_end[0] < SEVERE and at_end[0] <= later[0] <= SEVERE
    assert figures(people)["after_0_min"]["too_low"] == 0.5, "of two hours: one came as the second began"


def test_where_nobody_waits_the_first_word_stands() -> None:
    """Everybody is called within five minutes: every hour is calm, then and for ever."""
    people = collect([line_day([1] * 60, list(range(60)))])
    final, judged = levels(people)
    assert (final == CALM).all() and all((said == final).all() for said in judged)
    assert figures(people)["after_0_min"]["same"] == 1.0 and figures(people)["busy_hours"] == 0


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=40, max_size=90))
def test_a_level_only_rises_and_is_final_half_an_hour_after(steps: list[tuple[int, int]]) -> None:
    """Whatever comes: judged later it is never lower, and never above what it turns out to be."""
    issued, called, line = 1, 0, []
    numbers = []
    for come, go in steps:
        issued += come
        called = min(issued, called + go)
        numbers.append(called)
        line.append(issued - called)
    day = line_day(line, numbers)
    if day.issued[-1] <= day.issued[0]:
        return
    final, judged = levels(collect([day]))
    for earlier, then in zip(judged, [*judged[1:], final], strict=True):
        assert (earlier <= then).all()
    late = levels(collect([day]), later=(30.0,))[1][0]
    np.testing.assert_array_equal(late, final)
    assert LATER[0] == pytest.approx(0.0)
