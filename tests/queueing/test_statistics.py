"""Statistics equal events: what the page shows and what is stored, against a second count made in another way."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import desks, statistics_check
from queueing.daytime import local_day
from queueing.errors import QueueingError
from queueing.measure import measure_day
from queueing.statistics import day_report, percentile
from queueing.statistics_check import check_day, compare, last_check
from queueing.store import Desk, QueueHour, Ticket
from queueing.ticket import LIVE
from tests.builders import MORNING, Place, make_place, minutes
from tests.databases import sqlite_memory

DAY = date(2026, 11, 22)
VERBS = (
    "start",
    "finish",
    "miss",
    "recall",
    "park",
    "requeue",
    "leave",
    "redirect",
    "transfer",
    "change_service",
)


def serve(place: Place, *, desk: int = 0, walk: float = 1, service: float = 6) -> Ticket:
    """One person from call to finish."""
    ticket = place.called(desk)
    place.later(walk)
    place.do("start", ticket, desk=place.desks[desk])
    place.later(service)
    place.do("finish", ticket, desk=place.desks[desk])
    return ticket


def test_a_day_in_figures_by_hour_and_by_service(place: Place) -> None:
    """Three came at nine and one at ten: counts, mean and 90th percentile are what a hand counts."""
    for code in ("id", "id", "birth"):
        place.issue(code)
    serve(place, service=6)  # waited 0, served 6
    serve(place, service=10)  # waited 7, served 10
    place.do("miss", place.called(), desk=place.desks[0])  # waited 18
    place.now = MORNING + minutes(60)
    place.issue("birth")
    report = day_report(place.session, [place.queue.id], DAY, now=place.now + minutes(5))
    total = report.total
    assert (total.arrivals, total.called, total.served, total.missed, total.left, total.waiting) == (
        4,
        3,
        2,
        1,
        0,
        1,
    )
    assert total.wait_s == pytest.approx((0 + 7 + 18 + 5) * 60 / 4)
    assert total.wait_p90 == 18 * 60
    assert (total.service_s, total.service_p90) == (8 * 60, 10 * 60)
    assert {hour: figures.arrivals for hour, figures in report.by_hour.items()} == {9: 3, 10: 1}
    assert [(s.code, f.arrivals, f.served, f.missed, f.waiting) for s, f in report.by_service] == [
        ("birth", 2, 0, 1, 1),
        ("id", 2, 2, 0, 0),
    ]
    assert report.by_queue[place.queue.id].arrivals == 4


def test_a_service_changed_at_the_desk_is_the_one_in_the_figures(place: Place) -> None:
    place.issue("id")
    ticket = place.called()
    place.do("change_service", ticket, "birth", desk=place.desks[0])
    place.do("finish", ticket, desk=place.desks[0])
    report = day_report(place.session, [place.queue.id], DAY, now=place.now)
    assert [(s.code, f.served) for s, f in report.by_service] == [("birth", 1)]


@pytest.mark.parametrize(
    ("values", "ninth"),
    [([], None), ([5.0], 5.0), ([1.0, 2.0], 2.0), (list(range(1, 11)), 9), (list(range(1, 21)), 18)],
)
def test_nine_of_ten_did_not_exceed_the_90th_percentile(values: Any, ninth: float | None) -> None:
    assert percentile(values, 0.9) == ninth


def test_a_check_of_a_day_that_is_right_finds_nothing_and_is_kept(place: Place) -> None:
    for _ in range(3):
        place.issue()
    serve(place)
    serve(place, desk=1)
    night = MORNING + timedelta(hours=20)
    desks.close_forgotten(place.session, now=night)
    measure_day(place.session, [place.queue.id], DAY, now=night, learn=False)
    checked = check_day(place.session, DAY, now=night, queue_ids=[place.queue.id])
    assert (checked.wrong, checked.queues, checked.stored_too) == ((), 1, True)
    assert checked.figures > 25
    statistics_check.keep(place.session, checked, now=night)
    place.session.flush()
    kept = last_check(place.session)
    assert kept is not None and (kept.day, kept.wrong, kept.figures) == (DAY, 0, checked.figures)


@pytest.mark.parametrize(
    "column", ["arrivals", "served", "wait_s", "waiting_s", "service_sq", "desk_s", "wait_over"]
)
def test_a_stored_figure_that_was_tampered_with_is_found_and_named(place: Place, column: str) -> None:
    place.issue()
    serve(place)
    night = MORNING + timedelta(hours=20)
    measure_day(place.session, [place.queue.id], DAY, now=night, learn=False)
    row = place.session.scalars(select(QueueHour).where(QueueHour.queue_id == place.queue.id)).first()
    assert row is not None
    setattr(row, column, getattr(row, column) + 1)
    place.session.flush()
    (wrong,) = check_day(place.session, DAY, now=night, queue_ids=[place.queue.id]).wrong
    assert (wrong.figure, wrong.where, wrong.hour) == (column, "stored", row.hour)
    assert wrong.shown == wrong.events + 1
    assert column in str(wrong)


def test_a_fault_in_the_first_count_is_found(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: were the page to count undone steps, the second count would say so."""
    place.issue()
    ticket = place.called()
    place.do("miss", ticket, desk=place.desks[0])
    place.do("undo", ticket, desk=place.desks[0])
    assert compare(place.session, [place.queue.id], DAY, now=place.now)[0] == []
    monkeypatch.setattr("queueing.hours.without_undone", lambda rows: [r for r in rows if r.action != "undo"])
    wrong, _figures, _stored = compare(place.session, [place.queue.id], DAY, now=place.now)
    assert {w.figure for w in wrong} >= {"missed"}


def test_a_running_days_stored_hours_are_not_compared(place: Place) -> None:
    """They follow every quarter of an hour: a check at noon must not cry wolf."""
    place.issue()
    checked = check_day(place.session, DAY, now=place.now, queue_ids=[place.queue.id])
    assert (checked.wrong, checked.stored_too) == ((), False)


step = st.tuples(
    st.sampled_from(
        ("issue", "call", "call", "act", "act", "act", "undo", "resume", "desk", "wait", "leave")
    ),
    st.integers(0, 9),
    st.integers(0, 9),
    st.sampled_from((0.0, 0.3, 2.0, 11.0, 35.0, 80.0)),
)


@settings(max_examples=60)
@given(st.lists(step, min_size=5, max_size=60), st.sampled_from((7, 14, 20, 30, 47)))
def test_on_any_history_both_counts_agree(
    history: list[tuple[str, int, int, float]], closes_after: int
) -> None:
    """Parked, sent on, undone, missed, recalled, over midnight, closed by the night: both ways of counting agree on the
    page and on what is stored."""
    engine = sqlite_memory()
    with Session(engine, expire_on_commit=False) as session:
        place = make_place(session)
        other = make_place(session, letter="B", known=place.services)
        for what, one, two, gap in history:
            place.later(gap)
            other.now = place.now
            with session.begin_nested() as tried:
                try:
                    _do(place, other, what, one, two)
                except QueueingError:
                    tried.rollback()
        night = place.now + timedelta(hours=closes_after)
        desks.close_forgotten(session, now=night)
        ids = [place.queue.id, other.queue.id]
        for day in {local_day(MORNING, "Africa/Cairo"), *session.scalars(select(Ticket.day))}:
            measure_day(session, ids, day, now=night, learn=False)
            wrong, figures, _ = compare(session, ids, day, now=night)
            assert not wrong, [str(w) for w in wrong]
            assert figures
    engine.dispose()


def _do(place: Place, other: Place, what: str, one: int, two: int) -> None:
    here = (place, other)[one % 2]
    if what == "issue":
        here.issue(("id", "birth")[two % 2])
    elif what == "call":
        here.call(two % 2)
    elif what == "desk":
        verb = (desks.open_desk, desks.close_desk, desks.pause_desk)[two % 3]
        verb(here.session, here.desks[two % 2], actor="x", now=here.now)
    elif what != "wait":
        live = here.session.scalars(
            select(Ticket).where(Ticket.queue_id == here.queue.id, Ticket.state.in_(LIVE)).order_by(Ticket.id)
        ).all()
        ended = here.session.scalars(select(Ticket).where(Ticket.queue_id == here.queue.id)).all()
        if what == "undo":
            if ended:
                here.do("undo", ended[two % len(ended)])
        elif live:
            ticket = live[two % len(live)]
            desk: Desk = here.desks[one // 2 % 2]
            if what == "resume":
                here.do("resume", ticket, desk=desk)
            elif what == "leave":
                here.do("leave", ticket)
            else:
                _act(here, (other, place)[one % 2], ticket, VERBS[(one + two) % len(VERBS)])


def _act(here: Place, other: Place, ticket: Ticket, verb: str) -> None:
    if verb == "transfer":
        here.do("transfer", ticket, to_queue=other.queue)
    elif verb == "redirect":
        here.do("transfer", ticket, service_code="birth")
    elif verb == "change_service":
        here.do("change_service", ticket, "birth")
    else:
        here.do(verb, ticket)
