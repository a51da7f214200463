"""Columns a crowd is foreseen from beside those of a wait: the line's way through today, the lines beside it, who is
still to come, and what is usual at this time of day. Pure; minutes and people.

Only what had been seen by a snapshot enters: states of today until then, people of the days it may learn from.
"""

from __future__ import annotations

import numpy as np

from queueing.alarms.chance import LONG_MIN
from queueing.waits.snapshots import Floats
from queueing.waits.tickets import Tickets

SLOTS, SLOT_MIN = 48, 30.0
USUAL_WEIGHT = 5.0
"""People who waited as little as a calm line's, added to each half hour's."""
LATELY_MIN = 40.0
"""Minutes after which a line's expected wait of before still counts a third (1/e)."""
LOOK_MIN = 5.0
"""Minutes for which a look stands at most."""
SOON_MIN = 45.0
"""The middle of those who are warned of."""
FORGET = 0.6
"""What a day counts beside the day nearer by one."""
TODAY_WEIGHT = 8.0
"""People as usual that today's number of people begins with."""
LEAST_TODAY, MOST_TODAY = 0.3, 3.0
LEAST_PACE = 0.2
"""Minutes a person."""


def crowd_columns(
    found: dict[str, Floats], people: Tickets, states: Tickets, days: np.ndarray
) -> dict[str, Floats]:
    """All of them, one value a state. `found`: the columns of waits of the same states, "line_wait" among them;
    `days`: mask (day of the state x day learnt from)."""
    pace = found["tau"] * np.sqrt(found["today_queue"])
    usual = _usual(people, states, days)
    return {
        **usual,
        **_beside(states, found["line_wait"]),
        **_path(states, found["line_wait"]),
        **{f"rise{back}": (found["line"] - found[f"line{back}"]) * found["tau"] for back in (10, 30, 60)},
        **_to_come(found, people, states, days, pace),
        "wait_today": found["line"] * pace,
        "over_usual": np.log1p(found["line_wait"]) - np.log1p(usual["recent_wait"]),
    }


def _beside(states: Tickets, wait: Floats) -> dict[str, Floats]:
    """The expected waits at the other lines of the office, in the same minute."""
    key = (states.office * len(states.days) + states.day) * 1440 + np.round(states.arrived).astype(np.int64)
    _, place = np.unique(key, return_inverse=True)
    stands = wait > 0
    # Empty lines do not count: which of them have a row depends on who came later.
    others = np.bincount(place, stands)[place] - stands
    over = (wait > LONG_MIN).astype(float)
    return {
        "others_wait": (np.bincount(place, wait)[place] - wait) / np.maximum(others, 1),
        "others_long": np.bincount(place, over)[place] - over,
    }


def _path(states: Tickets, wait: Floats) -> dict[str, Floats]:
    """The longest expected wait of today so far, and how it stood lately: a running mean in which a line with nobody in
    it counts as none, whether it has a row or not."""
    peak, lately = np.zeros(len(wait)), np.zeros(len(wait))
    key = states.queue * len(states.days) + states.day
    order = np.lexsort((states.arrived, key))
    for rows in np.split(order, np.flatnonzero(np.diff(key[order])) + 1):
        peak[rows] = np.maximum.accumulate(wait[rows])
        mean, last = 0.0, -np.inf
        for row in rows:
            gap = states.arrived[row] - last
            held = mean * np.exp(-gap / LATELY_MIN) if mean else 0.0
            if wait[row] > 0:
                mean, last = (
                    held + wait[row] * (1.0 - np.exp(-min(gap, LOOK_MIN) / LATELY_MIN)),
                    states.arrived[row],
                )
                held = mean
            lately[row] = held
    return {"peak": peak, "wait_lately": lately}


def _to_come(
    found: dict[str, Floats], people: Tickets, states: Tickets, days: np.ndarray, pace: Floats
) -> dict[str, Floats]:
    """People of the next 45 minutes and of the rest of the day as usual, how today's number differs from that, and the
    expected wait in 45 minutes that follows at three paces: of all days, of today, of the last hour."""
    came = ~np.isnan(people.arrived)
    table = _sums(people, came, np.ones(len(people)), states)
    usual = np.einsum("qes,de->qds", table, days.astype(float)) / np.maximum(days.sum(1), 1)[None, :, None]
    until = np.concatenate([np.zeros((*usual.shape[:2], 1)), np.cumsum(usual, 2)], 2)

    def by(when: Floats) -> Floats:
        place = np.clip(when / SLOT_MIN, 0, SLOTS - 1e-9)
        slot = place.astype(int)
        where = (states.queue, states.day, slot)
        whole: Floats = until[where] + (place - slot) * usual[where]
        return whole

    so_far = by(states.arrived)
    today = np.clip(
        (found["calls"] + found["line"] + TODAY_WEIGHT) / (so_far + TODAY_WEIGHT), LEAST_TODAY, MOST_TODAY
    )
    soon = by(states.arrived + SOON_MIN) - so_far
    rest = by(np.full(len(so_far), 1439.0)) - so_far
    made = {
        "today_people": today,
        "next45": soon,
        "left_today": rest,
        "rest_wait": (found["line"] + rest * today) * pace - np.nan_to_num(found["to_close"], nan=200.0),
    }
    for name, minutes in (
        ("tau", found["tau"]),
        ("today", pace),
        ("busy60", found["rel_pace_busy60"] * found["tau"]),
    ):
        a_person = np.maximum(minutes, LEAST_PACE)
        taken = SOON_MIN / a_person
        made[f"soon_{name}"] = np.maximum(0.0, found["line"] + today * soon - taken) * a_person
        lately = 0.5 * found["arrivals60"] * SOON_MIN / 60 + 0.5 * today * soon
        made[f"soon60_{name}"] = np.maximum(0.0, found["line"] + lately - taken) * a_person
    return made


def _usual(people: Tickets, states: Tickets, days: np.ndarray) -> dict[str, Floats]:
    """Waits that are usual in this half hour and the two after it: at this line on all days, more on near ones, on the
    same weekday; in its office."""
    seen = ~np.isnan(people.wait) & ~np.isnan(people.arrived)
    waited, number, long = (
        _sums(people, seen, values, states)
        for values in (people.wait, np.ones(len(people)), (people.wait > LONG_MIN).astype(float))
    )
    queue, day = states.queue, states.day
    now = np.clip(states.arrived // SLOT_MIN, 0, SLOTS - 1).astype(int)
    after = [np.minimum(now + later, SLOTS - 1) for later in range(3)]

    def over(weight: np.ndarray) -> list[Floats]:
        return [np.einsum("qes,de->qds", one, weight.astype(float)) for one in (waited, number, long)]

    def around(table: Floats, place: np.ndarray) -> Floats:
        """This half hour, twice the next, and the one after it."""
        total: Floats = (
            table[place, day, after[0]] + 2 * table[place, day, after[1]] + table[place, day, after[2]]
        )
        return total

    wait_all, number_all, long_all = over(days)
    found = {}
    for later, slot in enumerate(after):
        where = (queue, day, slot)
        found[f"usual_wait{later}"] = (wait_all[where] + USUAL_WEIGHT**2) / (number_all[where] + USUAL_WEIGHT)
        found[f"usual_long{later}"] = (long_all[where] + 0.1) / (number_all[where] + 3.0)
    found["usual_long"] = (long_all.sum(2)[queue, day] + 0.5) / (number_all.sum(2)[queue, day] + 20.0)
    age = np.abs(np.arange(len(states.days))[:, None] - np.arange(len(states.days))[None, :])
    wait_near, number_near, long_near = over(np.where(days, FORGET ** (age - 1.0), 0.0))
    found["recent_wait"] = (around(wait_near, queue) + 20.0) / (around(number_near, queue) + 4.0)
    found["recent_long"] = (around(long_near, queue) + 0.1) / (around(number_near, queue) + 4.0)
    found["recent_long_day"] = (long_near.sum(2)[queue, day] + 0.3) / (number_near.sum(2)[queue, day] + 15.0)
    weekday = np.array([one.weekday() for one in states.days])
    wait_week, number_week, _ = over(days & (weekday[:, None] == weekday[None, :]))
    people_week = around(number_week, queue)
    found["week_wait"] = np.where(
        people_week > 0, (around(wait_week, queue) + 10.0) / (people_week + 2.0), np.nan
    )
    office_of = np.array([states.offices.index(office) for office, _ in states.queues])
    number_office, long_office = (
        np.zeros((len(states.offices), *one.shape[1:])) for one in (number_all, long_all)
    )
    np.add.at(number_office, office_of, number_all)
    np.add.at(long_office, office_of, long_all)
    found["office_long"] = (around(long_office, states.office) + 0.3) / (
        around(number_office, states.office) + 10.0
    )
    return found


def _sums(people: Tickets, rows: np.ndarray, values: Floats, states: Tickets) -> Floats:
    """Sums of the chosen people's values by queue, day and half hour of coming."""
    table = np.zeros((len(states.queues), len(states.days), SLOTS))
    slot = np.clip(people.arrived[rows] // SLOT_MIN, 0, SLOTS - 1).astype(int)
    np.add.at(table, (people.queue[rows], people.day[rows], slot), values[rows])
    return table
