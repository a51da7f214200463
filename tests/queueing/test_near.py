"""A reminder at place three: once, to who left a number, whatever the number is."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from queueing import notices
from queueing.near import tell_near
from queueing.store_life import Notice
from tests.builders import Place


def test_who_comes_up_to_place_three_is_told_once(place: Place) -> None:
    """The fourth waits; when one is called, the fourth is third and hears of it; nobody hears twice."""
    tickets = [place.issue(phone=f"+2010012345{n}0") for n in range(3)]
    tickets += [place.issue(), place.issue(phone="+201001234599")]
    assert tell_near(place.session, now=place.now) == 3
    assert tell_near(place.session, now=place.now) == 0
    place.called(0)
    place.called(1)
    assert tell_near(place.session, now=place.now) == 1
    told = place.session.scalars(select(Notice.ticket_id).order_by(Notice.id)).all()
    assert sorted(told) == sorted(t.id for t in (*tickets[:3], tickets[4]))


def test_a_message_is_given_out_once_and_a_bad_number_stands_in_nobodys_way(place: Place) -> None:
    """Claimed once; what nobody will ever take is noted, and the queue goes on."""
    place.issue(phone="+201001234567")
    tell_near(place.session, now=place.now)
    first = notices.claim(place.session, now=place.now)
    assert len(first) == 1 and notices.claim(place.session, now=place.now) == []
    notices.failed(place.session, [first[0].id])
    assert place.called(0).state == "called"
    place.session.refresh(first[0])
    assert first[0].failed and first[0].due_at is None and first[0].sent_at is None


def test_a_message_outlives_who_was_sending_it(place: Place) -> None:
    """Who claimed it and never said how it went has died: after the lease it is given out again, with its number."""
    place.issue(phone="+201001234567")
    tell_near(place.session, now=place.now)
    (first,) = notices.claim(place.session, now=place.now)
    assert notices.claim(place.session, now=place.now + notices.LEASE - timedelta(seconds=1)) == []
    (again,) = notices.claim(place.session, now=place.now + notices.LEASE)
    assert again.id == first.id and again.attempts == 2
    notices.sent(place.session, [again.id], now=place.now + notices.LEASE)
    assert notices.claim(place.session, now=place.now + timedelta(minutes=10)) == []


def test_what_could_not_be_sent_comes_up_later_each_time_until_it_is_over(place: Place) -> None:
    """Half a minute, two minutes, ten: and a message that one is nearly next is given up after twenty."""
    place.issue(phone="+201001234567")
    tell_near(place.session, now=place.now)
    waits, now = [], place.now
    for _ in range(3):
        (message,) = notices.claim(place.session, now=now)
        notices.put_off(place.session, [message.id], now=now)
        place.session.flush()
        assert notices.claim(place.session, now=message.due_at - timedelta(seconds=1)) == []
        waits.append((message.due_at - now).total_seconds())
        now = message.due_at
    assert waits == [30, 120, 600]
    (message,) = notices.claim(place.session, now=now)
    notices.put_off(place.session, [message.id], now=now)
    place.session.flush()
    assert notices.claim(place.session, now=message.due_at) == []
    place.session.refresh(message)
    assert message.failed and message.due_at is None
