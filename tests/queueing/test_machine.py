"""Anything may be pressed in any order, at desks, at the kiosk and on phones: what must hold whatever happens (a
stateful property test), on both databases, against the same rules said again in plain Python (machine_model.py)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from queueing import desks
from queueing.counter import Done
from queueing.engine import begin_write
from queueing.errors import QueueingError
from queueing.journal import leases
from queueing.measure import differences, measure_day, measures_of_day
from queueing.rebuild import check
from queueing.status import line, public_status, ticket_status
from queueing.store import AT_DESK_SQL, Outbox, Queue, QueueDay, Ticket, TicketEvent
from queueing.store_journal import Lease
from queueing.ticket import AT_DESK, ENDED, MOVES, possible
from tests.builders import make_place
from tests.queueing.machine_model import Line, Model, Refused
from tests.queueing.machine_van import Van, assert_same_tickets, make_visit

VERBS = (
    "start",
    "finish",
    "miss",
    "recall",
    "park",
    "resume",
    "requeue",
    "leave",
    "cancel",
    "undo",
    "arrive",
)
WITHOUT_DESK = ("arrive",)
PHONES = ("01000000001", "01000000002", "01000000003")
CAPACITY = 30
PRESSES_AN_HOUR, PRESSES_IN_A_VAN = 40, 25
SEEDS = st.integers(0, 2**32)
RECALLS, COOL_DOWN_S = 1, 120
BAND = 500
"""A second laptop's numbers begin after the next full five hundred."""
THOROUGH = 7
"""Every so many presses the whole history is looked through."""
_UNMADE: Any = object()


class Counters(RuleBasedStateMachine):
    """Two queues of two desks; clerks, kiosks, people with phones and the other queue press what they like."""

    engine: ClassVar[Engine]
    told: ClassVar[Counter[str]]
    """What vans did in all days together."""
    tickets = Bundle("tickets")
    requests = Bundle("requests")

    @initialize(target=tickets, seed=SEEDS)
    def open(self, seed: int) -> Any:
        """Two open queues in a transaction that is rolled back at the end, a first crowd at each and a busy hour."""
        self.session = Session(self.engine, expire_on_commit=False)
        begin_write(self.session)
        given: dict[str, Any] = {"recall_limit": RECALLS, "cool_down_s": COOL_DOWN_S}
        self.here = make_place(self.session, daily_capacity=CAPACITY, **given)
        self.there = make_place(self.session, letter="B", known=self.here.services, **given)
        self.places = {"A": self.here, "B": self.there}
        self.seqs = self.stored_seqs()
        self.model = Model()
        self.model.lines = {
            "A": Line({0: "open", 1: "open"}, RECALLS, COOL_DOWN_S, CAPACITY),
            "B": Line({0: "open", 1: "open"}, RECALLS, COOL_DOWN_S),
        }
        self.labels: dict[int, str] = {}
        self.van: Van | None = None
        self.center = make_visit(self.session, self.there)
        self.bands: list[int] = []
        self.presses = 0
        for number in range(8):
            self._issue("AB"[number % 2], "id", (0, 0, 1, 2)[number // 2], "kiosk", None, None)
        return self.a_busy_hour(seed)

    @rule(target=tickets, seed=SEEDS)
    def a_busy_hour(self, seed: int) -> Any:
        """Many likely presses one after the other, so that most days have all of a queue's life in them."""
        chance = Random(seed)
        known = set(self.model.people)
        kinds = ("wait", "issue", "call", "go on", "press", "transfer", "undo")
        for kind in chance.choices(kinds, (3, 2, 4, 8, 1, 1, 1), k=PRESSES_AN_HOUR):
            who = chance.choice(list(self.model.people))
            name, desk = chance.choice("AB"), chance.randrange(2)
            if kind == "wait":
                self.wait(chance.choice((1, 30, 200, 600)))
            elif kind == "issue":
                channel = chance.choice(("kiosk", "staff", "phone"))
                phone = chance.choice(PHONES) if channel == "phone" else None
                due = chance.choice((None, None, 0, 20))
                self._issue(name, chance.choice(("id", "birth")), chance.randrange(4), channel, phone, due)
            elif kind == "call":
                self._called(name, desk, None)
            elif kind == "go on":
                at = self.model.at(name, desk)
                self._go_on(
                    who if at is None or chance.random() < 0.3 else at, [chance.randrange(21)], 5, False
                )
            elif kind == "press":
                self._pressed(who, chance.choice(tuple(v for v in VERBS if v not in WITHOUT_DESK)), desk)
            elif kind == "transfer":
                self._transfer(who, name, "birth")
            else:
                self.do(self.name_of(who), "undo", who, chance.choice((desk, None)))
            self.tickets_are_what_the_model_says()
        return multiple(*(self.model.people.keys() - known))

    def teardown(self) -> None:
        """The evening: everybody at a desk is finished, the queues close, nobody is left; then all is forgotten."""
        if not hasattr(self, "session"):
            return
        try:
            self.look_through()
            self.evening()
        finally:
            self.session.rollback()
            self.session.close()

    def evening(self) -> None:
        """Close both queues."""
        for name, place in self.places.items():
            if self.model.lines[name].held_by_van:
                self.come_home(name)
            for number in range(len(place.desks)):
                current = self.model.at(name, number)
                if current is not None:
                    self.do(name, "finish", current, number)
            desks.close_queue(self.session, place.queue, actor="clerk", now=place.now)
            self.seqs = self.stored_seqs()
        stood = select(Ticket.state).where(Ticket.queue_id.in_([p.queue.id for p in self.places.values()]))
        assert set(self.session.scalars(stood)) <= set(ENDED)
        assert check(self.session, [place.queue.id for place in self.places.values()]) == []

    # ---- pressing

    def attempt(
        self, name: str, verb: str, *things: Any, expect: Callable[[], Any], events: int = 1, **given: Any
    ) -> tuple[Done | None, Any]:
        """Press a button, and the model's. Both refuse, or neither. A refusal must change nothing; a success makes one
        event, one message and one number for each change. Returns both answers, _UNMADE when refused."""
        before, seqs = self.totals(), dict(self.seqs)
        refusal: QueueingError | None = None
        done: Done | None = None
        try:
            done = self.places[name].do(verb, *things, **given)
        except QueueingError as error:
            refusal = error
            self.session.flush()
            assert self.totals() == before, "a refused verb changed something"
            assert self.stored_seqs() == seqs
        else:
            grown = self.totals()[0] - before[0]
            assert self.totals()[1] - before[1] == grown, "events and messages differ"
            now = self.stored_seqs()
            assert sum(now.values()) - sum(seqs.values()) == grown, "a change without its own sequence number"
            self.seqs = now
            assert grown <= events
            if done is not None and not done.repeated:
                assert grown >= 1
        try:
            expected = expect()
        except Refused as said:
            assert refusal is not None, f"{verb}: the model refuses ({said}), the queue does not"
            return None, _UNMADE
        assert refusal is None, f"{verb}: the queue refuses ({refusal!r}), the model does not"
        return done, expected

    def do(self, name: str, verb: str, who: int, desk: int | None, rid: str | None = None) -> Done | None:
        """A verb on one ticket, at the product and at the model."""
        place = self.places[name]
        given: dict[str, Any] = {} if desk is None else {"desk": place.desks[desk]}
        if rid is not None:
            given["request_id"] = rid
        found = self.session.get_one(Ticket, who)
        if verb == "undo":

            def expect() -> Any:
                return self.model.undo(who, desk, place.now)
        else:

            def expect() -> Any:
                return self.model.step(who, verb, place.now, desk)

        done, _ = self.attempt(name, verb, found, expect=expect, **given)
        return done

    def count(self, model: Any) -> int:
        """How many rows there are."""
        return self.session.scalar(select(func.count()).select_from(model)) or 0

    def totals(self) -> tuple[int, int]:
        """How many ticket events and outbox rows of tickets there are."""
        return self.count(TicketEvent), self.count(Outbox)

    def stored_seqs(self) -> dict[int, int]:
        """The sequence numbers as stored."""
        mine = [place.queue.id for place in self.places.values()]
        rows = self.session.execute(select(Queue.id, Queue.seq).where(Queue.id.in_(mine)))
        return {row.id: row.seq for row in rows}

    def name_of(self, who: int) -> str:
        """In which queue a ticket stands."""
        return self.model.people[who].line

    @rule(
        target=tickets,
        name=st.sampled_from("AB"),
        service=st.sampled_from(["id", "birth"]),
        priority=st.sampled_from([0, 0, 1, 2, 3]),
        channel=st.sampled_from(["kiosk", "staff", "phone"]),
        phone=st.sampled_from(PHONES),
        in_min=st.sampled_from([None, None, None, 0, 10, 40]),
    )
    def issue(
        self, name: str, service: str, priority: int, channel: str, phone: str, in_min: int | None
    ) -> Any:
        """Somebody takes a ticket at the kiosk, at a desk or on the phone, or books one for later."""
        mine = phone if channel == "phone" else None
        made = self._issue(name, service, priority, channel, mine, in_min)
        return multiple() if made is None else made

    def _issue(
        self, name: str, service: str, priority: int, channel: str, mine: str | None, in_min: int | None
    ) -> int | None:
        place = self.places[name]
        now = place.now
        due = now + timedelta(minutes=in_min) if in_min is not None else None

        def expect() -> int | None:
            return self.model.may_issue(name, channel=channel, phone=mine, booked=due is not None)

        given: dict[str, Any] = {
            "priority": priority,
            "channel": channel,
            "phone": mine,
            "appointment_at": due,
        }
        done, already = self.attempt(name, "issue", place.queue, service, expect=expect, **given)
        if done is None:
            return None
        if already is not None:
            assert done.repeated and done.ticket.id == already, "a phone got a second ticket"
            return None
        person = self.model.issue(
            name, done.ticket.id, now, due=due, service=service, channel=channel, phone=mine,
            priority=priority if due is None else 4,
        )  # fmt: skip
        self.labels[done.ticket.id] = done.ticket.label
        assert done.ticket.number == person.number
        return done.ticket.id

    @rule(seconds=st.integers(1, 600))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.here.now += timedelta(seconds=seconds)
        self.there.now = self.here.now

    @rule(target=requests, desk=st.integers(0, 1), name=st.sampled_from("AB"))
    def call(self, desk: int, name: str) -> Any:
        """Call next: the model's next, or nobody when nobody waits there."""
        place = self.places[name]
        rid = place.rid()
        done = self._called(name, desk, None, request_id=rid)
        return multiple() if done is None else (name, "call_next", place.desks[desk], rid, done.event.id, {})

    @rule(ticket=tickets, desk=st.integers(0, 1), name=st.sampled_from("AB"))
    def choose(self, ticket: int, desk: int, name: str) -> None:
        """Call somebody out of order."""
        self._called(name, desk, ticket, ticket=self.session.get_one(Ticket, ticket))

    def _called(self, name: str, desk: int, chosen: int | None, **given: Any) -> Done | None:
        place = self.places[name]
        done, expected = self.attempt(
            name,
            "call_next",
            place.desks[desk],
            events=2,
            expect=lambda: self.model.call_next(name, desk, place.now, chosen),
            **given,
        )
        if expected is _UNMADE:
            return None
        finished, called = expected
        assert (done.ticket.id if done is not None else None) == called, "not whom the model calls"
        if done is not None:
            assert (done.finished.id if done.finished is not None else None) == finished
        return done

    @rule(
        target=requests,
        ticket=tickets,
        verb=st.sampled_from(VERBS),
        desk=st.sampled_from([0, 1, "its own", None]),
    )
    def press(self, ticket: int, verb: str, desk: int | str | None) -> Any:
        """Any verb on any ticket from any desk, or from a citizen's phone."""
        person = self.model.people[ticket]
        number = (person.desk or 0) if desk == "its own" else desk
        if verb == "resume" and number is None:
            number = 0
        return self._pressed(ticket, verb, None if verb in WITHOUT_DESK else number)

    def _pressed(self, ticket: int, verb: str, desk: Any) -> Any:
        name = self.name_of(ticket)
        place = self.places[name]
        rid = place.rid()
        done = self.do(name, verb, ticket, desk, rid)
        if done is None or done.repeated:
            return multiple()
        given = {} if desk is None else {"desk": place.desks[desk]}
        return (name, verb, self.session.get_one(Ticket, ticket), rid, done.event.id, given)

    @rule(
        target=requests,
        desk=st.integers(0, 1),
        name=st.sampled_from("AB"),
        picks=st.lists(st.integers(0, 20), max_size=5),
        pause_s=st.integers(0, 400),
        undone=st.booleans(),
    )
    def serve(self, desk: int, name: str, picks: list[int], pause_s: int, undone: bool) -> Any:
        """A clerk calls the next person and does this and that with them."""
        self._called(name, desk, None)
        current = self.model.at(name, desk)
        return multiple() if current is None or not picks else self._go_on(current, picks, pause_s, undone)

    @rule(
        target=requests,
        ticket=tickets,
        picks=st.lists(st.integers(0, 20), min_size=1, max_size=6),
        pause_s=st.integers(0, 400),
        undone=st.booleans(),
    )
    def go_on(self, ticket: int, picks: list[int], pause_s: int, undone: bool) -> Any:
        """One verb after the other that the ticket's state has, from the right desk; sometimes the last is taken
        back at once."""
        return self._go_on(ticket, picks, pause_s, undone)

    def _go_on(self, ticket: int, picks: list[int], pause_s: int, undone: bool) -> Any:
        made = []
        for pick in picks:
            person = self.model.people[ticket]
            verbs = [verb for verb in possible(person.state) if verb in (*VERBS, "call")]
            if not verbs or self.model.lines[person.line].held_by_van:
                break
            self.wait(pause_s)
            verb = verbs[pick % len(verbs)]
            desk = None if verb in WITHOUT_DESK else person.desk if person.desk is not None else pick % 2
            if verb == "call":
                self.choose(ticket, desk or 0, person.line)
                continue
            request = self._pressed(ticket, verb, desk)
            if isinstance(request, tuple):
                made.append(request)
        if undone and made:
            _name, _verb, _thing, _rid, event_id, _given = made[-1]
            last = self.session.scalar(
                select(func.max(TicketEvent.id)).where(TicketEvent.ticket_id == ticket)
            )
            if last == event_id:
                done = self.do(self.name_of(ticket), "undo", ticket, desk)
                assert done is not None, "one's own last step could not be taken back"
        return multiple(*made)

    @rule(
        target=tickets, ticket=tickets, name=st.sampled_from("AB"), service=st.sampled_from(["id", "birth"])
    )
    def transfer(self, ticket: int, name: str, service: str) -> Any:
        """Send somebody on, within the queue or to the other."""
        made = self._transfer(ticket, name, service)
        return multiple() if made is None else made

    def _transfer(self, ticket: int, name: str, service: str) -> int | None:
        person = self.model.people[ticket]
        own = person.line
        given: dict[str, Any] = {"to_queue": self.places[name].queue, "service_code": service}
        desk = person.desk if person.state in AT_DESK else None
        if desk is not None:
            given["desk"] = self.places[own].desks[desk]
        now = self.here.now
        was_waiting = person.state == "waiting"

        def expect() -> bool:
            if own == name:
                return self.model.step(ticket, "redirect", now, desk, service=service)
            other = self.model.lines[name]
            if other.held_by_van or other.state != "open":
                raise Refused("closed there")
            return self.model.step(ticket, "transfer", now, desk)

        found = self.session.get_one(Ticket, ticket)
        done, expected = self.attempt(own, "transfer", found, events=2, expect=expect, **given)
        if done is None or expected is _UNMADE or own == name:
            return None
        assert done.went_on is not None
        self.model.issue(
            name, done.went_on.id, now, service=service, channel=person.channel, phone=person.phone,
            priority=person.priority, age=person.age if was_waiting else now,
        )  # fmt: skip
        assert done.went_on.label == self.labels[ticket], "the person did not keep the number"
        self.labels[done.went_on.id] = done.went_on.label
        went_on: int = done.went_on.id
        return went_on

    @rule(request=consumes(requests))
    def press_again(self, request: Any) -> None:
        """A retry of something done before, however long ago: the same event, nothing new."""
        name, verb, thing, rid, event_id, given = request
        if self.model.lines[name].held_by_van:
            return
        before = self.totals()
        done = self.places[name].do(verb, thing, request_id=rid, **given)
        assert done.repeated and done.event.id == event_id
        assert self.totals() == before

    @rule(
        desk=st.sampled_from([0, 1, None]),
        name=st.sampled_from("AB"),
        what=st.sampled_from(["pause", "open", "open"]),
    )
    def a_break(self, desk: int | None, name: str, what: str) -> None:
        """A clerk goes and comes; or the queue gives no tickets for a while, and who waits is called all the same."""
        here, place = self.model.lines[name], self.places[name]
        if here.held_by_van:
            return
        said = {"pause": "paused", "open": "open"}[what]
        given: dict[str, Any] = {"actor": "clerk", "now": place.now}
        if desk is None:
            {"pause": desks.pause_queue, "open": desks.open_queue}[what](self.session, place.queue, **given)
            here.state = said
        else:
            {"pause": desks.pause_desk, "open": desks.open_desk}[what](
                self.session, place.desks[desk], **given
            )
            here.desks[desk] = said
        self.seqs = self.stored_seqs()

    @precondition(lambda self: hasattr(self, "session") and self.van is None and len(self.bands) < 2)
    @rule(seed=SEEDS)
    def a_van_takes_the_queue(self, seed: int) -> None:
        """A laptop pulls the day: who stands in the line comes along, and from then on every verb here is refused.
        A second one on the same day has numbers of its own."""
        line = self.model.lines["B"]
        first = line.next_number
        if self.bands:
            highest = max(first - 1, *self.bands, *(p.number for p in self.model.people.values()))
            first = (highest // BAND + 1) * BAND + 1
        self.bands.append(first)
        self.van = Van(self.session, self.center, self.there, self.model, Random(seed))
        self.van.leave(first)
        self.told["vans"] += 1
        self.model.lines["B"].held_by_van = True
        self.seqs = self.stored_seqs()
        self.in_the_van()

    @precondition(lambda self: getattr(self, "van", None) is not None)
    @rule()
    def in_the_van(self) -> None:
        """The crew works, mostly without a line. Headquarters shows what has arrived, and nothing else."""
        assert self.van is not None
        self.van.work(PRESSES_IN_A_VAN)
        self.van.look_through()
        self.here.now = self.there.now
        self.labels |= self.van.shown()
        self.seqs = self.stored_seqs()

    @precondition(lambda self: getattr(self, "van", None) is not None)
    @rule(target=tickets)
    def the_van_is_back(self) -> Any:
        """Everything it knows is known here, once, and its line goes on here with the next number."""
        before = self.model.people.keys() | set()
        self.come_home("B")
        return multiple(*(self.model.people.keys() - before))

    def come_home(self, name: str) -> None:
        """The last sync, and the lease ends."""
        assert self.van is not None
        self.van.come_home()
        self.labels |= self.van.shown()
        self.told.update(self.van.told)
        self.van.end()
        self.van = None
        running = select(Lease).where(Lease.queue_id == self.places[name].queue.id, Lease.ended_at.is_(None))
        for held in self.session.scalars(running).all():
            leases.end(self.session, held, "over", now=self.here.now)
        self.session.flush()
        self.model.lines[name].held_by_van = False
        self.seqs = self.stored_seqs()

    # ---- what must hold after every press

    @invariant()
    def one_open_ticket_a_desk_and_one_desk_a_ticket(self) -> None:
        """Nobody is called twice, no desk serves two."""
        if not hasattr(self, "session"):
            return
        mine = [place.queue.id for place in self.places.values()]
        chosen = select(Ticket.desk_id).where(text(AT_DESK_SQL), Ticket.queue_id.in_(mine))
        open_ = self.session.execute(chosen).scalars().all()
        assert None not in open_
        assert all(count == 1 for count in Counter(open_).values())

    @invariant()
    def numbers_are_gapless_and_unique(self) -> None:
        """Each queue's numbers of the day are 1 to n (a second van's begin anew at its band), and the counter says how
        many."""
        if not hasattr(self, "session"):
            return
        for name, place in self.places.items():
            numbers = self.session.scalars(
                select(Ticket.number).where(Ticket.queue_id == place.queue.id)
            ).all()
            assert len(numbers) == len(set(numbers))
            begins = {1, *(self.bands if name == "B" else ())}
            assert all(number in begins or number - 1 in set(numbers) for number in numbers)
            issued = self.session.scalar(select(QueueDay.issued).where(QueueDay.queue_id == place.queue.id))
            assert (issued or 0) == self.model.lines[name].issued

    @invariant()
    def now_and_then_all_books_are_looked_through(self) -> None:
        """The whole history: too dear for every press."""
        if not hasattr(self, "session"):
            return
        self.presses += 1
        if self.presses % THOROUGH == 0:
            self.look_through()

    def look_through(self) -> None:
        """Everything that needs all events."""
        self.events_rebuild_the_tickets_by_legal_moves()
        self.messages_count_up_by_one()
        self.statistics_equal_events()

    def events_rebuild_the_tickets_by_legal_moves(self) -> None:
        """Whatever was pressed, tickets stand where their events say, and each event is a move of the
        table."""
        mine = [place.queue.id for place in self.places.values()]
        assert check(self.session, mine) == []
        for event in self.session.scalars(select(TicketEvent).where(TicketEvent.queue_id.in_(mine))):
            assert event.action == "undo" or MOVES[event.state_from, event.action] == event.state_to

    @invariant()
    def tickets_are_what_the_model_says(self) -> None:
        """State, desk, service, age, cool-down, recalls and seconds served of every ticket."""
        if not hasattr(self, "session"):
            return
        queues = {name: place.queue for name, place in self.places.items()}
        desks_of = {name: place.desks for name, place in self.places.items()}
        assert_same_tickets(self.session, queues, desks_of, self.model)

    @invariant()
    def exactly_one_period_is_open(self) -> None:
        """Of everybody here: the period of the state they are in. Of who has gone: none. Periods leave no gap."""
        if not hasattr(self, "session"):
            return
        for person in self.model.people.values():
            open_ = [state for state, _since, until in person.periods if until is None]
            assert open_ == ([person.state] if person.state not in ENDED else [])
            for (_s, _f, until), (_t, since, _u) in zip(person.periods, person.periods[1:], strict=False):
                assert until == since

    @invariant()
    def screens_show_what_the_model_knows(self) -> None:
        """The clerk's line stands in the model's order, the board shows the model's calls, and every promise is a
        range."""
        if not hasattr(self, "session"):
            return
        for name, place in self.places.items():
            rows = line(self.session, place.queue, place.now)
            waiting = [(row.ticket_id, row.place) for row in rows if row.state == "waiting"]
            assert waiting == [(who, n + 1) for n, who in enumerate(self.model.order(name, place.now))]
            status = public_status(self.session, place.queue, place.now)
            here = self.model.lines[name]
            assert (status.state, status.waiting) == (here.state, len(waiting))
            assert status.open_desks == sum(state == "open" for state in here.desks.values())
            shown = [call.label for call in status.last_called]
            assert shown == [self.labels[who] for who in self.model.board(name, 5)]
            if waiting:
                mine = ticket_status(self.session, self.session.get_one(Ticket, waiting[-1][0]), place.now)
                assert mine.wait is not None and mine.ahead is not None
                assert (mine.wait.low_s or 0) <= (mine.wait.high_s or 0)

    def messages_count_up_by_one(self) -> None:
        """Screens of a queue hear 1, 2, 3 ... without a gap."""
        for place in self.places.values():
            seqs = [message.seq for message in place.outbox()]
            assert seqs == list(range(1, place.seq() + 1))

    def statistics_equal_events(self) -> None:
        """Hours measured at any moment are what the events say, and what the model counts."""
        now = self.here.now
        for name, place in self.places.items():
            measure_day(self.session, [place.queue.id], now.date(), now=now, learn=False)
            assert differences(self.session, [place.queue.id], now.date(), now=now) == []
            hours = measures_of_day(self.session, [place.queue.id], now.date(), now).values()
            said = {
                what: round(sum(getattr(hour, what) for hour in hours), 3)
                for what in ("arrivals", "called", "missed", "served", "wait_s")
            }
            assert said == self.model.statistics(name, now)


SHORT = settings(
    max_examples=16, stateful_step_count=12, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
LONG = settings(SHORT, max_examples=100, stateful_step_count=40)
# Shrinking a failure of this machine takes minutes, longer than a test may: the printed blob repeats it as it was.


def on(engine: Engine) -> type[Counters]:
    """The machine over one database."""
    return type("CountersHere", (Counters,), {"engine": engine, "told": Counter()})


def test_whatever_is_pressed_the_queues_are_as_the_model_says(shared_engine: Engine) -> None:
    """Sixteen days, each with a busy hour at least, on each database."""
    machine = on(shared_engine)
    run_state_machine_as_test(machine, settings=SHORT)
    assert machine.told["vans"] >= 5 and machine.told["events"] >= 100, machine.told
    assert min(machine.told[fate] for fate in ("ok", "lost", "unanswered")) >= 3, machine.told


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_long_days(shared_engine: Engine) -> None:
    """The long form."""
    run_state_machine_as_test(on(shared_engine), settings=LONG)
