"""Opening and closing, and the night's clearing up."""

from __future__ import annotations

import contextlib
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from queueing import counter, desks
from queueing.errors import QueueingError
from queueing.rebuild import check
from queueing.store import DeskShift, Ticket
from tests.builders import MORNING, Place, minutes


def spells(place: Place) -> list[tuple[float, float | None]]:
    """Shifts of desk 1 in minutes after nine."""
    rows = place.session.scalars(
        select(DeskShift).where(DeskShift.desk_id == place.desks[0].id).order_by(DeskShift.id)
    )
    return [
        (
            (row.opened_at - MORNING) / minutes(1),
            (row.closed_at - MORNING) / minutes(1) if row.closed_at else None,
        )
        for row in rows
    ]


def test_a_pause_is_no_staffed_time_and_doing_it_again_changes_nothing(place: Place) -> None:
    """Open 0-30, break, open from 40: two spells; a second press of each makes neither spell nor message."""
    desk = place.desks[0]
    for _ in range(2):
        desks.pause_desk(place.session, desk, actor="clerk", now=MORNING + minutes(30))
    for _ in range(2):
        desks.open_desk(place.session, desk, actor="clerk", now=MORNING + minutes(40))
    assert spells(place) == [(0, 30), (40, None)]
    assert [m.data["action"] for m in place.outbox()][-2:] == ["desk_pause", "desk_open"]
    assert [m.part for m in place.outbox()][-1] == "desks"


def test_a_paused_desk_finishes_its_person(place: Place) -> None:
    """The break begins after the present one."""
    ticket = place.issue()
    place.called()
    desks.pause_desk(place.session, place.desks[0], actor="clerk", now=place.now)
    assert place.do("finish", ticket, desk=place.desks[0]).ticket.state == "served"


def test_a_desk_with_a_person_cannot_close(place: Place) -> None:
    """Refused with the label; afterwards it closes and its clerk is gone."""
    ticket = place.issue()
    desks.open_desk(place.session, place.desks[0], actor="x", now=place.now, operator="clerk-1")
    place.called()
    with pytest.raises(QueueingError) as caught:
        desks.close_desk(place.session, place.desks[0], actor="clerk", now=place.now)
    assert (caught.value.code, caught.value.details) == ("desk_busy", {"label": "A001"})
    place.do("finish", ticket, desk=place.desks[0])
    closed = desks.close_desk(place.session, place.desks[0], actor="clerk", now=MORNING + minutes(60))
    assert (closed.state, closed.operator) == ("closed", None)
    assert spells(place) == [(0, 60)]


def test_a_desk_opens_only_in_an_open_queue_and_pauses_only_when_open(place: Place) -> None:
    """Each says what is closed."""
    desks.close_queue(place.session, place.queue, actor="x", now=place.now)
    for change, code in ((desks.open_desk, "queue_closed"), (desks.pause_desk, "desk_closed")):
        with pytest.raises(QueueingError) as caught:
            change(place.session, place.desks[0], actor="x", now=place.now)
        assert caught.value.code == code


def test_closing_the_queue_ends_the_line_and_spares_who_is_served(place: Place) -> None:
    """Waiting, parked and missed people are closed and flagged; the one at the desk is finished there."""
    tickets = [place.issue() for _ in range(4)]
    for ticket, verb in ((tickets[0], "park"), (tickets[1], "miss"), (tickets[2], "start")):
        place.called(ticket=ticket)
        place.do(verb, ticket, desk=place.desks[0])
    coming = place.do("issue", place.queue, "id", appointment_at=MORNING + timedelta(days=3)).ticket
    queue = desks.close_queue(place.session, place.queue, actor="jobs", now=MORNING + minutes(400))
    assert queue.state == "closed"
    assert [t.state for t in tickets] == ["left", "left", "serving", "left"]
    assert coming.state == "booked"
    last = place.events(tickets[3])[-1]
    assert (last.action, last.actor, last.data["flag"]) == ("close", "jobs", "forgotten")
    assert [place.session.get(type(d), d.id).state for d in place.desks] == ["open", "closed"]  # type: ignore[union-attr]
    assert place.do("finish", tickets[2], desk=place.desks[0]).ticket.state == "served"
    assert check(place.session) == []


def test_opening_and_closing_again_changes_nothing(place: Place) -> None:
    """Neither sequence number nor message."""
    desks.open_queue(place.session, place.queue, actor="x", now=place.now)
    seq = place.seq()
    desks.open_queue(place.session, place.queue, actor="x", now=place.now)
    assert place.seq() == seq == len(place.outbox())
    desks.pause_queue(place.session, place.queue, actor="x", now=place.now)
    assert (place.outbox()[-1].part, place.outbox()[-1].data["state"]) == ("queue", "paused")


def test_the_night_closes_what_was_forgotten_and_flags_it(place: Place) -> None:
    """A visit left open overnight: served and flagged; waiting: left. Today's tickets and bookings stay.
    Twice does nothing."""
    serving, waiting = place.issue(), place.issue()
    place.called(now=place.later(5))
    place.do("start", serving, desk=place.desks[0])
    next_morning = MORNING + timedelta(days=1)
    today = place.issue(now=next_morning)
    booked = place.do("issue", place.queue, "id", appointment_at=next_morning + minutes(60)).ticket
    assert desks.close_forgotten(place.session, now=next_morning) == 2
    assert desks.close_forgotten(place.session, now=next_morning) == 0
    assert [serving.state, waiting.state, today.state, booked.state] == [
        "served",
        "left",
        "waiting",
        "booked",
    ]
    assert place.events(serving)[-1].data["flag"] == "forgotten"
    assert check(place.session) == []


def test_the_night_leaves_the_line_of_an_evening_alone_until_it_can_no_longer_be_called(place: Place) -> None:
    """At 00:30 the people of 23:50 still wait; at 04:00 they are closed."""
    place.issue(now=MORNING + timedelta(hours=14, minutes=50))
    assert desks.close_forgotten(place.session, now=MORNING + timedelta(hours=15, minutes=30)) == 0
    assert desks.close_forgotten(place.session, now=MORNING + timedelta(hours=19)) == 1


def test_a_shift_nobody_ended_ends_with_the_last_thing_done_at_the_desk(place: Place) -> None:
    """The clerk went home at 11: the night does not count as staffed, and the desk is closed."""
    ticket = place.issue()
    place.called(now=MORNING + minutes(100))
    place.do("finish", ticket, desk=place.desks[0], now=MORNING + minutes(120))
    desks.close_forgotten(place.session, now=MORNING + timedelta(days=1))
    assert spells(place) == [(0, 120)]
    assert place.session.get_one(type(place.desks[0]), place.desks[0].id).state == "closed"


def test_opening_a_queue_closes_what_was_forgotten_before(place: Place) -> None:
    """Also when the night's job never ran."""
    old = place.issue()
    desks.open_queue(place.session, place.queue, actor="x", now=MORNING + timedelta(days=2))
    place.session.refresh(old)
    assert (old.state, old.day) == ("left", date(2026, 11, 22))
    assert isinstance(old, Ticket)


def test_nobody_can_take_the_request_id_of_a_closing_beforehand(place: Place) -> None:
    """Ids of closings hold a #, which no client's may: a citizen who guesses one does not keep a queue open."""
    mine, other = place.issue(), place.issue()
    for taken in (f"close:{other.id}", f"close#:{other.id}"):
        with contextlib.suppress(QueueingError):
            counter.leave(place.session, mine, request_id=taken, actor="citizen", now=place.now)
    desks.close_queue(place.session, place.queue, actor="clerk", now=place.now)
    assert mine.state == "left"
    assert place.events(other)[-1].action == "close"
    assert place.events(other)[-1].request_id == f"close#:{other.id}"
