"""What screens show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from queueing import counter, desks
from queueing.errors import QueueingError
from queueing.status import line, people_live, public_status, ticket_status
from queueing.store import AT_DESK_SQL, LIVE_SQL, Queue
from tests.builders import MORNING, Place, make_place, minutes
from tests.databases import sqlite_memory


def test_public_status_counts_the_waiting_and_open_desks(place: Place) -> None:
    """Two wait, one is at a desk; both desks are open; the wait is a range with its age; seq is the stored
    one."""
    for _ in range(3):
        place.issue()
    place.called(now=place.later(4))
    status = public_status(place.session, place.queue, place.now)
    assert (status.state, status.waiting, status.open_desks, status.seq) == ("open", 2, 2, place.seq())
    assert status.wait.known and status.wait.ahead == 2 and status.wait.as_of == place.now
    assert [(call.label, call.desk, call.at) for call in status.last_called] == [("A001", "1", place.now)]


def test_last_called_is_newest_first_each_person_once_and_without_calls_taken_back(place: Place) -> None:
    """Finished people stay on the board, a recall moves up, an undone call disappears."""
    for _ in range(4):
        place.issue()
    place.called(0, now=place.later(1))
    place.called(1, now=place.later(1))
    third = place.called(0, now=place.later(1))
    second = place.called(1, now=place.later(1))
    place.do("recall", third, desk=place.desks[0], now=place.later(1))
    place.do("undo", second, desk=place.desks[1], now=place.later(1))
    status = public_status(place.session, place.queue, place.now)
    assert [call.label for call in status.last_called] == ["A003", "A002", "A001"]


def test_older_calls_stay_in_sight_behind_many_that_were_taken_back(place: Place) -> None:
    """Twelve calls of one person, each taken back, do not push the call before them off the board."""
    place.issue()
    first = place.called(0, now=place.later(1))
    place.issue()
    for _ in range(12):
        second = place.called(1, now=place.later(1))
        place.do("undo", second, desk=place.desks[1], now=place.later(1))
    status = public_status(place.session, place.queue, place.now)
    assert [call.label for call in status.last_called] == [first.label]


def test_ticket_status_says_ahead_range_desk_and_where_it_went_on(place: Place) -> None:
    """From waiting over called to another queue."""
    tickets = [place.issue() for _ in range(4)]
    before = ticket_status(place.session, tickets[3], place.now)
    assert (before.ahead, before.state, before.desk) == (3, "waiting", None)
    place.called(0)
    place.called(1)
    after = ticket_status(place.session, tickets[3], place.now)
    assert after.ahead == 1
    assert after.wait.high_s < 99_999 and after.seq == place.seq()  # type: ignore[union-attr,operator]
    called = ticket_status(place.session, tickets[0], place.now)
    assert (called.state, called.desk, called.ahead, called.wait) == ("called", "1", None, None)
    other = make_place(place.session, letter="B", known=place.services)
    done = place.do("transfer", tickets[0], desk=place.desks[0], to_queue=other.queue)
    assert ticket_status(place.session, done.ticket, place.now).next_code == done.went_on.code  # type: ignore[union-attr]


def test_both_ends_of_the_promise_fall_as_people_leave(place: Place) -> None:
    """With fifteen ahead, each who goes brings the holder nearer."""
    tickets = [place.issue() for _ in range(15)]
    mine = place.issue()
    lows, highs = [], []
    for ticket in tickets:
        wait = ticket_status(place.session, mine, place.now).wait
        assert wait is not None and wait.low_s is not None and wait.high_s is not None
        lows.append(wait.low_s)
        highs.append(wait.high_s)
        place.do("leave", ticket)
    assert lows == sorted(lows, reverse=True) and highs == sorted(highs, reverse=True)
    assert lows[0] > lows[-1] and highs[0] > highs[-1]


def test_no_open_desk_means_no_promise(place: Place) -> None:
    """The status says so instead of inventing a time."""
    place.issue()
    for desk in place.desks:
        desks.close_desk(place.session, desk, actor="x", now=place.now)
    assert not public_status(place.session, place.queue, place.now).wait.known


def test_desks_for_another_service_do_not_shorten_my_wait(session: Session) -> None:
    """Three desks, one of which serves births only: an identity card has two."""
    place = make_place(session, desk_count=3, desk_services={2: ("birth",)})
    for _ in range(6):
        place.issue()
    card, birth = place.issue("id"), place.issue("birth")
    two = ticket_status(session, card, place.now).wait
    three = ticket_status(session, birth, place.now).wait
    assert three.high_s < two.high_s  # type: ignore[union-attr,operator]


def test_the_clerks_line_shows_everybody_live_in_the_order_of_the_calls(place: Place) -> None:
    """At desks first, then the waiting with their places, then parked, missed and today's bookings."""
    parked, missed, at_desk = place.issue(), place.issue(), place.issue()
    ordinary = place.issue()
    with_priority = place.issue("birth", priority=2, now=MORNING + minutes(2))
    booked = place.do("issue", place.queue, "id", appointment_at=MORNING + minutes(120)).ticket
    place.do("issue", place.queue, "id", appointment_at=MORNING + timedelta(days=1))
    gone = place.issue()
    place.do("leave", gone)
    for ticket, verb in ((parked, "park"), (missed, "miss")):
        place.called(ticket=ticket)
        place.do(verb, ticket, desk=place.desks[0])
    place.called(ticket=at_desk)
    rows = line(place.session, place.queue, MORNING + minutes(5))
    assert [row.ticket_id for row in rows] == [
        t.id for t in (at_desk, with_priority, ordinary, parked, missed, booked)
    ]
    assert [row.place for row in rows] == [None, 1, 2, None, None, None]
    assert (rows[0].desk, rows[1].service_en, rows[2].waited_s) == ("1", "Service birth", 300)


def test_a_held_person_stands_behind_those_who_can_be_called(place: Place) -> None:
    """After a no-show the place in the list is that of the call to come."""
    first, second = place.issue(), place.issue()
    place.called()
    place.do("miss", first, desk=place.desks[0])
    place.do("requeue", first)
    assert [row.ticket_id for row in line(place.session, place.queue, place.now)] == [second.id, first.id]


def test_live_people_forbid_deleting(place: Place) -> None:
    """Counts by queue, queues without anybody left out."""
    other = make_place(place.session, letter="B", known=place.services)
    place.issue()
    done = other.issue()
    other.do("leave", done)
    assert people_live(place.session, [place.queue.id, other.queue.id]) == {place.queue.id: 1}


def test_an_unknown_queue_has_no_status(place: Place) -> None:
    """The error says so."""
    with pytest.raises(QueueingError) as caught:
        public_status(place.session, Queue(id=999), place.now)
    assert caught.value.code == "queue_not_found"


def statements(engine: Engine, work: Any) -> list[tuple[str, Any]]:
    """The SQL that `work()` sends."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return seen


def test_no_status_and_no_verb_reads_the_history_of_tickets() -> None:
    """SQLite's query plans: tickets and events are only ever found through an index, the line through the
    index of live tickets; nothing scans a table that grows."""
    engine = sqlite_memory()
    with Session(engine, expire_on_commit=False) as session:
        place = make_place(session)
        for _ in range(5):
            place.issue()
        ticket = place.called()

        def work() -> None:
            public_status(session, place.queue, place.now)
            line(session, place.queue, place.now)
            waiting = place.issue(phone="+201001234567")
            ticket_status(session, waiting, place.now)
            place.do("start", ticket, desk=place.desks[0])
            place.do("undo", ticket, desk=place.desks[0])
            place.called()
            desks.close_forgotten(session, now=place.now)

        for statement, parameters in statements(engine, work):
            if not statement.startswith(("SELECT", "UPDATE", "INSERT")):
                continue
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            for row in plan:
                step = row[-1]
                grows = any(f" {name}" in f" {step} " for name in ("ticket", "ticket_event", "outbox"))
                assert not (step.startswith("SCAN") and grows and "INDEX ix_ticket_live" not in step), (
                    step,
                    statement,
                )
            if LIVE_SQL in statement or AT_DESK_SQL in statement:
                assert "ix_ticket_live" in str(plan) or "uq_ticket_open_desk" in str(plan), (plan, statement)


def test_a_call_next_takes_few_statements() -> None:
    """Round trips are what a verb costs on PostgreSQL: at most nine for a call, nine for an issue."""
    engine = sqlite_memory()
    with Session(engine, expire_on_commit=False) as session:
        place = make_place(session)
        place.issue()
        place.issue()
        given = {"actor": "clerk", "now": place.now}
        desk = place.desks[0]
        called = statements(engine, lambda: counter.call_next(session, desk, request_id="c", **given))
        issued = statements(
            engine, lambda: counter.issue(session, place.queue, "id", request_id="i", **given)
        )
        assert len(called) <= 9, [s for s, _ in called]
        assert len(issued) <= 9, [s for s, _ in issued]
