"""Anything may be pressed in any order: the rules that must hold whatever happens (a stateful property
test)."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from queueing import desks
from queueing.counter import Done
from queueing.errors import QueueingError
from queueing.measure import differences, measure_day
from queueing.order import PRIORITIES
from queueing.rebuild import check
from queueing.store import AT_DESK_SQL, Outbox, Queue, Ticket, TicketEvent
from queueing.ticket import AT_DESK, MOVES, possible
from tests.builders import Place, make_place
from tests.databases import sqlite_memory

VERBS = ("start", "finish", "miss", "recall", "park", "resume", "requeue", "leave", "cancel", "undo")


class Counters(RuleBasedStateMachine):
    """Two queues of two desks; clerks, citizens and the other queue press what they like."""

    tickets = Bundle("tickets")
    requests = Bundle("requests")

    @initialize()
    def open(self) -> None:
        """A fresh database with two open queues."""
        self.engine = sqlite_memory()
        self.session = Session(self.engine, expire_on_commit=False)
        self.here = make_place(self.session, recall_limit=2, cool_down_s=120)
        self.there = make_place(self.session, letter="B", known=self.here.services)
        self.made = 0
        self.seqs = {place.queue.id: place.seq() for place in (self.here, self.there)}

    def teardown(self) -> None:
        """Close the database."""
        if hasattr(self, "session"):
            self.session.close()
            self.engine.dispose()

    def attempt(self, place: Place, verb: str, *things: Any, events: int = 1, **given: Any) -> Done | None:
        """Press a button. A refusal must change nothing; a success makes one event, one message and one
        number for each change."""
        before, seqs = self.totals(), dict(self.seqs)
        try:
            done: Done | None = place.do(verb, *things, **given)
        except QueueingError:
            self.session.flush()
            assert self.totals() == before, "a refused verb changed something"
            assert self.stored_seqs() == seqs
            return None
        grown = self.totals()[0] - before[0]
        assert self.totals()[1] - before[1] == grown, "events and messages differ"
        now = self.stored_seqs()
        assert sum(now.values()) - sum(seqs.values()) == grown, "a change without its own sequence number"
        self.seqs = now
        if done is not None and not done.repeated:
            assert 1 <= grown <= events
        return done

    def totals(self) -> tuple[int, int]:
        """How many ticket events and outbox rows of tickets there are."""
        events = self.session.scalar(select(func.count()).select_from(TicketEvent)) or 0
        return events, self.session.scalar(select(func.count()).select_from(Outbox)) or 0

    def stored_seqs(self) -> dict[int, int]:
        """The sequence numbers as stored."""
        return {row.id: row.seq for row in self.session.execute(select(Queue.id, Queue.seq))}

    @rule(
        target=tickets,
        elsewhere=st.booleans(),
        service=st.sampled_from(["id", "birth"]),
        priority=st.sampled_from(PRIORITIES[:-1]),
    )
    def issue(self, elsewhere: bool, service: str, priority: int) -> Any:
        """Somebody takes a ticket."""
        place = self.there if elsewhere else self.here
        done = self.attempt(place, "issue", place.queue, service, priority=priority)
        return multiple() if done is None else done.ticket.id

    @rule(seconds=st.integers(1, 900))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.here.now += timedelta(seconds=seconds)
        self.there.now = self.here.now

    @rule(target=requests, desk=st.integers(0, 1), elsewhere=st.booleans())
    def call(self, desk: int, elsewhere: bool) -> Any:
        """Call next."""
        place = self.there if elsewhere else self.here
        rid = place.rid()
        done = self.attempt(place, "call_next", place.desks[desk], request_id=rid, events=2)
        return (
            multiple() if done is None else (place, "call_next", (place.desks[desk],), rid, done.event.id, {})
        )

    @rule(ticket=tickets, desk=st.integers(0, 1), elsewhere=st.booleans())
    def choose(self, ticket: int, desk: int, elsewhere: bool) -> None:
        """Call somebody out of order."""
        place = self.there if elsewhere else self.here
        chosen = self.session.get_one(Ticket, ticket)
        self.attempt(place, "call_next", place.desks[desk], ticket=chosen, events=2)

    @rule(
        target=requests,
        ticket=tickets,
        verb=st.sampled_from(VERBS),
        desk=st.sampled_from([0, 1, "its own", None]),
    )
    def press(self, ticket: int, verb: str, desk: int | str | None) -> Any:
        """Any verb on any ticket from any desk."""
        found = self.session.get_one(Ticket, ticket)
        place = self.here if found.queue_id == self.here.queue.id else self.there
        number = (
            next((n for n, d in enumerate(place.desks) if d.id == found.desk_id), 0)
            if desk == "its own"
            else desk
        )
        given: dict[str, Any] = {} if number is None else {"desk": place.desks[int(number)]}
        if verb == "resume" and not given:
            given["desk"] = place.desks[0]
        rid = place.rid()
        done = self.attempt(place, verb, found, request_id=rid, **given)
        if done is None or done.repeated:
            return multiple()
        return (place, verb, (found,), rid, done.event.id, given)

    @rule(target=requests, ticket=tickets, pick=st.integers(0, 20), undone=st.booleans())
    def go_on(self, ticket: int, pick: int, undone: bool) -> Any:
        """A verb that the ticket's state has, from the right desk; sometimes taken back at once."""
        found = self.session.get_one(Ticket, ticket)
        place = self.here if found.queue_id == self.here.queue.id else self.there
        verbs = [verb for verb in possible(found.state) if verb in VERBS]
        if not verbs:
            return multiple()
        verb = verbs[pick % len(verbs)]
        desk = next((d for d in place.desks if d.id == found.desk_id), place.desks[pick % 2])
        rid = place.rid()
        done = self.attempt(place, verb, found, request_id=rid, desk=desk)
        if done is None or done.repeated:
            return multiple()
        if undone:
            before = {
                name: value for name, value in done.event.data.get("before", {}).items() if name == "recalls"
            }
            taken_back = self.attempt(place, "undo", found, desk=desk)
            assert taken_back is not None, "one's own last step could not be taken back"
            assert all(getattr(found, name) == value for name, value in before.items())
        return (place, verb, (found,), rid, done.event.id, {"desk": desk})

    @rule(target=tickets, ticket=tickets, elsewhere=st.booleans(), service=st.sampled_from(["id", "birth"]))
    def transfer(self, ticket: int, elsewhere: bool, service: str) -> Any:
        """Send somebody on, within the queue or to the other."""
        found = self.session.get_one(Ticket, ticket)
        place = self.here if found.queue_id == self.here.queue.id else self.there
        target = self.there if elsewhere else self.here
        given: dict[str, Any] = {"to_queue": target.queue, "service_code": service}
        if found.state in AT_DESK:
            given["desk"] = next(d for d in place.desks if d.id == found.desk_id)
        done = self.attempt(place, "transfer", found, events=2, **given)
        return multiple() if done is None or done.went_on is None else done.went_on.id

    @rule(request=consumes(requests))
    def press_again(self, request: Any) -> None:
        """A retry of something done before, however long ago: the same event, nothing new."""
        place, verb, things, rid, event_id, given = request
        before = self.totals()
        done = self.attempt(place, verb, *things, request_id=rid, events=0, **given)
        assert done is not None and done.repeated and done.event.id == event_id
        assert self.totals() == before

    @rule(desk=st.integers(0, 1))
    def pause_and_open(self, desk: int) -> None:
        """A short break at a desk; the changes are announced with their own numbers."""
        for change in (desks.pause_desk, desks.open_desk):
            change(self.session, self.here.desks[desk], actor="clerk", now=self.here.now)
        self.seqs = self.stored_seqs()

    @invariant()
    def one_open_ticket_a_desk_and_one_desk_a_ticket(self) -> None:
        """Nobody is called twice, no desk serves two."""
        if not hasattr(self, "session"):
            return
        open_ = self.session.execute(select(Ticket.desk_id).where(text(AT_DESK_SQL))).scalars().all()
        assert None not in open_
        assert all(count == 1 for count in Counter(open_).values())

    @invariant()
    def numbers_are_gapless_and_unique(self) -> None:
        """Each queue's numbers of the day are 1 to n."""
        if not hasattr(self, "session"):
            return
        for place in (self.here, self.there):
            numbers = self.session.scalars(
                select(Ticket.number).where(Ticket.queue_id == place.queue.id)
            ).all()
            assert sorted(numbers) == list(range(1, len(numbers) + 1))

    @invariant()
    def events_rebuild_the_tickets_by_legal_moves(self) -> None:
        """Whatever was pressed, tickets stand where their events say, and each event is a move of the
        table."""
        if not hasattr(self, "session"):
            return
        assert check(self.session) == []
        for event in self.session.scalars(select(TicketEvent)):
            assert event.action == "undo" or MOVES[event.state_from, event.action] == event.state_to

    @invariant()
    def messages_count_up_by_one(self) -> None:
        """Screens of a queue hear 1, 2, 3 ... without a gap."""
        if not hasattr(self, "session"):
            return
        for place in (self.here, self.there):
            seqs = [message.seq for message in place.outbox()]
            assert seqs == list(range(1, place.seq() + 1))

    @rule()
    def statistics_equal_events(self) -> None:
        """Hours measured at any moment are what the events say."""
        ids = [self.here.queue.id, self.there.queue.id]
        measure_day(self.session, ids, self.here.now.date(), now=self.here.now)
        assert differences(self.session, ids, self.here.now.date(), now=self.here.now) == []


# Shrinking a failure of this machine takes minutes, longer than a test may: the printed blob repeats it as it
# was.
Counters.TestCase.settings = settings(
    max_examples=30, stateful_step_count=25, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
TestCounters = Counters.TestCase
