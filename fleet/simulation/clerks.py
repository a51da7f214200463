"""The hands of the simulated clerks and citizens: every move is one of the counter's verbs.

Real people act at the same time. A verb that finds its ticket or desk changed refuses; then the line's
picture is `lost` and is taken anew. A desk with an operator belongs to a person and is left alone, with
its ticket.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from fleet.simulation.live_line import LiveDesk, LiveLine, new_held
from fleet.simulation.rows import ACTOR, CHANNEL, issue_request
from fleet.simulation.steps import Held, next_step
from queueing import counter, desks
from queueing.counter import Done
from queueing.errors import QueueingError
from queueing.store import Ticket
from queueing.ticket import LIVE

Plan = Callable[[LiveLine, datetime, str, Any], None]


class Clerks:
    """Acts on one line at a time: `at` says where and when, then the verbs, then `touched`, `done`, `lost`
    are read."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.touched: set[int] = set()
        self.done = 0
        self.lost = False

    def plan_spells(self, line: LiveLine, now: datetime) -> None:
        """Plan when clerks sit down and get up from `now` on, and that who should sit by now does."""
        spells = [
            spell for desk in line.desks.values() if desk.plan is not None for spell in desk.plan.spells
        ]
        for at in {line.scenario.at(second) for spell in spells for second in spell}:
            if at > now:
                self._plan(line, at, "spell", None)
        self._plan(line, now, "spell", None)

    def at(self, session: Session, line: LiveLine, now: datetime) -> None:
        """From now on act on `line` at `now`."""
        self.session, self.line, self.now = session, line, now
        self.touched = set()
        self.done, self.lost = 0, False

    def issue(self, serial: int) -> None:
        """The n-th person of the day takes a ticket."""
        line, person = self.line, self.line.people[serial][1]
        done = self._try(
            lambda: counter.issue(
                self.session,
                line.ref,
                person.service.code,
                request_id=issue_request(line.queue_id, line.scenario.day, serial),
                actor=ACTOR,
                now=self.now,
                priority=person.priority,
                channel=CHANNEL,
            )
        )
        if done is not None and not done.repeated:
            line.held[done.ticket.id] = new_held(line, done.ticket, serial, 0)
            self._took(done)

    def step(self, held: Held, action: str) -> None:
        """What `steps.next_step` said is due."""
        desk = self.line.desks.get(held.desk_id or 0)
        if desk is not None and desk.human:
            return
        if action == "leave":
            self._verb(held, counter.leave)
        elif action == "requeue":
            self._verb(held, counter.requeue)
            if held.hold_until is not None:
                self._plan(self.line, held.hold_until + timedelta(seconds=1), "desks", None)
        elif action == "resume":
            pass  # back with the paper: the next free desk takes the person before anybody else (`serve`)
        elif desk is None:
            self.lost = True
        elif action == "redirect":
            second = held.person.second
            code = second.code if second is not None else ""
            self._verb(held, counter.transfer, desk=desk.ref, service_code=code)
            held.redirected = True
        elif action == "finish" and self._goes_on(desk) and self.line.waiting() and self._back() is None:
            self._call(desk)  # ends the present ticket in the same turn
        else:
            verb = getattr(counter, action)
            self._verb(held, verb, desk=desk.ref)
            held.missed |= action == "miss"
            held.parked |= action == "park"

    def seat(self) -> None:
        """Clerks whose spell has begun sit down (a desk a person has paused meanwhile included)."""
        for desk in self.line.desks.values():
            if (
                desk.state == "paused"
                and not desk.human
                and self.line.state != "closed"
                and self._on_duty(desk)
            ):
                self._desk(desk, "open")

    def serve(self) -> None:
        """Free desks call the next; clerks whose spell is over get up."""
        line = self.line
        if line.state == "closed" or self.lost:
            return
        for desk in line.desks.values():
            if desk.human or desk.state != "open" or desk.ticket_id is not None:
                continue
            if not self._on_duty(desk):
                self._desk(desk, "paused")
            elif (back := self._back()) is not None:
                self._verb(back, counter.resume, desk=desk.ref)
            elif line.waiting():
                self._call(desk)
            if self.lost:
                return

    def _on_duty(self, desk: LiveDesk) -> bool:
        scenario = self.line.scenario
        # A spell's end in seconds may lie a fraction of a microsecond beside its instant.
        return desk.staffed(scenario.second(self.now) + 1e-3, scenario.closes_s)

    def _goes_on(self, desk: LiveDesk) -> bool:
        return desk.state == "open" and self.line.state != "closed" and self._on_duty(desk)

    def _desk(self, desk: LiveDesk, state: str) -> None:
        change = desks.open_desk if state == "open" else desks.pause_desk
        try:
            change(self.session, desk.ref, actor=ACTOR, now=self.now)
        except QueueingError:
            self.lost = True
            return
        desk.state = state
        self.line.seq += 1
        self.done += 1

    def _back(self) -> Held | None:
        """Who has been back with a missing paper for the longest, not counting those whom a person has
        parked."""
        facts, found = self.line.scenario.line, []
        for held in self.line.held.values():
            home = self.line.desks.get(held.desk_id or 0)
            if held.state == "parked" and not (home is not None and home.human):
                step = next_step(held, cool_down_s=facts.cool_down_s, recall_limit=facts.recall_limit)
                if step is not None and step[0] <= self.now:
                    found.append((step[0], held.ticket_id, held))
        return min(found)[2] if found else None

    def _call(self, desk: LiveDesk) -> None:
        line, before = self.line, desk.ticket_id
        done = self._try(
            lambda: counter.call_next(
                self.session, desk.ref, request_id=self._request(), actor=ACTOR, now=self.now
            )
        )
        if self.lost:
            return
        if before is not None:  # finished, whether or not somebody follows
            line.held.pop(before, None)
            desk.ticket_id = None
            self.done += 1
            line.seq += 1
        if done is None:
            return
        if done.ticket.id not in line.held:
            self.lost = True  # a person has just taken this ticket
            return
        self._took(done)

    def _verb(self, held: Held, verb: Callable[..., Done], **extra: Any) -> None:
        ref = Ticket(id=held.ticket_id, queue_id=self.line.queue_id)
        done = self._try(
            lambda: verb(self.session, ref, request_id=self._request(), actor=ACTOR, now=self.now, **extra)
        )
        if done is not None:
            self._took(done)

    def _request(self) -> str:
        """A new request id: the line's next `seq` belongs to one change only, whoever makes it."""
        return f"live-{self.line.queue_id}-{self.line.seq + 1}"

    def _try(self, verb: Callable[[], Done | None]) -> Done | None:
        try:
            return verb()
        except QueueingError:
            self.lost = True
            return None

    def _took(self, done: Done) -> None:
        """Remember what a verb left."""
        line, ticket = self.line, done.ticket
        held = line.held[ticket.id]
        for desk in line.desks.values():
            if desk.ticket_id == ticket.id:
                desk.ticket_id = None
        held.take(ticket)
        line.seq, line.floor = done.event.seq, self.now
        self.done += 1
        if ticket.state in ("called", "serving") and ticket.desk_id in line.desks:
            line.desks[ticket.desk_id].ticket_id = ticket.id
        if ticket.state in LIVE:
            self.touched.add(ticket.id)
        else:
            line.held.pop(ticket.id, None)
