"""Ratings and outcomes: said once, with one tap, and counted from events alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from queueing import journeys, rating
from queueing.errors import Conflict, Invalid, MoveNotPossible
from queueing.rebuild import check
from queueing.store import Ticket
from queueing.turn import Done
from tests.builders import Place


def served(place: Place, outcome: str = "", minutes: float = 5) -> Ticket:
    """Somebody who came and was served."""
    ticket = place.issue()
    place.called(0, ticket=ticket)
    place.later(minutes)
    place.do("finish", ticket, desk=place.desks[0], outcome=outcome)
    return ticket


def say(place: Place, ticket: Ticket, score: int, **given: object) -> Done:
    """Rate as the holder."""
    values = {"request_id": place.rid(), "actor": "phone", "now": place.now}
    return rating.rate(place.session, ticket, score, **(values | given))  # type: ignore[arg-type]


def test_one_tap_once_and_a_reason_after_it(place: Place) -> None:
    """Four of five, again the same, then why; another score is refused; the ticket itself has not moved."""
    ticket = served(place)
    assert rating.may_rate(place.session, ticket, now=place.now)
    assert not say(place, ticket, 4).repeated
    assert say(place, ticket, 4).repeated
    assert not say(place, ticket, 4, reason="wait").repeated
    assert say(place, ticket, 4, reason="staff").repeated
    with pytest.raises(Conflict) as other:
        say(place, ticket, 1)
    assert other.value.code == "already_rated"
    found = rating.rating_of(place.session, ticket)
    assert found is not None and (found.score, found.reason) == (4, "wait")
    assert ticket.state == "served" and not rating.may_rate(place.session, ticket, now=place.now)
    assert place.actions(ticket).count("rate") == 2
    assert check(place.session, [place.queue.id]) == []


def test_only_a_service_given_can_be_rated_and_for_two_days(quick: Place) -> None:
    """Not while waiting, not with six stars or an unknown reason, not on the third day."""
    waiting = quick.issue()
    with pytest.raises(MoveNotPossible):
        say(quick, waiting, 5)
    quick.do("leave", waiting)
    ticket = served(quick)
    for score in (0, 6):
        with pytest.raises(Invalid):
            say(quick, ticket, score)
    with pytest.raises(Invalid):
        say(quick, ticket, 5, reason="weather")
    late = quick.now + timedelta(hours=48, seconds=1)
    assert not rating.may_rate(quick.session, ticket, now=late)
    with pytest.raises(Conflict) as over:
        say(quick, ticket, 5, now=late)
    assert over.value.code == "rating_over"
    assert not say(quick, ticket, 5, now=quick.now + timedelta(hours=48)).repeated


def test_who_has_another_desk_to_go_to_is_not_asked_yet(quick: Place) -> None:
    """In the middle of a journey there is nothing to rate."""
    ticket = quick.issue()
    quick.called(0)
    journeys.add_step(
        quick.session, ticket, "birth", [quick.queue.id], request_id="more", actor="clerk", now=quick.now
    )
    went_on = quick.do("finish", ticket, desk=quick.desks[0]).went_on
    assert went_on is not None and not rating.may_rate(quick.session, ticket, now=quick.now)
    quick.called(0)
    quick.do("finish", went_on, desk=quick.desks[0])
    assert rating.may_rate(quick.session, went_on, now=quick.now)


def test_the_figures_equal_the_events(place: Place) -> None:
    """Five served: three done, one for a paper, one unsaid; an undone finish counts nothing until done again."""
    begin = place.now
    first = [served(place, "done") for _ in range(3)]
    served(place, "paper")
    last = served(place)
    place.do("undo", last, desk=place.desks[0])
    ids = [place.queue.id]
    assert rating.outcomes(place.session, ids, begin, place.now + timedelta(hours=1)).finished == 4
    place.do("finish", last, desk=place.desks[0], outcome="system")
    say(place, first[0], 5)
    say(place, first[1], 2)
    say(place, first[1], 2, reason="wait")
    found = rating.outcomes(place.session, ids, begin, place.now + timedelta(hours=1))
    assert (found.finished, found.said, found.rated) == (5, 5, 2)
    assert found.by_outcome == {"done": 3, "paper": 1, "system": 1}
    assert found.first_visit == 0.6 and found.score == 3.5
    assert found.by_score == {5: 1, 2: 1} and found.by_reason == {"wait": 1}
    assert rating.outcomes(place.session, ids, begin - timedelta(days=1), begin).finished == 0


def test_call_next_says_what_came_of_the_one_it_finished(place: Place) -> None:
    """'Finish and call next' with the reason for coming back; an unknown one is refused and nobody is called."""
    place.issue()
    place.issue()
    place.called(0)
    with pytest.raises(Invalid):
        place.call(0, outcome="nonsense")
    done = place.call(0, outcome="paper")
    assert done is not None and done.finished is not None
    ended = next(e for e in place.events(done.finished) if e.action == "finish")
    assert ended.data["outcome"] == "paper"
