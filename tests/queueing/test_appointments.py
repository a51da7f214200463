"""Appointments: slots by capacity, booking, confirming, moving, reminders, early, late and not at all."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, sessionmaker

from queueing import appointments, counter, desks, slots
from queueing.daytime import at_minute
from queueing.engine import transaction
from queueing.errors import Closed, Conflict, Exhausted, Invalid, MoveNotPossible
from queueing.order import APPOINTMENT
from queueing.rebuild import check
from queueing.slots import Pattern, default_capacity, set_rules
from queueing.store import Queue, QueueDay, Ticket
from queueing.store_life import Booking, Notice
from tests.builders import MORNING, Place, make_place, minutes

TODAY = MORNING.date()
TOMORROW = TODAY + timedelta(days=1)
NINE_TO_NOON = Pattern(9 * 60, 12 * 60, 15, 2)


def at(minute: int, day: object = TODAY) -> datetime:
    """An instant of a day by Cairo's wall clock."""
    return at_minute(day, minute, "Africa/Cairo")  # type: ignore[arg-type]


def book(place: Place, when: datetime, service: str = "id", **given: object) -> Ticket:
    """A booking by the default pattern of nine to noon, two people a quarter of an hour."""
    values = {"default": [NINE_TO_NOON], "request_id": place.rid(), "actor": "phone", "now": place.now}
    return appointments.book(place.session, place.queue, service, at=when, **(values | given)).ticket  # type: ignore[arg-type]


def verb(place: Place, name: str, *things: object, **given: object) -> object:
    """A verb of appointments with everything filled in."""
    values = {"request_id": place.rid(), "actor": "phone", "now": place.now}
    return getattr(appointments, name)(place.session, *things, **(values | given))


def kinds(place: Place, ticket: Ticket) -> list[str]:
    """The messages to a ticket's holder, in order."""
    chosen = select(Notice.kind).where(Notice.ticket_id == ticket.id).order_by(Notice.id)
    return list(place.session.scalars(chosen))


def test_slots_follow_date_then_weekday_then_default(quick: Place) -> None:
    """A date's rules stand in for its weekday's, these for the default; a date without hours is a day off."""
    session, queue = quick.session, quick.queue
    day = slots.slots(session, queue, TOMORROW, default=[NINE_TO_NOON])
    assert len(day) == 12 and day[0].at == at(540, TOMORROW) and day[0].capacity == 2
    set_rules(session, queue, [Pattern(600, 660, 20, 3)], weekdays=[TOMORROW.weekday()])
    assert [s.at for s in slots.slots(session, queue, TOMORROW, default=[NINE_TO_NOON])] == [
        at(600, TOMORROW), at(620, TOMORROW), at(640, TOMORROW)
    ]  # fmt: skip
    set_rules(session, queue, [], days=[TOMORROW])
    assert slots.slots(session, queue, TOMORROW, default=[NINE_TO_NOON]) == []
    assert slots.slots(session, queue, TOMORROW + timedelta(days=7), default=[NINE_TO_NOON]) != []
    slots.forget_day(session, queue, TOMORROW)
    assert len(slots.slots(session, queue, TOMORROW)) == 3


def test_slots_keep_the_wall_clock_across_its_changes(quick: Place) -> None:
    """On the day Cairo's clock leaps over midnight, nine o'clock is nine o'clock."""
    leap = date(2026, 4, 24)
    first = slots.slots(quick.session, quick.queue, leap, default=[NINE_TO_NOON])[0]
    assert first.at == datetime.fromisoformat("2026-04-24T09:00:00+03:00")


def test_a_service_with_hours_of_its_own_is_bound_by_the_queues(quick: Place) -> None:
    """A service's slots are its own, but no more people come than the queue takes in all; a day off holds for it."""
    session, queue = quick.session, quick.queue
    birth = quick.services["birth"].id
    set_rules(session, queue, [Pattern(540, 720, 15, 1)], weekdays=[TOMORROW.weekday()])
    set_rules(session, queue, [Pattern(600, 630, 15, 5)], weekdays=[TOMORROW.weekday()], service_id=birth)
    own = slots.slots(session, queue, TOMORROW, service_id=birth)
    assert [s.at for s in own] == [at(600, TOMORROW), at(615, TOMORROW)] and own[0].free == 1
    book(quick, at(600, TOMORROW), "id")
    assert slots.slots(session, queue, TOMORROW, service_id=birth)[0].free == 0
    with pytest.raises(Exhausted, match="taken"):
        book(quick, at(600, TOMORROW), "birth")
    set_rules(session, queue, [], days=[TOMORROW])
    assert slots.slots(session, queue, TOMORROW, service_id=birth) == []


@pytest.mark.parametrize(
    "wrong", [Pattern(600, 600), Pattern(-5, 60), Pattern(600, 605, 15), Pattern(0, 60, 3)]
)
def test_hours_that_make_no_slots_are_refused(quick: Place, wrong: Pattern) -> None:
    """Nothing is stored of a rule that cannot be cut."""
    with pytest.raises(Invalid):
        set_rules(quick.session, quick.queue, [wrong], weekdays=[0])
    with pytest.raises(Invalid):
        set_rules(quick.session, quick.queue, [Pattern(540, 660), Pattern(600, 720)], weekdays=[0])
    assert slots.rules_of(quick.session, quick.queue.id) == []


def test_default_capacity_gives_half_of_the_desks_time() -> None:
    """Two desks, five minutes a person, a quarter of an hour: six people fit, three of them by appointment."""
    assert default_capacity(2, 300, 15) == 3
    assert default_capacity(1, 3600, 15) == 1


def test_booking_takes_a_place_until_the_slot_is_full(place: Place) -> None:
    """Two fit; the third is refused and nothing is issued; the next slot is free; a cancelled place is free again."""
    when = at(600, TOMORROW)
    first, second = book(place, when), book(place, when)
    assert (first.state, first.appointment_at, first.day, first.priority) == (
        "booked",
        when,
        TOMORROW,
        APPOINTMENT,
    )
    assert [first.number, second.number] == [1, 2]
    with pytest.raises(Exhausted, match="taken"):
        book(place, when)
    assert place.count() == 2
    place.do("cancel", first)
    assert book(place, when).number == 3
    assert check(place.session) == []


def test_booking_twice_with_one_request_or_one_phone_is_one_booking(place: Place) -> None:
    """A double tap gives the same ticket; the same request for another time is refused; a phone has one a day."""
    first = book(place, at(600, TOMORROW), request_id="tap", phone="+201001234567")
    again = book(place, at(600, TOMORROW), request_id="tap", phone="+201001234567")
    assert again.id == first.id
    with pytest.raises(Conflict):
        book(place, at(615, TOMORROW), request_id="tap")
    assert book(place, at(660, TOMORROW), phone="+201001234567").id == first.id
    assert place.count() == 1


@pytest.mark.parametrize(
    ("when", "code"),
    [
        (at(530, TOMORROW), "slot_unknown"),
        (at(607, TOMORROW), "slot_unknown"),
        (MORNING - timedelta(minutes=30), "slot_past"),
        (at(600, TODAY + timedelta(days=61)), "slot_unknown"),
    ],
)
def test_times_that_are_no_slots_are_refused(quick: Place, when: datetime, code: str) -> None:
    """Outside of the hours, between two slots, in the past, too far ahead."""
    with pytest.raises(Invalid) as refused:
        book(quick, when)
    assert refused.value.code == code and quick.count() == 0


def test_booking_needs_no_open_queue_but_a_queue_that_is_still_there(place: Place) -> None:
    """Tomorrow is booked while the queue is closed; a queue that was taken over books no more."""
    desks.close_queue(place.session, place.queue, actor="s", now=place.now)
    assert book(place, at(600, TOMORROW)).state == "booked"
    other = make_place(place.session, letter="B", known=place.services)
    place.session.get_one(Queue, place.queue.id).moved_to_id = other.queue.id
    with pytest.raises(Closed) as refused:
        book(place, at(615, TOMORROW))
    assert refused.value.code == "queue_moved"


def test_the_last_place_of_a_slot_goes_to_one_of_many(
    sessions: sessionmaker[Session], engine: Engine
) -> None:
    """Eight people press at once for two places: two get them, six hear that the slot is full."""
    with sessions() as session:
        place = make_place(session)
        queue_id = place.queue.id
        session.commit()
    answers: list[str] = []
    gate = threading.Barrier(8)

    def press(number: int) -> None:
        gate.wait()
        try:
            transaction(
                sessions,
                lambda s: appointments.book(
                    s, s.get_one(Queue, queue_id), "id", at=at(600, TOMORROW), request_id=f"r{number}",
                    actor="phone", now=MORNING, default=[NINE_TO_NOON],
                ).ticket.id,
            )  # fmt: skip
            answers.append("booked")
        except Exhausted as full:
            answers.append(full.code)

    threads = [threading.Thread(target=press, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["booked"] * 2 + ["slot_full"] * 6


def test_daily_capacity_counts_bookings_of_its_day_and_gives_freed_ones_back(session: Session) -> None:
    """A day of three: two booked and one walk-in fill it; a cancelled booking frees one; taking the cancel back takes
    it again; numbers never repeat."""
    place = make_place(session, daily_capacity=3)
    first = book(place, at(600))
    book(place, at(600))
    place.issue(channel="kiosk")
    with pytest.raises(Exhausted):
        place.issue(channel="kiosk")
    place.do("cancel", first, actor="clerk")
    place.do("undo", first, actor="clerk")
    with pytest.raises(Exhausted):
        place.issue(channel="kiosk")
    place.do("cancel", first, actor="clerk")
    assert place.issue(channel="kiosk").number == 4
    assert session.get_one(QueueDay, (place.queue.id, TODAY)).issued == 3
    assert check(session) == []


def test_early_waits_for_its_time_unless_nobody_else_is_there(place: Place) -> None:
    """At nine for ten: people without appointment go first; with nobody else there it is called at once; at its time
    it goes before who came up to ninety minutes earlier."""
    early = book(place, at(600))
    place.do("arrive", early)
    walk_in = place.issue()
    assert place.called(0).id == walk_in.id
    other = place.issue()
    place.now = at(600)
    assert place.called(1).id == early.id
    assert other.state == "waiting"
    alone = book(place, at(660))
    place.do("arrive", alone)
    place.do("leave", other)
    assert place.called(0).id == alone.id


def test_tomorrows_booking_can_be_neither_called_nor_checked_in_today(place: Place) -> None:
    """Not by call next, not by choice, not at the kiosk; it does not lengthen today's line either."""
    ticket = book(place, at(600, TOMORROW))
    assert place.call() is None
    with pytest.raises(Conflict) as chosen:
        place.call(ticket=ticket)
    assert chosen.value.code == "not_today"
    with pytest.raises(Conflict) as arrived:
        place.do("arrive", ticket)
    assert arrived.value.code == "not_today"
    assert ticket.state == "booked"


def test_a_no_show_is_marked_once_after_the_slot_and_may_still_walk_in(place: Place) -> None:
    """Ten o'clock is held until a quarter past; then it is missed; who comes at half past stands at the end."""
    ticket = book(place, at(600))
    place.now = at(614)
    assert appointments.mark_no_shows(place.session, now=place.now) == 0
    place.now = at(615)
    assert appointments.mark_no_shows(place.session, now=place.now) == 1
    assert appointments.mark_no_shows(place.session, now=place.now) == 0
    assert place.actions(ticket) == ["book", "no_show"] and ticket.state == "missed"
    place.now = at(630)
    walk_in = place.issue()
    place.later(1)
    place.do("arrive", ticket)
    assert (ticket.state, ticket.priority, ticket.aged_from) == ("waiting", 0, place.now)
    assert place.called(0).id == walk_in.id
    assert check(place.session) == []


def test_nobody_misses_an_appointment_with_a_van_that_has_not_come(session: Session) -> None:
    """The queue opens an hour late: the quarter of an hour runs from then."""
    place = make_place(session, opened=False)
    ticket = book(place, at(600))
    place.now = at(660)
    assert appointments.mark_no_shows(session, now=place.now) == 0
    desks.open_queue(session, place.queue, actor="s", now=place.now)
    desks.open_desk(session, place.desks[0], actor="s", now=place.now)
    place.later(14)
    assert appointments.mark_no_shows(session, now=place.now) == 0
    place.later(1)
    assert appointments.mark_no_shows(session, now=place.now) == 1
    assert ticket.id is not None


def test_a_called_person_who_did_not_come_cannot_check_in_again(place: Place) -> None:
    """Arriving is for who was never called: a no-show at the desk stays in its cool-down."""
    ticket = book(place, at(600))
    place.now = at(600)
    place.do("arrive", ticket)
    place.called(0)
    place.do("miss", ticket, desk=place.desks[0])
    with pytest.raises(MoveNotPossible):
        place.do("arrive", ticket)


def test_moving_within_the_day_keeps_the_number_and_frees_the_slot(place: Place) -> None:
    """From ten to eleven: same ticket, same number; ten is free again; the request again moves nothing twice."""
    ticket = book(place, at(600, TOMORROW), phone="+201001234567")
    book(place, at(600, TOMORROW))
    verb(place, "move_to", ticket, at(660, TOMORROW), default=[NINE_TO_NOON], request_id="move")
    again = verb(place, "move_to", ticket, at(660, TOMORROW), default=[NINE_TO_NOON], request_id="move")
    assert again.repeated  # type: ignore[attr-defined]
    assert (ticket.appointment_at, ticket.aged_from, ticket.number) == (
        at(660, TOMORROW),
        at(660, TOMORROW),
        1,
    )
    assert book(place, at(600, TOMORROW)).state == "booked"
    assert kinds(place, ticket) == ["booked", "moved"]
    assert check(place.session) == []


def test_moving_to_another_day_gives_that_days_number_and_leads_on(place: Place) -> None:
    """The old ticket says where it went; the new one stands in the new day with the phone and the class kept."""
    ticket = book(place, at(600, TOMORROW), phone="+201001234567")
    day = TOMORROW + timedelta(days=2)
    done = verb(place, "move_to", ticket, at(615, day), default=[NINE_TO_NOON], request_id="m")
    new = done.went_on  # type: ignore[attr-defined]
    again = verb(place, "move_to", ticket, at(615, day), default=[NINE_TO_NOON], request_id="m")
    assert again.went_on.id == new.id  # type: ignore[attr-defined]
    assert (ticket.state, ticket.next_ticket_id) == ("transferred", new.id)
    assert (new.state, new.day, new.number, new.phone) == ("booked", day, 1, "+201001234567")
    assert place.session.get_one(QueueDay, (place.queue.id, TOMORROW)).issued == 0
    assert check(place.session) == []


def test_a_full_or_past_target_leaves_the_booking_as_it_was(place: Place) -> None:
    """A move that is refused changes nothing."""
    ticket = book(place, at(600, TOMORROW))
    for _ in range(2):
        book(place, at(615, TOMORROW))
    with pytest.raises(Exhausted):
        verb(place, "move_to", ticket, at(615, TOMORROW), default=[NINE_TO_NOON])
    with pytest.raises(Invalid):
        verb(place, "move_to", ticket, at(545) - timedelta(days=1), default=[NINE_TO_NOON])
    assert (ticket.state, ticket.appointment_at) == ("booked", at(600, TOMORROW))


def test_messages_come_once_each_and_an_unconfirmed_booking_is_freed(place: Place) -> None:
    """Booked two days ahead: asked a day before, once; not answered, freed four hours before; its slot is free."""
    when = at(600, TODAY + timedelta(days=2))
    ticket = book(place, when, phone="+201001234567")
    silent = book(place, when)
    for _ in range(3):
        place.now = when - timedelta(hours=24)
        appointments.ask_and_remind(place.session, now=place.now)
    assert kinds(place, ticket) == ["booked", "confirm"]
    assert kinds(place, silent) == ["booked"], "without a telephone nobody can be asked, so nothing is freed"
    assert appointments.free_unconfirmed(place.session, now=when - timedelta(hours=5)) == 0
    assert appointments.free_unconfirmed(place.session, now=when - timedelta(hours=4)) == 1
    assert appointments.free_unconfirmed(place.session, now=when - timedelta(hours=3)) == 0
    assert ticket.state == "cancelled" and silent.state == "booked"
    assert kinds(place, ticket)[-1] == "freed"
    assert book(place, when).state == "booked"


def test_a_confirmed_booking_is_kept_and_reminded_two_hours_before(place: Place) -> None:
    """Confirming twice is one event; nothing is freed; one reminder a day before, one two hours before."""
    when = at(600, TODAY + timedelta(days=2))
    ticket = book(place, when, phone="+201001234567")
    place.now = when - timedelta(hours=23)
    appointments.ask_and_remind(place.session, now=place.now)
    verb(place, "confirm", ticket)
    assert verb(place, "confirm", ticket).repeated  # type: ignore[attr-defined]
    assert place.actions(ticket) == ["book", "confirm"]
    assert appointments.free_unconfirmed(place.session, now=when - minutes(1)) == 0
    for hours in (22, 20, 2, 1.9, 1):
        appointments.ask_and_remind(place.session, now=when - timedelta(hours=hours))
    assert kinds(place, ticket) == ["booked", "confirm", "reminder_24h", "reminder_2h"]


def test_who_books_for_this_afternoon_is_confirmed_and_not_pestered(place: Place) -> None:
    """Booked an hour ahead: no question, no reminder of what was just read."""
    ticket = book(place, at(600), phone="+201001234567")
    assert place.session.get_one(Booking, ticket.id).confirmed_at == place.now
    appointments.ask_and_remind(place.session, now=place.now + minutes(1))
    assert kinds(place, ticket) == ["booked"]


def test_a_moved_booking_is_asked_anew(place: Place) -> None:
    """Another time is another question: the answer to the old one does not count for one that is days away."""
    when = at(600, TODAY + timedelta(days=3))
    ticket = book(place, when, phone="+201001234567")
    place.now = when - timedelta(hours=48)
    verb(place, "confirm", ticket)
    verb(place, "move_to", ticket, when + timedelta(minutes=60), default=[NINE_TO_NOON])
    booking = place.session.get_one(Booking, ticket.id)
    assert (booking.confirm_by, booking.confirmed_at) == (None, None)
    appointments.ask_and_remind(place.session, now=when + timedelta(minutes=60) - timedelta(hours=24))
    assert kinds(place, ticket) == ["booked", "moved", "confirm"]


def test_the_line_counts_a_due_booking_before_a_walk_in(place: Place) -> None:
    """A due appointment ahead lengthens the walk-in's promise."""
    for desk in place.desks:
        place.issue()
        counter.call_next(place.session, desk, request_id=place.rid(), actor="c", now=place.now)
    before = place.issue()
    book(place, at(570))
    after = place.issue()
    assert before.promised_high_s is not None and after.promised_high_s is not None
    ahead = place.events(after)[0].data["ahead"]
    assert ahead == 2
    assert place.session.scalar(select(func.count()).select_from(Booking)) == 1
