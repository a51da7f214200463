"""Who is next, without a database."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from queueing.line import Line
from queueing.order import APPOINTMENT, HEAD_START, PRIORITIES, choose, goes_before, rank
from queueing.ticket import LightTicket, move
from tests.builders import MORNING, light, minutes
from tests.strategies import waiting_tickets


def at(minute: float) -> datetime:
    """So many minutes after nine."""
    return MORNING + minutes(minute)


def test_the_oldest_of_a_class_goes_first() -> None:
    """Among ordinary people the age decides, not the number."""
    assert choose([light(1, came=5), light(2, came=3)], now=at(10)).number == 2  # type: ignore[union-attr]


def test_equal_ages_go_by_number() -> None:
    """Two who came in the same instant go by their numbers."""
    assert choose([light(9), light(4)], now=at(10)).number == 4  # type: ignore[union-attr]


def test_highest_priority_goes_first_then_earliest() -> None:
    """Of people who came about the same time the higher class goes first."""
    crowd = [
        light(1, came=0),
        light(2, came=1, priority=1),
        light(3, came=2, priority=2),
        light(4, came=3, priority=2),
    ]
    order = sorted(crowd, key=lambda ticket: rank(ticket, at(10)))
    assert [ticket.number for ticket in order] == [3, 4, 2, 1]


def test_nobody_starves_however_many_with_priority_come() -> None:
    """With a priority arrival every minute and one call a minute, the ordinary person is called once the head
    start of half an hour is over, not never."""
    line: list[LightTicket] = [light(0, came=0)]
    for minute in range(1, 200):
        line.append(light(minute, came=minute, priority=1))
        chosen = choose(line, now=at(minute))
        assert chosen is not None
        line.remove(chosen)
        if chosen.number == 0:
            assert 30 <= minute <= 32
            return
    raise AssertionError("the ordinary person was never called")


def test_head_starts_grow_with_the_class() -> None:
    """A higher class never has the smaller head start."""
    starts = [HEAD_START[priority] for priority in PRIORITIES]
    assert starts == sorted(starts) and starts[0] == timedelta(0)


def test_only_the_desks_services_are_offered() -> None:
    """A desk for service 2 passes over service 1."""
    crowd = [light(1, service=1), light(2, service=2, came=5)]
    assert choose(crowd, now=at(9), services={2}).number == 2  # type: ignore[union-attr]
    assert choose(crowd, now=at(9), services={3}) is None


def test_parked_missed_and_called_people_are_never_offered() -> None:
    """Call next offers the waiting only."""
    crowd = []
    for number, actions in enumerate((["call"], ["call", "start", "park"], ["call", "miss"], ["leave"])):
        ticket = light(number)
        for action in actions:
            move(ticket, action, now=at(1), desk_id=1)
        crowd.append(ticket)
    assert choose(crowd, now=at(60)) is None


def test_a_no_show_is_not_offered_for_the_cool_down() -> None:
    """Held until the instant, offered from it on."""
    ticket = light()
    ticket.hold_until = at(5)
    assert choose([ticket], now=at(5) - timedelta(seconds=1)) is None
    assert choose([ticket], now=at(5)) is ticket


def test_an_appointment_goes_first_at_its_time_and_before_it_only_if_nobody_else_waits() -> None:
    """At 9:30 the appointment of 9:30 goes before those who came from 8:01; at 9:29 it does not."""
    booked = light(7, came=30, priority=APPOINTMENT)
    walk_in = light(1, came=-50)
    assert choose([booked, walk_in], now=at(29)) is walk_in
    assert choose([booked, walk_in], now=at(30)) is booked
    assert choose([booked], now=at(20)) is booked


@given(waiting_tickets(), st.integers(0, 5 * 3600))
def test_the_order_is_total_and_choose_takes_its_first(tickets: list[LightTicket], seconds: int) -> None:
    """Choosing again and again empties the line in the order of rank; `goes_before` agrees."""
    now = MORNING + timedelta(seconds=seconds)
    left = list(tickets)
    called = []
    while (chosen := choose(left, now=now)) is not None:
        left.remove(chosen)
        called.append(chosen)
    assert [rank(t, now) for t in called] == sorted(rank(t, now) for t in called)
    assert all(t.hold_until is not None and t.hold_until > now for t in left)
    assert all(goes_before(a, b, now) for a, b in pairwise(called))


@given(
    waiting_tickets(most=25),
    st.lists(
        st.tuples(
            st.integers(0, 1500),
            st.sampled_from([None, {1}, {2, 3}, {9}]),
            st.sampled_from(["call", "leave", "back"]),
        ),
        max_size=40,
    ),
)
def test_the_heap_line_answers_as_choose_does(
    tickets: list[LightTicket], steps: list[tuple[int, set[int] | None, str]]
) -> None:
    """`Line.pop` gives at every moment the ticket that `choose` gives by scanning, whoever leaves or comes
    back."""
    line: Line[LightTicket] = Line()
    for ticket in tickets:
        line.push(ticket)
    now = MORNING
    away: list[LightTicket] = []
    draw = Random(len(tickets))
    for seconds, services, what in steps:
        now += timedelta(seconds=seconds)
        waiting = [ticket for ticket in tickets if ticket.state == "waiting"]
        assert len(line) == len(waiting)
        if what == "call":
            expected = choose(waiting, now=now, services=services)
            got = line.pop(now, services)
            assert got is expected
            if got is not None:
                move(got, "call", now=now, desk_id=1)
                away.append(got)
        elif what == "leave" and waiting:
            move(draw.choice(waiting), "leave", now=now)
        elif what == "back" and away:
            ticket = away.pop()
            move(ticket, "miss", now=now, hold_s=300)
            move(ticket, "requeue", now=now)
            line.push(ticket)


def test_a_ticket_called_out_of_order_is_gone_from_the_heap_line() -> None:
    """Remove takes one out of the middle; pushing twice does not double it."""
    line: Line[LightTicket] = Line()
    crowd = [light(number, came=number) for number in range(3)]
    for ticket in [*crowd, crowd[1]]:
        line.push(ticket)
    line.remove(crowd[0])
    assert [line.pop(at(9)), line.pop(at(9)), line.pop(at(9))] == [crowd[1], crowd[2], None]
