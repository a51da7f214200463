"""A broken van's queue goes to another: nobody lost, nobody doubled, numbers and places kept, and back until a call."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import appointments, handover, journeys
from queueing.errors import Conflict, Invalid, NotFound
from queueing.rebuild import check
from queueing.slots import Pattern
from queueing.status import line
from queueing.store import Desk, Queue, Ticket
from queueing.store_life import Booking, HandOver, Notice
from tests.builders import Place, make_place, make_service


@pytest.fixture
def vans(session: Session) -> tuple[Place, Place]:
    """Two vans, both with the letter M."""
    one = make_place(session, letter="M")
    return one, make_place(session, letter="M", known=one.services)


def give(one: Place, two: Place, **given: object) -> HandOver:
    """Hand the first queue over to the second."""
    values = {"request_id": "broken", "actor": "boss", "now": one.now}
    return handover.hand_over(one.session, one.queue, two.queue, **(values | given))  # type: ignore[arg-type]


def crowd(one: Place) -> dict[str, Ticket]:
    """One in each live state: ordinary, with priority, at a desk, parked, missed, booked."""
    made = {"served": one.issue(), "parked": one.issue(), "missed": one.issue(), "called": one.issue()}
    for name in ("served", "parked", "missed"):
        one.called(0)
        verb = {"served": "finish", "parked": "park", "missed": "miss"}[name]
        one.do(verb, made[name], desk=one.desks[0])
    one.called(0)
    made["waiting"] = one.issue(phone="+201001234567")
    made["priority"] = one.issue(priority=2)
    made["booked"] = appointments.book(
        one.session, one.queue, "id", at=one.now + timedelta(minutes=60), request_id="b", actor="p", now=one.now,
        default=[Pattern(9 * 60, 12 * 60)],
    ).ticket  # fmt: skip
    return made


def test_everybody_stands_there_as_they_stood_here(vans: tuple[Place, Place]) -> None:
    """Six people: state, age, class, appointment and telephone kept; the label with a mark; the served one stays."""
    one, two = vans
    own = two.issue()
    people = crowd(one)
    made = give(one, two, reason="engine")
    assert made.tickets == 6 and people["served"].state == "served"
    for name, state in (
        ("waiting", "waiting"), ("priority", "waiting"), ("called", "waiting"), ("parked", "parked"),
        ("missed", "missed"), ("booked", "booked"),
    ):  # fmt: skip
        old = people[name]
        new = journeys.current_of(one.session, old)
        assert (old.state, new.state, new.queue_id) == ("transferred", state, two.queue.id), name
        assert new.label == f"{old.label}-2"
        kept = ("aged_from", "priority", "appointment_at", "phone", "service_id", "day")
        assert all(getattr(new, field) == getattr(old, field) for field in kept), name
    assert (
        one.session.get_one(Booking, journeys.current_of(one.session, people["booked"]).id).slot_minutes == 15
    )
    order = [row.label for row in line(two.session, two.queue, two.now) if row.state == "waiting"]
    assert order[0] == f"{people['priority'].label}-2" and len(order) == 4 and own.label in order
    assert check(one.session, [one.queue.id, two.queue.id]) == []


def test_the_old_queue_closes_and_says_where_it_went(vans: tuple[Place, Place]) -> None:
    """It gives no tickets, points to the other, and screens of both hear of it; everybody is told once."""
    one, two = vans
    ticket = one.issue(phone="+201001234567")
    give(one, two)
    old = one.session.get_one(Queue, one.queue.id)
    assert (old.state, old.moved_to_id) == ("closed", two.queue.id)
    assert one.outbox()[-1].data["to"] == two.queue.id and two.outbox()[-1].data["people"] == 1
    told = one.session.scalars(select(Notice)).all()
    assert [(n.kind, n.phone, n.queue_id) for n in told] == [("handed_over", "+201001234567", two.queue.id)]
    assert journeys.current_of(one.session, ticket).queue_id == two.queue.id


def test_once_and_to_one_queue(vans: tuple[Place, Place]) -> None:
    """The same request again moves nobody twice; another target, a second time, a circle, itself: refused."""
    one, two = vans
    one.issue()
    first = give(one, two)
    assert give(one, two).id == first.id and two.count() == 1
    three = make_place(one.session, letter="K", known=one.services)
    with pytest.raises(Conflict) as again:
        give(one, three, request_id="other")
    assert again.value.code == "already_handed_over"
    with pytest.raises(Conflict) as reused:
        give(one, three)
    assert reused.value.code == "request_id_reused"
    with pytest.raises(Conflict) as circle:
        give(two, one, request_id="circle")
    assert circle.value.code == "handed_over_in_turn"
    with pytest.raises(Invalid):
        give(two, two, request_id="self")


def test_people_for_services_that_the_other_lacks_need_a_decision(session: Session) -> None:
    """Refused with how many for what, nothing changed; taken along when said so."""
    known = {code: make_service(session, code) for code in ("id", "birth")}
    one = make_place(session, letter="M", known=known)
    two = make_place(session, letter="M", known=known, services=("id",))
    one.issue("id")
    birth = one.issue("birth")
    assert handover.missing_services(session, one.queue, two.queue.id, now=one.now) == {"birth": 1}
    with pytest.raises(Conflict) as refused:
        give(one, two)
    assert refused.value.details["services"] == {"birth": 1}
    assert (
        birth.state == "waiting"
        and two.count() == 0
        and one.session.get_one(Queue, one.queue.id).state == "open"
    )
    assert give(one, two, take_all=True).tickets == 2


def test_taken_back_everybody_is_where_they_were(vans: tuple[Place, Place]) -> None:
    """The van starts again after all: states, desks, numbers and the queue as before; taking back twice is harmless."""
    one, two = vans
    people = crowd(one)
    before = {
        name: (t.state, t.label, t.desk_id, t.aged_from, t.called_at, t.ended_at)
        for name, t in people.items()
    }
    made = give(one, two)
    assert handover.can_take_back(one.session, made)
    for _ in range(2):
        handover.take_back(one.session, one.queue, actor="boss", now=one.later(2))
    after = {
        name: (t.state, t.label, t.desk_id, t.aged_from, t.called_at, t.ended_at)
        for name, t in people.items()
    }
    assert after == before
    old = one.session.get_one(Queue, one.queue.id)
    assert (old.state, old.moved_to_id) == ("open", None)
    there = one.session.scalars(select(Ticket).where(Ticket.queue_id == two.queue.id)).all()
    assert {t.state for t in there} == {"cancelled"}
    assert check(one.session, [one.queue.id, two.queue.id]) == []
    assert give(one, two, request_id="again").tickets == 6


def test_not_taken_back_once_somebody_was_called_there(vans: tuple[Place, Place]) -> None:
    """The first call at the new place settles it; nothing changes by asking."""
    one, two = vans
    one.issue()
    made = give(one, two)
    two.called(0)
    assert not handover.can_take_back(one.session, made)
    with pytest.raises(Conflict) as refused:
        handover.take_back(one.session, one.queue, actor="boss", now=one.now)
    assert refused.value.code == "undo_refused"
    assert one.session.get_one(Queue, one.queue.id).moved_to_id == two.queue.id


def test_nothing_to_take_back(vans: tuple[Place, Place]) -> None:
    """A queue that was never handed over says so."""
    with pytest.raises(NotFound):
        handover.take_back(vans[0].session, vans[0].queue, actor="boss", now=vans[0].now)


def test_a_queue_passes_through_two_vans(vans: tuple[Place, Place]) -> None:
    """The second van breaks down too: the link still leads to where the person stands, with one mark."""
    one, two = vans
    three = make_place(one.session, letter="M", known=one.services)
    ticket = one.issue()
    give(one, two)
    give(two, three, request_id="second")
    now_at = journeys.current_of(one.session, ticket)
    assert (now_at.queue_id, now_at.label, now_at.aged_from) == (three.queue.id, "M001-2", ticket.aged_from)
    assert one.session.scalars(select(Desk).where(Desk.queue_id == three.queue.id)).first() is not None
