"""Visits that are cancelled, moved or ended early: whoever holds a ticket is told, and can go somewhere else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.alternatives import alternatives
from fleet.appointments import patterns, slots_on
from fleet.calendar import local_instant
from fleet.planning.announcing import Announcement, announce_week
from fleet.planning.informing import fit_bookings
from fleet.planning.ledger import visits_of
from fleet.planning.repair_apply import accept_repair
from fleet.planning.repair_shapes import Disrupted
from fleet.store import Plan, Visit
from queueing import appointments, counter
from queueing.errors import Conflict
from queueing.journeys import current_of
from queueing.notices import notices_of
from queueing.rebuild import check
from queueing.store import Queue, Service, Ticket
from tests.fleet.planning_cast import FRIDAY, WEEK, planned
from tests.fleet.test_planner_publish import LATER
from tests.fleet.test_repair import SATURDAY, proposed, under_way
from tests.fleet.test_repair import visits as announced


@pytest.fixture
def session() -> Iterator[Session]:
    """A published week."""
    with planned() as (made, plan):
        planner.publish(made, plan, actor="planner", now=FRIDAY)
        yield made


def booked(session: Session, visit: Visit, name: str, *, at: datetime | None = None) -> Ticket:
    """A booking at a visit, at its first slot where nothing else is said."""
    queue = session.get_one(Queue, visit.queue_id)
    slot = at or slots_on(session, queue, visit.day, service_id=None, now=FRIDAY)[0].at
    done = appointments.book(
        session, queue, "ID", at=slot, request_id=name, actor="phone", now=FRIDAY, phone=f"+20{sum(name.encode()):09d}",
        default=patterns(session, queue, visit.day),
    )  # fmt: skip
    return done.ticket


def told(session: Session, ticket: Ticket, kind: str) -> list[dict[str, object]]:
    """What the holder was told of that kind."""
    return [n.data for n in notices_of(session, [ticket.id]) if n.kind == kind]


def test_a_cancelled_visit_tells_its_people_why_and_where_to_go_and_books_them_there(
    session: Session,
) -> None:
    """The nearest place with a free appointment is named once; taking it is one press, the old link leads to it, a
    second press gives the same, and nobody waits for a visit that does not come."""
    visit = announced(session)[0]
    ticket = booked(session, visit, "mine")
    assert planner.cancel_visit(session, visit, "عطل", "Breakdown", actor="p", now=LATER) == 1
    assert planner.cancel_visit(session, visit, "عطل", "Again", actor="p", now=LATER) == 0
    (said,) = told(session, ticket, "called_off")
    assert (ticket.state, said["reason_en"], said["reason_ar"]) == ("cancelled", "Breakdown", "عطل")
    offers = alternatives(session, visit.queue_id, ticket.service_id, now=LATER)
    assert said["offer"] == offers[0].queue.id and offers[0].queue.id != visit.queue_id
    assert [o.order for o in offers] == sorted(o.order for o in offers)
    there = next(o for o in offers if o.at is not None)
    assert there.at is not None

    def press(name: str) -> appointments.Done:
        assert there.at is not None
        return appointments.rebook(
            session, ticket, there.queue, at=there.at, request_id=name, actor="phone", now=LATER,
            default=patterns(session, there.queue, there.day),
        )  # fmt: skip

    assert appointments.owed(session, ticket)
    first, second = press("again-1"), press("again-2")
    assert not first.repeated and second.repeated and first.ticket.id == second.ticket.id
    assert (first.ticket.state, first.ticket.phone) == ("booked", ticket.phone)
    assert current_of(session, ticket).id == first.ticket.id and not appointments.owed(session, ticket)
    booking = appointments.booking_of(session, first.ticket.id)
    assert booking is not None and booking.confirmed_at == LATER, "who was let down is not asked to confirm"
    assert check(session, [visit.queue_id, there.queue.id]) == []


def test_nothing_is_owed_to_who_left_by_themselves(session: Session) -> None:
    """Giving one's booking back opens no second door, past a full day or otherwise."""
    visit = announced(session)[0]
    ticket = booked(session, visit, "mine")
    counter.leave(session, ticket, request_id="gone", actor="phone", now=LATER)
    there = next(o for o in alternatives(session, visit.queue_id, ticket.service_id, now=LATER) if o.at)
    assert there.at is not None
    with pytest.raises(Conflict, match="not ended by us"):
        appointments.rebook(
            session, ticket, there.queue, at=there.at, request_id="x", actor="phone", now=LATER,
            default=patterns(session, there.queue, there.day),
        )  # fmt: skip


def test_a_visit_moved_to_another_day_offers_that_day(session: Session) -> None:
    """The week is announced anew with the visit on its last day: that is another visit, announced before people are
    told, so that it is the first that they are offered."""
    plan = session.get_one(Plan, 1)
    stands = announced(session)
    visit, last = stands[0], stands[-1].day
    ticket = booked(session, visit, "mine")
    rows = []
    for v in stands:
        later = timedelta(days=(last - v.day).days) if v is visit else timedelta(0)
        rows.append(
            Announcement(
                v.center_id, v.site_id, v.day + later, v.opens_at + later, v.closes_at + later, v.depart_at + later,
                False, None, v.hours_saved,
            )
        )  # fmt: skip
    report = announce_week(session, plan, rows, actor="planner", now=LATER)
    assert report.cancelled == (visit.id,) and ticket.state == "cancelled"
    (new,) = report.created
    (said,) = told(session, ticket, "called_off")
    offers = alternatives(session, visit.queue_id, ticket.service_id, now=LATER, most=9)
    assert session.get_one(Visit, new).queue_id in [o.queue.id for o in offers if o.km == 0]
    assert said["offer"] == offers[0].queue.id and said["reason_en"] == "The week's plan has changed"


def test_other_hours_take_bookings_along_and_leave_who_still_fits(session: Session) -> None:
    """A visit begins two hours later: who was booked before is moved to the nearest free time, keeps the number and is
    told; who is booked after stays where they are and hears nothing."""
    plan = session.get_one(Plan, 1)
    row = next(r for r in visits_of(session, plan) if r.stay_minutes >= 240)
    visit = session.scalars(
        select(Visit).where(
            Visit.center_id == row.center_id, Visit.site_id == row.site_id, Visit.day == row.day
        )
    ).one()
    queue = session.get_one(Queue, visit.queue_id)
    every = slots_on(session, queue, visit.day, service_id=None, now=FRIDAY)
    early = booked(session, visit, "early")
    late_at = next(s.at for s in every if s.at >= visit.opens_at + timedelta(minutes=150))
    late = booked(session, visit, "later", at=late_at)
    number = early.number
    visit.opens_at += timedelta(minutes=120)
    session.flush()
    assert fit_bookings(session, [queue.id], actor="planner", now=LATER) == 1
    assert fit_bookings(session, [queue.id], actor="planner", now=LATER) == 0
    assert early.state == "booked" and early.number == number
    assert early.appointment_at is not None and early.appointment_at >= visit.opens_at
    assert told(session, early, "moved") == [{"at": early.appointment_at.isoformat()}]
    assert late.appointment_at == late_at and told(session, late, "moved") == []
    assert check(session, [queue.id]) == []


def test_who_waits_at_a_broken_van_is_sent_home_with_the_reason() -> None:
    """The visit is open, somebody waits and somebody is being served: the one is told why and where to go instead, the
    other is finished."""
    with under_way() as (session, _plan):
        opened = next(v for v in announced(session) if v.status == "open")
        queue = session.get_one(Queue, opened.queue_id)
        service = session.scalars(select(Service).where(Service.code == "ID")).one()
        served, waits = (
            counter.issue(
                session,
                queue,
                service.code,
                request_id=f"t-{n}",
                actor="phone",
                now=SATURDAY,
                channel="phone",
            ).ticket
            for n in range(2)
        )
        counter.call_next(session, queue.desks[0], request_id="call", actor="c", now=SATURDAY)
        made, found = proposed(session, Disrupted("center_out", WEEK, center_id=opened.center_id))
        accept_repair(session, made, found[0].name, actor="planner", now=SATURDAY)
        assert (served.state, waits.state) == ("called", "cancelled")
        (said,) = told(session, waits, "called_off")
        assert said["reason_en"] == "The mobile center has broken down" and said["offer"] != queue.id
        assert told(session, waits, "closed") == [], "one message, not two"
        assert opened.reason_ar
        counter.finish(session, served, request_id="end", actor="c", now=local_instant(WEEK, 610))
        assert served.state == "served"
