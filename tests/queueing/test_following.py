"""Following: one row an address and topic, a question first, ended with one press, forgotten in time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from queueing import counter, following
from queueing.errors import Conflict, Invalid
from queueing.following import follow, forget_ended, forget_phones, tell_tickets, unfollow
from queueing.notices import tell
from queueing.store import Ticket
from queueing.store_life import Follower, Notice
from tests.builders import Place

PHONE = "+201001234567"


def push(place: Place, ticket: Ticket, code: str = "p") -> Follower:
    return follow(
        place.session, f"ticket:{ticket.id}", channel="push", address=f"https://push.example/{code}", code=code,
        now=place.now, keys={"p256dh": "x", "auth": "y"},
    )[0]  # fmt: skip


def told(place: Place, follower: Follower) -> list[str]:
    kinds = select(Notice.kind).where(Notice.follower_id == follower.id)
    return list(place.session.scalars(kinds.order_by(Notice.id)))


def test_the_same_address_follows_a_thing_once_and_is_asked_once(quick: Place) -> None:
    """Pressed twice it is one follower and one question; a day's typing does not fill somebody's telephone."""
    first, there = follow(quick.session, "site:1", channel="sms", address=PHONE, code="a", now=quick.now)
    again, there_too = follow(quick.session, "site:1", channel="sms", address=PHONE, code="b", now=quick.now)
    assert (there, there_too, again.id) == (False, True, first.id)
    assert told(quick, first).count("question") <= 2 and first.confirmed_at is None


def test_ending_it_leaves_nothing_of_the_number(quick: Place) -> None:
    """No row, no message, no number."""
    made, _ = follow(quick.session, "site:1", channel="sms", address=PHONE, code="a", now=quick.now)
    unfollow(quick.session, made)
    assert quick.session.scalar(select(func.count()).select_from(Follower)) == 0
    assert quick.session.scalar(select(func.count()).select_from(Notice)) == 0


def test_without_an_answer_it_is_forgotten_after_two_days_and_with_one_after_a_year(quick: Place) -> None:
    silent, _ = follow(quick.session, "site:1", channel="sms", address=PHONE, code="a", now=quick.now)
    sure, _ = follow(quick.session, "site:2", channel="sms", address=PHONE, code="b", now=quick.now)
    following.confirm(quick.session, sure, now=quick.now)
    quick.session.flush()
    assert forget_ended(quick.session, now=quick.now + timedelta(hours=47)) == 0
    assert forget_ended(quick.session, now=quick.now + timedelta(hours=49)) == 1
    assert list(quick.session.scalars(select(Follower.code))) == ["b"]
    assert forget_ended(quick.session, now=quick.now + timedelta(days=366)) == 1
    assert silent.code == "a"


@pytest.mark.parametrize("topic", ["queue:1", "site:x", "site:", "ticket"])
def test_only_what_can_be_followed_is(quick: Place, topic: str) -> None:
    with pytest.raises(Invalid):
        follow(quick.session, topic, channel="sms", address=PHONE, code="a", now=quick.now)


def test_one_address_does_not_follow_everything(quick: Place) -> None:
    for n in range(following.MOST):
        follow(quick.session, f"site:{n}", channel="sms", address=PHONE, code=f"c{n}", now=quick.now)
    with pytest.raises(Conflict) as error:
        follow(quick.session, "site:99", channel="sms", address=PHONE, code="z", now=quick.now)
    assert error.value.code == "follows_enough"


def test_the_holder_of_a_ticket_hears_near_called_and_called_again_each_once(place: Place) -> None:
    """Fifth in line: nothing; third: near; called: called; called again: again; served: it ends soon."""
    tickets = [place.issue() for _ in range(5)]
    mine = push(place, tickets[4])
    assert tell_tickets(place.session, now=place.now) == 0
    place.called(0)
    place.called(1)
    assert [tell_tickets(place.session, now=place.now) for _ in range(2)] == [1, 0]
    assert told(place, mine) == ["near"]
    for _ in range(3):
        place.called(0)
    assert place.session.get_one(Ticket, tickets[4].id).state == "called"
    assert [tell_tickets(place.session, now=place.now) for _ in range(2)] == [1, 0]
    assert told(place, mine) == ["near", "called"]


def test_what_the_page_says_is_pushed_too(place: Place) -> None:
    """A ticket that staff cancel: the phone in the pocket says so."""
    ticket = place.issue()
    mine = push(place, ticket)
    tell_tickets(place.session, now=place.now)
    counter.cancel(place.session, ticket, request_id="cancel-1", actor="boss", now=place.now)
    tell(place.session, ticket, "cancelled", now=place.now)
    assert tell_tickets(place.session, now=place.now) == 1
    assert told(place, mine)[-1] == "cancelled"
    place.session.flush()
    place.session.refresh(mine)
    assert mine.ends_at <= place.now + timedelta(hours=1)


def test_numbers_of_tickets_are_forgotten_a_month_after_they_ended(place: Place) -> None:
    """Not before, never of somebody who still waits, and the messages about them lose the number too."""
    ended, waits = place.issue(phone=PHONE), place.issue(phone="+201001234568")
    tell(place.session, ended, "near", now=place.now)
    counter.leave(place.session, ended, request_id="leave-1", actor="phone", now=place.now)
    place.session.flush()
    assert forget_phones(place.session, now=place.now + timedelta(days=29)) == 0
    assert forget_phones(place.session, now=place.now + timedelta(days=31)) == 1
    place.session.expire_all()
    assert ended.phone is None and waits.phone is not None
    assert place.session.scalars(select(Notice.phone)).all() == [None]
