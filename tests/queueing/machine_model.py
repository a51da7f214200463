"""What the queues should do, said a second time in plain Python: lists and dictionaries, no database, none of the
product's rules imported. The machine (test_machine.py) presses the same buttons here and there and compares.

Times are aware datetimes, periods seconds.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta

HEAD_START_MIN = {0: 0, 1: 30, 2: 45, 3: 60, 4: 90}
"""Minutes by which people of a class count as having come earlier; 4 is an appointment that was kept."""
LATE_MIN = 15
"""Minutes after which an appointment is lost: the person stands in the line as from the arrival."""

STEPS = {
    "start": {"called": "serving"},
    "finish": {"called": "served", "serving": "served"},
    "miss": {"called": "missed"},
    "recall": {"called": "called"},
    "park": {"called": "parked", "serving": "parked"},
    "resume": {"parked": "serving", "missed": "called"},
    "requeue": {"called": "waiting", "parked": "waiting", "missed": "waiting"},
    "leave": dict.fromkeys(("booked", "waiting", "called", "serving", "parked", "missed"), "left"),
    "cancel": dict.fromkeys(("booked", "waiting", "called", "parked", "missed"), "cancelled"),
    "arrive": {"booked": "waiting"},
    "redirect": dict.fromkeys(("waiting", "called", "serving", "parked"), "waiting"),
    "transfer": dict.fromkeys(("waiting", "called", "serving", "parked"), "transferred"),
    "call": dict.fromkeys(("booked", "waiting", "parked", "missed"), "called"),
}
AT_DESK = ("called", "serving")
GONE = ("served", "left", "cancelled", "transferred")
LIVE = ("booked", "waiting", "called", "serving", "parked", "missed")


class Refused(Exception):
    """The queue says no."""


@dataclass
class Person:
    """Somebody with a ticket."""

    line: str
    number: int
    service: str
    priority: int
    state: str
    age: datetime
    channel: str
    phone: str | None = None
    due: datetime | None = None
    desk: int | None = None
    held: datetime | None = None
    recalls: int = 0
    called_at: datetime | None = None
    periods: list[tuple[str, datetime, datetime | None]] = field(default_factory=list)
    """(state, from, until): one after the other without a gap; the last is open while the person is here."""
    service_since: int = 0
    """Index of the first period of the present service."""
    finished_from_call: bool = False
    steps: list[tuple[str, int | None, Person]] = field(default_factory=list)
    """(verb, desk, the person before it): what an undo takes back."""
    undoable: bool = False
    touched: bool = False
    """The last step can never be undone (a transfer)."""

    def seconds(self, state: str, now: datetime) -> float:
        """How long in all."""
        return sum(
            ((until or now) - since).total_seconds() for kind, since, until in self.periods if kind == state
        )

    def first_wait(self, now: datetime) -> float:
        """Seconds in the line before anything else happened."""
        total = 0.0
        for state, since, until in self.periods:
            if state not in ("booked", "waiting"):
                break
            if state == "waiting":
                total += ((until or now) - since).total_seconds()
        return total

    def served_seconds(self) -> float:
        """At the desk in the present service; who was finished from the call counts from it."""
        mine = self.periods[self.service_since :]
        total = sum(
            ((until or since) - since).total_seconds() for kind, since, until in mine if kind == "serving"
        )
        if self.finished_from_call and self.called_at is not None:
            total += (mine[-1][2] - self.called_at).total_seconds()  # type: ignore[operator]
        return total


@dataclass
class Line:
    """One queue."""

    desks: dict[int, str]
    """Desk -> open | paused | closed."""
    recall_limit: int
    cool_down_s: int
    capacity: int | None = None
    state: str = "open"
    next_number: int = 1
    issued: int = 0
    held_by_van: bool = False
    calls: list[int] = field(default_factory=list)
    """Persons in the order of calls and recalls, the latest last: what the board announces."""


class Model:
    """All queues of one day."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.people: dict[int, Person] = {}
        """By the product's ticket id."""

    # ---- questions

    def order(self, line: str, now: datetime) -> list[int]:
        """The waiting as they would be called, those in a cool-down last."""
        waiting = [i for i, p in self.people.items() if p.line == line and p.state == "waiting"]
        return sorted(waiting, key=lambda i: (self._held(i, now), *self._rank(i, now)))

    def next(self, line: str, now: datetime) -> int | None:
        """Who is called next."""
        free = [i for i in self.order(line, now) if not self._held(i, now)]
        return free[0] if free else None

    def at(self, line: str, desk: int) -> int | None:
        """Whom a desk has."""
        here = [i for i, p in self.people.items() if p.line == line and p.state in AT_DESK and p.desk == desk]
        assert len(here) <= 1
        return here[0] if here else None

    def board(self, line: str, count: int) -> list[int]:
        """The last called, newest first, each person once, without calls that were taken back."""
        shown: list[int] = []
        for who in reversed(self.lines[line].calls):
            person = self.people[who]
            stands = person.called_at is not None and person.state not in ("waiting", "booked")
            if who not in shown and stands:
                shown.append(who)
        return shown[:count]

    def statistics(self, line: str, now: datetime) -> dict[str, float]:
        """The day in figures: who came, calls, people not there, people served, seconds until the first call or the
        leaving (of who still waits: until now)."""
        people = [person for person in self.people.values() if person.line == line]
        came = [p for p in people if any(state not in ("booked", *GONE) for state, _s, _u in p.periods)]
        verbs = [(verb, before.state) for person in people for verb, _desk, before in person.steps]
        served = sum(p.state == "served" for p in came)
        served += sum(p.state == "transferred" and p.seconds("serving", now) > 0 for p in came)
        return {
            "arrivals": len(came),
            "called": sum(verb == "call" or (verb, state) == ("resume", "missed") for verb, state in verbs),
            "missed": sum(verb == "miss" for verb, _state in verbs),
            "served": served,
            "wait_s": round(sum(person.first_wait(now) for person in came), 3),
        }

    def _held(self, who: int, now: datetime) -> bool:
        held = self.people[who].held
        return held is not None and held > now

    def _rank(self, who: int, now: datetime) -> tuple[bool, datetime, int]:
        person = self.people[who]
        start = timedelta(minutes=HEAD_START_MIN[person.priority])
        return (person.age > now, person.age - start, person.number)

    # ---- verbs: each raises Refused, or changes the model

    def may_issue(
        self, line: str, *, channel: str, phone: str | None, booked: bool, staff_over: bool = True
    ) -> int | None:
        """Whether somebody may have a number; the ticket that this phone has already."""
        here = self.lines[line]
        self._at_home(line)
        if here.state != "open" and not booked:
            raise Refused("closed")
        if phone is not None:
            for who, person in self.people.items():
                if person.line == line and person.phone == phone and person.state in LIVE:
                    return who
        if here.capacity is not None and here.issued >= here.capacity and channel != "staff":
            raise Refused("capacity")
        return None

    def issue(
        self, line: str, who: int, now: datetime, *, due: datetime | None = None, **given: object
    ) -> Person:
        """They have it."""
        here = self.lines[line]
        person = Person(
            line=line,
            number=here.next_number,
            state="booked" if due else "waiting",
            due=due,
            **{"age": due or now, "priority": 4 if due else 0, **given},  # type: ignore[arg-type]
        )
        person.periods.append((person.state, now, None))
        here.next_number += 1
        here.issued += 1
        self.people[who] = person
        return person

    def call_next(
        self, line: str, desk: int, now: datetime, chosen: int | None = None
    ) -> tuple[int | None, int | None]:
        """(who is finished, who is called)."""
        self._at_home(line)
        self._working(line, desk)
        current = self.at(line, desk)
        called = self.next(line, now)
        if chosen is not None:
            person = self.people[chosen]
            if person.line != line or person.state not in STEPS["call"]:
                raise Refused("not callable")
            called = chosen
        if current is not None:
            self.step(current, "finish", now, desk, forced=True)
        if called is not None:
            self.step(called, "call", now, desk, forced=True)
        return current, called

    def step(
        self,
        who: int,
        verb: str,
        now: datetime,
        desk: int | None,
        *,
        foreign: bool = False,
        forced: bool = False,
        service: str | None = None,
    ) -> bool:
        """One person goes on; False when there is nothing to do (they are being served already)."""
        person = self.people[who]
        line = self.lines[person.line]
        if not forced:
            self._at_home(person.line)
            if foreign:
                raise Refused("a desk of another queue")
            if person.state in AT_DESK and desk is not None and person.desk != desk:
                raise Refused("at another desk")
            if person.state in AT_DESK and desk is None and verb in ("leave", "cancel"):
                raise Refused("called: the desk decides")
        if verb == "start" and person.state == "serving":
            return False
        if verb == "arrive" and line.state != "open":
            raise Refused("closed")
        to = STEPS[verb].get(person.state)
        if verb == "resume" and person.state in ("parked", "missed"):
            assert desk is not None
            self._working(person.line, desk)
            if self.at(person.line, desk) is not None:
                raise Refused("the desk is busy")
        if to is None:
            raise Refused(f"{verb} while {person.state}")
        if verb == "recall" and person.recalls >= line.recall_limit:
            raise Refused("recall limit")
        self._remember(
            who, verb, desk if desk is not None else person.desk if person.state in AT_DESK else None
        )
        if verb == "call" or (verb == "resume" and to == "called"):
            person.desk, person.called_at, person.held, person.recalls = desk, now, None, 0
        elif verb == "resume":
            person.desk = desk
        elif verb == "recall":
            person.recalls += 1
        elif verb == "miss":
            person.held = now + timedelta(seconds=line.cool_down_s)
        elif verb == "requeue":
            person.desk = person.called_at = None
        elif verb == "redirect":
            person.desk = person.called_at = person.held = None
            person.recalls = 0
            person.service = service or person.service
        elif verb == "arrive":
            assert person.due is not None
            if now > person.due + timedelta(minutes=LATE_MIN):
                person.age, person.priority = now, 0
        if verb in ("call", "recall", "resume"):
            line.calls.append(who)
        person.finished_from_call = verb == "finish" and person.state == "called"
        if person.state == "booked" and to in ("left", "cancelled"):
            line.issued -= 1
        self._enter(person, to, now, again=verb == "redirect")
        if verb == "redirect":
            person.service_since = len(person.periods) - 1
        return True

    def undo(self, who: int, desk: int | None, now: datetime) -> None:
        """The last step never happened."""
        person = self.people[who]
        line = self.lines[person.line]
        self._at_home(person.line)
        if not person.undoable or person.touched:
            raise Refused("nothing to undo")
        verb, at, before = person.steps[-1]
        if desk is not None and at != desk:
            raise Refused("another desk's step")
        back = before.desk if before.state in AT_DESK else None
        if back is not None and person.state not in AT_DESK and self.at(person.line, back) is not None:
            raise Refused("the desk has somebody else")
        if before.state == "booked" and person.state in ("left", "cancelled"):
            line.issued += 1
        if verb in ("call", "recall", "resume"):
            del line.calls[len(line.calls) - 1 - line.calls[::-1].index(who)]
        steps = person.steps[:-1]
        restored = copy.copy(before)
        restored.steps, restored.undoable = steps, False
        restored.periods = list(before.periods)
        self.people[who] = restored

    def close_person(self, who: int, now: datetime) -> None:
        """The day is over for who is not at a desk."""
        person = self.people[who]
        assert person.state not in AT_DESK
        self._enter(person, "left", now)
        person.undoable, person.touched = True, True

    def _remember(self, who: int, verb: str, desk: int | None) -> None:
        person = self.people[who]
        before = copy.copy(person)
        before.periods, before.steps = list(person.periods), []
        person.steps.append((verb, desk, before))
        person.undoable = True
        person.touched = verb == "transfer"

    def _enter(self, person: Person, to: str, now: datetime, *, again: bool = False) -> None:
        if to != person.state or again:
            state, since, until = person.periods[-1]
            assert until is None
            person.periods[-1] = (state, since, now)
            if to in LIVE:
                person.periods.append((to, now, None))
        person.state = to

    def _at_home(self, line: str) -> None:
        if self.lines[line].held_by_van:
            raise Refused("out with a van")

    def _working(self, line: str, desk: int) -> None:
        here = self.lines[line]
        if here.state == "closed" or here.desks[desk] != "open":
            raise Refused("closed or paused")
