"""Cases of serving that no other test holds, at the verbs and on both databases: periods at every step, and what a
ticket that was taken out leaves behind."""

from __future__ import annotations

from itertools import pairwise

import pytest

from queueing.errors import QueueingError
from queueing.measure import measures_of_day
from queueing.rebuild import check
from queueing.status import line, ticket_status
from queueing.store import Ticket
from queueing.ticket import ENDED, served_seconds
from tests.builders import Place

PATHS = (
    ("issue", "call", "start", "finish"),
    ("issue", "call", "recall", "start", "park", "resume", "finish"),
    ("issue", "call", "finish"),
    ("issue", "call", "miss", "requeue", "call", "start", "finish"),
    ("issue", "call", "miss", "resume", "start", "finish"),
    ("issue", "call", "requeue", "call", "start", "park", "requeue", "call", "start", "finish"),
)
TO = {
    "waiting": ("issue",),
    "called": ("issue", "call"),
    "serving": ("issue", "call", "start"),
    "parked": ("issue", "call", "start", "park"),
    "missed": ("issue", "call", "miss"),
}


def periods(place: Place, ticket: Ticket) -> list[tuple[str, float, float | None]]:
    """(state, from, until) out of the ticket's events, minutes since the first; the last is open while the ticket
    lives."""
    events = place.events(ticket)
    at = [(event.happened_at - events[0].happened_at).total_seconds() / 60 for event in events]
    made: list[tuple[str, float, float | None]] = []
    for event, begin in zip(events, at, strict=True):
        if made and made[-1][0] == event.state_to:
            continue
        if made:
            made[-1] = (made[-1][0], made[-1][1], begin)
        if event.state_to not in ENDED:
            made.append((event.state_to, begin, None))
    return made


def walk(place: Place, path: tuple[str, ...]) -> Ticket:
    """One ticket along a path, five minutes a step, looked at after each."""
    ticket = place.issue()
    for verb in path[1:]:
        place.later(5)
        if verb == "call":
            place.called(ticket=ticket)
        else:
            place.do(
                verb,
                ticket,
                **({} if verb == "requeue" and ticket.state == "missed" else {"desk": place.desks[0]}),
            )
        place.session.refresh(ticket)
        open_ = [state for state, _begin, until in periods(place, ticket) if until is None]
        assert open_ == ([ticket.state] if ticket.state not in ENDED else []), verb
    return ticket


@pytest.mark.parametrize("path", PATHS, ids="-".join)
def test_exactly_one_period_is_open_at_each_step_of_a_full_path(place: Place, path: tuple[str, ...]) -> None:
    """One period follows the other without a gap; together they are the whole visit; served seconds are those at the
    desk."""
    ticket = walk(place, path)
    made = periods(place, ticket)
    assert all(before[2] == after[1] for before, after in pairwise(made))
    total = sum((until or 0) - begin for _state, begin, until in made)
    assert total == (len(path) - 1) * 5
    serving = sum((until or 0) - begin for state, begin, until in made if state == "serving")
    if "start" not in path:  # nobody pressed start: from the call
        serving = sum((until or 0) - begin for state, begin, until in made if state == "called")
    assert served_seconds(ticket) == serving * 60
    assert check(place.session, [place.queue.id]) == []


@pytest.mark.parametrize("state", TO)
def test_leaving_at_any_point_closes_all_periods(place: Place, state: str) -> None:
    """From every state of somebody who is here: ended now, no pause runs on, nothing is counted on afterwards."""
    ticket = walk(place, TO[state])
    assert ticket.state == state
    place.later(5)
    given = {"desk": place.desks[0]} if state in ("called", "serving") else {}
    place.do("leave", ticket, **given)
    place.session.refresh(ticket)
    assert (ticket.state, ticket.ended_at, ticket.parked_at) == ("left", place.now, None)
    assert all(until is not None for _state, _begin, until in periods(place, ticket))

    def counted() -> list[float]:
        hours = measures_of_day(place.session, [place.queue.id], ticket.day, place.now).values()
        return [
            sum(getattr(hour, what) for hour in hours)
            for what in ("wait_s", "waiting_s", "service_s", "held_s")
        ]

    before = counted()
    place.later(30)
    assert counted() == before
    assert check(place.session, [place.queue.id]) == []


def test_finishing_a_finished_ticket_changes_nothing(place: Place) -> None:
    """Not the end, not the desk's present ticket, no event, no message."""
    first, second = place.issue(), place.issue()
    place.called()
    place.later(3)
    place.called()  # finishes the first
    place.later(3)
    ended, seq, events = first.ended_at, place.seq(), len(place.events())
    with pytest.raises(QueueingError) as caught:
        place.do("finish", first, desk=place.desks[0])
    assert caught.value.code == "move_not_possible"
    place.session.refresh(first)
    assert (first.ended_at, place.seq(), len(place.events())) == (ended, seq, events)
    assert ticket_status(place.session, second, place.now).state == "called"


def test_a_deleted_ticket_leaves_the_line_and_stays_in_history(place: Place) -> None:
    """Cancelled: nobody calls it, its number is not given again, its events are all there, others move up."""
    first, second = place.issue(), place.issue()
    place.later(2)
    place.do("cancel", first)
    assert [row.label for row in line(place.session, place.queue, place.now)] == [second.label]
    assert ticket_status(place.session, second, place.now).ahead == 0
    assert place.called().id == second.id
    assert place.issue().number == 3
    assert place.actions(first) == ["issue", "cancel"]
    assert place.session.get_one(Ticket, first.id).state == "cancelled"
    assert check(place.session, [place.queue.id]) == []
