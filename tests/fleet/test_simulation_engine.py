"""The event simulation: inside theory's confidence, both arms the same, and the rules of a day."""

from __future__ import annotations

import dataclasses
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.simulation.engine import EVERY_SKILL, LEFT, SENT_HOME, SERVED, Lines, People, Tickets, check, play
from tests.fleet.engine_cast import CASES, Case, lines, people, run


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_steady_lines_agree_with_theory(case: Case) -> None:
    """Mean waits, shares who wait and shares who leave lie inside the 95% interval of forty runs (M/M/c,
    Pollaczek-Khinchine, Cobham, Erlang-A), and the interval is narrow.

    Of other seeds one interval in twenty must miss: tests.bench.bench_simulation counts them."""
    for name, (theory, mean, half) in run(case, seed=0).items():
        assert abs(mean - theory) <= half, (name, theory, mean, half)
        assert half < 0.12 * theory, name


def one_line(
    arrives: list[float],
    desks: list[tuple[int, list[tuple[float, float]]]],
    *,
    service: float = 1.0,
    shut: float = 1e6,
    overtime: bool = True,
    **more: list[float],
) -> tuple[Lines, People]:
    """One line with desks (skills, spells) and people whose columns may be given."""
    n = len(arrives)
    spells = [spell for _, some in desks for spell in some]
    where = Lines(
        np.array([0, 1]),
        np.array([0, len(desks)]),
        np.array([skills for skills, _ in desks], np.int64),
        np.cumsum([0] + [len(some) for _, some in desks]),
        np.array([on for on, _ in spells], float),
        np.array([off for _, off in spells], float),
        np.array([overtime]),
        np.array([shut]),
        np.ones(1),
        np.zeros(1),
        np.zeros(1),
    )
    column = {
        "head_start": 0.0,
        "patience": math.inf,
        "service": service,
        "service_other": service,
        "lean": 0.0,
        "chance": 0.0,
    }
    who = People(
        np.array([0, n]),
        np.array(arrives, float),
        np.zeros(n, np.int64),
        np.full(n, -1),
        np.array(more.pop("skill", [0] * n), np.int64),
        **{name: np.array(more.get(name, [value] * n), float) for name, value in column.items()},
    )
    return where, who


def both(where: Lines, who: People) -> Tickets:
    """Play with both arms, which agree to the bit."""
    check(where, who)
    fast, plain = play(where, who), play(where, who, compiled=False)
    for field in dataclasses.fields(Tickets):
        np.testing.assert_array_equal(getattr(fast, field.name), getattr(plain, field.name), field.name)
    return fast


def test_who_came_first_is_served_first() -> None:
    """One desk, three people: each begins when the one before is done."""
    found = both(*one_line([8.0, 8.1, 8.2], [(EVERY_SKILL, [(8, 15)])]))
    np.testing.assert_allclose(found.begins, [8, 9, 10])
    np.testing.assert_allclose(found.ends, [9, 10, 11])


def test_a_head_start_goes_before_and_ages() -> None:
    """Half an hour's head start overtakes who came 20 minutes earlier, not who came 40 minutes earlier."""
    found = both(
        *one_line([8.0, 8.1, 8.4, 8.75], [(EVERY_SKILL, [(8, 15)])], head_start=[0, 0, 0, 0.5], service=1.0)
    )
    assert found.begins.tolist() == [8, 9, 11, 10]


def test_a_desk_serves_its_skills_only() -> None:
    """The desk limited to skill 1 stays free while somebody with skill 0 waits for the other."""
    found = both(
        *one_line([8.0, 8.1, 8.2], [(0b01, [(8, 15)]), (0b10, [(8, 15)])], skill=[0, 0, 1], service=1.0)
    )
    assert found.desk.tolist() == [0, 0, 1]
    np.testing.assert_allclose(found.begins, [8, 9, 8.2])


def test_patience_ends_a_wait() -> None:
    """Who cannot wait leaves at the end of their patience; who is next is served in their place."""
    found = both(
        *one_line([8.0, 8.1, 8.2], [(EVERY_SKILL, [(8, 15)])], patience=[9.0, 0.5, 9.0], service=1.0)
    )
    assert found.state.tolist() == [SERVED, LEFT, SERVED]
    np.testing.assert_allclose(found.begins, [8, 8.6, 9])


def test_lunch_closes_a_desk_after_whom_it_serves() -> None:
    """Service that has begun is ended; nobody is called before the next spell."""
    found = both(*one_line([8.0, 8.1, 8.2], [(EVERY_SKILL, [(8, 8.5), (12, 15)])], service=1.0))
    np.testing.assert_allclose(found.begins, [8, 12, 13])


def test_overtime_serves_who_is_inside_until_the_line_is_shut() -> None:
    """After the last spell the desk goes on while people wait, but calls nobody once the line is shut."""
    found = both(*one_line([8.0, 8.1, 8.2, 8.3], [(EVERY_SKILL, [(8, 8.5)])], shut=10.5, service=1.0))
    assert found.state.tolist() == [SERVED, SERVED, SERVED, SENT_HOME]
    np.testing.assert_allclose(found.begins, [8, 9, 10, 10.5])
    strict = both(*one_line([8.0, 8.1], [(EVERY_SKILL, [(8, 8.5)])], overtime=False, shut=11.0))
    assert strict.state.tolist() == [SERVED, SENT_HOME]


def test_the_shorter_line_is_chosen_by_who_can() -> None:
    """With a line at home and none at the van the person goes there; not before it takes people."""
    where = Lines(
        np.array([0, 2]), np.array([0, 1, 2]), np.full(2, EVERY_SKILL), np.array([0, 1, 2]),
        np.array([8.0, 9.0]), np.array([15.0, 15.0]), np.ones(2, bool), np.full(2, 16.0), np.ones(2),
        np.array([0.0, 9.0]), np.array([0.0, 15.0]),
    )  # fmt: skip
    n = 4
    who = People(
        np.array([0, n]), np.array([8.0, 8.1, 8.9, 9.5]), np.zeros(n, np.int64), np.array([-1, -1, 1, 1]),
        np.zeros(n, np.int64), np.zeros(n), np.full(n, math.inf), np.ones(n), np.ones(n), np.zeros(n),
        np.zeros(n),
    )  # fmt: skip
    found = both(where, who)
    assert found.line.tolist() == [0, 0, 0, 1], "the van takes people from 9 on"
    assert found.begins[3] == 9.5


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_both_arms_give_the_same_tickets(seed: int) -> None:
    """Any places, shifts, skills, priorities, patience and choices: not one bit differs; everybody is accounted for."""
    where, who = anything(np.random.default_rng(seed))
    found = both(where, who)
    waited = found.waited(who)
    assert (waited >= 0).all()
    assert (waited[found.state == SERVED] <= who.patience[found.state == SERVED] + 1e-9).all()
    assert ((found.desk >= 0) == (found.state == SERVED)).all()
    for d in range(len(where.skills)):  # no desk serves two people at once
        mine = np.flatnonzero(found.desk == d)
        mine = mine[np.argsort(found.begins[mine], kind="stable")]
        assert (found.begins[mine][1:] >= found.ends[mine][:-1] - 1e-9).all()
        assert (where.skills[d] >> who.skill[mine] & 1).all()


def anything(draw: np.random.Generator) -> tuple[Lines, People]:
    """A few places, of one line or two, with everything that the engine knows."""
    places, skills = int(draw.integers(1, 5)), int(draw.integers(1, 4))
    count = draw.integers(1, 3, places)
    place_first = np.concatenate([[0], np.cumsum(count)])
    total = int(place_first[-1])
    desk_first = np.concatenate([[0], np.cumsum(draw.integers(1, 4, total))])
    desks = int(desk_first[-1])
    spells = draw.integers(0, 3, desks)
    edges = [np.sort(draw.uniform(8, 14, 2 * k)) for k in spells]
    came = draw.integers(0, 40, places)
    n = int(came.sum())
    first = np.concatenate([[0], np.cumsum(came)])
    place = np.repeat(np.arange(places), came)
    arrives = draw.uniform(8, 14, n)
    arrives = arrives[np.lexsort((arrives, place))]
    home = place_first[place]
    where = Lines(
        place_first,
        desk_first,
        np.where(draw.random(desks) < 0.5, EVERY_SKILL, draw.integers(1, 2**skills, desks)),
        np.concatenate([[0], np.cumsum(spells)]),
        np.concatenate([e[0::2] for e in edges]) if desks else np.zeros(0),
        np.concatenate([e[1::2] for e in edges]) if desks else np.zeros(0),
        draw.random(total) < 0.7,
        draw.uniform(13, 17, total),
        np.full(total, 0.2),
        draw.uniform(8, 10, total),
        draw.uniform(11, 14, total),
    )
    who = People(
        first,
        arrives,
        home,
        np.where((count[place] > 1) & (draw.random(n) < 0.7), home + 1, -1),
        draw.integers(0, skills, n),
        draw.choice([0.0, 0.0, 0.5, 1e6], n),
        np.where(draw.random(n) < 0.5, draw.exponential(0.5, n), math.inf),
        draw.exponential(0.3, n) + 1e-3,
        draw.exponential(0.3, n) + 1e-3,
        draw.normal(0, 0.5, n),
        draw.logistic(0, 1, n),
    )
    return where, who


def test_arrays_that_do_not_fit_are_refused() -> None:
    """A skill, a line or an order of arrival out of range would be read without notice by compiled code."""
    where, who = one_line([8.0, 8.5], [(EVERY_SKILL, [(8, 15)])])
    for wrong in (
        {"skill": np.array([0, 99])},
        {"home": np.array([0, 7])},
        {"arrives": np.array([9.0, 8.0])},
        {"service": np.array([1.0, 0.0])},
        {"other": np.array([-1, 4])},
        {"lean": np.zeros(3)},
    ):
        with pytest.raises(ValueError):
            check(where, dataclasses.replace(who, **wrong))
    with pytest.raises(ValueError):
        check(dataclasses.replace(where, spell_off=np.array([1.0])), who)


def test_a_large_part_of_a_national_day_takes_a_moment() -> None:
    """Two hundred thousand tickets in a tenth of the time that pages may take (a generous limit for busy machines)."""
    case = Case("M/M/3", 3, 0.8)
    who = people(case, 1, runs=1000, count=200)
    where = lines(1000, 3)
    play(where, who)
    began = time.process_time()
    play(where, who)
    assert time.process_time() - began < 1.0
