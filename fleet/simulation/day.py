"""One queue's day by discrete events, through the rules of `queueing.ticket` and `queueing.order`. Pure and
fast.

Arrivals, patience, walking, recalls, no-shows, papers that are missing, lunch: every change of a ticket
is a `move`, every choice of the next person a `Line.pop`, so that what comes out could have been clicked
by clerks. Some 30 microseconds a ticket and event list; the whole country's day (20,000 tickets) takes
about a second.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from fleet.simulation.behaviour import Person
from fleet.simulation.scenario import DeskDay, Scenario
from queueing.line import Line
from queueing.ticket import AT_DESK, LIVE, LightTicket, move

RECALL_AFTER_S = 45.0
"""A clerk who calls and sees nobody calls again after this, and gives up after as long once more."""
LOOK_AGAIN_S = 60.0
"""How often an idle clerk looks, after closing time, whether the people inside still need this desk."""


class Slip(LightTicket):
    """A ticket in the simulation, with the person who holds it."""

    __slots__ = ("calls", "person", "second", "serial", "todo_s")

    def __init__(self, number: int, serial: int, person: Person, now: datetime) -> None:
        super().__init__(number, person.service.service_id, now, priority=person.priority)
        self.serial = serial
        self.person = person
        self.calls = person.calls
        self.todo_s = person.service_s
        self.second = person.second


class Entry(NamedTuple):
    """One event of a ticket, in the order it happened; `data` as the counter's verbs write it."""

    slip: Slip
    action: str
    state_from: str | None
    state_to: str
    desk_id: int | None
    at: datetime
    data: dict[str, Any] | None = None
    before: dict[str, Any] | None = None


class Staffed(NamedTuple):
    """A spell during which a desk was open. `until` is None while it still is."""

    desk_id: int
    since: datetime
    until: datetime | None


@dataclass(slots=True)
class Played:
    """What came of a day (or of its beginning)."""

    scenario: Scenario
    slips: list[Slip] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    staffed: list[Staffed] = field(default_factory=list)


class _Counter:
    """A desk while the day is played."""

    __slots__ = ("desk_id", "last", "on", "returns", "services", "since", "slip", "until")

    def __init__(self, desk: DeskDay) -> None:
        self.desk_id = desk.desk_id
        self.services = desk.services
        self.on = False
        self.since = 0.0
        self.until = 0.0
        self.last = False
        self.slip: Slip | None = None
        self.returns: list[Slip] = []


def play(
    scenario: Scenario, people: Sequence[tuple[float, Person]], *, until: datetime | None = None
) -> Played:
    """Play the day of `scenario` with these people (seconds after opening, ascending), to its end or to
    `until`."""
    return _Day(scenario, people).run(None if until is None else scenario.second(until))


class _Day:
    """The moving parts. Seconds count from opening."""

    def __init__(self, scenario: Scenario, people: Sequence[tuple[float, Person]]) -> None:
        self.scenario, self.people = scenario, people
        self.out = Played(scenario)
        self.line: Line[Slip] = Line()
        self.waiting = 0
        self.heap: list[tuple[float, int, Callable[[Any], None], Any]] = []
        self.pushed = 0
        self.t = 0.0
        self.now = scenario.opens
        self.desks = [_Counter(desk) for desk in scenario.desks]
        for desk, plan in zip(self.desks, scenario.desks, strict=True):
            for place, (begin, end) in enumerate(plan.spells):
                self.later(begin, self.staff, (desk, end, place == len(plan.spells) - 1))

    def run(self, until: float | None) -> Played:
        """Take events in the order of time; arrivals stand in their own list."""
        heap, people = self.heap, self.people
        end = self.scenario.end_s
        stop = end if until is None else min(until, end)
        came, total = 0, len(people)
        while True:
            due = people[came][0] if came < total else float("inf")
            if heap and heap[0][0] <= due:
                at, _, act, argument = heap[0]
                if at > stop:
                    break
                heapq.heappop(heap)
                self.set(at)
                act(argument)
            elif due <= stop:
                self.set(due)
                self.arrive(came, people[came][1])
                came += 1
            else:
                break
        if until is None or until >= end:
            self.close_up()
        self.out.staffed.extend(
            Staffed(desk.desk_id, self.scenario.at(desk.since), None) for desk in self.desks if desk.on
        )
        return self.out

    def set(self, at: float) -> None:
        """Move time on."""
        self.t = at
        self.now = self.scenario.opens + timedelta(seconds=at)

    def later(self, at: float, act: Callable[[Any], None], argument: Any) -> None:
        """Have `act(argument)` happen at second `at`."""
        self.pushed += 1
        heapq.heappush(self.heap, (at, self.pushed, act, argument))

    def do(
        self, slip: Slip, action: str, desk_id: int | None = None, data: dict[str, Any] | None = None
    ) -> None:
        """One move by the rules, and its event."""
        line = self.scenario.line
        at = slip.desk_id if slip.state in AT_DESK else None
        change = move(
            slip,
            action,
            now=self.now,
            desk_id=desk_id,
            hold_s=line.cool_down_s,
            recall_limit=line.recall_limit,
        )
        where = desk_id if desk_id is not None else at
        self.out.entries.append(
            Entry(slip, action, change.state_from, change.state_to, where, self.now, data, change.before)
        )

    # --- people ---

    def arrive(self, serial: int, person: Person) -> None:
        """A person takes a ticket; when the band of numbers is used up nobody gets one."""
        number = self.scenario.line.first_number + len(self.out.slips)
        if number > self.scenario.line.last_number:
            return
        slip = Slip(number, serial, person, self.now)
        self.out.slips.append(slip)
        told = {"service": person.service.code, "ahead": self.waiting}
        self.out.entries.append(Entry(slip, "issue", None, "waiting", None, self.now, told))
        self.later(self.t + person.patience_s, self.give_up, slip)
        self.join(slip)

    def join(self, slip: Slip) -> None:
        """Stand in the line; a free desk calls at once."""
        self.waiting += 1
        self.line.push(slip)
        self.wake(slip)

    def wake(self, slip: Slip) -> None:
        """Let the first free desk that serves this person call the next."""
        if slip.state != "waiting":
            return
        if slip.hold_until is not None and slip.hold_until > self.now:
            self.later(self.scenario.second(slip.hold_until) + 1e-3, self.wake, slip)
            return
        for desk in self.desks:
            if desk.on and desk.slip is None and (desk.services is None or slip.service_id in desk.services):
                self.next(desk)
                return

    def give_up(self, slip: Slip) -> None:
        """Patience is over: who still waits for a first call goes."""
        if slip.state == "waiting" and slip.started_at is None:
            self.waiting -= 1
            self.do(slip, "leave")

    def come_back(self, slip: Slip) -> None:
        """Somebody who missed the call turns up and is put back in the line (after the cool-down)."""
        if slip.state == "missed":
            slip.calls = 1
            self.do(slip, "requeue")
            self.join(slip)

    # --- desks ---

    def staff(self, spell: tuple[_Counter, float, bool]) -> None:
        """A clerk sits down until `end`; the day's last spell goes on while people are inside."""
        desk, end, last = spell
        desk.until, desk.last = end, last
        if not desk.on:
            desk.on, desk.since = True, self.t
        self.later(end, self.spell_over, desk)
        if desk.slip is None:
            self.next(desk)

    def spell_over(self, desk: _Counter) -> None:
        """Lunch or closing: a busy desk goes when its citizen is done."""
        if desk.on and desk.slip is None and self.t >= desk.until:
            self.next(desk)

    def next(self, desk: _Counter) -> None:
        """A free desk takes who comes back with a paper, else calls the next in the order, else waits."""
        desk.slip = None
        if self.t >= desk.until and not desk.returns and not (desk.last and self.waiting):
            desk.on = False
            self.out.staffed.append(Staffed(desk.desk_id, self.scenario.at(desk.since), self.now))
            return
        while desk.returns:
            back = desk.returns.pop(0)
            if back.state == "parked":
                desk.slip = back
                self.do(back, "resume", desk.desk_id)
                self.later(self.t + back.todo_s, self.done, desk)
                return
        slip = self.line.pop(self.now, desk.services)
        if slip is None:
            if self.t >= desk.until:  # people are inside, but none for this desk yet: look again
                self.later(self.t + LOOK_AGAIN_S, self.spell_over, desk)
            return
        self.waiting -= 1
        desk.slip = slip
        self.do(slip, "call", desk.desk_id)
        if slip.calls == 1:
            self.later(self.t + slip.person.walk_s, self.start, desk)
        else:
            self.later(self.t + RECALL_AFTER_S, self.recall, desk)

    def recall(self, desk: _Counter) -> None:
        """Nobody came: call again, where the queue allows it."""
        slip = desk.slip
        if slip is None:
            return
        if self.scenario.line.recall_limit > 0:
            self.do(slip, "recall", desk.desk_id)
        if slip.calls == 2:
            self.later(self.t + slip.person.walk_s, self.start, desk)
        else:
            self.later(self.t + RECALL_AFTER_S, self.miss, desk)

    def miss(self, desk: _Counter) -> None:
        """The person is not there."""
        slip = desk.slip
        if slip is None:
            return
        self.do(slip, "miss", desk.desk_id)
        if slip.person.back_s > 0:
            self.later(self.t + slip.person.back_s, self.come_back, slip)
        self.next(desk)

    def start(self, desk: _Counter) -> None:
        """The person stands at the desk."""
        slip = desk.slip
        if slip is None:
            return
        self.do(slip, "start", desk.desk_id)
        share = slip.person.park_share if slip.second is slip.person.second else 0.0
        if share > 0:
            self.later(self.t + share * slip.todo_s, self.park, desk)
            slip.todo_s *= 1 - share
        else:
            self.later(self.t + slip.todo_s, self.done, desk)

    def park(self, desk: _Counter) -> None:
        """A paper is missing: the person goes for it, the desk goes on."""
        slip = desk.slip
        if slip is None:
            return
        self.do(slip, "park", desk.desk_id)
        self.later(self.t + slip.person.park_s, self.returned, (desk, slip))
        self.next(desk)

    def returned(self, pair: tuple[_Counter, Slip]) -> None:
        """Back with the paper, to the same desk if anybody sits there, else to any that is open."""
        home, slip = pair
        desk = home if home.on else next((d for d in self.desks if d.on), None)
        if desk is None or slip.state != "parked":
            return
        desk.returns.append(slip)
        if desk.slip is None:
            self.next(desk)

    def done(self, desk: _Counter) -> None:
        """Served; or the errand goes on with a second service in the same line."""
        slip = desk.slip
        if slip is None:
            return
        if slip.second is not None:
            second, slip.second = slip.second, None
            slip.todo_s, slip.calls = slip.person.second_s, 1
            before = slip.service_id
            self.do(slip, "redirect", desk.desk_id, {"service": second.code})
            (self.out.entries[-1].before or {})["service_id"] = before
            slip.service_id = second.service_id
            self.join(slip)
        else:
            self.do(slip, "finish", desk.desk_id)
        self.next(desk)

    def close_up(self) -> None:
        """The building closes: whoever still stands somewhere is closed by the job of the evening."""
        self.set(self.scenario.end_s)
        for slip in self.out.slips:
            if slip.state in LIVE:
                self.do(slip, "close")
        for desk in self.desks:
            if desk.on:
                desk.on = False
                self.out.staffed.append(Staffed(desk.desk_id, self.scenario.at(desk.since), self.now))
