"""Day repair in the fleet: nothing is announced before it is accepted, and then exactly what was proposed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.calendar import local_day, local_instant, local_minute
from fleet.days.visits import open_visit
from fleet.errors import Conflict, FleetError
from fleet.planner import publish
from fleet.planning import repair
from fleet.planning.repair_apply import accept_repair
from fleet.planning.repair_calls import open_calls, tick
from fleet.planning.repair_shapes import Disrupted, Proposal
from fleet.planning.repair_state import request_of
from fleet.store import Center, Plan, PlanVisit, Repair, Visit
from queueing import issuing
from queueing.store import Service, Ticket
from tests.fleet.planning_cast import FRIDAY, WEEK, planned

SATURDAY = local_instant(WEEK, 600)
"""Ten o'clock on the first day."""


@contextmanager
def under_way(now: datetime = SATURDAY) -> Iterator[tuple[Session, Plan]]:
    """The published week, its visits of the first day opened as far as `now` has come."""
    with planned() as (session, plan):
        publish(session, plan, actor="planner", now=FRIDAY)
        session.commit()
        for visit in visits(session):
            if visit.opens_at <= now and visit.day == local_day(now):
                open_visit(session, visit, now=visit.opens_at)
        session.commit()
        yield session, plan


def visits(session: Session) -> list[Visit]:
    """What is announced and not cancelled, in order."""
    return list(
        session.scalars(select(Visit).where(Visit.status != "cancelled").order_by(Visit.opens_at, Visit.id))
    )


def busiest(session: Session) -> Center:
    """The center with the most visits to come: losing it hurts."""
    ahead = [v.center_id for v in visits(session) if v.status == "announced"]
    return session.get_one(Center, max(sorted(set(ahead)), key=ahead.count))


def proposed(
    session: Session, disrupted: Disrupted, now: datetime = SATURDAY
) -> tuple[Repair, tuple[Proposal, ...]]:
    """A disruption with its proposals."""
    made = repair.report_disruption(session, disrupted, actor="planner", now=now)
    found = repair.propose_repairs(session, made, now=now, iterations=3)
    session.commit()
    return made, found


def out(session: Session, *, until_days: int = 5) -> Disrupted:
    """The busiest center is out for some days."""
    return Disrupted("center_out", WEEK + timedelta(days=until_days), center_id=busiest(session).id)


def facts(session: Session) -> set[tuple[int, int, object, int, int]]:
    """What citizens see: center, place, day, opening and closing minute."""
    return {
        (v.center_id, v.site_id, v.day, local_minute(v.opens_at), local_minute(v.closes_at))
        for v in visits(session)
    }


def test_a_proposal_announces_nothing() -> None:
    """Until somebody accepts, citizens read what they read before; only the center is out of service."""
    with under_way() as (session, plan):
        before = facts(session)
        disrupted = out(session)
        made, found = proposed(session, disrupted)
        assert made.status == "proposed" and found
        assert facts(session) == before
        assert plan.status == "published"
        assert session.get_one(Center, disrupted.center_id).status == "out_of_service"


def test_what_is_accepted_is_what_citizens_see() -> None:
    """After accepting, the standing visits to come are the proposal's, no other; the broken center makes none."""
    with under_way() as (session, _plan):
        disrupted = out(session)
        made, found = proposed(session, disrupted)
        best = found[-1]
        done = accept_repair(session, made, best.name, actor="planner", now=SATURDAY)
        session.commit()
        wanted = {
            (v.center_id, v.site_id, v.day, v.start, v.start + v.stay)
            for v in best.visits
            if local_instant(v.day, v.start + v.stay) > SATURDAY
        }
        assert {f for f in facts(session) if local_instant(f[2], f[4]) > SATURDAY} == wanted
        later = [v for v in visits(session) if v.center_id == disrupted.center_id and v.opens_at > SATURDAY]
        assert later == []
        published = session.get_one(Plan, done.plan_id)
        assert published.status == "published"
        rows = session.scalars(select(PlanVisit).where(PlanVisit.plan_id == published.id)).all()
        assert {(r.center_id, r.site_id, r.day) for r in rows} == {f[:3] for f in facts(session)}


def test_alternatives_cost_more_changes_only_for_more_hours() -> None:
    """Each alternative is worth more than the one before it, and at least as much as letting things go."""
    with under_way() as (session, _plan):
        _made, found = proposed(session, out(session))
        gains = [one.gain for one in found]
        assert gains == sorted(set(gains))
        assert all(gain >= 0 for gain in gains)
        assert [len(o.changes) + len(o.crews) for o in found] == sorted(
            len(o.changes) + len(o.crews) for o in found
        )


def test_who_must_be_told_is_listed_and_ticked_off_once() -> None:
    """Every changed place and every crew whose day changes has a call; a tick keeps the first name."""
    with under_way() as (session, _plan):
        made, found = proposed(session, out(session))
        best = found[-1]
        accept_repair(session, made, best.name, actor="planner", now=SATURDAY)
        session.commit()
        calls = open_calls(session)
        assert {(c.center_id, c.day) for c in calls if c.kind == "crew"} == set(best.crews)
        assert sorted(c.site_id for c in calls if c.kind == "site") == sorted(c.site_id for c in best.changes)
        tick(session, calls[0].id, told=True, actor="Mona", now=SATURDAY)
        again = tick(session, calls[0].id, told=True, actor="Ali", now=SATURDAY + timedelta(minutes=1))
        assert (again.told_by, again.told_at) == ("Mona", SATURDAY)
        assert calls[0].id not in {c.id for c in open_calls(session)}
        assert tick(session, calls[0].id, told=False, actor="Ali", now=SATURDAY).told_at is None


def test_tickets_are_counted_and_closed_with_the_visit_that_nobody_makes() -> None:
    """Whoever holds a ticket for a dropped visit is counted beside the proposal, and the ticket ends."""
    with under_way() as (session, _plan):
        disrupted = out(session)
        visit = next(
            v for v in visits(session) if v.center_id == disrupted.center_id and v.status == "announced"
        )
        ticket = book(session, visit)
        made, found = proposed(session, disrupted)
        first = found[0]
        change = next(
            c
            for c in first.changes
            if c.before and (c.before.site_id, c.before.day) == (visit.site_id, visit.day)
        )
        assert (change.tickets, change.phones) == (1, 1)
        accept_repair(session, made, first.name, actor="planner", now=SATURDAY)
        session.refresh(ticket)
        assert ticket.state == (
            "cancelled" if change.after is None or change.after.day != visit.day else "booked"
        )


def book(session: Session, visit: Visit) -> Ticket:
    """A ticket for a visit to come."""
    service = session.scalars(select(Service).where(Service.at_mobile)).first()
    assert service is not None
    done = issuing.issue(
        session, visit.queue, service.code, request_id=f"book-{visit.id}", actor="citizen", now=FRIDAY,
        channel="booking", phone="+201001234567", appointment_at=visit.opens_at + timedelta(minutes=30),
    )  # fmt: skip
    return done.ticket


def test_another_center_keeps_the_queue_of_a_visit_it_takes_over() -> None:
    """Same place, same day, another center: the visit, its queue and its tickets stay; desks are the new center's."""
    with under_way() as (session, _plan):
        found = None
        for center in session.scalars(select(Center).order_by(Center.id)):
            disrupted = Disrupted("center_out", WEEK + timedelta(days=5), center_id=center.id)
            made, proposals = proposed(session, disrupted)
            for one in proposals:
                found = next((c for c in one.changes if c.kind == "other_center"), None)
                if found is not None:
                    break
            if found is not None:
                break
            repair.dismiss_repair(session, made)
            repair.ready_again(session, center, now=SATURDAY)
        if found is None or found.before is None or found.after is None:
            pytest.skip("no center of the small country can take another's visit over on its day")
        visit = next(
            v for v in visits(session)
            if (v.center_id, v.site_id, v.day) == (found.before.center_id, found.before.site_id, found.before.day)
        )  # fmt: skip
        queue_id = visit.queue_id
        accept_repair(session, made, one.name, actor="planner", now=SATURDAY)
        session.refresh(visit)
        assert (visit.center_id, visit.status, visit.queue_id) == (
            found.after.center_id,
            "announced",
            queue_id,
        )
        assert len(visit.queue.desks) == visit.center.desks


def test_accepting_twice_is_once_and_another_choice_is_refused() -> None:
    """The same press again answers the same; who comes second with another choice hears that it is decided."""
    with under_way() as (session, _plan):
        made, found = proposed(session, out(session))
        first = accept_repair(session, made, found[0].name, actor="planner", now=SATURDAY)
        session.commit()
        again = accept_repair(session, made, found[0].name, actor="other", now=SATURDAY)
        assert (again.repeated, again.plan_id) == (True, first.plan_id)
        if len(found) > 1:
            with pytest.raises(Conflict, match="decided"):
                accept_repair(session, made, found[1].name, actor="other", now=SATURDAY)


@pytest.mark.parametrize("cause", ["old", "visit", "plan"])
def test_a_stale_proposal_is_refused_with_its_cause(cause: str) -> None:
    """Too old, a visit changed since, another plan published: each is refused, and says why."""
    with under_way() as (session, plan):
        made, found = proposed(session, out(session))
        now = SATURDAY
        if cause == "old":
            now += repair.HOLDS + timedelta(minutes=1)
        elif cause == "visit":
            old = next(c.before for c in found[0].changes if c.before is not None)
            visit = next(
                v
                for v in visits(session)
                if (v.center_id, v.site_id, v.day) == (old.center_id, old.site_id, old.day)
            )
            visit.opens_at += timedelta(minutes=30)
        else:
            plan.status = "superseded"
        session.commit()
        with pytest.raises(Conflict) as caught:
            accept_repair(session, made, found[0].name, actor="planner", now=now)
        session.rollback()
        assert (caught.value.code, caught.value.details["cause"]) == ("repair_stale", cause)
        assert session.get_one(Repair, made.id).status == "proposed"


def test_what_is_open_counts_as_served() -> None:
    """What a van has begun is over for the repair: it cannot be taken away."""
    with under_way() as (session, plan):
        opened = [v for v in visits(session) if v.status == "open"]
        assert opened, "the cast has visits open at ten"
        disrupted = Disrupted("center_out", WEEK, center_id=opened[0].center_id)
        request = request_of(session, plan, disrupted, now=SATURDAY)
        for visit in opened:
            assert visit.site.code in request["live"][visit.center.code]["served"]
        made, found = proposed(session, disrupted)
        touched = {(c.before.site_id, c.before.day) for one in found for c in one.changes if c.before}
        assert not touched & {(v.site_id, v.day) for v in opened}
        assert made.status == "proposed"


def test_a_van_on_the_road_starts_from_where_it_was_heard_and_a_silent_one_by_its_timetable() -> None:
    """At eight the vans are on their way: one by its last position, the others where their timetable leads."""
    eight = local_instant(WEEK, 480)
    with under_way(eight) as (session, plan):
        today = [v for v in visits(session) if v.day == WEEK]
        first, second = today[0], next(v for v in today if v.center_id != today[0].center_id)
        center = first.center
        center.lat, center.lon, center.last_heard_at, center.state = 30.33, 31.41, eight, "driving"
        session.flush()
        request = request_of(session, plan, Disrupted("site_closed", WEEK, site_id=second.site_id), now=eight)
        heard, silent = request["live"][center.code], request["live"][second.center.code]
        assert (heard["lat"], heard["lon"], heard["minute"], heard["served"]) == (30.33, 31.41, 480, [])
        assert silent["place"] in {"D-" + second.center.code, "D-MC-0-0", "D-MC-1-0", "S-" + second.site.code}


def test_a_closed_place_loses_only_its_own_visit() -> None:
    """The first alternative for a closed place changes nothing else."""
    with under_way() as (session, _plan):
        visit = next(v for v in visits(session) if v.status == "announced" and v.day > WEEK)
        _made, found = proposed(
            session, Disrupted("site_closed", WEEK + timedelta(days=5), site_id=visit.site_id)
        )
        assert {c.site_id for c in found[0].changes} == {visit.site_id}


@pytest.mark.parametrize(
    "disrupted",
    [
        Disrupted("center_out", WEEK, center_id=999),
        Disrupted("center_out", WEEK - timedelta(days=1), center_id=1),
        Disrupted("site_closed", WEEK, site_id=None),
        Disrupted("demand_changed", WEEK, site_id=1),
        Disrupted("road_slowed", WEEK, site_id=1, percent=5, radius_km=4),
        Disrupted("flood", WEEK, site_id=1),  # type: ignore[arg-type]
    ],
)
def test_nonsense_is_refused(disrupted: Disrupted) -> None:
    """Unknown things, days that are over, percentages out of range."""
    with under_way() as (session, _plan), pytest.raises(FleetError):
        repair.report_disruption(session, disrupted, actor="planner", now=SATURDAY)


def test_without_a_published_week_there_is_nothing_to_repair() -> None:
    """A draft is not repaired: it is planned again."""
    with planned() as (session, _plan), pytest.raises(Conflict, match="nothing to repair"):
        repair.report_disruption(
            session,
            Disrupted("center_out", WEEK, center_id=1),
            actor="p",
            now=datetime(2026, 11, 21, 9, tzinfo=UTC),
        )


def test_a_center_that_was_out_for_today_is_in_service_again_tomorrow() -> None:
    """Not before; and not one of which nothing was said."""
    with under_way() as (session, _plan):
        first, second = session.scalars(select(Center).order_by(Center.id)).all()[:2]
        repair.report_disruption(
            session, Disrupted("center_out", WEEK, center_id=first.id), actor="p", now=SATURDAY
        )
        second.status = "out_of_service"
        session.flush()
        assert repair.return_centers(session, now=SATURDAY + timedelta(hours=10)) == []
        assert repair.return_centers(session, now=SATURDAY + timedelta(hours=20)) == [first]
        assert (first.status, second.status) == ("ready", "out_of_service")


def test_a_visit_that_is_open_at_the_broken_center_ends_when_a_way_is_chosen() -> None:
    """Whatever is chosen: its doors cannot stay open."""
    with under_way() as (session, _plan):
        opened = next(v for v in visits(session) if v.status == "open")
        made, found = proposed(session, Disrupted("center_out", WEEK, center_id=opened.center_id))
        assert opened.status == "open"
        accept_repair(session, made, found[0].name, actor="planner", now=SATURDAY)
        assert (opened.status, opened.queue.state) == ("closed", "closed")
