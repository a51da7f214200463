"""Real threads on real databases: two clerks press at once, fifty people take tickets at once, a button is
pressed twice.

No sleeps: a barrier lets everybody go at the same moment, in many rounds, and what is checked afterwards
holds for any interleaving.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from queueing import counter, desks
from queueing.counter import Done
from queueing.engine import begin_write, transaction
from queueing.errors import QueueingError
from queueing.rebuild import check
from queueing.store import Desk, Outbox, Queue, Ticket, TicketEvent
from tests.builders import MORNING, Place, make_place
from tests.queueing.test_verbs import VERBS

Sessions = sessionmaker[Session]
WAIT_S = 60.0


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run every piece of work in its own thread, all let go at one moment; results or errors in order."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        barrier.wait(WAIT_S)
        try:
            return work()
        except QueueingError as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result(WAIT_S) for future in [pool.submit(run, work) for work in works]]


def set_up(
    sessions: Sessions, prepare: Callable[[Place], Any] = lambda place: None, **columns: Any
) -> tuple[Place, Any]:
    """A committed queue, and what `prepare` makes of it."""

    def work(session: Session) -> tuple[Place, Any]:
        place = make_place(session, **columns)
        return place, prepare(place)

    return transaction(sessions, work)


def caller(
    sessions: Sessions, desk: Desk, request_id: str, ticket: Ticket | None = None
) -> Callable[[], Done | None]:
    """A clerk about to press call next."""
    return lambda: transaction(
        sessions,
        lambda session: counter.call_next(
            session, desk, request_id=request_id, actor=desk.name, now=MORNING, ticket=ticket
        ),
    )


def sound(sessions: Sessions) -> None:
    """Nothing contradicts itself: tickets and events agree, numbers and messages run without gap."""
    with sessions() as session:
        assert check(session) == []
        for queue in session.scalars(select(Queue)):
            told = session.scalars(
                select(Outbox.seq).where(Outbox.topic == f"queue:{queue.id}").order_by(Outbox.id)
            ).all()
            assert list(told) == list(range(1, queue.seq + 1))


def test_two_clerks_pressing_at_once_never_get_one_person(sessions: Sessions) -> None:
    """Forty rounds of two clerks at once: eighty calls, eighty people."""
    rounds = 40
    place, _ = set_up(sessions, lambda place: [place.issue() for _ in range(2 * rounds)])
    called = []
    for number in range(rounds):
        works = [caller(sessions, desk, f"{desk.id}-{number}") for desk in place.desks]
        called.extend(done.ticket.id for done in at_once(works))
    assert len(set(called)) == 2 * rounds
    sound(sessions)


def test_two_clerks_and_one_person(sessions: Sessions) -> None:
    """One gets the person, the other hears that nobody is left, in every round."""
    place, _ = set_up(sessions)
    for number in range(15):
        ticket = transaction(sessions, lambda session, n=number: issue(session, place, f"i{n}").ticket)
        works = [caller(sessions, desk, f"c{desk.id}-{number}") for desk in place.desks]
        answers = at_once(works)
        assert [done.ticket.id for done in answers if done is not None] == [ticket.id]
    sound(sessions)


def test_two_clerks_clicking_the_same_row(sessions: Sessions) -> None:
    """One succeeds, the other hears "already called", in every round."""
    place, tickets = set_up(sessions, lambda place: [place.issue() for _ in range(15)])
    for ticket in tickets:
        answers = at_once([caller(sessions, desk, f"{desk.id}-{ticket.id}", ticket) for desk in place.desks])
        errors = [answer for answer in answers if isinstance(answer, QueueingError)]
        assert [error.code for error in errors] == ["already_called"]
    sound(sessions)


def issue(session: Session, place: Place, request_id: str, service: str = "id", **given: Any) -> Done:
    """Somebody takes a ticket."""
    return counter.issue(
        session, place.queue, service, request_id=request_id, actor="kiosk", now=MORNING, **given
    )


def test_fifty_at_once_get_fifty_numbers_without_gap(sessions: Sessions) -> None:
    """Numbers 1 to 50, each once, and fifty codes."""
    place, _ = set_up(sessions)
    works = [
        lambda n=n: transaction(sessions, lambda session: issue(session, place, f"i{n}").ticket)
        for n in range(50)
    ]
    tickets = at_once(works)
    assert sorted(ticket.number for ticket in tickets) == list(range(1, 51))
    assert len({ticket.code for ticket in tickets}) == 50
    sound(sessions)


def test_the_last_places_of_the_day_are_given_once(sessions: Sessions) -> None:
    """Twelve people at kiosks, five places: five tickets, seven polite refusals, no gap."""
    place, _ = set_up(sessions, daily_capacity=5)
    works = [
        lambda n=n: transaction(
            sessions, lambda session: issue(session, place, f"i{n}", channel="kiosk").ticket.number
        )
        for n in range(12)
    ]
    answers = at_once(works)
    errors = [answer.code for answer in answers if isinstance(answer, QueueingError)]
    assert errors == ["capacity_reached"] * 7
    assert sorted(answer for answer in answers if isinstance(answer, int)) == [1, 2, 3, 4, 5]
    sound(sessions)


@pytest.mark.parametrize("name", VERBS)
def test_a_double_press_at_the_same_moment_makes_one_event(sessions: Sessions, name: str) -> None:
    """The same request twice at once, for every verb: both get the same answer, one of them as a repeat."""
    setup, events = VERBS[name]
    place, (verb, things, given) = set_up(sessions, setup)
    with sessions() as session:
        before = session.scalar(select(func.count()).select_from(TicketEvent)) or 0

    def press() -> Done:
        filled = {"request_id": "pressed", "actor": "clerk", "now": place.now} | given
        done: Done = transaction(sessions, lambda session: getattr(counter, verb)(session, *things, **filled))
        return done

    first, second = at_once([press, press])
    assert {first.repeated, second.repeated} == {False, True}
    assert (first.event.id, first.ticket.id) == (second.event.id, second.ticket.id)
    with sessions() as session:
        assert (session.scalar(select(func.count()).select_from(TicketEvent)) or 0) - before == events
    sound(sessions)


def test_transfers_in_both_directions_at_once_do_not_deadlock(sessions: Sessions) -> None:
    """From A to B and from B to A in the same moment: locks are always taken in one order."""

    def prepare(place: Place) -> tuple[Place, list[Ticket], list[Ticket]]:
        other = make_place(place.session, letter="B", known=place.services)
        return other, [place.issue() for _ in range(10)], [other.issue() for _ in range(10)]

    place, (other, there, back) = set_up(sessions, prepare)

    def send(ticket: Ticket, queue: Queue) -> Callable[[], Done]:
        return lambda: transaction(
            sessions,
            lambda session: counter.transfer(
                session, ticket, to_queue=queue, request_id=f"t{ticket.id}", actor="clerk", now=MORNING
            ),
        )

    for a, b in zip(there, back, strict=True):
        answers = at_once([send(a, other.queue), send(b, place.queue)])
        assert all(isinstance(answer, Done) and answer.went_on for answer in answers)
    sound(sessions)


def test_what_a_session_has_loaded_before_is_read_anew_within_the_turn(sessions: Sessions) -> None:
    """A session that still holds the ticket as waiting cannot let it leave after another desk has called
    it."""
    place, ticket = set_up(sessions, lambda place: place.issue())
    with sessions() as session:
        begin_write(session)
        mine = session.get_one(Ticket, ticket.id)
        session.commit()
        caller(sessions, place.desks[0], "other")()
        begin_write(session)
        assert mine.state == "waiting", "the stale object this test needs"
        with pytest.raises(QueueingError) as caught:
            counter.leave(session, mine, request_id="mine", actor="citizen", now=MORNING)
        assert caught.value.code == "already_called"


def test_a_desk_loaded_as_open_cannot_call_once_it_was_closed(sessions: Sessions) -> None:
    """The desk is read anew within the turn, too."""
    place, _ = set_up(sessions, lambda place: place.issue())
    with sessions() as session:
        begin_write(session)
        desk = session.get_one(Desk, place.desks[1].id)
        session.commit()
        transaction(sessions, lambda s: desks.close_desk(s, place.desks[1], actor="x", now=MORNING))
        begin_write(session)
        assert desk.state == "open", "the stale object this test needs"
        with pytest.raises(QueueingError) as caught:
            counter.call_next(session, desk, request_id="closed", actor="x", now=MORNING)
        assert caught.value.code == "desk_closed"


def test_one_request_id_at_two_queues_at_once_is_one_ticket(sessions: Sessions) -> None:
    """Different locks, one id: the unique constraint decides, and the other hears that the id is taken."""
    place, other = set_up(sessions, lambda place: make_place(place.session, letter="B", known=place.services))
    for number in range(10):
        works = [
            lambda p=p, n=number: transaction(
                sessions, lambda session: issue(session, p, f"same{n}").ticket.number
            )
            for p in (place, other)
        ]
        answers = at_once(works)
        assert [a.code for a in answers if isinstance(a, QueueingError)] == ["request_id_reused"]
    sound(sessions)
