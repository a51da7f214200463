"""Judging on posted waits: files read or refused with the line, nothing known that was not known, figures by hand."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from fleet.errors import Invalid
from fleet.forecast.posted import Posted, closed_days, evaluate, joined, last_known, read_posted

FIRST = date(2025, 1, 6)


def made(days: int, *, seed: int = 1, places: int = 30) -> Posted:
    """Waits with a weekday's rhythm and noise of the day."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(20, 90, places)[:, None, None]
    week = np.array([1.3, 1.0, 0.9, 1.0, 1.2, np.nan, np.nan])[np.arange(days) % 7][None, :, None]
    day = rng.gamma(12, 1 / 12, (places, days, 1))
    hours = np.linspace(0.5, 1.5, 8)[None, None, :]
    values = np.round(level * week * day * hours).astype(np.float32)
    values[-1] = np.where(np.isnan(values[-1]), np.nan, 0.0)
    return Posted(tuple(f"p{n:02}" for n in range(places)), FIRST, tuple(range(9, 17)), values)


def parts(whole: Posted, split: int) -> tuple[Posted, Posted]:
    """What is known and what is tested."""
    later = Posted(whole.places, FIRST + timedelta(days=split), whole.hours, whole.values[:, split:])
    return Posted(whole.places, FIRST, whole.hours, whole.values[:, :split]), later


def write(path: Path, posted: Posted) -> Path:
    """As a file of the source's kind."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["location", "type", "appt_wait", "no_appt_wait", "captured"])
        for i, place in enumerate(posted.places):
            for n, day in enumerate(posted.days):
                for h, hour in enumerate(posted.hours):
                    wait = posted.values[i, n, h]
                    at = f"{day} {hour:02}:00:00"
                    rows.writerow([place, "field-office", "", "" if np.isnan(wait) else wait, at])
    return path


def test_the_forecast_beats_the_last_known_hour_and_its_bands_hold() -> None:
    """Noise of the day is all there is: the ratio is near the ideal 0.72, 80% lie in the band, at each lead."""
    known, later = parts(made(220), 154)
    found = evaluate(known, later)
    for lead in (1, 2, 3, 4):
        figures = found.by_lead[lead].figures()
        assert 0.65 < figures["mase"] < 0.80  # type: ignore[operator]
        assert 0.77 < figures["cover80"] < 0.85  # type: ignore[operator]
    whole = found.figures()
    assert whole["n"] == sum(score.n for score in found.by_lead.values())


def test_figures_are_of_what_is_known_and_nothing_later() -> None:
    """Whatever the test's last two weeks hold, the first week's forecasts one week ahead are judged the same."""
    whole = made(200)
    known, later = parts(whole, 154)
    other = Posted(later.places, later.first, later.hours, later.values.copy())
    other.values[:, 14:] *= 3
    short = later.values[:, :7]

    def one(later: Posted) -> float:
        cut = Posted(later.places, later.first, later.hours, later.values[:, :7])
        return evaluate(known, cut).by_lead[1].error

    assert one(later) == one(other)
    assert np.isnan(short).any()


def test_days_of_training_in_the_test_files_are_left_out() -> None:
    """A test file that repeats the training days is judged on the rest alone; without a later day it is refused."""
    whole = made(180)
    known, later = parts(whole, 154)
    again, split = joined(known, whole)
    assert split == 154 and np.array_equal(again.values, whole.values, equal_nan=True)
    assert evaluate(known, whole).figures()["n"] == evaluate(known, later).figures()["n"]
    with pytest.raises(Invalid, match="no day after"):
        joined(whole, known)


def test_the_last_known_value_is_looked_for_further_back() -> None:
    """Lead 2 knows nothing of the week before; a gap is filled from the week before that one."""
    values = np.arange(28.0)[None, :, None].repeat(1, axis=2)
    values[0, 8] = np.nan
    found = last_known(values, 21, 28, 2)[0, :, 0]
    assert found.tolist() == [7, 1, 9, 10, 11, 12, 13]


def test_files_are_read_packed_or_plain_and_faults_named_by_line(tmp_path: Path) -> None:
    """Both kinds give the same; a wait that is no number is refused with file and line, missing columns by name."""
    posted = made(14, places=2)
    plain = read_posted([write(tmp_path / "a.csv", posted)])
    packed = read_posted([write(tmp_path / "a.csv.gz", posted)])
    assert np.array_equal(plain.values, packed.values, equal_nan=True)
    assert np.array_equal(plain.values, posted.values, equal_nan=True)
    (tmp_path / "b.csv").write_text("location,captured,no_appt_wait\nx,2025-01-06 09:00:00,soon\n")
    with pytest.raises(Invalid, match=r"b\.csv, line 2"):
        read_posted([tmp_path / "b.csv"])
    (tmp_path / "c.csv").write_text("location,when\nx,y\n")
    with pytest.raises(Invalid, match="captured, no_appt_wait"):
        read_posted([tmp_path / "c.csv"])


def test_californias_closed_days_are_its_own() -> None:
    """Cesar Chavez and the day after Thanksgiving are closed, Columbus Day and Juneteenth are worked."""
    days = [date(2025, 3, 31), date(2025, 11, 28), date(2024, 10, 14), date(2025, 6, 19), date(2025, 7, 4)]
    assert closed_days(days).tolist() == [True, True, False, False, True]


def test_the_command_takes_several_files_an_option(tmp_path: Path) -> None:
    """`--train A B --test C` prints one JSON object with the figures of every lead."""
    from click.testing import CliRunner

    from web.cli.evaluate import evaluate_forecast

    whole = made(150, places=12)
    cuts = [
        Posted(whole.places, FIRST + timedelta(days=a), whole.hours, whole.values[:, a:b])
        for a, b in ((0, 60), (60, 120), (120, 150))
    ]
    files = [str(write(tmp_path / f"{n}.csv", cut)) for n, cut in enumerate(cuts)]
    for name in files:  # both kinds of waits
        text = Path(name).read_text().replace(",field-office,,", ",field-office,5.0,")
        Path(name).write_text(text)
    answer = CliRunner().invoke(evaluate_forecast, ["--train", files[0], files[1], "--test", files[2]])
    assert answer.exit_code == 0, answer.output
    figures = json.loads(answer.output)
    assert set(figures["leads"]) == {"1", "2", "3", "4"} and figures["train_days"] == 120
    assert {"n", "mase", "mae", "pinball", "cover80", "seconds"} <= set(figures)
