"""What came of alarms: right, false, how long before the crowd. Pure.

- An alarm is right when those who came to its line 30 to 60 minutes later waited over 45 minutes on average, and false
  when they did not or nobody came. Where nobody's wait is known it counts as false too.
- A crowd is a spell in which those who come within half an hour wait over 45 minutes on average; spells with less than
  `JOINED_MIN` minutes between them are one. It begins at the first such look.
- A crowd is caught when an alarm was raised on its line from `EARLY_MIN` minutes before it began until it ended; caught
  before it began when that alarm came before; caught in time when it came before the first of them had waited 45
  minutes (45 minutes after it began: until then nobody has waited long, and help can still come). Lead: minutes from
  that alarm to that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from queueing.alarms.chance import LONG_MIN
from queueing.alarms.instants import Instants
from queueing.alarms.raising import raised
from queueing.waits.snapshots import Floats

JOINED_MIN = 60.0
EARLY_MIN = 90.0
WEEK_DAYS = 5
"""Days an office is open in a week."""


@dataclass(slots=True)
class Tally:
    """Alarms and crowds over some office-days."""

    right: int = 0
    false: int = 0
    crowds: int = 0
    caught: int = 0
    before: int = 0
    in_time: int = 0
    office_days: int = 0
    leads: list[float] = field(default_factory=list)

    @property
    def false_a_week(self) -> float:
        """False alarms per office and week."""
        return self.false * WEEK_DAYS / self.office_days if self.office_days else 0.0

    def figures(self) -> dict[str, float | int | None]:
        """As printed."""
        alarms = self.right + self.false
        return {
            "alarms": alarms,
            "right": self.right,
            "false": self.false,
            "precision": round(self.right / alarms, 3) if alarms else None,
            "false_per_office_week": round(self.false_a_week, 3),
            "office_weeks": round(self.office_days / WEEK_DAYS, 1),
            "crowds": self.crowds,
            "recall": round(self.caught / self.crowds, 3) if self.crowds else None,
            "recall_in_time": round(self.in_time / self.crowds, 3) if self.crowds else None,
            "recall_before": round(self.before / self.crowds, 3) if self.crowds else None,
            "median_lead_min": round(float(np.median(self.leads)), 1) if self.leads else None,
        }


def crowds(at: Floats, mean: Floats) -> list[tuple[float, float]]:
    """(begin, end) of the crowds of one line and day, minutes; `mean`: minutes waited by who came in the half
    hour after each look."""
    found: list[tuple[float, float]] = []
    for when in at[np.nan_to_num(mean) > LONG_MIN]:
        if found and when - found[-1][1] <= JOINED_MIN:
            found[-1] = (found[-1][0], float(when))
        else:
            found.append((float(when), float(when)))
    return found


def tally(at: Instants, rows: Sequence[np.ndarray], chance: Floats, threshold: float) -> Tally:
    """Raise alarms at the threshold and hold them against what came. `rows`: of each line and day (`by_line`)."""
    states, long = at.states, at.long
    made = Tally(office_days=len({(int(states.office[some[0]]), int(states.day[some[0]])) for some in rows}))
    for some in rows:
        times = states.arrived[some]
        alarms = raised(zip(times.tolist(), chance[some].tolist(), strict=True), threshold)
        hit = long[some]
        right = [bool(hit[np.searchsorted(times, alarm)]) for alarm in alarms]
        made.right += sum(right)
        made.false += len(right) - sum(right)
        for begin, end in crowds(times, at.soon[some]):
            made.crowds += 1
            first = next((alarm for alarm in alarms if begin - EARLY_MIN <= alarm <= end), None)
            if first is not None:
                made.caught += 1
                made.before += first < begin
                made.in_time += first < begin + LONG_MIN
                made.leads.append(begin + LONG_MIN - first)
    return made


def by_line(at: Instants, chosen: np.ndarray) -> list[np.ndarray]:
    """The chosen rows of each line and day, in time's order."""
    places = np.flatnonzero(chosen)
    key = at.states.queue[places] * len(at.states.days) + at.states.day[places]
    order = np.lexsort((at.states.arrived[places], key))
    cuts = np.flatnonzero(np.diff(key[order])) + 1
    return [places[some] for some in np.split(order, cuts) if len(some)]


def threshold_for(at: Instants, rows: Sequence[np.ndarray], chance: Floats, most: float) -> float:
    """The lowest threshold (in hundredths) from which on at most `most` false alarms come per office and week."""
    best = 0.99
    for percent in range(98, 2, -2):
        if tally(at, rows, chance, percent / 100).false_a_week > most:
            break
        best = percent / 100
    return best
