"""Call next."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from queueing import desks
from queueing.errors import QueueingError
from queueing.order import choose
from queueing.store import Ticket
from tests.builders import MORNING, Place, make_place, minutes


def refused(place: Place, desk: int = 0, **given: object) -> QueueingError:
    """The error of a call that must be refused, having changed nothing."""
    seq, events = place.seq(), len(place.events())
    with pytest.raises(QueueingError) as caught:
        place.call(desk, **given)
    assert (place.seq(), len(place.events())) == (seq, events)
    return caught.value


def test_the_earliest_is_called_to_the_desk(place: Place) -> None:
    """State, desk, time, and a message to the boards with label and desk only."""
    first, _second = place.issue(), place.issue()
    ticket = place.called(1, now=place.later(5))
    assert (ticket.id, ticket.state, ticket.desk_id) == (first.id, "called", place.desks[1].id)
    assert ticket.called_at == place.now
    message = place.outbox()[-1]
    assert message.part == "calls"
    assert message.data == {
        "action": "call",
        "label": "A001",
        "desk": "2",
        "waiting": 1,
        "parts": ["calls", "line", "desks"],
    }


def test_highest_priority_then_earliest(place: Place) -> None:
    """The order of the rules is the order of the calls, finishing what the desk had."""
    for priority in (0, 1, 2, 1):
        place.issue(priority=priority)
        place.later(0.5)
    assert [place.called().number for _ in range(4)] == [3, 2, 4, 1]


def test_an_empty_queue_is_none_and_nothing_changes(place: Place) -> None:
    """No event, no message, no sequence number."""
    seq = place.seq()
    assert place.call() is None
    assert (place.seq(), place.events()) == (seq, [])


def test_calling_next_finishes_the_desks_ticket_first(place: Place) -> None:
    """One press: the old one is served, the new one called, two events with two sequence numbers."""
    first, second = place.issue(), place.issue()
    place.called()
    done = place.call(now=place.later(6))
    assert done is not None and done.finished is not None
    assert (done.finished.id, done.finished.state) == (first.id, "served")
    assert (done.ticket.id, done.ticket.state) == (second.id, "called")
    assert [e.seq for e in place.events()] == [m.seq for m in place.outbox()][-5:]
    assert place.seq() == place.events()[-1].seq


def test_the_last_person_is_finished_even_when_nobody_follows(place: Place) -> None:
    """Nobody waits: the open ticket is served, the answer is None, also when the request is repeated after
    somebody has come."""
    ticket = place.issue()
    place.called()
    assert place.call(request_id="again") is None
    assert place.session.get_one(Ticket, ticket.id).state == "served"
    newcomer = place.issue()
    assert place.call(request_id="again") is None
    assert place.session.get_one(Ticket, newcomer.id).state == "waiting"


def test_a_desk_can_be_asked_before_its_ticket_is_finished(place: Place) -> None:
    """With finish_open=False the clerk hears whose ticket is open."""
    place.issue()
    place.issue()
    place.called()
    error = refused(place, finish_open=False)
    assert (error.code, error.details) == ("desk_busy", {"label": "A001"})


def test_a_desk_serves_its_own_services_only(session: Session) -> None:
    """Desk 1 is for births: it passes over the older person who wants an identity card."""
    place = make_place(session, desk_services={0: ("birth",)})
    card, birth = place.issue("id"), place.issue("birth")
    assert place.called(0).id == birth.id
    assert place.call(0) is None
    assert place.called(1).id == card.id


def test_the_same_row_clicked_twice_by_two_clerks(place: Place) -> None:
    """One gets the person, the other hears that somebody already called."""
    ticket = place.issue()
    place.called(0, ticket=ticket)
    error = refused(place, 1, ticket=ticket)
    assert (error.code, error.details["state"]) == ("already_called", "called")


def test_calling_out_of_order_is_recorded_and_needs_permission(place: Place) -> None:
    """The chosen one is called and the event says so; without permission it is refused; the next one needs
    none."""
    first, second, third = place.issue(), place.issue(), place.issue()
    assert refused(place, ticket=third, may_choose=False).code == "out_of_order"
    place.called(0, ticket=second)
    assert place.events(second)[-1].data["out_of_order"] is True
    place.called(1, ticket=first, may_choose=False)
    assert "out_of_order" not in place.events(first)[-1].data


def test_a_refused_choice_leaves_the_desks_ticket_open(place: Place) -> None:
    """The clerk's present person is not finished when the chosen one cannot be called."""
    mine, gone = place.issue(), place.issue()
    place.called()
    place.do("leave", gone)
    assert refused(place, ticket=gone).code == "move_not_possible"
    assert place.session.get_one(Ticket, mine.id).state == "called"


def test_only_ones_own_queue(place: Place) -> None:
    """A ticket of another queue cannot be called."""
    other = make_place(place.session, letter="B", known=place.services)
    assert refused(place, ticket=other.issue()).code == "other_queue"


def test_parked_people_are_not_taken_by_next_but_can_be_chosen(place: Place) -> None:
    """Parked stays parked until somebody wants that person."""
    ticket = place.issue()
    place.called()
    place.do("park", ticket, desk=place.desks[0])
    assert place.call() is None
    assert place.called(1, ticket=ticket).state == "called"


def test_after_a_no_show_not_offered_for_five_minutes_unless_chosen(place: Place) -> None:
    """Missed never comes back unasked; put back in the line it is held for five minutes from the miss."""
    ticket = place.issue()
    place.called()
    place.do("miss", ticket, desk=place.desks[0])
    place.later(10)
    assert place.call() is None, "a missed person was recalled unasked"
    place.do("undo", ticket, desk=place.desks[0])
    place.do("miss", ticket, desk=place.desks[0])
    place.do("requeue", ticket, now=place.later(1))
    assert place.call(now=place.later(3.9)) is None
    assert place.called(now=place.later(0.1)).id == ticket.id


def test_a_held_person_can_be_chosen_at_once(place: Place) -> None:
    """The cool-down binds call next, not the clerk who sees the person stand there."""
    ticket = place.issue()
    place.called()
    place.do("miss", ticket, desk=place.desks[0])
    place.do("requeue", ticket)
    assert place.called(1, ticket=ticket).id == ticket.id


@pytest.mark.parametrize(("change", "code"), [("close_desk", "desk_closed"), ("pause_desk", "desk_paused")])
def test_only_an_open_desk_calls(place: Place, change: str, code: str) -> None:
    """A closed and a paused desk each say what they are."""
    place.issue()
    getattr(desks, change)(place.session, place.desks[0], actor="clerk", now=place.now)
    assert refused(place).code == code


def test_a_paused_queue_keeps_calling_and_a_closed_one_does_not(place: Place) -> None:
    """Paused: no new tickets, the line is worked off. Closed: the day is over."""
    place.issue()
    desks.pause_queue(place.session, place.queue, actor="x", now=place.now)
    place.called()
    desks.close_queue(place.session, place.queue, actor="x", now=place.now)
    assert refused(place).code == "queue_closed"


def test_people_forgotten_yesterday_are_not_called_today_but_after_midnight_they_are(place: Place) -> None:
    """A ticket of 23:50 is called at 00:10; one of yesterday noon is not called this morning."""
    late = place.issue(now=MORNING + timedelta(hours=14, minutes=50))
    assert place.called(now=MORNING + timedelta(hours=15, minutes=10)).id == late.id
    place.issue(now=MORNING + timedelta(days=1))
    assert place.call(now=MORNING + timedelta(days=2)) is None


def test_the_database_itself_refuses_a_second_open_ticket_at_a_desk(place: Place) -> None:
    """Code aside: two open tickets at one desk break a constraint."""
    place.issue()
    second = place.issue()
    place.called()
    second.state, second.desk_id = "called", place.desks[0].id
    with pytest.raises(IntegrityError):
        place.session.flush()


def test_the_database_itself_refuses_a_number_twice(place: Place) -> None:
    """Code aside: a number twice on one day breaks a constraint."""
    first, second = place.issue(), place.issue()
    second.number = first.number
    with pytest.raises(IntegrityError):
        place.session.flush()


def test_sql_offers_whom_choose_would_choose_from_the_whole_line(place: Place) -> None:
    """The query reads one ticket a class; over a mixed line it still finds the same person as scanning
    does."""
    for step in range(40):
        ticket = place.issue("id" if step % 3 else "birth", priority=step * 7 % 4)
        if step % 5 == 0:
            ticket.hold_until = place.now + minutes(step)
        place.later(4)
    place.session.flush()
    for _ in range(41):
        line = place.session.scalars(select(Ticket).where(Ticket.state == "waiting")).all()
        expected = choose(line, now=place.now)
        done = place.call()
        assert (done.ticket if done else None) is expected
        place.later(1)
