"""The trail of one ticket: every step, and how long each state lasted."""

from __future__ import annotations

from datetime import date, timedelta

from queueing import desks
from queueing.trail import find, forgotten, trail
from tests.builders import MORNING, Place, make_place

DAY = date(2026, 11, 22)


def test_each_state_lasts_as_long_as_it_did(place: Place) -> None:
    """Ten minutes of waiting, two of walking, three served, five parked, four served."""
    ticket = place.issue()
    place.later(10)
    place.call()
    place.later(2)
    place.do("start", ticket, desk=place.desks[0])
    place.later(3)
    place.do("park", ticket, desk=place.desks[0], note="copy of the deed")
    place.later(5)
    place.do("resume", ticket, desk=place.desks[1])
    place.later(4)
    place.do("finish", ticket, desk=place.desks[1])
    found = trail(place.session, ticket, now=place.now + timedelta(days=3))
    assert found.spent == {"waiting": 600, "called": 120, "serving": 420, "parked": 300}
    assert [(s.event.action, s.desk, s.lasted_s) for s in found.steps] == [
        ("issue", "", 600),
        ("call", "1", 120),
        ("start", "1", 180),
        ("park", "1", 300),
        ("resume", "2", 240),
        ("finish", "2", None),
    ]
    assert found.steps[3].event.data["note"] == "copy of the deed"


def test_a_state_that_still_lasts_counts_until_now_and_says_so(place: Place) -> None:
    ticket = place.issue()
    found = trail(place.session, ticket, now=place.later(7))
    assert found.spent == {"waiting": 420} and found.steps[0].running


def test_a_step_taken_back_stays_on_the_trail_and_its_time_counts_for_what_it_interrupted(
    place: Place,
) -> None:
    ticket = place.issue()
    place.later(4)
    place.call()
    place.later(1)
    place.do("miss", ticket, desk=place.desks[0])
    place.later(2)
    place.do("undo", ticket, desk=place.desks[0])
    place.later(3)
    found = trail(place.session, ticket, now=place.now)
    assert [(s.event.action, s.undone) for s in found.steps] == [
        ("issue", False),
        ("call", False),
        ("miss", True),
        ("undo", False),
    ]
    assert found.spent == {"waiting": 240, "called": 360}


def test_a_ticket_sent_to_another_queue_is_followed_both_ways(place: Place) -> None:
    other = make_place(place.session, letter="B", known=place.services)
    ticket = place.issue()
    went = place.do("transfer", ticket, to_queue=other.queue, note="needs a stamp").went_on
    assert went is not None
    first, second = (trail(place.session, t, now=place.now) for t in (ticket, went))
    assert first.went_to is not None and first.went_to.id == went.id
    assert second.came_from is not None and second.came_from.id == ticket.id


def test_a_ticket_is_found_by_label_and_day_or_by_code_in_ones_own_queues_only(place: Place) -> None:
    other = make_place(place.session, letter="A", known=place.services)
    ticket, foreign = place.issue(), other.issue()
    assert ticket.label == foreign.label
    mine = [place.queue.id]
    assert find(place.session, mine, days=[DAY], label=f" {ticket.label.lower()} ") == [ticket]
    assert find(place.session, mine, days=[DAY - timedelta(days=1)], label=ticket.label) == []
    assert find(place.session, mine, code=ticket.code) == [ticket]
    assert find(place.session, mine, code=foreign.code) == []


def test_a_removed_ticket_leaves_the_line_and_stays_in_history(place: Place) -> None:
    ticket = place.issue()
    place.do("cancel", ticket)
    assert place.call() is None
    found = trail(
        place.session, find(place.session, [place.queue.id], days=[DAY], label=ticket.label)[0], now=place.now
    )
    assert [s.event.action for s in found.steps] == ["issue", "cancel"]


def test_what_the_night_closed_is_told_and_what_a_person_closed_is_not(place: Place) -> None:
    left_open = place.issue()
    night = MORNING + timedelta(hours=20)
    desks.close_forgotten(place.session, now=night)
    place.now = night + timedelta(hours=9)
    desks.open_queue(place.session, place.queue, actor="chief", now=place.now)
    place.issue()
    desks.close_queue(place.session, place.queue, actor="chief", now=place.later(60))
    days = [DAY, DAY + timedelta(days=1), DAY + timedelta(days=2)]
    assert forgotten(place.session, [place.queue.id], days) == [left_open]
    assert trail(place.session, left_open, now=place.now).forgotten
