"""The columns a wait is learned from where every ticket is known: the line, the desks, and how today differs. Pure.

One row is one person of a day at one moment: at the arrival, or later while waiting. Everything follows from what had
happened by that moment. "ql" is the plain prediction, people to be taken first x pace / open desks
(queueing/wait.py); the model learns the ratio to it."""

from __future__ import annotations

import numpy as np

from queueing.waits.bands import MEDIAN
from queueing.waits.days import Day
from queueing.waits.habits import Habits
from queueing.waits.snapshots import Floats, Ints
from queueing.waits.standing import means_of

TODAY_WEIGHT = 20.0
"""Minutes of waiting as expected that today's ratio begins with."""
BACK = (15.0, 30.0, 60.0)
LAST = 5
SPREAD_LEVELS = (10, 25, 75, 90)
"""Quantiles of the played distribution that a model is shown, per cent."""
AHEAD_MINUTES = (15.0, 45.0)
"""How far ahead the usual number of desks is looked up."""


def judged(day: Day, habits: Habits) -> Ints:
    """Rows whose wait is known and was changed by nobody."""
    plain = ~day.changed & ~np.isnan(day.called) & (day.called >= day.issued)
    return np.flatnonzero(plain & np.isin(day.service, list(habits.places)))


def columns_of(day: Day, habits: Habits, who: Ints, at: Floats) -> dict[str, Floats]:
    """All columns by name, one value for each person `who` at minute `at`. "desks" is 0 where nobody could have
    been told anything."""
    arrivals = np.flatnonzero(~day.changed)
    plain = _plain(day, habits, arrivals, day.issued[arrivals])
    found = _plain(day, habits, who, at)
    ql = found["ql"]
    ended = ~np.isnan(day.called[arrivals])
    done = arrivals[ended][np.argsort(day.called[arrivals][ended], kind="stable")]
    hoped_of = np.zeros(len(day))
    hoped_of[arrivals] = plain["ql"]
    when = day.called[done]
    waited = np.r_[0.0, np.cumsum((day.called - day.issued)[done])]
    hoped = np.r_[0.0, np.cumsum(hoped_of[done])]
    end = np.searchsorted(when, at, side="right")
    begin = np.searchsorted(when, at - 60.0, side="right")
    found["today"] = (waited[end] + TODAY_WEIGHT) / (hoped[end] + TODAY_WEIGHT)
    found["lately"] = (waited[end] - waited[begin] + TODAY_WEIGHT) / (
        hoped[end] - hoped[begin] + TODAY_WEIGHT
    )
    first = np.maximum(0, end - LAST)
    found["rel_last"] = np.where(
        end > 0, (waited[end] - waited[first]) / np.maximum(1, end - first), np.nan
    ) / (ql + 1)
    found["log_ql"] = np.log1p(ql)
    return found


def corrected(columns: dict[str, Floats], played: Floats) -> dict[str, Floats]:
    """The columns of a model that corrects what playing the line forward says (minutes at `LEVELS`, one row a
    person): its middle becomes the prediction the ratio is learned to, its spread and the formula stand beside
    it."""
    middle = played[:, MEDIAN]
    found = {**columns, "ql": middle, "log_ql": np.log1p(middle), "rel_formula": columns["ql"] / (middle + 1)}
    for level in SPREAD_LEVELS:
        found[f"rel_{level}"] = played[:, level - 1] / (middle + 1)
    return found


def _plain(day: Day, habits: Habits, who: Ints, at: Floats) -> dict[str, Floats]:
    """Columns of the state alone."""
    came, left, key = day.came, day.left, day.key
    now = at[:, None]
    here = (came <= now) & (left > now)
    before = here & (key < key[who][:, None])
    ahead, line = before.sum(1).astype(float), here.sum(1).astype(float)
    place = np.array([habits.places.get(int(one), -1) for one in day.service])
    mean = np.where(place >= 0, means_of(habits.times)[place], habits.pace.seconds / 60)
    desks, free = _desks(day, habits, place[who], at)
    n = np.maximum(0.0, ahead + 1 - free)
    pace = habits.pace.seconds / 60
    staffed = np.maximum(1.0, desks)
    ql = n * pace / staffed
    busy = (day.desk > 0) & (day.called <= now) & ~(day.ended <= now)
    elapsed = np.where(busy, np.minimum(now - day.called, 60.0), 0.0).sum(1)
    found = {
        "ql": ql, "ahead": ahead, "line": line, "desks": desks, "free": free, "minute": at,
        "weekday": np.full(len(at), float(day.day.weekday())),
        "priority": day.priority[who].astype(float),
        "waited": at - came[who],
        "cv2": np.full(len(at), habits.pace.cv2),
        "pace": np.full(len(at), pace),
        "rel_work": ((before * mean).sum(1) + busy.sum(1) * mean.mean()) / staffed / (ql + 1),
        "elapsed": elapsed / staffed / pace,
        "head": np.where(line > 0, at - np.where(here, came, np.inf).min(1, initial=np.inf), 0.0),
    }  # fmt: skip
    for minutes in BACK:
        since = now - minutes
        calls = ((day.called > since) & (day.called <= now)).sum(1)
        found[f"calls{minutes:.0f}"] = calls.astype(float)
        found[f"came{minutes:.0f}"] = ((came > since) & (came <= now)).sum(1).astype(float)
        found[f"rel_pace{minutes:.0f}"] = (minutes * staffed + 5 * pace) / (calls + 5) / pace
    usual = habits.usual_at(at)
    found["rel_usual"] = usual / staffed
    for minutes in AHEAD_MINUTES:
        found[f"rel_desks{minutes:.0f}"] = habits.usual_at(at + minutes) / staffed
        found[f"change{minutes:.0f}"] = habits.usual_at(at + minutes) - usual
    return found


def _desks(day: Day, habits: Habits, service: Ints, at: Floats) -> tuple[Floats, Floats]:
    """Open desks for each person's service, and those of them with nobody at them."""
    desks, free = np.zeros(len(at)), np.zeros(len(at))
    for desk, serves in habits.serves.items():
        if day.desks:
            staffed = np.full(len(at), day.desks.get(desk) == "open")
        else:
            staffed = np.zeros(len(at), bool)
            for begin, end in day.shifts.get(desk, ()):
                staffed |= (begin <= at) & (at < end)
        fits = staffed & np.isin(service, list(serves))
        mine = np.flatnonzero(day.desk == desk)
        taken = ((day.called[mine] <= at[:, None]) & ~(day.ended[mine] <= at[:, None])).any(1)
        desks += fits
        free += fits & ~taken
    return desks, free
