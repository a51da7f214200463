"""What visits told of villages: counts correct what the number of people alone says, by as much as they can tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import demand, value, visited
from fleet.calendar import local_instant
from fleet.forecast import cold
from fleet.network.queues import make_queue
from fleet.store import Center, Site, Visit
from queueing.store import QueueHour, Service
from tests.fleet.planning_cast import WEEK, country


@pytest.fixture
def session() -> Iterator[Session]:
    with country() as s:
        yield s


def village(session: Session, code: str = "V-001") -> Site:
    return session.scalars(select(Site).where(Site.code == code)).one()


def usual(session: Session, site: Site, day: date, last: date | None = None) -> float:
    """Who comes to a visit of four hours by the number of people alone."""
    weekly = visited.weekly_by_people(session) * site.population
    return visited.expected_people(weekly, day, 4.0, last)


def visit(session: Session, site: Site, *, weeks_ago: int, came: int | None, klass: str = "large") -> Visit:
    """A closed visit of four hours; `came` were counted there (None: nothing was measured)."""
    services = list(session.scalars(select(Service).where(Service.at_mobile)))
    queue = make_queue(session, name_ar="م", name_en="M", services=services, desks=2)
    center = session.scalars(select(Center).where(Center.klass == klass)).first()
    assert center is not None
    day = WEEK - timedelta(weeks=weeks_ago)
    made = Visit(
        center_id=center.id, site_id=site.id, queue_id=queue.id, day=day, opens_at=local_instant(day, 540),
        closes_at=local_instant(day, 780), opened_at=local_instant(day, 540), status="closed",
    )  # fmt: skip
    session.add(made)
    if came is not None:
        session.add(
            QueueHour(
                queue_id=queue.id, day=day, hour=9, arrivals=came, called=came, served=came, service_s=0.0
            )
        )
    session.flush()
    return made


def test_where_nobody_counted_people_alone_speak(session: Session) -> None:
    """No visit: the factor is 1 and there is nothing to tell; an unmeasured visit tells nothing either."""
    site = village(session)
    assert visited.learn_villages(session, before=WEEK).factor(site.id) == 1.0
    visit(session, site, weeks_ago=10, came=None)
    assert visited.learn_villages(session, before=WEEK).factor(site.id) == 1.0
    assert visited.told_by_visits(session, site.id, before=WEEK) is None


def test_a_count_moves_its_own_village_much_and_the_others_a_little(session: Session) -> None:
    """Half as many again came: the village's errands rise by most of that, and others' by a part of it; half as many
    lower them."""
    site, other = village(session), village(session, "V-101")
    before = value.weekly_errands(session, [site, other], WEEK)
    expected = usual(session, site, WEEK - timedelta(weeks=10))
    made = visit(session, site, weeks_ago=10, came=round(1.5 * expected))
    more = value.weekly_errands(session, [site, other], WEEK) / before
    assert 1.25 < more[0] < 1.5 and 1.0 < more[1] < more[0]
    session.query(QueueHour).filter_by(queue_id=made.queue_id).update({"arrivals": round(0.5 * expected)})
    fewer = value.weekly_errands(session, [site, other], WEEK) / before
    assert 0.5 < fewer[0] < 0.8 and fewer[0] < fewer[1] < 1.0


def test_the_first_visit_tells_more_than_the_second(session: Session) -> None:
    """The same surprise again moves the factor by less than the first did."""
    site = village(session)
    factors, last = [1.0], None
    for weeks_ago in (60, 40):
        expected = usual(session, site, WEEK - timedelta(weeks=weeks_ago), last)
        last = visit(session, site, weeks_ago=weeks_ago, came=round(1.4 * expected)).day
        factors.append(visited.learn_villages(session, before=WEEK).factor(site.id))
    assert factors[1] - factors[0] > 2 * (factors[2] - factors[1]) > 0


def test_a_full_van_says_only_that_no_fewer_wanted_to_come(session: Session) -> None:
    """As many came as the desks could serve, fewer than were expected: nothing is learned. Where more came than were
    expected, that much is."""
    site = village(session)
    site.population = 60_000
    session.flush()
    room = 4 * visited.stock.BUSY_SHARE * 4 / visited.service_hours(session)
    assert usual(session, site, WEEK - timedelta(weeks=10)) > 1.2 * room
    made = visit(session, site, weeks_ago=10, came=round(room))
    assert visited.learn_villages(session, before=WEEK).factor(site.id) == 1.0
    told = visited.told_by_visits(session, site.id, before=WEEK)
    assert told is not None and told.came == round(room) and told.factor == pytest.approx(1.0)
    more = round(1.4 * usual(session, site, made.day))
    session.query(QueueHour).filter_by(queue_id=made.queue_id).update({"arrivals": more})
    assert visited.learn_villages(session, before=WEEK).factor(site.id) > 1.2


def test_what_is_told_of_one_village_is_what_the_plan_reckons_with(session: Session) -> None:
    """The page asks about one village and gets what learning from all of them said of it."""
    site = village(session)
    for code, ratio, weeks_ago in (("V-001", 1.6, 12), ("V-101", 0.8, 11), ("V-100", 0.7, 9)):
        at, day = village(session, code), WEEK - timedelta(weeks=weeks_ago)
        visit(session, at, weeks_ago=weeks_ago, came=round(ratio * usual(session, at, day)))
    known = visited.learn_villages(session, before=WEEK)
    visited.keep_common(session, known)
    told = visited.told_by_visits(session, site.id, before=WEEK)
    assert told is not None and told.visits == 1
    assert told.factor * known.beforehand.ratio == pytest.approx(known.factor(site.id))
    assert told.expected == pytest.approx(
        usual(session, site, WEEK - timedelta(weeks=12)) * known.beforehand.ratio
    )


def test_one_visit_is_worth_more_than_the_number_of_people() -> None:
    """400 drawn villages whose factors differ by half: population alone errs by 40% in the mean; after one visit of a
    hundred people the error is less than half of that, and what villages have in common is found again."""
    draw = np.random.default_rng(5)
    truth = 1.3 * draw.gamma(1 / 0.5**2, 0.5**2, 400)
    expected = draw.uniform(60, 140, 400)
    came = draw.poisson(expected * truth).astype(float)
    beforehand = cold.learn_from_counts(came, expected)
    assert beforehand.ratio == pytest.approx(1.3, rel=0.08) and beforehand.cv == pytest.approx(0.5, rel=0.15)
    after = cold.posterior(beforehand, np.ones(400), came, expected)
    alone, told = np.abs(beforehand.ratio / truth - 1).mean(), np.abs(after / truth - 1).mean()
    assert told < 0.5 * alone
    few = draw.poisson(expected[:40] * 1.1).astype(float)
    assert cold.learn_from_counts(few, expected[:40]).cv < 0.3, "villages that hardly differ are said to"


def test_month_and_gap_are_taken_into_account(session: Session) -> None:
    """A visit three weeks after another finds less, and as many as that is no surprise."""
    site = village(session)
    first = visit(session, site, weeks_ago=20, came=round(usual(session, site, WEEK - timedelta(weeks=20))))
    near = usual(session, site, WEEK - timedelta(weeks=17), first.day)
    assert near < 0.6 * usual(session, site, WEEK - timedelta(weeks=17))
    visit(session, site, weeks_ago=17, came=round(near))
    assert visited.learn_villages(session, before=WEEK).factor(site.id) == pytest.approx(1.0, abs=0.03)
    july = usual(session, site, date(2026, 7, 15))
    assert july / usual(session, site, date(2026, 2, 15)) == pytest.approx(
        demand.MONTH_FACTORS[7] / demand.MONTH_FACTORS[2]
    )
