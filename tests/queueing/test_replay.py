"""Presses that reach us late: done once, at their times, in spite of everything that happened meanwhile."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from queueing import counter, desks, hands, rebuild
from queueing.errors import QueueingError
from queueing.replay import Answer, Press, replay
from queueing.store import Ticket
from tests.builders import Place

A = "tabletAAAA"


def hand(place: Place, people: int) -> list[Ticket]:
    """A clerk at desk 1 whose tablet holds everybody."""
    desks.open_desk(place.session, place.desks[0], actor="x", now=place.now, operator="clerk")
    made = [place.issue() for _ in range(people)]
    hands.contact(place.session, place.desks[0], A, account="clerk", holds=[], now=place.now)
    return made


def send(
    place: Place, verb: str, rid: str, at: datetime | None, ticket: str = "", finish: str = ""
) -> Answer:
    press = Press(verb, rid, at, ticket, finish)
    return replay(place.session, place.desks[0], press, device=A, actor="clerk", now=place.now)


def fresh(place: Place, ticket: Ticket) -> Ticket:
    return place.session.get_one(Ticket, ticket.id, populate_existing=True)


def test_half_an_hour_alone_is_replayed_once_at_its_own_times(place: Place) -> None:
    """Call, start, finish and call the next: events at their times, recorded now, marked, told to boards as late."""
    one, two = hand(place, 2)
    begin = place.now
    at = [begin + timedelta(minutes=n) for n in (1, 2, 8, 20)]
    place.later(30)
    told = [
        ("next", "k1", at[0], one.code, ""),
        ("start", "k2", at[1], one.code, ""),
        ("next", "k3", at[2], two.code, one.code),
        ("finish", "k4", at[3], two.code, ""),
    ]
    for press in told:
        done = send(place, *press).done
        assert done is not None and not done.repeated
    seq = place.seq()
    for press in told:
        again = send(place, *press).done
        assert again is not None and again.repeated
    assert place.seq() == seq, "telling it again changed something"
    first, second = fresh(place, one), fresh(place, two)
    assert (first.state, first.called_at, first.started_at, first.ended_at) == ("served", at[0], at[1], at[2])
    assert (second.called_at, second.ended_at) == (at[2], at[3])
    late = [event for event in place.events() if event.action != "issue"]
    assert [e.happened_at for e in late] == [at[0], at[1], at[2], at[2], at[3]]
    assert {e.recorded_at for e in late} == {place.now}
    assert all(e.data["offline"] == A for e in late)
    assert all(row.data.get("late") for row in place.outbox()[-5:])
    assert rebuild.check(place.session, [place.queue.id]) == []


def test_a_citizen_who_cancelled_meanwhile_is_refused_and_the_rest_goes_on(place: Place) -> None:
    one, two = hand(place, 2)
    counter.cancel(place.session, one, request_id="phone", actor="phone", now=place.later(1))
    place.later(10)
    with pytest.raises(QueueingError) as caught:
        send(place, "next", "k1", place.now - timedelta(minutes=8), one.code)
    assert (caught.value.code, caught.value.details["state"]) == ("move_not_possible", "cancelled")
    done = send(place, "next", "k2", place.now - timedelta(minutes=5), two.code, one.code).done
    assert done is not None and done.ticket.id == two.id


def test_a_call_whose_answer_was_lost_gives_way_to_the_one_made_in_the_hall(place: Place) -> None:
    """Our call next had taken an urgent newcomer; the tablet called the first of its hand instead."""
    (mine,) = hand(place, 1)
    urgent = place.issue(priority=3)
    lost = place.now
    replayed = send(place, "next", "k1", None)
    assert replayed.done is not None and replayed.done.ticket.id == urgent.id
    place.later(10)
    answer = send(place, "next", "k1", lost, mine.code)
    assert answer.back == urgent.label
    assert (fresh(place, urgent).state, fresh(place, mine).state) == ("waiting", "called")
    again = send(place, "next", "k1", lost, mine.code)
    assert again.done is not None and again.done.repeated
    assert place.called(1).id == urgent.id, "the one called in vain lost the place"
    assert rebuild.check(place.session, [place.queue.id]) == []


def test_a_call_whose_answer_was_lost_but_that_called_the_same_person_is_done_already(place: Place) -> None:
    (mine,) = hand(place, 1)
    send(place, "next", "k1", None)
    seq = place.seq()
    place.later(5)
    answer = send(place, "next", "k1", place.now - timedelta(minutes=5), mine.code)
    assert answer.done is not None and answer.done.repeated and answer.back == ""
    assert place.seq() == seq


def test_a_lost_call_that_found_nobody_and_ended_the_desks_ticket(place: Place) -> None:
    one, two = hand(place, 2)
    send(place, "next", "k0", None)
    counter.leave(place.session, two, request_id="gone", actor="phone", now=place.now)
    assert send(place, "next", "k1", None).done is None
    three = place.issue()
    place.later(5)
    done = send(place, "next", "k1", place.now, three.code, one.code).done
    assert done is not None and done.ticket.id == three.id and not done.repeated
    assert fresh(place, one).state == "served"


def test_nobody_is_ended_whom_the_tablet_did_not_know_of(place: Place) -> None:
    one, two = hand(place, 2)
    place.called(0)
    with pytest.raises(QueueingError) as caught:
        send(place, "next", "k1", place.now, two.code)
    assert (caught.value.code, fresh(place, one).state) == ("desk_busy", "called")


def test_a_wrong_clock_cannot_put_things_before_what_came_before_them_nor_into_the_future(
    place: Place,
) -> None:
    one, two = hand(place, 2)
    place.later(10)
    send(place, "next", "k1", place.now - timedelta(days=1), one.code)
    assert fresh(place, one).called_at == one.issued_at
    send(place, "start", "k2", place.now + timedelta(hours=3), one.code)
    assert fresh(place, one).started_at == place.now
    send(place, "next", "k3", place.now - timedelta(minutes=9), two.code, one.code)
    assert fresh(place, two).called_at == place.now, "a call came before the desk's last press"


def test_two_tablets_alone_at_one_queue_never_call_one_person(place: Place, session: Session) -> None:
    """Each works off its hand; replayed in any order all calls stand, and nobody stands twice."""
    for desk in place.desks:
        desks.open_desk(session, desk, actor="x", now=place.now, operator=f"clerk{desk.name}")
    for _ in range(20):
        place.issue()
    holds: list[list[Ticket]] = [[], []]
    for _round in range(4):
        for n, device in enumerate((A, "tabletBBBB")):
            holds[n] = hands.contact(
                session, place.desks[n], device, account=f"clerk{n + 1}",
                holds=[t.code for t in holds[n]], now=place.now,
            )  # fmt: skip
    begin = place.now
    place.later(30)
    called: list[int] = []
    for n, device in ((1, "tabletBBBB"), (0, A)):
        before = ""
        for k, ticket in enumerate(holds[n]):
            press = Press("next", f"d{n}k{k}", begin + timedelta(minutes=k), ticket.code, before)
            done = replay(session, place.desks[n], press, device=device, actor="c", now=place.now).done
            assert done is not None
            called.append(done.ticket.id)
            before = ticket.code
    assert len(called) == len(set(called)) == 20
    assert rebuild.check(session, [place.queue.id]) == []


def test_a_press_that_is_no_verb_is_refused(quick: Place) -> None:
    with pytest.raises(QueueingError) as caught:
        send(quick, "undo", "k1", None, "x")
    assert caught.value.code == "verb_unknown"
