"""How a line stands at a moment of a day: as a center to be played forward. Pure arithmetic on a day's columns.

The same code reads the line as it is now and as it was at any moment of an earlier day, so that what is told today
and what is judged by what came are one thing. Of an earlier day only what had happened by the moment counts.
"""

from __future__ import annotations

import itertools

import numpy as np

from queueing.order import APPOINTMENT, HEAD_START, ORDINARY
from queueing.ticket import APPOINTMENT_GRACE, AT_DESK
from queueing.waits.days import HEAD_MINUTES, Day, Spells
from queueing.waits.forward import Center, Counter, Overtakers, Person, Times
from queueing.waits.habits import Habits
from queueing.waits.snapshots import Ints

AWAY_MINUTES = 20.0
"""A pause of a desk of which nobody has said how long it takes, where no earlier day tells."""
SHOWS = 0.85
TODAY_WEIGHT = 150.0
"""Minutes of service as usual that today's pace begins with."""
OVERTAKE_WEIGHT = 60.0
"""Minutes as on earlier days that today's rate of people with priority begins with."""
FOR_GOOD = 1e6
GRACE = APPOINTMENT_GRACE.total_seconds() / 60
FARTHEST = HEAD_MINUTES[APPOINTMENT]
LAST = 1e-3
"""Minutes: whoever joins stands behind those who came in the same instant."""


def line_at(day: Day, habits: Habits, now: float, *, asked: int | None = None) -> Ints:
    """Who waits at minute `now`, as rows of the day in the order of their numbers. Of today (its desks' states are
    known): who waits now. `asked`: somebody who just came counts, though they may be called in the same moment."""
    if day.desks:
        waits = day.state == "waiting"
    else:
        waits = (day.came <= now) & (day.left > now)
        if asked is not None:
            waits[asked] = True
    known = np.isin(day.service, list(habits.places))
    return np.flatnonzero(waits & known)


def center_at(
    day: Day, habits: Habits, now: float, *, joins: int | None = None, asked: int | None = None
) -> tuple[Center, Ints, float] | None:
    """The center at minute `now`, the rows who wait (they come first in `people`), today's pace; None while no desk
    is open. `joins`: somebody ordinary who would come now for the service in that place stands last in `people`."""
    counters = _counters(day, habits, now)
    if not any(state == "open" for state in _states(day, now).values()):
        return None
    line = line_at(day, habits, now, asked=asked)
    key, places = day.key, habits.places
    people = [
        Person(
            float(key[row] - now),
            places[int(day.service[row])],
            max(0.0, float(np.nan_to_num(day.hold[row] - now))),
            1.0,
            max(0.0, float(now - day.aged[row])),
        )
        for row in line
    ]
    people += _booked(day, habits, now)
    if joins is not None:
        people.append(Person(LAST, joins))
    center = Center(
        habits.times, tuple(counters), tuple(people), _overtakers(day, habits, now), habits.leaving
    )
    return center, line, pace_today(day, habits, now)


def _booked(day: Day, habits: Habits, now: float) -> list[Person]:
    at = day.appointment
    if day.desks:
        to_come = day.state == "booked"
    else:
        # Whoever came and whoever did not look the same before the appointment.
        to_come = (at > now) & (day.issued <= now)
    found = []
    for row in np.flatnonzero(to_come & (at > now - GRACE) & (at < now + FARTHEST)):
        if int(day.service[row]) in habits.places:
            left = max(0.0, float(at[row] - now))
            found.append(Person(left - FARTHEST, habits.places[int(day.service[row])], left, SHOWS))
    return found


def _counters(day: Day, habits: Habits, now: float) -> list[Counter]:
    states = _states(day, now)
    if day.desks:
        at = np.isin(day.state, AT_DESK)
    else:
        at = (day.desk > 0) & (day.called <= now) & ~(day.ended <= now)
    busy = {int(day.desk[row]): row for row in np.flatnonzero(at)}
    found = []
    # A desk that is closed now may open later, as it did on earlier days.
    for desk in sorted({*states, *(one for shifts in habits.rosters for one in shifts)} & set(habits.serves)):
        staffed = states.get(desk) == "open"
        pauses = pauses_of([shifts.get(desk, ()) for shifts in habits.rosters], now, staffed=staffed)
        row = busy.get(desk)
        if row is not None and int(day.service[row]) in habits.places:
            elapsed = max(0.0, float(now - day.called[row]))
            found.append(
                Counter(habits.serves[desk], habits.places[int(day.service[row])], elapsed, pauses=pauses)
            )
        elif staffed or pauses:
            found.append(Counter(habits.serves[desk], pauses=pauses))
        elif states.get(desk) == "paused":
            found.append(Counter(habits.serves[desk], away=AWAY_MINUTES))
    return found


def _states(day: Day, now: float) -> dict[int, str]:
    """Desks that are open or pause."""
    if day.desks:
        return {desk: state for desk, state in day.desks.items() if state != "closed"}
    return {desk: "open" for desk, spells in day.shifts.items() if _open(spells, now)}


def _open(spells: Spells, now: float) -> bool:
    return any(begin <= now < end for begin, end in spells)


def pauses_of(days: list[Spells], now: float, *, staffed: bool) -> tuple[Spells, ...]:
    """When a desk was away later on, in minutes from now, on each earlier day on which it stood at this time as it
    stands now. After its last spell of a day a desk goes on while somebody waits, so its end is no pause; a desk
    that is closed now may have been closed for good on that day."""
    found: list[Spells] = []
    for spells in days:
        if not spells or (not staffed and now >= spells[-1][1]):
            if not staffed:
                found.append(((-1.0, FOR_GOOD),))
            continue
        gaps = [(-1e6, spells[0][0]), *((one[1], other[0]) for one, other in itertools.pairwise(spells))]
        if staffed == any(begin <= now < end for begin, end in gaps):
            continue
        found.append(tuple((begin - now, end - now) for begin, end in gaps if end > now))
    return tuple(found)


def _overtakers(day: Day, habits: Habits, now: float) -> tuple[Overtakers, ...]:
    """People with priority: as many a minute as came today, beginning with the usual."""
    come = day.issued <= now
    minutes = float(now - day.issued[come].min()) if come.any() else 0.0
    found = []
    for number, head in HEAD_START.items():
        if number in (ORDINARY, APPOINTMENT):
            continue
        usual = habits.overtake.get(number, 0.0)
        count = float((come & (day.priority == number)).sum())
        rate = (count + usual * OVERTAKE_WEIGHT) / (minutes + OVERTAKE_WEIGHT)
        found.append(Overtakers(head.total_seconds() / 60, rate, habits.weights))
    return tuple(found)


def pace_today(day: Day, habits: Habits, now: float) -> float:
    """How much longer today's ended services took than usual."""
    done = (day.state == "served") & (day.ended <= now) & (day.called <= day.ended) & ~day.changed
    took, hoped = TODAY_WEIGHT, TODAY_WEIGHT
    for row in np.flatnonzero(done):
        place = habits.places.get(int(day.service[row]))
        if place is not None:
            took += float(day.ended[row] - day.called[row])
            hoped += habits.times[place].mean
    return took / hoped


def means_of(times: tuple[Times, ...]) -> np.ndarray:
    """Minutes by service."""
    return np.array([one.mean for one in times])
