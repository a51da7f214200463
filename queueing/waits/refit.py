"""Each night: learn waits from the last weeks, try what was learned on the last three days, keep the better method.

On trial are the formula (people to be taken first x pace / open desks), the line played forward, and a model that
corrects the played line, learned from the days before the trial. What errs least is what people are told by,
separately for lines whose desks serve all and for those with desks of their own for some services. A model that is
worse than the formula is refused, and so is one that is worse than playing forward. The paces are those learned
until last night, for all three alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from queueing.daytime import local_day
from queueing.pace import LEARNT_DAYS
from queueing.store import QueueDay
from queueing.store_waits import WaitModel, WaitSteering
from queueing.waits.bands import LEVELS, MEDIAN
from queueing.waits.days import Day, read_days
from queueing.waits.evaluation import figures
from queueing.waits.forward import Leaving, distribution, waits
from queueing.waits.habits import Habits, habits_of, leaving_of
from queueing.waits.live import FORMULA, LEARNED, MOST_PEOPLE, PLAYED
from queueing.waits.model import Model, fit
from queueing.waits.snapshots import Floats, Ints
from queueing.waits.standing import center_at
from queueing.waits.steering import Steering
from queueing.waits.today import columns_of, corrected, judged

TRIAL_DAYS = 3
LEAST_DAYS = 8
"""Working days below which nothing is learned: what a week looks like must have been seen."""
LEAST_TICKETS = 2_000
MOST_TICKETS = 60_000
"""Tickets that are read: of queues drawn until there are so many."""
MOST_ROWS = 8_000
"""Rows a model is learned from: a line is played forward for each, some milliseconds."""
TRIAL_TICKETS = 800
"""Tickets of the trial days on which all methods are compared: a line is played forward for each."""
LEAST_KIND = 100
"""Tickets of a kind of line below which it is told by what holds for the others."""
LOOK_EVERY = 10.0
"""Minutes between the moments at which a row of somebody who already waits is taken."""
NATIONAL = "all"
KEPT = 7
"""Nights whose rows are kept."""


@dataclass(frozen=True, slots=True)
class Known:
    """A queue-day with what was known of the queue before."""

    day: Day
    habits: Habits


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to learn from or to test on."""

    columns: dict[str, Floats]
    wait: Floats
    day: Ints
    """Ordinals."""
    source: Ints
    """Place of the queue-day in its list."""
    row: Ints
    at: Floats
    arrival: np.ndarray


@dataclass(frozen=True, slots=True)
class Refit:
    """What a night has come to."""

    first_day: date
    last_day: date
    tickets: int
    method: str
    special_method: str
    refused: str | None
    figures: dict[str, Any]
    model: Model | None
    most_ahead: float
    steering: dict[str, Steering]
    leaving: Leaving


def refit(session: Session, *, now: datetime, zone: str, seed: int = 1) -> Refit | None:
    """Learn and try. None where too few days or tickets are known: nothing changes then. Takes some tens of
    seconds; writes nothing."""
    today = local_day(now, zone)
    first, last = today - timedelta(days=LEARNT_DAYS), today - timedelta(days=1)
    read = read_drawn(session, first, last, seed=seed)
    days = sorted({one.day for one in read})
    if len(days) < TRIAL_DAYS + 1:
        return None
    begin = days[-TRIAL_DAYS]
    leaving = leaving_of([one for one in read if one.day < begin])
    known = with_habits(session, read, begin, leaving)
    tested = [one for one in known if one.day.day >= begin]
    trial = rows_of(tested, seed=seed, arrivals_only=True)
    before = rows_of([one for one in known if one.day.day < begin], seed=seed)
    if trial is None or before is None or len(trial.wait) < LEAST_KIND:
        return None
    enough = len(days) >= LEAST_DAYS and len(before.wait) >= LEAST_TICKETS
    model = learn([one for one in known if one.day.day < begin], before, seed=seed) if enough else None
    outcome = _trial(tested, trial, model, seed=seed)
    methods = {kind: _best(outcome, kind) for kind in (False, True)}
    refused = None if enough else "too_few_days"
    final = None
    if model is not None:
        if LEARNED in methods.values():
            final = learn(known, rows_of(known, seed=seed), seed=seed)
        else:
            worse = outcome.error(LEARNED) > outcome.error(FORMULA)
            refused = "worse_than_formula" if worse else "worse_than_played"
    return Refit(
        days[0], days[-1], len(before.wait) + len(trial.wait), methods[False], methods[True], refused,
        outcome.figures(), final, float(np.quantile(before.columns["ahead"], 0.999)), outcome.steering,
        leaving,
    )  # fmt: skip


def keep_refit(session: Session, made: Refit, *, now: datetime) -> WaitModel:
    """Store what a night has come to, and forget old nights. Bands of queues whose method has changed begin anew."""
    last = newest(session)
    same = last is not None and last.method == made.method
    row = WaitModel(
        made_at=now, first_day=made.first_day, last_day=made.last_day, tickets=made.tickets, method=made.method,
        special_method=made.special_method, since=last.since if same and last is not None else now,
        refused=made.refused, figures=made.figures, model=made.model.to_json() if made.model else None,
        most_ahead=made.most_ahead, steering={name: one.to_json() for name, one in made.steering.items()},
        leaving=[list(one) for one in made.leaving],
    )  # fmt: skip
    session.add(row)
    session.flush()
    for old in session.scalars(select(WaitModel).where(WaitModel.id <= row.id - KEPT)):
        session.delete(old)
    for old in session.scalars(select(WaitModel).where(WaitModel.id < row.id, WaitModel.model.is_not(None))):
        old.model = None  # the figures stay, the trees of earlier nights are of no use
    gone = (made.method, made.special_method)
    for steered in session.scalars(select(WaitSteering).where(WaitSteering.method.not_in(gone))):
        session.delete(steered)
    return row


def newest(session: Session) -> WaitModel | None:
    """The night that holds."""
    return session.scalar(select(WaitModel).order_by(WaitModel.id.desc()).limit(1))


def read_drawn(session: Session, first: date, last: date, *, seed: int) -> list[Day]:
    """Queue-days of queues drawn until there are tickets enough."""
    issued = session.execute(
        select(QueueDay.queue_id, func.sum(QueueDay.issued))
        .where(QueueDay.day >= first, QueueDay.day <= last)
        .group_by(QueueDay.queue_id)
        .order_by(QueueDay.queue_id)
    ).all()
    chosen: list[int] = []
    total = 0
    for place in np.random.default_rng(seed).permutation(len(issued)):
        if total >= MOST_TICKETS:
            break
        chosen.append(issued[place][0])
        total += int(issued[place][1] or 0)
    return [
        day
        for start in range(0, len(chosen), 200)
        for day in read_days(session, sorted(chosen[start : start + 200]), first, last)
    ]


def with_habits(session: Session, days: Sequence[Day], begin: date, leaving: Leaving) -> list[Known]:
    """Each day with what was known of its queue on the morning of `begin`."""
    habits = {
        queue_id: habits_of(session, queue_id, begin, leaving=leaving)
        for queue_id in sorted({one.queue_id for one in days})
    }
    return [Known(day, one) for day in days if (one := habits[day.queue_id]) is not None]


def rows_of(known: Sequence[Known], *, seed: int, arrivals_only: bool = False) -> Rows | None:
    """Arrivals, and people who wait already at moments in between; at most `MOST_ROWS`, drawn."""
    draw = np.random.default_rng(seed)
    parts: list[Rows] = []
    for source, one in enumerate(known):
        who = judged(one.day, one.habits)
        if not len(who):
            continue
        at = one.day.issued[who]
        arrival = np.ones(len(who), bool)
        if not arrivals_only:
            more, moments = _lookers(one.day, who, draw)
            who, at = np.concatenate([who, more]), np.concatenate([at, moments])
            arrival = np.concatenate([arrival, np.zeros(len(more), bool)])
        columns = columns_of(one.day, one.habits, who, at)
        told = columns["desks"] > 0
        parts.append(
            Rows(
                {name: column[told] for name, column in columns.items()},
                (one.day.called[who] - at)[told],
                np.full(int(told.sum()), one.day.day.toordinal()),
                np.full(int(told.sum()), source),
                who[told],
                at[told],
                arrival[told],
            )
        )
    if not parts:
        return None
    rows = Rows(
        {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns},
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("wait", "day", "source", "row", "at", "arrival")
        ),
    )
    if len(rows.wait) <= MOST_ROWS:
        return rows
    return _only(rows, np.sort(draw.choice(len(rows.wait), MOST_ROWS, replace=False)))


def _only(rows: Rows, chosen: np.ndarray) -> Rows:
    return Rows(
        {name: column[chosen] for name, column in rows.columns.items()},
        rows.wait[chosen], rows.day[chosen], rows.source[chosen], rows.row[chosen], rows.at[chosen],
        rows.arrival[chosen],
    )  # fmt: skip


def _lookers(day: Day, who: Ints, draw: np.random.Generator) -> tuple[Ints, Floats]:
    """Every few minutes one of those who wait: what a page that is looked at again must answer."""
    moments = np.arange(day.issued[who].min(), day.called[who].max(), LOOK_EVERY) + draw.random() * LOOK_EVERY
    people, when = [], []
    for moment in moments:
        waiting = who[(day.issued[who] < moment) & (day.called[who] > moment)]
        if len(waiting):
            people.append(int(draw.choice(waiting)))
            when.append(float(moment))
    return np.array(people, np.int64), np.array(when)


def learn(known: Sequence[Known], rows: Rows | None, *, seed: int) -> Model | None:
    """A model that corrects playing forward, from rows of `known`; None where there are none."""
    if rows is None:
        return None
    played = play_rows(known, rows)
    said = ~np.isnan(played[:, MEDIAN])
    chosen = _only(rows, np.flatnonzero(said))
    return fit_rows(corrected(chosen.columns, played[said]), chosen, seed=seed)


def fit_rows(columns: dict[str, Floats], rows: Rows, *, seed: int) -> Model:
    """The shape of the distribution comes from arrivals and lookers alike."""
    return fit(columns, rows.wait, rows.day, shape_days=np.ones(len(rows.wait), bool), seed=seed)


@dataclass(slots=True)
class Outcome:
    """The trial's tickets: what each method said, and what came."""

    wait: Floats
    ahead: Floats
    special: np.ndarray
    said: dict[str, Floats]
    """By method: minutes at `LEVELS`; NaN where it said nothing."""
    four: dict[str, Floats]
    steering: dict[str, Steering]

    def error(self, method: str, chosen: np.ndarray | None = None) -> float:
        """Mean error of the middle where every method said something; infinite for a method not on trial."""
        if method not in self.said:
            return float("inf")
        all_said = ~np.isnan(np.sum([one[:, MEDIAN] for one in self.said.values()], axis=0))
        chosen = all_said if chosen is None else all_said & chosen
        if not chosen.any():
            return float("inf")
        return float(np.abs(self.said[method][chosen, MEDIAN] - self.wait[chosen]).mean())

    def figures(self) -> dict[str, Any]:
        """By method, for who reads the row."""
        found: dict[str, Any] = {}
        for method, said in self.said.items():
            spoke = ~np.isnan(said[:, MEDIAN])
            found[method] = {
                **figures(self.wait[spoke], said[spoke], self.four[method][spoke]),
                "mae_common": round(error, 3) if np.isfinite(error := self.error(method)) else None,
            }
        return found


def _trial(known: Sequence[Known], rows: Rows, model: Model | None, *, seed: int) -> Outcome:
    draw = np.random.default_rng(seed)
    if len(rows.wait) > TRIAL_TICKETS:
        rows = _only(rows, np.sort(draw.choice(len(rows.wait), TRIAL_TICKETS, replace=False)))
    order = np.lexsort((rows.at, rows.day))
    rows = _only(rows, order)
    said = {FORMULA: rows.columns["ql"][:, None] * np.ones(len(LEVELS)), PLAYED: play_rows(known, rows)}
    if model is not None:
        said[LEARNED] = learned_for(model, rows.columns, said[PLAYED])
    special = np.array([known[place].habits.special for place in rows.source], bool)
    steering = {method: Steering() for method in said}
    four = {}
    for method, quantiles in said.items():
        four[method] = np.full((len(rows.wait), 4), np.nan)
        for place, row in enumerate(quantiles):
            if not np.isnan(row[MEDIAN]):
                ahead, wait = float(rows.columns["ahead"][place]), float(rows.wait[place])
                four[method][place] = steering[method].learn(row, ahead, wait)
    return Outcome(rows.wait, rows.columns["ahead"], special, said, four, steering)


def learned_for(model: Model, columns: dict[str, Floats], played: Floats) -> Floats:
    """What the model makes of what was played; NaN where nothing was."""
    found = np.full(played.shape, np.nan)
    said = ~np.isnan(played[:, MEDIAN])
    if said.any():
        some = {name: column[said] for name, column in columns.items()}
        found[said] = model.distribution(corrected(some, played[said]))
    return found


def play_rows(known: Sequence[Known], rows: Rows) -> Floats:
    """Each row's line played forward: minutes at `LEVELS`, NaN where nothing can be said."""
    found = np.full((len(rows.wait), len(LEVELS)), np.nan)
    for place, (source, row, at) in enumerate(zip(rows.source, rows.row, rows.at, strict=True)):
        told = played_for(known[source].day, known[source].habits, int(row), float(at))
        if told is not None:
            found[place] = told
    return found


def played_for(day: Day, habits: Habits, row: int, at: float) -> Floats | None:
    """What playing forward says at minute `at` to the person in `row`; None where it says nothing."""
    standing = center_at(day, habits, at, asked=row)
    if standing is None:
        return None
    center, line, pace = standing
    place = np.flatnonzero(line == row)
    if not len(place) or len(line) > MOST_PEOPLE:
        return None
    waited = waits(center, seed=int(day.ticket[row]), day_pace=pace)[:, place]
    found: Floats = distribution(waited)[0]
    return found if np.isfinite(found[MEDIAN]) and found[-1] < 24 * 60 else None


def _best(outcome: Outcome, special: bool) -> str:
    """The method that erred least on lines of this kind; on all lines where there were too few. The formula is
    nobody's first choice: it says no distribution."""
    kind = outcome.special == special
    chosen = kind if kind.sum() >= LEAST_KIND else None
    formula, played, learned = (outcome.error(one, chosen) for one in (FORMULA, PLAYED, LEARNED))
    return LEARNED if learned < min(formula, played) else PLAYED
