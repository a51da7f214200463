"""A reminder at place three: once, to who left a number, whatever the number is."""

from __future__ import annotations

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
    """Claimed once; what could not be sent is noted, and the queue goes on."""
    place.issue(phone="+201001234567")
    tell_near(place.session, now=place.now)
    first = notices.claim(place.session, now=place.now)
    assert len(first) == 1 and notices.claim(place.session, now=place.now) == []
    notices.failed(place.session, [first[0].id])
    assert place.called(0).state == "called"
    place.session.refresh(first[0])
    assert first[0].failed and first[0].sent_at == place.now
