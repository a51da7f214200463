"""Numbers on paper: drawn beforehand, nobody else's, typed in afterwards as if they had been tickets."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from queueing import measure, paper, rebuild
from queueing.errors import QueueingError
from queueing.paper import Entry
from queueing.store import QueueHour
from queueing.store_tablet import PaperStrip
from tests.builders import MORNING, Place, minutes

TODAY = date(2026, 11, 22)


def reserve(place: Place, count: int = 10, day: date = TODAY, rid: str = "strip") -> PaperStrip:
    return paper.reserve(place.session, place.queue, day, count, request_id=rid, actor="boss", now=place.now)


def entry(number: int, result: str = "served", *, came: float = 0, **more: Any) -> Entry:
    """Came `came` minutes after nine, called ten later, finished six after that."""
    at: datetime = MORNING + minutes(came)
    return Entry(number, "id", result, at, at + minutes(10), at + minutes(16), **more)


def enter(place: Place, what: Entry, rid: str = "sheet", desk: int | None = 0) -> Any:
    at = place.desks[desk] if desk is not None else None
    return paper.enter(place.session, place.queue, what, request_id=rid, actor="boss", now=place.now, desk=at)


def refused(place: Place, what: Entry, **more: Any) -> str:
    seq, count = place.seq(), place.count()
    with pytest.raises(QueueingError) as caught:
        enter(place, what, **more)
    assert (place.seq(), place.count()) == (seq, count)
    return caught.value.code


def test_reserved_numbers_are_never_given_to_anybody_else(place: Place) -> None:
    before = place.issue().number
    strip = reserve(place)
    after = place.issue().number
    assert (before, strip.first, strip.last, after) == (1, 2, 11, 12)
    assert rebuild.check(place.session, [place.queue.id]) == [], "a strip counts as a gap"


def test_a_strip_for_tomorrow_leaves_today_alone(place: Place) -> None:
    strip = reserve(place, day=TODAY + timedelta(days=1))
    assert (strip.first, strip.last) == (1, 10)
    assert place.issue().number == 1
    place.now += timedelta(days=1)
    assert place.issue().number == 11


def test_the_same_request_reserves_once(place: Place) -> None:
    assert reserve(place).id == reserve(place).id
    assert reserve(place, rid="other").first == 11
    with pytest.raises(QueueingError) as caught:
        reserve(place, count=5)
    assert caught.value.code == "request_id_reused"


@pytest.mark.parametrize(
    ("count", "days", "code"),
    [(0, 0, "strip_size"), (201, 0, "strip_size"), (5, -1, "strip_day"), (5, 8, "strip_day")],
)
def test_strips_that_cannot_be(quick: Place, count: int, days: int, code: str) -> None:
    with pytest.raises(QueueingError) as caught:
        reserve(quick, count, TODAY + timedelta(days=days))
    assert caught.value.code == code


def test_no_more_numbers_than_the_day_has(quick: Place) -> None:
    quick.queue.last_number = 5
    with pytest.raises(QueueingError) as caught:
        reserve(quick, 6)
    assert caught.value.code == "numbers_exhausted"
    assert quick.issue().number == 1


def test_what_is_typed_in_has_the_events_it_would_have_had(place: Place) -> None:
    """Its own times, recorded now, marked; the measures of the hour count it; it can be rebuilt."""
    strip = reserve(place)
    place.later(60)
    done = enter(place, entry(strip.first))
    ticket = done.ticket
    assert (ticket.label, ticket.state, ticket.channel) == ("A001", "served", "paper")
    events = place.events(ticket)
    assert [e.action for e in events] == ["issue", "call", "finish"]
    assert [e.happened_at for e in events] == [MORNING, MORNING + minutes(10), MORNING + minutes(16)]
    assert all(e.recorded_at == place.now and e.data["paper"] for e in events)
    assert all(row.data.get("late") for row in place.outbox()[-3:])
    assert rebuild.check(place.session, [place.queue.id]) == []
    measure.measure_day(place.session, [place.queue.id], TODAY, now=place.now)
    hour = place.session.get_one(QueueHour, (place.queue.id, TODAY, 9))
    assert (hour.arrivals, hour.served, hour.wait_s, hour.service_s) == (1, 1, 600.0, 360.0)


def test_typed_in_twice_is_one_ticket(place: Place) -> None:
    strip = reserve(place)
    place.later(60)
    first = enter(place, entry(strip.first))
    again = enter(place, entry(strip.first))
    assert (again.repeated, again.ticket.id) == (True, first.ticket.id)
    assert refused(place, entry(strip.first), rid="new") == "paper_typed"
    assert place.count() == 1


@pytest.mark.parametrize(
    ("result", "actions", "state"),
    [
        ("missed", ["issue", "call", "miss", "close"], "left"),
        ("left", ["issue", "leave"], "left"),
        ("waiting", ["issue"], "waiting"),
    ],
)
def test_other_ends(place: Place, result: str, actions: list[str], state: str) -> None:
    strip = reserve(place)
    place.later(60)
    ticket = enter(place, replace(entry(strip.first, result), finished=None)).ticket
    assert ([e.action for e in place.events(ticket)], ticket.state) == (actions, state)
    assert rebuild.check(place.session, [place.queue.id]) == []


def test_who_still_waits_stands_in_the_line_by_the_time_on_paper(place: Place) -> None:
    strip = reserve(place)
    place.later(60)
    place.issue()
    old = enter(place, Entry(strip.last, "id", "waiting", MORNING)).ticket
    assert place.called().id == old.id


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"number": 99}, "paper_number"),
        ({"result": "eaten"}, "paper_result"),
        ({"called": None}, "paper_time_missing"),
        ({"finished": None}, "paper_time_missing"),
        ({"called": MORNING - minutes(1)}, "paper_times"),
        ({"finished": MORNING + minutes(500)}, "paper_future"),
        ({"arrived": MORNING - timedelta(days=1)}, "paper_times"),
        ({"service_code": "none"}, "unknown_service"),
        ({"priority": 9}, "priority_invalid"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    place: Place, wrong: dict[str, Any], code: str
) -> None:
    strip = reserve(place)
    place.later(60)
    assert refused(place, replace(entry(strip.first), **wrong)) == code


def test_a_call_on_paper_was_at_a_desk(place: Place) -> None:
    strip = reserve(place)
    place.later(60)
    assert refused(place, entry(strip.first), desk=None) == "paper_time_missing"


def test_typing_in_does_not_touch_who_is_at_the_desk_now(place: Place) -> None:
    strip = reserve(place)
    place.issue()
    here = place.called()
    place.later(60)
    enter(place, entry(strip.first))
    assert here.state == "called"
    place.do("finish", here, desk=place.desks[0])
