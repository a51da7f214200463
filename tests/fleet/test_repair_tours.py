"""Day repair of a van that is out for days: where it slept, where it sleeps now, and who hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import planner
from fleet.calendar import local_instant
from fleet.planning import repair
from fleet.planning.repair_apply import accept_repair
from fleet.planning.repair_calls import open_calls
from fleet.planning.repair_shapes import Disrupted, Proposal
from fleet.planning.repair_state import request_of
from fleet.store import Center, Plan, Repair, Site, Visit
from tests.fleet.nights_cast import FAR, FURTHER, VAN, desert, toured
from tests.fleet.planning_cast import FRIDAY, WEEK

SUNDAY = WEEK + timedelta(days=1)
TOUR = [(0, [(FAR, 180)], True), (1, [(FURTHER, 180)], False)]
"""Out on Saturday, a night there, on and home on Sunday."""


@pytest.fixture
def session() -> Iterator[Session]:
    """The tour, published."""
    with desert() as found:
        planner.publish(found, toured(found, TOUR), actor="p", now=FRIDAY)
        found.commit()
        yield found


def announced(session: Session, code: str) -> Visit:
    """The visit of a place that stands."""
    chosen = select(Visit).join(Site, Site.id == Visit.site_id).where(Site.code == code)
    return session.scalars(chosen.where(Visit.status != "cancelled")).one()


def asked(session: Session, disrupted: Disrupted, now: datetime) -> tuple[Repair, tuple[Proposal, ...]]:
    """A disruption with its proposals."""
    made = repair.report_disruption(session, disrupted, actor="planner", now=now)
    found = repair.propose_repairs(session, made, now=now, iterations=3)
    session.commit()
    return made, found


def test_a_van_that_was_not_heard_of_starts_where_it_slept(session: Session) -> None:
    """On Sunday at six it stands at the far village, not at its depot 190 km away."""
    far = announced(session, FAR)
    far.status, far.opened_at, far.closed_at = "closed", far.opens_at, far.closes_at
    session.commit()
    plan = session.scalars(select(Plan).where(Plan.status == "published")).one()
    site = announced(session, FURTHER).site_id
    now = local_instant(SUNDAY, 360)
    request = request_of(session, plan, Disrupted("site_closed", SUNDAY, site_id=site), now=now)
    assert request["live"][VAN]["place"] == f"S-{FAR}"


def test_a_night_kept_through_a_repair_stays_announced(session: Session) -> None:
    """Another place closes: the tour's visits stand, with the night and the next morning's start."""
    other = session.scalars(
        select(Site).where(Site.code.notin_([FAR, FURTHER]), Site.kind == "village")
    ).first()
    assert other is not None
    now = local_instant(WEEK, 360)
    plan = session.scalars(select(Plan).where(Plan.status == "published")).one()
    request = request_of(session, plan, Disrupted("site_closed", WEEK, site_id=other.id), now=now)
    assert [r.get("overnight", False) for r in request["plan"]["routes"]] == [True, False]
    made, found = asked(session, Disrupted("demand_changed", WEEK, site_id=other.id, percent=400), now)
    one = found[-1]
    accept_repair(session, made, one.name, actor="planner", now=now)
    session.commit()
    wanted = {(v.center_id, v.site_id, v.day): v.overnight for v in one.visits}
    standing = session.scalars(select(Visit).where(Visit.status == "announced")).all()
    assert wanted and {(v.center_id, v.site_id, v.day): v.overnight for v in standing} == wanted
    slept = {(v.center_id, v.day + timedelta(days=1)): v.site_id for v in standing if v.overnight}
    begun = {(v.center_id, v.day): v.origin_site_id for v in standing if v.origin_site_id is not None}
    assert begun and begun.items() <= slept.items()


def test_when_the_night_s_place_closes_nobody_is_said_to_sleep_there(session: Session) -> None:
    """The far village is flooded before the van has left: its visit and its night go, the crew hears of the night, and
    nothing announced starts from there any more."""
    far, further = announced(session, FAR), announced(session, FURTHER)
    now = local_instant(WEEK, 300)
    made, found = asked(session, Disrupted("site_closed", SUNDAY, site_id=far.site_id), now)
    first = found[0]
    assert [(n.day, n.before_site_id) for n in first.nights] == [(WEEK, far.site_id)]
    assert (far.center_id, WEEK) in first.crews
    accept_repair(session, made, first.name, actor="planner", now=now)
    session.commit()
    session.refresh(far)
    assert (far.status, far.overnight) == ("cancelled", False)
    standing = session.scalars(select(Visit).where(Visit.status == "announced")).all()
    assert all(v.origin_site_id != far.site_id for v in standing)
    facts = [c.facts for c in open_calls(session) if c.kind == "crew" and c.day == WEEK]
    assert facts and facts[0]["night"] == first.nights[0].after_site_id
    assert further.id in {v.id for v in standing} or any(
        c.before is not None and c.before.site_id == further.site_id for c in first.changes
    )


def test_a_van_that_breaks_down_on_tour_keeps_the_night_behind_it(session: Session) -> None:
    """Out on Sunday morning: Saturday's visit and night stand, Sunday's visit is lost or another van's."""
    far = announced(session, FAR)
    far.status, far.opened_at, far.closed_at = "closed", far.opens_at, far.closes_at
    session.commit()
    van = session.scalars(select(Center).where(Center.code == VAN)).one()
    now = local_instant(SUNDAY, 360)
    made, found = asked(session, Disrupted("center_out", SUNDAY, center_id=van.id), now)
    one = found[-1]
    assert not [v for v in one.visits if v.center_id == van.id and v.day == SUNDAY]
    assert [v.overnight for v in one.visits if v.center_id == van.id and v.day == WEEK] == [True]
    accept_repair(session, made, one.name, actor="planner", now=now)
    session.commit()
    session.refresh(far)
    assert far.overnight
