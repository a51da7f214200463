"""Measures out of events, the levels of congestion, and that stored statistics equal the events."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from queueing import desks
from queueing.congestion import (
    BUSY,
    CALM,
    CROWDED,
    MODERATE,
    SEVERE,
    expected_level,
    level_of,
    long_share,
    offered_load,
)
from queueing.hours import EventRow, HourMeasure, Key, ShiftRow, as_columns, measures_from_rows
from queueing.measure import changed, differences, measure_day
from queueing.pace import PRIOR_WEIGHT, TURNOVER_S, learn, pace_of, prior
from queueing.rebuild import check
from queueing.store import Queue, QueueHour, Ticket, TicketEvent
from tests.builders import MORNING, Place, make_place, minutes

CAIRO = "Africa/Cairo"
DAY = date(2026, 11, 22)


def steps(ticket: int, *path: tuple[str, str | None, str, float]) -> list[EventRow]:
    """Events of one ticket: (action, from, to, minute after nine)."""
    return [EventRow(1, ticket, a, f, t, MORNING + minutes(m)) for a, f, t, m in path]


def measured(
    events: list[EventRow], shifts: list[ShiftRow] | None = None, **given: datetime
) -> dict[int, HourMeasure]:
    """The measures of queue 1 by hour."""
    found: dict[Key, HourMeasure] = measures_from_rows(events, shifts or [], zone=CAIRO, **given)
    assert all(key[:2] == (1, DAY) for key in found)
    return {key[2]: measure for key, measure in found.items()}


SERVED = (
    ("issue", None, "waiting", 50.0),
    ("call", "waiting", "called", 85.0),
    ("start", "called", "serving", 86.0),
    ("finish", "serving", "served", 96.0),
)


def test_each_figure_stands_in_its_hour() -> None:
    """Came 9:50, called 10:25, started 10:26, finished 10:36: wait at nine, service and desk time at ten."""
    hours = measured(steps(1, *SERVED))
    nine, ten = hours[9], hours[10]
    assert (nine.arrivals, nine.wait_s, nine.wait_over, nine.waiting_s) == (1, 2100, 1, 600)
    assert (ten.called, ten.served, ten.service_s, ten.service_sq, ten.held_s) == (1, 1, 600, 360_000, 660)
    assert (ten.waiting_s, ten.arrivals, ten.wait_s) == (1500, 0, 0)


def test_parked_time_is_neither_service_nor_desk_time() -> None:
    """Five minutes, fifteen parked, five minutes: ten of service."""
    hours = measured(
        steps(
            1,
            ("issue", None, "waiting", 0),
            ("call", "waiting", "called", 0),
            ("start", "called", "serving", 0),
            ("park", "serving", "parked", 5),
            ("resume", "parked", "serving", 20),
            ("finish", "serving", "served", 25),
        )
    )
    assert (hours[9].served, hours[9].service_s, hours[9].held_s, hours[9].called) == (1, 600, 600, 1)


def test_finishing_straight_from_the_call_counts_the_time_from_the_call() -> None:
    """Where nobody presses start."""
    hours = measured(steps(1, SERVED[0], SERVED[1], ("finish", "called", "served", 90)))
    assert (hours[10].served, hours[10].service_s) == (1, 300)


def test_who_goes_while_waiting_counts_with_the_wait_until_then() -> None:
    """Left after 40 minutes: a long wait, left in the hour of going, no call."""
    hours = measured(steps(1, ("issue", None, "waiting", 50), ("leave", "waiting", "left", 90)))
    assert (hours[9].arrivals, hours[9].wait_s, hours[9].wait_over) == (1, 2400, 1)
    assert (hours[10].left_waiting, hours[10].called) == (1, 0)


def test_a_no_show_costs_desk_time_and_its_second_wait_does_not_count_as_a_first() -> None:
    """Called, missed, back in the line, called again: one arrival, one wait, two calls, one miss."""
    hours = measured(
        steps(
            1,
            ("issue", None, "waiting", 0),
            ("call", "waiting", "called", 10),
            ("recall", "called", "called", 11),
            ("miss", "called", "missed", 12),
            ("requeue", "missed", "waiting", 20),
            ("call", "waiting", "called", 30),
            ("finish", "called", "served", 34),
        )
    )
    nine = hours[9]
    assert (nine.arrivals, nine.called, nine.missed, nine.served, nine.left_waiting) == (1, 2, 1, 1, 0)
    assert (nine.wait_s, nine.held_s, nine.service_s, nine.waiting_s) == (600, 360, 240, 1200)


def test_an_undone_step_never_happened() -> None:
    """A call and a finish by mistake, both taken back, leave the figures of the path without them."""
    clean = steps(1, *SERVED)
    dirty = steps(
        1,
        SERVED[0],
        ("call", "waiting", "called", 60),
        ("undo", "called", "waiting", 61),
        *SERVED[1:3],
        ("finish", "serving", "served", 90),
        ("undo", "served", "serving", 91),
        SERVED[3],
    )
    assert [vars_of(m) for m in measured(clean).values()] == [vars_of(m) for m in measured(dirty).values()]


def vars_of(measure: HourMeasure) -> dict[str, float]:
    """The figures by name."""
    return {name: getattr(measure, name) for name in HourMeasure.COLUMNS}


def test_people_still_waiting_count_with_their_wait_so_far() -> None:
    """At 10:30 somebody of 9:50 has waited 40 minutes."""
    hours = measured(steps(1, SERVED[0]), until=MORNING + minutes(90))
    assert (hours[9].wait_s, hours[9].wait_over, hours[9].waiting_s, hours[10].waiting_s) == (
        2400,
        1,
        600,
        1800,
    )


def test_a_forgotten_ticket_waited_until_the_last_desk_closed_and_has_no_service() -> None:
    """Closed the next morning: the night is no wait, and an abandoned service has no length."""
    shift = [ShiftRow(1, MORNING, MORNING + minutes(120))]
    waiting = steps(1, ("issue", None, "waiting", 60), ("close", "waiting", "left", 20 * 60))
    serving = steps(2, *SERVED[:3], ("close", "serving", "served", 20 * 60))
    hours = measured(waiting + serving, shift)
    assert sum(h.wait_s for h in hours.values()) == 3600 + 2100
    assert sum(h.left_waiting for h in hours.values()) == 1
    assert sum(h.service_s + h.held_s for h in hours.values()) == 0
    assert sum(h.waiting_s for h in hours.values()) == 3600 + 2100


def test_desk_seconds_spread_over_the_hours() -> None:
    """Open 9:30 to 11:15: 30, 60 and 15 minutes; a running shift counts until now."""
    hours = measured([], [ShiftRow(1, MORNING + minutes(30), MORNING + minutes(135))])
    assert {hour: m.desk_s for hour, m in hours.items()} == {9: 1800, 10: 3600, 11: 900}
    running = [ShiftRow(1, MORNING + minutes(30), None)]
    assert measured([], running, until=MORNING + minutes(40))[9].desk_s == 600
    assert measured([], running) == {}


def test_a_transfer_after_service_counts_as_served_here_and_before_it_does_not() -> None:
    """Work was done here in the first case; in the second the person only stood in the wrong line."""
    after = measured(steps(1, *SERVED[:3], ("transfer", "serving", "transferred", 90)))
    assert (after[10].served, after[10].service_s) == (1, 240)
    before = measured(steps(1, SERVED[0], ("transfer", "waiting", "transferred", 55)))
    assert (before[9].served, before[9].left_waiting, before[9].wait_s) == (0, 1, 300)


def test_a_booking_is_an_arrival_when_the_person_comes() -> None:
    """Booked days before: arrives at 9:30, in the hours of that day."""
    rows = [
        EventRow(1, 1, "book", None, "booked", MORNING - timedelta(days=3)),
        *steps(1, ("arrive", "booked", "waiting", 30), ("call", "waiting", "called", 40)),
    ]
    assert (measured(rows)[9].arrivals, measured(rows)[9].wait_s) == (1, 600)
    assert measured(rows[:1]) == {}


def test_what_happens_after_midnight_belongs_to_the_last_hour_of_the_day() -> None:
    """Issued 23:50, called 00:10: one business day."""
    late = datetime(2026, 11, 22, 21, 50, tzinfo=UTC)
    rows = [
        EventRow(1, 1, "issue", None, "waiting", late),
        EventRow(1, 1, "call", "waiting", "called", late + minutes(20)),
    ]
    hours = measured(rows)
    assert (hours[23].arrivals, hours[23].called, hours[23].waiting_s) == (1, 1, 1200)


def test_the_hour_that_happens_twice_holds_both() -> None:
    """On 29 October 2026 a desk open from 22:00 to the end of the day gives three hours, two of them in hour
    23."""
    begin = datetime(2026, 10, 29, 19, 0, tzinfo=UTC)
    found = measures_from_rows([], [ShiftRow(1, begin, begin + timedelta(hours=3))], zone=CAIRO)
    assert {key[1:]: m.desk_s for key, m in found.items()} == {
        (date(2026, 10, 29), 22): 3600,
        (date(2026, 10, 29), 23): 7200,
    }


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 90), st.integers(0, 30)), max_size=15))
def test_sums_over_the_hours_are_sums_over_the_people(people: list[tuple[int, int, int]]) -> None:
    """Whatever the instants: arrivals, waits, service and line integral add up to what was put in."""
    events = [
        row
        for n, (came, waited, served) in enumerate(people)
        for row in steps(
            n,
            ("issue", None, "waiting", came),
            ("call", "waiting", "called", came + waited),
            ("finish", "called", "served", came + waited + served),
        )
    ]
    total = {name: sum(getattr(m, name) for m in measured(events).values()) for name in HourMeasure.COLUMNS}
    assert total["arrivals"] == total["served"] == total["called"] == len(people)
    assert (
        total["wait_s"]
        == pytest.approx(60 * sum(w for _c, w, _s in people))
        == pytest.approx(total["waiting_s"])
    )
    assert (
        total["service_s"]
        == pytest.approx(60 * sum(s for _c, _w, s in people))
        == pytest.approx(total["held_s"])
    )
    assert total["wait_over"] == sum(w > 30 for _c, w, _s in people)


PATH = (("issue", None, "waiting"), ("call", "waiting", "called"), ("start", "called", "serving"),
        ("park", "serving", "parked"), ("resume", "parked", "called"), ("start", "called", "serving"),
        ("finish", "serving", "served"))  # fmt: skip


@given(
    st.lists(st.lists(st.integers(0, 400), min_size=1, max_size=len(PATH)), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_neither_the_order_between_people_nor_a_wrong_clock_spoils_an_hour(
    people: list[list[int]], random: Random
) -> None:
    """Steps of several people in any order between them give the same hours, whole days at once or events as they come;
    and whatever clocks claim, no figure is below 0 and nobody waits longer than the day."""
    told = [
        steps(ticket, *((*PATH[n], at) for n, at in enumerate(times))) for ticket, times in enumerate(people)
    ]
    whole = {key: vars_of(one) for key, one in measured([row for rows in told for row in rows]).items()}
    mixed: list[EventRow] = []
    left = [list(rows) for rows in told]
    while any(left):
        mixed.append(random.choice([rows for rows in left if rows]).pop(0))
    again = {key: vars_of(one) for key, one in measured(mixed).items()}
    assert again.keys() == whole.keys()
    for key, figures in whole.items():
        assert again[key] == pytest.approx(figures)
        assert min(figures.values()) >= 0 and figures["wait_s"] <= 400 * 60 * figures["arrivals"]


def test_columns_are_those_of_the_table() -> None:
    """Rows can be inserted as they are."""
    (row,) = as_columns(measures_from_rows([], [ShiftRow(1, MORNING, MORNING + minutes(5))], zone=CAIRO))
    assert row.keys() == set(QueueHour.__table__.columns.keys())


def test_levels_are_shares_of_people_who_waited_over_half_an_hour() -> None:
    """Of 100 people 4, 5, 20, 50, 70 long waits: calm to severe."""
    assert [level_of(over, 100, 1, 2) for over in (4, 5, 20, 50, 70)] == [
        CALM,
        MODERATE,
        BUSY,
        CROWDED,
        SEVERE,
    ]


def test_more_work_than_the_desks_can_do_is_at_least_busy() -> None:
    """Nobody has waited long yet, but the line is growing; without desks any load is too much; no people, no
    level."""
    assert level_of(0, 100, 2.3, 2) == BUSY
    assert level_of(0, 100, 2.1, 2) == CALM
    assert level_of(0, 3, 0.5, 0) == BUSY
    assert level_of(0, 0, 0, 0) == CALM


def test_one_unlucky_person_in_a_quiet_hour_is_no_crisis() -> None:
    """One of one waited long: busy, not severe."""
    assert level_of(1, 1, 0.1, 2) == BUSY


def test_a_forecast_mean_wait_gives_the_level_of_its_exponential_share() -> None:
    """The levels begin at mean waits of about 10, 19, 43 and 84 minutes, and never fall as the mean rises."""
    found = [expected_level(60 * m, 1, 2) for m in (9.9, 10.1, 18.5, 18.8, 43, 43.5, 84, 84.5)]
    assert found == [CALM, MODERATE, MODERATE, BUSY, BUSY, CROWDED, CROWDED, SEVERE]
    assert long_share(0) == 0
    assert offered_load(12, 600) == 2.0


def working_day(place: Place) -> None:
    """A morning with everything in it."""
    for n in range(12):
        place.issue("id" if n % 2 else "birth", priority=n % 3, now=place.later(3))
        if n % 3 == 2:
            ticket = place.called(n % 2)
            place.do("start", ticket, desk=place.desks[n % 2], now=place.later(1))
    parked = place.called(0, now=place.later(2))
    place.do("park", parked, desk=place.desks[0], now=place.later(4))
    missed = place.called(0)
    place.do("miss", missed, desk=place.desks[0], now=place.later(2))
    place.do("resume", parked, desk=place.desks[0], now=place.later(30))
    place.do("undo", parked, desk=place.desks[0])
    desks.pause_desk(place.session, place.desks[0], actor="x", now=place.later(5))


def test_stored_hours_equal_the_events_and_follow_them(place: Place) -> None:
    """Measured, nothing differs; after another event it differs; measured again it does not; other days and
    queues are left alone."""
    other = make_place(place.session, letter="B", known=place.services)
    kept = {"queue_id": place.queue.id, "day": DAY - timedelta(days=40), "hour": 9, "arrivals": 77}
    place.session.add(QueueHour(**kept))
    working_day(place)
    ids = [place.queue.id, other.queue.id]
    assert measure_day(place.session, ids, DAY, now=place.now) > 0
    assert differences(place.session, ids, DAY, now=place.now) == []
    place.issue()
    (line,) = differences(place.session, ids, DAY, now=place.now)
    assert "arrivals" in line
    assert changed(place.session, since=place.now) == {DAY: [place.queue.id]}
    assert measure_day(place.session, ids, DAY, now=place.now) > 0
    assert differences(place.session, ids, DAY, now=place.now) == []
    assert place.session.get_one(QueueHour, (place.queue.id, DAY - timedelta(days=40), 9)).arrivals == 77


def test_what_is_told_late_is_found_by_when_it_was_stored(place: Place) -> None:
    """A tablet tells in the evening of calls of the morning: the queue and day are named, so that their hours follow.
    What was stored before, whenever it happened, is not named again."""
    working_day(place)
    evening = place.now + timedelta(hours=8)
    assert changed(place.session, since=evening) == {}
    ticket = place.issue()
    event = place.events(ticket)[-1]
    event.recorded_at = evening + timedelta(minutes=1)
    place.session.flush()
    assert event.happened_at < evening
    assert changed(place.session, since=evening) == {DAY: [place.queue.id]}
    assert changed(place.session, since=evening + timedelta(minutes=2)) == {}


def test_measuring_a_day_without_tickets_keeps_hours_that_stand_alone(place: Place) -> None:
    """Old weeks have hours but no tickets: they must survive."""
    day = DAY - timedelta(days=40)
    place.session.add(QueueHour(queue_id=place.queue.id, day=day, hour=9, arrivals=77))
    place.session.flush()
    assert measure_day(place.session, [place.queue.id], day, now=place.now) == 0
    assert place.session.get_one(QueueHour, (place.queue.id, day, 9)).arrivals == 77


def test_pace_begins_with_the_catalogue_and_follows_what_happens(place: Place) -> None:
    """Without history: the services' mean minutes and a turnover. With 300 people of 900 desk-seconds each:
    nearly that, the weight of the prior apart; and issue promises by it."""
    base = prior(place.session, [place.queue.id])[place.queue.id]
    assert base.seconds == pytest.approx(7 * 60 + TURNOVER_S)
    place.session.add(
        QueueHour(
            queue_id=place.queue.id, day=DAY - timedelta(days=20), hour=10, called=280, left_waiting=20, served=280,
            held_s=300 * 900.0, service_s=280 * 800.0, service_sq=280 * 800.0**2 * 1.25,
        )
    )  # fmt: skip
    place.session.flush()
    found = learn(place.session, [place.queue.id], before=DAY)[place.queue.id]
    expected = (300 * 900 + PRIOR_WEIGHT * base.seconds) / (300 + PRIOR_WEIGHT)
    assert found.seconds == pytest.approx(expected)
    assert found.cv2 == pytest.approx((0.25 * 280 + PRIOR_WEIGHT * base.cv2) / (280 + PRIOR_WEIGHT))
    assert (
        pace_of(place.session, place.session.get_one(Queue, place.queue.id, populate_existing=True)) == found
    )


def test_pace_forgets_what_is_older_than_four_weeks(place: Place) -> None:
    """A month-old rush does not count."""
    place.session.add(
        QueueHour(
            queue_id=place.queue.id, day=DAY - timedelta(days=29), hour=10, called=500, held_s=500 * 3000.0
        )
    )
    place.session.flush()
    found = learn(place.session, [place.queue.id], before=DAY)[place.queue.id]
    assert found == prior(place.session, [place.queue.id])[place.queue.id]


def test_rebuild_finds_a_state_a_number_and_a_time_that_events_do_not_say(place: Place) -> None:
    """A sound day has no difference; each tampering is named."""
    working_day(place)
    assert check(place.session, [place.queue.id]) == []
    session = place.session
    served = session.scalars(select(Ticket).where(Ticket.state == "served").order_by(Ticket.id)).first()
    waiting = session.scalars(
        select(Ticket).where(Ticket.state == "waiting").order_by(Ticket.id.desc())
    ).first()
    assert served is not None and waiting is not None
    session.execute(update(Ticket).where(Ticket.id == served.id).values(ended_at=MORNING))
    session.execute(update(Ticket).where(Ticket.id == waiting.id).values(number=500, state="left"))
    session.expire_all()
    found = {(d.ticket_id, d.what) for d in check(session)}
    numbers = {(ticket_id, what) for ticket_id, what in found if what == "number"}
    assert len(numbers) == 2, "the number 500 and the gap it left"
    assert found - numbers == {(served.id, "ended_at"), (waiting.id, "state"), (waiting.id, "ended_at")}


def test_rebuild_finds_a_missing_event(place: Place) -> None:
    """A history with a hole is named with what contradicts."""
    ticket = place.issue()
    place.called()
    place.do("start", ticket, desk=place.desks[0])
    place.session.execute(
        delete(TicketEvent).where(TicketEvent.ticket_id == ticket.id, TicketEvent.action == "call")
    )
    place.session.expire_all()
    (difference,) = check(place.session)
    assert difference.what == "history"
    assert "start happened in called" in str(difference)


def test_the_simulations_measures_and_ours_are_one_code() -> None:
    """No second counting of hours may grow beside this one."""
    root = Path(__file__).parents[2]
    rivals = [
        path
        for path in (root / "fleet").rglob("*.py")
        if "wait_over +=" in path.read_text() or '"wait_over"] +=' in path.read_text()
    ]
    assert rivals == []
