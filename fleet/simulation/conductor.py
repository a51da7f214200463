"""Runs the simulated day through the product's own verbs, beside real people, in steps that hold the
database briefly.

The conductor is a function of the database: what happens next to each ticket follows from the ticket and
from draws that depend on (seed, queue, day, serial) alone. It keeps a picture of each line in memory,
checks with every transaction whether somebody else has moved a line on (its `seq`), and then looks again.
After any failure it forgets the picture and reads anew.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from fleet.calendar import Calendar, default_calendar, local_day
from fleet.days import AT_ONCE, run_day_transitions
from fleet.simulation.clerks import Clerks
from fleet.simulation.demand_today import scenarios
from fleet.simulation.live_line import LiveLine, find_who_came, make_line, refresh
from fleet.simulation.morning import prime
from fleet.simulation.past_visits import Write
from fleet.simulation.seed import kept_seed
from fleet.simulation.steps import next_step
from fleet.simulation.vans import Van, load_vans, tell
from fleet.store import Visit
from queueing.errors import QueueingError
from queueing.store import Queue

__all__ = ["Conductor", "prime"]

BUDGET_S = 0.035
"""Seconds of work in one transaction: others wait for the write lock no longer than this and its commit."""
AT_LEAST = 12
"""Things done in one transaction however slow the machine is: a commit costs as much as several of them."""
TRIES = 6
"""How often a transaction that failed (locked, lost connection) is tried again in one tick."""
TRANSITIONS_EVERY = timedelta(minutes=1)
"""Simulated time between two looks at what opens and closes."""
WAIT_OUTSIDE = timedelta(minutes=1)
"""Who finds the doors closed looks again after this, until closing time."""

_OPEN = select(Queue.id, Queue.seq).where(Queue.state != "closed")


class Conductor:
    """The live day. `write(fn)` runs fn(session) in one transaction and commits; `timer` measures how long
    work takes."""

    def __init__(
        self,
        write: Write[Any],
        *,
        seed: int | None = None,
        calendar: Calendar | None = None,
        timer: Callable[[], float] = time.perf_counter,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._write, self._given_seed = write, seed
        self._calendar = calendar or default_calendar()
        self._timer, self._pause = timer, pause
        self._seed = 0
        self._day: date | None = None
        self._lines: dict[int, LiveLine] = {}
        self._vans: dict[int, Van] = {}
        self._visits: frozenset[int] = frozenset()
        self._heap: list[tuple[datetime, int, str, int, Any]] = []
        self._count = 0
        self._transitions_at: datetime | None = None
        self._clerks = Clerks(self._plan)
        self.verbs = 0
        """Changes made since the start, for reports."""
        self.refused = 0
        """How often the schedule's changes were refused by a rule (they are tried again a minute later)."""

    def tick(self, now: datetime) -> int:
        """Do everything that is due at `now`; how many changes were made. Never goes back: an earlier `now`
        does nothing."""
        before = self.verbs
        while not self._safely(lambda session: self._some(session, now)):
            pass
        return self.verbs - before

    def _safely(self, work: Callable[[Session], Any]) -> Any:
        """One transaction; after a failure of the database the picture is dropped and the work tried again."""
        for attempt in range(TRIES):
            try:
                return self._write(work)
            except DBAPIError:
                self._day = self._transitions_at = None
                if attempt == TRIES - 1:
                    raise
                self._pause(0.02 * 2**attempt)
        raise AssertionError("unreachable")

    def _begin(self, session: Session, now: datetime) -> bool:
        """What opens and closes, once a simulated minute; the picture of the day, where there is none. False while
        more is left to open or close than one transaction should."""
        if self._transitions_at is None or not now < self._transitions_at + TRANSITIONS_EVERY:
            try:
                done = run_day_transitions(session, now=now, calendar=self._calendar, most=AT_ONCE)
                self.verbs += bool(done.changed)
                if not done.complete:
                    return False
            except QueueingError:
                # A desk where a person still has a ticket cannot be closed: that waits, the day goes on.
                self.refused += 1
            self._transitions_at = now
            self._look_at_visits(session, local_day(now))
        if self._day != local_day(now):
            self._load(session, now)
        return True

    def _look_at_visits(self, session: Session, day: date) -> None:
        """Follow what the planner and the schedule did: closed and cancelled visits change ways, new ones
        bring lines."""
        if self._day != day:
            return
        if _visits(session, day) - self._visits:
            self._day = None  # published meanwhile: read the day anew
            return
        told = {center_id: van.told for center_id, van in self._vans.items()}
        for center_id, van in load_vans(session, day, self._seed).items():
            known = self._vans.get(center_id)
            if known is not None:
                van.told = told[center_id]
                self._vans[center_id] = van

    def _some(self, session: Session, now: datetime) -> bool:
        """A transaction's worth of what is due; True when nothing is left."""
        start, count = self._timer(), 0
        if not self._begin(session, now):
            return False
        self._look(session, now)
        while self._heap and self._heap[0][0] <= now:
            due, _, kind, queue_id, what = heapq.heappop(self._heap)
            line = self._lines.get(queue_id)
            if kind == "van":
                self._drive(session, what, due, now)
            elif line is not None:
                self._act(session, line, kind, what, due, now)
            count += 1
            if count >= AT_LEAST and self._timer() - start > BUDGET_S:
                return False
        return True

    def _load(self, session: Session, now: datetime) -> None:
        """Read the day from the database."""
        self._seed = kept_seed(session, self._given_seed)
        day = local_day(now)
        today = scenarios(session, day, seed=self._seed, calendar=self._calendar)
        self._lines = {one.scenario.line.queue_id: make_line(one, self._seed) for one in today}
        lines = list(self._lines.values())
        refresh(session, lines, seed=self._seed, day=day)
        find_who_came(session, lines)
        self._heap.clear()
        self._day = day
        self._visits = _visits(session, day)
        self._vans = load_vans(session, day, self._seed)
        for center_id in self._vans:
            self._push(now, "van", 0, center_id)
        for line in lines:
            self._next_arrival(line)
            self._clerks.plan_spells(line, now)
            self._replan(line, now)

    def _look(self, session: Session, now: datetime) -> None:
        """Take the picture anew of lines that somebody else has changed."""
        seen = dict(session.execute(_OPEN).all())
        stale = [
            line
            for queue_id, line in self._lines.items()
            if seen.get(queue_id, line.seq) != line.seq or (line.state == "closed") == (queue_id in seen)
        ]
        if stale and self._day is not None:
            refresh(session, stale, seed=self._seed, day=self._day)
            for line in stale:
                self._replan(line, now)

    def _replan(self, line: LiveLine, at: datetime) -> None:
        """Plan the next step of everybody in the line, and let free desks look at `at`."""
        for ticket_id in line.held:
            self._plan_step(line, ticket_id)
        self._plan(line, at, "desks", None)

    def _plan(self, line: LiveLine, due: datetime, kind: str, what: Any) -> None:
        self._push(due, kind, line.queue_id, what)

    def _push(self, due: datetime, kind: str, queue_id: int, what: Any) -> None:
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, kind, queue_id, what))

    def _plan_step(self, line: LiveLine, ticket_id: int) -> None:
        held = line.held.get(ticket_id)
        if held is None:
            return
        facts = line.scenario.line
        step = next_step(held, cool_down_s=facts.cool_down_s, recall_limit=facts.recall_limit)
        if step is not None:
            self._plan(line, step[0], "step", (ticket_id, held.version, step[1]))

    def _next_arrival(self, line: LiveLine) -> None:
        if line.came < len(line.people):
            self._plan(line, line.scenario.at(line.people[line.came][0]), "arrive", line.came)
            line.came += 1

    def _act(
        self, session: Session, line: LiveLine, kind: str, what: Any, due: datetime, now: datetime
    ) -> None:
        """One thing that is due. It is recorded at the instant it was due, but never before what others
        recorded."""
        at = min(now, max(due, line.floor or due))
        clerks = self._clerks
        clerks.at(session, line, at)
        if kind == "arrive":
            self._arrive(line, what, at)
        elif kind == "step":
            ticket_id, version, action = what
            held = line.held.get(ticket_id)
            if held is not None and held.version == version:
                clerks.step(held, action)
        elif kind == "spell":
            clerks.seat()
        clerks.serve()
        if clerks.lost:
            refresh(session, [line], seed=self._seed, day=line.scenario.day)
            self._replan(line, at)
        for ticket_id in clerks.touched:
            self._plan_step(line, ticket_id)
        self.verbs += clerks.done

    def _drive(self, session: Session, center_id: int, due: datetime, now: datetime) -> None:
        van = self._vans.get(center_id)
        if van is None:
            return
        again, changes = tell(session, van, due, now)
        self.verbs += changes
        if again is not None:
            self._push(max(again, due + timedelta(seconds=10)), "van", 0, center_id)

    def _arrive(self, line: LiveLine, serial: int, at: datetime) -> None:
        if line.state != "open":
            # The van is late, or the line was paused: people wait at the door.
            if line.scenario.second(at) < line.scenario.closes_s:
                self._plan(line, at + WAIT_OUTSIDE, "arrive", serial)
        else:
            self._clerks.issue(serial)
        if serial + 1 == line.came:
            self._next_arrival(line)


def _visits(session: Session, day: date) -> frozenset[int]:
    """The visits of a day that are still to be held."""
    rows = session.scalars(select(Visit.id).where(Visit.day == day, Visit.status.in_(("announced", "open"))))
    return frozenset(rows)
