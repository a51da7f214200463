"""Cases of calling that no other test holds, at the verbs and on both databases."""

from __future__ import annotations

import pytest

from queueing.errors import QueueingError
from queueing.status import public_status
from tests.builders import Place


@pytest.mark.parametrize("limit", [0, 3])
def test_recall_limits_of_none_and_three(place: Place, limit: int) -> None:
    """So many announcements after the call, the next is refused and heard by nobody; a new call counts anew."""
    place.queue.recall_limit = limit
    ticket = place.issue()
    place.called()
    for _ in range(limit):
        place.do("recall", ticket, desk=place.desks[0])
    heard = len(place.outbox())
    with pytest.raises(QueueingError) as caught:
        place.do("recall", ticket, desk=place.desks[0])
    assert (caught.value.code, caught.value.details["limit"]) == ("recall_limit", limit)
    assert len(place.outbox()) == heard
    place.do("requeue", ticket, desk=place.desks[0])
    place.called()
    for _ in range(limit):
        place.do("recall", ticket, desk=place.desks[0])


def test_a_cancelled_call_restores_place_and_age_among_others(place: Place) -> None:
    """Called before two others, taken back: first again, and before who came later with the same class."""
    first, second, third = place.issue(), place.issue(), place.issue()
    place.later(7)
    place.called()
    place.later(2)
    place.do("requeue", first, desk=place.desks[0])
    place.session.refresh(first)
    assert first.aged_from == first.issued_at
    assert public_status(place.session, place.queue, place.now).last_called == ()
    assert [place.called(desk=desk).id for desk in (0, 1)] == [first.id, second.id]
    assert place.called().id == third.id


def test_a_missed_person_is_shown_again_when_resumed(place: Place) -> None:
    """Missed: still on the board as called before. Resumed: announced as a new call, newest on the board."""
    first, second = place.issue(), place.issue()
    place.called()
    place.later(1)
    place.do("miss", first, desk=place.desks[0])
    place.later(1)
    place.called()
    place.later(1)
    place.do("finish", second, desk=place.desks[0])
    assert [c.label for c in public_status(place.session, place.queue, place.now).last_called] == [
        "A002",
        "A001",
    ]
    place.later(1)
    place.do("resume", first, desk=place.desks[1])
    calls = public_status(place.session, place.queue, place.now).last_called
    assert (calls[0].label, calls[0].desk, calls[0].at) == ("A001", "2", place.now)
    assert (place.outbox()[-1].part, place.outbox()[-1].data["action"]) == ("calls", "call")


def test_who_did_not_come_is_not_offered_for_five_minutes_even_when_alone(place: Place) -> None:
    """Nobody else waits: still nobody, for the queue's five minutes after the miss; then the person."""
    ticket = place.issue()
    place.called()
    place.do("miss", ticket, desk=place.desks[0])
    place.do("requeue", ticket)
    for wait in (0, 4.9):
        place.later(wait)
        assert place.call() is None
    place.later(0.1)
    assert place.called().id == ticket.id


def test_a_call_taken_back_gives_the_board_the_call_before_it(place: Place) -> None:
    """Parked after desk 1, called to desk 2 by mistake, undone: the board shows the call that stands, where it was."""
    first = place.issue()
    place.issue()
    place.called()
    called_at = place.now
    place.later(1)
    place.do("park", first, desk=place.desks[0])
    place.later(1)
    place.called(desk=0)
    place.later(1)
    place.called(desk=1, ticket=first)
    place.later(1)
    place.do("undo", first, desk=place.desks[1])
    calls = public_status(place.session, place.queue, place.now).last_called
    assert [(call.label, call.desk) for call in calls] == [("A002", "1"), ("A001", "1")]
    assert calls[1].at == called_at
