"""Judging the forecast on posted waits: hourly files of offices that are not ours, read, forecast week after week
from what was known before, and measured. Pure.

Waits are no counts: they are forecast by the same factors on the scale (minutes + 2)^0.4, on which their noise is
even and their mean, brought back, is near the median that absolute errors ask for. No nation is shared: such
offices are crowded each for reasons of its own.
"""

from __future__ import annotations

import csv
import gzip
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import IO

import holidays
import numpy as np

from fleet.errors import Invalid
from fleet.forecast.rhythm import Bools, Days, Floats, Memory, Record, Rhythm, fit
from fleet.forecast.training import LEADS, QUANTILES, WEEK, Check, Trained, assemble, check

COLUMNS = {"walk-in": "no_appt_wait", "appointment": "appt_wait"}
POWER, OFFSET = 0.4, 2.0
MEMORY = Memory(weekday=50.0, profile=12.0, tilt_prior=1200.0)
"""Offices change how they work sooner than citizens their habits."""
CALIBRATION_WEEKS, BAND_WEEKS = 12, 6
"""Mixes, and bands, are learned from the forecasts of so many past weeks."""
BEST = 12
"""The mean of so many mixes is taken: levels of single offices jump, and a few mixes would follow their chance."""
NAIVE_WEEKS = 8
"""The last known value of an hour is looked for so many weeks back."""
SILENT_DAYS = 56
"""An office that posted nothing but zero for so long is not in use: zero is forecast."""
CLOSED = frozenset(
    {
        "New Year's Day",
        "Martin Luther King Jr. Day",
        "Washington's Birthday",
        "Cesar Chavez Day",
        "Memorial Day",
        "Independence Day",
        "Labor Day",
        "Veterans Day",
        "Thanksgiving Day",
        "Day After Thanksgiving",
        "Christmas Day",
    }
)
"""Days on which California's offices close (they work on the other federal holidays)."""


@dataclass(frozen=True)
class Posted:
    """Posted waits, minutes: places x days x hours, NaN where nothing was posted."""

    places: tuple[str, ...]
    first: date
    hours: tuple[int, ...]
    values: Floats

    @property
    def days(self) -> list[date]:
        """The days, without a gap."""
        return [self.first + timedelta(days=n) for n in range(self.values.shape[1])]


@dataclass
class Score:
    """Sums over judged hours."""

    n: int = 0
    error: float = 0.0
    naive: float = 0.0
    week_before: float = 0.0
    week_before_error: float = 0.0
    pinball: float = 0.0
    covered: int = 0
    live: int = 0
    live_covered: int = 0
    width: float = 0.0

    def add(self, other: Score) -> None:
        """Add another's sums."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def figures(self) -> dict[str, float | int | None]:
        """n and means. `mase`: error relative to repeating the last known same weekday and hour; `mase_week`: to
        the same hour a week before, which only the first lead could know."""
        if not self.n:
            return {"n": 0}

        def ratio(a: float, b: float) -> float | None:
            return round(a / b, 4) if b else None

        return {
            "n": self.n,
            "mase": ratio(self.error, self.naive),
            "mase_week": ratio(self.week_before_error, self.week_before),
            "mae": round(self.error / self.n, 4),
            "naive_mae": round(self.naive / self.n, 4),
            "pinball": round(self.pinball / self.n, 4),
            "cover80": round(self.covered / self.n, 4),
            "cover80_in_use": ratio(self.live_covered, self.live),
            "width80": round(self.width / self.n, 3),
        }


@dataclass
class Judged:
    """What an evaluation found: sums by lead."""

    train_days: int
    test_days: int
    places: int
    by_lead: dict[int, Score] = field(default_factory=dict)
    seconds: float = 0.0

    def figures(self) -> dict[str, object]:
        """The whole as plain values: all leads together, and each."""
        total = Score()
        for score in self.by_lead.values():
            total.add(score)
        return {
            **total.figures(),
            "seconds": round(self.seconds, 2),
            "places": self.places,
            "train_days": self.train_days,
            "test_days": self.test_days,
            "quantiles": list(QUANTILES),
            "leads": {str(lead): score.figures() for lead, score in sorted(self.by_lead.items())},
        }


def read_posted(paths: Sequence[Path], *, kind: str = "walk-in", first: date | None = None) -> Posted:
    """Read files (csv or csv.gz) with location, captured and the wait columns; later files win.

    Raises Invalid (`posted_columns`, `posted_row`, `posted_empty`) with the file and line.
    """
    found: dict[tuple[str, date, int], float] = {}
    for path in paths:
        for place, at, wait in _rows(path, COLUMNS[kind]):
            if first is None or at.date() >= first:
                found[(place, at.date(), at.hour)] = wait
    if not found:
        raise Invalid("posted_empty", "The files hold no posted wait.", files=[str(p) for p in paths])
    places = tuple(sorted({key[0] for key in found}))
    hours = tuple(sorted({key[2] for key in found}))
    begin, end = min(key[1] for key in found), max(key[1] for key in found)
    row, column = {p: i for i, p in enumerate(places)}, {h: i for i, h in enumerate(hours)}
    values = np.full((len(places), (end - begin).days + 1, len(hours)), np.nan, np.float32)
    for (place, day, hour), wait in found.items():
        values[row[place], (day - begin).days, column[hour]] = wait
    return Posted(places, begin, hours, values)


def _rows(path: Path, column: str) -> Iterator[tuple[str, datetime, float]]:
    with _opened(path) as file:
        reader = csv.DictReader(file)
        missing = {"location", "captured", column} - set(reader.fieldnames or ())
        if missing:
            raise Invalid(
                "posted_columns",
                f"{path.name} lacks the columns {', '.join(sorted(missing))}.",
                file=str(path),
            )
        for number, row in enumerate(reader, start=2):
            try:
                at = datetime.fromisoformat(row["captured"])
                wait = float(row[column]) if row[column] else float("nan")
            except (TypeError, ValueError) as error:
                raise Invalid(
                    "posted_row", f"{path.name}, line {number}: {error}.", file=str(path), line=number
                ) from error
            yield row["location"], at, wait


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def joined(train: Posted, test: Posted) -> tuple[Posted, int]:
    """Both in one frame, and the number of the first test day: the day after the last of training. What the test
    files hold of earlier days is left out."""
    places = tuple(sorted({*train.places, *test.places}))
    hours = tuple(sorted({*train.hours, *test.hours}))
    first, split = train.first, train.values.shape[1]
    length = max(split, (test.first - first).days + test.values.shape[1])
    if length <= split:
        raise Invalid("posted_overlap", "The test files hold no day after the last day of training.")
    values = np.full((len(places), length, len(hours)), np.nan, np.float32)
    for part, keep in ((train, 0), (test, split)):
        rows, columns = [places.index(p) for p in part.places], [hours.index(h) for h in part.hours]
        begin = (part.first - first).days
        skip = max(keep - begin, 0)
        chosen = part.values[:, skip:]
        values[np.ix_(rows, range(begin + skip, begin + part.values.shape[1]), columns)] = chosen
    return Posted(places, first, hours, values), split


def evaluate(train: Posted, test: Posted, *, leads: Sequence[int] = LEADS) -> Judged:
    """Forecast every week of the test one to four weeks ahead from what was known then, and measure."""
    began = time.perf_counter()
    posted, split = joined(train, test)
    days = posted.days
    values = posted.values.astype(float)
    learned = _without_outages(values)
    record = Record(
        (np.nan_to_num(learned) + OFFSET) ** POWER, ~np.isnan(learned), Days.of([d.weekday() for d in days])
    )
    closed = closed_days(days)
    judged = Judged(split, values.shape[1] - split, len(posted.places), {lead: Score() for lead in leads})
    checks: list[Check] = []
    warm_up = split % WEEK + max(0, split // WEEK - CALIBRATION_WEEKS - 2 * max(leads)) * WEEK
    for origin in range(max(warm_up, split % WEEK + WEEK), values.shape[1], WEEK):
        use = origin + WEEK * (max(leads) - 1) >= split
        live = _in_use(values[:, :origin])
        fitted = fit(_of(record.until(origin), live), counted=False, shared=False, memory=MEMORY)
        if use:
            trained = _trained(fitted, checks, live, origin, leads)
        for lead in leads:
            begin = origin + WEEK * (lead - 1)
            end = min(begin + WEEK, values.shape[1])
            if use and split <= begin < end:
                quantiles, expected = _predict(trained, record, live, begin, end, lead, values.shape)
                expected[:, closed[begin:end]] = 0.0
                quantiles[:, :, closed[begin:end]] = 0.0
                judged.by_lead[lead].add(_score(values, live, begin, end, lead, expected, quantiles))
            made = check(_of(record, live), fitted, origin, lead, persistence=1.0)
            if made is not None:
                checks.append(_spread(made, live))
    judged.seconds = time.perf_counter() - began
    return judged


def closed_days(days: Sequence[date]) -> Bools:
    """Which of the days California's offices are closed on."""
    known: Mapping[date, str] = holidays.country_holidays(
        "US", subdiv="CA", years=sorted({day.year for day in days}), observed=True
    )
    names = [known.get(day, "").replace(" (observed)", "") for day in days]
    return np.array([any(part in CLOSED for part in name.split("; ")) for name in names], dtype=bool)


def _without_outages(values: Floats) -> Floats:
    """A day of nothing but zero at an office that is usually crowded is a closed day or a dead feed: not learned
    from (it is judged all the same)."""
    known = ~np.isnan(values)
    positive = np.where(known & (values > 0), values, np.nan)
    usual = np.array([np.median(row[~np.isnan(row)]) if (~np.isnan(row)).any() else 0.0 for row in positive])
    most = np.where(known, values, -1.0).max(axis=2)
    dead = (most == 0) & (usual > 8)[:, None]
    result = values.copy()
    result[dead] = np.nan
    return result


def _in_use(past: Floats) -> Bools:
    """Offices that posted any wait of late."""
    recent = past[:, -SILENT_DAYS:]
    return np.asarray((np.nan_to_num(recent) > 0).any(axis=(1, 2)), dtype=bool)


def _of(record: Record, live: Bools) -> Record:
    return Record(record.counts[live], record.seen[live], record.days)


def _spread(made: Check, live: Bools) -> Check:
    """A check of the offices in use, with rows for all (the others expect nothing)."""

    def all_rows(part: Floats, axis: int) -> Floats:
        shape = list(part.shape)
        shape[axis] = len(live)
        full = np.zeros(shape, part.dtype)
        full[(slice(None),) * axis + (live,)] = part
        return full

    return Check(
        made.lead,
        made.begin,
        all_rows(made.total, 0),
        all_rows(made.unit, 0),
        all_rows(made.levels, 1),
        made.errors,
        np.flatnonzero(live)[made.rows],
        made.counts,
        made.seen,
        made.shares,
    )


def _trained(
    fitted: Rhythm, checks: Sequence[Check], live: Bools, origin: int, leads: Sequence[int]
) -> Trained:
    """From checks whose week was over before `origin`, of the offices in use now."""
    number = np.cumsum(live) - 1
    known = []
    for c in checks:
        if c.begin + WEEK > origin or c.begin + WEEK * (1 + CALIBRATION_WEEKS) <= origin:
            continue
        stays = live[c.rows]
        known.append(
            Check(
                c.lead,
                c.begin,
                c.total[live],
                c.unit[live],
                c.levels[:, live],
                c.errors[:, stays],
                number[c.rows[stays]],
                c.counts[stays],
                c.seen[stays],
                c.shares[stays],
            )
        )
    recent = origin - WEEK * BAND_WEEKS
    return assemble(fitted, known, persistence=1.0, counted=False, leads=leads, best=BEST, bands_from=recent)


def _predict(
    trained: Trained,
    record: Record,
    live: Bools,
    begin: int,
    end: int,
    lead: int,
    shape: tuple[int, ...],
) -> tuple[Floats, Floats]:
    """QUANTILES x places x days x hours and the median forecast, minutes; zero where an office is not in use."""
    days = record.days.part(begin, end)
    there = trained.hours(days, lead)
    expected = np.zeros((shape[0], end - begin, shape[2]))
    quantiles = np.zeros((len(QUANTILES), *expected.shape))
    expected[live] = np.maximum(there ** (1 / POWER) - OFFSET, 0.0)
    quantiles[:, live] = np.maximum(trained.hour_band(there, lead) ** (1 / POWER) - OFFSET, 0.0)
    return quantiles, expected


def last_known(values: Floats, begin: int, end: int, lead: int) -> Floats:
    """The newest value of the same weekday and hour that was known `lead` weeks before the end of the week."""
    result = np.full((values.shape[0], end - begin, values.shape[2]), np.nan)
    for back in range(lead, lead + NAIVE_WEEKS):
        if begin - WEEK * back < 0:
            break
        old = values[:, begin - WEEK * back : end - WEEK * back]
        result = np.where(np.isnan(result), old, result)
    return result


def _score(
    values: Floats, live: Bools, begin: int, end: int, lead: int, expected: Floats, quantiles: Floats
) -> Score:
    real, naive = values[:, begin:end], last_known(values, begin, end, lead)
    before = last_known(values, begin, end, 1)
    judged = ~np.isnan(real) & ~np.isnan(naive)
    inside = (real >= quantiles[0]) & (real <= quantiles[-1]) & judged
    pinball = np.zeros_like(real)
    for q, line in zip(QUANTILES, quantiles, strict=True):
        pinball += np.maximum(q * (real - line), (q - 1) * (real - line)) / len(QUANTILES)
    both = judged & ~np.isnan(before)
    of_use = judged & live[:, None, None]
    return Score(
        int(judged.sum()),
        float(np.abs(expected - real)[judged].sum()),
        float(np.abs(naive - real)[judged].sum()),
        float(np.abs(before - real)[both].sum()),
        float(np.abs(expected - real)[both].sum()),
        float(pinball[judged].sum()),
        int(inside.sum()),
        int(of_use.sum()),
        int((inside & of_use).sum()),
        float((quantiles[-1] - quantiles[0])[judged].sum()),
    )
