"""What visits are worth: where, when and how long they help, and that it is said as the screens read it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet import planner, value, visited
from fleet.calendar import local_instant
from fleet.network.queues import make_queue
from fleet.store import Center, ForecastHour, Site, Visit, VisitValue
from queueing.store import Service
from tests.fleet.planning_cast import FRIDAY, WEEK, country

SUNDAY = 1


@pytest.fixture
def session() -> Iterator[Session]:
    with country() as s:
        yield s


@pytest.fixture
def values(session: Session) -> value.Values:
    return value.compute_values(session, WEEK, now=FRIDAY)


def row(session: Session, values: value.Values, code: str) -> int:
    """The row of the site with that code."""
    return values.site_ids.index(session.scalars(select(Site.id).where(Site.code == code)).one())


def test_values_are_whole_and_never_negative(values: value.Values) -> None:
    """Twelve sites x seven days x two classes x five stays; hours and people are finite and not below
    zero."""
    assert values.hours.shape == (12, 7, 2, 5)
    for array in (values.hours, values.people):
        assert np.isfinite(array).all() and (array >= 0).all()
    assert (values.hours <= np.maximum(1.5 * values.waiting + values.travel, 0) + 1e-9).all()


def test_closed_days_are_worth_nothing(session: Session, values: value.Values) -> None:
    """Friday everywhere, Saturday on forecourts; villages take visits on Saturday."""
    assert values.hours[:, 6].max() == 0
    assert values.hours[row(session, values, "F-00"), 0].max() == 0
    assert values.hours[row(session, values, "V-001"), 0].min() > 0


def test_a_crowded_forecourt_is_worth_more_than_a_calm_one(session: Session, values: value.Values) -> None:
    """Load decides: the busy town's forecourt saves many times the calm one's hours."""
    busy, calm = row(session, values, "F-00"), row(session, values, "F-01")
    assert values.hours[busy, SUNDAY].min() > 10 * values.hours[calm, SUNDAY].max()


def test_a_large_van_and_a_longer_stay_serve_more_in_villages(session: Session, values: value.Values) -> None:
    """People served rise with the stay and with desks, each further hour by less."""
    people = values.people[row(session, values, "V-001"), SUNDAY]
    small, large = people[values.klasses.index("small")], people[values.klasses.index("large")]
    assert (np.diff(small) >= -1e-9).all() and (large >= small - 1e-9).all()
    assert (np.diff(np.diff(large)) <= 1e-9).all()


def test_the_further_and_the_bigger_village_is_worth_more(session: Session, values: value.Values) -> None:
    """V-001 has more people and a longer way to its center than V-000."""
    near, far = (values.hours[row(session, values, code), SUNDAY] for code in ("V-000", "V-001"))
    assert (far > near).all()


def test_a_village_visited_last_week_is_worth_less_until_it_fills_again(session: Session) -> None:
    """The stock is what a visit uses up: last week's visit lowers it, one ten weeks ago hardly any more."""
    site = session.scalars(select(Site).where(Site.code == "V-001")).one()
    fresh = _stock(session, site)
    visit = _visit(session, site, days_ago=7)
    recent = _stock(session, site)
    visit.day = WEEK - timedelta(days=70)
    session.flush()
    old = _stock(session, site)
    assert recent < 0.5 * fresh and recent < old < fresh
    visit.status = "cancelled"
    session.flush()
    assert _stock(session, site) == fresh, "a cancelled visit helped nobody"


def _stock(session: Session, site: Site) -> float:
    return float(value.village_stock(session, [site], WEEK)[0])


def _visit(session: Session, site: Site, *, days_ago: int) -> Visit:
    services = list(session.scalars(select(Service).where(Service.at_mobile)))
    queue = make_queue(session, name_ar="م", name_en="M", services=services, desks=2)
    center = session.scalars(select(Center)).first()
    assert center is not None
    day = WEEK - timedelta(days=days_ago)
    visit = Visit(
        center_id=center.id,
        site_id=site.id,
        queue_id=queue.id,
        day=day,
        opens_at=local_instant(day, 540),
        closes_at=local_instant(day, 780),
        status="closed",
    )
    session.add(visit)
    session.flush()
    return visit


def test_only_what_vans_offer_can_be_diverted(session: Session, values: value.Values) -> None:
    """When vans offer nothing, no forecourt has any value and no village any stock."""
    session.query(Service).update({"at_mobile": False})
    session.expire_all()
    none = value.compute_values(session, WEEK, now=FRIDAY)
    assert none.people.max() == 0 < values.people.max()
    assert visited.mobile_share(session) == 0


def test_a_tenth_more_demand_is_worth_far_more_than_a_tenth(session: Session, values: value.Values) -> None:
    """Queues explode near their capacity: that is why the forecast's error is averaged over."""
    busy = row(session, values, "F-00")
    session.query(ForecastHour).update({"arrivals": ForecastHour.arrivals * 0.9})
    session.expire_all()
    less = value.compute_values(session, WEEK, now=FRIDAY)
    t = values.stays.index(240)
    assert values.waiting[busy, SUNDAY, 0, t] > 1.2 * less.waiting[busy, SUNDAY, 0, t]


def test_the_standard_stay_is_stored_once_for_the_screens(session: Session) -> None:
    """One row per site, day and class with anything to gain; a second run replaces the first; parts add
    up."""
    value.visit_values(session, WEEK, now=FRIDAY)
    count = session.scalar(select(func.count()).select_from(VisitValue))
    value.visit_values(session, WEEK, now=FRIDAY)
    assert session.scalar(select(func.count()).select_from(VisitValue)) == count
    for kept in session.scalars(select(VisitValue)):
        assert kept.stay_minutes == value.STANDARD_STAY
        worth = value.WAIT_WEIGHT * kept.waiting_hours + kept.travel_hours
        assert kept.hours == pytest.approx(max(worth, 0), abs=0.01)


def test_the_problem_carries_the_values_in_tenths(session: Session, values: value.Values) -> None:
    """Offer x the day's percentage is the model's value of that day, within rounding."""
    problem = planner.build_problem(session, WEEK, now=FRIDAY)
    by_id = {s["id"]: s for s in problem["sites"]}
    for code in ("F-00", "V-001"):
        site, r = by_id[code], row(session, values, code)
        for d in range(1, 6):
            for k, klass in enumerate(values.klasses):
                for t, offer in enumerate(site["offers"][klass]):
                    worth = offer["value"] * site["day_percent"][d] / 100 / 10
                    assert worth == pytest.approx(values.hours[r, d, k, t], rel=0.1, abs=0.3)
