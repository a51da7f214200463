"""Closing while people wait, and pauses that end by themselves: each person is told and kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from queueing import appointments, closing, desks, journeys
from queueing.daytime import at_minute
from queueing.errors import Closed, Conflict, Exhausted, Invalid
from queueing.rebuild import check
from queueing.slots import Pattern
from queueing.store import Queue, Ticket
from queueing.store_life import Notice
from tests.builders import MORNING, Place, make_place, make_service

TODAY = MORNING.date()
TOMORROW = TODAY + timedelta(days=1)
HOURS = [Pattern(9 * 60, 10 * 60, 15, 2)]


def people(place: Place) -> list[Ticket]:
    """One at a desk, two waiting, one booked for later today."""
    at_desk = place.issue()
    place.called(0)
    waiting = [place.issue(phone="+201001234567"), place.issue()]
    booked = appointments.book(
        place.session, place.queue, "id", at=at_minute(TODAY, 660, "Africa/Cairo"), request_id="b", actor="p",
        now=place.now, default=[Pattern(540, 720)],
    ).ticket  # fmt: skip
    return [at_desk, *waiting, booked]


def close(place: Place, choice: str, **given: object) -> closing.Closing:
    """Close the place's queue."""
    values = {"actor": "boss", "now": place.now}
    return closing.close_with(place.session, place.queue, choice, **(values | given))  # type: ignore[arg-type]


def state(place: Place) -> tuple[str, bool]:
    """The queue's state as stored."""
    queue = place.session.get_one(Queue, place.queue.id, populate_existing=True)
    return queue.state, queue.closing


def test_served_out_then_closed_by_itself(place: Place) -> None:
    """Nobody new; the two inside are served; the booked one is told and free; then the queue closes, not before."""
    at_desk, first, second, booked = people(place)
    made = close(place, "serve")
    assert (made.inside, made.cancelled) == (3, 1) and booked.state == "cancelled"
    with pytest.raises(Closed):
        place.issue()
    assert closing.finish_closing(place.session, now=place.now) == 0
    for _ in (at_desk, first, second):
        place.call(0)
    assert closing.finish_closing(place.session, now=place.now) == 1
    assert state(place) == ("closed", False) and [t.state for t in (at_desk, first, second)] == ["served"] * 3
    assert closing.finish_closing(place.session, now=place.now) == 0


def test_moved_to_tomorrow_in_the_order_of_the_line(place: Place) -> None:
    """Two a slot from nine: the first in the line first; told; confirmed; the link leads there; who is at the desk is
    finished here."""
    at_desk, first, second, booked = people(place)
    made = close(place, "move", day=TOMORROW, default=HOURS)
    assert (made.inside, made.moved) == (1, 3)
    times = [journeys.current_of(place.session, t).appointment_at for t in (first, second, booked)]
    assert times == [at_minute(TOMORROW, m, "Africa/Cairo") for m in (540, 540, 555)]
    new = journeys.current_of(place.session, first)
    assert (new.state, new.day, new.phone) == ("booked", TOMORROW, "+201001234567")
    told = place.session.scalars(select(Notice).where(Notice.kind == "moved")).all()
    assert len(told) == 3 and all(n.data["closed"] for n in told)
    assert close(place, "move", day=TOMORROW, default=HOURS).moved == 0, "again finds nobody"
    place.do("finish", at_desk, desk=place.desks[0])
    assert closing.finish_closing(place.session, now=place.now) == 1
    assert check(place.session, [place.queue.id]) == []


def test_moved_to_another_queue_today(place: Place) -> None:
    """Another queue of the same services takes them this afternoon."""
    other = make_place(place.session, letter="K", known=place.services)
    _at_desk, first, _second, _booked = people(place)
    close(place, "move", to_queue=other.queue, day=TODAY, default=[Pattern(13 * 60, 14 * 60, 15, 3)])
    new = journeys.current_of(place.session, first)
    assert new.queue_id == other.queue.id and new.label == "K001"


@pytest.mark.parametrize(
    ("given", "kind", "code"),
    [
        ({"day": TODAY}, Invalid, "same_day"),
        ({"day": TOMORROW, "default": []}, Invalid, "no_slots"),
        ({"day": TOMORROW, "default": [Pattern(540, 555, 15, 1)]}, Exhausted, "slot_full"),
    ],
)
def test_a_move_that_has_no_room_for_all_moves_nobody(
    quick: Place, given: dict[str, object], kind: type[Exception], code: str
) -> None:
    """Refused as a whole: everybody stands where they stood, the queue is open."""
    everybody = people(quick)
    before = [t.state for t in everybody]
    with pytest.raises(kind) as refused:
        close(quick, "move", **given)
    assert refused.value.code == code  # type: ignore[attr-defined]
    assert [t.state for t in everybody] == before and state(quick) == ("open", False)


def test_a_move_to_a_queue_without_the_service_is_refused(quick: Place) -> None:
    """Nobody is sent where they cannot be served."""
    known = {"stamp": make_service(quick.session, "stamp")}
    other = make_place(quick.session, services=("stamp",), known=known, letter="K")
    people(quick)
    with pytest.raises(Conflict) as refused:
        close(quick, "move", to_queue=other.queue, day=TOMORROW, default=HOURS)
    assert refused.value.details["services"] == ["id"]


def test_sent_home_with_a_reason(place: Place) -> None:
    """Everybody but the one at the desk is cancelled and told why; with nobody at a desk the queue closes at once."""
    at_desk, *others = people(place)
    made = close(place, "cancel", reason="no electricity")
    assert (made.inside, made.cancelled) == (1, 3)
    assert [t.state for t in others] == ["cancelled"] * 3 and at_desk.state == "called"
    told = place.session.scalars(select(Notice).where(Notice.kind == "closed")).all()
    assert len(told) == 3 and {n.data["reason"] for n in told} == {"no electricity"}
    place.do("finish", at_desk, desk=place.desks[0])
    close(place, "cancel")
    assert state(place) == ("closed", False)


def test_an_unknown_choice_is_refused(quick: Place) -> None:
    """Nothing happens."""
    with pytest.raises(Invalid):
        close(quick, "vanish")
    assert state(quick) == ("open", False)


def test_a_pause_with_an_end_opens_by_itself(place: Place) -> None:
    """Paused until noon: at noon it is open; a pause without an end stays; a closing one is not opened."""
    until = place.now + timedelta(minutes=30)
    desks.pause_queue(place.session, place.queue, actor="boss", now=place.now, until=until)
    assert closing.resume_paused(place.session, now=until - timedelta(seconds=1)) == 0
    assert closing.resume_paused(place.session, now=until) == 1
    assert state(place) == ("open", False)
    desks.pause_queue(place.session, place.queue, actor="boss", now=until)
    assert closing.resume_paused(place.session, now=until + timedelta(days=1)) == 0


def test_who_waits_when_the_day_ends_is_told(place: Place) -> None:
    """The schedule closes a queue with somebody in it: a message to the telephone that was left."""
    people(place)
    desks.close_queue(place.session, place.queue, actor="schedule", now=place.now)
    assert [n.kind for n in place.session.scalars(select(Notice).where(Notice.phone.is_not(None)))] == [
        "closed"
    ]


def test_the_same_request_closes_once_and_is_answered_alike(place: Place) -> None:
    """Sent again after a lost answer, also when the queue has been opened again and others wait there."""
    people(place)
    first = close(place, "cancel", reason="rain", request_id="c1", told=3)
    assert (first.inside, first.cancelled, first.repeated) == (1, 3, False)
    place.do("finish", place.session.scalars(select(Ticket).where(Ticket.state == "called")).one())
    desks.close_queue(place.session, place.queue, actor="boss", now=place.now)
    desks.open_queue(place.session, place.queue, actor="boss", now=place.now)
    newcomer = place.issue()
    again = close(place, "cancel", reason="rain", request_id="c1", told=3)
    assert (again.inside, again.cancelled, again.repeated) == (1, 3, True)
    assert newcomer.state == "waiting" and state(place)[0] == "open"
    with pytest.raises(Conflict):
        close(place, "serve", request_id="c1")


def test_more_people_than_the_supervisor_was_told_of_are_not_sent_home(place: Place) -> None:
    """Refused whole, with the numbers as they are now."""
    people(place)
    with pytest.raises(Conflict) as refused:
        close(place, "cancel", reason="rain", told=2)
    assert (refused.value.code, refused.value.details["inside"], refused.value.details["booked"]) == (
        "people_waiting", 2, 1,
    )  # fmt: skip
    assert state(place) == ("open", False)
    assert close(place, "cancel", reason="rain", told=3).cancelled == 3


def test_a_queue_that_is_closed_already_is_not_opened_by_closing_it(place: Place) -> None:
    """What screens hear: nothing."""
    desks.close_queue(place.session, place.queue, actor="boss", now=place.now)
    before = len(place.outbox())
    assert close(place, "serve") == closing.Closing(0, 0, 0)
    assert state(place) == ("closed", False) and len(place.outbox()) == before
