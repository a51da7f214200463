"""A day of any number of lines by discrete events, citizen by citizen: the country in less than a second. Pure.

What stands in the model: lines with desks that are staffed in spells (shifts, lunch), desks limited to some skills,
priority as a head start in the order (`queueing.order`; an infinite one is strict priority), patience, overtime for
who is inside at closing, and people who choose between two lines by the waits shown to them (a center and the van on
its forecourt). What does not stand in it: recalls, missing papers, second counters; `fleet.simulation.day` plays those
for the demonstration, and here the desk time of a person includes them on average.

Two arms give the same tickets, to the last bit: `engine_plain` (to be read) and `engine_compiled` (to be run). Nothing
is drawn here: everybody's draws come in with the person, so that two plans are compared with the very same people
(common random numbers) and differ only in what the plans do.

Times are hours from local midnight, as everywhere in models of waiting.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleet.relief import WAIT_SENSITIVITY, Floats

Ints = NDArray[np.int64]
SERVED, LEFT, SENT_HOME = 0, 1, 2
"""What became of a ticket: served; lost patience; still waiting when the line was shut."""
EVERY_SKILL = -1
"""Skills of a desk that serves everybody (all bits)."""
MOST_SKILLS = 62


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a day. Those of one place (a center, and a van before it) stand together and in order."""

    place_first: Ints
    """Places + 1: lines of place p are place_first[p] to place_first[p + 1] - 1."""
    desk_first: Ints
    """Lines + 1: desks of line s are desk_first[s] to desk_first[s + 1] - 1."""
    skills: Ints
    """Per desk: bit k says that it serves people of skill k."""
    spell_first: Ints
    """Desks + 1: spells of desk d, in order and apart."""
    spell_on: Floats
    spell_off: Floats
    """Hours at which a spell begins and ends; who is being served is served to the end."""
    overtime: NDArray[np.bool_]
    """Per line: after its last spell a desk goes on while somebody waits for it."""
    shut: Floats
    """Per line: from this hour on nobody is called any more."""
    pace: Floats
    """Per line: desk hours a person, by which the wait that people are shown is reckoned."""
    takes_from: Floats
    takes_until: Floats
    """Per line: from and until when it can be chosen by who has a choice."""

    @property
    def count(self) -> int:
        """Number of lines."""
        return len(self.desk_first) - 1


@dataclass(frozen=True, slots=True)
class People:
    """Everybody who comes, by place and then by arrival."""

    first: Ints
    """Places + 1: people of place p."""
    arrives: Floats
    home: Ints
    """The line of who does not choose, or chooses to stay."""
    other: Ints
    """The line that can be chosen instead; -1: none."""
    skill: Ints
    head_start: Floats
    """Hours by which the person counts as having come earlier."""
    patience: Floats
    """Hours after which the person leaves unserved (inf: never)."""
    service: Floats
    service_other: Floats
    """Desk hours at the home line and at the other."""
    lean: Floats
    """What draws to the other line beside the waits, in log odds (`relief.TRAVEL_SENSITIVITY` x hours nearer)."""
    chance: Floats
    """The choice's draw, log odds of a uniform number: the other line is taken when the lean to it is larger."""

    @property
    def count(self) -> int:
        """Number of people."""
        return len(self.arrives)


@dataclass(frozen=True, slots=True)
class Tickets:
    """What became of everybody, in the order of `People`."""

    line: Ints
    desk: Ints
    """-1 for who was not served."""
    begins: Floats
    """When service began, or waiting ended without it."""
    ends: Floats
    state: NDArray[np.int8]

    def waited(self, people: People) -> Floats:
        """Hours each person waited."""
        result: Floats = self.begins - people.arrives
        return result


def play(
    lines: Lines, people: People, *, compiled: bool = True, sensitivity: float = WAIT_SENSITIVITY
) -> Tickets:
    """Play the day. `sensitivity` is the log odds of an hour's wait in a choice (`relief.WAIT_SENSITIVITY`)."""
    if compiled:
        from fleet.simulation.engine_compiled import play_places
    else:
        from fleet.simulation.engine_plain import play_places
    n = people.count
    tickets = Tickets(
        people.home.copy(), np.full(n, -1, np.int64), np.zeros(n), np.zeros(n), np.zeros(n, np.int8)
    )
    play_places(lines, people, tickets, sensitivity)
    return tickets


def check(lines: Lines, people: People) -> None:
    """Raise ValueError where the arrays do not fit together: an index out of range would be read without notice."""

    def need(holds: Any, words: str) -> None:
        if not holds:
            raise ValueError(words)

    for name in ("place_first", "desk_first", "spell_first"):
        first = getattr(lines, name)
        need(len(first) and first[0] == 0 and (np.diff(first) >= 0).all(), f"{name} does not count up from 0")
    need(lines.place_first[-1] == lines.count, "places do not hold every line")
    need(lines.desk_first[-1] == len(lines.skills) == len(lines.spell_first) - 1, "desks do not fit")
    need(lines.spell_first[-1] == len(lines.spell_on) == len(lines.spell_off), "spells do not fit")
    need((lines.spell_off > lines.spell_on).all(), "a spell ends before it begins")
    within = np.diff(np.repeat(np.arange(len(lines.skills)), np.diff(lines.spell_first))) == 0
    need((lines.spell_on[1:] >= lines.spell_off[:-1])[within].all(), "spells of a desk overlap")
    for name in ("overtime", "shut", "pace", "takes_from", "takes_until"):
        need(len(getattr(lines, name)) == lines.count, f"{name} is not one a line")
    need(len(people.first) == len(lines.place_first), "people and lines have other places")
    need(people.first[0] == 0 and people.first[-1] == people.count, "people of places do not hold everybody")
    for field in fields(people)[1:]:
        need(len(getattr(people, field.name)) == people.count, f"{field.name} is not one a person")
    place = np.repeat(np.arange(len(people.first) - 1), np.diff(people.first))
    need((np.diff(people.arrives) >= 0)[np.diff(place) == 0].all(), "people are not in order of arrival")
    low, high = lines.place_first[place], lines.place_first[place + 1]
    need(((people.home >= low) & (people.home < high)).all(), "a home line is not of the person's place")
    other = people.other >= 0
    need(((people.other >= low) & (people.other < high))[other].all(), "a line to choose is elsewhere")
    need(((people.skill >= 0) & (people.skill < MOST_SKILLS)).all(), "a skill is out of range")
    need((people.service > 0).all() and (people.service_other > 0).all(), "a service takes no time")
