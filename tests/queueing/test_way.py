"""The shortest way through several queues: exact against trying every order, and as people would expect it."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueing.way import WALK_S, Leg, Option, Step, shortest

PHOTO, PASSPORT, STAMP = 1, 2, 3


def every_way(steps: list[Step], at: int | None, start: float) -> float:
    """The earliest end over all orders and choices of queues, by trying each."""
    best = float("inf")
    for order in itertools.permutations(steps):
        seen: set[int] = set()
        legal = True
        for step in order:
            legal &= set(step.after) <= seen
            seen.add(step.key)
        if not legal:
            continue
        for chosen in itertools.product(*(step.options for step in order)):
            now, here = start, at
            for option in chosen:
                if here == option.queue:
                    now += option.service_s
                    continue
                joins = now + (WALK_S if here is not None else 0.0)
                now, here = joins + option.wait_at(joins) + option.service_s, option.queue
            best = min(best, now)
    return best


def options() -> st.SearchStrategy[tuple[Option, ...]]:
    """One or two queues of three."""
    one = st.builds(
        Option,
        queue=st.integers(1, 3),
        wait_s=st.integers(0, 3600).map(float),
        service_s=st.integers(60, 900).map(float),
        drift=st.sampled_from([-1.5, -1.0, -0.4, 0.0, 0.5]),
    )
    return st.lists(one, min_size=1, max_size=2, unique_by=lambda o: o.queue).map(tuple)


@st.composite
def journeys(draw: st.DrawFn) -> list[Step]:
    """Up to four steps, each perhaps after some before it."""
    count = draw(st.integers(1, 4))
    return [
        Step(
            n,
            draw(options()),
            frozenset(draw(st.sets(st.sampled_from(range(n)), max_size=2))) if n else frozenset(),
        )
        for n in range(count)
    ]


@given(journeys(), st.sampled_from([None, 1, 2]), st.sampled_from([0.0, 400.0]))
def test_no_order_and_no_choice_of_queues_is_quicker(steps: list[Step], at: int | None, start: float) -> None:
    """Whatever the lines, the way found ends as early as the best of all ways that keep the order."""
    way = shortest(steps, at=at, start_s=start)
    assert len(way) == len(steps)
    done: set[int] = set()
    for leg in way:
        assert next(s for s in steps if s.key == leg.key).after <= done
        done.add(leg.key)
    assert way[-1].ends_s == pytest.approx(every_way(steps, at, start))


def test_a_growing_line_is_joined_before_a_shrinking_one() -> None:
    """Twenty minutes each: the one that grows comes first, the other is nearly empty by then."""
    growing = Step(PHOTO, (Option(1, 1200, 300, 0.5),))
    shrinking = Step(STAMP, (Option(2, 1200, 300, -0.8),))
    assert [leg.queue for leg in shortest([shrinking, growing])] == [1, 2]


def test_photo_before_passport_however_short_the_other_line() -> None:
    """Precedence is kept though the passport's line is empty."""
    photo = Step(PHOTO, (Option(1, 1800, 120),))
    passport = Step(PASSPORT, (Option(2, 0, 600),), frozenset({PHOTO}))
    assert [leg.key for leg in shortest([passport, photo])] == [PHOTO, PASSPORT]


def test_the_queue_of_two_with_the_shorter_wait_is_taken_walk_included() -> None:
    """A minute less of waiting is not worth two minutes of walking; and where one stands nobody waits again."""
    here = Step(PHOTO, (Option(1, 900, 300), Option(2, 300, 300)))
    assert [leg.queue for leg in shortest([here])] == [2]
    assert shortest([here], at=1) == (Leg(PHOTO, 1, 0.0, 0.0, 300.0),)


def test_what_nobody_offers_is_left_out_with_what_waits_for_it() -> None:
    """The rest of the way is still found; a circle of precedence is nobody's way."""
    none = Step(PHOTO, ())
    waits = Step(PASSPORT, (Option(2, 0, 60),), frozenset({PHOTO}))
    free = Step(STAMP, (Option(2, 0, 60),))
    assert [leg.key for leg in shortest([none, waits, free])] == [STAMP]
    circle = [Step(1, free.options, frozenset({2})), Step(2, free.options, frozenset({1}))]
    assert shortest(circle) == ()
    assert shortest([]) == ()


def test_six_steps_are_quick_and_seven_are_refused() -> None:
    """Six steps at six queues each are exact within a blink; more are not promised."""
    six = [Step(n, tuple(Option(q, 60.0 * q, 300, 0.1 * (q - 3)) for q in range(6))) for n in range(6)]
    began = time.perf_counter()
    assert len(shortest(six)) == 6
    assert time.perf_counter() - began < 1.0
    with pytest.raises(ValueError, match="at most 6"):
        shortest([*six, Step(6, six[0].options)])
