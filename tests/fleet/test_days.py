"""Opening and closing by the calendar: once each, at the right minute, and never against a person's decision."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session

from fleet.calendar import local_instant
from fleet.days import (
    OVERTIME,
    VAN_OVERTIME,
    close_day,
    close_visit,
    open_day,
    open_visit,
    run_day_transitions,
)
from queueing import counter, desks
from queueing.store import Ticket
from tests.fleet.network_cast import DAY, VILLAGES, Country, at, country, minutes


@pytest.fixture
def cast(session: Session) -> Iterator[Country]:
    yield country(session)


def run(cast: Country, minute: float, day: date = DAY):
    """The schedule at a local minute."""
    return run_day_transitions(cast.session, now=local_instant(day, 0) + minutes(minute))


def states(cast: Country) -> tuple[str, set[str]]:
    cast.session.flush()
    cast.session.refresh(cast.counter)
    return cast.counter.state, {desk.state for desk in cast.counter.desks}


def come(cast: Country, queue: object, minute: int, number: int = 1) -> Ticket:
    return counter.issue(
        cast.session, queue, "CIV-05", request_id=f"r{minute}-{number}", actor="t", now=at(minute)
    ).ticket


def test_doors_and_desks_open_at_the_minute_and_a_second_run_changes_nothing(cast: Country) -> None:
    assert not run(cast, 509).changed and states(cast) == ("closed", {"closed"})
    assert run(cast, 510).queues_opened == 1 and states(cast) == ("open", {"open"})
    assert not run(cast, 510).changed and not run(cast, 511).changed


def test_a_schedule_that_starts_in_the_middle_of_the_day_catches_up(cast: Country) -> None:
    assert run(cast, 700).queues_opened == 1


def test_what_a_supervisor_closed_or_paused_by_day_stays_so(cast: Country) -> None:
    run(cast, 510)
    desks.pause_queue(cast.session, cast.counter, actor="boss", now=at(600))
    assert not run(cast, 601).changed and states(cast)[0] == "paused"
    desks.close_queue(cast.session, cast.counter, actor="boss", now=at(602))
    run(cast, 603)
    assert states(cast)[0] == "closed"


def test_an_empty_line_is_closed_at_closing_time_with_its_desks(cast: Country) -> None:
    run(cast, 510)
    assert run(cast, 900).queues_closed == 1
    assert states(cast) == ("closed", {"closed"}) and not run(cast, 901).changed


def test_people_inside_are_served_out_behind_closed_doors(cast: Country) -> None:
    run(cast, 510)
    ticket = come(cast, cast.counter, 890)
    assert run(cast, 900).doors_closed == 1 and states(cast) == ("paused", {"open"})
    with pytest.raises(Exception, match="paused"):
        come(cast, cast.counter, 901, 2)
    desk = cast.counter.desks[0]
    assert (
        counter.call_next(cast.session, desk, request_id="c", actor="t", now=at(905)).ticket.id == ticket.id
    )
    assert not run(cast, 906).changed
    counter.finish(cast.session, ticket, request_id="f", actor="t", now=at(910), desk=desk)
    assert run(cast, 911).queues_closed == 1 and states(cast) == ("closed", {"closed"})


def test_overtime_ends_and_who_is_left_is_closed_as_forgotten(cast: Country) -> None:
    run(cast, 510)
    ticket = come(cast, cast.counter, 890)
    run(cast, 900)
    end = 900 + OVERTIME / timedelta(minutes=1)
    assert not run(cast, end - 1).changed
    assert run(cast, end).queues_closed == 1
    cast.session.refresh(ticket)
    assert ticket.state == "left" or ticket.ended_at is not None


def test_a_desk_that_is_busy_at_the_very_end_closes_after_its_citizen(cast: Country) -> None:
    run(cast, 510)
    ticket = come(cast, cast.counter, 890)
    desk = cast.counter.desks[0]
    counter.call_next(cast.session, desk, request_id="c", actor="t", now=at(890))
    run(cast, 900)
    run(cast, 976)
    assert states(cast) == ("closed", {"closed", "open"})
    counter.finish(cast.session, ticket, request_id="f", actor="t", now=at(980), desk=desk)
    assert run(cast, 981).desks_closed == 1 and states(cast) == ("closed", {"closed"})


@pytest.mark.parametrize("day", [date(2026, 11, 20), date(2026, 11, 21), date(2026, 10, 8)])
def test_buildings_stay_closed_on_weekends_and_holidays(cast: Country, day: date) -> None:
    assert run(cast, 700, day).queues_opened == 0


def test_ramadan_hours_hold(cast: Country) -> None:
    """1 March 2026: 09:00 to 14:00."""
    day = date(2026, 3, 1)
    assert not run(cast, 539, day).changed
    assert run(cast, 540, day).queues_opened == 1
    assert run(cast, 840, day).queues_closed == 1


def test_hours_keep_to_the_wall_clock_on_the_day_after_the_clock_changes(cast: Country) -> None:
    """Sunday 26 April 2026 is the first working day in summer time: 08:30 is 05:30 UTC then, 06:30 before."""
    assert run(cast, 510, date(2026, 4, 23)).queues_opened == 1
    run(cast, 900, date(2026, 4, 23))
    sunday = date(2026, 4, 26)
    assert local_instant(sunday, 510).hour == 5 and local_instant(date(2026, 4, 23), 510).hour == 6
    assert not run_day_transitions(cast.session, now=local_instant(sunday, 509)).changed
    assert run_day_transitions(cast.session, now=local_instant(sunday, 510)).queues_opened == 1


def test_a_night_without_the_schedule_is_made_good_in_the_morning(cast: Country) -> None:
    """Open on Sunday, stopped until Monday 09:00: the day is closed, the next one opened, Sunday's ticket ended."""
    run(cast, 510)
    ticket = come(cast, cast.counter, 700)
    done = run(cast, 540, DAY + timedelta(days=1))
    assert (done.queues_closed, done.queues_opened) == (1, 1) and states(cast) == ("open", {"open"})
    cast.session.refresh(ticket)
    assert ticket.ended_at is not None


def test_a_demonstration_clock_that_went_back_opens_again(cast: Country) -> None:
    run(cast, 900)
    assert run(cast, 600).queues_opened == 1


def test_a_visit_opens_at_its_time_with_its_queue_and_its_van_and_closes_at_its_end(cast: Country) -> None:
    visit = cast.visit("near", opens=600, closes=780)
    assert run(cast, 599).visits_opened == 0
    assert run(cast, 600).visits_opened == 1 and not run(cast, 600).changed
    assert (visit.status, visit.queue.state, visit.center.state) == ("open", "open", "open")
    assert run(cast, 780).visits_closed == 1
    assert (visit.status, visit.queue.state, visit.center.state) == ("closed", "closed", "returning")


def test_a_van_with_another_stop_goes_on_to_it(cast: Country) -> None:
    cast.visit("near", opens=600, closes=700)
    cast.visit("mid", opens=760, closes=900)
    run(cast, 600)
    run(cast, 700)
    assert cast.centers[0].state == "driving"


def test_a_visit_waits_for_a_van_that_is_known_to_be_elsewhere(cast: Country) -> None:
    visit = cast.visit("near", opens=600)
    van = cast.centers[0]
    van.lat, van.lon, van.last_heard_at = *VILLAGES["mid"][2:], at(598)
    cast.session.flush()
    assert run(cast, 600).visits_waiting == 1 and visit.status == "announced"
    van.lat, van.lon, van.last_heard_at = *VILLAGES["near"][2:], at(611)
    cast.session.flush()
    assert run(cast, 612).visits_opened == 1 and visit.opened_at == at(612) and van.late_minutes == 12


def test_a_cancelled_visit_and_a_van_out_of_service_do_not_open(cast: Country) -> None:
    cast.visit("near").status = "cancelled"
    cast.visit("mid", van=1)
    cast.centers[1].status = "out_of_service"
    cast.session.flush()
    assert run(cast, 620).visits_opened == 0


def test_people_at_a_van_are_served_out_for_half_an_hour(cast: Country) -> None:
    visit = cast.visit("near", opens=600, closes=780)
    run(cast, 600)
    come(cast, visit.queue, 770)
    assert run(cast, 780).doors_closed == 1 and (visit.status, visit.queue.state) == ("open", "paused")
    assert run(cast, 780 + VAN_OVERTIME / timedelta(minutes=1)).visits_closed == 1
    assert (visit.status, visit.queue.state) == ("closed", "closed")


def test_a_visit_that_never_opened_is_closed_when_its_time_is_over(cast: Country) -> None:
    visit = cast.visit("near", opens=600, closes=780)
    assert run(cast, 800).visits_closed == 1
    assert visit.status == "closed" and visit.opened_at is None and cast.centers[0].state == "depot"


def test_opening_and_closing_a_visit_by_hand_works_once(cast: Country) -> None:
    visit = cast.visit("near")
    assert open_visit(cast.session, visit, now=at(590)) and not open_visit(cast.session, visit, now=at(591))
    assert close_visit(cast.session, visit, now=at(700)) and not close_visit(cast.session, visit, now=at(701))


def test_small_transactions_reach_the_same_end(cast: Country) -> None:
    """With room for one queue or visit a run, three runs open what one would have."""
    visit, other = cast.visit("near", opens=510), cast.visit("mid", opens=510, van=1)
    runs = 0
    while not run_day_transitions(cast.session, now=at(510), most=1).complete:
        runs += 1
        assert runs < 10
    assert states(cast)[0] == "open" and {visit.status, other.status} == {"open"} and runs >= 2


def test_a_whole_day_can_be_opened_and_closed_at_once(cast: Country) -> None:
    visit = cast.visit("near", opens=540)
    opened = open_day(cast.session, DAY, now=at(600))
    assert (opened.queues_opened, opened.visits_opened) == (1, 1)
    assert not open_day(cast.session, DAY + timedelta(days=1), now=at(600)).changed
    closed = close_day(cast.session, DAY, now=at(700))
    assert (closed.queues_closed, closed.visits_closed) == (1, 1) and visit.status == "closed"
    assert states(cast) == ("closed", {"closed"})
