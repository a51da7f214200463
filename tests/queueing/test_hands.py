"""Hands: the people whom a tablet may call while it hears nothing from us."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from queueing import counter, desks, hands
from queueing.errors import QueueingError
from queueing.store import Ticket
from queueing.store_tablet import DeskDevice
from tests.builders import Place, make_place

A, B = "tabletAAAA", "tabletBBBB"


def seat(place: Place) -> None:
    """A clerk named after the desk sits at each."""
    for desk in place.desks:
        desks.open_desk(place.session, desk, actor="x", now=place.now, operator=f"clerk{desk.name}")


def contact(place: Place, desk: int, device: str, holds: list[str] | None = None) -> list[str]:
    """A browser is heard, and what it holds from now on."""
    here = place.desks[desk]
    people = hands.contact(
        place.session, here, device, account=f"clerk{here.name}", holds=holds or [], now=place.now
    )
    return [ticket.code for ticket in people]


def settle(place: Place, rounds: int = 4) -> tuple[list[str], list[str]]:
    """Both browsers in turn until nothing changes any more."""
    one: list[str] = []
    two: list[str] = []
    for _ in range(rounds):
        one = contact(place, 0, A, one)
        two = contact(place, 1, B, two)
    return one, two


def labels(place: Place, codes: list[str]) -> list[int]:
    known = {t.code: t.number for t in place.session.query(Ticket).all()}
    return [known[code] for code in codes]


def refused(place: Place, act: object) -> str:
    with pytest.raises(QueueingError) as caught:
        act()  # type: ignore[operator]
    return caught.value.code


def test_two_hands_never_hold_one_person_and_hold_the_front_of_the_line(place: Place) -> None:
    seat(place)
    for _ in range(30):
        place.issue()
    one, two = settle(place)
    assert not set(one) & set(two)
    assert len(one) == len(two) == hands.SIZE
    assert sorted(labels(place, one + two)) == list(range(1, 2 * hands.SIZE + 1))
    assert labels(place, one) == sorted(labels(place, one)), "a hand is not in the order of the line"


def test_a_short_line_is_shared_among_the_desks(place: Place) -> None:
    """One browser came first and took all; the other gets its half at the first's next contacts."""
    seat(place)
    for _ in range(8):
        place.issue()
    assert len(contact(place, 0, A)) == 8
    one, two = settle(place)
    assert len(one) == len(two) == 4
    assert not set(one) & set(two)
    assert max(labels(place, one)[0], labels(place, two)[0]) <= 2, "one desk has nobody from the front"


def test_call_next_passes_over_whoever_is_in_another_hand(place: Place) -> None:
    """Also by choosing or taking up, also from another browser at the same desk; a desk's own are its own."""
    seat(place)
    first, second, third = place.issue(), place.issue(), place.issue()
    contact(place, 0, A)
    assert place.call(1) is None, "all three are in the hand of desk 1"
    assert refused(place, lambda: place.call(1, ticket=first)) == "in_hand"
    assert refused(place, lambda: place.call(0, ticket=first, device=B)) == "in_hand"
    assert place.called(0, device=A).id == first.id
    assert place.called(0).id == second.id, "the desk without a tablet's name is refused its own people"
    fourth = place.issue()
    assert place.called(1).id == fourth.id
    assert third.state == "waiting"


def test_a_wanted_person_is_let_go_and_then_called_in_order(place: Place) -> None:
    """While both are connected, desk 2 gets the person who is next although desk 1 held them."""
    seat(place)
    first, second = place.issue(), place.issue()
    held = contact(place, 0, A)
    contact(place, 1, B)
    assert held == [first.code, second.code]
    assert hands.want(place.session, place.desks[1], B, now=place.now)
    after = contact(place, 0, A, held)
    assert first.code not in after
    assert place.call(1, device=B) is None, "let go of before the browser said so"
    contact(place, 0, A, after)
    assert place.called(1, device=B).id == first.id


def test_nobody_waits_for_a_silent_browser(place: Place) -> None:
    """Half a minute without a word: its people are passed over, not asked for."""
    seat(place)
    place.issue()
    contact(place, 0, A)
    assert hands.want(place.session, place.desks[1], B, now=place.now)
    place.now += hands.IN_CONTACT + timedelta(seconds=1)
    assert not hands.want(place.session, place.desks[1], B, now=place.now)


def test_one_that_cannot_tell_all_lets_nobody_go(place: Place) -> None:
    """`holds=None`: the browser has presses that it has not told yet."""
    seat(place)
    place.issue()
    contact(place, 0, A)
    hands.contact(place.session, place.desks[0], A, account="clerk1", holds=None, now=place.now)
    assert place.call(1) is None


def test_an_answer_that_was_lost_frees_its_people_at_the_next_contact(place: Place) -> None:
    """Rows were made, the browser never heard: it holds nobody, says so, and is dealt to anew."""
    seat(place)
    ticket = place.issue()
    contact(place, 0, A)
    assert contact(place, 0, A, []) == [ticket.code]
    desks.pause_desk(place.session, place.desks[0], actor="x", now=place.now)
    assert contact(place, 0, A, []) == []
    assert place.called(1).id == ticket.id


def test_a_lease_ends_by_time_or_by_a_supervisor(place: Place) -> None:
    seat(place)
    first, second = place.issue(), place.issue()
    contact(place, 0, A)
    (row,) = hands.alone(place.session, [place.queue.id], now=place.now)
    assert (row.people, row.silent) == (2, False)
    take = lambda: hands.take_back(  # noqa: E731
        place.session, place.queue, row.holder.id, actor="boss", now=place.now
    )
    assert refused(place, take) == "hand_in_contact"
    place.later(5)
    take()
    assert place.called(1).id == first.id
    assert hands.alone(place.session, [place.queue.id], now=place.now) == []
    contact(place, 0, A)
    place.now += hands.LEASE
    assert place.called(1).id == second.id


def test_what_was_set_aside_at_a_desk_goes_with_its_hand(place: Place) -> None:
    """It can be taken up there without a line, and so not elsewhere until that browser lets go."""
    seat(place)
    ticket = place.issue()
    place.called(0)
    place.do("park", ticket, desk=place.desks[0])
    assert contact(place, 0, A) == [ticket.code]
    assert refused(place, lambda: place.do("resume", ticket, desk=place.desks[1])) == "in_hand"
    assert hands.want(place.session, place.desks[1], B, ticket=ticket, now=place.now)
    place.do("resume", ticket, desk=place.desks[0], device=A)


def test_a_closed_desk_and_a_forgotten_browser_hold_nobody(place: Place) -> None:
    seat(place)
    ticket = place.issue()
    contact(place, 0, A)
    hands.forget(place.session, place.desks[0], A, now=place.now)
    assert place.session.query(DeskDevice).count() == 0
    assert place.called(1).id == ticket.id


def test_a_desk_holds_only_people_whom_it_serves(session: Session) -> None:
    place = make_place(session, desk_services={0: ("birth",)})
    seat(place)
    place.issue("id")
    birth = place.issue("birth")
    assert contact(place, 0, A) == [birth.code]


def test_a_strange_name_of_a_device_is_refused(quick: Place) -> None:
    for name in ("", "short", "x" * 33, "no-hyphens!"):
        with pytest.raises(QueueingError) as caught:
            hands.contact(quick.session, quick.desks[0], name, account="c", holds=[], now=quick.now)
        assert caught.value.code == "device_invalid"


def test_a_person_of_a_hand_may_still_go(place: Place) -> None:
    """A citizen cancels by telephone meanwhile: that is theirs to do."""
    seat(place)
    ticket = place.issue()
    contact(place, 0, A)
    assert (
        counter.cancel(place.session, ticket, request_id="phone", actor="phone", now=place.now).ticket.state
        == "cancelled"
    )
    assert contact(place, 0, A, [ticket.code]) == []
