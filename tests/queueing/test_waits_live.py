"""Waits foreseen from a queue's live rows, and promises beside the waits that came."""

from __future__ import annotations

from datetime import timedelta

from queueing.waits.kept import how_kept, judge
from queueing.waits.live import Outlook, foresee
from tests.builders import Place


def test_everybody_in_the_line_is_told_more_the_further_back(quick: Place) -> None:
    """Both desks are at work, five wait: bands lie within each other, and grow along the line."""
    tickets = [quick.issue() for _ in range(7)]
    quick.called(0)
    quick.called(1)
    found = foresee(quick.session, quick.queue.id, now=quick.later(2)).people
    assert set(found) == {ticket.id for ticket in tickets[2:]}
    for one in found.values():
        assert 0 <= one.low_s <= one.likely_low_s <= one.likely_high_s <= one.high_s
    highs = [found[ticket.id].high_s for ticket in tickets[2:]]
    assert highs[0] < highs[2] < highs[4]


def test_priority_and_a_closed_desk_change_what_is_told(quick: Place) -> None:
    """Who comes later with priority is told less than the ordinary person before them; with one desk fewer all wait
    longer; without any nothing can be said."""
    for _ in range(6):
        quick.issue()
    quick.called(0)
    quick.called(1)
    last = quick.issue()
    urgent = quick.issue(priority=2)
    two = foresee(quick.session, quick.queue.id, now=quick.now).people
    assert two[urgent.id].high_s < two[last.id].high_s
    assert foresee(quick.session, quick.queue.id, now=quick.now).people == two  # one state, one answer
    for desk in quick.desks:
        desk.state = "closed"
    quick.session.flush()
    assert foresee(quick.session, quick.queue.id, now=quick.now) == Outlook()


def test_promises_are_judged_by_the_call_and_by_who_left() -> None:
    """Inside, too soon, too late; who left after the range's end waited longer than promised, who left before says
    nothing."""
    kept = judge(
        [
            (60, 300, 100, True),
            (60, 300, 30, True),
            (60, 300, 400, True),
            (0, 60, 90, False),
            (0, 60, 30, False),
        ]
    )
    assert (kept.judged, kept.inside, kept.sooner, kept.later, kept.unknown) == (4, 1, 1, 2, 1)
    assert kept.share == 0.25 and kept.width_s == 240
    assert kept.bias_s is not None and round(kept.bias_s, 3) == round((100 + 30 + 400) / 3 - 180, 3)
    empty = judge(())
    assert (empty.judged, empty.share, empty.median_error_s) == (0, None, None)


def test_promises_of_a_queue_leave_out_waits_that_people_changed(place: Place) -> None:
    """Two are called, one of them recalled: only the other's promise is judged."""
    first, second = place.issue(), place.issue()
    place.called(0, now=place.later(3))
    place.called(1, now=place.later(3))
    place.do("recall", second, desk=place.desks[1], now=place.later(1))
    day = first.day
    kept = how_kept(place.session, [place.queue.id], day, day)
    assert kept.judged == 1 and kept.median_error_s is not None
    assert (
        how_kept(place.session, [place.queue.id], day + timedelta(days=1), day + timedelta(days=1)).judged
        == 0
    )
    assert how_kept(place.session, [], day, day).judged == 0
