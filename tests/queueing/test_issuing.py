"""Giving out tickets."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing import counter, desks
from queueing.errors import QueueingError
from queueing.issuing import label_of, random_code
from queueing.store import Queue, QueueDay, Ticket
from tests.builders import MORNING, Place, make_place, minutes


def refused(place: Place, *things: object, **given: object) -> QueueingError:
    """The error of an issue that must be refused, having changed nothing."""
    seq, count, heard = place.seq(), place.count(), len(place.outbox())
    with pytest.raises(QueueingError) as caught:
        place.issue(*things, **given)  # type: ignore[arg-type]
    assert (place.seq(), place.count(), len(place.outbox())) == (seq, count, heard)
    return caught.value


def test_the_first_ticket_starts_the_band_and_the_next_is_one_more(place: Place) -> None:
    """Numbers begin with the band and rise by one; the label is letter and digits without a gap."""
    place.queue.first_number = 200
    place.session.flush()
    labels = [place.issue().label for _ in range(3)]
    assert labels == ["A200", "A201", "A202"]
    assert (label_of("B", 7), label_of("B", 1207)) == ("B007", "B1207")


def test_a_ticket_carries_day_code_state_and_its_event(place: Place) -> None:
    """Waiting, with the local day, an unguessable code, one event and one message to the screens."""
    ticket = place.issue("birth", priority=2, channel="kiosk", actor="kiosk:3")
    assert (ticket.state, ticket.day, ticket.number, ticket.priority) == ("waiting", date(2026, 11, 22), 1, 2)
    assert (ticket.issued_at, ticket.aged_from, ticket.service_id) == (
        MORNING,
        MORNING,
        place.services["birth"].id,
    )
    assert len(ticket.code) >= 16
    (event,) = place.events(ticket)
    assert (event.action, event.state_from, event.state_to, event.actor) == (
        "issue",
        None,
        "waiting",
        "kiosk:3",
    )
    message = place.outbox()[-1]
    assert (message.part, message.seq) == ("line", event.seq)
    assert message.data == {"action": "issue", "label": "A001", "waiting": 1, "parts": ["line"]}


def test_codes_are_injectable_and_by_default_differ() -> None:
    """A thousand codes: all different, safe in a link."""
    codes = {random_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(code.replace("-", "").replace("_", "").isalnum() for code in codes)


def test_an_unknown_service_is_refused_and_nothing_issued(place: Place) -> None:
    """Neither a service nobody knows nor one that only another queue offers."""
    make_place(place.session, services=("passport",), letter="P")
    assert refused(place, "nothing").code == "unknown_service"
    assert refused(place, "passport").code == "unknown_service"
    assert place.issue().number == 1


@pytest.mark.parametrize(("state", "code"), [("closed", "queue_closed"), ("paused", "queue_paused")])
def test_a_closed_or_paused_queue_issues_nothing(place: Place, state: str, code: str) -> None:
    """Each says which of the two it is."""
    place.queue.state = state
    place.session.flush()
    assert refused(place).code == code


def test_capacity_stops_the_kiosk_but_not_staff(place: Place) -> None:
    """With a capacity of two: the third at the kiosk is refused politely, staff can still add, without a
    gap."""
    place.queue.daily_capacity = 2
    place.session.flush()
    for _ in range(2):
        place.issue(channel="kiosk")
    assert refused(place, channel="kiosk").code == "capacity_reached"
    assert place.issue(channel="staff").number == 3
    assert refused(place, channel="phone").code == "capacity_reached"


def test_no_capacity_at_all_refuses_the_first(place: Place) -> None:
    """A capacity of zero is a capacity."""
    place.queue.daily_capacity = 0
    place.session.flush()
    assert refused(place, channel="kiosk").code == "capacity_reached"


def test_an_exhausted_band_says_so_and_never_runs_into_the_next(place: Place) -> None:
    """After the last number of the band there is none, not even for staff."""
    place.queue.first_number, place.queue.last_number = 8, 9
    place.session.flush()
    assert [place.issue().number, place.issue().number] == [8, 9]
    assert refused(place).code == "numbers_exhausted"
    assert place.session.get_one(QueueDay, (place.queue.id, MORNING.date())).issued == 2


def test_numbers_restart_on_a_new_local_day_only(place: Place) -> None:
    """23:30 in Cairo still counts on, 00:30 starts again, though UTC changes its day at another time."""
    at = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)
    first = place.issue()
    late, early = place.issue(now=at), place.issue(now=at + timedelta(hours=1))
    assert [(t.day.day, t.number) for t in (first, late, early)] == [(22, 1), (22, 2), (23, 1)]


def test_the_day_changes_right_when_cairos_clock_does(place: Place) -> None:
    """Around the midnight that does not exist (24 April 2026) and the hour that happens twice (29
    October)."""
    spring = datetime(2026, 4, 23, 22, 0, tzinfo=UTC)
    autumn = datetime(2026, 10, 29, 21, 0, tzinfo=UTC)
    instants = [spring - minutes(1), spring, autumn - minutes(1), autumn - minutes(61), autumn]
    days = [place.issue(now=instant).day for instant in instants]
    assert days == [date(2026, 4, 23), date(2026, 4, 24), *[date(2026, 10, 29)] * 3]


def test_the_same_phone_gets_its_ticket_back(place: Place) -> None:
    """While the ticket lives; after it ended, or for another phone, there is a new one."""
    first = place.do("issue", place.queue, "id", phone="+20 100 123 4567")
    again = place.do("issue", place.queue, "birth", phone="+201001234567")
    assert (again.ticket.id, again.repeated, again.event.id) == (first.ticket.id, True, first.event.id)
    assert place.issue(phone="+201009999999").number == 2
    place.do("leave", first.ticket)
    assert place.issue(phone="+201001234567").number == 3


@pytest.mark.parametrize("phone", ["", "not a phone", "1" * 400, "١٢"])
def test_a_bad_phone_number_never_blocks_a_ticket(place: Place, phone: str) -> None:
    """It is left out, the ticket is given."""
    assert place.issue(phone=phone).phone is None


def test_priorities_and_channels_outside_the_list_are_refused(place: Place) -> None:
    """The appointment's class cannot be asked for either."""
    assert refused(place, priority=4).code == "priority_invalid"
    assert refused(place, priority=-1).code == "priority_invalid"
    assert refused(place, channel="pigeon").code == "channel_invalid"


@pytest.mark.parametrize(
    ("request_id", "code"),
    [("", "request_id_missing"), ("a#2", "request_id_invalid"), ("x" * 65, "request_id_invalid")],
)
def test_request_ids_are_checked(place: Place, request_id: str, code: str) -> None:
    """Missing, too long, or able to look like another request's second event."""
    assert refused(place, request_id=request_id).code == code


def test_a_repeated_issue_for_another_service_is_an_error(place: Place) -> None:
    """One request id asks for one thing."""
    place.issue("id", request_id="same")
    assert refused(place, "birth", request_id="same").code == "request_id_reused"


def test_the_promise_is_stored_and_grows_with_the_line(place: Place) -> None:
    """A range at issue; ten people later both ends are later; the event keeps how many were ahead."""
    tickets = [place.issue() for _ in range(12)]
    assert (tickets[0].promised_low_s, tickets[0].promised_high_s) == (0, 60)
    assert tickets[11].promised_low_s > tickets[2].promised_low_s  # type: ignore[operator]
    assert tickets[11].promised_high_s > tickets[2].promised_high_s  # type: ignore[operator]
    assert place.events(tickets[11])[0].data["ahead"] == 11


def test_nothing_is_promised_while_no_desk_is_open(session: Session) -> None:
    """Open queue, closed desks: the ticket is given, the wait is not known."""
    place = make_place(session, desk_count=0)
    ticket = place.issue()
    assert (ticket.promised_low_s, ticket.promised_high_s) == (None, None)


def test_priority_has_fewer_people_ahead(place: Place) -> None:
    """Of five who came in the last minutes a person with priority stands before all, an ordinary one behind
    all."""
    for _ in range(5):
        place.issue()
        place.later(1)
    assert place.events(place.issue(priority=1))[0].data["ahead"] == 0
    assert place.events(place.issue())[0].data["ahead"] == 6


def test_a_due_appointment_ahead_lengthens_the_walk_ins_wait(place: Place) -> None:
    """A booking due within the hour counts as ahead, one in the afternoon does not."""
    place.do("issue", place.queue, "id", appointment_at=MORNING + minutes(300))
    assert place.events(place.issue())[0].data["ahead"] == 0
    place.do("issue", place.queue, "id", appointment_at=MORNING + minutes(30))
    assert place.events(place.issue())[0].data["ahead"] == 2


def test_booking_works_while_closed_and_takes_a_number_of_its_own_day(place: Place) -> None:
    """Booked for the day after tomorrow: that day's first number; it does not wait yet."""
    desks.close_queue(place.session, place.queue, actor="x", now=place.now)
    ticket = place.do(
        "issue", place.queue, "id", appointment_at=MORNING + timedelta(days=2), channel="booking"
    ).ticket
    assert (ticket.state, ticket.day, ticket.number) == ("booked", date(2026, 11, 24), 1)
    assert ticket.promised_high_s is None


def test_a_booked_person_arrives_and_goes_first_at_the_time(place: Place) -> None:
    """Checked in early, the appointment of 9:30 is called before those who came at 9:00, from 9:30 on."""
    walk_in = place.issue()
    booked = place.do("issue", place.queue, "id", appointment_at=MORNING + minutes(30)).ticket
    place.do("arrive", booked, now=MORNING + minutes(20))
    assert place.called(now=MORNING + minutes(31)).id == booked.id
    assert place.called(1, now=MORNING + minutes(31)).id == walk_in.id


def test_who_comes_too_late_for_the_appointment_stands_in_the_line(place: Place) -> None:
    """An hour late: the place is that of the arrival, in the class staff say; undo gives the booking back."""
    booked = place.do("issue", place.queue, "id", appointment_at=MORNING).ticket
    walk_in = place.issue(now=MORNING + minutes(50))
    done = place.do("arrive", booked, now=MORNING + minutes(60))
    assert (done.ticket.priority, done.ticket.aged_from) == (0, MORNING + minutes(60))
    assert place.called(now=MORNING + minutes(61)).id == walk_in.id
    undone = place.do("undo", booked)
    assert (undone.ticket.state, undone.ticket.priority, undone.ticket.aged_from) == ("booked", 4, MORNING)


def test_tomorrows_appointment_can_neither_arrive_nor_be_called_today(place: Place) -> None:
    """Both are refused with the day."""
    booked = place.do("issue", place.queue, "id", appointment_at=MORNING + timedelta(days=1)).ticket
    for attempt in (lambda: place.do("arrive", booked), lambda: place.call(ticket=booked)):
        with pytest.raises(QueueingError) as caught:
            attempt()
        assert (caught.value.code, caught.value.details["day"]) == ("not_today", "2026-11-23")


def test_unknown_queue(place: Place) -> None:
    """A queue that is not there says so."""
    with pytest.raises(QueueingError) as caught:
        counter.issue(place.session, Queue(id=999), "id", request_id="x", actor="a", now=place.now)
    assert caught.value.code == "queue_not_found"


def test_numbers_come_back_from_no_undo_and_no_cancel(place: Place) -> None:
    """A given number stays given: cancelled tickets stay in history and the next number is one more."""
    first = place.issue()
    place.do("cancel", first)
    assert place.issue().number == 2
    assert [t.state for t in place.session.scalars(select(Ticket).order_by(Ticket.number))] == [
        "cancelled",
        "waiting",
    ]
