"""Early warnings: raised from live lines, told once, judged by what came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fleet import warnings
from fleet.calendar import week_of
from fleet.errors import Invalid, NotFound
from fleet.network.queues import make_queue
from fleet.store import ForecastHour, Plan, SiteQueue, Visit
from fleet.store_warning import SiteWarning
from queueing.alarms.chance import wait_at
from queueing.store import Desk, Outbox, Queue, Service, Ticket
from tests.fleet.network_cast import Country, country

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
"""10:00 in Cairo."""
FIVE = timedelta(minutes=5)


@pytest.fixture
def place(session: Session) -> Country:
    """A center with one line: three desks, six minutes a person, open until 15:00."""
    made = country(session)
    session.execute(update(Queue).values(state="open", pace_s=360.0))
    session.execute(update(Desk).values(state="open"))
    session.flush()
    return made


def people(session: Session, queue_id: int, number: int, *, came: datetime, first: int = 1) -> list[Ticket]:
    """People who took a ticket at `came` and wait."""
    service = session.scalars(select(Service.id)).all()[0]
    made = [
        Ticket(
            code=f"c{queue_id}-{n}", queue_id=queue_id, day=came.date(), number=n, label=f"A{n}", service_id=service,
            state="waiting", issued_at=came, aged_from=came,
        )
        for n in range(first, first + number)
    ]  # fmt: skip
    session.add_all(made)
    session.flush()
    return made


def test_a_crowd_is_told_of_once_with_what_it_rests_on(session: Session, place: Country) -> None:
    """Two looks in a row at a long line raise one warning: people, desks, expected wait, people beside the forecast,
    and the hours that a van would spare; the week board that is open is told in the same transaction."""
    queue_id = place.counter.id
    session.add_all(
        ForecastHour(
            queue_id=queue_id, day=NOW.date(), hour=hour, arrivals=12, offered_load=1.2, desks=3, level=0, made_at=NOW
        )
        for hour in range(9, 15)
    )  # fmt: skip
    plan = Plan(
        week=week_of(NOW.date()),
        status="published",
        created_at=NOW,
        created_by="p",
        problem=b"",
        solution=b"",
    )
    session.add(plan)
    people(session, queue_id, 40, came=NOW - timedelta(minutes=20))
    assert warnings.look(session, now=NOW) == []
    (one,) = warnings.look(session, now=NOW + FIVE)
    assert (one.queue_id, one.site_id, one.waiting, one.desks) == (queue_id, place.building.id, 40, 3)
    assert one.wait_min == pytest.approx(40 * 6 / 3) and one.chance > warnings.DEFAULT
    assert one.came_hour == 40 and one.usual_hour == pytest.approx(12)
    # 40 in line and 31.8 (2.65 times 12) an hour to come at 30 an hour: nobody would work the line off without help.
    assert one.relief_hours > 40
    told = session.scalars(
        select(Outbox).where(Outbox.topic == f"plan:{plan.id}", Outbox.part == "warnings")
    ).all()
    assert [row.data for row in told] == [{"open": 1}]
    for minutes in (10, 15, 20, 60):
        assert warnings.look(session, now=NOW + timedelta(minutes=minutes)) == []
    assert warnings.open_warnings(session, now=NOW + timedelta(minutes=60)) == [one]


def test_the_same_five_minutes_are_looked_at_once(session: Session, place: Country) -> None:
    """A job that comes twice in a slot is one look, so it cannot raise a warning by itself."""
    people(session, place.counter.id, 60, came=NOW - timedelta(minutes=1))
    for seconds in (0, 1, 59, 120):
        assert warnings.look(session, now=NOW + timedelta(seconds=seconds)) == []
    assert len(warnings.look(session, now=NOW + FIVE)) == 1


def test_a_short_line_and_a_line_without_desks_raise_nothing(session: Session, place: Country) -> None:
    """Below the threshold nobody is warned; where no desk is open nobody can say a wait, and none is invented."""
    short = int(wait_at(warnings.DEFAULT) * 3 / 6) - 1
    people(session, place.counter.id, short, came=NOW)
    for k in range(4):
        assert warnings.look(session, now=NOW + k * FIVE) == []
    people(session, place.counter.id, 80, came=NOW, first=500)
    session.execute(update(Desk).values(state="closed"))
    for k in range(4, 8):
        assert warnings.look(session, now=NOW + k * FIVE) == []


def test_a_line_at_rest_ends_its_warning_and_may_be_warned_of_again(session: Session, place: Country) -> None:
    """When the crowd has gone for an hour and a half the warning ends; a new crowd is a new warning."""
    crowd = people(session, place.counter.id, 60, came=NOW)
    warnings.look(session, now=NOW)
    (first,) = warnings.look(session, now=NOW + FIVE)
    for ticket in crowd:
        ticket.state = "served"
    session.flush()
    quiet = NOW + timedelta(minutes=10)
    while quiet <= NOW + timedelta(minutes=110):
        assert warnings.look(session, now=quiet) == []
        quiet += FIVE
    assert first.ended_at is not None and warnings.open_warnings(session, now=quiet) == []
    people(session, place.counter.id, 60, came=quiet, first=100)
    assert warnings.look(session, now=quiet) == []
    assert len(warnings.look(session, now=quiet + FIVE)) == 1


def test_a_van_with_too_many_people_is_warned_of_at_its_village(session: Session, place: Country) -> None:
    """A visit's line belongs to the place of the visit, and its closing is the visit's."""
    village = next(iter(place.villages.values()))
    queue = make_queue(session, name_ar="ز", name_en="Visit", services=place.services, desks=2)
    queue.state, queue.pace_s = "open", 360.0
    for desk in queue.desks:
        desk.state = "open"
    session.add(
        Visit(
            center_id=place.centers[0].id, site_id=village.id, queue_id=queue.id, day=NOW.date(),
            opens_at=NOW - timedelta(hours=1), closes_at=NOW + timedelta(hours=3), status="open",
        )
    )  # fmt: skip
    session.flush()
    people(session, queue.id, 40, came=NOW)
    warnings.look(session, now=NOW)
    (one,) = warnings.look(session, now=NOW + FIVE)
    assert (one.site_id, one.usual_hour, one.came_hour) == (village.id, None, 40)
    assert one.relief_hours > 0


def test_each_warning_is_held_against_what_came(session: Session, place: Country) -> None:
    """Three hours later the wait of those who came 30 to 60 minutes after it decides, and nobody else's."""
    raised = NOW - timedelta(hours=3)

    def said(queue_id: int) -> SiteWarning:
        one = SiteWarning(
            queue_id=queue_id, site_id=place.building.id, raised_at=raised, chance=0.6, threshold=0.5, waiting=40,
            desks=3, pace_s=360, wait_min=80, came_hour=40, relief_hours=10,
        )  # fmt: skip
        session.add(one)
        return one

    other = make_queue(session, name_ar="ز", name_en="Other", services=place.services, desks=2)
    session.add(SiteQueue(queue_id=other.id, site_id=place.building.id))
    right, wrong = said(place.counter.id), said(other.id)
    for queue_id, wait in ((place.counter.id, 50), (other.id, 10)):
        for n, after in enumerate((10, 35, 45, 59, 75), start=1):
            (ticket,) = people(session, queue_id, 1, came=raised + timedelta(minutes=after), first=n)
            inside = 30 < after <= 60
            ticket.called_at = ticket.issued_at + timedelta(minutes=wait if inside else 200 - 4 * wait)
    session.flush()
    assert warnings.came_true(right) is None
    assert warnings.judge(session, now=NOW - timedelta(seconds=1)) == 0
    assert warnings.judge(session, now=NOW) == 2
    assert (right.came, wrong.came) == (3, 3)
    assert right.came_wait_min == pytest.approx(50) and wrong.came_wait_min == pytest.approx(10)
    assert warnings.came_true(right) is True and warnings.came_true(wrong) is False
    assert warnings.judge(session, now=NOW) == 0


def test_the_threshold_is_one_whose_rates_are_known(session: Session, place: Country) -> None:
    """Only settings with stated rates are taken; a lower one warns of shorter lines."""
    with pytest.raises(Invalid):
        warnings.set_threshold(session, 0.05, actor="p", now=NOW)
    people(session, place.counter.id, int((wait_at(0.4) + 2) * 3 / 6), came=NOW)
    assert [warnings.look(session, now=NOW + k * FIVE) for k in range(2)] == [[], []]
    warnings.set_threshold(session, 0.4, actor="p", now=NOW)
    assert [len(warnings.look(session, now=NOW + k * FIVE)) for k in range(2, 4)] == [0, 1]
    rates = sorted(warnings.RATES, key=lambda rate: rate.threshold)
    assert [r.false_a_week for r in rates] == sorted((r.false_a_week for r in rates), reverse=True)
    assert next(r for r in rates if r.threshold == warnings.DEFAULT).false_a_week <= 1


def test_who_has_seen_a_warning_is_kept_and_the_first_word_stands(session: Session, place: Country) -> None:
    """Seeing it twice is seeing it once."""
    people(session, place.counter.id, 60, came=NOW)
    warnings.look(session, now=NOW)
    (one,) = warnings.look(session, now=NOW + FIVE)
    warnings.seen(session, one.id, actor="planner", now=NOW + FIVE)
    again = warnings.seen(session, one.id, actor="other", now=NOW + 2 * FIVE)
    assert (again.seen_by, again.seen_at) == ("planner", NOW + FIVE)
    with pytest.raises(NotFound):
        warnings.seen(session, 9999, actor="planner", now=NOW)


@given(
    waiting=st.floats(0, 80), coming=st.lists(st.floats(0, 6), min_size=12, max_size=72), desks=st.integers(1, 5),
    pace=st.floats(120, 900), extra=st.integers(1, 4), after=st.floats(0, 2),
)  # fmt: skip
def test_help_never_harms_and_sooner_is_better(
    waiting: float, coming: list[float], desks: int, pace: float, extra: int, after: float
) -> None:
    """More desks spare at least as much, sooner spares at least as much, and no more than all of the waiting."""

    def hours(more: float, when: float) -> float:
        return warnings.relieved_hours(waiting, coming, desks, pace, extra=more, after_h=when)

    spared = hours(extra, after)
    assert -1e-9 <= spared <= hours(extra + 1, after) + 1e-9
    assert spared <= hours(extra, after / 2) + 1e-9
    assert spared <= hours(10_000, 0) + 1e-9
