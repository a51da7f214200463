"""Early warning: the chance, when it becomes an alarm, and how alarms are judged."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueing.alarms.chance import chance_of, expected_wait, wait_at
from queueing.alarms.evaluation import auc, average_precision, evaluate_days, logistic
from queueing.alarms.instants import instants
from queueing.alarms.learning import table
from queueing.alarms.outcome import by_line, crowds, tally, threshold_for
from queueing.alarms.raising import BETWEEN_MIN, QUIET_MIN, raised
from queueing.waits.snapshots import QueueDay
from queueing.waits.tickets import collect

DAY = date(2020, 1, 2)


def line_day(waiting: list[int], called: list[int], *, day: date = DAY, queue: str = "q") -> QueueDay:
    """A queue-day with a snapshot every five minutes from eight o'clock."""
    number = len(waiting)
    t = 480.0 + 5.0 * np.arange(number)
    return QueueDay(
        "office", queue, day, t, np.array(waiting), np.array(called),
        np.ones(number, np.int64), np.full(number, 5.0), None,
    )  # fmt: skip


def test_more_people_make_a_crowd_likelier_and_nobody_none_at_all():
    """The chance rises with the expected wait, is 0 at an empty line, and is unknown without an open desk."""
    chances = [chance_of(wait) for wait in (0, 5, 20, 45, 90, 240)]
    assert chances == sorted(chances) and chances[0] == 0 and chances[-1] > 0.8
    assert expected_wait(30, 3, 240) == pytest.approx(40)
    assert expected_wait(30, 0, 240) is None


@given(st.floats(0.02, 0.98))
def test_a_threshold_can_be_said_in_minutes(chance: float):
    """`wait_at` is the inverse of `chance_of`."""
    assert chance_of(wait_at(chance)) == pytest.approx(chance)


def test_one_crowd_is_one_alarm_and_a_single_look_is_none():
    """Two looks in a row raise an alarm; it is raised again only after a rest."""
    looks = [(0.0, 0.9), (5.0, 0.1), (10.0, 0.9), (15.0, 0.9), (20.0, 0.1), (25.0, 0.9), (30.0, 0.9)]
    assert raised(looks, 0.5) == [15.0]
    later = 30.0 + QUIET_MIN + 5
    assert raised([*looks, (later, 0.9), (later + 5, 0.9)], 0.5) == [15.0, later + 5]


@given(st.lists(st.tuples(st.integers(1, 30), st.floats(0, 1)), max_size=40), st.floats(0.1, 0.9))
def test_alarms_are_never_nearer_than_the_rest(steps: list[tuple[int, float]], threshold: float):
    """However chances jump: between two alarms the line was quiet for the whole rest, and each had two looks."""
    at, looks = 0.0, []
    for step, chance in steps:
        at += step
        looks.append((at, chance))
    high = [when for when, chance in looks if chance >= threshold]
    alarms = raised(looks, threshold)
    assert set(alarms) <= set(high)
    for first, second in itertools.pairwise(alarms):
        inside = [when for when in high if first <= when <= second]
        assert max(b - a for a, b in itertools.pairwise(inside)) > QUIET_MIN
    for alarm in alarms:
        place = [when for when, _ in looks].index(alarm)
        assert place and alarm - looks[place - 1][0] <= BETWEEN_MIN and looks[place - 1][1] >= threshold


def test_the_truth_is_the_wait_of_those_who_come_later():
    """One person a snapshot comes, one every second snapshot is called: who comes after an hour waits about an hour."""
    called = [k // 2 for k in range(120)]
    waiting = [k - k // 2 for k in range(120)]
    at = instants([line_day(waiting, called)])
    row = int(np.flatnonzero(at.states.arrived == 480.0 + 60)[0])
    # Number n comes 5 n minutes after eight and is called after 10 n: it waits 5 n. After 90 to 120 minutes: 18 to 24.
    assert at.mean[row] == pytest.approx(np.mean([5 * n for n in range(19, 25)]), abs=6)
    assert at.over[row] == 1 and at.long[row]
    at = instants([line_day([1 + k // 8 for k in range(120)], [k - k // 8 for k in range(120)])])
    assert not at.long[at.states.arrived == 480.0 + 5].any(), "the line has hardly begun to grow"


def test_a_state_knows_nothing_of_what_comes():
    """Changing everything after a snapshot leaves the columns of that snapshot as they were."""
    called = [k // 2 for k in range(100)]
    waiting = [k - k // 2 for k in range(100)]
    cut = 50
    other = [*waiting[: cut + 1], *(w + 7 for w in waiting[cut + 1 :])]
    first, second = instants([line_day(waiting, called)]), instants([line_day(other, called)])
    same = first.states.arrived <= 480.0 + 5 * cut
    assert same.sum() > 40
    there = second.states.arrived <= 480.0 + 5 * cut
    for name, column in first.states.state.items():
        np.testing.assert_array_equal(column[same], second.states.state[name][there], err_msg=name)
    assert not np.array_equal(first.mean[same], second.mean[there], equal_nan=True)


def test_spells_of_long_waits_near_each_other_are_one_crowd():
    """A gap of an hour at most joins; a longer one parts."""
    at = np.array([0.0, 5, 10, 15, 60, 65, 200])
    mean = np.array([50.0, 60, np.nan, 20, 46, 44, 90])
    assert crowds(at, mean) == [(0.0, 60.0), (200.0, 200.0)]


def test_a_false_alarm_is_one_after_which_nobody_waits_long():
    """A chance that cries every time is punished by the tally, and the threshold keeps to the rate that is allowed."""
    calm = [line_day([1] * 60, list(range(60)), day=DAY + timedelta(days=k)) for k in range(5)]
    at = instants(calm)
    rows = by_line(at, np.ones(len(at), bool))
    crying = np.full(len(at), 0.7)
    made = tally(at, rows, crying, 0.5)
    assert (made.right, made.false, made.office_days, made.crowds) == (0, 5, 5, 0)
    assert made.false_a_week == 5
    assert threshold_for(at, rows, crying, 1.0) == pytest.approx(0.72)


def test_ranking_figures_agree_with_their_definitions():
    """Average precision and the area under the curve against counting by hand, ties included."""
    rng = np.random.default_rng(5)
    score, truth = rng.integers(0, 20, 300) / 20.0, rng.random(300) < 0.2
    pairs = [(a > b) + 0.5 * (a == b) for a in score[truth] for b in score[~truth]]
    assert auc(score, truth) == pytest.approx(np.mean(pairs))
    expected, seen = 0.0, 0
    for level in sorted(set(score), reverse=True):
        hits = int(truth[score == level].sum())
        seen += int((score == level).sum())
        expected += hits * truth[score >= level].sum() / seen
    assert average_precision(score, truth) == pytest.approx(expected / truth.sum())
    perfect = truth.astype(float)
    assert average_precision(perfect, truth) == 1 and auc(perfect, truth) == 1


def test_a_curve_makes_scores_chances():
    """The logistic curve finds the law that made the truth, so chances mean what they say."""
    rng = np.random.default_rng(3)
    score = rng.normal(size=20_000)
    truth = rng.random(20_000) < 1 / (1 + np.exp(-(1.5 * score - 2)))
    slope, intercept = logistic(score, truth)
    assert slope == pytest.approx(1.5, abs=0.1) and intercept == pytest.approx(-2, abs=0.1)


def _world(seed: int, days: int) -> list[QueueDay]:
    """Lines of one desk whose mornings are crowded on some days, known by how fast they fill."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(days):
        for queue in "abcdefgh":
            rate = np.where(np.arange(110) < 50, rng.choice([0.6, 1.6]), 0.5)
            issued = np.cumsum(rng.poisson(rate))
            called, line, done = [], [], 0
            for number in issued:
                done = min(int(number), done + int(rng.poisson(0.9)))
                called.append(done)
                line.append(int(number) - done)
            found.append(line_day(line, called, day=DAY + timedelta(days=k), queue=queue))
    return found


@pytest.fixture(scope="module")
def nine_days() -> dict[str, Any]:
    """Nine days of lines, six of which are learned from."""
    return evaluate_days(_world(11, 9), 6, seed=2)


def test_the_columns_of_a_day_to_come_know_nothing_of_its_rest():
    """The last day goes on otherwise from some minute on: every column of the snapshots before it stays as it was, also
    those that look at the lines beside it and at the way through the day."""
    world = _world(7, 5)
    cut, end = 45, world[-1].day
    other = []
    for one in world:
        if one.day == end:
            waiting = [*one.waiting[: cut + 1].tolist(), *(one.waiting[cut + 1 :] * 3).tolist()]
            changed = line_day(waiting, one.called.tolist(), day=one.day, queue=one.queue)
            other.append(changed)
        else:
            other.append(one)
    first, second = _columns_until(world, cut), _columns_until(other, cut)
    assert first["line"].size > 100
    for name, column in first.items():
        np.testing.assert_allclose(second[name], column, err_msg=name)


def _columns_until(days: list[QueueDay], cut: int) -> dict[str, np.ndarray]:
    """Columns of the last day's snapshots with people in line up to a place; it learns from all days before."""
    at, people = instants(days), collect(days)
    number = len(at.states.days)
    found = table(people, at, np.tri(number, k=-1).astype(bool))
    states = at.states
    rows = np.flatnonzero(
        (states.day == number - 1) & (states.arrived <= 480.0 + 5 * cut) & (states.state["line"] > 0)
    )
    rows = rows[np.lexsort((states.arrived[rows], states.queue[rows]))]
    return {name: column[rows] for name, column in found.items()}


def test_each_night_learns_again_and_the_first_night_alone_is_told_of(nine_days: dict[str, Any]):
    """Days after the first test day are ranked by what was learned up to the evening before; the first one is ranked
    the same whatever comes after it."""
    found, world = nine_days, _world(11, 9)
    once = found["yardsticks"]["learned_once"]
    assert len(found["by_day"]) == 3 and 0 < once["average_precision"] < 1
    assert once["average_precision"] != found["average_precision"]
    alone = evaluate_days([one for one in world if one.day < DAY + timedelta(days=7)], 6, seed=2)
    assert alone["average_precision"] == alone["yardsticks"]["learned_once"]["average_precision"]
    first = next(iter(found["by_day"].values()))
    assert alone["average_precision"] == first, "later days change nothing before them"


def test_it_learns_to_warn_on_days_it_has_not_seen(nine_days: dict[str, Any]):
    """On days to come the learned chance ranks better than the length of the line and keeps to the false alarms
    allowed."""
    found = nine_days
    assert found["average_precision"] > max(0.5, 2 * found["base_rate"])
    assert found["average_precision"] >= found["yardsticks"]["line"]["average_precision"] - 0.02
    assert found["default"]["false_per_office_week"] <= 8 * 1.0  # one office with eight lines
    assert abs(found["mean_chance"] - found["base_rate"]) < 0.1


def test_too_few_days_are_refused_in_a_sentence():
    """With less than what the held days need nothing is measured."""
    with pytest.raises(ValueError, match="too few"):
        evaluate_days(_world(1, 4), 3)
