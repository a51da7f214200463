"""The promised range, without a database."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueing.wait import AT_ONCE_S, DAY_SPREAD, estimate, expected, shrunk
from tests.builders import MORNING

counts = st.integers(0, 300)
some_desks = st.integers(1, 20)
paces = st.floats(30, 3600)
cv2s = st.floats(0, 5)


def test_nobody_promises_a_wait_where_no_desk_is_open() -> None:
    """No desk: no seconds, but still how many are ahead and as of when."""
    wait = estimate(7, 0, 300, as_of=MORNING)
    assert (wait.low_s, wait.high_s, wait.known, wait.ahead, wait.as_of) == (None, None, False, 7, MORNING)


def test_the_middle_is_people_to_be_taken_times_pace_over_desks() -> None:
    """Five ahead at three desks of ten minutes each: six are taken at 3:20, twenty minutes."""
    assert expected(5, 3, 600) == 1200
    assert expected(5, 3, 600, free=2) == 800


def test_a_free_desk_and_nobody_ahead_is_at_once() -> None:
    """Who is next at a free desk waits a minute at most."""
    wait = estimate(0, 2, 600, free=1, as_of=MORNING)
    assert (wait.low_s, wait.high_s) == (0, AT_ONCE_S)


def test_who_is_among_the_next_may_be_called_this_moment() -> None:
    """With one or two people to be taken the range begins at zero, with three it does not."""
    lows = [estimate(ahead, 1, 600, as_of=MORNING).low_s for ahead in (0, 1, 2)]
    assert lows[:2] == [0, 0] and lows[2] > 300  # type: ignore[operator]


@given(counts, some_desks, paces, cv2s)
def test_optimistic_is_at_most_pessimistic(ahead: int, desks: int, pace: float, cv2: float) -> None:
    """The range holds its middle."""
    wait = estimate(ahead, desks, pace, cv2=cv2, as_of=MORNING)
    middle = expected(ahead, desks, pace)
    assert wait.low_s is not None and wait.high_s is not None and middle is not None
    assert 0 <= wait.low_s <= middle + 0.5 and middle - 0.5 <= wait.high_s


@given(counts, some_desks, paces, cv2s)
def test_both_ends_fall_as_people_leave(ahead: int, desks: int, pace: float, cv2: float) -> None:
    """One person fewer ahead never makes either end later."""
    more = estimate(ahead + 1, desks, pace, cv2=cv2, as_of=MORNING)
    less = estimate(ahead, desks, pace, cv2=cv2, as_of=MORNING)
    assert less.low_s <= more.low_s and less.high_s <= more.high_s  # type: ignore[operator]


def test_the_range_holds_eight_of_ten_waits_of_its_own_model() -> None:
    """Drawn from the stated causes (gamma service times, log-normal days), 80% of the waits lie in the
    range."""
    draw = Random(5)
    for ahead, desks, cv2 in ((3, 1, 0.5), (6, 2, 0.8), (30, 3, 1.2)):
        wait = estimate(ahead, desks, 400, cv2=cv2, as_of=MORNING)
        inside = 0
        runs = 4000
        for _ in range(runs):
            day = math.exp(draw.gauss(0, DAY_SPREAD))
            people = sum(draw.gammavariate(1 / cv2, cv2 * 400) for _ in range(ahead + 1))
            inside += wait.low_s <= people * day / desks <= wait.high_s  # type: ignore[operator]
        assert 0.74 < inside / runs < 0.86, (ahead, inside / runs)


@pytest.mark.parametrize(
    "bad", [(-1, 1, 60.0, 0), (1, -1, 60.0, 0), (1, 1, 0.0, 0), (1, 1, float("nan"), 0), (1, 1, 60.0, -1)]
)
def test_nonsense_is_refused(bad: tuple[int, int, float, int]) -> None:
    """Negative counts and paces that are not positive raise instead of promising."""
    ahead, desks, pace, free = bad
    with pytest.raises(ValueError):
        estimate(ahead, desks, pace, free=free, as_of=MORNING)


def test_few_observations_barely_move_the_prior_and_many_replace_it() -> None:
    """Shrinkage: 3 of weight 30 move a tenth of the way, 3,000 nearly all of it."""
    assert shrunk(3 * 900, 3, 300, weight=30) == pytest.approx(300 + 600 * 3 / 33)
    assert shrunk(3000 * 900, 3000, 300, weight=30) == pytest.approx(894, abs=1)
    assert shrunk(0, 0, 300, weight=30) == 300
