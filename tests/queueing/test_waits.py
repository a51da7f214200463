"""Waits rebuilt from snapshots and learned: nothing from the future, honest figures, models kept as data."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from queueing.waits import model as model_module
from queueing.waits.bands import AIMS, LEVELS, Calibration, Level, shortest
from queueing.waits.compiled import call_out
from queueing.waits.evaluation import evaluate, figures, load
from queueing.waits.forward import Center, Counter, Overtakers, Person, Times, waits
from queueing.waits.model import Model
from queueing.waits.snapshots import QueueDay, read, rebuild
from queueing.waits.tickets import collect
from queueing.waits.trees import Trees

HEAD = "office,time,date,published_service_min,queue_id,open_counters,letter,waiting,number_called\n"


def write(path: Path, rows: list[str]) -> Path:
    path.write_text(HEAD + "".join(row + "\n" for row in rows))
    return path


def snapshots(waiting: list[int], called: list[str], *, day: str = "2020-01-02") -> list[str]:
    return [
        f"Office,{8 + 5 * k // 60:02d}:{5 * k % 60:02d},{day},10,7,2,A,{line},{number}"
        for k, (line, number) in enumerate(zip(waiting, called, strict=True))
    ]


def test_waits_are_rebuilt_linear_between_snapshots(tmp_path: Path) -> None:
    """Three come in the first five minutes; two are called in the next five, one in the last: by hand."""
    day = read([write(tmp_path / "a.csv", snapshots([0, 3, 1, 0], ["", "", "A002", "A003"]))])[0]
    made = rebuild(day)
    assert made.number.tolist() == [1, 2, 3]
    assert made.arrived == pytest.approx([480 + 5 / 3, 480 + 10 / 3, 485])
    assert made.called == pytest.approx([487.5, 490, 495])
    assert made.known.tolist() == [0, 0, 0] and made.seen.tolist() == [2, 2, 3]


@pytest.mark.parametrize(
    ("waiting", "called", "fault"),
    [
        ([0, 1, 1], ["", "", ""], "silent"),
        ([0, 1, 1], ["A005", "A004", "A004"], "falling"),
        ([0, 1, 1], ["A005", "A030", "A030"], "jumping"),
        ([9, 1, 9], ["A005", "A005", "A005"], "negative"),
        ([0, 1, 1], ["A205", "A205", ""], None),
    ],
)
def test_days_that_cannot_be_rebuilt_say_why(
    tmp_path: Path, waiting: list[int], called: list[str], fault: str | None
) -> None:
    day = read([write(tmp_path / "a.csv", snapshots(waiting, called))])[0]
    assert day.fault == fault
    if fault:
        with pytest.raises(ValueError, match=fault):
            rebuild(day)
    else:
        assert day.called.tolist() == [5, 5, 5]  # a series that begins at 201; a number that vanished stands


def queue_day(seed: int, *, after: float | None = None) -> QueueDay:
    """A queue of one desk; from `after` (minutes since midnight) on another future."""
    draw = np.random.default_rng(seed)
    t = np.arange(480.0, 900.0, 5.0)
    arrivals, able = draw.poisson(2.0, len(t)), draw.poisson(2.1, len(t))
    if after is not None:
        later = t > after
        arrivals[later], able[later] = draw.poisson(3.0, later.sum()), draw.poisson(1.0, later.sum())
    called, waiting, line, total = [], [], 0, 0
    for came, can in zip(arrivals, able, strict=True):
        taken = min(line, can)
        line, total = line + came - taken, total + taken
        called.append(total)
        waiting.append(line)
    number = len(t)
    return QueueDay(
        "O", "1", date(2020, 1, 2), t, np.array(waiting), np.array(called),
        np.ones(number, int), np.full(number, 5.0), None,
    )  # fmt: skip


def test_no_column_of_state_knows_the_future() -> None:
    """Two days that are the same until noon: whoever came before has the same columns, whatever came after."""
    noon = 720.0
    one, other = collect([queue_day(4)]), collect([queue_day(4, after=noon)])
    n = int((one.arrived <= noon).sum())
    assert n > 50
    for name, column in one.state.items():
        # What somebody waited, whom the last snapshot shows as called, is the past too.
        np.testing.assert_allclose(column[:n], other.state[name][:n], err_msg=name)


def test_test_days_lie_after_training_days(tmp_path: Path) -> None:
    """Overlapping files cannot leak: only days after the last training day are tested, and none left is said."""
    rows = snapshots([0, 3, 1, 0], ["", "", "A002", "A003"])
    train = write(tmp_path / "train.csv", rows)
    with pytest.raises(ValueError, match="no day after 2020-01-02"):
        load([train], [train])


def test_a_small_world_is_learned_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Learned from seven days of three queues, promises of two more are better than nothing, in order, and honest."""
    monkeypatch.setattr(model_module, "ROUNDS", 30)
    monkeypatch.setattr(model_module, "SPREAD_ROUNDS", 20)
    rows = []
    for number in range(9):
        for queue in range(4):
            one = queue_day(100 * number + queue)
            day = (date(2020, 1, 6) + timedelta(days=number)).isoformat()
            rows += [
                (
                    number,
                    f"O{queue % 2},{int(t) // 60:02d}:{int(t) % 60:02d},{day},5,{queue},1,A,{line},A{call:03d}",
                )
                for t, line, call in zip(one.t, one.waiting, one.called, strict=True)
            ]
    train = write(tmp_path / "train.csv", [row for number, row in rows if number < 7])
    test = write(tmp_path / "test.csv", [row for _, row in rows])
    found = evaluate([train], [test])
    assert found["n"] > 800 and len(found["days"]) == 2
    assert found["mae"] < 0.6 * found["mean_wait"]
    assert 0.35 < found["cover50"] < 0.65 and 0.8 < found["cover90"] < 0.97
    assert found["width50"] < found["width90"]


def test_figures_are_what_their_names_say() -> None:
    """By hand: medians 10 and 20, waits 12 and 14."""
    quantiles = np.tile(LEVELS * 20, (2, 1)) * np.array([[1.0], [2.0]])
    four = np.array([[5.0, 15.0, 0.0, 20.0], [15.0, 25.0, 0.0, 40.0]])
    found = figures(np.array([12.0, 14.0]), quantiles, four)
    assert (found["n"], found["mae"], found["bias"], found["cover50"], found["width90"]) == (
        2,
        4.0,
        2.0,
        0.5,
        30.0,
    )


def test_bands_are_the_shortest_and_follow_what_comes() -> None:
    """Of a skewed distribution the half lies low; waits outside make the class's band wider, inside narrower."""
    skewed = (np.exp(LEVELS * 4) - 1)[None, :]
    low, high = shortest(skewed, 0.5)
    assert low[0] == 0.0 and high[0] == skewed[0, 49]
    calibration = Calibration(AIMS)
    before = calibration.band(skewed[0], 5, 1)
    for _ in range(60):
        calibration.learn(5, (False, False), (1.0, 1.0))
    after = calibration.band(skewed[0], 5, 1)
    assert after[1] - after[0] > before[1] - before[0]
    assert calibration.band(skewed[0], 0, 1) == before  # another class
    level = Level()
    for _ in range(100):
        level.learn(20.0, 10.0)
    assert 1.2 < level.factor < 2.0 and Level(level.waited, level.hoped, weight=1.0).factor > level.factor


def test_a_model_is_data(tmp_path: Path) -> None:
    """Written as JSON and read again it says the same."""
    from queueing.waits.model import fit

    draw = np.random.default_rng(1)
    ql = draw.uniform(0, 30, 1500)
    columns = {"ql": ql, "other": draw.random(1500)}
    model = fit(
        columns,
        ql * draw.lognormal(0, 0.3, 1500),
        np.arange(1500) % 4,
        shape_days=np.ones(1500, bool),
        seed=1,
    )
    again = Model.from_json(json.loads(json.dumps(model.to_json())))
    np.testing.assert_allclose(again.distribution(columns), model.distribution(columns))


def steady(*services: float) -> tuple[Times, ...]:
    return tuple(Times(minutes, 1e-6) for minutes in services)


def test_played_forward_without_chance_is_a_clockwork() -> None:
    """One desk, ten minutes each, four minutes into the one at it: 6, 16, 26; a desk for the other service helps
    nobody."""
    people = tuple(Person(float(k), 0) for k in range(3))
    center = Center(steady(10, 5), (Counter(frozenset({0}), 0, 4.0), Counter(frozenset({1}))), people)
    found = waits(center, seed=1, day_spread=0.0)
    assert np.median(found, axis=0) == pytest.approx([6, 16, 26], abs=0.2)


def test_who_may_overtake_is_waited_for_and_who_gives_up_is_not() -> None:
    """Arrivals with priority lengthen the wait of who stands here; people who leave shorten it; a pause lengthens it;
    whom no desk serves is never called."""
    people = tuple(Person(float(k), 0) for k in range(6))
    counters = (Counter(frozenset({0})),)

    def last(**more: object) -> float:
        return float(np.median(waits(Center(steady(5, 5), counters, people, **more), seed=2)[:, -1]))  # type: ignore[arg-type]

    plain = last()
    assert last(overtakers=(Overtakers(30.0, 0.1, (1.0, 0.0)),)) > plain + 5
    assert last(leaving=((0.0, 0.05),)) < plain - 3
    paused = (Counter(frozenset({0}), pauses=(((3.0, 35.0),),)),)
    assert float(np.median(waits(Center(steady(5, 5), paused, people), seed=2)[:, -1])) == pytest.approx(
        plain + 30, abs=4
    )
    stranger = Center(steady(5, 5), counters, (Person(0.0, 1),))
    assert np.isinf(waits(stranger, seed=1)).all()
    with pytest.raises(ValueError, match="does not have"):
        waits(Center(steady(5), counters, (Person(0.0, 3),)), seed=1)


def test_compiled_and_interpreted_calls_are_the_same_to_the_bit() -> None:
    """Four desks of three kinds, priorities, appointments, people who give up, pauses: both arms give the same
    waits."""
    draw = np.random.default_rng(7)
    people = tuple(
        Person(float(-k - 30 * (k % 5 == 0)), k % 3, float(max(0, k - 12)), 0.85 if k > 12 else 1.0, float(k))
        for k in range(16)
    )
    pauses = (((5.0, 20.0),), ())
    counters = (
        Counter(frozenset({0, 1}), 1, 3.0),
        Counter(frozenset({1, 2}), pauses=pauses),
        Counter(frozenset({0}), 0, 9.0),
        Counter(frozenset({0, 1, 2}), away=10.0),
    )
    center = Center(
        (Times(5, 0.4), Times(9, 0.5), Times(14, 0.3)), counters, people,
        (Overtakers(30.0, 0.1, (1.0, 1.0, 1.0)),), ((0.0, 0.001), (30.0, 0.02)),
    )  # fmt: skip
    seed = int(draw.integers(1000))
    compiled = waits(center, seed=seed)
    interpreted = waits(center, seed=seed, call=call_out.py_func)
    assert np.isfinite(compiled).all()
    np.testing.assert_array_equal(compiled, interpreted)


def test_who_has_waited_long_stays_longer() -> None:
    """Where only those leave who have waited under an hour, a line of people who have waited longer keeps all of
    them."""
    counters = (Counter(frozenset({0})),)
    leaving = ((0.0, 0.05), (60.0, 0.0))

    def last(waited: float) -> float:
        people = tuple(Person(float(k), 0, waited=waited) for k in range(8))
        center = Center(steady(5), counters, people, leaving=leaving)
        return float(np.median(waits(center, seed=3, day_spread=0.0)[:, -1]))

    assert last(90.0) == pytest.approx(35.0, abs=0.2)
    assert last(0.0) < 25


def test_trees_say_what_lightgbm_says() -> None:
    """Values, absent values learned from and absent values never seen: the same sums, to the last bits."""
    import lightgbm

    draw = np.random.default_rng(2)
    matrix = draw.normal(size=(800, 4))
    matrix[draw.random((800, 4)) < 0.1] = np.nan
    matrix[:, 3] = draw.normal(size=800)
    target = np.nan_to_num(matrix[:, 0]) + np.where(np.isnan(matrix[:, 1]), 2.0, 0.0) + matrix[:, 3] ** 2
    settings = {"objective": "huber", "num_leaves": 15, "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(matrix, target), num_boost_round=40)
    asked = matrix.copy()
    asked[::7, 3] = np.nan
    trees = Trees.of(booster.model_to_string())
    np.testing.assert_allclose(trees.predict(asked), booster.predict(asked, num_threads=1), rtol=1e-12)
    alone = lightgbm.train(settings, lightgbm.Dataset(matrix, np.ones(800)), num_boost_round=2)
    np.testing.assert_allclose(Trees.of(alone.model_to_string()).predict(asked[:3]), 1.0)
    with pytest.raises(ValueError, match="classes"):
        Trees.of(booster.model_to_string().replace("decision_type=", "decision_type=1 ", 1))
